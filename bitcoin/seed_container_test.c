#include "bitcoin/seed_container.h"
#include "bitcoin/mnemonic.h"
#include "tests/support/psbt_maker.h"
#include "tests/support/test.h"

#define ZEROS64                                                                                    \
    "0000000000000000000000000000000000000000000000000000000000000000"                             \
    "0000000000000000000000000000000000000000000000000000000000000000"

// 72 bytes that begin as given.
static struct bytes padded(const char *hex)
{
    const struct bytes head = test_hex(hex);
    uint8_t *all = arena_alloc(test_arena(), SEED_CONTAINER_LEN);
    assert_non_null(all);
    memset(all, 0, SEED_CONTAINER_LEN);
    memcpy(all, head.ptr, head.len);
    return bytes_of(all, SEED_CONTAINER_LEN);
}

// Every marker that there is: the lengths that it stands for, written and read.
TEST(psbt_signing_27_7_each_marker)
{
    size_t n_known = 0;
    for (unsigned marker = 0; marker < 256; marker++) {
        uint8_t raw[SEED_CONTAINER_LEN] = { (uint8_t)marker }, again[SEED_CONTAINER_LEN];
        struct seed_content content;
        struct err err;
        const bool is_raw = marker >= 0x10 && marker <= 0x40;
        const bool is_entropy = marker >= 0x80 && marker <= 0x82;
        const size_t entropy_len[] = { 16, 24, 32 };
        const bool is_known = marker <= 0x01 || is_raw || is_entropy;
        const size_t len = is_raw           ? marker
                           : is_entropy     ? entropy_len[marker - 0x80]
                           : marker == 0x01 ? 64
                                            : 0;
        for (size_t i = 0; i < len; i++)
            raw[1 + i] = (uint8_t)(i + 1);
        if (!seed_container_read(&content, BYTES_OF(raw), &err)) {
            assert_false(is_known);
            assert_err(&err, ERR_MALFORMED, "secret container: unknown marker");
            continue;
        }
        n_known++;
        assert_true(is_known);
        assert_int_equal(content.len, len);
        assert_memory_equal(content.b, raw + 1, len);
        assert_int_equal(content.kind, is_raw       ? SEED_RAW
                                       : is_entropy ? SEED_ENTROPY
                                       : len > 0    ? SEED_NODE
                                                    : SEED_NONE);
        assert_true(seed_container_write(again, &content, &err));
        assert_memory_equal(again, raw, sizeof raw);
        // What stands behind the content must be zero.
        raw[1 + len] = 1;
        assert_false(seed_container_read(&content, BYTES_OF(raw), &err));
        assert_err(&err, ERR_MALFORMED, "secret container: padding is not zero");
        raw[1 + len] = 0;
        raw[SEED_CONTAINER_LEN - 1] = 0x80;
        assert_false(seed_container_read(&content, BYTES_OF(raw), &err));
    }
    assert_int_equal(n_known, 2 + 49 + 3);
}

TEST(psbt_signing_27_7_other_lengths)
{
    struct seed_content content;
    struct err err;
    uint8_t raw[SEED_CONTAINER_LEN + 1] = { 0 }, out[SEED_CONTAINER_LEN];
    assert_false(seed_container_read(&content, bytes_of(raw, 71), &err));
    assert_err(&err, ERR_MALFORMED, "secret container: 71 bytes, not 72");
    assert_false(seed_container_read(&content, bytes_of(raw, 73), &err));
    assert_err(&err, ERR_MALFORMED, "secret container: 73 bytes, not 72");
    assert_false(seed_container_read(&content, bytes_of(raw, 0), &err));
    static const struct {
        enum seed_kind kind;
        size_t len;
    } none_of_these[] = {
        { SEED_NONE, 1 },     { SEED_NODE, 63 }, { SEED_NODE, 0 }, { SEED_ENTROPY, 0 },
        { SEED_ENTROPY, 20 }, { SEED_RAW, 15 },  { SEED_RAW, 65 },
    };
    for (size_t i = 0; i < COUNT(none_of_these); i++) {
        content =
            (struct seed_content){ .kind = none_of_these[i].kind, .len = none_of_these[i].len };
        assert_false(seed_container_write(out, &content, &err));
        assert_int_equal(err.code, ERR_INVALID);
    }
}

