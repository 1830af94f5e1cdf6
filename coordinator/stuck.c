// coordinator/stuck.c -- remedies for a transaction that does not confirm: a child that pays, a replacement.
//
// In this order, because a child moves change to change: it costs no device velocity and needs no code.
// Source: coordinator.md D7.
#include "coordinator/spend_drive.h"
#include <inttypes.h>
#include <string.h>

#define CHILD_VSIZE 220 // of one input and one output, at most; only to begin with

// What it pays together with a child that was sent, and since when it does.
struct paying {
    uint64_t fee, vsize;
    int64_t since_us;
};
static struct paying paying_of(const struct attempts *all, const struct attempt *live)
{
    struct paying p = { live->fee.n, live->vsize, live->first_sent_us };
    for (size_t i = 0; i < all->n; i++) {
        const struct attempt *a = &all->items[i];
        if (a->kind != ATTEMPT_CHILD || a->state != ATTEMPT_SENT)
            continue;
        p.fee += a->fee.n;
        p.vsize += a->vsize;
        p.since_us = a->first_sent_us > p.since_us ? a->first_sent_us : p.since_us;
    }
    return p;
}

// "unconfirmed for stuck_after (3 blocks or 1 h) with a rate below the estimate"; or somebody wants more to be
// paid than it pays.
static bool is_stuck(const struct drive *d, const struct paying *p, uint64_t rate)
{
    const uint64_t pays = p->vsize == 0 ? 0 : p->fee * 1000 / p->vsize;
    if (p->since_us == 0 || pays + pays / 20 >= rate)
        return false;
    return d->s->fee_rate > pays + pays / 20 ||
           d->now_us - p->since_us >= (int64_t)d->t.rules.stuck_s * 1000000;
}

static bool has_child(const struct attempts *all)
{
    for (size_t i = 0; i < all->n; i++)
        if (all->items[i].kind == ATTEMPT_CHILD && all->items[i].state != ATTEMPT_DEAD)
            return true;
    return false;
}

static bool store(struct drive *d, const struct build *build, enum attempt_kind kind,
                  struct err *err)
{
    struct attempt attempt = { .kind = kind,
                               .psbt = build->psbt,
                               .txid = build->txid,
                               .fee = build->fee,
                               .vsize = build->vsize,
                               .inputs = build->inputs,
                               .n_inputs = build->n_inputs };
    STOP_POINT("bump");
    if (!ledger_attempt_add(d->c->db, d->s, &attempt, err))
        return false;
    STOP_POINT("bumped");
    return true;
}

// By k signers, as they are now.
static bool would_be_signed(struct drive *d, enum attempt_kind kind, const struct build *build,
                            struct err *err)
{
    struct fleet_signer chosen[SIGNERS_MAX];
    const struct sats outflow = drive_outflow(d, kind);
    const enum tier tier = outflow.n > 0 ? d->s->tier : TIER_AUTO;
    const size_t k = d->t.row.k;
    size_t n;
    return fleet_choose(d->c->fleet, d->s->wallet_id, k, outflow, tier, NULL, 0, chosen, &n, err) &&
           drive_preflight(d, kind, build->psbt, chosen, n < k ? n : k, err);
}

// --- A child ---

// The parent's own change, as a coin. False: it has none.
static bool change_coin(const struct drive *d, const struct attempt *live, struct coin *out)
{
    for (size_t i = 0; i < d->coins.n; i++) {
        const struct coin *c = &d->coins.items[i];
        if (memcmp(&c->outpoint.txid, &live->txid, sizeof live->txid) == 0 &&
            c->place.branch == MS_CHANGE) {
            *out = *c;
            return true;
        }
    }
    return false;
}

