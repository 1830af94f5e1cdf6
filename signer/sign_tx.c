#include "signer/sign_tx.h"
#include "base/base64.h"
#include "base/require.h"
#include "bitcoin/message.h"
#include "bitcoin/psbt_err.h"
#include "policy/audit_text.h"
#include "signer/audit.h"
#include "signer/device_wallets.h"
#include "signer/hsm_report.h"
#include "signer/sign_work.h"
#include "wire/request.h"

#define TOO_COMPLEX "Transaction is too complex"

// "one more line follows: the base64 of a 65-byte message signature (header base 31, never ground)
// by the master key over the story in that form"
static bool write_story_signature(struct writer *w, const struct device *device, struct bytes story,
                                  struct err *err)
{
    uint8_t signature[MESSAGE_SIGNATURE_LEN];
    const struct hdkey *master = device_open_master(device);
    const bool ok = master != NULL && message_sign(signature, &master->key, ADDR_P2PKH, story, err);
    device_close_master(device);
    if (!ok)
        return master == NULL && err_set(err, ERR_STATE, "Assertion no seed");
    base64_write(w, BYTES_OF(signature));
    writer_u8(w, '\n');
    return true;
}

static bool visualize(struct device *device, struct job *job, struct err *err)
{
    const struct bytes story = job->story;
    struct writer w = writer_growing(job->arena, JOB_ARENA_MAX);
    writer_put(&w, story);
    if ((job->flags & STXN_SIGNED) != 0 && !write_story_signature(&w, device, story, err))
        return false;
    struct bytes text;
    if (!writer_finish(&w, &text))
        return err_set(err, ERR_NO_MEMORY, TOO_COMPLEX);
    blob_set(&job->result, text);
    job->result_len = text.len;
    job->result_hash = sha256(text);
    return true;
}

// The result is there: whoever asked for it may download it (wire-protocol.md 6.2).
static void finish(struct device *device, struct job *job)
{
    struct peer *peer = peers_find(&device->peers, job->peer);
    if (peer != NULL && device->state == DEVICE_HSM) {
        lease_grant(&peer->lease, 1, &job->result); // nobody else can ask for it
    } else if (peer != NULL) {
        AUTO(blob_drop) struct blob copy = { 0 };
        blob_set(&copy, blob_bytes(&job->result));
        lease_grant(&peer->lease, 1, &copy);
    }
    job_finish(job);
}

// --- Signing: only after what limits later spends is stored ---

// Hardware that computes wrongly must not try again: psbt-signing.md 25.3, rule 5.
static void stop_if_broken(struct device *device, const struct err *err)
{
    if (err->code != ERR_INTERNAL)
        return;
    LOG(device->log, LOG_ERROR, "signature_wrong", LOG_TEXT("detail", err->detail));
    device_stop_in(device, 0, false); // from the loop: this job is still being worked on
}

// --- What is remembered of amounts: psbt-signing.md 17 ---

static bool all_native_segwit(const struct psbt_facts *facts)
{
    for (size_t i = 0; i < facts->tx.n_in; i++) {
        const enum script_kind kind = script_classify(facts->plans[i].spend.script);
        if (kind != SCRIPT_P2WPKH && kind != SCRIPT_P2WSH && kind != SCRIPT_P2TR)
            return false;
    }
    return true;
}

static bool is_segwit_output(const struct output_facts *out)
{
    const enum script_kind kind = script_classify(out->script);
    return kind == SCRIPT_P2WPKH || kind == SCRIPT_P2WSH || kind == SCRIPT_P2TR;
}

// One transaction's change pushes out that many older amounts at most: else ten that send nothing to
// anybody, which a policy may allow without a limit, would have the signer forget what it has seen. An
// amount that is signed for is always remembered.
#define CHANGE_PUSHES_OUT 1000

static bool amounts_to_remember(struct hsm_amounts *out, const struct job *job, struct err *err)
{
    const struct psbt_facts *facts = job->facts;
    struct store_amount *items =
        arena_array(job->arena, facts->tx.n_in + facts->tx.n_out, sizeof *items);
    if (items == NULL)
        return err_set(err, ERR_NO_MEMORY, TOO_COMPLEX);
    *out = (struct hsm_amounts){ items, 0, 0 };
    if (facts->tx.is_message)
        return true;
    for (size_t i = 0; i < facts->tx.n_in; i++) {
        const struct input_facts *in = &facts->tx.in[i];
        // Only what is signed for: of the others the host may say anything.
        if (in->will_sign && spend_is_segwit(facts->plans[i].spend.kind))
            items[out->n++] = (struct store_amount){ in->prevout, in->amount };
    }
    if (!all_native_segwit(facts))
        return true;
    const struct hash256 txid = job->facts->tx.txid;
    const size_t n_inputs = out->n;
    for (size_t i = 0; i < facts->tx.n_out; i++) {
        const struct output_facts *change = &facts->tx.out[i];
        if (change->change && is_segwit_output(change))
            items[out->n++] = (struct store_amount){ { txid, (uint32_t)i }, change->amount };
    }
    const size_t n_change = out->n - n_inputs;
    out->n_weak = n_change > CHANGE_PUSHES_OUT ? n_change - CHANGE_PUSHES_OUT : 0;
    return true;
}

