#include "tests/support/model_graph.h"
#include "base/require.h"
#include "tests/support/model_internal.h"
#include "tests/support/test.h"
#include <stdlib.h>
#include <string.h>

enum { RECOVERY_STEPS = 60 };

unsigned model_held(unsigned facts)
{
    return facts & (MODEL_HELD_ONCE | MODEL_HELD_TWICE);
}

// --- Nodes by key ---

static size_t slot_of(const struct model_graph *g, uint64_t key)
{
    size_t at = key % g->index_room;
    while (g->index[at] && g->nodes[g->index[at] - 1].key != key)
        at = (at + 1) % g->index_room;
    return at;
}

uint32_t model_graph_find(const struct model_graph *g, uint64_t key)
{
    return g->n == 0 ? UINT32_MAX : g->index[slot_of(g, key)] - 1u;
}

static void grow_nodes(struct model_graph *g)
{
    g->nodes_room = g->nodes_room ? 2 * g->nodes_room : 4096;
    g->nodes = realloc(g->nodes, g->nodes_room * sizeof *g->nodes);
    free(g->index);
    g->index_room = 4 * g->nodes_room;
    g->index = calloc(g->index_room, sizeof *g->index);
    REQUIRE(g->nodes && g->index);
    for (size_t i = 0; i < g->n; i++)
        g->index[slot_of(g, g->nodes[i].key)] = (uint32_t)i + 1;
}

static uint32_t add_node(struct model_graph *g, uint64_t key, uint32_t from,
                         const struct model_action *by)
{
    if (g->n == g->nodes_room)
        grow_nodes(g);
    g->index[slot_of(g, key)] = (uint32_t)g->n + 1;
    g->nodes[g->n] = (struct model_node){ .key = key, .from = from };
    if (by)
        g->nodes[g->n].by = *by;
    return (uint32_t)g->n++;
}

static void add_edges(struct model_graph *g, struct model_node *node,
                      const struct model_edge *edges, size_t n)
{
    if (n == 0)
        return;
    if (g->n_edges + n > g->edges_room) {
        g->edges_room = 2 * g->edges_room + 4096;
        g->edges = realloc(g->edges, g->edges_room * sizeof *g->edges);
        REQUIRE(g->edges);
    }
    node->first = (uint32_t)g->n_edges;
    node->n = (uint32_t)n;
    memcpy(g->edges + g->n_edges, edges, n * sizeof *edges);
    g->n_edges += n;
}

void model_graph_wipe(struct model_graph *g)
{
    free(g->nodes);
    free(g->edges);
    free(g->index);
    *g = (struct model_graph){ .nodes = NULL };
}

bool model_graph_has(const struct model_graph *g, uint32_t from, enum model_act act, uint32_t to)
{
    const struct model_edge *e = g->edges + g->nodes[from].first;
    for (uint32_t i = 0; i < g->nodes[from].n; i++)
        if (e[i].act == act && e[i].to == to)
            return true;
    return false;
}

// --- The walk ---

// A state on the way that leads here, with what was not tried there.
struct frame {
    struct model_state state;
    struct model_actions all;
    size_t next, n_edges;
    uint32_t node;
    struct model_edge edges[MODEL_ACTIONS_MAX];
};
struct walk {
    struct model *m;
    struct model_graph *g;
    struct frame *stack;
    size_t depth, room;
    const struct frame *here; // whose state the store holds, as long as nothing was written since
    int writes;
    uint64_t beside; // the key of the other spend; 0: there is none
};

static void enter(struct walk *w, uint32_t node)
{
    if (w->depth == w->room) {
        w->room = 2 * w->room + 64;
        w->stack = realloc(w->stack, w->room * sizeof *w->stack);
        REQUIRE(w->stack);
        w->here = NULL;
    }
    struct frame *f = &w->stack[w->depth++];
    model_check(w->m);
    w->g->nodes[node].facts = (uint8_t)model_facts(w->m, 0);
    w->g->nodes[node].state = (uint8_t)rig_read(&w->m->rig, w->m->ids[0]).state;
    w->g->deepest = w->depth > w->g->deepest ? w->depth : w->g->deepest;
    *f = (struct frame){ .node = node, .all = model_possible(w->m, 0) };
    model_keep(w->m, &f->state);
}

static void put_back(struct walk *w, const struct frame *f)
{
    if (w->here == f && w->writes == sqlite3_total_changes(w->m->sql)) {
        w->m->w = f->state.w; // what was done there was done outside the store
        return;
    }
    model_put_back(w->m, &f->state);
    w->here = f;
    w->writes = sqlite3_total_changes(w->m->sql);
}

static void leave(struct walk *w)
{
    struct frame *f = &w->stack[--w->depth];
    add_edges(w->g, &w->g->nodes[f->node], f->edges, f->n_edges);
    model_state_free(&f->state);
    w->here = NULL;
}

