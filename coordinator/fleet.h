// coordinator/fleet.h -- the signers that this replica reaches: their state, and asking them.
//
// One thread per signer has the conversation; whoever calls fleet_sign and the like waits for it, and for
// nobody else's signer. A conversation that this replica cannot keep reserved any more ends by itself, as one that was
// lost (fleet_lease.c).
// Source: coordinator.md A5, A6, D8, D9.
#ifndef CASEMATE_COORDINATOR_FLEET_H
#define CASEMATE_COORDINATOR_FLEET_H
#include "coordinator/build.h"
#include "coordinator/choose.h"
#include "coordinator/ledger.h"
#include "coordinator/port.h"

struct fleet;

// Reads the signers from the ledger and how they are reached from the configuration's sections; starts their
// threads.
struct fleet_options {
    const struct port_options
        *ports; // one for each [signer NAME]: section and network; the rest is the fleet's
    size_t n_ports;
    const struct db_options *db; // each thread opens its own
    const char *holder;          // this replica
    const struct log *log;
    int health_fd; // where the health line goes; -1: nowhere
    bool demo;     // compat.demo: simulators are activated by key presses
    struct bytes
        demo_secret; // compat.totp_secret_file: what the demo enrols its user with; none: nobody
    int poll_ms;     // between two looks at an idle signer; 0: 2 s
    int lease_ms;    // how long a conversation is reserved if nobody keeps it; 0: 30 s
    // Tests: makes the ports. NULL: port_new.
    bool (*make_port)(struct port **out, const struct port_options *options, struct err *err);
};
MUST_CHECK bool fleet_new(struct fleet **out, const struct fleet_options *options, struct err *err);
void fleet_free(struct fleet *fleet); // waits for conversations that run, at most 5 s

// What is known of a signer, as a value.
struct fleet_signer {
    char id[ID_SIZE], name[17];
    unsigned number;
    uint8_t xfp[4];
    bool enabled, reachable, active, ready; // ready: read back as B3 asks
    const char *state;                      // of D8's lifecycle
    uint64_t approvals, refusals;
    char last_refusal[201], tag[16];
    struct sats budget_auto, budget_surge; // left, as D9 counts
    struct sats max_auto, max_surge;
    uint64_t max_psbt, max_inputs;
    int64_t seen_us, window_ends_us;
    char policy_hash[65];
    bool drift;
    char why[201]; // it is not ready; for people
};
// Those of a wallet (NULL: all), by number. Returns how many.
size_t fleet_view(const struct fleet *fleet, const char *wallet_id,
                  struct fleet_signer out[static SIGNERS_MAX]);
// Changes with every change of any of them: for waiting viewers.
uint64_t fleet_version(const struct fleet *fleet);

// The signers for a spend, best first, then the possible substitutes: *n of them, by D9.
// need: how many must be asked yet; the wallet's k at first, fewer when some have signed already.
// exclude: ids of those that were asked and cannot be again.
// Fails: CODE_QUORUM_LOST when fewer than `need` are ready; CODE_VELOCITY_EXCEEDED when fewer than `need` ready
//        ones have the budget; CODE_SURGE_REQUIRED when the surge tier would do.
MUST_CHECK bool fleet_choose(struct fleet *fleet, const char *wallet_id, size_t need,
                             struct sats amount, enum tier tier, const char (*exclude)[ID_SIZE],
                             size_t n_exclude, struct fleet_signer out[static SIGNERS_MAX],
                             size_t *n, struct err *err);

// What preflight has to know of that signer, its whitelist included; what it points to lies in the arena.
// False: it is no signer of ours.
MUST_CHECK bool fleet_limits(struct fleet *fleet, const char *signer_id, const char *wallet_id,
                             enum tier tier, struct signer_limits *out, struct arena *arena);

// What a person gave for the surge tier. Wiped by whoever holds it.
struct fleet_auth {
    char user[33];
    char code[65];    // six digits, or the opaque value
    uint32_t counter; // 0: of the time
    bool given;
};

enum fleet_outcome {
    FLEET_SIGNED,
    FLEET_REFUSED, // with tag and text
    FLEET_BUSY,    // nothing was begun
    FLEET_TIMEOUT, // it may have signed
    FLEET_GONE,    // likewise
    FLEET_UNSENT,  // could not be reached: nothing was begun
};
struct fleet_answer {
    enum fleet_outcome outcome;
    struct bytes psbt; // as returned, unchecked; in the arena
    char tag[16];
    char text[201]; // escaped
};
// Takes the lease, relays the code if one is given, asks, waits. The caller has committed the `asked` row.
// spend: what the caller holds; if that is another's by then, nothing is asked, as whoever has it asks. NULL: none.
void fleet_sign(struct fleet *fleet, const char *signer_id, struct bytes psbt,
                const struct spend *spend, const struct fleet_auth *auth, struct fleet_answer *out,
                struct arena *arena);

struct fleet_message {
    bool ok;
    char address[91], signature[100];
    char tag[16], text[201];
};
void fleet_sign_message(struct fleet *fleet, const char *signer_id, struct bytes text,
                        const char *path, struct fleet_message *out);

// Orders of an operator; each is audited by the caller and carried out by the signer's thread.
// FLEET_REBOOT: a restart, after which it gets the policy that is published now.
// Fails: CODE_NOT_FOUND; CODE_BAD_REQUEST where this replica cannot (no section, no restart_command, a command
//        signer); CODE_CONFLICT when fewer than k others would stay ready.
enum fleet_order { FLEET_ENABLE, FLEET_DISABLE, FLEET_HEAL, FLEET_REBOOT };
MUST_CHECK bool fleet_order(struct fleet *fleet, const char *signer_id, enum fleet_order order,
                            struct err *err);

// Tells the fleet that the ledger's signers, policies or destinations have changed.
void fleet_reload(struct fleet *fleet);

#endif
