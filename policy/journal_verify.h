// policy/journal_verify.h -- proving that a journal is whole, with nothing but its public key.
//
// (1) A record counts only if its signature fits; what it then says of its place is believed.
// (2) Each record that is missing, out of its place, altered or cut off is named, by its number and
//     the line where that shows.
// (3) Reads line by line and keeps little, so that a journal may be of any length.
// Source: policy.md 17.5, D11 and item 83.
#ifndef CASEMATE_POLICY_JOURNAL_VERIFY_H
#define CASEMATE_POLICY_JOURNAL_VERIFY_H
#include "policy/journal.h"

#define JOURNAL_FAULTS_MAX 100 // that are told one by one
#define JOURNAL_GAPS_MAX   100 // holes that may still be filled by records out of their place

// One line as it stands; all but `seq` is borrowed.
struct journal_record {
    uint64_t seq;
    struct hash256 prev, hash; // of the line before; of this one
    struct bytes signed_part;
    uint8_t sig[64];
};

// The frame of a line: `seq` first, `prev` and `sig` last. What stands between is not looked at, and
// nothing is verified. Fails: ERR_MALFORMED.
MUST_CHECK bool journal_record_read(struct journal_record *out, struct bytes line, struct err *err);
bool journal_record_verifies(const struct journal_record *record, const uint8_t key[static 32]);

enum journal_fault_kind {
    FAULT_EDITED,    // record `seq` stands at `line`, and is not what was signed
    FAULT_FOREIGN,   // `line` is no record of this journal
    FAULT_REMOVED,   // records `seq` to `last` are missing before `line`
    FAULT_MOVED,     // record `seq` stands at `line`, behind record `last`
    FAULT_REPEATED,  // record `seq` stands at `line` once more
    FAULT_HISTORY,   // record `seq` at `line` follows another record `seq` - 1 than stands there
    FAULT_TRUNCATED, // the last line, `line`, is cut off in the middle: record `seq`
    FAULT_CUT_OFF,   // what came after record `seq` is missing: the head is none of those there
    FAULT_EMPTY,     // no record at all
};
struct journal_fault {
    enum journal_fault_kind kind;
    uint64_t line; // from 1
    uint64_t seq, last;
};
// "line 7: record 6 was edited: its signature does not fit"
void journal_fault_write(struct writer *w, const struct journal_fault *fault);

// A plain value: nobody frees it.
struct journal_verifier {
    uint8_t key[32];
    bool has_head;       // the caller knows a head:
    struct hash256 head; // the hash of some line that must be there
    bool head_found;
    uint64_t head_seq;

    uint64_t n_lines, n_good;
    uint64_t next;                      // number of the record that should come
    bool has_last;                      // the record before it is good:
    struct hash256 last;                // its hash
    uint64_t doubtful_line, n_doubtful; // lines before this one that are not good records
    size_t n_gaps;
    struct journal_gap {
        uint64_t first, last, line;
    } gaps[JOURNAL_GAPS_MAX];
    uint64_t n_faults; // all of them
    struct journal_fault faults[JOURNAL_FAULTS_MAX];
};

// head: NULL if none is known; without one, records that were cut off at the end cannot be missed.
void journal_verifier_init(struct journal_verifier *v, const uint8_t key[static 32],
                           const struct hash256 *head);

// The next line, without its LF. is_whole: an LF stood behind it.
void journal_verifier_line(struct journal_verifier *v, struct bytes line, bool is_whole);

// At the end of the file. True if there is no fault.
MUST_CHECK bool journal_verifier_end(struct journal_verifier *v);

// All at once.
MUST_CHECK bool journal_verify(struct journal_verifier *v, struct bytes file,
                               const uint8_t key[static 32], const struct hash256 *head);

#endif
