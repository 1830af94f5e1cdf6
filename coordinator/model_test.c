// All that two replicas, two spends, three signers and a crash between any two steps can do (D18).
//
// One spend is walked through with the ledger's own functions, on SQLite in memory: every state that it can be in
// (tests/support/model_world.h), visited once and checked. Two spends are all pairs of such states that can be
// reached, with the replicas and the cap that they share (model_pairs.h). That they share nothing else is shown twice:
// by walks of one spend beside another that stays where it is, for every kind of place where it can be, and by random
// ways of two spends in one store, each step of which has to be one of the pairs'.
// With MODEL_ALL in the environment, as in `./check --long`, windows end, too, and one spend is taken back.
#include "tests/support/model_pairs.h"
#include "tests/support/test.h"
#include <stdlib.h>

// Under AddressSanitizer the walk takes too long: only the random ways then.
#if defined(__SANITIZE_ADDRESS__)
#define WALKS false
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WALKS false
#endif
#endif
#ifndef WALKS
#define WALKS true
#endif

enum { WAY_STEPS = 60 };

static void need_long(void)
{
    if (!getenv("MODEL_ALL"))
        skip();
}

static void say_graph(const char *what, const struct model_graph *g)
{
    size_t held[MODEL_REPLICAS + 1] = { 0 };
    for (size_t i = 0; i < g->n; i++)
        held[model_held(g->nodes[i].facts)]++;
    print_message("# one spend%s: all %zu states (%zu held by nobody, %zu by one, %zu by two), "
                  "%llu acts, %llu late holders, depth %llu\n",
                  what, g->n, held[0], held[1], held[2], (unsigned long long)g->n_acts,
                  (unsigned long long)g->n_stale, (unsigned long long)g->deepest);
}

static void walk_pairs(const struct model_graph *g, const char *what, bool has_room)
{
    struct model_pairs pairs;
    model_pairs_walk(&pairs, g, has_room);
    print_message("# two spends%s, cap for %s: all %llu states, %llu acts, %llu recoveries\n", what,
                  has_room ? "both" : "one", (unsigned long long)pairs.n,
                  (unsigned long long)pairs.n_acts, (unsigned long long)pairs.n_recovered);
}

// --- Two spends in one store ---

static uint64_t random_next(uint64_t *random) // the same ways each time
{
    *random = *random * 6364136223846793005u + 1442695040888963407u;
    return *random >> 33;
}

// What ends a way early comes less often.
static struct model_action pick(struct model *m, uint64_t *random)
{
    struct model_actions all[MODEL_SPENDS];
    struct model_action a = { .act = MODEL_CRASH };
    for (unsigned s = 0; s < MODEL_SPENDS; s++)
        all[s] = model_possible(m, s);
    for (unsigned tries = 0; tries < 3; tries++) {
        const uint64_t i = random_next(random) % (all[0].n + all[1].n);
        a = i < all[0].n ? all[0].items[i] : all[1].items[i - all[0].n];
        if (a.act != MODEL_CANCEL && a.act != MODEL_CRASH && a.act != MODEL_LEASE_ENDS)
            break;
    }
    return a;
}

// A step has to be one of the pairs': the other spend stays, and this one goes where it would alone, if g tells.
static void step(struct model *m, const struct model_graph *g, const struct model_action *a)
{
    const unsigned other = 1 - a->spend;
    const uint32_t from = model_graph_find(g, model_key(m, a->spend));
    const uint64_t beside = model_key(m, other);
    const bool full = m->cap < 2 * MODEL_AMOUNT && model_facts(m, other) & MODEL_COUNTS;
    const enum model_act act = a->act == MODEL_RESERVE && full ? MODEL_RESERVE_FULL : a->act;
    model_perform(m, a);
    model_check(m);
    const uint32_t to = model_graph_find(g, model_key(m, a->spend));
    if (model_key(m, other) != beside)
        fail_msg("act %u on one spend changed the other", act);
    if (g->n == 0)
        return;
    if (from == UINT32_MAX || to == UINT32_MAX ||
        (from != to && !model_graph_has(g, from, act, to)))
        fail_msg("act %u from state %u to %u is none that one spend alone has", act, from, to);
}

