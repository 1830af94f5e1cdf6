// coordinator/workers.h -- the threads that carry spends on, one that keeps what they hold, and one that does what comes
// round.
//
// A spend's lease is short (spend.h), and a signer may take minutes: one thread with a connection of its own renews the
// leases of spends whose worker waits. It stops when the worker has not moved for longer than a signer may take, and
// with the process: then another replica takes the spend over.
// Source: coordinator.md D3, D4, D12; design.md "Threads".
#ifndef CASEMATE_COORDINATOR_WORKERS_H
#define CASEMATE_COORDINATOR_WORKERS_H
#include "coordinator/refill_sources.h"
#include "coordinator/spend.h"

#define WORKERS_MAX     16
// For so long a worker may be with one signer: its queue, the looks before and after, a conversation at the longest.
#define WORKERS_AWAY_MS 200000

struct workers;

struct workers_options {
    const struct db_options *db;      // each thread opens its own connection
    const struct node_options *nodes; // each thread its own
    const struct rpc_server *servers; // of the same nodes, for the sources of refills
    size_t n_nodes;
    struct fleet *fleet;
    struct treasury *treasury;
    struct surge_codes *codes;
    const char *holder; // this replica
    const struct log *log;
    unsigned n_threads;      // 1 to WORKERS_MAX
    unsigned refill_every_s; // 0: this replica makes no refills
    bool refill_private;     // their HTTPS sources may be at private addresses
};

// All that is given is borrowed until workers_free. Fails: as db_open and node_new.
MUST_CHECK bool workers_new(struct workers **out, const struct workers_options *options,
                            struct err *err);

// There may be work: a spend was submitted, approved, cancelled, or a block came. Any thread.
void workers_wake(struct workers *workers);

// Takes no new spends, and waits for those that run: at most wait_s. D14 "Stop".
void workers_stop(struct workers *workers, unsigned wait_s);
void workers_free(struct workers *workers); // stops; NULL is fine

// When each thread last came round, or went to another signer, in milliseconds of the monotonic clock: the oldest of
// them. For the watchdog: a thread that hangs in a call without end is no longer of use.
int64_t workers_alive_ms(const struct workers *workers);

#endif
