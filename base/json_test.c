#include "base/json.h"
#include "base/utf8.h"
#include "tests/support/test.h"
#include <time.h>

static const struct json *parse(const char *text)
{
    const struct json *value = NULL;
    struct err err;
    if (!json_parse(&value, bytes_of_text(text), test_arena(), &err))
        fail_msg("%s: %s (%s)", text, err.text, err.detail);
    return value;
}

static struct bytes written(const struct json *value, bool indent)
{
    struct writer w = writer_growing(test_arena(), 1 << 20);
    struct json_writer j = json_writer_of(&w);
    struct bytes out;
    j.indent = indent;
    json_value(&j, value);
    assert_true(writer_finish(&w, &out));
    return out;
}

// --- policy.md 2.2, column "Casemate" ---

static const struct {
    struct bytes text;
    const char *expected; // as written again; NULL: refused with "JSON parse fail"
} dialect[] = {
    // any valid JSON object, blanks before and after: accepted
    { BYTES_INIT(" \t\r\n{\"a\": 1} \t\r\n"), "{\"a\": 1}" },
    { BYTES_INIT("{}"), "{}" },
    // top level is array, string, number, null: JSON all the same; policy/ refuses them
    { BYTES_INIT("[]"), "[]" },
    { BYTES_INIT("\"a\""), "\"a\"" },
    { BYTES_INIT("1"), "1" },
    { BYTES_INIT("null"), "null" },
    // commas and colons are treated as blanks: rejected
    { BYTES_INIT("{\"a\" 1}"), NULL },
    { BYTES_INIT("{\"a\":1,}"), NULL },
    { BYTES_INIT("{,,\"a\"::1}"), NULL },
    { BYTES_INIT("{\"a\"::1}"), NULL },
    { BYTES_INIT("{,\"a\":1}"), NULL },
    { BYTES_INIT("{\"a\":1 \"b\":2}"), NULL },
    { BYTES_INIT("{\"a\":1,,\"b\":2}"), NULL },
    { BYTES_INIT("{\"a\",1}"), NULL },
    { BYTES_INIT("[1 2]"), NULL },
    { BYTES_INIT("[1:2]"), NULL },
    { BYTES_INIT("[1,]"), NULL },
    { BYTES_INIT("[,1]"), NULL },
    { BYTES_INIT("[,]"), NULL },
    // missing final bracket, mismatched brackets: rejected
    { BYTES_INIT("{\"a\":1"), NULL },
    { BYTES_INIT("{\"a\":1]"), NULL },
    { BYTES_INIT("[1}"), NULL },
    { BYTES_INIT("["), NULL },
    { BYTES_INIT("{"), NULL },
    { BYTES_INIT("[[]"), NULL },
    { BYTES_INIT("]"), NULL },
    { BYTES_INIT("{}}"), NULL },
    { BYTES_INIT("{\"a\":1,"), NULL },
    // key without value: rejected
    { BYTES_INIT("{\"a\"}"), NULL },
    { BYTES_INIT("{\"a\":}"), NULL },
    { BYTES_INIT("{\"a\":{\"b\"},\"c\":1}"), NULL },
    // NUL byte outside a string: rejected
    { BYTES_INIT("{\"a\":1}\0"), NULL },
    { BYTES_INIT("{\"a\":1\0}"), NULL },
    { BYTES_INIT("\0{}"), NULL },
    // form feed or vertical tab after the last bracket: rejected
    { BYTES_INIT("{}\f"), NULL },
    { BYTES_INIT("{}\v"), NULL },
    { BYTES_INIT("\f{}"), NULL },
    { BYTES_INIT("{} \xc2\xa0"), NULL },
    // byte-order mark, comments, single quotes, NaN, True, .5, +1, hex: rejected
    { BYTES_INIT("\xef\xbb\xbf{}"), NULL },
    { BYTES_INIT("{} // a"), NULL },
    { BYTES_INIT("/* a */ {}"), NULL },
    { BYTES_INIT("# a\n{}"), NULL },
    { BYTES_INIT("{'a':1}"), NULL },
    { BYTES_INIT("NaN"), NULL },
    { BYTES_INIT("-Infinity"), NULL },
    { BYTES_INIT("True"), NULL },
    { BYTES_INIT("None"), NULL },
    { BYTES_INIT("nul"), NULL },
    { BYTES_INIT("truefalse"), NULL },
    { BYTES_INIT("nullx"), NULL },
    { BYTES_INIT(".5"), NULL },
    { BYTES_INIT("+1"), NULL },
    { BYTES_INIT("0x10"), NULL },
    // leading zeros, "5.": rejected
    { BYTES_INIT("01"), NULL },
    { BYTES_INIT("-01"), NULL },
    { BYTES_INIT("00"), NULL },
    { BYTES_INIT("5."), NULL },
    { BYTES_INIT("5.e1"), NULL },
    { BYTES_INIT("-"), NULL },
    { BYTES_INIT("--1"), NULL },
    { BYTES_INIT("- 1"), NULL },
    { BYTES_INIT("1e"), NULL },
    { BYTES_INIT("1e+"), NULL },
    { BYTES_INIT("1e1.5"), NULL },
    { BYTES_INIT("1 000"), NULL },
    { BYTES_INIT("1_000"), NULL },
    { BYTES_INIT("1e1e1"), NULL },
    // numbers keep their text
    { BYTES_INIT("-0"), "-0" },
    { BYTES_INIT("0.10"), "0.10" },
    { BYTES_INIT("1.50E+02"), "1.50E+02" },
    { BYTES_INIT("1e999"), "1e999" },
    { BYTES_INIT("123456789012345678901234567890"), "123456789012345678901234567890" },
    // non-string keys: rejected
    { BYTES_INIT("{1:2}"), NULL },
    { BYTES_INIT("{null:2}"), NULL },
    { BYTES_INIT("{a:2}"), NULL },
    // raw control characters in strings: rejected; 0x7f is none of them
    { BYTES_INIT("\"a\nb\""), NULL },
    { BYTES_INIT("\"a\tb\""), NULL },
    { BYTES_INIT("\"\x1f\""), NULL },
    { BYTES_INIT("\"\0\""), NULL },
    { BYTES_INIT("{\"a\n\":1}"), NULL },
    { BYTES_INIT("\"\\\n\""), NULL },
    { BYTES_INIT("\"\x7f\""), "\"\x7f\"" },
    // escapes: decoded
    { BYTES_INIT("\"\\/\\b\\f\\n\\r\\t\\\"\\\\\\u0041\\u00e9\\u20AC\""),
      "\"/\\u0008\\u000c\\n\\r\\t\\\"\\\\A\xc3\xa9\xe2\x82\xac\"" },
    { BYTES_INIT("{\"\\u0061\":1}"), "{\"a\": 1}" },
    // other escapes: rejected
    { BYTES_INIT("\"\\q\""), NULL },
    { BYTES_INIT("\"\\'\""), NULL },
    { BYTES_INIT("\"\\x41\""), NULL },
    { BYTES_INIT("\"\\U00000041\""), NULL },
    { BYTES_INIT("\"\\0\""), NULL },
    { BYTES_INIT("\"\\\0\""), NULL },
    { BYTES_INIT("\"\\"), NULL },
    { BYTES_INIT("\"\\\""), NULL }, // the last quote is escaped
    { BYTES_INIT("\""), NULL },
    { BYTES_INIT("\"abc"), NULL },
    // \u with non-hex digits: rejected
    { BYTES_INIT("\"\\u00g0\""), NULL },
    { BYTES_INIT("\"\\u 041\""), NULL },
    { BYTES_INIT("\"\\u004\""), NULL },
    { BYTES_INIT("\"\\u\""), NULL },
    { BYTES_INIT("\"\\u+041\""), NULL },
    // surrogate pair: one code point; a lone one: rejected
    { BYTES_INIT("\"\\ud83d\\ude00\""), "\"\xf0\x9f\x98\x80\"" },
    { BYTES_INIT("\"\\uD800\\uDC00\""), "\"\xf0\x90\x80\x80\"" },
    { BYTES_INIT("\"\\udbff\\udfff\""), "\"\xf4\x8f\xbf\xbf\"" },
    { BYTES_INIT("\"\\ud7ff\\ue000\""), "\"\xed\x9f\xbf\xee\x80\x80\"" },
    { BYTES_INIT("\"\\ud83d\""), NULL },
    { BYTES_INIT("\"\\ud83dx\""), NULL },
    { BYTES_INIT("\"\\ud83d\\n\""), NULL },
    { BYTES_INIT("\"\\ud83d\\u0041\""), NULL },
    { BYTES_INIT("\"\\ud83d\\ud83d\""), NULL },
    { BYTES_INIT("\"\\ud83d\\ue000\""), NULL },
    { BYTES_INIT("\"\\ude00\""), NULL },
    { BYTES_INIT("\"\\ude00\\ud83d\""), NULL },
    // \u0000 in a string: rejected
    { BYTES_INIT("\"a\\u0000b\""), NULL },
    { BYTES_INIT("{\"\\u0000\":1}"), NULL },
    // invalid UTF-8: rejected
    { BYTES_INIT("\"\xff\""), NULL },
    { BYTES_INIT("\"\xc0\xaf\""), NULL },
    { BYTES_INIT("\"\xed\xa0\x80\""), NULL },
    { BYTES_INIT("\"\xe2\x82\""), NULL },
    { BYTES_INIT("{\"\xff\":1}"), NULL },
    { BYTES_INIT("\xff"), NULL },
    // no value at all, more than one
    { BYTES_INIT(""), NULL },
    { BYTES_INIT(" "), NULL },
    { BYTES_INIT("1 2"), NULL },
    { BYTES_INIT("{}{}"), NULL },
    { BYTES_INIT("{},"), NULL },
};

