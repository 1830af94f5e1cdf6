// coordinator/spend.c -- from a request to a stored transaction: received, approved, reserved, built.
#include "coordinator/spend.h"
#include "coordinator/coins.h"
#include "coordinator/spend_drive.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DRIVE_ARENA   ((size_t)256 << 20) // thousands of coins with their previous transactions
#define MOVES_MAX     32                  // of one drive: more is a circle
#define OTHERS_MAX    100                 // transactions that were made before for the same
#define SURGE_WAIT_US ((int64_t)30000000) // for the replica that has the code

// --- Shared ---

enum next drive_wait(struct drive *d, int64_t in_us)
{
    d->next_us = d->now_us + in_us;
    return NEXT_WAIT;
}

enum next drive_lost(struct drive *d, const struct err *err)
{
    LOG(d->c->log, LOG_WARNING, "spend_left", LOG_TEXT("spend", d->s->id),
        LOG_TEXT("state", spend_state_name(d->s->state)), LOG_TEXT("error", err->text));
    return NEXT_LOST;
}

enum next drive_park(struct drive *d, enum code code, const char *why)
{
    struct err err;
    // Parked already, or being taken back: told once, and D3 has no arrow for it.
    if (!spend_state_may(d->s->state, SPEND_PARKED))
        return drive_wait(d, SPEND_PARKED_US);
    story_log(d->c->db, d->s->id, STORY_WARN, "Parked: %s", why);
    if (!ledger_park(d->c->db, d->s, code, why, &err))
        return drive_lost(d, &err);
    return drive_wait(d, SPEND_PARKED_US);
}

static const char *what_to_do(enum code code)
{
    switch (code) {
    case CODE_QUORUM_LOST:
        return "Too few signers are ready. Nothing was sent; try again when they are back.";
    case CODE_VELOCITY_EXCEEDED:
    case CODE_FEE_VELOCITY_EXCEEDED:
        return "No signer was asked, so no budget is used. The window frees it again with time.";
    case CODE_SURGE_REQUIRED:
        return "With the code of the surge tier it may pass.";
    case CODE_COINS_BUSY:
        return "Wait for a block, and try again.";
    default:
        return "Nothing was sent.";
    }
}

static void tell_end(struct drive *d, enum spend_state state, enum code code, const char *text)
{
    struct db *db = d->c->db;
    const bool refused = state == SPEND_REJECTED || state == SPEND_REFUSED;
    story_log(db, d->s->id, code == CODE_INTERNAL ? STORY_ERROR : STORY_WARN, "%s", text);
    story_log(db, d->s->id, STORY_SAY, "%s", what_to_do(code));
    story_end(db, d->s->id, refused && code != CODE_QUORUM_LOST && code != CODE_COINS_BUSY, code);
}

// k signatures may exist, so it can still be sent: nobody is told that it was refused, or they would pay it again.
static enum next park_undecided(struct drive *d, enum code code, const char *text)
{
    const enum next next = drive_park(d, code, "signatures may exist, so the amount stays charged");
    story_log(d->c->db, d->s->id, STORY_WARN, "%s", text);
    story_log(d->c->db, d->s->id, STORY_SAY,
              "It may still be sent: do not ask for it again, but have it cancelled.");
    story_end(d->c->db, d->s->id, false, code);
    return next;
}

static enum next end_with(struct drive *d, enum spend_state state, enum code code, const char *text)
{
    struct err err;
    // The same goes for what was sent or is being taken back.
    if (d->s->state == SPEND_PARKED || d->s->state == SPEND_SENT || d->s->state == SPEND_VOIDING)
        return drive_wait(d, SPEND_PARKED_US);
    const size_t told = ledger_story_mark(d->c->db);
    tell_end(d, state, code, text);
    surge_codes_drop(d->c->codes, d->s->id);
    if (ledger_end(d->c->db, d->s, state, code, text, &err))
        return NEXT_WAIT;
    if (code_of(&err) != CODE_CONFLICT || !spend_state_may(d->s->state, SPEND_PARKED))
        return drive_lost(d, &err);
    ledger_story_forget(d->c->db, told);
    return park_undecided(d, code, text);
}

