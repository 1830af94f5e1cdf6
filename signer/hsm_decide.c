// Decisions of HSM mode: what each changes, and several of them in one commit.
#include "base/require.h"
#include "base/secret.h"
#include "crypto/random.h"
#include "signer/device.h"
#include "signer/hsm_report.h"

// --- One decision ---

static void set_last_refusal(struct hsm *hsm, struct bytes text)
{
    free(hsm->last_refusal);
    hsm->last_refusal = malloc(text.len + 1);
    REQUIRE(hsm->last_refusal != NULL);
    if (text.len > 0)
        memcpy(hsm->last_refusal, text.ptr, text.len);
    hsm->last_refusal[text.len] = 0;
}

// Text messages count only with the extension that counts them.
static bool has_velocity(const struct decision *decision, const struct policy *policy)
{
    return !decision->is_text || policy_limits_messages(policy);
}

// The same in memory, after the batch has it.
static void take_up(struct device *device, const struct decision *decision, struct bytes text,
                    const struct store_counters *counters)
{
    struct hsm *hsm = device->hsm;
    hsm->counters = *counters;
    if (has_velocity(decision, &hsm->policy))
        velocity_copy(&hsm->velocity, &decision->velocity);
    if (decision->n_verified > 0) {
        struct user_list *users = device_edit_users(device);
        for (size_t i = 0; i < decision->n_verified; i++)
            users->items[decision->verified[i].user].progress = decision->verified[i].after;
        device_close_users(device);
    }
    if (decision->verdict == VERDICT_SIGN) {
        free(hsm->last_refusal);
        hsm->last_refusal = NULL;
    } else {
        set_last_refusal(hsm, text);
    }
    if (decision->consumed || decision->queue_consumed)
        auth_queue_clear(&hsm->queue);
    if (decision->consumed) {
        hsm->has_code = false;
        random_bytes(hsm->local_secret, sizeof hsm->local_secret);
    }
    screen_touch(&device->screen);
}

static bool ruling_line(struct device *device, struct bytes *out, const struct hsm_ruling *ruling,
                        const struct store_counters *counters, struct arena *arena, struct err *err)
{
    const struct hsm *hsm = device->hsm;
    const struct journal_ruling inner = { ruling->decision, &hsm->policy, ruling->tx, ruling->auth,
                                          ruling->text };
    const struct journal_event event = {
        .kind = JOURNAL_DECISION,
        .has_hash = true,
        .hash = ruling->hash,
        .has_policy_hash = true,
        .policy_hash = hsm->policy_hash,
        .ruling = &inner,
        .has_counts = true,
        .approvals = counters->approvals,
        .refusals = counters->refusals,
        .velocity =
            has_velocity(ruling->decision, &hsm->policy) ? &ruling->decision->velocity : NULL,
        .n_rules = hsm->policy.n_rules,
    };
    return journal_line(device, out, &event, arena, err);
}

bool hsm_decide(struct device *device, const struct hsm_ruling *ruling, struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(JOURNAL_NOTE_ARENA);
    const struct hsm *hsm = device->hsm;
    const struct decision *decision = ruling->decision;
    struct store_counters counters = hsm->counters;
    if (decision->verdict == VERDICT_SIGN)
        counters.approvals++;
    else
        counters.refusals++;
    counters.stopped = counters.refusals >= policy_max_refusals(&hsm->policy);

    struct store_progress progress[USERS_MAX];
    const struct user_list *users = device_open_users(device);
    for (size_t i = 0; i < decision->n_verified; i++) {
        const struct verified_user *verified = &decision->verified[i];
        progress[i] =
            (struct store_progress){ user_name(&users->items[verified->user]), verified->after };
    }
    struct store_decision stored = {
        .counters = counters,
        .policy_hash = hsm->policy_hash,
        .velocity = has_velocity(decision, &hsm->policy) ? &decision->velocity : NULL,
        .progress = progress,
        .n_progress = decision->n_verified,
        .amounts = ruling->amounts.items,
        .n_amounts = ruling->amounts.n,
        .n_weak = ruling->amounts.n_weak,
    };
    const bool is_stored =
        ruling_line(device, &stored.journal_line, ruling, &counters, arena, err) &&
        store_commit_decision(device->store, &stored, err);
    device_close_users(device);
    if (!is_stored)
        return false;
    take_up(device, decision, ruling->text, &counters);
    hsm_report_decision(device->hsm, ruling);
    return true;
}

// --- A batch ---

struct hsm_before {
    struct velocity velocity;
    struct store_counters counters;
    char *last_refusal;        // owned
    struct blob last_decision; // likewise
    struct auth_queue queue;
    uint8_t local_secret[HSM_LOCAL_SECRET_LEN];
    bool has_code;
    char code[LOCAL_CODE_DIGITS];
    int64_t code_ms;
    size_t n_users;
    struct user_progress progress[USERS_MAX];
};

static void keep_users(struct hsm_before *before, const struct device *device)
{
    const struct user_list *users = device_open_users(device);
    before->n_users = users->n;
    for (size_t i = 0; i < users->n; i++)
        before->progress[i] = users->items[i].progress;
    device_close_users(device);
}

