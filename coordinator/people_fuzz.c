#include "coordinator/people.h"
#include "fuzz/fuzz.h"

// Limits: what is taken has only bounded amounts, and a stricter reading of the same text is the same.
FUZZ_TARGET(data)
{
    AUTO(arena_freep) struct arena *arena = arena_new((size_t)4 << 20);
    struct spend_limits limits, again;
    char subject[PEOPLE_SUBJECT_MAX];
    struct err err;
    if (spend_limits_parse(&limits, data, arena, &err)) {
        REQUIRE(!limits.has_per_spend || limits.per_spend.n <= SATS_MAX);
        REQUIRE(!limits.has_per_window || limits.per_window.n <= SATS_MAX);
        REQUIRE(spend_limits_parse(&again, data, arena, &err));
        REQUIRE(again.per_spend.n == limits.per_spend.n && again.auto_only == limits.auto_only);
    }
    static const char *const kinds[] = { "nostr", "cert", "service", "host" };
    for (size_t i = 0; i < COUNT(kinds); i++)
        if (people_subject(subject, kinds[i], data, &err)) {
            REQUIRE(strncmp(subject, kinds[i], strlen(kinds[i])) == 0);
            REQUIRE(bytes_is_printable_ascii(bytes_of_text(subject)));
        }
}
