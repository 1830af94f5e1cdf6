#include "coordinator/fleet.h"
#include "base/file.h"
#include "client/wait.h"
#include "coordinator/fleet_internal.h"
#include "tests/support/fake_port.h"
#include "tests/support/ledger_rig.h"
#include "tests/support/ms_rig.h"
#include "tests/support/test.h"
#include <fcntl.h>
#include <unistd.h>

#define SINK        "tb1qq5zs2pg9q5zs2pg9q5zs2pg9q5zs2pg9lm9x7g"
#define PATIENCE_MS 20000 // for what takes moments on an idle machine

// Three signers of a 2-of-3 wallet, none of them real.
static const struct log no_log = { .fd = -1 };

struct team {
    struct ledger_rig rig;
    struct fake_device *device[RIG_SIGNERS];
    struct signer_config section[RIG_SIGNERS];
    struct port_options port[RIG_SIGNERS];
    struct fleet_options options;
    struct fleet *fleet;
    char health[200];
};

static void publish(struct team *t, uint64_t max_amount, uint64_t per_period)
{
    static const struct bytes list[] = { BYTES_INIT(SINK) };
    const struct device_policy policy = { .period_min = 60,
                                          .wallet = "treasury",
                                          .whitelist = list,
                                          .n_whitelist = 1,
                                          .automatic = { { max_amount }, { per_period } },
                                          .has_surge = true,
                                          .surge = { { 10 * max_amount }, { 10 * per_period } } };
    struct writer w = writer_growing(test_arena(), 4096);
    struct device_rules rules;
    char id[ID_SIZE];
    struct err err;
    assert_true(device_policy_write(&w, &policy, &err));
    assert_true(device_policy_read(&rules, writer_bytes(&w), test_arena(), &err));
    rig_exec(&t->rig, "UPDATE policy_version SET state = 'replaced'");
    const int64_t number = 1 + rig_number(&t->rig, "SELECT count(*) FROM policy_version");
    db_new_id(id, 9000 + number);
    assert_true(
        db_exec(t->rig.db, NULL,
                "INSERT INTO policy_version(id, wallet_id, number, body, hash, state, "
                "published_at) VALUES($1, $2, $3, $4, $5, 'published', $6)",
                DB_ARGS(db_text(id), db_text(t->rig.wallet), db_int(number),
                        db_blob(writer_bytes(&w)), db_blob(BYTES_OF(rules.hash.b)), db_int(number)),
                &err));
}

static void fill(struct team *t)
{
    struct err err;
    const struct bytes desc = ms_rig_descriptor("sortedmulti", 2, 3, "/0/*");
    assert_true(db_exec(t->rig.db, NULL,
                        "UPDATE wallet SET network = 'testnet4', desc_receive = $1 WHERE id = $2",
                        DB_ARGS(db_text_of(desc), db_text(t->rig.wallet)), &err));
    for (size_t i = 0; i < RIG_SIGNERS; i++) {
        const struct xfp xfp = ms_rig_xfp(i);
        const char name[2] = { (char)('A' + (int)i), 0 };
        assert_true(db_exec(t->rig.db, NULL,
                            "UPDATE signer SET kind = 'simulator', fingerprint = $1 WHERE id = $2",
                            DB_ARGS(db_blob(BYTES_OF(xfp.b)), db_text(t->rig.signers[i])), &err));
        t->device[i] = fake_device_add(name, xfp);
        t->section[i] = (struct signer_config){ .name = t->device[i]->name,
                                                .transport = TRANSPORT_UNIX,
                                                .path = "/nowhere" };
        t->port[i] = (struct port_options){ .section = &t->section[i], .network = "testnet4" };
    }
    publish(t, 1000, 3000);
}

static void prepare(struct team *t)
{
    fake_devices_reset();
    *t = (struct team){ .fleet = NULL };
    rig_sqlite(&t->rig);
    fill(t);
    (void)snprintf(t->health, sizeof t->health, "%s/health", test_dir());
    t->options = (struct fleet_options){
        .ports = t->port,
        .n_ports = RIG_SIGNERS,
        .db = &t->rig.options,
        .holder = "me",
        .log = &no_log,
        .health_fd = open(t->health, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600),
        .demo = true,
        .demo_secret = BYTES("12345678901234567890"),
        .make_port = fake_port_make,
    };
}

static void start(struct team *t)
{
    struct err err;
    if (!fleet_new(&t->fleet, &t->options, &err))
        fail_msg("%s", err.text);
}

static void drop(struct team *t)
{
    fleet_free(t->fleet);
    if (t->options.health_fd > 0)
        close(t->options.health_fd);
    for (size_t i = 0; i < RIG_SIGNERS; i++)
        assert_false(t->device[i]->overlapped); // inv 16, in every test
    rig_close(&t->rig);
}