void hsm_batch_begin(struct hsm_batch *batch, struct device *device, bool together)
{
    // First: that the clock was set forward is noticed once, and a batch that fails must not undo it.
    (void)hsm_now_s(device);
    const struct hsm *hsm = device->hsm;
    struct hsm_before *before = malloc(sizeof *before);
    REQUIRE(before != NULL);
    velocity_copy(&before->velocity, &hsm->velocity); // one by one: it is large
    before->counters = hsm->counters;
    before->queue = hsm->queue;
    before->has_code = hsm->has_code;
    before->code_ms = hsm->code_ms;
    before->last_refusal = NULL;
    before->last_decision = (struct blob){ 0 };
    memcpy(before->local_secret, hsm->local_secret, sizeof before->local_secret);
    memcpy(before->code, hsm->code, sizeof before->code);
    if (hsm->last_refusal != NULL) {
        before->last_refusal = strdup(hsm->last_refusal);
        REQUIRE(before->last_refusal != NULL);
    }
    blob_set(&before->last_decision, blob_bytes(&hsm->last_decision));
    (void)device_open_users(device); // until the batch ends: each opening costs two system calls
    keep_users(before, device);
    *batch = (struct hsm_batch){ .device = device, .before = before };
    if (together) {
        batch->records = calloc(1, sizeof *batch->records);
        REQUIRE(batch->records != NULL);
    }
    device->records = batch->records;
    store_batch_begin(device->store);
}

// As if none of them had been asked.
static void put_back(struct device *device, struct hsm_before *before)
{
    struct hsm *hsm = device->hsm;
    char *refusal = hsm->last_refusal;
    velocity_copy(&hsm->velocity, &before->velocity);
    hsm->counters = before->counters;
    hsm->last_refusal = before->last_refusal;
    before->last_refusal = refusal; // is freed with it
    blob_move(&hsm->last_decision, &before->last_decision);
    hsm->queue = before->queue;
    memcpy(hsm->local_secret, before->local_secret, sizeof hsm->local_secret);
    hsm->has_code = before->has_code;
    hsm->code_ms = before->code_ms;
    memcpy(hsm->code, before->code, sizeof hsm->code);
    struct user_list *users = device_edit_users(device);
    for (size_t i = 0; i < before->n_users; i++)
        users->items[i].progress = before->progress[i];
    device_close_users(device);
}

// "flush before release": what the records tell of is not stored before they are on the card.
static bool flush_records(struct hsm_batch *batch, struct err *err)
{
    struct device *device = batch->device;
    struct audit_list *records = batch->records;
    const bool has_records = records != NULL && records->n > 0;
    batch->records = device->records = NULL;
    batch->card_failed = has_records && !audit_flush(records, err);
    if (has_records && !batch->card_failed)
        store_step(device->store, "logged");
    free(records);
    return !batch->card_failed;
}

bool hsm_batch_commit(struct hsm_batch *batch, struct err *err)
{
    struct device *device = batch->device;
    struct hsm_before *before = batch->before;
    const bool is_logged = flush_records(batch, err);
    if (!is_logged)
        store_batch_undo(device->store);
    const bool ok = is_logged && store_batch_commit(device->store, err);
    device_close_users(device);
    if (!ok)
        put_back(device, before);
    else if (device->hsm->counters.refusals > before->counters.refusals &&
             device->hsm->counters.stopped)
        hsm_reach_limit(device);
    free(before->last_refusal);
    blob_drop(&before->last_decision);
    wipe(before, sizeof *before);
    free(before);
    batch->before = NULL;
    screen_touch(&device->screen);
    return ok;
}

// --- Taking back ---

// What is charged now, less what `decision` charged on top of `before`, if that can still be told.
static struct velocity without(const struct hsm *hsm, const struct decision *decision,
                               const struct velocity *before)
{
    struct velocity out = hsm->velocity;
    if (decision->charged)
        velocity_take_back(&out, before, &decision->velocity, &hsm->policy, decision->rule,
                           decision->charge);
    return out;
}

bool hsm_take_back(struct device *device, const struct decision *decision,
                   const struct velocity *before, const struct hash256 *hash, struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(JOURNAL_NOTE_ARENA);
    struct hsm *hsm = device->hsm;
    const struct velocity left = without(hsm, decision, before);
    struct store_decision stored = { .counters = hsm->counters,
                                     .policy_hash = hsm->policy_hash,
                                     .velocity = &left };
    const struct journal_event event = { .kind = JOURNAL_TAKEN_BACK,
                                         .has_hash = true,
                                         .hash = *hash,
                                         .has_policy_hash = true,
                                         .policy_hash = hsm->policy_hash,
                                         .velocity = &left,
                                         .n_rules = hsm->policy.n_rules };
    if (!journal_line(device, &stored.journal_line, &event, arena, err) ||
        !store_commit_decision(device->store, &stored, err))
        return false;
    hsm->velocity = left;
    return true;
}
