// bunker/audit.h -- who did what: JSON lines, each holding the hash of the one before.
//
// (1) Whoever edits, removes or reorders a line breaks the chain.
// (2) A line counts once it is whole and on disk. What a full disk or a power cut left of one is cut off: it
//     was never told to be there.
// (3) The file grows for ever; no more of it than a line is held in memory.
// Source: bunker.md 18 "Audit log".
#ifndef CASEMATE_BUNKER_AUDIT_H
#define CASEMATE_BUNKER_AUDIT_H
#include "base/err.h"
#include "base/writer.h"
#include "crypto/hash.h"

#define AUDIT_MARK_EVERY 1024
#define AUDIT_READ_MAX   5000 // lines given at once

struct audit {
    int fd;              // -1: none is kept
    uint64_t seq, len;   // lines, and their bytes
    struct hash256 head; // of the last line
    uint64_t *marks;     // where each 1024th line begins, from the first
    size_t n_marks;
};

// What a line tells beside time, number and chain; NULL and empty members are left out.
struct audit_event {
    const char *event, *account, *listener, *session, *psbt_hash, *outcome;
    struct bytes reason;
};

// Opens or makes the file, finds the last line, checks the chain, and cuts off a line that is not whole.
// Fails: ERR_IO; ERR_INVALID "<path>:<line>: the chain is broken".
MUST_CHECK bool audit_open(struct audit *out, const char *path, struct err *err);
void audit_close(struct audit *a);

// Appends and syncs. A full disk is no reason to stop serving: false tells the caller, who logs it.
bool audit_add(struct audit *a, int64_t now_s, const struct audit_event *event);

// Writes the lines after number `after`, at most AUDIT_READ_MAX of them, as a JSON array.
MUST_CHECK bool audit_read(const struct audit *a, uint64_t after, struct writer *w,
                           struct err *err);

#endif
