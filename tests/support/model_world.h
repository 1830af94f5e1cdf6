// tests/support/model_world.h -- all that two replicas, three signers, a mempool and a crash between any two steps
// can do to the spends of one wallet: one act at a time, by the ledger's own functions (D2 to D4).
//
// (1) Each act is one committed transaction, or one thing outside: bytes leave, a device signs, a block is mined.
//     Between any two of them a replica may be gone, or only sleep until its lease has run out.
// (2) The replicas are alike, so an idle one is any idle one; signers are alike, for each transaction by itself, and
//     asked in any order; coins and change addresses are alike, so which of them a spend has makes no other state.
//     What signers were asked for a transaction that nobody signs any more makes none, but for what R1 and R2 tell.
// (3) A holder that lost its spend can write nothing (15): that is tried on the spot, and it goes idle. What it
//     can still do is send bytes that were announced before; with those left it stays.
// (4) A key stands for all of one spend: its rows, what devices and chain know of it, and the replicas at it. Of
//     two spends nothing else is shared but the cap, the idle replicas, and which coins are free.
// Build with model_world.c, model_keys.c, model_acts.c and store_copy.c among the test's sources.
#ifndef CASEMATE_TESTS_SUPPORT_MODEL_WORLD_H
#define CASEMATE_TESTS_SUPPORT_MODEL_WORLD_H
#include "tests/support/ledger_rig.h"
#include "tests/support/store_copy.h"

enum { MODEL_REPLICAS = 2, MODEL_SPENDS = 2, MODEL_AMOUNT = 60, MODEL_K = 2 };
enum { MODEL_PAY, MODEL_VOID, MODEL_KINDS }; // of transactions

// What a model knows of, besides.
enum {
    MODEL_TAKES_BACK = 1, // parked and sent spends may be voided
    MODEL_AGES = 2,       // what was sent may leave the window
    MODEL_CHAIN = 8,      // blocks are one deep, then six; one reorg; the ledger is told each
    MODEL_FULL = 4,       // a spend may also find the cap used up by another, which is not there
};

// --- The world outside the ledger ---

enum model_phase { MODEL_IDLE, MODEL_DECIDE, MODEL_ASKED, MODEL_REPLIED, MODEL_BROADCAST };
enum model_place { MODEL_NOWHERE, MODEL_IN_MEMPOOL, MODEL_IN_BLOCK, MODEL_IN_DEEP };
struct model_replica {
    enum model_phase phase;
    unsigned spend; // which one it holds, or believes to hold
    struct spend s;
    unsigned signer, kind; // of MODEL_ASKED and later
    struct sign_request request;
    enum sign_state outcome;
};
struct model_outside {
    struct model_replica r[MODEL_REPLICAS];
    uint8_t signatures[MODEL_SPENDS][MODEL_KINDS]; // one bit a device: it has really signed
    bool sent[MODEL_SPENDS][MODEL_KINDS];          // really given to the network
    uint8_t mined[MODEL_SPENDS];                   // 0, or 1 + kind
    bool deep[MODEL_SPENDS];                       // six blocks; otherwise one
    bool reorged[MODEL_SPENDS];                    // its block was taken away once
    uint8_t told[MODEL_SPENDS][MODEL_KINDS];       // enum model_place, as the ledger was told last
    bool aged[MODEL_SPENDS];                       // sent so long ago that the window has ended
    uint8_t spent_coins;                           // by what is mined
};

// Of a spend, as it was read: it is so until something is written.
struct model_signers {
    uint64_t of[MODEL_KINDS][RIG_SIGNERS];
};
struct model_read {
    int64_t writes; // of the store when it was read; 0: never
    struct spend spend;
    uint64_t rows;                     // all but what signers were asked, which is
    struct model_signers exact, brief; // for each transaction and signer, the signer's number aside
    bool closed[MODEL_KINDS];          // nobody is asked to sign it any more, or has not been yet
    uint64_t asked[MODEL_KINDS];       // all that signers were asked for it
};

