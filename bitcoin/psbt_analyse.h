// bitcoin/psbt_analyse.h -- what a PSBT asks of us: facts, warnings, and the plan of what to sign.
//
// Works on public data only. Source: psbt-signing.md 9 to 12, in that order of checks.
#ifndef CASEMATE_BITCOIN_PSBT_ANALYSE_H
#define CASEMATE_BITCOIN_PSBT_ANALYSE_H
#include "bitcoin/facts.h"
#include "bitcoin/hdkey.h"
#include "bitcoin/psbt.h"

struct ms_wallet; // bitcoin/multisig.h

// The signer as analysis sees it. Holds no secret.
struct signer_view {
    struct xfp xfp; // of the current master
    const struct chain *chain;
    enum unit unit;
    int fee_limit_pct;  // 10, 25, 50, or -1 for none
    bool sighash_allow; // setting `sighshchk` = 1: unusual types with a warning
    bool hsm_mode;
    int pms; // setting for global xpubs, psbt-signing.md 7.9
    bool unsort_ms;
    bool skip_multisig_checks;
    bool require_prev_tx, sighash_all_only, taproot; // signer options
    const struct ms_wallet *const *wallets;          // registered, in order
    size_t n_wallets;
    // Amount memory (17): true and *out if an amount was seen for the outpoint. NULL: none.
    bool (*known_amount)(const void *memory, const struct outpoint *outpoint, struct sats *out);
    const void *memory;
};

enum sign_kind {
    SIGN_NOT,
    SIGN_LEGACY,  // P2PKH, P2PK, P2SH multisig
    SIGN_SEGWIT0, // P2WPKH, P2SH-P2WPKH, P2WSH and P2SH-P2WSH multisig
    SIGN_TAPROOT, // key path
};

// How one input is to be signed: everything the digest commits to and which key.
struct input_plan {
    enum sign_kind kind;
    struct bytes spent_script; // of the UTXO
    struct bytes script_code;  // what the digest carries
    struct sats amount;
    uint32_t sighash;     // ALL if absent
    struct pubkey pubkey; // that must sign; unchecked until derived
    bool uncompressed;    // P2PK with a 65-byte key
    struct keypath path;  // claimed
};

struct psbt_facts {
    struct tx_facts tx;
    struct input_plan *plans; // one per input
    const struct psbt *psbt;
    struct xfp xfp; // replaces 00000000 in key paths
    bool proved;    // psbt_prove has run
};

// Fails: the replies of psbt-signing.md, exactly; texts of Output#%d are ERR_INVALID too; the title
//        "Change Fraud" is in the detail's place for those.
MUST_CHECK bool psbt_analyse(struct psbt_facts *out, const struct psbt *psbt,
                             const struct signer_view *view, struct arena *arena, struct err *err);

// The transaction in words. 0x02 stands before every address on the screen; `for_text` writes a
// blank instead for the host, and nothing in the log. Source: psbt-signing.md 13.
enum story_form { STORY_SCREEN, STORY_TEXT, STORY_LOG };
void story_write(struct writer *w, const struct tx_facts *facts, enum unit unit,
                 enum story_form form);

#endif