enum next drive_end(struct drive *d, enum spend_state state, const struct err *why)
{
    const bool internal = code_of(why) == CODE_INTERNAL;
    if (internal || why->detail[0] != '\0')
        LOG(d->c->log, internal ? LOG_ERROR : LOG_WARNING, "spend_error",
            LOG_TEXT("spend", d->s->id), LOG_TEXT("error", why->text),
            LOG_TEXT("detail", why->detail));
    // "Exception text goes to the caller" no more (C24).
    return end_with(d, state, code_of(why),
                    internal ? "The coordinator could not go on; its log says why." : why->text);
}

bool drive_fee_rate(struct drive *d, uint64_t *out, struct err *err)
{
    const struct spend_rules *rules = &d->t.rules;
    struct node_state state;
    uint64_t estimate = 0;
    bool known;
    const unsigned blocks =
        d->s->tier == TIER_SURGE ? rules->fee_blocks_surge : rules->fee_blocks_auto;
    if (!node_state(d->c->node, &state, err) ||
        !node_fee_rate(d->c->node, blocks, &estimate, &known, err))
        return false;
    const uint64_t least =
        state.relay_rate > state.mempool_rate ? state.relay_rate : state.mempool_rate;
    *out = spend_rules_rate(rules, d->s->fee_rate, known ? estimate : 0, least);
    return true;
}

bool drive_coins(struct drive *d, struct err *err)
{
    d->has_coins = d->has_coins || node_coins(d->c->node, d->t.wallet, &d->coins, d->arena, err);
    return d->has_coins;
}

bool drive_own_coins(struct drive *d, const struct attempt *attempt, struct err *err)
{
    return coins_of_psbt(&d->coins, d->t.wallet, attempt->psbt, d->arena, err);
}

struct attempt *drive_attempt(const struct attempts *all)
{
    for (size_t i = all->n; i-- > 0;)
        if (all->items[i].state != ATTEMPT_DEAD)
            return &all->items[i];
    return NULL;
}

// --- Building ---

static bool is_known(struct drive *d, const struct hash256 *txid, bool *out, struct err *err)
{
    struct db_rows rows;
    if (!db_query(d->c->db, &rows, "SELECT 1 FROM attempt WHERE txid = $1",
                  DB_ARGS(db_blob(BYTES_OF(txid->b))), d->arena, err))
        return false;
    *out = rows.n > 0;
    return true;
}

// A spend that ended leaves its coins and its change address to the next, which may pay the same: that would be the
// same transaction, of which dead signatures exist. Another locktime, in the past, makes it another one.
static bool build_other(struct drive *d, struct build *out, struct build_request *request,
                        struct err *err)
{
    struct node_state state;
    bool known = false;
    if (!build_spend(out, request, d->arena, err) || !is_known(d, &out->txid, &known, err))
        return false;
    if (known && !node_state(d->c->node, &state, err))
        return false;
    for (uint32_t i = 0; known && i < OTHERS_MAX && i < state.height; i++) {
        request->locktime = state.height - i;
        if (!build_spend(out, request, d->arena, err) || !is_known(d, &out->txid, &known, err))
            return false;
    }
    return !known || code_fail(err, CODE_CONFLICT, "each transaction for it was made before");
}

static bool make_request(struct drive *d, struct build_request *out, struct outpoints *locked,
                         struct err *err)
{
    *out = (struct build_request){ .wallet = d->t.wallet,
                                   .coins = &d->coins,
                                   .locked = locked,
                                   .outputs = &d->outputs,
                                   .change_index = d->s->change_index,
                                   // "One change address per spend", in two parts too.
                                   .second_change_index = d->s->change_index,
                                   .anchor = d->s->has_anchor ? &d->s->anchor : NULL,
                                   .limits = &d->t.rules.limits };
    return drive_fee_rate(d, &out->fee_rate, err) && drive_coins(d, err) &&
           ledger_locked_inputs(d->c->db, locked, d->s->wallet_id, d->arena, err);
}

