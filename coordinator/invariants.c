#include "coordinator/invariants.h"
#include "base/json.h"
#include "coordinator/audit.h"
#include "coordinator/ledger.h"
#include <string.h>

enum { LIMIT = 256 << 20, PAGE = 1000 };

// Transactions that carry the outflow, of which one confirms.
#define PAYS " IN ('pay', 'replace') "
#define UNENDED                                                                                    \
    " IN ('reserved', 'built', 'signing', 'signed', 'parked', 'sent', 'voiding', 'confirmed') "
#define MAY_HAVE " IN ('asked', 'signed', 'unknown') "

static const struct invariant TABLE[] = {
    { 1, "an admission went past the cap",
      "SELECT spend_id FROM reservation WHERE spent_before + sat > cap" },
    // Over any window that ends with a first sending, the shortest window that was ever in force.
    { 1, "more was sent in one window than any cap in force",
      "SELECT r.spend_id FROM reservation r WHERE r.first_sent_at IS NOT NULL AND r.status = "
      "'sent' "
      "AND (SELECT sum(x.sat) FROM reservation x WHERE x.wallet_id = r.wallet_id "
      "AND x.status = 'sent' AND x.first_sent_at <= r.first_sent_at AND x.first_sent_at >= "
      "r.first_sent_at - 1000000 * (SELECT min(m.window_s) FROM reservation m "
      "WHERE m.wallet_id = r.wallet_id)) > (SELECT max(x.cap) FROM reservation x "
      "WHERE x.wallet_id = r.wallet_id AND x.status = 'sent' "
      "AND x.first_sent_at <= r.first_sent_at)" },
    { 1, "the running sum of open reservations is wrong",
      "SELECT g.wallet_id FROM velocity_guard g WHERE g.reserved_open <> "
      "(SELECT coalesce(sum(r.sat), 0) FROM reservation r "
      "WHERE r.wallet_id = g.wallet_id AND r.status = 'open')" },
    { 1, "the running sum of what was sent is wrong",
      "SELECT g.wallet_id FROM velocity_guard g WHERE g.sum_sent <> "
      "(SELECT coalesce(sum(r.sat), 0) FROM reservation r WHERE r.wallet_id = g.wallet_id "
      "AND r.status = 'sent' AND r.first_sent_at >= g.sum_from)" },
    { 1, "the running sum of foreign outflows is wrong",
      "SELECT g.wallet_id FROM velocity_guard g WHERE g.sum_foreign <> "
      "(SELECT coalesce(sum(f.sat), 0) FROM foreign_outflow f WHERE f.wallet_id = g.wallet_id "
      "AND f.state <> 'void' AND f.first_seen_at >= g.sum_from)" },
    { 1, "the running sum of fees is wrong",
      "SELECT g.wallet_id FROM velocity_guard g WHERE g.sum_fees <> "
      "(SELECT coalesce(sum(r.fee), 0) FROM reservation r WHERE r.wallet_id = g.wallet_id "
      "AND r.status = 'sent' AND r.fee_at >= g.sum_from) + "
      "(SELECT coalesce(sum(f.fee), 0) FROM foreign_outflow f WHERE f.wallet_id = g.wallet_id "
      "AND f.state <> 'void' AND f.first_seen_at >= g.sum_from)" },
    { 3, "two transactions of one spend are confirmed",
      "SELECT a.spend_id FROM attempt a WHERE a.state = 'confirmed' AND a.kind <> 'child' "
      "GROUP BY a.spend_id HAVING count(*) > 1" },
    { 4, "a transaction lacks the anchor of its spend",
      "SELECT a.id FROM attempt a JOIN spend s ON s.id = a.spend_id WHERE a.kind <> 'child' AND "
      "NOT EXISTS (SELECT 1 FROM attempt_input i WHERE i.attempt_id = a.id "
      "AND i.txid = s.anchor_txid AND i.vout = s.anchor_vout)" },
    { 5, "a signer was asked without a reservation",
      "SELECT q.id FROM sign_request q JOIN attempt a ON a.id = q.attempt_id "
      "LEFT JOIN reservation r ON r.spend_id = a.spend_id WHERE q.state <> 'planned' AND "
      "(r.spend_id IS NULL OR q.asked_at < r.reserved_at OR q.asked_at > r.released_at)" },
    { 6, "released by R1, and a signer was asked",
      "SELECT r.spend_id FROM reservation r JOIN attempt a ON a.spend_id = r.spend_id "
      "JOIN sign_request q ON q.attempt_id = a.id "
      "WHERE r.release_rule = 'R1' AND q.state <> 'planned'" },
    { 6, "released by R2, and k signatures may exist",
      "SELECT r.spend_id FROM reservation r JOIN wallet w ON w.id = r.wallet_id "
      "WHERE r.release_rule = 'R2' AND (SELECT count(*) FROM (SELECT DISTINCT q.attempt_id, "
      "q.signer_id FROM sign_request q JOIN attempt a ON a.id = q.attempt_id "
      "WHERE a.spend_id = r.spend_id AND a.kind" PAYS "AND q.state" MAY_HAVE ") maybe) >= w.k" },
    { 6, "released by R3, and a transaction is left whose inputs nobody else spent",
      "SELECT r.spend_id FROM reservation r JOIN wallet w ON w.id = r.wallet_id "
      "JOIN attempt a ON a.spend_id = r.spend_id AND a.kind" PAYS
      "WHERE r.release_rule = 'R3' AND NOT EXISTS (SELECT 1 FROM attempt_input i "
      "WHERE i.attempt_id = a.id AND i.spent_depth >= w.settle_depth)" },
    { 6, "a released spend is on the chain",
      "SELECT r.spend_id FROM reservation r JOIN attempt a ON a.spend_id = r.spend_id "
      "WHERE r.status = 'released' AND a.state = 'confirmed' AND a.kind" PAYS },
    { 7, "two live spends hold one input",
      "SELECT s.id FROM spend s JOIN attempt a ON a.spend_id = s.id "
      "JOIN attempt_input i ON i.attempt_id = a.id JOIN attempt_input j "
      "ON j.txid = i.txid AND j.vout = i.vout JOIN attempt b ON b.id = j.attempt_id "
      "JOIN spend t ON t.id = b.spend_id WHERE s.id < t.id AND s.wallet_id = t.wallet_id "
      "AND s.state" UNENDED "AND t.state" UNENDED },
    { 7, "a live spend does not hold an input of its own",
      "SELECT a.id FROM spend s JOIN attempt a ON a.spend_id = s.id "
      "JOIN attempt_input i ON i.attempt_id = a.id WHERE s.state" UNENDED
      "AND NOT EXISTS (SELECT 1 FROM input_lock l WHERE l.wallet_id = s.wallet_id "
      "AND l.txid = i.txid AND l.vout = i.vout AND l.spend_id = s.id)" },
    { 9, "an amount is reserved for what is on no list",
      "SELECT r.spend_id FROM reservation r JOIN spend_output o ON o.spend_id = r.spend_id "
      "LEFT JOIN destination d ON d.id = o.destination_id AND d.wallet_id = r.wallet_id "
      "AND d.script = o.script WHERE d.id IS NULL" },
    { 9, "a spend's amount is not that of its outputs",
      "SELECT s.id FROM spend s WHERE s.amount <> "
      "(SELECT coalesce(sum(o.sat), 0) FROM spend_output o WHERE o.spend_id = s.id)" },
    { 13, "a transaction counts as signed with fewer than k signatures",
      "SELECT a.id FROM attempt a JOIN spend s ON s.id = a.spend_id "
      "JOIN wallet w ON w.id = s.wallet_id WHERE a.raw IS NOT NULL AND "
      "(SELECT count(DISTINCT q.signer_id) FROM sign_request q "
      "WHERE q.attempt_id = a.id AND q.state = 'signed') < w.k" },
    { 13, "a signer was asked for a transaction of a spend that never came to signing",
      "SELECT q.id FROM sign_request q JOIN attempt a ON a.id = q.attempt_id "
      "JOIN spend s ON s.id = a.spend_id WHERE q.state <> 'planned' "
      "AND s.state IN ('received', 'awaiting_approval', 'reserved', 'built', 'rejected', "
      "'expired')" },
    { 13, "a signed or sent spend has no final transaction",
      "SELECT s.id FROM spend s WHERE s.state = 'signed' AND NOT EXISTS "
      "(SELECT 1 FROM attempt a WHERE a.spend_id = s.id AND a.raw IS NOT NULL)" },
    { 17, "one request id has two spends",
      "SELECT min(id) FROM spend GROUP BY wallet_id, request_id HAVING count(*) > 1" },
    { 18, "a refill's spend is another's, or is claimed twice",
      "SELECT r.id FROM refill_run r JOIN spend s ON s.id = r.spend_id WHERE s.request_id <> "
      "'refill/' || r.policy_id || '/' || CAST(r.sequence AS text)" },
    { 20, "an ended spend has an open reservation",
      "SELECT s.id FROM spend s JOIN reservation r ON r.spend_id = s.id "
      "WHERE (r.status = 'open' AND s.state NOT IN ('reserved', 'built', 'signing', 'signed', "
      "'parked', 'voiding')) OR (r.status = 'sent' AND s.state NOT IN ('signing', 'signed', "
      "'parked', 'sent', 'voiding', 'confirmed', 'settled')) OR (r.status = 'released' AND "
      "s.state NOT IN ('failed', 'cancelled', 'refused', 'void'))" },
    { 20, "a spend in this state has no reservation",
      "SELECT s.id FROM spend s LEFT JOIN reservation r ON r.spend_id = s.id "
      "WHERE r.spend_id IS NULL AND s.state NOT IN ('received', 'awaiting_approval', 'rejected', "
      "'expired', 'cancelled')" },
    { 20, "an unfinished spend is nobody's and never due",
      "SELECT id FROM spend WHERE owner IS NULL AND next_at = 9223372036854775807 "
      "AND state IN ('received', 'reserved', 'built', 'signing', 'signed')" },
    { 36, "a transaction of ours counts as foreign, too",
      "SELECT f.id FROM foreign_outflow f JOIN attempt a ON a.txid = f.txid "
      "JOIN reservation r ON r.spend_id = a.spend_id WHERE r.status = 'sent'" },
    { 0, NULL, NULL },
};

