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

// --- Keys that were seen ---

struct key_set {
    uint64_t *keys; // open addressing; 0: free
    size_t n, room;
};

static bool put_key(struct key_set *set, uint64_t key)
{
    size_t at = key % set->room;
    while (set->keys[at] && set->keys[at] != key)
        at = (at + 1) % set->room;
    if (set->keys[at])
        return false;
    set->keys[at] = key;
    set->n++;
    return true;
}

static bool is_new(struct key_set *set, uint64_t key)
{
    if (2 * set->n >= set->room) {
        struct key_set bigger = { .room = 4 * set->room + 4096 };
        bigger.keys = calloc(bigger.room, sizeof *bigger.keys);
        REQUIRE(bigger.keys);
        for (size_t i = 0; i < set->room; i++)
            if (set->keys[i])
                (void)put_key(&bigger, set->keys[i]);
        free(set->keys);
        *set = bigger;
    }
    return put_key(set, key);
}

// --- The walk ---

struct beside {
    const struct model_graph *g; // the walk alone, of which
    const bool *wanted;          // these states are of interest
    uint64_t key;                // of the other spend
};

// Breadth first: a state's audit chain, which is read again wherever a new state is checked, is as short as it can
// be, and so is the way to one where something is wrong. Each state is kept until all its acts were tried.
struct walk {
    struct model *m;
    struct model_graph *g;
    struct key_set exact;      // those that were checked
    struct model_state **kept; // of nodes that were not left yet, by number
    size_t room;
    uint32_t here; // whose state the store holds, but for what was written since
    int64_t writes;
    const struct beside *beside; // NULL: there is no other spend
};

// What was asked for a transaction that nobody is asked to sign any more stays as it is: what is left out of a key
// for that reason (model_world.c) has no effect.
static void check_closed(const struct model_keys *was, const struct model_keys *now)
{
    for (unsigned kind = 0; kind < MODEL_KINDS; kind++)
        if (was->closed[kind] && was->asked[kind] != now->asked[kind])
            fail_msg("a request for a transaction that is not signed any more has changed");
}

// What the store holds is a state seen for the first time.
static void enter(struct walk *w, uint32_t node)
{
    struct model_node *n = &w->g->nodes[node];
    if (node >= w->room) {
        w->room = 2 * w->room + 4096;
        w->kept = realloc(w->kept, w->room * sizeof *w->kept);
        REQUIRE(w->kept);
    }
    n->facts = (uint8_t)model_facts(w->m, 0);
    n->state = (uint8_t)rig_read(&w->m->rig, w->m->ids[0]).state;
    n->depth = (uint16_t)(node > 0 ? w->g->nodes[n->from].depth + 1 : 0);
    w->g->deepest = n->depth;
    w->kept[node] = malloc(sizeof *w->kept[node]);
    REQUIRE(w->kept[node]);
    model_keep(w->m, w->kept[node]);
}

static void put_back(struct walk *w, uint32_t node)
{
    if (w->here == node && w->writes == model_writes(w->m)) {
        w->m->w = w->kept[node]->w; // what was done there was done outside the store
        return;
    }
    model_put_back(w->m, w->kept[node]);
    w->here = node;
    w->writes = model_writes(w->m);
}

// One act; it leads nowhere: an edge to the node itself.
static struct model_edge step(struct walk *w, uint32_t from, const struct model_keys *was,
                              const struct model_action *a)
{
    model_perform(w->m, a);
    w->g->n_acts++;
    if (w->beside && model_key(w->m, 1) != w->beside->key)
        fail_msg("an act on one spend changed another");
    const struct model_keys now = model_keys_of(w->m, 0);
    check_closed(was, &now);
    if (is_new(&w->exact, now.exact))
        model_check(w->m, model_writes(w->m) != w->writes);
    uint32_t to = model_graph_find(w->g, now.key);
    if (to == UINT32_MAX) {
        to = add_node(w->g, now.key, from, a);
        enter(w, to);
    }
    return (struct model_edge){ .to = to, .act = (uint8_t)a->act, .kind = (uint8_t)a->kind };
}

static bool may_write(enum model_act act)
{
    return act != MODEL_SEND && act != MODEL_SIGNS && act != MODEL_SIGNS_UNHEARD &&
           act != MODEL_REFUSES && act != MODEL_CRASH && act != MODEL_MINE && act != MODEL_BURY &&
           act != MODEL_REORG;
}

static void expand(struct walk *w, uint32_t node)
{
    struct model_edge edges[MODEL_ACTIONS_MAX];
    size_t n = 0;
    w->g->nodes[node].was_left = true;
    put_back(w, node);
    const struct model_actions all = model_possible(w->m, 0);
    const struct model_keys keys = model_keys_of(w->m, 0);
    for (unsigned writes = 0; writes < 2; writes++) { // the store has to be put back more seldom so
        for (size_t i = 0; i < all.n; i++) {
            if (may_write(all.items[i].act) != (writes != 0))
                continue;
            arena_reset(test_arena());
            put_back(w, node);
            edges[i] = step(w, node, &keys, &all.items[i]);
        }
    }
    for (size_t i = 0; i < all.n; i++) // in the order in which they are tried by who recovers
        if (edges[i].to != node)
            edges[n++] = edges[i];
    add_edges(w->g, &w->g->nodes[node], edges, n);
}

