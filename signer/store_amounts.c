// The amount memory: what was seen of an outpoint, so that a host cannot tell two stories of it.
//
// An entry is named by a keyed hash of its outpoint, so that the file does not list what we signed.
// The state holds the sum, modulo 2^256, of a MAC of each entry: with one changed, removed, added or
// replaced offline, the sum is another one.
// Source: psbt-signing.md 17.
#include "base/require.h"
#include "base/writer.h"
#include "crypto/hmac.h"
#include "signer/store_internal.h"

struct entry {
    uint64_t seq;
    uint8_t outpoint[32]; // keyed hash
    uint64_t sats;
};

static void name_outpoint(uint8_t out[static 32], const struct store *store,
                          const struct outpoint *outpoint)
{
    uint8_t plain[36];
    struct writer w = writer_of(plain, sizeof plain);
    writer_put(&w, BYTES_OF(outpoint->txid.b));
    writer_u32le(&w, outpoint->index);
    const struct store_keys *keys = store_open_keys(store);
    hmac_sha256(out, BYTES_OF(keys->outpoints), writer_bytes(&w));
    store_close_keys(store);
}

static void mac_entry(uint8_t out[static 32], const struct store *store, const struct entry *entry)
{
    uint8_t plain[48];
    struct writer w = writer_of(plain, sizeof plain);
    writer_u64le(&w, entry->seq);
    writer_put(&w, BYTES_OF(entry->outpoint));
    writer_u64le(&w, entry->sats);
    const struct store_keys *keys = store_open_keys(store);
    hmac_sha256(out, BYTES_OF(keys->sums), writer_bytes(&w));
    store_close_keys(store);
}

static void sum_add(uint8_t sum[static 32], const uint8_t more[static 32])
{
    unsigned carry = 0;
    for (size_t i = 0; i < 32; i++) {
        carry += (unsigned)sum[i] + more[i];
        sum[i] = (uint8_t)carry;
        carry >>= 8;
    }
}

static void sum_subtract(uint8_t sum[static 32], const uint8_t less[static 32])
{
    unsigned borrow = 0;
    for (size_t i = 0; i < 32; i++) {
        const unsigned digit = 256u + sum[i] - less[i] - borrow;
        sum[i] = (uint8_t)digit;
        borrow = digit < 256u;
    }
}

// --- Looking up ---

static bool find(struct store_db *db, const uint8_t name[static 32], struct entry *out, bool *found,
                 struct err *err)
{
    sqlite3_stmt *s = db_statement(db, SQL_AMOUNT_GET);
    db_bind_blob(s, 1, bytes_of(name, 32));
    if (!db_next(db, s, found, err))
        return false;
    memcpy(out->outpoint, name, 32);
    const bool read =
        !*found || (db_column_u64(s, 0, &out->seq) && db_column_u64(s, 1, &out->sats));
    db_reset(s);
    return read || db_damaged(db, "an amount cannot be read", err);
}

bool store_known_amount(const void *memory, const struct outpoint *outpoint, struct sats *out)
{
    const struct store *store = memory;
    struct entry entry = { 0 };
    uint8_t name[32];
    bool found = false;
    struct err err;
    if (!store->keys)
        return false;
    name_outpoint(name, store, outpoint);
    if (!find(store->db, name, &entry, &found, &err)) {
        store->db->read_failed = true; // nobody hears it here: the commit refuses
        return false;
    }
    if (found)
        *out = (struct sats){ entry.sats };
    return found;
}

// --- Changing ---

static bool drop(struct store_tx *tx, const struct entry *entry, struct err *err)
{
    struct store_amounts *amounts = &tx->next->amounts;
    sqlite3_stmt *s = db_statement(tx->store->db, SQL_AMOUNT_DROP);
    uint8_t mac[32];
    db_bind_u64(s, 1, entry->seq);
    mac_entry(mac, tx->store, entry);
    sum_subtract(amounts->sum, mac);
    amounts->n--;
    return db_done(tx->store->db, s, err);
}

static bool add(struct store_tx *tx, struct entry *entry, struct err *err)
{
    struct store_amounts *amounts = &tx->next->amounts;
    sqlite3_stmt *s = db_statement(tx->store->db, SQL_AMOUNT_PUT);
    uint8_t mac[32];
    entry->seq = amounts->next_seq++;
    db_bind_u64(s, 1, entry->seq);
    db_bind_blob(s, 2, BYTES_OF(entry->outpoint));
    db_bind_u64(s, 3, entry->sats);
    mac_entry(mac, tx->store, entry);
    sum_add(amounts->sum, mac);
    amounts->n++;
    return db_done(tx->store->db, s, err);
}

