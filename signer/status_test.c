#include "signer/status.h"
#include "tests/support/device_checks.h"

#define PRIVATE                                                                                    \
    "active approvals chain last_refusal pending_auth period policy_hash refusals sl_reads "       \
    "summary uptime users"
#define PUBLIC    "active approvals chain last_refusal policy_hash refusals"
// Of the object `casemate`.
#define OWN       "journal policy_hash_full simulator version"
#define OWN_AFTER "journal last_decision policy_hash_full simulator version"

TEST(policy_24_70_wire_64_keys_of_each_state)
{
    static const char inactive[] = "active chain policy_available users wallets";
    WITH_RIG(rig, host);
    assert_string_equal(rig_status_keys(host), inactive);
    assert_string_equal(rig_casemate_keys(host), "journal simulator version");
    assert_okay(rig_offer(host, "{}"));
    assert_string_equal(rig_status_keys(host),
                        "active approval_wait chain policy_available users wallets");
    rig_keys(rig, "y");
    assert_string_equal(rig_status_keys(host),
                        "active approval_wait chain policy_available users wallets");
    // "Before HSM mode, and during approval, nothing of the policy is visible."
    assert_string_equal(rig_casemate_keys(host), "journal simulator version");
    rig_keys(rig, "x");
    assert_string_equal(rig_status_keys(host), inactive);
}

static const struct {
    const char *policy, *before, *after; // the first spend
    const char *own_after;
} cases[] = {
    { "{\"rules\":[{}]}", PRIVATE, PRIVATE, OWN_AFTER },
    { "{\"period\":5,\"rules\":[{\"per_period\":9000}]}", PRIVATE,
      "active approvals chain has_spent last_refusal pending_auth period period_ends policy_hash "
      "refusals sl_reads summary uptime users",
      OWN_AFTER },
    { "{\"rules\":[{},{\"local_conf\":true}]}",
      "active approvals chain last_refusal next_local_code pending_auth period policy_hash "
      "refusals "
      "sl_reads summary uptime users",
      "active approvals chain last_refusal next_local_code pending_auth period policy_hash "
      "refusals "
      "sl_reads summary uptime users",
      OWN_AFTER },
    { "{\"priv_over_ux\":true,\"period\":5,\"rules\":[{\"per_period\":9000}]}", PUBLIC, PUBLIC,
      OWN },
    { "{\"priv_over_ux\":true,\"rules\":[{},{\"local_conf\":true}]}",
      "active approvals chain last_refusal next_local_code policy_hash refusals",
      "active approvals chain last_refusal next_local_code policy_hash refusals", OWN },
};

TEST(policy_24_70_wire_64_keys_in_hsm_mode)
{
    AUTO(device_rig_freep) struct device_rig *rig = device_rig_new(test_dir());
    for (size_t i = 0; i < COUNT(cases); i++) {
        if (i > 0) {
            device_rig_restart(rig);
            rig_keys(rig, "x");
        }
        struct rig_host *host = rig_host_linked(rig);
        rig_activate(host, cases[i].policy);
        assert_string_equal(rig_status_keys(host), cases[i].before);
        assert_string_equal(rig_casemate_keys(host), OWN);
        assert_signs(host, rig_payment(rig, 1000));
        assert_string_equal(rig_status_keys(host), cases[i].after);
        assert_string_equal(rig_casemate_keys(host), cases[i].own_after);
    }
}

TEST(policy_18_values_when_not_active)
{
    WITH_RIG(rig, host);
    assert_status(host, "active", "false");
    assert_status(host, "chain", "\"XTN\"");
    assert_status(host, "policy_available", "false");
    assert_status(host, "wallets", "[]");
    assert_status(host, "users", "[]");
    rig_add_users(host);
    const struct bytes secret = BYTES("0123456789");
    assert_asci(rig_nwur(host, NWUR_TOTP, BYTES("Zed"), secret), "");
    assert_asci(rig_nwur(host, NWUR_TOTP, BYTES("al"), secret), "");
    assert_status(host, "users", "[\"Zed\", \"al\", \"alice\", \"bob\", \"carol\"]"); // code points
    rig_activate(host, "{}");
    device_rig_restart(rig);
    rig_keys(rig, "x");
    assert_status(rig_host_linked(rig), "policy_available", "true");
}

TEST(policy_18_values_when_active)
{
    WITH_RIG(rig, host);
    rig_add_users(host);
    rig_activate(host,
                 "{\"notes\":\"caf\xc3\xa9\",\"period\":61,\"rules\":[{\"per_period\":100}]}");
    assert_status(host, "active", "true");
    assert_status(host, "chain", "\"XTN\"");
    assert_status(host, "period", "61");
    assert_status(host, "uptime", "0.000");
    assert_status(host, "users", "[\"alice\", \"bob\", \"carol\"]");
    assert_status(host, "sl_reads", "0");
    assert_status(host, "pending_auth", "0");
    assert_status(host, "last_refusal", "null");
    assert_status(
        host, "summary",
        "\"=-=\\ncaf\xc3\xa9\\n=-=\\n\\nTransactions:\\n- Rule #1: Up to 0.000001 XTN per "
        "period will be approved\\n\\nVelocity Period:\\n 61 minutes\\n = 1.02 hrs\\n\\n"
        "Message signing:\\n- Not allowed.\\n\\nOther policy:\\n- MicroSD card will "
        "receive log entries.\\n\"");
    // `asci` is decoded as strict ASCII by the reference client.
    const struct bytes text = rig_status_text(host);
    for (size_t i = 0; i < text.len; i++)
        assert_in_range(text.ptr[i], 0x20, 0x7e);
    rig_pass(rig, 40606);
    assert_status(host, "uptime", "40.606");
    rig_pass(rig, INT64_C(30) * 86400000);
    assert_status(host, "uptime", "2592040.606");
}

