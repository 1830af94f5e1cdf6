// Who may do what, and which programs are told.
#include "coordinator/changes_kinds.h"

// --- Roles ---

struct granting {
    struct person person;
    enum role role;
    struct bytes limits;       // as they are written; empty: none
    struct spend_limits means; // what they come to
};

static bool read_granting(const struct change_context *c, struct granting *out, struct err *err)
{
    struct bytes who, role;
    out->means = (struct spend_limits){ 0 };
    if (!change_text(c, "principal", PEOPLE_SUBJECT_MAX - 1, &who, err) ||
        !change_text(c, "role", CHANGE_WORD_MAX, &role, err))
        return false;
    const char *text = arena_text(c->arena, who);
    if (text == NULL)
        return change_bad(err, "principal", "is no text");
    if (!(strchr(text, ':') != NULL ? people_find(c->db, &out->person, text, c->arena, err)
                                    : people_load(c->db, &out->person, text, c->arena, err)))
        return false;
    out->role = (enum role)role_of_name(role);
    if ((unsigned)out->role == 0)
        return change_bad(err, "role", "is no role");
    const struct json *limits = json_get(c->body, "limits");
    out->limits = limits != NULL ? limits->text : (struct bytes){ 0 };
    return limits == NULL ||
           (limits->type == JSON_OBJECT &&
            spend_limits_parse(&out->means, limits->text, c->arena, err)) ||
           change_bad(err, "limits", "cannot be read");
}

// The limits of the role as it is granted now. *found false: it is not.
static bool read_granted(const struct change_context *c, const struct granting *g, bool *found,
                         struct bytes *limits, struct err *err)
{
    struct db_rows rows;
    if (!db_query(
            c->db, &rows,
            "SELECT limits FROM role_grant WHERE principal_id = $1 AND wallet_id = $2 "
            "AND role = $3",
            DB_ARGS(db_text(g->person.id), db_text(c->wallet_id), db_text(role_name(g->role))),
            c->arena, err))
        return false;
    *found = rows.n == 1;
    *limits = *found ? db_cell_bytes(&rows, 0, 0) : (struct bytes){ 0 };
    return true;
}

// With `limits`: of the grant that is there.
static bool write_grant(const struct change_context *c, const struct granting *g,
                        struct bytes limits, struct bytes *out, struct err *err)
{
    struct writer w = writer_growing(c->arena, 65536);
    writer_printf(&w, "{\"principal\": \"%s\", \"role\": \"%s\"", g->person.id, role_name(g->role));
    if (limits.len > 0)
        writer_printf(&w, ", \"limits\": %.*s", BYTES_ARG(limits));
    writer_text(&w, "}");
    return writer_finish(&w, out) || err_set(err, ERR_NO_MEMORY, "limits: too long");
}

static bool amount_loosens(bool had, struct sats from, bool has, struct sats to)
{
    return had && (!has || to.n > from.n);
}

static bool names_loosen(const struct json *from, const struct json *to)
{
    if (from == NULL || to == NULL)
        return from != NULL;
    for (const struct json *item = to->items; item != NULL; item = item->next) {
        const struct json *same = from->items;
        while (same != NULL && !bytes_equal(same->text, item->text))
            same = same->next;
        if (same == NULL)
            return true;
    }
    return false;
}

// Whether anything may be asked for that could not be before.
static bool limits_loosen(const struct spend_limits *from, const struct spend_limits *to)
{
    return amount_loosens(from->has_per_spend, from->per_spend, to->has_per_spend, to->per_spend) ||
           amount_loosens(from->has_per_window, from->per_window, to->has_per_window,
                          to->per_window) ||
           (from->auto_only && !to->auto_only) ||
           names_loosen(from->destinations, to->destinations);
}

static bool compare_grant(const struct change_context *c, bool *loosening, struct bytes *before,
                          struct err *err)
{
    struct granting g = { 0 };
    struct spend_limits from;
    struct bytes limits;
    bool found;
    if (!read_granting(c, &g, err) || !read_granted(c, &g, &found, &limits, err) ||
        !spend_limits_parse(&from, limits, c->arena, err))
        return false;
    *loosening = !found || limits_loosen(&from, &g.means);
    if (found && !*loosening && !limits_loosen(&g.means, &from))
        return code_fail(err, CODE_CONFLICT, "it would change nothing");
    return write_grant(c, &g, limits, before, err);
}

