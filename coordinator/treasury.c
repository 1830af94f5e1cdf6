#include "coordinator/treasury.h"
#include "base/require.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct treasury {
    pthread_mutex_t lock;
    size_t n;
    struct {
        char id[ID_SIZE];
        struct wallet *wallet;
    } wallets[TREASURY_WALLETS];
};

struct treasury *treasury_new(void)
{
    struct treasury *t = calloc(1, sizeof *t);
    REQUIRE(t != NULL && pthread_mutex_init(&t->lock, NULL) == 0);
    return t;
}

void treasury_free(struct treasury *treasury)
{
    if (treasury == NULL)
        return;
    for (size_t i = 0; i < treasury->n; i++)
        wallet_free(treasury->wallets[i].wallet);
    (void)pthread_mutex_destroy(&treasury->lock);
    free(treasury);
}

// The lock is held.
static const struct wallet *known(const struct treasury *t, const char *id)
{
    for (size_t i = 0; i < t->n; i++)
        if (strcmp(t->wallets[i].id, id) == 0)
            return t->wallets[i].wallet;
    return NULL;
}

static bool add(struct treasury *t, const struct wallet_row *row, const struct wallet **out,
                struct err *err)
{
    const struct wallet_text text = { row->name, row->network, row->desc_receive, row->desc_change,
                                      NULL };
    struct wallet *wallet;
    if (t->n == TREASURY_WALLETS)
        return code_fail(err, CODE_INTERNAL, "more than %d wallets", TREASURY_WALLETS);
    if (!wallet_new(&wallet, &text, err))
        return false;
    memcpy(t->wallets[t->n].id, row->id, ID_SIZE);
    t->wallets[t->n++].wallet = wallet;
    *out = wallet;
    return true;
}

static bool make(struct treasury *t, const struct wallet_row *row, struct treasury_wallet *out,
                 struct arena *arena, struct err *err)
{
    out->row = *row;
    if (!spend_rules_parse(&out->rules, row->settings, arena, err))
        return err_within(err, "wallet %.*s", BYTES_ARG(row->name));
    (void)pthread_mutex_lock(&t->lock);
    out->wallet = known(t, row->id);
    const bool ok = out->wallet != NULL || add(t, row, &out->wallet, err);
    (void)pthread_mutex_unlock(&t->lock);
    return ok;
}

bool treasury_get(struct treasury *treasury, struct db *db, const char *wallet_id,
                  struct treasury_wallet *out, struct arena *arena, struct err *err)
{
    struct wallet_rows rows;
    if (!ledger_wallets(db, &rows, arena, err))
        return false;
    for (size_t i = 0; i < rows.n; i++)
        if (strcmp(rows.items[i].id, wallet_id) == 0)
            return make(treasury, &rows.items[i], out, arena, err);
    return code_fail(err, CODE_NOT_FOUND, "no wallet has the id %s", wallet_id);
}

bool treasury_all(struct treasury *treasury, struct db *db, struct treasury_wallet **out, size_t *n,
                  struct arena *arena, struct err *err)
{
    struct wallet_rows rows;
    if (!ledger_wallets(db, &rows, arena, err))
        return false;
    *n = rows.n < TREASURY_WALLETS ? rows.n : TREASURY_WALLETS;
    *out = arena_array(arena, *n, sizeof **out);
    if (*out == NULL)
        return err_set(err, ERR_NO_MEMORY, "too many wallets");
    for (size_t i = 0; i < *n; i++)
        if (!make(treasury, &rows.items[i], &(*out)[i], arena, err))
            return false;
    return true;
}
