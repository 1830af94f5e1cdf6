#include "base/arena.h"
#include "base/require.h"
#include "base/secret.h"
#include <stdalign.h>
#include <sys/mman.h>

// Invariants:
// (1) Bytes of a `clean` block past `pos` are zero, so that handing out needs no clearing.
// (2) `used` counts what was asked for and the padding between; it never passes `limit`.
// (3) A piece of LARGE bytes or more is alone in memory of its own.

#define BLOCK_MIN ((size_t)64 * 1024)
#define BLOCK_MAX ((size_t)1024 * 1024)
#define LARGE     ((size_t)128 * 1024)
#define ALIGNMENT alignof(max_align_t)

// Under AddressSanitizer what was not handed out is poisoned, and a gap follows each piece, so that
// an overrun is found although malloc knows nothing of the pieces.
#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif
#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#define GAP ALIGNMENT
#else
#define GAP                               ((size_t)0)
#define ASAN_POISON_MEMORY_REGION(p, n)   ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

struct block {
    struct block *next; // older
    size_t cap, pos;    // of `mem`
    bool clean;
    alignas(max_align_t) uint8_t mem[];
};

struct large {
    struct large *next;
    size_t size; // of `mem`
    alignas(max_align_t) uint8_t mem[];
};

struct arena {
    size_t limit, used;
    struct block *newest;
    struct large *large;
};

static size_t align_up(size_t n)
{
    return (n + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

struct arena *arena_new(size_t limit)
{
    struct arena *arena = calloc(1, sizeof *arena);
    REQUIRE(arena != NULL);
    arena->limit = limit < SIZE_MAX / 4 ? limit : SIZE_MAX / 4; // sums below cannot wrap
    return arena;
}

// --- Large pieces: from the system itself and back, which malloc would keep ---

#ifdef ARENA_ASAN // which knows what malloc gave
static void *take_pages(size_t len)
{
    return calloc(1, len);
}

static void return_pages(void *pages, size_t len)
{
    (void)len;
    free(pages);
}
#else
static void *take_pages(size_t len)
{
    void *pages = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return pages == MAP_FAILED ? NULL : pages;
}

static void return_pages(void *pages, size_t len)
{
    REQUIRE(munmap(pages, len) == 0);
}
#endif

static void *large_new(struct arena *arena, size_t size)
{
    struct large *l = take_pages(sizeof *l + size);
    REQUIRE(l != NULL);
    l->size = size;
    l->next = arena->large;
    arena->large = l;
    return l->mem;
}

static void large_free(struct large *l)
{
    wipe(l->mem, l->size);
    return_pages(l, sizeof *l + l->size);
}

void arena_give_back(struct arena *arena, void *piece)
{
    for (struct large **at = &arena->large; *at != NULL; at = &(*at)->next) {
        struct large *l = *at;
        if (l->mem == piece) {
            *at = l->next;
            large_free(l);
            return;
        }
    }
}

// --- Blocks of many pieces ---

static void block_wipe(struct block *b)
{
    ASAN_UNPOISON_MEMORY_REGION(b->mem, b->cap);
    wipe(b->mem, b->pos);
    b->pos = 0;
}

void arena_reset(struct arena *arena)
{
    while (arena->large != NULL)
        arena_give_back(arena, arena->large->mem);
    while (arena->newest != NULL && arena->newest->next != NULL) {
        struct block *b = arena->newest;
        arena->newest = b->next;
        block_wipe(b);
        free(b);
    }
    arena->used = 0;
    if (arena->newest == NULL)
        return;
    block_wipe(arena->newest); // the first block stays for the next request
    ASAN_POISON_MEMORY_REGION(arena->newest->mem, arena->newest->cap);
}

void arena_free(struct arena *arena)
{
    if (arena == NULL)
        return;
    arena_reset(arena);
    if (arena->newest != NULL)
        ASAN_UNPOISON_MEMORY_REGION(arena->newest->mem, arena->newest->cap);
    free(arena->newest);
    free(arena);
}

void arena_freep(struct arena **arena)
{
    arena_free(*arena);
    *arena = NULL;
}

// Blocks double from 64 KiB to 1 MiB.
static void add_block(struct arena *arena, size_t need)
{
    size_t cap = arena->newest == NULL ? BLOCK_MIN : 2 * arena->newest->cap;
    if (cap > BLOCK_MAX)
        cap = BLOCK_MAX;
    if (cap < need) // by 128 KiB at most
        cap = need;
    // Large ones come from the system, which has cleared them, and their pages only when they are
    // used. The first one is from the heap and mostly little used: clearing all of it would cost a
    // small request more than anything else here.
    const bool clean = cap > BLOCK_MIN;
    struct block *b = clean ? calloc(1, sizeof *b + cap) : malloc(sizeof *b + cap);
    REQUIRE(b != NULL);
    b->clean = clean;
    b->cap = cap;
    b->pos = 0;
    b->next = arena->newest;
    arena->newest = b;
    ASAN_POISON_MEMORY_REGION(b->mem, b->cap);
}

void *arena_alloc(struct arena *arena, size_t size)
{
    if (size == 0)
        return arena; // nobody may look behind it, and it takes nothing
    // The padding counts: otherwise many small pieces would take 16 times the limit.
    const size_t start = align_up(arena->used);
    if (start > arena->limit || size > arena->limit - start)
        return NULL;
    arena->used = start + size;
    if (size >= LARGE)
        return large_new(arena, size);
    const size_t room = align_up(size) + GAP;
    if (arena->newest == NULL || room > arena->newest->cap - arena->newest->pos)
        add_block(arena, room);
    struct block *b = arena->newest;
    uint8_t *piece = b->mem + b->pos;
    b->pos += room;
    ASAN_UNPOISON_MEMORY_REGION(piece, size);
    if (!b->clean)
        memset(piece, 0, size);
    return piece;
}

void *arena_array(struct arena *arena, size_t count, size_t size)
{
    size_t total;
    return __builtin_mul_overflow(count, size, &total) ? NULL : arena_alloc(arena, total);
}

bool arena_copy(struct arena *arena, struct bytes content, struct bytes *out)
{
    uint8_t *copy = arena_alloc(arena, content.len);
    if (copy == NULL)
        return false;
    if (content.len > 0)
        memcpy(copy, content.ptr, content.len);
    *out = bytes_of(copy, content.len);
    return true;
}

const char *arena_text(struct arena *arena, struct bytes content)
{
    if (content.len == SIZE_MAX || (content.len > 0 && memchr(content.ptr, 0, content.len) != NULL))
        return NULL;
    char *text = arena_alloc(arena, content.len + 1);
    if (text != NULL && content.len > 0)
        memcpy(text, content.ptr, content.len);
    return text;
}

size_t arena_used(const struct arena *arena)
{
    return arena->used;
}
