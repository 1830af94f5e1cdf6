#include "signer/vault.h"
#include "base/reader.h"
#include "base/require.h"
#include "crypto/kdf.h"
#include "crypto/random.h"
#include "signer/store_internal.h"
#include <inttypes.h>

enum {
    RECORD_VERSION = 1,
    SALT_LEN = 16,
    SEALED_LEN = STORE_KEY_LEN + SEAL_OVERHEAD,
    RECORD_MAX = 256,
    PAUSE_MAX_S = 3600,
    // What a stored cost may be. The floor is libsodium's "interactive".
    PASSES_MIN = 2,
    PASSES_MAX = 16,
    MEMORY_MIN_KIB = 65536,
    MEMORY_MAX_KIB = 2097152,
    SECRET_ROW_MEMORY = 65536,
};

// What is stored in the clear, in the row of its own table. Nothing in it can be authenticated
// before the PIN is known; a changed cost or salt only makes another key.
struct record {
    enum vault_state state;
    uint32_t wrong; // tries counted and not disproved
    bool last_try;  // the try that was counted last was the last one allowed
    struct vault_cost cost;
    uint8_t salt[SALT_LEN];
    uint8_t sealed_key[SEALED_LEN]; // the store's key under the PIN's
};

struct vault_cost vault_cost_default(void)
{
    return (struct vault_cost){ .passes = 3, .memory_kib = 262144 };
}

struct vault_cost vault_cost_weak(void)
{
    return (struct vault_cost){ .passes = 1, .memory_kib = 8 };
}

static bool is_weak(struct vault_cost cost)
{
    return cost.passes < PASSES_MIN || cost.memory_kib < MEMORY_MIN_KIB;
}

// --- The record ---

static void write_record(struct writer *w, const struct record *record)
{
    writer_u8(w, RECORD_VERSION);
    writer_u8(w, (uint8_t)record->state);
    writer_u32le(w, record->wrong);
    writer_u8(w, record->last_try);
    writer_u32le(w, record->cost.passes);
    writer_u32le(w, record->cost.memory_kib);
    writer_put(w, BYTES_OF(record->salt));
    writer_put(w, BYTES_OF(record->sealed_key));
}

static bool parse_record(struct record *out, struct bytes content)
{
    struct reader r = reader_of(content);
    uint8_t version, state, last_try;
    if (!reader_u8(&r, &version) || version != RECORD_VERSION || !reader_u8(&r, &state) ||
        state > VAULT_DESTROYED || !reader_u32le(&r, &out->wrong) || !reader_u8(&r, &last_try) ||
        last_try > 1 || !reader_u32le(&r, &out->cost.passes) ||
        !reader_u32le(&r, &out->cost.memory_kib) || !reader_copy(&r, out->salt, sizeof out->salt) ||
        !reader_copy(&r, out->sealed_key, sizeof out->sealed_key) || !reader_done(&r))
        return false;
    out->state = (enum vault_state)state;
    out->last_try = last_try == 1;
    return out->cost.passes >= 1 && out->cost.passes <= PASSES_MAX && out->cost.memory_kib >= 8 &&
           out->cost.memory_kib <= MEMORY_MAX_KIB;
}

static bool load_record(struct record *out, struct store_db *db, struct err *err)
{
    sqlite3_stmt *s = db_statement(db, SQL_VAULT_GET);
    struct bytes content;
    bool found;
    *out = (struct record){ .state = VAULT_EMPTY };
    if (!db_next(db, s, &found, err))
        return false;
    const bool good = !found || (db_column_blob(s, 0, &content) && parse_record(out, content));
    db_reset(s);
    return good || db_damaged(db, "its PIN record cannot be read", err);
}

// One statement outside of a transaction is a durable transaction of its own.
static bool save_record(struct store_db *db, const struct record *record, struct err *err)
{
    uint8_t mem[RECORD_MAX];
    struct writer w = writer_of(mem, sizeof mem);
    struct bytes content;
    write_record(&w, record);
    REQUIRE(writer_finish(&w, &content));
    sqlite3_stmt *s = db_statement(db, SQL_VAULT_PUT);
    db_bind_blob(s, 1, content);
    return db_done(db, s, err);
}

// --- Keys ---

bool vault_check_pin(struct bytes pin, struct err *err)
{
    if (pin.len < VAULT_PIN_MIN || pin.len > VAULT_PIN_MAX)
        return err_set(err, ERR_INVALID, "a PIN has %d to %d characters", VAULT_PIN_MIN,
                       VAULT_PIN_MAX);
    if (!bytes_is_printable_ascii(pin))
        return err_set(err, ERR_INVALID, "a PIN has printable ASCII characters only");
    return true;
}

struct key {
    uint8_t b[STORE_KEY_LEN];
};
static void key_wipe(struct key *key)
{
    wipe(key->b, sizeof key->b);
    wipe_stack();
}

