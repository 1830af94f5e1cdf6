#include "coordinator/people.h"
#include "base/hex.h"
#include "base/utf8.h"

#define PEOPLE_ARENA ((size_t)1 << 20)

static const struct {
    const char *name;
    enum role role;
} roles[] = {
    { "viewer", ROLE_VIEWER },
    { "spender", ROLE_SPENDER },
    { "approver", ROLE_APPROVER },
    { "operator", ROLE_OPERATOR },
    { "policy-admin", ROLE_POLICY_ADMIN },
    { "officer", ROLE_OFFICER },
    { "auditor", ROLE_AUDITOR },
};

const char *role_name(enum role role)
{
    for (size_t i = 0; i < COUNT(roles); i++)
        if (roles[i].role == role)
            return roles[i].name;
    return "";
}

unsigned role_of_name(struct bytes name)
{
    for (size_t i = 0; i < COUNT(roles); i++)
        if (bytes_equal_text(name, roles[i].name))
            return roles[i].role;
    return 0;
}

void roles_write(struct json_writer *j, unsigned set)
{
    json_begin_array(j);
    for (size_t i = 0; i < COUNT(roles); i++)
        if ((set & (unsigned)roles[i].role) != 0)
            json_text(j, roles[i].name);
    json_end_array(j);
}

// --- Limits ---

static bool read_sats(const struct json *value, struct sats *out)
{
    int64_t n;
    if (value->type != JSON_NUMBER || !json_integer(value, &n, NULL) || n < 0 ||
        (uint64_t)n > SATS_MAX)
        return false;
    out->n = (uint64_t)n;
    return true;
}

static bool are_names(const struct json *value)
{
    if (value->type != JSON_ARRAY)
        return false;
    for (const struct json *item = value->items; item != NULL; item = item->next)
        if (item->type != JSON_STRING)
            return false;
    return true;
}

// What is unknown is refused: it would be a limit that nobody keeps.
static bool take_limit(struct spend_limits *out, const struct json *m)
{
    if (bytes_equal_text(m->key, "per_spend_sat"))
        return out->has_per_spend = read_sats(m, &out->per_spend);
    if (bytes_equal_text(m->key, "per_window_sat"))
        return out->has_per_window = read_sats(m, &out->per_window);
    if (bytes_equal_text(m->key, "tier"))
        return (out->auto_only = json_is_text(m, "auto")) || json_is_text(m, "surge");
    if (!bytes_equal_text(m->key, "destinations") || !are_names(m))
        return false;
    out->destinations = m;
    return true;
}

bool spend_limits_parse(struct spend_limits *out, struct bytes text, struct arena *arena,
                        struct err *err)
{
    const struct json *object;
    *out = (struct spend_limits){ .text = text };
    if (text.len == 0)
        return true;
    if (!json_parse(&object, text, arena, err) || object->type != JSON_OBJECT)
        return code_fail(err, CODE_BAD_REQUEST, "limits: not an object");
    for (const struct json *m = object->items; m != NULL; m = m->next)
        if (!take_limit(out, m))
            return code_fail(err, CODE_BAD_REQUEST, "limits: %.*s: unknown or of another form",
                             BYTES_ARG(m->key));
    return true;
}

// --- Subjects ---

static bool is_word(struct bytes name)
{
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] <= 0x20 || name.ptr[i] >= 0x7f || name.ptr[i] == '"' || name.ptr[i] == '\\')
            return false;
    return name.len > 0 && name.len <= PEOPLE_NAME_MAX - 1;
}

bool people_subject(char out[static PEOPLE_SUBJECT_MAX], const char *kind, struct bytes name,
                    struct err *err)
{
    uint8_t key[32];
    char hex[65];
    if (strcmp(kind, "nostr") == 0) {
        if (!hex_decode(key, sizeof key, name))
            return code_fail(err, CODE_BAD_REQUEST, "a Nostr key is 64 hex digits");
        hex_encode(hex, BYTES_OF(key));
        (void)snprintf(out, PEOPLE_SUBJECT_MAX, "nostr:%s", hex);
        return true;
    }
    if (strcmp(kind, "cert") != 0 && strcmp(kind, "service") != 0)
        return code_fail(err, CODE_BAD_REQUEST, "the kind is none of nostr, cert, service");
    if (!is_word(name))
        return code_fail(err, CODE_BAD_REQUEST, "the name is 1 to %d printable characters",
                         PEOPLE_NAME_MAX - 1);
    (void)snprintf(out, PEOPLE_SUBJECT_MAX, "%s:%.*s", kind, BYTES_ARG(name));
    return true;
}