// --- HSM mode ---

// Everything that one decision is made of and leads to.
struct ruling {
    struct auth_facts auth;
    struct decision decision;
    struct bytes text; // of the decision
    struct audit record;
};

static void open_record(struct device *device, struct ruling *ruling, const struct job *job)
{
    struct err err;
    ruling->auth.card_usable =
        !device->hsm->policy.never_log &&
        audit_open(&ruling->record, store_dir_fd(device->store), AUDIT_PSBT, &job->psbt_hash, &err);
}

static bool evaluate(struct device *device, struct ruling *ruling, const struct job *job,
                     const struct user_list *users, struct err *err)
{
    const struct hsm *hsm = device->hsm;
    const int64_t now_s = hsm_now_s(device);
    ruling->auth.users = users->items;
    ruling->auth.n_users = users->n;
    ruling->auth.queue = &hsm->queue;
    ruling->auth.has_local_code = hsm_has_code(device);
    memcpy(ruling->auth.local_code, hsm->code, sizeof hsm->code);
    ruling->auth.local_secret = BYTES_OF(hsm->local_secret);
    policy_decide(&ruling->decision, &hsm->policy, &job->facts->tx, &ruling->auth, &hsm->velocity,
                  now_s);
    struct writer w = writer_growing(job->arena, DECISION_TEXT_MAX);
    decision_write(&w, &ruling->decision, &hsm->policy, &job->facts->tx);
    return writer_finish(&w, &ruling->text) || err_set(err, ERR_NO_MEMORY, TOO_COMPLEX);
}

// On the card, and on its disk before the decision is on ours. False if it could not be put there.
static bool put_record(struct device *device, struct audit *record, struct bytes text,
                       struct err *err)
{
    struct audit_list *records = device->records;
    if (records != NULL && records->n < AUDIT_TOGETHER_MAX)
        return audit_append(records, record, text, err);
    if (!audit_save(record, text, err))
        return false;
    store_step(device->store, "logged");
    return true;
}

static bool save_record(struct device *device, struct ruling *ruling, const struct job *job)
{
    if (!ruling->auth.card_usable || !ruling->decision.log) {
        audit_cancel(&ruling->record);
        return true;
    }
    struct writer w = writer_growing(job->arena, JOB_ARENA_MAX);
    audit_transaction_write(&w, &ruling->decision, &device->hsm->policy, &job->facts->tx,
                            &ruling->auth, sign_work_story(device, job, STORY_LOG));
    struct bytes record;
    struct err err;
    if (!writer_finish(&w, &record)) {
        audit_cancel(&ruling->record);
        return false;
    }
    if (put_record(device, &ruling->record, record, &err))
        return true;
    LOG(device->log, LOG_WARNING, "card_failed", LOG_TEXT("error", err.text));
    return false;
}

// "with `must_log` a failed flush is a refusal": decided again as if there had been no card.
static bool rule(struct device *device, struct ruling *ruling, const struct job *job,
                 struct err *err)
{
    const struct user_list *users = device_open_users(device);
    open_record(device, ruling, job);
    bool ok = evaluate(device, ruling, job, users, err);
    store_step(device->store, "decided");
    if (!ok)
        audit_cancel(&ruling->record);
    if (ok && !save_record(device, ruling, job)) {
        ruling->decision.log = false; // the journal says so
        ruling->auth.card_usable = false;
        ok = !device->hsm->policy.must_log || evaluate(device, ruling, job, users, err);
    }
    device_close_users(device);
    return ok;
}

// What is left to do once the decision is on disk.
static bool keep_decision(struct job *job, struct device *device, const struct ruling *ruling,
                          struct err *err)
{
    const int64_t now_s = hsm_now_s(device);
    struct velocity *before = arena_alloc(job->arena, sizeof *before);
    if (before == NULL)
        return err_set(err, ERR_NO_MEMORY, TOO_COMPLEX);
    velocity_copy(before, &device->hsm->velocity);
    velocity_advance(before, &device->hsm->policy, now_s);
    job->before = before;
    job->decision = &ruling->decision;
    job->decision_text = ruling->text;
    return true;
}

