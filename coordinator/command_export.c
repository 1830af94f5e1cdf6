// What whoever keeps a signer elsewhere has to bring to it: the wallet's registration, and the signer's policy.
// Source: coordinator.md A6, B2 3 and 4, A7.
#include "coordinator/command.h"
#include "coordinator/fleet_store.h"
#include "coordinator/treasury.h"

static bool find_wallet(const struct wallet **out, struct treasury *treasury, struct db *db,
                        struct bytes name, struct arena *arena, struct err *err)
{
    struct treasury_wallet *all;
    size_t n;
    if (!treasury_all(treasury, db, &all, &n, arena, err))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (bytes_equal(name, all[i].row.name)) {
            *out = all[i].wallet;
            return true;
        }
    }
    return code_fail(err, CODE_NOT_FOUND, "there is no wallet '%.*s'", BYTES_ARG(name));
}

bool command_export_wallet(struct run *r, struct err *err)
{
    AUTO(db_close) struct db *db = NULL;
    const struct wallet *wallet = NULL;
    if (!command_open_ledger(r, &db, err))
        return false;
    struct treasury *treasury = treasury_new();
    const bool ok =
        find_wallet(&wallet, treasury, db, bytes_of_text(r->command->words[2]), r->arena, err) &&
        wallet_registration(r->out, wallet, err);
    treasury_free(treasury);
    return ok;
}

// Byte for byte as it is published.
bool command_export_policy(struct run *r, struct err *err)
{
    AUTO(db_close) struct db *db = NULL;
    struct known_signers all;
    bool found = false, has_policy = false;
    if (!command_open_ledger(r, &db, err) || !store_read_signers(db, &all, err))
        return false;
    for (size_t i = 0; i < all.n; i++) {
        const struct known_signer *s = all.items[i];
        const bool is_it = strcmp(s->name, r->command->words[2]) == 0;
        found = found || is_it;
        has_policy = has_policy || (is_it && s->has_policy);
        if (is_it && s->has_policy)
            writer_put(r->out, s->policy_body);
        known_signer_free(all.items[i]);
    }
    if (!found)
        return code_fail(err, CODE_NOT_FOUND, "there is no signer '%s'", r->command->words[2]);
    return has_policy || code_fail(err, CODE_NOT_FOUND, "no policy is published for signer '%s'",
                                   r->command->words[2]);
}
