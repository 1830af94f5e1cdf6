// coordinator/spend_sign.c -- asks signers, one after the other, until k good signatures are stored.
//
// An answer is stored by the commit that comes next: the one that announces the next request, the one that stores the
// final transaction, or one of its own. Nothing goes out in between. Whoever dies before that finds a request without
// an answer, as if the reply had been lost (D4).
#include "coordinator/refusal.h"
#include "coordinator/spend_drive.h"
#include <stdio.h>
#include <string.h>

// The last answer, which waits to be stored.
struct waiting {
    bool is_there;
    struct sign_request request;
    struct fleet_answer said;
    struct sign_answer answer; // borrows from both
};

// What the signers have said so far about one attempt. Stays where it is.
struct tally {
    struct waiting waiting;
    struct bytes checked[SIGNERS_MAX]; // their PSBTs, cut down to good signatures
    size_t n_signed;
    char done[SIGNERS_MAX][ID_SIZE]; // signed or refused: not asked again
    size_t n_done;
    char maybe[SIGNERS_MAX][ID_SIZE]; // asked, no definite answer: asked first, and the same again
    size_t n_maybe;
    bool policy_refusal; // another signer would say the same
    bool other_refusal;
    size_t n_refused;
    char last[256]; // for people
    char tag[16];
};

static bool is_in(const char (*ids)[ID_SIZE], size_t n, const char *id)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(ids[i], id) == 0)
            return true;
    return false;
}

static void put(char (*ids)[ID_SIZE], size_t *n, const char *id)
{
    if (*n < SIGNERS_MAX && !is_in((const char(*)[ID_SIZE])ids, *n, id))
        memcpy(ids[(*n)++], id, ID_SIZE);
}

// "tags amount, address, wallet, warning, user end the spend (another signer would say the same)"; a local
// operator's no is a no.
static bool ends_spend(const char *tag)
{
    switch (refusal_tag_of_name(bytes_of_text(tag))) {
    case REFUSAL_AMOUNT:
    case REFUSAL_ADDRESS:
    case REFUSAL_WALLET:
    case REFUSAL_WARNING:
    case REFUSAL_USER:
    case REFUSAL_LOCAL:
        return true;
    default:
        return false;
    }
}

// A request counts by the last one of that signer.
static void count(struct tally *t, const struct sign_request *r)
{
    switch (r->state) {
    case SIGN_SIGNED:
        if (t->n_signed < SIGNERS_MAX &&
            !is_in((const char(*)[ID_SIZE])t->done, t->n_done, r->signer_id)) {
            t->checked[t->n_signed++] = r->signatures;
            put(t->done, &t->n_done, r->signer_id);
        }
        return;
    case SIGN_REFUSED:
        t->n_refused++;
        put(t->done, &t->n_done, r->signer_id);
        if (ends_spend(r->tag))
            t->policy_refusal = true;
        else
            t->other_refusal = true;
        (void)snprintf(t->last, sizeof t->last, "%s", r->detail);
        (void)snprintf(t->tag, sizeof t->tag, "%s", r->tag);
        return;
    case SIGN_ASKED:
    case SIGN_UNKNOWN:
        put(t->maybe, &t->n_maybe, r->signer_id);
        return;
    case SIGN_PLANNED:
        return;
    }
}

static bool tally_read(struct drive *d, const struct attempt *a, struct tally *out, struct err *err)
{
    struct sign_requests all;
    *out = (struct tally){ .n_signed = 0 };
    if (!ledger_sign_requests(d->c->db, &all, a->id, d->arena, err))
        return false;
    for (size_t i = 0; i < all.n; i++)
        count(out, &all.items[i]);
    return true;
}

// --- Asking one ---

static enum sign_state outcome_of(const struct fleet_answer *answer, bool is_good)
{
    switch (answer->outcome) {
    case FLEET_SIGNED:
        return is_good ? SIGN_SIGNED : SIGN_UNKNOWN; // what it really signed, nobody knows
    case FLEET_REFUSED:
        return SIGN_REFUSED;
    case FLEET_BUSY:
    case FLEET_UNSENT:
        return SIGN_PLANNED;
    case FLEET_TIMEOUT:
    case FLEET_GONE:
        return SIGN_UNKNOWN;
    }
    return SIGN_UNKNOWN;
}

