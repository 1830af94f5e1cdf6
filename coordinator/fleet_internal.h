// coordinator/fleet_internal.h -- the fleet's own: a member for each signer, its thread and its queue. For
// fleet*.c alone.
//
// (1) `lock` guards everything that two threads look at: views, queues, what is known of a signer. Nobody holds
//     it while talking to a device or to the store.
// (2) A member's port, its store and `known` belong to its thread; others read `known` under the lock, under
//     which alone the thread replaces it.
#ifndef CASEMATE_COORDINATOR_FLEET_INTERNAL_H
#define CASEMATE_COORDINATOR_FLEET_INTERNAL_H
#include "coordinator/fleet.h"
#include "coordinator/fleet_store.h"
#include <pthread.h>

#define FLEET_POLL_MS         2000  // "every 2 s"
#define FLEET_COMMAND_POLL_MS 30000 // of a program that is started each time
#define FLEET_QUEUE_MS        10000 // how long a request waits for its turn
#define FLEET_COOL_MS         10000 // not chosen again after it did not answer
#define FLEET_STOP_MS         5000
#define FLEET_STATUS_US       ((int64_t)10000000) // the store hears of an unchanged status that often
#define FLEET_LEASE_MS        5000 // how long a request waits for another replica's conversation
#define FLEET_HOLD_MS         30000 // a lease, which is kept while the conversation lasts: as of a spend

enum job_kind { JOB_SIGN, JOB_MESSAGE };
// On the stack of who waits for it.
struct fleet_job {
    enum job_kind kind;
    bool started, finished;
    struct fleet_job *next;
    // JOB_SIGN
    struct bytes psbt;
    const struct spend *spend; // that the caller holds; NULL: none
    const struct fleet_auth *auth;
    struct fleet_answer *answer;
    struct arena *arena;
    // JOB_MESSAGE
    struct bytes text;
    const char *path;
    struct fleet_message *message;
};

struct member {
    struct fleet *fleet;
    const struct port_options *section; // how this replica reaches it; NULL: it does not
    pthread_t thread;
    bool has_thread;
    pthread_cond_t wake;
    int cancel_fd; // of the conversation that runs: a timer (fleet_lease.c)

    // Guarded:
    struct known_signer *known; // NULL: not in the ledger yet
    struct known_signer *next_known;
    struct fleet_job *first, *last; // that wait
    struct fleet_job *running;
    bool wants_heal, wants_reboot, wants_enabled;
    struct fleet_signer view;
    struct sats value; // signed in the last period, by the ledger
    int64_t last_us;   // when
    bool leased;       // by another replica, when it was last wanted
    bool talks;        // under a lease of ours, which is kept
    uint64_t talk;     // which of its conversations that is
    bool is_cut_off;   // for good: the fleet stops
    const struct device_rules
        *rules; // of `known`: of the version that it runs; NULL: of none of ours
    int64_t cool_until_ms;

    // The thread's:
    struct db *db;
    struct port *port;
    struct port_hello hello;
    bool has_hello;
    struct port_status status;
    int64_t status_ms, stored_ms; // when it was read; written
    bool reachable, wallets_present;
    bool wallets_known;              // each wallet was read back since it became active
    char trouble[REFUSAL_TEXT_SIZE]; // why the last look failed
    int64_t
        assumed_until_ms; // a restart with boot-to-HSM, which tells no budgets: all is spent until
    char state[16];       // as the ledger has it
    int64_t next_poll_ms, rollout_ms; // when it is tried again
};

struct fleet {
    struct fleet_options options;
    pthread_mutex_t lock, usb;
    pthread_cond_t changed; // of a view, a job, or the whole
    bool stop, reload;
    uint64_t version;
    size_t n;
    struct member *members[CONFIG_SIGNERS];
    pthread_t watcher; // reads the ledger's side anew, and writes the health line
    pthread_t keeper;  // keeps the leases of conversations
    bool has_watcher, has_keeper;
};

// --- fleet.c ---
// Under the lock. NULL: there is no room.
struct member *fleet_add_member(struct fleet *fleet, const char *name,
                                const struct port_options *section);

// --- fleet_member.c ---
void *member_thread(void *argument);

// One conversation: takes the lease, and keeps it until member_end. False: somebody else has it, or the store is away.
MUST_CHECK bool member_begin(struct member *m, struct err *err);
void member_end(struct member *m);
// Reads what it says of itself, and from that what it is. Within a conversation. False: it could not be read.
bool member_look(struct member *m);

// --- fleet_lease.c ---
// What becomes readable when a conversation is to end. -1: none can be had.
int member_timer_new(void);
// Now, and all that follow. Under the lock.
void member_cut_off(struct member *m);
// Fails: ERR_BUSY when another replica has it.
MUST_CHECK bool member_take_lease(struct member *m, struct err *err);
void member_end_lease(struct member *m);
void *keeper_thread(void *argument);

// --- fleet_tell.c ---
// Takes over what the ledger says of it now. Under the lock; the member's thread, or nobody's.
void member_adopt(struct member *m);
// The rules of the version of ours that it runs, as the last look has found; NULL: of none.
const struct device_rules *member_runs(const struct member *m);
bool member_is_outdated(const struct member *m); // not the published one
// Publishes what is known now, to viewers and to the ledger.
void member_publish(struct member *m, const char *state, const char *why);

// --- fleet_ask.c ---
void member_run_job(struct member *m, struct fleet_job *job);
// Writes the outcome and why; `finished` is for whoever holds the lock.
void job_tell(struct fleet_job *job, enum fleet_outcome outcome, const struct err *err);

// --- fleet_heal.c ---
// What the last look has found, as a state of D8, and in words why it is not ready ("" when it is).
const char *member_judge(struct member *m, char why[static REFUSAL_TEXT_SIZE]);
// Whether it may be asked in that state: verified, or waiting for its turn.
bool member_is_ready(const struct member *m, const char *state);
// Moves it forward as far as it goes without a person. Within no conversation.
void member_heal(struct member *m, bool ordered);
void member_reboot(struct member *m);
// A version was published, and this signer runs one before it: its turn, if k others stay ready.
void member_roll_out(struct member *m);

// --- fleet_budget.c ---
// Reads the ledger's count of what it signed. Within no lock.
void member_count(struct member *m);
struct candidate member_candidate(const struct member *m, enum tier tier, int64_t now_ms);
bool member_serves(const struct member *m, const char *wallet_id);

// --- fleet_health.c ---
// One line for each wallet, as A5 has it. Under the lock.
void health_write(struct writer *w, const struct fleet *fleet);
void *watcher_thread(void *argument);

#endif
