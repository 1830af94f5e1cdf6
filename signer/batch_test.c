// Requests of several hosts that wait for one commit: each decided on top of the one before, none
// answered before the commit, and all as if never asked if it fails.
#include "signer/hsm.h"
#include "signer/sign_work.h"
#include "tests/support/device_checks.h"
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { HOSTS = 6 };

#define LIMIT_5000 "{\"never_log\":true,\"period\":10,\"rules\":[{\"per_period\":5000}]}"

struct crowd {
    struct rig_host *hosts[HOSTS];
    struct bytes psbts[HOSTS];
};

// Each host has asked for a payment of so many satoshis; nothing is decided.
static struct crowd ask_all(struct device_rig *rig, const uint64_t sats[static HOSTS])
{
    struct crowd crowd;
    for (size_t i = 0; i < HOSTS; i++) {
        crowd.hosts[i] = rig_host_linked(rig);
        crowd.psbts[i] = rig_payment(rig, sats[i]);
        assert_okay(rig_stxn(crowd.hosts[i], crowd.psbts[i], 0));
    }
    return crowd;
}

struct watched {
    struct device_rig *rig;
    unsigned n_commits, n_answered;
};

// No host's request may be over before the commit.
static void on_step(void *context, const char *name)
{
    struct watched *w = context;
    w->n_commits += strcmp(name, "committed") == 0;
    for (size_t i = 0; i < PEERS_MAX && w->n_commits == 0; i++) {
        const struct peer *peer = w->rig->device.peers.items[i];
        w->n_answered += peer != NULL && peer->job.kind != JOB_NONE && job_is_over(&peer->job);
    }
}

TEST(several_hosts_share_a_commit_and_each_gets_its_own)
{
    static const uint64_t sats[HOSTS] = { 1000, 2000, 3000, 1500, 600, 500 };
    // In order of arrival: 1000, 3000, (6000: no), 4500, (5100: no), 5000.
    static const bool expected[HOSTS] = { true, true, false, true, false, true };
    WITH_RIG(rig, host);
    rig_activate(host, LIMIT_5000);
    const struct crowd crowd = ask_all(rig, sats);
    struct watched watched = { .rig = rig };
    store_set_hook(rig->store, (struct store_hook){ on_step, &watched });
    rig_run(rig);
    store_set_hook(rig->store, (struct store_hook){ NULL, NULL });
    assert_int_equal(watched.n_commits, 1);
    assert_int_equal(watched.n_answered, 0);
    for (size_t i = 0; i < HOSTS; i++) {
        const struct rig_outcome got = rig_fetch(crowd.hosts[i]);
        assert_int_equal(got.result, expected[i] ? RIG_SIGNED : RIG_REFUSED);
        // The same as if it had been alone: signatures are deterministic but for auxiliary bytes, so
        // that what is compared is whose transaction it is.
        if (expected[i])
            assert_non_null(memmem(got.data.ptr, got.data.len, crowd.psbts[i].ptr + 7, 60));
    }
    assert_status(host, "has_spent", "[5000]");
    assert_status(host, "approvals", "4");
    assert_status(host, "refusals", "2");
    device_rig_restart(rig);
    rig_keys(rig, "y");
    assert_status(rig_host_linked(rig), "has_spent", "[5000]");
}

// A code counts for the first that it is good for, and for none after it.
TEST(a_code_serves_one_decision_of_a_batch)
{
    static const uint64_t sats[HOSTS] = { 1, 1, 1, 1, 1, 1 };
    unsigned n_signed = 0;
    WITH_RIG(rig, host);
    rig_add_users(host);
    rig_activate(host, "{\"never_log\":true,\"rules\":[{\"users\":[\"alice\"]}]}");
    rig_alice(host, 57000000);
    const struct crowd crowd = ask_all(rig, sats);
    rig_run(rig);
    for (size_t i = 0; i < HOSTS; i++)
        n_signed += rig_fetch(crowd.hosts[i]).result == RIG_SIGNED;
    assert_int_equal(n_signed, 1);
}

