#include "coordinator/changes_kinds.h"
#include "base/utf8.h"
#include "bitcoin/address.h"
#include "coordinator/auth.h"
#include "coordinator/device_policy.h"
#include "coordinator/spend_rules.h"
#include "coordinator/wallet.h"
#include <inttypes.h>

#define WORD_MAX 64

// --- Members ---

static bool bad(struct err *err, const char *name, const char *what)
{
    return code_fail(err, CODE_BAD_REQUEST, "%s: %s", name, what);
}

static bool text_member(const struct change_context *c, const char *name, size_t max,
                        struct bytes *out, struct err *err)
{
    const struct json *m = json_get(c->body, name);
    if (m == NULL || m->type != JSON_STRING || m->text.len == 0 || m->text.len > max)
        return bad(err, name, "is missing, no text or too long");
    *out = m->text;
    return true;
}

static bool number_member(const struct json *m, uint64_t max, int64_t *out)
{
    return m->type == JSON_NUMBER && json_integer(m, out, NULL) && *out >= 0 &&
           (uint64_t)*out <= max;
}

// A destination's, a hook's name: what can stand in a list without leading anybody astray.
static bool is_name(struct bytes name)
{
    return name.len > 0 && name.len <= WORD_MAX && bytes_is_printable_ascii(name);
}

// --- Sets of numbers, of which a change may name some ---

struct number {
    const char *name;
    uint64_t max;
    bool less_loosens; // a shorter window, a shorter period
};
#define NUMBERS_MAX 5

static bool known_members(const struct change_context *c, const struct number *rows, size_t n,
                          struct err *err)
{
    for (const struct json *m = c->body->items; m != NULL; m = m->next) {
        size_t i = 0;
        while (i < n && !bytes_equal_text(m->key, rows[i].name))
            i++;
        if (i == n)
            return code_fail(err, CODE_BAD_REQUEST, "%.*s: unknown member",
                             BYTES_ARG(bytes_slice(m->key, 0, WORD_MAX)));
    }
    return true;
}

// now: in force, and replaced by what the body says.
static bool compare_numbers(const struct change_context *c, const struct number *rows, size_t n,
                            int64_t *now, bool *loosening, struct bytes *before, struct err *err)
{
    struct writer w = writer_growing(c->arena, 1024);
    struct json_writer j = json_writer_of(&w);
    bool changes = false;
    *loosening = false;
    if (!known_members(c, rows, n, err))
        return false;
    json_begin_object(&j);
    for (size_t i = 0; i < n; i++) {
        const struct json *m = json_get(c->body, rows[i].name);
        int64_t value;
        if (m == NULL)
            continue;
        if (!number_member(m, rows[i].max, &value))
            return bad(err, rows[i].name, "is no number within its bounds");
        json_key(&j, rows[i].name);
        json_i64(&j, now[i]);
        changes = changes || value != now[i];
        *loosening = *loosening || (rows[i].less_loosens ? value < now[i] : value > now[i]);
        now[i] = value;
    }
    json_end_object(&j);
    *before = writer_bytes(&w);
    return changes || code_fail(err, CODE_CONFLICT, "it would change nothing");
}

// --- caps ---

static const struct number caps[] = {
    { "cap_auto_sat", SATS_MAX, false },
    { "cap_surge_sat", SATS_MAX, false },
    { "fee_cap_sat", SATS_MAX, false },
    { "window_s", 31536000, true },
};

static bool read_caps(const struct change_context *c, int64_t now[static NUMBERS_MAX],
                      struct err *err)
{
    struct db_rows rows;
    if (!db_query(c->db, &rows,
                  "SELECT cap_auto, cap_surge, fee_cap, window_s FROM velocity_guard "
                  "WHERE wallet_id = $1 FOR UPDATE",
                  DB_ARGS(db_text(c->wallet_id)), c->arena, err))
        return false;
    if (rows.n != 1)
        return code_fail(err, CODE_NOT_FOUND, "there is no such wallet");
    for (size_t i = 0; i < COUNT(caps); i++)
        now[i] = db_cell_int(&rows, 0, i);
    return true;
}

