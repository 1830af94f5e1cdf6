// coordinator/ledger.h -- the coordinator's memory: what is asked for, charged, signed and sent.
//
// (1) Each function is one committed transaction, with its audit row and, where somebody subscribed, its
//     outbox row. When it returns true, it is on disk; the caller acts only then.
// (2) A spend is changed only by who holds it: every such write names owner and fence, and one that comes
//     too late fails with ERR_STATE and changes nothing. What the chain shows (ledger_sighted and its kin)
//     is a fact, and needs no holder; a holder whose spend was moved by one gets ERR_STATE, too, and reads
//     the spend again.
// (3) States move along the table of D3 and nowhere else.
// (4) A reservation ends only by R1, R2 or R3, which are checked in the transaction that ends it.
// (5) Time is the database's clock, in microseconds since 1970.
// Every function fails with CODE_LEDGER_UNAVAILABLE when the store cannot be used; if the outcome of a commit
// is unknown, with ERR_PENDING besides: look the spend up before doing anything else.
// Source: coordinator.md D2 to D5, D16, D17.
#ifndef CASEMATE_COORDINATOR_LEDGER_H
#define CASEMATE_COORDINATOR_LEDGER_H
#include "bitcoin/tx.h"
#include "coordinator/code.h"
#include "coordinator/db.h"

#define ID_SIZE         37 // of an id's text, final zero included
#define REQUEST_ID_SIZE 65
#define HOLDER_SIZE     65
#define SIGNERS_MAX     15
#define SETTLE_DEPTH    6

// --- A spend ---

enum spend_state {
    SPEND_RECEIVED,
    SPEND_AWAITING_APPROVAL,
    SPEND_RESERVED,
    SPEND_BUILT,
    SPEND_SIGNING,
    SPEND_SIGNED,
    SPEND_PARKED,
    SPEND_SENT,
    SPEND_VOIDING,
    SPEND_CONFIRMED,
    SPEND_SETTLED,
    SPEND_REJECTED,
    SPEND_EXPIRED,
    SPEND_FAILED,
    SPEND_CANCELLED,
    SPEND_REFUSED,
    SPEND_VOID,
};
#define SPEND_STATES (SPEND_VOID + 1)
const char *spend_state_name(enum spend_state state); // "awaiting_approval"
MUST_CHECK bool spend_state_of(enum spend_state *out, struct bytes name);
bool spend_state_may(enum spend_state from, enum spend_state to); // D3's table
bool spend_state_is_final(enum spend_state state);                // but for reorgs

enum tier { TIER_AUTO, TIER_SURGE };
const char *tier_name(enum tier tier);

struct spend {
    char id[ID_SIZE], wallet_id[ID_SIZE], principal_id[ID_SIZE]; // no principal: empty
    char request_id[REQUEST_ID_SIZE];
    enum tier tier;
    struct sats amount; // of all outputs
    enum spend_state state;
    uint64_t fence;
    char owner[HOLDER_SIZE]; // empty: nobody
    int64_t lease_until_us, created_us, not_after_us,
        next_us; // 0: none; next_us: when it is looked at again
    bool has_anchor;
    struct outpoint anchor;
    bool has_change;
    uint32_t change_index; // on branch 1
    enum code code;        // why it ended or waits
    unsigned bumps;
    bool cancel_asked; // somebody wants it cancelled, or void once it was signed
    uint64_t fee_rate; // sat per 1000 vB that the caller asked for; 0: the tier's
};

struct spend_output {
    struct bytes script, address;
    struct sats amount;
    char destination_id[ID_SIZE];
};
struct spend_outputs {
    const struct spend_output *items;
    size_t n;
};

struct spend_request {
    const char *wallet_id;
    const char *principal_id; // NULL: the coordinator itself
    struct bytes request_id;
    struct hash256 body_hash;
    enum tier tier;
    const struct spend_output *outputs;
    size_t n_outputs;
    int64_t not_after_us; // 0: none
    uint64_t fee_rate;
    bool needs_approval; // begins in awaiting_approval
    struct bytes note;
    // Of a spender's grant on this wallet (D11), as it was looked at.
    bool is_granted, has_per_window;
    struct bytes limits;
    struct sats per_window; // of the principal's: open or sent within the window, with this one
};

