// What is published for the signers: their policies are made anew from the wallet's numbers and list.
// Source: coordinator.md A7, D8.
#include "coordinator/changes_kinds.h"
#include "coordinator/device_policy.h"

#define POLICY_TEXT_MAX 65536

struct making {
    const struct change_context *c;
    struct change_policy numbers;
    struct bytes *whitelist;
    size_t n_whitelist;
};

static bool read_list(struct making *m, struct err *err)
{
    const struct change_context *c = m->c;
    struct db_rows rows;
    if (!db_query(c->db, &rows,
                  "SELECT address FROM destination WHERE wallet_id = $1 AND state = 'active' "
                  "ORDER BY id",
                  DB_ARGS(db_text(c->wallet_id)), c->arena, err))
        return false;
    m->whitelist = arena_array(c->arena, rows.n, sizeof *m->whitelist);
    if (m->whitelist == NULL)
        return err_set(err, ERR_NO_MEMORY, "too many destinations");
    m->n_whitelist = rows.n;
    for (size_t i = 0; i < rows.n; i++)
        m->whitelist[i] = db_cell_bytes(&rows, i, 0);
    return true;
}

static bool next_number(const struct change_context *c, const char *signer_id, int64_t *out,
                        struct err *err)
{
    struct db_rows rows;
    if (!db_query(c->db, &rows,
                  "SELECT CAST(coalesce(max(number), 0) AS bigint) FROM policy_version "
                  "WHERE wallet_id = $1 AND signer_id = $2",
                  DB_ARGS(db_text(c->wallet_id), db_text(signer_id)), c->arena, err))
        return false;
    *out = db_cell_int(&rows, 0, 0) + 1;
    return true;
}

static bool store(const struct change_context *c, const char *signer_id, struct bytes body,
                  struct err *err)
{
    struct device_rules rules;
    int64_t number;
    char id[ID_SIZE];
    db_new_id(id, c->now_us);
    return device_policy_read(&rules, body, c->arena, err) &&
           next_number(c, signer_id, &number, err) &&
           db_exec(c->db, NULL,
                   "UPDATE policy_version SET state = 'replaced' WHERE wallet_id = $1 AND "
                   "signer_id = $2 AND state = 'published'",
                   DB_ARGS(db_text(c->wallet_id), db_text(signer_id)), err) &&
           db_exec(
               c->db, NULL,
               "INSERT INTO policy_version(id, wallet_id, signer_id, number, body, hash, state, "
               "published_at) VALUES($1, $2, $3, $4, $5, $6, 'published', $7)",
               DB_ARGS(db_text(id), db_text(c->wallet_id), db_text(signer_id), db_int(number),
                       db_blob(body), db_blob(BYTES_OF(rules.hash.b)), db_int(c->now_us)),
               err);
}

static bool make_for(const struct making *m, const struct db_rows *signers, size_t i,
                     struct err *err)
{
    const struct change_context *c = m->c;
    struct writer w = writer_growing(c->arena, POLICY_TEXT_MAX);
    struct bytes body;
    char signer_id[ID_SIZE];
    const struct bytes kind = db_cell_bytes(signers, i, 2);
    const bool ours = bytes_equal_text(kind, "casemate") || bytes_equal_text(kind, "simulator");
    const struct device_policy policy = {
        .period_min = (uint32_t)m->numbers.period_min,
        .wallet = arena_text(c->arena, db_cell_bytes(signers, i, 1)),
        .whitelist = m->whitelist,
        .n_whitelist = m->n_whitelist,
        .automatic = { m->numbers.max, m->numbers.per_period },
        .has_surge = true,
        .surge = { m->numbers.surge_max, m->numbers.surge_per_period },
        .shares_addresses = ours,
        .charges_once = ours,
    };
    db_cell_copy(signer_id, sizeof signer_id, signers, i, 0);
    if (!device_policy_write(&w, &policy, err))
        return false;
    return (writer_finish(&w, &body) || err_set(err, ERR_NO_MEMORY, "the policy is too large")) &&
           store(c, signer_id, body, err);
}

bool change_policies(const struct change_context *c, struct err *err)
{
    struct making m = { .c = c };
    struct db_rows signers;
    if (!change_policy_numbers(c->db, c->wallet_id, &m.numbers, err) || !read_list(&m, err) ||
        !db_query(c->db, &signers,
                  "SELECT s.id, w.registered_name, s.kind FROM wallet_signer w "
                  "JOIN signer s ON s.id = w.signer_id WHERE w.wallet_id = $1 ORDER BY w.position",
                  DB_ARGS(db_text(c->wallet_id)), c->arena, err))
        return false;
    // A policy without a list would allow any address: there is none until there is a list.
    for (size_t i = 0; m.n_whitelist > 0 && i < signers.n; i++)
        if (!make_for(&m, &signers, i, err))
            return false;
    return true;
}
