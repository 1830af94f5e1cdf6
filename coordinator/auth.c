#include "coordinator/auth.h"
#include "base/base64.h"
#include "base/clock.h"
#include "base/hex.h"
#include "base/require.h"
#include "base/secret.h"
#include "coordinator/auth_internal.h"
#include "crypto/hash.h"
#include "crypto/hmac.h"
#include "crypto/random.h"
#include <inttypes.h>

#define LAST_USED_US ((int64_t)60000000) // how exactly a token's last use is kept

// --- Texts and their hashes ---

struct hash256 auth_hash(const char *purpose, struct bytes text)
{
    struct sha256 ctx;
    sha256_init_tagged(&ctx, purpose);
    sha256_update(&ctx, text);
    return sha256_final(&ctx);
}
#define PURPOSE_SESSION "casemate coordinator session 1"
#define PURPOSE_TOKEN   "casemate coordinator token 1"
#define PURPOSE_CSRF    "casemate coordinator csrf 1"

void auth_make_secret(char out[static AUTH_SECRET_SIZE])
{
    uint8_t random[32];
    char text[BASE64_LEN(sizeof random)];
    random_bytes(random, sizeof random);
    struct writer w = writer_of(text, sizeof text);
    base64_write(&w, BYTES_OF(random));
    for (size_t i = 0; i < AUTH_SECRET_SIZE - 1; i++)
        out[i] = (char)(text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i]);
    out[AUTH_SECRET_SIZE - 1] = '\0';
    wipe(random, sizeof random);
    wipe(text, sizeof text);
}

// --- Sessions ---

struct starting {
    const struct actor *actor;
    const char *principal_id;
    const uint8_t *hash, *csrf_key;
    int64_t life_us;
};

static void csrf_of(char out[static AUTH_CSRF_SIZE], struct bytes key)
{
    uint8_t mac[32];
    hmac_sha256(mac, key, BYTES(PURPOSE_CSRF));
    hex_encode(out, BYTES_OF(mac));
}

static bool start_body(struct db *db, void *context, struct err *err)
{
    const struct starting *s = context;
    uint8_t csrf_key[32];
    int64_t now_us;
    memcpy(csrf_key, s->csrf_key, sizeof csrf_key);
    const bool ok = db_now_us(db, &now_us, err) &&
                    db_exec(db, NULL,
                            "INSERT INTO session(token_hash, principal_id, csrf_key, expires_at) "
                            "VALUES($1, $2, $3, $4)",
                            DB_ARGS(db_blob(bytes_of(s->hash, 32)), db_text(s->principal_id),
                                    db_blob(BYTES_OF(csrf_key)), db_int(now_us + s->life_us)),
                            err) &&
                    actor_event(db, s->actor, "session.started", s->principal_id,
                                (struct bytes){ 0 }, (struct bytes){ 0 }, err);
    wipe(csrf_key, sizeof csrf_key);
    return ok;
}

bool auth_session_start(struct db *db, char id[static AUTH_SECRET_SIZE], struct auth_session *out,
                        const struct actor *actor, const char *principal_id, int64_t life_us,
                        struct err *err)
{
    uint8_t csrf_key[32];
    auth_make_secret(id);
    random_bytes(csrf_key, sizeof csrf_key);
    const struct hash256 hash = auth_hash(PURPOSE_SESSION, bytes_of_text(id));
    struct starting s = { actor, principal_id, hash.b, csrf_key, life_us };
    *out = (struct auth_session){ 0 };
    memcpy(out->hash, hash.b, sizeof out->hash);
    (void)snprintf(out->principal_id, sizeof out->principal_id, "%s", principal_id);
    csrf_of(out->csrf, BYTES_OF(csrf_key));
    const bool ok = people_within(db, start_body, &s, err);
    wipe(csrf_key, sizeof csrf_key);
    return ok;
}

bool auth_session_find(struct db *db, struct bytes id, struct auth_session *out, bool *found,
                       struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(AUTH_ARENA);
    struct db_rows rows;
    int64_t now_us;
    *found = false;
    *out = (struct auth_session){ 0 };
    if (id.len != AUTH_SECRET_SIZE - 1)
        return true;
    const struct hash256 hash = auth_hash(PURPOSE_SESSION, id);
    if (!db_now_us(db, &now_us, err) ||
        !db_query(db, &rows,
                  "SELECT principal_id, csrf_key FROM session WHERE token_hash = $1 AND "
                  "revoked_at IS NULL AND expires_at > $2",
                  DB_ARGS(db_blob(BYTES_OF(hash.b)), db_int(now_us)), arena, err))
        return false;
    if (rows.n == 0)
        return true;
    *found = true;
    memcpy(out->hash, hash.b, sizeof out->hash);
    db_cell_copy(out->principal_id, sizeof out->principal_id, &rows, 0, 0);
    csrf_of(out->csrf, db_cell_bytes(&rows, 0, 1));
    return true;
}

