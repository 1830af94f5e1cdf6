#include "tests/support/treasury_world.h"
#include "coordinator/migrate.h"
#include "tests/support/ms_rig.h"
#include "tests/support/world_signer.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROOM  ((size_t)1 << 20)
#define DRIVE ((size_t)64 << 20)

struct node {
    struct world *world;
};
struct fleet {
    struct world *world;
    const struct world_ledger *ledger;
};

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            fail_msg("%s: %s", #condition, err.text);                                              \
    } while (0)

// --- Time that is not the coordinator's ---

struct outside {
    struct world *world;
    struct timespec began;
};

static struct outside outside(struct world *world)
{
    struct outside o = { .world = world };
    (void)clock_gettime(CLOCK_MONOTONIC, &o.began);
    return o;
}

static void back_inside(struct outside *o)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    o->world->outside_ns +=
        (int64_t)(now.tv_sec - o->began.tv_sec) * 1000000000 + (now.tv_nsec - o->began.tv_nsec);
}

#define OUTSIDE(world)                                                                             \
    AUTO(back_inside) struct outside away __attribute__((unused)) = outside(world)

// --- The chain ---

struct world *world_new(void)
{
    struct world *w =
        mmap(NULL, sizeof *w, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(w != MAP_FAILED);
    *w = (struct world){ .node_up = true, .height = 200, .fee_rate = 2000, .mempool_rate = 1000 };
    for (size_t i = 0; i < WORLD_SIGNERS; i++)
        w->signers[i] =
            (struct world_signer){ .ready = true, .budget = { SATS_MAX }, .max_psbt = 2097152 };
    return w;
}

const struct world_tx *world_find(const struct world *world, const struct hash256 *txid)
{
    for (size_t i = 0; i < world->n_txs; i++)
        if (memcmp(&world->txs[i].txid, txid, sizeof *txid) == 0)
            return &world->txs[i];
    return NULL;
}

static bool parse(const struct world_tx *t, struct tx *out, struct arena *arena)
{
    struct err err;
    return tx_parse(out, bytes_of(t->raw, t->len), arena, &err);
}

static bool spends(const struct world_tx *t, const struct outpoint *coin, struct arena *arena)
{
    struct tx tx;
    assert_true(parse(t, &tx, arena));
    for (size_t i = 0; i < tx.n_in; i++)
        if (memcmp(&tx.in[i].prevout.txid, &coin->txid, 32) == 0 &&
            tx.in[i].prevout.index == coin->index)
            return true;
    return false;
}

// The transaction that spends it in mempool or chain, or NULL.
static struct world_tx *spender(const struct world *world, const struct outpoint *coin,
                                struct arena *arena)
{
    for (size_t i = 0; i < world->n_txs; i++)
        if (world->txs[i].where != WORLD_NOWHERE && spends(&world->txs[i], coin, arena))
            return (struct world_tx *)(uintptr_t)&world->txs[i];
    return NULL;
}

static struct world_tx *remember(struct world *world, struct bytes raw, const struct hash256 *txid)
{
    struct world_tx *t = (struct world_tx *)(uintptr_t)world_find(world, txid);
    if (t != NULL)
        return t;
    assert_true(world->n_txs < WORLD_TXS && raw.len <= WORLD_TX_MAX);
    t = &world->txs[world->n_txs];
    t->len = raw.len;
    memcpy(t->raw, raw.ptr, raw.len);
    t->txid = *txid;
    t->where = WORLD_NOWHERE;
    world->n_txs++;
    return t;
}

void world_mine(struct world *world, uint32_t blocks)
{
    world->height++;
    for (size_t i = 0; i < world->n_txs; i++)
        if (world->txs[i].where == WORLD_MEMPOOL) {
            world->txs[i].where = WORLD_BLOCK;
            world->txs[i].height = world->height;
        }
    world->height += blocks - 1;
}

void world_unmine(struct world *world)
{
    for (size_t i = 0; i < world->n_txs; i++)
        if (world->txs[i].where == WORLD_BLOCK && world->txs[i].height == world->height)
            world->txs[i].where = WORLD_MEMPOOL;
    world->height--;
}

void world_evict(struct world *world, const struct hash256 *txid)
{
    struct world_tx *t = (struct world_tx *)(uintptr_t)world_find(world, txid);
    if (t == NULL)
        fail_msg("no such transaction");
    else
        t->where = WORLD_NOWHERE;
}

static struct world_tx *put_tx(struct world *world, const struct tx_in *in, size_t n_in,
                               const struct tx_out *out, size_t n_out)
{
    struct tx tx = { .version = 2, .n_in = n_in, .n_out = n_out };
    tx.in = (struct tx_in *)(uintptr_t)in;
    tx.out = (struct tx_out *)(uintptr_t)out;
    struct writer w = writer_growing(test_arena(), WORLD_TX_MAX);
    tx_write(&w, &tx);
    const struct hash256 txid = tx_txid(&tx);
    return remember(world, writer_bytes(&w), &txid);
}

void world_fund(struct world *world, const struct world_ledger *ledger, uint64_t sat)
{
    struct writer w = writer_growing(test_arena(), 64);
    struct err err;
    CHECK(wallet_output_script(&w, ledger->wallet, (struct wallet_place){ MS_RECEIVE, 0 }, &err));
    struct tx_in in = { .sequence = 0xffffffff };
    memset(in.prevout.txid.b, 0x77, 32);
    in.prevout.index = (uint32_t)world->n_txs; // no two fundings are the same
    const struct tx_out out = { (int64_t)sat, writer_bytes(&w) };
    struct world_tx *t = put_tx(world, &in, 1, &out, 1);
    t->where = WORLD_BLOCK;
    t->height = world->height - 100;
}

void world_steal(struct world *world, const struct world_ledger *ledger,
                 const struct outpoint *coin)
{
    (void)ledger;
    const struct tx_in in = { .prevout = *coin, .sequence = 0xffffffff };
    const struct tx_out out = { 1000, BYTES("\x00\x14@@@@@@@@@@@@@@@@@@@@") };
    struct world_tx *t = put_tx(world, &in, 1, &out, 1);
    t->where = WORLD_MEMPOOL;
}

struct sats world_paid(const struct world *world, const struct world_ledger *ledger, bool mempool)
{
    struct sats sum = { 0 };
    for (size_t i = 0; i < world->n_txs; i++) {
        AUTO(arena_freep) struct arena *arena = arena_new(ROOM);
        const struct world_tx *t = &world->txs[i];
        struct tx tx;
        if (t->where == WORLD_NOWHERE || (t->where == WORLD_MEMPOOL && !mempool))
            continue;
        assert_true(parse(t, &tx, arena));
        for (size_t k = 0; k < tx.n_out; k++)
            if (bytes_equal(tx.out[k].script, ledger->destination))
                assert_true(sats_add(&sum, (struct sats){ (uint64_t)tx.out[k].value }));
    }
    return sum;
}

// --- node.h ---

bool node_new(struct node **out, const struct node_options *options, struct err *err)
{
    (void)options;
    *out = NULL;
    return err_set(err, ERR_UNSUPPORTED, "the world has one node");
}

void node_free(struct node *node)
{
    (void)node;
}

static bool is_up(const struct node *node, struct err *err)
{
    return node->world->node_up || code_fail(err, CODE_NODE_UNAVAILABLE, "no node answers");
}

bool node_state(struct node *node, struct node_state *out, struct err *err)
{
    *out = (struct node_state){ .height = node->world->height,
                                .relay_rate = 1000,
                                .mempool_rate = node->world->mempool_rate };
    return is_up(node, err);
}

bool node_fee_rate(struct node *node, unsigned blocks, uint64_t *out, bool *known, struct err *err)
{
    (void)blocks;
    *out = node->world->fee_rate;
    *known = true;
    return is_up(node, err);
}

static void add_coin(struct coins *coins, const struct world *world, const struct world_tx *t,
                     const struct tx *tx, uint32_t k, struct wallet_place place)
{
    struct coin *c = &coins->items[coins->n++];
    *c =
        (struct coin){ .outpoint = { t->txid, k },
                       .amount = { (uint64_t)tx->out[k].value },
                       .place = place,
                       .confirmations = t->where == WORLD_BLOCK ? world->height - t->height + 1 : 0,
                       .is_own_change = t->where == WORLD_MEMPOOL,
                       .ancestors = 1,
                       .descendants = 1,
                       .previous = bytes_of(t->raw, t->len) };
}

bool node_coins(struct node *node, const struct wallet *wallet, struct coins *out,
                struct arena *arena, struct err *err)
{
    OUTSIDE(node->world);
    const struct world *world = node->world;
    *out = (struct coins){ arena_array(arena, (size_t)WORLD_TXS * 4, sizeof *out->items), 0 };
    assert_non_null(out->items);
    for (size_t i = 0; i < world->n_txs; i++) {
        const struct world_tx *t = &world->txs[i];
        struct tx tx;
        if (t->where == WORLD_NOWHERE)
            continue;
        assert_true(parse(t, &tx, arena));
        for (uint32_t k = 0; k < tx.n_out; k++) {
            struct wallet_place place;
            const struct outpoint at = { t->txid, k };
            if (wallet_owns(wallet, tx.out[k].script, &place) && spender(world, &at, arena) == NULL)
                add_coin(out, world, t, &tx, k, place);
        }
    }
    return is_up(node, err);
}

// What its inputs hold; 0: some are not there.
static uint64_t inputs_of(const struct world *world, const struct tx *tx, struct arena *arena)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < tx->n_in; i++) {
        const struct world_tx *from = world_find(world, &tx->in[i].prevout.txid);
        struct tx prev;
        if (from == NULL || from->where == WORLD_NOWHERE)
            return 0;
        assert_true(parse(from, &prev, arena));
        assert_true(tx->in[i].prevout.index < prev.n_out);
        sum += (uint64_t)prev.out[tx->in[i].prevout.index].value;
    }
    return sum;
}

