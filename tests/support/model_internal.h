// tests/support/model_internal.h -- what the parts of model_world.h share.
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

// A window that ended long ago stays one, however long the walk takes.
#define MODEL_AGED "(CAST(strftime('%s', 'now') AS integer) - 50 * 3600) * 1000000"

void model_keys_open(struct model *m);
enum model_place model_place_of(const struct model *m, unsigned spend, unsigned kind);
bool model_is_at(const struct model_replica *r, unsigned spend);
// Reads what was written since.
const struct model_read *model_read_spend(struct model *m, unsigned spend);
// What was read, with what devices did and replicas are at.
struct model_signers model_signers_of(struct model *m, unsigned spend,
                                      const struct model_signers *rows);
// What a replica remembers of its spend is no longer so.
bool model_is_stale(struct model *m, const struct model_replica *r);

#endif
