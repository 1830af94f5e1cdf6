#include "signer/hsm.h"
#include "base/base64.h"
#include "base/require.h"
#include "base/secret.h"
#include "crypto/random.h"
#include "policy/canonical.h"
#include "policy/summary.h"
#include "signer/device.h"

#define SUMMARY_MAX (4u << 20)

bool hsm_load_policy(struct device *device, struct policy *out, struct arena **arena,
                     struct err *err)
{
    AUTO(arena_freep) struct arena *scratch = arena_new(STORE_POLICY_MAX + (1u << 20));
    struct store_policy stored;
    struct policy_world world;
    if (!store_get_policy(device->store, &stored, scratch, err))
        return false;
    if (stored.form.len == 0)
        return err_set(err, ERR_NOT_FOUND, "No existing policy");
    if (!device_world(device, &world, scratch, err))
        return false;
    AUTO(arena_freep) struct arena *own = arena_new(POLICY_ARENA);
    if (!policy_store_read(out, stored.form, &world, own, err))
        return false;
    *arena = own;
    own = NULL;
    return true;
}

static void draw_local_secret(struct hsm *hsm)
{
    random_bytes(hsm->local_secret, sizeof hsm->local_secret);
}

// What was spent under this policy hash before, if the start may take it up.
// "Activating the saved policy with `boot_to_hsm` unset restores them"; with it "every rule with a
// non-zero per_period is charged its whole per_period".
static bool initial_velocity(struct velocity *out, struct device *device,
                             const struct policy *policy, const struct hash256 *hash,
                             enum hsm_start how, struct err *err)
{
    const int64_t now_s = device->clock->wall_s(device->clock);
    *out = (struct velocity){ 0 };
    if (how == HSM_NEW_FILE)
        return true;
    if (policy->boot_to_hsm.len > 0) {
        *out = velocity_all_spent(policy, now_s);
        return true;
    }
    if (!store_get_velocity(device->store, hash, out, err))
        return false;
    velocity_advance(out, policy, now_s);
    return true;
}

// "An operator's activation (with keys) sets it to 0"; an unattended start keeps the refusals.
static struct store_counters initial_counters(const struct device *device, enum hsm_start how)
{
    const struct store_counters stored = store_get_counters(device->store);
    struct store_counters counters = { 0 };
    if (how == HSM_UNATTENDED) {
        counters.refusals = stored.refusals;
        counters.stopped = stored.stopped;
    }
    return counters;
}

static bool store_the_activation(struct device *device, const struct hsm *hsm, enum hsm_start how,
                                 struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(3 * POLICY_ARENA);
    struct writer form = writer_growing(arena, STORE_POLICY_MAX);
    struct store_policy stored = { .has_sl_hash = hsm->policy.has_sl_hash,
                                   .sl_hash = hsm->policy.sl_hash };
    struct store_activation activation = {
        .policy = how == HSM_NEW_FILE ? &stored : NULL,
        .has_locker = how == HSM_NEW_FILE && hsm->policy.set_sl.len > 0,
        .locker = hsm->policy.set_sl,
        .policy_hash = hsm->policy_hash,
        .velocity = &hsm->velocity,
        .counters = hsm->counters,
    };
    policy_store_write(&form, &hsm->policy);
    if (!writer_finish(&form, &stored.form))
        return err_set(err, ERR_LIMIT, "policy too large to be stored");
    return store_activate(device->store, &activation, err);
}

// What runs is what was stored. With the arena of the file goes the locker's value: it "is
// forgotten", while the summary that the operator approved still says that it is updated.
static bool take_stored(struct device *device, struct hsm *hsm, struct err *err)
{
    AUTO(arena_freep) struct arena *scratch = arena_new(2 * SUMMARY_MAX);
    struct writer w = writer_growing(scratch, SUMMARY_MAX);
    struct arena *stored = NULL;
    policy_summary(&w, &hsm->policy, device_chain(device), device->config.unit);
    blob_set(&hsm->summary, writer_bytes(&w));
    if (!hsm_load_policy(device, &hsm->policy, &stored, err))
        return false;
    arena_free(hsm->arena);
    hsm->arena = stored;
    return true;
}

bool hsm_activate(struct device *device, const struct policy *policy, struct arena *arena,
                  enum hsm_start how, struct err *err)
{
    struct hsm *hsm = calloc(1, sizeof *hsm);
    REQUIRE(hsm != NULL && device->hsm == NULL);
    hsm->arena = arena;
    hsm->policy = *policy;
    hsm->policy_hash = policy_hash(policy);
    hsm->counters = initial_counters(device, how);
    hsm->since_ms = device->clock->monotonic_ms(device->clock);
    draw_local_secret(hsm);
    if (!initial_velocity(&hsm->velocity, device, policy, &hsm->policy_hash, how, err) ||
        !store_the_activation(device, hsm, how, err)) {
        hsm_free(hsm);
        return false;
    }
    if (!take_stored(device, hsm, err)) {
        hsm_free(hsm);
        return false;
    }
    device->hsm = hsm;
    return true;
}