static bool decide(struct device *device, struct job *job, struct ruling *ruling, struct err *err)
{
    struct hsm_amounts amounts = { 0 };
    if (!amounts_to_remember(&amounts, job, err) || !rule(device, ruling, job, err) ||
        !keep_decision(job, device, ruling, err))
        return false;
    if (ruling->decision.verdict != VERDICT_SIGN)
        amounts = (struct hsm_amounts){ 0 };
    const struct hsm_ruling final = { .decision = &ruling->decision,
                                      .text = ruling->text,
                                      .hash = job->psbt_hash,
                                      .tx = &job->facts->tx,
                                      .auth = &ruling->auth,
                                      .amounts = amounts };
    if (hsm_decide(device, &final, err))
        return true;
    LOG(device->log, LOG_ERROR, "decision_not_stored", LOG_TEXT("error", err->text));
    return err_set(err, ERR_IO, "Signing failed late");
}

static bool run_hsm(struct device *device, struct job *job, struct err *err)
{
    struct ruling *ruling = arena_alloc(job->arena, sizeof *ruling);
    if (ruling == NULL)
        return err_set(err, ERR_NO_MEMORY, TOO_COMPLEX);
    return decide(device, job, ruling, err);
}

static void log_decision(const struct device *device, const struct job *job)
{
    const bool sign = job->decision->verdict == VERDICT_SIGN;
    LOG(device->log, LOG_INFO, sign ? "transaction_approved" : "transaction_refused",
        LOG_BYTES("text", bytes_slice(job->decision_text, 0, 400)),
        LOG_U64("spent_sats", job->decision->spent.n),
        LOG_U64("approvals", device->hsm->counters.approvals),
        LOG_U64("refusals", device->hsm->counters.refusals));
}

static void fail(struct device *device, struct job *job, const struct err *err)
{
    LOG(device->log, LOG_INFO, "transaction_failed", LOG_TEXT("error", err->text),
        LOG_TEXT("detail", err->detail));
    journal_failure(device, &job->psbt_hash, err);
    job_fail(job, err);
}

// With dedupe another request for the same transaction may have been decided after this one and not
// been charged for it: it is signed on this charge, which therefore stays.
static bool is_relied_on(const struct device *device, const struct job *job)
{
    for (size_t i = 0; i < PEERS_MAX; i++) {
        const struct peer *peer = device->peers.items[i];
        if (peer == NULL || peer->job.kind != JOB_TRANSACTION || job_is_over(&peer->job) ||
            peer->job.decision == NULL)
            continue;
        const struct job *other = &peer->job;
        if (other->decision->repeated && other->decision->rule == job->decision->rule &&
            bytes_equal(BYTES_OF(other->facts->tx.txid.b), BYTES_OF(job->facts->tx.txid.b)))
            return true;
    }
    return false;
}

static void take_back(struct device *device, const struct job *job)
{
    struct err err;
    if (is_relied_on(device, job))
        return;
    if (!hsm_take_back(device, job->decision, job->before, &job->psbt_hash, &err))
        LOG(device->log, LOG_ERROR, "charge_not_taken_back", LOG_TEXT("error", err.text));
}

static void approved_is_signed(struct device *device, struct job *job,
                               const struct sign_outcome *outcome)
{
    store_step(device->store, "signed");
    if (!outcome->is_signed && outcome->err->code != ERR_INTERNAL)
        take_back(device, job);
    if (outcome->err == NULL) {
        if (!outcome->is_dropped)
            finish(device, job);
        return;
    }
    stop_if_broken(device, outcome->err);
    if (!outcome->is_dropped)
        fail(device, job, outcome->err);
}

// --- Normal mode: a person decides ---

// "records when a signature is about to be released"; there is no policy state to commit it with.
static bool remember_amounts(struct device *device, const struct job *job, struct err *err)
{
    const struct store_decision stored = { .counters = store_get_counters(device->store),
                                           .amounts = job->amounts->items,
                                           .n_amounts = job->amounts->n,
                                           .n_weak = job->amounts->n_weak };
    if (store_commit_decision(device->store, &stored, err))
        return true;
    LOG(device->log, LOG_ERROR, "amounts_not_stored", LOG_TEXT("error", err->text));
    return err_set(err, ERR_IO, "Signing failed late");
}

static void accepted_is_signed(struct device *device, struct job *job,
                               const struct sign_outcome *outcome)
{
    struct err err;
    if (outcome->err != NULL) {
        job_fail(job, outcome->err);
        stop_if_broken(device, outcome->err);
    } else if (outcome->is_dropped) {
        return;
    } else if (!remember_amounts(device, job, &err)) {
        job_fail(job, &err);
    } else {
        finish(device, job);
    }
}

static void sign_after_ok(struct device *device)
{
    struct job *job = &device->job;
    struct hsm_amounts *amounts = arena_alloc(job->arena, sizeof *amounts);
    struct err err;
    if (amounts == NULL)
        (void)err_set(&err, ERR_NO_MEMORY, TOO_COMPLEX);
    if (amounts == NULL || !amounts_to_remember(amounts, job, &err)) {
        job_fail(job, &err);
        return;
    }
    job->amounts = amounts;
    sign_work_sign(device, job, accepted_is_signed);
}

