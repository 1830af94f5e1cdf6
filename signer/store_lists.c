// Users and multisig wallets: each list is one sealed row, written whole.
#include "base/reader.h"
#include "base/require.h"
#include "signer/store_internal.h"

enum {
    USER_MAX = USER_NAME_SIZE + USER_SECRET_MAX + USER_SERIAL_SIZE + 32,
    LIST_MEMORY = 16 << 20
};

// --- Users ---

static void write_user(struct writer *w, const struct user *user)
{
    writer_counted(w, bytes_of(user->name, user->name_len));
    writer_u8(w, (uint8_t)user->mode);
    writer_counted(w, bytes_of(user->secret, user->secret_len));
    writer_u64le(w, user->progress.last);
    writer_u8(w, user->progress.zero_used);
    writer_counted(w, bytes_of_text(user->salt_serial));
}

static bool read_into(struct reader *r, uint8_t *out, size_t room, size_t *len)
{
    struct bytes content;
    if (!reader_counted(r, &content) || content.len > room)
        return false;
    memcpy(out, content.ptr, content.len);
    *len = content.len;
    return true;
}

static bool read_user(struct reader *r, struct user *out)
{
    uint8_t mode, zero_used;
    struct bytes serial;
    if (!read_into(r, out->name, sizeof out->name, &out->name_len) || !reader_u8(r, &mode) ||
        mode < USER_TOTP || mode > USER_PASSWORD ||
        !read_into(r, out->secret, sizeof out->secret, &out->secret_len) ||
        !reader_u64le(r, &out->progress.last) || !reader_u8(r, &zero_used) || zero_used > 1 ||
        !reader_counted(r, &serial) || serial.len >= sizeof out->salt_serial)
        return false;
    memcpy(out->salt_serial, serial.ptr, serial.len);
    out->mode = (enum user_mode)mode;
    out->progress.zero_used = zero_used == 1;
    return true;
}

static bool read_users(struct bytes content, struct user out[static USERS_MAX], size_t *n)
{
    struct reader r = reader_of(content);
    for (*n = 0; !reader_done(&r); (*n)++)
        if (*n == USERS_MAX || !read_user(&r, &out[*n]))
            return false;
    return true;
}

bool store_get_users(struct store *store, struct user out[static USERS_MAX], size_t *n,
                     struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(LIST_MEMORY);
    struct bytes content;
    bool found;
    *n = 0;
    memset(out, 0, USERS_MAX * sizeof out[0]);
    if (!store_row(store, ROW_USERS, &content, &found, arena, err))
        return false;
    return read_users(content, out, n) || db_damaged(store->db, "its users cannot be read", err);
}

// All users of a store for one change, wiped at the end.
struct users {
    struct user list[USERS_MAX];
    size_t n;
};
static void users_wipe(struct users *users)
{
    wipe(users, sizeof *users);
}

bool store_put_users(struct store_tx *tx, const struct user *users, size_t n, struct err *err)
{
    struct writer w = writer_growing(tx->arena, (size_t)USERS_MAX * USER_MAX);
    struct bytes content;
    for (size_t i = 0; i < n; i++)
        write_user(&w, &users[i]);
    REQUIRE(writer_finish(&w, &content));
    return store_put_row(tx, ROW_USERS, content, err);
}

static bool put_users(struct store_tx *tx, const struct users *users, struct err *err)
{
    return store_put_users(tx, users->list, users->n, err);
}

// The user of that name, or where it would stand.
static size_t place(const struct users *users, struct bytes name, bool *found)
{
    size_t at = 0;
    *found = false;
    for (; at < users->n; at++) {
        const struct user *user = &users->list[at];
        const int order = bytes_compare(bytes_of(user->name, user->name_len), name);
        *found = order == 0;
        if (order >= 0)
            break;
    }
    return at;
}

bool store_add_user(struct store *store, const struct user *user, struct bytes journal_line,
                    struct err *err)
{
    AUTO(store_tx_end) struct store_tx tx = { 0 };
    AUTO(users_wipe) struct users users = { 0 };
    bool found;
    REQUIRE(user->name_len >= 1 && user->name_len <= sizeof user->name);
    REQUIRE(user->secret_len <= sizeof user->secret);
    if (!store_get_users(store, users.list, &users.n, err))
        return false;
    const size_t at = place(&users, bytes_of(user->name, user->name_len), &found);
    if (found)
        return err_set(err, ERR_EXISTS, "exists");
    if (users.n == USERS_MAX)
        return err_set(err, ERR_LIMIT, "too many");
    memmove(&users.list[at + 1], &users.list[at], (users.n - at) * sizeof users.list[0]);
    users.list[at] = *user;
    users.n++;
    return store_begin(&tx, store, err) && put_users(&tx, &users, err) &&
           store_put_line(&tx, journal_line, err) && store_commit(&tx, err);
}