static bool pin_key(struct key *out, const struct record *record, struct bytes pin, struct err *err)
{
    return argon2id(out->b, sizeof out->b, pin, BYTES_OF(record->salt), record->cost.passes,
                    record->cost.memory_kib, err);
}

// A new salt, and the store's key sealed under the PIN's.
static bool seal_key(struct record *record, const struct key *store_key, struct bytes pin,
                     struct err *err)
{
    AUTO(key_wipe) struct key key;
    random_bytes(record->salt, sizeof record->salt);
    if (!pin_key(&key, record, pin, err))
        return false;
    seal(record->sealed_key, BYTES_OF(store_key->b), key.b);
    return true;
}

// --- Making ---

static bool write_first(struct store *store, const struct record *record, struct bytes secret,
                        const struct store_restored *restored, struct err *err)
{
    AUTO(store_tx_end) struct store_tx tx = { 0 };
    return store_begin(&tx, store, err) && save_record(store->db, record, err) &&
           store_put_row(&tx, ROW_SECRET, secret, err) &&
           (restored == NULL || store_put_restored(&tx, restored, err)) && store_commit(&tx, err);
}

bool vault_create(struct store *store, struct bytes pin, struct bytes secret,
                  struct vault_cost cost, struct err *err)
{
    return vault_restore(store, pin, secret, cost, NULL, err);
}

bool vault_restore(struct store *store, struct bytes pin, struct bytes secret,
                   struct vault_cost cost, const struct store_restored *restored, struct err *err)
{
    AUTO(key_wipe) struct key key;
    struct record record;
    REQUIRE(secret.len >= 1);
    if (!vault_check_pin(pin, err) || !load_record(&record, store->db, err))
        return false;
    if (record.state != VAULT_EMPTY)
        return err_set(err, ERR_EXISTS, "a PIN is set already");
    record = (struct record){ .state = VAULT_SEALED, .cost = cost };
    random_bytes(key.b, sizeof key.b);
    if (!seal_key(&record, &key, pin, err))
        return false;
    store_unlock_new(store, key.b);
    if (write_first(store, &record, secret, restored, err))
        return true;
    store_lock(store);
    return false;
}

// --- Counting tries ---

// 2^(n-1) s, at most an hour.
static int64_t pause_ms(unsigned wrong)
{
    if (wrong == 0)
        return 0;
    const int64_t seconds = wrong > 12 ? PAUSE_MAX_S : (int64_t)1 << (wrong - 1);
    return (seconds < PAUSE_MAX_S ? seconds : PAUSE_MAX_S) * 1000;
}

static void start_pause(struct vault *vault, unsigned wrong)
{
    vault->wrong = wrong;
    vault->not_before_ms = vault->clock->monotonic_ms(vault->clock) + pause_ms(wrong);
}

// The sealed key is overwritten first: it alone opens the rest.
static bool destroy(struct vault *vault, struct err *err)
{
    struct store_db *db = vault->store->db;
    struct record record = { .state = VAULT_DESTROYED, .cost = vault_cost_default() };
    store_lock(vault->store);
    if (!save_record(db, &record, err))
        return err_within(err, "the keys were to be destroyed");
    sqlite3_stmt *s = db_statement(db, SQL_ROW_DELETE);
    db_bind_text(s, 1, ROW_SECRET);
    const bool deleted = db_done(db, s, err);
    db_scrub(db);
    vault->state = VAULT_DESTROYED;
    vault->wrong = 0;
    return deleted;
}

static bool destroyed(struct err *err)
{
    return err_set(err, ERR_STATE, "the keys were destroyed after too many wrong PINs");
}

bool vault_init(struct vault *out, struct store *store, const struct clock *clock,
                unsigned pin_tries, bool accept_weak, struct err *err)
{
    struct record record;
    if (!load_record(&record, store->db, err))
        return false;
    if (record.state == VAULT_SEALED && !accept_weak && is_weak(record.cost))
        return err_set(err, ERR_UNSUPPORTED, "%s: made by a simulator; never for real keys",
                       store->db->path);
    *out = (struct vault){ .store = store,
                           .clock = clock,
                           .pin_tries = pin_tries,
                           .accept_weak = accept_weak,
                           .state = record.state };
    // The pause begins again: how long the process was away, nobody can tell for sure.
    start_pause(out, record.wrong);
    // A last try that never finished counts as wrong: it could have been cut short on purpose.
    if (record.state == VAULT_SEALED && record.last_try && pin_tries > 0)
        return destroy(out, err);
    return true;
}

int64_t vault_wait_ms(const struct vault *vault)
{
    const int64_t left = vault->not_before_ms - vault->clock->monotonic_ms(vault->clock);
    return left > 0 ? left : 0;
}

