// coordinator/port.h -- one conversation with one signer, whatever carries it.
//
// (1) A port belongs to one thread; its calls block, each with a deadline of its own: connecting 5 s, a
//     status 3 s, signing 60 s, longer only while blocks of a file go over. Nothing it does outlasts that.
// (2) A call opens the conversation if there is none. port_hang_up ends it, so that others may talk to the
//     device; whoever holds the signer's lease does that before the lease ends.
// (3) The device is the one that is expected: fingerprint, and the pinned key of its master, are compared
//     before anything else is asked of it.
// (4) What changes something is read back by the caller with port_status and port_knows_wallet: "accepted"
//     means nothing (B3).
// Source: coordinator.md A6, B3, D8.
#ifndef CASEMATE_COORDINATOR_PORT_H
#define CASEMATE_COORDINATOR_PORT_H
#include "bitcoin/multisig.h"
#include "bitcoin/sats.h"
#include "client/connection.h"
#include "coordinator/config.h"
#include "coordinator/refusal.h"
#include <pthread.h>

#define PORT_CONNECT_MS  5000
#define PORT_STATUS_MS   3000
#define PORT_SIGN_MS     60000  // without progress
#define PORT_SIGN_CAP_MS 120000 // with it
#define PORT_CHANGE_MS   30000  // registering, enrolling, a policy
#define PORT_REBOOT_MS   30000  // the restart command

#define PORT_RULES_MAX  8 // of a policy: ours have two
#define PORT_NAMES_MAX  32
#define PORT_NAME_SIZE  41
#define PORT_XPUB_SIZE  120
#define PORT_PSBT_MAX   2097152            // bytes
#define PORT_INPUTS_MAX 24390              // of a transaction of 1,000,000 bytes
#define PORT_ARENA      ((size_t)96 << 20) // enough for any call

enum port_ability {
    PORT_TELLS_VELOCITY = 1, // has_spent, period_ends
    PORT_CHARGES_ONCE = 2,   // knows the policy extension `dedupe`
    PORT_SIGNS_MESSAGES = 4,
    PORT_PROVISIONS = 8,       // takes wallets, users, policies
    PORT_ACTIVATES_ALONE = 16, // port_activate presses the keys: a simulator's, in demo mode
    PORT_REBOOTS = 32,
};

// Who it is and what it can.
struct port_hello {
    char kind[16]; // "casemate", "simulator", "coldcard", "command"
    char model[32], firmware[32];
    char serial[SERIAL_TEXT_SIZE];
    struct xfp xfp;
    char xpub[PORT_XPUB_SIZE]; // of the master key; empty: it does not tell
    uint64_t max_psbt, max_inputs;
    unsigned abilities; // of enum port_ability
};

// What it says of itself now. A command signer says nothing: `tells` is false.
struct port_status {
    bool tells;
    bool active, approval_wait, policy_available;
    char policy_hash[65]; // empty: not active
    bool has_counters;    // hidden where the policy says so
    uint64_t approvals, refusals;
    char last_refusal[REFUSAL_TEXT_SIZE];
    enum refusal_tag tag;  // of it
    uint64_t pending_auth; // codes that wait for the next transaction
    bool tells_velocity;
    bool period_runs;
    int64_t period_left_s;
    size_t n_spent;
    struct sats spent[PORT_RULES_MAX]; // per rule; when no period runs, nothing is spent
    int64_t uptime_ms;                 // since activation; -1: not told
    bool tells_users, tells_wallets;   // wallets: only while not active
    size_t n_users, n_wallets;
    char users[PORT_NAMES_MAX][PORT_NAME_SIZE], wallets[PORT_NAMES_MAX][PORT_NAME_SIZE];
};
bool port_status_has_user(const struct port_status *status, const char *name);

enum port_wallet {
    PORT_WALLET_ABSENT,
    PORT_WALLET_HINTED, // one of that k, n and fingerprints: the rest is the word of who registered it
    PORT_WALLET_PROVED, // its first receive address is the expected one
};

struct port_user {
    const char *name;
    uint8_t mode;        // NWUR_TOTP, NWUR_HOTP, NWUR_HMAC
    struct bytes secret; // the caller's to wipe
};
struct port_auth {
    const char *user;
    struct bytes token; // six digits, or 32 bytes of a password's token
    uint32_t counter;   // the TOTP step; 0 for the others
};

