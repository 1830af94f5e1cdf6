#include "coordinator/fleet.h"
#include "base/file.h"
#include "tests/support/team.h"
#include "tests/support/test.h"

// --- Lifecycle ---

TEST(coordinator_F6_order_and_read_back)
{
    struct team t;
    prepare(&t);
    start(&t);
    wait_until_ready(&t);
    for (size_t i = 0; i < RIG_SIGNERS; i++) {
        const struct fleet_signer v = view_of(&t, i);
        assert_string_equal(t.device[i]->calls, "register enrol load activate ");
        assert_true(v.enabled && v.reachable && v.active && v.ready && !v.drift);
        assert_string_equal(v.why, "");
        assert_int_equal(v.max_auto.n, 1000);
        assert_int_equal(v.max_surge.n, 10000);
        assert_int_equal(v.budget_auto.n, 3000);
        assert_int_equal(v.budget_surge.n, 30000);
        assert_int_equal(strlen(v.policy_hash), 64);
    }
    // Each step is audited.
    static const char *const steps[] = { "reachable", "registered", "enrolled", "loaded",
                                         "verified" };
    for (size_t i = 0; i < COUNT(steps); i++) {
        char sql[300];
        (void)snprintf(sql, sizeof sql,
                       "SELECT count(*) FROM event WHERE kind = 'signer.state' AND after LIKE "
                       "'%%\"signer\": \"A\", \"state\": \"%s\"%%'",
                       steps[i]);
        if (rig_number(&t.rig, sql) != 1)
            fail_msg("%s: %lld times", steps[i], (long long)rig_number(&t.rig, sql));
    }
    assert_int_equal(rig_number(&t.rig, "SELECT count(*) FROM signer WHERE state = 'verified'"), 3);
    assert_int_equal(
        rig_number(&t.rig, "SELECT count(*) FROM event WHERE kind = 'signer.state' AND after LIKE "
                           "'%\"verified\"%'"),
        3);
    for (int ms = 0;
         rig_number(&t.rig, "SELECT count(*) FROM policy_install WHERE result = 'ok'") != 9;
         ms += 10) {
        assert_true(ms < PATIENCE_MS); // load, activate, verify
        (void)usleep(10000);
    }
    drop(&t);
}

// B3's trap: the wallet is gone once the policy is active. It is never called ready, and never asked.
TEST(coordinator_F6_wallet_missing_after_activation)
{
    struct team t;
    prepare(&t);
    t.device[1]->forgets_wallet = true;
    start(&t);
    wait_for_state(&t, 1, "drift");
    const struct fleet_signer v = view_of(&t, 1);
    assert_true(v.active && !v.ready && v.drift);
    assert_string_equal(v.why, "a wallet is not registered on it any more");
    const struct fleet_answer a = ask(&t, 1, NULL);
    assert_int_equal(a.outcome, FLEET_UNSENT);
    assert_string_equal(a.text, "not ready: a wallet is not registered on it any more");
    assert_int_equal(t.device[1]->n_sign, 0);
    drop(&t);
}

// What a person has to do is waited for, and nothing is pressed; nor is a user's secret known outside the demo.
TEST(coordinator_F6_persons)
{
    struct team t;
    prepare(&t);
    t.options.demo = false;
    t.device[0]->not_provisioned = true;
    t.device[1]->has_user = true;
    start(&t);
    wait_for_state(&t, 0, "reachable");
    wait_for_state(&t, 1, "loaded");
    wait_for_state(&t, 2, "registered");
    assert_string_equal(view_of(&t, 0).why,
                        "a wallet is not registered: somebody confirms it at the signer");
    assert_string_equal(view_of(&t, 1).why,
                        "a person must approve its policy at its panel or keypad");
    assert_string_equal(view_of(&t, 2).why, "a user that its policy needs is not enrolled");
    assert_string_equal(t.device[1]->calls, "register load ");
    assert_string_equal(t.device[2]->calls, "register ");
    fake_lock(); // somebody pressed the keys
    t.device[1]->active = true;
    t.device[1]->approval_wait = false;
    t.device[1]->active_ms = wait_now_ms();
    fake_unlock();
    wait_for_state(&t, 1, "verified");
    drop(&t);
}