static void tell_answer(struct drive *d, const struct fleet_signer *signer,
                        const struct fleet_answer *answer, enum sign_state outcome)
{
    struct db *db = d->c->db;
    if (outcome == SIGN_SIGNED)
        story_log(db, d->s->id, STORY_GOOD, "Signer %u (%s) signed.", signer->number, signer->name);
    else
        story_log(db, d->s->id, STORY_WARN, "Signer %u (%s): %s", signer->number, signer->name,
                  answer->text);
}

static void wait_to_store(struct waiting *w, enum sign_state outcome, struct bytes checked)
{
    w->answer = (struct sign_answer){ &w->request, outcome, w->said.tag, w->said.text, checked };
    w->is_there = true;
}

static const struct sign_answer *waits(const struct tally *t)
{
    return t->waiting.is_there ? &t->waiting.answer : NULL;
}

static void was_stored(struct tally *t)
{
    if (t->waiting.is_there)
        STOP_POINT("answer-stored");
    t->waiting.is_there = false;
}

// Nothing else is to be stored with it.
static bool store_answer(struct drive *d, struct tally *t, struct err *err)
{
    const struct sign_answer *a = waits(t);
    if (a != NULL && !ledger_sign_answer(d->c->db, d->s, a->request, a->outcome, a->tag, a->detail,
                                         a->signatures, err))
        return false;
    was_stored(t);
    return true;
}

// What a signer that says it signed returned is good. checked: cut down to its signatures.
static bool is_good(struct drive *d, const struct attempt *a, const struct fleet_signer *signer,
                    struct fleet_answer *said, struct bytes *checked)
{
    struct err err;
    struct xfp xfp;
    memcpy(xfp.b, signer->xfp, sizeof xfp.b);
    if (combine_check(checked, d->t.wallet, a->psbt, said->psbt, xfp, d->arena, &err))
        return true;
    LOG(d->c->log, LOG_ERROR, "signer_lied", LOG_TEXT("spend", d->s->id),
        LOG_TEXT("signer", signer->name), LOG_TEXT("error", err.text));
    (void)snprintf(said->tag, sizeof said->tag, "protocol");
    (void)snprintf(said->text, sizeof said->text, "its answer is not what was asked for");
    return false;
}

// Asks; the answer waits to be stored, and the tally grows. False: the ledger failed.
static bool ask(struct drive *d, struct attempt *a, const struct fleet_signer *signer,
                struct tally *t, struct err *err)
{
    AUTO(fleet_auth_wipe) struct fleet_auth auth = { .given = false };
    AUTO(arena_freep) struct arena *arena = arena_new((size_t)64 << 20);
    struct waiting *w = &t->waiting;
    struct sign_request request;
    struct bytes checked = { 0 };
    if (d->s->tier == TIER_SURGE && drive_outflow(d, a->kind).n > 0)
        (void)surge_codes_get(d->c->codes, d->s->id, &auth);
    story_log(d->c->db, d->s->id, STORY_SAY, "Asking signer %u (%s).", signer->number,
              signer->name);
    STOP_POINT("ask");
    if (!ledger_sign_ask_next(d->c->db, d->s, a, waits(t), signer->id, &request, err))
        return false;
    was_stored(t);
    STOP_POINT("asked");
    w->request = request;
    fleet_sign(d->c->fleet, signer->id, a->psbt, d->s, &auth, &w->said, arena);
    STOP_POINT("answered");
    const bool good = w->said.outcome == FLEET_SIGNED && is_good(d, a, signer, &w->said, &checked);
    const enum sign_state outcome = outcome_of(&w->said, good);
    tell_answer(d, signer, &w->said, outcome);
    wait_to_store(w, outcome, checked);
    request.state = outcome;
    request.signatures = checked;
    (void)snprintf(request.tag, sizeof request.tag, "%s", w->said.tag);
    (void)snprintf(request.detail, sizeof request.detail, "%s", w->said.text);
    count(t, &request);
    return true;
}

// --- All of them ---

