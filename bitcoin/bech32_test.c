#include "bitcoin/bech32.h"
#include "tests/support/test.h"
#include <string.h>

// In the vector file \u0080 and \u00ff stand for single bytes.
static struct bytes raw_bytes(struct bytes utf8)
{
    uint8_t *out = arena_alloc(test_arena(), utf8.len);
    size_t n = 0;
    for (size_t i = 0; i < utf8.len; i++) {
        const uint8_t c = utf8.ptr[i];
        if (c == 0xc2 || c == 0xc3)
            out[n++] = (uint8_t)(utf8.ptr[++i] | (c & 1) << 6);
        else
            out[n++] = c;
    }
    return bytes_of(out, n);
}

static enum bech32_kind kind_of(struct bytes text)
{
    uint8_t data[BECH32_TEXT_MAX];
    struct bytes hrp;
    size_t n_data;
    return bech32_decode(&hrp, data, &n_data, text);
}

TEST(psbt_signing_27_2_container_vectors)
{
    static const struct {
        const char *list;
        enum bech32_kind kind;
        bool rows_of_two;
    } lists[] = {
        { "bech32_valid", BECH32, false },
        { "bech32m_valid", BECH32M, false },
        { "bech32_invalid", BECH32_INVALID, true },
        { "bech32m_invalid", BECH32_INVALID, true },
    };
    const struct json *vectors = test_vectors("bech32.json");
    for (size_t l = 0; l < COUNT(lists); l++) {
        const struct json *rows = json_need(vectors, lists[l].list);
        assert_true(rows->n_items >= 7);
        for (size_t i = 0; i < rows->n_items; i++) {
            const struct bytes text = lists[l].rows_of_two ? json_item_text(json_item(rows, i), 0)
                                                           : json_item_text(rows, i);
            if (kind_of(raw_bytes(text)) != lists[l].kind)
                fail_msg("%s %zu: %.*s", lists[l].list, i, BYTES_ARG(text));
        }
    }
}

TEST(the_parts_of_a_container)
{
    uint8_t data[BECH32_TEXT_MAX];
    struct bytes hrp;
    size_t n_data;
    assert_int_equal(
        bech32_decode(&hrp, data, &n_data, BYTES("abcdef1l7aum6echk45nj3s0wdvt2fg8x9yrzpqzd3ryx")),
        BECH32M);
    assert_bytes_text(hrp, "abcdef");
    assert_int_equal(n_data, 32);
    for (size_t i = 0; i < n_data; i++)
        assert_int_equal(data[i], 31 - i);
}

static struct bytes script_of(const struct segwit_program *p)
{
    uint8_t *out = arena_alloc(test_arena(), 42);
    out[0] = (uint8_t)(p->version == 0 ? 0 : 0x50 + p->version);
    out[1] = (uint8_t)p->len;
    memcpy(out + 2, p->program, p->len);
    return bytes_of(out, p->len + 2);
}

static struct bytes lowered(struct bytes text)
{
    uint8_t *out = arena_alloc(test_arena(), text.len);
    for (size_t i = 0; i < text.len; i++)
        out[i] = text.ptr[i] >= 'A' && text.ptr[i] <= 'Z' ? text.ptr[i] | 0x20 : text.ptr[i];
    return bytes_of(out, text.len);
}

TEST(psbt_signing_27_2_segwit_addresses)
{
    const struct json *rows = json_need(test_vectors("bech32.json"), "segwit_valid");
    assert_int_equal(rows->n_items, 8);
    for (size_t i = 0; i < rows->n_items; i++) {
        const struct bytes text = json_item_text(json_item(rows, i), 0);
        struct segwit_program p;
        struct bytes hrp;
        char mem[BECH32_TEXT_MAX];
        struct writer w = writer_of(mem, sizeof mem);
        assert_true(segwit_read(&p, &hrp, text));
        assert_bytes_equal(script_of(&p), json_item_hex(json_item(rows, i), 1));
        assert_bytes_equal(lowered(hrp), bytes_slice(lowered(text), 0, 2));
        segwit_write(&w, text.ptr[0] == 't' ? "tb" : "bc", &p);
        assert_bytes_equal(writer_bytes(&w), lowered(text));
    }
}

// The rows that are wrong only by their human-readable part are good ones here; address_test has
// them.
TEST(psbt_signing_27_2_invalid_segwit_addresses)
{
    const struct json *vectors = test_vectors("bech32.json");
    static const char *const lists[] = { "segwit_invalid", "bip173_segwit_invalid" };
    for (size_t l = 0; l < COUNT(lists); l++) {
        const struct json *rows = json_need(vectors, lists[l]);
        assert_true(rows->n_items >= 10);
        for (size_t i = 0; i < rows->n_items; i++) {
            const struct json *row = json_item(rows, i);
            const bool only_hrp = json_is_text(json_item(row, 1), "Invalid human-readable part");
            struct segwit_program p;
            struct bytes hrp;
            if (segwit_read(&p, &hrp, json_item_text(row, 0)) != only_hrp)
                fail_msg("%s %zu", lists[l], i);
        }
    }
    const struct json *rows = json_need(vectors, "bip173_v1plus_superseded_now_invalid");
    for (size_t i = 0; i < rows->n_items; i++) {
        struct segwit_program p;
        struct bytes hrp;
        assert_false(segwit_read(&p, &hrp, json_item_text(rows, i)));
    }
}

// Version and checksum must fit: the same program with the other checksum is refused.
TEST(psbt_signing_27_2_the_wrong_checksum_for_the_version)
{
    static const char *const refused[] = {
        "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kemeawh",                     // version 0 with Bech32m
        "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd", // 1 with Bech32
    };
    static const enum bech32_kind kinds[] = { BECH32M, BECH32 };
    for (size_t i = 0; i < COUNT(refused); i++) {
        struct segwit_program p;
        struct bytes hrp;
        assert_int_equal(kind_of(bytes_of_text(refused[i])), kinds[i]);
        assert_false(segwit_read(&p, &hrp, bytes_of_text(refused[i])));
    }
}

// Property: every program that may be is written so that it reads back, and no other length is.
TEST(every_version_and_length)
{
    for (unsigned version = 0; version <= 17; version++)
        for (size_t len = 0; len <= 40; len++) {
            struct segwit_program p = { .version = version, .len = len }, back;
            char mem[BECH32_TEXT_MAX];
            struct writer w = writer_of(mem, sizeof mem);
            struct bytes hrp;
            for (size_t i = 0; i < len; i++)
                p.program[i] = (uint8_t)(251 * i + 7 * version + len);
            const bool allowed =
                version <= 16 && len >= 2 && (version != 0 || len == 20 || len == 32);
            segwit_write(&w, "bcrt", &p);
            assert_false(w.failed);
            assert_int_equal(segwit_read(&back, &hrp, writer_bytes(&w)), allowed);
            if (!allowed)
                continue;
            assert_bytes_text(hrp, "bcrt");
            assert_int_equal(back.version, version);
            assert_bytes_equal(bytes_of(back.program, back.len), bytes_of(p.program, len));
        }
}

// BIP-173: "detection of any error affecting at most 4 characters": here each single one.
TEST(each_wrong_character_is_noticed)
{
    static const char good[] = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4";
    for (size_t i = 3; i < sizeof good - 1; i++)
        for (const char *c = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"; *c != '\0'; c++) {
            char text[sizeof good];
            memcpy(text, good, sizeof good);
            text[i] = *c;
            assert_int_equal(kind_of(bytes_of_text(text)), *c == good[i] ? BECH32 : BECH32_INVALID);
        }
}