const struct invariant *invariants_table(void)
{
    return TABLE;
}

static bool check_one(struct db *db, const struct invariant *i, struct arena *arena,
                      struct err *err)
{
    struct db_rows rows;
    arena_reset(arena);
    if (!db_query(db, &rows, i->sql, DB_NONE, arena, err))
        return err_within(err, "invariant %u", i->number);
    if (rows.n == 0)
        return true;
    const struct bytes id = db_cell_bytes(&rows, 0, 0);
    return err_set(err, ERR_INVALID, "invariant %u: %s (%.*s)", i->number, i->what, BYTES_ARG(id));
}

// --- 14: states move only along D3's table ---

struct walk {
    char spend_id[ID_SIZE];
    enum spend_state state;
    bool begun;
};

static bool state_of(enum spend_state *out, struct bytes text, struct arena *arena)
{
    const struct json *json, *state;
    struct err err;
    return json_parse(&json, text, arena, &err) && (state = json_get(json, "state")) != NULL &&
           spend_state_of(out, state->text);
}

static bool walk_fails(const struct walk *w, struct err *err)
{
    return err_set(err, ERR_INVALID, "invariant 14: a spend moved outside its table (%s)",
                   w->spend_id);
}

static bool walk_step(struct walk *w, struct bytes object, struct bytes before, struct bytes after,
                      struct arena *arena, struct err *err)
{
    enum spend_state from, to;
    if (!bytes_equal_text(object, w->spend_id)) {
        *w = (struct walk){ .begun = false };
        memcpy(w->spend_id, object.ptr, object.len < ID_SIZE - 1 ? object.len : ID_SIZE - 1);
    }
    if (!state_of(&to, after, arena))
        return walk_fails(w, err);
    if (!w->begun) {
        w->begun = before.len == 0 && (to == SPEND_RECEIVED || to == SPEND_AWAITING_APPROVAL);
        w->state = to;
        return w->begun || walk_fails(w, err);
    }
    if (!state_of(&from, before, arena) || from != w->state || !spend_state_may(from, to))
        return walk_fails(w, err);
    w->state = to;
    return true;
}

