#include "signer/backup_file.h"
#include "base/reader.h"
#include "base/require.h"
#include "bitcoin/mnemonic.h"
#include "crypto/kdf.h"
#include "crypto/random.h"
#include "crypto/stream.h"

enum {
    SALT_LEN = 16,
    PREFIX_LEN = 16 + 1 + 4 + 4 + 4 + SALT_LEN,
    PASSES_MAX = 16,
    MEMORY_MAX_KIB = 2097152,
    ENTROPY_LEN = 16,
};

// --- Words ---

void backup_words_wipe(struct backup_words *words)
{
    wipe(words, sizeof *words);
}

void backup_words_make(struct backup_words *out)
{
    uint8_t entropy[ENTROPY_LEN];
    struct writer w = writer_of(out->b, sizeof out->b - 1);
    struct err err;
    random_bytes(entropy, sizeof entropy);
    REQUIRE(mnemonic_from_entropy(&w, BYTES_OF(entropy), &err) && !w.failed);
    wipe(entropy, sizeof entropy);
    out->len = w.len;
    out->b[w.len] = '\0';
}

struct bytes backup_words_nth(const struct backup_words *words, unsigned n)
{
    struct reader r = reader_of(bytes_of(words->b, words->len));
    struct bytes word = { 0 };
    for (unsigned i = 0; i < n; i++)
        REQUIRE(reader_until(&r, ' ', &word));
    return word;
}

static bool read_words(struct backup_words *out, struct bytes typed, struct err *err)
{
    char mem[MNEMONIC_TEXT_MAX];
    struct writer w = writer_of(mem, sizeof mem);
    size_t blanks = 0;
    bool ok = mnemonic_normalize(&w, typed, err);
    for (size_t i = 0; ok && i < w.len; i++)
        blanks += mem[i] == ' ';
    if (ok && blanks != BACKUP_WORDS - 1)
        ok = err_set(err, ERR_INVALID, "a backup has %d words", BACKUP_WORDS);
    if (ok) {
        memcpy(out->b, mem, w.len);
        out->len = w.len;
    }
    wipe(mem, sizeof mem);
    return ok;
}

// --- Key ---

struct prefix {
    uint32_t text_len;
    struct vault_cost cost;
    uint8_t salt[SALT_LEN];
};

struct key {
    uint8_t b[STREAM_KEY_LEN];
};
static void key_wipe(struct key *key)
{
    wipe(key, sizeof *key);
    wipe_stack();
}

static bool make_key(struct key *out, const struct prefix *prefix, const struct backup_words *words,
                     struct err *err)
{
    return argon2id(out->b, sizeof out->b, bytes_of(words->b, words->len), BYTES_OF(prefix->salt),
                    prefix->cost.passes, prefix->cost.memory_kib, err);
}

// --- The file ---

static void put_prefix(struct writer *w, const struct prefix *prefix)
{
    writer_text(w, BACKUP_FILE_MAGIC);
    writer_u8(w, BACKUP_FILE_VERSION);
    writer_u32le(w, prefix->cost.passes);
    writer_u32le(w, prefix->cost.memory_kib);
    writer_u32le(w, prefix->text_len);
    writer_put(w, BYTES_OF(prefix->salt));
}

// Bytes of a file whose text is that long.
static uint64_t file_len(uint32_t text_len)
{
    const uint64_t pieces = (uint64_t)text_len / STREAM_PIECE + 1;
    return PREFIX_LEN + STREAM_OVERHEAD + text_len + 17 * pieces;
}

bool backup_file_seal(struct writer *w, struct bytes text, const struct backup_words *words,
                      struct vault_cost cost, struct err *err)
{
    AUTO(key_wipe) struct key key;
    struct prefix prefix = { .text_len = (uint32_t)text.len, .cost = cost };
    uint8_t mem[PREFIX_LEN];
    struct writer start = writer_of(mem, sizeof mem);
    if (file_len(0) + text.len > BACKUP_FILE_MAX)
        return err_set(err, ERR_LIMIT, "the backup is too large");
    random_bytes(prefix.salt, sizeof prefix.salt);
    if (!make_key(&key, &prefix, words, err))
        return false;
    put_prefix(&start, &prefix);
    REQUIRE(!start.failed && start.len == PREFIX_LEN);
    writer_put(w, writer_bytes(&start));
    stream_seal(w, text, writer_bytes(&start), key.b);
    return !w->failed || err_set(err, ERR_NO_MEMORY, "the backup is too large");
}

bool backup_file_is_sealed(struct bytes file)
{
    return bytes_starts_with(file, BYTES(BACKUP_FILE_MAGIC));
}

static bool read_prefix(struct prefix *out, struct bytes file, struct err *err)
{
    struct reader r = reader_of(file);
    uint8_t version = 0;
    if (!reader_accept_bytes(&r, BYTES(BACKUP_FILE_MAGIC)))
        return err_set(err, ERR_MALFORMED, "not a Casemate backup");
    if (reader_u8(&r, &version) && version != BACKUP_FILE_VERSION)
        return err_set(err, ERR_UNSUPPORTED, "backup of version %u; this program opens version %d",
                       version, BACKUP_FILE_VERSION);
    if (!reader_u32le(&r, &out->cost.passes) || !reader_u32le(&r, &out->cost.memory_kib) ||
        !reader_u32le(&r, &out->text_len) || !reader_copy(&r, out->salt, sizeof out->salt))
        return err_set(err, ERR_TRUNCATED, "the backup is cut short: %zu bytes of %d or more",
                       file.len, PREFIX_LEN);
    const uint64_t expected = file_len(out->text_len);
    if (file.len < expected)
        return err_set(err, ERR_TRUNCATED, "the backup is cut short: %zu bytes of %llu", file.len,
                       (unsigned long long)expected);
    if (file.len > expected)
        return err_set(err, ERR_MALFORMED, "the backup is longer than it says: %zu bytes of %llu",
                       file.len, (unsigned long long)expected);
    // What the file asks of this machine is bounded before anything is spent on it.
    return (out->cost.passes >= 1 && out->cost.passes <= PASSES_MAX && out->cost.memory_kib >= 8 &&
            out->cost.memory_kib <= MEMORY_MAX_KIB) ||
           err_set(err, ERR_INVALID, "the backup is damaged");
}

bool backup_file_open(struct bytes *text, struct bytes file, struct bytes words,
                      struct arena *arena, struct err *err)
{
    AUTO(key_wipe) struct key key = { 0 };
    AUTO(backup_words_wipe) struct backup_words normal = { 0 };
    struct prefix prefix = { 0 };
    if (!read_prefix(&prefix, file, err) || !read_words(&normal, words, err) ||
        !make_key(&key, &prefix, &normal, err))
        return false;
    switch (stream_unseal(text, bytes_slice(file, PREFIX_LEN, SIZE_MAX),
                          bytes_slice(file, 0, PREFIX_LEN), key.b, arena)) {
    case STREAM_GOOD:
        return true;
    case STREAM_WRONG_KEY:
        return err_set(err, ERR_AUTH, "these words do not open the backup");
    case STREAM_NO_MEMORY:
        return err_set(err, ERR_NO_MEMORY, "the backup is too large");
    case STREAM_DAMAGED:
    case STREAM_CUT: // its length was right
        break;
    }
    return err_set(err, ERR_INVALID, "the backup is damaged");
}
