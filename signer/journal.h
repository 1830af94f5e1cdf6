// signer/journal.h -- the journal's lines, made where something happens.
//
// (1) A line is part of the commit that it tells of; one without such a commit is stored alone.
// (2) The lines reach journal.jsonl after the reply is out, from the loop, when it has nothing else to do.
// (3) What a host can cause without end, and nobody approves, is counted past a limit, not written:
//     the journal must not fill the disk. The next such line that is written says how many there were.
// Source: policy.md 17.5, D11. Format: policy/journal.h.
#ifndef CASEMATE_SIGNER_JOURNAL_H
#define CASEMATE_SIGNER_JOURNAL_H
#include "policy/journal.h"
#include "signer/journal_file.h"

#define JOURNAL_NOTES_MAX  1000    // lines of hosts in one
#define JOURNAL_NOTES_MS   3600000 // hour
#define JOURNAL_LATE_MS    20      // to journal.jsonl at the latest
#define JOURNAL_SAFE_MS    1000    // and onto its disk
#define JOURNAL_RETRY_MS   5000    // after journal.jsonl could not be written
#define JOURNAL_NOTE_ARENA (1u << 20)

struct device;

struct journal_state {
    uint8_t key[32]; // x-only public key, while there is a seed
    struct journal_file file;
    uint64_t timer;         // of the next catching up; 0: none
    uint64_t safe_timer;    // of the next waiting for the disk; likewise
    int64_t notes_since_ms; // when the current hour of notes began
    uint64_t n_notes;       // in it
    uint64_t n_omitted;     // not yet told
};

// Makes the key that signs lines, and the public one: after the seed is loaded. A passphrase that a
// host gives later changes neither. Fails: as journal_key.
MUST_CHECK bool journal_load_key(struct device *device, struct err *err);

// After unlocking, before anything is armed: brings the file up to date and records the start.
// Fails: ERR_INVALID if the file knows more than the store. What the disk refuses is tried again.
MUST_CHECK bool journal_open(struct device *device, struct err *err);

// Before locking: records the stop, and waits for the file. `what`: "locked", "ended".
void journal_close(struct device *device, const char *what);

// The line of an event, for the commit that comes next; empty without a seed. It must be stored before
// another is made.
MUST_CHECK bool journal_line(struct device *device, struct bytes *out,
                             const struct journal_event *event, struct arena *arena,
                             struct err *err);

// A line of its own. That it cannot be stored is logged: nothing else depends on it.
void journal_note(struct device *device, const struct journal_event *event);

// Notes that hosts cause, within the limit: a request that ended in an error (hash: of its bytes), and
// one that the policy does not share ("xpub", "address", "multisig-address"). Only in HSM mode.
void journal_failure(struct device *device, const struct hash256 *hash, const struct err *failure);
void journal_denied(struct device *device, const char *what, struct bytes path);

#endif
