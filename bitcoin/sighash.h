// bitcoin/sighash.h -- what a signature commits to: legacy, BIP-143 and BIP-341 digests.
//
// (1) A cache belongs to one transaction, which must not change while the cache lives.
// (2) A digest is the same whether the cache is fresh or has served other inputs, in any order.
// (3) Nothing is checked but what the digest needs: whether a hash type may be used at all, and
//     whether amount and script are true, is the caller's business.
// Source: psbt-signing.md 14.2, 22, 24.
#ifndef CASEMATE_BITCOIN_SIGHASH_H
#define CASEMATE_BITCOIN_SIGHASH_H
#include "bitcoin/tx.h"

enum {
    SIGHASH_DEFAULT = 0x00, // taproot only: as ALL
    SIGHASH_ALL = 0x01,
    SIGHASH_NONE = 0x02,
    SIGHASH_SINGLE = 0x03,
    SIGHASH_ANYONECANPAY = 0x80,
};

// Legacy digests of all inputs in turn share what stands before the input being signed.
struct sighash_run {
    struct bytes blanked; // every input without its script, 41 bytes each
    struct sha256 state;  // of version, count and the first `n_done` of them
    size_t n_done;
};

// The caller owns it and looks at no member. Not for two threads at once; two caches are.
struct sighash_cache {
    const struct tx *tx;
    struct arena *arena;
    bool has_parts; // of the transaction
    struct hash256 prevouts, sequences, outputs;
    struct hash256 prevouts_twice, sequences_twice, outputs_twice;
    bool has_spent; // of the outputs that are spent
    struct hash256 amounts, scripts;
    struct sha256 taproot; // begun with tag and epoch
    struct sighash_run run, run_sequence_0;
    struct bytes outputs_locktime; // behind run.blanked, in one piece with it
};

// Keeps `tx` and `arena`. Nothing is computed before it is needed.
void sighash_cache_init(struct sighash_cache *cache, const struct tx *tx, struct arena *arena);

// Each computes now what the first digest of its sort with that type would. When all sorts and types
// that will be asked for are prepared, copies of the cache write nothing that they share: each may
// serve a thread of its own. Fails: ERR_NO_MEMORY.
MUST_CHECK bool sighash_prepare_legacy(struct sighash_cache *cache, uint32_t type, struct err *err);
void sighash_prepare_segwit0(struct sighash_cache *cache);
void sighash_prepare_taproot(struct sighash_cache *cache, const struct tx_out *spent);

// P2PKH, P2PK, P2SH. script_code: the spent script or the redeem script, free of OP_CODESEPARATOR.
// Signing all inputs in ascending order hashes half of what any other order does.
// SINGLE without an output of that number gives the digest 01 00 .. 00, as consensus has it: it
// verifies what others have signed; never sign it.
// Fails: ERR_NO_MEMORY.
MUST_CHECK bool sighash_legacy(struct hash256 *out, struct sighash_cache *cache, size_t input,
                               struct bytes script_code, uint32_t type, struct err *err);

// Segwit version 0. script_code: the P2PKH script of the key hash, or the witness script.
struct hash256 sighash_segwit0(struct sighash_cache *cache, size_t input, struct bytes script_code,
                               struct sats amount, uint32_t type);

// Taproot key path, no annex. spent: amount and script of every input's spent output, in order, and
// the same at each call with this cache.
// Fails: ERR_INVALID for a type that BIP-341 does not define, or SINGLE without its output.
MUST_CHECK bool sighash_taproot(struct hash256 *out, struct sighash_cache *cache, size_t input,
                                const struct tx_out *spent, uint32_t type, struct err *err);

#endif