static bool compare_caps(const struct change_context *c, bool *loosening, struct bytes *before,
                         struct err *err)
{
    int64_t now[NUMBERS_MAX];
    if (!read_caps(c, now, err) ||
        !compare_numbers(c, caps, COUNT(caps), now, loosening, before, err))
        return false;
    if (now[3] < 60)
        return bad(err, "window_s", "is below a minute");
    return now[0] <= now[1] || bad(err, "cap_surge_sat", "is below cap_auto_sat");
}

static bool apply_caps(const struct change_context *c, struct err *err)
{
    int64_t now[NUMBERS_MAX];
    struct bytes before;
    bool loosening;
    return read_caps(c, now, err) &&
           compare_numbers(c, caps, COUNT(caps), now, &loosening, &before, err) &&
           db_exec(c->db, NULL,
                   "UPDATE velocity_guard SET cap_auto = $2, cap_surge = $3, fee_cap = $4, "
                   "window_s = $5, version = version + 1 WHERE wallet_id = $1",
                   DB_ARGS(db_text(c->wallet_id), db_int(now[0]), db_int(now[1]), db_int(now[2]),
                           db_int(now[3])),
                   err);
}

// --- Settings that stand as JSON of numbers ---

static bool read_setting(const struct change_context *c, const char *prefix,
                         const struct number *rows, size_t n, int64_t *now, struct err *err)
{
    char key[64 + ID_SIZE];
    struct db_rows found;
    const struct json *object = NULL;
    (void)snprintf(key, sizeof key, "%s/%s", prefix, c->wallet_id);
    if (!db_query(c->db, &found, "SELECT value FROM setting WHERE key = $1 FOR UPDATE",
                  DB_ARGS(db_text(key)), c->arena, err))
        return false;
    if (found.n == 1 && !json_parse(&object, db_cell_bytes(&found, 0, 0), c->arena, err))
        return code_fail(err, CODE_INTERNAL, "setting %s cannot be read", key);
    for (size_t i = 0; i < n; i++) {
        const struct json *m = json_get(object, rows[i].name);
        if (m != NULL && !number_member(m, rows[i].max, &now[i]))
            return code_fail(err, CODE_INTERNAL, "setting %s cannot be read", key);
    }
    return true;
}

static bool write_setting(const struct change_context *c, const char *prefix,
                          const struct number *rows, size_t n, const int64_t *now, struct err *err)
{
    char key[64 + ID_SIZE];
    struct writer w = writer_growing(c->arena, 4096);
    struct json_writer j = json_writer_of(&w);
    (void)snprintf(key, sizeof key, "%s/%s", prefix, c->wallet_id);
    json_begin_object(&j);
    for (size_t i = 0; i < n; i++) {
        json_key(&j, rows[i].name);
        json_i64(&j, now[i]);
    }
    json_end_object(&j);
    return db_exec(c->db, NULL,
                   "INSERT INTO setting(key, value) VALUES($1, $2) ON CONFLICT(key) DO UPDATE SET "
                   "value = $2, version = setting.version + 1",
                   DB_ARGS(db_text(key), db_text_of(writer_bytes(&w))), err);
}

static const struct number approvals[] = {
    { "approvals", 10, true },
    { "delay_s", 2592000, true },
};

static bool compare_approvals(const struct change_context *c, bool *loosening, struct bytes *before,
                              struct err *err)
{
    int64_t now[NUMBERS_MAX] = { CHANGE_APPROVALS, CHANGE_DELAY_S };
    if (!read_setting(c, "changes", approvals, COUNT(approvals), now, err) ||
        !compare_numbers(c, approvals, COUNT(approvals), now, loosening, before, err))
        return false;
    // "loosening has two approvals and its delay"
    return now[0] >= CHANGE_APPROVALS || bad(err, "approvals", "is below two");
}

static bool apply_approvals(const struct change_context *c, struct err *err)
{
    int64_t now[NUMBERS_MAX] = { CHANGE_APPROVALS, CHANGE_DELAY_S };
    struct bytes before;
    bool loosening;
    return read_setting(c, "changes", approvals, COUNT(approvals), now, err) &&
           compare_numbers(c, approvals, COUNT(approvals), now, &loosening, &before, err) &&
           write_setting(c, "changes", approvals, COUNT(approvals), now, err);
}

