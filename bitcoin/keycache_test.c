#include "bitcoin/keycache.h"
#include "tests/support/psbt_rig.h"

static void assert_same(struct keycache *cache, const struct hdkey *master,
                        const struct keypath *path)
{
    struct hdkey from_cache, derived;
    struct seckey seckey;
    struct err err;
    assert_true(hdkey_derive(&derived, master, path, &err));
    assert_true(keycache_derive(&from_cache, cache, path, &err));
    assert_true(keyview_seckey(&seckey, &(struct keyview){ cache, 0 }, path, &err));
    assert_memory_equal(&seckey, &derived.key, sizeof seckey);
    assert_memory_equal(&from_cache.key, &derived.key, sizeof derived.key);
    assert_memory_equal(&from_cache.pub.key, &derived.pub.key, sizeof derived.pub.key);
    assert_memory_equal(from_cache.pub.chain_code, derived.pub.chain_code, 32);
    const struct known_key *known;
    assert_true(keycache_public(&known, cache, path, &err));
    assert_memory_equal(&known->key, &derived.pub.key, sizeof known->key);
    const struct pubkey of_point = point_pubkey(&known->point);
    assert_memory_equal(&of_point, &derived.pub.key, sizeof of_point);
}

TEST(psbt_signing_27_99_cache_gives_what_derivation_gives)
{
    struct rig *rig = rig_new();
    AUTO(keycache_freep) struct keycache *cache = keycache_new(&rig->master);
    keycache_open(cache);
    // Depths from the master on; siblings, cousins; hardened last steps.
    static const char *const paths[] = {
        "m",
        "m/0",
        "m/0h",
        "m/84h/1h/0h/0/0",
        "m/84h/1h/0h/0/1",
        "m/84h/1h/0h",
        "m/84h/1h/0/0",
        "m/84h/1h/0h/0",
        "m/84h/1h/0h/1/0",
        "m/84h/1h/0h/0/0h",
        "m/1/2/3/4/5/6/7/8/9/10/11",
    };
    for (size_t twice = 0; twice < 2; twice++)
        for (size_t i = 0; i < COUNT(paths); i++) {
            const struct keypath path = test_path(paths[i]);
            assert_same(cache, &rig->master, &path);
        }
}

// More branches than it remembers.
TEST(psbt_signing_27_99_many_accounts)
{
    struct rig *rig = rig_new();
    AUTO(keycache_freep) struct keycache *cache = keycache_new(&rig->master);
    keycache_open(cache);
    for (unsigned round = 0; round < 2; round++)
        for (uint32_t account = 0; account < 150; account++) {
            const struct keypath path = { .step = { 84 | KEYPATH_HARD, account, account % 3 },
                                          .depth = 3 };
            assert_same(cache, &rig->master, &path);
        }
}

TEST(a_path_too_deep_for_bip32_fails)
{
    struct rig *rig = rig_new();
    struct hdkey deep = rig->master, out;
    struct seckey seckey;
    struct err err;
    deep.pub.depth = UINT8_MAX;
    AUTO(keycache_freep) struct keycache *cache = keycache_new(&deep);
    keycache_open(cache);
    const struct keypath one = { .step = { 1 }, .depth = 1 },
                         two = { .step = { 1, 2 }, .depth = 2 };
    assert_false(keycache_derive(&out, cache, &one, &err));
    assert_false(keycache_derive(&out, cache, &two, &err));
    assert_false(keyview_seckey(&seckey, &(struct keyview){ cache, 0 }, &one, &err));
    assert_false(keyview_seckey(&seckey, &(struct keyview){ cache, 0 }, &two, &err));
}

// A proof needs no private key once the nodes are there, and opens the cache itself until then.
TEST(psbt_signing_25_3_public_keys_of_a_closed_cache)
{
    struct rig *rig = rig_new();
    AUTO(keycache_freep) struct keycache *cache = keycache_new(&rig->master);
    static const char *const paths[] = { "m", "m/0", "m/84h/1h/0h/0/5", "m/84h/1h/0h/0/6", "m/7h" };
    for (size_t twice = 0; twice < 2; twice++)
        for (size_t i = 0; i < COUNT(paths); i++) {
            const struct known_key *known;
            const struct hdkey key = rig_key(rig, paths[i]);
            const struct keypath path = test_path(paths[i]);
            assert_true(keycache_public(&known, cache, &path, &rig->err));
            assert_memory_equal(&known->key, &key.pub.key, sizeof known->key);
        }
}

// The cache's memory stays its own: the master may be wiped.
TEST(psbt_signing_25_3_cache_has_its_own_master)
{
    struct rig *rig = rig_new();
    struct hdkey master = rig->master;
    AUTO(keycache_freep) struct keycache *cache = keycache_new(&master);
    hdkey_wipe(&master);
    const struct keypath path = test_path("m/1/2");
    keycache_open(cache);
    keycache_open(cache); // calls nest
    keycache_close(cache);
    assert_same(cache, &rig->master, &path);
    keycache_close(cache);
}
