#include "signer/peer.h"
#include "tests/support/test.h"
#include <fcntl.h>
#include <unistd.h>

static struct peer *get(struct peers *peers, const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    return peers_get(peers, &address, sizeof address);
}

static const char *file(unsigned n)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%u", test_dir(), n);
    const int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    return arena_text(test_arena(), bytes_of_text(path));
}

TEST(peer_2_a_peer_is_its_address)
{
    struct peers peers = { 0 };
    struct peer *a = get(&peers, "/a"), *b = get(&peers, "/b");
    assert_ptr_not_equal(a, b);
    assert_ptr_equal(get(&peers, "/a"), a);
    // Other lengths of the same bytes are other addresses.
    struct sockaddr_un address = a->address;
    assert_ptr_not_equal(peers_get(&peers, &address, 10), a);
    assert_ptr_equal(peers_find(&peers, b->id), b);
    const uint64_t id = b->id;
    peers_forget(&peers, b);
    assert_null(peers_find(&peers, id));
    assert_int_not_equal(get(&peers, "/b")->id, id); // never used twice
    peers_reset(&peers);
    for (size_t i = 0; i < PEERS_MAX; i++)
        assert_null(peers.items[i]);
}

TEST(wire_4_3_the_least_recently_used_is_forgotten_first)
{
    struct peers peers = { .folder = test_dir() };
    uint64_t ids[PEERS_MAX];
    const char *paths[PEERS_MAX];
    for (unsigned i = 0; i < PEERS_MAX; i++) {
        paths[i] = file(i);
        ids[i] = get(&peers, paths[i])->id;
    }
    (void)get(&peers, paths[0]); // used again
    (void)get(&peers, file(100));
    assert_non_null(peers_find(&peers, ids[0]));
    assert_null(peers_find(&peers, ids[1]));
    // Who is gone goes first, however lately used.
    (void)get(&peers, paths[7]);
    assert_int_equal(unlink(paths[7]), 0);
    (void)get(&peers, file(101));
    assert_null(peers_find(&peers, ids[7]));
    assert_non_null(peers_find(&peers, ids[2]));
    // Nor may a reply have come back.
    get(&peers, paths[9])->is_gone = true;
    (void)get(&peers, file(102));
    assert_null(peers_find(&peers, ids[9]));
    get(&peers, paths[10])->is_gone = true;
    (void)get(&peers, paths[10]); // it is there again
    (void)get(&peers, file(103));
    assert_non_null(peers_find(&peers, ids[10]));
    peers_free(&peers);
}

// A name anywhere else may lie on a file system that a host has made, and that does not answer.
TEST(only_names_where_clients_belong_are_looked_up)
{
    static const char *const elsewhere[] = { "below/gone", "../gone", "", "other/../gone" };
    for (size_t k = 0; k < COUNT(elsewhere); k++) {
        struct peers peers = { .folder = test_dir() };
        char path[100];
        const uint64_t first = get(&peers, file(0))->id;
        (void)snprintf(path, sizeof path, "%.60s%s%.20s", test_dir(), k == 2 ? "-2/gone" : "/",
                       elsewhere[k]);
        const uint64_t gone = get(&peers, path)->id;
        for (unsigned i = 1; i < PEERS_MAX; i++)
            (void)get(&peers, file(i));
        // The one that was silent longest went, not the one whose file is not there.
        assert_null(peers_find(&peers, first));
        assert_non_null(peers_find(&peers, gone));
        peers_free(&peers);
    }
}

TEST(wire_4_5_the_bound_peer_stays)
{
    struct peers peers = { 0 };
    struct seckey own;
    struct err err;
    seckey_generate(&own);
    const struct pubkey64 other = link_public(&own);
    struct peer *bound = get(&peers, "/gone");
    assert_true(link_open(&bound->end.link, &own, &other, LINK_V2, &err));
    const uint64_t id = bound->id;
    for (unsigned i = 0; i < 3 * PEERS_MAX; i++)
        (void)get(&peers, file(i));
    assert_ptr_equal(peers_find(&peers, id), bound);
    struct peer *last = get(&peers, file(1));
    assert_true(link_open(&last->end.link, &own, &other, LINK_V1, &err));
    peers_end_other_sessions(&peers, bound);
    assert_true(link_is_open(&bound->end.link));
    assert_false(link_is_open(&last->end.link));
    peers_free(&peers);
}

TEST(staging_hashes_what_comes)
{
    struct peers peers = { 0 };
    struct staging *s = &get(&peers, "/a")->staging;
    struct hash256 expected = sha256(BYTES(""));
    struct hash256 got = staging_hash(s);
    assert_memory_equal(&got, &expected, sizeof got);
    staging_put(s, 0, 10, BYTES("hello"));
    staging_put(s, 5, 10, BYTES("world"));
    assert_bytes_text(staging_bytes(s), "helloworld");
    expected = sha256(BYTES("helloworld"));
    got = staging_hash(s);
    assert_memory_equal(&got, &expected, sizeof got);
    staging_put(s, 0, 3, BYTES("new"));
    assert_bytes_text(staging_bytes(s), "new");
    staging_reset(s);
    assert_int_equal(staging_bytes(s).len, 0);
    peers_free(&peers);
}

TEST(a_lease_takes_its_content)
{
    struct lease lease = { 0 };
    struct blob content = { 0 };
    blob_set(&content, BYTES("result"));
    lease_grant(&lease, 1, &content);
    assert_null(content.ptr);
    assert_true(lease.granted);
    assert_bytes_text(blob_bytes(&lease.content), "result");
    lease_void(&lease);
    assert_false(lease.granted);
    assert_null(lease.content.ptr);
}