// Those that may have signed already, then those that are chosen: "two rounds" never ask one twice.
static size_t line_up(struct drive *d, const struct attempt *a, const struct tally *t,
                      struct fleet_signer out[static SIGNERS_MAX], struct err *err)
{
    struct fleet_signer all[SIGNERS_MAX], chosen[SIGNERS_MAX];
    const size_t n_all = fleet_view(d->c->fleet, d->s->wallet_id, all);
    const size_t need = d->t.row.k - t->n_signed;
    char skip[SIGNERS_MAX][ID_SIZE];
    size_t n = 0, n_skip = 0, n_chosen = 0;
    for (size_t i = 0; i < n_all; i++)
        if (is_in(t->maybe, t->n_maybe, all[i].id) && !is_in(t->done, t->n_done, all[i].id) &&
            all[i].enabled && all[i].active)
            out[n++] = all[i];
    for (size_t i = 0; i < t->n_done; i++)
        put(skip, &n_skip, t->done[i]);
    for (size_t i = 0; i < t->n_maybe; i++)
        put(skip, &n_skip, t->maybe[i]);
    const size_t more = need > n ? need - n : 0;
    if (fleet_choose(d->c->fleet, d->s->wallet_id, more > 0 ? more : 1, drive_outflow(d, a->kind),
                     drive_outflow(d, a->kind).n > 0 ? d->s->tier : TIER_AUTO,
                     (const char(*)[ID_SIZE])skip, n_skip, chosen, &n_chosen, err))
        for (size_t i = 0; i < n_chosen && n < SIGNERS_MAX; i++)
            out[n++] = chosen[i];
    return n;
}

// Before each signer: a slow one must not cost us the lease, or another worker asks it again; a fast one need not cost a
// commit.
static bool keep_holding(struct drive *d, struct err *err)
{
    if (d->c->alive != NULL)
        d->c->alive(d->c->alive_context);
    return db_now_us(d->c->db, &d->now_us, err) &&
           (d->s->lease_until_us - d->now_us >= SPEND_ASK_US ||
            ledger_renew(d->c->db, d->s, SPEND_LEASE_US, err));
}

// "so that a doomed request is never sent": a substitute, and whoever signs a remedy, is looked at as the first ones
// were. One that may have signed already is asked the same again.
static bool would_sign(struct drive *d, const struct attempt *a, const struct tally *t,
                       const struct fleet_signer *signer, struct err *err)
{
    if (is_in(t->maybe, t->n_maybe, signer->id) ||
        (a->kind == ATTEMPT_PAY && is_in((const char(*)[ID_SIZE])d->flown, d->n_flown, signer->id)))
        return true;
    return drive_preflight(d, a->kind, a->psbt, signer, 1, err);
}

// Until k have signed. False: the ledger failed. why: told when one was passed over.
static bool ask_line(struct drive *d, struct attempt *a, const struct fleet_signer *line, size_t n,
                     struct tally *t, struct err *why, struct err *err)
{
    // "allow one substitute from the eligible rest"
    size_t left = d->t.row.k - t->n_signed + 1;
    for (size_t i = 0; i < n && left > 0 && t->n_signed < d->t.row.k && !t->policy_refusal; i++) {
        if (!would_sign(d, a, t, &line[i], why)) {
            story_log(d->c->db, d->s->id, STORY_WARN, "Signer %u (%s) is not asked: %s",
                      line[i].number, line[i].name, why->text);
            continue;
        }
        if (!keep_holding(d, err) || !ask(d, a, &line[i], t, err))
            return false;
        left--;
    }
    return keep_holding(d, err);
}

