// bitcoin/bip322.h -- signed messages of any script: to_spend, and the strings that people pass round.
//
//   smp  simple: the witness of input 0 of a transaction that follows from text and address
//   ful  full:   the whole transaction
//   pof  proof of funds: a finalised PSBT, whose further inputs are the funds
// A signer returns the PSBT with its signatures; making the string and verifying one is the host's.
// Source: BIP-322, psbt-signing.md 19.
#ifndef CASEMATE_BITCOIN_BIP322_H
#define CASEMATE_BITCOIN_BIP322_H
#include "base/base64.h"
#include "bitcoin/psbt.h"

#define BIP322_TEXT_MAX (BASE64_LEN(PSBT_SIZE_MAX) + 3)

struct hash256 bip322_message_hash(struct bytes message);

// The transaction that cannot exist, whose only output the first input spends.
void bip322_write_to_spend(struct writer *w, struct bytes message, struct bytes challenge);

// Whether output list and message say so: "exactly one output, amount 0, script 6a". Source: 19.1.
bool bip322_is_to_sign(const struct tx *tx);

enum bip322_form { BIP322_SIMPLE, BIP322_FULL, BIP322_PROOF };
const char *bip322_prefix(enum bip322_form form); // "smp", "ful", "pof"

// The shortest form that holds a to_sign: PROOF with more than one input, SIMPLE if it follows from
// text and address, else FULL.
enum bip322_form bip322_form_of(const struct psbt *psbt, struct arena *arena);

// The string of a message PSBT that is completely signed; every signature is verified.
// Fails: ERR_INVALID "no message PSBT", "PSBT output failed" (detail: which input), "the simple form
//        ...", ERR_NO_MEMORY.
MUST_CHECK bool bip322_write(struct writer *w, enum bip322_form form, const struct psbt *psbt,
                             struct arena *arena, struct err *err);

struct bip322_proof {
    enum bip322_form form;
    size_t n_funds;    // inputs beside the challenge
    struct sats funds; // their amounts as the PSBT tells; who trusts that asks a node
    uint32_t locktime; // from when on it counts, and
    uint32_t sequence; // how old the challenge's coin must be: 0 and 0 for always
};
// Whether the owner of the address, of any chain, signed the message. A string without prefix is
// taken as simple.
// Fails: ERR_MALFORMED "address: ...", "signature: ..."; ERR_INVALID "signature: ..." and as
//        final_scripts_check; ERR_UNSUPPORTED for scripts that are not verified here.
MUST_CHECK bool bip322_verify(struct bip322_proof *out, struct bytes message, struct bytes address,
                              struct bytes signature, struct arena *arena, struct err *err);

#endif