// A policy that is none of ours, and one that is not the newest.
TEST(coordinator_F6_policy_drift)
{
    struct team t;
    struct err err;
    prepare(&t);
    start(&t);
    wait_until_ready(&t);
    fake_lock();
    memset(t.device[0]->policy_hash, 'f', 64);
    fake_unlock();
    wait_for_state(&t, 0, "drift");
    assert_string_equal(view_of(&t, 0).why,
                        "its policy is ffffffffffffffff..., not the published one");
    assert_false(view_of(&t, 0).ready);
    assert_int_equal(ask(&t, 0, NULL).outcome, FLEET_UNSENT);
    // Another version is published. Nobody can restart these: they are asked within the version before.
    publish(&t, 2000, 3000);
    fleet_reload(t.fleet);
    for (size_t i = 1; i < RIG_SIGNERS; i++) {
        wait_for_state(&t, i, "active");
        const struct fleet_signer v = view_of(&t, i);
        assert_true(v.ready && v.drift);
        assert_int_equal(v.max_auto.n, 1000);
        assert_string_equal(v.why, "runs the policy before the published one until its turn comes");
        assert_int_equal(ask(&t, i, NULL).outcome, FLEET_SIGNED);
        assert_null(strstr(t.device[i]->calls, "reboot"));
    }
    assert_int_equal(view_of(&t, 0).max_auto.n, 2000);
    assert_false(fleet_order(t.fleet, t.rig.signers[1], FLEET_REBOOT, &err));
    assert_int_equal(code_of(&err), CODE_BAD_REQUEST);
    assert_string_equal(err.text, "no restart_command is configured");
    drop(&t);
}

// --- Planned change ---

static void give_restart(struct team *t)
{
    for (size_t i = 0; i < RIG_SIGNERS; i++)
        t->section[i].restart_command[0] = "/bin/true";
}

// Published once, and each signer has its turn; k of them are ready all the time.
TEST(coordinator_D8_rolled_out_one_after_the_other)
{
    struct team t;
    prepare(&t);
    give_restart(&t);
    start(&t);
    wait_until_ready(&t);
    publish(&t, 2000, 3000);
    fleet_reload(t.fleet);
    size_t done = 0;
    for (int ms = 0; done < RIG_SIGNERS; ms += 2) {
        struct fleet_signer all[SIGNERS_MAX];
        size_t ready = 0;
        assert_int_equal(fleet_view(t.fleet, NULL, all), RIG_SIGNERS);
        done = 0;
        for (size_t i = 0; i < RIG_SIGNERS; i++) {
            ready += all[i].ready;
            done += strcmp(all[i].state, "verified") == 0 && all[i].max_auto.n == 2000;
        }
        assert_true(ready >= 2);
        assert_true(ms < 2 * PATIENCE_MS);
        (void)usleep(2000);
    }
    for (size_t i = 0; i < RIG_SIGNERS; i++)
        assert_string_equal(t.device[i]->calls,
                            "register enrol load activate reboot load activate ");
    drop(&t);
}

// "never fewer than k ready during planned change"
TEST(coordinator_D8_reboot_leaves_k)
{
    struct team t;
    struct err err;
    prepare(&t);
    give_restart(&t);
    start(&t);
    wait_until_ready(&t);
    assert_true(fleet_order(t.fleet, t.rig.signers[2], FLEET_REBOOT, &err));
    for (int ms = 0; !did(t.device[2], "reboot load activate"); ms += 5) {
        assert_true(view_of(&t, 0).ready && view_of(&t, 1).ready);
        assert_true(ms < PATIENCE_MS);
        (void)usleep(5000);
    }
    wait_for_state(&t, 2, "verified");
    assert_true(fleet_order(t.fleet, t.rig.signers[2], FLEET_DISABLE, &err));
    wait_for_state(&t, 2, "out");
    assert_false(fleet_order(t.fleet, t.rig.signers[0], FLEET_REBOOT, &err));
    assert_int_equal(code_of(&err), CODE_CONFLICT);
    assert_string_equal(err.text, "only 1 other signers would stay ready, of 2");
    assert_true(fleet_order(t.fleet, t.rig.signers[2], FLEET_ENABLE, &err));
    wait_for_state(&t, 2, "verified");
    assert_int_equal(rig_number(&t.rig, "SELECT count(*) FROM signer WHERE enabled = 1"), 3);
    assert_false(fleet_order(t.fleet, "nobody", FLEET_HEAL, &err));
    assert_int_equal(code_of(&err), CODE_NOT_FOUND);
    drop(&t);
}

