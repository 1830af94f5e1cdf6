// tests/support/postgres.h -- a throw-away PostgreSQL server for a test program.
//
//   struct postgres pg;
//   if (!postgres_start(&pg, "default_transaction_isolation=serializable")) skip();
//   struct db_options options = { .uri = pg.uri };
//   ...
//   postgres_stop(&pg);
//
// One per program is enough: initdb takes a second. It ends with the program, however that ends.
// Build with tests/support/postgres.c among the test's sources.
#ifndef CASEMATE_TESTS_SUPPORT_POSTGRES_H
#define CASEMATE_TESTS_SUPPORT_POSTGRES_H
#include "base/bytes.h"
#include <sys/types.h>

struct postgres {
    pid_t pid;
    int input;     // held open: its end is the server's
    char uri[256]; // what libpq takes
};
// settings: "name=value;name=value", or NULL. False, with a line of why on standard error: there is no
// PostgreSQL here.
MUST_CHECK bool postgres_start(struct postgres *out, const char *settings);
void postgres_stop(struct postgres *pg);

#endif