static bool drop_oldest(struct store_tx *tx, struct err *err)
{
    struct store_db *db = tx->store->db;
    sqlite3_stmt *s = db_statement(db, SQL_AMOUNT_OLDEST);
    struct entry entry = { 0 };
    struct bytes name;
    bool found;
    if (!db_next(db, s, &found, err))
        return false;
    const bool read = found && db_column_u64(s, 0, &entry.seq) && db_column_blob(s, 1, &name) &&
                      name.len == sizeof entry.outpoint && db_column_u64(s, 2, &entry.sats);
    if (read)
        memcpy(entry.outpoint, name.ptr, sizeof entry.outpoint);
    db_reset(s);
    return read ? drop(tx, &entry, err) : db_damaged(db, "an amount cannot be read", err);
}

static bool put(struct store_tx *tx, const struct store_amount *amount, struct err *err)
{
    struct entry entry = { 0 };
    uint8_t name[32];
    bool found;
    if (amount->amount.n > SATS_MAX)
        return err_set(err, ERR_LIMIT, "an amount of more than can exist");
    name_outpoint(name, tx->store, &amount->outpoint);
    if (!find(tx->store->db, name, &entry, &found, err))
        return false;
    if (found && entry.sats == amount->amount.n)
        return true;
    if (found && !drop(tx, &entry, err))
        return false;
    entry.sats = amount->amount.n;
    return add(tx, &entry, err);
}

static bool put_all(struct store_tx *tx, const struct store_amount *amounts, size_t n,
                    struct err *err)
{
    for (size_t i = 0; i < n; i++)
        if (!put(tx, &amounts[i], err))
            return false;
    while (tx->next->amounts.n > tx->store->amounts_max)
        if (!drop_oldest(tx, err))
            return false;
    return true;
}

static size_t room(const struct store_tx *tx)
{
    return (size_t)(tx->store->amounts_max - tx->next->amounts.n);
}

bool store_put_amounts(struct store_tx *tx, const struct store_amount *amounts, size_t n,
                       size_t n_weak, struct err *err)
{
    REQUIRE(n_weak <= n);
    if (n == 0)
        return true;
    if (!put_all(tx, amounts, n - n_weak, err))
        return false;
    const size_t n_kept = n_weak < room(tx) ? n_weak : room(tx);
    if (!put_all(tx, amounts + (n - n_weak), n_kept, err))
        return false;
    store_step(tx->store, "amounts");
    return true;
}

bool store_clear_amounts(struct store_tx *tx, struct err *err)
{
    tx->next->amounts = (struct store_amounts){ .next_seq = tx->next->amounts.next_seq };
    return db_done(tx->store->db, db_statement(tx->store->db, SQL_AMOUNTS_CLEAR), err);
}

// --- Verifying ---

static bool sum_all(struct store *store, struct store_amounts *out, struct err *err)
{
    struct store_db *db = store->db;
    sqlite3_stmt *s = db_statement(db, SQL_AMOUNTS_ALL);
    bool more;
    if (!db_next(db, s, &more, err))
        return false;
    while (more) {
        struct entry entry;
        struct bytes name;
        uint8_t mac[32];
        if (!db_column_u64(s, 0, &entry.seq) || !db_column_blob(s, 1, &name) ||
            name.len != sizeof entry.outpoint || !db_column_u64(s, 2, &entry.sats)) {
            db_reset(s);
            return db_damaged(db, "an amount cannot be read", err);
        }
        memcpy(entry.outpoint, name.ptr, sizeof entry.outpoint);
        mac_entry(mac, store, &entry);
        sum_add(out->sum, mac);
        out->n++;
        if (!db_next(db, s, &more, err))
            return false;
    }
    db_reset(s);
    return true;
}

bool store_verify_amounts(struct store *store, struct err *err)
{
    struct store_amounts found = { 0 };
    const struct store_amounts *stated = &store->state->amounts;
    if (!sum_all(store, &found, err))
        return false;
    if (found.n != stated->n || !bytes_equal(BYTES_OF(found.sum), BYTES_OF(stated->sum)))
        return err_set(err, ERR_INVALID,
                       "%s: the amount memory was tampered with or damaged; restore the store from "
                       "a backup",
                       store->db->path);
    return true;
}