// --- Healing ---

// "at most once per cooldown (25 s), doubling to 10 min", claimed once over all replicas.
static void cooldown(struct ledger_rig *rig)
{
    static const int64_t pauses_s[] = { 25, 50, 100, 200, 400, 600, 600 };
    bool granted;
    struct err err;
    assert_true(store_begin_heal(rig->db, rig->signers[0], false, &granted, &err));
    assert_true(granted);
    for (size_t i = 0; i < COUNT(pauses_s); i++) {
        assert_true(store_begin_heal(rig->db, rig->signers[0], false, &granted, &err));
        assert_false(granted);
        rig->offset_us += (pauses_s[i] - 2) * 1000000;
        assert_true(store_begin_heal(rig->db, rig->signers[0], false, &granted, &err));
        assert_false(granted);
        rig->offset_us += 2 * 1000000;
        assert_true(store_begin_heal(rig->db, rig->signers[0], false, &granted, &err));
        if (!granted)
            fail_msg("not after %lld s", (long long)pauses_s[i]);
    }
    assert_true(store_begin_heal(rig->db, rig->signers[0], true, &granted, &err));
    assert_true(granted); // an operator wants it
    assert_true(store_end_heal(rig->db, rig->signers[0], &err));
    rig->offset_us += 25 * 1000000;
    assert_true(store_begin_heal(rig->db, rig->signers[0], false, &granted, &err));
    assert_true(granted);
}

TEST_BOTH(coordinator_F5_cooldown)
{
    cooldown(rig);
}

// "Never while fewer than k others would stay ready", on both stores.
TEST_BOTH(coordinator_D8_draining_is_claimed)
{
    struct known_signer *s = arena_alloc(test_arena(), sizeof *s);
    bool granted;
    struct err err;
    (void)snprintf(s->id, sizeof s->id, "%s", rig->signers[0]);
    s->n_wallets = 1;
    (void)snprintf(s->wallets[0].id, sizeof s->wallets[0].id, "%s", rig->wallet);
    s->wallets[0].k = 2;
    rig_exec(rig, "UPDATE signer SET state = 'verified'");
    assert_true(store_begin_draining(rig->db, s, &granted, &err));
    assert_true(granted);
    // The second is not given while the first is out.
    (void)snprintf(s->id, sizeof s->id, "%s", rig->signers[1]);
    assert_true(store_begin_draining(rig->db, s, &granted, &err));
    assert_false(granted);
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM signer WHERE state = 'verified'"), 2);
}

TEST(coordinator_F5_disabled_signers_are_not_healed)
{
    struct team t;
    prepare(&t);
    rig_exec(&t.rig, "UPDATE signer SET enabled = 0 WHERE number = 1");
    start(&t);
    wait_for_state(&t, 0, "out");
    wait_for_state(&t, 1, "verified");
    assert_string_equal(t.device[0]->calls, "");
    assert_int_equal(rig_number(&t.rig, "SELECT heal_tries FROM signer WHERE number = 1"), 0);
    drop(&t);
}

// --- The health line ---

static void assert_says(const struct team *t, const char *line)
{
    struct bytes text = { 0 };
    struct err err;
    for (int ms = 0; ms < PATIENCE_MS; ms += 20) {
        assert_true(file_read(&text, t->health, 1 << 20, test_arena(), &err));
        if (memmem(text.ptr, text.len, line, strlen(line)) != NULL)
            return;
        (void)usleep(20000);
    }
    fail_msg("'%s' is not in: %.*s", line, BYTES_ARG(text));
}