bool change_rules(struct db *db, struct change_rules *out, const char *wallet_id, struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new((size_t)64 << 10);
    const struct change_context c = { .db = db, .arena = arena, .wallet_id = wallet_id };
    int64_t now[NUMBERS_MAX] = { CHANGE_APPROVALS, CHANGE_DELAY_S };
    if (!read_setting(&c, "changes", approvals, COUNT(approvals), now, err))
        return false;
    *out = (struct change_rules){ (uint64_t)now[0], (uint64_t)now[1] };
    return true;
}

// --- policy: what every signer's own policy allows (A7) ---

static const struct number policy[] = {
    { "max_sat", 100000000, false },
    { "per_period_sat", 1000000000, false },
    { "period_min", 1440, true },
    { "surge_max_sat", 1000000000, false },
    { "surge_per_period_sat", 10000000000, false },
};
// A1 "Defaults".
#define POLICY_DEFAULTS                                                                            \
    {                                                                                              \
        8000, 500000, 60, 200000, 2000000                                                          \
    }

static bool check_policy(const int64_t *now, struct err *err)
{
    if (now[2] < 1)
        return bad(err, "period_min", "is no period");
    if (now[0] < 546 || now[1] < 546)
        return bad(err, "max_sat", "is below 546, the least amount of an output");
    if (now[3] < now[0])
        return bad(err, "surge_max_sat", "is below max_sat");
    return now[4] >= now[3] || bad(err, "surge_per_period_sat", "is below surge_max_sat");
}

// B4: "error above a configured factor": k hostile signings must not move far more than the cap.
static bool check_share(const struct change_context *c, const int64_t *now, struct err *err)
{
    struct db_rows rows;
    struct writer w = writer_growing(c->arena, 1024);
    if (!db_query(c->db, &rows,
                  "SELECT w.k, w.n, g.cap_auto, g.window_s FROM wallet w "
                  "JOIN velocity_guard g ON g.wallet_id = w.id WHERE w.id = $1",
                  DB_ARGS(db_text(c->wallet_id)), c->arena, err))
        return false;
    if (rows.n != 1)
        return code_fail(err, CODE_NOT_FOUND, "there is no such wallet");
    const struct device_share_facts facts = { .k = (unsigned)db_cell_int(&rows, 0, 0),
                                              .n = (unsigned)db_cell_int(&rows, 0, 1),
                                              .cap = { db_cell_u64(&rows, 0, 2) },
                                              .window_s = db_cell_int(&rows, 0, 3),
                                              .per_period = { (uint64_t)now[1] },
                                              .period_min = (uint32_t)now[2] };
    if (device_share(&facts) != DEVICE_SHARE_TOO_HIGH)
        return true;
    device_share_write(&w, &facts);
    return code_fail(err, CODE_BAD_REQUEST, "%.*s", BYTES_ARG(writer_bytes(&w)));
}

static bool compare_policy(const struct change_context *c, bool *loosening, struct bytes *before,
                           struct err *err)
{
    int64_t now[NUMBERS_MAX] = POLICY_DEFAULTS;
    return read_setting(c, "policy", policy, COUNT(policy), now, err) &&
           compare_numbers(c, policy, COUNT(policy), now, loosening, before, err) &&
           check_policy(now, err) && (!*loosening || check_share(c, now, err));
}

static bool apply_policy(const struct change_context *c, struct err *err)
{
    int64_t now[NUMBERS_MAX] = POLICY_DEFAULTS;
    struct bytes before;
    bool loosening;
    return read_setting(c, "policy", policy, COUNT(policy), now, err) &&
           compare_numbers(c, policy, COUNT(policy), now, &loosening, &before, err) &&
           write_setting(c, "policy", policy, COUNT(policy), now, err) && change_policies(c, err);
}

