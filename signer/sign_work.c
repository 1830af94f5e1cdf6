#include "signer/sign_work.h"
#include "base/require.h"
#include "crypto/random.h"
#include "signer/worker.h"
#include "wire/request.h"

// What is done at once: a few milliseconds.
#define AT_ONCE_BYTES      16384
#define AT_ONCE_SIGNATURES 24
// Amounts looked up before packets and panels get their turn.
#define AMOUNTS_A_TURN     256

#define TOO_COMPLEX "Transaction is too complex"

// What the store knew of each input's amount, for who may not ask the store himself.
struct seen_amount {
    bool known;
    struct sats amount;
};
struct seen_amounts {
    const struct tx *tx;
    struct seen_amount *list;
    size_t n;     // looked up so far
    size_t *next; // analysis asks in order, mostly
};

struct sign_work {
    struct device *device;
    struct job *job; // `own` once that was dropped
    struct job own;
    sign_work_fn *done;
    bool is_long, cancelled;
    uint64_t timer; // while amounts are looked up

    // The worker's, while it runs.
    struct arena *arena;
    struct bytes raw;
    uint32_t flags;
    struct signer_view view; // by value
    struct keycache *keys;
    struct psbt *container;
    struct psbt_facts *facts;
    struct bytes story;
    bool tries, was_tried; // to prove what is only shown
    struct err *unproved;
    struct seen_amounts seen;
    size_t next_seen;
    struct psbt_signing *signing;
    struct blob result;
    struct hash256 result_hash;
    bool is_signed;
    struct err err; // ERR_NONE: all is well
};

// --- Begin and end ---

static struct sign_work *new_work(struct device *device, struct job *job, sign_work_fn *done)
{
    struct sign_work *w = calloc(1, sizeof *w);
    REQUIRE(w != NULL && device->work == NULL && job->work == NULL);
    if (job->arena == NULL)
        job->arena = arena_new(JOB_ARENA_MAX);
    w->device = device;
    w->job = job;
    w->done = done;
    w->arena = job->arena;
    w->raw = blob_bytes(&job->psbt);
    w->flags = job->flags;
    w->keys = device->keys;
    w->container = job->container;
    w->facts = job->facts;
    w->tries = device->state == DEVICE_HSM && !device->hsm->policy.priv_over_ux && w->keys != NULL;
    device_view(device, &w->view);
    device->work = job->work = w;
    return w;
}

static void give_back(struct sign_work *w)
{
    struct job *job = w->job;
    job->container = w->container;
    job->facts = w->facts;
    job->story = w->story;
    job->was_tried = w->was_tried;
    job->unproved = w->unproved;
    blob_move(&job->result, &w->result);
    job->result_len = job->result.len;
    job->result_hash = w->result_hash;
    job->work = NULL;
}

static void end(struct sign_work *w)
{
    struct device *device = w->device;
    const bool is_dropped = w->job == &w->own, was_long = w->is_long;
    if (w->cancelled && !w->is_signed && w->err.code == ERR_NONE)
        (void)err_set(&w->err, ERR_INTERRUPTED, "Signing failed late");
    const struct sign_outcome outcome = { w->err.code == ERR_NONE ? NULL : &w->err, w->is_signed,
                                          is_dropped };
    device->work = NULL;
    give_back(w);
    w->done(device, w->job, &outcome);
    if (is_dropped)
        job_drop(&w->own);
    blob_drop(&w->result);
    wipe(w, sizeof *w);
    free(w);
    if (was_long)
        device_queue_jobs(device); // others have waited for it
}

static bool no_memory(struct sign_work *w)
{
    return err_set(&w->err, ERR_NO_MEMORY, TOO_COMPLEX);
}

static bool is_at_once(struct sign_work *w, bool is_little)
{
    w->is_long = !is_little && w->device->worker != NULL;
    return !w->is_long;
}

// --- Understanding ---

