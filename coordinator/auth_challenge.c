// coordinator/auth_challenge.c -- challenges: made without a row, so that asking for many takes nothing from anybody.
//
// "nonce.ts.mac". The nonce is 8 random bytes and 8 of an HMAC over them and the visitor's pre-session id; the MAC is
// over nonce and time. Both keyed by a secret that all replicas have from the ledger. A row is made when a challenge
// is taken, behind the throttle of sign-ins; who has the key can write challenges, which let nobody in.
#include "base/hex.h"
#include "base/reader.h"
#include "base/secret.h"
#include "coordinator/auth_internal.h"
#include "crypto/hmac.h"
#include "crypto/random.h"
#include <inttypes.h>

#define KEY_SETTING "auth/challenge-key"
#define PURPOSE     "casemate coordinator challenge 2"
#define PURPOSE_PRE "casemate coordinator pre-session 2"
#define HALF        8 // bytes of a nonce

struct key {
    uint8_t bytes[32];
};
static void key_wipe(struct key *key)
{
    wipe(key, sizeof *key);
}

static bool find_key(struct db *db, struct key *out, bool *found, struct arena *arena,
                     struct err *err)
{
    struct db_rows rows;
    if (!db_query(db, &rows, "SELECT value FROM setting WHERE key = $1",
                  DB_ARGS(db_text(KEY_SETTING)), arena, err))
        return false;
    *found = rows.n == 1;
    return rows.n == 0 || hex_decode(out->bytes, sizeof out->bytes, db_cell_bytes(&rows, 0, 0)) ||
           code_fail(err, CODE_INTERNAL, "the ledger's key for challenges cannot be read");
}

// The first replica that needs it makes it.
static bool read_key(struct db *db, struct key *out, struct arena *arena, struct err *err)
{
    AUTO(key_wipe) struct key fresh = { { 0 } };
    char text[2 * sizeof fresh.bytes + 1];
    bool found;
    if (!find_key(db, out, &found, arena, err))
        return false;
    if (found)
        return true;
    random_bytes(fresh.bytes, sizeof fresh.bytes);
    hex_encode(text, BYTES_OF(fresh.bytes));
    const bool ok = db_exec(db, NULL,
                            "INSERT INTO setting(key, value) VALUES($1, $2) ON CONFLICT(key) DO "
                            "NOTHING",
                            DB_ARGS(db_text(KEY_SETTING), db_text(text)), err);
    wipe(text, sizeof text);
    return ok && find_key(db, out, &found, arena, err);
}

// --- Its parts ---

static void bind(uint8_t nonce[static 2 * HALF], const struct key *key, struct bytes pre)
{
    uint8_t mem[256], mac[32];
    struct writer w = writer_of(mem, sizeof mem);
    writer_printf(&w, PURPOSE_PRE "|");
    writer_put(&w, bytes_of(nonce, HALF));
    writer_put(&w, bytes_slice(pre, 0, AUTH_SECRET_SIZE));
    hmac_sha256(mac, BYTES_OF(key->bytes), writer_bytes(&w));
    memcpy(nonce + HALF, mac, HALF);
}

static void write_challenge(char out[static AUTH_CHALLENGE_SIZE], const struct key *key,
                            const uint8_t nonce[static 2 * HALF], int64_t ts)
{
    uint8_t mac[32];
    char nonce_text[4 * HALF + 1], mac_text[65], text[200];
    hex_encode(nonce_text, bytes_of(nonce, (size_t)2 * HALF));
    (void)snprintf(text, sizeof text, PURPOSE "|%s.%" PRId64, nonce_text, ts);
    hmac_sha256(mac, BYTES_OF(key->bytes), bytes_of_text(text));
    hex_encode(mac_text, BYTES_OF(mac));
    (void)snprintf(out, AUTH_CHALLENGE_SIZE, "%s.%" PRId64 ".%s", nonce_text, ts, mac_text);
}

bool auth_challenge(struct db *db, char out[static AUTH_CHALLENGE_SIZE],
                    char pre[static AUTH_SECRET_SIZE], struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(AUTH_ARENA);
    AUTO(key_wipe) struct key key = { { 0 } };
    uint8_t nonce[2 * HALF];
    int64_t now_us;
    if (!read_key(db, &key, arena, err) || !db_now_us(db, &now_us, err))
        return false;
    if (strlen(pre) != AUTH_SECRET_SIZE - 1)
        auth_make_secret(pre);
    random_bytes(nonce, HALF);
    bind(nonce, &key, bytes_of_text(pre));
    write_challenge(out, &key, nonce, now_us / 1000000);
    return true;
}

// --- Taking it ---

struct taking {
    struct bytes text, pre;
    bool loose;
};

static bool stale(struct err *err)
{
    return code_fail(err, CODE_UNAUTHENTICATED, "stale or invalid challenge");
}

// Ours, of the last 300 s, and made for who shows it.
static bool is_good(const struct taking *t, const struct key *key, int64_t now_us)
{
    char again[AUTH_CHALLENGE_SIZE];
    uint8_t nonce[2 * HALF], bound[2 * HALF];
    struct reader r = reader_of(t->text);
    struct bytes nonce_text, ts_text;
    uint64_t ts;
    if (!reader_until(&r, '.', &nonce_text) || !hex_decode(nonce, sizeof nonce, nonce_text) ||
        !reader_until(&r, '.', &ts_text))
        return false;
    struct reader digits = reader_of(ts_text);
    if (!reader_decimal64(&digits, INT64_MAX / 2000000, &ts) || !reader_done(&digits))
        return false;
    write_challenge(again, key, nonce, (int64_t)ts);
    const struct bytes ours = bytes_of_text(again);
    if (ours.len != t->text.len || !ct_equal(ours, t->text))
        return false;
    const int64_t age_us = now_us - (int64_t)ts * 1000000;
    memcpy(bound, nonce, HALF);
    bind(bound, key, t->pre);
    const bool theirs = ct_equal(BYTES_OF(bound), BYTES_OF(nonce));
    return age_us <= AUTH_CHALLENGE_US && age_us >= -AUTH_CHALLENGE_US &&
           (theirs || (t->loose && t->pre.len == 0));
}

static bool take_body(struct db *db, void *context, struct err *err)
{
    const struct taking *t = context;
    AUTO(arena_freep) struct arena *arena = arena_new(AUTH_ARENA);
    AUTO(key_wipe) struct key key = { { 0 } };
    const struct hash256 name = auth_hash(PURPOSE, t->text), pre = auth_hash(PURPOSE_PRE, t->pre);
    uint64_t changed;
    int64_t now_us;
    if (!read_key(db, &key, arena, err) || !db_now_us(db, &now_us, err))
        return false;
    if (!is_good(t, &key, now_us))
        return stale(err);
    // Whoever comes second with it finds the row there.
    if (!db_exec(db, &changed,
                 "INSERT INTO login_challenge(nonce, pre_session, expires_at, used_at) "
                 "VALUES($1, $2, $3, $4) ON CONFLICT(nonce) DO NOTHING",
                 DB_ARGS(db_blob(BYTES_OF(name.b)), db_blob(BYTES_OF(pre.b)),
                         db_int(now_us + 2 * AUTH_CHALLENGE_US), db_int(now_us)),
                 err))
        return false;
    return changed == 1 || stale(err);
}

bool auth_challenge_take(struct db *db, struct bytes challenge, struct bytes pre, bool loose,
                         struct err *err)
{
    struct taking t = { challenge, pre, loose };
    return people_within(db, take_body, &t, err);
}
