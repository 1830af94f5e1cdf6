#include "signer/hsm_start.h"
#include "base/json.h"
#include "base/require.h"
#include "base/secret.h"
#include "crypto/random.h"
#include "policy/summary.h"
#include "signer/pinned.h"

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

// With boot_to_hsm a failure leads back to the PIN, never to normal mode: what stopped it, a full disk
// say, may have been somebody's doing.
static void halted_key(void *context, char key)
{
    struct device *device = context;
    if (key == 'y')
        device_stop_in(device, 0, true); // from the loop: the panel is in the middle of a request
}
static const struct dialog_ops halted_dialog = { .key = halted_key };

static void show(struct device *device, const struct err *failure, const struct dialog_ops *ops)
{
    char mem[ERR_TEXT_MAX + 64];
    struct writer w = writer_of(mem, sizeof mem);
    approval_failed_write(&w, failure);
    LOG(device->log, LOG_WARNING, "hsm_not_started", LOG_TEXT("error", failure->text));
    screen_ask(&device->screen, "Failure", writer_bytes(&w), ASK_KEY, ops, device);
}

// A policy with boot_to_hsm is offered only after the limit of refusals: "it shows screen 1 and waits
// for OK". Nobody gets past it without its code.
static bool may_be_declined(const struct question *q)
{
    return !q->is_offer || q->policy.boot_to_hsm.len == 0;
}

static void activate(struct question *q)
{
    struct device *device = q->device;
    struct err err;
    struct arena *arena = q->arena;
    const bool may_leave = may_be_declined(q);
    q->arena = NULL; // hsm_activate frees it
    if (!hsm_activate(device, &q->policy, arena, q->is_new_file ? HSM_NEW_FILE : HSM_SAVED, &err)) {
        free_question(q);
        show(device, &err, may_leave ? &notice_dialog : &halted_dialog);
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
    if (key == 'x' && may_be_declined(q)) {
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

static void ask_first(struct device *device, const struct policy *policy, struct arena *arena,
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
    if (!is_new_file && !hsm_is_as_approved(device, &q->policy))
        writer_text(&w, "WARNING: users, wallets or the chain are not those with which this policy "
                        "was approved.\n\n");
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

// Takes over the arena. Without keys if the configuration pins the policy.
static bool start(struct device *device, const struct policy *policy, struct arena *arena,
                  bool is_new_file, bool is_offer, struct err *err)
{
    switch (pinned_says(device, policy)) {
    case PINNED_REFUSED:
        arena_free(arena);
        return err_set(err, ERR_INVALID, "%s", PINNED_REFUSAL);
    case PINNED_ASK:
        ask_first(device, policy, arena, is_new_file, is_offer);
        return true;
    case PINNED_ARM:
        break;
    }
    const enum hsm_start how = is_new_file ? HSM_PINNED_FILE : HSM_UNATTENDED;
    device_discard_job(device);
    if (!hsm_activate(device, policy, arena, how, err))
        return false;
    LOG_NOTE(device->log, LOG_INFO, "pinned_policy");
    device_enter(device, DEVICE_HSM);
    return true;
}

bool hsm_start_file(struct device *device, const struct policy *policy, struct arena *arena,
                    struct err *err)
{
    return start(device, policy, arena, true, false, err);
}

bool hsm_start_saved(struct device *device, struct err *err)
{
    struct policy policy;
    struct arena *arena = NULL;
    return hsm_load_policy(device, &policy, &arena, err) &&
           start(device, &policy, arena, false, false, err);
}

// "[FIX] A signer that the limit has stopped does not arm by itself again, also with `boot_to_hsm`"
static bool may_boot(const struct device *device, const struct policy *policy)
{
    return policy->boot_to_hsm.len > 0 && !device->config.only_accepted &&
           !store_get_counters(device->store).stopped;
}

static bool boot(struct device *device, const struct policy *policy, struct arena *arena,
                 struct err *err)
{
    if (!hsm_activate(device, policy, arena, HSM_UNATTENDED, err))
        return false;
    device_enter(device, DEVICE_HSM);
    return true;
}

// Whether the stored policy, which cannot be loaded, has boot_to_hsm. "[FIX] Stored policy is
// authenticated; unreadable = locked": what cannot be read at all counts as if it had.
static bool stored_policy_boots(struct device *device)
{
    AUTO(arena_freep) struct arena *arena = arena_new(STORE_POLICY_MAX + 4 * POLICY_ARENA);
    struct store_policy stored;
    const struct json *form;
    struct err err;
    return !store_get_policy(device->store, &stored, arena, &err) ||
           !json_parse(&form, stored.form, arena, &err) || json_get(form, "boot_to_hsm") != NULL;
}

bool hsm_start_offer(struct device *device)
{
    struct policy policy;
    struct arena *arena = NULL;
    struct err err;
    if (!hsm_load_policy(device, &policy, &arena, &err)) {
        if (err.code == ERR_NOT_FOUND && strcmp(err.text, "No existing policy") == 0)
            return false;
        show(device, &err, stored_policy_boots(device) ? &halted_dialog : &notice_dialog);
        return true;
    }
    const bool boots = policy.boot_to_hsm.len > 0;
    const bool ok = may_boot(device, &policy) ? boot(device, &policy, arena, &err)
                                              : start(device, &policy, arena, false, true, &err);
    if (!ok)
        show(device, &err, boots ? &halted_dialog : &notice_dialog);
    return true;
}
