// tests/support/model_classes.h -- the states of one spend, of which those that no act can tell apart are one.
//
// Two spends share the idle replicas and the cap, and nothing else (model_graph_beside). So what one of them does to
// a pair is all in a state's facts (model_world.h), in which states acts lead to, and in what a replica does next
// that comes alone. States that agree in all of that, for ever, are of one class: the coarsest such classes are
// found by refining, from the facts on, until no class falls apart. Pairs of classes then stand for all pairs of
// states; model_pairs walks through them as it does through states.
#ifndef CASEMATE_TESTS_SUPPORT_MODEL_CLASSES_H
#define CASEMATE_TESTS_SUPPORT_MODEL_CLASSES_H
#include "tests/support/model_graph.h"

// out: one node for each class, with the key of its first state; class_of: for each node of g, to be freed.
void model_classes_init(struct model_graph *out, uint32_t **class_of, const struct model_graph *g);

#endif
