#include "signer/backup_work.h"
#include "base/require.h"
#include "base/secret.h"
#include "signer/sign_work.h"
#include "signer/worker.h"

struct backup_work {
    struct device *device;
    uint64_t order; // of the job
    backup_work_fn *done;

    // The worker's, while it runs.
    struct arena *arena;
    struct bytes text;
    struct backup_words words;
    struct vault_cost cost;
    struct writer file;
    struct err err; // ERR_NONE: all is well
};

static void seal_text(void *context, size_t slice)
{
    struct backup_work *w = context;
    (void)slice;
    (void)!backup_file_seal(&w->file, w->text, &w->words, w->cost, &w->err);
}

static void end(struct backup_work *w)
{
    struct device *device = w->device;
    const struct job *job = &device->job;
    const struct backup_outcome outcome = { w->err.code == ERR_NONE ? NULL : &w->err,
                                            writer_bytes(&w->file) };
    if (job->kind == JOB_BACKUP && job->order == w->order && !job_is_over(job))
        w->done(device, &outcome);
    arena_free(w->arena); // wipes
    wipe(w, sizeof *w);
    free(w);
}

static void sealed(void *context)
{
    struct backup_work *w = context;
    struct device *device = w->device;
    end(w);
    device_queue_jobs(device); // what came since has waited for it
}

void backup_work_start(struct device *device, const struct backup_source *source,
                       const struct backup_words *words, struct vault_cost cost,
                       backup_work_fn *done)
{
    struct backup_work *w = calloc(1, sizeof *w);
    REQUIRE(w != NULL);
    *w = (struct backup_work){ .device = device,
                               .order = device->job.order,
                               .done = done,
                               .arena = arena_new(BACKUP_ARENA + BACKUP_FILE_MAX),
                               .words = *words,
                               .cost = cost };
    w->file = writer_growing(w->arena, BACKUP_FILE_MAX);
    const bool gathered = backup_gather(&w->text, source, w->arena, &w->err);
    const bool at_once = !gathered || device->worker == NULL;
    if (gathered && at_once)
        seal_text(w, 0);
    if (at_once) {
        end(w);
        return;
    }
    const struct worker_task task = { 1, w, seal_text, NULL, sealed };
    sign_work_settle(device);
    worker_start(device->worker, &task);
}