struct model {
    struct ledger_rig rig;
    struct model_outside w;
    char ids[MODEL_SPENDS][ID_SIZE];
    unsigned n_spends, cap, knows;
    uint64_t n_stale; // holders that were late
    sqlite3 *sql;
    struct store_copier copier;
    sqlite3_stmt *key;
    struct model_read read[MODEL_SPENDS];
};
// cap: of the wallet, for spends of MODEL_AMOUNT; knows: what of the above.
// flaw: NULL, or SQL that breaks the ledger, as triggers can: to see that it is found.
void model_open(struct model *m, unsigned n_spends, unsigned cap, unsigned knows, const char *flaw);
void model_close(struct model *m);

// --- Where it stands ---

// Kept, and put back later.
struct model_state {
    struct store_copy rows;
    struct model_outside w;
};
void model_keep(struct model *m, struct model_state *out);
void model_put_back(struct model *m, const struct model_state *from);
void model_state_free(struct model_state *state);

// Of one spend. Two states with one key are alike in all that can happen from there.
struct model_keys {
    uint64_t key;             // never 0
    uint64_t exact;           // tells more states apart: by all that devices were asked and said
    bool closed[MODEL_KINDS]; // as in model_read
    uint64_t asked[MODEL_KINDS];
};
struct model_keys model_keys_of(struct model *m, unsigned spend);
uint64_t model_key(struct model *m, unsigned spend); // the key alone

// Of one spend.
enum {
    MODEL_HELD_ONCE = 1,  // by one replica that is at it
    MODEL_HELD_TWICE = 2, // by two; never both bits
    MODEL_COUNTS = 4,     // against the cap, now
    MODEL_MAY_LEAVE = 8,  // k devices signed, nothing can stop it, and it is not of an older window
    MODEL_ENDED = 16,
    MODEL_TOLD = 32, // parked or voiding: people see it
};
unsigned model_facts(struct model *m, unsigned spend);

// Stops the test when an invariant is broken: 2 and 6 by what devices and chain really did, and 1 for all spends of
// the model together; wrote: those of invariants_check, too. What only the world outside did leaves them as they were.
void model_check(struct model *m, bool wrote);
int64_t model_writes(const struct model *m); // to the store, so far

// --- What can happen ---

enum model_act {
    MODEL_CLAIM,
    MODEL_RESERVE,
    MODEL_RESERVE_FULL, // and another spend counts
    MODEL_BUILD,
    MODEL_CANCEL,
    MODEL_ASK,
    MODEL_FINISH,
    MODEL_GIVE_UP, // refused, or parked where that is not allowed
    MODEL_TAKE_BACK,
    MODEL_LET_GO,
    MODEL_SEND, // the transaction leaves
    MODEL_NOTE_SENT,
    MODEL_NOTE_SENT_LET_GO, // in one transaction
    MODEL_SIGNS,            // the bytes leave, and the device
    MODEL_SIGNS_UNHEARD,
    MODEL_REFUSES,
    MODEL_ANSWER,        // is stored
    MODEL_ANSWER_ASK,    // and in the same transaction the next is asked
    MODEL_ANSWER_FINISH, // and the final transaction
    MODEL_CRASH,
    MODEL_LEASE_ENDS, // whoever holds it
    MODEL_MINE,       // a transaction of that kind; with MODEL_CHAIN one block deep, otherwise six
    MODEL_BURY,       // then six
    MODEL_REORG,      // while one: back in the mempool
    MODEL_SEE,        // the reconciler, where that kind is
    MODEL_AGE,        // the window leaves it behind
};
struct model_action {
    enum model_act act;
    unsigned replica, spend,
        kind; // kind: of MODEL_MINE and MODEL_SEE; of MODEL_ASK and MODEL_ANSWER_ASK the signer
};
#define MODEL_ACTIONS_MAX 32
struct model_actions {
    struct model_action items[MODEL_ACTIONS_MAX];
    size_t n;
};
// To one spend, in the order in which a replica that recovers tries them.
struct model_actions model_possible(struct model *m, unsigned spend);
// With what follows from it for late holders. Stops the test when 13 or 15 are broken.
void model_perform(struct model *m, const struct model_action *action);

#endif