TEST(policy_24_1_json_dialect)
{
    for (size_t i = 0; i < COUNT(dialect); i++) {
        const struct json *value = NULL;
        struct err err = { 0 };
        const bool ok = json_parse(&value, dialect[i].text, test_arena(), &err);
        if (ok != (dialect[i].expected != NULL))
            fail_msg("%.*s: %s", BYTES_ARG(dialect[i].text), ok ? "taken" : err.detail);
        if (ok) {
            assert_bytes_text(written(value, false), dialect[i].expected);
        } else {
            assert_err(&err, ERR_MALFORMED, "JSON parse fail");
            assert_non_null(strstr(err.detail, " at byte "));
            assert_null(value);
        }
    }
}

TEST(policy_24_1_every_cut_of_a_policy_is_refused)
{
    const struct bytes text =
        BYTES("{\"rules\": [{\"max_amount\": 1.5e3, \"users\": [\"a\\u00e9\\ud83d\\ude00\"], "
              "\"wallet\": null, \"x\": [true, false, -0.5E-1, {}, []]}]}");
    const struct json *value;
    struct err err;
    assert_true(json_parse(&value, text, test_arena(), &err));
    for (size_t len = 0; len < text.len; len++) {
        // Alone in memory of its size, so that sanitizers see a step past the end.
        uint8_t *copy = malloc(len > 0 ? len : 1);
        assert_non_null(copy);
        memcpy(copy, text.ptr, len);
        assert_false(json_parse(&value, bytes_of(copy, len), test_arena(), &err));
        assert_err(&err, ERR_MALFORMED, "JSON parse fail");
        free(copy);
    }
}