bool change_policy_numbers(struct db *db, const char *wallet_id, struct change_policy *out,
                           struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new((size_t)64 << 10);
    const struct change_context c = { .db = db, .arena = arena, .wallet_id = wallet_id };
    int64_t now[NUMBERS_MAX] = POLICY_DEFAULTS;
    if (!read_setting(&c, "policy", policy, COUNT(policy), now, err))
        return false;
    *out = (struct change_policy){ { (uint64_t)now[0] },
                                   { (uint64_t)now[1] },
                                   (uint64_t)now[2],
                                   { (uint64_t)now[3] },
                                   { (uint64_t)now[4] } };
    return true;
}

// --- rules: fees, coins, stuck transactions ---

static bool rules_text(const struct change_context *c, struct bytes *out, struct err *err)
{
    struct db_rows rows;
    if (!db_query(c->db, &rows, "SELECT settings FROM wallet WHERE id = $1",
                  DB_ARGS(db_text(c->wallet_id)), c->arena, err))
        return false;
    if (rows.n != 1)
        return code_fail(err, CODE_NOT_FOUND, "there is no such wallet");
    *out = db_cell_bytes(&rows, 0, 0);
    return true;
}

// Which of fees and coin rules is the stricter one is nothing that a program should say.
static bool compare_rules(const struct change_context *c, bool *loosening, struct bytes *before,
                          struct err *err)
{
    struct spend_rules rules;
    *loosening = true;
    return spend_rules_parse(&rules, c->body->text, c->arena, err) && rules_text(c, before, err) &&
           (!bytes_equal(*before, c->body->text) ||
            code_fail(err, CODE_CONFLICT, "it would change nothing"));
}

static bool apply_rules(const struct change_context *c, struct err *err)
{
    return db_exec(c->db, NULL, "UPDATE wallet SET settings = $2 WHERE id = $1",
                   DB_ARGS(db_text(c->wallet_id), db_text_of(c->body->text)), err);
}

// --- Destinations ---

static bool script_of(const struct change_context *c, struct bytes address, struct bytes *out,
                      struct err *err)
{
    struct writer w = writer_growing(c->arena, 256);
    struct db_rows rows;
    if (!db_query(c->db, &rows, "SELECT network FROM wallet WHERE id = $1",
                  DB_ARGS(db_text(c->wallet_id)), c->arena, err))
        return false;
    const struct chain *chain = rows.n == 1 ? wallet_chain_of(db_cell_bytes(&rows, 0, 0)) : NULL;
    if (chain == NULL)
        return code_fail(err, CODE_NOT_FOUND, "there is no such wallet");
    if (!address_to_script(&w, address, chain, err))
        return code_fail(err, CODE_BAD_REQUEST, "address: is no address of this wallet's network");
    *out = writer_bytes(&w);
    return true;
}

static bool find_destination(const struct change_context *c, const char *sql, struct db_value value,
                             struct db_rows *rows, struct err *err)
{
    return db_query(c->db, rows, sql, DB_ARGS(db_text(c->wallet_id), value), c->arena, err);
}

static void name_json(const struct change_context *c, struct bytes name, struct bytes address,
                      struct bytes *out)
{
    struct writer w = writer_growing(c->arena, 1024);
    struct json_writer j = json_writer_of(&w);
    json_begin_object(&j);
    json_key(&j, "name");
    json_string(&j, name);
    if (address.len > 0) {
        json_key(&j, "address");
        json_string(&j, address);
    }
    json_end_object(&j);
    *out = writer_bytes(&w);
}

static bool compare_add(const struct change_context *c, bool *loosening, struct bytes *before,
                        struct err *err)
{
    struct bytes name, address, script;
    struct db_rows rows;
    *loosening = true;
    if (!text_member(c, "name", WORD_MAX, &name, err) ||
        !text_member(c, "address", ADDRESS_TEXT_MAX, &address, err) ||
        !script_of(c, address, &script, err))
        return false;
    if (!is_name(name))
        return bad(err, "name", "is no printable text");
    if (!find_destination(c,
                          "SELECT 1 FROM destination WHERE wallet_id = $1 AND script = $2 AND "
                          "state = 'active'",
                          db_blob(script), &rows, err))
        return false;
    if (rows.n > 0)
        return code_fail(err, CODE_CONFLICT, "that address is on the list");
    if (!find_destination(c,
                          "SELECT 1 FROM destination WHERE wallet_id = $1 AND name = $2 AND "
                          "state = 'active'",
                          db_text_of(name), &rows, err))
        return false;
    if (rows.n > 0)
        return code_fail(err, CODE_CONFLICT, "that name is on the list");
    name_json(c, name, (struct bytes){ 0 }, before);
    return true;
}