static bool build_now(struct drive *d, struct build *out, struct err *err)
{
    struct outpoints locked;
    struct build_request request;
    return make_request(d, &request, &locked, err) && build_other(d, out, &request, err);
}

// What it will cost, before it has a change address: the coins that would pay it now.
static bool find_fee(struct drive *d, struct sats *out, struct err *err)
{
    struct outpoints locked;
    struct build_request request;
    struct coins_choice choice;
    if (!make_request(d, &request, &locked, err) || !coins_choose(&choice, &request, d->arena, err))
        return false;
    *out = choice.fee;
    return true;
}

static bool choose(struct drive *d, struct fleet_signer out[static SIGNERS_MAX], size_t *n,
                   struct err *err)
{
    return fleet_choose(d->c->fleet, d->s->wallet_id, d->t.row.k, d->s->amount, d->s->tier, NULL, 0,
                        out, n, err);
}

struct sats drive_outflow(const struct drive *d, enum attempt_kind kind)
{
    return kind == ATTEMPT_CHILD || kind == ATTEMPT_VOID ? (struct sats){ 0 } : d->s->amount;
}

bool drive_preflight(struct drive *d, enum attempt_kind kind, struct bytes psbt,
                     const struct fleet_signer *signers, size_t n, struct err *err)
{
    const bool pays = drive_outflow(d, kind).n > 0;
    const enum tier tier = pays ? d->s->tier : TIER_AUTO;
    const struct spend_outputs nothing = { NULL, 0 };
    struct signer_limits limits[SIGNERS_MAX];
    for (size_t i = 0; i < n; i++)
        if (!fleet_limits(d->c->fleet, signers[i].id, d->s->wallet_id, tier, &limits[i], d->arena))
            return code_fail(err, CODE_QUORUM_LOST, "signer %s has gone", signers[i].name);
    return preflight(d->t.wallet, psbt, pays ? &d->outputs : &nothing, limits, n, d->arena, err);
}

static bool check_signers(struct drive *d, const struct build *build, struct err *err)
{
    struct fleet_signer chosen[SIGNERS_MAX];
    size_t n;
    if (!choose(d, chosen, &n, err))
        return false;
    if (n > d->t.row.k)
        n = d->t.row.k;
    if (!drive_preflight(d, ATTEMPT_PAY, build->psbt, chosen, n, err))
        return false;
    for (d->n_flown = 0; d->n_flown < n; d->n_flown++)
        memcpy(d->flown[d->n_flown], chosen[d->n_flown].id, ID_SIZE);
    return true;
}

// --- The states ---

static bool is_late(const struct drive *d)
{
    return d->s->not_after_us != 0 && d->now_us > d->s->not_after_us;
}

static bool lacks_code(struct drive *d)
{
    struct fleet_auth auth;
    const bool found = surge_codes_get(d->c->codes, d->s->id, &auth);
    fleet_auth_wipe(&auth);
    return d->s->tier == TIER_SURGE && !found;
}

// A code lives in the replica that got it: the others leave the spend to that one for a while.
static enum next without_code(struct drive *d)
{
    if (d->now_us - d->s->created_us < SURGE_WAIT_US)
        return drive_wait(d, 1000000);
    struct err err;
    story_log(d->c->db, d->s->id, STORY_WARN,
              "The code is missing: somebody has to give it again.");
    if (!ledger_end(d->c->db, d->s, SPEND_AWAITING_APPROVAL, CODE_CODE_INVALID,
                    "the code is missing", &err))
        return drive_lost(d, &err);
    return NEXT_WAIT;
}

