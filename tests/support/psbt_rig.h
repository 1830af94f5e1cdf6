// tests/support/psbt_rig.h -- a signer with the test seed, and PSBTs made part by part to show it.
//
// A draft is a transaction and the maps of its PSBT. Tests change either, then write it as version
// 0 or 2. All memory is the test's arena; whatever goes wrong inside stops the test.
#ifndef CASEMATE_TESTS_SUPPORT_PSBT_RIG_H
#define CASEMATE_TESTS_SUPPORT_PSBT_RIG_H
#include "bitcoin/psbt_sign.h"
#include "tests/support/psbt_maker.h"
#include "tests/support/test.h"

// --- The signer ---

#define RIG_SEEN_MAX 64 // outpoints

struct rig {
    struct hdkey master;
    struct signer_view view; // chain XTN, fee limit 10, everything else off
    // The amount memory: what rig_remember has stored.
    struct outpoint seen[RIG_SEEN_MAX];
    struct sats seen_amount[RIG_SEEN_MAX];
    uint8_t aux[32]; // in place of random bytes
    size_t n_seen;
    // The last answer. `err` is of what failed.
    struct err err;
    struct psbt psbt;
    struct psbt_facts facts;
    struct psbt_signed sigs;
    struct bytes result; // of rig_sign: the signed PSBT
    struct bytes tx;     // of rig_finalize
    struct hash256 txid;
};
struct rig *rig_new(void);
// Registers a multisig wallet by its text; the test fails if it is refused. Returns it.
const struct ms_wallet *rig_register(struct rig *rig, struct bytes text);
// "words", or "words + passphrase TEXT"
void rig_load_seed(struct rig *rig, struct bytes text);

bool rig_analyse(struct rig *rig, struct bytes raw); // parse and analyse
bool rig_prove(struct rig *rig);
bool psbt_rig_sign(struct rig *rig); // prove, sign and write
bool rig_finalize(struct rig *rig);
struct bytes rig_story(const struct rig *rig, enum story_form form);
void rig_remember(struct rig *rig); // the amounts of all inputs, as after a released signature

// Fails the test unless the PSBT is refused while being analysed (or proved) with this reply and,
// if not NULL, this detail; unless it is accepted and signed.
#define rig_refuses(rig, raw, reply, detail)                                                       \
    rig_expect_refusal((rig), (raw), (reply), (detail), __FILE__, __LINE__)
#define rig_accepts(rig, raw) rig_expect_signing((rig), (raw), __FILE__, __LINE__)
void rig_expect_refusal(struct rig *rig, struct bytes raw, const char *reply, const char *detail,
                        const char *file, int line);
void rig_expect_signing(struct rig *rig, struct bytes raw, const char *file, int line);

// Whether exactly these warnings (or notes) were given: labels joined by ", "; and the text of one.
#define rig_warnings_are(rig, labels) assert_bytes_text(rig_warning_labels(rig), (labels))
struct bytes rig_warning_labels(const struct rig *rig);
struct bytes rig_warning(const struct rig *rig, const char *label); // stops the test if none
struct bytes rig_note(const struct rig *rig, const char *label);

// --- Drafts ---

enum draft_kind {
    DRAFT_P2PK,
    DRAFT_P2PK65,
    DRAFT_P2PKH,
    DRAFT_P2WPKH,
    DRAFT_P2SH_P2WPKH,
    DRAFT_P2TR // with taproot fields; its signer needs the option
};

// How the spent output is told.
enum draft_utxo {
    DRAFT_UTXO_USUAL,
    DRAFT_UTXO_PREV,
    DRAFT_UTXO_WITNESS,
    DRAFT_UTXO_BOTH,
    DRAFT_UTXO_NONE
};

#define DRAFT_MAX 2048 // inputs, outputs

struct draft {
    struct tx tx; // version 2; its arrays have room for DRAFT_MAX each
    struct psbt_map global, *in, *out;
};
struct draft *draft_new(void);

// A coin of ours, or of the seed that `owner` derives from; with UTXO and key path. Returns its map.
struct psbt_map *draft_in(struct draft *d, const struct rig *owner, enum draft_kind kind,
                          const char *path, uint64_t sats);
struct psbt_map *draft_in_utxo(struct draft *d, const struct rig *owner, enum draft_kind kind,
                               const char *path, uint64_t sats, enum draft_utxo utxo);
// A coin with any script and no key path.
struct psbt_map *draft_in_script(struct draft *d, struct bytes script, uint64_t sats,
                                 enum draft_utxo utxo);
// A payment; one to a key of the rig's, with its key path (and redeem script).
struct psbt_map *draft_pay(struct draft *d, struct bytes script, uint64_t sats);
struct psbt_map *draft_change(struct draft *d, const struct rig *owner, enum draft_kind kind,
                              const char *path, uint64_t sats);

// One input of 1 XTN at m/84h/1h/0h/0/0, a payment of 0.3, change of 0.6999 at m/84h/1h/0h/1/0.
struct draft *draft_usual(const struct rig *rig);

// Fields, copied. Putting replaces a field of the same key.
void draft_put(struct psbt_map *map, uint8_t type, struct bytes key_data, struct bytes value);
void draft_put_u32(struct psbt_map *map, uint8_t type, uint32_t value);
void draft_drop(struct psbt_map *map, uint8_t type); // all of that type
// The key path of the rig's key at a path, under any fingerprint.
void draft_put_path(struct psbt_map *map, uint8_t type, const struct rig *owner, struct xfp xfp,
                    const char *path);

struct bytes draft_write(const struct draft *d, uint32_t version); // as it stands; may be nonsense
struct bytes draft_v0(const struct draft *d);

// --- Scripts and keys ---
struct hdkey rig_key(const struct rig *owner, const char *path);
struct bytes psbt_rig_script(const struct rig *owner, enum draft_kind kind, const char *path);
struct bytes draft_foreign_script(unsigned n); // P2WPKH of nobody
struct bytes test_concat(struct bytes a, struct bytes b);
struct bytes test_u32le(uint32_t value);
struct keypath test_path(const char *text);

#endif