static bool apply_add(const struct change_context *c, struct err *err)
{
    struct bytes name, address, script;
    char id[ID_SIZE];
    db_new_id(id, c->now_us);
    // An address that was on the list before comes back under its new name.
    return text_member(c, "name", WORD_MAX, &name, err) &&
           text_member(c, "address", ADDRESS_TEXT_MAX, &address, err) &&
           script_of(c, address, &script, err) &&
           db_exec(c->db, NULL,
                   "INSERT INTO destination(id, wallet_id, name, address, script, state, added_by) "
                   "VALUES($1, $2, $3, $4, $5, 'active', $6) "
                   "ON CONFLICT(wallet_id, script) DO UPDATE SET name = $3, address = $4, "
                   "state = 'active', added_by = $6",
                   DB_ARGS(db_text(id), db_text(c->wallet_id), db_text_of(name),
                           db_text_of(address), db_blob(script), db_text(c->principal_id)),
                   err) &&
           change_policies(c, err);
}

static bool named_destination(const struct change_context *c, struct db_rows *rows, struct err *err)
{
    struct bytes key;
    const bool by_id = json_get(c->body, "id") != NULL;
    if (!text_member(c, by_id ? "id" : "name", WORD_MAX, &key, err) ||
        !find_destination(c,
                          by_id ? "SELECT id, name, address FROM destination WHERE wallet_id = $1 "
                                  "AND id = $2 AND state = 'active'"
                                : "SELECT id, name, address FROM destination WHERE wallet_id = $1 "
                                  "AND name = $2 AND state = 'active'",
                          db_text_of(key), rows, err))
        return false;
    return rows->n == 1 || code_fail(err, CODE_NOT_FOUND, "there is no such destination");
}

static bool compare_remove(const struct change_context *c, bool *loosening, struct bytes *before,
                           struct err *err)
{
    struct db_rows rows;
    *loosening = false;
    if (!named_destination(c, &rows, err))
        return false;
    name_json(c, db_cell_bytes(&rows, 0, 1), db_cell_bytes(&rows, 0, 2), before);
    return true;
}

static bool apply_remove(const struct change_context *c, struct err *err)
{
    struct db_rows rows;
    return named_destination(c, &rows, err) &&
           db_exec(c->db, NULL, "UPDATE destination SET state = 'retired' WHERE id = $1",
                   DB_ARGS(db_text_of(db_cell_bytes(&rows, 0, 0))), err) &&
           change_policies(c, err);
}

// --- Roles ---

struct granting {
    struct person person;
    enum role role;
    struct bytes limits;
};

static bool read_granting(const struct change_context *c, struct granting *out, struct err *err)
{
    struct bytes who, role;
    struct spend_limits unimportant;
    if (!text_member(c, "principal", PEOPLE_SUBJECT_MAX - 1, &who, err) ||
        !text_member(c, "role", WORD_MAX, &role, err))
        return false;
    const char *text = arena_text(c->arena, who);
    if (text == NULL)
        return bad(err, "principal", "is no text");
    if (!(strchr(text, ':') != NULL ? people_find(c->db, &out->person, text, c->arena, err)
                                    : people_load(c->db, &out->person, text, c->arena, err)))
        return false;
    out->role = (enum role)role_of_name(role);
    if ((unsigned)out->role == 0)
        return bad(err, "role", "is no role");
    const struct json *limits = json_get(c->body, "limits");
    out->limits = limits != NULL ? limits->text : (struct bytes){ 0 };
    return limits == NULL ||
           (limits->type == JSON_OBJECT &&
            spend_limits_parse(&unimportant, limits->text, c->arena, err)) ||
           bad(err, "limits", "cannot be read");
}

