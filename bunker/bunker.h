// bunker/bunker.h -- the state of casemate-bunker: what its parts share. One loop, one thread.
//
//   main.c      starts and ends it          pages.c     requests for pages and assets
//   login.c     who somebody is             api.c       requests of programs
//   clients.c   open sockets, pushes        actions*.c  what a frame asks for
//   device.c    the device's thread         settings.c  what is kept, sealed
//   link.c      programs on signer links    link_job.c  what they have the device do
#ifndef CASEMATE_BUNKER_BUNKER_H
#define CASEMATE_BUNKER_BUNKER_H
#include "bunker/audit.h"
#include "bunker/config.h"
#include "bunker/feed.h"
#include "bunker/jobs.h"
#include "bunker/link.h"
#include "bunker/onion.h"
#include "bunker/settings.h"
#include "bunker/spent.h"
#include "http/assets.h"
#include "http/captcha.h"
#include "http/password.h"
#include "http/server.h"
#include "http/session.h"
#include "http/throttle.h"

#define FRAME_ARENA     ((size_t)48 << 20) // for one frame in and what it sends out
#define CLIENT_JOBS_MAX 32                 // of one socket: "Too many requests."
#define PUSH_AT_LEAST_S 120
#define KEY_STATUS      1 // of update_status in an outbox

struct bunker;

// What a session has beside being logged in.
struct visitor {
    struct slot *slot; // its own, one that was joined, or the one of everybody
    struct slot *own;  // its own, while it has joined another's; NULL: none
    bool warned;       // of codes on the device that are not ours: the next submit goes on
    bool warned_limit; // of the refusals that are left, likewise
    unsigned checked;  // slot->serial of the PSBT that was looked at, and 1; 0: none
    char theme[THEME_SIZE];
    struct secret *totp;   // of an enrolment that is not confirmed; NULL: none
    struct secret *picked; // an onion key that may be saved; NULL: none
    char handle[ONION_HANDLE_SIZE];
    char captcha[CAPTCHA_SIZE]; // of its login; empty: none, or it was used
};

// An open socket or event stream.
struct client {
    struct bunker *bunker;
    struct http_socket *socket;
    struct session *session;
    struct client *next;
    struct hash256 last; // of the STATUS that was sent
    bool has_last;
    uint64_t id;      // never used again: how jobs find it, if it is still there
    unsigned n_jobs;  // of it that run or wait
    int64_t flood_ms; // begin of the second in which n_messages came
    unsigned n_messages;
};

// Counters for /metrics.
struct metrics {
    uint64_t logins_ok, logins_failed, logins_throttled;
    uint64_t signed_ok, signed_refused, signed_failed, messages_ok, messages_failed, broadcasts_ok,
        broadcasts_failed;
    uint64_t sign_ms, message_ms; // from asking to answering, all together
};

// A policy that waits for approval: "settings are committed only after the device reports active with the
// new policy". Source: bunker.md 11.4, 11.6.
struct pending_policy {
    bool is_set, is_private; // is_private: priv_over_ux, so that nothing is kept
    uint8_t *policy;         // sanitised
    size_t len;
};

struct bunker {
    const struct bunker_config *config;
    const struct assets *assets;
    const struct log *log;
    struct clock clock;
    struct listeners *listeners;
    struct http_server *server;
    struct device *device;
    struct pool *hashers; // one thread: one password hash at a time
    struct pool *senders; // broadcasts
    struct sessions sessions;
    struct throttle throttle;
    struct settings settings;
    struct audit audit;
    struct spending spending;
    struct onion onion;
    struct metrics metrics;
    struct feed *feed;
    struct client *clients;
    struct links links;
    uint64_t last_client;
    struct slot *shared;        // slot_mode = shared, else NULL
    struct arena *status_arena; // of `hsm`
    const struct json *hsm;     // the device's status, parsed; NULL: none
    bool setup_mode;
    bool logs_out_all;    // at the next tick: whoever asked for it gets an answer first
    bool stops;           // likewise
    bool asked_locker;    // once per process and device
    bool other_device;    // than settings.pin
    int64_t trapped_s[2]; // when a scanner was last written down: /admin, *.php
    struct pending_policy pending;
    struct secret *pending_key; // of a policy that waits for approval; NULL: none
    int64_t polled_ms, pushed_s;
    int64_t watchdog_ms, fed_ms; // systemd's; 0: nobody watches
    bool push_due;               // the device has changed, and not everybody has been told
    struct bytes preload;        // of -f
};