static struct bytes write_story(struct arena *arena, const struct psbt_facts *facts, enum unit unit,
                                enum story_form form)
{
    struct writer w = writer_growing(arena, JOB_ARENA_MAX);
    story_write(&w, &facts->tx, unit, form);
    struct bytes story;
    return writer_finish(&w, &story) ? story : (struct bytes){ 0 };
}

struct bytes sign_work_story(const struct device *device, const struct job *job,
                             enum story_form form)
{
    return write_story(job->arena, job->facts, device->config.unit, form);
}

static bool parse(struct sign_work *w)
{
    w->container = arena_alloc(w->arena, sizeof *w->container);
    w->facts = arena_alloc(w->arena, sizeof *w->facts);
    if (w->container == NULL || w->facts == NULL)
        return no_memory(w);
    return psbt_parse(w->container, w->raw, w->arena, &w->err);
}

// That it cannot be proved is part of what is shown, and no error.
static bool try_to_prove(struct sign_work *w)
{
    struct err err;
    w->was_tried = true;
    if (psbt_prove(w->facts, w->keys, &err))
        return true;
    w->unproved = arena_alloc(w->arena, sizeof err);
    if (w->unproved == NULL)
        return no_memory(w);
    *w->unproved = err;
    return true;
}

static bool analyse(struct sign_work *w)
{
    const bool is_shown = (w->flags & STXN_VISUALIZE) != 0;
    if (!psbt_analyse(w->facts, w->container, &w->view, w->arena, &w->err))
        return false;
    w->story = write_story(w->arena, w->facts, w->view.unit, is_shown ? STORY_TEXT : STORY_SCREEN);
    if (w->story.len == 0)
        return no_memory(w);
    if (is_shown)
        return !w->tries || try_to_prove(w);
    if (w->keys == NULL)
        return err_set(&w->err, ERR_STATE, "Signing failed late");
    return psbt_prove(w->facts, w->keys, &w->err);
}

static void run_parse(void *context, size_t slice)
{
    (void)slice;
    (void)parse(context);
}

static void run_analyse(void *context, size_t slice)
{
    (void)slice;
    (void)analyse(context);
}

static void analysed(void *context)
{
    end(context);
}

static bool is_same(const struct outpoint *a, const struct outpoint *b)
{
    return a->index == b->index && bytes_equal(BYTES_OF(a->txid.b), BYTES_OF(b->txid.b));
}

// In place of the store's, which is the loop's.
static bool seen_amount(const void *memory, const struct outpoint *outpoint, struct sats *out)
{
    const struct seen_amounts *seen = memory;
    for (size_t tries = 0; tries < seen->n; tries++) {
        const size_t i = (*seen->next)++ % seen->n;
        if (is_same(&seen->tx->in[i].prevout, outpoint)) {
            *out = seen->list[i].amount;
            return seen->list[i].known;
        }
    }
    return false;
}

static void look_up_amounts(void *context)
{
    struct sign_work *w = context;
    struct seen_amounts *seen = &w->seen;
    w->timer = 0;
    for (size_t turn = 0; turn < AMOUNTS_A_TURN && seen->n < seen->tx->n_in; turn++, seen->n++) {
        struct seen_amount *one = &seen->list[seen->n];
        one->known =
            w->view.known_amount(w->view.memory, &seen->tx->in[seen->n].prevout, &one->amount);
    }
    if (seen->n < seen->tx->n_in) {
        w->timer = loop_after(w->device->loop, 0, look_up_amounts, w);
        return;
    }
    w->view.known_amount = seen_amount;
    w->view.memory = seen;
    const struct worker_task task = { 1, w, run_analyse, NULL, analysed };
    worker_start(w->device->worker, &task);
}

