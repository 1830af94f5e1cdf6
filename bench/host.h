// bench/host.h -- a simulator in a process of its own, armed, and a client that has it sign.
#ifndef CASEMATE_BENCH_HOST_H
#define CASEMATE_BENCH_HOST_H
#include "client/connection.h"
#include <sys/types.h>

enum { HOST_PATH_LEN = 256 };

struct host {
    const char *signer; // the program, of a build with the simulator
    const char *folder; // exists; its socket and its store are made there
    struct connection_trace trace;

    char socket[HOST_PATH_LEN], panel[HOST_PATH_LEN], store[HOST_PATH_LEN];
    pid_t pid;
    struct connection *c;
};

// Starts the signer with the seed of tests/vectors/perf on chain XTN, without the audit log's card (whose
// records would be made durable besides), and connects. Whatever fails here ends the process.
void host_start(struct host *h);
// Before it is armed. The wallet: a descriptor.
void host_set(struct host *h, const char *key, const char *value);
void host_enrol(struct host *h, struct bytes wallet);
void host_arm(struct host *h, const char *policy);
void host_end(struct host *h);

// The whole dialogue: upload, hash, start, ask every millisecond, first at once, until there is the
// result, download. *out lies in the arena. Ends the process where it is not approved.
void host_sign(struct host *h, struct bytes *out, struct bytes psbt, struct arena *arena);

#endif
