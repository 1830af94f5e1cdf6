#include "client/link_text.h"
#include "fuzz/fuzz.h"

// What is taken as a state is written as a state that is read as the same.
FUZZ_TARGET(data)
{
    uint8_t mem[2 * LINK_STATE_MAX];
    struct writer w = writer_of(mem, sizeof mem);
    struct link_state a, b;
    struct err err;
    if (!link_state_read(&a, data, &err))
        return;
    link_state_write(&w, &a);
    REQUIRE(!w.failed && link_state_read(&b, writer_bytes(&w), &err));
    REQUIRE(strcmp(a.kind, b.kind) == 0 && strcmp(a.serial, b.serial) == 0 &&
            strcmp(a.xfp, b.xfp) == 0 && strcmp(a.state, b.state) == 0 &&
            a.provision == b.provision);
}
