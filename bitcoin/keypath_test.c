#include "bitcoin/keypath.h"
#include "tests/support/test.h"
#include <string.h>

#define CHARACTERS "invalid characters in path"
#define EMPTY      "empty path component"
#define WILDCARD   "bad wildcard"
#define TWELVE     "0/1/2/3/4/5/6/7/8/9/10/11"
#define THIRTEEN   TWELVE "/12"

// What the text becomes: a path that starts with 'm', or the error.
static const char *cleaned_pattern(const char *given, size_t len)
{
    static char mem[KEYPATH_TEXT_MAX];
    static struct err err;
    struct keypath_pattern p;
    struct writer w = writer_of(mem, sizeof mem);
    if (!keypath_pattern_parse(&p, bytes_of(given, len), &err)) {
        assert_int_equal(err.code, ERR_MALFORMED);
        return err.text;
    }
    keypath_pattern_write(&w, &p);
    writer_u8(&w, 0);
    assert_false(w.failed);
    return mem;
}

static const char *cleaned_request(const char *given, size_t len)
{
    static char mem[KEYPATH_TEXT_MAX];
    static struct err err;
    struct keypath p;
    struct writer w = writer_of(mem, sizeof mem);
    if (!keypath_parse(&p, bytes_of(given, len), &err)) {
        assert_int_equal(err.code, ERR_MALFORMED);
        return err.text;
    }
    keypath_write(&w, &p);
    writer_u8(&w, 0);
    assert_false(w.failed);
    return mem;
}

// Every row of the table of policy.md 3.1, then the order of the checks.
static const struct {
    const char *given;
    const char *policy;
    const char *request; // NULL: the same
} cleaning[] = {
    { "", "m", NULL },
    { "m", "m", NULL },
    { "M", "m", NULL },
    { "m/", EMPTY, NULL },
    { "/", EMPTY, NULL },
    { "m//1", EMPTY, NULL },
    { "m/1/", EMPTY, NULL },
    { "0", "m/0", NULL },
    { "m/0", "m/0", NULL },
    { "84/0", "m/84/0", NULL },
    { "m/84'/0'/0'/0/*", "m/84h/0h/0h/0/*", CHARACTERS },
    { "m/84p/0P/0H/*'", "m/84h/0h/0h/*h", CHARACTERS },
    { "*", "m/*", CHARACTERS },
    { "m/*", "m/*", CHARACTERS },
    { "m/*'", "m/*h", CHARACTERS },
    { "m/*h", "m/*h", CHARACTERS },
    { "m/*p", "m/*h", CHARACTERS },
    { "m*", WILDCARD, CHARACTERS },
    { "m/1*", WILDCARD, CHARACTERS },
    { "m/*/0", CHARACTERS, NULL },
    { "m/**", CHARACTERS, NULL },
    { "m/*hh", CHARACTERS, NULL },
    { "mm/1", CHARACTERS, NULL },
    { "m/-1", CHARACTERS, NULL },
    { "m/0x1", CHARACTERS, NULL },
    { "m/any", CHARACTERS, NULL },
    { "m/1 /2", CHARACTERS, NULL },
    { "m/1hh", "bad component: 1h", NULL },
    { "m/1h2", "bad component: 1h2", NULL },
    { "m/01", "bad component: 01", NULL },
    { "m/00", "bad component: 00", NULL },
    { "m1/2", "bad component: m1", NULL },
    { "m/2147483648", "bad component: 2147483648", NULL },
    { "m/h", EMPTY, NULL },
    { "m/2147483647h", "m/2147483647h", NULL },
    { " m/1 ", "m/1", NULL },
    { "\tm/1\n", "m/1", NULL },
    { "\r\n\v\fm/1\t ", "m/1", NULL },
    { "m/" TWELVE, "m/" TWELVE, NULL },
    { TWELVE, "m/" TWELVE, NULL },
    { "m/" THIRTEEN, "too deep", NULL },
    { "p2sh", CHARACTERS, NULL }, // a keyword only where the policy looks for it first
    { "ANY", CHARACTERS, NULL },

    { "  ", "m", NULL }, // empty once trimmed
    { "'", EMPTY, NULL },
    { "h", EMPTY, NULL },
    { "m/'", EMPTY, NULL },
    { "m/hh", "bad component: h", NULL },
    { "mh", "bad component: m", NULL },
    { "mP/1", "bad component: m", NULL },
    { "m/1'p", "bad component: 1h", NULL }, // shown cleaned
    { "m/1H'", "bad component: 1h", NULL },
    { "m/0h", "m/0h", NULL },
    { "M/44P/1'/2H", "m/44h/1h/2h", NULL },
    { "m/2147483648h", "bad component: 2147483648", NULL },
    { "m/4294967296", "bad component: 4294967296", NULL },
    { "m/18446744073709551616", "bad component: 18446744073709551616", NULL },
    { "m/h*", WILDCARD, CHARACTERS },
    { "m/*h/1", CHARACTERS, NULL },
    { "m/h*h", WILDCARD, CHARACTERS },
    { "m/1\x7f", "must be ascii printable", NULL },
    { "m/1\n/2", "must be ascii printable", NULL },     // a blank inside is not trimmed
    { "m/x\xc3\xa9", "must be ascii printable", NULL }, // before the other characters
    { "m/1/x/" THIRTEEN, CHARACTERS, NULL },            // before the depth
    { "m//" THIRTEEN, "too deep", NULL },               // before the parts
    { "m//01", EMPTY, NULL },                           // parts from the left
    { "m/01//1", "bad component: 01", NULL },
    { "m/01/1*", "bad component: 01", CHARACTERS },
    { "m//*", EMPTY, CHARACTERS },
    { "m/1/2/3/4/5/6/7/8/9/10/11/*", "m/1/2/3/4/5/6/7/8/9/10/11/*", CHARACTERS },
    { "m/1/2/3/4/5/6/7/8/9/10/11/12/*", "too deep", CHARACTERS }, // a star is a component
};

