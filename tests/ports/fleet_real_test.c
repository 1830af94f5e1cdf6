// The fleet with a real signer behind it: armed, asked, restarted, given another policy.
#include "base/file.h"
#include "base/secret.h"
#include "client/wait.h"
#include "coordinator/device_policy.h"
#include "coordinator/fleet.h"
#include "crypto/otp.h"
#include "tests/ports/box.h"
#include "tests/support/coffer.h"
#include "tests/support/ledger_rig.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 30000
#define SECRET      "12345678901234567890"

static const struct log no_log = { .fd = -1 };

struct world {
    struct ledger_rig rig;
    struct box box;
    struct coffer *coffer;
    struct bytes sink;
    struct signer_config section;
    struct port_options port;
    struct fleet *fleet;
};

static void publish(struct world *w, uint64_t max_amount)
{
    const struct device_policy policy = { .period_min = 60,
                                          .wallet = wallet_keys(w->coffer->wallet)->name,
                                          .whitelist = &w->sink,
                                          .n_whitelist = 1,
                                          .automatic = { { max_amount }, { 1000000 } },
                                          .has_surge = true,
                                          .surge = { { 3000000 }, { 9000000 } },
                                          .shares_addresses = true,
                                          .charges_once = true };
    struct writer text = writer_growing(test_arena(), 4096);
    struct device_rules rules;
    char id[ID_SIZE];
    struct err err;
    assert_true(device_policy_write(&text, &policy, &err));
    assert_true(device_policy_read(&rules, writer_bytes(&text), test_arena(), &err));
    rig_exec(&w->rig, "UPDATE policy_version SET state = 'replaced'");
    const int64_t number = 1 + rig_number(&w->rig, "SELECT count(*) FROM policy_version");
    db_new_id(id, 9000 + number);
    assert_true(db_exec(w->rig.db, NULL,
                        "INSERT INTO policy_version(id, wallet_id, number, body, hash, state, "
                        "published_at) VALUES($1, $2, $3, $4, $5, 'published', $6)",
                        DB_ARGS(db_text(id), db_text(w->rig.wallet), db_int(number),
                                db_blob(writer_bytes(&text)), db_blob(BYTES_OF(rules.hash.b)),
                                db_int(number)),
                        &err));
}

// The ledger's wallet is the coffer's, and its first signer the simulator.
static void fill(struct world *w)
{
    const struct xfp xfp = ms_rig_xfp(0);
    struct writer desc = writer_growing(test_arena(), MS_EXPORT_MAX);
    struct err err;
    ms_wallet_descriptor(&desc, wallet_keys(w->coffer->wallet), MS_RECEIVE);
    assert_true(db_exec(w->rig.db, NULL,
                        "UPDATE wallet SET network = 'testnet4', desc_receive = $1 WHERE id = $2",
                        DB_ARGS(db_text_of(writer_bytes(&desc)), db_text(w->rig.wallet)), &err));
    assert_true(db_exec(
        w->rig.db, NULL, "UPDATE wallet_signer SET registered_name = $1 WHERE wallet_id = $2",
        DB_ARGS(db_text(wallet_keys(w->coffer->wallet)->name), db_text(w->rig.wallet)), &err));
    assert_true(db_exec(w->rig.db, NULL,
                        "UPDATE signer SET kind = 'simulator', fingerprint = $1 WHERE id = $2",
                        DB_ARGS(db_blob(BYTES_OF(xfp.b)), db_text(w->rig.signers[0])), &err));
    publish(w, 700000);
}

static void begin(struct world *w)
{
    *w = (struct world){ .fleet = NULL };
    assert_true(secret_init());
    connection_init();
    rig_sqlite(&w->rig);
    w->coffer = coffer_new("wsh", 2, 3);
    (void)coffer_coin(w->coffer, MS_RECEIVE, 0, 100000000);
    w->sink = coffer_pay(w->coffer, 1, 600000);
    assert_true(coffer_build(w->coffer));
    box_prepare(&w->box, "A");
    box_start(&w->box);
    fill(w);
    w->section =
        (struct signer_config){ .name = "A", .transport = TRANSPORT_UNIX, .path = w->box.socket };
    w->port = (struct port_options){ .section = &w->section, .network = "testnet4" };
}