static enum node_sent accept(struct world *world, struct bytes raw, struct arena *arena)
{
    struct tx tx;
    struct err err;
    assert_true(tx_parse(&tx, raw, arena, &err));
    const struct hash256 txid = tx_txid(&tx);
    const struct world_tx *known = world_find(world, &txid);
    if (known != NULL && known->where != WORLD_NOWHERE)
        return known->where == WORLD_BLOCK ? NODE_CONFIRMED : NODE_SENT;
    uint64_t fee = inputs_of(world, &tx, arena);
    if (fee == 0)
        return NODE_CONFLICT;
    for (size_t i = 0; i < tx.n_out; i++)
        fee -= (uint64_t)tx.out[i].value;
    if (fee * 1000 / raw.len < world->mempool_rate / 4)
        return NODE_FEE_TOO_LOW;
    for (size_t i = 0; i < tx.n_in; i++) {
        struct world_tx *other = spender(world, &tx.in[i].prevout, arena);
        if (other != NULL && (other->where == WORLD_BLOCK || other->fee.n >= fee))
            return NODE_CONFLICT;
    }
    for (size_t i = 0; i < tx.n_in; i++) {
        struct world_tx *other = spender(world, &tx.in[i].prevout, arena);
        if (other != NULL)
            other->where = WORLD_NOWHERE; // replaced
    }
    struct world_tx *t = remember(world, raw, &txid);
    t->fee.n = fee;
    t->where = WORLD_MEMPOOL;
    world->broadcasts++;
    return NODE_SENT;
}

