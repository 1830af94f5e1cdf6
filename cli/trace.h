// cli/trace.h -- --trace: what goes over the link, a line for each message, without its secrets.
//
//   "  12.034 > stxn 44 bytes, encrypted: 7374786e..."
//
// Seconds since the file was opened; `>` sent, `<` received; the message in hex as it is before
// encryption, cut into packets only on the link. Source: cli.md 7.1.
#ifndef CASEMATE_CLI_TRACE_H
#define CASEMATE_CLI_TRACE_H
#include "client/connection.h"

struct trace_file {
    int fd; // -1: none
    int64_t start_ms;
};

// Makes or empties the file, for the owner only. Fails: ERR_IO, ERR_NOT_FOUND.
MUST_CHECK bool trace_open(struct trace_file *t, const char *path, struct err *err);
void trace_close(struct trace_file *t);
struct connection_trace trace_of(
    struct trace_file *t); // for connection_options; `t` must outlive it

#endif