static void start(struct world *w)
{
    const struct fleet_options options = { .ports = &w->port,
                                           .n_ports = 1,
                                           .db = &w->rig.options,
                                           .holder = "me",
                                           .log = &no_log,
                                           .health_fd = -1,
                                           .demo = true,
                                           .demo_secret = BYTES(SECRET) };
    struct err err;
    if (!fleet_new(&w->fleet, &options, &err))
        fail_msg("%s", err.text);
}

static void end(struct world *w)
{
    fleet_free(w->fleet);
    w->fleet = NULL;
    box_drop(&w->box);
    coffer_end(&w->coffer);
    rig_close(&w->rig);
}

static struct fleet_signer view(const struct world *w)
{
    struct fleet_signer all[SIGNERS_MAX];
    const size_t n = fleet_view(w->fleet, w->rig.wallet, all);
    return n > 0 ? all[0] : (struct fleet_signer){ .state = "" };
}

static void wait_for(const struct world *w, const char *state)
{
    for (int ms = 0; strcmp(view(w).state, state) != 0; ms += 20) {
        if (ms >= PATIENCE_MS)
            fail_msg("it is %s (%s), not %s", view(w).state, view(w).why, state);
        box_pause_ms(20);
    }
}

static struct fleet_answer ask(struct world *w, const struct fleet_auth *auth)
{
    struct fleet_answer answer;
    fleet_sign(w->fleet, w->rig.signers[0], w->coffer->build.psbt, NULL, auth, &answer,
               test_arena());
    return answer;
}

static void pay(struct world *w, uint64_t sats)
{
    coffer_end(&w->coffer);
    w->coffer = coffer_new("wsh", 2, 3);
    (void)coffer_coin(w->coffer, MS_RECEIVE, 0, 100000000 + sats); // another coin each time
    (void)coffer_pay(w->coffer, 1, sats);
    assert_true(coffer_build(w->coffer));
}

static struct fleet_auth code_of_now(void)
{
    struct fleet_auth auth = { .counter = (uint32_t)(time(NULL) / 30), .given = true };
    otp_code(auth.code, BYTES(SECRET), auth.counter);
    return auth;
}

TEST(coordinator_F6_F38_real_signer)
{
    struct world w;
    struct bytes checked;
    struct fleet_signer chosen[SIGNERS_MAX];
    struct signer_limits limits;
    size_t n;
    struct err err;
    begin(&w);
    start(&w);
    wait_for(&w, "verified"); // by its keys: wallet, user, policy, all read back
    assert_int_equal(
        rig_number(&w.rig, "SELECT count(*) FROM signer WHERE device_pin LIKE 'tpub%'"), 1);
    assert_true(fleet_choose(w.fleet, w.rig.wallet, 1, (struct sats){ 600000 }, TIER_AUTO, NULL, 0,
                             chosen, &n, &err));
    assert_true(
        fleet_limits(w.fleet, chosen[0].id, w.rig.wallet, TIER_AUTO, &limits, test_arena()));
    assert_bytes_equal(limits.whitelist[0], w.sink);
    // What preflight lets pass, it signs; what came back is checked as a spend would.
    assert_true(preflight(w.coffer->wallet, w.coffer->build.psbt, &w.coffer->outputs, &limits, 1,
                          test_arena(), &err));
    struct fleet_answer a = ask(&w, NULL);
    if (a.outcome != FLEET_SIGNED)
        fail_msg("%s", a.text);
    if (!combine_check(&checked, w.coffer->wallet, w.coffer->build.psbt, a.psbt, ms_rig_xfp(0),
                       test_arena(), &err))
        fail_msg("%s", err.text);
    assert_int_equal(view(&w).budget_auto.n, 400000);
    assert_int_equal(view(&w).approvals, 1);
    // The same again costs nothing: its policy charges once.
    assert_int_equal(ask(&w, NULL).outcome, FLEET_SIGNED);
    assert_int_equal(view(&w).budget_auto.n, 400000);
    // A restart: its velocity is durable, and so is what we know of it.
    box_kill(&w.box);
    wait_for(&w, "new");
    assert_false(fleet_choose(w.fleet, w.rig.wallet, 1, (struct sats){ 1 }, TIER_AUTO, NULL, 0,
                              chosen, &n, &err));
    assert_int_equal(code_of(&err), CODE_QUORUM_LOST);
    box_start_saved(&w.box);
    wait_for(&w, "verified");
    assert_int_equal(view(&w).budget_auto.n, 400000);
    // An hour later the period is over.
    box_advance(&w.box, 3601);
    for (int ms = 0; view(&w).budget_auto.n != 1000000; ms += 20) {
        assert_true(ms < PATIENCE_MS);
        box_pause_ms(20);
    }
    end(&w);
}