bool node_send(struct node *node, struct bytes raw, struct bytes raw2, uint64_t max_fee_rate,
               enum node_sent *out, char reason[static 200], struct err *err)
{
    OUTSIDE(node->world);
    AUTO(arena_freep) struct arena *arena = arena_new(DRIVE);
    (void)max_fee_rate;
    reason[0] = '\0';
    if (!is_up(node, err))
        return false;
    *out = accept(node->world, raw, arena);
    if (raw2.len > 0 && (*out == NODE_SENT || *out == NODE_CONFIRMED))
        *out = accept(node->world, raw2, arena);
    if (*out == NODE_CONFLICT)
        (void)snprintf(reason, 200, "bad-txns-inputs-missingorspent");
    return true;
}

bool node_find(struct node *node, const struct wallet *wallet, const struct hash256 *txid,
               struct node_tx *out, struct err *err)
{
    OUTSIDE(node->world);
    (void)wallet;
    const struct world_tx *t = world_find(node->world, txid);
    *out = (struct node_tx){ .ancestors = 1, .descendants = 1 };
    if (t != NULL && t->where == WORLD_MEMPOOL)
        out->in_mempool = true;
    if (t != NULL && t->where == WORLD_BLOCK) {
        out->in_block = true;
        out->height = t->height;
        out->depth = node->world->height - t->height + 1;
    }
    return is_up(node, err);
}

