#include "bunker/yaml.h"
#include "fuzz/fuzz.h"

static bool lies_within(struct bytes part, struct bytes all)
{
    return part.len == 0 || (part.ptr >= all.ptr && part.ptr + part.len <= all.ptr + all.len);
}

// Keys and values are pieces of the file, lines count up, and reading ends.
FUZZ_TARGET(data)
{
    struct reader r = reader_of(data);
    struct yaml_line line;
    unsigned n = 0, before = 0;
    struct err err;
    (void)yaml_is_reference(data);
    while (yaml_next(&r, &line, &n, &err)) {
        REQUIRE(line.line == n && n > before && line.key.len > 0);
        REQUIRE(lies_within(line.key, data) && lies_within(line.value, data));
        before = n;
    }
}
