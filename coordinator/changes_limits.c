// Numbers in force: caps, what the signers allow, how payments are built, what loosening needs.
#include "coordinator/changes_kinds.h"
#include "coordinator/device_policy.h"
#include "coordinator/spend_rules.h"

// --- Sets of numbers, of which a change may name some ---

static bool number_member(const struct json *m, uint64_t max, int64_t *out)
{
    return m->type == JSON_NUMBER && json_integer(m, out, NULL) && *out >= 0 &&
           (uint64_t)*out <= max;
}

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
                             BYTES_ARG(bytes_slice(m->key, 0, CHANGE_WORD_MAX)));
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
            return change_bad(err, rows[i].name, "is no number within its bounds");
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
        return change_bad(err, "window_s", "is below a minute");
    return now[0] <= now[1] || change_bad(err, "cap_surge_sat", "is below cap_auto_sat");
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
    return now[0] >= CHANGE_APPROVALS || change_bad(err, "approvals", "is below two");
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
        return change_bad(err, "period_min", "is no period");
    if (now[0] < 546 || now[1] < 546)
        return change_bad(err, "max_sat", "is below 546, the least amount of an output");
    if (now[3] < now[0])
        return change_bad(err, "surge_max_sat", "is below max_sat");
    return now[4] >= now[3] || change_bad(err, "surge_per_period_sat", "is below surge_max_sat");
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

// --- The kinds ---

static const struct change_kind kinds[] = {
    { "caps", CHANGE_ADMIN, 0, "caps", compare_caps, apply_caps },
    { "policy", CHANGE_ADMIN, 0, "policy", compare_policy, apply_policy },
    { "rules", CHANGE_ADMIN, 0, "rules", compare_rules, apply_rules },
    { "approvals", CHANGE_ADMIN, 0, "approvals", compare_approvals, apply_approvals },
};
const struct change_kinds changes_limits = { kinds, COUNT(kinds) };