TEST(coordinator_F4_health_line)
{
    struct team t;
    struct err err;
    prepare(&t);
    t.device[0]->absent = t.device[1]->absent = true;
    start(&t);
    assert_says(&t, "multisig-health quorum=1 needed=2 signers_ready=1/3 status=CRIT\n");
    assert_says(&t, "auto-heal: signer 1 still unreachable (nobody listens there)\n");
    assert_says(&t, "auto-heal: signer 3 not signing-ready \xe2\x80\x94 re-arming\xe2\x80\xa6\n");
    assert_says(&t, "auto-heal: signer 3 re-armed to signing-ready\n");
    fake_lock();
    t.device[0]->absent = t.device[1]->absent = false;
    fake_unlock();
    for (size_t i = 0; i < 2; i++)
        assert_true(fleet_order(t.fleet, t.rig.signers[i], FLEET_HEAL, &err));
    wait_until_ready(&t);
    assert_says(&t, "multisig-health quorum=3 needed=2 signers_ready=3/3 status=OK\n");
    assert_true(fleet_order(t.fleet, t.rig.signers[2], FLEET_DISABLE, &err));
    // It is active, and not of the quorum.
    assert_says(&t, "multisig-health quorum=2 needed=2 signers_ready=3/3 status=WARN\n");
    drop(&t);
}

// Levels for other k and n, without threads.
TEST(coordinator_F4_levels_of_k_and_n)
{
    static const struct {
        unsigned k, n, active;
        const char *line;
    } rows[] = {
        { 1, 1, 1, "multisig-health quorum=1 needed=1 signers_ready=1/1 status=OK\n" },
        { 1, 1, 0, "multisig-health quorum=0 needed=1 signers_ready=0/1 status=CRIT\n" },
        { 3, 5, 5, "multisig-health quorum=5 needed=3 signers_ready=5/5 status=OK\n" },
        { 3, 5, 4, "multisig-health quorum=4 needed=3 signers_ready=4/5 status=WARN\n" },
        { 3, 5, 3, "multisig-health quorum=3 needed=3 signers_ready=3/5 status=WARN\n" },
        { 3, 5, 2, "multisig-health quorum=2 needed=3 signers_ready=2/5 status=CRIT\n" },
        { 15, 15, 14, "multisig-health quorum=14 needed=15 signers_ready=14/15 status=CRIT\n" },
    };
    struct member members[15];
    struct known_signer *known = arena_alloc(test_arena(), sizeof *known);
    for (size_t r = 0; r < COUNT(rows); r++) {
        struct fleet fleet = { .n = rows[r].n };
        struct writer w = writer_growing(test_arena(), 4096);
        *known = (struct known_signer){ .n_wallets = 1 };
        known->wallets[0].k = rows[r].k;
        known->wallets[0].n = rows[r].n;
        for (unsigned i = 0; i < rows[r].n; i++) {
            members[i] =
                (struct member){ .known = known,
                                 .view = { .enabled = true, .active = i < rows[r].active } };
            fleet.members[i] = &members[i];
        }
        health_write(&w, &fleet);
        assert_bytes_text(writer_bytes(&w), rows[r].line);
    }
}

// B4 at load: a share that is not right is told of, once.
TEST(coordinator_F47_share_is_checked_at_load)
{
    struct team t;
    struct bytes said = { 0 };
    struct err err;
    char path[200];
    prepare(&t);
    (void)snprintf(path, sizeof path, "%s/log", test_dir());
    const struct log log = { .fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600) };
    t.options.log = &log;
    rig_exec(
        &t.rig,
        "UPDATE velocity_guard SET cap_auto = 6000"); // 3000 of 60 min each, 4000 is their share
    start(&t);
    wait_until_ready(&t);
    assert_true(file_read(&said, path, 1 << 20, test_arena(), &err));
    static const char line[] = "level=warning event=policy_share signer=A wallet=treasury "
                               "why=\"per_period 3000 sat in 60 min "
                               "is below its share of the cap: signers will refuse before the cap "
                               "is met (cap in that time: "
                               "6000 sat; 2 of 3 signers)\"\n";
    assert_non_null(memmem(said.ptr, said.len, line, sizeof line - 1));
    drop(&t);
    close(log.fd);
}
