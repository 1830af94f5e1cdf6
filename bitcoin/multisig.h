// bitcoin/multisig.h -- multisig wallets: their addresses, which keys and scripts are theirs, and how
// they are stored and exported.
//
// (1) A struct ms_wallet holds what registration has checked (multisig_register.h): 1 <= m <= n <=
//     15, fingerprints and keys all different, each path as long as its xpub is deep.
// (2) What a PSBT or a request says of a key is a claim; ms_script_check derives.
// Source: psbt-signing.md 7.
#ifndef CASEMATE_BITCOIN_MULTISIG_H
#define CASEMATE_BITCOIN_MULTISIG_H
#include "base/json.h"
#include "bitcoin/address.h"
#include "bitcoin/hdkey.h"
#include "bitcoin/keytable.h"

#define MS_KEYS_MAX   15
#define MS_NAME_MAX   20                     // characters
#define MS_SCRIPT_MAX (3 + 34 * MS_KEYS_MAX) // bytes
#define MS_STORED_MAX 8192                   // bytes of a stored form
#define MS_EXPORT_MAX 8192                   // bytes of an exported text or descriptor

enum ms_branch { MS_RECEIVE, MS_CHANGE, MS_BRANCHES };

struct ms_cosigner {
    struct key_origin origin;
    struct hdpub node;                // at the origin
    struct hdpub branch[MS_BRANCHES]; // its children 0 and 1: kept, as every script needs them
};

struct ms_wallet {
    char name[MS_NAME_MAX + 1]; // printable ASCII
    size_t m, n;
    enum addr_format format; // ADDR_P2SH, ADDR_P2WSH or ADDR_P2SH_P2WSH
    bool sorted;             // BIP-67; otherwise keys stand in the cosigners' order
    const struct chain *chain;
    struct ms_cosigner cosigner[MS_KEYS_MAX]; // in the order of the file
};

// Derives the kept branches: the last step of making a wallet. Fails: ERR_INVALID, as hdpub_child.
MUST_CHECK bool ms_wallet_prepare(struct ms_wallet *wallet, struct err *err);

// The place of that cosigner; n if there is none.
size_t ms_wallet_position(const struct ms_wallet *wallet, struct xfp xfp);

// Of all fingerprints, as the wire counts them.
uint32_t ms_wallet_xor(const struct ms_wallet *wallet);

// --- Addresses ---

// One cosigner's key at <branch>/<index>. table: of keys that were derived before; NULL: none.
// Fails: ERR_INVALID for an index that has none.
MUST_CHECK bool ms_wallet_pubkey(struct pubkey *out, const struct ms_wallet *wallet,
                                 size_t cosigner, enum ms_branch branch, uint32_t index,
                                 struct keytable *table, struct err *err);
// All cosigners' keys there, in their order.
MUST_CHECK bool ms_wallet_pubkeys(struct pubkey out[static MS_KEYS_MAX],
                                  const struct ms_wallet *wallet, enum ms_branch branch,
                                  uint32_t index, struct keytable *table, struct err *err);
// The redeem or witness script of such keys.
void ms_wallet_script_of(struct writer *w, const struct ms_wallet *wallet,
                         const struct pubkey *keys);
// Both.
MUST_CHECK bool ms_wallet_script(struct writer *w, const struct ms_wallet *wallet,
                                 enum ms_branch branch, uint32_t index, struct err *err);
// The address in the wallet's format.
MUST_CHECK bool ms_wallet_address(struct writer *w, const struct ms_wallet *wallet,
                                  enum ms_branch branch, uint32_t index, struct err *err);

// --- Which wallet (7.5, 7.8) ---

// Whether there are n origins, each of a cosigner's fingerprint and below that cosigner's path.
bool ms_wallet_matches(const struct ms_wallet *wallet, const struct key_origin *origins, size_t n);

// Registered wallets, in the order of registration; borrowed.
struct ms_wallets {
    const struct ms_wallet *const *list;
    size_t n;
};

struct ms_query {
    size_t m;                       // 0: any
    const enum addr_format *format; // NULL: any
    const struct key_origin *origins;
    size_t n; // of the origins, and of the wallet's keys
};
// The first that matches, or NULL.
const struct ms_wallet *ms_find(struct ms_wallets wallets, const struct ms_query *query);
const struct ms_wallet *ms_find_name(struct ms_wallets wallets, struct bytes name);

// `msck`: a hint that proves nothing, for XORs collide. m or n of 0: any (wire-protocol.md 8.1).
bool ms_is_known(struct ms_wallets wallets, size_t m, size_t n, uint32_t xfp_xor);

// --- Scripts (7.6) ---

struct ms_script {
    size_t m, n;
    struct bytes key[MS_KEYS_MAX]; // 33 bytes each, not checked to be on the curve; borrowed
};
// Rows 1 to 7: the form of an m of n script of compressed keys.
// Fails: ERR_INVALID "need CHECKMULTISIG", "M/N range", "bad len", "data", "Y val".
MUST_CHECK bool ms_script_parse(struct ms_script *out, struct bytes script, struct err *err);

// Where the keys of a script are said to come from.
struct ms_claims {
    // Of the key that stands at that place of the script, from 0. False if nothing is said of it.
    bool (*origin)(const void *context, size_t place, struct bytes key, struct key_origin *out);
    const void *context;
    struct keytable *table; // of keys that were derived before; NULL: none
};

// All 16 rows: the script is this wallet's, each key derived from a cosigner along its claim.
// form_only: stops after row 8 (the setting "skip multisig checks", never in HSM mode: D-CHECKS).
// Fails: ERR_INVALID with the row's text, exactly.
MUST_CHECK bool ms_script_check(const struct ms_wallet *wallet, struct bytes script,
                                const struct ms_claims *claims, bool form_only, struct err *err);

// --- Stored form (7.4) ---

// One record of the reference's JSON array, at most MS_STORED_MAX bytes.
void ms_wallet_store(struct writer *w, const struct ms_wallet *wallet);

// Reads what ms_wallet_store or the reference has written, older records too.
// Fails: ERR_MALFORMED "stored wallet: <what>", ERR_NO_MEMORY.
MUST_CHECK bool ms_wallet_load(struct ms_wallet *out, struct bytes record, struct arena *arena,
                               struct err *err);

// --- Exported forms (7.4), at most MS_EXPORT_MAX bytes ---

// The registration text. `by`: who exports it.
// Fails: ERR_UNSUPPORTED for an unsorted wallet, whose order of keys that text does not hold.
MUST_CHECK bool ms_wallet_export(struct writer *w, const struct ms_wallet *wallet, struct xfp by,
                                 struct err *err);

// The descriptor with its checksum; `branch`: MS_BRANCHES for "<0;1>".
void ms_wallet_descriptor(struct writer *w, const struct ms_wallet *wallet, enum ms_branch branch);

#endif