static bool both_ended(struct model *m)
{
    return (model_facts(m, 0) & model_facts(m, 1) & MODEL_ENDED) != 0;
}

static void wander(const struct model_graph *g, unsigned knows, unsigned cap, unsigned n_steps)
{
    struct model m;
    struct model_state root;
    uint64_t random = 0x5eed;
    unsigned ways = 0;
    model_open(&m, 2, cap, knows);
    model_keep(&m, &root);
    for (unsigned done = 0; done < n_steps; ways++) {
        model_put_back(&m, &root);
        for (unsigned i = 0; i < WAY_STEPS && !both_ended(&m); i++, done++) {
            arena_reset(test_arena());
            const struct model_action a = pick(&m, &random);
            step(&m, g, &a);
        }
    }
    print_message("# two spends in one store, cap %u: %u random acts on %u ways%s\n", cap, n_steps,
                  ways, g->n > 0 ? ", each one of the pairs'" : "");
    model_state_free(&root);
    model_close(&m);
}

// --- One spend beside another ---

// One state for each that the ledger can tell apart in another spend: its own, and what it holds.
static bool is_first_of_its_kind(const struct model_graph *g, uint32_t node)
{
    const unsigned facts = MODEL_HELD_ONCE | MODEL_HELD_TWICE | MODEL_COUNTS;
    for (uint32_t i = 0; i < node; i++)
        if (g->nodes[i].state == g->nodes[node].state &&
            ((g->nodes[i].facts ^ g->nodes[node].facts) & facts) == 0)
            return false;
    return true;
}

static void walk_beside(const struct model_graph *g, unsigned knows)
{
    unsigned n = 0;
    for (uint32_t i = 0; i < g->n; i++) {
        if (model_held(g->nodes[i].facts) < MODEL_REPLICAS && is_first_of_its_kind(g, i)) {
            model_graph_beside(g, knows, i);
            n++;
        }
    }
    print_message("# one spend beside another in each of %u places: the same states and acts\n", n);
}

// --- The tests ---

TEST(model_of_D2_to_D4_two_spends_inv_1_3_6_13_20)
{
    struct model_graph g = { .nodes = NULL };
    if (WALKS) {
        model_graph_init(&g, 0);
        say_graph("", &g);
        walk_pairs(&g, "", false);
    }
    wander(&g, 0, MODEL_AMOUNT + 40, 1000);
    wander(&g, 0, 2 * MODEL_AMOUNT, 1000);
    model_graph_wipe(&g);
}

static void walk_all(unsigned knows, const char *what)
{
    struct model_graph g;
    need_long();
    model_graph_init(&g, knows);
    say_graph(what, &g);
    // Pairs of spends that are taken back are too many to walk through: of those, random ways.
    for (unsigned has_room = 0; has_room < 2 && !(knows & MODEL_TAKES_BACK); has_room++)
        walk_pairs(&g, what, has_room != 0);
    wander(&g, knows, MODEL_AMOUNT + 40, 50000);
    wander(&g, knows, 2 * MODEL_AMOUNT, 50000);
    model_graph_wipe(&g);
}

TEST(model_of_D2_to_D4_room_for_both_inv_1_3_6_13_20)
{
    walk_all(0, "");
}

TEST(model_of_D2_windows_that_end_inv_1)
{
    walk_all(MODEL_AGES, " with windows that end");
}

TEST(model_of_D2_to_D4_taking_back_inv_3_6)
{
    walk_all(MODEL_TAKES_BACK, " taken back");
}

TEST(model_of_D2_to_D4_taking_back_in_windows_inv_1_3_6)
{
    walk_all(MODEL_TAKES_BACK | MODEL_AGES, " taken back, with windows that end");
}

TEST(model_of_D2_to_D4_one_spend_beside_another_inv_7)
{
    struct model_graph g;
    need_long();
    model_graph_init(&g, 0);
    walk_beside(&g, 0);
    model_graph_wipe(&g);
}
