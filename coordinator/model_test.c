// All that two replicas, two spends, three signers and a crash between any two steps can do (D18).
//
// What is walked through to the end
// - One spend, with the ledger's own functions, on SQLite in memory: every state that it can be in
//   (tests/support/model_world.h), each one checked, all acts from it done. Short: pays, ends, is parked. With
//   MODEL_ALL in the environment, as in `./check --long`, also: with windows that end; with a chain of single blocks
//   and a reorg; taken back by a self-transfer from parked or sent; taken back, with windows that end.
// - Two spends: all pairs of such states that can be reached, with the replicas and the cap that they share
//   (model_pairs.h); of spends that are taken back all pairs of classes of states (model_classes.h). Where both are
//   walked through, the two ways have to reach the same.
// - That two spends share nothing else: one spend beside another that stays where it is, for every kind of place
//   where it can be; and random ways of two spends in one store, each step of which has to be one of the pairs'.
// - That a walk finds what is wrong: ledgers broken on purpose, one guard each.
//
// Bounds: one payment and at most one self-transfer for each spend, and one reorg, of one block. A device is asked
// again without end, and answers signed, refused or nothing. But for the walk with a reorg, a transaction is mined
// six blocks deep at once and stays. Not in it: bumped fees and children, conflicts by others' transactions,
// approvals, limits in time, freezing: of those, ledger_*_test.c and stuck_test.c.
#include "tests/support/model_classes.h"
#include "tests/support/model_pairs.h"
#include "tests/support/test.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

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

enum { FACTS = 64 }; // all that model_facts can say is less

static void need_long(void)
{
    if (!getenv("MODEL_ALL") || !WALKS)
        skip();
}

static double seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

// --- One spend ---

static void walk_one(struct model_graph *g, unsigned knows, const char *what)
{
    size_t held[MODEL_REPLICAS + 1] = { 0 };
    const double begun = seconds();
    model_graph_init(g, knows, NULL);
    for (size_t i = 0; i < g->n; i++)
        held[model_held(g->nodes[i].facts)]++;
    print_message(
        "# counted: one spend%s: all %zu states (%zu held by nobody, %zu by one, %zu by two; "
        "%llu checked), %llu acts, %llu late holders, depth %llu, %.1f s\n",
        what, g->n, held[0], held[1], held[2], (unsigned long long)g->n_exact,
        (unsigned long long)g->n_acts, (unsigned long long)g->n_stale,
        (unsigned long long)g->deepest, seconds() - begun);
}

// --- Two spends ---

static void walk_pairs(struct model_pairs *pairs, const struct model_graph *g, const char *what,
                       bool has_room)
{
    const double begun = seconds();
    model_pairs_walk(pairs, g, has_room);
    print_message(
        "# counted: two spends%s, cap for %s: all %llu pairs, %llu acts, %llu recoveries, %.1f s\n",
        what, has_room ? "both" : "one", (unsigned long long)pairs->n,
        (unsigned long long)pairs->n_acts, (unsigned long long)pairs->n_recovered,
        seconds() - begun);
}

// The pairs of classes are those of the pairs of states.
static void compare_pairs(const struct model_pairs *states, const struct model_pairs *classes,
                          const uint32_t *class_of)
{
    struct model_pairs found = { .n_nodes = classes->n_nodes };
    model_pairs_open(&found);
    for (uint32_t a = 0; a < states->n_nodes; a++)
        for (uint32_t b = a; b < states->n_nodes; b++)
            if (model_pairs_has(states, a, b))
                (void)model_pairs_add(&found, class_of[a], class_of[b]);
    for (uint32_t a = 0; a < found.n_nodes; a++)
        for (uint32_t b = a; b < found.n_nodes; b++)
            if (model_pairs_has(&found, a, b) != model_pairs_has(classes, a, b))
                fail_msg("pairs of states and of classes differ");
    model_pairs_wipe(&found);
}

// By classes; where there are not too many, by states, too.
static void walk_two(const struct model_graph *g, const struct model_graph *classes,
                     const uint32_t *class_of, const char *what, bool has_room)
{
    struct model_pairs of_states, of_classes;
    char by_class[100];
    (void)snprintf(by_class, sizeof by_class, "%s, by %zu classes", what, classes->n);
    walk_pairs(&of_classes, classes, by_class, has_room);
    if (!(g->knows & MODEL_TAKES_BACK)) {
        walk_pairs(&of_states, g, what, has_room);
        compare_pairs(&of_states, &of_classes, class_of);
        model_pairs_wipe(&of_states);
    }
    model_pairs_wipe(&of_classes);
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
    model_check(m, true);
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
    const double begun = seconds();
    model_open(&m, 2, cap, knows, NULL);
    model_keep(&m, &root);
    for (unsigned done = 0; done < n_steps; ways++) {
        model_put_back(&m, &root);
        for (unsigned i = 0; i < WAY_STEPS && !both_ended(&m); i++, done++) {
            arena_reset(test_arena());
            const struct model_action a = pick(&m, &random);
            step(&m, g, &a);
        }
    }
    print_message(
        "# counted: two spends in one store, cap %u: %u random acts on %u ways%s, %.1f s\n", cap,
        n_steps, ways, g->n > 0 ? ", each one of the pairs'" : "", seconds() - begun);
    model_state_free(&root);
    model_close(&m);
}