TEST(policy_24_7_and_psbt_signing_27_13_path_text_is_cleaned)
{
    for (size_t i = 0; i < COUNT(cleaning); i++) {
        const char *given = cleaning[i].given;
        const char *request = cleaning[i].request ? cleaning[i].request : cleaning[i].policy;
        assert_string_equal(cleaned_pattern(given, strlen(given)), cleaning[i].policy);
        assert_string_equal(cleaned_request(given, strlen(given)), request);
    }
}

TEST(a_zero_byte_is_not_printable)
{
    assert_string_equal(cleaned_request("m/1\0", 4), "must be ascii printable");
}

// A component of any length gets its own error, cut to what an error holds.
TEST(a_long_component_is_named)
{
    static char text[5000];
    memset(text, '7', sizeof text);
    const char *got = cleaned_request(text, sizeof text);
    assert_int_equal(strlen(got), ERR_TEXT_MAX - 1);
    assert_memory_equal(got, "bad component: 7777", 19);
}

TEST(nothing_is_written_on_failure)
{
    struct keypath path = { .step = { 7 }, .depth = 1 };
    struct err err;
    assert_false(keypath_parse(&path, BYTES("m/1/x"), &err));
    assert_int_equal(path.depth, 1);
    assert_int_equal(path.step[0], 7);
}

// Every row of the table of policy.md 3.2 that concerns one entry, and more.
static const struct {
    const char *pattern, *path;
    bool matches;
} matching[] = {
    { "m/*", "m", false },
    { "m/*", "m/5", true },
    { "m/*", "m/5h", false },
    { "m/*h", "m/5h", true },
    { "m/*h", "m/5", false },
    { "m/84h/0h/0h/0/*", "m/84h/0h/0h/0/7", true },
    { "m/84h/0h/0h/0/*", "m/84h/0h/0h/1/7", false },
    { "m/84h/0h/0h/*", "m/84h/0h/0h/9", true },
    { "m/84h/0h/0h/*", "m/84h/0h/0h/0/7", false },
    { "m/1", "m/1h", false },
    { "m/1", "m", false },
    { "m/1/2", "m/1/2/3", false },

    { "", "m", true },
    { "m", "m/0", false },
    { "m/1", "m/1", true },
    { "84p/0'/*", "m/84h/0h/7", true }, // every spelling in the field
    { "m/84/0h/*", "m/84h/0h/7", false },
    { "m/84h/*h", "m/84h/2147483647h", true },
    { "m/84h/*", "m/84h", false }, // a star is never no step
    { "m/84h/*", "m/84h/0/0", false },
    { "m/0/1/2/3/4/5/6/7/8/9/10/*", "m/" TWELVE, true },
};

TEST(policy_24_7_a_star_stands_for_one_step_of_its_hardness)
{
    for (size_t i = 0; i < COUNT(matching); i++) {
        struct keypath_pattern pattern;
        struct keypath path;
        struct err err;
        assert_true(keypath_pattern_parse(&pattern, bytes_of_text(matching[i].pattern), &err));
        assert_true(keypath_parse(&path, bytes_of_text(matching[i].path), &err));
        if (keypath_pattern_matches(&pattern, &path) != matching[i].matches)
            fail_msg("case %zu: '%s' on %s", i, matching[i].pattern, matching[i].path);
    }
}

// Property: a pattern without a star matches its own path, and none that differs in a bit.
TEST(an_exact_pattern_matches_only_itself)
{
    struct keypath_pattern p;
    struct err err;
    assert_true(keypath_pattern_parse(&p, BYTES("m/48h/0h/5/2147483647/4/5/6/7/8/9/10/11h"), &err));
    assert_true(keypath_pattern_matches(&p, &p.prefix));
    for (size_t bit = 0; bit < 32 * p.prefix.depth; bit++) {
        struct keypath other = p.prefix;
        other.step[bit / 32] ^= 1u << bit % 32;
        assert_false(keypath_pattern_matches(&p, &other));
        assert_false(keypath_equal(&p.prefix, &other));
        assert_false(keypath_starts_with(&other, &p.prefix));
    }
}

TEST(prefixes_are_shorter_paths_with_the_same_steps)
{
    static const struct {
        const char *path, *prefix;
        bool starts, equal;
    } cases[] = {
        { "m", "m", true, true },
        { "m/1", "m", true, false },
        { "m", "m/1", false, false },
        { "m/84h/0h/0h", "m/84h", true, false },
        { "m/84/0h", "m/84h", false, false },
        { "m/84h/0h", "m/84h/0h", true, true },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct keypath path, prefix;
        struct err err;
        assert_true(keypath_parse(&path, bytes_of_text(cases[i].path), &err));
        assert_true(keypath_parse(&prefix, bytes_of_text(cases[i].prefix), &err));
        assert_int_equal(keypath_starts_with(&path, &prefix), cases[i].starts);
        assert_int_equal(keypath_equal(&path, &prefix), cases[i].equal);
    }
}
