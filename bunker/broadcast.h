// bunker/broadcast.h -- hands a signed transaction to the network: an Esplora server or a node.
//
// Runs on a worker. Source: bunker.md 9.6.
#ifndef CASEMATE_BUNKER_BROADCAST_H
#define CASEMATE_BUNKER_BROADCAST_H
#include "bunker/config.h"

#define BROADCAST_TRIES     3
#define BROADCAST_TIMEOUT_S 60
#define BROADCAST_REPLY_MAX 65536

struct broadcast_job {
    const struct bunker_config *config;
    char *hex; // the transaction
    char expected[65];
    bool mainnet;
    bool ok;          // result
    char txid[65];    //
    char reason[300]; // when not ok
};
void broadcast_job_init(struct broadcast_job *job, const struct bunker_config *config,
                        struct bytes transaction, const char *txid, bool mainnet);
void broadcast_job_wipe(struct broadcast_job *job);

// Once in main.
void broadcast_init(void);

// Tries up to three times, each in a circuit of its own; "already known" is success.
void broadcast_run(struct broadcast_job *job);

// What a server's text says is wrong: `sendrawtransaction RPC error: {"code":-22,"message":"TX decode
// failed"}` is "TX decode failed". Control characters become blanks.
void broadcast_reason(struct writer *w, struct bytes reply);

// Whether the text says that the network has the transaction already.
bool broadcast_is_known(struct bytes reply);

#endif