// A state that alone cannot be is told of later.
static bool is_wanted(const struct walk *w, uint32_t node)
{
    if (!w->beside)
        return true;
    const uint32_t same = model_graph_find(w->beside->g, w->g->nodes[node].key);
    return same != UINT32_MAX && w->beside->wanted[same];
}

static void explore(struct model_graph *g, struct model *m, const struct beside *beside)
{
    struct walk w = { .m = m, .g = g, .here = UINT32_MAX, .beside = beside };
    model_check(m, true);
    (void)is_new(&w.exact, model_keys_of(m, 0).exact);
    enter(&w, add_node(g, model_key(m, 0), 0, NULL));
    for (uint32_t i = 0; i < g->n; i++) {
        if (is_wanted(&w, i))
            expand(&w, i);
        model_state_free(w.kept[i]);
        free(w.kept[i]);
    }
    free(w.kept);
    free(w.exact.keys);
    g->n_exact = w.exact.n;
    g->n_stale = m->n_stale;
}

// --- Recovery: invariants 20 and 21 ---

const struct model_edge *model_graph_next(const struct model_graph *g, uint32_t at, bool full)
{
    const struct model_node *node = &g->nodes[at];
    for (uint32_t i = 0; i < node->n; i++) {
        const struct model_edge *e = &g->edges[node->first + i];
        if (e->act == MODEL_CRASH || e->act == MODEL_CANCEL || e->act == MODEL_AGE ||
            e->act == MODEL_REORG)
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

void model_graph_init(struct model_graph *g, unsigned knows, const char *flaw)
{
    struct model m;
    *g = (struct model_graph){ .knows = knows };
    model_open(&m, 1, MODEL_AMOUNT, knows | MODEL_FULL, flaw);
    explore(g, &m, NULL);
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

static unsigned n_edges(const struct model_graph *g, uint32_t at, bool claims)
{
    const struct model_node *node = &g->nodes[at];
    unsigned n = 0;
    for (uint32_t i = 0; i < node->n; i++)
        n += claims || g->edges[node->first + i].act != MODEL_CLAIM;
    return n;
}

// One state beside, and alone: the same facts, and the same acts, but for those that need an idle replica.
static void compare(const struct model_graph *g, const struct model_graph *found, uint32_t at,
                    unsigned idle)
{
    const struct model_node *node = &found->nodes[at];
    const uint32_t same = model_graph_find(g, node->key);
    if (same == UINT32_MAX)
        fail_msg("beside another spend there is a state that one alone cannot reach");
    if (g->nodes[same].facts != node->facts)
        fail_msg("beside another spend a state is not what it is alone");
    for (uint32_t e = 0; e < node->n; e++) {
        const struct model_edge *edge = &found->edges[node->first + e];
        const uint32_t to = model_graph_find(g, found->nodes[edge->to].key);
        if (!model_graph_has(g, same, edge->act, to))
            fail_msg("beside another spend act %u does something else", edge->act);
    }
    const bool claims = model_held(node->facts) < idle;
    if (node->was_left && n_edges(found, at, claims) != n_edges(g, same, claims))
        fail_msg("beside another spend some of %u acts are not possible", g->nodes[same].n);
}

size_t model_graph_beside(const struct model_graph *g, const bool *wanted,
                          const struct model_graph *other, uint32_t place)
{
    struct model_graph found = { .nodes = NULL };
    struct model m;
    const unsigned idle = MODEL_REPLICAS - model_held(other->nodes[place].facts);
    size_t n_left = 0, expected = 0;
    model_open(&m, 2, 2 * MODEL_AMOUNT, g->knows | MODEL_FULL, NULL);
    bring(other, &m, place);
    const struct beside beside = { g, wanted, model_key(&m, 1) };
    assert_int_equal(model_graph_find(other, beside.key), place);
    explore(&found, &m, &beside);
    model_close(&m);
    for (uint32_t i = 0; i < found.n; i++) {
        compare(g, &found, i, idle);
        n_left += found.nodes[i].was_left;
    }
    for (uint32_t i = 0; i < g->n; i++)
        expected += wanted[i] && model_held(g->nodes[i].facts) <= idle;
    if (n_left > expected || (idle == MODEL_REPLICAS && n_left != expected))
        fail_msg("beside another spend %zu states, alone %zu", n_left, expected);
    const size_t n_acts = found.n_acts;
    model_graph_wipe(&found);
    return n_acts;
}

void model_graph_wanted(const struct model_graph *g, bool *wanted)
{
    for (uint32_t i = (uint32_t)g->n; i-- > 0;)
        if (wanted[i])
            wanted[g->nodes[i].from] = true; // found before it
}
