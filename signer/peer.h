// signer/peer.h -- the programs at the other end: each with its link, upload and results of its own.
//
// (1) Nothing that one peer sends changes what another has uploaded, asked or may fetch.
// (2) A peer is known by its socket address. When room is needed, one whose address is gone is
//     forgotten, else the one that was silent longest; never the one with a version 2 session, which
//     could not get another.
// Source: wire-protocol.md 4.3 [D], 6, 7.2 [D].
#ifndef CASEMATE_SIGNER_PEER_H
#define CASEMATE_SIGNER_PEER_H
#include "signer/job.h"
#include "wire/device.h"
#include <sys/socket.h>
#include <sys/un.h>

#define PEERS_MAX 32

// The upload in progress and the running hash, which downloads use as well.
struct staging {
    struct sha256 running;
    uint32_t total;       // of the last block
    uint32_t next_offset; // where the next block must start
    uint8_t *ptr;         // file 0
    size_t cap;
};

// What may be read back: the most recent result.
struct lease {
    bool granted;
    uint32_t file; // 0 or 1
    struct blob content;
};

// Packets of a reply that the peer's queue had no room for.
struct outbox {
    struct blob packets;
    size_t sent;           // bytes
    int64_t give_up_at_ms; // monotonic
    // Of turns, while many packets are unread (wire_server.c):
    bool reads;        // it has read what its last turn brought
    uint32_t stuck_at; // 0, or what was unread in all when it had not
};

struct peer {
    uint64_t id; // 0: free; never used twice
    struct sockaddr_un address;
    socklen_t address_len;
    uint64_t last_used; // a counter, not a time
    struct device_end end;
    struct staging staging;
    struct lease lease;
    struct job job; // in HSM mode
    struct outbox outbox;
    bool is_gone; // a reply could not be delivered
};

struct peers {
    struct peer *items[PEERS_MAX]; // NULL: free
    uint64_t last_id;
    uint64_t uses;
    const char *folder; // of the wire socket, where clients have theirs; borrowed; NULL: none
};

void peers_free(struct peers *peers);

// The peer of that address, a new one if it is not known.
struct peer *peers_get(struct peers *peers, const struct sockaddr_un *address, socklen_t len);
struct peer *peers_find(struct peers *peers, uint64_t id); // NULL if it is forgotten
void peers_forget(struct peers *peers, const struct peer *peer);

// Ends the sessions of all but `keep`: after version 2 was accepted.
void peers_end_other_sessions(struct peers *peers, const struct peer *keep);

// All links end and all jobs, results and uploads are dropped: the signer is locked.
void peers_reset(struct peers *peers);

// Forgets the upload: offset, total and running hash start anew. Memory stays, bounded.
void staging_reset(struct staging *staging);
// Appends a block that has been checked; `offset` 0 starts anew.
void staging_put(struct staging *staging, uint32_t offset, uint32_t total, struct bytes data);
struct hash256 staging_hash(const struct staging *staging);
struct bytes staging_bytes(const struct staging *staging); // the upload so far

void lease_void(struct lease *lease);
void lease_grant(struct lease *lease, uint32_t file, struct blob *content); // takes the content

#endif
