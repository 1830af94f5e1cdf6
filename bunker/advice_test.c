#include "bunker/advice.h"
#include "base/base64.h"
#include "base/reader.h"
#include "bitcoin/psbt.h"
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
    // A user that only messages need is taken to exist as well as those of rules.
    advice = on_policy("{\"msg_paths\": [\"any\"], \"casemate\": {\"msg_users\": [\"dora\"]}, "
                       "\"rules\": []}",
                       &err);
    assert_non_null(advice);
    assert_non_null(strstr(arena_text(test_arena(), json_need_text(advice, "summary")), "dora"));
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

// --- The corpus of recorded decisions ---

// Where this signer itself decides otherwise than was recorded (tests/replay/deviations.json), or a code that
// is told apart by its number is wrong.
static bool is_known(const struct json *test)
{
    static const char *const ids[] = { "d077", "p001-f32", "p007-f32", "d157", "d169" };
    for (size_t i = 0; i < COUNT(ids); i++)
        if (json_is_text(json_need(test, "id"), ids[i]))
            return true;
    return false;
}

// What a forecast cannot know: registered wallets, what the device proves with its seed, codes that are wrong.
static bool is_forecastable(const struct json *test, const struct json *step)
{
    static const char *const groups[] = { "max_amount", "whitelist",  "users",   "users_mofn",
                                          "rules",      "local_conf", "min_pct", "patterns",
                                          "velocity",   "combo" };
    bool is_ours = false;
    for (size_t i = 0; i < COUNT(groups); i++)
        is_ours = is_ours || json_is_text(json_need(test, "group"), groups[i]);
    if (!is_ours || !json_is_text(json_need(step, "op"), "sign") ||
        json_is_text(json_need(step, "expect"), "error") ||
        json_is_text(json_need(step, "local_code"), "partial"))
        return false;
    for (const struct json *a = json_need(step, "auth")->items; a != NULL; a = a->next)
        if (!json_is_text(json_need(a, "kind"), "totp") &&
            !json_is_text(json_need(a, "kind"), "hotp") &&
            !json_is_text(json_need(a, "kind"), "hmac"))
            return false;
    return true;
}

static bool has_multisig(struct bytes content)
{
    struct psbt psbt;
    struct err err;
    if (!psbt_parse(&psbt, content, test_arena(), &err))
        return true;
    for (size_t i = 0; i < psbt.n_in; i++)
        if (psbt_get(&psbt.in[i], PSBT_IN_WITNESS_SCRIPT) != NULL ||
            psbt_get(&psbt.in[i], PSBT_IN_REDEEM_SCRIPT) != NULL)
            return true;
    return false;
}

static struct bytes users_of(const struct json *step)
{
    struct writer w = writer_growing(test_arena(), 65536);
    struct json_writer j = json_writer_of(&w);
    json_begin_array(&j);
    for (const struct json *a = json_need(step, "auth")->items; a != NULL; a = a->next)
        json_string(&j, json_need_text(a, "user"));
    json_end_array(&j);
    return writer_bytes(&w);
}

// False: the forecast says something else.
static bool agrees(const struct json *test, const struct json *step, struct bytes psbt)
{
    struct writer w = writer_growing(test_arena(), 1 << 20);
    struct json_writer j = json_writer_of(&w);
    const struct json *users, *out;
    struct err err;
    assert_true(json_parse(&users, users_of(step), test_arena(), &err));
    const struct advice_case c = { .psbt = psbt,
                                   .xfp = BYTES("0F056943"),
                                   .chain = chain_by_code(json_need_text(test, "chain")),
                                   .users = users,
                                   .local_code =
                                       json_is_text(json_need(step, "local_code"), "right"),
                                   .now_s = 1800000000 };
    const struct bytes policy = json_need(test, "policy")->text;
    if (!advice_on_transaction(&j, policy, &c, test_arena(), &err)) {
        print_message("%.*s: %s\n", BYTES_ARG(json_need_text(test, "id")), err.text);
        return false;
    }
    assert_true(json_parse(&out, writer_bytes(&w), test_arena(), &err));
    const struct bytes text = json_need_text(out, "text");
    const bool ok = json_is_text(json_need(step, "expect"), "signed")
                        ? json_get(out, "signed")->type == JSON_TRUE
                        : bytes_equal(text, json_need_text(step, "last_refusal"));
    if (!ok)
        print_message("%.*s: %.*s\n", BYTES_ARG(json_need_text(test, "id")), BYTES_ARG(text));
    return ok;
}

// "The verdict of 19.4 equals that of Casemate's signer for the regression corpus, including the full
// Rejected: text." The signer is held to the same file by tests/replay.
TEST(bunker_21_48_forecasts_are_what_devices_decided)
{
    struct bytes lines = test_vector_bytes("golden/decisions.jsonl"), line;
    size_t compared = 0, wrong = 0;
    for (struct reader r = reader_of(lines); reader_until(&r, '\n', &line);) {
        const struct json *test;
        struct err err;
        if (line.len == 0)
            continue;
        assert_true(json_parse(&test, line, test_arena(), &err));
        const struct json *step = json_item(json_need(test, "sequence"), 0);
        if (is_known(test) || !is_forecastable(test, step))
            continue;
        const struct bytes psbt = test_base64(json_need_text(step, "psbt_b64"));
        if (has_multisig(psbt))
            continue;
        compared++;
        wrong += !agrees(test, step, psbt);
    }
    print_message("# %zu compared\n", compared);
    assert_int_equal(wrong, 0);
    assert_true(compared >= 80);
}
