// coordinator/engine.h -- all threads that move money, started and stopped together: signers, nodes, spend
// workers. serve has them behind its API; recover and dry-run have them alone.
//
// Source: coordinator.md D14; design.md "Threads".
#ifndef CASEMATE_COORDINATOR_ENGINE_H
#define CASEMATE_COORDINATOR_ENGINE_H
#include "coordinator/board.h"
#include "coordinator/config.h"
#include "coordinator/fleet.h"
#include "coordinator/reconcile.h"
#include "coordinator/surge_codes.h"
#include "coordinator/treasury.h"
#include "coordinator/workers.h"

struct engine {
    const struct coordinator_config *config;
    const struct log *log;
    struct clock clock;
    struct db_options store;
    char holder[HOLDER_SIZE];
    char network[16]; // of its wallets; empty: there are none
    struct db_lock lock;
    struct treasury *treasury;
    struct board *board;
    struct surge_codes *codes;
    struct fleet *fleet;
    struct reconcile *reconcile; // NULL: no node or wallet
    struct workers *workers;     // likewise
    struct node_options nodes[CONFIG_NODES];
    struct rpc_server servers[CONFIG_NODES];
    struct port_options ports[CONFIG_SIGNERS];
    struct secret *demo_secret;
};

// Where the ledger is. The text of *uri, if one is made, lies in the arena.
MUST_CHECK bool engine_store(struct db_options *out, const struct coordinator_config *config,
                             struct arena *arena, struct err *err);

// Opens the ledger as `serve` does (D14 "Schema"), checks the audit chain and the demo's rule, and makes what
// needs no thread.
MUST_CHECK bool engine_open(struct engine *e, const struct coordinator_config *config,
                            const struct log *log, struct arena *arena, struct err *err);
// Starts the threads. health_fd: where the health line goes; -1: nowhere. works: with spend workers.
MUST_CHECK bool engine_start(struct engine *e, int health_fd, bool works, struct err *err);
// D14 "Stop": no new spends, wait_s for those not past `signed`.
void engine_stop(struct engine *e, unsigned wait_s);
void engine_close(struct engine *e);

// The oldest sign of life of the threads, in milliseconds of the monotonic clock.
int64_t engine_alive_ms(const struct engine *e);
void engine_wake(void *engine); // there may be work

#endif
