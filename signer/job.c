#include "signer/job.h"
#include "base/arena.h"
#include "base/secret.h"

static void end_work(struct job *job)
{
    blob_drop(&job->psbt);
    blob_drop(&job->message);
    arena_free(job->arena);
    job->arena = NULL;
    job->facts = NULL;
    job->story = (struct bytes){ 0 };
    job->decision = NULL;
    job->decision_text = (struct bytes){ 0 };
    job->before = NULL;
    job->committed = false;
}

void job_drop(struct job *job)
{
    end_work(job);
    blob_drop(&job->result);
    wipe(job, sizeof *job);
}

bool job_is_over(const struct job *job)
{
    return job->kind == JOB_NONE || job->state != JOB_WAITING;
}

void job_refuse(struct job *job)
{
    end_work(job);
    job->state = JOB_REFUSED;
}

void job_fail(struct job *job, const struct err *err)
{
    job->error = *err;
    end_work(job);
    job->state = JOB_FAILED;
}

void job_finish(struct job *job)
{
    end_work(job);
    job->state = JOB_FINISHED;
}
