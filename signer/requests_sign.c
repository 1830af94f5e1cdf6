// Signing requests and asking after them: wire-protocol.md 7, 8.6, 8.7.
#include "base/utf8.h"
#include "bitcoin/psbt.h"
#include "signer/requests.h"
#include "signer/sign_message.h"

#define RESULT_FILE 1 // wire-protocol.md 6.2

static bool wants_signed_story(uint32_t flags)
{
    return (flags & STXN_VISUALIZE) != 0 && (flags & STXN_SIGNED) != 0;
}

// [FIX] D22: in HSM mode the master key signs no story unless the policy lets it sign messages.
static bool may_sign_story(const struct device *device)
{
    static const struct keypath master = { .depth = 0 };
    return device->state != DEVICE_HSM || device->config.signed_viz_free ||
           path_list_matches(&device->hsm->policy.msg_paths, &master);
}

struct job *request_start_job(struct exchange *ex, enum job_kind kind)
{
    struct device *device = ex->device;
    struct job *job = device_job(device, ex->peer);
    if (job == &device->job)
        device_discard_job(device);
    else
        job_drop(job);
    job->kind = kind;
    job->state = JOB_WAITING;
    job->peer = ex->peer->id;
    job->order = ++device->last_order;
    return job;
}

static bool accept_transaction(struct exchange *ex, struct err *err)
{
    struct device *device = ex->device;
    const struct request_stxn *stxn = &ex->request.stxn;
    const struct job *pending = device_job(device, ex->peer);
    if (!upload_is(ex->peer, stxn->length, &stxn->sha, PSBT_SIZE_MIN, PSBT_SIZE_MAX, err))
        return false;
    if (stxn->wallet.len > 0)
        return err_set(err, ERR_NOT_FOUND, "Miniscript wallet not found");
    if (wants_signed_story(stxn->flags) && !may_sign_story(device))
        return err_set(err, ERR_STATE, "Not allowed in HSM mode");
    // A pending transaction is replaced; anything else stays.
    if (!job_is_over(pending) && pending->kind != JOB_TRANSACTION)
        return err_set(err, ERR_BUSY, "busy");

    struct job *job = request_start_job(ex, JOB_TRANSACTION);
    lease_void(&ex->peer->lease);
    blob_set(&job->psbt, staging_bytes(&ex->peer->staging));
    job->psbt_hash = stxn->sha;
    job->flags = stxn->flags & STXN_FLAGS;
    device_queue_jobs(device);
    store_step(device->store, "accepted");
    reply_okay(ex);
    return true;
}

bool serve_stxn(struct exchange *ex, struct err *err)
{
    if (accept_transaction(ex, err))
        return true;
    if (err->code != ERR_BUSY)
        journal_failure(ex->device, &ex->request.stxn.sha, err);
    return false;
}

static bool parse_message(struct exchange *ex, struct job *job, struct err *err)
{
    const struct request_smsg *smsg = &ex->request.smsg;
    if (!utf8_is_valid(smsg->message))
        return err_set(err, ERR_INVALID, "Assertion not UTF-8");
    if (!message_check(smsg->message, MESSAGE_MAX, false, err) ||
        !keypath_parse(&job->path, smsg->path, err))
        return false;
    job->format = (enum addr_format)smsg->addr_format;
    if (job->format != ADDR_P2PKH && job->format != ADDR_P2WPKH && job->format != ADDR_P2SH_P2WPKH)
        return err_set(err, ERR_UNSUPPORTED,
                       "Invalid address format: '%u'\n\nChoose from p2pkh, p2wpkh, p2sh-p2wpkh.",
                       (unsigned)smsg->addr_format);
    blob_set(&job->message, smsg->message);
    return sign_message_address(ex->device, job, err);
}

bool serve_smsg(struct exchange *ex, struct err *err)
{
    struct device *device = ex->device;
    if (!job_is_over(device_job(device, ex->peer)))
        return err_set(err, ERR_BUSY, "busy");
    struct job parsed = { .kind = JOB_NONE };
    if (!parse_message(ex, &parsed, err)) {
        job_drop(&parsed);
        return false;
    }
    struct job *job = request_start_job(ex, JOB_MESSAGE);
    job->path = parsed.path;
    job->format = parsed.format;
    memcpy(job->address, parsed.address, sizeof job->address);
    blob_move(&job->message, &parsed.message);
    device_queue_jobs(device);
    reply_okay(ex);
    return true;
}

// --- Polls ---

static bool no_request(struct err *err)
{
    return err_set(err, ERR_NOT_FOUND, "No active request");
}

// What every poll answers before there is a result; *finished if there is one of that kind.
// "Failure texts returned by a poll are not cut."
bool request_poll_job(struct exchange *ex, struct job *job, enum job_kind kind, bool *finished,
                      struct err *err)
{
    *finished = false;
    switch (job->kind == JOB_NONE ? JOB_FINISHED : job->state) {
    case JOB_REFUSED:
        store_step(ex->device->store, "reply");
        ex->reply = (struct reply){ .id = REPLY_REFU };
        job_drop(job);
        return true;
    case JOB_FAILED: {
        struct bytes text;
        if (!arena_copy(ex->arena, bytes_of_text(job->error.text), &text))
            return err_set(err, ERR_NO_MEMORY, "Out of RAM");
        ex->reply = reply_error(text, false);
        job_drop(job);
        return true;
    }
    case JOB_WAITING:
        // [D] also while an HSM start is being asked about, which a poll does not disturb.
        reply_okay(ex);
        return true;
    case JOB_FINISHED:
        break;
    }
    // [D] A result polled for with the wrong code stays.
    if (job->kind != kind || kind == JOB_NONE)
        return no_request(err);
    *finished = true;
    return true;
}

void reply_file(struct exchange *ex, struct job *job, uint32_t file)
{
    struct reply reply = { .id = REPLY_STRX };
    reply.strx.length = (uint32_t)job->result_len;
    reply.strx.sha = job->result_hash;
    if (job->peer != ex->peer->id)
        lease_grant(&ex->peer->lease, file, &job->result);
    job_drop(job);
    store_step(ex->device->store, "reply");
    ex->reply = reply;
}

bool serve_stok(struct exchange *ex, struct err *err)
{
    struct job *job = device_job(ex->device, ex->peer);
    bool finished;
    if (!request_poll_job(ex, job, JOB_TRANSACTION, &finished, err))
        return false;
    if (finished)
        reply_file(ex, job, RESULT_FILE);
    return true;
}

bool serve_smok(struct exchange *ex, struct err *err)
{
    struct job *job = device_job(ex->device, ex->peer);
    bool finished;
    if (!request_poll_job(ex, job, JOB_MESSAGE, &finished, err))
        return false;
    if (!finished)
        return true;
    struct reply reply = { .id = REPLY_SMRX };
    if (!arena_copy(ex->arena, bytes_of_text(job->address), &reply.smrx.address))
        return err_set(err, ERR_NO_MEMORY, "Out of RAM");
    memcpy(reply.smrx.signature, job->signature, sizeof reply.smrx.signature);
    job_drop(job);
    store_step(ex->device->store, "reply");
    ex->reply = reply;
    return true;
}
