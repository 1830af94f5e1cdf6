// Policies that signer.conf pins: design.md "Pinned policy", policy.md D7, 11, 12.
#include "signer/pinned.h"
#include "tests/support/device_checks.h"
#include <sys/stat.h>

#define LIMIT "{\"period\":10,\"rules\":[{\"per_period\":5000}]}"
#define ALICE "{\"rules\":[{\"users\":[\"alice\"]}]}"

// policy_hash_full of a policy that is active, as the status report names it.
static struct hash256 full_hash(struct rig_host *host)
{
    struct hash256 hash;
    const struct json *casemate = json_get(rig_status(host), "casemate");
    const struct bytes text = json_need_hex(casemate, "policy_hash_full");
    assert_int_equal(text.len, sizeof hash.b);
    memcpy(hash.b, text.ptr, sizeof hash.b);
    return hash;
}

static void pin(struct device_rig *rig, struct hash256 hash)
{
    rig->config.accepted[rig->config.n_accepted++] = hash;
}

static enum device_state state(const struct device_rig *rig)
{
    return rig->device.state;
}

// Activates with keys, to learn the hash; afterwards the signer is stopped, and pins it.
static void learn_and_pin(struct device_rig *rig, const char *policy)
{
    struct rig_host *host = rig_host_linked(rig);
    rig_activate(host, policy);
    pin(rig, full_hash(host));
    device_rig_stop(rig);
}

TEST(pinned_policies_need_no_keys)
{
    WITH_RIG(rig, host);
    (void)host;
    learn_and_pin(rig, LIMIT);
    device_rig_start(rig); // the saved one
    assert_int_equal(state(rig), DEVICE_HSM);
    // A new file, in a signer of that seed which never saw it.
    char path[256];
    snprintf(path, sizeof path, "%s/other", test_dir());
    assert_int_equal(mkdir(path, 0700), 0);
    AUTO(device_rig_freep) struct device_rig *other = device_rig_prepare(path);
    other->config = rig->config;
    device_rig_start(other);
    assert_int_equal(state(other), DEVICE_NORMAL);
    assert_okay(rig_offer(rig_host_linked(other), LIMIT));
    assert_int_equal(state(other), DEVICE_HSM);
    device_rig_restart(other);
    assert_int_equal(state(other), DEVICE_HSM);
}

// "an activation without keys (pinned) never does" start fresh.
TEST(pinned_what_was_spent_stays_spent)
{
    WITH_RIG(rig, host);
    (void)host;
    learn_and_pin(rig, LIMIT);
    device_rig_start(rig);
    assert_signs(rig_host_linked(rig), rig_payment(rig, 3000));
    device_rig_restart(rig);
    assert_status(rig_host_linked(rig), "has_spent", "[3000]");
    // As a new file as well.
    device_rig_stop(rig);
    rig->config.n_accepted = 0;
    device_rig_start(rig);
    rig_keys(rig, "x");
    rig->device.config.n_accepted = 1;
    host = rig_host_linked(rig);
    assert_okay(rig_offer(host, LIMIT));
    assert_int_equal(state(rig), DEVICE_HSM);
    assert_status(host, "has_spent", "[3000]");
}

TEST(pinned_other_policies_ask_as_ever)
{
    WITH_RIG(rig, host);
    (void)host;
    learn_and_pin(rig, "{}");
    pin(rig, sha256(BYTES("another")));
    rig->config.accepted[0].b[31] ^= 1; // not quite it
    device_rig_start(rig);
    assert_int_equal(state(rig), DEVICE_OFFER);
    rig_keys(rig, "x");
    host = rig_host_linked(rig);
    assert_okay(rig_offer(host, "{}"));
    assert_int_equal(state(rig), DEVICE_NORMAL);
    assert_status(host, "approval_wait", "true");
}