// All that can be known before anything is charged, then the charge.
static enum next reserve(struct drive *d)
{
    struct fleet_signer chosen[SIGNERS_MAX];
    struct sats fee = { 0 };
    struct err err;
    size_t n;
    if (!choose(d, chosen, &n, &err))
        return drive_end(d, SPEND_REJECTED, &err);
    if (d->s->amount.n > d->t.rules.amount_max.n) {
        (void)code_fail(&err, CODE_AMOUNT_OUT_OF_RANGE, "one spend is at most %" PRIu64 " sat",
                        d->t.rules.amount_max.n);
        return drive_end(d, SPEND_REJECTED, &err);
    }
    const bool ok = find_fee(d, &fee, &err);
    // What the cap forbids is told as such, though there are no coins for it either.
    if (!ok && code_of(&err) != CODE_INSUFFICIENT_FUNDS && code_of(&err) != CODE_COINS_BUSY)
        return drive_end(d, SPEND_REJECTED, &err);
    const struct err no_coins = err;
    STOP_POINT("reserve");
    if (!ledger_reserve(d->c->db, d->s, fee, &err))
        return err.code == ERR_PENDING || code_of(&err) == CODE_LEDGER_UNAVAILABLE ||
                       code_of(&err) == CODE_CONFLICT
                   ? drive_lost(d, &err)
                   : drive_end(d, SPEND_REJECTED, &err);
    STOP_POINT("reserved");
    return ok ? NEXT_STEP : drive_end(d, SPEND_FAILED, &no_coins);
}

static enum next received(struct drive *d)
{
    if (d->s->cancel_asked)
        return end_with(d, SPEND_CANCELLED, CODE_NONE, "Cancelled before anything was charged.");
    if (is_late(d))
        return end_with(d, SPEND_EXPIRED, CODE_EXPIRED, "It was not to be sent so late.");
    if (lacks_code(d))
        return without_code(d);
    return reserve(d);
}

// Whoever approves writes a row and wakes the spend.
static bool count_verdicts(struct drive *d, int64_t *approved, int64_t *rejected, struct err *err)
{
    struct db_rows rows;
    if (!db_query(d->c->db, &rows,
                  "SELECT CAST(coalesce(sum(CASE verdict WHEN 'approve' THEN 1 ELSE 0 END), 0) AS "
                  "bigint), CAST(coalesce(sum(CASE verdict WHEN 'reject' THEN 1 ELSE 0 END), 0) AS "
                  "bigint) FROM approval WHERE spend_id = $1 AND principal_id <> $2",
                  DB_ARGS(db_text(d->s->id), db_text(d->s->principal_id)), d->arena, err))
        return false;
    *approved = db_cell_int(&rows, 0, 0);
    *rejected = db_cell_int(&rows, 0, 1);
    return true;
}

static enum next awaiting(struct drive *d)
{
    int64_t approved, rejected;
    struct err err;
    if (d->s->cancel_asked)
        return end_with(d, SPEND_CANCELLED, CODE_NONE, "Cancelled before anything was charged.");
    if (is_late(d))
        return end_with(d, SPEND_EXPIRED, CODE_EXPIRED, "Nobody approved it in time.");
    if (!count_verdicts(d, &approved, &rejected, &err))
        return drive_lost(d, &err);
    if (rejected > 0)
        return end_with(d, SPEND_REJECTED, CODE_FORBIDDEN, "Somebody who was asked rejected it.");
    if (approved < (int64_t)d->t.rules.approvals || lacks_code(d)) {
        d->next_us = d->s->not_after_us != 0 ? d->s->not_after_us + 1 : INT64_MAX;
        return NEXT_WAIT;
    }
    return reserve(d);
}

