#include "bitcoin/descriptor.h"
#include "bitcoin/base58.h"
#include "tests/support/test.h"
#include <string.h>

// --- Checksum ---

TEST(psbt_signing_27_21_checksum_vectors)
{
    const struct json *rows = json_need(test_vectors("descriptors.json"), "checksum_ok");
    assert_int_equal(rows->n_items, 16);
    for (size_t i = 0; i < rows->n_items; i++) {
        const struct bytes body = json_item_text(json_item(rows, i), 0);
        const struct bytes checksum = json_item_text(json_item(rows, i), 1);
        char computed[DESCRIPTOR_CHECKSUM_LEN + 1];
        struct writer w = writer_growing(test_arena(), 4096);
        struct bytes read;
        struct err err;
        assert_true(descriptor_checksum(computed, body));
        assert_bytes_text(checksum, computed);
        // Written behind a prefix that it does not cover, then read back.
        writer_text(&w, "prefix");
        writer_put(&w, body);
        descriptor_write_checksum(&w, 6);
        assert_true(descriptor_body(&read, bytes_slice(writer_bytes(&w), 6, w.len), &err));
        assert_bytes_equal(read, body);
        // Without a checksum the text is all body.
        assert_true(descriptor_body(&read, body, &err));
        assert_bytes_equal(read, body);
    }
}

TEST(psbt_signing_27_21_bad_checksums_are_refused)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        { "raw(deadbeef)#", "Wrong checksum , expected 89f8spxm" },
        { "raw(deadbeef)#89f8spxmx", "Wrong checksum 89f8spxmx, expected 89f8spxm" },
        { "raw(deadbeef)#89f8spx", "Wrong checksum 89f8spx, expected 89f8spxm" },
        { "raw(deedbeef)#89f8spxm", "Wrong checksum 89f8spxm, expected xj8ljs75" },
        { "raw(deedbeef)##9f8spxm", "Wrong checksum #9f8spxm, expected xj8ljs75" },
        { "raw(\xc3\x9c)#00000000", "no descriptor has the character at byte 4" },
    };
    const struct json *rows = json_need(test_vectors("descriptors.json"), "checksum_bad");
    assert_int_equal(rows->n_items, COUNT(cases));
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct bytes body;
        struct err err;
        assert_bytes_text(json_item_text(json_item(rows, i), 0), cases[i].text);
        assert_false(descriptor_body(&body, bytes_of_text(cases[i].text), &err));
        assert_err(&err, ERR_MALFORMED, cases[i].error);
    }
}

// BIP-380: "up to 4 symbol errors ... are detected": so each single one is.
TEST(a_changed_character_never_verifies)
{
    char text[] = "wpkh(03a34b99f22c790c4e36b2b3c2c35a36db06226e41c692fc82b8b56ac1c540c5bd)"
                  "#        ";
    const size_t len = strlen(text) - 9;
    char checksum[DESCRIPTOR_CHECKSUM_LEN + 1];
    struct bytes body;
    struct err err;
    assert_true(descriptor_checksum(checksum, bytes_of(text, len)));
    memcpy(text + len + 1, checksum, DESCRIPTOR_CHECKSUM_LEN);
    assert_true(descriptor_body(&body, bytes_of_text(text), &err));
    for (size_t i = 0; i < strlen(text); i++) {
        if (i == len)
            continue; // without '#' there is no checksum
        const char was = text[i];
        text[i] = was == 'q' ? 'p' : 'q';
        assert_false(descriptor_body(&body, bytes_of_text(text), &err));
        text[i] = was;
    }
}

// --- Vectors with private keys: the same with public ones ---

static bool is_wif(struct writer *payload, struct bytes token)
{
    return (token.len == 51 || token.len == 52) && base58check_read(payload, token) &&
           payload->ptr[0] == 0x80;
}

static void write_public(struct writer *w, struct bytes token)
{
    uint8_t mem[BASE58_TEXT_MAX];
    struct writer payload = writer_of(mem, sizeof mem);
    struct hdkey node;
    struct seckey key;
    struct err err;
    bool is_main;
    if (hdkey_from_text(&node, &is_main, token, &err)) {
        char text[XPUB_TEXT_SIZE];
        hdpub_to_text(text, &node.pub, chain_by_id(is_main ? CHAIN_BTC : CHAIN_XTN));
        writer_text(w, text);
    } else if (is_wif(&payload, token)) {
        assert_true(seckey_from_bytes(&key, bytes_of(mem + 1, 32), &err));
        const struct pubkey pub = seckey_pubkey(&key);
        const struct pubkey64 both = pubkey_to64(&pub);
        if (payload.len == 34) {
            writer_hex(w, BYTES_OF(pub.b));
        } else {
            writer_text(w, "04");
            writer_hex(w, BYTES_OF(both.b));
        }
    } else {
        writer_put(w, token);
    }
}

