#include "signer/peer.h"
#include "base/require.h"
#include "base/secret.h"
#include "wire/request.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

static void free_peer(struct peer *peer)
{
    device_end_wipe(&peer->end);
    if (peer->staging.ptr != NULL)
        wipe(peer->staging.ptr, peer->staging.cap);
    free(peer->staging.ptr);
    lease_void(&peer->lease);
    job_drop(&peer->job);
    blob_drop(&peer->outbox.packets);
    wipe(peer, sizeof *peer);
    free(peer);
}

void peers_free(struct peers *peers)
{
    for (size_t i = 0; i < PEERS_MAX; i++) {
        if (peers->items[i] != NULL)
            free_peer(peers->items[i]);
        peers->items[i] = NULL;
    }
}

static bool has_address(const struct peer *peer, const struct sockaddr_un *address, socklen_t len)
{
    return peer->address_len == len && memcmp(&peer->address, address, len) == 0;
}

// Whether the name is one of a file in `folder`, not in a folder below.
static bool lies_in(const char *path, const char *folder)
{
    const size_t len = folder != NULL ? strlen(folder) : 0;
    return len > 0 && strncmp(path, folder, len) == 0 && path[len] == '/' &&
           strchr(path + len + 1, '/') == NULL;
}

// Whether the socket that the peer was bound to is no more, as far as that can be known without asking a
// file system that a host may have made, which need not answer: a name is looked up in the two folders
// where clients are told to have theirs, and nothing mounted over it is asked. Else the last reply says.
static bool is_gone(const struct peers *peers, const struct peer *peer)
{
    struct statx st;
    char path[sizeof peer->address.sun_path + 1] = { 0 }; // a full one has no final zero
    if (peer->is_gone)
        return true;
    memcpy(path, peer->address.sun_path, sizeof peer->address.sun_path);
    return (lies_in(path, peers->folder) || lies_in(path, "/tmp")) &&
           statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC,
                 STATX_TYPE, &st) != 0 &&
           errno == ENOENT;
}

// The one peer that a version 2 session binds the device to: it can make no other (4.5).
static bool is_bound(const struct peer *peer)
{
    return peer->end.link.version == LINK_V2;
}

// Who makes room first: the bound peer never, who is gone before all others, then who was silent
// longest.
static bool goes_before(const struct peers *peers, const struct peer *a, const struct peer *b)
{
    if (is_bound(a) || is_bound(b))
        return is_bound(b);
    const bool a_is_gone = is_gone(peers, a);
    if (a_is_gone != is_gone(peers, b))
        return a_is_gone;
    return a->last_used < b->last_used;
}

// A free place, made if need be by forgetting a peer.
static size_t make_room(struct peers *peers)
{
    size_t next = 0;
    for (size_t i = 0; i < PEERS_MAX; i++) {
        if (peers->items[i] == NULL)
            return i;
        if (i > 0 && goes_before(peers, peers->items[i], peers->items[next]))
            next = i;
    }
    peers_forget(peers, peers->items[next]);
    return next;
}

struct peer *peers_get(struct peers *peers, const struct sockaddr_un *address, socklen_t len)
{
    REQUIRE(len <= sizeof *address);
    for (size_t i = 0; i < PEERS_MAX; i++) {
        struct peer *peer = peers->items[i];
        if (peer != NULL && has_address(peer, address, len)) {
            peer->last_used = ++peers->uses;
            peer->is_gone = false;
            return peer;
        }
    }
    struct peer *peer = calloc(1, sizeof *peer);
    REQUIRE(peer != NULL);
    peer->id = ++peers->last_id;
    peer->last_used = ++peers->uses;
    memcpy(&peer->address, address, len);
    peer->address_len = len;
    staging_reset(&peer->staging);
    peers->items[make_room(peers)] = peer;
    return peer;
}

struct peer *peers_find(struct peers *peers, uint64_t id)
{
    for (size_t i = 0; i < PEERS_MAX; i++) {
        if (peers->items[i] != NULL && peers->items[i]->id == id)
            return peers->items[i];
    }
    return NULL;
}

void peers_forget(struct peers *peers, const struct peer *peer)
{
    for (size_t i = 0; i < PEERS_MAX; i++) {
        if (peers->items[i] != NULL && peers->items[i] == peer) {
            free_peer(peers->items[i]);
            peers->items[i] = NULL;
            return;
        }
    }
}

void peers_end_other_sessions(struct peers *peers, const struct peer *keep)
{
    for (size_t i = 0; i < PEERS_MAX; i++) {
        if (peers->items[i] != NULL && peers->items[i] != keep)
            link_wipe(&peers->items[i]->end.link);
    }
}

void peers_reset(struct peers *peers)
{
    peers_free(peers);
}

void staging_reset(struct staging *staging)
{
    sha256_init(&staging->running);
    staging->total = 0;
    staging->next_offset = 0;
}

// Room for what the host says will come, but never more than twice what has come: a total that is
// only claimed allocates nothing.
static void reserve(struct staging *staging, size_t needed)
{
    if (needed <= staging->cap)
        return;
    size_t cap = staging->cap > 0 ? staging->cap : 16 * 1024;
    while (cap < needed)
        cap *= 2;
    uint8_t *grown = malloc(cap);
    REQUIRE(grown != NULL);
    if (staging->ptr != NULL) {
        memcpy(grown, staging->ptr, staging->next_offset);
        wipe(staging->ptr, staging->cap);
    }
    free(staging->ptr);
    staging->ptr = grown;
    staging->cap = cap;
}

void staging_put(struct staging *staging, uint32_t offset, uint32_t total, struct bytes data)
{
    if (offset == 0)
        staging_reset(staging);
    REQUIRE(offset == staging->next_offset && total <= UPLOAD_MAX && data.len <= total - offset);
    reserve(staging, offset + data.len);
    if (data.len > 0)
        memcpy(staging->ptr + offset, data.ptr, data.len);
    sha256_update(&staging->running, data);
    staging->total = total;
    staging->next_offset = offset + (uint32_t)data.len;
}

struct hash256 staging_hash(const struct staging *staging)
{
    struct sha256 copy = staging->running;
    return sha256_final(&copy);
}

struct bytes staging_bytes(const struct staging *staging)
{
    return bytes_of(staging->ptr, staging->next_offset);
}

void lease_void(struct lease *lease)
{
    lease->granted = false;
    blob_drop(&lease->content);
}

void lease_grant(struct lease *lease, uint32_t file, struct blob *content)
{
    lease->granted = true;
    lease->file = file;
    blob_move(&lease->content, content);
}
