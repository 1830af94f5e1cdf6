// cli/signed_result.h -- what signing gave: a PSBT, a transaction or text, and how it is handed out.
// Source: cli.md 3.8, the table of outputs; 7.2.
#ifndef CASEMATE_CLI_SIGNED_RESULT_H
#define CASEMATE_CLI_SIGNED_RESULT_H
#include "bitcoin/tx.h"
#include "cli/cli.h"

enum result_kind { RESULT_PSBT, RESULT_TRANSACTION, RESULT_TEXT };

struct signed_result {
    struct cli *cli;
    const char *out; // file; NULL for standard output, encoded; "-" for that, as to a file
    struct bytes content;
    enum result_kind kind;
    char txid[TXID_TEXT_SIZE]; // of a transaction
};

// What came must be what was asked for: text, or one of the others.
// Fails: ERR_FRAMING "the result is neither PSBT nor transaction: ...".
MUST_CHECK bool signed_result_read(struct signed_result *s, bool asked_for_text, struct err *err);

// The same where nobody knows any more what was asked for.
MUST_CHECK bool signed_result_guess(struct signed_result *s, struct err *err);

// Into the JSON result, and to the file or standard output. Fails: ERR_IO.
MUST_CHECK bool signed_result_put(struct signed_result *s, struct err *err);

#endif
