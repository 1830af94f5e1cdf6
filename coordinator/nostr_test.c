#include "coordinator/nostr.h"
#include "base/hex.h"
#include "crypto/ec.h"
#include "crypto/hash.h"
#include "tests/support/test.h"

#define NOW  1790000000
#define HERE "https://vault.example"

// An event signed by the key 3 (of BIP-340's first vector).
static struct bytes make(const char *tags, const char *content, long created, int kind)
{
    static const uint8_t aux[32] = { 0 };
    struct seckey key = { 0 };
    uint8_t sig[64];
    char pub_text[65], sig_text[129], id_text[65];
    struct err err;
    struct writer id = writer_growing(test_arena(), 65536), w = writer_growing(test_arena(), 65536);
    key.b[31] = 3;
    const struct pubkey pub = seckey_pubkey(&key);
    hex_encode(pub_text, bytes_of(pub.b + 1, 32));
    writer_printf(&id, "[0,\"%s\",%ld,%d,%s,\"%s\"]", pub_text, created, kind, tags, content);
    const struct hash256 hash = sha256(writer_bytes(&id));
    assert_true(schnorr_sign(sig, &key, &hash, aux, &err));
    hex_encode(sig_text, BYTES_OF(sig));
    hex_encode(id_text, BYTES_OF(hash.b));
    writer_printf(&w,
                  "{\"id\":\"%s\",\"pubkey\":\"%s\",\"created_at\":%ld,\"kind\":%d,\"tags\":%s,"
                  "\"content\":\"%s\",\"sig\":\"%s\"}",
                  id_text, pub_text, created, kind, tags, content, sig_text);
    return writer_bytes(&w);
}

#define TAGS                                                                                       \
    "[[\"u\",\"" HERE "/auth/nostr/verify\"],[\"method\",\"POST\"],[\"challenge\",\"abc.1.ff\"]]"

static bool check(struct bytes body, bool loose, struct bytes *challenge, struct err *err)
{
    struct nostr_event e;
    const struct nostr_want want = { HERE, NOW, loose };
    return nostr_event_read(&e, body, test_arena(), err) &&
           nostr_event_verify(&e, test_arena(), err) &&
           nostr_event_check(&e, &want, challenge, err);
}

TEST(coordinator_F8_an_event_as_it_should_be)
{
    struct bytes challenge;
    struct err err;
    if (!check(make(TAGS, "", NOW, NOSTR_KIND), false, &challenge, &err))
        fail_msg("%s", err.text);
    assert_bytes_text(challenge, "abc.1.ff");
    // "taken from the tag or from content (the seed's place)"
    assert_true(check(make("[[\"u\",\"" HERE "/auth/nostr/verify\"],[\"method\",\"POST\"]]",
                           "in.content", NOW - 60, NOSTR_KIND),
                      false, &challenge, &err));
    assert_bytes_text(challenge, "in.content");
    // What the seed's page signs passes where compat.demo says so.
    assert_true(check(make("[]", "n.t.m", NOW, 1), true, &challenge, &err));
    assert_bytes_text(challenge, "n.t.m");
}

