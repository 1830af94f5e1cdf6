#include "tests/support/spend_rig.h"
#include "coordinator/invariants.h"
#include <string.h>

struct spend_rig spend_rig(size_t n_coins)
{
    struct spend_rig r = { .world = world_new() };
    r.ledger = world_ledger(r.world, NULL);
    r.db = world_db(r.ledger);
    for (size_t i = 0; i < n_coins; i++)
        world_fund(r.world, r.ledger, SPEND_RIG_COIN);
    world_reconcile(r.world, r.ledger, r.db);
    return r;
}

void spend_rig_check(const struct spend_rig *r)
{
    struct err err;
    if (!invariants_check(r->db, &err))
        fail_msg("%s", err.text);
}

void spend_rig_done(struct spend_rig *r)
{
    spend_rig_check(r);
    db_close(&r->db);
}

struct spend spend_rig_drive(struct spend_rig *r, const struct spend *spend, size_t rounds)
{
    (void)world_drive(r->world, r->ledger, r->db, rounds);
    return world_spend(r->db, spend->id);
}

struct spend spend_rig_settle(struct spend_rig *r, const struct spend *spend)
{
    world_mine(r->world, 6);
    world_reconcile(r->world, r->ledger, r->db);
    return world_spend(r->db, spend->id);
}

struct velocity_view spend_rig_velocity(const struct spend_rig *r)
{
    struct velocity_view v;
    struct err err;
    if (!ledger_velocity(r->db, &v, r->ledger->wallet_id, &err))
        fail_msg("%s", err.text);
    return v;
}

struct bytes spend_rig_story(const struct spend_rig *r, const char *spend_id)
{
    struct writer w = writer_growing(test_arena(), 65536);
    struct db_rows rows;
    struct err err;
    if (!db_query(r->db, &rows,
                  "SELECT after FROM event WHERE object = $1 AND kind = 'spend.frame' ORDER BY seq",
                  DB_ARGS(db_text(spend_id)), test_arena(), &err))
        fail_msg("%s", err.text);
    for (size_t i = 0; i < rows.n; i++) {
        writer_put(&w, db_cell_bytes(&rows, i, 0));
        writer_text(&w, "\n");
    }
    return writer_bytes(&w);
}

bool spend_rig_tells(struct bytes all, const char *part)
{
    return memmem(all.ptr, all.len, part, strlen(part)) != NULL;
}
