// coordinator/nostr.h -- signing in with a Nostr key: reading and checking the event that a browser signed.
//
// Pure. (1) An event is what its id says: the id is computed again and compared before the signature counts.
// (2) Nothing in an event is believed that its signature does not cover.
// Source: coordinator.md A12, C2; NIP-01 (ids), NIP-98 (kind 27235, `u`, `method`).
#ifndef CASEMATE_COORDINATOR_NOSTR_H
#define CASEMATE_COORDINATOR_NOSTR_H
#include "base/json.h"

#define NOSTR_KIND      27235 // NIP-98
#define NOSTR_EVENT_MAX 16384 // bytes of a body that may be an event
#define NOSTR_TAGS_MAX  32
#define NOSTR_UID_SIZE  31 // "nostr:" + 24 hex digits, and a final zero

struct nostr_event {
    uint8_t pubkey[32], sig[64];
    char pubkey_text[65];
    int64_t created_at, kind;
    struct bytes content;
    const struct json *tags; // an array of arrays of texts
};

// Reads a JSON event and compares its id. *out lives in the arena.
// Fails: ERR_MALFORMED "bad json", "malformed event"; ERR_INVALID "bad event id".
MUST_CHECK bool nostr_event_read(struct nostr_event *out, struct bytes body, struct arena *arena,
                                 struct err *err);

// SHA-256 of the compact array [0,pubkey,created_at,kind,tags,content], what is not ASCII unescaped.
// Fails: ERR_NO_MEMORY.
MUST_CHECK bool nostr_event_id(uint8_t out[static 32], const struct nostr_event *event,
                               struct arena *arena, struct err *err);

// BIP-340 over the id. Fails: ERR_AUTH "signature verification failed".
MUST_CHECK bool nostr_event_verify(const struct nostr_event *event, struct arena *arena,
                                   struct err *err);

// The second item of the first tag of that name; empty: there is none.
struct bytes nostr_tag(const struct nostr_event *event, const char *name);

// What an event must say beside being signed.
struct nostr_want {
    const char
        *origin; // ours: "https://host"; `u` is it, or the address of /auth/nostr/verify there
    int64_t now_s;
    bool loose; // compat.demo: kind, u and method may be absent, as in the seed's event
};
// *challenge: from the tag, else from the content. Fails: ERR_AUTH "stale or invalid challenge",
// "the event is for another site", "the event is of another kind".
MUST_CHECK bool nostr_event_check(const struct nostr_event *event, const struct nostr_want *want,
                                  struct bytes *challenge, struct err *err);

// "nostr:" and the first 24 hex digits of SHA-256 of "nostr:" and the key's hex. Source: A12.
void nostr_uid(char out[static NOSTR_UID_SIZE], const char pubkey_text[static 65]);

#endif