static enum next finish(struct drive *d, struct attempt *a, struct tally *t)
{
    struct bytes raw;
    struct err err;
    const bool is_first =
        a->kind == ATTEMPT_PAY; // what comes later has no place among the seed's steps
    if (is_first) {
        story_done(d->c->db, d->s->id, STEP_SIGN);
        story_begin(d->c->db, d->s->id, STEP_COMBINE);
    }
    if (!combine_finalize(&raw, d->t.wallet, a->psbt, t->checked, t->n_signed, d->arena, &err)) {
        LOG(d->c->log, LOG_ERROR, "not_final", LOG_TEXT("spend", d->s->id),
            LOG_TEXT("error", err.text));
        return store_answer(d, t, &err)
                   ? drive_park(d, CODE_INTERNAL, "the signatures do not make a final transaction")
                   : drive_lost(d, &err);
    }
    if (is_first)
        story_done(d->c->db, d->s->id, STEP_COMBINE);
    STOP_POINT("final");
    if (!ledger_signed_at_last(d->c->db, d->s, a, waits(t), raw, &err))
        return drive_lost(d, &err);
    was_stored(t);
    a->raw = raw;
    a->state = ATTEMPT_SIGNED;
    surge_codes_drop(d->c->codes, d->s->id);
    STOP_POINT("final-stored");
    return NEXT_STEP;
}

// k signatures are not to be had now.
static enum next fall_short(struct drive *d, const struct attempt *a, const struct tally *t,
                            const struct err *quorum)
{
    struct err why;
    const bool is_first = a->kind == ATTEMPT_PAY;
    if (t->policy_refusal || t->other_refusal) {
        (void)code_fail(&why, CODE_SIGNER_REFUSED, "A signer refused: %s", t->last);
        if (is_first)
            return drive_end(d, SPEND_REFUSED, &why);
        // A payment that was sent stays so, whatever becomes of its remedy.
        return d->s->state == SPEND_SENT ? drive_wait(d, SPEND_PARKED_US)
                                         : drive_park(d, CODE_SIGNER_REFUSED, why.text);
    }
    if (!is_first)
        return drive_wait(d, SPEND_PARKED_US);
    if (d->now_us - d->s->created_us < (int64_t)d->t.rules.give_up_s * 1000000)
        return drive_wait(d, SPEND_RETRY_US);
    if (quorum->code != ERR_NONE)
        return drive_end(d, d->s->state == SPEND_BUILT ? SPEND_FAILED : SPEND_REFUSED, quorum);
    (void)code_fail(&why, CODE_QUORUM_LOST, "Signers did not answer: %s",
                    t->last[0] != '\0' ? t->last : "no reason is known");
    return drive_end(d, d->s->state == SPEND_BUILT ? SPEND_FAILED : SPEND_REFUSED, &why);
}

// A surge spend whose code went with a process can get no further signature.
static bool code_is_lost(struct drive *d, const struct attempt *a)
{
    struct fleet_auth auth;
    if (d->s->tier != TIER_SURGE || drive_outflow(d, a->kind).n == 0)
        return false;
    const bool found = surge_codes_get(d->c->codes, d->s->id, &auth);
    fleet_auth_wipe(&auth);
    return !found;
}

static enum next lost_code(struct drive *d)
{
    struct err why;
    (void)code_fail(&why, CODE_CODE_INVALID, "The code is gone; ask again with a new one.");
    return drive_end(d, d->s->state == SPEND_BUILT ? SPEND_FAILED : SPEND_REFUSED, &why);
}

enum next drive_signatures(struct drive *d, struct attempt *attempt)
{
    struct fleet_signer line[SIGNERS_MAX];
    struct err err, quorum = { .code = ERR_NONE };
    struct tally t;
    if (!tally_read(d, attempt, &t, &err))
        return drive_lost(d, &err);
    if (t.n_signed >= d->t.row.k)
        return finish(d, attempt, &t);
    if (code_is_lost(d, attempt))
        return d->now_us - d->s->created_us < SPEND_RETRY_US * 6 ? drive_wait(d, 1000000)
                                                                 : lost_code(d);
    if (attempt->kind == ATTEMPT_PAY && d->s->state != SPEND_PARKED) { // else told before
        story_begin(d->c->db, d->s->id, STEP_FAN_OUT);
        story_done(d->c->db, d->s->id, STEP_FAN_OUT);
        story_begin(d->c->db, d->s->id, STEP_SIGN);
    }
    const size_t n = line_up(d, attempt, &t, line, &quorum);
    if (!ask_line(d, attempt, line, n, &t, &quorum, &err))
        return drive_lost(d, &err);
    if (t.n_signed >= d->t.row.k)
        return finish(d, attempt, &t);
    return store_answer(d, &t, &err) ? fall_short(d, attempt, &t, &quorum) : drive_lost(d, &err);
}
