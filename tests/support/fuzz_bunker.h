// tests/support/fuzz_bunker.h -- a bunker without sockets, threads, files or a device, for fuzz targets.
//
// It takes the place of http/'s server and pool: what would be sent is looked at and counted, and jobs run
// at once, on the caller's thread. Passwords are not hashed, nothing is broadcast, and a job of the device
// finds none; but the bunker has seen one in HSM mode, so every action gets as far as its job.
#ifndef CASEMATE_TESTS_SUPPORT_FUZZ_BUNKER_H
#define CASEMATE_TESTS_SUPPORT_FUZZ_BUNKER_H
#include "bunker/bunker.h"

#define FUZZ_CSRF     "CCCCCCCCCCCCCCCCCCCCCCCC" // of every session
#define FUZZ_SESSIONS 3

enum { FUZZ_ADMIN, FUZZ_OPERATOR, FUZZ_VIEWER };

struct fuzz_bunker {
    struct bunker b;
    struct bunker_config config;
    struct listeners listeners; // 0: no login; 1: passwords
    struct log log;
    struct session *sessions[FUZZ_SESSIONS];
    char ids[FUZZ_SESSIONS][SESSION_ID_SIZE];
};
struct fuzz_bunker *fuzz_bunker_new(void);
void fuzz_bunker_free(struct fuzz_bunker *f);

// Runs what jobs have left for the loop; the device is then there again.
void fuzz_bunker_settle(struct fuzz_bunker *f);

// --- Sockets ---

struct fuzz_socket {
    unsigned n_frames, n_files; // sent; with a local_download among them
    unsigned closed;            // code; 0: open
};
struct http_socket *fuzz_socket_open(struct fuzz_bunker *f, size_t session);
const struct fuzz_socket *fuzz_socket_seen(const struct http_socket *socket);
// The connection has gone.
void fuzz_socket_free(struct fuzz_bunker *f, struct http_socket *socket);

// --- Requests ---

// Hands it over; returns how often it was replied to, and with what status last. Each reply's head is
// checked: whole lines, and no text of the request ends one early.
unsigned fuzz_request(struct fuzz_bunker *f, const struct http_request *request, unsigned *status);

#endif
