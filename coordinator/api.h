// coordinator/api.h -- a request's way through the coordinator: who asks, whether they may, the answer.
//
// (1) On the loop a request is only put into the pool's queue; a handler runs on a thread of the pool, with a
//     connection of its own to the ledger, and may wait.
// (2) Rights are checked twice: for any wallet at all before the handler runs, for the wallet in question by the
//     handler. What is not allowed is told like what does not exist, where its existence tells something.
// (3) A changing request of a browser is of our own pages: same origin, with the session's CSRF token.
// (4) What goes out on failure is a stable code and a sentence of ours; details go to the log, under the
//     request's id.
// Source: coordinator.md D10, D11, D15; C4, C24, C26, C28.
#ifndef CASEMATE_COORDINATOR_API_H
#define CASEMATE_COORDINATOR_API_H
#include "coordinator/auth.h"
#include "coordinator/board.h"
#include "coordinator/config.h"
#include "coordinator/fleet.h"
#include "coordinator/stream.h"
#include "coordinator/surge_codes.h"
#include "coordinator/treasury.h"
#include "http/assets.h"
#include "http/pool.h"
#include "http/server.h"
#include "http/throttle.h"
#include <stdatomic.h>

#define API_BODY_MAX    ((size_t)1 << 20)
#define API_ARENA       ((size_t)64 << 20)
#define API_QUEUE_MAX   256 // requests that wait for a thread; more are told to come later
#define API_SEGMENTS    4   // "*" of a route
#define API_PAGE_MAX    500 // items of one page of a list
#define API_PAGE        50  // unless the request says otherwise
#define API_CONNECTIONS 16

// Counters for /metrics.
struct api_counters {
    atomic_uint_fast64_t requests, refused, failed, logins, logins_failed;
};

// What all requests share. Filled in by main; see api_init.
struct api {
    const struct coordinator_config *config;
    struct listeners *listeners;
    const struct log *log;
    const struct clock *clock;
    const struct assets *assets;
    const struct db_options *store;
    struct http_server *server;
    struct pool *pool;
    struct treasury *treasury;
    struct fleet *fleet; // NULL: none (tests)
    struct surge_codes *codes;
    struct board *board;
    struct streams *streams;
    const char *holder;
    void (*wake)(void *context); // there is work for the spend workers; NULL: nobody
    void *wake_context;
    void *owner;       // the program's: of http_app's tick
    atomic_bool stops; // no new spends
    atomic_uint slow;  // requests that wait for a node or signers; see call_slow
    struct api_counters counters;

    pthread_mutex_t lock;             // of what follows
    struct db *idle[API_CONNECTIONS]; // connections that nobody uses
    size_t n_idle;
    struct throttle throttle; // of sign-ins
    struct api_bucket {       // of changing requests, by principal
        char who[ID_SIZE];
        int64_t tokens, filled_ms;
    } buckets[64];
};
void api_init(struct api *api); // the lock
void api_wipe(struct api *api); // closes the connections

// A connection for a while. Fails: CODE_LEDGER_UNAVAILABLE.
MUST_CHECK bool api_take_db(struct api *api, struct db **out, struct err *err);
void api_give_db(struct api *api, struct db *db); // NULL is fine

enum caller_kind {
    CALLER_NOBODY,
    CALLER_SESSION,
    CALLER_TOKEN,
    CALLER_CERTIFICATE,
    CALLER_DEMO, // compat.demo: anybody
};
struct caller {
    enum caller_kind kind;
    struct person person;        // not of NOBODY and DEMO
    unsigned scopes;             // roles that count
    struct auth_session session; // of SESSION
};

// One request on a thread of the pool.
struct call {
    struct api *api;
    struct http_exchange *exchange;
    const struct http_request *request;
    struct arena *arena;
    struct db *db;
    struct caller caller;
    struct actor actor; // who it is for the audit: a principal's id or "anonymous"; the listener
    char id[ID_SIZE];   // of the request
    char spend_id[ID_SIZE]; // that it is about; empty: none
    struct bytes segments[API_SEGMENTS];
    const struct json *body; // of a JSON request; NULL: none
    bool seed;               // a route of the seed
    struct http_reply reply;
    bool slow;               // counts among api.slow
    struct stream_plan plan; // kind STREAM_NONE: the reply is the answer
    char cookie[256];        // that is set; empty: none
};

