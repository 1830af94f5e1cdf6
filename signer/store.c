#include "signer/store.h"
#include "base/hex.h"
#include "base/reader.h"
#include "base/require.h"
#include "signer/store_internal.h"

enum { SMALL_MEMORY = 1 << 20, VELOCITY_SIZE = 128 << 10 };

// --- Open and close ---

bool store_open(struct store **out, const char *dir, struct err *err)
{
    struct store_db *db;
    if (!db_open(&db, dir, err))
        return false;
    struct store *store = calloc(1, sizeof *store);
    REQUIRE(store != NULL);
    store->state = calloc(1, sizeof *store->state);
    REQUIRE(store->state != NULL);
    store->db = db;
    store->amounts_max = STORE_AMOUNTS_MAX;
    store_lock(store);
    *out = store;
    return true;
}

bool store_create(struct store **out, const char *dir, struct err *err)
{
    return db_create(dir, err) && store_open(out, dir, err);
}

void store_close(struct store *store)
{
    if (!store)
        return;
    store_lock(store);
    db_close(store->db);
    free(store->state);
    free(store);
}

void store_closep(struct store **store)
{
    store_close(*store);
    *store = NULL;
}

int store_dir_fd(const struct store *store)
{
    return store->db->dir_fd;
}

bool store_is_unlocked(const struct store *store)
{
    return store->keys != NULL;
}

void store_set_hook(struct store *store, struct store_hook hook)
{
    store->hook = hook;
}

// --- What is kept in the state itself ---

struct store_counters store_get_counters(const struct store *store)
{
    return store->state->counters;
}

struct store_settings store_get_settings(const struct store *store)
{
    return store->state->settings;
}

struct store_head store_get_head(const struct store *store)
{
    return store->state->head;
}

bool store_set_settings(struct store *store, const struct store_settings *settings, struct err *err)
{
    AUTO(store_tx_end) struct store_tx tx = { 0 };
    if (!store_begin(&tx, store, err))
        return false;
    tx.next->settings = *settings;
    return store_commit(&tx, err);
}

bool store_append_journal(struct store *store, struct bytes line, struct err *err)
{
    AUTO(store_tx_end) struct store_tx tx = { 0 };
    return store_begin(&tx, store, err) && store_put_line(&tx, line, err) && store_commit(&tx, err);
}

// --- Policy ---

bool store_put_policy(struct store_tx *tx, const struct store_policy *policy, struct err *err)
{
    struct bytes content;
    if (policy->form.len == 0 || policy->form.len > STORE_POLICY_MAX)
        return err_set(err, ERR_LIMIT, "a policy must be of 1 to %u bytes", STORE_POLICY_MAX);
    struct writer w = writer_growing(tx->arena, STORE_POLICY_MAX + 128);
    writer_u8(&w, policy->has_sl_hash);
    writer_put(&w, BYTES_OF(policy->sl_hash.b));
    writer_put(&w, BYTES_OF(policy->full_hash.b));
    writer_put(&w, policy->form);
    return writer_finish(&w, &content) ? store_put_row(tx, ROW_POLICY, content, err)
                                       : err_set(err, ERR_NO_MEMORY, "no memory for the policy");
}

bool store_get_policy(struct store *store, struct store_policy *out, struct arena *arena,
                      struct err *err)
{
    struct bytes content;
    uint8_t has_sl_hash;
    bool found;
    *out = (struct store_policy){ 0 };
    if (!store_row(store, ROW_POLICY, &content, &found, arena, err))
        return false;
    if (!found)
        return true;
    struct reader r = reader_of(content);
    if (!reader_u8(&r, &has_sl_hash) || has_sl_hash > 1 ||
        !reader_copy(&r, out->sl_hash.b, sizeof out->sl_hash.b) ||
        !reader_copy(&r, out->full_hash.b, sizeof out->full_hash.b) || reader_done(&r))
        return db_damaged(store->db, "its policy cannot be read", err);
    out->has_sl_hash = has_sl_hash == 1;
    out->form = reader_rest(&r);
    return true;
}

bool store_wipe_policy(struct store *store, struct bytes journal_line, struct err *err)
{
    AUTO(store_tx_end) struct store_tx tx = { 0 };
    if (!store_begin(&tx, store, err))
        return false;
    tx.scrub = true;
    return store_drop_row(&tx, ROW_POLICY, err) && store_put_line(&tx, journal_line, err) &&
           store_commit(&tx, err);
}

// --- Velocity ---

static void velocity_row(char out[static STORE_ROW_NAME_SIZE], const struct hash256 *policy_hash)
{
    char hex[65];
    hex_encode(hex, BYTES_OF(policy_hash->b));
    (void)snprintf(out, STORE_ROW_NAME_SIZE, ROW_VELOCITY "%s", hex);
}

