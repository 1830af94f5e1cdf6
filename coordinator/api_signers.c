// Signers as the fleet sees them, and orders to them. Source: coordinator.md D10, D8.
#include "coordinator/api_handlers.h"

static void text_member(struct json_writer *j, const char *key, const char *text)
{
    json_key(j, key);
    json_text(j, text);
}

static void u64_member(struct json_writer *j, const char *key, uint64_t value)
{
    json_key(j, key);
    json_u64(j, value);
}

static void bool_member(struct json_writer *j, const char *key, bool value)
{
    json_key(j, key);
    json_bool(j, value);
}

static void write_seen(struct json_writer *j, const struct fleet_signer *s, bool explain)
{
    bool_member(j, "reachable", s->reachable);
    bool_member(j, "active", s->active);
    bool_member(j, "ready", s->ready);
    bool_member(j, "drift", s->drift);
    u64_member(j, "approvals", s->approvals);
    u64_member(j, "refusals", s->refusals);
    if (explain) {
        text_member(j, "last_refusal", s->last_refusal);
        text_member(j, "last_tag", s->tag);
    }
    u64_member(j, "budget_auto_sat", s->budget_auto.n);
    u64_member(j, "budget_surge_sat", s->budget_surge.n);
    u64_member(j, "max_auto_sat", s->max_auto.n);
    u64_member(j, "max_surge_sat", s->max_surge.n);
    text_member(j, "policy_hash", s->policy_hash);
    json_key(j, "seen_at");
    auth_time_write(j, s->seen_us);
    json_key(j, "window_ends_at");
    auth_time_write(j, s->window_ends_us);
    text_member(j, "why", s->why);
}

// The wallets that a signer serves.
static bool wallets_of(struct call *c, struct bytes signer_id, struct db_rows *out, struct err *err)
{
    return db_query(c->db, out,
                    "SELECT w.wallet_id, l.name FROM wallet_signer w JOIN wallet l "
                    "ON l.id = w.wallet_id WHERE w.signer_id = $1 ORDER BY l.name",
                    DB_ARGS(db_text_of(signer_id)), c->arena, err);
}

static bool may_see(const struct call *c, const struct db_rows *wallets)
{
    char id[ID_SIZE];
    for (size_t i = 0; i < wallets->n; i++) {
        db_cell_copy(id, sizeof id, wallets, i, 0);
        if (call_roles(c, id) != 0)
            return true;
    }
    return false;
}

static bool write_signer(struct call *c, struct json_writer *j, const struct db_rows *rows,
                         size_t row, const struct fleet_signer *seen, size_t n_seen,
                         struct err *err)
{
    struct db_rows wallets;
    char id[ID_SIZE];
    db_cell_copy(id, sizeof id, rows, row, 0);
    if (!wallets_of(c, bytes_of_text(id), &wallets, err))
        return false;
    if (!may_see(c, &wallets))
        return true;
    json_begin_object(j);
    text_member(j, "id", id);
    json_key(j, "name");
    json_string(j, db_cell_bytes(rows, row, 1));
    u64_member(j, "number", db_cell_u64(rows, row, 2));
    json_key(j, "kind");
    json_string(j, db_cell_bytes(rows, row, 3));
    json_key(j, "fingerprint");
    json_hex(j, db_cell_bytes(rows, row, 4));
    json_key(j, "failure_domain");
    json_string(j, db_cell_bytes(rows, row, 5));
    bool_member(j, "enabled", db_cell_int(rows, row, 6) != 0);
    json_key(j, "state");
    json_string(j, db_cell_bytes(rows, row, 7));
    json_key(j, "wallets");
    json_begin_array(j);
    for (size_t i = 0; i < wallets.n; i++) {
        char wallet_id[ID_SIZE];
        db_cell_copy(wallet_id, sizeof wallet_id, &wallets, i, 0);
        if (call_roles(c, wallet_id) != 0) // others need not be known
            json_string(j, db_cell_bytes(&wallets, i, 1));
    }
    json_end_array(j);
    for (size_t i = 0; i < n_seen; i++)
        if (strcmp(seen[i].id, id) == 0)
            write_seen(j, &seen[i], api_explains(c));
    json_end_object(j);
    return true;
}