static void parsed(void *context)
{
    struct sign_work *w = context;
    if (w->cancelled || w->err.code != ERR_NONE) {
        end(w);
        return;
    }
    const struct tx *tx = &w->container->tx;
    w->seen = (struct seen_amounts){ tx, arena_array(w->arena, tx->n_in, sizeof *w->seen.list), 0,
                                     &w->next_seen };
    if (w->seen.list != NULL) {
        look_up_amounts(w);
        return;
    }
    (void)no_memory(w);
    end(w);
}

void sign_work_understand(struct device *device, struct job *job, sign_work_fn *done)
{
    struct sign_work *w = new_work(device, job, done);
    if (is_at_once(w, w->raw.len <= AT_ONCE_BYTES)) {
        if (parse(w))
            (void)analyse(w);
        end(w);
        return;
    }
    const struct worker_task task = { 1, w, run_parse, NULL, parsed };
    worker_start(device->worker, &task);
}

// --- Signing ---

static void fresh_entropy(void *context, uint8_t out[32])
{
    (void)context;
    random_bytes(out, 32);
}

static bool write_result(struct sign_work *w, const struct psbt_signed *sigs)
{
    // "Message PSBTs are never finalised, whatever the flag."
    const bool finalize = (w->flags & STXN_FINALIZE) != 0 && !w->facts->tx.is_message;
    struct writer out = writer_growing(w->arena, JOB_ARENA_MAX);
    if (!finalize)
        psbt_forget_inputs(w->facts, w->container, w->arena);
    const bool ok = finalize ? psbt_finalize(&out, NULL, w->facts, sigs, w->arena, &w->err)
                             : psbt_write_signed(&out, w->facts, sigs, &w->err);
    struct bytes result;
    if (!ok)
        return false;
    if (!writer_finish(&out, &result))
        return no_memory(w);
    w->result_hash = sha256(result);
    blob_set(&w->result, result);
    return true;
}

static void run_slice(void *context, size_t slice)
{
    struct sign_work *w = context;
    psbt_sign_slice(w->signing, slice);
}

static void end_signing(void *context)
{
    struct sign_work *w = context;
    struct psbt_signed sigs;
    w->is_signed = psbt_sign_end(&sigs, w->signing, &w->err);
    if (w->is_signed)
        (void)write_result(w, &sigs);
}

static void was_signed(void *context)
{
    end(context);
}

void sign_work_sign(struct device *device, struct job *job, sign_work_fn *done)
{
    const struct entropy entropy = { fresh_entropy, NULL };
    const struct bytes story = job->story;
    struct sign_work *w = new_work(device, job, done);
    const bool at_once = is_at_once(w, job->facts->tx.n_signatures <= AT_ONCE_SIGNATURES);
    w->story = story;
    device_blind(device);
    if (!psbt_sign_begin(&w->signing, w->facts, w->keys, &entropy, at_once ? 1 : WORKER_THREADS,
                         w->arena, &w->err)) {
        end(w);
    } else if (at_once) {
        psbt_sign_slice(w->signing, 0);
        end_signing(w);
        end(w);
    } else {
        const struct worker_task task = { WORKER_THREADS, w, run_slice, end_signing, was_signed };
        worker_start(device->worker, &task);
    }
}

// --- Cancelling ---

bool sign_work_is_busy(const struct device *device)
{
    return device->work != NULL || (device->worker != NULL && worker_is_busy(device->worker));
}

static void cancel(struct sign_work *w)
{
    w->cancelled = true;
    if (w->signing != NULL)
        psbt_sign_cancel(w->signing);
}

void sign_work_settle(struct device *device)
{
    struct sign_work *w = device->work;
    if (w == NULL) {
        if (device->worker != NULL)
            worker_wait(device->worker); // a backup is being sealed
        return;
    }
    cancel(w);
    if (w->timer == 0) {
        worker_wait(device->worker);
        return;
    }
    loop_cancel(device->loop, w->timer);
    end(w);
}

void sign_work_take_over(struct job *job)
{
    struct sign_work *w = job->work;
    w->own = *job;
    w->job = &w->own;
    wipe(job, sizeof *job);
    cancel(w);
}
