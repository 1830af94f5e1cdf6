// bitcoin/script.h -- output scripts: what kind, and how to build them.
#ifndef CASEMATE_BITCOIN_SCRIPT_H
#define CASEMATE_BITCOIN_SCRIPT_H
#include "base/writer.h"
#include "crypto/ec.h"

#define SCRIPT_MAX        10000 // consensus
#define SCRIPT_REDEEM_MAX 520

// Source: psbt-signing.md 4.3, in that order.
enum script_kind {
    SCRIPT_UNKNOWN,
    SCRIPT_P2TR, // any version 1 to 16 with a 32-byte program
    SCRIPT_P2WPKH,
    SCRIPT_P2WSH,
    SCRIPT_P2PKH,
    SCRIPT_P2SH,
    SCRIPT_P2PK,
    SCRIPT_OP_RETURN,
};
enum script_kind script_classify(struct bytes script);

// The hash or program or key inside; no bytes for OP_RETURN and unknown scripts.
struct bytes script_payload(struct bytes script, enum script_kind kind);

void script_write_p2pkh(struct writer *w, struct hash160 key_hash);
void script_write_p2wpkh(struct writer *w, struct hash160 key_hash);
void script_write_p2sh(struct writer *w, struct hash160 script_hash);
void script_write_p2wsh(struct writer *w, struct hash256 script_hash);
void script_write_push(struct writer *w, struct bytes data); // shortest form

// OP_m, each key (33 or 65 bytes) in the order given, OP_n, CHECKMULTISIG. 1 <= m <= n <= 20.
#define SCRIPT_MULTISIG_KEYS_MAX 20 // consensus
void script_write_multisig(struct writer *w, size_t m, const struct bytes *keys, size_t n);
// BIP-67: ascending as byte strings.
void script_sort_keys(struct bytes *keys, size_t n);

#endif