// The events of each spend, in order, and the state in which they leave it.
static bool check_walks(struct db *db, struct arena *arena, struct err *err)
{
    struct db_rows rows;
    struct walk w = { .begun = false };
    char object[ID_SIZE] = "";
    int64_t seq = 0;
    do {
        arena_reset(arena);
        if (!db_query(db, &rows,
                      "SELECT e.object, e.before, e.after, s.state, e.seq FROM event e "
                      "JOIN spend s ON s.id = e.object WHERE e.kind = 'spend.state' AND "
                      "(e.object > $1 OR (e.object = $1 AND e.seq > $2)) "
                      "ORDER BY e.object, e.seq LIMIT $3",
                      DB_ARGS(db_text(object), db_int(seq), db_int(PAGE)), arena, err))
            return false;
        for (size_t i = 0; i < rows.n; i++) {
            const bool last = i + 1 < rows.n ? !bytes_equal(db_cell_bytes(&rows, i, 0),
                                                            db_cell_bytes(&rows, i + 1, 0))
                                             : rows.n < PAGE;
            if (!walk_step(&w, db_cell_bytes(&rows, i, 0), db_cell_bytes(&rows, i, 1),
                           db_cell_bytes(&rows, i, 2), arena, err))
                return false;
            if (last && !bytes_equal_text(db_cell_bytes(&rows, i, 3), spend_state_name(w.state)))
                return walk_fails(&w, err);
            db_cell_copy(object, sizeof object, &rows, i, 0);
            seq = db_cell_int(&rows, i, 4);
        }
    } while (rows.n == PAGE);
    return true;
}

static bool check_all(struct db *db, struct arena *arena, struct err *err)
{
    for (const struct invariant *i = TABLE; i->number != 0; i++)
        if (!check_one(db, i, arena, err))
            return false;
    return check_walks(db, arena, err);
}

bool invariants_check(struct db *db, struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(LIMIT);
    struct audit_head head;
    if (!db_begin_reading(db, err))
        return false;
    const bool ok = check_all(db, arena, err);
    db_rollback(db);
    if (!ok)
        return false;
    return audit_verify(db, 1, &head, err) || err_within(err, "invariant 34");
}
