#include "client/hsm_status.h"
#include "fuzz/fuzz.h"

// Each member is what the object says under its name, and no list holds anything but text.
static void check_text(const struct json *object, const char *key, struct bytes text)
{
    const struct json *value = json_get(object, key);
    const bool is_text = value != NULL && value->type == JSON_STRING;
    REQUIRE(bytes_equal(text, is_text ? value->text : (struct bytes){ 0 }));
}

static void check_names(const struct json *object, const char *key, const struct json *names)
{
    const struct json *value = json_get(object, key);
    REQUIRE(names == NULL || names == value);
    if (names != NULL)
        for (const struct json *item = names->items; item != NULL; item = item->next)
            REQUIRE(item->type == JSON_STRING);
}

// The reasons are parts of the text, in order, and none is empty.
static void check_reasons(struct bytes text)
{
    struct bytes rest = text, reason;
    const uint8_t *at = text.ptr;
    while (hsm_refusal_next(&rest, &reason)) {
        REQUIRE(reason.len > 0 && reason.ptr >= at);
        REQUIRE(reason.ptr + reason.len <= text.ptr + text.len);
        at = reason.ptr + reason.len;
    }
}

FUZZ_TARGET(data)
{
    AUTO(arena_freep) struct arena *arena = arena_new(HSM_STATUS_ARENA);
    struct hsm_status s;
    struct err err;
    check_reasons(data);
    if (!hsm_status_parse(&s, data, arena, &err))
        return;
    REQUIRE(s.active == (json_get(s.object, "active") != NULL &&
                         json_get(s.object, "active")->type == JSON_TRUE));
    check_text(s.object, "last_refusal", s.last_refusal);
    check_text(s.object, "next_local_code", s.next_local_code);
    check_names(s.object, "users", s.users);
    check_names(s.object, "wallets", s.wallets);
    check_reasons(s.last_refusal);
}
