// tests/support/spend_rig.h -- spends carried through the real ledger, in the small world of treasury_world.h.
#ifndef CASEMATE_TESTS_SUPPORT_SPEND_RIG_H
#define CASEMATE_TESTS_SUPPORT_SPEND_RIG_H
#include "tests/support/treasury_world.h"

#define SPEND_RIG_COIN 400000

struct spend_rig {
    struct world *world;
    struct world_ledger *ledger;
    struct db *db;
};
// With coins of SPEND_RIG_COIN sat each.
struct spend_rig spend_rig(size_t n_coins);
void spend_rig_check(const struct spend_rig *r); // the ledger's invariants
void spend_rig_done(struct spend_rig *r);        // checks, and closes

struct spend spend_rig_drive(struct spend_rig *r, const struct spend *spend, size_t rounds);
// Six blocks, and the ledger is told.
struct spend spend_rig_settle(struct spend_rig *r, const struct spend *spend);
struct velocity_view spend_rig_velocity(const struct spend_rig *r);
// All frames of the story, one a line; txids and sizes as they are.
struct bytes spend_rig_story(const struct spend_rig *r, const char *spend_id);
bool spend_rig_tells(struct bytes all, const char *part);

#endif