// --- Reading ---

static struct grant *grant_of(struct person *p, const char *wallet_id)
{
    for (size_t i = 0; i < p->n_grants; i++)
        if (strcmp(p->grants[i].wallet_id, wallet_id) == 0)
            return &p->grants[i];
    if (p->n_grants == PEOPLE_GRANTS_MAX)
        return NULL;
    struct grant *g = &p->grants[p->n_grants++];
    *g = (struct grant){ 0 };
    (void)snprintf(g->wallet_id, sizeof g->wallet_id, "%s", wallet_id);
    return g;
}

static bool load_grants(struct db *db, struct person *p, struct arena *arena, struct err *err)
{
    struct db_rows rows;
    if (!db_query(db, &rows,
                  "SELECT wallet_id, role, limits FROM role_grant WHERE principal_id = $1 "
                  "ORDER BY wallet_id",
                  DB_ARGS(db_text(p->id)), arena, err))
        return false;
    for (size_t i = 0; i < rows.n; i++) {
        char wallet_id[ID_SIZE];
        db_cell_copy(wallet_id, sizeof wallet_id, &rows, i, 0);
        struct grant *g = grant_of(p, wallet_id);
        const unsigned role = role_of_name(db_cell_bytes(&rows, i, 1));
        if (g == NULL)
            return code_fail(err, CODE_INTERNAL, "principal %s has too many grants", p->id);
        g->roles |= role;
        if (role == ROLE_SPENDER &&
            !spend_limits_parse(&g->limits, db_cell_bytes(&rows, i, 2), arena, err))
            return code_fail(err, CODE_INTERNAL, "the limits of principal %s cannot be read",
                             p->id);
    }
    return true;
}

static bool load(struct db *db, struct person *out, const char *sql, const char *value,
                 struct arena *arena, struct err *err)
{
    struct db_rows rows;
    *out = (struct person){ 0 };
    if (!db_query(db, &rows, sql, DB_ARGS(db_text(value)), arena, err))
        return false;
    if (rows.n == 0)
        return code_fail(err, CODE_NOT_FOUND, "there is no such principal");
    db_cell_copy(out->id, sizeof out->id, &rows, 0, 0);
    db_cell_copy(out->kind, sizeof out->kind, &rows, 0, 1);
    db_cell_copy(out->subject, sizeof out->subject, &rows, 0, 2);
    db_cell_copy(out->display, sizeof out->display, &rows, 0, 3);
    out->disabled = db_cell_int(&rows, 0, 4) != 0;
    return load_grants(db, out, arena, err);
}

bool people_find(struct db *db, struct person *out, const char *subject, struct arena *arena,
                 struct err *err)
{
    return load(db, out,
                "SELECT id, kind, subject, display, disabled FROM principal WHERE subject = $1",
                subject, arena, err);
}

bool people_load(struct db *db, struct person *out, const char *id, struct arena *arena,
                 struct err *err)
{
    return load(db, out, "SELECT id, kind, subject, display, disabled FROM principal WHERE id = $1",
                id, arena, err);
}

const struct grant *person_grant(const struct person *p, const char *wallet_id)
{
    for (size_t i = 0; i < p->n_grants; i++)
        if (strcmp(p->grants[i].wallet_id, wallet_id) == 0)
            return &p->grants[i];
    return NULL;
}

unsigned person_roles(const struct person *p, const char *wallet_id)
{
    unsigned set = 0;
    for (size_t i = 0; i < p->n_grants; i++)
        if (wallet_id[0] == '\0' || strcmp(p->grants[i].wallet_id, wallet_id) == 0)
            set |= p->grants[i].roles;
    return set;
}

bool person_may(const struct person *p, const char *wallet_id, unsigned wanted)
{
    const unsigned has = person_roles(p, wallet_id);
    // "Whoever has any role for a wallet may look at it."
    return !p->disabled &&
           ((has & wanted) != 0 || ((wanted & (unsigned)ROLE_VIEWER) != 0 && has != 0));
}

// --- Changing ---

bool actor_event(struct db *db, const struct actor *actor, const char *kind, const char *object,
                 struct bytes before, struct bytes after, struct err *err)
{
    const struct event e = {
        .actor = actor->id, .kind = kind, .object = object, .before = before, .after = after
    };
    return ledger_event_within(db, &e, err);
}

bool people_within(struct db *db, db_body *body, void *context, struct err *err)
{
    return db_in_transaction(db) ? body(db, context, err) : db_transact(db, body, context, err);
}

