// tests/support/team.h -- a fleet of three made-up signers on a ledger of its own, for coordinator/fleet*_test.c.
#ifndef CASEMATE_TESTS_SUPPORT_TEAM_H
#define CASEMATE_TESTS_SUPPORT_TEAM_H
#include "client/wait.h"
#include "coordinator/fleet_internal.h"
#include "tests/support/fake_port.h"
#include "tests/support/ledger_rig.h"
#include "tests/support/ms_rig.h"
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

static inline void publish(struct team *t, uint64_t max_amount, uint64_t per_period)
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

static inline void fill(struct team *t)
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

static inline void prepare(struct team *t)
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
        .poll_ms = 100,
        .demo_secret = BYTES("12345678901234567890"),
        .make_port = fake_port_make,
    };
}

static inline void start(struct team *t)
{
    struct err err;
    if (!fleet_new(&t->fleet, &t->options, &err))
        fail_msg("%s", err.text);
}

static inline void drop(struct team *t)
{
    fleet_free(t->fleet);
    if (t->options.health_fd > 0)
        close(t->options.health_fd);
    for (size_t i = 0; i < RIG_SIGNERS; i++)
        assert_false(t->device[i]->overlapped); // inv 16, in every test
    rig_close(&t->rig);
}

static inline struct fleet_signer view_of(const struct team *t, size_t i)
{
    struct fleet_signer all[SIGNERS_MAX];
    const size_t n = fleet_view(t->fleet, NULL, all);
    for (size_t j = 0; j < n; j++)
        if (all[j].number == i + 1)
            return all[j];
    return (struct fleet_signer){ .state = "" };
}

static inline void wait_for_state(const struct team *t, size_t i, const char *state)
{
    for (int ms = 0; strcmp(view_of(t, i).state, state) != 0; ms += 10) {
        if (ms >= PATIENCE_MS)
            fail_msg("signer %zu is %s (%s), not %s", i + 1, view_of(t, i).state, view_of(t, i).why,
                     state);
        (void)usleep(10000);
    }
}

static inline void wait_until_ready(const struct team *t)
{
    for (size_t i = 0; i < RIG_SIGNERS; i++)
        wait_for_state(t, i, "verified");
}

static inline bool did(const struct fake_device *d, const char *calls)
{
    fake_lock();
    const bool found = strstr(d->calls, calls) != NULL;
    fake_unlock();
    return found;
}

static inline struct fleet_answer ask(struct team *t, size_t i, const struct fleet_auth *auth)
{
    struct fleet_answer answer;
    fleet_sign(t->fleet, t->rig.signers[i], BYTES("psbt"), NULL, auth, &answer, test_arena());
    return answer;
}

#endif
