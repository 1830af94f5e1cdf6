#include "coordinator/dryrun.h"
#include "coordinator/treasury.h"
#include <inttypes.h>

// The list in force, and the change address that would be next.
static bool is_listed(struct db *db, const struct spend_request *request,
                      const struct spend_output *output, struct arena *arena, struct err *err)
{
    struct db_rows rows;
    if (!db_query(
            db, &rows,
            "SELECT 1 FROM destination WHERE wallet_id = $1 AND script = $2 AND state = 'active'",
            DB_ARGS(db_text(request->wallet_id), db_blob(output->script)), arena, err))
        return false;
    return rows.n > 0 ||
           code_fail(err, CODE_DESTINATION_NOT_ALLOWED, "%.*s is not on the list of destinations",
                     BYTES_ARG(output->address));
}

static bool next_change(struct db *db, const char *wallet_id, uint32_t *out, struct arena *arena,
                        struct err *err)
{
    struct db_rows rows;
    if (!db_query(db, &rows,
                  "SELECT coalesce((SELECT min(idx) FROM change_address WHERE wallet_id = $1 AND "
                  "spend_id IS NULL), next_change) FROM wallet WHERE id = $2",
                  DB_ARGS(db_text(wallet_id), db_text(wallet_id)), arena, err))
        return false;
    *out = rows.n == 1 ? (uint32_t)db_cell_u64(&rows, 0, 0) : 0;
    return true;
}

static bool fits_cap(const struct velocity_view *v, const struct wallet_row *row, enum tier tier,
                     struct sats amount, struct err *err)
{
    const struct sats cap = tier == TIER_SURGE ? v->cap_surge : v->cap_auto;
    struct sats sum = v->spent;
    if (row->status == WALLET_FROZEN)
        return code_fail(err, CODE_FROZEN, "the wallet is frozen");
    if (row->status == WALLET_RECOVERING)
        return code_fail(err, CODE_RECOVERING,
                         "the wallet waits for one window after a lost ledger");
    if (!sats_add(&sum, amount) || sum.n > cap.n)
        return code_fail(err, CODE_VELOCITY_EXCEEDED,
                         "%" PRIu64 " of %" PRIu64 " sat are spent in this window", v->spent.n,
                         cap.n);
    return true;
}

static bool sum_outputs(const struct spend_request *request, struct sats *out, struct err *err)
{
    *out = (struct sats){ 0 };
    for (size_t i = 0; i < request->n_outputs; i++)
        if (!sats_add(out, request->outputs[i].amount))
            return code_fail(err, CODE_AMOUNT_OUT_OF_RANGE, "the outputs are more than can exist");
    return true;
}

static bool find_rate(struct node *node, const struct spend_rules *rules,
                      const struct spend_request *request, uint64_t *out, struct err *err)
{
    struct node_state state;
    uint64_t estimate = 0;
    bool known;
    const unsigned blocks =
        request->tier == TIER_SURGE ? rules->fee_blocks_surge : rules->fee_blocks_auto;
    if (!node_state(node, &state, err) || !node_fee_rate(node, blocks, &estimate, &known, err))
        return false;
    *out = spend_rules_rate(rules, request->fee_rate, known ? estimate : 0,
                            state.relay_rate > state.mempool_rate ? state.relay_rate
                                                                  : state.mempool_rate);
    return true;
}

// Stands beside spend.c's build: the same calls on a change address that stays free.
static bool build(struct dry_run *out, struct db *db, struct node *node,
                  const struct wallet *wallet, const struct spend_rules *rules,
                  const struct spend_request *request, struct arena *arena, struct err *err)
{
    struct coins coins;
    struct outpoints locked;
    const struct spend_outputs outputs = { request->outputs, request->n_outputs };
    struct build_request b = { .wallet = wallet,
                               .coins = &coins,
                               .locked = &locked,
                               .outputs = &outputs,
                               .limits = &rules->limits };
    if (!find_rate(node, rules, request, &out->fee_rate, err) ||
        !node_coins(node, wallet, &coins, arena, err) ||
        !ledger_locked_inputs(db, &locked, request->wallet_id, arena, err) ||
        !next_change(db, request->wallet_id, &b.change_index, arena, err))
        return false;
    b.fee_rate = out->fee_rate;
    b.second_change_index = b.change_index; // as the spend would
    return build_spend(&out->build, &b, arena, err);
}

static bool check(struct dry_run *out, struct fleet *fleet, const struct wallet *wallet,
                  const struct spend_request *request, struct arena *arena, struct err *err)
{
    struct signer_limits limits[SIGNERS_MAX];
    const struct spend_outputs outputs = { request->outputs, request->n_outputs };
    for (size_t i = 0; i < out->n_signers; i++)
        if (!fleet_limits(fleet, out->signers[i].id, request->wallet_id, request->tier, &limits[i],
                          arena))
            return code_fail(err, CODE_QUORUM_LOST, "signer %s has gone", out->signers[i].name);
    return preflight(wallet, out->build.psbt, &outputs, limits, out->n_signers, arena, err);
}

bool dry_run(struct dry_run *out, struct db *db, struct node *node, struct fleet *fleet,
             const struct wallet *wallet, const struct wallet_row *row,
             const struct spend_request *request, struct arena *arena, struct err *err)
{
    struct spend_rules rules;
    struct sats amount;
    *out = (struct dry_run){ .n_signers = 0 };
    if (!spend_rules_parse(&rules, row->settings, arena, err) ||
        !sum_outputs(request, &amount, err))
        return false;
    if (amount.n > rules.amount_max.n)
        return code_fail(err, CODE_AMOUNT_OUT_OF_RANGE, "one spend is at most %" PRIu64 " sat",
                         rules.amount_max.n);
    for (size_t i = 0; i < request->n_outputs; i++)
        if (!wallet_owns(wallet, request->outputs[i].script,
                         &(struct wallet_place){ MS_RECEIVE, 0 }) &&
            !is_listed(db, request, &request->outputs[i], arena, err))
            return false;
    if (!fleet_choose(fleet, request->wallet_id, row->k, amount, request->tier, NULL, 0,
                      out->signers, &out->n_signers, err) ||
        !ledger_velocity(db, &out->velocity, request->wallet_id, err) ||
        !fits_cap(&out->velocity, row, request->tier, amount, err))
        return false;
    if (out->n_signers > row->k)
        out->n_signers = row->k;
    return build(out, db, node, wallet, &rules, request, arena, err) &&
           check(out, fleet, wallet, request, arena, err);
}
