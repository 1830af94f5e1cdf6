// tests/support/model_pairs.h -- every state of two spends of a model that share replicas and a cap.
#ifndef CASEMATE_TESTS_SUPPORT_MODEL_PAIRS_H
#define CASEMATE_TESTS_SUPPORT_MODEL_PAIRS_H
#include "tests/support/model_graph.h"

struct model_pairs {
    uint64_t n, n_acts, n_recovered;
    size_t n_nodes;
    uint64_t *seen; // one bit a pair
};
// Walks through all pairs of states of g that can be reached, the two spends being alike. has_room: the cap has
// room for both, otherwise for one. Stops the test where more may leave than the cap (1), or where a replica alone
// does not end both, or bring them to people (20, 21).
void model_pairs_walk(struct model_pairs *out, const struct model_graph *g, bool has_room);

// Pairs in any order. Open: of as many nodes as it says, none yet. Add: false: it was there.
void model_pairs_open(struct model_pairs *pairs);
void model_pairs_wipe(struct model_pairs *pairs);
bool model_pairs_has(const struct model_pairs *pairs, uint32_t a, uint32_t b);
bool model_pairs_add(struct model_pairs *pairs, uint32_t a, uint32_t b);

#endif
