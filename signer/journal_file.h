// signer/journal_file.h -- journal.jsonl: the copy of the store's journal lines that people read.
//
// A line is committed in the store with the decision it tells of, and appended here afterwards; what
// a crash left out is appended at the next start. Source: policy.md D11.
#ifndef CASEMATE_SIGNER_JOURNAL_FILE_H
#define CASEMATE_SIGNER_JOURNAL_FILE_H
#include "signer/store.h"

#define JOURNAL_FILE "journal.jsonl"

// Appends every line of the store that the file lacks, waits until they are on the disk, and tells
// the store. Call after unlocking (before anything is armed), and after each commit, once the reply
// is out. A torn last line, left by a crash, is cut off first.
// Fails: ERR_INVALID "journal.jsonl: line <n> is not in the store: it was set back to an older copy",
//        ERR_IO (lines stay in the store until it works).
MUST_CHECK bool journal_file_catch_up(struct store *store, struct err *err);

#endif
