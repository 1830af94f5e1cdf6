// tests/support/model_internal.h -- what model_world.c and model_acts.c share.
#ifndef CASEMATE_TESTS_SUPPORT_MODEL_INTERNAL_H
#define CASEMATE_TESTS_SUPPORT_MODEL_INTERNAL_H
#include "tests/support/model_world.h"

void model_must(bool ok, const struct err *err);
void model_sql(struct model *m, const char *sql); // must succeed

// The transaction that a replica works on, and who was asked for it.
struct model_view {
    struct attempts attempts;
    struct sign_requests requests;
    struct attempt *a; // NULL: none yet
    unsigned kind;
};
struct model_view model_look(struct model *m, const struct model_replica *r);
unsigned model_n_signed(const struct model *m, const struct model_view *v);
// D4: those that may have signed first, the same again; then who was not asked. One bit a signer. but: it has just
// answered so; RIG_SIGNERS: nobody has.
unsigned model_candidates(const struct model *m, const struct model_view *v, unsigned but,
                          enum sign_state outcome);
// What a replica remembers of its spend is no longer so.
bool model_is_stale(struct model *m, const struct model_replica *r);

#endif
