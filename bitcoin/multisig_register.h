// bitcoin/multisig_register.h -- making a wallet of a registration text, and what the operator is
// asked about it.
//
// (1) A wallet leaves here only when every check of 7.3 has passed, ours derived from our seed.
// (2) The question shows each xpub: who agrees has had the chance to compare them.
// Source: psbt-signing.md 7.2, 7.3.
#ifndef CASEMATE_BITCOIN_MULTISIG_REGISTER_H
#define CASEMATE_BITCOIN_MULTISIG_REGISTER_H
#include "bitcoin/multisig.h"

#define MS_TEXT_MIN 101 // bytes of an uploaded file: else `badlen`
#define MS_TEXT_MAX 4000

// The signer's keys, as public nodes: no secret comes here.
struct ms_our_keys {
    struct xfp xfp;
    // The node at a path from the master.
    bool (*derive)(const void *context, struct hdpub *out, const struct keypath *path,
                   struct err *err);
    const void *context;
};

// What a text is read against.
struct ms_register {
    const struct chain *chain;
    struct ms_our_keys ours;
    bool unsort_ms;            // setting: multi() is allowed
    struct ms_wallets wallets; // registered ones: a default name must differ from theirs
    struct bytes file_name;    // base name, for a text without a name; empty: not from a file
};

// Reads any of the three forms, or BIP-129's descriptor record (7.10), of at most MS_TEXT_MAX bytes.
// Fails: ERR_MALFORMED and ERR_INVALID with exactly the texts of 7.2 and 7.3, or "BSMS: <what>";
//        ERR_LIMIT "badlen";
//        ERR_NO_MEMORY; what ours.derive says.
MUST_CHECK bool ms_register(struct ms_wallet *out, struct bytes text,
                            const struct ms_register *against, struct arena *arena,
                            struct err *err);

// The same for a program without a seed: checks 8, 14 and 16 are left out, multi() is allowed. In a
// signer only for a wallet that is never registered: of the xpubs of a PSBT, outside HSM mode.
MUST_CHECK bool ms_read_foreign(struct ms_wallet *out, struct bytes text, const struct chain *chain,
                                struct arena *arena, struct err *err);

// What a new wallet is like among the registered ones.
struct ms_review {
    const struct ms_wallet *similar; // has the same fingerprints and paths; NULL: none has
    bool m_differs, format_differs, xpubs_differ;
};
// The table "Against existing wallets".
// Fails: ERR_EXISTS "Duplicate wallet. <what>".
MUST_CHECK bool ms_review(struct ms_review *out, const struct ms_wallet *wallet,
                          struct ms_wallets wallets, struct err *err);

// The question for the screen, at most MS_EXPORT_MAX bytes. `ours`: which cosigner to mark.
void ms_write_question(struct writer *w, const struct ms_wallet *wallet,
                       const struct ms_review *review, struct xfp ours);

#endif