// Each row is one thing that must not pass (C2).
TEST(coordinator_F8_events_for_other_purposes)
{
    static const struct {
        const char *tags;
        int seconds, kind;
        bool loose;
        const char *error;
    } rows[] = {
        { TAGS, 0, 1, false, "the event is of another kind" },
        { "[]", 0, NOSTR_KIND, false, "the event is for another site" },
        { "[[\"u\",\"https://evil.example/auth/nostr/verify\"],[\"method\",\"POST\"]]", 0,
          NOSTR_KIND, false, "the event is for another site" },
        // What is said must be right even where it may be left out.
        { "[[\"u\",\"https://evil.example/x\"]]", 0, 1, true, "the event is for another site" },
        { "[[\"u\",\"" HERE ".evil.example/\"],[\"method\",\"POST\"]]", 0, NOSTR_KIND, false,
          "the event is for another site" },
        { "[[\"u\",\"" HERE "/v1/spends\"],[\"method\",\"POST\"]]", 0, NOSTR_KIND, false,
          "the event is for another site" },
        { "[[\"u\",\"" HERE "/auth/nostr/verify\"],[\"method\",\"GET\"]]", 0, NOSTR_KIND, false,
          "the event is for another method" },
        { "[[\"u\",\"" HERE "/auth/nostr/verify\"]]", 0, NOSTR_KIND, false,
          "the event is for another method" },
        { TAGS, -61, NOSTR_KIND, false, "stale or invalid challenge" },
        { TAGS, 61, NOSTR_KIND, false, "stale or invalid challenge" },
    };
    struct bytes challenge;
    struct err err;
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (check(make(rows[i].tags, "", NOW + rows[i].seconds, rows[i].kind), rows[i].loose,
                  &challenge, &err))
            fail_msg("case %zu passes", i);
        if (strcmp(err.text, rows[i].error) != 0)
            fail_msg("case %zu: %s", i, err.text);
    }
}

// "compact JSON array, UTF-8, non-ASCII unescaped"
TEST(coordinator_F8_ids_of_unusual_texts)
{
    static const char *const contents[] = { "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80",
                                            "a\\nb\\\"c\\\\d\\t", "\\b\\f\\r", "\\u0001\\u001f",
                                            "\x7f/" };
    struct bytes challenge;
    struct err err;
    for (size_t i = 0; i < COUNT(contents); i++)
        if (!check(make("[[\"x\"],[]]", contents[i], NOW, 1), true, &challenge, &err))
            fail_msg("case %zu: %s", i, err.text);
}

// No bit of a signed event can be changed.
TEST(coordinator_F8_every_changed_byte_is_noticed)
{
    const struct bytes good = make(TAGS, "hello", NOW, NOSTR_KIND);
    struct bytes challenge;
    struct err err;
    for (size_t i = 0; i < good.len; i++) {
        struct bytes copy;
        assert_true(arena_copy(test_arena(), good, &copy));
        uint8_t *at = (uint8_t *)(uintptr_t)copy.ptr;
        at[i] ^= 1;
        if (check(copy, false, &challenge, &err))
            fail_msg("byte %zu", i);
    }
}

TEST(coordinator_F8_malformed)
{
    static const struct {
        const char *body, *error;
    } rows[] = {
        { "", "bad json" },
        { "{", "bad json" },
        { "[]", "malformed event" },
        { "{\"id\":1}", "malformed event" },
    };
    struct nostr_event e;
    struct err err;
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_false(nostr_event_read(&e, bytes_of_text(rows[i].body), test_arena(), &err));
        assert_string_equal(err.text, rows[i].error);
    }
    // Another id, and one in capitals.
    struct bytes body = make("[]", "x", NOW, 1);
    uint8_t *at = (uint8_t *)(uintptr_t)body.ptr;
    at[7] = at[7] == '0' ? '1' : '0';
    assert_false(nostr_event_read(&e, body, test_arena(), &err));
    assert_err(&err, ERR_INVALID, "bad event id");
}

// "official vectors included": those with a message of 32 bytes, as ids are.
TEST(coordinator_F8_bip340_vectors)
{
    const struct json *rows = json_need(test_vectors("bip340.json"), "vectors");
    size_t seen = 0;
    for (const struct json *row = rows->items; row != NULL; row = row->next) {
        const struct bytes pub = json_item_hex(row, 2), message = json_item_hex(row, 4),
                           sig = json_item_hex(row, 5);
        if (pub.len != 32 || message.len != 32)
            continue;
        const bool expected = json_item(row, 6)->type == JSON_TRUE;
        assert_int_equal(schnorr_verify(sig.ptr, pub.ptr, message), expected);
        seen++;
    }
    assert_true(seen >= 14);
}

TEST(coordinator_F9_uid)
{
    char uid[NOSTR_UID_SIZE];
    nostr_uid(uid, "f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9");
    // printf nostr:f9308a... | sha256sum
    assert_string_equal(uid, "nostr:43c4e229b5234e3503965c16");
}