static struct fleet_signer view_of(const struct team *t, size_t i)
{
    struct fleet_signer all[SIGNERS_MAX];
    const size_t n = fleet_view(t->fleet, NULL, all);
    for (size_t j = 0; j < n; j++)
        if (all[j].number == i + 1)
            return all[j];
    return (struct fleet_signer){ .state = "" };
}

static void wait_for_state(const struct team *t, size_t i, const char *state)
{
    for (int ms = 0; strcmp(view_of(t, i).state, state) != 0; ms += 10) {
        if (ms >= PATIENCE_MS)
            fail_msg("signer %zu is %s (%s), not %s", i + 1, view_of(t, i).state, view_of(t, i).why,
                     state);
        (void)usleep(10000);
    }
}

static void wait_until_ready(const struct team *t)
{
    for (size_t i = 0; i < RIG_SIGNERS; i++)
        wait_for_state(t, i, "verified");
}

static bool did(const struct fake_device *d, const char *calls)
{
    fake_lock();
    const bool found = strstr(d->calls, calls) != NULL;
    fake_unlock();
    return found;
}

static struct fleet_answer ask(struct team *t, size_t i, const struct fleet_auth *auth)
{
    struct fleet_answer answer;
    fleet_sign(t->fleet, t->rig.signers[i], BYTES("psbt"), auth, &answer, test_arena());
    return answer;
}

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
    // Each step is audited; the states that it passed end in `verified`.
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

// --- Asking ---

TEST(coordinator_D8_answers)
{
    struct team t;
    prepare(&t);
    start(&t);
    wait_until_ready(&t);
    struct fleet_answer a = ask(&t, 0, NULL);
    assert_int_equal(a.outcome, FLEET_SIGNED);
    assert_bytes_text(a.psbt, "psbt");
    assert_string_equal(a.tag, "");
    assert_int_equal(view_of(&t, 0).approvals, 1);
    fake_lock();
    t.device[0]->outcome = PORT_REFUSED;
    t.device[0]->refusal = "Rejected: rule #1: amount exceeded\n";
    fake_unlock();
    a = ask(&t, 0, NULL);
    assert_int_equal(a.outcome, FLEET_REFUSED);
    assert_string_equal(a.tag, "amount");
    assert_string_equal(a.text, "Rejected: rule #1: amount exceeded\\x0a");
    assert_int_equal(view_of(&t, 0).refusals, 1);
    static const struct {
        enum port_outcome port;
        enum fleet_outcome fleet;
    } rows[] = { { PORT_GONE, FLEET_GONE },
                 { PORT_TIMEOUT, FLEET_TIMEOUT },
                 { PORT_BUSY, FLEET_BUSY },
                 { PORT_UNSENT, FLEET_UNSENT } };
    for (size_t i = 0; i < COUNT(rows); i++) {
        fake_lock();
        t.device[1]->outcome = rows[i].port;
        fake_unlock();
        assert_int_equal(ask(&t, 1, NULL).outcome, rows[i].fleet);
    }
    drop(&t);
}

// Inv. 25 and 27: between the look and the request it was restarted, or has refused too often.
TEST(coordinator_inv_25_inv_27_looked_at_before_asked)
{
    struct team t;
    prepare(&t);
    start(&t);
    wait_until_ready(&t);
    fake_lock();
    fake_device_restart(t.device[0]);
    t.device[1]->refusals = 80;
    fake_unlock();
    assert_int_equal(ask(&t, 0, NULL).outcome, FLEET_UNSENT);
    const struct fleet_answer a = ask(&t, 1, NULL);
    assert_int_equal(a.outcome, FLEET_UNSENT);
    assert_string_equal(a.text, "not ready: 80 refusals");
    assert_int_equal(t.device[0]->n_sign + t.device[1]->n_sign, 0);
    drop(&t);
}

