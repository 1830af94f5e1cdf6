// bitcoin/spend.h -- how an output is spent: one row of a table per kind.
//
// A new kind is a row here, a judge of inputs and outputs (psbt_work.h), and a form of proof and of
// final scripts. Source: psbt-signing.md 10.1, 14.2, 16.
#ifndef CASEMATE_BITCOIN_SPEND_H
#define CASEMATE_BITCOIN_SPEND_H
#include "bitcoin/script.h"
#include "bitcoin/sighash.h"

enum spend_kind {
    SPEND_UNKNOWN, // or not looked at: nothing that could be signed or finalised
    SPEND_P2PK,
    SPEND_P2PKH,
    SPEND_P2WPKH,
    SPEND_P2SH_P2WPKH,
};

struct spend {
    enum spend_kind kind;
    struct bytes script; // the output's
    struct bytes inner;  // redeem or witness script, of the kinds that have one; else no bytes
};

// The kind of an output script with the redeem script that a PSBT gives for it (no bytes: none). A
// redeem script that does not hash to the one that names it is not believed.
struct spend spend_of(struct bytes script, struct bytes redeem);

bool spend_is_segwit(enum spend_kind kind);
bool spend_is_multisig(enum spend_kind kind);
bool spend_is_taproot(enum spend_kind kind); // its signatures commit to the amounts of all inputs

// Whether this key, 33 or 65 bytes, alone can spend it. Never a 65-byte key in segwit kinds.
bool spend_is_of_key(const struct spend *spend, struct bytes key);

// What a signature of that hash type commits to. `amount` matters to segwit kinds only.
// Fails: ERR_NO_MEMORY, ERR_UNSUPPORTED for SPEND_UNKNOWN.
MUST_CHECK bool spend_digest(struct hash256 *out, const struct spend *spend,
                             struct sighash_cache *cache, size_t input, struct sats amount,
                             uint32_t type, struct err *err);

// Whether `script` is the P2SH of that redeem script.
bool script_is_p2sh_of(struct bytes script, struct bytes redeem);

#endif
