// Requests that wait for their turn: decided in order of arrival, committed together, then signed.
#include "crypto/ec.h"
#include "signer/device.h"
#include "signer/sign_message.h"
#include "signer/sign_tx.h"
#include "signer/sign_work.h"

// Work goes on for that long at most before packets and panels get their turn, but for the job that is
// being worked on.
#define TURN_MS 10
#define BLIND_LATE_MS                                                                              \
    1000 // the next blinding at the latest: only the first request is held up by it

struct job *device_job(struct device *device, struct peer *peer)
{
    return device->state == DEVICE_HSM ? &peer->job : &device->job;
}

void device_discard_job(struct device *device)
{
    if (device->job.kind != JOB_NONE && device->job.state == JOB_WAITING)
        screen_dismiss(&device->screen);
    job_drop(&device->job);
}

// --- Blinding ---

static void blind_ahead(void *context)
{
    struct device *device = context;
    device->blind_timer = 0;
    if (device->is_blinded || sign_work_is_busy(device)) // its threads are inside the library
        return;
    crypto_randomize();
    device->is_blinded = true;
}

void device_blind(struct device *device)
{
    if (!device->is_blinded)
        crypto_randomize();
    device->is_blinded = false;
    if (device->blind_timer == 0)
        device->blind_timer = loop_when_idle(device->loop, BLIND_LATE_MS, blind_ahead, device);
}

// --- One job ---

static void run_job(struct device *device, struct job *job)
{
    if (job->begun)
        return; // the operator is being asked
    job->begun = true;
    if (job->kind == JOB_TRANSACTION)
        sign_tx_run(device, job);
    else if (job->kind == JOB_MESSAGE)
        sign_message_run(device, job);
}

// --- HSM mode ---

// What the worker works on is finished before anything else is begun.
static bool may_go_on(const struct device *device, int64_t end_ms)
{
    return device->clock->monotonic_ms(device->clock) < end_ms && !sign_work_is_busy(device);
}

// How far a job has come.
enum stage { STAGE_NEW, STAGE_DECIDED, STAGE_COMMITTED };

static bool is_at(const struct job *job, enum stage stage)
{
    if (job_is_over(job) || job->work != NULL)
        return false;
    return stage == STAGE_NEW
               ? !job->begun
               : job->decision != NULL && job->committed == (stage == STAGE_COMMITTED);
}

// The job that arrived first of those; NULL if there is none.
static struct job *first_at(const struct device *device, enum stage stage)
{
    struct job *first = NULL;
    for (size_t i = 0; i < PEERS_MAX; i++) {
        struct peer *peer = device->peers.items[i];
        if (peer != NULL && is_at(&peer->job, stage) &&
            (first == NULL || peer->job.order < first->order))
            first = &peer->job;
    }
    return first;
}

static void fail_decided(struct device *device)
{
    struct job *job;
    const struct err late = { .code = ERR_IO, .text = "Signing failed late" };
    while ((job = first_at(device, STAGE_DECIDED)) != NULL)
        job_fail(job, &late);
}

// As if it had not been decided: the batch was undone.
static void undecide(struct job *job)
{
    job->begun = false;
    job->decision = NULL;
    job->decision_text = (struct bytes){ 0 };
    job->before = NULL;
    if (job->kind == JOB_TRANSACTION)
        return; // the rest of its arena is what was understood
    arena_free(job->arena);
    job->arena = NULL;
}

// False if the card failed where records were waited for together: nothing is decided then.
static bool decide_some(struct device *device, bool together)
{
    const int64_t end_ms = device->clock->monotonic_ms(device->clock) + TURN_MS;
    struct hsm_batch batch;
    struct job *job;
    struct err err;
    hsm_batch_begin(&batch, device, together);
    do {
        job = first_at(device, STAGE_NEW);
        if (job != NULL)
            run_job(device, job);
    } while (job != NULL && may_go_on(device, end_ms));
    if (hsm_batch_commit(&batch, &err))
        return true;
    LOG(device->log, LOG_ERROR, "decisions_not_stored", LOG_TEXT("error", err.text));
    if (!batch.card_failed)
        fail_decided(device);
    return !batch.card_failed;
}

// Decides what waits, each on top of the one before, and makes all of it durable at once. A crash
// before that loses decisions that nobody has heard of; after it, signatures. What a card that fails
// means is each decision's own affair, so they are made anew, each with its record.
static void decide_batch(struct device *device)
{
    struct job *job;
    if (!decide_some(device, true)) {
        while ((job = first_at(device, STAGE_DECIDED)) != NULL)
            undecide(job);
        (void)decide_some(device, false);
    }
    while ((job = first_at(device, STAGE_DECIDED)) != NULL)
        job->committed = true;
}

static void release(struct device *device, struct job *job)
{
    if (job->kind == JOB_TRANSACTION)
        sign_tx_release(device, job);
    else
        sign_message_release(device, job);
}

static void release_some(struct device *device)
{
    const int64_t end_ms = device->clock->monotonic_ms(device->clock) + TURN_MS;
    struct job *job;
    do {
        job = first_at(device, STAGE_COMMITTED);
        if (job != NULL)
            release(device, job);
    } while (job != NULL && may_go_on(device, end_ms));
}

// What was committed goes first: its peers have waited longest.
static void run_hsm_jobs(struct device *device)
{
    if (first_at(device, STAGE_COMMITTED) == NULL)
        decide_batch(device);
    if (!sign_work_is_busy(device))
        release_some(device);
    if (sign_work_is_busy(device))
        return; // its end brings us back
    if (first_at(device, STAGE_COMMITTED) != NULL || first_at(device, STAGE_NEW) != NULL)
        device_queue_jobs(device);
}

// --- The loop ---

static void run_jobs(void *context)
{
    struct device *device = context;
    device->job_queued = false;
    if (sign_work_is_busy(device))
        return; // its end brings us back
    if (device->state == DEVICE_NORMAL)
        run_job(device, &device->job);
    else if (device->state == DEVICE_HSM)
        run_hsm_jobs(device);
}

void device_queue_jobs(struct device *device)
{
    if (!device->job_queued)
        (void)loop_after(device->loop, 0, run_jobs, device);
    device->job_queued = true;
}
