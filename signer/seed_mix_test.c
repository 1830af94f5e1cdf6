#include "signer/seed_mix.h"
#include "base/hex.h"
#include "crypto/hash.h"
#include "tests/support/test.h"

static struct seed_rolls rolls_of(enum seed_source source, const char *text)
{
    struct seed_rolls rolls = { .source = source };
    struct err err;
    if (!seed_rolls_add(&rolls, bytes_of_text(text), &err))
        fail_msg("%s", err.text);
    return rolls;
}

// 100 rolls of a real die; 99 and 50 are its beginnings.
#define REAL_DIE                                                                                   \
    "3164261552346515134622541263445231565426143311632546251436526134524661235415336142562143552"  \
    "461345216"

TEST(rolls_needed_never_hold_fewer_bits_than_the_words)
{
    static const struct {
        enum seed_source source;
        size_t entropy_len, needed;
    } cases[] = { { SEED_DICE, 16, 50 },   { SEED_DICE, 24, 75 },   { SEED_DICE, 32, 100 },
                  { SEED_COINS, 16, 128 }, { SEED_COINS, 24, 192 }, { SEED_COINS, 32, 256 } };
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(seed_rolls_needed(cases[i].source, cases[i].entropy_len), cases[i].needed);
}

TEST(rolls_are_taken_as_typed)
{
    static const struct {
        enum seed_source source;
        const char *typed, *kept, *error;
    } cases[] = {
        { SEED_DICE, "1 2,3\t456", "123456", NULL },
        { SEED_DICE, "", "", NULL },
        { SEED_DICE, "1230", "", "character 4 is no roll: a die shows 1 to 6" },
        { SEED_DICE, "7", "", "character 1 is no roll: a die shows 1 to 6" },
        { SEED_DICE, "1\n2", "", "character 2 is no roll: a die shows 1 to 6" },
        { SEED_COINS, "hTtH 10", "htthht", NULL },
        { SEED_COINS, "hx", "", "character 2 is no roll: type h or t" },
        { SEED_COINS, "h2", "", "character 2 is no roll: type h or t" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct seed_rolls rolls = { .source = cases[i].source };
        struct err err;
        const bool good = seed_rolls_add(&rolls, bytes_of_text(cases[i].typed), &err);
        assert_int_equal(good, cases[i].error == NULL);
        if (!good)
            assert_err(&err, ERR_INVALID, cases[i].error);
        assert_bytes_text(bytes_of(rolls.text, rolls.n), cases[i].kept);
    }
}

TEST(too_many_rolls_change_nothing)
{
    struct seed_rolls rolls = { .source = SEED_DICE };
    char many[SEED_MIX_ROLLS_MAX + 1];
    struct err err;
    memset(many, '1', sizeof many);
    assert_true(seed_rolls_add(&rolls, bytes_of(many, 1000), &err));
    assert_false(seed_rolls_add(&rolls, bytes_of(many, 25), &err));
    assert_err(&err, ERR_LIMIT, "more than 1024 rolls");
    assert_int_equal(rolls.n, 1000);
    assert_true(seed_rolls_add(&rolls, bytes_of(many, 24), &err));
}

#define TEN(x)   x x x x x x x x x x
#define FIFTY(x) TEN(x) TEN(x) TEN(x) TEN(x) TEN(x)

TEST(uneven_and_repeating_rolls_are_refused)
{
    static const struct {
        enum seed_source source;
        const char *rolls, *error;
    } cases[] = {
        { SEED_DICE, REAL_DIE, NULL },
        { SEED_DICE, "1234561", "93 more rolls are needed" },
        { SEED_DICE, FIFTY("1") FIFTY("1"),
          "the rolls are too uneven: a fair die gives such ones less than once in a million "
          "times" },
        { SEED_DICE, FIFTY("1") FIFTY("2"),
          "the rolls are too uneven: a fair die gives such ones less than once in a million "
          "times" },
        { SEED_DICE, TEN("123456") TEN("123456"),
          "the rolls repeat themselves: too many are as the one 6 before" },
        { SEED_DICE, FIFTY("") TEN("1122334455") "66666666666666666666",
          "the rolls repeat themselves: too many are as the one 1 before" },
        { SEED_COINS, FIFTY("ht") FIFTY("ht") FIFTY("ht"),
          "the rolls repeat themselves: too many are as the one 2 before" },
        { SEED_COINS, FIFTY("hhhh") FIFTY("t") TEN("t"),
          "the rolls are too uneven: a fair coin gives such ones less than once in a million "
          "times" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct seed_rolls rolls = rolls_of(cases[i].source, cases[i].rolls);
        struct err err = { 0 };
        const bool good = seed_rolls_check(&rolls, 32, &err);
        if (good != (cases[i].error == NULL))
            fail_msg("case %zu: %s", i, err.text);
        if (!good)
            assert_err(&err, ERR_INVALID, cases[i].error);
    }
}

// Property: fair rolls pass. A simple generator stands in for dice; 20,000 seeds, none refused by
// chance more often than once.
TEST(fair_rolls_pass)
{
    uint64_t state = 88172645463325252u;
    unsigned refused = 0;
    for (unsigned n = 0; n < 20000; n++) {
        struct seed_rolls rolls = { .source = n % 2 == 0 ? SEED_DICE : SEED_COINS };
        struct err err;
        rolls.n = seed_rolls_needed(rolls.source, 16);
        for (size_t i = 0; i < rolls.n; i++) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            rolls.text[i] =
                rolls.source == SEED_DICE ? "123456"[(state >> 20) % 6] : "ht"[(state >> 20) % 2];
        }
        refused += !seed_rolls_check(&rolls, 16, &err);
    }
    assert_true(refused <= 1);
}

// The formula, with the hash written out: anybody's tools give the same.
TEST(the_mix_is_what_the_transcript_says)
{
    uint8_t kernel[32], entropy[32], all[132];
    const struct seed_rolls rolls = rolls_of(SEED_DICE, REAL_DIE);
    assert_int_equal(rolls.n, 100);
    for (size_t i = 0; i < sizeof kernel; i++)
        kernel[i] = (uint8_t)i;
    memcpy(all, kernel, 32);
    memcpy(all + 32, REAL_DIE, 100);
    const struct hash256 expected = sha256(BYTES_OF(all));
    for (size_t len = 16; len <= 32; len += 8) {
        seed_mix(entropy, len, kernel, &rolls);
        assert_memory_equal(entropy, expected.b, len);
    }
}

// Neither source alone decides: a change of one bit in either changes the seed.
TEST(both_sources_count)
{
    uint8_t kernel[32] = { 0 }, before[16], after[16];
    struct seed_rolls rolls = rolls_of(SEED_DICE, REAL_DIE);
    seed_mix(before, 16, kernel, &rolls);
    kernel[31] = 1;
    seed_mix(after, 16, kernel, &rolls);
    assert_memory_not_equal(before, after, 16);
    kernel[31] = 0;
    rolls.text[99] = rolls.text[99] == '1' ? '2' : '1';
    seed_mix(after, 16, kernel, &rolls);
    assert_memory_not_equal(before, after, 16);
    rolls.n--;
    seed_mix(after, 16, kernel, &rolls);
    assert_memory_not_equal(before, after, 16);
}

TEST(the_transcript_is_exact)
{
    const uint8_t kernel[32] = { 0 };
    const struct seed_rolls rolls = rolls_of(SEED_COINS, "hhtt");
    uint8_t mem[1024];
    struct writer w = writer_of(mem, sizeof mem);
    struct err err;
    assert_true(seed_mix_transcript(&w, 16, kernel, &rolls, &err));
    assert_bytes_text(
        writer_bytes(&w),
        "commitment  66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925\n"
        "            SHA-256 of the kernel's bytes\n"
        "kernel      0000000000000000000000000000000000000000000000000000000000000000\n"
        "rolls       hhtt\n"
        "mixed       f57557e300b239b9c7c86d635054f19b3da2ed6ede9dc43e2e8c18b0df0f8407\n"
        "            SHA-256 of the kernel's bytes followed by the rolls as text\n"
        "entropy     the first 16 bytes of that\n"
        "words       voice primary web accident castle table busy asset globe live detect "
        "curtain\n");
}
