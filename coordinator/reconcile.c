#include "coordinator/reconcile.h"
#include "base/hex.h"
#include <inttypes.h>

enum {
    PASS_ARENA = 1 << 30,
    TX_ARENA = 32 << 20,
    BIRTH_MARGIN_S = 4 * 3600, // A2
    BLOCK_TIME_SLACK_S = 7200, // consensus lets a block's time be as far ahead
};

struct pass {
    const struct reconcile_context *c;
    const struct treasury_wallet *w;
    struct reconcile_result *out;
    struct arena *arena;
    struct velocity_view velocity;
    struct live_attempts live; // as they were when the pass began
    bool first;                // this node has never read this wallet's history
};

// --- Where a transaction is ---

static struct sighting sighting_of(const struct node_tx *tx)
{
    return (struct sighting){ .where = tx->in_block     ? SIGHT_BLOCK
                                       : tx->in_mempool ? SIGHT_MEMPOOL
                                                        : SIGHT_GONE,
                              .block_hash = tx->block_hash,
                              .height = tx->height,
                              .depth = tx->depth };
}

// As this node sees it now, or another did a moment ago.
static struct sighting best_of(const struct pass *p, const struct hash256 *txid,
                               const struct node_tx *tx)
{
    const struct sighting seen = sighting_of(tx);
    return sights_put(p->c->sights, p->c->node_number, txid, &seen,
                      p->c->clock->monotonic_ms(p->c->clock));
}

// --- Transactions that are not ours ---

// D5 2: "An input of ours spent by an unknown txid: conflict; depth decides R3." Also of a spend that is void
// since: a reorg may take the conflict back.
static bool tell_conflicts(const struct pass *p, const struct hash256 *txid, const struct tx *tx,
                           const struct sighting *seen, struct err *err)
{
    for (size_t i = 0; i < tx->n_in; i++)
        if (!ledger_conflicted(p->c->db, p->w->row.id, &tx->in[i].prevout, txid, seen->depth, err))
            return false;
    return true;
}

// What a first reading finds is counted as far as it can belong to the window: "imports all outflows of the
// last window as foreign". Later ones count from when they were first seen.
static bool is_before_window(const struct pass *p, const struct node_tx *tx)
{
    const int64_t window_s = p->velocity.window_us / 1000000;
    const int64_t now_s = p->c->clock->wall_s(p->c->clock);
    return p->first && tx->in_block && tx->block_s < now_s - window_s - BLOCK_TIME_SLACK_S;
}

static void log_foreign(const struct pass *p, const struct hash256 *txid, struct sats amount)
{
    char text[TXID_TEXT_SIZE];
    txid_to_text(text, txid);
    LOG(p->c->log, LOG_ERROR, "outflow_foreign", LOG_BYTES("wallet", p->w->row.name),
        LOG_TEXT("txid", text), LOG_U64("amount_sat", amount.n));
}

static bool tell_foreign(struct pass *p, const struct hash256 *txid, const struct tx *tx,
                         const struct node_tx *where, const struct sighting *seen, struct err *err)
{
    struct sats outflow;
    bool is_new = false;
    if (seen->where == SIGHT_GONE || is_before_window(p, where))
        return true; // it left the mempool, or is of the past
    if (!wallet_outflow(p->w->wallet, tx, &outflow))
        return code_fail(err, CODE_NODE_UNAVAILABLE, "a transaction of more than there can be");
    if (outflow.n == 0)
        return true; // D17 37: to itself
    if (!ledger_foreign(p->c->db, p->w->row.id, txid, outflow, where->fee, seen,
                        p->w->rules.freeze_on_foreign, &is_new, err))
        return false;
    if (!is_new)
        return true;
    p->out->changed = true;
    p->out->foreign++;
    log_foreign(p, txid, outflow);
    return true;
}

static bool read_event(struct pass *p, const struct node_event *event, struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(TX_ARENA);
    struct node_tx where;
    struct sighting best;
    struct bytes raw;
    struct tx tx;
    bool ours;
    if (!node_transaction(p->c->node, p->w->wallet, &event->txid, &where, &raw, arena, err))
        return false;
    best = best_of(p, &event->txid, &where);
    if (!ledger_sighted(p->c->db, p->w->row.id, &event->txid, &best, &ours, err))
        return false;
    if (ours)
        return true; // read_live looks at those
    return tx_parse(&tx, raw, arena, err) && tell_conflicts(p, &event->txid, &tx, &best, err) &&
           tell_foreign(p, &event->txid, &tx, &where, &best, err);
}

// --- History ---

static bool is_of_interest(const struct node_event *event)
{
    return event->is_outgoing; // what only pays in moves nothing: D17 38
}

