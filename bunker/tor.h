// bunker/tor.h -- the connection to a Tor daemon: a thread that keeps one onion service published.
//
// (1) The service lives as long as the control connection: when that ends, it is opened again after 1, 2,
//     4 ... 30 s, and the service is added again.
// (2) What is not answered within TOR_REPLY_MS is a dead connection; an idle one is probed.
// (3) The service's key goes only to a daemon whose socket or cookie belongs to root, to us, or to `user`;
//     to another one only where the configuration names it.
// (4) What is known is a report, copied to the loop; nothing is shared.
// Source: bunker.md 14.
#ifndef CASEMATE_BUNKER_TOR_H
#define CASEMATE_BUNKER_TOR_H
#include "bunker/tor_control.h"
#include "http/pool.h"

#define TOR_REPLY_MS 30000
#define TOR_PROBE_MS 60000
#define TOR_PAUSE_S  30 // longest between two attempts
#define TOR_AUTO     "auto"

enum tor_state {
    TOR_STATE_AWAY,      // no daemon answers
    TOR_STATE_GOOD,      // one does, and publishes nothing
    TOR_STATE_ADDED,     // it has the service; the network may not know of it yet
    TOR_STATE_PUBLISHED, // at least one directory has its descriptor
};
const char *tor_state_name(enum tor_state state); // "published"

struct tor_report {
    enum tor_state state;
    char version[32];
    char address[ONION_ADDR_LEN + 1]; // of the service that is added; empty: none
    unsigned uploads, uploaded, failed;
    char why[200]; // of TOR_STATE_AWAY
};

struct tor_options {
    const char *control;     // TOR_AUTO, "unix:/path" or "127.0.0.1:9051"
    const char *user;        // who may own the daemon's files beside root and us; NULL: nobody
    struct secret *password; // NULL: none; borrowed
    const char *target;      // "unix:/path", where visitors are sent; borrowed
    struct pool_loop loop;
    void (*changed)(void *context); // on the loop: ask tor_look
    void *context;
};

struct tor;
// Fails: ERR_USAGE "[tor] control: <what>".
MUST_CHECK bool tor_new(struct tor **out, const struct tor_options *options, struct err *err);
void tor_free(struct tor *tor); // NULL is fine

// What is to be published from now on: the key is copied; NULL: nothing. address: that of the key.
void tor_want(struct tor *tor, const struct secret *key, const char *address,
              const char (*clients)[TOR_CLIENT_SIZE], size_t n_clients);

// What is known now.
void tor_look(struct tor *tor, struct tor_report *out);

#endif
