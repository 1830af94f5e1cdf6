// bunker/audit.h -- who did what: JSON lines, each holding the hash of the one before.
//
// Whoever edits, removes or reorders a line breaks the chain. Source: bunker.md 18 "Audit log".
#ifndef CASEMATE_BUNKER_AUDIT_H
#define CASEMATE_BUNKER_AUDIT_H
#include "base/err.h"
#include "base/writer.h"
#include "crypto/hash.h"

struct audit {
    int fd; // -1: none is kept
    uint64_t seq;
    struct hash256 head; // of the last line
};

// What a line tells beside time, number and chain; NULL and empty members are left out.
struct audit_event {
    const char *event, *account, *listener, *session, *psbt_hash, *outcome;
    struct bytes reason;
};

// Opens or makes the file, finds the last line, and checks the chain.
// Fails: ERR_IO; ERR_INVALID "<path>:<line>: the chain is broken".
MUST_CHECK bool audit_open(struct audit *out, const char *path, struct err *err);
void audit_close(struct audit *a);

// Appends and syncs. A full disk is no reason to stop serving: false tells the caller, who logs it.
bool audit_add(struct audit *a, int64_t now_s, const struct audit_event *event);

// Writes the lines after number `after`, at most `max` bytes of them, as a JSON array.
MUST_CHECK bool audit_read(const struct audit *a, uint64_t after, struct writer *w,
                           struct arena *arena, struct err *err);

#endif