static bool read_events(struct pass *p, struct cursor *next, struct err *err)
{
    const unsigned depth = p->w->row.settle_depth > 0 ? p->w->row.settle_depth : SETTLE_DEPTH;
    struct cursor cursor;
    struct node_events events;
    if (!ledger_cursor(p->c->db, &cursor, node_name(p->c->node), p->w->row.id, err))
        return false;
    p->first = !cursor.is_set;
    bool read = node_since(p->c->node, p->w->wallet, cursor.is_set ? &cursor.block_hash : NULL,
                           depth, &events, p->arena, err);
    // Another node under the same name, or one whose blocks were thrown away: from the beginning.
    if (!read && cursor.is_set && code_of(err) == CODE_NOT_FOUND) {
        p->first = true;
        read = node_since(p->c->node, p->w->wallet, NULL, depth, &events, p->arena, err);
    }
    if (!read)
        return false;
    for (size_t i = 0; i < events.n; i++)
        if (is_of_interest(&events.items[i]) && !read_event(p, &events.items[i], err))
            return false;
    *next = (struct cursor){ true, events.block, events.height };
    return true;
}

// --- Amnesia ---

// Whether the node shows that the wallet's coins were spent. One that was only paid to is a new one.
static bool has_spent(struct pass *p, bool *out, struct err *err)
{
    struct node_events events;
    *out = false;
    if (!node_since(p->c->node, p->w->wallet, NULL, 1, &events, p->arena, err))
        return false;
    for (size_t i = 0; i < events.n; i++)
        *out |= events.items[i].is_outgoing;
    return true;
}

// Before the wallet's first stamp, with no transaction of its own in the ledger.
static bool check_memory(struct pass *p, struct err *err)
{
    bool spent;
    if (p->velocity.reconciled_us != 0 || p->live.n > 0)
        return true;
    if (!has_spent(p, &spent, err))
        return false;
    if (!spent)
        return true;
    p->out->forgot = true;
    LOG(p->c->log, LOG_ERROR, "amnesia", LOG_BYTES("wallet", p->w->row.name));
    return ledger_amnesia(p->c->db, p->w->row.id, err);
}

// --- Our own ---

// Each attempt that may be anywhere. "Presence must be asked for explicitly."
static bool read_live(struct pass *p, struct err *err)
{
    for (size_t i = 0; i < p->live.n; i++) {
        const struct live_attempt *a = &p->live.items[i];
        struct node_tx tx;
        struct sighting best;
        bool ours;
        if (!node_find(p->c->node, p->w->wallet, &a->txid, &tx, err))
            return false;
        best = best_of(p, &a->txid, &tx);
        // What was never sent is nowhere: that is no news, and nobody has to be woken for it.
        if (best.where == SIGHT_GONE && a->state != ATTEMPT_SENT && a->state != ATTEMPT_CONFIRMED)
            continue;
        if (!ledger_sighted(p->c->db, p->w->row.id, &a->txid, &best, &ours, err))
            return false;
        if (a->state == ATTEMPT_CONFIRMED && best.where != SIGHT_BLOCK)
            p->out->removed++;
        // What was sent and is in no mempool has to be sent again; what is in a block goes on.
        const bool confirmed = best.where == SIGHT_BLOCK;
        p->out->changed |= (a->state == ATTEMPT_SENT && best.where == SIGHT_GONE) ||
                           confirmed != (a->state == ATTEMPT_CONFIRMED);
    }
    return true;
}

// --- A pass ---

// An id of version 7 begins with its milliseconds: the wallet is not older, unless it was used before it
// came to this ledger; then the operator has the node look further back. What may count in the window is looked
// for in any case: a ledger that was set up anew knows none of it.
static int64_t birth_of(const struct wallet_row *row, int64_t window_s)
{
    const int64_t back_s = window_s + BLOCK_TIME_SLACK_S > BIRTH_MARGIN_S
                               ? window_s + BLOCK_TIME_SLACK_S
                               : BIRTH_MARGIN_S;
    uint8_t ms[6];
    char digits[13];
    (void)snprintf(digits, sizeof digits, "%.8s%.4s", row->id, row->id + 9);
    if (!hex_decode(ms, sizeof ms, bytes_of_text(digits)))
        return 0;
    int64_t born = 0;
    for (size_t i = 0; i < sizeof ms; i++)
        born = born * 256 + ms[i];
    return born / 1000 > back_s ? born / 1000 - back_s : 0;
}

static bool is_up_to_date(const struct pass *p, struct err *err)
{
    struct node_state state;
    if (!node_state(p->c->node, &state, err))
        return false;
    return !state.behind || code_fail(err, CODE_NODE_UNAVAILABLE, "node %s is behind the chain",
                                      node_name(p->c->node));
}

bool reconcile_wallet(const struct reconcile_context *context, const struct treasury_wallet *wallet,
                      struct reconcile_result *out, struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(PASS_ARENA);
    struct pass p = { .c = context, .w = wallet, .out = out, .arena = arena };
    struct cursor next;
    *out = (struct reconcile_result){ 0 };
    return is_up_to_date(&p, err) &&
           ledger_velocity(context->db, &p.velocity, wallet->row.id, err) &&
           node_watch(context->node, wallet->wallet,
                      birth_of(&wallet->row, p.velocity.window_us / 1000000), err) &&
           ledger_live_attempts(context->db, &p.live, wallet->row.id, arena, err) &&
           check_memory(&p, err) && read_events(&p, &next, err) && read_live(&p, err) &&
           ledger_set_cursor(context->db, node_name(context->node), wallet->row.id, &next, err) &&
           ledger_reconciled(context->db, wallet->row.id, err);
}