int64_t bunker_now_s(const struct bunker *b);
int64_t bunker_now_ms(const struct bunker *b);

// The role of a session is held down by its listener.
enum role bunker_listener_role(const struct bunker *b, const struct listener *l);

struct slot *session_slot(struct bunker *b, struct session *session);
struct visitor *session_visitor(struct bunker *b, struct session *session);

// --- actions_policy.c ---

void pending_policy_drop(struct bunker *b);
void pending_policy_follow(struct bunker *b, const struct device_report *before,
                           const struct device_report *now);

// --- actions_slot.c ---

// Why this session may not change the PSBT, or give a code for that row; NULL: it may.
const char *slot_why_not_load(struct bunker *b, struct session *session);
const char *slot_why_not_offer(struct bunker *b, struct session *session, size_t index);

// The session's place in its slots is free: codes that it gave go, and slots that nobody is in any more.
void slot_release_all(struct bunker *b, struct session *session);

// --- actions_account.c ---

// Another device than the one that was there first is connected, or was: nothing is asked of it until an
// admin confirms it. Source: bunker.md 15.
void device_check_pin(struct bunker *b);
#define OTHER_DEVICE                                                                               \
    "Another device is connected than the one that was here first. An admin must confirm it."

// "Admin-only actions ask for the second factor again if older than 10 minutes" (factor_time).
bool account_needs_factor(struct bunker *b, const struct session *session);

const char *account_theme(struct bunker *b, struct session *session); // empty: none was chosen

// Puts the master password of the reference's settings file into the account, hashed.
void account_take_reference(struct bunker *b);

// --- clients.c ---

// Functions of struct http_app; `context` is the bunker.
unsigned clients_upgrade(void *context, const struct http_request *request, struct bytes *location);
void clients_opened(void *context, struct http_socket *socket, const struct http_request *request);
void clients_message(void *context, struct http_socket *socket, struct bytes text);
void clients_too_large(void *context, struct http_socket *socket, struct bytes start);
void clients_closed(void *context, struct http_socket *socket);

// Adds a stream; see http_reply_stream.
void clients_add_stream(struct bunker *b, struct session *session, struct http_exchange *exchange);

// Sends the state to all whose state has changed: after something that concerns everybody.
void clients_push(struct bunker *b);

// The same to those that look at this slot; to `always` (may be NULL) in any case. What one session does
// costs no work for the others'.
void clients_push_slot(struct bunker *b, const struct slot *slot, struct client *always);

// The client of that id, or NULL: it has gone.
struct client *clients_find(const struct bunker *b, uint64_t id);
void clients_close_session(struct bunker *b, const struct session *session);
bool clients_any_watch(const struct bunker *b);

// --- status.c ---

// STATUS (bunker.md 8). now_s 0 leaves out what changes by itself with time, for comparing.
void status_write(struct json_writer *j, struct bunker *b, struct session *session, int64_t now_s);

// --- actions.c ---

#define FLOOD_MAX 400 // messages in a second, past which a socket is closed

void actions_run(struct bunker *b, struct client *c, struct bytes text);

// The session is about to end: its slot goes, at the latest with the job that holds it.
void bunker_session_ended(void *context, struct session *session);

// --- requests ---

size_t pages_body_limit(void *context, const struct http_request *request);
void pages_request(void *context, struct http_exchange *exchange,
                   const struct http_request *request);

// --- device ---

// Asks for a new status unless a job is on its way already.
void bunker_poll(struct bunker *b);

// Loads the stored settings with the device's locker, once, if that can be.
void bunker_ask_locker(struct bunker *b);

#endif