static bool apply_grant(const struct change_context *c, struct err *err)
{
    struct granting g = { 0 };
    return read_granting(c, &g, err) &&
           people_grant(c->db, c->actor, g.person.id, c->wallet_id, g.role, g.limits, err);
}

// Who gets the role back is as limited as before.
static bool compare_take(const struct change_context *c, bool *loosening, struct bytes *before,
                         struct err *err)
{
    struct granting g = { 0 };
    struct bytes limits;
    bool found;
    *loosening = false;
    if (!read_granting(c, &g, err) || !read_granted(c, &g, &found, &limits, err))
        return false;
    if (!found)
        return code_fail(err, CODE_CONFLICT, "it would change nothing");
    return write_grant(c, &g, limits, before, err);
}

static bool apply_take(const struct change_context *c, struct err *err)
{
    struct granting g = { 0 };
    return read_granting(c, &g, err) &&
           people_ungrant(c->db, c->actor, g.person.id, c->wallet_id, g.role, err);
}

// --- Hooks ---

static bool kinds_text(const struct change_context *c, struct writer *w, struct err *err)
{
    const struct json *kinds = json_get(c->body, "kinds");
    if (kinds == NULL || kinds->type != JSON_ARRAY || kinds->n_items == 0 || kinds->n_items > 32)
        return change_bad(err, "kinds", "is no list of kinds of events");
    writer_text(w, ",");
    for (const struct json *k = kinds->items; k != NULL; k = k->next) {
        if (k->type != JSON_STRING || !change_is_name(k->text) ||
            memchr(k->text.ptr, ',', k->text.len) != NULL ||
            memchr(k->text.ptr, '%', k->text.len) != NULL)
            return change_bad(err, "kinds", "is no list of kinds of events");
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
    if (!change_text(c, "url", 500, &url, err) ||
        !change_text(c, "secret_ref", 200, &secret, err) || !kinds_text(c, &w, err))
        return false;
    if (!bytes_starts_with(url, BYTES("https://")) && !bytes_starts_with(url, BYTES("http://")))
        return change_bad(err, "url", "is no http or https address");
    return bytes_is_printable_ascii(url) || change_bad(err, "url", "is no http or https address");
}

static bool apply_hook(const struct change_context *c, struct err *err)
{
    struct writer w = writer_growing(c->arena, 4096);
    struct bytes url, secret;
    char id[ID_SIZE];
    db_new_id(id, c->now_us);
    return change_text(c, "url", 500, &url, err) &&
           change_text(c, "secret_ref", 200, &secret, err) && kinds_text(c, &w, err) &&
           db_exec(c->db, NULL,
                   "INSERT INTO hook(id, url, secret_ref, kinds, wallet_id) "
                   "VALUES($1, $2, $3, $4, $5)",
                   DB_ARGS(db_text(id), db_text_of(url), db_text_of(secret),
                           db_text_of(writer_bytes(&w)), db_text(c->wallet_id)),
                   err);
}

static bool compare_unhook(const struct change_context *c, bool *loosening, struct bytes *before,
                           struct err *err)
{
    struct bytes id;
    struct db_rows rows;
    *loosening = false;
    *before = BYTES("{}");
    if (!change_text(c, "id", CHANGE_WORD_MAX, &id, err) ||
        !db_query(c->db, &rows,
                  "SELECT 1 FROM hook WHERE id = $1 AND wallet_id = $2 AND disabled = 0",
                  DB_ARGS(db_text_of(id), db_text(c->wallet_id)), c->arena, err))
        return false;
    return rows.n == 1 || code_fail(err, CODE_NOT_FOUND, "there is no such hook");
}

static bool apply_unhook(const struct change_context *c, struct err *err)
{
    struct bytes id;
    return change_text(c, "id", CHANGE_WORD_MAX, &id, err) &&
           db_exec(c->db, NULL, "UPDATE hook SET disabled = 1 WHERE id = $1 AND wallet_id = $2",
                   DB_ARGS(db_text_of(id), db_text(c->wallet_id)), err);
}

// --- The kinds ---

static const struct change_kind kinds[] = {
    { "role.grant", CHANGE_ADMIN, 0, "role.take", compare_grant, apply_grant },
    { "role.take", CHANGE_ADMIN | (unsigned)ROLE_OFFICER, 0, "role.grant", compare_take,
      apply_take },
    { "hook.add", CHANGE_ADMIN, 0, NULL, compare_hook, apply_hook },
    { "hook.remove", CHANGE_ADMIN, 0, NULL, compare_unhook, apply_unhook },
};
const struct change_kinds changes_people = { kinds, COUNT(kinds) };