static struct hdkey node_of(struct bytes container, const char *passphrase)
{
    struct seed_content content;
    struct hdkey node;
    struct err err;
    assert_true(seed_container_read(&content, container, &err));
    if (!seed_content_node(&node, &content, bytes_of_text(passphrase), &err))
        fail_msg("%s", err.text);
    return node;
}

static void assert_xpub(const struct hdkey *node, const char *expected)
{
    char text[XPUB_TEXT_SIZE];
    hdpub_to_text(text, &node->pub, chain_by_id(CHAIN_BTC));
    assert_string_equal(text, expected);
}

// The same key, whichever way it is kept.
TEST(psbt_signing_27_7_the_key_inside)
{
    // BIP-32 vectors 1 and 2: a raw master secret of 16 and of 64 bytes.
    const struct hdkey a = node_of(padded("10000102030405060708090a0b0c0d0e0f"), "");
    assert_xpub(&a, "xpub661MyMwAqRbcFtXgS5sYJABqqG9YLmC4Q1Rdap9gSE8NqtwybGhePY2gZ29ESFjqJoCu1Rupj"
                    "e8YtGqsefD265TMg7usUDFdp6W1EGMcet8");
    const struct hdkey b = node_of(
        padded("40fffcf9f6f3f0edeae7e4e1dedbd8d5d2cfccc9c6c3c0bdbab7b4b1aeaba8a5a29f9c999693"
               "908d8a8784817e7b7875726f6c696663605d5a5754514e4b484542"),
        "");
    assert_xpub(&b, "xpub661MyMwAqRbcFW31YEwpkMuc5THy2PSt5bDMsktWQcFF8syAmRUapSCGu8ED9W6oDMSgv6Zz8"
                    "idoc4a6mr8BDzTJY47LJhkJ8UB7WEGuduB");
    // The same node as chain code and key.
    uint8_t raw[SEED_CONTAINER_LEN] = { 0x01 };
    memcpy(raw + 1, a.pub.chain_code, 32);
    memcpy(raw + 33, a.key.b, 32);
    const struct hdkey c = node_of(BYTES_OF(raw), "");
    assert_true(hdpub_equal(&a.pub, &c.pub));
    assert_memory_equal(a.key.b, c.key.b, 32);
    // Words.
    struct writer w = writer_growing(test_arena(), 128);
    struct hdkey expected;
    struct err err;
    bool is_main;
    writer_u8(&w, 0x82);
    assert_true(mnemonic_to_entropy(&w, BYTES(TEST_SEED_WORDS), &err));
    for (size_t i = w.len; i < SEED_CONTAINER_LEN; i++)
        writer_u8(&w, 0);
    const struct hdkey words = node_of(writer_bytes(&w), "");
    assert_true(hdkey_from_text(&expected, &is_main, BYTES(TEST_SEED_XPRV), &err));
    assert_true(hdpub_equal(&words.pub, &expected.pub));
    const struct hdkey hidden = node_of(writer_bytes(&w), "Myself");
    char xfp[XFP_TEXT_SIZE];
    xfp_to_text(xfp, hdpub_xfp(&hidden.pub));
    assert_string_not_equal(xfp, "0F056943");
}

TEST(psbt_signing_27_7_what_has_no_key)
{
    struct seed_content content;
    struct hdkey node;
    struct err err;
    assert_true(seed_container_read(&content, padded("00"), &err));
    assert_false(seed_content_node(&node, &content, BYTES(""), &err));
    assert_err(&err, ERR_STATE, "no seed");
    // A private key of zero, and a passphrase where there are no words.
    assert_true(seed_container_read(&content, padded("01" ZEROS64), &err));
    assert_false(seed_content_node(&node, &content, BYTES(""), &err));
    assert_int_equal(err.code, ERR_INVALID);
    assert_true(seed_container_read(&content, padded("10000102030405060708090a0b0c0d0e0f"), &err));
    assert_false(seed_content_node(&node, &content, BYTES("x"), &err));
    assert_err(&err, ERR_INVALID, "a passphrase needs words");
    seed_content_wipe(&content);
    assert_int_equal(content.len, 0);
}