struct change {
    const struct actor *actor;
    char *id; // of a new principal
    const char *kind, *subject, *principal_id, *wallet_id;
    struct bytes display, limits;
    enum role role;
    bool disabled;
};

static bool has_principal(struct db *db, const char *id, struct arena *arena, struct err *err)
{
    struct db_rows rows;
    return db_query(db, &rows, "SELECT 1 FROM principal WHERE id = $1", DB_ARGS(db_text(id)), arena,
                    err) &&
           (rows.n == 1 || code_fail(err, CODE_NOT_FOUND, "there is no such principal"));
}

static struct bytes describe(struct writer *w, const struct change *c)
{
    struct json_writer j = json_writer_of(w);
    json_begin_object(&j);
    if (c->subject != NULL) {
        json_key(&j, "subject");
        json_text(&j, c->subject);
    }
    if (c->wallet_id != NULL) {
        json_key(&j, "wallet_id");
        json_text(&j, c->wallet_id);
        json_key(&j, "role");
        json_text(&j, role_name(c->role));
    }
    if (c->limits.len > 0) {
        json_key(&j, "limits");
        json_raw(&j, c->limits);
    }
    json_end_object(&j);
    return writer_bytes(w);
}

static bool add_body(struct db *db, void *context, struct err *err)
{
    const struct change *c = context;
    AUTO(arena_freep) struct arena *arena = arena_new(PEOPLE_ARENA);
    struct writer w = writer_growing(arena, 4096);
    int64_t now_us;
    if (!db_now_us(db, &now_us, err))
        return false;
    db_new_id(c->id, now_us);
    if (!db_exec(
            db, NULL, "INSERT INTO principal(id, kind, subject, display) VALUES($1, $2, $3, $4)",
            DB_ARGS(db_text(c->id), db_text(c->kind), db_text(c->subject), db_text_of(c->display)),
            err))
        return db_fault(db) == DB_FAULT_CONSTRAINT
                   ? code_fail(err, CODE_CONFLICT, "%s is known already", c->subject)
                   : false;
    return actor_event(db, c->actor, "principal.added", c->id, (struct bytes){ 0 }, describe(&w, c),
                       err);
}

bool people_add(struct db *db, char id[static ID_SIZE], const struct actor *actor, const char *kind,
                const char *subject, struct bytes display, struct err *err)
{
    struct change c = {
        .actor = actor, .id = id, .kind = kind, .subject = subject, .display = display
    };
    if (display.len >= PEOPLE_NAME_MAX || !utf8_is_valid(display) ||
        (display.len > 0 && memchr(display.ptr, 0, display.len) != NULL))
        return code_fail(err, CODE_BAD_REQUEST, "the display name is no text of at most %d bytes",
                         PEOPLE_NAME_MAX - 1);
    return people_within(db, add_body, &c, err);
}

static bool grant_body(struct db *db, void *context, struct err *err)
{
    const struct change *c = context;
    AUTO(arena_freep) struct arena *arena = arena_new(PEOPLE_ARENA);
    struct writer w = writer_growing(arena, 65536);
    struct spend_limits unimportant;
    char id[ID_SIZE];
    int64_t now_us;
    if (!spend_limits_parse(&unimportant, c->limits, arena, err) || !db_now_us(db, &now_us, err) ||
        !has_principal(db, c->principal_id, arena, err))
        return false;
    db_new_id(id, now_us);
    const struct bytes limits = c->limits.len > 0 ? c->limits : BYTES("{}");
    return db_exec(db, NULL,
                   "INSERT INTO role_grant(id, principal_id, wallet_id, role, limits) "
                   "VALUES($1, $2, $3, $4, $5) "
                   "ON CONFLICT(principal_id, wallet_id, role) DO UPDATE SET limits = $5",
                   DB_ARGS(db_text(id), db_text(c->principal_id), db_text(c->wallet_id),
                           db_text(role_name(c->role)), db_text_of(limits)),
                   err) &&
           actor_event(db, c->actor, "role.granted", c->principal_id, (struct bytes){ 0 },
                       describe(&w, c), err);
}

bool people_grant(struct db *db, const struct actor *actor, const char *principal_id,
                  const char *wallet_id, enum role role, struct bytes limits, struct err *err)
{
    struct change c = { .actor = actor,
                        .principal_id = principal_id,
                        .wallet_id = wallet_id,
                        .role = role,
                        .limits = limits };
    return people_within(db, grant_body, &c, err);
}

