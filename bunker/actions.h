// bunker/actions.h -- one row per action, and reading its arguments. Source: bunker.md 6.
#ifndef CASEMATE_BUNKER_ACTIONS_H
#define CASEMATE_BUNKER_ACTIONS_H
#include "bunker/frames.h"

#define ACTION_ARGS_MAX 4

// What a handler gets. Arguments are of the right number; their types it checks itself.
struct action_call {
    struct bunker *b;
    struct client *c;
    const char *name;
    size_t n_args;
    const struct json *args[ACTION_ARGS_MAX];
};

struct action {
    const char *name;
    size_t min_args, max_args;
    enum role role;
    void (*run)(struct action_call *call);
};

// Strict types; each false sends "Bad arguments for <action>." and the handler returns.
MUST_CHECK bool call_text(struct action_call *call, size_t i, struct bytes *out);
MUST_CHECK bool call_integer(struct action_call *call, size_t i, int64_t *out);
MUST_CHECK bool call_bool(struct action_call *call, size_t i, bool *out);      // true, false, 0, 1
MUST_CHECK bool call_window(struct action_call *call, size_t i, int64_t *out); // also text and null
bool call_bad(struct action_call *call);                                       // says so; false

// Whether a device is there; else says so.
MUST_CHECK bool call_has_device(struct action_call *call);

// Counts a job of this socket; false, and "Too many requests." is sent, past CLIENT_JOBS_MAX.
MUST_CHECK bool call_begin_job(struct action_call *call);

// The client of a job that has ended, or NULL; uncounts it.
struct client *job_client(struct bunker *b, uint64_t client_id);

void call_audit(struct action_call *call, const char *event, const char *outcome,
                struct bytes reason);

// The tables of the parts.
extern const struct action signing_actions[], message_actions[], address_actions[],
    policy_actions[], settings_actions[];
extern const size_t n_signing_actions, n_message_actions, n_address_actions, n_policy_actions,
    n_settings_actions;

// --- signing.c ---

// Broadcasts a slot's result; modals go to the client. Source: 9.6.
void signing_broadcast(struct bunker *b, struct client *c, struct slot *slot);

// Queues the signing of a slot's PSBT. who: client id, or 0 for a plain form.
void signing_start(struct bunker *b, struct client *c, struct session *session, bool broadcast,
                   bool finalize, bool download);

#endif