// The code goes to the signer right before the PSBT, and nowhere else.
TEST(coordinator_F40_code_is_relayed_and_never_stored)
{
    struct team t;
    struct bytes store;
    struct err err;
    const struct fleet_auth six = { .user = "", .code = "847291", .counter = 77, .given = true };
    const struct fleet_auth token = { .user = "alice",
                                      .code = "000102030405060708090a0b0c0d0e0f1011121314151617"
                                              "18191a1b1c1d1e1f",
                                      .given = true };
    const struct fleet_auth bad = { .code = "12345", .given = true };
    prepare(&t);
    start(&t);
    wait_until_ready(&t);
    t.device[0]->calls[0] = '\0';
    assert_int_equal(ask(&t, 0, &six).outcome, FLEET_SIGNED);
    assert_string_equal(t.device[0]->calls, "auth sign ");
    assert_string_equal(t.device[0]->user, "owner");
    assert_memory_equal(t.device[0]->token, "847291", 6);
    assert_int_equal(t.device[0]->counter, 77);
    assert_int_equal(ask(&t, 0, &token).outcome, FLEET_SIGNED);
    assert_string_equal(t.device[0]->user, "alice");
    assert_int_equal(t.device[0]->token_len, 32);
    assert_int_equal(t.device[0]->token[31], 0x1f);
    assert_int_equal(t.device[0]->counter, 0);
    const unsigned n_sign = t.device[0]->n_sign;
    assert_int_not_equal(ask(&t, 0, &bad).outcome, FLEET_SIGNED);
    assert_int_equal(t.device[0]->n_sign, n_sign);
    fleet_free(t.fleet);
    t.fleet = NULL;
    static const char *const ends[] = { "", "-wal" };
    for (size_t i = 0; i < COUNT(ends); i++) {
        char path[400];
        (void)snprintf(path, sizeof path, "%s%s", t.rig.place, ends[i]);
        if (!file_read(&store, path, 64 << 20, test_arena(), &err))
            continue;
        assert_null(memmem(store.ptr, store.len, "847291", 6));
        assert_null(memmem(store.ptr, store.len, token.code, 64));
    }
    drop(&t);
}

TEST(coordinator_F10_message_of_a_liar)
{
    struct team t;
    struct fleet_message m;
    prepare(&t);
    start(&t);
    wait_until_ready(&t);
    fleet_sign_message(t.fleet, t.rig.signers[0], BYTES("two of three"), "m/48h/1h/0h/2h/0/0", &m);
    assert_false(m.ok);
    assert_string_equal(m.tag, "protocol");
    drop(&t);
}

// Inv. 22: one signer hangs in every call; the others are asked as if it were not there.
TEST(coordinator_inv_22_one_hangs)
{
    struct team t;
    struct fleet_signer chosen[SIGNERS_MAX];
    size_t n;
    struct err err;
    prepare(&t);
    start(&t);
    wait_until_ready(&t);
    fake_lock();
    t.device[0]->hang_ms = 3000;
    fake_unlock();
    const int64_t start_ms = wait_now_ms();
    for (int i = 0; i < 20; i++) {
        assert_int_equal(ask(&t, 1, NULL).outcome, FLEET_SIGNED);
        assert_int_equal(ask(&t, 2, NULL).outcome, FLEET_SIGNED);
    }
    assert_true(wait_now_ms() - start_ms < 2500);
    // And soon it is not chosen any more: two are left.
    wait_for_state(&t, 0, "new");
    assert_true(fleet_choose(t.fleet, t.rig.wallet, 2, (struct sats){ 1 }, TIER_AUTO, NULL, 0,
                             chosen, &n, &err));
    assert_int_equal(n, 2);
    assert_int_not_equal(chosen[0].number, 1);
    assert_int_not_equal(chosen[1].number, 1);
    const int64_t stop_ms = wait_now_ms();
    drop(&t); // does not wait for it either
    assert_true(wait_now_ms() - stop_ms < FLEET_STOP_MS);
}

struct asker {
    struct team *t;
    unsigned n_signed;
};

static void *ask_all(void *argument)
{
    struct asker *a = argument;
    for (size_t i = 0; i < 30; i++) {
        AUTO(arena_freep) struct arena *arena = arena_new(4096);
        struct fleet_answer answer;
        fleet_sign(a->t->fleet, a->t->rig.signers[i % RIG_SIGNERS], BYTES("psbt"), NULL, &answer,
                   arena);
        a->n_signed += answer.outcome == FLEET_SIGNED;
    }
    return NULL;
}

// Inv. 16: many ask, each signer has one conversation at a time (see drop).
TEST(coordinator_inv_16_one_conversation)
{
    struct team t;
    struct asker askers[6];
    pthread_t threads[6];
    prepare(&t);
    start(&t);
    wait_until_ready(&t);
    for (size_t i = 0; i < COUNT(askers); i++) {
        askers[i] = (struct asker){ &t, 0 };
        assert_int_equal(pthread_create(&threads[i], NULL, ask_all, &askers[i]), 0);
    }
    for (size_t i = 0; i < COUNT(askers); i++) {
        (void)pthread_join(threads[i], NULL);
        assert_int_equal(askers[i].n_signed, 30);
    }
    drop(&t);
}

