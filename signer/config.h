// signer/config.h -- signer.conf: how this signer behaves, read once.
//
// Source: design.md "A signer on its host"; psbt-signing.md 4.4, 7.2, 7.9, 10.5, 12.3, 12.5, 22;
// policy.md D7, D22.
#ifndef CASEMATE_SIGNER_CONFIG_H
#define CASEMATE_SIGNER_CONFIG_H
#include "base/arena.h"
#include "base/err.h"
#include "bitcoin/chain.h"
#include "bitcoin/sats.h"
#include "crypto/hash.h"

#define CONFIG_FILE         "signer.conf"
#define CONFIG_ACCEPTED_MAX 64
#define CONFIG_PMS_UNSET    (-1)
#define CONFIG_PATH_SIZE    128

struct config {
    enum chain_id chain;
    bool hsm_commands;
    enum unit unit;       // rz
    int fee_limit_pct;    // 10, 25, 50, or -1 for none
    bool sighash_allow;   // sighshchk: allow unusual types with a warning
    int pms;              // 0 verify, 1 offer, 2 trust, or CONFIG_PMS_UNSET
    bool unsort_ms;       // allow multi() beside sortedmulti()
    bool multisig_checks; // off: skipped outside HSM mode
    uint32_t idle_min;    // lock after that long without a request; 0: never
    uint32_t pin_tries;   // wrong PINs in a row that destroy the keys; 0: never
    struct hash256 accepted[CONFIG_ACCEPTED_MAX]; // accept_policy: values of policy_hash_full
    size_t n_accepted;
    bool only_accepted;
    char usb_gadget[CONFIG_PATH_SIZE]; // node of a HID gadget (signer/hid_gadget.h); empty: none
    // Extensions, off by default.
    bool signed_viz_free;  // policy.md D22
    bool require_prev_tx;  // psbt-signing.md 10.5
    bool sighash_all_only; // psbt-signing.md 12.3
    bool p2sh_strict;      // psbt-signing.md 7.7
    bool taproot;          // psbt-signing.md 22
};

struct config config_default(void);

// Sets one key from its text: a line of the file, or the simulator's `set`. accept_policy adds.
// Fails: ERR_USAGE "unknown key '<key>'", "<key>: must be <what>"; *config is then as it was.
MUST_CHECK bool config_set(struct config *config, struct bytes key, struct bytes value,
                           struct err *err);

// The defaults with what the text of a file changes. `file` is for error texts.
// Fails: ERR_USAGE, ERR_MALFORMED "<file>:<line>: <what>": unknown, repeated or bad.
MUST_CHECK bool config_parse(struct config *out, const char *file, struct bytes text,
                             struct err *err);

// Reads a file that belongs to root or to this user and that no other may write. `may_be_absent`:
// then the defaults hold if there is none.
// Fails: ERR_AUTH "<path>: <who may write it>", ERR_NOT_FOUND, ERR_IO, and as config_parse.
MUST_CHECK bool config_read(struct config *out, const char *path, bool may_be_absent,
                            struct err *err);

// Every key with its value in force, as lines that config_parse reads: for --check-config.
void config_write(struct writer *w, const struct config *config);

#endif
