#include "policy/rules.h"
#include "fuzz/fuzz.h"
#include "policy/canonical.h"
#include "policy/summary.h"

#define TEXT_MAX (4u << 20)

static const struct bytes users[] = { { (const uint8_t *)"alice", 5 },
                                      { (const uint8_t *)"bob", 3 },
                                      { (const uint8_t *)"carol", 5 } };
static const struct bytes wallets[] = { { (const uint8_t *)"Treasury", 8 } };
static const struct policy_world world = { COUNT(users), users, COUNT(wallets), wallets };

static struct bytes summary_of(const struct policy *policy, struct arena *arena)
{
    struct writer w = writer_growing(arena, TEXT_MAX);
    struct bytes text;
    policy_summary(&w, policy, chain_by_id(CHAIN_XTN), UNIT_COIN);
    REQUIRE(writer_finish(&w, &text));
    return text;
}

static struct bytes stored_of(const struct policy *policy, struct arena *arena)
{
    struct writer w = writer_growing(arena, TEXT_MAX);
    struct bytes form;
    policy_store_write(&w, policy);
    REQUIRE(writer_finish(&w, &form) && form.len <= POLICY_STORED_MAX);
    return form;
}

static struct bytes canonical_of(const struct policy *policy, struct arena *arena)
{
    struct writer w = writer_growing(arena, TEXT_MAX);
    struct bytes form;
    policy_canonical_write(&w, policy);
    REQUIRE(writer_finish(&w, &form));
    return form;
}

static void same_hash(const struct policy *a, const struct policy *b)
{
    const struct hash256 x = policy_hash(a), y = policy_hash(b);
    REQUIRE(bytes_equal(BYTES_OF(x.b), BYTES_OF(y.b)));
}

// What is accepted is stored, read back, and is the same policy with the same hash and words; its
// canonical form is a policy file too, and its own canonical form.
static void check_accepted(const struct policy *accepted, struct arena *arena)
{
    struct policy p = *accepted, again, once_more;
    struct err err;
    const struct bytes stored = stored_of(&p, arena);
    REQUIRE(policy_store_read(&again, stored, &world, arena, &err));
    REQUIRE(bytes_equal(stored_of(&again, arena), stored));
    same_hash(&p, &again);
    p.set_sl.len = 0; // forgotten once it is written
    REQUIRE(bytes_equal(summary_of(&p, arena), summary_of(&again, arena)));

    const struct bytes canonical = canonical_of(&p, arena);
    REQUIRE(policy_parse(&once_more, canonical, &world, arena, &err));
    if (bytes_equal(canonical_of(&once_more, arena), canonical))
        return;
    // Only a percentage that single precision prints as another one may differ.
    bool has_percent = false;
    for (size_t i = 0; i < p.n_rules; i++)
        has_percent |= p.rules[i].min_pct.is_set;
    REQUIRE(has_percent);
}

FUZZ_TARGET(data)
{
    struct arena *arena = arena_new(64u << 20);
    struct policy policy;
    struct err err = { 0 };
    if (policy_parse(&policy, data, &world, arena, &err))
        check_accepted(&policy, arena);
    else
        REQUIRE(bytes_starts_with(bytes_of_text(err.text), BYTES("HSM Policy invalid: ")) ||
                strcmp(err.text, "badlen") == 0);
    // Whatever our reader of stored forms takes, it would write the same.
    if (policy_store_read(&policy, data, &world, arena, &err))
        REQUIRE(bytes_equal(stored_of(&policy, arena), data));
    arena_free(arena);
}