bool store_delete_user(struct store *store, struct bytes name, struct bytes journal_line,
                       struct err *err)
{
    AUTO(store_tx_end) struct store_tx tx = { 0 };
    AUTO(users_wipe) struct users users = { 0 };
    bool found;
    if (!store_get_users(store, users.list, &users.n, err))
        return false;
    const size_t at = place(&users, name, &found);
    if (found) {
        users.n--;
        memmove(&users.list[at], &users.list[at + 1], (users.n - at) * sizeof users.list[0]);
    }
    if (!store_begin(&tx, store, err))
        return false;
    tx.scrub = true;
    return (!found || put_users(&tx, &users, err)) && store_put_line(&tx, journal_line, err) &&
           store_commit(&tx, err);
}

bool store_put_progress(struct store_tx *tx, const struct store_progress *progress, size_t n,
                        struct err *err)
{
    AUTO(users_wipe) struct users users = { 0 };
    if (n == 0)
        return true;
    if (!store_get_users(tx->store, users.list, &users.n, err))
        return false;
    for (size_t i = 0; i < n; i++) {
        bool found;
        const size_t at = place(&users, progress[i].user, &found);
        if (!found)
            return err_set(err, ERR_NOT_FOUND, "a user who approved is not in the store");
        users.list[at].progress = progress[i].after;
    }
    return put_users(tx, &users, err);
}

// --- Wallets ---

struct wallets {
    struct store_wallet list[STORE_WALLETS_MAX];
    size_t n;
};

static bool read_wallets(struct bytes content, struct wallets *out)
{
    struct reader r = reader_of(content);
    for (out->n = 0; !reader_done(&r); out->n++)
        if (out->n == STORE_WALLETS_MAX || !reader_counted(&r, &out->list[out->n].name) ||
            !reader_counted(&r, &out->list[out->n].form))
            return false;
    return true;
}

static bool get_wallets(struct store *store, struct wallets *out, struct arena *arena,
                        struct err *err)
{
    struct bytes content;
    bool found;
    if (!store_row(store, ROW_WALLETS, &content, &found, arena, err))
        return false;
    return read_wallets(content, out) || db_damaged(store->db, "its wallets cannot be read", err);
}

bool store_get_wallets(struct store *store, const struct store_wallet **out, size_t *n,
                       struct arena *arena, struct err *err)
{
    struct wallets *wallets = arena_alloc(arena, sizeof *wallets);
    *out = NULL;
    *n = 0;
    if (!wallets)
        return err_set(err, ERR_NO_MEMORY, "no memory for the wallets");
    if (!get_wallets(store, wallets, arena, err))
        return false;
    *out = wallets->list;
    *n = wallets->n;
    return true;
}

bool store_put_wallets(struct store_tx *tx, const struct store_wallet *wallets, size_t n,
                       struct err *err)
{
    struct writer w = writer_growing(tx->arena, LIST_MEMORY);
    struct bytes content;
    for (size_t i = 0; i < n; i++) {
        writer_counted(&w, wallets[i].name);
        writer_counted(&w, wallets[i].form);
    }
    if (!writer_finish(&w, &content))
        return err_set(err, ERR_LIMIT, "the wallets are too large");
    return store_put_row(tx, ROW_WALLETS, content, err);
}

static bool put_wallets(struct store_tx *tx, const struct wallets *wallets, struct err *err)
{
    return store_put_wallets(tx, wallets->list, wallets->n, err);
}

static size_t wallet_place(const struct wallets *wallets, struct bytes name)
{
    size_t at = 0;
    while (at < wallets->n && !bytes_equal(wallets->list[at].name, name))
        at++;
    return at;
}

bool store_put_wallet(struct store *store, const struct store_wallet *wallet,
                      struct bytes journal_line, struct err *err)
{
    AUTO(store_tx_end) struct store_tx tx = { 0 };
    struct wallets wallets;
    REQUIRE(wallet->name.len >= 1);
    if (wallet->form.len > STORE_WALLET_MAX)
        return err_set(err, ERR_LIMIT, "the wallet is too large");
    if (!store_begin(&tx, store, err) || !get_wallets(store, &wallets, tx.arena, err))
        return false;
    const size_t at = wallet_place(&wallets, wallet->name);
    if (at == STORE_WALLETS_MAX)
        return err_set(err, ERR_LIMIT, "more than %d wallets", STORE_WALLETS_MAX);
    wallets.list[at] = *wallet;
    wallets.n += at == wallets.n;
    return put_wallets(&tx, &wallets, err) && store_put_line(&tx, journal_line, err) &&
           store_commit(&tx, err);
}

bool store_delete_wallet(struct store *store, struct bytes name, struct bytes journal_line,
                         struct err *err)
{
    AUTO(store_tx_end) struct store_tx tx = { 0 };
    struct wallets wallets;
    if (!store_begin(&tx, store, err) || !get_wallets(store, &wallets, tx.arena, err))
        return false;
    const size_t at = wallet_place(&wallets, name);
    if (at == wallets.n)
        return err_set(err, ERR_NOT_FOUND, "no such wallet");
    wallets.n--;
    memmove(&wallets.list[at], &wallets.list[at + 1], (wallets.n - at) * sizeof wallets.list[0]);
    tx.scrub = true;
    return put_wallets(&tx, &wallets, err) && store_put_line(&tx, journal_line, err) &&
           store_commit(&tx, err);
}
