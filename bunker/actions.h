// bunker/actions.h -- one row per action, and reading its arguments. Source: bunker.md 6.
//
// Beside the reference's, and what they answer apart from update_status and failure modals:
//   slot_share []            {"vue_app_cb": {"slot_code": "ABCDEFGH"}}
//   slot_join [code], slot_leave [], slot_checked [hash]
//                            `casemate.slot`: shared, code, mine, viewers, checked, given: [{name, account, mine}]
//   set_theme ["auto" | "light" | "dark" | "high"]   `casemate.theme`
//   factor [code]            after a modal with code "factor"; `casemate.needs_factor`
//   totp_begin []            {"vue_app_cb": {"totp_enrol": {secret, url, qr}}}; qr: rows of 0 and 1
//   totp_confirm [code]      a note
//   create_user [name, "totp_here" | "rand_pw_here", ""], after a modal with code "badlen"
//                            {"vue_app_cb": {"new_user_secret": {name, secret, url, qr} or {name, password}}}
//   cancel []                the waiting job fails with code "cancelled"; outside HSM mode only
//   simulate [] or [{users, local, spent, policy}]   {"vue_app_cb": {"simulation": ...}}; see simulate.h
//   verify_message [address, signature, text]        {"vue_app_cb": {"message_verified": {ok, text}}}
//   show_address [path, format]   {"address_shown": {path, address}}
//   confirm_device [serial]  after code "other_device"; `casemate.other_device`, `casemate.pin`
// A modal with code "confirm" (few refusals left), or one that tells of leftover codes: the same action again goes on.
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

// Whether a device is there, and the one that is wanted; else says so.
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

extern const struct action slot_actions[], account_actions[], advice_actions[];
extern const size_t n_slot_actions, n_account_actions, n_advice_actions;

// Above 95 refusals of the 100 after which a device logs out: whether the same request has been sent twice.
// Else says so. Source: bunker.md 15.
MUST_CHECK bool call_confirms_limit(struct action_call *call);
#define REFUSALS_TO_CONFIRM 95

// --- signing.c ---

// Broadcasts a slot's result; modals go to the client. Source: 9.6.
void signing_broadcast(struct bunker *b, struct client *c, struct slot *slot);

// Queues the signing of a slot's PSBT. who: client id, or 0 for a plain form.
void signing_start(struct bunker *b, struct client *c, struct session *session, bool broadcast,
                   bool finalize, bool download);

#endif
