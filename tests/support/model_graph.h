// tests/support/model_graph.h -- every state that one spend of a model can be in, and every act between two of them.
//
// What two spends do together is then walked through without a store: model_pairs. That takes for granted that an
// act on one spend does the same whatever the other is at, but for the cap and for who is idle; model_graph_beside
// shows it, state by state.
#ifndef CASEMATE_TESTS_SUPPORT_MODEL_GRAPH_H
#define CASEMATE_TESTS_SUPPORT_MODEL_GRAPH_H
#include "tests/support/model_world.h"

struct model_edge {
    uint32_t to;
    uint8_t act, kind; // as of struct model_action
};
struct model_node {
    uint64_t key;
    uint32_t first, n; // its edges; acts that change nothing are left out
    uint32_t from;     // by which node it was found; the first one: itself
    uint16_t depth;    // acts that lead to it, at least
    struct model_action by;
    uint8_t state; // enum spend_state
    uint8_t facts; // model_facts
    bool was_left; // its acts were tried
};
struct model_graph {
    unsigned knows;
    struct model_node *nodes;
    struct model_edge *edges;
    size_t n, n_edges, nodes_room, edges_room;
    uint32_t *index; // by key, open addressing; 0: free, else 1 + number
    size_t index_room;
    uint64_t n_acts, n_exact, n_stale, deepest;
};

// Walks through all there is for a spend that knows so much (MODEL_FULL besides). Stops the test where an invariant
// is broken, or where a replica alone does not end the spend, or bring it to people, from any state (20, 21).
// flaw: as of model_open.
void model_graph_init(struct model_graph *g, unsigned knows, const char *flaw);

// The same walk while another spend of the same wallet stays in state number `place` of `other`, with cap for both: it
// must find the wanted states of g again (but those with more replicas than the other one leaves), each with the
// same acts, and leave the other alone. Returns the number of acts that were tried.
// wanted: for each state of g, and for all on the ways to them.
size_t model_graph_beside(const struct model_graph *g, const bool *wanted,
                          const struct model_graph *other, uint32_t place);
void model_graph_wanted(const struct model_graph *g, bool *wanted); // adds those on the ways
void model_graph_wipe(struct model_graph *g);

// UINT32_MAX: none has that key.
uint32_t model_graph_find(const struct model_graph *g, uint64_t key);
bool model_graph_has(const struct model_graph *g, uint32_t from, enum model_act act, uint32_t to);
unsigned model_held(unsigned facts); // replicas at it

// What one replica does next that came alone after all had died, NULL: nothing more. full: another spend counts.
const struct model_edge *model_graph_next(const struct model_graph *g, uint32_t at, bool full);

#endif
