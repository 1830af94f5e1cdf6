// Memory that ends at any one allocation: a policy is read, looked over and tried whole or not at all.
#include "policy/canonical.h"
#include "policy/lint.h"
#include "policy/named.h"
#include "policy/payees.h"
#include "policy/simulate.h"
#include "tests/support/fault.h"
#include "tests/support/policy_fixture.h"

#define ADDRESS "tb1qq5zs2pg9q5zs2pg9q5zs2pg9q5zs2pg9lm9x7g"
#define OTHER   "tb1qqcrqvpsxqcrqvpsxqcrqvpsxqcrqvpsxwlrr47"

// Something of everything that takes memory.
#define FULL                                                                                       \
    "{\"period\":60,\"must_log\":true,\"set_sl\":\"0123456789abcdef\",\"allow_sl\":2,"             \
    "\"share_xpubs\":[\"m/84h/1h/*h\"],\"share_addrs\":[\"any\"],\"msg_paths\":[\"m/84h/*\"],"     \
    "\"notes\":\"a "                                                                               \
    "note\",\"rules\":[{\"per_period\":5000000,\"users\":[\"alice\",\"bob\"],\"min_users\":1,"     \
    "\"whitelist\":[\"" ADDRESS "\",\"" OTHER "\"]},{\"max_amount\":70000,\"local_conf\":true}]}"

struct work {
    const struct policy *policy;
    const struct fixture *fixture;
    struct bytes stored;
    struct hash256 made; // of the last that succeeded
};

static bool is_made(struct work *w, struct writer *text, struct err *err)
{
    if (text->failed)
        return err_set(err, ERR_NO_MEMORY, "no memory for the text");
    w->made = sha256(writer_bytes(text));
    return true;
}

static bool parse(struct work *w, struct arena *arena, struct err *err)
{
    struct policy policy;
    if (!policy_parse(&policy, BYTES(FULL), &policy_world_of_24, arena, err))
        return false;
    struct writer text = writer_growing(arena, 1 << 20);
    policy_store_write(&text, &policy);
    return is_made(w, &text, err);
}

static bool parse_named(struct work *w, struct arena *arena, struct err *err)
{
    struct policy policy;
    (void)w;
    return policy_parse_named(&policy, BYTES(FULL), arena, err);
}

static bool read_stored(struct work *w, struct arena *arena, struct err *err)
{
    struct policy policy;
    return policy_store_read(&policy, w->stored, &policy_world_of_24, arena, err);
}

static bool look_over(struct work *w, struct arena *arena, struct err *err)
{
    static const struct lint_user users[] = { { { (const uint8_t *)"alice", 5 }, USER_TOTP },
                                              { { (const uint8_t *)"bob", 3 }, USER_HOTP } };
    const struct lint_world world = { .chain = chain_by_id(CHAIN_XTN),
                                      .n_users = COUNT(users),
                                      .users = users };
    struct lint lint;
    struct writer text = writer_growing(arena, 1 << 20);
    if (!policy_lint(&lint, w->policy, BYTES(FULL), &world, arena, err))
        return false;
    for (size_t i = 0; i < lint.n; i++)
        writer_printf(&text, "%d %zu\n", (int)lint.findings[i].code,
                      lint.findings[i].rule); // its words may be missing
    return is_made(w, &text, err);
}

static bool try_out(struct work *w, struct arena *arena, struct err *err)
{
    const struct bytes users[] = { BYTES("alice") };
    struct assumptions assumed = { .users = users, .n_users = 1, .now_s = w->fixture->now_s };
    struct simulation simulation;
    struct writer text = writer_growing(arena, 1 << 20);
    if (!policy_simulate(&simulation, w->policy, &w->fixture->tx, &assumed, arena, err))
        return false;
    decision_write(&text, &simulation.decision, w->policy, &w->fixture->tx);
    return is_made(w, &text, err);
}

// --- Sweeping ---

struct sweep {
    const char *name;
    struct work *work;
    bool (*run)(struct work *w, struct arena *arena, struct err *err);
    struct hash256 expected; // what it makes
};

static bool run_armed(void *context, struct err *err)
{
    const struct sweep *s = context;
    AUTO(arena_freep) struct arena *arena = arena_new(256 << 20);
    fault_arm();
    const bool ok = s->run(s->work, arena, err);
    fault_disarm();
    if (ok && !bytes_equal(BYTES_OF(s->work->made.b), BYTES_OF(s->expected.b)))
        fault_wrong("the same as with memory", s->name, 0);
    return ok;
}

TEST(without_memory_there_is_no_policy_and_no_word_about_it)
{
    static const struct {
        const char *name;
        bool (*run)(struct work *w, struct arena *arena, struct err *err);
        unsigned at_least; // allocations without which it cannot be
    } cases[] = {
        { "parse", parse, 10 },
        { "parse with its names", parse_named, 8 },
        { "read the stored form", read_stored, 10 },
        { "lint", look_over, 3 },
        { "try", try_out, 2 },
    };
    static const enum fault_kind kinds[] = { FAULT_MEMORY, FAULT_FULL };
    struct fixture fixture;
    struct policy full = parsed(FULL);
    struct err err;
    fixture_init(&fixture);
    assert_true(policy_derive_payees(&full, test_arena(), &err));
    struct work work = { .policy = &full, .fixture = &fixture, .stored = stored_of(&full) };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct sweep s = { cases[i].name, &work, cases[i].run, { { 0 } } };
        unsigned refused = 0;
        work.made = s.expected; // what makes nothing leaves it so
        if (!cases[i].run(&work, test_arena(), &err))
            fail_msg("%s: %s", cases[i].name, err.text);
        s.expected = work.made;
        for (size_t k = 0; k < COUNT(kinds); k++) {
            const struct fault_counts counts = fault_sweep(kinds[k], run_armed, &s);
            refused += counts.refused + counts.stopped;
        }
        if (refused < cases[i].at_least)
            fail_msg("%s: only %u refused", cases[i].name, refused);
    }
}
