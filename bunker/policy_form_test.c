#include "bunker/policy_form.h"
#include "tests/support/test.h"

static const char *clean(const char *form, const struct form_locker *locker, struct err *err)
{
    struct writer w = writer_growing(test_arena(), POLICY_FORM_MAX);
    if (!policy_form_clean(&w, bytes_of_text(form), locker, test_arena(), err))
        return NULL;
    // Compact, so that the table is readable.
    const struct json *v;
    assert_true(json_parse(&v, writer_bytes(&w), test_arena(), err));
    struct writer out = writer_growing(test_arena(), POLICY_FORM_MAX);
    struct json_writer j = json_writer_of(&out);
    json_value(&j, v);
    return arena_text(test_arena(), writer_bytes(&out));
}

static const struct {
    const char *form, *policy; // or the error
} rows[] = {
    { "{\"rules\": []}", "{\"rules\": []}" },
    { "{\"rules\": [], \"msg_paths\": \"m/1, m/2\\nany\"}",
      "{\"rules\": [], \"msg_paths\": [\"m/1\", \"m/2\", \"any\"]}" },
    { "{\"rules\": [], \"msg_paths\": \"\"}", "{\"rules\": [], \"msg_paths\": []}" },
    { "{\"rules\": [], \"msg_paths\": null}", "{\"rules\": []}" },
    // Tab and CR separate here; in the reference they stayed glued to addresses.
    { "{\"rules\": [{\"whitelist\": \"a\\r\\nb\\tc;d\"}]}",
      "{\"rules\": [{\"whitelist\": [\"a\", \"b\", \"c\", \"d\"]}]}" },
    { "{\"rules\": [{\"max_amount\": \"1.5\", \"per_period\": \"\"}]}",
      "{\"rules\": [{\"max_amount\": 150000000}]}" },
    { "{\"rules\": [{\"max_amount\": \"0.00000001\"}]}", "{\"rules\": [{\"max_amount\": 1}]}" },
    { "{\"rules\": [{\"max_amount\": \"0\"}]}", "{\"rules\": [{\"max_amount\": 0}]}" },
    { "{\"rules\": [{\"max_amount\": \"-1\"}]}", "Rule #1 field max_amount is invalid: -1" },
    { "{\"rules\": [{\"max_amount\": \"NaN\"}]}", "Rule #1 field max_amount is invalid: NaN" },
    { "{\"rules\": [{}, {\"per_period\": \"1e3\"}]}", "Rule #2 field per_period is invalid: 1e3" },
    { "{\"rules\": [{\"max_amount\": \"0.000000001\"}]}",
      "Rule #1 field max_amount is invalid: 0.000000001" },
    { "{\"rules\": [{\"max_amount\": \"21000000.00000001\"}]}",
      "Rule #1 field max_amount is invalid: 21000000.00000001" },
    { "{\"rules\": [{\"users\": \"al, bob\", \"min_users\": \"all\"}]}",
      "{\"rules\": [{\"users\": [\"al\", \"bob\"], \"min_users\": 2}]}" },
    { "{\"rules\": [{\"users\": \"al, bob\", \"min_users\": \"1\"}]}",
      "{\"rules\": [{\"users\": [\"al\", \"bob\"], \"min_users\": 1}]}" },
    { "{\"rules\": [{\"users\": \"\", \"min_users\": \"all\"}]}", "{\"rules\": [{}]}" },
    { "{\"rules\": [{\"users\": \"al\", \"min_users\": \"\"}]}",
      "{\"rules\": [{\"users\": [\"al\"]}]}" },
    { "{\"rules\": [{\"wallet\": \"\"}], \"notes\": \"\"}", "{\"rules\": [{}]}" },
    { "{\"rules\": [{\"min_pct_self_transfer\": 33.3, \"patterns\": [\"EQ_NUM_INS_OUTS\"]}]}",
      "{\"rules\": [{\"min_pct_self_transfer\": 33.3, \"patterns\": [\"EQ_NUM_INS_OUTS\"]}]}" },
    { "{\"rules\": [], \"period\": \"60\"}", "{\"rules\": [], \"period\": 60}" },
    { "{\"rules\": [], \"period\": 0}", "{\"rules\": []}" },
    { "{\"rules\": [], \"boot_to_hsm\": \"123456\"}",
      "{\"rules\": [], \"boot_to_hsm\": \"123456\"}" },
    { "{\"rules\": [], \"boot_to_hsm\": \"12345\"}", "Boot to HSM code must be 6 numeric digits." },
    { "{\"rules\": [], \"boot_to_hsm\": \"\"}", "{\"rules\": []}" },
    { "{\"rules\": [], \"ewaste_enable\": true}", "{\"rules\": [], \"boot_to_hsm\": \"xyzzy\"}" },
    { "{\"rules\": [], \"ewaste_enable\": false, \"odd\": 1}", "{\"rules\": [], \"odd\": 1}" },
    { "{}", "'rules'" },
    { "{\"rules\": \"\"}", "'rules'" }, // found by fuzzing: left out as blank
    { "[]", "'rules'" },
};

