// signer/blob.h -- owned bytes on the heap, wiped when dropped.
#ifndef CASEMATE_SIGNER_BLOB_H
#define CASEMATE_SIGNER_BLOB_H
#include "base/bytes.h"

struct blob {
    uint8_t *ptr;
    size_t len;
};

// Replaces the content by a copy. No memory stops the process: callers bound `content`.
void blob_set(struct blob *blob, struct bytes content);
void blob_drop(struct blob *blob); // also for AUTO
struct bytes blob_bytes(const struct blob *blob);

// *to takes what *from has, which is empty afterwards.
void blob_move(struct blob *to, struct blob *from);

#endif
