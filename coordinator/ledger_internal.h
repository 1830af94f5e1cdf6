// coordinator/ledger_internal.h -- what the parts of ledger.h share; nobody else includes it.
//
// Order of locks, so that nobody waits in a circle: guard row, spend, wallet, the rest, event head. Events are
// the last that a transaction writes.
#ifndef CASEMATE_COORDINATOR_LEDGER_INTERNAL_H
#define CASEMATE_COORDINATOR_LEDGER_INTERNAL_H
#include "coordinator/ledger.h"

#define MAX_STALENESS_US ((int64_t)30000000) // D2, step 3
#define NEVER_US         INT64_MAX
#define NO_CODE          CODE_NONE, "" // code and reason of an arrow that needs none

// A transaction that runs.
struct op {
    struct db *db;
    struct arena *arena; // emptied for each try
    int64_t now_us;      // the database's clock when the body began; op_clock reads it again
};
typedef bool op_body(struct op *op, void *context, struct err *err);
// One transaction around the body, tried again where db_transact says so.
MUST_CHECK bool op_run(struct db *db, op_body *body, void *context, struct err *err);
MUST_CHECK bool op_clock(struct op *op, struct err *err);

// Shorthands of db_query and db_exec. op_change fails with CODE_CONFLICT unless exactly one row was written.
#define OP_QUERY(op, rows, err, sql, ...)                                                          \
    db_query((op)->db, (rows), (sql), DB_ARGS(__VA_ARGS__), (op)->arena, (err))
#define OP_EXEC(op, err, sql, ...)   db_exec((op)->db, NULL, (sql), DB_ARGS(__VA_ARGS__), (err))
#define OP_CHANGE(op, err, sql, ...) op_change((op), (sql), DB_ARGS(__VA_ARGS__), (err))
MUST_CHECK bool op_change(struct op *op, const char *sql, const struct db_value *args, size_t n,
                          struct err *err);

struct db_value db_hash(const struct hash256 *hash);
struct hash256 db_cell_hash(const struct db_rows *rows, size_t row, size_t column);
struct db_value db_sats(
    struct sats amount); // above INT64_MAX: as INT64_MAX, which no limit lets pass
struct sats db_cell_sats(const struct db_rows *rows, size_t row, size_t column);

// --- Spends ---

// Locks the row and checks that it is as *spend says: owner, fence, state. Fails: CODE_CONFLICT.
MUST_CHECK bool op_hold(struct op *op, const struct spend *spend, struct err *err);
// Locks and reads, whoever holds it.
MUST_CHECK bool op_lock_spend(struct op *op, struct spend *out, const char *id, struct err *err);

// Along D3's table, with its event; *spend is changed, too.
MUST_CHECK bool op_move(struct op *op, struct spend *spend, enum spend_state to, enum code code,
                        const char *reason, struct err *err);

// Of one that is held: as ledger_let_go. Who was woken while held stays due.
MUST_CHECK bool op_let_go(struct op *op, struct spend *spend, int64_t next_us, struct err *err);

// An event about a spend.
MUST_CHECK bool op_event(struct op *op, const struct spend *spend, const char *kind,
                         const char *before, const char *after, struct err *err);
// after: text of a JSON object.
bool op_eventf(struct op *op, const struct spend *spend, const char *kind, struct err *err,
               const char *after, ...) PRINTF_LIKE(5, 6);

// --- The guard ---

struct window_sums {
    int64_t sent, foreign, fees; // sat
};
struct guard {
    int64_t window_us, reconciled_us; // 0: never
    struct sats cap[2], fee_cap;
    int64_t sum_from_us; // of what was sent, seen, charged at that time or later
    struct window_sums sums;
};
MUST_CHECK bool op_lock_guard(struct op *op, struct guard *out, const char *wallet_id,
                              struct err *err);
// By the rows, each of them: what admissions are measured by.
MUST_CHECK bool op_velocity(struct op *op, struct velocity_view *out, const struct guard *guard,
                            const char *wallet_id, struct err *err);
// The caller holds the guard. The running sums begin where the window does now.
MUST_CHECK bool op_move_window(struct op *op, const struct guard *guard, const char *wallet_id,
                               struct err *err);
// Whether `extra` fees fit the window. Fails: CODE_FEE_VELOCITY_EXCEEDED.
MUST_CHECK bool op_fee_fits(const struct velocity_view *v, struct sats extra, struct err *err);

// Active, or why not: CODE_FROZEN, CODE_RECOVERING. Ends recovering when its time is over.
MUST_CHECK bool op_wallet_active(struct op *op, const char *wallet_id, struct err *err);

// Frozen, with its event; nothing when it is. The caller holds the guard, and writes its own events behind it.
MUST_CHECK bool op_freeze(struct op *op, const char *wallet_id, const char *actor, struct err *err);

enum reservation_status {
    RESERVATION_NONE,
    RESERVATION_OPEN,
    RESERVATION_SENT,
    RESERVATION_RELEASED
};
struct reservation {
    enum reservation_status status;
    struct sats amount, fee;
    int64_t first_sent_us;
};
MUST_CHECK bool op_reservation(struct op *op, struct reservation *out, const char *spend_id,
                               struct err *err);
// The caller holds the guard. open -> sent; again: nothing.
MUST_CHECK bool op_reservation_sent(struct op *op, const struct spend *spend, struct err *err);
// By R1, R2 or R3, whichever holds; the spend's inputs are free then, its attempts dead. *rule: 0 none holds.
MUST_CHECK bool op_release(struct op *op, struct spend *spend, unsigned *rule, struct err *err);
// Whether R3 holds now.
MUST_CHECK bool op_rule_3(struct op *op, const struct spend *s, bool *holds, struct err *err);
// Undone by a reorg.
MUST_CHECK bool op_reopen(struct op *op, struct spend *spend, struct err *err);

// --- Attempts ---

const char *attempt_kind_name(enum attempt_kind kind);
const char *attempt_state_name(enum attempt_state state);
const char *sign_state_name(enum sign_state state);
// An attempt moves; first_sent is stamped the first time.
MUST_CHECK bool op_attempt_state(struct op *op, const char *attempt_id, enum attempt_state state,
                                 struct err *err);
// Locks what the attempts of a spend spend; coins that another spend holds by now are left to it.
MUST_CHECK bool op_relock(struct op *op, const struct spend *spend, struct err *err);

#endif