TEST(bunker_21_34_form_to_policy)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct err err;
        const char *got = clean(rows[i].form, NULL, &err);
        if (strcmp(got != NULL ? got : err.text, rows[i].policy) != 0)
            fail_msg("case %zu: %s", i, got != NULL ? got : err.text);
    }
}

TEST(bunker_21_37_the_locker_goes_in)
{
    const struct form_locker locker = { "QnVua0tLS0tLS0tLS0tLS0tLS0tLS0tLS0tLS0tLS0tLS0tL", 13 };
    struct err err;
    assert_string_equal(clean("{\"allow_sl\": 99, \"rules\": []}", &locker, &err),
                        "{\"rules\": [], \"set_sl\": "
                        "\"QnVua0tLS0tLS0tLS0tLS0tLS0tLS0tLS0tLS0tLS0tLS0tL\", \"allow_sl\": 13}");
}

static const char *cook(const char *policy)
{
    struct writer w = writer_growing(test_arena(), POLICY_FORM_MAX);
    const struct json *v;
    struct err err;
    assert_true(json_parse(&v, bytes_of_text(policy), test_arena(), &err));
    if (!policy_form_cook(&w, v, test_arena(), &err))
        return arena_text(test_arena(), bytes_of_text(err.text));
    return arena_text(test_arena(), writer_bytes(&w));
}

TEST(bunker_21_34_policy_to_form)
{
    assert_string_equal(
        cook("{\"rules\": [{\"max_amount\": 1, \"per_period\": 100000000, \"users\": [\"a\", "
             "\"b\"], "
             "\"min_users\": 1, \"whitelist\": [\"x\"]}], \"boot_to_hsm\": \"xyzzy\"}"),
        "{\"rules\": [{\"max_amount\": \"0.00000001\", \"per_period\": \"1.00000000\", "
        "\"users\": \"a,b\", \"min_users\": \"1\", \"whitelist\": \"x\"}], "
        "\"boot_to_hsm\": \"xyzzy\", \"ewaste_enable\": true}");
    // Files of the device's tools leave keys out.
    assert_string_equal(
        cook("{\"rules\": [{}]}"),
        "{\"rules\": [{\"whitelist\": \"\", \"users\": \"\", \"per_period\": null, "
        "\"max_amount\": null, \"min_users\": \"all\"}], \"ewaste_enable\": false}");
    assert_string_equal(cook("{}"), "'rules'");
    assert_string_equal(cook("{\"rules\": [1]}"), "'rules'");
}

TEST(bunker_21_35_import_and_export_are_the_identity)
{
    static const char *const policies[] = {
        "{\"period\": 60, \"rules\": [{\"max_amount\": 5, \"users\": [\"al\"], \"min_users\": 1, "
        "\"local_conf\": true}], \"notes\": \"n\"}",
        "{\"rules\": [{\"whitelist\": [\"a\", \"b\"], \"whitelist_opts\": {\"mode\": \"ATTEST\"}, "
        "\"min_pct_self_transfer\": 33.30, \"patterns\": [\"EQ_OUT_AMOUNTS\"]}]}",
    };
    for (size_t i = 0; i < COUNT(policies); i++) {
        struct err err;
        assert_string_equal(clean(cook(policies[i]), NULL, &err), policies[i]);
    }
}

TEST(bunker_21_36_sanitised)
{
    struct writer w = writer_growing(test_arena(), POLICY_FORM_MAX);
    struct err err;
    assert_true(policy_form_sanitise(&w,
                                     BYTES("{\"set_sl\": \"x\", \"rules\": [], \"allow_sl\": 1, "
                                           "\"boot_to_hsm\": \"123456\", \"notes\": \"n\"}"),
                                     test_arena(), &err));
    assert_bytes_text(writer_bytes(&w), "{\n  \"rules\": [],\n  \"notes\": \"n\"\n}");
}