static bool make_child(struct drive *d, const struct attempt *live, uint64_t rate, struct err *err)
{
    struct coin coin;
    struct build build;
    if (!change_coin(d, live, &coin))
        return code_fail(err, CODE_INSUFFICIENT_FUNDS, "it has no change to pay with");
    // What both together ought to pay, less what the parent pays.
    const uint64_t both = (live->vsize + CHILD_VSIZE) * rate / 1000;
    struct build_limits limits = d->t.rules.limits;
    limits.spend_own_change = true;
    const struct build_request request = {
        .wallet = d->t.wallet,
        .coins = &(struct coins){ &coin, 1 },
        .locked = &(struct outpoints){ NULL, 0 },
        .outputs = &(struct spend_outputs){ NULL, 0 },
        .fee_rate = rate,
        .anchor = &coin.outpoint,
        .everything_to_change = true,
        .least_fee = { both > live->fee.n ? both - live->fee.n : 0 },
        .change_index = d->s->change_index,
        .second_change_index = UINT32_MAX,
        .limits = &limits,
    };
    return build_spend(&build, &request, d->arena, err) &&
           would_be_signed(d, ATTEMPT_CHILD, &build, err) && store(d, &build, ATTEMPT_CHILD, err);
}

// --- A replacement ---

static bool make_replacement(struct drive *d, const struct attempt *live, uint64_t rate,
                             struct err *err)
{
    struct build build;
    const struct build_request request = {
        .wallet = d->t.wallet,
        .coins = &d->coins,
        .locked = &(struct outpoints){ NULL, 0 },
        .outputs = &d->outputs,
        .fee_rate = rate,
        .anchor = &d->s->anchor,
        .least_fee = live->fee,
        .change_index = d->s->change_index,
        .second_change_index = UINT32_MAX,
        .limits = &d->t.rules.limits,
    };
    struct fleet_auth code = { .given = false };
    // Its code went with the first signatures; without one no signer would sign it.
    const bool has_code = d->s->tier != TIER_SURGE || surge_codes_get(d->c->codes, d->s->id, &code);
    fleet_auth_wipe(&code);
    if (!has_code)
        return code_fail(err, CODE_SURGE_REQUIRED, "a replacement would need a new code");
    // "It is signed anew, so each device charges the full amount again; allowed only if budgets have room."
    return build_spend(&build, &request, d->arena, err) &&
           would_be_signed(d, ATTEMPT_REPLACE, &build, err) &&
           store(d, &build, ATTEMPT_REPLACE, err);
}

enum next drive_unstick(struct drive *d, const struct attempts *all, struct attempt *live)
{
    uint64_t rate;
    struct err err;
    if (!drive_fee_rate(d, &rate, &err))
        return drive_wait(d, SPEND_RETRY_US);
    const struct paying paying = paying_of(all, live);
    if (d->s->state == SPEND_SENT && !is_stuck(d, &paying, rate))
        return drive_wait(d, SPEND_WATCH_US);
    if (d->s->bumps >= d->t.rules.max_bumps) {
        LOG(d->c->log, LOG_WARNING, "spend_stuck", LOG_TEXT("spend", d->s->id),
            LOG_U64("bumps", d->s->bumps));
        return drive_wait(d, 10 * SPEND_WATCH_US);
    }
    if (!drive_coins(d, &err))
        return drive_wait(d, SPEND_RETRY_US);
    story_log(d->c->db, d->s->id, STORY_SAY,
              "It does not confirm: paying more, %" PRIu64 " sat per 1000 vB.", rate);
    const bool child = !has_child(all) && make_child(d, live, rate, &err);
    if (child || (drive_own_coins(d, live, &err) && make_replacement(d, live, rate, &err)))
        return NEXT_STEP;
    if (code_of(&err) == CODE_LEDGER_UNAVAILABLE || err.code == ERR_STATE)
        return drive_lost(d, &err);
    story_log(d->c->db, d->s->id, STORY_WARN, "That is not possible now: %s", err.text);
    LOG(d->c->log, LOG_WARNING, "spend_stuck", LOG_TEXT("spend", d->s->id),
        LOG_TEXT("error", err.text));
    return drive_wait(d, 10 * SPEND_WATCH_US);
}
