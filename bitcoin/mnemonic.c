// bitcoin/mnemonic.c
//
// (1) No word's number is used as an index, and no letter decides a branch: all 2048 words are looked
//     at for each one (psbt-signing 25.3 rule 3). What may show is declassified: where the blanks
//     are, so how long each word is; and whether the phrase is right. ct_test.c checks it.
// (2) Everything that words can be told from is wiped.
#include "bitcoin/mnemonic.h"
#include "base/secret.h"
#include "crypto/declassify.h"
#include "crypto/hash.h"
#include "crypto/kdf.h"
#include <string.h>

#define WORDS_MAX   24
#define ENTROPY_MAX 32
#define WORD_MAX    8
#define WORD_BITS   11
#define SEED_ROUNDS 2048

// Padded with zeros; the longest have no final one.
static const char word_list[2048][WORD_MAX] = {
#include "bitcoin/mnemonic_words.inc"
};

void mnemonic_text_wipe(struct mnemonic_text *text)
{
    wipe(text, sizeof *text);
}

void mnemonic_seed_wipe(struct mnemonic_seed *seed)
{
    wipe(seed, sizeof *seed);
}

struct phrase {
    uint16_t number[WORDS_MAX]; // of each word in the list
    size_t n;
};

static void phrase_wipe(struct phrase *p)
{
    wipe(p, sizeof *p);
}

// Entropy and the first byte of its hash.
struct entropy_bits {
    uint8_t b[ENTROPY_MAX + 1];
};

static void entropy_bits_wipe(struct entropy_bits *e)
{
    wipe(e, sizeof *e);
}

// All ones if x is 0, else 0. The compiler may not know that it is one of the two: clang 14 makes
// branches of such masks.
static uint64_t mask_if_zero(uint64_t x)
{
    uint64_t mask = ((x | (0 - x)) >> 63) - 1;
    __asm__("" : "+r"(mask));
    return mask;
}

static uint64_t load(const void *eight_bytes)
{
    uint64_t value;
    memcpy(&value, eight_bytes, sizeof value);
    return value;
}

// The number of the word that begins with the `len` typed letters (four or more), or is the typed
// word. Psbt-signing 3.1: "the first four letters identify a word".
static bool find_word(uint16_t *number, const uint8_t typed[static WORD_MAX], size_t len)
{
    uint8_t compared[WORD_MAX];
    uint64_t found = 0, found_number = 0;
    memset(compared, 0xff, sizeof compared);
    if (len >= 4)
        memset(compared + len, 0, sizeof compared - len);
    for (size_t i = 0; i < COUNT(word_list); i++) {
        const uint64_t match = mask_if_zero((load(word_list[i]) ^ load(typed)) & load(compared));
        found |= match;
        found_number |= match & i;
    }
    *number = (uint16_t)found_number;
    declassify(&found, sizeof found);
    return found != 0;
}

// Padded with zeros. False if it is no word of the list's alphabet and length.
static bool lower_word(uint8_t out[static WORD_MAX], struct bytes typed)
{
    unsigned other = 0;
    memset(out, 0, WORD_MAX);
    if (typed.len > WORD_MAX)
        return false;
    for (size_t i = 0; i < typed.len; i++) {
        out[i] = typed.ptr[i] | 0x20;
        other |= (unsigned)((uint8_t)(out[i] - 'a') > 'z' - 'a');
    }
    declassify(&other, sizeof other);
    return other == 0;
}

static bool is_blank(uint8_t c)
{
    const unsigned blank = (unsigned)(c == ' ') | (unsigned)((uint8_t)(c - '\t') <= '\r' - '\t');
    declassify(&blank, sizeof blank);
    return blank != 0;
}

// The next run of other characters than blanks; false if there is none.
static bool take_word(struct bytes *word, struct bytes *rest)
{
    size_t start = 0;
    while (start < rest->len && is_blank(rest->ptr[start]))
        start++;
    size_t end = start;
    while (end < rest->len && !is_blank(rest->ptr[end]))
        end++;
    *word = bytes_slice(*rest, start, end - start);
    *rest = bytes_slice(*rest, end, rest->len);
    return word->len > 0;
}

static bool check_count(struct bytes text, struct err *err)
{
    struct bytes word;
    size_t n = 0;
    while (take_word(&word, &text))
        n++;
    // Psbt-signing 3.1: "15 and 21 are valid BIP-39 but refused"
    if (n != 12 && n != 18 && n != 24)
        return err_set(err, ERR_MALFORMED, "%zu words, not 12, 18 or 24", n);
    return true;
}

static bool phrase_parse(struct phrase *out, struct bytes text, struct err *err)
{
    uint8_t typed[WORD_MAX];
    struct bytes word;
    bool good = check_count(text, err);
    out->n = 0;
    while (good && take_word(&word, &text)) {
        good = lower_word(typed, word) && find_word(&out->number[out->n], typed, word.len);
        out->n++;
        if (!good)
            (void)err_set(err, ERR_MALFORMED, "word %zu is not in the list", out->n);
    }
    wipe(typed, sizeof typed);
    return good;
}

static size_t entropy_len(const struct phrase *p)
{
    return p->n * 4 / 3; // 33 bits in three words, of which one is checksum
}

