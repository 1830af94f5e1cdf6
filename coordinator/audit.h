// coordinator/audit.h -- the audit chain: each event holds the hash of the one before.
//
// Hash of an event: SHA-256, tagged "casemate/event" (BIP-340's way), of the previous hash, the sequence
// number and the time (64 bits, little endian), and actor, origin, kind, object, before, after and request id,
// each behind its compact size. The first one's previous hash is 32 zeroes.
// Writing is in coordinator/ledger.h (ledger_event). Source: coordinator.md D11, D16 `event`, D17 (34).
#ifndef CASEMATE_COORDINATOR_AUDIT_H
#define CASEMATE_COORDINATOR_AUDIT_H
#include "coordinator/db.h"
#include "crypto/hash.h"

struct audit_head {
    uint64_t seq; // 0: no event yet
    struct hash256 hash;
    int64_t at_us; // of that event
};
MUST_CHECK bool audit_head(struct db *db, struct audit_head *out, struct err *err);

// Reads all events from number `from` (1: the whole chain) in order, checks numbers, hashes and the head.
// Fails: ERR_INVALID "event <n>: <what is wrong>".
MUST_CHECK bool audit_verify(struct db *db, uint64_t from, struct audit_head *out, struct err *err);

// One stored event.
struct audit_event {
    uint64_t seq;
    int64_t at_us;
    struct bytes actor, origin, kind, object, before, after, request_id;
    struct hash256 prev, hash;
};
struct audit_events {
    struct audit_event *items;
    size_t n;
};
// Those after number `after`, at most `limit`.
// object:    an id, or NULL: of everything.
// wallet_id: what concerns that wallet: itself, its spends, changes, refills and signers, the people who have a role
//            there, their tokens, and which roles they got or lost there. NULL: of everything.
MUST_CHECK bool audit_read(struct db *db, struct audit_events *out, uint64_t after, size_t limit,
                           const char *object, const char *wallet_id, struct arena *arena,
                           struct err *err);

struct hash256 audit_hash(const struct audit_event *event);

#endif
