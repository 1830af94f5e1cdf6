// signer/journal_file.h -- journal.jsonl: the copy of the store's journal lines that people read.
//
// A line is committed in the store with the decision it tells of, and appended here afterwards; what
// a crash left out is appended at the next start.
//
// (1) A line stays in the store until it is on the disk here too: what a power cut takes from the file
//     comes back at the next start. Nobody has to wait for this file's disk.
// (2) At most JOURNAL_UNSAFE_LINES lines, and JOURNAL_UNSAFE_BYTES besides the last, wait for that.
// Source: policy.md D11.
#ifndef CASEMATE_SIGNER_JOURNAL_FILE_H
#define CASEMATE_SIGNER_JOURNAL_FILE_H
#include "signer/store.h"
#include <sys/types.h>

#define JOURNAL_FILE         "journal.jsonl"
#define JOURNAL_UNSAFE_LINES 64
#define JOURNAL_UNSAFE_BYTES 65536

// The file as it was left, so that it need not be read again. Zeroed: nothing is known of it.
struct journal_file {
    bool is_open;
    int fd;
    dev_t dev;
    ino_t ino;
    int64_t len;
    uint64_t seq;                // of its last line
    size_t n_unsafe, unsafe_len; // lines that were written, and are perhaps not on the disk
};

// Appends every line of the store that the file lacks. Call after unlocking (before anything is armed),
// and after each commit, once the reply is out. A torn last line, left by a crash, is cut off first.
// Fails: ERR_INVALID "journal.jsonl: line <n> is not in the store: it was set back to an older copy",
//        ERR_IO (lines stay in the store until it works).
MUST_CHECK bool journal_file_catch_up(struct journal_file *file, struct store *store,
                                      struct err *err);

// Waits until what was written is on the disk, and tells the store. Fails: ERR_IO.
MUST_CHECK bool journal_file_make_safe(struct journal_file *file, struct store *store,
                                       struct err *err);

void journal_file_close(struct journal_file *file);

#endif