// One act from where the walk stands.
static void step(struct walk *w)
{
    struct frame *f = &w->stack[w->depth - 1];
    const struct model_action *a = &f->all.items[f->next++];
    put_back(w, f);
    model_perform(w->m, a);
    w->g->n_acts++;
    if (w->beside && model_key(w->m, 1) != w->beside)
        fail_msg("an act on one spend changed another");
    const uint64_t key = model_key(w->m, 0);
    if (key == w->g->nodes[f->node].key)
        return;
    uint32_t to = model_graph_find(w->g, key);
    const bool is_new = to == UINT32_MAX;
    if (is_new)
        to = add_node(w->g, key, f->node, a);
    f->edges[f->n_edges++] =
        (struct model_edge){ .to = to, .act = (uint8_t)a->act, .kind = (uint8_t)a->kind };
    if (is_new)
        enter(w, to);
}

static void explore(struct model_graph *g, struct model *m, uint64_t beside)
{
    struct walk w = { .m = m, .g = g, .beside = beside };
    enter(&w, add_node(g, model_key(m, 0), 0, NULL));
    while (w.depth > 0) {
        const struct frame *f = &w.stack[w.depth - 1];
        arena_reset(test_arena());
        if (f->next == f->all.n)
            leave(&w);
        else
            step(&w);
    }
    free(w.stack);
    g->n_stale = m->n_stale;
}

// --- Recovery: invariants 20 and 21 ---

const struct model_edge *model_graph_next(const struct model_graph *g, uint32_t at, bool full)
{
    const struct model_node *node = &g->nodes[at];
    for (uint32_t i = 0; i < node->n; i++) {
        const struct model_edge *e = &g->edges[node->first + i];
        if (e->act == MODEL_CRASH || e->act == MODEL_CANCEL || e->act == MODEL_AGE)
            continue;
        if (e->act == (full ? MODEL_RESERVE : MODEL_RESERVE_FULL))
            continue;
        if (e->act == MODEL_CLAIM && model_held(node->facts) > 0)
            continue;
        return e;
    }
    return NULL;
}

// All replicas die.
static uint32_t killed(const struct model_graph *g, uint32_t at)
{
    const struct model_node *node = &g->nodes[at];
    for (uint32_t i = 0; i < node->n; i++)
        if (g->edges[node->first + i].act == MODEL_CRASH)
            return killed(g, g->edges[node->first + i].to);
    return at;
}

// One comes back, and the devices sign what they are asked.
static void recover(const struct model_graph *g, uint32_t from)
{
    uint32_t at = killed(g, from);
    for (unsigned i = 0; i < RECOVERY_STEPS; i++) {
        const struct model_edge *e = model_graph_next(g, at, false);
        if (!e)
            break;
        at = e->to;
    }
    // Invariant 20: "every one ends or is reported parked".
    if (!(g->nodes[at].facts & (MODEL_ENDED | MODEL_TOLD)))
        fail_msg("invariant 20: from state %u a spend stays %s", from,
                 spend_state_name(g->nodes[at].state));
}

void model_graph_init(struct model_graph *g, unsigned knows)
{
    struct model m;
    *g = (struct model_graph){ .nodes = NULL };
    model_open(&m, 1, MODEL_AMOUNT, knows | MODEL_FULL);
    explore(g, &m, 0);
    model_close(&m);
    for (uint32_t i = 0; i < g->n; i++)
        recover(g, i);
}

// --- Beside another ---

// The acts that led to it, done to the second spend.
static void bring(const struct model_graph *g, struct model *m, uint32_t node)
{
    if (node == 0)
        return;
    bring(g, m, g->nodes[node].from);
    struct model_action a = g->nodes[node].by;
    a.spend = 1;
    model_perform(m, &a);
}

static void compare(const struct model_graph *g, const struct model_graph *found, unsigned idle)
{
    size_t expected = 0;
    for (uint32_t i = 0; i < found->n; i++) {
        const uint32_t same = model_graph_find(g, found->nodes[i].key);
        if (same == UINT32_MAX)
            fail_msg("beside another spend there is a state that one alone cannot reach");
        if (g->nodes[same].facts != found->nodes[i].facts)
            fail_msg("beside another spend a state is not what it is alone");
        for (uint32_t e = 0; e < found->nodes[i].n; e++) {
            const struct model_edge *edge = &found->edges[found->nodes[i].first + e];
            const uint32_t to = model_graph_find(g, found->nodes[edge->to].key);
            if (!model_graph_has(g, same, edge->act, to))
                fail_msg("beside another spend act %u does something else", edge->act);
        }
    }
    for (uint32_t i = 0; i < g->n; i++)
        expected += model_held(g->nodes[i].facts) <= idle;
    if (idle == MODEL_REPLICAS && (found->n != g->n || found->n_edges != g->n_edges))
        fail_msg("beside another spend %zu states and %zu acts, alone %zu and %zu", found->n,
                 found->n_edges, g->n, g->n_edges);
    if (found->n > expected)
        fail_msg("beside a held spend %zu states instead of at most %zu", found->n, expected);
}

void model_graph_beside(const struct model_graph *g, unsigned knows, uint32_t other)
{
    struct model_graph found = { .nodes = NULL };
    struct model m;
    model_open(&m, 2, 2 * MODEL_AMOUNT, knows | MODEL_FULL);
    bring(g, &m, other);
    const uint64_t beside = model_key(&m, 1);
    assert_int_equal(model_graph_find(g, beside), other);
    explore(&found, &m, beside);
    model_close(&m);
    compare(g, &found, MODEL_REPLICAS - model_held(g->nodes[other].facts));
    model_graph_wipe(&found);
}
