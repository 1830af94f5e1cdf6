// http/outbox.h -- what is still to be sent to one socket: bounded, in order, snapshots coalesced.
//
// (1) What was put without a key leaves in the order in which it came.
// (2) Of messages with the same key only the newest is kept: a slow reader gets the present state, not
//     its history. The newest takes the last one's place behind all that was put before it.
// (3) Never more than the limit is held; past it the socket is to be closed.
// Source: bunker.md 5.2 "Output".
#ifndef CASEMATE_HTTP_OUTBOX_H
#define CASEMATE_HTTP_OUTBOX_H
#include "base/bytes.h"

#define OUTBOX_ROOM 32 // bytes left free before each message, for the library's framing

struct outbox_message {
    struct outbox_message *next;
    unsigned key; // 0: none
    bool binary;
    size_t len;
    uint8_t mem[]; // OUTBOX_ROOM bytes, then the message
};

struct outbox {
    struct outbox_message *first, **last;
    size_t held, limit; // bytes
};

void outbox_init(struct outbox *box, size_t limit);
void outbox_free(struct outbox *box); // wipes what is left

// A copy of `content`. False, and nothing put, past the limit.
MUST_CHECK bool outbox_put(struct outbox *box, struct bytes content, unsigned key);

// The same for a binary message, without a key.
MUST_CHECK bool outbox_put_binary(struct outbox *box, struct bytes content);

bool outbox_is_empty(const struct outbox *box);

// Takes the first message out; the caller frees it with outbox_drop. NULL: none.
struct outbox_message *outbox_take(struct outbox *box);
void outbox_drop(struct outbox_message *message);

#endif
