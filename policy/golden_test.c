// Replays tests/vectors/golden/summary.jsonl: 147 policies, each with what the reference made of it.
//
// Where we differ on purpose, golden/summary_deviations.json has our value, the section that asks
// for it and the reason; every refusal is there, as the reference names a line of its own source
// where we name the policy or the rule.
#include "base/reader.h"
#include "policy/canonical.h"
#include "tests/support/policy_fixture.h"

#define RECORDS 147

struct record {
    const struct json *json;
    const struct json *ours; // deviations, or NULL
};

static const struct json *field(const struct record *r, const char *key)
{
    const struct json *ours = r->ours != NULL ? json_get(r->ours, key) : NULL;
    return ours != NULL ? ours : json_get(r->json, key);
}

static struct bytes text(const struct record *r, const char *key)
{
    const struct json *value = field(r, key);
    if (value == NULL || value->type != JSON_STRING)
        fail_msg("%.*s has no text %s", BYTES_ARG(json_need_text(r->json, "id")), key);
    return value->text;
}

// The names that the record's set-up gives: users, and the first line of each wallet's text.
static struct policy_world world_of(const struct record *r)
{
    const struct json *setup = json_need(r->json, "setup");
    const struct json *users = json_get(setup, "users"), *wallets = json_get(setup, "wallets");
    struct bytes *user_names = arena_array(test_arena(), 30, sizeof *user_names);
    struct bytes *wallet_names = arena_array(test_arena(), 30, sizeof *wallet_names);
    struct policy_world world = { .users = user_names, .wallets = wallet_names };
    for (const struct json *u = users != NULL ? users->items : NULL; u != NULL; u = u->next)
        user_names[world.n_users++] = json_need_text(u, "name");
    for (const struct json *w = wallets != NULL ? wallets->items : NULL; w != NULL; w = w->next) {
        struct reader lines = reader_of(json_need_text(w, "text"));
        struct bytes line;
        assert_true(reader_until(&lines, '\n', &line));
        assert_true(bytes_starts_with(line, BYTES("name: ")));
        wallet_names[world.n_wallets++] = bytes_slice(line, 6, line.len);
    }
    return world;
}

// "HSM Policy invalid: <source position>: <text>", cut to 80 bytes; `error` is whole, if it is the
// same text and not another one of the language runtime.
static struct bytes reference_error(const struct record *r)
{
    struct reader position = reader_of(text(r, "usb_error"));
    struct bytes prefix;
    for (int parts = 0; parts < 3; parts++)
        assert_true(reader_until(&position, ':', &prefix));
    assert_true(reader_accept(&position, ' '));
    const struct bytes cut = reader_rest(&position), whole = text(r, "error");
    return bytes_starts_with(whole, cut) ? whole : cut;
}

static void check_refused(const struct record *r, const struct err *err)
{
    struct writer w = text_writer();
    const struct json *ours = r->ours != NULL ? json_get(r->ours, "error") : NULL;
    const struct bytes error = ours != NULL ? ours->text : reference_error(r);
    writer_printf(&w, "HSM Policy invalid: %.*s: %.*s", BYTES_ARG(text(r, "origin")),
                  BYTES_ARG(error));
    assert_bytes_equal(bytes_of_text(err->text), written(&w));
}

static bool has_key(const struct record *r, const char *key)
{
    return json_get(r->json, key) != NULL;
}

// The reference was run with double precision for most records. Where that gives other digits than
// the device (golden/setup.json, float_note), neither form nor hash is the device's.
static bool is_of_another_float(const struct record *r, const struct policy *p)
{
    return has_key(r, "float_bits") && json_need_integer(r->json, "float_bits") == 64 &&
           !bytes_equal(canonical_of(p), text(r, "saved_policy_text"));
}

static void check_accepted(const struct record *r, const struct policy *p)
{
    const struct chain *chain = chain_by_code(text(r, "chain"));
    const struct bytes summary = summary_of(p, chain->code, UNIT_COIN);
    const struct hash256 hash = policy_hash(p);
    if (has_key(r, "screen_text"))
        assert_bytes_equal(summary, text(r, "screen_text"));
    // With priv_over_ux the status report has no summary.
    if (!p->priv_over_ux)
        assert_bytes_equal(summary, text(r, "summary"));
    if (is_of_another_float(r, p))
        return;
    if (r->ours == NULL)
        assert_bytes_equal(canonical_of(p), text(r, "saved_policy_text"));
    assert_bytes_equal(hex_of(&hash), text(r, "policy_hash"));
}

static void check_record(const struct record *r)
{
    const struct policy_world world = world_of(r);
    struct policy policy;
    struct err err;
    const bool ok = policy_parse(&policy, text(r, "policy_text"), &world, test_arena(), &err);
    if (ok != (field(r, "ok")->type == JSON_TRUE))
        fail_msg("%s: %s", ok ? "accepted" : "refused", ok ? "" : err.text);
    if (ok)
        check_accepted(r, &policy);
    else
        check_refused(r, &err);
}

static const struct json *deviation_of(const struct json *all, struct bytes id)
{
    for (const struct json *d = all->items; d != NULL; d = d->next)
        if (bytes_equal(json_need_text(d, "id"), id))
            return json_need(d, "expect");
    return NULL;
}

// One record tells what Python made of `NaN` by writing NaN, which is no JSON. That member is not
// used: policy_text has the file as it was sent.
static struct bytes without_nan(struct bytes line)
{
    static const char nan[] = "\"policy\": {\"period\": NaN}";
    char *copy = arena_alloc(test_arena(), line.len + 1);
    assert_non_null(copy);
    memcpy(copy, line.ptr, line.len);
    char *found = strstr(copy, nan);
    if (found != NULL)
        memcpy(found, "\"policy\": {\"period\": 555}", sizeof nan - 1);
    return bytes_of(copy, line.len);
}

TEST(policy_24_27_golden_summaries)
{
    const struct json *deviations = test_vectors("golden/summary_deviations.json");
    struct reader lines = reader_of(test_vector_bytes("golden/summary.jsonl"));
    struct bytes line;
    size_t n = 0, n_ours = 0;
    while (reader_until(&lines, '\n', &line)) {
        struct record r;
        struct err err;
        if (!json_parse(&r.json, without_nan(line), test_arena(), &err))
            fail_msg("record %zu: %s (%s)", n, err.text, err.detail);
        print_message("# %.*s\n", BYTES_ARG(json_need_text(r.json, "id")));
        r.ours = deviation_of(deviations, json_need_text(r.json, "id"));
        check_record(&r);
        n_ours += r.ours != NULL;
        n++;
    }
    assert_int_equal(n, RECORDS);
    assert_int_equal(n_ours, deviations->n_items); // none is left over
}
