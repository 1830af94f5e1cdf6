#include "bunker/policy_form.h"
#include "fuzz/fuzz.h"

// What is made is JSON with `rules`; a sanitised copy has no secret; a policy can be shown in the form again.
FUZZ_TARGET(data)
{
    AUTO(arena_freep) struct arena *arena = arena_new(64 << 20);
    const struct form_locker locker = { "QnVua0tLS0tLS0tLS0tLS0tLS0tLS0tLS0tLS0tLS0tLS0tL", 13 };
    const struct json *policy, *copy;
    struct err err;
    struct writer w = writer_growing(arena, POLICY_FORM_MAX),
                  plain = writer_growing(arena, POLICY_FORM_MAX);
    struct writer form = writer_growing(arena, POLICY_FORM_MAX);
    if (!policy_form_clean(&w, bytes_slice(data, 0, 65536), &locker, arena, &err) || w.failed)
        return;
    REQUIRE(json_parse(&policy, writer_bytes(&w), arena, &err));
    REQUIRE(json_is_text(json_get(policy, "set_sl"), locker.text));
    REQUIRE(policy_form_sanitise(&plain, writer_bytes(&w), arena, &err));
    if (!plain.failed) {
        REQUIRE(json_parse(&copy, writer_bytes(&plain), arena, &err));
        REQUIRE(json_get(copy, "set_sl") == NULL && json_get(copy, "allow_sl") == NULL &&
                json_get(copy, "boot_to_hsm") == NULL);
    }
    REQUIRE(policy_form_cook(&form, policy, arena, &err));
    if (!form.failed)
        REQUIRE(json_parse(&copy, writer_bytes(&form), arena, &err));
}
