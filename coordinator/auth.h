// coordinator/auth.h -- how somebody shows who they are: tokens, sessions, challenges.
//
// (1) Tokens, session ids, pre-session ids and challenges are different texts, kept as hashes that have their
//     purpose and version inside: none passes for another (C1).
// (2) Nothing that lets somebody in is kept in a form that lets somebody in.
// (3) A challenge is taken once, by whoever holds the pre-session cookie that it was made for (C2).
// (4) What ends a principal, a token or a session ends it in the ledger, thus for every replica at once.
// Source: coordinator.md A12, C1 to C3, D11, D14; F43.
#ifndef CASEMATE_COORDINATOR_AUTH_H
#define CASEMATE_COORDINATOR_AUTH_H
#include "coordinator/people.h"

#define AUTH_SECRET_SIZE    44 // base64url of 32 bytes, and a final zero: session and pre-session ids
#define AUTH_TOKEN_SIZE     48  // "cmt_" before it
#define AUTH_CHALLENGE_SIZE 128 // "nonce.ts.mac"
#define AUTH_CSRF_SIZE      65  // hex

#define AUTH_CHALLENGE_US    ((int64_t)300000000)     // A12: 300 s
#define AUTH_SESSION_US      ((int64_t)43200000000)   // 12 h
#define AUTH_SESSION_DEMO_US ((int64_t)2592000000000) // 30 days, compat.demo

// --- Challenges ---

// pre: the pre-session id of the visitor's cookie; empty: a new one is made and written there.
// Writes no row, however often it is asked for.
MUST_CHECK bool auth_challenge(struct db *db, char out[static AUTH_CHALLENGE_SIZE],
                               char pre[static AUTH_SECRET_SIZE], struct err *err);

// Takes the challenge: true once. pre: as the cookie says; `loose` (compat.demo): it may be absent.
// Fails: CODE_UNAUTHENTICATED "stale or invalid challenge".
MUST_CHECK bool auth_challenge_take(struct db *db, struct bytes challenge, struct bytes pre,
                                    bool loose, struct err *err);

// --- Sessions ---

struct auth_session {
    char principal_id[ID_SIZE];
    uint8_t hash[32]; // of its id
    char csrf[AUTH_CSRF_SIZE];
};
// id: what goes into the cookie, and nowhere else.
MUST_CHECK bool auth_session_start(struct db *db, char id[static AUTH_SECRET_SIZE],
                                   struct auth_session *out, const struct actor *actor,
                                   const char *principal_id, int64_t life_us, struct err *err);
// *found false: no live session has that id.
MUST_CHECK bool auth_session_find(struct db *db, struct bytes id, struct auth_session *out,
                                  bool *found, struct err *err);
MUST_CHECK bool auth_session_end(struct db *db, const struct auth_session *session,
                                 const struct actor *actor, struct err *err);
// Constant time.
bool auth_csrf_is(const struct auth_session *session, struct bytes given);

// --- Tokens ---

// scopes: roles that the token may use of its principal's (bits; ROLES_ALL: whatever those are).
// life_us 0: until it is revoked. token: shown this once.
MUST_CHECK bool auth_token_add(struct db *db, char id[static ID_SIZE],
                               char token[static AUTH_TOKEN_SIZE], const struct actor *actor,
                               const char *principal_id, unsigned scopes, int64_t life_us,
                               struct err *err);
// Fails: CODE_NOT_FOUND.
MUST_CHECK bool auth_token_revoke(struct db *db, const struct actor *actor, const char *id,
                                  struct err *err);
// *found false: no live token of an enabled principal is that.
MUST_CHECK bool auth_token_find(struct db *db, struct bytes token,
                                char principal_id[static ID_SIZE], unsigned *scopes, bool *found,
                                struct err *err);
// An array of {"id","subject","scopes","expires_at","last_used_at","revoked"}.
MUST_CHECK bool auth_token_write(struct db *db, struct json_writer *j, struct arena *arena,
                                 struct err *err);

// Forgets challenges and sessions that are long over. For the upkeep thread.
MUST_CHECK bool auth_forget_old(struct db *db, struct err *err);

// "2026-11-21T10:15:30Z" of microseconds.
void auth_time_write(struct json_writer *j, int64_t us);

#endif
