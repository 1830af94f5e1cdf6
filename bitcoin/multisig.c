// bitcoin/multisig.c
#include "bitcoin/multisig.h"
#include "base/require.h"
#include "bitcoin/script.h"
#include <string.h>

bool ms_wallet_prepare(struct ms_wallet *wallet, struct err *err)
{
    for (size_t i = 0; i < wallet->n; i++) {
        struct ms_cosigner *cosigner = &wallet->cosigner[i];
        for (uint32_t branch = 0; branch < MS_BRANCHES; branch++)
            if (!hdpub_child(&cosigner->branch[branch], &cosigner->node, branch, err))
                return false;
    }
    return true;
}

size_t ms_wallet_position(const struct ms_wallet *wallet, struct xfp xfp)
{
    size_t i = 0;
    while (i < wallet->n && !xfp_equal(wallet->cosigner[i].origin.xfp, xfp))
        i++;
    return i;
}

uint32_t ms_wallet_xor(const struct ms_wallet *wallet)
{
    uint32_t xor = 0;
    for (size_t i = 0; i < wallet->n; i++)
        xor ^= xfp_to_u32(wallet->cosigner[i].origin.xfp);
    return xor;
}

// --- Addresses ---

bool ms_wallet_pubkey(struct pubkey *out, const struct ms_wallet *wallet, size_t cosigner,
                      enum ms_branch branch, uint32_t index, struct keytable *table,
                      struct err *err)
{
    REQUIRE(cosigner < wallet->n && branch < MS_BRANCHES);
    const struct hdpub *parent = &wallet->cosigner[cosigner].branch[branch];
    return keytable_pubkey(out, table, parent, index, err);
}

bool ms_wallet_pubkeys(struct pubkey out[static MS_KEYS_MAX], const struct ms_wallet *wallet,
                       enum ms_branch branch, uint32_t index, struct keytable *table,
                       struct err *err)
{
    for (size_t i = 0; i < wallet->n; i++)
        if (!ms_wallet_pubkey(&out[i], wallet, i, branch, index, table, err))
            return false;
    return true;
}

void ms_wallet_script_of(struct writer *w, const struct ms_wallet *wallet,
                         const struct pubkey *keys)
{
    struct bytes key[MS_KEYS_MAX];
    for (size_t i = 0; i < wallet->n; i++)
        key[i] = BYTES_OF(keys[i].b);
    if (wallet->sorted)
        script_sort_keys(key, wallet->n);
    script_write_multisig(w, wallet->m, key, wallet->n);
}

bool ms_wallet_script(struct writer *w, const struct ms_wallet *wallet, enum ms_branch branch,
                      uint32_t index, struct err *err)
{
    struct pubkey keys[MS_KEYS_MAX];
    if (!ms_wallet_pubkeys(keys, wallet, branch, index, NULL, err))
        return false;
    ms_wallet_script_of(w, wallet, keys);
    return true;
}

bool ms_wallet_address(struct writer *w, const struct ms_wallet *wallet, enum ms_branch branch,
                       uint32_t index, struct err *err)
{
    uint8_t inner_mem[MS_SCRIPT_MAX], output_mem[34];
    struct writer inner = writer_of(inner_mem, sizeof inner_mem);
    struct writer output = writer_of(output_mem, sizeof output_mem);
    if (!ms_wallet_script(&inner, wallet, branch, index, err) ||
        !address_script_of_script(&output, writer_bytes(&inner), wallet->format, err))
        return false;
    REQUIRE(address_from_script(w, writer_bytes(&output), wallet->chain));
    return true;
}

// --- Which wallet ---

bool ms_wallet_matches(const struct ms_wallet *wallet, const struct key_origin *origins, size_t n)
{
    if (n != wallet->n)
        return false;
    for (size_t i = 0; i < n; i++) {
        const size_t at = ms_wallet_position(wallet, origins[i].xfp);
        if (at == wallet->n ||
            !keypath_starts_with(&origins[i].path, &wallet->cosigner[at].origin.path))
            return false;
    }
    return true;
}

const struct ms_wallet *ms_find(struct ms_wallets wallets, const struct ms_query *query)
{
    for (size_t i = 0; i < wallets.n; i++) {
        const struct ms_wallet *wallet = wallets.list[i];
        if ((query->m == 0 || query->m == wallet->m) &&
            (query->format == NULL || *query->format == wallet->format) &&
            ms_wallet_matches(wallet, query->origins, query->n))
            return wallet;
    }
    return NULL;
}

const struct ms_wallet *ms_find_name(struct ms_wallets wallets, struct bytes name)
{
    for (size_t i = 0; i < wallets.n; i++)
        if (bytes_equal_text(name, wallets.list[i]->name))
            return wallets.list[i];
    return NULL;
}

bool ms_is_known(struct ms_wallets wallets, size_t m, size_t n, uint32_t xfp_xor)
{
    for (size_t i = 0; i < wallets.n; i++) {
        const struct ms_wallet *wallet = wallets.list[i];
        if ((m == 0 || wallet->m == m) && (n == 0 || wallet->n == n) &&
            ms_wallet_xor(wallet) == xfp_xor)
            return true;
    }
    return false;
}
