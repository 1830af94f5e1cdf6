// bench/host.h -- a simulator in a process of its own, armed, and a client that has it sign.
#ifndef CASEMATE_BENCH_HOST_H
#define CASEMATE_BENCH_HOST_H
#include "client/connection.h"
#include <sys/types.h>

enum { HOST_PATH_LEN = 256 };

// The seed of tests/vectors/perf.
#define HOST_PERF_WORDS                                                                            \
    "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon "     \
    "about"

struct host {
    const char *signer; // the program, of a build with the simulator
    const char *folder; // exists; its socket and its store are made there
    const char *words;  // of its seed; NULL: the simulator's own
    bool with_card;     // for the audit log, whose records are made durable besides
    struct connection_trace trace;

    char socket[HOST_PATH_LEN], panel[HOST_PATH_LEN], store[HOST_PATH_LEN];
    pid_t pid;
    struct connection *c;
};

// Starts the signer, on chain XTN, and connects. Whatever fails here ends the process.
void host_start(struct host *h);
// Another client. Close it.
struct connection *host_connect(const struct host *h);
// Before it is armed. The wallet: a descriptor.
void host_set(struct host *h, const char *key, const char *value);
void host_enrol(struct host *h, struct bytes wallet);
void host_arm(struct host *h, const char *policy);
void host_end(struct host *h);

// The whole dialogue of a client: upload, hash, start, ask, first at once, until there is the result,
// download. ask_ms: between two questions. *out lies in the arena. Ends the process where it is not approved.
void host_sign(struct connection *c, struct bytes *out, struct bytes psbt, long ask_ms,
               struct arena *arena);

#endif