// Makes the spend, or finds the one of that request id, which is within any limit. *is_new tells which. Requests of one
// limited principal come one after the other, over all replicas: each is measured with those before it.
// Fails: CODE_IDEMPOTENCY_MISMATCH for another body under the same id; CODE_FORBIDDEN above per_window, or when the
//        principal is no spender of the wallet any more; CODE_CONFLICT when the limits are others by now.
MUST_CHECK bool ledger_submit(struct db *db, struct spend *out, bool *is_new,
                              const struct spend_request *request, struct err *err);

// Fails: CODE_NOT_FOUND.
MUST_CHECK bool ledger_spend(struct db *db, struct spend *out, const char *id, struct err *err);
MUST_CHECK bool ledger_spend_outputs(struct db *db, struct spend_outputs *out, const char *spend_id,
                                     struct arena *arena, struct err *err);

// --- Holding a spend ---

// The spend that waits longest among those with work due (not ended, next_us reached, nobody's or its lease
// run out; received, reserved, built, signing, signed, parked, sent, voiding, cancelled ones with
// a cancel asked) becomes the holder's; the fence grows. *found false: none.
MUST_CHECK bool ledger_claim(struct db *db, struct spend *out, bool *found, const char *holder,
                             int64_t lease_us, struct err *err);
MUST_CHECK bool ledger_renew(struct db *db, struct spend *spend, int64_t lease_us, struct err *err);
// The same by another connection than the holder's, which waits for something outside. *kept false: it is that holder's
// no more.
MUST_CHECK bool ledger_keep(struct db *db, const char *spend_id, const char *holder, uint64_t fence,
                            int64_t lease_us, bool *kept, struct err *err);
// Whether it is yet, and nobody can have claimed it: owner and fence are the caller's, and the lease runs.
MUST_CHECK bool ledger_is_held(struct db *db, const struct spend *spend, bool *held,
                               struct err *err);
// Lets go. next_us: when it is due again; INT64_MAX: when something else moves it.
MUST_CHECK bool ledger_let_go(struct db *db, struct spend *spend, int64_t next_us, struct err *err);
// Any thread or replica: make it due now (an approval, a new block, a signer is back).
MUST_CHECK bool ledger_wake(struct db *db, const char *spend_id, struct err *err);

// Somebody wants it cancelled (actor: a principal's id), or void once it was signed; it is due now.
// Fails: CODE_CONFLICT when it has ended or is in a block.
MUST_CHECK bool ledger_ask_cancel(struct db *db, const char *spend_id, const char *actor,
                                  struct err *err);

// --- Moves of the holder. Each updates *spend. ---

// The transaction of D2 "Reserve, then broadcast": received or awaiting_approval -> reserved. Also gives the
// spend its change index: of the lowest free change address, never shared by two live spends.
// fee: what is charged to the fee window now, the most that the spend may pay at first.
// Fails: CODE_VELOCITY_EXCEEDED, CODE_FEE_VELOCITY_EXCEEDED, CODE_LEDGER_STALE, CODE_RECOVERING,
//        CODE_FROZEN, CODE_DESTINATION_NOT_ALLOWED (not on the list in force), CODE_EXPIRED.
MUST_CHECK bool ledger_reserve(struct db *db, struct spend *spend, struct sats fee,
                               struct err *err);

enum attempt_kind { ATTEMPT_PAY, ATTEMPT_REPLACE, ATTEMPT_CHILD, ATTEMPT_VOID };
enum attempt_state {
    ATTEMPT_BUILT,
    ATTEMPT_SIGNING,
    ATTEMPT_SIGNED,
    ATTEMPT_SENT,
    ATTEMPT_CONFIRMED,
    ATTEMPT_DEAD, // refused, replaced, or its signatures are never to be combined
};
struct attempt_input {
    struct outpoint outpoint;
    struct sats amount;
    uint32_t branch, index;
};
struct attempt {
    char id[ID_SIZE];
    unsigned number; // from 1
    enum attempt_kind kind;
    enum attempt_state state;
    struct bytes psbt; // unsigned
    struct hash256 txid;
    struct bytes raw; // the final transaction; empty: not yet
    struct sats fee;
    uint64_t vsize;
    int64_t first_sent_us; // 0: not yet
    const struct attempt_input *inputs;
    size_t n_inputs;
};