static void transaction_key(void *context, char key)
{
    struct device *device = context;
    if (key == 'x') {
        job_refuse(&device->job);
        screen_done(&device->screen);
    } else if (key == 'y') {
        screen_done(&device->screen);
        sign_after_ok(device);
    }
}

// Another command has discarded the job.
static void transaction_dismissed(void *context)
{
    struct device *device = context;
    if (device->job.kind == JOB_TRANSACTION && device->job.state == JOB_WAITING)
        job_drop(&device->job);
}

static const struct dialog_ops transaction_dialog = { .key = transaction_key,
                                                      .dismissed = transaction_dismissed };

static bool ask(struct device *device, struct job *job, struct err *err)
{
    struct writer w = writer_growing(job->arena, JOB_ARENA_MAX);
    writer_put(&w, job->story);
    writer_text(&w, "\nPress OK to approve and sign transaction. X to abort.");
    struct bytes text;
    if (!writer_finish(&w, &text))
        return err_set(err, ERR_NO_MEMORY, TOO_COMPLEX);
    screen_ask(&device->screen, "OK TO SEND?", text, ASK_KEY, &transaction_dialog, device);
    return true;
}

// A partial signature in the result: lengths, a key of 65 bytes at most, DER and the hash type.
#define SIGNATURE_FIELD_MAX 144

// "dwld" reads no further than 2 MiB: what could not be fetched is not charged either.
static bool result_can_be_fetched(const struct job *job, struct err *err)
{
    const size_t added = job->facts->tx.n_signatures * SIGNATURE_FIELD_MAX;
    const bool is_psbt = (job->flags & STXN_FINALIZE) == 0 || job->facts->tx.is_message;
    if (is_psbt && job->psbt.len + added > PSBT_MAX)
        return err_set(err, ERR_LIMIT, TOO_COMPLEX) ||
               err_detail(err, "the signed PSBT would be longer than %d bytes", PSBT_MAX);
    return true;
}

static bool go_on(struct device *device, struct job *job, struct err *err)
{
    if ((job->flags & STXN_VISUALIZE) != 0) {
        if (!visualize(device, job, err))
            return false;
        if (job->was_tried && device->state == DEVICE_HSM) // what would come of it
            hsm_report_dry_run(device, job, job->unproved);
        finish(device, job);
        return true;
    }
    if (!result_can_be_fetched(job, err) ||
        (device->state == DEVICE_HSM && !hsm_may_decide(device, err)))
        return false;
    return device->state == DEVICE_HSM ? run_hsm(device, job, err) : ask(device, job, err);
}

// --- A wallet that the PSBT describes: psbt-signing.md 7.9, setting `pms` 1 ---

static void wallet_answered(struct device *device, enum wallet_answer answer)
{
    struct job *job = &device->job;
    struct err err;
    if (answer == WALLET_CREATED) {
        job->begun = false; // understood anew, with the wallet
        device_queue_jobs(device);
    } else if (answer == WALLET_DECLINED) {
        (void)err_set(&err, ERR_INVALID, "Refused to import new wallet");
        fail(device, job, &err);
    } else {
        transaction_dismissed(device);
    }
}

// Whether the operator is asked now, or what is wrong with that wallet was told.
static bool offer_wallet(struct device *device, struct job *job)
{
    struct err err;
    if (device->state == DEVICE_HSM || job->facts == NULL || job->facts->offered.len == 0)
        return false;
    job->begun = true;
    if (!device_offer_wallet(device, job->facts->offered, wallet_answered, &err)) {
        const struct err why = err;
        (void)psbt_invalid(&err, "%s", why.text);
        fail(device, job, &err);
    }
    return true;
}

static void understood(struct device *device, struct job *job, const struct sign_outcome *outcome)
{
    if (outcome->is_dropped)
        return;
    job->begun = false; // it waits for its turn once more
    if (outcome->err != NULL) {
        if (!offer_wallet(device, job))
            fail(device, job, outcome->err);
        return;
    }
    job->facts->tx.psbt_hash = job->psbt_hash;
    job->is_understood = true;
}

void sign_tx_run(struct device *device, struct job *job)
{
    struct err err;
    if (!job->is_understood)
        sign_work_understand(device, job, understood);
    if (!job->is_understood)
        return; // failed, or being worked on
    job->begun = true;
    if (!go_on(device, job, &err))
        fail(device, job, &err);
}

void sign_tx_release(struct device *device, struct job *job)
{
    store_step(device->store, "released");
    log_decision(device, job);
    if (job->decision->verdict != VERDICT_SIGN)
        job_refuse(job);
    else
        sign_work_sign(device, job, approved_is_signed);
}
