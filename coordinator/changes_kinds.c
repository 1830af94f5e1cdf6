#include "coordinator/changes_kinds.h"

// --- Members ---

bool change_bad(struct err *err, const char *name, const char *what)
{
    return code_fail(err, CODE_BAD_REQUEST, "%s: %s", name, what);
}

bool change_text(const struct change_context *c, const char *name, size_t max, struct bytes *out,
                 struct err *err)
{
    const struct json *m = json_get(c->body, name);
    if (m == NULL || m->type != JSON_STRING || m->text.len == 0 || m->text.len > max)
        return change_bad(err, name, "is missing, no text or too long");
    *out = m->text;
    return true;
}

bool change_is_name(struct bytes name)
{
    return name.len > 0 && name.len <= CHANGE_WORD_MAX && bytes_is_printable_ascii(name);
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

// --- All ---

#define EITHER (CHANGE_ADMIN | (unsigned)ROLE_OPERATOR | (unsigned)ROLE_OFFICER)

static const struct change_kind status[] = {
    { "unfreeze", EITHER, CHANGE_AT_ONCE | CHANGE_ALWAYS_TWO, NULL, compare_unfreeze,
      apply_unfreeze },
    { "recovery.end", EITHER, CHANGE_AT_ONCE | CHANGE_ALWAYS_TWO, NULL, compare_recovery,
      apply_recovery },
};
static const struct change_kinds changes_status = { status, COUNT(status) };

const struct change_kind *change_kind_find(struct bytes name)
{
    const struct change_kinds *const all[] = { &changes_limits, &changes_lists, &changes_people,
                                               &changes_status };
    for (size_t i = 0; i < COUNT(all); i++)
        for (size_t k = 0; k < all[i]->n; k++)
            if (bytes_equal_text(name, all[i]->items[k].name))
                return &all[i]->items[k];
    return NULL;
}