TEST(policy_18_period_is_null_without_one)
{
    WITH_RIG(rig, host);
    rig_activate(host, "{}");
    assert_status(host, "period", "null");
    (void)rig;
}

TEST(wire_65_policy_hash_vectors)
{
    static const struct {
        const char *policy, *hash;
    } vectors[] = {
        { "{\"never_log\":true}",
          "\"69dcddfc8c59628adc1dffd2a510f9006c5c90df64d854933532e8ddf14b7af6\"" },
        { "{\"boot_to_hsm\":\"123456\",\"period\":10,\"rules\":[{\"per_period\":1000}]}",
          "\"03ce733a40f33c68c969b98394639af7918f16cd24fa462ceba6eae1a3471d01\"" },
    };
    AUTO(device_rig_freep) struct device_rig *rig = device_rig_new(test_dir());
    for (size_t i = 0; i < COUNT(vectors); i++) {
        if (i > 0) {
            device_rig_restart(rig);
            rig_keys(rig, "x");
        }
        rig_activate(rig_host_linked(rig), vectors[i].policy);
        assert_status(rig_host_linked(rig), "policy_hash", vectors[i].hash);
    }
}

// A restart changes neither hash nor, apart from the locker's line, summary (D7).
TEST(policy_21_d7_the_hash_stays)
{
    WITH_RIG(rig, host);
    rig_activate(host, "{\"set_sl\":\"0123456789abcdef\",\"allow_sl\":1,\"notes\":\"line one\"}");
    static const char hash[] =
        "\"0879a232fa66ee1e99b347de36c351d089cbcf46f176979a97a4e76c935b6258\"";
    assert_status(host, "policy_hash", hash);
    assert_status(
        host, "summary",
        "\"=-=\\nline one\\n=-=\\n\\nTransactions:\\n- No transaction will be signed.\\n\\n"
        "Message signing:\\n- Not allowed.\\n\\nOther policy:\\n- MicroSD card will receive "
        "log entries.\\n- Storage Locker will be updated, and can be read 1 times.\\n\"");
    device_rig_restart(rig);
    rig_keys(rig, "y");
    host = rig_host_linked(rig);
    assert_status(host, "policy_hash", hash);
    assert_status(
        host, "summary",
        "\"=-=\\nline one\\n=-=\\n\\nTransactions:\\n- No transaction will be signed.\\n\\n"
        "Message signing:\\n- Not allowed.\\n\\nOther policy:\\n- MicroSD card will receive "
        "log entries.\\n- Storage Locker can be read only once.\\n\"");
}

TEST(wire_67_pending_auth)
{
    WITH_RIG(rig, host);
    rig_activate(host, "{\"rules\":[{}]}");
    const struct bytes code = BYTES("123456");
    assert_asci(rig_user(host, "alice", code, 60000000), "");
    assert_status(host, "pending_auth", "1");
    assert_asci(rig_user(host, "alice", BYTES("123457"), 60000000), "");
    assert_status(host, "pending_auth", "1");
    assert_asci(rig_user(host, "zz-not-a-user", code, 60000000), "");
    assert_status(host, "pending_auth", "2");
    // Not by a message, a visualisation or what cannot be read; by the next evaluated transaction.
    assert_int_equal(rig_sign_text(host, "hello", "m").result, RIG_REFUSED);
    assert_int_equal(rig_sign(host, rig_payment(rig, 1), STXN_VISUALIZE).result, RIG_SIGNED);
    assert_status(host, "pending_auth", "2");
    assert_refuses(host, rig_payment(rig, 1), "User 'alice' gave wrong auth value: unknown user");
    assert_status(host, "pending_auth", "0");
}

// What a host sends comes back in a report: no name can break the JSON or the lines of a log.
TEST(policy_12_a_hostile_name_in_last_refusal)
{
    WITH_RIG(rig, host);
    rig_activate(host, "{\"rules\":[{}]}");
    assert_asci(rig_user(host, "\"},\\\n\x02\xc3\xa9", BYTES("123456"), 0), "");
    assert_int_equal(rig_sign(host, rig_payment(rig, 1), 0).result, RIG_REFUSED);
    const struct json *refusal = json_get(rig_status(host), "last_refusal");
    assert_non_null(refusal);
    assert_int_equal(refusal->type, JSON_STRING);
    assert_null(memchr(refusal->text.ptr, '\n', refusal->text.len));
}