// --- One spend beside another ---

// The other one is in one state for each that the ledger can tell apart in it: its own, and what it holds.
static void walk_beside(const struct model_graph *g, const bool *wanted,
                        const struct model_graph *other, unsigned facts, const char *what)
{
    bool seen[SPEND_STATES][FACTS] = { { false } };
    const double begun = seconds();
    unsigned n = 0;
    size_t n_acts = 0;
    for (uint32_t i = 0; i < other->n; i++) {
        const struct model_node *place = &other->nodes[i];
        if (model_held(place->facts) == MODEL_REPLICAS || seen[place->state][place->facts & facts])
            continue;
        seen[place->state][place->facts & facts] = true;
        n_acts += model_graph_beside(g, wanted, other, i);
        n++;
    }
    print_message(
        "# counted: %s, in each of %u places: the same states and acts, %zu acts, %.1f s\n", what,
        n, n_acts, seconds() - begun);
}

static bool *all_wanted(const struct model_graph *g)
{
    bool *wanted = malloc(g->n * sizeof *wanted);
    assert_non_null(wanted);
    memset(wanted, true, g->n);
    return wanted;
}

// One of each class, and those on the ways to them.
static bool *first_wanted(const struct model_graph *g)
{
    struct model_graph classes;
    uint32_t *class_of;
    uint32_t n = 0;
    bool *wanted = calloc(g->n, sizeof *wanted);
    assert_non_null(wanted);
    model_classes_init(&classes, &class_of, g);
    for (uint32_t i = 0; i < g->n; i++) {
        wanted[i] = class_of[i] == n;
        n += wanted[i];
    }
    model_graph_wanted(g, wanted);
    free(class_of);
    model_graph_wipe(&classes);
    return wanted;
}

// --- Ledgers that are broken on purpose ---

struct flaw {
    const char *says; // what the walk has to end with
    unsigned knows;
    bool in_pairs; // to be found in those
    const char *sql;
};

// What a signer that timed out may have signed is forgotten.
static const struct flaw forgets = {
    "invariant 6: released, and k devices have signed", 0, false,
    "CREATE TRIGGER flaw AFTER UPDATE OF state ON sign_request WHEN NEW.state = 'unknown' BEGIN "
    "UPDATE sign_request SET state = 'refused' WHERE id = NEW.id; END"
};
// A second one is admitted while the first may still leave.
static const struct flaw uncounted = {
    "both may leave", 0, true,
    "CREATE TRIGGER flaw AFTER UPDATE OF status ON reservation WHEN NEW.status = 'sent' BEGIN "
    "UPDATE reservation SET first_sent_at = first_sent_at - 360000000000 "
    "WHERE spend_id = NEW.spend_id; END"
};
static const struct flaw long_flaws[] = {
    // Who takes over what is being signed has lost it again: nobody ever ends it.
    { "invariant 20: from state", 0, false,
      "CREATE TRIGGER flaw AFTER UPDATE OF owner ON spend WHEN NEW.state = 'signing' BEGIN "
      "UPDATE spend SET fence = fence + 1 WHERE id = NEW.id; END" },
    // A self-transfer of another coin does not take the payment's place.
    { "invariant 4", MODEL_TAKES_BACK, false,
      "CREATE TRIGGER flaw AFTER INSERT ON attempt_input WHEN 'void' = (SELECT kind FROM attempt "
      "WHERE id = NEW.attempt_id) BEGIN UPDATE attempt_input SET vout = 9 "
      "WHERE attempt_id = NEW.attempt_id; END" },
    // Released as soon as the self-transfer is sent.
    { "invariant 6", MODEL_TAKES_BACK | MODEL_AGES, false,
      "CREATE TRIGGER flaw AFTER UPDATE OF state ON attempt WHEN NEW.kind = 'void' AND NEW.state "
      "= 'sent' BEGIN UPDATE velocity_guard SET reserved_open = reserved_open - coalesce((SELECT "
      "sat FROM reservation WHERE spend_id = NEW.spend_id AND status = 'open'), 0); "
      "UPDATE reservation SET status = 'released', release_rule = 'R3', released_at = "
      "900000000000000000 "
      "WHERE spend_id = NEW.spend_id; END" },
    // Settled after one block, which a reorg then takes away.
    { "invariant 6: released, and k devices have signed", MODEL_TAKES_BACK | MODEL_CHAIN, false,
      "UPDATE wallet SET settle_depth = 1" },
    // What a signer said of the payment is lost when it is asked for the self-transfer.
    { "a request for a transaction that is not signed any more has changed", MODEL_TAKES_BACK,
      false,
      "CREATE TRIGGER flaw AFTER UPDATE OF state ON sign_request WHEN NEW.state = 'signed' BEGIN "
      "UPDATE sign_request SET state = 'refused' WHERE signer_id = NEW.signer_id "
      "AND attempt_id <> NEW.attempt_id; END" },
};

