#include "tests/support/model_classes.h"
#include "base/require.h"
#include <stdlib.h>
#include <string.h>

// What pairs and recovery tell of an act.
static unsigned label_of(const struct model_edge *e)
{
    switch (e->act) {
    case MODEL_RESERVE:
    case MODEL_RESERVE_FULL:
    case MODEL_CLAIM:
    case MODEL_CRASH:
    case MODEL_CANCEL:
    case MODEL_REORG:
    case MODEL_AGE:
        return e->act;
    default:
        return MODEL_SEE;
    }
}

static uint64_t mix(uint64_t h, uint64_t value)
{
    h = (h ^ value) * 0x9e3779b97f4a7c15u;
    return (h ^ h >> 31) * 0xbf58476d1ce4e5b9u;
}

// Of an act and the class to which it leads; a node that has none: 0.
static uint64_t way(const struct model_edge *e, const uint32_t *class_of)
{
    return e ? mix(mix(1, label_of(e)), class_of[e->to]) : 0;
}

// --- Refining ---

// By its class and by where it can go: two nodes with one sign stay in one class.
static uint64_t sign_of(const struct model_graph *g, uint32_t at, const uint32_t *class_of)
{
    const struct model_node *node = &g->nodes[at];
    uint64_t seen[MODEL_ACTIONS_MAX], sum = 0;
    size_t n = 0;
    for (uint32_t i = 0; i < node->n; i++) {
        const uint64_t one = way(&g->edges[node->first + i], class_of);
        size_t k = 0;
        while (k < n && seen[k] != one)
            k++;
        if (k < n)
            continue;
        seen[n++] = one;
        sum += mix(2, one); // in any order
    }
    const uint64_t h = mix(mix(3, class_of[at]), sum);
    return mix(mix(h, way(model_graph_next(g, at, false), class_of)),
               way(model_graph_next(g, at, true), class_of));
}

struct numbers {
    uint64_t *signs; // open addressing; 0: free
    uint32_t *number;
    size_t room, n;
};

// By order of nodes: the first node has class 0.
static uint32_t number_of(struct numbers *all, uint64_t sign)
{
    size_t at = sign % all->room;
    while (all->signs[at] && all->signs[at] != sign)
        at = (at + 1) % all->room;
    if (!all->signs[at]) {
        all->signs[at] = sign;
        all->number[at] = (uint32_t)all->n++;
    }
    return all->number[at];
}

// Returns how many classes there are, by the signs.
static size_t renumber(uint32_t *class_of, const uint64_t *signs, size_t n)
{
    struct numbers all = { .room = 2 * n + 1 };
    all.signs = calloc(all.room, sizeof *all.signs);
    all.number = calloc(all.room, sizeof *all.number);
    REQUIRE(all.signs && all.number);
    for (size_t i = 0; i < n; i++)
        class_of[i] = number_of(&all, signs[i] ? signs[i] : 1);
    free(all.signs);
    free(all.number);
    return all.n;
}

static size_t refine(const struct model_graph *g, uint32_t *class_of)
{
    uint64_t *signs = calloc(g->n, sizeof *signs);
    size_t n, before = 0;
    REQUIRE(signs);
    for (size_t i = 0; i < g->n; i++)
        signs[i] = g->nodes[i].facts + 1u;
    for (n = renumber(class_of, signs, g->n); n != before; n = renumber(class_of, signs, g->n)) {
        before = n;
        for (uint32_t i = 0; i < g->n; i++)
            signs[i] = sign_of(g, i, class_of);
    }
    free(signs);
    return n;
}

// --- The graph of the classes ---

// The ways of one node, once each, in their order: model_graph_next picks the same.
static void add_class(struct model_graph *out, const struct model_graph *g, uint32_t node,
                      const uint32_t *class_of)
{
    struct model_node *to = &out->nodes[out->n++];
    *to = g->nodes[node];
    to->first = (uint32_t)out->n_edges;
    to->n = 0;
    for (uint32_t i = 0; i < g->nodes[node].n; i++) {
        const struct model_edge *e = &g->edges[g->nodes[node].first + i];
        const struct model_edge made = { class_of[e->to], (uint8_t)label_of(e), 0 };
        bool known = false;
        for (uint32_t k = to->first; k < out->n_edges && !known; k++)
            known = out->edges[k].to == made.to && out->edges[k].act == made.act;
        if (!known)
            out->edges[out->n_edges++] = made;
    }
    to->n = (uint32_t)out->n_edges - to->first;
}

void model_classes_init(struct model_graph *out, uint32_t **class_of, const struct model_graph *g)
{
    *out = (struct model_graph){ .deepest = g->deepest };
    *class_of = calloc(g->n, sizeof **class_of);
    REQUIRE(*class_of);
    const size_t n = refine(g, *class_of);
    out->nodes = calloc(n, sizeof *out->nodes);
    out->edges = calloc(g->n_edges + 1, sizeof *out->edges);
    REQUIRE(out->nodes && out->edges);
    for (uint32_t i = 0; i < g->n; i++)
        if ((*class_of)[i] == out->n) // the first of its class
            add_class(out, g, i, *class_of);
}
