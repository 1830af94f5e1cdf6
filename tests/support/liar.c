#include "tests/support/liar.h"
#include "base/require.h"
#include <string.h>

#define DER_MIN 70 // bytes of a signature that nobody made short on purpose

const char *lie_name(enum lie lie)
{
    static const char *const names[LIES] = {
        "no lie",
        "wrong transaction",
        "extra output",
        "bad signature",
        "another PSBT's signature",
        "unsigned",
        "cut",
        "longer",
        "nothing",
    };
    return names[lie];
}

// The first signature, DER and the hash type behind it: 30 len 02 ... 01. *len: how long.
static size_t find_signature(struct bytes psbt, size_t *len)
{
    for (size_t i = 1; i + DER_MIN < psbt.len; i++) {
        const uint8_t *at = psbt.ptr + i;
        const size_t n = (size_t)at[1] + 3; // tag, length, content, hash type
        if (at[0] == 0x30 && at[-1] == n && at[2] == 0x02 && n >= DER_MIN && i + n <= psbt.len &&
            at[n - 1] == 0x01) {
            *len = n;
            return i;
        }
    }
    return 0;
}

static uint8_t *copy_of(struct bytes from, struct arena *arena)
{
    uint8_t *mem = arena_alloc(arena, from.len + 1);
    REQUIRE(mem != NULL);
    memcpy(mem, from.ptr, from.len);
    return mem;
}

static struct bytes bad_signature(const struct liar *l, struct arena *arena)
{
    size_t len;
    const size_t at = find_signature(l->honest, &len);
    uint8_t *mem = copy_of(l->honest, arena);
    REQUIRE(at > 0);
    mem[at + len - 2] ^= 1; // the last byte of s
    return bytes_of(mem, l->honest.len);
}

// Whatever their lengths: the value's length stands in one byte before it.
static struct bytes other_signature(const struct liar *l, struct arena *arena)
{
    size_t len, other_len;
    const size_t at = find_signature(l->honest, &len), other = find_signature(l->other, &other_len);
    REQUIRE(at > 0 && other > 0);
    const size_t tail = l->honest.len - at - len;
    uint8_t *mem = arena_alloc(arena, at + other_len + tail);
    REQUIRE(mem != NULL);
    memcpy(mem, l->honest.ptr, at);
    mem[at - 1] = (uint8_t)other_len;
    memcpy(mem + at, l->other.ptr + other, other_len);
    memcpy(mem + at + other_len, l->honest.ptr + at + len, tail);
    return bytes_of(mem, at + other_len + tail);
}

struct bytes liar_returns(const struct liar *l, enum lie lie, struct arena *arena)
{
    switch (lie) {
    case LIE_NONE:
        return l->honest;
    case LIE_WRONG_TRANSACTION:
        return l->other;
    case LIE_EXTRA_OUTPUT:
        return l->extra;
    case LIE_BAD_SIGNATURE:
        return bad_signature(l, arena);
    case LIE_OTHER_SIGNATURE:
        return other_signature(l, arena);
    case LIE_UNSIGNED:
        return l->sent;
    case LIE_CUT:
        return bytes_slice(l->honest, 0, l->honest.len - 1);
    case LIE_LONGER: {
        uint8_t *mem = copy_of(l->honest, arena);
        mem[l->honest.len] = 0;
        return bytes_of(mem, l->honest.len + 1);
    }
    case LIE_NOTHING:
        break;
    }
    return (struct bytes){ 0 };
}