// Private keys replaced by their public keys. Tokens are runs of letters and digits.
static struct bytes public_twin(struct bytes text, bool *had_private)
{
    struct writer w = writer_growing(test_arena(), 8192);
    size_t at = 0;
    while (at < text.len) {
        size_t len = 0;
        while (at + len < text.len && base58_has(text.ptr[at + len]))
            len++;
        write_public(&w, bytes_slice(text, at, len));
        if (at + len < text.len)
            writer_u8(&w, text.ptr[at + len]);
        at += len + 1;
    }
    *had_private = !bytes_equal(writer_bytes(&w), text);
    return writer_bytes(&w);
}

// --- Keys ---

TEST(psbt_signing_27_21_valid_key_expressions)
{
    const struct json *rows = json_need(test_vectors("descriptors.json"), "key_expression_valid");
    size_t n_private = 0;
    assert_int_equal(rows->n_items, 21);
    for (size_t i = 0; i < rows->n_items; i++) {
        const struct bytes text = json_item_text(json_item(rows, i), 1);
        struct descriptor_key key;
        struct err err;
        bool had_private;
        const struct bytes twin = public_twin(text, &had_private);
        if (!descriptor_key_parse(&key, twin, &err))
            fail_msg("%.*s: %s", BYTES_ARG(twin), err.text);
        if (!had_private)
            continue;
        n_private++;
        assert_false(descriptor_key_parse(&key, text, &err));
        assert_err(&err, ERR_UNSUPPORTED, "private keys are not read here");
    }
    assert_int_equal(n_private, 9);
}

TEST(psbt_signing_27_21_invalid_key_expressions)
{
    const struct json *rows = json_need(test_vectors("descriptors.json"), "key_expression_invalid");
    assert_int_equal(rows->n_items, 16);
    for (size_t i = 0; i < rows->n_items; i++) {
        const struct bytes text = json_item_text(json_item(rows, i), 1);
        struct descriptor_key key;
        struct err err;
        bool had_private;
        // The twin is wrong by what the row says, not for being private.
        if (descriptor_key_parse(&key, public_twin(text, &had_private), &err) ||
            descriptor_key_parse(&key, text, &err))
            fail_msg("%.*s", BYTES_ARG(text));
    }
}

#define XPUB                                                                                       \
    "xpub6ERApfZwUNrhLCkDtcHTcxd75RbzS1ed54G1LkBUHQVHQKqhMkhgbmJbZRkrgZw4koxb5JaHWkY4ALHY2grBGRj"  \
    "aDMzQLcgJvLJuZZvRcEL"

TEST(a_key_expression_gives_origin_path_and_pair)
{
    struct descriptor_key key;
    struct err err;
    assert_true(descriptor_key_parse(&key, BYTES("[deadbeef/0h/1'/2]" XPUB "/3/<4;5h>/6/*"), &err));
    assert_true(key.has_origin);
    assert_memory_equal(key.origin.xfp.b, "\xde\xad\xbe\xef", 4);
    assert_int_equal(key.origin.path.depth, 3);
    assert_int_equal(key.origin.path.step[0], KEYPATH_HARD);
    assert_int_equal(key.origin.path.step[1], KEYPATH_HARD | 1);
    assert_int_equal(key.origin.path.step[2], 2);
    assert_int_equal(key.kind, DESCRIPTOR_KEY_EXTENDED);
    assert_true(key.is_main);
    assert_int_equal(key.path.depth, 3);
    assert_int_equal(key.path.step[1], 4);
    assert_true(key.has_pair);
    assert_int_equal(key.pair_at, 1);
    assert_int_equal(key.pair_second, KEYPATH_HARD | 5);
    assert_int_equal(key.child, TAIL_STAR);

    assert_true(descriptor_key_parse(&key, BYTES(XPUB), &err));
    assert_false(key.has_origin || key.has_pair);
    assert_int_equal(key.path.depth, 0);
    assert_int_equal(key.child, TAIL_NONE);
}

TEST(odd_key_expressions_are_refused)
{
    static const char *const cases[] = {
        "",
        "[deadbeef",
        "[deadbeef]",
        "[deadbeef]/0/*",
        "[deadbeef/]" XPUB,
        "[deadbeef/01]" XPUB,                            // leading zero
        "[deadbeef/2147483648]" XPUB,                    // hardened only by its mark
        "[deadbeef/1/2/3/4/5/6/7/8/9/10/11/12/13]" XPUB, // too deep
        XPUB "/",
        XPUB "//0",
        XPUB "/*/0",
        XPUB "/<0>/*",
        XPUB "/<0;1;2>/*",
        XPUB "/<0;1/*",
        XPUB "/<0;1>/<2;3>/*", // one pair only
        XPUB "/0/*p",
        "xpub6ERApfZwUNrhLCkDtcHTcxd75",
        "03a34b99f22c790c4e36b2b3c2c35a36db06226e41c692fc82b8b56ac1c540c5b",    // 65 digits
        "03a34b99f22c790c4e36b2b3c2c35a36db06226e41c692fc82b8b56ac1c540c5bd/0", // not extended
        "05a34b99f22c790c4e36b2b3c2c35a36db06226e41c692fc82b8b56ac1c540c5bd",   // no point
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct descriptor_key key;
        struct err err;
        if (descriptor_key_parse(&key, bytes_of_text(cases[i]), &err))
            fail_msg("'%s' was read", cases[i]);
        assert_int_equal(err.code, ERR_MALFORMED);
    }
}