void hsm_free(struct hsm *hsm)
{
    if (hsm == NULL)
        return;
    arena_free(hsm->arena);
    blob_drop(&hsm->summary);
    free(hsm->last_refusal);
    wipe(hsm, sizeof *hsm);
    free(hsm);
}

static void set_last_refusal(struct hsm *hsm, struct bytes text)
{
    free(hsm->last_refusal);
    hsm->last_refusal = malloc(text.len + 1);
    REQUIRE(hsm->last_refusal != NULL);
    if (text.len > 0)
        memcpy(hsm->last_refusal, text.ptr, text.len);
    hsm->last_refusal[text.len] = 0;
}

// The same in memory, after the store has it.
static void take_up(struct device *device, const struct decision *decision, struct bytes text,
                    const struct store_counters *counters)
{
    struct hsm *hsm = device->hsm;
    hsm->counters = *counters;
    if (!decision->is_text)
        hsm->velocity = decision->velocity;
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
    if (decision->consumed) {
        auth_queue_clear(&hsm->queue);
        hsm->has_code = false;
        draw_local_secret(hsm);
    }
    screen_touch(&device->screen);
}

bool hsm_commit(struct device *device, const struct decision *decision, struct bytes text,
                const struct hsm_amounts *amounts, struct err *err)
{
    const struct hsm *hsm = device->hsm;
    struct store_counters counters = hsm->counters;
    if (decision->verdict == VERDICT_SIGN)
        counters.approvals++;
    else
        counters.refusals++;
    counters.stopped = counters.refusals >= POLICY_REFUSALS_MAX;

    struct store_progress progress[USERS_MAX];
    const struct user_list *users = device_open_users(device);
    for (size_t i = 0; i < decision->n_verified; i++) {
        const struct verified_user *verified = &decision->verified[i];
        progress[i] =
            (struct store_progress){ user_name(&users->items[verified->user]), verified->after };
    }
    const struct store_decision stored = {
        .counters = counters,
        .policy_hash = hsm->policy_hash,
        .velocity = decision->is_text ? NULL : &decision->velocity,
        .progress = progress,
        .n_progress = decision->n_verified,
        .amounts = amounts->items,
        .n_amounts = amounts->n,
    };
    const bool is_stored = store_commit_decision(device->store, &stored, err);
    device_close_users(device);
    if (!is_stored)
        return false;
    take_up(device, decision, text, &counters);
    if (counters.stopped)
        device_stop_in(device, DEVICE_ENOUGH_MS, false);
    return true;
}

bool hsm_take_back(struct device *device, const struct velocity *before, struct err *err)
{
    struct hsm *hsm = device->hsm;
    const struct store_decision stored = { .counters = hsm->counters,
                                           .policy_hash = hsm->policy_hash,
                                           .velocity = before };
    if (!store_commit_decision(device->store, &stored, err))
        return false;
    hsm->velocity = *before;
    return true;
}

static bool is_escape(const struct device *device)
{
    const struct hsm *hsm = device->hsm;
    const int64_t active_ms = device->clock->monotonic_ms(device->clock) - hsm->since_ms;
    return active_ms < POLICY_ESCAPE_MS &&
           ct_equal(bytes_of(hsm->digits, LOCAL_CODE_DIGITS), hsm->policy.boot_to_hsm);
}

// "At the sixth digit the code is queued at once; OK queues it again and clears the display; X clears
// the display only."
bool hsm_key(struct device *device, char key)
{
    struct hsm *hsm = device->hsm;
    bool escape = false;
    if (key >= '0' && key <= '9') {
        if (hsm->n_digits == LOCAL_CODE_DIGITS)
            hsm->n_digits = 0;
        hsm->digits[hsm->n_digits++] = key;
    } else if (key == 'x') {
        hsm->n_digits = 0;
    }
    if (hsm->n_digits == LOCAL_CODE_DIGITS && key != 'x') {
        memcpy(hsm->code, hsm->digits, sizeof hsm->code);
        hsm->has_code = true;
        escape = key != 'y' && is_escape(device);
        if (key == 'y')
            hsm->n_digits = 0;
    }
    screen_touch(&device->screen);
    return escape;
}

void hsm_advance(struct device *device)
{
    velocity_advance(&device->hsm->velocity, &device->hsm->policy,
                     device->clock->wall_s(device->clock));
}

void hsm_period_left(struct writer *w, const struct device *device)
{
    const struct hsm *hsm = device->hsm;
    struct velocity now = hsm->velocity;
    const int64_t now_s = device->clock->wall_s(device->clock);
    velocity_advance(&now, &hsm->policy, now_s);
    const int64_t left_s = velocity_left_s(&now, &hsm->policy, now_s);
    if (hsm->policy.period_min == 0)
        writer_text(w, "n/a");
    else if (!now.running)
        writer_text(w, "--");
    else if (left_s < 3600)
        writer_printf(w, "%2dm %2ds", (int)(left_s / 60), (int)(left_s % 60));
    else
        writer_printf(w, "%2dh %2dm", (int)(left_s / 3600), (int)(left_s / 60 % 60));
}

void hsm_next_local_code(char out[static 21], const struct hsm *hsm)
{
    struct writer w = writer_of(out, 20);
    base64_write(&w, BYTES_OF(hsm->local_secret));
    out[20] = 0;
}