// Two replicas on one PostgreSQL, the same signers: the lease keeps their conversations apart.
TEST(coordinator_F36_lease_between_replicas)
{
    struct team t, other;
    struct asker askers[2];
    pthread_t threads[2];
    if (rig_server() == NULL)
        skip();
    prepare(&t);
    rig_close(&t.rig);
    rig_postgres(&t.rig, rig_server());
    fake_devices_reset();
    fill(&t);
    t.options.db = &t.rig.options;
    start(&t);
    wait_until_ready(&t);
    other = t;
    other.options.holder = "other";
    other.options.health_fd = -1;
    start(&other);
    wait_until_ready(&other);
    askers[0] = (struct asker){ &t, 0 };
    askers[1] = (struct asker){ &other, 0 };
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_all, &askers[i]), 0);
    for (size_t i = 0; i < 2; i++)
        (void)pthread_join(threads[i], NULL);
    assert_int_equal(askers[0].n_signed + askers[1].n_signed, 60);
    fleet_free(other.fleet);
    drop(&t);
}

// --- Choosing and budgets ---

static enum code choice_code(struct team *t, uint64_t amount, enum tier tier, size_t *n)
{
    struct fleet_signer chosen[SIGNERS_MAX];
    struct err err;
    return fleet_choose(t->fleet, t->rig.wallet, 2, (struct sats){ amount }, tier, NULL, 0, chosen,
                        n, &err)
               ? CODE_NONE
               : code_of(&err);
}

TEST(coordinator_F37_choosing_and_why_not)
{
    struct team t;
    struct fleet_signer chosen[SIGNERS_MAX];
    char exclude[1][ID_SIZE];
    size_t n;
    struct err err;
    prepare(&t);
    start(&t);
    wait_until_ready(&t);
    assert_int_equal(choice_code(&t, 1000, TIER_AUTO, &n), CODE_NONE);
    assert_int_equal(n, 3); // two, and one that can stand in
    assert_int_equal(choice_code(&t, 1001, TIER_AUTO, &n), CODE_SURGE_REQUIRED);
    assert_int_equal(choice_code(&t, 10000, TIER_SURGE, &n), CODE_NONE);
    assert_int_equal(choice_code(&t, 10001, TIER_SURGE, &n), CODE_VELOCITY_EXCEEDED);
    assert_int_equal(choice_code(&t, 10001, TIER_AUTO, &n), CODE_VELOCITY_EXCEEDED);
    memcpy(exclude[0], t.rig.signers[0], ID_SIZE);
    assert_true(fleet_choose(t.fleet, t.rig.wallet, 1, (struct sats){ 1 }, TIER_AUTO,
                             (const char(*)[ID_SIZE])exclude, 1, chosen, &n, &err));
    assert_int_equal(n, 2);
    assert_int_equal(chosen[0].number, 2);
    fake_lock();
    t.device[0]->absent = t.device[1]->absent = true;
    fake_unlock();
    wait_for_state(&t, 0, "new");
    wait_for_state(&t, 1, "new");
    assert_int_equal(choice_code(&t, 1, TIER_AUTO, &n), CODE_QUORUM_LOST);
    struct signer_limits limits;
    assert_true(
        fleet_limits(t.fleet, t.rig.signers[2], t.rig.wallet, TIER_SURGE, &limits, test_arena()));
    assert_string_equal(limits.name, "C");
    assert_int_equal(limits.max_amount.n, 10000);
    assert_int_equal(limits.n_whitelist, 1);
    assert_bytes_text(limits.whitelist[0], SINK);
    assert_false(fleet_limits(t.fleet, t.rig.signers[2], "another wallet", TIER_AUTO, &limits,
                              test_arena()));
    drop(&t);
}

// What a device reports is what counts, before a restart and after; a fresh period is noticed.
TEST(coordinator_F38_budget_over_restarts)
{
    struct team t;
    prepare(&t);
    t.section[1].boots_to_hsm = true;
    start(&t);
    wait_until_ready(&t);
    fake_lock();
    t.device[0]->spent[0].n = 2500;
    t.device[0]->period_left_s = 600;
    fake_unlock();
    for (int ms = 0; view_of(&t, 0).budget_auto.n != 500; ms += 10) {
        assert_true(ms < PATIENCE_MS);
        (void)usleep(10000);
    }
    assert_int_equal(view_of(&t, 0).budget_surge.n, 30000);
    assert_true(view_of(&t, 0).window_ends_us > 0);
    fake_lock(); // a restart of a signer whose velocity is durable: it says the same
    t.device[0]->active_ms = wait_now_ms();
    t.device[0]->period_left_s = 500;
    fake_unlock();
    (void)usleep(2500000);
    assert_int_equal(view_of(&t, 0).budget_auto.n, 500);
    // One that tells nothing, and boots to HSM: after a restart all of it may be spent.
    fake_lock();
    t.device[1]->shows_nothing = true;
    t.device[1]->active_ms = wait_now_ms();
    fake_unlock();
    for (int ms = 0; view_of(&t, 1).budget_auto.n != 0; ms += 10) {
        assert_true(ms < PATIENCE_MS);
        (void)usleep(10000);
    }
    drop(&t);
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