static bool ungrant_body(struct db *db, void *context, struct err *err)
{
    const struct change *c = context;
    AUTO(arena_freep) struct arena *arena = arena_new(PEOPLE_ARENA);
    struct writer w = writer_growing(arena, 4096);
    uint64_t changed;
    if (!db_exec(
            db, &changed,
            "DELETE FROM role_grant WHERE principal_id = $1 AND wallet_id = $2 AND role = $3",
            DB_ARGS(db_text(c->principal_id), db_text(c->wallet_id), db_text(role_name(c->role))),
            err))
        return false;
    return changed == 0 || actor_event(db, c->actor, "role.taken", c->principal_id, describe(&w, c),
                                       (struct bytes){ 0 }, err);
}

bool people_ungrant(struct db *db, const struct actor *actor, const char *principal_id,
                    const char *wallet_id, enum role role, struct err *err)
{
    struct change c = {
        .actor = actor, .principal_id = principal_id, .wallet_id = wallet_id, .role = role
    };
    return people_within(db, ungrant_body, &c, err);
}

static bool disable_body(struct db *db, void *context, struct err *err)
{
    const struct change *c = context;
    uint64_t changed;
    int64_t now_us;
    if (!db_now_us(db, &now_us, err) ||
        !db_exec(db, &changed, "UPDATE principal SET disabled = $2 WHERE id = $1",
                 DB_ARGS(db_text(c->principal_id), db_int(c->disabled)), err))
        return false;
    if (changed == 0)
        return code_fail(err, CODE_NOT_FOUND, "there is no such principal");
    if (c->disabled &&
        !db_exec(
            db, NULL,
            "UPDATE session SET revoked_at = $2 WHERE principal_id = $1 AND revoked_at IS NULL",
            DB_ARGS(db_text(c->principal_id), db_int(now_us)), err))
        return false;
    return actor_event(db, c->actor, c->disabled ? "principal.disabled" : "principal.enabled",
                       c->principal_id, (struct bytes){ 0 }, (struct bytes){ 0 }, err);
}

bool people_disable(struct db *db, const struct actor *actor, const char *principal_id,
                    bool disabled, struct err *err)
{
    struct change c = { .actor = actor, .principal_id = principal_id, .disabled = disabled };
    return people_within(db, disable_body, &c, err);
}

// --- A list ---

static void write_roles(struct json_writer *j, const struct db_rows *grants, struct bytes id)
{
    struct bytes open = { 0 };
    json_begin_object(j);
    for (size_t i = 0; i < grants->n; i++) {
        const struct bytes wallet = db_cell_bytes(grants, i, 1);
        if (!bytes_equal(db_cell_bytes(grants, i, 0), id))
            continue;
        if (open.len == 0 || !bytes_equal(open, wallet)) {
            if (open.len > 0)
                json_end_array(j);
            json_key_bytes(j, wallet);
            json_begin_array(j);
            open = wallet;
        }
        json_string(j, db_cell_bytes(grants, i, 2));
    }
    if (open.len > 0)
        json_end_array(j);
    json_end_object(j);
}

bool people_write(struct db *db, struct json_writer *j, const char *wallet_id, struct arena *arena,
                  struct err *err)
{
    const struct db_value all = db_int(wallet_id == NULL),
                          wallet = db_text(wallet_id != NULL ? wallet_id : "");
    struct db_rows people, grants;
    if (!db_query(db, &people,
                  "SELECT p.id, p.kind, p.subject, p.display, p.disabled FROM principal p "
                  "WHERE $1 = 1 OR EXISTS (SELECT 1 FROM role_grant g "
                  "WHERE g.principal_id = p.id AND g.wallet_id = $2) ORDER BY p.subject",
                  DB_ARGS(all, wallet), arena, err) ||
        !db_query(db, &grants,
                  "SELECT g.principal_id, w.name, g.role FROM role_grant g "
                  "JOIN wallet w ON w.id = g.wallet_id WHERE $1 = 1 OR w.id = $2 "
                  "ORDER BY w.name, g.role",
                  DB_ARGS(all, wallet), arena, err))
        return false;
    json_begin_array(j);
    for (size_t i = 0; i < people.n; i++) {
        static const char *const names[] = { "id", "kind", "subject", "display" };
        json_begin_object(j);
        for (size_t c = 0; c < COUNT(names); c++) {
            json_key(j, names[c]);
            json_string(j, db_cell_bytes(&people, i, c));
        }
        json_key(j, "disabled");
        json_bool(j, db_cell_int(&people, i, 4) != 0);
        json_key(j, "roles");
        write_roles(j, &grants, db_cell_bytes(&people, i, 0));
        json_end_object(j);
    }
    json_end_array(j);
    return true;
}