// --- Scripts ---

static bool script_of(struct writer *w, struct bytes text, bool second, uint32_t child,
                      struct err *err)
{
    struct descriptor d;
    struct bytes body;
    return descriptor_body(&body, text, err) && descriptor_parse(&d, body, err) &&
           descriptor_script(w, &d, second, child, err);
}

// Rows whose extended keys have hardened steps need the private key: refused, and counted.
static size_t check_row(const struct json *row)
{
    bool had_private;
    const struct bytes text = json_item_text(row, 1);
    const struct bytes twin = public_twin(text, &had_private);
    const struct json *scripts = json_item(row, 2);
    for (uint32_t i = 0; i < scripts->n_items; i++) {
        struct writer w = writer_growing(test_arena(), 4096);
        struct err err;
        if (!script_of(&w, twin, false, i, &err)) {
            assert_err(&err, ERR_INVALID, "Cannot use hardened sub derivation path");
            assert_true(had_private);
            return 1;
        }
        assert_bytes_equal(writer_bytes(&w), json_item_hex(scripts, i));
    }
    return 0;
}

TEST(psbt_signing_27_21_scripts_of_bips_381_382_383_386)
{
    const struct json *rows = json_need(test_vectors("descriptors.json"), "scripts");
    size_t n_hardened = 0;
    assert_int_equal(rows->n_items, 40);
    for (size_t i = 0; i < rows->n_items; i++)
        n_hardened += check_row(json_item(rows, i));
    assert_int_equal(n_hardened, 4);
}

TEST(psbt_signing_27_21_invalid_descriptors_of_bips_381_382_383_386)
{
    const struct json *rows = json_need(test_vectors("descriptors.json"), "invalid");
    assert_int_equal(rows->n_items, 23);
    for (size_t i = 0; i < rows->n_items; i++) {
        bool had_private;
        const struct bytes twin = public_twin(json_item_text(json_item(rows, i), 2), &had_private);
        struct writer w = writer_growing(test_arena(), 4096);
        struct err err;
        if (script_of(&w, twin, false, 0, &err))
            fail_msg("%.*s", BYTES_ARG(twin));
        assert_int_equal(w.len, 0);
        assert_true(err.code == ERR_UNSUPPORTED || err.code == ERR_MALFORMED ||
                    err.code == ERR_INVALID);
    }
}

#define KEY "03a34b99f22c790c4e36b2b3c2c35a36db06226e41c692fc82b8b56ac1c540c5bd"

// A sentence from the first byte to the last.
TEST(psbt_signing_27_21_what_the_grammar_has_no_place_for)
{
    static const char *const cases[] = {
        "",
        "sh(",
        "sh()",
        "wsh(multi(1," KEY ")",
        "wsh(multi(1," KEY ")))",
        "wsh(multi(1," KEY ")) ",
        " wsh(multi(1," KEY "))",
        "wsh(multi(1, " KEY "))",
        "wsh(multi(1," KEY "))x",
        "wsh(multi(1," KEY ",))",
        "wsh(multi(1,," KEY "))",
        "wsh(multi(1))",
        "wsh(multi(," KEY "))",
        "wsh(multi(01," KEY "))",
        "wsh(multi(+1," KEY "))",
        "wsh(multi(4294967297," KEY "))",
        "WSH(multi(1," KEY "))",
        "pkh(" KEY "," KEY ")",
        "multi_a(1," KEY ")",
        "addr(" KEY ")",
        "tr(" KEY ",pk(" KEY "))",
        "tr(" KEY ",{pk(" KEY "),pk(" KEY ")})",
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct descriptor d;
        struct writer w = writer_growing(test_arena(), 4096);
        struct err err;
        if (descriptor_parse(&d, bytes_of_text(cases[i]), &err) &&
            descriptor_script(&w, &d, false, 0, &err))
            fail_msg("'%s' was read", cases[i]);
    }
}

TEST(a_pair_gives_two_scripts)
{
    const char *text[] = { "wpkh(" XPUB "/0/*)", "wpkh(" XPUB "/1/*)", "wpkh(" XPUB "/<0;1>/*)" };
    for (int second = 0; second <= 1; second++) {
        struct writer single = writer_growing(test_arena(), 64);
        struct writer of_pair = writer_growing(test_arena(), 64);
        struct err err;
        assert_true(script_of(&single, bytes_of_text(text[second]), false, 7, &err));
        assert_true(script_of(&of_pair, bytes_of_text(text[2]), second == 1, 7, &err));
        assert_bytes_equal(writer_bytes(&single), writer_bytes(&of_pair));
    }
}