static void set_disk(bool full)
{
    static struct rlimit limit;
    struct rlimit small;
    if (!full) {
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
        return;
    }
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    small = limit;
    small.rlim_cur = 1;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
}

// Counters, totals, codes, the local secret and the last refusal are as before.
TEST(a_commit_that_fails_signs_nothing_and_forgets_nothing)
{
    static const uint64_t sats[HOSTS] = { 3000, 4000, 1000, 3000, 9000, 1000 };
    WITH_RIG(rig, host);
    rig_add_users(host);
    rig_activate(host, "{\"never_log\":true,\"period\":10,\"rules\":[{\"per_period\":5000,"
                       "\"users\":[\"alice\"]},{\"per_period\":2000}]}");
    assert_refuses(host, rig_payment(rig, 7000),
                   "Rejected: rule #1: need user(s) confirmation, "
                   "rule #2: would exceed period spending");
    rig_alice(host, 57000000);
    rig_keys(rig, "123456");
    const struct bytes before = rig_status_text(host);
    const struct crowd crowd = ask_all(rig, sats);
    set_disk(true);
    rig_run(rig);
    set_disk(false);
    for (size_t i = 0; i < HOSTS; i++) {
        const struct rig_outcome got = rig_fetch(crowd.hosts[i]);
        assert_int_equal(got.result, RIG_FAILED);
        assert_bytes_text(got.data, "Signing failed late");
    }
    assert_bytes_equal(rig_status_text(host), before);
    assert_int_equal(rig_progress(rig, "alice"), 0);
    assert_signs(host, rig_payment(rig, 5000)); // with alice's code
    assert_int_equal(rig_progress(rig, "alice"), 57000000);
    assert_status(host, "approvals", "1");
}

// --- Records on the card ---

struct card {
    struct device_rig *rig;
    unsigned n_logged, n_commits, n_too_early;
    bool breaks; // once: the last record of the batch cannot be waited for
};

static void on_card_step(void *context, const char *name)
{
    struct card *card = context;
    struct audit_list *records = card->rig->device.records;
    card->n_logged += strcmp(name, "logged") == 0;
    card->n_too_early += strcmp(name, "state") == 0 && card->n_logged == 0;
    card->n_commits += strcmp(name, "committed") == 0;
    if (!card->breaks || records == NULL || records->n < HOSTS - 1)
        return;
    const int path_only = open("/", O_PATH | O_CLOEXEC);
    assert_true(path_only >= 0);
    assert_true(dup3(path_only, records->items[records->n - 1].file, O_CLOEXEC) >= 0);
    assert_int_equal(close(path_only), 0);
    card->breaks = false;
}

static size_t n_records(struct device_rig *rig)
{
    size_t n = 0;
    const int fd = openat(store_dir_fd(rig->store), "card/psbt", O_RDONLY | O_DIRECTORY);
    DIR *dir = fdopendir(fd);
    assert_non_null(dir);
    for (const struct dirent *e; (e = readdir(dir)) != NULL;)
        n += strstr(e->d_name, ".log") != NULL;
    (void)closedir(dir);
    return n;
}

static void decide_with_card(struct card *card, struct rig_host *host)
{
    static const uint64_t sats[HOSTS] = { 1000, 2000, 3000, 1500, 600, 500 };
    static const bool expected[HOSTS] = { true, true, false, true, false, true };
    struct device_rig *rig = card->rig;
    const struct crowd crowd = ask_all(rig, sats);
    store_set_hook(rig->store, (struct store_hook){ on_card_step, card });
    rig_run(rig);
    store_set_hook(rig->store, (struct store_hook){ NULL, NULL });
    for (size_t i = 0; i < HOSTS; i++)
        assert_int_equal(rig_fetch(crowd.hosts[i]).result, expected[i] ? RIG_SIGNED : RIG_REFUSED);
    assert_int_equal(n_records(rig), HOSTS);
    assert_int_equal(card->n_commits, 1);
    assert_int_equal(card->n_too_early, 0);
    assert_status(host, "has_spent", "[5000]");
    assert_status(host, "approvals", "4");
    assert_status(host, "refusals", "2");
}