// Values up to the last that is not 0, with their number before them.
static void write_sats(struct writer *w, const struct sats *values, size_t n)
{
    while (n > 0 && values[n - 1].n == 0)
        n--;
    writer_compact_size(w, n);
    for (size_t i = 0; i < n; i++)
        writer_u64le(w, values[i].n);
}

static void write_numbers(struct writer *w, const uint32_t *values, size_t n)
{
    while (n > 0 && values[n - 1] == 0)
        n--;
    writer_compact_size(w, n);
    for (size_t i = 0; i < n; i++)
        writer_u32le(w, values[i]);
}

static void write_outlay(struct writer *w, const struct outlay *outlay)
{
    writer_u32le(w, outlay->rule);
    writer_u32le(w, outlay->n);
    writer_i64le(w, outlay->since_s);
    writer_u64le(w, outlay->sats.n);
}

static void write_velocity(struct writer *w, const struct velocity *v)
{
    writer_u8(w, v->running);
    writer_i64le(w, v->start_s);
    write_sats(w, v->spent, COUNT(v->spent));
    write_numbers(w, v->n, COUNT(v->n));
    write_numbers(w, v->heights, COUNT(v->heights));
    writer_compact_size(w, v->n_outlays);
    for (size_t i = 0; i < v->n_outlays; i++)
        write_outlay(w, &v->outlays[i]);
    writer_compact_size(w, v->n_repeats);
    for (size_t i = 0; i < v->n_repeats; i++) {
        writer_u32le(w, v->repeats[i].rule);
        writer_i64le(w, v->repeats[i].since_s);
        writer_put(w, BYTES_OF(v->repeats[i].txid.b));
    }
}

static bool read_count(struct reader *r, size_t max, size_t *n)
{
    uint64_t count;
    if (!reader_compact_size(r, &count) || count > max)
        return false;
    *n = (size_t)count;
    return true;
}

static bool read_sats(struct reader *r, struct sats *values, size_t max)
{
    size_t n;
    if (!read_count(r, max, &n))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!reader_u64le(r, &values[i].n))
            return false;
    return true;
}

static bool read_numbers(struct reader *r, uint32_t *values, size_t max)
{
    size_t n;
    if (!read_count(r, max, &n))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!reader_u32le(r, &values[i]))
            return false;
    return true;
}

static bool read_outlays(struct reader *r, struct velocity *v)
{
    if (!read_count(r, COUNT(v->outlays), &v->n_outlays))
        return false;
    for (size_t i = 0; i < v->n_outlays; i++) {
        struct outlay *o = &v->outlays[i];
        if (!reader_u32le(r, &o->rule) || o->rule > VELOCITY_MESSAGES || !reader_u32le(r, &o->n) ||
            !reader_i64le(r, &o->since_s) || !reader_u64le(r, &o->sats.n))
            return false;
    }
    return true;
}

static bool read_repeats(struct reader *r, struct velocity *v)
{
    if (!read_count(r, COUNT(v->repeats), &v->n_repeats))
        return false;
    for (size_t i = 0; i < v->n_repeats; i++) {
        struct repeat *repeat = &v->repeats[i];
        if (!reader_u32le(r, &repeat->rule) || !reader_i64le(r, &repeat->since_s) ||
            !reader_copy(r, repeat->txid.b, sizeof repeat->txid.b))
            return false;
    }
    return true;
}

bool store_velocity_read(struct velocity *out, struct bytes content)
{
    struct reader r = reader_of(content);
    uint8_t running;
    if (!reader_u8(&r, &running) || running > 1 || !reader_i64le(&r, &out->start_s))
        return false;
    out->running = running == 1;
    return read_sats(&r, out->spent, COUNT(out->spent)) &&
           read_numbers(&r, out->n, COUNT(out->n)) &&
           read_numbers(&r, out->heights, COUNT(out->heights)) && read_outlays(&r, out) &&
           read_repeats(&r, out) && reader_done(&r);
}

bool store_get_velocity(struct store *store, const struct hash256 *policy_hash,
                        struct velocity *out, struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(SMALL_MEMORY);
    char name[STORE_ROW_NAME_SIZE];
    struct bytes content;
    bool found;
    *out = (struct velocity){ 0 };
    velocity_row(name, policy_hash);
    if (!store_row(store, name, &content, &found, arena, err))
        return false;
    return !found || store_velocity_read(out, content) ||
           db_damaged(store->db, "its spending totals cannot be read", err);
}

