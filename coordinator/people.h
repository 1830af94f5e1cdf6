// coordinator/people.h -- who may do what: principals, their roles for each wallet, their limits.
//
// (1) A right is a row of the ledger, granted for one wallet; there is no role that has all others.
// (2) Whoever has any role for a wallet may look at it.
// (3) Each change here is an audited event of the same transaction.
// Source: coordinator.md D11.
#ifndef CASEMATE_COORDINATOR_PEOPLE_H
#define CASEMATE_COORDINATOR_PEOPLE_H
#include "base/json.h"
#include "bitcoin/sats.h"
#include "coordinator/ledger.h"

#define PEOPLE_GRANTS_MAX  64
#define PEOPLE_NAME_MAX    128
#define PEOPLE_SUBJECT_MAX 200

enum role {
    ROLE_VIEWER = 1,
    ROLE_SPENDER = 2,
    ROLE_APPROVER = 4,
    ROLE_OPERATOR = 8,
    ROLE_POLICY_ADMIN = 16,
    ROLE_OFFICER = 32,
    ROLE_AUDITOR = 64,
};
#define ROLES_ALL 127u
const char *role_name(enum role role);                   // "policy-admin"
unsigned role_of_name(struct bytes name);                // 0: none of that name
void roles_write(struct json_writer *j, unsigned roles); // an array of names

// What a spender may ask for. Source: D11 "Per-principal limits".
struct spend_limits {
    bool has_per_spend, has_per_window;
    struct sats per_spend, per_window; // the window is the wallet's
    bool auto_only;                    // no surge tier
    const struct json *destinations;   // names; NULL: any on the list
    struct bytes text;                 // what these were read from
};
// {"per_spend_sat", "per_window_sat", "tier": "auto", "destinations": [...]}, each of them optional.
// Fails: CODE_BAD_REQUEST "limits: <what>".
MUST_CHECK bool spend_limits_parse(struct spend_limits *out, struct bytes text, struct arena *arena,
                                   struct err *err);

struct grant {
    char wallet_id[ID_SIZE];
    unsigned roles;
    struct spend_limits limits; // of the spender's role
};
struct person {
    char id[ID_SIZE];
    char kind[16]; // nostr, cert, service
    char subject[PEOPLE_SUBJECT_MAX], display[PEOPLE_NAME_MAX];
    bool disabled;
    size_t n_grants;
    struct grant grants[PEOPLE_GRANTS_MAX];
};

// The subject as it is stored, from what a person writes: kind nostr and a key as 64 hex digits, cert and a
// name, service and a name. Fails: CODE_BAD_REQUEST.
MUST_CHECK bool people_subject(char out[static PEOPLE_SUBJECT_MAX], const char *kind,
                               struct bytes name, struct err *err);

// By subject ("nostr:<hex>", "cert:<name>", "service:<name>") or by id. What the limits name lies in the arena.
// Fails: CODE_NOT_FOUND.
MUST_CHECK bool people_find(struct db *db, struct person *out, const char *subject,
                            struct arena *arena, struct err *err);
MUST_CHECK bool people_load(struct db *db, struct person *out, const char *id, struct arena *arena,
                            struct err *err);

// Whether the person has one of these roles for the wallet (empty id: for any wallet at all).
bool person_may(const struct person *person, const char *wallet_id, unsigned roles);
unsigned person_roles(const struct person *person, const char *wallet_id);
const struct grant *person_grant(const struct person *person, const char *wallet_id); // NULL: none

// Who does it: "host", or a principal's id, and from where.
struct actor {
    const char *id, *origin;
};
// The event of what an actor did, inside the caller's transaction. before, after: JSON; empty: none.
MUST_CHECK bool actor_event(struct db *db, const struct actor *actor, const char *kind,
                            const char *object, struct bytes before, struct bytes after,
                            struct err *err);
// The body in the transaction that is open, else in one of its own.
MUST_CHECK bool people_within(struct db *db, db_body *body, void *context, struct err *err);

// Makes a principal. Fails: CODE_CONFLICT when there is one.
MUST_CHECK bool people_add(struct db *db, char id[static ID_SIZE], const struct actor *actor,
                           const char *kind, const char *subject, struct bytes display,
                           struct err *err);
// Gives a role, or takes it (limits not looked at). Inside the caller's transaction or in one of its own.
MUST_CHECK bool people_grant(struct db *db, const struct actor *actor, const char *principal_id,
                             const char *wallet_id, enum role role, struct bytes limits,
                             struct err *err);
MUST_CHECK bool people_ungrant(struct db *db, const struct actor *actor, const char *principal_id,
                               const char *wallet_id, enum role role, struct err *err);
// Disabled people cannot sign in, and what they are signed in with ends.
MUST_CHECK bool people_disable(struct db *db, const struct actor *actor, const char *principal_id,
                               bool disabled, struct err *err);

// An array of {"id","kind","subject","display","disabled","roles":{wallet name: [...]}}. wallet_id: those who have a
// role there, and no other roles; NULL: all.
MUST_CHECK bool people_write(struct db *db, struct json_writer *j, const char *wallet_id,
                             struct arena *arena, struct err *err);

#endif
