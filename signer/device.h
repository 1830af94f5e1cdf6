// signer/device.h -- the signer's state, and the few changes of it: locked, unlocked, HSM mode.
//
// (1) There is no wire socket while it is locked (wire-protocol.md 1.2.3).
// (2) What limits a later spend is in the store before a signature leaves (hsm.h).
// (3) The master key is readable only inside device_open_master and device_close_master.
// Source: wire-protocol.md 5; design.md "A signer on its host".
#ifndef CASEMATE_SIGNER_DEVICE_H
#define CASEMATE_SIGNER_DEVICE_H
#include "base/log.h"
#include "bitcoin/keycache.h"
#include "bitcoin/multisig.h"
#include "policy/users.h"
#include "signer/audit.h"
#include "signer/config.h"
#include "signer/hsm.h"
#include "signer/journal.h"
#include "signer/loop.h"
#include "signer/peer.h"
#include "signer/screen.h"
#include "signer/vault.h"

#define DEVICE_STOP_MS 500 // `logo` and `rebo` act that long after their reply
#define DEVICE_ENOUGH_MS                                                                           \
    250 // as does the end after the last refusal, and after 4.5's unknown command

enum device_state {
    DEVICE_LOCKED,
    DEVICE_OFFER, // unlocked, the stored policy is on the screen, no wire socket yet
    DEVICE_NORMAL,
    DEVICE_HSM,
    DEVICE_STOPPED,
};

// What the rest of the process does when the device's state changes.
struct device_host {
    void *context;
    // The wire may be served from now on. False stops the device: *err goes to the log.
    bool (*open_wire)(void *context, struct err *err);
    void (*close_wire)(void *context);
    // Unlocks without a PIN prompt (simulator, PIN file). False: ask on the panel.
    bool (*unlock)(void *context);
    // The device has ended; the process may, too.
    void (*stopped)(void *context);
};

struct device {
    // Given, borrowed, alive as long as the device.
    struct loop *loop;
    struct clock *clock;
    const struct log *log;
    struct store *store;
    struct worker *worker; // NULL: all work is done at once
    const char *name;
    bool simulator;
    struct device_host host;

    struct config config;
    struct vault vault;
    struct screen screen;
    struct peers peers;
    enum device_state state;

    // While unlocked.
    struct secret *container; // signer/master.h
    struct secret *master;    // struct hdkey
    bool has_passphrase; // that a host gave: `master` is not the container's until it is locked
    struct secret *journal_key; // struct schnorr_key: of the container's master, whatever is in use
    bool has_seed;
    struct keycache *keys; // of the master; NULL without a seed
    struct hdpub master_pub;
    bool pin_was_typed; // a person started it, rather than a file or the simulator
    struct xfp xfp;
    struct secret *users;      // struct user_list
    struct ms_wallets wallets; // registered, in order; they live in:
    struct arena *wallets_arena;
    bool hsm_commands;          // the switch of 5.3
    bool bound;                 // link version 2 is in force
    struct job job;             // outside HSM mode
    struct sign_work *work;     // of some job, or NULL
    uint64_t last_order;        // of jobs
    struct hsm *hsm;            // in HSM mode
    struct audit_list *records; // of the batch, to be waited for together; NULL: each by itself

    struct journal_state journal;

    struct blob panel_text; // what a panel was last shown (panel_backend.c)
    char period_left[16];

    int64_t last_request_ms; // of a host or a panel, monotonic: for idling
    uint64_t idle_timer, stop_timer, blind_timer;
    bool is_blinded; // since the last request that signed
    bool restart;    // after the stop: lock rather than end
    bool job_queued; // a run of device_run_jobs is on its way
};

// Users as they are stored, in guarded memory.
struct user_list {
    size_t n;
    struct user items[USERS_MAX];
};

struct device_options {
    struct loop *loop;
    struct clock *clock;
    const struct log *log;
    struct store *store;
    struct worker *worker; // may be NULL
    const char *name;
    bool simulator;
    struct config config;
    struct device_host host;
};

// The store is open and locked. Fails: as vault_init.
MUST_CHECK bool device_init(struct device *device, const struct device_options *options,
                            struct err *err);
void device_free(struct device *device); // wipes; the store stays the caller's

const struct chain *device_chain(const struct device *device);

// --- Locking ---

// Begins: locked, asking for the PIN unless the host unlocks.
void device_start(struct device *device);

// One try with a PIN. On success goes on to the offer, HSM mode or normal mode.
// Fails: as vault_unlock, and what loading the store's content says.
MUST_CHECK bool device_unlock(struct device *device, struct bytes pin, struct err *err);

// Forgets every secret, closes the wire, asks for the PIN again.
void device_lock(struct device *device);

// In `ms`: ends (`restart` false) or locks.
void device_stop_in(struct device *device, int64_t ms, bool restart);
void device_stop(struct device *device);

// Reads users, wallets and seed anew: after unlocking and the simulator's reset.
MUST_CHECK bool device_load(struct device *device, struct err *err);

// Where unlocking leads: the offer of a stored policy, or normal mode. Source: policy.md 8.3.
void device_after_unlock(struct device *device);

// Opens the wire if it is closed, in normal mode or HSM mode.
void device_enter(struct device *device, enum device_state state);

// --- Secrets ---

// The master node, readable until device_close_master. NULL without a seed.
const struct hdkey *device_open_master(const struct device *device);
void device_close_master(const struct device *device);
const struct user_list *device_open_users(const struct device *device);
struct user_list *device_edit_users(struct device *device);
void device_close_users(const struct device *device);

// Another master in the place of the one in use, until it is locked: wire-protocol.md 8.9, `pass`.
void device_use_passphrase(struct device *device, const struct hdkey *master);

// The public node at a path. Fails: ERR_STATE "Assertion no seed"; as hdkey_derive.
MUST_CHECK bool device_public_node(const struct device *device, struct hdpub *out,
                                   const struct keypath *path, struct err *err);

// What analysis may know of the signer. Borrows from the device.
struct signer_view;
void device_view(const struct device *device, struct signer_view *out);

// The names that a policy may use, in the arena.
MUST_CHECK bool device_world(const struct device *device, struct policy_world *out,
                             struct arena *arena, struct err *err);

// --- Jobs: device_jobs.c ---

// The job that a command of this peer starts or asks after.
struct job *device_job(struct device *device, struct peer *peer);

// Makes room for a new job, taking down the dialog of the one before.
void device_discard_job(struct device *device);

// Blinds the curve library before a request's signatures with bytes that none before it had. As a rule
// that was done ahead, when there was nothing else to do.
void device_blind(struct device *device);

// Has sign_tx.c and sign_message.c work on jobs that wait for their turn, from the loop.
void device_queue_jobs(struct device *device);

#endif