TEST(coordinator_F40_real_signer_and_a_code)
{
    struct world w;
    struct fleet_message m;
    begin(&w);
    start(&w);
    wait_for(&w, "verified");
    pay(&w, 2000000);
    struct fleet_answer a = ask(&w, NULL);
    assert_int_equal(a.outcome, FLEET_REFUSED);
    assert_string_equal(a.tag, "user"); // the surge tier would do
    const struct fleet_auth auth = code_of_now();
    a = ask(&w, &auth);
    if (a.outcome != FLEET_SIGNED)
        fail_msg("%s", a.text);
    assert_int_equal(view(&w).budget_auto.n, 1000000);
    assert_int_equal(view(&w).budget_surge.n, 7000000);
    pay(&w, 2100000);
    a = ask(&w, &auth); // the same code, for another payment
    assert_int_equal(a.outcome, FLEET_REFUSED);
    assert_string_equal(a.text, "User 'owner' gave wrong auth value: replay");
    assert_string_equal(a.tag, "user");
    assert_int_equal(view(&w).refusals, 2);
    assert_string_equal(view(&w).tag, "user");
    fleet_sign_message(w.fleet, w.rig.signers[0], BYTES("two of three"), "m/48h/1h/0h/2h/0/0", &m);
    if (!m.ok)
        fail_msg("%s", m.text);
    assert_int_equal(strlen(m.signature), 88);
    end(&w);
}

// A13 "Reboot", and another policy: it leaves HSM mode by a restart that forgets everything, and is armed anew.
TEST(coordinator_D8_real_signer_gets_another_policy)
{
    struct world w;
    struct bytes text;
    struct err err;
    char script[300], pid[300], body[2000];
    begin(&w);
    (void)snprintf(script, sizeof script, "%s/restart", test_dir());
    (void)snprintf(pid, sizeof pid, "%s/pid", test_dir());
    (void)snprintf(body, sizeof body,
                   "#!/bin/sh\nkill -9 $(cat %s)\nrm -rf %s %s %s\nmkdir %s\nsetsid %s --simulator "
                   "--socket %s --panel %s --dir %s >%s 2>&1 </dev/null &\necho $! >%s\n",
                   pid, w.box.dir, w.box.socket, w.box.panel, w.box.dir, getenv("CASEMATE_SIGNER"),
                   w.box.socket, w.box.panel, w.box.dir, w.box.log, pid);
    assert_true(file_replace(script, bytes_of_text(body), 0700, &err));
    (void)snprintf(body, sizeof body, "%d\n", (int)w.box.pid);
    assert_true(file_replace(pid, bytes_of_text(body), 0600, &err));
    w.section.restart_command[0] = script;
    start(&w);
    wait_for(&w, "verified");
    publish(&w, 800000);
    fleet_reload(w.fleet);
    wait_for(&w, "active"); // and is asked within the version before
    assert_true(view(&w).ready && view(&w).drift);
    assert_int_equal(view(&w).max_auto.n, 700000);
    // It would leave fewer than k: an operator takes it out first.
    assert_false(fleet_order(w.fleet, w.rig.signers[0], FLEET_REBOOT, &err));
    assert_int_equal(code_of(&err), CODE_CONFLICT);
    assert_true(fleet_order(w.fleet, w.rig.signers[0], FLEET_DISABLE, &err));
    assert_true(fleet_order(w.fleet, w.rig.signers[0], FLEET_REBOOT, &err));
    assert_true(fleet_order(w.fleet, w.rig.signers[0], FLEET_ENABLE, &err));
    wait_for(&w, "verified");
    assert_int_equal(view(&w).max_auto.n, 800000);
    fleet_free(w.fleet);
    w.fleet = NULL;
    assert_true(file_read(&text, pid, 100, test_arena(), &err));
    (void)kill((pid_t)strtol((const char *)text.ptr, NULL, 10), SIGKILL);
    end(&w);
}
