// tests/support/wire_session.h -- the worked session of wire-protocol.md 13.1, for tests of either
// end.
#ifndef CASEMATE_TESTS_SUPPORT_WIRE_SESSION_H
#define CASEMATE_TESTS_SUPPORT_WIRE_SESSION_H
#include "base/json.h"
#include "crypto/ec.h"
#include "tests/support/test.h"
#include "wire/frame.h"

static inline const struct json *session(void)
{
    return test_vectors("wire.json");
}

static inline struct seckey session_seckey(const char *key)
{
    struct seckey out;
    struct err err;
    assert_true(seckey_from_bytes(&out, json_need_hex(session(), key), &err));
    return out;
}

static inline struct pubkey64 session_public(const char *key)
{
    struct pubkey64 out;
    const struct bytes b = json_need_hex(session(), key);
    assert_int_equal(b.len, sizeof out.b);
    memcpy(out.b, b.ptr, sizeof out.b);
    return out;
}

// The packets of a member of an exchange, padded with the zeros that the file leaves out.
static inline struct bytes session_packets(const struct json *exchange, const char *key)
{
    const struct json *list = json_need(exchange, key);
    uint8_t *mem = arena_array(test_arena(), list->n_items, PACKET_LEN);
    assert_non_null(mem);
    size_t at = 0;
    for (const struct json *p = list->items; p != NULL; p = p->next, at += PACKET_LEN) {
        char text[2 * PACKET_LEN + 1] = { 0 };
        assert_true(p->text.len < sizeof text);
        memcpy(text, p->text.ptr, p->text.len);
        const struct bytes b = test_hex(text);
        memcpy(mem + at, b.ptr, b.len);
    }
    return bytes_of(mem, at);
}

#endif
