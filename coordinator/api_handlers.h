// coordinator/api_handlers.h -- handlers of the native API, and what they share with the seed's routes.
//
// For api*.c, compat*.c and pages.c only. Each handler: true with a reply or plan in the call, or false with
// a code.
#ifndef CASEMATE_COORDINATOR_API_HANDLERS_H
#define CASEMATE_COORDINATOR_API_HANDLERS_H
#include "coordinator/api.h"
#include "coordinator/changes.h"
#include "coordinator/node.h"
#include "coordinator/submit.h"

// --- Shared ---

#define COORDINATOR_WALLET_PREFIX "casemate-"
#define API_MESSAGE_PATH          "m/48h/1h/0h/2h/0/0" // A13

// Who asks, as a principal; NULL: anonymous (compat.demo).
const struct person *api_person(const struct call *c);
// Whether what signers said is shown to the caller.
bool api_explains(const struct call *c);
bool api_time_read(struct bytes text, int64_t *out_us); // RFC 3339, UTC
bool api_is_code(struct bytes text);                    // six digits
MUST_CHECK bool api_submit(struct call *c, const struct submission *s, struct spend *out,
                           bool *is_new, struct err *err);
// Puts a code where the workers of this replica find it.
MUST_CHECK bool api_keep_code(struct call *c, const char *spend_id, const struct fleet_auth *auth,
                              struct err *err);
// A connection to the first node that answers. Fails: CODE_NODE_UNAVAILABLE.
MUST_CHECK bool api_node(struct call *c, const struct treasury_wallet *wallet, struct node **out,
                         struct err *err);
// A message of k signers, one after the other, each with another address (A13 "Message").
struct api_proof {
    size_t n;
    struct {
        char signer[17], address[91], signature[100];
        unsigned number;
    } items[SIGNERS_MAX];
};
MUST_CHECK bool api_prove(struct call *c, const struct treasury_wallet *wallet, struct bytes text,
                          struct api_proof *out, struct err *err);

// A change request by the caller, and its publication.
MUST_CHECK bool api_draft(struct call *c, const struct treasury_wallet *wallet, struct bytes kind,
                          const struct json *body, struct change_row *out, struct err *err);
MUST_CHECK bool api_publish(struct call *c, const char *id, struct change_row *out,
                            struct err *err);

// By name, number or id. The caller needs the roles for every wallet that the signer serves.
MUST_CHECK bool api_find_signer(struct call *c, struct bytes key, unsigned roles,
                                char id[static ID_SIZE], struct err *err);
MUST_CHECK bool api_order(struct call *c, const char *signer_id, enum fleet_order order,
                          struct err *err);

// Signing in, as the seed's routes have it (pages.c).
bool pages_me(struct call *c, struct err *err);
bool pages_challenge(struct call *c, struct err *err);
bool pages_verify(struct call *c, struct err *err);
bool pages_logout(struct call *c, struct err *err);

// --- Handlers ---

typedef bool api_handler(struct call *c, struct err *err);
api_handler api_post_spend, api_get_spends, api_get_spend, api_get_spend_events, api_approve_spend,
    api_reject_spend, api_cancel_spend, api_bump_spend;
api_handler api_get_wallets, api_get_wallet, api_get_velocity, api_get_coins, api_freeze_wallet,
    api_get_destinations, api_post_destination, api_delete_destination;
api_handler api_get_signers, api_enable_signer, api_disable_signer, api_heal_signer,
    api_reboot_signer;
api_handler api_get_changes, api_post_change, api_get_change, api_approve_change, api_reject_change,
    api_publish_change, api_rollback_change;
api_handler api_get_refills, api_post_refill, api_post_message, api_get_audit, api_get_me,
    api_get_people, api_healthz, api_readyz, api_metrics;

#endif
