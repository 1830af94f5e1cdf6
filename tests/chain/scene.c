// tests/chain/scene.c
#include "tests/chain/scene.h"

void assert_good(bool ok, const struct err *err, const char *what)
{
    if (!ok)
        fail_msg("%s: %s", what, err->text);
}

struct bytes address_at(const struct scene *s, enum ms_branch branch, uint32_t index)
{
    struct writer w = writer_growing(test_arena(), 128);
    struct err err;
    good(wallet_address(&w, s->t->wallet, (struct wallet_place){ branch, index }, &err));
    return writer_bytes(&w);
}

struct scene *scene_new(const char *form, size_t which, uint64_t funds)
{
    struct scene *s = arena_alloc(test_arena(), sizeof *s);
    struct wallet_rows rows;
    struct err err;
    s->r = regtest("regtest");
    const struct node_options options = regtest_options(s->r);
    rig_sqlite(&s->ledger);
    rig_caps(&s->ledger, 50 * (uint64_t)COIN, 50 * (uint64_t)COIN, COIN);
    s->t = coffer_new_of("regtest", form, which);
    good(node_new(&s->node, &options, &err));
    s->sights = sights_new();
    s->clock = clock_system();
    s->log = (struct log){ .fd = -1 };
    good(ledger_wallets(s->ledger.db, &rows, test_arena(), &err));
    s->wallet = (struct treasury_wallet){ .wallet = s->t->wallet, .row = rows.items[0] };
    good(node_watch(s->node, s->t->wallet, 0, &err));
    if (funds > 0) {
        (void)regtest_pay(s->r, address_at(s, MS_RECEIVE, 0), funds);
        (void)regtest_mine(s->r, 1);
    }
    return s;
}

void scene_end(struct scene **s)
{
    sights_free((*s)->sights);
    node_free((*s)->node);
    rig_close(&(*s)->ledger);
    coffer_end(&(*s)->t);
}

bool passes(struct scene *s)
{
    const struct reconcile_context context = { s->ledger.db, s->node,   0,
                                               s->sights,    &s->clock, &s->log };
    return reconcile_wallet(&context, &s->wallet, &s->last, &s->err);
}

struct velocity_view velocity(struct scene *s)
{
    struct velocity_view view;
    struct err err;
    good(ledger_velocity(s->ledger.db, &view, s->ledger.wallet, &err));
    return view;
}

void pays(struct scene *s, struct bytes address, uint64_t sats)
{
    struct writer script = writer_growing(test_arena(), 64);
    struct err err;
    good(address_to_script(&script, address, wallet_chain(s->t->wallet), &err));
    s->t->outputs.n = 1;
    s->t->output[0] = (struct spend_output){ .script = writer_bytes(&script),
                                             .address = address,
                                             .amount = { sats } };
}

struct bytes built(struct scene *s)
{
    struct coffer *t = s->t;
    struct bytes raw;
    struct err err;
    t->request.coins = &t->coins;
    good(node_coins(s->node, t->wallet, &t->coins, test_arena(), &err));
    coffer_builds(t);
    const struct bytes parts[] = { coffer_part(t, 0), coffer_part(t, 1) };
    good(combine_finalize(&raw, t->wallet, t->build.psbt, parts, 2, test_arena(), &err));
    return raw;
}

void sends(struct scene *s, struct bytes raw)
{
    enum node_sent how;
    char reason[200];
    struct err err;
    good(node_send(s->node, raw, (struct bytes){ 0 }, 100000, &how, reason, &err));
    if (how != NODE_SENT)
        fail_msg("not sent: %s", reason);
}

struct known_spend signed_spend(struct scene *s, uint64_t sats)
{
    struct known_spend k = { .spend = rig_reserved(&s->ledger, sats) };
    struct err err;
    s->t->request.change_index = k.spend.change_index;
    pays(s, regtest_address(s->r), sats);
    const struct bytes raw = built(s);
    const struct build *b = &s->t->build;
    k.attempt = (struct attempt){ .kind = ATTEMPT_PAY,
                                  .psbt = b->psbt,
                                  .txid = b->txid,
                                  .raw = raw,
                                  .fee = b->fee,
                                  .vsize = b->vsize,
                                  .inputs = b->inputs,
                                  .n_inputs = b->n_inputs };
    good(ledger_attempt_add(s->ledger.db, &k.spend, &k.attempt, &err));
    k.attempt.raw = raw;
    ledger_rig_sign(&s->ledger, &k.spend, &k.attempt);
    k.attempt.raw = raw;
    return k;
}

static void replace_all(struct scene *s, const char *column, enum ms_branch branch)
{
    struct writer sql = writer_growing(test_arena(), 16384);
    writer_printf(&sql, "UPDATE wallet SET %s = '%.*s'", column,
                  BYTES_ARG(wallet_descriptor(s->t->wallet, branch)));
    writer_u8(&sql, 0);
    rig_exec(&s->ledger, (const char *)writer_bytes(&sql).ptr);
}

void scene_write_descriptors(struct scene *s)
{
    replace_all(s, "desc_receive", MS_RECEIVE);
    replace_all(s, "desc_change", MS_CHANGE);
}

void scene_pause_ms(long ms)
{
    const struct timespec t = { ms / 1000, ms % 1000 * 1000000 };
    (void)nanosleep(&t, NULL);
}
