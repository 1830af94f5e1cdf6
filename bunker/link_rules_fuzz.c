#include "bunker/link_rules.h"
#include "base/reader.h"
#include "fuzz/fuzz.h"

// Messages and replies in turn, each behind its length: a job that is over has an outcome and waits for
// nothing, what never passes is known without a state, and texts for the log are print.
FUZZ_TARGET(data)
{
    struct link_progress p = { 0 };
    struct reader r = reader_of(data);
    struct bytes message, reply;
    while (reader_counted(&r, &message) && reader_counted(&r, &reply)) {
        enum request_id id;
        const enum link_gate gate = link_gate(message, &id);
        REQUIRE((gate == LINK_NEVER) == (id == REQUEST_NONE));
        REQUIRE(gate != LINK_NEVER || !link_may_pass(gate, true, true));
        REQUIRE(id != REQUEST_GSLR && id != REQUEST_NCRY && id != REQUEST_MITM &&
                id != REQUEST_BACK);
        link_progress_step(&p, message, reply);
        REQUIRE(!p.over || (p.outcome != LINK_UNFINISHED && p.awaited == REQUEST_NONE));
        REQUIRE(bytes_is_printable_ascii(bytes_of_text(p.reason)));
        REQUIRE(p.users.n <= COUNT(p.users.items));
        if (p.over)
            return; // what follows is another job
    }
}
