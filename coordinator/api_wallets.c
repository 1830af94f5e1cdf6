// Wallets, their caps and coins, their destinations. Source: coordinator.md D10.
#include "coordinator/api_handlers.h"

static const char *const status_names[] = {
    [WALLET_ACTIVE] = "active", [WALLET_FROZEN] = "frozen", [WALLET_RECOVERING] = "recovering"
};

static void sats_member(struct json_writer *j, const char *key, struct sats amount)
{
    json_key(j, key);
    json_u64(j, amount.n);
}

static bool path_wallet(struct call *c, struct treasury_wallet *out, unsigned roles,
                        struct err *err)
{
    return call_wallet(c, out, c->segments[0], roles, err);
}

// --- Wallets ---

static void write_balance(struct call *c, struct json_writer *j, const char *wallet_id)
{
    struct board_wallet seen;
    json_key(j, "balance");
    if (!board_wallet(c->api->board, wallet_id, &seen) || !seen.known) {
        json_null(j);
        return;
    }
    json_begin_object(j);
    sats_member(j, "confirmed_sat", seen.confirmed);
    sats_member(j, "unconfirmed_sat", seen.unconfirmed);
    json_key(j, "coins");
    json_u64(j, seen.n_coins);
    json_end_object(j);
}

static bool write_wallet(struct call *c, struct json_writer *j, const struct treasury_wallet *t,
                         struct err *err)
{
    struct writer address = writer_growing(c->arena, 256);
    const struct wallet_row *r = &t->row;
    struct change_policy policy;
    struct change_rules rules;
    const struct wallet_place first = { .index = 0 };
    if (!wallet_address(&address, t->wallet, first, err) ||
        !change_policy_numbers(c->db, r->id, &policy, err) ||
        !change_rules(c->db, &rules, r->id, err))
        return false;
    json_begin_object(j);
    json_key(j, "id");
    json_text(j, r->id);
    json_key(j, "name");
    json_string(j, r->name);
    json_key(j, "network");
    json_string(j, r->network);
    json_key(j, "kind");
    json_string(j, r->kind);
    json_key(j, "k");
    json_u64(j, r->k);
    json_key(j, "n");
    json_u64(j, r->n);
    json_key(j, "status");
    json_text(j, status_names[r->status]);
    json_key(j, "settle_depth");
    json_u64(j, r->settle_depth);
    json_key(j, "fund_address");
    json_string(j, writer_bytes(&address));
    write_balance(c, j, r->id);
    json_key(j, "policy");
    json_begin_object(j);
    sats_member(j, "max_sat", policy.max);
    sats_member(j, "per_period_sat", policy.per_period);
    json_key(j, "period_min");
    json_u64(j, policy.period_min);
    sats_member(j, "surge_max_sat", policy.surge_max);
    sats_member(j, "surge_per_period_sat", policy.surge_per_period);
    json_end_object(j);
    json_key(j, "rules");
    spend_rules_write(j, &t->rules);
    json_key(j, "changes");
    json_begin_object(j);
    json_key(j, "approvals");
    json_u64(j, rules.approvals);
    json_key(j, "delay_s");
    json_u64(j, rules.delay_s);
    json_end_object(j);
    json_key(j, "roles");
    roles_write(j, call_roles(c, r->id));
    json_end_object(j);
    return true;
}

bool api_get_wallets(struct call *c, struct err *err)
{
    struct treasury_wallet *all;
    size_t n;
    struct writer w;
    if (!treasury_all(c->api->treasury, c->db, &all, &n, c->arena, err))
        return false;
    struct json_writer j = call_list(c, &w, "wallets");
    for (size_t i = 0; i < n; i++)
        if (call_roles(c, all[i].row.id) != 0 && !write_wallet(c, &j, &all[i], err))
            return false;
    call_list_end(c, &j, &w);
    return true;
}

bool api_get_wallet(struct call *c, struct err *err)
{
    struct treasury_wallet t;
    struct writer w;
    struct json_writer j = call_json(c, &w);
    if (!path_wallet(c, &t, ROLE_VIEWER, err) || !write_wallet(c, &j, &t, err))
        return false;
    call_reply(c, 200, &w);
    return true;
}