static enum next reserved(struct drive *d)
{
    struct build build;
    struct err err;
    if (d->s->cancel_asked)
        return end_with(d, SPEND_CANCELLED, CODE_NONE, "Cancelled before a signer was asked.");
    if (is_late(d))
        return end_with(d, SPEND_FAILED, CODE_EXPIRED, "It was not to be sent so late.");
    story_begin(d->c->db, d->s->id, STEP_BUILD);
    if (!build_now(d, &build, &err) || !check_signers(d, &build, &err))
        return code_of(&err) == CODE_LEDGER_UNAVAILABLE ? drive_lost(d, &err)
                                                        : drive_end(d, SPEND_FAILED, &err);
    char txid[TXID_TEXT_SIZE];
    txid_to_text(txid, &build.txid);
    story_log(d->c->db, d->s->id, STORY_PLAIN,
              "PSBT with %zu input%s, fee %" PRIu64 " sat, will be transaction:", build.n_inputs,
              build.n_inputs == 1 ? "" : "s", build.fee.n);
    story_log(d->c->db, d->s->id, STORY_DATUM, "%s", txid);
    story_done(d->c->db, d->s->id, STEP_BUILD);
    struct attempt attempt = { .kind = ATTEMPT_PAY,
                               .psbt = build.psbt,
                               .txid = build.txid,
                               .fee = build.fee,
                               .vsize = build.vsize,
                               .inputs = build.inputs,
                               .n_inputs = build.n_inputs };
    STOP_POINT("build");
    if (!ledger_attempt_add(d->c->db, d->s, &attempt, &err)) {
        if (code_of(&err) == CODE_COINS_BUSY)
            return drive_wait(d, 50000); // another spend was faster; built anew from what is left
        return code_of(&err) == CODE_FEE_VELOCITY_EXCEEDED ? drive_end(d, SPEND_FAILED, &err)
                                                           : drive_lost(d, &err);
    }
    STOP_POINT("built");
    return NEXT_STEP;
}

static enum next signatures(struct drive *d)
{
    struct attempts all;
    struct err err;
    if (!ledger_attempts(d->c->db, &all, d->s->id, d->arena, &err))
        return drive_lost(d, &err);
    struct attempt *attempt = drive_attempt(&all);
    if (d->s->state == SPEND_BUILT && d->s->cancel_asked)
        return end_with(d, SPEND_CANCELLED, CODE_NONE, "Cancelled before a signer was asked.");
    if (attempt == NULL)
        return drive_park(d, CODE_INTERNAL, "the ledger has no transaction of it");
    if (d->s->state == SPEND_SIGNED && d->s->cancel_asked)
        return drive_park(d, CODE_NONE, "cancelled after it was signed");
    return d->s->state == SPEND_SIGNED ? drive_broadcast(d, attempt, NULL)
                                       : drive_signatures(d, attempt);
}

static enum next step(struct drive *d)
{
    switch (d->s->state) {
    case SPEND_RECEIVED:
        return received(d);
    case SPEND_AWAITING_APPROVAL:
        return awaiting(d);
    case SPEND_RESERVED:
        return reserved(d);
    case SPEND_BUILT:
    case SPEND_SIGNING:
    case SPEND_SIGNED:
        return signatures(d);
    case SPEND_PARKED:
        return drive_parked(d);
    case SPEND_SENT:
        return drive_sent(d);
    case SPEND_VOIDING:
        return drive_voiding(d);
    default:
        d->next_us = INT64_MAX; // confirmed and ended ones move by what the chain shows
        return NEXT_WAIT;
    }
}

static bool prepare(struct drive *d, struct err *err)
{
    return treasury_get(d->c->treasury, d->c->db, d->s->wallet_id, &d->t, d->arena, err) &&
           ledger_spend_outputs(d->c->db, &d->outputs, d->s->id, d->arena, err);
}

void spend_drive(const struct spend_context *context, struct spend *spend)
{
    AUTO(arena_freep) struct arena *arena = arena_new(DRIVE_ARENA);
    struct drive d = { .c = context, .s = spend, .arena = arena, .next_us = INT64_MAX };
    struct err err;
    enum next next = NEXT_STEP;
    if (!prepare(&d, &err)) {
        (void)drive_lost(&d, &err);
        return; // its lease runs out
    }
    for (unsigned i = 0; next == NEXT_STEP && i < MOVES_MAX; i++) {
        if (!db_now_us(context->db, &d.now_us, &err))
            next = drive_lost(&d, &err);
        else
            next = step(&d);
    }
    if (next == NEXT_STEP)
        (void)drive_wait(&d, SPEND_PARKED_US);
    // Who ended or was sent is nobody's already.
    if (next != NEXT_LOST && spend->owner[0] != '\0' &&
        !ledger_let_go(context->db, spend, d.next_us, &err))
        (void)drive_lost(&d, &err);
    if (!ledger_tell(context->db, &err))
        (void)drive_lost(&d, &err);
}
