#include "signer/pinned.h"
#include "policy/canonical.h"

static void bind_users(struct bound_user *out, const struct user_list *users)
{
    for (size_t i = 0; i < users->n; i++) {
        const struct user *user = &users->items[i];
        out[i] =
            (struct bound_user){ user_name(user), (unsigned)user->mode, user_secret_hash(user) };
    }
}

bool pinned_hash(struct device *device, const struct policy *policy, struct hash256 *out,
                 struct err *err)
{
    struct bound_user bound[USERS_MAX];
    const struct user_list *users = device_open_users(device);
    bind_users(bound, users);
    const struct policy_bindings bindings = { .chain = device_chain(device),
                                              .n_users = users->n,
                                              .users = bound };
    const bool ok = policy_hash_full(out, policy, &bindings, err);
    device_close_users(device);
    return ok;
}

static bool is_listed(const struct config *config, const struct hash256 *hash)
{
    for (size_t i = 0; i < config->n_accepted; i++) {
        if (memcmp(config->accepted[i].b, hash->b, sizeof hash->b) == 0)
            return true;
    }
    return false;
}

enum pinned pinned_says(struct device *device, const struct policy *policy)
{
    struct hash256 hash;
    struct err err;
    const bool listed =
        pinned_hash(device, policy, &hash, &err) && is_listed(&device->config, &hash);
    if (listed)
        return store_get_counters(device->store).stopped ? PINNED_ASK : PINNED_ARM;
    return device->config.only_accepted ? PINNED_REFUSED : PINNED_ASK;
}
