// SQLite's calls, for fault.h.
#include "tests/support/fault_call.h"
#include <sqlite3.h>

// Nobody pulls the plug here, so SQLite need not wait for a disk.
int fdatasync(int fd)
{
    return fd < 0 ? -1 : 0;
}

WRAP(fault_strikes(FAULT_DATABASE), int, sqlite3_step, (sqlite3_stmt * s), (s), SQLITE_IOERR)
WRAP(fault_strikes(FAULT_DATABASE), int, sqlite3_exec,
     (sqlite3 * db, const char *sql, int (*row)(void *, int, char **, char **), void *with,
      char **why),
     (db, sql, row, with, why), SQLITE_IOERR)
WRAP(fault_strikes(FAULT_DATABASE), int, sqlite3_column_type, (sqlite3_stmt * s, int at), (s, at),
     SQLITE_NULL)
WRAP(fault_strikes(FAULT_DATABASE), int, sqlite3_prepare_v2,
     (sqlite3 * db, const char *sql, int n, sqlite3_stmt **out, const char **rest),
     (db, sql, n, out, rest), (*out = NULL, SQLITE_NOMEM))
WRAP(fault_strikes(FAULT_DATABASE), int, sqlite3_prepare_v3,
     (sqlite3 * db, const char *sql, int n, unsigned how, sqlite3_stmt **out, const char **rest),
     (db, sql, n, how, out, rest), (*out = NULL, SQLITE_NOMEM))
WRAP(fault_strikes(FAULT_DATABASE), int, sqlite3_db_config,
     (sqlite3 * db, int option, int value, int *now), (db, option, value, now), SQLITE_ERROR)
