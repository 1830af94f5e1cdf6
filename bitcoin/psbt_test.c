#include "bitcoin/psbt.h"
#include "base/base64.h"
#include "bitcoin/psbt_err.h"
#include "tests/support/test.h"

static bool parse(struct psbt *out, struct bytes raw, struct err *err)
{
    return psbt_parse(out, raw, test_arena(), err);
}

// Either of these two replies is right for a structural defect, and no other (psbt-signing 0).
static void assert_refused(struct bytes raw, const char *what)
{
    struct psbt p;
    struct err err = { 0 };
    if (parse(&p, raw, &err))
        fail_msg("accepted: %s", what);
    if (strcmp(err.text, PSBT_PARSE_FAILED) != 0 && strcmp(err.text, PSBT_INVALID) != 0)
        fail_msg("%s: '%s'", what, err.text);
}

static void assert_round_trip(struct bytes raw, const char *what)
{
    struct psbt p;
    struct err err;
    if (!parse(&p, raw, &err))
        fail_msg("%s: %s: %s", what, err.text, err.detail);
    struct writer w = writer_growing(test_arena(), PSBT_SIZE_MAX);
    psbt_write(&w, &p);
    assert_bytes_equal(writer_bytes(&w), raw);
}

static const char *text_of(const struct json *value)
{
    const char *text = arena_text(test_arena(), value->text);
    assert_non_null(text);
    return text;
}

static void check_vectors(const char *file)
{
    const struct json *all = test_vectors(file);
    const struct json *invalid = json_need(all, "invalid"), *valid = json_need(all, "valid");
    assert_true(invalid->n_items > 0 && valid->n_items > 0);
    for (const struct json *row = invalid->items; row != NULL; row = row->next) {
        // One of the official ones is no PSBT at all but hex of a network transaction.
        struct writer w = writer_growing(test_arena(), PSBT_SIZE_MAX);
        if (base64_read(&w, json_item(row, 1)->text))
            assert_refused(writer_bytes(&w), text_of(json_item(row, 0)));
    }
    for (const struct json *row = valid->items; row != NULL; row = row->next)
        assert_round_trip(test_base64(json_item(row, 1)->text), text_of(json_item(row, 0)));
}

TEST(psbt_signing_27_35_bip174_vectors)
{
    check_vectors("bip174.json");
}

TEST(psbt_signing_27_35_bip370_vectors)
{
    check_vectors("bip370.json");
}

TEST(psbt_signing_27_35_bip371_vectors)
{
    check_vectors("bip371.json");
}

TEST(psbt_signing_27_35_extra_vectors)
{
    check_vectors("psbt_extra.json");
}

TEST(psbt_signing_27_48_bip370_locktimes)
{
    const struct json *rows = json_need(test_vectors("bip370.json"), "locktime");
    assert_int_equal(rows->n_items, 10);
    for (const struct json *row = rows->items; row != NULL; row = row->next) {
        struct psbt p;
        struct err err;
        int64_t expected;
        const bool parsed = parse(&p, test_base64(json_item(row, 1)->text), &err);
        if (!json_integer(json_item(row, 0), &expected, NULL)) {
            assert_false(parsed);
            assert_err(&err, ERR_INVALID, PSBT_INVALID);
            assert_string_equal(err.detail, "locktime");
            continue;
        }
        assert_true(parsed);
        assert_int_equal(p.tx.locktime, expected);
    }
}
