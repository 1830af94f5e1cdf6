#include "bitcoin/keypath.h"
#include "fuzz/fuzz.h"
#include <string.h>

// What a pattern is written as reads as the same pattern, fits its bound and is written the same.
static void check_round_trip(const struct keypath_pattern *p)
{
    uint8_t mem[2][KEYPATH_TEXT_MAX - 1];
    struct writer first = writer_of(mem[0], sizeof mem[0]);
    struct writer second = writer_of(mem[1], sizeof mem[1]);
    struct keypath_pattern again;
    struct err err;
    keypath_pattern_write(&first, p);
    REQUIRE(!first.failed);
    REQUIRE(keypath_pattern_parse(&again, writer_bytes(&first), &err));
    REQUIRE(again.tail == p->tail && keypath_equal(&again.prefix, &p->prefix));
    keypath_pattern_write(&second, &again);
    REQUIRE(bytes_equal(writer_bytes(&first), writer_bytes(&second)));
}

FUZZ_TARGET(data)
{
    struct keypath_pattern p;
    struct keypath path;
    struct err err;
    const bool is_pattern = keypath_pattern_parse(&p, data, &err);
    const bool is_path = keypath_parse(&path, data, &err);
    // A request path is a pattern without a star, and the reverse.
    REQUIRE(is_path == (is_pattern && p.tail == TAIL_NONE));
    if (is_path)
        REQUIRE(keypath_pattern_matches(&p, &path));
    if (is_pattern)
        check_round_trip(&p);
}
