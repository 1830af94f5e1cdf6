// coordinator/spend_send.c -- broadcasts what is signed, and keeps it known to the network until it is in a block.
#include "coordinator/spend_drive.h"
#include <inttypes.h>
#include <string.h>

#define MAX_RATE(d) ((d)->t.rules.fee_ceiling * 2) // that the node may see: a slip, not a wish

// --- Sending ---

static enum next was_sent(struct drive *d, struct attempt *a)
{
    struct err err;
    char txid[TXID_TEXT_SIZE];
    txid_to_text(txid, &a->txid);
    if (a->kind == ATTEMPT_PAY) {
        story_done(d->c->db, d->s->id, STEP_BROADCAST);
        story_log(d->c->db, d->s->id, STORY_GOOD, "Sent:");
        story_log(d->c->db, d->s->id, STORY_DATUM, "%s", txid);
        story_end(d->c->db, d->s->id, false, CODE_NONE);
    } else {
        story_log(d->c->db, d->s->id, STORY_GOOD, "Sent in its place or beside it:");
        story_log(d->c->db, d->s->id, STORY_DATUM, "%s", txid);
    }
    STOP_POINT("sent");
    const enum next next = drive_wait(d, SPEND_WATCH_US);
    if (!ledger_sent_and_let_go(d->c->db, d->s, a, d->next_us, &err))
        return drive_lost(d, &err);
    STOP_POINT("sent-stored");
    return next;
}

// Another transaction spends an input: one of the same spend is as good, and everybody else's is for the
// reconciler, which waits until it is settled.
static enum next conflict(struct drive *d, const char *reason)
{
    struct attempts all;
    struct hash256 by;
    struct err err;
    bool found;
    if (!d->s->has_anchor || !node_spender(d->c->node, &d->s->anchor, &by, &found, &err) ||
        !ledger_attempts(d->c->db, &all, d->s->id, d->arena, &err))
        return drive_wait(d, SPEND_RETRY_US);
    for (size_t i = 0; found && i < all.n; i++)
        if (memcmp(&all.items[i].txid, &by, sizeof by) == 0 && all.items[i].raw.len > 0)
            return was_sent(d, &all.items[i]);
    LOG(d->c->log, LOG_WARNING, "broadcast_conflict", LOG_TEXT("spend", d->s->id),
        LOG_TEXT("reason", reason));
    return drive_park(d, CODE_CONFLICT, "another transaction spends one of its coins");
}

enum next drive_broadcast(struct drive *d, struct attempt *a, const struct attempt *parent)
{
    enum node_sent sent;
    char reason[200];
    struct err err;
    if (a->kind == ATTEMPT_PAY && a->first_sent_us == 0)
        story_begin(d->c->db, d->s->id, STEP_BROADCAST);
    STOP_POINT("broadcast");
    if (!node_send(d->c->node, parent != NULL ? parent->raw : a->raw,
                   parent != NULL ? a->raw : (struct bytes){ 0 }, MAX_RATE(d), &sent, reason,
                   &err)) {
        if (d->s->state == SPEND_SIGNED)
            story_log(d->c->db, d->s->id, STORY_WARN,
                      "No node answers. The transaction is stored and will be sent when one does.");
        return drive_wait(d, SPEND_RETRY_US);
    }
    switch (sent) {
    case NODE_SENT:
    case NODE_CONFIRMED:
        return was_sent(d, a);
    case NODE_CONFLICT:
        return conflict(d, reason);
    case NODE_FEE_TOO_LOW:
        return d->s->state == SPEND_SENT || d->s->state == SPEND_VOIDING
                   ? drive_wait(d, SPEND_PARKED_US)
                   : drive_park(d, CODE_FEE_TOO_HIGH, "the node's mempool wants a higher fee");
    case NODE_REFUSED:
        break;
    }
    LOG(d->c->log, LOG_ERROR, "broadcast_refused", LOG_TEXT("spend", d->s->id),
        LOG_TEXT("reason", reason));
    return d->s->state == SPEND_SENT || d->s->state == SPEND_VOIDING
               ? drive_wait(d, SPEND_PARKED_US)
               : drive_park(d, CODE_INTERNAL, "the node refused the transaction");
}

// --- Watching ---

// The newest attempt that can be sent, children aside.
static struct attempt *live_payment(const struct attempts *all)
{
    for (size_t i = all->n; i-- > 0;)
        if (all->items[i].raw.len > 0 && all->items[i].state != ATTEMPT_DEAD &&
            all->items[i].kind != ATTEMPT_CHILD)
            return &all->items[i];
    return NULL;
}

// What was begun after it (a child, a replacement) and waits for signatures or for its broadcast.
static struct attempt *unfinished(const struct attempts *all)
{
    struct attempt *newest = drive_attempt(all);
    return newest != NULL && newest->state != ATTEMPT_SENT && newest->state != ATTEMPT_CONFIRMED
               ? newest
               : NULL;
}

static bool is_child_of(const struct attempt *child, const struct attempt *parent)
{
    return child->kind == ATTEMPT_CHILD && parent != NULL;
}

