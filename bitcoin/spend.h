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
    SPEND_P2SH_MULTISIG,
    SPEND_P2WSH_MULTISIG,
    SPEND_P2SH_P2WSH_MULTISIG,
    SPEND_P2TR, // by the key path
};

struct spend_way {
    enum spend_kind kind;
    struct bytes script; // the output's
    struct bytes inner;  // redeem or witness script, of the kinds that have one; else no bytes
};

// The scripts that a PSBT gives for an output script; no bytes: none.
struct spend_scripts {
    struct bytes redeem, witness;
};
// The kind of an output script with those. A script that does not hash to the one that names it is
// not believed; multisig scripts are those of multisig.h.
struct spend_way spend_of(struct bytes script, const struct spend_scripts *given);

bool spend_is_segwit(enum spend_kind kind); // version 0 or 1
bool spend_is_multisig(enum spend_kind kind);
bool spend_is_taproot(enum spend_kind kind); // its signatures commit to the amounts of all inputs

// Whether this key alone can spend it: of 33 or 65 bytes; of taproot kinds an internal key of 32,
// whose output has no script tree. Never a 65-byte key in segwit kinds.
bool spend_is_of_key(const struct spend_way *spend, struct bytes key);
// Whether a signature by this key belongs into the final scripts: spend_is_of_key, or one of the
// keys of a multisig script.
bool spend_has_key(const struct spend_way *spend, struct bytes key);

// Where a digest is taken.
struct spend_at {
    struct sighash_cache *cache;
    size_t input;
    struct sats amount;         // of this input: matters to segwit kinds
    const struct tx_out *spent; // of all inputs, for taproot; NULL: not all are known
};
// What a signature of that hash type commits to.
// Fails: ERR_NO_MEMORY, ERR_UNSUPPORTED for SPEND_UNKNOWN, and for taproot ERR_INVALID as
//        sighash_taproot and where not all spent outputs are known.
MUST_CHECK bool spend_digest(struct hash256 *out, const struct spend_way *spend,
                             const struct spend_at *at, uint32_t type, struct err *err);

// What such a digest shares with others, computed now (sighash_prepare_*): so that copies of the cache
// may be used by several threads. Fails: ERR_NO_MEMORY.
MUST_CHECK bool spend_prepare(const struct spend_way *spend, const struct spend_at *at,
                              uint32_t type, struct err *err);

// Whether `script` is the P2SH of that redeem script.
bool script_is_p2sh_of(struct bytes script, struct bytes redeem);

#endif
