// tests/ports/preflight_real_test.c -- a sample of coordinator/preflight_test.c with the whole signer, its
// process and its policy: what it refuses was predicted, and what it signs combines.
#include "base/secret.h"
#include "coordinator/build.h"
#include "coordinator/port.h"
#include "tests/ports/box.h"
#include "tests/support/coffer.h"

struct device {
    struct box box;
    struct signer_config section;
    struct port_options options;
    struct port *port;
    struct coffer *t;
    struct bytes address;
    struct signer_limits limits;
};

// 700,000 sat a transaction, 1,000,000 an hour, one address.
static void arm(struct device *d)
{
    struct writer policy = writer_growing(test_arena(), 4096);
    struct port_hello hello;
    struct err err;
    writer_printf(&policy,
                  "{\"must_log\": false, \"period\": 60, \"rules\": [{\"per_period\": 1000000, "
                  "\"max_amount\": 700000, \"wallet\": \"%s\", \"whitelist\": [\"%.*s\"]}]}",
                  wallet_keys(d->t->wallet)->name, BYTES_ARG(d->address));
    if (!port_hello(d->port, &hello, &err) ||
        !port_register(d->port, wallet_keys(d->t->wallet), &err) ||
        !port_load_policy(d->port, writer_bytes(&policy), &err) || !port_activate(d->port, &err))
        fail_msg("%s", err.text);
    d->limits = (struct signer_limits){ .name = "A",
                                        .xfp = hello.xfp,
                                        .max_psbt = hello.max_psbt,
                                        .max_inputs = hello.max_inputs,
                                        .max_amount = { 700000 },
                                        .budget = { 1000000 },
                                        .whitelist = &d->address,
                                        .n_whitelist = 1 };
}

static struct device *device_new(void)
{
    struct device *d = arena_alloc(test_arena(), sizeof *d);
    struct err err;
    assert_true(secret_init());
    connection_init();
    d->t = coffer_new("wsh", 2, 3); // the first cosigner has the simulator's seed
    (void)coffer_coin(d->t, MS_RECEIVE, 0, 100000000);
    d->address = coffer_pay(d->t, 1, 600000);
    box_prepare(&d->box, "A");
    box_start(&d->box);
    d->section =
        (struct signer_config){ .name = "A", .transport = TRANSPORT_UNIX, .path = d->box.socket };
    d->options = (struct port_options){
        .section = &d->section, .network = "test", .xfp = ms_rig_xfp(0), .demo = true
    };
    if (!port_new(&d->port, &d->options, &err))
        fail_msg("%s", err.text);
    arm(d);
    return d;
}

static void device_end(struct device **d)
{
    port_free((*d)->port);
    box_drop(&(*d)->box);
    coffer_end(&(*d)->t);
}

// Preflight says no, and so does the device; tag and words are what was predicted.
static void both_refuse(struct device *d, enum refusal_tag tag, const char *words)
{
    AUTO(arena_freep) struct arena *arena = arena_new(PORT_ARENA);
    struct port_answer answer;
    struct err err;
    coffer_builds(d->t);
    assert_false(preflight(d->t->wallet, d->t->build.psbt, &d->t->outputs, &d->limits, 1,
                           test_arena(), &err));
    if (strstr(err.text, words) == NULL)
        fail_msg("preflight: %s", err.text);
    port_sign(d->port, &answer, d->t->build.psbt, arena);
    if (answer.outcome != PORT_REFUSED || answer.tag != tag || strstr(answer.text, words) == NULL)
        fail_msg("%s: outcome %d, %s", words, answer.outcome, answer.text);
}

// Both agree, and what comes back is one good signature of its own, which with another's is final.
static void both_sign(struct device *d)
{
    AUTO(arena_freep) struct arena *arena = arena_new(PORT_ARENA);
    struct port_answer answer;
    struct bytes part, raw;
    struct err err;
    coffer_builds(d->t);
    if (!preflight(d->t->wallet, d->t->build.psbt, &d->t->outputs, &d->limits, 1, test_arena(),
                   &err))
        fail_msg("preflight: %s", err.text);
    port_sign(d->port, &answer, d->t->build.psbt, arena);
    if (answer.outcome != PORT_SIGNED)
        fail_msg("outcome %d: %s", answer.outcome, answer.text);
    if (!combine_check(&part, d->t->wallet, d->t->build.psbt, answer.psbt, d->limits.xfp,
                       test_arena(), &err))
        fail_msg("%s", err.text);
    const struct bytes parts[] = { part, coffer_part(d->t, 1) };
    if (!combine_finalize(&raw, d->t->wallet, d->t->build.psbt, parts, 2, test_arena(), &err))
        fail_msg("%s", err.text);
}

TEST(coordinator_F27_a_real_signer_refuses_what_preflight_says_and_no_more)
{
    AUTO(device_end) struct device *d = device_new();
    struct coffer *t = d->t;
    const struct spend_output good = t->output[0];
    both_sign(d);
    d->limits.budget.n -= good.amount.n; // as the ledger counts
    both_refuse(d, REFUSAL_VELOCITY, "would exceed period spending");
    t->output[0].amount.n = 700001;
    both_refuse(d, REFUSAL_AMOUNT, "amount exceeded");
    t->output[0].amount.n = 400000;
    t->outputs.n = 0;
    (void)coffer_pay(t, 2, 10000);
    both_refuse(d, REFUSAL_ADDRESS, "non-whitelisted address: tb1q");
    // What is left of the budget, to the last satoshi; change costs nothing.
    t->output[0] = good;
    t->output[0].amount.n = 400000;
    t->request.change_index = 1;
    both_sign(d);
    d->limits.budget.n = 0;
    t->request.everything_to_change = true;
    t->request.anchor = &t->coin[0].outpoint;
    t->outputs.n = 0;
    both_sign(d);
}
