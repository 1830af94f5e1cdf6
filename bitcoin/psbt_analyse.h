// bitcoin/psbt_analyse.h -- what a PSBT asks of us: facts, warnings, and the plan of what to sign.
//
// Works on public data only. Source: psbt-signing.md 9 to 12, in that order of checks.
//
// A request goes: psbt_parse; psbt_analyse; story_write; psbt_prove; the policy decides on the
// facts; what limits later spends is stored; psbt_sign; psbt_write_signed or psbt_finalize.
#ifndef CASEMATE_BITCOIN_PSBT_ANALYSE_H
#define CASEMATE_BITCOIN_PSBT_ANALYSE_H
#include "bitcoin/facts.h"
#include "bitcoin/hdkey.h"
#include "bitcoin/multisig.h"
#include "bitcoin/psbt.h"
#include "bitcoin/spend.h"
#include "bitcoin/story.h"

// The signer as analysis sees it. Holds no secret.
struct signer_view {
    struct xfp xfp; // of the current master
    const struct chain *chain;
    enum unit unit;
    int fee_limit_pct;  // 10, 25, 50, or -1 for none
    bool sighash_allow; // setting `sighshchk` = 1: unusual types with a warning
    bool hsm_mode;
    int pms; // setting for global xpubs, psbt-signing.md 7.9; -1: unset
    bool unsort_ms;
    bool skip_multisig_checks;
    bool require_prev_tx, sighash_all_only, taproot; // signer options
    bool device_order; // key paths of the result as a Coldcard orders them (field_order.h), rather
                       // than as they came
    struct ms_wallets wallets; // registered; must outlive the facts
    struct keytable
        *table; // of the signer's key cache: what it knows is not derived again; or NULL
    // Amount memory (17): true and *out if an amount was seen for the outpoint. NULL: none.
    bool (*known_amount)(const void *memory, const struct outpoint *outpoint, struct sats *out);
    const void *memory;
};

// What the digest of one input commits to, and which key must sign.
struct input_plan {
    struct spend_way spend;       // of the spent output; its amount is in the facts
    const struct psbt_field *key; // key path of the key that must sign, a claim until derived;
                                  // NULL: we do not sign
    uint32_t sighash;             // ALL if absent
};

struct psbt_facts {
    struct tx_facts tx;
    struct input_plan *plans; // one per input
    const struct psbt *psbt;
    struct xfp xfp;    // of the signer: replaces 00000000 in key paths
    bool taproot;      // the option: taproot key paths are looked at
    bool device_order; // of the result
    bool proved;       // psbt_prove has run
    // What "Refused to import new wallet" is about: the registration text, without a name, of the
    // wallet that the PSBT describes, to ask the operator (setting `pms` 1); else no bytes.
    struct bytes offered;
};

// *out and all it points to live in the arena and borrow from the PSBT.
// Fails: the replies of psbt-signing.md, exactly, mostly ERR_INVALID; texts of Output#%d that are
//        change fraud have the screen title "Change Fraud" as their detail. ERR_NO_MEMORY.
MUST_CHECK bool psbt_analyse(struct psbt_facts *out, const struct psbt *psbt,
                             const struct signer_view *view, struct arena *arena, struct err *err);

#endif
