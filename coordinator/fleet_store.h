// coordinator/fleet_store.h -- what the fleet reads from the ledger and writes to it, beside ledger.h.
//
// (1) A change of a signer's state and its audit row are one transaction.
// (2) Trying to heal, and taking a signer out of service for planned work, are claimed in the ledger first, so
//     that replicas share one cooldown, and never leave fewer than k between them.
// Source: coordinator.md D8, D16.
#ifndef CASEMATE_COORDINATOR_FLEET_STORE_H
#define CASEMATE_COORDINATOR_FLEET_STORE_H
#include "coordinator/device_policy.h"
#include "coordinator/ledger.h"
#include "coordinator/port.h"

#define FLEET_WALLETS 8 // of one signer
#define FLEET_FORMER  4 // versions before the published one

// A wallet that a signer serves.
struct known_wallet {
    char id[ID_SIZE];
    struct bytes name;
    unsigned k, n;
    struct sats cap;       // of the automatic tier
    int64_t window_us;     // of that
    struct ms_wallet keys; // under the name that the devices know
};

// The ledger's side of a signer. Lives whole in `arena`, and never changes once it is read.
struct known_signer {
    struct arena *arena;
    char id[ID_SIZE], name[17];
    unsigned number;
    struct xfp xfp;
    const char *pin, *domain; // never NULL
    bool enabled, is_command;
    // What its row says of a signer that tells nothing of itself (`limits`).
    bool vouched_for; // "ready": true
    struct sats vouched_amount, vouched_budget;
    uint32_t vouched_period_min;
    uint64_t max_psbt, max_inputs; // 0: as the device says
    char state[16];
    int64_t cool_ms; // that it was not to be chosen yet when this was read
    size_t n_wallets;
    struct known_wallet wallets[FLEET_WALLETS];
    // The policy that it should run: the version published last, its own or its wallet's.
    bool has_policy;
    char policy_id[ID_SIZE];
    struct bytes policy_body;
    struct device_rules rules;
    // Those before it, newest first: a signer that runs one of them waits for its turn to get the new one, and
    // is asked meanwhile within what that one allows.
    size_t n_former;
    struct device_rules former[FLEET_FORMER];
};

// All signers by number, each with an arena of its own, which the caller frees.
struct known_signers {
    struct known_signer *items[CONFIG_SIGNERS];
    size_t n;
};
MUST_CHECK bool store_read_signers(struct db *db, struct known_signers *out, struct err *err);
void known_signer_free(struct known_signer *signer); // NULL is fine
// Whether the ledger says the same of it, but for what only tells how it was (state).
bool known_signer_equal(const struct known_signer *a, const struct known_signer *b);

// signer.state, with its row of the audit ("signer.state").
MUST_CHECK bool store_set_state(struct db *db, const struct known_signer *signer,
                                const char *before, const char *after, const char *why,
                                struct err *err);
// As said by an operator; audited by the caller.
MUST_CHECK bool store_set_enabled(struct db *db, const char *signer_id, bool enabled,
                                  struct err *err);
// It is not chosen for so long, by any replica.
MUST_CHECK bool store_cool(struct db *db, const char *signer_id, int64_t cool_us, struct err *err);
// The key of its master, once: a signer that has one keeps it.
MUST_CHECK bool store_set_pin(struct db *db, const char *signer_id, const char *xpub,
                              struct err *err);

// What it said of itself.
MUST_CHECK bool store_set_status(struct db *db, const char *signer_id,
                                 const struct port_status *status, int64_t window_ends_us,
                                 struct err *err);

// Claims a try to heal it: 25 s after the last one, doubling to 10 min. *granted false: not yet.
// now: an operator wants it now.
#define HEAL_PAUSE_US     ((int64_t)25000000)
#define HEAL_PAUSE_MAX_US ((int64_t)600000000)
MUST_CHECK bool store_begin_heal(struct db *db, const char *signer_id, bool now, bool *granted,
                                 struct err *err);
// It is ready: the next time begins with the short pause.
MUST_CHECK bool store_end_heal(struct db *db, const char *signer_id, struct err *err);

// Claims planned work on a signer that may be ready: state `draining`. *granted false: in one of its wallets
// fewer than k others would stay ready.
MUST_CHECK bool store_begin_draining(struct db *db, const struct known_signer *signer,
                                     bool *granted, struct err *err);

// A step of a policy's way to a signer: "load", "activate", "verify".
MUST_CHECK bool store_installed(struct db *db, const struct known_signer *signer, const char *step,
                                const char *result, struct err *err);

#endif
