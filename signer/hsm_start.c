#include "signer/hsm_start.h"
#include "base/require.h"
#include "base/secret.h"
#include "crypto/random.h"
#include "policy/summary.h"

// The question while it is on the screen. The policy waits here; nothing of it is in force.
struct question {
    struct device *device;
    struct policy policy;
    struct arena *arena;
    bool is_new_file;
    bool is_offer;
    char digit; // that accepts screen 2; 0 on screen 1
};

static void free_question(struct question *q)
{
    arena_free(q->arena);
    wipe(q, sizeof *q);
    free(q);
}

// Where the device goes when nothing was activated. A question that goes because the signer is being
// locked leads nowhere.
static void leave(struct device *device, bool is_offer)
{
    if (is_offer && device->state == DEVICE_OFFER)
        device_enter(device, DEVICE_NORMAL);
}

static void end_job(struct device *device)
{
    if (device->job.kind == JOB_START_HSM)
        job_drop(&device->job);
}

static void notice_key(void *context, char key)
{
    struct device *device = context;
    if (key != 'x' && key != 'y')
        return;
    screen_done(&device->screen);
    leave(device, device->state == DEVICE_OFFER);
}
static const struct dialog_ops notice_dialog = { .key = notice_key };

static void show_failure(struct device *device, const struct err *failure)
{
    char mem[ERR_TEXT_MAX + 64];
    struct writer w = writer_of(mem, sizeof mem);
    approval_failed_write(&w, failure);
    LOG(device->log, LOG_WARNING, "hsm_not_started", LOG_TEXT("error", failure->text));
    screen_ask(&device->screen, "Failure", writer_bytes(&w), ASK_KEY, &notice_dialog, device);
}

static void activate(struct question *q)
{
    struct device *device = q->device;
    struct err err;
    struct arena *arena = q->arena;
    q->arena = NULL; // hsm_activate takes it, also when it fails
    if (!hsm_activate(device, &q->policy, arena, q->is_new_file ? HSM_NEW_FILE : HSM_SAVED, &err)) {
        free_question(q);
        show_failure(device, &err);
        return;
    }
    free_question(q);
    device_enter(device, DEVICE_HSM);
}

static void refuse(struct question *q)
{
    struct device *device = q->device;
    const bool is_offer = q->is_offer;
    free_question(q);
    leave(device, is_offer);
}

static void ask_second(struct question *q);

static void first_key(void *context, char key)
{
    struct question *q = context;
    struct device *device = q->device;
    if (key == 'x') {
        screen_done(&device->screen);
        end_job(device);
        refuse(q);
    } else if (key == 'y' && q->is_new_file) {
        screen_done(&device->screen);
        ask_second(q);
    } else if (key == 'y') {
        screen_done(&device->screen);
        end_job(device);
        activate(q);
    }
}

// "only that digit accepts, only X refuses, OK is ignored"
static void second_key(void *context, char key)
{
    struct question *q = context;
    struct device *device = q->device;
    if (key != 'x' && key != q->digit)
        return;
    screen_done(&device->screen);
    end_job(device);
    if (key == 'x')
        refuse(q);
    else
        activate(q);
}

static void dismissed(void *context)
{
    struct question *q = context;
    end_job(q->device);
    refuse(q);
}

static const struct dialog_ops first_dialog = { .key = first_key, .dismissed = dismissed };
static const struct dialog_ops second_dialog = { .key = second_key, .dismissed = dismissed };

static void ask_second(struct question *q)
{
    char mem[1024];
    struct writer w = writer_of(mem, sizeof mem);
    q->digit = APPROVAL_DIGITS[random_below(sizeof APPROVAL_DIGITS - 1)];
    approval_second_write(&w, &q->policy, q->digit);
    screen_ask(&q->device->screen, APPROVAL_TITLE, writer_bytes(&w), ASK_KEY, &second_dialog, q);
}

void hsm_start_ask(struct device *device, const struct policy *policy, struct arena *arena,
                   bool is_new_file, bool is_offer)
{
    struct question *q = calloc(1, sizeof *q);
    REQUIRE(q != NULL);
    *q = (struct question){ .device = device,
                            .policy = *policy,
                            .arena = arena,
                            .is_new_file = is_new_file,
                            .is_offer = is_offer };
    AUTO(arena_freep) struct arena *scratch = arena_new(4 * SCREEN_TEXT_MAX);
    struct writer w = writer_growing(scratch, 4 * SCREEN_TEXT_MAX);
    approval_first_write(&w, &q->policy, device_chain(device), device->config.unit);
    device_discard_job(device);
    device->job.kind = JOB_START_HSM;
    device->job.state = JOB_WAITING;
    screen_ask(&device->screen, APPROVAL_TITLE, writer_bytes(&w), ASK_KEY, &first_dialog, q);
}

bool hsm_start_is_asking(const struct device *device)
{
    return device->job.kind == JOB_START_HSM;
}

bool hsm_start_saved(struct device *device, struct err *err)
{
    struct policy policy;
    struct arena *arena = NULL;
    if (!hsm_load_policy(device, &policy, &arena, err))
        return false;
    hsm_start_ask(device, &policy, arena, false, false);
    return true;
}

// "[FIX] A signer that the limit has stopped does not arm by itself again, also with `boot_to_hsm`"
static bool may_boot(const struct device *device, const struct policy *policy)
{
    return policy->boot_to_hsm.len > 0 && !store_get_counters(device->store).stopped;
}

bool hsm_start_offer(struct device *device)
{
    struct policy policy;
    struct arena *arena = NULL;
    struct err err;
    if (!hsm_load_policy(device, &policy, &arena, &err)) {
        if (err.code == ERR_NOT_FOUND && strcmp(err.text, "No existing policy") == 0)
            return false;
        show_failure(device, &err);
        return true;
    }
    if (!may_boot(device, &policy)) {
        hsm_start_ask(device, &policy, arena, false, true);
        return true;
    }
    if (!hsm_activate(device, &policy, arena, HSM_UNATTENDED, &err)) {
        show_failure(device, &err);
        return true;
    }
    device_enter(device, DEVICE_HSM);
    return true;
}
