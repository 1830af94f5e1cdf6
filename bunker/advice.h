// bunker/advice.h -- what a policy means and what it would say to a transaction, by policy/'s own code.
//
// Always a forecast: the key paths in a PSBT are believed here, which the device proves with its seed,
// and multisig wallets are not known. Source: bunker.md 11.6, 19.4.
#ifndef CASEMATE_BUNKER_ADVICE_H
#define CASEMATE_BUNKER_ADVICE_H
#include "base/json.h"
#include "bitcoin/chain.h"

#define ADVICE_ARENA ((size_t)128 << 20)

// What is taken for true.
struct advice_case {
    struct bytes psbt; // binary
    struct bytes xfp;  // of the device, 8 hex digits
    const struct chain *chain;
    const struct json *users; // array of names that approve; NULL: nobody
    bool local_code;          // the local operator approves
    const struct json *spent; // satoshi of each rule in this period; NULL: nothing
    int64_t now_s;
};

// {"summary": ..., "worst_case": ..., "findings": [{"code", "rule", "meaning", "text"}], "hash": ...}
// policy: device JSON. Fails: as policy_parse, whole.
MUST_CHECK bool advice_on_policy(struct json_writer *j, struct bytes policy,
                                 const struct chain *chain, struct arena *arena, struct err *err);

// {"signed": true, "text": "Acceptable by rule #1", "rules": [{"rule", "holds", "clauses": [...]}], ...}
// Fails: as policy_parse, psbt_parse and psbt_analyse; ERR_LIMIT for more destinations than are worked
//        out here.
MUST_CHECK bool advice_on_transaction(struct json_writer *j, struct bytes policy,
                                      const struct advice_case *assumed, struct arena *arena,
                                      struct err *err);

#endif
