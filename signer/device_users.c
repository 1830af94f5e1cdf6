#include "signer/device_users.h"

static bool user_line(struct device *device, struct bytes *out, enum journal_kind kind,
                      const struct user *user, struct arena *arena, struct err *err)
{
    static const char *const modes[] = {
        [USER_NONE] = NULL, [USER_TOTP] = "totp", [USER_HOTP] = "hotp", [USER_PASSWORD] = "password"
    };
    const struct journal_event event = { .kind = kind,
                                         .name = user_name(user),
                                         .what = modes[user->mode] };
    return journal_line(device, out, &event, arena, err);
}

bool device_add_user(struct device *device, const struct user_request *request,
                     char picked[static USER_PICKED_SIZE], struct err *err)
{
    struct user_list *users = device_edit_users(device);
    AUTO(user_wipe) struct user user = { 0 };
    AUTO(arena_freep) struct arena *arena = arena_new(JOURNAL_NOTE_ARENA);
    struct bytes line;
    const bool ok = user_create(&user, picked, request, users->items, users->n, err) &&
                    user_line(device, &line, JOURNAL_USER_ADDED, &user, arena, err) &&
                    store_add_user(device->store, &user, line, err) &&
                    store_get_users(device->store, users->items, &users->n, err);
    device_close_users(device);
    if (ok)
        LOG(device->log, LOG_INFO, "user_created", LOG_BYTES("name", user_name(&user)));
    return ok;
}

bool device_is_needed(struct device *device, bool (*names)(const struct policy *, struct bytes),
                      struct bytes name)
{
    struct policy policy;
    struct arena *arena = NULL;
    struct err err;
    if (!hsm_load_policy(device, &policy, &arena, &err))
        return false;
    const bool needed = policy.boot_to_hsm.len > 0 && names(&policy, name);
    arena_free(arena);
    return needed;
}

bool device_delete_user(struct device *device, struct bytes name, struct err *err)
{
    if (device_is_needed(device, policy_names_user, name))
        return err_set(err, ERR_STATE, "in use by policy");
    AUTO(arena_freep) struct arena *arena = arena_new(JOURNAL_NOTE_ARENA);
    struct user_list *users = device_edit_users(device);
    const struct user *user = user_find(users->items, users->n, name);
    struct bytes line = { 0 }; // for a user that there is not, nothing happens
    const bool ok =
        (user == NULL || user_line(device, &line, JOURNAL_USER_DELETED, user, arena, err)) &&
        store_delete_user(device->store, name, line, err) &&
        store_get_users(device->store, users->items, &users->n, err);
    device_close_users(device);
    if (ok)
        LOG(device->log, LOG_INFO, "user_deleted", LOG_BYTES("name", name));
    return ok;
}

bool device_try_user(struct device *device, const struct authorisation *auth,
                     enum auth_problem *problem, struct err *err)
{
    static const struct hash256 no_psbt = { 0 };
    AUTO(arena_freep) struct arena *arena = arena_new(JOURNAL_NOTE_ARENA);
    struct user_list *users = device_edit_users(device);
    struct store_progress progress = { .user = authorisation_name(auth) };
    const struct user *user = user_find(users->items, users->n, progress.user);
    bool ok = true;
    *problem = user_verify(&progress.after, user, auth, &no_psbt, &totp_any_time);
    if (*problem == AUTH_GOOD) {
        struct store_decision stored = { .counters = store_get_counters(device->store),
                                         .progress = &progress,
                                         .n_progress = 1 };
        ok = user_line(device, &stored.journal_line, JOURNAL_USER_TRIED, user, arena, err) &&
             store_commit_decision(device->store, &stored, err) &&
             store_get_users(device->store, users->items, &users->n, err);
    }
    device_close_users(device);
    return ok;
}