struct ending {
    const struct auth_session *session;
    const struct actor *actor;
    const char *id; // of a token
};

static bool end_body(struct db *db, void *context, struct err *err)
{
    const struct ending *e = context;
    int64_t now_us;
    return db_now_us(db, &now_us, err) &&
           db_exec(
               db, NULL,
               "UPDATE session SET revoked_at = $2 WHERE token_hash = $1 AND revoked_at IS NULL",
               DB_ARGS(db_blob(BYTES_OF(e->session->hash)), db_int(now_us)), err) &&
           actor_event(db, e->actor, "session.ended", e->session->principal_id, (struct bytes){ 0 },
                       (struct bytes){ 0 }, err);
}

bool auth_session_end(struct db *db, const struct auth_session *session, const struct actor *actor,
                      struct err *err)
{
    struct ending e = { .session = session, .actor = actor };
    return people_within(db, end_body, &e, err);
}

bool auth_csrf_is(const struct auth_session *session, struct bytes given)
{
    return ct_equal(given, bytes_of_text(session->csrf));
}

// --- Tokens ---

struct minting {
    const struct actor *actor;
    const char *principal_id;
    char *id;
    const uint8_t *hash;
    unsigned scopes;
    int64_t life_us;
};

static bool token_body(struct db *db, void *context, struct err *err)
{
    const struct minting *m = context;
    AUTO(arena_freep) struct arena *arena = arena_new(AUTH_ARENA);
    struct writer scopes = writer_growing(arena, 1024);
    struct json_writer j = json_writer_of(&scopes);
    struct db_rows rows;
    int64_t now_us;
    roles_write(&j, m->scopes == ROLES_ALL ? 0 : m->scopes); // none: the principal's
    if (!db_now_us(db, &now_us, err) ||
        !db_query(db, &rows, "SELECT 1 FROM principal WHERE id = $1",
                  DB_ARGS(db_text(m->principal_id)), arena, err))
        return false;
    if (rows.n == 0)
        return code_fail(err, CODE_NOT_FOUND, "there is no such principal");
    db_new_id(m->id, now_us);
    return db_exec(db, NULL,
                   "INSERT INTO api_token(id, principal_id, hash, scopes, expires_at) "
                   "VALUES($1, $2, $3, $4, $5)",
                   DB_ARGS(db_text(m->id), db_text(m->principal_id), db_blob(bytes_of(m->hash, 32)),
                           db_text_of(writer_bytes(&scopes)),
                           db_int_or_null(m->life_us == 0 ? 0 : now_us + m->life_us)),
                   err) &&
           actor_event(db, m->actor, "token.added", m->id, (struct bytes){ 0 },
                       writer_bytes(&scopes), err);
}

bool auth_token_add(struct db *db, char id[static ID_SIZE], char token[static AUTH_TOKEN_SIZE],
                    const struct actor *actor, const char *principal_id, unsigned scopes,
                    int64_t life_us, struct err *err)
{
    // NOLINTNEXTLINE(bugprone-not-null-terminated-result): the secret follows, with its zero
    memcpy(token, "cmt_", 4);
    auth_make_secret(token + 4);
    const struct hash256 hash = auth_hash(PURPOSE_TOKEN, bytes_of_text(token));
    struct minting m = { actor, principal_id, id, hash.b, scopes, life_us };
    return people_within(db, token_body, &m, err);
}

static bool revoke_body(struct db *db, void *context, struct err *err)
{
    const struct ending *e = context;
    uint64_t changed;
    int64_t now_us;
    if (!db_now_us(db, &now_us, err) ||
        !db_exec(db, &changed,
                 "UPDATE api_token SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL",
                 DB_ARGS(db_text(e->id), db_int(now_us)), err))
        return false;
    if (changed == 0)
        return code_fail(err, CODE_NOT_FOUND, "there is no such token");
    return actor_event(db, e->actor, "token.revoked", e->id, (struct bytes){ 0 },
                       (struct bytes){ 0 }, err);
}