// BIP-39: "the first ENT / 32 bits of its SHA256 hash" follow the entropy.
static void append_checksum(struct entropy_bits *e, size_t len)
{
    struct hash256 hash = sha256(bytes_of(e->b, len));
    e->b[len] = hash.b[0] & (uint8_t)(0xff00u >> len / 4);
    wipe(&hash, sizeof hash);
}

// The words' bits in a row; the last byte holds the checksum, padded with zeros.
static void phrase_bits(struct entropy_bits *out, const struct phrase *p)
{
    uint32_t buffer = 0;
    unsigned n_bits = 0;
    size_t len = 0;
    for (size_t i = 0; i < p->n; i++) {
        buffer = buffer << WORD_BITS | p->number[i];
        for (n_bits += WORD_BITS; n_bits >= 8; n_bits -= 8)
            out->b[len++] = (uint8_t)(buffer >> (n_bits - 8));
    }
    if (n_bits > 0)
        out->b[len] = (uint8_t)(buffer << (8 - n_bits));
    wipe(&buffer, sizeof buffer);
}

// out->b holds entropy and checksum then.
static bool phrase_check(struct entropy_bits *out, const struct phrase *p, struct err *err)
{
    AUTO(entropy_bits_wipe) struct entropy_bits expected = { { 0 } };
    phrase_bits(out, p);
    memcpy(expected.b, out->b, entropy_len(p));
    append_checksum(&expected, entropy_len(p));
    const bool right =
        ct_equal(bytes_of(out->b, entropy_len(p) + 1), bytes_of(expected.b, entropy_len(p) + 1));
    declassify(&right, sizeof right);
    if (!right)
        return err_set(err, ERR_MALFORMED, "wrong checksum");
    return true;
}

static void write_word(struct writer *w, uint16_t number)
{
    char word[WORD_MAX];
    uint64_t found = 0;
    for (size_t i = 0; i < COUNT(word_list); i++)
        found |= mask_if_zero(i ^ number) & load(word_list[i]);
    memcpy(word, &found, sizeof word);
    size_t len = 0;
    for (size_t i = 0; i < sizeof word; i++)
        len += (size_t)(word[i] != 0);
    declassify(&len, sizeof len);
    writer_put(w, bytes_of(word, len));
    wipe(word, sizeof word);
    wipe(&found, sizeof found);
}

static bool phrase_write(struct writer *w, const struct phrase *p, struct err *err)
{
    for (size_t i = 0; i < p->n; i++) {
        if (i > 0)
            writer_u8(w, ' ');
        write_word(w, p->number[i]);
    }
    return !w->failed || err_set(err, ERR_LIMIT, "no room for %zu words", p->n);
}

bool mnemonic_normalize(struct writer *out, struct bytes text, struct err *err)
{
    AUTO(phrase_wipe) struct phrase p = { .n = 0 };
    AUTO(entropy_bits_wipe) struct entropy_bits bits = { { 0 } };
    return phrase_parse(&p, text, err) && phrase_check(&bits, &p, err) &&
           phrase_write(out, &p, err);
}

bool mnemonic_to_entropy(struct writer *out, struct bytes words, struct err *err)
{
    AUTO(phrase_wipe) struct phrase p = { .n = 0 };
    AUTO(entropy_bits_wipe) struct entropy_bits bits = { { 0 } };
    if (!phrase_parse(&p, words, err) || !phrase_check(&bits, &p, err))
        return false;
    writer_put(out, bytes_of(bits.b, entropy_len(&p)));
    return !out->failed || err_set(err, ERR_LIMIT, "no room for %zu bytes", entropy_len(&p));
}

bool mnemonic_from_entropy(struct writer *out, struct bytes entropy, struct err *err)
{
    AUTO(phrase_wipe) struct phrase p = { .n = entropy.len * 3 / 4 };
    AUTO(entropy_bits_wipe) struct entropy_bits bits = { { 0 } };
    if (entropy.len != 16 && entropy.len != 24 && entropy.len != 32)
        return err_set(err, ERR_INVALID, "%zu bytes of entropy, not 16, 24 or 32", entropy.len);
    memcpy(bits.b, entropy.ptr, entropy.len);
    append_checksum(&bits, entropy.len);
    for (size_t i = 0; i < p.n * WORD_BITS; i++) {
        const unsigned bit = bits.b[i / 8] >> (7 - i % 8) & 1u;
        uint16_t *number = &p.number[i / WORD_BITS];
        *number = (uint16_t)(*number * 2u + bit);
    }
    return phrase_write(out, &p, err);
}

bool mnemonic_to_seed(uint8_t seed[static MNEMONIC_SEED_LEN], struct bytes words,
                      struct bytes passphrase, struct err *err)
{
    uint8_t mem[sizeof "mnemonic" + MNEMONIC_PASSPHRASE_MAX];
    struct writer salt = writer_of(mem, sizeof mem);
    // Other software normalizes Unicode, the reference does not: where both agree nobody loses a
    // wallet (psbt-signing 3.1).
    if (!bytes_is_printable_ascii(passphrase))
        return err_set(err, ERR_INVALID, "must be ascii printable");
    if (passphrase.len > MNEMONIC_PASSPHRASE_MAX)
        return err_set(err, ERR_INVALID, "too long");
    writer_text(&salt, "mnemonic");
    writer_put(&salt, passphrase);
    pbkdf2_sha512(seed, MNEMONIC_SEED_LEN, words, writer_bytes(&salt), SEED_ROUNDS);
    wipe(mem, sizeof mem);
    return true;
}
