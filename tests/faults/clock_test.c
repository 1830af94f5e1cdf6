// A machine whose clock is set while a signer runs, and while it does not: no period ends early.
// Source: policy.md 11, 24 (65); docs/deviations.md.
#include "tests/faults/rig.h"
#include <signal.h>

enum { PERIOD_S = 600, DAY_S = 86400, LIMIT = 5000, PAID = 4000 };

#define POLICY "{\"never_log\":true,\"period\":10,\"rules\":[{\"per_period\":5000}]}"

static void ask(const struct rig *rig, const struct panel_request *request)
{
    AUTO(panel_client_closep) struct panel_client *panel = NULL;
    struct panel_reply reply;
    struct err err;
    if (!panel_client_open(&panel, rig->panel, -1, NULL, &err) ||
        !panel_client_ask(panel, request, &reply, &err))
        fail_msg("%s", err.text);
    assert_true(reply.ok);
}

// Its wall clock, so far from the system's.
static void set_wall(const struct rig *rig, int seconds)
{
    char text[16];
    (void)snprintf(text, sizeof text, "%d", seconds);
    ask(rig, &(struct panel_request){
                 .verb = PANEL_SET, .key = BYTES("wall_clock"), .value = bytes_of_text(text) });
}

static void pass(const struct rig *rig, uint64_t seconds)
{
    ask(rig, &(struct panel_request){ .verb = PANEL_ADVANCE, .seconds = seconds });
}

static enum rig_result pay(const struct rig *rig, uint32_t salt)
{
    AUTO(connection_closep) struct connection *c = rig_connect(rig);
    struct err err;
    return rig_sign(c, rig_payment(PAID, salt), test_arena(), &err);
}

static void come_back(struct rig *rig)
{
    rig_start_offering(rig);
    assert_true(rig_keys(rig, "y"));
    assert_int_equal(rig_state(rig), PANEL_HSM);
}

TEST(policy_24_65_a_clock_set_forward_and_back_frees_nothing)
{
    static const int clocks[] = { DAY_S, 0, -DAY_S, DAY_S, 40 * DAY_S, -40 * DAY_S, PERIOD_S, 0 };
    AUTO(rig_drop) struct rig rig = rig_prepare();
    uint32_t salt = 1;
    rig_start(&rig);
    rig_arm(&rig, POLICY);
    assert_int_equal(pay(&rig, salt++), RIG_SIGNED);
    for (size_t i = 0; i < COUNT(clocks); i++) {
        set_wall(&rig, clocks[i]);
        assert_int_equal(pay(&rig, salt++), RIG_REFUSED);
    }
    pass(&rig, PERIOD_S + 1);
    assert_int_equal(pay(&rig, salt++), RIG_SIGNED); // time that passed, whatever the clock said
    rig_stop(&rig);
}

// The wall clock is all that a new process knows of the old one's time.
TEST(policy_24_65_nor_does_a_clock_that_is_another_after_a_death)
{
    static const int clocks[] = { DAY_S, 0, 40 * DAY_S };
    AUTO(rig_drop) struct rig rig = rig_prepare();
    uint32_t salt = 1;
    rig_start(&rig);
    rig_arm(&rig, POLICY);
    for (size_t i = 0; i < COUNT(clocks); i++) {
        set_wall(&rig, clocks[i]);
        assert_int_equal(pay(&rig, salt++), RIG_SIGNED);
        assert_int_equal(pay(&rig, salt++), RIG_REFUSED); // which notices it
        (void)rig_signal(&rig, SIGKILL);
        come_back(&rig);
        assert_int_equal(pay(&rig, salt++), RIG_REFUSED); // the clock is the system's again
        pass(&rig, PERIOD_S + 1);                         // begun anew with what was spent
    }
    assert_int_equal(pay(&rig, salt++), RIG_SIGNED);
    rig_stop(&rig);
}

// Stopped in good order, it looks at its clock once more: what nobody noticed is stored then.
TEST(policy_24_65_nor_one_that_was_set_just_before_the_end)
{
    AUTO(rig_drop) struct rig rig = rig_prepare();
    rig_start(&rig);
    rig_arm(&rig, POLICY);
    assert_int_equal(pay(&rig, 1), RIG_SIGNED);
    set_wall(&rig, DAY_S);
    rig_stop(&rig);
    come_back(&rig);
    set_wall(&rig, DAY_S);
    assert_int_equal(pay(&rig, 2), RIG_REFUSED);
    pass(&rig, PERIOD_S + 1);
    assert_int_equal(pay(&rig, 3), RIG_SIGNED);
    rig_stop(&rig);
}
