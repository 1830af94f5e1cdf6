// bitcoin/facts.h -- what is true of a transaction, as policy, story, log and panel need it.
//
// (1) Facts come from keys and scripts that we derive; what a PSBT says of itself is only a claim.
// (2) `change` and `own` are set only when re-made from our own data and proved with our seed.
// Source: psbt-signing.md 20, policy.md 10.2.
#ifndef CASEMATE_BITCOIN_FACTS_H
#define CASEMATE_BITCOIN_FACTS_H
#include "bitcoin/chain.h"
#include "bitcoin/keypath.h"
#include "bitcoin/sats.h"
#include "bitcoin/tx.h"

struct input_facts {
    struct outpoint prevout;
    bool has_amount; // a UTXO was given
    bool verified;   // the amount is proved or the signature commits to it
    struct sats amount;
    bool claims;         // some key path has our fingerprint
    bool own;            // the key derived from our seed at the claimed path is in its script
    bool will_sign;      // we add a signature
    bool multisig;       // of the multisig wallet, whether or not we sign
    bool fully_signed;   // by others, before
    struct keypath path; // of our key, when will_sign
};

struct output_facts {
    struct sats amount;
    struct bytes script;
    bool change;   // proved
    bool own;      // change, or re-made from any registered wallet that has our key
    bool multisig; // re-made from a registered wallet
    bool has_attestation;
    struct bytes attestation;
    bool has_bound_attestation; // subtype 1: of this output in a transaction with this first input
    struct bytes bound_attestation;
};

struct labelled_text {
    const char *label;
    struct bytes text;
};

struct tx_facts {
    struct hash256 psbt_hash; // SHA-256 of the PSBT bytes as uploaded
    struct hash256 txid;      // of the transaction without signatures
    uint32_t locktime;
    bool locktime_counts; // consensus enforces it: some input's sequence is not final
    const struct chain *chain;
    size_t n_in, n_out;
    struct input_facts *in;
    struct output_facts *out;
    bool fee_known;
    struct sats total_in; // when fee_known
    struct sats total_out, change_total;
    struct sats fee; // when fee_known and no message
    bool is_message; // BIP-322: never becomes a transaction
    struct bytes message, message_challenge;
    bool signs_single_key;    // some input that we will sign is single-key
    bool signs_multisig;      // some input that we will sign is of the wallet
    struct bytes wallet_name; // the one wallet of all inputs marked multisig; no bytes: none
    size_t n_signatures;      // that will be added; may be 0
    size_t n_warnings, n_notes;
    struct labelled_text *warnings, *notes;
};

// total_out less change: what leaves. Source: policy.md 10.2 (the fee is not in it).
struct sats facts_spent(const struct tx_facts *facts);

#endif
