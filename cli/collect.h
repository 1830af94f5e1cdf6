// cli/collect.h -- what is fetched once a question was answered, and put into the result: for the
// verbs that ask, and for `wait`, which comes later.
// Source: cli.md 3.9, 3.10, 3.12, 7.1.
#ifndef CASEMATE_CLI_COLLECT_H
#define CASEMATE_CLI_COLLECT_H
#include "cli/cli.h"

// cli_wait, with the reference client's words on standard error where --compat wants them.
MUST_CHECK bool collect_answer(struct cli *cli, struct reply *out, enum request_id poll,
                               enum reply_id expected, struct err *err);

// Waits for a file and downloads it. poll: stok or bkok. *out lies in the run's arena.
MUST_CHECK bool collect_file(struct cli *cli, struct bytes *out, enum request_id poll,
                             struct err *err);

// What was asked to be signed; zeroed: who collects does not know.
struct collect_message {
    struct bytes text;
    const char *path, *format;
};
MUST_CHECK bool collect_put_message(struct cli *cli, const struct reply *smrx,
                                    const struct collect_message *asked, struct err *err);

// Where the options say that a backup goes, before the device is asked for one.
// Fails: ERR_EXISTS "<path>: is there already; --force replaces it".
MUST_CHECK bool collect_backup_path(struct cli *cli, const char **out, struct err *err);
MUST_CHECK bool collect_put_backup(struct cli *cli, struct bytes backup, const char *path,
                                   struct err *err);

// The master key that a passphrase opened. Fails: ERR_AUTH where --expect-xfp is another.
MUST_CHECK bool collect_put_wallet(struct cli *cli, struct bytes xpub, struct err *err);

#endif