enum route_flags {
    ROUTE_PUBLIC = 1,     // needs nobody signed in
    ROUTE_CHANGES = 2,    // CSRF and origin rules, rate limit
    ROUTE_JSON = 4,       // the body is one JSON object
    ROUTE_SEED = 8,       // under / and /api/; errors as the seed tells them
    ROUTE_GET_TOO = 16,   // seed: GET with compat.get
    ROUTE_STREAM = 32,    // seed: what is refused is told as frames
    ROUTE_NO_LEDGER = 64, // answers with the ledger away, and without asking who it is for
    ROUTE_RAW = 128,      // the handler reads the body itself
};
struct route {
    enum http_method method;
    const char *path; // "*" is one segment
    unsigned roles;   // one of which is needed for some wallet; 0: whoever is signed in
    unsigned flags;
    bool (*run)(struct call *c, struct err *err);
};

// Functions of struct http_app; the context is the struct api.
size_t api_body_limit(void *context, const struct http_request *request);
void api_request(void *context, struct http_exchange *exchange, const struct http_request *request);
unsigned api_upgrade(void *context, const struct http_request *request, struct bytes *location);
void api_closed(void *context, struct http_socket *socket);

// --- For handlers ---

int64_t call_now_us(const struct call *c); // of this host: for texts, not for windows

// The caller's roles for a wallet: those granted, cut down to the token's scopes; in demo all.
unsigned call_roles(const struct call *c, const char *wallet_id);
// Fails: CODE_NOT_FOUND when the caller may not even look, else CODE_FORBIDDEN.
MUST_CHECK bool call_may(const struct call *c, const char *wallet_id, unsigned roles,
                         struct err *err);

// The wallet that the request names, by name or id; no text: the only one that the caller may see.
// Fails: CODE_NOT_FOUND, CODE_BAD_REQUEST.
MUST_CHECK bool call_wallet(const struct call *c, struct treasury_wallet *out, struct bytes name,
                            unsigned roles, struct err *err);

// What a list may show that is not of one wallet by itself: of all (*wallet_id empty) for who has one of the roles for
// every wallet and names none, else of one wallet. Fails: as call_wallet.
MUST_CHECK bool call_scope(const struct call *c, char wallet_id[static ID_SIZE], unsigned roles,
                           struct err *err);

// A parameter of query or form; empty counts as absent, of a repeated one the first counts.
struct bytes call_parameter(const struct call *c, const char *name);

// Members of the body. An absent member keeps *out. Fail: CODE_BAD_REQUEST "<name>: <what>".
MUST_CHECK bool call_text(const struct call *c, const char *name, size_t max, struct bytes *out,
                          struct err *err);
MUST_CHECK bool call_sats(const struct json *object, const char *name, struct sats *out,
                          struct err *err);
MUST_CHECK bool call_only(const struct json *object, const char *const *names, size_t n,
                          struct err *err); // no other member

// Before a node or a signer is waited for: half of the threads may, so that nobody's looking keeps others from
// freezing a wallet. Fails: CODE_RATE_LIMITED.
MUST_CHECK bool call_slow(struct call *c, struct err *err);

// Answers with JSON that lives in the call's arena.
struct json_writer call_json(struct call *c, struct writer *w);
void call_reply(struct call *c, unsigned status, const struct writer *w);
// {"<name>": [...]}, 200: the items are written between the two.
struct json_writer call_list(struct call *c, struct writer *w, const char *name);
void call_list_end(struct call *c, struct json_writer *j, const struct writer *w);
void call_cookie(struct call *c, const char *name, const char *value, int64_t max_age_s);

// --- Handlers, by file ---

extern const struct route api_routes[], compat_routes[], page_routes[];
extern const size_t n_api_routes, n_compat_routes, n_page_routes;

#endif