bool auth_token_revoke(struct db *db, const struct actor *actor, const char *id, struct err *err)
{
    struct ending e = { .actor = actor, .id = id };
    return people_within(db, revoke_body, &e, err);
}

// No scopes: whatever the principal may.
static unsigned read_scopes(struct bytes text, struct arena *arena)
{
    const struct json *list;
    struct err err;
    unsigned set = 0;
    if (!json_parse(&list, text, arena, &err) || list->type != JSON_ARRAY)
        return 0;
    for (const struct json *item = list->items; item != NULL; item = item->next)
        set |= role_of_name(item->text);
    return list->n_items == 0 ? ROLES_ALL : set;
}

bool auth_token_find(struct db *db, struct bytes token, char principal_id[static ID_SIZE],
                     unsigned *scopes, bool *found, struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(AUTH_ARENA);
    struct db_rows rows;
    int64_t now_us;
    *found = false;
    *scopes = 0;
    if (token.len != AUTH_TOKEN_SIZE - 1)
        return true;
    const struct hash256 hash = auth_hash(PURPOSE_TOKEN, token);
    if (!db_now_us(db, &now_us, err) ||
        !db_query(db, &rows,
                  "SELECT t.id, t.principal_id, t.scopes, coalesce(t.last_used_at, 0) "
                  "FROM api_token t JOIN principal p ON p.id = t.principal_id "
                  "WHERE t.hash = $1 AND t.revoked_at IS NULL AND p.disabled = 0 AND "
                  "(t.expires_at IS NULL OR t.expires_at > $2)",
                  DB_ARGS(db_blob(BYTES_OF(hash.b)), db_int(now_us)), arena, err))
        return false;
    if (rows.n == 0)
        return true;
    *found = true;
    *scopes = read_scopes(db_cell_bytes(&rows, 0, 2), arena);
    db_cell_copy(principal_id, ID_SIZE, &rows, 0, 1);
    if (now_us - db_cell_int(&rows, 0, 3) < LAST_USED_US)
        return true;
    return db_exec(db, NULL, "UPDATE api_token SET last_used_at = $2 WHERE id = $1",
                   DB_ARGS(db_text_of(db_cell_bytes(&rows, 0, 0)), db_int(now_us)), err);
}

void auth_time_write(struct json_writer *j, int64_t us)
{
    char text[CLOCK_TEXT_SIZE];
    if (us == 0) {
        json_null(j);
        return;
    }
    clock_to_text(text, us / 1000000);
    json_text(j, text);
}

bool auth_token_write(struct db *db, struct json_writer *j, struct arena *arena, struct err *err)
{
    struct db_rows rows;
    if (!db_query(db, &rows,
                  "SELECT t.id, p.subject, t.scopes, t.expires_at, t.last_used_at, t.revoked_at "
                  "FROM api_token t JOIN principal p ON p.id = t.principal_id ORDER BY t.id",
                  DB_NONE, arena, err))
        return false;
    json_begin_array(j);
    for (size_t i = 0; i < rows.n; i++) {
        json_begin_object(j);
        json_key(j, "id");
        json_string(j, db_cell_bytes(&rows, i, 0));
        json_key(j, "subject");
        json_string(j, db_cell_bytes(&rows, i, 1));
        json_key(j, "scopes");
        json_raw(j, db_cell_bytes(&rows, i, 2));
        json_key(j, "expires_at");
        auth_time_write(j, db_cell_int(&rows, i, 3));
        json_key(j, "last_used_at");
        auth_time_write(j, db_cell_int(&rows, i, 4));
        json_key(j, "revoked");
        json_bool(j, !db_cell_is_null(&rows, i, 5));
        json_end_object(j);
    }
    json_end_array(j);
    return true;
}

static bool forget_body(struct db *db, void *context, struct err *err)
{
    const int64_t day_us = (int64_t)86400000000;
    int64_t now_us;
    (void)context;
    return db_now_us(db, &now_us, err) &&
           db_exec(db, NULL, "DELETE FROM login_challenge WHERE expires_at < $1",
                   DB_ARGS(db_int(now_us)), err) &&
           db_exec(db, NULL, "DELETE FROM session WHERE expires_at < $1",
                   DB_ARGS(db_int(now_us - day_us)), err);
}

bool auth_forget_old(struct db *db, struct err *err)
{
    return db_transact(db, forget_body, NULL, err);
}