bool api_get_signers(struct call *c, struct err *err)
{
    struct fleet_signer seen[SIGNERS_MAX];
    const size_t n = c->api->fleet != NULL ? fleet_view(c->api->fleet, NULL, seen) : 0;
    struct db_rows rows;
    struct writer w;
    if (!db_query(c->db, &rows,
                  "SELECT id, name, number, kind, fingerprint, failure_domain, enabled, state "
                  "FROM signer ORDER BY number",
                  DB_NONE, c->arena, err))
        return false;
    struct json_writer j = call_list(c, &w, "signers");
    for (size_t i = 0; i < rows.n; i++)
        if (!write_signer(c, &j, &rows, i, seen, n, err))
            return false;
    call_list_end(c, &j, &w);
    return true;
}

// --- Orders ---

// By name, number or id. The caller must be an operator of every wallet that it serves.
bool api_find_signer(struct call *c, struct bytes key, unsigned roles, char id[static ID_SIZE],
                     struct err *err)
{
    struct db_rows rows, wallets;
    struct reader r = reader_of(key);
    uint32_t number = 0;
    if (!reader_decimal(&r, 1000000, &number) || !reader_done(&r))
        number = 0;
    if (!db_query(c->db, &rows, "SELECT id FROM signer WHERE id = $1 OR name = $1 OR number = $2",
                  DB_ARGS(db_text_of(key), db_int(number)), c->arena, err))
        return false;
    if (rows.n != 1)
        return code_fail(err, CODE_NOT_FOUND, "there is no such signer");
    db_cell_copy(id, ID_SIZE, &rows, 0, 0);
    if (!wallets_of(c, bytes_of_text(id), &wallets, err))
        return false;
    for (size_t i = 0; i < wallets.n; i++) {
        char wallet_id[ID_SIZE];
        db_cell_copy(wallet_id, sizeof wallet_id, &wallets, i, 0);
        if (!call_may(c, wallet_id, roles, err))
            return false;
    }
    return wallets.n > 0 || code_fail(err, CODE_NOT_FOUND, "there is no such signer");
}

static const struct {
    enum fleet_order order;
    const char *kind; // of the event
    const char *after;
} orders[] = {
    { FLEET_ENABLE, "signer.state", "{\"order\": \"enable\"}" },
    { FLEET_DISABLE, "signer.state", "{\"order\": \"disable\"}" },
    { FLEET_HEAL, "signer.heal", "{\"order\": \"heal\"}" },
    { FLEET_REBOOT, "signer.reboot", "{\"order\": \"reboot\"}" },
};

bool api_order(struct call *c, const char *signer_id, enum fleet_order order, struct err *err)
{
    size_t i = 0;
    while (i + 1 < COUNT(orders) && orders[i].order != order)
        i++;
    const struct event e = { .actor = c->actor.id,
                             .kind = orders[i].kind,
                             .object = signer_id,
                             .after = bytes_of_text(orders[i].after),
                             .request_id = c->id };
    if (c->api->fleet == NULL)
        return code_fail(err, CODE_QUORUM_LOST, "this replica reaches no signer");
    return ledger_event(c->db, &e, err) && fleet_order(c->api->fleet, signer_id, order, err);
}

static bool give_order(struct call *c, enum fleet_order order, struct err *err)
{
    char id[ID_SIZE];
    struct writer w;
    struct json_writer j = call_json(c, &w);
    if (!api_find_signer(c, c->segments[0], ROLE_OPERATOR, id, err) ||
        !api_order(c, id, order, err))
        return false;
    json_begin_object(&j);
    json_key(&j, "ok");
    json_bool(&j, true);
    json_end_object(&j);
    call_reply(c, 202, &w);
    return true;
}

bool api_enable_signer(struct call *c, struct err *err)
{
    return give_order(c, FLEET_ENABLE, err);
}

bool api_disable_signer(struct call *c, struct err *err)
{
    return give_order(c, FLEET_DISABLE, err);
}

bool api_heal_signer(struct call *c, struct err *err)
{
    return give_order(c, FLEET_HEAL, err);
}

bool api_reboot_signer(struct call *c, struct err *err)
{
    return give_order(c, FLEET_REBOOT, err);
}
