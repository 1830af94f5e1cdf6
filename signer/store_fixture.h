// signer/store_fixture.h -- for tests: a store with a PIN in a directory, opened and unlocked.
#ifndef CASEMATE_SIGNER_STORE_FIXTURE_H
#define CASEMATE_SIGNER_STORE_FIXTURE_H
#include "base/require.h"
#include "signer/vault.h"

#define FIXTURE_PIN    BYTES("123456")
#define FIXTURE_SECRET BYTES("\1the master secret of a test")

// A clock that stands still until it is moved.
struct fixture_clock {
    struct clock clock;
    int64_t now_ms;
};

static inline int64_t fixture_now_ms(const struct clock *clock)
{
    return ((const struct fixture_clock *)(const void *)clock)->now_ms;
}

static inline int64_t fixture_now_s(const struct clock *clock)
{
    return fixture_now_ms(clock) / 1000;
}

static inline struct fixture_clock fixture_clock(void)
{
    return (struct fixture_clock){ { .wall_s = fixture_now_s, .monotonic_ms = fixture_now_ms },
                                   1000000 };
}

static inline void fixture_make(const char *dir)
{
    struct store *store;
    struct err err;
    REQUIRE(store_create(&store, dir, &err));
    REQUIRE(vault_create(store, FIXTURE_PIN, FIXTURE_SECRET, vault_cost_weak(), &err));
    store_close(store);
}

// False, with the error, if it cannot be opened or unlocked.
MUST_CHECK static inline bool fixture_unlock(struct store **out, const char *dir, struct err *err)
{
    const struct fixture_clock clock = fixture_clock();
    struct vault vault;
    struct secret *secret = NULL;
    if (!store_open(out, dir, err))
        return false;
    if (vault_init(&vault, *out, &clock.clock, 0, true, err) &&
        vault_unlock(&vault, &secret, FIXTURE_PIN, err)) {
        secret_free(secret);
        return true;
    }
    store_closep(out);
    return false;
}

static inline struct store *fixture_open(const char *dir)
{
    struct store *store;
    struct err err;
    REQUIRE(fixture_unlock(&store, dir, &err));
    return store;
}

#endif
