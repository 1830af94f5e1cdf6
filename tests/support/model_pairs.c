#include "tests/support/model_pairs.h"
#include "base/require.h"
#include "tests/support/test.h"
#include <stdlib.h>

enum { RECOVERY_STEPS = 240 };

struct pair {
    uint32_t a, b; // a <= b: the spends are alike
};
struct pairs {
    const struct model_graph *g;
    struct model_pairs *out;
    bool has_room;
    struct pair *todo;
    size_t n_todo, room;
};

static unsigned facts(const struct pairs *p, uint32_t node)
{
    return p->g->nodes[node].facts;
}

static bool is_full(const struct pairs *p, uint32_t other)
{
    return !p->has_room && facts(p, other) & MODEL_COUNTS;
}

static struct pair pair_of(uint32_t a, uint32_t b)
{
    return a <= b ? (struct pair){ a, b } : (struct pair){ b, a };
}

// --- Sets of pairs ---

static uint64_t bit_of(const struct model_pairs *pairs, uint32_t a, uint32_t b)
{
    return (uint64_t)(a < b ? a : b) * pairs->n_nodes + (a < b ? b : a);
}

void model_pairs_open(struct model_pairs *pairs)
{
    pairs->seen =
        calloc(((uint64_t)pairs->n_nodes * pairs->n_nodes + 63) / 64, sizeof *pairs->seen);
    REQUIRE(pairs->seen);
}

void model_pairs_wipe(struct model_pairs *pairs)
{
    free(pairs->seen);
    *pairs = (struct model_pairs){ .n = 0 };
}

bool model_pairs_has(const struct model_pairs *pairs, uint32_t a, uint32_t b)
{
    const uint64_t bit = bit_of(pairs, a, b);
    return pairs->seen[bit / 64] >> bit % 64 & 1;
}

bool model_pairs_add(struct model_pairs *pairs, uint32_t a, uint32_t b)
{
    const uint64_t bit = bit_of(pairs, a, b);
    if (model_pairs_has(pairs, a, b))
        return false;
    pairs->seen[bit / 64] |= UINT64_C(1) << bit % 64;
    pairs->n++;
    return true;
}

// --- Both, and one replica that comes alone ---

static const struct model_edge *next_of(const struct pairs *p, uint32_t at, uint32_t other)
{
    const struct model_edge *e = model_graph_next(p->g, at, is_full(p, other));
    const bool busy = e && e->act == MODEL_CLAIM && model_held(facts(p, other)) > 0;
    return busy ? NULL : e;
}

static void recover(const struct pairs *p, struct pair now)
{
    uint32_t at[2] = { now.a, now.b };
    unsigned turn = 0;
    for (unsigned i = 0; i < RECOVERY_STEPS; i++) {
        const unsigned mine = turn % 2;
        const struct model_edge *e = next_of(p, at[mine], at[1 - mine]);
        if (e)
            at[mine] = e->to;
        if (!e || model_held(facts(p, at[mine])) == 0)
            turn++; // it let go, or there was nothing to do
    }
    for (unsigned i = 0; i < 2; i++)
        if (!(facts(p, at[i]) & (MODEL_ENDED | MODEL_TOLD)))
            fail_msg("invariant 20: from %u and %u, a spend stays %s", now.a, now.b,
                     spend_state_name(p->g->nodes[at[i]].state));
    p->out->n_recovered++;
}

// --- The walk ---

static void check(const struct pairs *p, struct pair now)
{
    const unsigned both = facts(p, now.a) & facts(p, now.b);
    // Invariant 1, by what the devices did.
    if (both & MODEL_MAY_LEAVE && !p->has_room)
        fail_msg("invariant 1: from %u and %u, both may leave", now.a, now.b);
    if (model_held(facts(p, now.a)) + model_held(facts(p, now.b)) == 0)
        recover(p, now);
}

static void reach(struct pairs *p, struct pair now)
{
    if (!model_pairs_add(p->out, now.a, now.b))
        return;
    check(p, now);
    if (p->n_todo == p->room) {
        p->room = 2 * p->room + 4096;
        p->todo = realloc(p->todo, p->room * sizeof *p->todo);
        REQUIRE(p->todo);
    }
    p->todo[p->n_todo++] = now;
}

// All that can happen to one of them.
static void acts_of(struct pairs *p, uint32_t at, uint32_t other)
{
    const struct model_node *node = &p->g->nodes[at];
    const bool none_idle = model_held(node->facts) + model_held(facts(p, other)) >= MODEL_REPLICAS;
    const enum model_act barred = is_full(p, other) ? MODEL_RESERVE : MODEL_RESERVE_FULL;
    for (uint32_t i = 0; i < node->n; i++) {
        const struct model_edge *e = &p->g->edges[node->first + i];
        if (e->act == barred || (e->act == MODEL_CLAIM && none_idle))
            continue;
        p->out->n_acts++;
        reach(p, pair_of(e->to, other));
    }
}

void model_pairs_walk(struct model_pairs *out, const struct model_graph *g, bool has_room)
{
    struct pairs p = { .g = g, .out = out, .has_room = has_room };
    *out = (struct model_pairs){ .n_nodes = g->n };
    model_pairs_open(out);
    reach(&p, (struct pair){ 0, 0 });
    while (p.n_todo > 0) {
        const struct pair now = p.todo[--p.n_todo];
        acts_of(&p, now.a, now.b);
        if (now.a != now.b)
            acts_of(&p, now.b, now.a);
    }
    free(p.todo);
}
