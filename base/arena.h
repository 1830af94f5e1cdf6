// base/arena.h -- memory for one request: bounded, zeroed when handed out, wiped when given back.
#ifndef CASEMATE_BASE_ARENA_H
#define CASEMATE_BASE_ARENA_H
#include "base/bytes.h"

struct arena;

// At most `limit` bytes will be handed out, the padding between pieces included. Memory comes in blocks
// as it is needed; the system refusing one stops the process.
struct arena *arena_new(size_t limit);
void arena_free(struct arena *arena);   // wipes; NULL is fine
void arena_freep(struct arena **arena); // for AUTO

// Gives everything back and wipes it; the arena can be used again.
void arena_reset(struct arena *arena);

// Zeroed memory, aligned for any type, alive until reset or free. NULL past the limit: the caller
// reports ERR_NO_MEMORY. arena_array checks the product. A size of 0 gives a valid pointer.
MUST_CHECK void *arena_alloc(struct arena *arena, size_t size);
MUST_CHECK void *arena_array(struct arena *arena, size_t count, size_t size);

// A piece that nobody needs any more goes before the others: a large one is wiped, and its memory is the
// system's again; a small one stays until reset. It counts against the limit all the same. NULL is fine.
void arena_give_back(struct arena *arena, void *piece);

// A copy of `content`; false past the limit. arena_text adds a final zero that `len` leaves out,
// so that ->ptr can go to a system call; NULL past the limit or if `content` has a zero inside.
MUST_CHECK bool arena_copy(struct arena *arena, struct bytes content, struct bytes *out);
MUST_CHECK const char *arena_text(struct arena *arena, struct bytes content);

// Handed out, with the padding between pieces, since the start or the last reset.
size_t arena_used(const struct arena *arena);

#endif