static bool compare_grant(const struct change_context *c, bool *loosening, struct bytes *before,
                          struct err *err)
{
    struct granting g;
    struct writer w = writer_growing(c->arena, 1024);
    *loosening = true;
    if (!read_granting(c, &g, err))
        return false;
    writer_printf(&w, "{\"principal\": \"%s\", \"role\": \"%s\"}", g.person.id, role_name(g.role));
    *before = writer_bytes(&w);
    return true;
}

static bool apply_grant(const struct change_context *c, struct err *err)
{
    struct granting g;
    return read_granting(c, &g, err) &&
           people_grant(c->db, c->actor, g.person.id, c->wallet_id, g.role, g.limits, err);
}

static bool compare_take(const struct change_context *c, bool *loosening, struct bytes *before,
                         struct err *err)
{
    struct granting g;
    if (!compare_grant(c, loosening, before, err) || !read_granting(c, &g, err))
        return false;
    *loosening = false;
    return (person_roles(&g.person, c->wallet_id) & (unsigned)g.role) != 0 ||
           code_fail(err, CODE_CONFLICT, "it would change nothing");
}

static bool apply_take(const struct change_context *c, struct err *err)
{
    struct granting g;
    return read_granting(c, &g, err) &&
           people_ungrant(c->db, c->actor, g.person.id, c->wallet_id, g.role, err);
}

// --- Hooks ---

static bool kinds_text(const struct change_context *c, struct writer *w, struct err *err)
{
    const struct json *kinds = json_get(c->body, "kinds");
    if (kinds == NULL || kinds->type != JSON_ARRAY || kinds->n_items == 0 || kinds->n_items > 32)
        return bad(err, "kinds", "is no list of kinds of events");
    writer_text(w, ",");
    for (const struct json *k = kinds->items; k != NULL; k = k->next) {
        if (k->type != JSON_STRING || !is_name(k->text) ||
            memchr(k->text.ptr, ',', k->text.len) != NULL ||
            memchr(k->text.ptr, '%', k->text.len) != NULL)
            return bad(err, "kinds", "is no list of kinds of events");
        writer_printf(w, "%.*s,", BYTES_ARG(k->text));
    }
    return true;
}

static bool compare_hook(const struct change_context *c, bool *loosening, struct bytes *before,
                         struct err *err)
{
    struct writer w = writer_growing(c->arena, 4096);
    struct bytes url, secret;
    *loosening = true; // somebody else gets to know
    *before = BYTES("{}");
    if (!text_member(c, "url", 500, &url, err) ||
        !text_member(c, "secret_ref", 200, &secret, err) || !kinds_text(c, &w, err))
        return false;
    if (!bytes_starts_with(url, BYTES("https://")) && !bytes_starts_with(url, BYTES("http://")))
        return bad(err, "url", "is no http or https address");
    return bytes_is_printable_ascii(url) || bad(err, "url", "is no http or https address");
}

static bool apply_hook(const struct change_context *c, struct err *err)
{
    struct writer w = writer_growing(c->arena, 4096);
    struct bytes url, secret;
    char id[ID_SIZE];
    db_new_id(id, c->now_us);
    return text_member(c, "url", 500, &url, err) &&
           text_member(c, "secret_ref", 200, &secret, err) && kinds_text(c, &w, err) &&
           db_exec(c->db, NULL,
                   "INSERT INTO hook(id, url, secret_ref, kinds) VALUES($1, $2, $3, $4)",
                   DB_ARGS(db_text(id), db_text_of(url), db_text_of(secret),
                           db_text_of(writer_bytes(&w))),
                   err);
}

static bool compare_unhook(const struct change_context *c, bool *loosening, struct bytes *before,
                           struct err *err)
{
    struct bytes id;
    struct db_rows rows;
    *loosening = false;
    *before = BYTES("{}");
    if (!text_member(c, "id", WORD_MAX, &id, err) ||
        !db_query(c->db, &rows, "SELECT 1 FROM hook WHERE id = $1 AND disabled = 0",
                  DB_ARGS(db_text_of(id)), c->arena, err))
        return false;
    return rows.n == 1 || code_fail(err, CODE_NOT_FOUND, "there is no such hook");
}