#define LOGGED_5000 "{\"must_log\":true,\"period\":10,\"rules\":[{\"per_period\":5000}]}"

TEST(policy_17_2_records_of_a_batch_are_on_the_card_before_its_commit)
{
    WITH_RIG(rig, host);
    struct card card = { .rig = rig };
    rig_activate(host, LOGGED_5000);
    decide_with_card(&card, host);
    assert_int_equal(card.n_logged, 1); // waited for together
}

// Nothing is decided on what the card did not keep; then each record is its own decision's affair.
TEST(policy_17_2_a_card_that_fails_a_batch_is_tried_record_by_record)
{
    WITH_RIG(rig, host);
    struct card card = { .rig = rig, .breaks = true };
    rig_activate(host, LOGGED_5000);
    decide_with_card(&card, host);
    assert_false(card.breaks);
    assert_int_equal(card.n_logged, HOSTS);
}

// --- The clock ---

// That the clock was set forward is noticed once: a batch that fails does not make it unseen.
TEST(policy_24_65_a_clock_set_forward_is_noticed_though_the_commit_fails)
{
    static const uint64_t sats[HOSTS] = { 3000, 3000, 3000, 3000, 3000, 3000 };
    WITH_RIG(rig, host);
    rig_activate(host, LIMIT_5000);
    assert_signs(host, rig_payment(rig, 3000));
    (void)ask_all(rig, sats);
    rig_set_wall(rig, RIG_EPOCH_S + 100000);
    set_disk(true);
    rig_run(rig);
    set_disk(false);
    assert_refuses(host, rig_payment(rig, 3000), "Rejected: rule #1: would exceed period spending");
}

// The 100th refusal ends it only if it is on disk.
TEST(the_end_after_the_last_refusal_waits_for_the_commit)
{
    static const uint64_t sats[HOSTS] = { 2, 2, 2, 2, 2, 2 };
    WITH_RIG(rig, host);
    rig_activate(host, "{\"never_log\":true,\"rules\":[{\"max_amount\":1}]}");
    for (int i = 0; i < 95; i++)
        assert_int_equal(rig_sign(host, rig_payment(rig, 2), 0).result, RIG_REFUSED);
    (void)ask_all(rig, sats);
    set_disk(true);
    rig_run(rig);
    set_disk(false);
    rig_pass(rig, 1000);
    assert_false(rig->has_stopped);
    assert_status(host, "refusals", "95");
    (void)ask_all(rig, sats);
    rig_run(rig);
    assert_status(host, "refusals", "101");
    rig_pass(rig, 1000);
    assert_true(rig->has_stopped);
}

// --- Dedupe ---

enum { MANY_IN = 60, MANY_SATS = 100000, MANY_PAID = 5000 };

// So many inputs that it is signed by the worker, in so few bytes that it is understood at once.
static struct bytes many_inputs(struct device_rig *rig, uint32_t salt)
{
    struct psbt_maker *maker = rig_maker(rig, MANY_PAID);
    maker->salt = salt;
    maker->n_in = MANY_IN;
    for (uint32_t i = 0; i < MANY_IN; i++) {
        maker->in[i] = maker->in[0];
        maker->in[i].path.step[4] = i % 40;
        maker->in[i].amount.n = MANY_SATS;
    }
    maker->out[1].amount.n = (uint64_t)MANY_IN * MANY_SATS - MANY_PAID - 20000;
    const struct bytes psbt = rig_make(rig, maker);
    assert_true(psbt.len <= 16384);
    return psbt;
}