bool node_spender(struct node *node, const struct outpoint *outpoint, struct hash256 *out,
                  bool *found, struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(DRIVE);
    const struct world_tx *t = spender(node->world, outpoint, arena);
    *found = t != NULL && t->where == WORLD_MEMPOOL;
    if (*found)
        *out = t->txid;
    return is_up(node, err);
}

// --- fleet.h ---

static size_t number_of(const struct fleet *fleet, const char *signer_id)
{
    size_t i = 0;
    while (i < WORLD_SIGNERS && strcmp(fleet->ledger->signer_id[i], signer_id) != 0)
        i++;
    assert_true(i < WORLD_SIGNERS);
    return i;
}

static struct fleet_signer view_of(const struct fleet *fleet, size_t i)
{
    const struct world_signer *s = &fleet->world->signers[i];
    struct fleet_signer v = { .number = (unsigned)i + 1,
                              .enabled = true,
                              .reachable = s->ready,
                              .active = s->ready,
                              .ready = s->ready,
                              .state = s->ready ? "verified" : "new",
                              .budget_auto = s->budget,
                              .budget_surge = s->budget,
                              .max_auto = { SATS_MAX },
                              .max_surge = { SATS_MAX },
                              .max_psbt = 2097152,
                              .max_inputs = 500 };
    memcpy(v.id, fleet->ledger->signer_id[i], ID_SIZE);
    (void)snprintf(v.name, sizeof v.name, "%c", (char)('A' + i));
    memcpy(v.xfp, fleet->ledger->xfp[i].b, sizeof v.xfp);
    return v;
}

size_t fleet_view(const struct fleet *fleet, const char *wallet_id,
                  struct fleet_signer out[static SIGNERS_MAX])
{
    (void)wallet_id;
    for (size_t i = 0; i < WORLD_SIGNERS; i++)
        out[i] = view_of(fleet, i);
    return WORLD_SIGNERS;
}

bool fleet_choose(struct fleet *fleet, const char *wallet_id, size_t need, struct sats amount,
                  enum tier tier, const char (*exclude)[ID_SIZE], size_t n_exclude,
                  struct fleet_signer out[static SIGNERS_MAX], size_t *n, struct err *err)
{
    OUTSIDE(fleet->world);
    size_t n_ready = 0;
    (void)wallet_id, (void)tier;
    *n = 0;
    for (size_t i = 0; i < WORLD_SIGNERS; i++) {
        const struct fleet_signer v = view_of(fleet, i);
        bool skip = !v.ready;
        for (size_t k = 0; k < n_exclude; k++)
            skip = skip || strcmp(exclude[k], v.id) == 0;
        n_ready += !skip;
        if (!skip && v.budget_auto.n >= amount.n)
            out[(*n)++] = v;
    }
    if (n_ready < need)
        return code_fail(err, CODE_QUORUM_LOST, "%zu of %zu signers are ready", n_ready, need);
    return *n >= need ||
           code_fail(err, CODE_VELOCITY_EXCEEDED, "%zu of %zu signers have the budget", *n, need);
}

bool fleet_limits(struct fleet *fleet, const char *signer_id, const char *wallet_id, enum tier tier,
                  struct signer_limits *out, struct arena *arena)
{
    const size_t i = number_of(fleet, signer_id);
    (void)wallet_id, (void)tier, (void)arena;
    *out = (struct signer_limits){ .name = "signer",
                                   .xfp = fleet->ledger->xfp[i],
                                   .max_psbt = fleet->world->signers[i].max_psbt,
                                   .max_inputs = 500,
                                   .max_amount = { SATS_MAX },
                                   .budget = fleet->world->signers[i].budget };
    return true;
}