TEST(policy_24_1_places_of_errors)
{
    static const struct {
        const char *text, *detail;
    } cases[] = {
        { "{\"a\": 1,}", "no key at byte 8" },
        { "{\"a\" 1}", "no colon at byte 5" },
        { "{\"a\": }", "no value at byte 6" },
        { "[1 2]", "no comma or ] at byte 3" },
        { "{\"a\": 1", "no comma or } at byte 7" },
        { "{} x", "something after the value at byte 3" },
        { "[5.]", "no digit after the point at byte 3" },
        { "[5e]", "no digit in the exponent at byte 3" },
        { "[\"ab\\q\"]", "bad escape at byte 4" },
        { "[\"ab\x01\"]", "control character in a string at byte 4" },
        { "[\"ab", "unfinished string at byte 4" },
        { "[\"ab\xff\"]", "invalid UTF-8 in the string at byte 2" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct json *value;
        struct err err;
        assert_false(json_parse(&value, bytes_of_text(cases[i].text), test_arena(), &err));
        assert_string_equal(err.detail, cases[i].detail);
    }
}

TEST(policy_24_1_duplicate_keys)
{
    static const struct {
        const char *text, *expected; // NULL: accepted
    } cases[] = {
        { "{\"a\":1,\"a\":1}", "duplicate item: a" },
        { "{\"a\":1,\"b\":2,\"a\":3}", "duplicate item: a" },
        { "{\"\":1,\"\":1}", "duplicate item: " },
        { "{\"a\":1,\"\\u0061\":1}", "duplicate item: a" },           // the same once decoded
        { "{\"b\":1,\"a\":1,\"a\":1,\"b\":1}", "duplicate item: a" }, // the first that repeats
        { "{\"a\":1,\"b\":1,\"b\":1,\"a\":1}", "duplicate item: b" },
        { "{\"rules\":[{\"wallet\":1,\"users\":2,\"wallet\":3}]}", "duplicate item: wallet" },
        { "{\"a\":{\"b\":1},\"c\":{\"b\":1}}", NULL }, // not the same object
        { "{\"a\":1,\"A\":1,\"aa\":1,\"\":1}", NULL },
        { "[{\"a\":1},{\"a\":1}]", NULL },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct json *value;
        struct err err;
        const bool ok = json_parse(&value, bytes_of_text(cases[i].text), test_arena(), &err);
        assert_int_equal(ok, cases[i].expected == NULL);
        if (!ok)
            assert_err(&err, ERR_MALFORMED, cases[i].expected);
    }
}

static double seconds_of_parsing(struct bytes text, bool expected)
{
    AUTO(arena_freep) struct arena *a = arena_new((size_t)256 << 20);
    const struct json *value;
    struct err err;
    const clock_t start = clock();
    assert_int_equal(json_parse(&value, text, a, &err), expected);
    return (double)(clock() - start) / CLOCKS_PER_SEC;
}

// Comparing each key with each would take minutes here, sorting takes a fraction of a second.
TEST(policy_24_1_many_keys_take_no_quadratic_time)
{
    enum { KEYS = 300000 };
    struct writer w = writer_growing(test_arena(), (size_t)16 << 20);
    struct bytes text;
    writer_text(&w, "{");
    for (unsigned i = 0; i < KEYS; i++)
        writer_printf(&w, "%s\"%x\":1", i > 0 ? "," : "", i * 2654435761u);
    struct writer repeated = w;
    writer_text(&w, "}");
    assert_true(writer_finish(&w, &text));
    assert_true(seconds_of_parsing(text, true) < 20);
    writer_text(&repeated, ",\"0\":1}");
    assert_true(writer_finish(&repeated, &text));
    assert_true(seconds_of_parsing(text, false) < 20);
}

TEST(policy_24_1_nesting)
{
    struct bytes text;
    struct err err;
    const struct json *value;
    for (unsigned depth = 1; depth <= 20; depth++) {
        struct writer w = writer_growing(test_arena(), 1000);
        for (unsigned i = 0; i < depth; i++)
            writer_text(&w, i % 2 ? "{\"a\":" : "[");
        writer_text(&w, "1");
        for (unsigned i = depth; i > 0; i--)
            writer_text(&w, (i - 1) % 2 ? "}" : "]");
        assert_true(writer_finish(&w, &text));
        assert_int_equal(json_parse(&value, text, test_arena(), &err), depth <= JSON_DEPTH_MAX);
    }
    assert_err(&err, ERR_MALFORMED, "JSON parse fail");
    struct writer w = writer_growing(test_arena(), 1 << 20);
    for (unsigned i = 0; i < 1 << 20; i++)
        writer_u8(&w, '[');
    assert_false(json_parse(&value, writer_bytes(&w), test_arena(), &err));
    // Depth counts what is open, not what has been.
    assert_int_equal(parse("[[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[]]")->n_items, 18);
}

TEST(memory_is_bounded)
{
    AUTO(arena_freep) struct arena *a = arena_new(2000);
    const struct json *value;
    struct err err;
    assert_false(
        json_parse(&value, BYTES("[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]"), a, &err));
    assert_err(&err, ERR_NO_MEMORY, "no memory left for JSON of 51 bytes");
    AUTO(arena_freep) struct arena *none = arena_new(0);
    assert_false(json_parse(&value, BYTES("1"), none, &err));
    assert_int_equal(err.code, ERR_NO_MEMORY);
}

// --- What was parsed ---

TEST(parsed_values)
{
    const struct json *top = parse(" {\"a\": [1, \"x\\n\"], \"b\": {\"c\": -2.5}, \"d\": null}");
    assert_int_equal(top->type, JSON_OBJECT);
    assert_int_equal(top->offset, 1);
    assert_int_equal(top->n_items, 3);
    assert_null(top->next);
    const struct json *a = json_get(top, "a");
    assert_ptr_equal(a, top->items);
    assert_bytes_text(a->key, "a");
    assert_int_equal(a->type, JSON_ARRAY);
    assert_int_equal(a->n_items, 2);
    assert_int_equal(a->offset, 7);
    assert_bytes_text(a->text, "[1, \"x\\n\"]"); // as in the source
    assert_int_equal(a->items->type, JSON_NUMBER);
    assert_bytes_text(a->items->text, "1");
    assert_int_equal(a->items->key.len, 0);
    assert_int_equal(a->items->next->type, JSON_STRING);
    assert_bytes_text(a->items->next->text, "x\n");
    assert_null(a->items->next->next);
    assert_bytes_text(json_get(json_get(top, "b"), "c")->text, "-2.5");
    assert_int_equal(json_get(top, "d")->type, JSON_NULL);
    assert_null(json_get(top, "c")); // only of an inner object
    assert_null(json_get(a, "a"));
    assert_null(json_get(NULL, "a"));
    assert_int_equal(parse("true")->type, JSON_TRUE);
    assert_int_equal(parse("false")->type, JSON_FALSE);
    assert_bytes_text(parse("false")->text, "false");
}

TEST(is_text)
{
    assert_true(json_is_text(parse("\"on\""), "on"));
    assert_true(json_is_text(parse("\"\\u006fn\""), "on"));
    assert_false(json_is_text(parse("\"on\""), "o"));
    assert_false(json_is_text(parse("1"), "1"));
    assert_false(json_is_text(NULL, ""));
}

// --- Numbers ---

static const struct {
    const char *text;
    enum { INTEGER, FRACTION, TOO_LARGE } kind;
    int64_t value;
} integers[] = {
    { "0", INTEGER, 0 },
    { "-0", INTEGER, 0 },
    { "-0.0e5", INTEGER, 0 },
    { "0e999", INTEGER, 0 },
    { "60", INTEGER, 60 },
    { "60.0", INTEGER, 60 },
    { "6e1", INTEGER, 60 },
    { "0.6e2", INTEGER, 60 },
    { "6000E-2", INTEGER, 60 },
    { "60.00000000000000000000000000000", INTEGER, 60 },
    { "0.00000000000000000000000000000006e33", INTEGER, 60 },
    { "600000000000000000000000000000000e-31", INTEGER, 60 },
    { "-12.5e1", INTEGER, -125 },
    { "1.23456789e8", INTEGER, 123456789 }, // the device makes 123456792 of it
    { "9223372036854775807", INTEGER, INT64_MAX },
    { "9223372036854775808", TOO_LARGE, 0 }, // policy.md 2.2: "exact up to 2^63-1"
    { "9.223372036854775807e18", INTEGER, INT64_MAX },
    { "9223372036854775807.0", INTEGER, INT64_MAX },
    { "-9223372036854775808", INTEGER, INT64_MIN },
    { "-9223372036854775809", TOO_LARGE, 0 },
    { "123456789012345678901234567890", TOO_LARGE, 0 },
    { "1e19", TOO_LARGE, 0 },
    { "18446744073709551616", TOO_LARGE, 0 }, // 2^64 does not wrap to 0
    { "1e308", TOO_LARGE, 0 },
    { "1e309", FRACTION, 0 }, // "`1e999` | infinity, then ... `<field>: must be integer`"
    { "1e999", FRACTION, 0 },
    { "-1e999", FRACTION, 0 },
    { "0.001e400", FRACTION, 0 },
    { "1e99999999999999999999999999", FRACTION, 0 },
    { "1e-99999999999999999999999999", FRACTION, 0 },
    { "1e-1", FRACTION, 0 },
    { "0.5", FRACTION, 0 },
    { "60.5", FRACTION, 0 },
    { "9223372036854775807.5", FRACTION, 0 },
    { "1e18446744073709551616", FRACTION, 0 }, // an exponent that would wrap to 0
    { "1e-18446744073709551616", FRACTION, 0 },
};

TEST(policy_24_1_integers)
{
    for (size_t i = 0; i < COUNT(integers); i++) {
        const struct json *number = parse(integers[i].text);
        int64_t value = 0;
        bool out_of_range = integers[i].kind != TOO_LARGE; // must be set either way
        if (json_integer(number, &value, &out_of_range) != (integers[i].kind == INTEGER) ||
            out_of_range != (integers[i].kind == TOO_LARGE) || value != integers[i].value)
            fail_msg("%s: %lld %d", integers[i].text, (long long)value, out_of_range);
    }
    int64_t value;
    assert_false(json_integer(parse("\"60\""), &value, NULL));
    assert_false(json_integer(parse("true"), &value, NULL));
    assert_false(json_integer(parse("1e19"), &value, NULL));
}

TEST(long_integer_is_out_of_range)
{
    char text[1002];
    memset(text, '9', sizeof text);
    text[1000] = 0;
    int64_t value;
    bool out_of_range;
    assert_false(json_integer(parse(text), &value, &out_of_range));
    assert_true(out_of_range); // policy.md 2.2: "larger is a range error of that field"
    memcpy(text + 999, ".0", 3);
    assert_false(json_integer(parse(text), &value, &out_of_range));
    assert_false(out_of_range); // with a point it is infinity
}

TEST(decimals)
{
    static const struct {
        const char *text;
        bool ok;
        int64_t digits;
        unsigned scale;
    } cases[] = {
        { "0", true, 0, 0 },
        { "0.000", true, 0, 0 },
        { "1", true, 1, 0 },
        { "1.50", true, 15, 1 },
        { "-0.25", true, -25, 2 },
        { "6e1", true, 60, 0 },
        { "6e-3", true, 6, 3 },
        { "123.456e1", true, 123456, 2 },
        { "0.00000001", true, 1, 8 },
        { "9.223372036854775807", true, INT64_MAX, 18 },
        { "9.223372036854775808", false, 0, 0 },
        { "-9.223372036854775808", true, INT64_MIN, 18 },
        { "1e-18", true, 1, 18 },
        { "1e-19", false, 0, 0 },
        { "10e-19", true, 1, 18 },
        { "1.00000000000000000000000", true, 1, 0 },
        { "1e19", false, 0, 0 },
        { "1e999999999999999999999", false, 0, 0 },
        { "1e-999999999999999999999", false, 0, 0 },
        { "0e-999999999999999999999", true, 0, 0 },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        int64_t digits = 0;
        unsigned scale = 0;
        assert_int_equal(json_decimal(parse(cases[i].text), &digits, &scale), cases[i].ok);
        if (!cases[i].ok)
            continue;
        assert_true(digits == cases[i].digits);
        assert_int_equal(scale, cases[i].scale);
    }
    int64_t digits;
    unsigned scale;
    assert_false(json_decimal(parse("\"1\""), &digits, &scale));
}

// --- Writing ---

TEST(policy_7_2_serialisation)
{
    // The vector of policy.md 7.2.
    assert_bytes_text(written(parse("{\"notes\":\"caf\\u00e9 \\u20bf\",\"rules\":[]}"), false),
                      "{\"notes\": \"caf\xc3\xa9 \xe2\x82\xbf\", \"rules\": []}");
    assert_bytes_text(written(parse("[1,[2,3],{\"a\":[],\"b\":{}},\"x\"]"), false),
                      "[1, [2, 3], {\"a\": [], \"b\": {}}, \"x\"]");
}

TEST(policy_7_2_escapes)
{
    for (unsigned c = 1; c < 128; c++) {
        const char content = (char)c;
        char mem[16], expected[16];
        struct writer w = writer_of(mem, sizeof mem);
        struct json_writer j = json_writer_of(&w);
        json_string(&j, bytes_of(&content, 1));
        if (c == '"' || c == '\\')
            snprintf(expected, sizeof expected, "\"\\%c\"", c);
        else if (c == '\n' || c == '\r' || c == '\t')
            snprintf(expected, sizeof expected, "\"\\%c\"",
                     c == '\n'   ? 'n'
                     : c == '\r' ? 'r'
                                 : 't');
        else if (c < 0x20)
            snprintf(expected, sizeof expected, "\"\\u%04x\"", c);
        else
            snprintf(expected, sizeof expected, "\"%c\"", c);
        assert_bytes_text(writer_bytes(&w), expected);
        const struct json *back;
        struct err err;
        assert_true(json_parse(&back, writer_bytes(&w), test_arena(), &err));
        assert_bytes_equal(back->text, bytes_of(&content, 1));
    }
}

static void write_everything(struct json_writer *j)
{
    json_begin_object(j);
    json_key(j, "n");
    json_u64(j, UINT64_MAX);
    json_key_bytes(j, BYTES("k\""));
    json_i64(j, INT64_MIN);
    json_key(j, "a");
    json_begin_array(j);
    json_bool(j, true);
    json_bool(j, false);
    json_null(j);
    json_text(j, "a\nb");
    json_begin_array(j);
    json_end_array(j);
    json_begin_object(j);
    json_end_object(j);
    json_begin_object(j);
    json_key(j, "h");
    json_hex(j, BYTES("\x00\xff"));
    json_end_object(j);
    json_end_array(j);
    json_key(j, "r");
    json_raw(j, BYTES("1.50"));
    json_key(j, "e");
    json_begin_object(j);
    json_end_object(j);
    json_key(j, "v");
    json_value(j, parse("{\"x\":[1,{}]}"));
    json_end_object(j);
}

TEST(writer_on_one_line)
{
    char mem[512];
    struct writer w = writer_of(mem, sizeof mem);
    struct json_writer j = json_writer_of(&w);
    write_everything(&j);
    assert_bytes_text(writer_bytes(&w),
                      "{\"n\": 18446744073709551615, \"k\\\"\": -9223372036854775808, "
                      "\"a\": [true, false, null, \"a\\nb\", [], {}, {\"h\": \"00ff\"}], "
                      "\"r\": 1.50, \"e\": {}, \"v\": {\"x\": [1, {}]}}");
}

TEST(writer_indented)
{
    char mem[512];
    struct writer w = writer_of(mem, sizeof mem);
    struct json_writer j = json_writer_of(&w);
    j.indent = true;
    write_everything(&j);
    assert_bytes_text(writer_bytes(&w), "{\n"
                                        "  \"n\": 18446744073709551615,\n"
                                        "  \"k\\\"\": -9223372036854775808,\n"
                                        "  \"a\": [\n"
                                        "    true,\n"
                                        "    false,\n"
                                        "    null,\n"
                                        "    \"a\\nb\",\n"
                                        "    [],\n"
                                        "    {},\n"
                                        "    {\n"
                                        "      \"h\": \"00ff\"\n"
                                        "    }\n"
                                        "  ],\n"
                                        "  \"r\": 1.50,\n"
                                        "  \"e\": {},\n"
                                        "  \"v\": {\n"
                                        "    \"x\": [\n"
                                        "      1,\n"
                                        "      {}\n"
                                        "    ]\n"
                                        "  }\n"
                                        "}");
    w = writer_of(mem, sizeof mem);
    j = json_writer_of(&w);
    j.indent = true;
    json_value(&j, parse("{\"a\":1,\"b\":[]}"));
    assert_bytes_text(writer_bytes(&w), "{\n  \"a\": 1,\n  \"b\": []\n}");
}

TEST(indented_text_parses_to_the_same)
{
    const struct json *value = parse(
        "{\"a\":[1,2,{\"b\":null,\"c\":[[],{}]}],\"d\":\"\\u0001\\\"\xe2\x82\xbf\",\"e\":-1e5}");
    struct err err;
    const struct json *back;
    assert_true(json_parse(&back, written(value, true), test_arena(), &err));
    assert_bytes_equal(written(back, false), written(value, false));
}

// The wire's `asci` replies are pure ASCII: wire-protocol.md 3.2.
TEST(ascii_form_escapes_what_is_not_ascii_and_reads_back_the_same)
{
    const struct bytes text = BYTES("caf\xc3\xa9 \xe2\x82\xbf \xf0\x9f\x98\x80 \"\n");
    struct writer w = writer_growing(test_arena(), 1024);
    struct json_writer j = json_writer_of(&w);
    const struct json *back;
    struct err err;
    j.ascii = true;
    json_string(&j, text);
    assert_bytes_text(writer_bytes(&w), "\"caf\\u00e9 \\u20bf \\ud83d\\ude00 \\\"\\n\"");
    assert_true(json_parse(&back, writer_bytes(&w), test_arena(), &err));
    assert_bytes_equal(back->text, text);
}