static void walk_flawed(const struct flaw *f)
{
    struct model_graph g, classes;
    struct model_pairs pairs;
    uint32_t *class_of;
    model_graph_init(&g, f->knows, f->sql);
    if (!f->in_pairs)
        return;
    model_classes_init(&classes, &class_of, &g);
    model_pairs_walk(&pairs, &classes, false);
}

// As if what is taken back counted no more from then on: in the finished graph, as its pairs are what is to be seen.
static void walk_voiding_uncounted(const struct model_graph *g)
{
    struct model_graph classes;
    struct model_pairs pairs;
    uint32_t *class_of;
    for (size_t i = 0; i < g->n; i++)
        if (g->nodes[i].state == SPEND_VOIDING)
            g->nodes[i].facts &= (uint8_t)~MODEL_COUNTS;
    model_classes_init(&classes, &class_of, g);
    model_pairs_walk(&pairs, &classes, false);
}

// In a process of its own, which has to die of what it finds.
static void assert_found(const struct flaw *flaw, const struct model_graph *g, const char *says)
{
    char said[2000] = "";
    int ends[2], status = 0;
    assert_int_equal(pipe(ends), 0);
    (void)fflush(NULL);
    const pid_t child = fork();
    if (child == 0) {
        const struct rlimit no_core = { 0, 0 };
        (void)setrlimit(RLIMIT_CORE, &no_core);
        (void)setenv("CMOCKA_TEST_ABORT", "1", 1);
        (void)dup2(ends[1], STDERR_FILENO);
        if (flaw)
            walk_flawed(flaw);
        else
            walk_voiding_uncounted(g);
        _exit(0);
    }
    (void)close(ends[1]);
    size_t len = 0;
    for (ssize_t n = 1; n > 0 && len<sizeof said - 1; len += n> 0 ? (size_t)n : 0)
        n = read(ends[0], said + len, sizeof said - 1 - len);
    (void)close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFSIGNALED(status) || !strstr(said, says))
        fail_msg("a broken ledger was not found (%s): %s", says, said);
    print_message("# counted: a broken ledger was found: %s\n", says);
}

// --- The tests ---

TEST(model_of_D2_to_D4_two_spends_inv_1_3_6_13_20)
{
    struct model_graph g = { .nodes = NULL }, classes = { .nodes = NULL };
    uint32_t *class_of = NULL;
    if (WALKS) {
        walk_one(&g, 0, "");
        model_classes_init(&classes, &class_of, &g);
        walk_two(&g, &classes, class_of, "", false);
        assert_found(&forgets, NULL, forgets.says);
    }
    wander(&g, 0, MODEL_AMOUNT + 40, 1000);
    wander(&g, 0, 2 * MODEL_AMOUNT, 1000);
    free(class_of);
    model_graph_wipe(&classes);
    model_graph_wipe(&g);
}

static void walk_all_beside(const struct model_graph *taken_back)
{
    struct model_graph g;
    model_graph_init(&g, 0, NULL);
    bool *all = all_wanted(&g), *some = first_wanted(taken_back);
    walk_beside(&g, all, taken_back, MODEL_HELD_ONCE | MODEL_COUNTS,
                "one spend beside one that may be taken back");
    walk_beside(taken_back, some, taken_back, 0, "one of each class of those taken back, beside");
    free(all);
    free(some);
    model_graph_wipe(&g);
}

static void walk_all(unsigned knows, const char *what)
{
    struct model_graph g, classes;
    uint32_t *class_of;
    need_long();
    walk_one(&g, knows, what);
    model_classes_init(&classes, &class_of, &g);
    for (unsigned has_room = 0; has_room < 2; has_room++)
        walk_two(&g, &classes, class_of, what, has_room != 0);
    wander(&g, knows, MODEL_AMOUNT + 40, 20000);
    wander(&g, knows, 2 * MODEL_AMOUNT, 20000);
    if (knows & MODEL_TAKES_BACK)
        assert_found(NULL, &g, uncounted.says);
    if (knows == MODEL_TAKES_BACK)
        walk_all_beside(&g);
    free(class_of);
    model_graph_wipe(&classes);
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

TEST(model_of_D2_to_D4_blocks_and_a_reorg_inv_2_3)
{
    walk_all(MODEL_CHAIN, " with blocks and a reorg");
}

TEST(model_of_D2_to_D4_taking_back_inv_3_6_7)
{
    walk_all(MODEL_TAKES_BACK, " taken back");
}

TEST(model_of_D2_to_D4_taking_back_in_windows_inv_1_3_6)
{
    walk_all(MODEL_TAKES_BACK | MODEL_AGES, " taken back, with windows that end");
}

TEST(model_of_D2_to_D4_finds_a_broken_ledger)
{
    need_long();
    assert_found(&uncounted, NULL, uncounted.says);
    for (size_t i = 0; i < COUNT(long_flaws); i++)
        assert_found(&long_flaws[i], NULL, long_flaws[i].says);
}
