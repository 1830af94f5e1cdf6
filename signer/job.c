#include "signer/job.h"
#include "base/arena.h"
#include "base/require.h"
#include "base/secret.h"
#include "signer/sign_work.h"

static void end_work(struct job *job)
{
    REQUIRE(job->work == NULL);
    blob_drop(&job->psbt);
    blob_drop(&job->message);
    arena_free(job->arena);
    job->arena = NULL;
    job->container = NULL;
    job->facts = NULL;
    job->is_understood = false;
    job->story = (struct bytes){ 0 };
    job->was_tried = false;
    job->unproved = NULL;
    job->decision = NULL;
    job->decision_text = (struct bytes){ 0 };
    job->before = NULL;
    job->amounts = NULL;
    job->committed = false;
}

void job_drop(struct job *job)
{
    if (job->work != NULL) {
        sign_work_take_over(job);
        return;
    }
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