static enum next go_on_with(struct drive *d, struct attempt *a, const struct attempt *payment)
{
    if (a->raw.len == 0) {
        const enum next next = drive_signatures(d, a);
        if (next != NEXT_STEP)
            return next;
    }
    return drive_broadcast(d, a, is_child_of(a, payment) ? payment : NULL);
}

enum next drive_sent(struct drive *d)
{
    struct attempts all;
    struct node_tx tx;
    struct err err;
    if (!ledger_attempts(d->c->db, &all, d->s->id, d->arena, &err))
        return drive_lost(d, &err);
    struct attempt *payment = live_payment(&all), *more = unfinished(&all);
    if (payment == NULL)
        return drive_park(d, CODE_INTERNAL, "the ledger has no final transaction of it");
    if (!node_find(d->c->node, d->t.wallet, &payment->txid, &tx, &err))
        return drive_wait(d, SPEND_RETRY_US);
    if (tx.in_block)
        return drive_wait(d, SPEND_WATCH_US); // the reconciler tells the ledger
    if (d->s->cancel_asked)
        return drive_void(d, &all);
    if (more != NULL && more != payment) {
        const enum next next = go_on_with(d, more, payment);
        // A remedy that waits for its signatures does not keep the payment from the network.
        return next == NEXT_WAIT && more->raw.len == 0 && !tx.in_mempool
                   ? drive_broadcast(d, payment, NULL)
                   : next;
    }
    if (!tx.in_mempool)
        return drive_broadcast(d, payment, NULL);
    return drive_unstick(d, &all, payment);
}

enum next drive_parked(struct drive *d)
{
    struct attempts all;
    struct err err;
    if (!ledger_attempts(d->c->db, &all, d->s->id, d->arena, &err))
        return drive_lost(d, &err);
    if (d->s->cancel_asked)
        return drive_void(d, &all);
    struct attempt *a = drive_attempt(&all), *payment = live_payment(&all);
    if (a == NULL)
        return drive_wait(d, SPEND_PARKED_US);
    if (payment != NULL && d->s->code == CODE_FEE_TOO_HIGH)
        return drive_unstick(d, &all, payment);
    if (a->raw.len > 0)
        return drive_broadcast(d, a, NULL);
    const enum next next = drive_signatures(d, a);
    return next == NEXT_WAIT && a->raw.len == 0 && payment != NULL && d->s->state == SPEND_PARKED
               ? drive_broadcast(d, payment, NULL)
               : next;
}

// --- Taking it back ---

static struct sats highest_fee(const struct attempts *all)
{
    struct sats fee = { 0 };
    for (size_t i = 0; i < all->n; i++)
        if (all->items[i].fee.n > fee.n)
            fee = all->items[i].fee;
    return fee;
}

enum next drive_void(struct drive *d, const struct attempts *all)
{
    struct build build;
    struct err err;
    struct build_request request = { .wallet = d->t.wallet,
                                     .coins = &d->coins,
                                     .locked = &(struct outpoints){ NULL, 0 },
                                     .outputs = &(struct spend_outputs){ NULL, 0 },
                                     .anchor = &d->s->anchor,
                                     .everything_to_change = true,
                                     .least_fee = highest_fee(all),
                                     .change_index = d->s->change_index,
                                     .second_change_index = UINT32_MAX,
                                     .limits = &d->t.rules.limits };
    if (all->n == 0 || !drive_fee_rate(d, &request.fee_rate, &err) ||
        !drive_own_coins(d, &all->items[0], &err))
        return drive_wait(d, SPEND_RETRY_US);
    if (!build_spend(&build, &request, d->arena, &err)) {
        story_log(d->c->db, d->s->id, STORY_WARN, "It cannot be taken back: %s", err.text);
        return drive_wait(d, SPEND_PARKED_US);
    }
    struct attempt attempt = { .kind = ATTEMPT_VOID,
                               .psbt = build.psbt,
                               .txid = build.txid,
                               .fee = build.fee,
                               .vsize = build.vsize,
                               .inputs = build.inputs,
                               .n_inputs = build.n_inputs };
    story_log(d->c->db, d->s->id, STORY_SAY, "Taking it back by a payment to the wallet itself.");
    STOP_POINT("void");
    if (!ledger_attempt_add(d->c->db, d->s, &attempt, &err))
        return drive_lost(d, &err);
    STOP_POINT("voiding");
    return NEXT_STEP;
}

enum next drive_voiding(struct drive *d)
{
    struct attempts all;
    struct node_tx tx;
    struct err err;
    if (!ledger_attempts(d->c->db, &all, d->s->id, d->arena, &err))
        return drive_lost(d, &err);
    struct attempt *a = drive_attempt(&all);
    if (a == NULL || a->kind != ATTEMPT_VOID)
        return drive_wait(d, SPEND_PARKED_US);
    if (a->raw.len == 0) {
        const enum next next = drive_signatures(d, a);
        if (next != NEXT_STEP)
            return next;
    }
    if (!node_find(d->c->node, d->t.wallet, &a->txid, &tx, &err))
        return drive_wait(d, SPEND_RETRY_US);
    return tx.in_block || tx.in_mempool ? drive_wait(d, SPEND_WATCH_US)
                                        : drive_broadcast(d, a, NULL);
}
