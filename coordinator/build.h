// coordinator/build.h -- choosing coins and making the PSBT of a spend. Pure.
//
//   coins_choose   which coins pay, and what becomes of the rest
//   build_psbt     the PSBT (v0) that every signer gets, unsigned
//   preflight      what each chosen signer would object to, before it is asked
//   combine_*      what they returned: verified, put together, final
// Source: coordinator.md D6, D7; C15, C16.
#ifndef CASEMATE_COORDINATOR_BUILD_H
#define CASEMATE_COORDINATOR_BUILD_H
#include "bitcoin/psbt.h"
#include "coordinator/ledger.h"
#include "coordinator/wallet.h"

struct coin {
    struct outpoint outpoint;
    struct sats amount;
    struct wallet_place place;
    uint32_t confirmations;
    bool is_own_change;              // unconfirmed and made by the wallet itself
    uint64_t ancestors, descendants; // in the mempool, itself included
    struct bytes previous;           // the raw transaction
};
struct coins {
    struct coin *items;
    size_t n;
};

// What limits every transaction of a wallet.
struct build_limits {
    uint32_t min_confirmations; // 1 by default
    bool spend_own_change;      // unconfirmed
    uint64_t chain_max;         // 20 ancestors or descendants
    struct sats max_fee;
    unsigned max_fee_percent;   // 4, of all outputs
    struct sats min_change;     // 5000
    unsigned min_coins;         // 4
    uint64_t consolidate_below; // sat per 1000 vB; 0: never
    unsigned max_inputs;
};
struct build_limits build_limits_default(void);

struct build_request {
    const struct wallet *wallet;
    const struct coins *coins;
    const struct outpoints *locked; // of other spends
    const struct spend_outputs *outputs;
    uint64_t fee_rate;             // sat per 1000 vB
    const struct outpoint *anchor; // must be among the inputs; NULL: none yet
    bool
        everything_to_change; // ATTEMPT_VOID, ATTEMPT_CHILD: no outputs; the anchor goes to the change address
    struct sats least_fee; // of a replacement: the fees of all that it replaces; 0: none
    uint32_t change_index;
    uint32_t second_change_index; // when change is split, may be the first; UINT32_MAX: it is not
    uint32_t locktime;
    const struct build_limits *limits;
};
struct build {
    struct bytes psbt; // in the arena
    struct hash256 txid;
    struct sats fee;
    uint64_t vsize; // of the final transaction, signatures at their largest
    struct attempt_input *inputs;
    size_t n_inputs;
    struct sats change; // of all change outputs
    size_t n_change;
};
// A spend without an anchor takes confirmed coins where they do. The first input is the anchor.
// Fails: CODE_INSUFFICIENT_FUNDS, CODE_COINS_BUSY (there would be enough, but locked, unconfirmed, at the end of
//        a long chain or in coins too small), CODE_FEE_TOO_HIGH, CODE_AMOUNT_OUT_OF_RANGE (dust),
//        CODE_DESTINATION_NOT_ALLOWED (a script that is not paid), CODE_CONFLICT (the anchor is not among the
//        coins), CODE_PREFLIGHT_FAILED (the change index is too far), CODE_NODE_UNAVAILABLE (a previous
//        transaction is not the coin's).
MUST_CHECK bool build_spend(struct build *out, const struct build_request *request,
                            struct arena *arena, struct err *err);

// --- Preflight ---

// What is known of a chosen signer.
struct signer_limits {
    const char *name;
    struct xfp xfp;
    uint64_t max_psbt, max_inputs;
    struct sats max_amount;        // of the rule that the tier meets; SATS_MAX: no limit
    struct sats budget;            // left in its period
    const struct bytes *whitelist; // addresses; NULL: any
    size_t n_whitelist;
};
// Fails: CODE_PREFLIGHT_FAILED "signer <name> would refuse: <what>", or without a signer what all would object to.
MUST_CHECK bool preflight(const struct wallet *wallet, struct bytes psbt,
                          const struct spend_outputs *outputs, const struct signer_limits *signers,
                          size_t n_signers, struct arena *arena, struct err *err);

// --- Putting together ---

// Checks what a signer returned against the PSBT that was sent: same transaction, only partial signatures
// added, under that signer's keys, each good, for every input. *out: that PSBT cut down to them.
// Fails: ERR_INVALID with what is wrong; nothing of it may be used.
MUST_CHECK bool combine_check(struct bytes *out, const struct wallet *wallet, struct bytes sent,
                              struct bytes returned, struct xfp signer, struct arena *arena,
                              struct err *err);

// The final transaction of k such PSBTs, its witnesses checked. Fails: ERR_INVALID.
MUST_CHECK bool combine_finalize(struct bytes *raw, const struct wallet *wallet, struct bytes sent,
                                 const struct bytes *checked, size_t n, struct arena *arena,
                                 struct err *err);

#endif
