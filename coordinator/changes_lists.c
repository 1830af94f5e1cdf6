// The list of destinations, which the signers have, too.
#include "bitcoin/address.h"
#include "coordinator/changes_kinds.h"
#include "coordinator/wallet.h"

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
    if (!change_text(c, "name", CHANGE_WORD_MAX, &name, err) ||
        !change_text(c, "address", ADDRESS_TEXT_MAX, &address, err) ||
        !script_of(c, address, &script, err))
        return false;
    if (!change_is_name(name))
        return change_bad(err, "name", "is no printable text");
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
    return change_text(c, "name", CHANGE_WORD_MAX, &name, err) &&
           change_text(c, "address", ADDRESS_TEXT_MAX, &address, err) &&
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
    if (!change_text(c, by_id ? "id" : "name", CHANGE_WORD_MAX, &key, err) ||
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

// --- The kinds ---

static const struct change_kind kinds[] = {
    { "destination.add", CHANGE_ADMIN, 0, "destination.remove", compare_add, apply_add },
    { "destination.remove", CHANGE_ADMIN | (unsigned)ROLE_OFFICER, 0, "destination.add",
      compare_remove, apply_remove },
};
const struct change_kinds changes_lists = { kinds, COUNT(kinds) };
