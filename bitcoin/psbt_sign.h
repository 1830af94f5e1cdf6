// bitcoin/psbt_sign.h -- proving that keys are ours, signing, and the result's two forms.
//
// (1) No signature without a digest computed by us from fields shown in the facts.
// (2) Amounts and scripts that enter a digest are the ones that entered the facts.
// (3) An output marked change is re-made from a key of ours that was derived, not read.
// (4) What is written differs from what was read only as psbt-signing.md 15 says.
// (5) The same bytes, view and seed give the same facts, story and signatures.
#ifndef CASEMATE_BITCOIN_PSBT_SIGN_H
#define CASEMATE_BITCOIN_PSBT_SIGN_H
#include "bitcoin/keycache.h"
#include "bitcoin/psbt_analyse.h"

// `keys` is of the signer's master, all that it has derived before is used.
// Derives every key to be signed with and every key that makes an output change, and compares.
// Called before the policy is asked. Sets input own, output own, facts->proved.
// Fails: ERR_INVALID "Output#%d: Deception regarding change output. BIP-32 path doesn't match
//        actual address." (detail: the screen title), "Signing failed late" with its detail.
// Source: psbt-signing.md 11.4, 14.1.
MUST_CHECK bool psbt_prove(struct psbt_facts *facts, struct keycache *keys, struct err *err);

// One new signature.
struct psbt_new_sig {
    uint32_t input;
    uint32_t sighash;   // hash type
    struct bytes key;   // as in the script; no bytes for taproot, where the output is the key
    struct bytes value; // DER and hash type; for taproot 64 bytes, 65 with a hash type
};
struct psbt_signed {
    struct psbt_new_sig *sigs; // by input
    size_t n_sigs;
};

// The spent outputs of all inputs, to which taproot signatures commit; *out is NULL if none is of a
// taproot kind, or not all are known. Fails: ERR_NO_MEMORY.
MUST_CHECK bool psbt_spent_outputs(const struct tx_out **out, const struct psbt_facts *facts,
                                   struct arena *arena, struct err *err);

// 32 fresh random bytes, for taproot; NULL: no taproot input may be there.
struct entropy {
    void (*bytes)(void *context, uint8_t out[32]);
    void *context;
};

// Computes all signatures; each is verified. Call only with facts->proved, after what limits later
// spends is on disk, and after crypto_randomize.
// Fails: ERR_INTERNAL "Signing failed late": a signature did not verify, or a key changed since it
//        was proved. That is a fault of the machine: nothing was returned, stop the process.
//        ERR_NO_MEMORY.
// Source: psbt-signing.md 14.
MUST_CHECK bool psbt_sign(struct psbt_signed *out, const struct psbt_facts *facts,
                          struct keycache *keys, const struct entropy *aux_random,
                          struct arena *arena, struct err *err);

// The same in slices, for several threads: begin; each slice once, by any thread; end, when all are
// done. What slices share they only read, but for their own signatures. Until the end nobody may use
// `keys` otherwise, and `facts` must not change.
#define PSBT_SLICES_MAX 4
struct psbt_signing; // in the arena

// n_slices: 1 to PSBT_SLICES_MAX. Fails: ERR_NO_MEMORY; there is nothing to end then.
MUST_CHECK bool psbt_sign_begin(struct psbt_signing **out, const struct psbt_facts *facts,
                                struct keycache *keys, const struct entropy *aux_random,
                                size_t n_slices, struct arena *arena, struct err *err);
void psbt_sign_slice(struct psbt_signing *signing, size_t slice);
// Has slices stop early, from any thread: psbt_sign_end fails with ERR_INTERRUPTED if one did.
void psbt_sign_cancel(struct psbt_signing *signing);
// Fails: as psbt_sign, and ERR_INTERRUPTED; what was signed is wiped then.
MUST_CHECK bool psbt_sign_end(struct psbt_signed *out, struct psbt_signing *signing,
                              struct err *err);

// Gives back early what was only needed until there were signatures: everything that facts and
// transaction know of inputs. Of what takes facts, psbt_write_signed alone may still be called.
void psbt_forget_inputs(struct psbt_facts *facts, struct psbt *psbt, struct arena *arena);

// The PSBT with the signatures added. Source: psbt-signing.md 15.
// Fails: ERR_NO_MEMORY.
MUST_CHECK bool psbt_write_signed(struct writer *w, const struct psbt_facts *facts,
                                  const struct psbt_signed *sigs, struct err *err);

// The network transaction; txid (may be NULL) in the byte order of transactions. Foreign
// signatures are verified here, ours were by psbt_sign. Never for message PSBTs, which have none:
// the caller returns those as PSBTs, whatever was asked.
// Fails: ERR_INVALID "PSBT output failed" with its detail. Source: psbt-signing.md 16.
MUST_CHECK bool psbt_finalize(struct writer *w, struct hash256 *txid,
                              const struct psbt_facts *facts, const struct psbt_signed *sigs,
                              struct arena *arena, struct err *err);

#endif