static struct rig_outcome wait_for(struct rig_host *host)
{
    struct rig_outcome outcome = { .result = RIG_WAITING };
    struct err err;
    for (int i = 0; i < 10000 && outcome.result == RIG_WAITING; i++) {
        assert_true(loop_step(host->rig->loop, 10, &err));
        outcome = rig_fetch(host);
    }
    return outcome;
}

// Two hosts ask for the same transaction at once; the first, which was charged for it, goes away while
// it is signed. The second was not charged, and its signature still costs the charge of the first.
TEST(policy_24_85_a_repeated_transaction_keeps_the_charge_of_the_first)
{
    AUTO(device_rig_freep) struct device_rig *rig = device_rig_prepare(test_dir());
    rig->has_worker = true;
    device_rig_start(rig);
    struct rig_host *host = rig_host_linked(rig);
    rig_activate(host, "{\"never_log\":true,\"period\":10,\"casemate\":{\"dedupe\":true},"
                       "\"rules\":[{\"per_period\":100000000000}]}");
    unsigned n_in_the_middle = 0;
    for (uint32_t i = 0; i < 20; i++) {
        const struct bytes psbt = many_inputs(rig, 700 + i);
        const uint64_t before = rig->device.hsm->velocity.spent[0].n;
        struct rig_host *leaving = rig_host_linked(rig);
        struct err err;
        assert_okay(rig_stxn(leaving, psbt, 0));
        assert_okay(rig_stxn(host, psbt, 0));
        for (int k = 0; k < 10 && !sign_work_is_busy(&rig->device); k++)
            assert_true(loop_step(rig->loop, 10, &err));
        n_in_the_middle += sign_work_is_busy(&rig->device);
        peers_forget(&rig->device.peers, rig_peer(leaving));
        assert_int_equal(wait_for(host).result, RIG_SIGNED);
        assert_int_equal(rig->device.hsm->velocity.spent[0].n, before + MANY_PAID);
    }
    assert_true(n_in_the_middle > 0);
}

// --- Death with a batch under way ---

static void die(void *context, const char *name)
{
    unsigned *left = context;
    (void)name;
    if ((*left)-- == 0)
        _exit(0);
}

// What the hosts of a device were told before it died at a step of the store: signatures in the
// status.
static unsigned signed_before_death(unsigned at)
{
    static const uint64_t sats[HOSTS] = { 500, 500, 500, 500, 500, 500 };
    int status;
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct device_rig *rig = device_rig_new(test_dir());
        unsigned n_signed = 0;
        rig_keys(rig, "y");
        const struct crowd crowd = ask_all(rig, sats);
        store_set_hook(rig->store, (struct store_hook){ die, &at });
        rig_run(rig);
        for (size_t i = 0; i < HOSTS; i++)
            n_signed += rig_fetch(crowd.hosts[i]).result == RIG_SIGNED;
        _exit((int)n_signed);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return (unsigned)WEXITSTATUS(status);
}

TEST(policy_24_66_no_signature_of_a_batch_without_its_charge)
{
    unsigned n_signed = 0, n_charged_and_lost = 0;
    {
        AUTO(device_rig_freep) struct device_rig *rig = device_rig_new(test_dir());
        rig_activate(rig_host_linked(rig),
                     "{\"never_log\":true,\"period\":10,\"rules\":[{\"per_period\":500000}]}");
    }
    uint64_t spent = 0;
    for (unsigned at = 0; n_signed == 0; at++) {
        n_signed = signed_before_death(at);
        AUTO(device_rig_freep) struct device_rig *rig = device_rig_new(test_dir());
        rig_keys(rig, "y");
        const uint64_t now = rig->device.hsm->velocity.spent[0].n;
        assert_true(now == spent || now == spent + 3000); // all of the batch or nothing
        assert_true(now - spent >= (uint64_t)n_signed * 500);
        n_charged_and_lost += now != spent && n_signed == 0;
        spent = now;
    }
    assert_int_equal(n_signed, HOSTS);
    assert_in_range(n_charged_and_lost, 1, 30); // it died between commit and signature
}