// A bit of the signature's s is another.
static struct bytes spoil(struct bytes psbt, struct arena *arena)
{
    struct psbt parsed;
    struct bytes copy;
    struct err err;
    assert_true(arena_copy(arena, psbt, &copy));
    CHECK(psbt_parse(&parsed, copy, arena, &err));
    const struct psbt_field *sig = psbt_next(&parsed.in[0], PSBT_IN_PARTIAL_SIG, NULL);
    assert_non_null(sig);
    *(uint8_t *)(uintptr_t)&sig->value.ptr[sig->value.len - 3] ^= 1;
    return copy;
}

static void answer(struct fleet_answer *out, enum fleet_outcome outcome, const char *tag,
                   const char *text)
{
    out->outcome = outcome;
    (void)snprintf(out->tag, sizeof out->tag, "%s", tag);
    (void)snprintf(out->text, sizeof out->text, "%s", text);
}

static struct sats outflow_of(const struct fleet *fleet, struct bytes psbt, struct arena *arena)
{
    struct psbt parsed;
    struct sats sum;
    struct err err;
    CHECK(psbt_parse(&parsed, psbt, arena, &err));
    assert_true(wallet_outflow(fleet->ledger->wallet, &parsed.tx, &sum));
    return sum;
}

// As workers.c keeps it.
static void keep_lease(struct db *db)
{
    struct db_rows rows;
    struct err err;
    char id[ID_SIZE];
    bool kept;
    CHECK(db_query(db, &rows, "SELECT id, fence FROM spend WHERE owner = 'world'", DB_NONE,
                   test_arena(), &err));
    assert_int_equal(rows.n, 1);
    db_cell_copy(id, sizeof id, &rows, 0, 0);
    CHECK(ledger_keep(db, id, "world", db_cell_u64(&rows, 0, 1), SPEND_LEASE_US, &kept, &err));
    assert_true(kept);
}

// The time that a signer takes, after which another worker looks for something to do.
static void take_time(const struct fleet *fleet, int64_t s)
{
    struct spend spend;
    struct err err;
    bool found;
    if (s == 0)
        return;
    struct db *db = world_db(fleet->ledger);
    for (int64_t at = 0; at < s; at += 5) {
        world_pass(fleet->ledger, 5);
        if (!fleet->world->keeper_died)
            keep_lease(db);
    }
    CHECK(ledger_claim(db, &spend, &found, "another", SPEND_LEASE_US, &err));
    fleet->world->taken_over += found;
    db_close(&db);
}

void fleet_sign(struct fleet *fleet, const char *signer_id, struct bytes psbt,
                const struct spend *spend, const struct fleet_auth *auth, struct fleet_answer *out,
                struct arena *arena)
{
    OUTSIDE(fleet->world);
    const size_t i = number_of(fleet, signer_id);
    struct world_signer *s = &fleet->world->signers[i];
    struct err err;
    (void)auth;
    (void)spend;
    *out = (struct fleet_answer){ .outcome = FLEET_GONE };
    s->asked++;
    take_time(fleet, s->takes_s);
    switch (s->mood) {
    case MOOD_AWAY:
        answer(out, FLEET_UNSENT, "unreachable", "cannot be reached");
        return;
    case MOOD_BUSY:
        answer(out, FLEET_BUSY, "busy", "busy");
        return;
    case MOOD_REFUSES:
        answer(out, FLEET_REFUSED, s->tag, s->text);
        return;
    case MOOD_SILENT:
        answer(out, FLEET_TIMEOUT, "timeout", "no answer");
        return;
    default:
        break;
    }
    CHECK(world_sign(&out->psbt, i, wallet_keys(fleet->ledger->wallet), psbt, arena, &err));
    s->signed_n++;
    assert_true(sats_add(&s->charged, outflow_of(fleet, psbt, arena)));
    if (s->mood == MOOD_BAD_SIGNATURE)
        out->psbt = spoil(out->psbt, arena);
    if (s->mood == MOOD_UNSIGNED)
        out->psbt = psbt;
    answer(out, s->mood == MOOD_SIGNS_SILENT ? FLEET_TIMEOUT : FLEET_SIGNED, "", "");
}

// --- The ledger ---

// Thousands of scripts are derived to make a wallet: done once for all tests of a program, which all have the
// same one.
static struct {
    struct wallet *wallet;
    struct treasury *treasury;
} shared;
#define WALLET_ID "00000000-0000-7000-8000-000000000001"

