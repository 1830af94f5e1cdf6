#include "bitcoin/descriptor.h"
#include "base/reader.h"
#include "bitcoin/script.h"
#include "fuzz/fuzz.h"
#include <string.h>

// A checksum that is written verifies, and covers what it stands behind.
static void check_checksum(struct bytes body)
{
    static uint8_t mem[8192];
    struct writer w = writer_of(mem, sizeof mem);
    struct bytes again;
    struct err err;
    char checksum[DESCRIPTOR_CHECKSUM_LEN + 1];
    if (body.len > sizeof mem - 16 || !descriptor_checksum(checksum, body) ||
        (body.len > 0 && memchr(body.ptr, '#', body.len) != NULL))
        return;
    writer_put(&w, body);
    descriptor_write_checksum(&w, 0);
    REQUIRE(descriptor_body(&again, writer_bytes(&w), &err));
    mem[body.len + 1] = mem[body.len + 1] == 'q' ? 'p' : 'q';
    REQUIRE(!descriptor_body(&again, writer_bytes(&w), &err));
}

// What has a script has it again, of a kind that its form names.
static void check_script(const struct descriptor *d, bool second)
{
    uint8_t mem[2][2048];
    struct writer w[2] = { writer_of(mem[0], sizeof mem[0]), writer_of(mem[1], sizeof mem[1]) };
    struct err err;
    if (!descriptor_script(&w[0], d, second, 5, &err)) {
        REQUIRE(w[0].len == 0);
        return;
    }
    REQUIRE(descriptor_script(&w[1], d, second, 5, &err));
    const struct bytes script = writer_bytes(&w[0]);
    REQUIRE(!w[0].failed && bytes_equal(script, writer_bytes(&w[1])));
    const enum script_kind kind = script_classify(script);
    REQUIRE((d->outer == DESCRIPTOR_WSH) == (kind == SCRIPT_P2WSH));
    REQUIRE((d->outer == DESCRIPTOR_SH || d->outer == DESCRIPTOR_SH_WSH) == (kind == SCRIPT_P2SH));
}

FUZZ_TARGET(data)
{
    struct descriptor d;
    struct descriptor_key key;
    struct bytes body, expression;
    struct err err;
    check_checksum(data);
    if (descriptor_key_parse(&key, data, &err))
        REQUIRE(key.path.depth <= KEYPATH_DEPTH_MAX && key.point_len <= sizeof key.point);
    if (!descriptor_body(&body, data, &err) || !descriptor_parse(&d, body, &err))
        return;
    struct reader keys = reader_of(d.keys);
    size_t n = 0;
    while (descriptor_next_key(&keys, &expression))
        n++;
    REQUIRE(n == d.n_keys && n > 0);
    check_script(&d, false);
    check_script(&d, true);
}
