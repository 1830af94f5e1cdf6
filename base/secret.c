#include "base/secret.h"
#include "base/require.h"
#include <pthread.h>
#include <sodium.h>

// The content, in pages of its own. How many hold it open lies outside those pages: they cannot be
// written between secret_open and secret_close.
struct access {
    pthread_mutex_t lock; // two threads may sign with one key
    unsigned n_open;
    bool writable;
};

struct secret {
    uint8_t *mem;
    size_t len;
    struct access *access;
};

bool secret_init(void)
{
    if (sodium_init() < 0)
        return false;
    // A system that cannot lock one page would swap keys to disk.
    uint8_t *page = sodium_malloc(1);
    const bool ok =
        page != NULL && sodium_mlock(page, 1) == 0 && sodium_mprotect_noaccess(page) == 0;
    sodium_free(page);
    return ok;
}

struct secret *secret_new_zeroed(size_t len)
{
    REQUIRE(sodium_init() >= 0);
    struct secret *s = calloc(1, sizeof *s);
    REQUIRE(s != NULL);
    s->access = calloc(1, sizeof *s->access);
    REQUIRE(s->access != NULL);
    REQUIRE(pthread_mutex_init(&s->access->lock, NULL) == 0);
    s->len = len;
    s->mem = sodium_malloc(len);
    // sodium_malloc locks too, but says nothing when that fails.
    REQUIRE(s->mem != NULL && sodium_mlock(s->mem, len) == 0);
    wipe(s->mem, len);
    REQUIRE(sodium_mprotect_noaccess(s->mem) == 0);
    return s;
}

struct secret *secret_new(struct bytes content)
{
    struct secret *s = secret_new_zeroed(content.len);
    uint8_t *mem = secret_edit(s);
    if (content.len > 0)
        memcpy(mem, content.ptr, content.len);
    secret_close(s);
    return s;
}

void secret_free(struct secret *s)
{
    if (s == NULL)
        return;
    sodium_free(s->mem); // wipes and unlocks
    pthread_mutex_destroy(&s->access->lock);
    free(s->access);
    free(s);
}

void secret_freep(struct secret **s)
{
    secret_free(*s);
    *s = NULL;
}

size_t secret_len(const struct secret *s)
{
    return s->len;
}

static void open_for(const struct secret *s, bool writing)
{
    struct access *a = s->access;
    REQUIRE(pthread_mutex_lock(&a->lock) == 0);
    if (writing && !a->writable)
        REQUIRE(sodium_mprotect_readwrite(s->mem) == 0);
    else if (a->n_open == 0)
        REQUIRE(sodium_mprotect_readonly(s->mem) == 0);
    a->writable = a->writable || writing; // until the last close
    a->n_open++;
    REQUIRE(pthread_mutex_unlock(&a->lock) == 0);
}

struct bytes secret_open(const struct secret *s)
{
    open_for(s, false);
    return bytes_of(s->mem, s->len);
}

uint8_t *secret_edit(struct secret *s)
{
    open_for(s, true);
    return s->mem;
}

void secret_close(const struct secret *s)
{
    struct access *a = s->access;
    REQUIRE(pthread_mutex_lock(&a->lock) == 0);
    REQUIRE(a->n_open > 0);
    a->n_open--;
    if (a->n_open == 0) {
        a->writable = false;
        REQUIRE(sodium_mprotect_noaccess(s->mem) == 0);
    }
    REQUIRE(pthread_mutex_unlock(&a->lock) == 0);
}

void wipe(void *ptr, size_t len)
{
    if (len > 0)
        sodium_memzero(ptr, len);
}

__attribute__((noinline)) void wipe_stack(void)
{
    uint8_t below[16384];
    sodium_memzero(below, sizeof below);
}

bool ct_equal(struct bytes a, struct bytes b)
{
    return a.len == b.len && (a.len == 0 || sodium_memcmp(a.ptr, b.ptr, a.len) == 0);
}
