// Items 84 and 85 as far as it takes a signer: what is kept, shown and asked of the operator.
#include "base/hex.h"
#include "crypto/otp.h"
#include "signer/hsm_report.h"
#include "tests/support/device_checks.h"
#include <fcntl.h>
#include <unistd.h>

// The JSON of a member of the status' member `casemate`, or "absent".
static const char *casemate(struct rig_host *host, const char *key)
{
    const struct json *value = json_get(json_need(rig_status(host), "casemate"), key);
    struct writer w = writer_growing(test_arena(), 1u << 20);
    struct json_writer j = json_writer_of(&w);
    if (value == NULL)
        return "absent";
    json_value(&j, value);
    return arena_text(test_arena(), writer_bytes(&w));
}

static const char *journal(struct device_rig *rig)
{
    static char text[1 << 18];
    rig_run(rig);
    const int fd = openat(store_dir_fd(rig->store), "journal.jsonl", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    const ssize_t len = read(fd, text, sizeof text - 1);
    assert_true(len > 0);
    close(fd);
    text[len] = 0;
    return text;
}

static void restart(struct device_rig *rig, struct rig_host **host, const char *keys)
{
    device_rig_restart(rig);
    rig_keys(rig, keys);
    *host = rig_host_linked(rig);
}

// --- Windows that outlive a restart ---

TEST(policy_24_85_sliding_window_survives_a_restart)
{
    WITH_RIG(rig, host);
    rig_activate(host, "{\"rules\":[{\"per_period\":5000,\"casemate\":{\"period\":10,\"window\":"
                       "\"sliding\",\"max_txns\":3}}]}");
    assert_signs(host, rig_payment(rig, 2000));
    rig_pass(rig, 300000);
    assert_signs(host, rig_payment(rig, 2000));
    assert_string_equal(casemate(host, "windows"), "[{\"rule\": 1, \"spent\": 4000, \"txns\": 2}]");
    assert_status(host, "has_spent", "absent"); // that is of the shared period
    restart(rig, &host, "y");
    assert_refuses(host, rig_payment(rig, 1001), "Rejected: rule #1: would exceed period spending");
    assert_signs(host, rig_payment(rig, 1));
    assert_refuses(host, rig_payment(rig, 1),
                   "Rejected: rule #1: would exceed transactions per period");
    rig_pass(rig, 300000); // the first has left the window
    assert_signs(host, rig_payment(rig, 2999));
    assert_refuses(host, rig_payment(rig, 1), "Rejected: rule #1: would exceed period spending");
}

TEST(policy_24_85_heights_and_repeats_survive_a_restart)
{
    WITH_RIG(rig, host);
    rig_activate(host, "{\"period\":10,\"casemate\":{\"dedupe\":true},\"rules\":[{\"per_period\":"
                       "5000,\"casemate\":{\"not_before_height\":10}}]}");
    struct psbt_maker *maker = rig_maker(rig, 3000);
    maker->locktime = 800000;
    const struct bytes psbt = rig_make(rig, maker);
    assert_signs(host, psbt);
    assert_refuses(host, psbt, "Rejected: rule #1: locktime");
    restart(rig, &host, "y");
    assert_refuses(host, psbt, "Rejected: rule #1: locktime");
    assert_int_equal(rig->device.hsm->velocity.heights[0], 800000);
    assert_int_equal(rig->device.hsm->velocity.n_repeats, 1);
    assert_int_equal(rig->device.hsm->velocity.spent[0].n, 3000);
}

TEST(policy_24_85_dedupe_over_a_restart)
{
    WITH_RIG(rig, host);
    rig_activate(host, "{\"period\":10,\"casemate\":{\"dedupe\":true},\"rules\":[{\"per_period\":"
                       "5000}]}");
    const struct bytes psbt = rig_payment(rig, 3000);
    assert_signs(host, psbt);
    restart(rig, &host, "y");
    assert_signs(host, psbt);
    assert_status(host, "has_spent", "[3000]");
    assert_refuses(host, rig_payment(rig, 3000), "Rejected: rule #1: would exceed period spending");
}

// --- The clock ---

// A wall clock that is set forward while the signer runs ends no period; time that passes does.
TEST(policy_24_65_a_clock_set_forward_frees_nothing)
{
    WITH_RIG(rig, host);
    rig_activate(host,
                 "{\"period\":10,\"rules\":[{\"per_period\":5000,\"max_amount\":4000},{"
                 "\"per_period\":5000,\"casemate\":{\"period\":20,\"window\":\"sliding\"}}]}");
    assert_signs(host, rig_payment(rig, 4000));
    assert_signs(host, rig_payment(rig, 5000));
    rig_set_wall(rig, RIG_EPOCH_S + 86400);
    assert_status(host, "period_ends", "600");
    static const char full[] = "Rejected: rule #1: would exceed period spending, rule #2: would "
                               "exceed period spending";
    assert_refuses(host, rig_payment(rig, 4000), full);
    rig_pass(rig, 300000);
    rig_set_wall(rig, RIG_EPOCH_S + 3 * 86400); // again, in the middle
    assert_status(host, "period_ends", "300");
    rig_pass(rig, 299000);
    assert_refuses(host, rig_payment(rig, 4000), full);
    rig_pass(rig, 1000);
    assert_signs(host, rig_payment(rig, 4000)); // ten minutes have passed
    assert_refuses(host, rig_payment(rig, 1001), full);
    rig_pass(rig, 600000);
    assert_signs(host, rig_payment(rig, 5000)); // by rule 2: twenty
    // Set back and forward again, it only ever takes longer.
    rig_set_wall(rig, RIG_EPOCH_S);
    assert_refuses(host, rig_payment(rig, 5000),
                   "Rejected: rule #1: amount exceeded, rule #2: would exceed period spending");
    rig_set_wall(rig, RIG_EPOCH_S + 5 * 86400);
    assert_refuses(host, rig_payment(rig, 5000),
                   "Rejected: rule #1: amount exceeded, rule #2: would exceed period spending");
}

// The shift is on disk: a restart, which knows nothing but the wall clock, does not end the period.
TEST(policy_24_65_a_clock_set_forward_frees_nothing_over_a_restart)
{
    static const char full[] = "Rejected: rule #1: would exceed period spending";
    WITH_RIG(rig, host);
    rig_activate(host, "{\"period\":10,\"rules\":[{\"per_period\":5000}]}");
    assert_signs(host, rig_payment(rig, 4000));
    rig_set_wall(rig, RIG_EPOCH_S + 86400);
    restart(rig, &host, "y"); // nobody has asked for anything since
    assert_refuses(host, rig_payment(rig, 4000), full);
    assert_status(host, "period_ends", "600");
    rig_set_wall(rig, RIG_EPOCH_S + 2 * 86400);
    rig_pass(rig, 5000); // it is looked at every five seconds: then the power may be cut
    struct velocity stored;
    struct err err;
    assert_true(store_get_velocity(rig->store, &rig->device.hsm->policy_hash, &stored, &err));
    assert_true(stored.start_s > RIG_EPOCH_S + 2 * 86400 - 60);
    // Set back, it begins anew.
    rig_set_wall(rig, RIG_EPOCH_S);
    restart(rig, &host, "y");
    assert_refuses(host, rig_payment(rig, 4000), full);
    assert_status(host, "period_ends", "600");
    rig_pass(rig, 599000);
    assert_refuses(host, rig_payment(rig, 4000), full);
    rig_pass(rig, 1000);
    assert_signs(host, rig_payment(rig, 4000));
}

// --- max_refusals, acknowledge_refusals ---

TEST(policy_24_85_max_refusals)
{
    WITH_RIG(rig, host);
    rig_activate(host, "{\"casemate\":{\"max_refusals\":3},\"rules\":[{\"max_amount\":1}]}");
    for (int i = 0; i < 3; i++)
        assert_int_equal(rig_sign(host, rig_payment(rig, 2), 0).result, RIG_REFUSED);
    assert_status(host, "refusals", "3");
    assert_false(rig->has_stopped);
    rig_pass(rig, DEVICE_ENOUGH_MS);
    assert_true(rig->has_stopped);
}

TEST(policy_24_85_acknowledge_refusals)
{
    WITH_RIG(rig, host);
    rig_activate(host, "{\"msg_paths\":[\"m\"],\"casemate\":{\"max_refusals\":2,"
                       "\"acknowledge_refusals\":true},\"rules\":[{\"max_amount\":1}]}");
    for (int i = 0; i < 2; i++)
        assert_int_equal(rig_sign(host, rig_payment(rig, 2), 0).result, RIG_REFUSED);
    rig_pass(rig, 10 * DEVICE_ENOUGH_MS);
    assert_false(rig->has_stopped);
    assert_screen(rig, "Too many refusals",
                  "2 requests were refused.\n\nNothing is signed until you press OK.");
    // What would be signed is not, nor counted; what is free stays free.
    assert_fails(host, rig_payment(rig, 1), "Too many refusals");
    const struct rig_outcome message = rig_sign_text(host, "hello", "m");
    assert_int_equal(message.result, RIG_FAILED);
    assert_bytes_text(message.data, "Too many refusals");
    assert_int_equal(rig_sign(host, rig_payment(rig, 1), STXN_VISUALIZE).result, RIG_SIGNED);
    assert_status(host, "refusals", "2");
    rig_keys(rig, "x12");
    assert_fails(host, rig_payment(rig, 1), "Too many refusals");
    rig_keys(rig, "y");
    assert_status(host, "refusals", "0");
    assert_signs(host, rig_payment(rig, 1));
    assert_non_null(strstr(journal(rig), "\"kind\": \"acknowledged\""));
    // A restart does not acknowledge: the operator is asked, boot_to_hsm or not.
    for (int i = 0; i < 2; i++)
        assert_int_equal(rig_sign(host, rig_payment(rig, 2), 0).result, RIG_REFUSED);
    restart(rig, &host, "y");
    assert_status(host, "refusals", "0");
    assert_signs(host, rig_payment(rig, 1));
}

// --- escape_tries ---

TEST(policy_24_85_escape_tries)
{
    WITH_RIG(rig, host);
    rig_activate(host, "{\"boot_to_hsm\":\"123456\",\"casemate\":{\"escape_tries\":2}}");
    rig_keys(rig, "111111222222123456");
    assert_int_equal(rig->device.state, DEVICE_HSM);
    restart(rig, &host, "111111123456");
    assert_int_equal(rig->device.state, DEVICE_NORMAL);
    // Without the member there is no end of tries: policy.md 8.4.
    rig_activate(host, "{\"boot_to_hsm\":\"123456\"}");
    for (int i = 0; i < 20; i++)
        rig_keys(rig, "111111");
    rig_keys(rig, "123456");
    assert_int_equal(rig->device.state, DEVICE_NORMAL);
}

// --- local_conf_ttl, and the key that withdraws a code ---

static void enter_code(struct device_rig *rig, struct rig_host *host, struct bytes psbt)
{
    char code[7];
    rig_local_code(host, psbt, code);
    rig_keys(rig, code);
}

#define NOT_CONFIRMED "Rejected: rule #1: local operator didn't confirm"

TEST(policy_24_85_local_conf_ttl)
{
    WITH_RIG(rig, host);
    rig_activate(host, "{\"casemate\":{\"local_conf_ttl\":30},\"rules\":[{\"local_conf\":true}]}");
    struct bytes psbt = rig_payment(rig, 1);
    enter_code(rig, host, psbt);
    rig_pass(rig, 29999);
    assert_signs(host, psbt);
    psbt = rig_payment(rig, 1);
    enter_code(rig, host, psbt);
    rig_pass(rig, 30000);
    assert_refuses(host, psbt, NOT_CONFIRMED);
    psbt = rig_payment(rig, 1);
    enter_code(rig, host, psbt);
    rig_pass(rig, 29000);
    rig_keys(rig, "y"); // "OK queues it again"
    rig_pass(rig, 29000);
    assert_signs(host, psbt);
    // Without the member a code is good for ever.
    restart(rig, &host, "x");
    rig_activate(host, "{\"rules\":[{\"local_conf\":true}]}");
    psbt = rig_payment(rig, 1);
    enter_code(rig, host, psbt);
    rig_pass(rig, INT64_C(86400000) * 100);
    assert_signs(host, psbt);
}

TEST(policy_24_61_d28_a_key_withdraws_the_code)
{
    WITH_RIG(rig, host);
    rig_activate(host, "{\"rules\":[{\"local_conf\":true}]}");
    const struct bytes psbt = rig_payment(rig, 1);
    enter_code(rig, host, psbt);
    rig_keys(rig, "w");
    assert_int_equal(rig_screen(rig).digits.len, 0);
    assert_refuses(host, psbt, NOT_CONFIRMED);
    enter_code(rig, host, psbt);
    rig_keys(rig, "x"); // X does not: item 61
    assert_signs(host, psbt);
}

// --- hide_refusals ---

TEST(policy_24_85_hide_refusals)
{
    WITH_RIG(rig, host);
    rig_activate(host, "{\"priv_over_ux\":true,\"casemate\":{\"hide_refusals\":true}}");
    assert_string_equal(rig_status_keys(host), "active chain policy_hash");
    (void)rig_sign(host, rig_payment(rig, 1), 0);
    assert_string_equal(rig_status_keys(host), "active chain policy_hash");
    restart(rig, &host, "x");
    rig_activate(host, "{\"casemate\":{\"hide_refusals\":true}}");
    assert_status(host, "refusals", "0");
    restart(rig, &host, "x");
    rig_activate(host, "{\"priv_over_ux\":true}");
    assert_status(host, "refusals", "0");
    (void)rig_sign(host, rig_payment(rig, 1), 0);
    assert_string_equal(casemate(host, "last_decision"), "absent");
}

// --- msg_users, msg_per_period ---

static void carol_agrees(struct rig_host *host, const char *text)
{
    rig_carol(host, bytes_of_text(text)); // a password token is made for a hash of what is signed
}

TEST(policy_24_85_msg_users_and_msg_per_period)
{
    WITH_RIG(rig, host);
    rig_add_users(host);
    rig_activate(host, "{\"period\":10,\"msg_paths\":[\"m/1\"],\"casemate\":{\"msg_users\":["
                       "\"alice\",\"carol\"],\"msg_per_period\":2}}");
    assert_int_equal(rig_sign_text(host, "hello", "m/1").result, RIG_REFUSED);
    assert_status(host, "last_refusal", "\"need user(s) confirmation\"");
    carol_agrees(host, "hello");
    assert_int_equal(rig_sign_text(host, "hello", "m/1").result, RIG_REFUSED);
    assert_status(host, "last_refusal", "\"need more users to confirm (got 1 of 2)\"");
    assert_status(host, "pending_auth", "0");
    for (uint32_t i = 0; i < 2; i++) {
        carol_agrees(host, "hello");
        rig_alice(host, 57000000 + i);
        assert_int_equal(rig_sign_text(host, "hello", "m/1").result, RIG_SIGNED);
        assert_int_equal(rig_progress(rig, "alice"), 57000000 + i); // used up, durably
    }
    const char *log = journal(rig);
    assert_non_null(strstr(log, "\"users\": [\"carol\", \"alice\"]"));
    assert_non_null(strstr(log, "\"messages\": 2"));
    restart(rig, &host, "y");
    carol_agrees(host, "hello");
    rig_alice(host, 57000009);
    assert_int_equal(rig_sign_text(host, "hello", "m/1").result, RIG_REFUSED);
    assert_status(host, "last_refusal", "\"would exceed messages per period\"");
    rig_pass(rig, 600000);
    carol_agrees(host, "hello");
    rig_alice(host, 57000019);
    assert_int_equal(rig_sign_text(host, "hello", "m/1").result, RIG_SIGNED);
}

// A user of msg_users counts as named by the policy: D21, D7.
TEST(policy_24_76_users_of_messages_are_in_use)
{
    WITH_RIG(rig, host);
    rig_add_users(host);
    rig_activate(host, "{\"boot_to_hsm\":\"123456\",\"casemate\":{\"msg_users\":[\"bob\"]}}");
    rig_keys(rig, "123456");
    assert_error(rig_message(host, BYTES("rmur\3bob"), true), "in use by policy");
}

// --- destinations ---

TEST(policy_24_85_destinations_in_a_signer)
{
    WITH_RIG(rig, host);
    // The stranger's script as a descriptor would give it: a key that the test knows.
    static const char desc[] = "wpkh(03a34b99f22c790c4e36b2b3c2c35a36db06226e41c692fc82b8b56ac1c540"
                               "c5bd)#ah7klf29";
    char policy[512];
    snprintf(policy, sizeof policy,
             "{\"rules\":[{\"casemate\":{\"destinations\":[{\"desc\":\"%s\",\"range\":[0,0]}]}}]}",
             desc);
    rig_activate(host, policy);
    assert_refuses(host, rig_payment(rig, 2000),
                   "Rejected: rule #1: non-whitelisted address: " RIG_STRANGER);
    struct psbt_maker *maker = rig_maker(rig, 2000);
    maker->out[0].script = test_hex("00149a1c78a507689f6f54b847ad1cef1e614ee23f1e");
    assert_signs(host, rig_make(rig, maker));
    assert_non_null(strstr(journal(rig), "\"destinations\": [[0, 1, 0]]"));
    restart(rig, &host, "y"); // derived anew
    maker->out[0].amount.n = 2001;
    assert_signs(host, rig_make(rig, maker));
}

// --- Decisions as JSON: D18, D19 ---

TEST(policy_d19_last_decision)
{
    WITH_RIG(rig, host);
    assert_string_equal(casemate(host, "last_decision"), "absent");
    rig_activate(host, "{\"period\":5,\"rules\":[{\"max_amount\":1000},{\"per_period\":1500},{"
                       "\"local_conf\":true}]}");
    assert_string_equal(casemate(host, "last_decision"), "absent");
    assert_signs(host, rig_payment(rig, 1200));
    assert_string_equal(
        casemate(host, "last_decision"),
        "[{\"rule\": 1, \"code\": \"amount\", \"text\": \"amount exceeded\", \"limit\": 1000, "
        "\"actual\": 1200}, {\"rule\": 2, \"code\": \"none\", \"text\": \"\", \"limit\": 0, "
        "\"actual\": 0}]");
    (void)rig_sign(host, rig_payment(rig, 1001), 0);
    assert_string_equal(
        casemate(host, "last_decision"),
        "[{\"rule\": 1, \"code\": \"amount\", \"text\": \"amount exceeded\", \"limit\": 1000, "
        "\"actual\": 1001}, {\"rule\": 2, \"code\": \"period\", \"text\": \"would exceed period "
        "spending\", \"limit\": 1500, \"actual\": 2201}, {\"rule\": 3, \"code\": \"local-code\", "
        "\"text\": \"local operator didn't confirm\", \"limit\": 0, \"actual\": 0}]");
    (void)rig_sign_text(host, "hello", "m");
    assert_string_equal(casemate(host, "last_decision"),
                        "[{\"code\": \"messages\", \"text\": \"Message signing not permitted\"}]");
}

TEST(policy_d18_dry_run_of_what_was_visualised)
{
    WITH_RIG(rig, host);
    struct rig_host *other = rig_host_linked(rig);
    rig_add_users(host);
    rig_activate(host, "{\"rules\":[{\"max_amount\":1000},{\"users\":[\"alice\"]}]}");
    const struct bytes psbt = rig_payment(rig, 1200);
    (void)rig_sign(host, psbt, STXN_VISUALIZE);
    char hex[65];
    const struct hash256 hash = sha256(psbt);
    hex_encode(hex, BYTES_OF(hash.b));
    char expected[600];
    snprintf(expected, sizeof expected,
             "{\"sha256\": \"%s\", \"signed\": false, \"text\": \"Rejected: rule #1: amount "
             "exceeded, rule #2: need user(s) confirmation\", \"rules\": [{\"rule\": 1, \"code\": "
             "\"amount\", \"text\": \"amount exceeded\", \"limit\": 1000, \"actual\": 1200}, "
             "{\"rule\": 2, \"code\": \"users\", \"text\": \"need user(s) confirmation\", "
             "\"limit\": 1, \"actual\": 0}]}",
             hex);
    assert_string_equal(casemate(host, "dry_run"), expected);
    assert_string_equal(casemate(other, "dry_run"), "absent"); // it was not his
    // A code that is queued counts as good, whether it is or not: nothing can be learnt of it.
    (void)rig_user(host, "alice", BYTES("000000"), 57000000);
    (void)rig_sign(host, psbt, STXN_VISUALIZE);
    assert_non_null(strstr(casemate(host, "dry_run"), "\"signed\": true"));
    assert_status(host, "pending_auth", "1");
    assert_status(host, "refusals", "0");
    assert_refuses(host, psbt, "User 'alice' gave wrong auth value: mismatch");
}

// --- Locker reads are in the journal ---

TEST(policy_24_80_locker_reads_are_in_the_journal)
{
    WITH_RIG(rig, host);
    rig_activate(host, "{\"set_sl\":\"0123456789abcdef\",\"allow_sl\":1}");
    (void)rig_message(host, BYTES("gslr"), true);
    assert_error(rig_message(host, BYTES("gslr"), true), "consumed");
    const char *log = journal(rig);
    const char *line = strstr(log, "\"kind\": \"locker-read\"");
    assert_non_null(line);
    assert_null(strstr(line + 1, "\"kind\": \"locker-read\"")); // one read
    assert_non_null(strstr(line, "\"kind\": \"denied\", \"what\": \"locker\""));
    assert_null(strstr(log, "0123456789abcdef")); // never the value
}