// Stores a transaction that is to be signed, locks its inputs, and makes the first one's first input the
// anchor. number and id are filled in. reserved -> built; parked stays what it is until a signer is asked;
// of a sent spend (replace, child) too; ATTEMPT_VOID: sent or parked -> voiding.
// Fails: CODE_COINS_BUSY when another spend holds an input; CODE_CONFLICT when the anchor is not among the
//        inputs (but for ATTEMPT_CHILD, which spends an output of the attempt before);
//        CODE_FEE_VELOCITY_EXCEEDED; CODE_FROZEN.
MUST_CHECK bool ledger_attempt_add(struct db *db, struct spend *spend, struct attempt *attempt,
                                   struct err *err);
// All of a spend, oldest first.
struct attempts {
    struct attempt *items;
    size_t n;
};
MUST_CHECK bool ledger_attempts(struct db *db, struct attempts *out, const char *spend_id,
                                struct arena *arena, struct err *err);

enum sign_state { SIGN_PLANNED, SIGN_ASKED, SIGN_SIGNED, SIGN_REFUSED, SIGN_UNKNOWN };
struct sign_request {
    char id[ID_SIZE];
    char signer_id[ID_SIZE];
    unsigned seq; // how often this signer was asked for this attempt, from 1
    enum sign_state state;
    int64_t asked_us;
    char tag[16];
    char detail[201];
    struct bytes signatures; // the returned PSBT, cut down to its verified signatures
};
struct sign_requests {
    struct sign_request *items;
    size_t n;
};
MUST_CHECK bool ledger_sign_requests(struct db *db, struct sign_requests *out,
                                     const char *attempt_id, struct arena *arena, struct err *err);

// Before the first byte goes to the signer: built or parked -> signing; of a sent or voiding spend only the
// attempt moves. A request of the same signer that was asked and never answered becomes unknown.
// Fails: CODE_CONFLICT without an open or sent reservation; CODE_RECOVERING, CODE_FROZEN (a request of an attempt
//        of which some signer was asked already may go on).
MUST_CHECK bool ledger_sign_ask(struct db *db, struct spend *spend, struct attempt *attempt,
                                const char *signer_id, struct sign_request *out, struct err *err);
// What a signer answered. outcome: signed, refused, unknown; or planned again: the device said definitely that nothing
// was begun. *request is as it is stored afterwards.
struct sign_answer {
    struct sign_request *request;
    enum sign_state outcome;
    const char *tag, *detail;
    struct bytes signatures;
};
MUST_CHECK bool ledger_sign_answer(struct db *db, struct spend *spend, struct sign_request *request,
                                   enum sign_state outcome, const char *tag, const char *detail,
                                   struct bytes signatures, struct err *err);

// One signer's answer and ledger_sign_ask of the next, in one transaction: between them nothing happens outside.
MUST_CHECK bool ledger_sign_ask_next(struct db *db, struct spend *spend, struct attempt *attempt,
                                     const struct sign_answer *before, const char *signer_id,
                                     struct sign_request *out, struct err *err);

// The final transaction is stored: signing or parked -> signed (a sent or voiding spend stays).
MUST_CHECK bool ledger_signed(struct db *db, struct spend *spend, struct attempt *attempt,
                              struct bytes raw, struct err *err);
// The same in one transaction with the answer that made it whole.
MUST_CHECK bool ledger_signed_at_last(struct db *db, struct spend *spend, struct attempt *attempt,
                                      const struct sign_answer *last, struct bytes raw,
                                      struct err *err);

// A node took it, or has it: signed or parked -> sent. The reservation is sent from the first time on.
MUST_CHECK bool ledger_sent(struct db *db, struct spend *spend, struct attempt *attempt,
                            struct err *err);
// The same and ledger_let_go in one transaction.
MUST_CHECK bool ledger_sent_and_let_go(struct db *db, struct spend *spend, struct attempt *attempt,
                                       int64_t next_us, struct err *err);