bool api_get_velocity(struct call *c, struct err *err)
{
    struct treasury_wallet t;
    struct velocity_view v;
    struct writer w;
    struct json_writer j = call_json(c, &w);
    if (!path_wallet(c, &t, ROLE_VIEWER, err) || !ledger_velocity(c->db, &v, t.row.id, err))
        return false;
    const struct {
        const char *key;
        struct sats amount;
    } amounts[] = { { "spent_sat", v.spent },       { "open_sat", v.open },
                    { "sent_sat", v.sent },         { "foreign_sat", v.foreign },
                    { "cap_auto_sat", v.cap_auto }, { "cap_surge_sat", v.cap_surge },
                    { "fees_sat", v.fees },         { "fee_cap_sat", v.fee_cap } };
    json_begin_object(&j);
    json_key(&j, "wallet");
    json_string(&j, t.row.name);
    json_key(&j, "window_s");
    json_i64(&j, v.window_us / 1000000);
    for (size_t i = 0; i < COUNT(amounts); i++)
        sats_member(&j, amounts[i].key, amounts[i].amount);
    json_key(&j, "open_count");
    json_u64(&j, v.n_open);
    json_key(&j, "oldest_open_at");
    auth_time_write(&j, v.oldest_open_us);
    json_key(&j, "oldest_expires_at");
    auth_time_write(&j, v.oldest_ends_us);
    json_key(&j, "reconciled_at");
    auth_time_write(&j, v.reconciled_us);
    json_key(&j, "now");
    auth_time_write(&j, v.now_us);
    json_end_object(&j);
    call_reply(c, 200, &w);
    return true;
}

static void write_coin(struct json_writer *j, const struct coin *coin)
{
    char txid[TXID_TEXT_SIZE];
    txid_to_text(txid, &coin->outpoint.txid);
    json_begin_object(j);
    json_key(j, "txid");
    json_text(j, txid);
    json_key(j, "vout");
    json_u64(j, coin->outpoint.index);
    sats_member(j, "amount_sat", coin->amount);
    json_key(j, "confirmations");
    json_u64(j, coin->confirmations);
    json_key(j, "own_change");
    json_bool(j, coin->is_own_change);
    json_end_object(j);
}

bool api_get_coins(struct call *c, struct err *err)
{
    struct treasury_wallet t;
    AUTO(node_freep) struct node *node = NULL;
    struct coins coins;
    struct writer w;
    if (!path_wallet(c, &t, ROLE_VIEWER, err) || !api_node(c, &t, &node, err) ||
        !node_coins(node, t.wallet, &coins, c->arena, err))
        return false;
    struct json_writer j = call_list(c, &w, "coins");
    for (size_t i = 0; i < coins.n; i++)
        write_coin(&j, &coins.items[i]);
    call_list_end(c, &j, &w);
    return true;
}

bool api_freeze_wallet(struct call *c, struct err *err)
{
    struct treasury_wallet t;
    return path_wallet(c, &t, ROLE_OPERATOR, err) &&
           change_freeze(c->db, &c->actor, t.row.id, err) && api_get_wallet(c, err);
}

// --- Destinations ---

bool api_get_destinations(struct call *c, struct err *err)
{
    static const char *const names[] = { "id", "name", "address", "state" };
    struct treasury_wallet t;
    struct db_rows rows;
    struct writer w;
    if (!call_wallet(c, &t, call_parameter(c, "wallet"), ROLE_VIEWER, err) ||
        !db_query(c->db, &rows,
                  "SELECT id, name, address, state, created_at FROM destination "
                  "WHERE wallet_id = $1 ORDER BY state, name",
                  DB_ARGS(db_text(t.row.id)), c->arena, err))
        return false;
    struct json_writer j = call_list(c, &w, "destinations");
    for (size_t i = 0; i < rows.n; i++) {
        json_begin_object(&j);
        for (size_t k = 0; k < COUNT(names); k++) {
            json_key(&j, names[k]);
            json_string(&j, db_cell_bytes(&rows, i, k));
        }
        json_key(&j, "created_at");
        auth_time_write(&j, db_cell_int(&rows, i, 4));
        json_end_object(&j);
    }
    call_list_end(c, &j, &w);
    return true;
}