__attribute__((destructor)) static void free_shared(void)
{
    treasury_free(shared.treasury);
    wallet_free(shared.wallet);
}

static void run_sql(struct db *db, const char *sql, const struct db_value *args, size_t n)
{
    struct err err;
    CHECK(db_exec(db, NULL, sql, args, n, &err));
}

static void add_signer(struct world_ledger *l, struct db *db, size_t i)
{
    const char name[2] = { (char)('A' + i), '\0' };
    l->xfp[i] = ms_rig_xfp(i);
    db_new_id(l->signer_id[i], (int64_t)(1000000 * (i + 1)));
    run_sql(
        db,
        "INSERT INTO signer(id, name, number, kind, fingerprint, state) VALUES($1, $2, $3, 'unix', "
        "$4, 'verified')",
        DB_ARGS(db_text(l->signer_id[i]), db_text(name), db_int((int64_t)i + 1),
                db_blob(BYTES_OF(l->xfp[i].b))));
    run_sql(db,
            "INSERT INTO wallet_signer(wallet_id, signer_id, position, xpub, registered_name) "
            "VALUES($1, $2, $3, $4, 'treasury')",
            DB_ARGS(db_text(l->wallet_id), db_text(l->signer_id[i]), db_int((int64_t)i),
                    db_text(ms_rig_xpub(i, MS_RIG_PATH))));
}

static void fill(struct world_ledger *l, struct db *db, const struct wallet_text *text)
{
    static const uint8_t HOT[22] = { 0x00, 0x14, 1, 2, 3, 4, 5, 6, 7, 8, 9 };
    struct writer w = writer_growing(test_arena(), 128);
    const uint8_t none[32] = { 0 };
    assert_true(address_from_script(&w, BYTES_OF(HOT), wallet_chain(l->wallet)));
    memcpy(l->wallet_id, WALLET_ID, ID_SIZE);
    run_sql(
        db,
        "INSERT INTO wallet(id, name, network, k, n, kind, desc_receive, desc_change, desc_hash, "
        "status, settle_depth) VALUES($1, $2, $3, 2, 3, 'wsh-sortedmulti', $4, $5, $6, 'active', "
        "6)",
        DB_ARGS(db_text(l->wallet_id), db_text_of(text->name), db_text_of(text->network),
                db_text_of(text->desc_receive), db_text_of(text->desc_change),
                db_blob(BYTES_OF(none))));
    run_sql(
        db,
        "INSERT INTO velocity_guard(wallet_id, window_s, cap_auto, cap_surge, fee_cap) VALUES($1, "
        "3600, 1000000, 3000000, 200000)",
        DB_ARGS(db_text(l->wallet_id)));
    for (size_t i = 0; i < WORLD_SIGNERS; i++)
        add_signer(l, db, i);
    db_new_id(l->destination_id, 2);
    assert_true(arena_copy(test_arena(), BYTES_OF(HOT), &l->destination));
    run_sql(db,
            "INSERT INTO destination(id, wallet_id, name, address, script, state) "
            "VALUES($1, "
            "$2, 'hot', $3, $4, 'active')",
            DB_ARGS(db_text(l->destination_id), db_text(l->wallet_id), db_text_of(writer_bytes(&w)),
                    db_blob(BYTES_OF(HOT))));
}