enum port_outcome {
    PORT_GONE,    // lost after the request to sign was sent: it may have signed
    PORT_TIMEOUT, // likewise
    PORT_UNSENT,  // lost before: nothing was begun
    PORT_BUSY,    // it is at something else: nothing was begun
    PORT_REFUSED, // it said no, with tag and text
    PORT_SIGNED,
};
struct port_answer {
    enum port_outcome outcome;
    struct bytes psbt; // PORT_SIGNED: as returned, unchecked
    enum refusal_tag tag;
    char text[REFUSAL_TEXT_SIZE]; // escaped
};
struct port_message {
    char address[91];
    uint8_t signature[65];
};

// How a signer is reached. All borrowed for the port's life.
struct port_options {
    const struct signer_config *section;
    const char *network;  // main, test, testnet4, signet, regtest
    struct xfp xfp;       // expected
    const char *pin_xpub; // of the master key; NULL or empty: not pinned yet
    bool demo;            // simulators are switched on and confirmed by key presses (A6)
    int cancel_fd;        // readable: calls end with ERR_INTERRUPTED; 0: nobody can
    pthread_mutex_t
        *usb; // hidapi's list is not for threads: held while one is opened; NULL: no other thread
};

struct port;
struct port_ops {
    bool (*hello)(struct port *port, struct port_hello *out, struct err *err);
    bool (*status)(struct port *port, struct port_status *out, struct err *err);
    bool (*knows_wallet)(struct port *port, enum port_wallet *out, const struct ms_wallet *wallet,
                         struct err *err);
    bool (*register_wallet)(struct port *port, const struct ms_wallet *wallet, struct err *err);
    bool (*enrol)(struct port *port, const struct port_user *user, struct err *err);
    bool (*load_policy)(struct port *port, struct bytes policy, struct err *err);
    bool (*activate)(struct port *port, struct err *err);
    bool (*auth)(struct port *port, const struct port_auth *auth, struct err *err);
    void (*sign)(struct port *port, struct port_answer *out, struct bytes psbt,
                 struct arena *arena);
    bool (*sign_message)(struct port *port, struct port_message *out, const char *path,
                         struct bytes text, struct err *err);
    bool (*reboot)(struct port *port, struct err *err);
    void (*hang_up)(struct port *port);
    void (*free)(struct port *port);
};
// A carrier is a struct that begins with this one.
struct port {
    const struct port_ops *ops;
};

// Makes the port of the section's transport. Connects to nothing yet.
MUST_CHECK bool port_new(struct port **out, const struct port_options *options, struct err *err);
void port_free(struct port *port); // NULL is fine
void port_freep(struct port **port);

// All calls fail with ERR_TIMEOUT, ERR_NOT_FOUND (nobody there, or it went away), ERR_IO, ERR_FRAMING,
// ERR_BUSY (it is at something else), ERR_INVALID and ERR_REFUSED (it says why), ERR_AUTH (another device
// than is expected), ERR_UNSUPPORTED (that carrier or device cannot), ERR_INTERRUPTED.
MUST_CHECK bool port_hello(struct port *port, struct port_hello *out, struct err *err);
MUST_CHECK bool port_status(struct port *port, struct port_status *out, struct err *err);
MUST_CHECK bool port_knows_wallet(struct port *port, enum port_wallet *out,
                                  const struct ms_wallet *wallet, struct err *err);

// Hands over the descriptor under the wallet's name; somebody at the device confirms it, in demo mode a key
// press of ours. A wallet that it has already is fine.
MUST_CHECK bool port_register(struct port *port, const struct ms_wallet *wallet, struct err *err);
// A user that it has already is fine.
MUST_CHECK bool port_enrol(struct port *port, const struct port_user *user, struct err *err);
// Hands over the policy, byte for byte. Afterwards the device is active (it accepts this policy without keys)
// or asks whoever is in front of it. Fails also with "a person must ..." where a question is open already.
MUST_CHECK bool port_load_policy(struct port *port, struct bytes policy, struct err *err);
// In demo mode answers the questions of a simulator; otherwise ERR_UNSUPPORTED: a person does.
MUST_CHECK bool port_activate(struct port *port, struct err *err);

// Queued on the device until the next transaction.
MUST_CHECK bool port_auth(struct port *port, const struct port_auth *auth, struct err *err);
// Never fails: every end has its outcome. out->psbt lies in the arena.
void port_sign(struct port *port, struct port_answer *out, struct bytes psbt, struct arena *arena);
// Of the key at `path`, P2WPKH.
MUST_CHECK bool port_sign_message(struct port *port, struct port_message *out, const char *path,
                                  struct bytes text, struct err *err);
// Runs the section's restart_command: the device protocol refuses `rebo` in HSM mode.
MUST_CHECK bool port_reboot(struct port *port, struct err *err);

void port_hang_up(struct port *port);

#endif
