#include "signer/hsm.h"
#include "base/require.h"
#include "base/secret.h"
#include "crypto/random.h"
#include "policy/canonical.h"
#include "policy/payees.h"
#include "policy/summary.h"
#include "signer/device.h"
#include "signer/pinned.h"

#define SUMMARY_MAX (4u << 20)

// A policy of its stored form, checked against today's users. *arena is new and the caller's.
static bool read_form(struct device *device, struct policy *out, struct arena **arena,
                      struct bytes form, struct arena *scratch, struct err *err)
{
    AUTO(arena_freep) struct arena *own = arena_new(POLICY_ARENA);
    struct policy_world world;
    if (!device_world(device, &world, scratch, err) ||
        !policy_store_read(out, form, &world, own, err))
        return false;
    *arena = own;
    own = NULL;
    return true;
}

bool hsm_load_policy(struct device *device, struct policy *out, struct arena **arena,
                     struct err *err)
{
    AUTO(arena_freep) struct arena *scratch = arena_new(STORE_POLICY_MAX + (1u << 20));
    struct store_policy stored;
    if (!store_get_policy(device->store, &stored, scratch, err))
        return false;
    if (stored.form.len == 0)
        return err_set(err, ERR_NOT_FOUND, "No existing policy");
    return read_form(device, out, arena, stored.form, scratch, err);
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
    struct velocity *stored = calloc(1, sizeof *stored);
    REQUIRE(stored != NULL);
    bool is_past = false; // what was spent since the backup of a restored signer, nobody knows
    const bool ok = store_get_velocity(device->store, hash, stored, err) &&
                    store_is_past(device->store, hash, &is_past, stored, err);
    if (ok && (is_past || policy->boot_to_hsm.len > 0))
        *out = velocity_all_spent(policy, stored, now_s);
    else if (ok)
        *out = *stored;
    if (ok)
        velocity_advance(out, policy, now_s);
    free(stored);
    return ok;
}

// "An operator's activation (with keys) sets it to 0"; a start without keys keeps the refusals. Reads
// of the locker: "a crash does not reset it; a restart by the operator does", by his keys or his PIN.
static struct store_counters initial_counters(const struct device *device, enum hsm_start how)
{
    const struct store_counters stored = store_get_counters(device->store);
    struct store_counters counters = { 0 };
    if (how == HSM_UNATTENDED || how == HSM_PINNED_FILE) {
        counters.refusals = stored.refusals;
        counters.stopped = stored.stopped;
        if (!device->pin_was_typed)
            counters.locker_reads = stored.locker_reads;
    }
    return counters;
}

static bool write_form(struct store_policy *out, const struct policy *policy, struct arena *arena,
                       struct err *err)
{
    struct writer form = writer_growing(arena, STORE_POLICY_MAX);
    policy_store_write(&form, policy);
    *out = (struct store_policy){ .has_sl_hash = policy->has_sl_hash, .sl_hash = policy->sl_hash };
    return writer_finish(&form, &out->form) ||
           err_set(err, ERR_LIMIT, "policy too large to be stored");
}

static bool activation_line(struct device *device, struct bytes *out, const struct hsm *hsm,
                            enum hsm_start how, struct arena *arena, struct err *err)
{
    static const char *const ways[] = { [HSM_NEW_FILE] = "new file",
                                        [HSM_SAVED] = "saved policy",
                                        [HSM_PINNED_FILE] = "new file, pinned",
                                        [HSM_UNATTENDED] = "saved policy, unattended" };
    struct journal_event event = { .kind = JOURNAL_ACTIVATION,
                                   .what = ways[how],
                                   .has_policy_hash = true,
                                   .policy_hash = hsm->policy_hash,
                                   .has_counts = true,
                                   .approvals = hsm->counters.approvals,
                                   .refusals = hsm->counters.refusals,
                                   .velocity = &hsm->velocity,
                                   .n_rules = hsm->policy.n_rules };
    struct err ignored; // the hash needs every user and wallet that is named
    event.has_policy_hash_full =
        pinned_hash(device, &hsm->policy, &event.policy_hash_full, &ignored);
    return journal_line(device, out, &event, arena, err);
}