// signing, signed, sent -> parked. parked -> signing or signed happen by the functions above.
MUST_CHECK bool ledger_park(struct db *db, struct spend *spend, enum code code, const char *detail,
                            struct err *err);

// To awaiting_approval, rejected, expired, failed, cancelled or refused. The reservation is released by R1
// or R2. Fails: CODE_CONFLICT if neither holds: then the spend can be parked, and void later.
MUST_CHECK bool ledger_end(struct db *db, struct spend *spend, enum spend_state state,
                           enum code code, const char *detail, struct err *err);

// A line or step of the spend's story, for the streams of A3 and D10: an event of kind "spend.frame" whose
// `after` is the frame, one JSON object. It costs no commit of its own: it waits in the connection and is
// written by the next transaction that this connection commits on that spend, or by ledger_tell.
MUST_CHECK bool ledger_story(struct db *db, const char *spend_id, struct bytes frame,
                             struct err *err);
// What was told since the mark and is not written yet is forgotten: it turned out otherwise.
size_t ledger_story_mark(const struct db *db);
void ledger_story_forget(struct db *db, size_t mark);
// Writes what waits, if anything does.
MUST_CHECK bool ledger_tell(struct db *db, struct err *err);

// --- What the chain shows: no holder needed ---

enum sight { SIGHT_MEMPOOL, SIGHT_BLOCK, SIGHT_GONE };
struct sighting {
    enum sight where; // GONE: in no mempool and no block of the best chain any more
    struct hash256 block_hash;
    uint32_t height, depth; // SIGHT_BLOCK: depth 1 is the tip
};
// *ours false: no attempt has that txid, and nothing was done.
// Moves the spend: sent, confirmed, settled; back to sent when a block went (next due now).
MUST_CHECK bool ledger_sighted(struct db *db, const char *wallet_id, const struct hash256 *txid,
                               const struct sighting *sighting, bool *ours, struct err *err);

// An input of our attempts is spent by another transaction (not one of the same spend), that deep. At
// settle_depth for every attempt: R3, and the spend is void. depth 0: in a mempool.
MUST_CHECK bool ledger_conflicted(struct db *db, const char *wallet_id,
                                  const struct outpoint *spent, const struct hash256 *by,
                                  uint32_t depth, struct err *err);

// An outflow that no attempt of ours made; told again with a new depth it moves, never counts twice. freezes: a new
// one freezes the wallet, in the same transaction (D5 3 "alarm, optional freeze").
MUST_CHECK bool ledger_foreign(struct db *db, const char *wallet_id, const struct hash256 *txid,
                               struct sats amount, struct sats fee, const struct sighting *sighting,
                               bool freezes, bool *is_new, struct err *err);

// The wallet was compared with the chain just now; its running sums begin where the window does now. Ends amnesia
// never; see ledger_amnesia.
MUST_CHECK bool ledger_reconciled(struct db *db, const char *wallet_id, struct err *err);

struct cursor {
    bool is_set;
    struct hash256 block_hash;
    uint32_t height;
};
MUST_CHECK bool ledger_cursor(struct db *db, struct cursor *out, const char *node_id,
                              const char *wallet_id, struct err *err);
MUST_CHECK bool ledger_set_cursor(struct db *db, const char *node_id, const char *wallet_id,
                                  const struct cursor *cursor, struct err *err);

// The wallet has history on the chain and none here: nothing is admitted for one window. D5 "Amnesia".
MUST_CHECK bool ledger_amnesia(struct db *db, const char *wallet_id, struct err *err);
// Ended early, by an operator with two approvals, which the caller has checked. A frozen wallet stays frozen.
MUST_CHECK bool ledger_end_amnesia(struct db *db, const char *wallet_id, const char *actor,
                                   struct err *err);

// D11: nothing is admitted and no new transaction is signed. A wallet that is thawed while it recovers goes on
// recovering.
MUST_CHECK bool ledger_freeze(struct db *db, const char *wallet_id, bool frozen, const char *actor,
                              struct err *err);