static bool apply_unhook(const struct change_context *c, struct err *err)
{
    struct bytes id;
    return text_member(c, "id", WORD_MAX, &id, err) &&
           db_exec(c->db, NULL, "UPDATE hook SET disabled = 1 WHERE id = $1",
                   DB_ARGS(db_text_of(id)), err);
}

// --- Status ---

static bool has_status(const struct change_context *c, const char *status, const char *what,
                       struct bytes *before, bool *loosening, struct err *err)
{
    struct db_rows rows;
    *loosening = true;
    *before = BYTES("{}");
    if (!db_query(c->db, &rows, "SELECT 1 FROM wallet WHERE id = $1 AND status = $2",
                  DB_ARGS(db_text(c->wallet_id), db_text(status)), c->arena, err))
        return false;
    return rows.n == 1 || code_fail(err, CODE_CONFLICT, "the wallet is not %s", what);
}

static bool compare_unfreeze(const struct change_context *c, bool *loosening, struct bytes *before,
                             struct err *err)
{
    return has_status(c, "frozen", "frozen", before, loosening, err);
}

static bool apply_unfreeze(const struct change_context *c, struct err *err)
{
    return db_exec(c->db, NULL,
                   "UPDATE wallet SET status = CASE WHEN recovering_until > $2 THEN 'recovering' "
                   "ELSE 'active' END WHERE id = $1 AND status = 'frozen'",
                   DB_ARGS(db_text(c->wallet_id), db_int(c->now_us)), err);
}

static bool compare_recovery(const struct change_context *c, bool *loosening, struct bytes *before,
                             struct err *err)
{
    return has_status(c, "recovering", "recovering", before, loosening, err);
}

static bool apply_recovery(const struct change_context *c, struct err *err)
{
    return db_exec(c->db, NULL,
                   "UPDATE wallet SET status = 'active', recovering_until = NULL WHERE id = $1 AND "
                   "status = 'recovering'",
                   DB_ARGS(db_text(c->wallet_id)), err);
}

// --- The table ---

#define ADMIN  ((unsigned)ROLE_POLICY_ADMIN)
#define EITHER ((unsigned)ROLE_POLICY_ADMIN | (unsigned)ROLE_OPERATOR | (unsigned)ROLE_OFFICER)

static const struct change_kind kinds[] = {
    { "caps", ADMIN, 0, "caps", compare_caps, apply_caps },
    { "destination.add", ADMIN, 0, "destination.remove", compare_add, apply_add },
    { "destination.remove", ADMIN | (unsigned)ROLE_OFFICER, 0, "destination.add", compare_remove,
      apply_remove },
    { "policy", ADMIN, 0, "policy", compare_policy, apply_policy },
    { "rules", ADMIN, 0, "rules", compare_rules, apply_rules },
    { "approvals", ADMIN, 0, "approvals", compare_approvals, apply_approvals },
    { "role.grant", ADMIN, 0, "role.take", compare_grant, apply_grant },
    { "role.take", ADMIN | (unsigned)ROLE_OFFICER, 0, "role.grant", compare_take, apply_take },
    { "hook.add", ADMIN, 0, NULL, compare_hook, apply_hook },
    { "hook.remove", ADMIN, 0, NULL, compare_unhook, apply_unhook },
    { "unfreeze", EITHER, CHANGE_AT_ONCE | CHANGE_ALWAYS_TWO, NULL, compare_unfreeze,
      apply_unfreeze },
    { "recovery.end", EITHER, CHANGE_AT_ONCE | CHANGE_ALWAYS_TWO, NULL, compare_recovery,
      apply_recovery },
};

const struct change_kind *change_kind_find(struct bytes name)
{
    for (size_t i = 0; i < COUNT(kinds); i++)
        if (bytes_equal_text(name, kinds[i].name))
            return &kinds[i];
    return NULL;
}