static bool store_the_activation(struct device *device, const struct hsm *hsm,
                                 const struct policy *file, const struct store_policy *form,
                                 enum hsm_start how, struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(JOURNAL_NOTE_ARENA);
    const bool is_new = how == HSM_NEW_FILE || how == HSM_PINNED_FILE;
    struct store_activation activation = {
        .policy = how == HSM_UNATTENDED ? NULL : form, // what was approved, as of now
        .has_locker = is_new && file->set_sl.len > 0,
        .locker = file->set_sl,
        .policy_hash = hsm->policy_hash,
        .velocity = &hsm->velocity,
        .counters = hsm->counters,
    };
    return activation_line(device, &activation.journal_line, hsm, how, arena, err) &&
           store_activate(device->store, &activation, err);
}

// The summary that the operator approved: it says that the locker is updated, which the policy that
// runs does not know any more.
static void keep_summary(struct hsm *hsm, const struct device *device, const struct policy *file)
{
    AUTO(arena_freep) struct arena *scratch = arena_new(2 * SUMMARY_MAX);
    struct writer w = writer_growing(scratch, SUMMARY_MAX);
    policy_summary(&w, file, device_chain(device), device->config.unit);
    blob_set(&hsm->summary, writer_bytes(&w));
}

// Some seconds where there are many.
static bool derive_payees(struct hsm *hsm, struct err *err)
{
    hsm->payees = arena_new(policy_payees_arena(&hsm->policy));
    return policy_derive_payees(&hsm->policy, hsm->payees, err) ||
           err_within(err, "HSM Policy invalid");
}

// What runs is what is stored: it is read back from its form before anything changes. So a user who
// was deleted while the operator was reading fails the activation whole, and the locker's value
// "is forgotten" with the arena of the file.
static bool activate(struct hsm *hsm, struct device *device, const struct policy *file,
                     enum hsm_start how, struct err *err)
{
    AUTO(arena_freep) struct arena *scratch = arena_new(3 * POLICY_ARENA);
    struct store_policy form;
    if (!write_form(&form, file, scratch, err) ||
        !read_form(device, &hsm->policy, &hsm->arena, form.form, scratch, err) ||
        !pinned_hash(device, &hsm->policy, &form.full_hash, err) || !derive_payees(hsm, err))
        return false;
    keep_summary(hsm, device, file);
    hsm->policy_hash = policy_hash(&hsm->policy);
    hsm->counters = initial_counters(device, how);
    hsm->since_ms = device->clock->monotonic_ms(device->clock);
    hsm->wall_s = device->clock->wall_s(device->clock);
    draw_local_secret(hsm);
    return initial_velocity(&hsm->velocity, device, &hsm->policy, &hsm->policy_hash, how, err) &&
           store_the_activation(device, hsm, file, &form, how, err);
}

bool hsm_is_as_approved(struct device *device, const struct policy *policy)
{
    AUTO(arena_freep) struct arena *scratch = arena_new(STORE_POLICY_MAX + (1u << 20));
    struct store_policy stored;
    struct hash256 now;
    struct err err;
    return store_get_policy(device->store, &stored, scratch, &err) &&
           pinned_hash(device, policy, &now, &err) &&
           bytes_equal(BYTES_OF(now.b), BYTES_OF(stored.full_hash.b));
}

bool hsm_activate(struct device *device, const struct policy *policy, struct arena *arena,
                  enum hsm_start how, struct err *err)
{
    struct hsm *hsm = calloc(1, sizeof *hsm);
    REQUIRE(hsm != NULL && device->hsm == NULL);
    const bool ok = activate(hsm, device, policy, how, err);
    arena_free(arena);
    if (ok)
        device->hsm = hsm;
    else
        hsm_free(hsm);
    return ok;
}

void hsm_free(struct hsm *hsm)
{
    if (hsm == NULL)
        return;
    arena_free(hsm->arena);
    arena_free(hsm->payees);
    blob_drop(&hsm->summary);
    blob_drop(&hsm->last_decision);
    blob_drop(&hsm->dry_run);
    free(hsm->last_refusal);
    wipe(hsm, sizeof *hsm);
    free(hsm);
}