// Attempts that the reconciler looks for: of spends that are signed, sent, parked, voiding, confirmed, and void.
struct live_attempt {
    char spend_id[ID_SIZE], attempt_id[ID_SIZE];
    enum spend_state spend_state;
    enum attempt_state state;
    struct hash256 txid;
    bool has_raw;
};
struct live_attempts {
    struct live_attempt *items;
    size_t n;
};
MUST_CHECK bool ledger_live_attempts(struct db *db, struct live_attempts *out,
                                     const char *wallet_id, struct arena *arena, struct err *err);

// Inputs that live spends hold.
struct outpoints {
    struct outpoint *items;
    size_t n;
};
MUST_CHECK bool ledger_locked_inputs(struct db *db, struct outpoints *out, const char *wallet_id,
                                     struct arena *arena, struct err *err);

// --- The cap ---

struct velocity_view {
    int64_t window_us, now_us;
    struct sats spent, open, sent, foreign; // spent is the sum of the other three
    struct sats cap_auto, cap_surge;
    struct sats fees, fee_cap;
    int64_t oldest_ends_us; // when the oldest counted one leaves the window; 0: none
    int64_t reconciled_us;  // 0: never
    uint64_t n_open;
    int64_t oldest_open_us;
};
// What a reservation would be measured by now, to look at. As fast with many payments in the window as with few, if
// the wallet was reconciled lately.
MUST_CHECK bool ledger_velocity(struct db *db, struct velocity_view *out, const char *wallet_id,
                                struct err *err);

// --- Wallets, signers ---

enum wallet_status { WALLET_ACTIVE, WALLET_FROZEN, WALLET_RECOVERING };
struct wallet_row {
    char id[ID_SIZE];
    struct bytes name, network, kind, desc_receive, desc_change;
    struct bytes settings; // JSON: coordinator/spend_rules.h
    unsigned k, n, settle_depth;
    enum wallet_status status;
};
struct wallet_rows {
    struct wallet_row *items;
    size_t n;
};
MUST_CHECK bool ledger_wallets(struct db *db, struct wallet_rows *out, struct arena *arena,
                               struct err *err);

struct signer_row {
    char id[ID_SIZE];
    struct bytes name, kind, state, failure_domain, registered_name, xpub;
    unsigned number, position;
    uint8_t xfp[4];
    bool enabled;
};
struct signer_rows {
    struct signer_row *items;
    size_t n;
};
// wallet_id NULL: all signers.
MUST_CHECK bool ledger_signers(struct db *db, struct signer_rows *out, const char *wallet_id,
                               struct arena *arena, struct err *err);

// One conversation with a device at a time, over all replicas. *taken false: another holds it.
MUST_CHECK bool ledger_lease_signer(struct db *db, const char *signer_id, const char *holder,
                                    int64_t lease_us, bool *taken, struct err *err);
// Longer, by its holder. *kept false: it has ended, or is another's.
MUST_CHECK bool ledger_keep_signer(struct db *db, const char *signer_id, const char *holder,
                                   int64_t lease_us, bool *kept, struct err *err);
MUST_CHECK bool ledger_end_lease(struct db *db, const char *signer_id, const char *holder,
                                 struct err *err);

// What this signer signed of this wallet since then, by the ledger's own count; and when it signed last.
MUST_CHECK bool ledger_signed_by(struct db *db, const char *wallet_id, const char *signer_id,
                                 int64_t since_us, struct sats *out, int64_t *last_us,
                                 struct err *err);

// --- The audit chain ---

struct event {
    const char *actor;          // "host", "coordinator", or a principal's id
    const char *origin;         // from where: a replica, an address; NULL: not known
    const char *kind;           // "signer.state"
    const char *object;         // an id; NULL: none
    struct bytes before, after; // JSON; empty: none
    const char *request_id;     // NULL: none
};
// Inside the caller's transaction (db_begin): the row, its hash, the outbox rows of whoever subscribed. The last
// thing that the transaction does, as all others that write an event wait for its end. Neither secrets nor
// codes go into an event (D17 33).
MUST_CHECK bool ledger_event_within(struct db *db, const struct event *event, struct err *err);
// Several of them, one after the other and of one time.
MUST_CHECK bool ledger_events_within(struct db *db, const struct event *events, size_t n,
                                     struct err *err);
// In one of its own.
MUST_CHECK bool ledger_event(struct db *db, const struct event *event, struct err *err);

#endif
