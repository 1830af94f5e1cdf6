// cli/pushtx.h -- PushTx URLs: a page that broadcasts the transaction that its address carries.
// Source: cli.md 3.8.
#ifndef CASEMATE_CLI_PUSHTX_H
#define CASEMATE_CLI_PUSHTX_H
#include "base/err.h"
#include "base/writer.h"

// The base of a URL: `coldcard` and `mempool` for their own, else http or https, ending in #, ? or
// &. *out is NULL for NULL. Fails: ERR_USAGE.
MUST_CHECK bool pushtx_base(const char **out, const char *text, struct err *err);

// chain: "BTC", which is left out, or another.
void pushtx_write(struct writer *w, const char *base, struct bytes transaction, struct bytes chain);

#endif
