// tests/support/model_pairs.h -- every state of two spends of a model that share replicas and a cap.
#ifndef CASEMATE_TESTS_SUPPORT_MODEL_PAIRS_H
#define CASEMATE_TESTS_SUPPORT_MODEL_PAIRS_H
#include "tests/support/model_graph.h"

struct model_pairs {
    uint64_t n, n_acts, n_recovered;
};
// Walks through all pairs of states of g that can be reached, the two spends being alike. has_room: the cap has
// room for both, otherwise for one. Stops the test where more may leave than the cap (1), or where a replica alone
// does not end both, or bring them to people (20, 21).
void model_pairs_walk(struct model_pairs *out, const struct model_graph *g, bool has_room);

#endif