TEST(pinned_only_accepted_refuses_all_others)
{
    struct err err;
    WITH_RIG(rig, host);
    (void)host;
    learn_and_pin(rig, LIMIT);
    rig->config.only_accepted = true;
    device_rig_start(rig);
    assert_int_equal(state(rig), DEVICE_HSM); // the stored one is it
    device_rig_stop(rig);
    // A stored policy that is not listed is not offered, whoever stands there.
    rig->config.accepted[0].b[0] ^= 1;
    device_rig_start(rig);
    assert_screen(rig, "Failure",
                  "Cannot start HSM.\n\nHSM Policy invalid: policy: not accepted by signer.conf");
    rig_keys(rig, "y");
    assert_int_equal(state(rig), DEVICE_NORMAL);
    host = rig_host_linked(rig);
    assert_error(rig_call(host, &(struct request){ .id = REQUEST_HSMS }),
                 "HSM Policy invalid: policy: not accepted by signer.conf");
    assert_error(rig_offer(host, "{}"), "HSM Policy invalid: policy: not accepted by signer.conf");
    assert_false(rig_menu(rig, PANEL_START_HSM, BYTES(""), &err));
    assert_status(host, "approval_wait", "absent");
    // The right one needs no keys; what it replaces is replaced.
    rig->device.config.accepted[0].b[0] ^= 1;
    assert_okay(rig_offer(host, LIMIT));
    assert_int_equal(state(rig), DEVICE_HSM);
}

TEST(pinned_only_accepted_holds_for_boot_to_hsm)
{
    WITH_RIG(rig, host);
    rig_activate(host, "{\"boot_to_hsm\":\"123456\"}");
    device_rig_stop(rig);
    rig->config.only_accepted = true;
    device_rig_start(rig);
    assert_int_equal(state(rig), DEVICE_OFFER); // neither armed nor let out
    rig_keys(rig, "x0123456789x");
    assert_int_equal(state(rig), DEVICE_OFFER);
    assert_false(rig->wire_is_open);
}

// What the plain hash does not say: limits of 0, the users' secrets.
TEST(policy_21_d7_what_the_full_hash_binds)
{
    WITH_RIG(rig, host);
    rig_add_users(host);
    rig_activate(host, ALICE);
    const struct hash256 before = full_hash(host), plain = rig->device.hsm->policy_hash;
    pin(rig, before);
    rig->config.accepted[1] = plain; // the plain hash cannot be pinned
    rig->config.n_accepted = 2;
    device_rig_restart(rig);
    assert_int_equal(state(rig), DEVICE_HSM);
    device_rig_stop(rig);
    rig->config.accepted[0] = plain;
    device_rig_start(rig);
    assert_int_equal(state(rig), DEVICE_OFFER);
    rig_keys(rig, "x");
    // alice under the same name with another secret: the policy's hash is the same, this one is not.
    host = rig_host_linked(rig);
    assert_okay(
        rig_call(host, &(struct request){ .id = REQUEST_RMUR, .rmur = { BYTES("alice") } }));
    assert_asci(rig_nwur(host, NWUR_TOTP, BYTES("alice"), BYTES("0123456789")), "");
    rig_activate(host, ALICE);
    const struct hash256 after = full_hash(host);
    assert_memory_equal(&plain, &rig->device.hsm->policy_hash, sizeof plain);
    assert_memory_not_equal(&before, &after, sizeof before);
    // Users whom it does not name play no part.
    device_rig_restart(rig);
    rig_keys(rig, "x");
    host = rig_host_linked(rig);
    assert_okay(rig_call(host, &(struct request){ .id = REQUEST_RMUR, .rmur = { BYTES("bob") } }));
    rig_activate(host, ALICE);
    const struct hash256 again = full_hash(host);
    assert_memory_equal(&after, &again, sizeof after);
}

// "A signer that the limit has stopped does not arm by itself again, also with ... a pinned policy"
TEST(policy_12_a_stopped_pinned_policy_asks)
{
    WITH_RIG(rig, host);
    (void)host;
    learn_and_pin(rig, "{}");
    device_rig_start(rig);
    host = rig_host_linked(rig);
    for (int i = 0; i < 100; i++)
        assert_int_equal(rig_sign_text(host, "hello", "m").result, RIG_REFUSED);
    rig_pass(rig, 250);
    assert_true(rig->has_stopped);
    device_rig_restart(rig);
    assert_int_equal(state(rig), DEVICE_OFFER);
    assert_bytes_text(rig_screen(rig).title, "Start HSM?");
    // Nor as a new file, once the question is declined.
    rig_keys(rig, "x");
    assert_okay(rig_offer(rig_host_linked(rig), "{}"));
    assert_int_equal(state(rig), DEVICE_NORMAL);
    rig_keys(rig, "x");
    device_rig_restart(rig);
    rig_keys(rig, "y");
    assert_int_equal(state(rig), DEVICE_HSM);
    device_rig_restart(rig);
    assert_int_equal(state(rig), DEVICE_HSM);
}
