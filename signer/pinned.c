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

#define DESCRIPTORS_ARENA (STORE_WALLETS_MAX * (2 * MS_EXPORT_MAX))

// Those that the policy names: hashing is asked for with every status report.
static bool bind_wallets(struct policy_bindings *bindings, const struct device *device,
                         const struct policy *policy, struct arena *arena)
{
    struct bound_wallet *bound = arena_array(arena, device->wallets.n, sizeof *bound);
    bool ok = bound != NULL;
    bindings->wallets = bound;
    for (size_t i = 0; ok && i < device->wallets.n; i++) {
        const struct ms_wallet *wallet = device->wallets.list[i];
        const struct bytes name = bytes_of_text(wallet->name);
        struct writer w = writer_growing(arena, MS_EXPORT_MAX);
        if (!policy_names_wallet(policy, name))
            continue;
        struct bound_wallet *b = &bound[bindings->n_wallets++];
        b->name = name;
        ms_wallet_descriptor(&w, wallet, MS_BRANCHES);
        ok = writer_finish(&w, &b->descriptor);
    }
    return ok;
}

bool pinned_hash(struct device *device, const struct policy *policy, struct hash256 *out,
                 struct err *err)
{
    struct bound_user bound[USERS_MAX];
    const struct user_list *users = device_open_users(device);
    bind_users(bound, users);
    AUTO(arena_freep) struct arena *arena = arena_new(DESCRIPTORS_ARENA);
    struct policy_bindings bindings = { .chain = device_chain(device),
                                        .n_users = users->n,
                                        .users = bound };
    const bool ok = bind_wallets(&bindings, device, policy, arena)
                        ? policy_hash_full(out, policy, &bindings, err)
                        : err_set(err, ERR_NO_MEMORY, "Out of RAM");
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
