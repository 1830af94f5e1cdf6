// bitcoin/final_scripts.h -- whether scriptSig and witness of a final transaction spend an output.
//
// Knows the kinds of spend.h, which all need signatures and nothing else; it is no interpreter.
#ifndef CASEMATE_BITCOIN_FINAL_SCRIPTS_H
#define CASEMATE_BITCOIN_FINAL_SCRIPTS_H
#include "bitcoin/sighash.h"

// A transaction without its scripts enters the digests; these come beside it.
struct final_input {
    struct bytes script_sig, witness; // witness: count and items; no bytes for none
};
struct final_tx {
    struct sighash_cache *digests;    // of the transaction
    const struct tx_out *spent;       // by each input
    const struct final_input *inputs; // of each input
};

// Every signature of input `i` is good and commits to everything (SIGHASH_ALL; DEFAULT in taproot),
// and nothing is there that is not needed.
// Fails: ERR_UNSUPPORTED "input <i>: a script of a kind that is not verified here", ERR_INVALID
//        "input <i>: <what>", ERR_NO_MEMORY.
MUST_CHECK bool final_scripts_check(const struct final_tx *tx, size_t i, struct err *err);

#endif
