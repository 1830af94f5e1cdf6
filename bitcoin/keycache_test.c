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
    assert_true(keycache_seckey(&seckey, cache, path, &err));
    assert_memory_equal(&seckey, &derived.key, sizeof seckey);
    assert_memory_equal(&from_cache.key, &derived.key, sizeof derived.key);
    assert_memory_equal(&from_cache.pub.key, &derived.pub.key, sizeof derived.pub.key);
    assert_memory_equal(from_cache.pub.chain_code, derived.pub.chain_code, 32);
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
    assert_false(keycache_seckey(&seckey, cache, &one, &err));
    assert_false(keycache_seckey(&seckey, cache, &two, &err));
}