struct world_ledger *world_ledger(struct world *world, const char *folder)
{
    struct world_ledger *l = arena_alloc(test_arena(), sizeof *l);
    const struct wallet_text text = {
        .name = BYTES("treasury"),
        .network = BYTES("regtest"),
        .desc_receive = ms_rig_descriptor("sortedmulti", 2, 3, "/0/*"),
        .desc_change = ms_rig_descriptor("sortedmulti", 2, 3, "/1/*"),
    };
    struct err err;
    (void)world;
    assert_non_null(l);
    for (unsigned i = 0; i == 0 || access(l->path, F_OK) == 0; i++)
        (void)snprintf(l->path, sizeof l->path, "%s/ledger-%u.db",
                       folder != NULL ? folder : test_dir(), i);
    l->clock_offset_us =
        mmap(NULL, sizeof(int64_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(l->clock_offset_us != MAP_FAILED);
    l->options = (struct db_options){ .path = l->path, .clock_offset_us = l->clock_offset_us };
    if (shared.wallet == NULL) {
        CHECK(wallet_new(&shared.wallet, &text, &err));
        shared.treasury = treasury_new();
    }
    l->wallet = shared.wallet;
    l->treasury = shared.treasury;
    AUTO(db_close) struct db *db = NULL;
    CHECK(db_open(&db, &l->options, &err) && migrate_apply(db, migrate_steps(), &err));
    fill(l, db, &text);
    return l;
}

struct db *world_db(const struct world_ledger *ledger)
{
    struct db *db;
    struct err err;
    CHECK(db_open(&db, &ledger->options, &err));
    return db;
}

void world_setting(const struct world_ledger *ledger, const char *json)
{
    AUTO(db_close) struct db *db = world_db(ledger);
    run_sql(db, "UPDATE wallet SET settings = $1 WHERE id = $2",
            DB_ARGS(db_text(json), db_text(ledger->wallet_id)));
}

void world_cap(const struct world_ledger *ledger, uint64_t auto_sat, uint64_t surge_sat)
{
    AUTO(db_close) struct db *db = world_db(ledger);
    run_sql(db, "UPDATE velocity_guard SET cap_auto = $1, cap_surge = $2 WHERE wallet_id = $3",
            DB_ARGS(db_u64(auto_sat), db_u64(surge_sat), db_text(ledger->wallet_id)));
}

void world_pass(const struct world_ledger *ledger, int64_t s)
{
    *ledger->clock_offset_us += s * 1000000;
}

static void tell_conflicts(const struct world *world, const struct world_ledger *ledger,
                           struct db *db, const struct world_tx *t, struct arena *arena)
{
    struct tx tx;
    struct err err;
    assert_true(parse(t, &tx, arena));
    for (size_t i = 0; i < tx.n_in; i++)
        CHECK(ledger_conflicted(db, ledger->wallet_id, &tx.in[i].prevout, &t->txid,
                                t->where == WORLD_BLOCK ? world->height - t->height + 1 : 0, &err));
}

void world_reconcile(const struct world *world, const struct world_ledger *ledger, struct db *db)
{
    AUTO(arena_freep) struct arena *arena = arena_new(DRIVE);
    struct err err;
    if (!world->node_up)
        return;
    for (size_t i = 0; i < world->n_txs; i++) {
        const struct world_tx *t = &world->txs[i];
        struct sighting s = { .where = t->where == WORLD_BLOCK     ? SIGHT_BLOCK
                                       : t->where == WORLD_MEMPOOL ? SIGHT_MEMPOOL
                                                                   : SIGHT_GONE };
        bool ours;
        if (t->where == WORLD_BLOCK) {
            s.height = t->height;
            s.depth = world->height - t->height + 1;
            memset(s.block_hash.b, (int)(t->height & 0xff), 32);
        }
        CHECK(ledger_sighted(db, ledger->wallet_id, &t->txid, &s, &ours, &err));
        if (!ours && t->where != WORLD_NOWHERE)
            tell_conflicts(world, ledger, db, t, arena);
    }
    CHECK(ledger_reconciled(db, ledger->wallet_id, &err));
}

// --- Driving ---

struct spend world_submit(const struct world_ledger *ledger, struct db *db, const char *request_id,
                          uint64_t sat, enum tier tier)
{
    struct spend_output output = { .script = ledger->destination, .amount = { sat } };
    struct writer w = writer_growing(test_arena(), 128);
    struct spend spend;
    struct err err;
    bool is_new;
    assert_true(address_from_script(&w, ledger->destination, wallet_chain(ledger->wallet)));
    output.address = writer_bytes(&w);
    memcpy(output.destination_id, ledger->destination_id, ID_SIZE);
    const struct spend_request request = { .wallet_id = ledger->wallet_id,
                                           .request_id = bytes_of_text(request_id),
                                           .body_hash = sha256(bytes_of_text(request_id)),
                                           .tier = tier,
                                           .outputs = &output,
                                           .n_outputs = 1 };
    CHECK(ledger_submit(db, &spend, &is_new, &request, &err));
    return spend;
}

bool world_dry_run(struct world *world, const struct world_ledger *ledger, struct db *db,
                   uint64_t sat, struct dry_run *out, struct err *err)
{
    struct node node = { world };
    struct fleet fleet = { world, ledger };
    struct treasury_wallet t;
    struct writer w = writer_growing(test_arena(), 128);
    assert_true(address_from_script(&w, ledger->destination, wallet_chain(ledger->wallet)));
    struct spend_output output = { .script = ledger->destination,
                                   .address = writer_bytes(&w),
                                   .amount = { sat } };
    const struct spend_request request = {
        .wallet_id = ledger->wallet_id, .tier = TIER_AUTO, .outputs = &output, .n_outputs = 1
    };
    memcpy(output.destination_id, ledger->destination_id, ID_SIZE);
    return treasury_get(ledger->treasury, db, ledger->wallet_id, &t, test_arena(), err) &&
           dry_run(out, db, &node, &fleet, ledger->wallet, &t.row, &request, test_arena(), err);
}

static void hash_cells(struct writer *w, const struct db_rows *rows)
{
    for (size_t i = 0; i < rows->n * rows->n_columns; i++) {
        writer_i64le(w, rows->cells[i].n);
        writer_counted(w, rows->cells[i].b);
    }
}

struct hash256 world_store_hash(const struct world_ledger *ledger, struct db *db)
{
    struct writer w = writer_growing(test_arena(), (size_t)8 << 20);
    struct db_rows tables, rows;
    struct err err;
    (void)ledger;
    CHECK(db_query(db, &tables, "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name",
                   DB_NONE, test_arena(), &err));
    for (size_t i = 0; i < tables.n; i++) {
        char sql[128];
        (void)snprintf(sql, sizeof sql, "SELECT * FROM %.*s",
                       BYTES_ARG(db_cell_bytes(&tables, i, 0)));
        CHECK(db_query(db, &rows, sql, DB_NONE, test_arena(), &err));
        hash_cells(&w, &rows);
    }
    assert_false(w.failed);
    return sha256(writer_bytes(&w));
}

struct spend world_spend(struct db *db, const char *id)
{
    struct spend spend;
    struct err err;
    CHECK(ledger_spend(db, &spend, id, &err));
    return spend;
}

static const struct log SILENT = { .fd = -1 };

bool world_drive_claimed(struct world *world, const struct world_ledger *ledger, struct db *db)
{
    struct node node = { world };
    struct fleet fleet = { world, ledger };
    struct clock clock = clock_system();
    struct surge_codes *codes = ledger->codes != NULL ? ledger->codes : surge_codes_new(&clock);
    const struct spend_context context = { .db = db,
                                           .node = &node,
                                           .fleet = &fleet,
                                           .codes = codes,
                                           .treasury = ledger->treasury,
                                           .log = &SILENT };
    struct spend spend;
    struct err err;
    bool found;
    CHECK(ledger_claim(db, &spend, &found, "world", SPEND_LEASE_US, &err));
    if (found)
        spend_drive(&context, &spend);
    if (codes != ledger->codes)
        surge_codes_free(codes);
    return found;
}

size_t world_drive(struct world *world, const struct world_ledger *ledger, struct db *db,
                   size_t rounds)
{
    size_t n = 0;
    world_reconcile(world, ledger, db);
    while (n < rounds && world_drive_claimed(world, ledger, db)) {
        world_reconcile(world, ledger, db);
        n++;
    }
    return n;
}

static bool dies_at(struct world *world, const struct world_ledger *ledger, const char *place,
                    bool only_drive)
{
    (void)fflush(NULL);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)setenv("CASEMATE_STOP", place, 1);
        struct db *db = world_db(ledger);
        if (only_drive)
            (void)world_drive_claimed(world, ledger, db);
        else
            (void)world_drive(world, ledger, db, 8);
        db_close(&db);
        _exit(0);
    }
    int status;
    assert_true(waitpid(child, &status, 0) == child);
    if (!WIFSIGNALED(status))
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

bool world_drive_until(struct world *world, const struct world_ledger *ledger, const char *place)
{
    return dies_at(world, ledger, place, false);
}

bool world_drive_claimed_until(struct world *world, const struct world_ledger *ledger,
                               const char *place)
{
    return dies_at(world, ledger, place, true);
}
