#include "bunker/advice.h"
#include "base/base64.h"
#include "tests/support/test.h"

static const struct json *on_policy(const char *policy, struct err *err)
{
    struct writer w = writer_growing(test_arena(), 1 << 20);
    struct json_writer j = json_writer_of(&w);
    const struct json *out;
    if (!advice_on_policy(&j, bytes_of_text(policy), chain_by_id(CHAIN_XTN), test_arena(), err))
        return NULL;
    assert_true(json_parse(&out, writer_bytes(&w), test_arena(), err));
    return out;
}

TEST(bunker_11_6_what_a_policy_means)
{
    struct err err;
    const struct json *advice =
        on_policy("{\"period\": 60, \"never_log\": true, \"rules\": [{\"per_period\": 100000000, "
                  "\"users\": [\"alice\"]}, {}]}",
                  &err);
    assert_non_null(advice);
    assert_non_null(strstr(arena_text(test_arena(), json_need_text(advice, "summary")),
                           "- Rule #1: Up to 1 XTN per period may be authorized by user: alice\n"));
    assert_int_equal(json_need_text(advice, "hash").len, 64);
    bool approves_all = false;
    for (const struct json *f = json_need(advice, "findings")->items; f != NULL; f = f->next)
        approves_all = approves_all || json_is_text(json_get(f, "code"), "approve-all") ||
                       json_is_text(json_get(f, "code"), "approve_all");
    assert_true(approves_all);
    assert_null(on_policy("{\"rules\": [{\"per_period\": 1}]}", &err));
    assert_int_equal(strncmp(err.text, "HSM Policy invalid: ", 20), 0);
    assert_null(on_policy("{", &err));
}

TEST(bunker_19_4_a_forecast_needs_a_psbt_and_a_device)
{
    struct writer w = writer_growing(test_arena(), 1 << 20);
    struct json_writer j = json_writer_of(&w);
    struct err err;
    struct advice_case c = { .psbt = BYTES("psbt"),
                             .xfp = BYTES("0F056943"),
                             .chain = chain_by_id(CHAIN_XTN) };
    assert_false(advice_on_transaction(&j, BYTES("{\"rules\": [{}]}"), &c, test_arena(), &err));
    c.xfp = BYTES("");
    assert_false(advice_on_transaction(&j, BYTES("{\"rules\": [{}]}"), &c, test_arena(), &err));
    assert_err(&err, ERR_STATE, "the device's fingerprint is not known");
}