static bool may_try(const struct vault *vault, struct err *err)
{
    const int64_t wait = vault_wait_ms(vault);
    if (vault->state == VAULT_EMPTY)
        return err_set(err, ERR_STATE, "no PIN is set");
    if (vault->state == VAULT_DESTROYED)
        return destroyed(err);
    if (wait > 0)
        return err_set(err, ERR_BUSY, "wait %" PRId64 " s", (wait + 999) / 1000);
    return true;
}

// The try is on disk before anything is learnt from it.
static bool count_try(struct vault *vault, struct record *record, struct err *err)
{
    if (record->wrong < UINT32_MAX)
        record->wrong++;
    record->last_try = vault->pin_tries > 0 && record->wrong >= vault->pin_tries;
    vault->wrong = record->wrong;
    if (!save_record(vault->store->db, record, err))
        return err_within(err, "counting a try of the PIN");
    store_step(vault->store, "counted");
    return true;
}

// The PIN could not be tried for want of memory: nothing was learnt, so nothing counts.
static bool uncount(struct vault *vault, const struct record *before, struct err *err)
{
    struct err second;
    vault->wrong = before->wrong;
    if (!save_record(vault->store->db, before, &second))
        return err_within(err, "the try stays counted");
    return false;
}

static bool wrong_pin(struct vault *vault, const struct record *record, struct err *err)
{
    start_pause(vault, record->wrong);
    if (record->last_try)
        return destroy(vault, err) && destroyed(err);
    err_set(err, ERR_AUTH, "wrong PIN");
    if (vault->pin_tries > 0)
        return err_detail(err, "%" PRIu32 " more wrong ones destroy the keys",
                          vault->pin_tries - record->wrong);
    return false;
}

// One counted try: on success *key is the store's, and *record as it is on disk.
static bool try_pin(struct vault *vault, struct key *key, struct record *record, struct bytes pin,
                    struct err *err)
{
    AUTO(key_wipe) struct key from_pin = { 0 };
    if (!may_try(vault, err) || !load_record(record, vault->store->db, err))
        return false;
    const struct record before = *record;
    if (!count_try(vault, record, err))
        return false;
    // What is no PIN at all is a wrong one, and takes as long.
    const bool well_formed = pin.len <= VAULT_PIN_MAX;
    if (!pin_key(&from_pin, record, well_formed ? pin : BYTES(""), err))
        return uncount(vault, &before, err);
    store_step(vault->store, "tried");
    return (well_formed && unseal(key->b, BYTES_OF(record->sealed_key), from_pin.b)) ||
           wrong_pin(vault, record, err);
}

static bool forgive(struct vault *vault, struct record *record, struct err *err)
{
    record->wrong = 0;
    record->last_try = false;
    if (!save_record(vault->store->db, record, err))
        return err_within(err, "the PIN is right, and that cannot be stored");
    start_pause(vault, 0);
    return true;
}

// --- Use ---

static bool read_secret(struct vault *vault, struct secret **out, struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(SECRET_ROW_MEMORY);
    struct bytes content;
    bool found;
    if (!store_row(vault->store, ROW_SECRET, &content, &found, arena, err))
        return false;
    if (!found || content.len == 0)
        return db_damaged(vault->store->db, "its master secret is missing", err);
    *out = secret_new(content);
    return true;
}

bool vault_unlock(struct vault *vault, struct secret **secret, struct bytes pin, struct err *err)
{
    AUTO(key_wipe) struct key key = { 0 };
    struct record record;
    if (!try_pin(vault, &key, &record, pin, err) || !forgive(vault, &record, err))
        return false;
    if (store_unlock(vault->store, key.b, err) && read_secret(vault, secret, err))
        return true;
    store_lock(vault->store);
    return false;
}

void vault_lock(struct vault *vault)
{
    store_lock(vault->store);
}

bool vault_change_pin(struct vault *vault, struct bytes old_pin, struct bytes new_pin,
                      struct err *err)
{
    AUTO(key_wipe) struct key key = { 0 };
    struct record record;
    if (!vault_check_pin(new_pin, err) || !try_pin(vault, &key, &record, old_pin, err))
        return false;
    if (!forgive(vault, &record, err))
        return false;
    // A cost below today's default, from an older version, is raised.
    if (!vault->accept_weak)
        record.cost = vault_cost_default();
    if (!seal_key(&record, &key, new_pin, err) || !save_record(vault->store->db, &record, err))
        return false;
    store_step(vault->store, "resealed");
    db_scrub(vault->store->db);
    return true;
}

bool vault_replace_secret(struct vault *vault, struct bytes secret, struct err *err)
{
    AUTO(store_tx_end) struct store_tx tx = { 0 };
    if (!store_begin(&tx, vault->store, err))
        return false;
    tx.scrub = true;
    return store_put_row(&tx, ROW_SECRET, secret, err) && store_commit(&tx, err);
}
