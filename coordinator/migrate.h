// coordinator/migrate.h -- the ledger's schema: numbered steps, each applied once and for ever as it was.
//
// On SQLite `serve` and `setup` apply what is missing themselves, after copying the file; on PostgreSQL only
// `migrate` does, with a role that may change tables. A store newer than the program, one whose steps were other ones, and
// on PostgreSQL one older, are refused.
// Source: coordinator.md D14 "Schema".
#ifndef CASEMATE_COORDINATOR_MIGRATE_H
#define CASEMATE_COORDINATOR_MIGRATE_H
#include "coordinator/db.h"
#include "crypto/hash.h"

struct migrate_step {
    unsigned number; // 1, 2, 3 ...
    const char *name;
    struct hash256 hash; // of the file in coordinator/schema
    struct bytes sql[2]; // for SQLite, for PostgreSQL
};
struct migrate_steps {
    const struct migrate_step *items;
    size_t n;
};
const struct migrate_steps *migrate_steps(void);

struct migrate_state {
    unsigned applied, known; // how many steps the store has, and the program
};
// Fails: ERR_UNSUPPORTED "the ledger has step <n>, this program knows <m>: it is newer", ERR_INVALID "step
//        <n> of the ledger is another than this program's".
MUST_CHECK bool migrate_state(struct db *db, struct migrate_state *out,
                              const struct migrate_steps *steps, struct err *err);

// Applies what is missing, each step in a transaction. Two at once: one waits, and finds it done.
// Fails: as migrate_state.
MUST_CHECK bool migrate_apply(struct db *db, const struct migrate_steps *steps, struct err *err);

// PostgreSQL: lets the role that `serve` runs with do its work and no more: no change of tables, nothing deleted
// that concerns money, no event changed. role: a plain name.
MUST_CHECK bool migrate_grant(struct db *db, const char *role, struct err *err);

// What `serve` and `setup` begin with. SQLite: copies a file with missing steps to "<path>.step-<n>" and applies them.
// PostgreSQL: fails with ERR_STATE "the ledger has step <n> of <m>: run casemate-coordinator migrate".
MUST_CHECK bool migrate_at_start(struct db *db, const struct db_options *options, struct err *err);

#endif
