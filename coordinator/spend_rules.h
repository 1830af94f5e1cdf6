// coordinator/spend_rules.h -- a wallet's settings for fees, coins and stuck transactions.
//
// They stand as one JSON object in the ledger (wallet.settings), are changed through change requests (D11), and
// are read for each spend. A member that is absent has its default; one that is unknown is refused, as it
// would be a limit that nobody keeps.
// Source: coordinator.md D6, D7.
#ifndef CASEMATE_COORDINATOR_SPEND_RULES_H
#define CASEMATE_COORDINATOR_SPEND_RULES_H
#include "base/json.h"
#include "coordinator/build.h"

struct spend_rules {
    struct build_limits limits;
    uint64_t fee_floor, fee_ceiling;            // sat per 1000 vB
    uint64_t fee_fallback;                      // where the node has no estimate
    unsigned fee_blocks_auto, fee_blocks_surge; // target of the estimate
    unsigned stuck_s;                           // unconfirmed for so long
    unsigned max_bumps;                         // without a person
    unsigned give_up_s;                         // signers that cannot be reached
    struct sats amount_max;                     // of one spend
    unsigned approvals;                         // people, for spends that need some
    bool freeze_on_foreign;                     // an outflow that the ledger does not know: D5 3
};

struct spend_rules spend_rules_default(void);

// text: a JSON object; no bytes: all defaults.
// Fails: CODE_BAD_REQUEST "settings: <member>: <what>".
MUST_CHECK bool spend_rules_parse(struct spend_rules *out, struct bytes text, struct arena *arena,
                                  struct err *err);

// All members, in the order of the table.
void spend_rules_write(struct json_writer *j, const struct spend_rules *rules);

// The rate to pay: the caller's wish or the node's estimate (0: none), held between floor and ceiling and
// never below what the node takes.
uint64_t spend_rules_rate(const struct spend_rules *rules, uint64_t wish, uint64_t estimate,
                          uint64_t node_least);

#endif
