// What is on the screen, and what a key that is pressed belongs to.
#include "signer/panel_backend.h"
#include "signer/pinned.h"
#include "tests/support/device_checks.h"

#define ANYTHING "{\"rules\":[{}]}"

// Has signer.conf accept a policy, so that a host can start it without keys.
static void pin(struct device_rig *rig, const char *text)
{
    AUTO(arena_freep) struct arena *arena = arena_new(POLICY_ARENA);
    struct policy_world world;
    struct policy policy;
    struct err err;
    assert_true(device_world(&rig->device, &world, arena, &err));
    assert_true(policy_parse(&policy, bytes_of_text(text), &world, arena, &err));
    assert_true(pinned_hash(&rig->device, &policy, &rig->device.config.accepted[0], &err));
    rig->device.config.n_accepted = 1;
}

// --- Which question it is ---

// A host replaces a pending transaction by another while a person reads the first.
TEST(each_question_has_a_number_of_its_own)
{
    WITH_RIG(rig, host);
    assert_int_equal(rig_screen(rig).question, 0);
    assert_int_equal(rig_sign(host, rig_payment(rig, 5000), 0).result, RIG_WAITING);
    const uint64_t first = rig_screen(rig).question;
    assert_int_equal(rig_screen(rig).question, first); // it stays while it is up
    assert_int_equal(rig_sign(host, rig_payment(rig, 90000), 0).result, RIG_WAITING);
    const uint64_t second = rig_screen(rig).question;
    assert_true(first > 0 && second > first);
    rig_keys(rig, "x");
    assert_int_equal(rig_screen(rig).question, 0);
    // The two screens of a new policy are two questions.
    assert_okay(rig_offer(host, ANYTHING));
    const uint64_t third = rig_screen(rig).question;
    rig_keys(rig, "y");
    assert_true(third > second && rig_screen(rig).question > third);
}

// --- What does not outlive normal mode ---

// Policy.md 9: "Nothing can be changed: not users, wallets, policy". A question of the menu that was
// left standing is gone when a pinned policy starts by itself.
static void expect_hsm_screen(struct device_rig *rig, struct rig_host *host)
{
    pin(rig, ANYTHING);
    assert_okay(rig_offer(host, ANYTHING));
    assert_int_equal(rig->device.state, DEVICE_HSM);
    assert_bytes_text(rig_screen(rig).title, "HSM MODE");
    assert_int_equal(rig_screen(rig).ask, PANEL_ASK_DIGITS);
    rig_keys(rig, "y");
}

TEST(policy_9_no_user_is_deleted_by_an_older_question)
{
    struct err err;
    WITH_RIG(rig, host);
    rig_add_users(host);
    assert_true(rig_menu(rig, PANEL_DELETE_USER, BYTES("bob"), &err));
    expect_hsm_screen(rig, host);
    assert_status(host, "users", "[\"alice\", \"bob\", \"carol\"]");
}

TEST(policy_9_no_policy_is_wiped_by_an_older_question)
{
    struct err err;
    struct store_policy stored;
    WITH_RIG(rig, host);
    assert_true(rig_menu(rig, PANEL_WIPE_POLICY, BYTES(""), &err));
    expect_hsm_screen(rig, host);
    assert_true(store_get_policy(rig->store, &stored, test_arena(), &err));
    assert_true(stored.form.len > 0);
}

// The offer goes with the process, which is no refusal: nothing is entered and no wire opened.
TEST(policy_8_3_an_offer_that_ends_with_the_process)
{
    WITH_RIG(rig, host);
    rig_activate(host, ANYTHING);
    device_rig_restart(rig);
    assert_int_equal(rig->device.state, DEVICE_OFFER);
    device_free(&rig->device);
    assert_false(rig->wire_is_open);
    rig->has_stopped = true; // for the rig, which ends its device in another way
}
