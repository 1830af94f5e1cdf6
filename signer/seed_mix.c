#include "signer/seed_mix.h"
#include "base/hex.h"
#include "base/require.h"
#include "base/secret.h"
#include "bitcoin/mnemonic.h"
#include "crypto/hash.h"

// What chance gives once in a million times: chi-square with 5 and with 1 degree of freedom, times
// 1000.
enum { UNEVEN_DICE = 35888, UNEVEN_COINS = 23928 };
enum { FACES_MAX = 6 };

void seed_rolls_wipe(struct seed_rolls *rolls)
{
    wipe(rolls, sizeof *rolls);
}

static size_t n_faces(enum seed_source source)
{
    return source == SEED_DICE ? 6 : 2;
}

size_t seed_rolls_needed(enum seed_source source, size_t entropy_len)
{
    REQUIRE(entropy_len == 16 || entropy_len == 24 || entropy_len == 32);
    // log2(6) is just above 2.5849.
    return source == SEED_DICE ? (entropy_len * 8 * 10000 + 25848) / 25849 : entropy_len * 8;
}

// The face of a roll as we keep it, or 0.
static char face_of(enum seed_source source, uint8_t c)
{
    const char *typed = strchr(source == SEED_DICE ? "123456" : "hH1tT0", c);
    if (c == 0 || !typed)
        return '\0';
    if (source == SEED_DICE)
        return *typed;
    return strchr("hH1", c) ? 'h' : 't';
}

bool seed_rolls_add(struct seed_rolls *rolls, struct bytes typed, struct err *err)
{
    const size_t before = rolls->n;
    for (size_t i = 0; i < typed.len; i++) {
        const uint8_t c = typed.ptr[i];
        const char face = face_of(rolls->source, c);
        if (c == ' ' || c == '\t' || c == ',')
            continue;
        if (face != 0 && rolls->n < sizeof rolls->text) {
            rolls->text[rolls->n++] = face;
            continue;
        }
        rolls->n = before;
        if (face != 0)
            return err_set(err, ERR_LIMIT, "more than %d rolls", SEED_MIX_ROLLS_MAX);
        return err_set(err, ERR_INVALID, "character %zu is no roll: %s", i + 1,
                       rolls->source == SEED_DICE ? "a die shows 1 to 6" : "type h or t");
    }
    return true;
}

static size_t face_index(const struct seed_rolls *rolls, size_t at)
{
    return rolls->source == SEED_DICE ? (size_t)(rolls->text[at] - '1') : rolls->text[at] == 'h';
}

// Chi-square: the sum over the faces of (seen - expected)^2 / expected, which is
// faces / n * (sum of seen^2) - n.
static bool is_even(const struct seed_rolls *rolls)
{
    uint64_t seen[FACES_MAX] = { 0 }, squares = 0;
    const uint64_t n = rolls->n, faces = n_faces(rolls->source);
    const uint64_t limit = rolls->source == SEED_DICE ? UNEVEN_DICE : UNEVEN_COINS;
    for (size_t i = 0; i < rolls->n; i++)
        seen[face_index(rolls, i)]++;
    for (size_t i = 0; i < faces; i++)
        squares += seen[i] * seen[i];
    return (faces * squares - n * n) * 1000 <= limit * n;
}

// How often a roll is the one `lag` before it: by chance one time in `faces`. More than seven
// standard deviations above that is a pattern (1 2 3 4 5 6 1 2 3 ...), not chance.
static bool repeats_at(const struct seed_rolls *rolls, size_t lag)
{
    const int64_t trials = (int64_t)(rolls->n - lag), faces = (int64_t)n_faces(rolls->source);
    int64_t matches = 0;
    for (size_t i = lag; i < rolls->n; i++)
        matches += rolls->text[i] == rolls->text[i - lag];
    const int64_t above = faces * matches - trials;
    return above > 0 && above * above > 49 * trials * (faces - 1);
}

bool seed_rolls_check(const struct seed_rolls *rolls, size_t entropy_len, struct err *err)
{
    const size_t needed = seed_rolls_needed(rolls->source, entropy_len);
    if (rolls->n < needed)
        return err_set(err, ERR_INVALID, "%zu more rolls are needed", needed - rolls->n);
    if (!is_even(rolls))
        return err_set(err, ERR_INVALID,
                       "the rolls are too uneven: a fair %s gives such ones less than once in a "
                       "million times",
                       rolls->source == SEED_DICE ? "die" : "coin");
    for (size_t lag = 1; lag <= rolls->n / 2; lag++)
        if (repeats_at(rolls, lag))
            return err_set(err, ERR_INVALID,
                           "the rolls repeat themselves: too many are as the one %zu before", lag);
    return true;
}

static struct hash256 mix(const uint8_t kernel[static 32], const struct seed_rolls *rolls)
{
    struct sha256 ctx;
    sha256_init(&ctx);
    sha256_update(&ctx, bytes_of(kernel, 32));
    sha256_update(&ctx, bytes_of(rolls->text, rolls->n));
    return sha256_final(&ctx);
}

void seed_mix(uint8_t *entropy, size_t entropy_len, const uint8_t kernel[static 32],
              const struct seed_rolls *rolls)
{
    struct hash256 mixed = mix(kernel, rolls);
    REQUIRE(entropy_len <= sizeof mixed.b);
    memcpy(entropy, mixed.b, entropy_len);
    wipe(&mixed, sizeof mixed);
}

void seed_mix_commitment(char out[static SEED_COMMITMENT_SIZE], const uint8_t kernel[static 32])
{
    const struct hash256 hash = sha256(bytes_of(kernel, 32));
    hex_encode(out, BYTES_OF(hash.b));
}

struct words {
    char b[MNEMONIC_TEXT_MAX];
};
static void words_wipe(struct words *words)
{
    wipe(words->b, sizeof words->b);
}
static void hash_wipe(struct hash256 *hash)
{
    wipe(hash->b, sizeof hash->b);
}

bool seed_mix_transcript(struct writer *w, size_t entropy_len, const uint8_t kernel[static 32],
                         const struct seed_rolls *rolls, struct err *err)
{
    AUTO(words_wipe) struct words words;
    AUTO(hash_wipe) struct hash256 mixed = mix(kernel, rolls);
    struct writer text = writer_of(words.b, sizeof words.b);
    char commitment[SEED_COMMITMENT_SIZE];
    if (!mnemonic_from_entropy(&text, bytes_of(mixed.b, entropy_len), err))
        return false;
    seed_mix_commitment(commitment, kernel);
    writer_text(w, "commitment  ");
    writer_text(w, commitment);
    writer_text(w, "\n            SHA-256 of the kernel's bytes\nkernel      ");
    writer_hex(w, bytes_of(kernel, 32));
    writer_text(w, "\nrolls       ");
    writer_put(w, bytes_of(rolls->text, rolls->n));
    writer_text(w, "\nmixed       ");
    writer_hex(w, BYTES_OF(mixed.b));
    writer_text(w, "\n            SHA-256 of the kernel's bytes followed by the rolls as text\n");
    writer_printf(w, "entropy     the first %zu bytes of that\nwords       ", entropy_len);
    writer_put(w, writer_bytes(&text));
    writer_u8(w, '\n');
    return true;
}