// Makes room for the velocity of one policy more, by forgetting the one that was not written for
// longest. Only keys, or a pin in the configuration, bring a new policy here.
static bool make_room(struct store_tx *tx, const char *name, struct err *err)
{
    size_t n = 0;
    char oldest[STORE_ROW_NAME_SIZE] = "";
    if (store_find_row(tx->next, name))
        return true;
    for (size_t i = 0; i < tx->next->n_rows; i++) {
        if (!bytes_starts_with(bytes_of_text(tx->next->rows[i].name), BYTES(ROW_VELOCITY)))
            continue;
        if (n++ == 0)
            memcpy(oldest, tx->next->rows[i].name, sizeof oldest);
    }
    return n < STORE_VELOCITIES_MAX || store_drop_row(tx, oldest, err);
}

static bool put_velocity(struct store_tx *tx, const struct hash256 *policy_hash,
                         const struct velocity *velocity, struct err *err)
{
    char name[STORE_ROW_NAME_SIZE];
    struct bytes content;
    struct writer w = writer_growing(tx->arena, VELOCITY_SIZE);
    velocity_row(name, policy_hash);
    write_velocity(&w, velocity);
    REQUIRE(writer_finish(&w, &content));
    return make_room(tx, name, err) && store_put_row(tx, name, content, err);
}

// --- Activation and decision ---

bool store_put_locker(struct store_tx *tx, struct bytes value, struct err *err)
{
    if (value.len > STORE_LOCKER_MAX)
        return err_set(err, ERR_LIMIT, "the storage locker holds %d bytes", STORE_LOCKER_MAX);
    return store_put_row(tx, ROW_LOCKER, value, err);
}

bool store_activate(struct store *store, const struct store_activation *a, struct err *err)
{
    AUTO(store_tx_end) struct store_tx tx = { 0 };
    if (!store_begin(&tx, store, err))
        return false;
    tx.scrub = a->policy || a->has_locker;
    tx.next->counters = a->counters;
    return (!a->policy || store_put_policy(&tx, a->policy, err)) &&
           (!a->has_locker || store_put_locker(&tx, a->locker, err)) &&
           put_velocity(&tx, &a->policy_hash, a->velocity, err) &&
           store_put_line(&tx, a->journal_line, err) && store_commit(&tx, err);
}

bool store_commit_decision(struct store *store, const struct store_decision *d, struct err *err)
{
    AUTO(store_tx_end) struct store_tx tx = { 0 };
    // A lookup that failed has told analysis that an amount was never seen.
    if (store->db->read_failed) {
        store->db->read_failed = false;
        return err_set(err, ERR_IO, "%s: the amount memory could not be read", store->db->path);
    }
    if (!store_begin(&tx, store, err))
        return false;
    tx.next->counters = d->counters;
    return (!d->velocity || put_velocity(&tx, &d->policy_hash, d->velocity, err)) &&
           store_put_progress(&tx, d->progress, d->n_progress, err) &&
           store_put_amounts(&tx, d->amounts, d->n_amounts, d->n_weak, err) &&
           store_put_line(&tx, d->journal_line, err) && store_commit(&tx, err);
}

// --- Locker ---

bool store_read_locker(struct store *store, uint64_t allowed, struct bytes journal_line,
                       struct bytes *out, struct arena *arena, struct err *err)
{
    AUTO(store_tx_end) struct store_tx tx = { 0 };
    bool found;
    if (!store_begin(&tx, store, err))
        return false;
    if (tx.next->counters.locker_reads >= allowed)
        return err_set(err, ERR_LIMIT, "consumed");
    // policy.md 16: "the counter is raised before the read"
    tx.next->counters.locker_reads++;
    return store_put_line(&tx, journal_line, err) && store_commit(&tx, err) &&
           store_row(store, ROW_LOCKER, out, &found, arena, err);
}

// --- The simulator's reset ---

bool store_reset(struct store *store, bool keep, struct err *err)
{
    static const char *const kept[] = { ROW_USERS, ROW_WALLETS, ROW_LOCKER };
    AUTO(store_tx_end) struct store_tx tx = { 0 };
    if (!store_begin(&tx, store, err))
        return false;
    for (size_t i = tx.next->n_rows; i-- > 0;) {
        const char *name = tx.next->rows[i].name;
        bool stays = strcmp(name, ROW_SECRET) == 0;
        for (size_t k = 0; keep && k < COUNT(kept); k++)
            stays = stays || strcmp(name, kept[k]) == 0;
        char copy[STORE_ROW_NAME_SIZE]; // the row moves while it is removed
        memcpy(copy, name, sizeof copy);
        if (!stays && !store_drop_row(&tx, copy, err))
            return false;
    }
    tx.next->counters = (struct store_counters){ 0 };
    tx.next->settings = (struct store_settings){ 0 };
    return store_clear_amounts(&tx, err) && store_commit(&tx, err);
}
