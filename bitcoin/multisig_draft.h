// bitcoin/multisig_draft.h -- a wallet while its registration text is read. For
// bitcoin/multisig_*.c only.
#ifndef CASEMATE_BITCOIN_MULTISIG_DRAFT_H
#define CASEMATE_BITCOIN_MULTISIG_DRAFT_H
#include "bitcoin/multisig_register.h"

// As many keys as fit into MS_TEXT_MAX bytes: they are all checked before they are counted.
#define DRAFT_KEYS_MAX (MS_TEXT_MAX / 111)

struct ms_draft {
    const struct ms_register *against;
    bool foreign; // nobody's keys are ours
    struct arena *arena;

    struct bytes name; // empty: none given
    bool has_policy;   // then m and n:
    size_t m, n;
    enum addr_format format;
    bool sorted;
    struct ms_cosigner key[DRAFT_KEYS_MAX];
    size_t n_keys;
    struct bytes first_address; // of a BSMS record, which the wallet's must be; empty: none stated
};

// A key as a text states it.
struct draft_key {
    struct xfp xfp;             // zero: not stated
    const struct keypath *path; // NULL: not stated
    struct bytes xpub;
};

// Reads one of the forms into an empty draft. Fails: as ms_register.
MUST_CHECK bool draft_read(struct ms_draft *draft, struct bytes text, struct err *err);
MUST_CHECK bool draft_read_lines(struct ms_draft *draft, struct bytes text, struct err *err);
// BIP-129's descriptor record; whether the text is one.
bool draft_is_bsms(struct bytes text);
MUST_CHECK bool draft_read_bsms(struct ms_draft *draft, struct bytes text, struct err *err);
MUST_CHECK bool draft_check_first_address(const struct ms_draft *draft,
                                          const struct ms_wallet *wallet, struct err *err);
MUST_CHECK bool draft_read_descriptor(struct ms_draft *draft, struct bytes text, struct err *err);

// Checks 1 to 8, and adds the key.
MUST_CHECK bool draft_add_key(struct ms_draft *draft, const struct draft_key *key, struct err *err);

// Checks 9 to 18, and makes the wallet.
MUST_CHECK bool draft_finish(struct ms_wallet *out, const struct ms_draft *draft, struct err *err);

#endif
