#include "bitcoin/script.h"
#include "bitcoin/address.h"
#include "tests/support/test.h"
#include <string.h>

#define H20 "000102030405060708090a0b0c0d0e0f10111213"
#define H32 H20 "1415161718191a1b1c1d1e1f"
#define K33 "02" H32
#define K65 "04" H32 H32

// Psbt-signing.md 4.3: each kind, its lengths off by one, its first and last byte off by one.
static const struct {
    const char *script;
    enum script_kind kind;
    const char *payload;
} cases[] = {
    { "", SCRIPT_UNKNOWN, "" },
    { "00", SCRIPT_UNKNOWN, "" },

    { "5120" H32, SCRIPT_P2TR, H32 },
    { "5220" H32, SCRIPT_P2TR, H32 }, // any version
    { "6020" H32, SCRIPT_P2TR, H32 },
    { "5020" H32, SCRIPT_UNKNOWN, "" }, // OP_RESERVED
    { "6120" H32, SCRIPT_UNKNOWN, "" },
    { "511f" H32, SCRIPT_UNKNOWN, "" },
    { "5121" H32, SCRIPT_UNKNOWN, "" },
    { "5120" H32 "00", SCRIPT_UNKNOWN, "" },
    { "511f" H20 "1415161718191a1b1c1d1e", SCRIPT_UNKNOWN, "" },
    { "51024e73", SCRIPT_UNKNOWN, "" }, // anchor

    { "0014" H20, SCRIPT_P2WPKH, H20 },
    { "0114" H20, SCRIPT_UNKNOWN, "" },
    { "0013" H20, SCRIPT_UNKNOWN, "" },
    { "0015" H20, SCRIPT_UNKNOWN, "" },
    { "0014" H20 "00", SCRIPT_UNKNOWN, "" },
    { "0013"
      "000102030405060708090a0b0c0d0e0f101112",
      SCRIPT_UNKNOWN, "" },

    { "0020" H32, SCRIPT_P2WSH, H32 },
    { "0120" H32, SCRIPT_UNKNOWN, "" },
    { "001f" H32, SCRIPT_UNKNOWN, "" },
    { "0021" H32, SCRIPT_UNKNOWN, "" },
    { "0020" H32 "00", SCRIPT_UNKNOWN, "" },

    { "76a914" H20 "88ac", SCRIPT_P2PKH, H20 },
    { "75a914" H20 "88ac", SCRIPT_UNKNOWN, "" },
    { "77a914" H20 "88ac", SCRIPT_UNKNOWN, "" },
    { "76a814" H20 "88ac", SCRIPT_UNKNOWN, "" },
    { "76a913" H20 "88ac", SCRIPT_UNKNOWN, "" },
    { "76a914" H20 "87ac", SCRIPT_UNKNOWN, "" },
    { "76a914" H20 "88ab", SCRIPT_UNKNOWN, "" },
    { "76a914" H20 "88ad", SCRIPT_UNKNOWN, "" },
    { "76a914" H20 "88ac00", SCRIPT_UNKNOWN, "" },
    { "76a914" H20 "88", SCRIPT_UNKNOWN, "" },

    { "a914" H20 "87", SCRIPT_P2SH, H20 },
    { "a814" H20 "87", SCRIPT_UNKNOWN, "" },
    { "aa14" H20 "87", SCRIPT_UNKNOWN, "" },
    { "a913" H20 "87", SCRIPT_UNKNOWN, "" },
    { "a914" H20 "86", SCRIPT_UNKNOWN, "" },
    { "a914" H20 "88", SCRIPT_UNKNOWN, "" },
    { "a914" H20 "8700", SCRIPT_UNKNOWN, "" },
    { "a914" H20, SCRIPT_UNKNOWN, "" },

    { "21" K33 "ac", SCRIPT_P2PK, K33 },
    { "41" K65 "ac", SCRIPT_P2PK, K65 },
    { "21"
      "ff" H32 "ac",
      SCRIPT_P2PK, "ff" H32 }, // no point: still of this kind
    { "20" K33 "ac", SCRIPT_UNKNOWN, "" },
    { "22" K33 "ac", SCRIPT_UNKNOWN, "" },
    { "21" K33 "ab", SCRIPT_UNKNOWN, "" },
    { "21" K33 "ad", SCRIPT_UNKNOWN, "" },
    { "21" K33 "acac", SCRIPT_UNKNOWN, "" },
    { "40" K65 "ac", SCRIPT_UNKNOWN, "" },
    { "42" K65 "ac", SCRIPT_UNKNOWN, "" },
    { "41" K65 "ab", SCRIPT_UNKNOWN, "" },
    { "41" K65, SCRIPT_UNKNOWN, "" },

    { "6a", SCRIPT_OP_RETURN, "" },
    { "6a0568656c6c6f", SCRIPT_OP_RETURN, "" },
    { "69", SCRIPT_UNKNOWN, "" },
    { "6b", SCRIPT_UNKNOWN, "" },
    { "5121" K33 "51ae", SCRIPT_UNKNOWN, "" }, // bare multisig
};

TEST(psbt_signing_27_11_classes_and_their_boundaries)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct bytes script = test_hex(cases[i].script);
        const enum script_kind kind = script_classify(script);
        if (kind != cases[i].kind)
            fail_msg("case %zu: kind %d of %s", i, (int)kind, cases[i].script);
        assert_bytes_equal(script_payload(script, kind), test_hex(cases[i].payload));
    }
}

TEST(a_payload_asked_for_as_another_kind_is_empty)
{
    assert_int_equal(script_payload(test_hex("0014" H20), SCRIPT_P2PKH).len, 0);
    assert_int_equal(script_payload(test_hex("0020" H32), SCRIPT_P2TR).len, 0);
}

TEST(built_scripts_are_of_their_kind)
{
    struct hash160 h20;
    struct hash256 h32;
    uint8_t mem[34];
    memcpy(h20.b, test_hex(H20).ptr, sizeof h20.b);
    memcpy(h32.b, test_hex(H32).ptr, sizeof h32.b);
    struct writer w = writer_of(mem, sizeof mem);
    script_write_p2pkh(&w, h20);
    assert_bytes_equal(writer_bytes(&w), test_hex("76a914" H20 "88ac"));
    w = writer_of(mem, sizeof mem);
    script_write_p2wpkh(&w, h20);
    assert_bytes_equal(writer_bytes(&w), test_hex("0014" H20));
    w = writer_of(mem, sizeof mem);
    script_write_p2sh(&w, h20);
    assert_bytes_equal(writer_bytes(&w), test_hex("a914" H20 "87"));
    w = writer_of(mem, sizeof mem);
    script_write_p2wsh(&w, h32);
    assert_bytes_equal(writer_bytes(&w), test_hex("0020" H32));
}

// BIP-62 rule 3, which redeem scripts follow as well.
TEST(psbt_signing_27_106_pushes_have_their_shortest_form)
{
    static const struct {
        size_t len;
        uint8_t fill;
        const char *prefix;
        bool has_data; // behind the prefix
    } pushes[] = {
        { 0, 0, "00", false },
        { 1, 0x00, "01", true }, // OP_0 would push no bytes
        { 1, 0x01, "51", false },
        { 1, 0x10, "60", false },
        { 1, 0x11, "01", true },
        { 1, 0x81, "4f", false },
        { 1, 0x80, "01", true },
        { 2, 0x01, "02", true },
        { 75, 7, "4b", true },
        { 76, 7, "4c4c", true },
        { 255, 7, "4cff", true },
        { 256, 7, "4d0001", true },
        { 513, 7, "4d0102", true },
        { 65535, 7, "4dffff", true },
        { 65536, 7, "4e00000100", true },
    };
    static uint8_t data[65536], mem[65536 + 5];
    for (size_t i = 0; i < COUNT(pushes); i++) {
        const struct bytes prefix = test_hex(pushes[i].prefix);
        struct writer w = writer_of(mem, sizeof mem);
        memset(data, pushes[i].fill, sizeof data);
        script_write_push(&w, bytes_of(data, pushes[i].len));
        const struct bytes out = writer_bytes(&w);
        assert_bytes_equal(bytes_slice(out, 0, prefix.len), prefix);
        assert_bytes_equal(bytes_slice(out, prefix.len, out.len),
                           bytes_of(data, pushes[i].has_data ? pushes[i].len : 0));
    }
}

static void check_bip67_row(const struct json *row)
{
    const struct json *given = json_need(row, "keys"), *sorted = json_need(row, "sorted");
    struct bytes keys[SCRIPT_MULTISIG_KEYS_MAX];
    struct writer script = writer_growing(test_arena(), 1024);
    struct writer output = writer_growing(test_arena(), 64);
    struct writer address = writer_growing(test_arena(), 64);
    struct err err;
    for (size_t i = 0; i < given->n_items; i++)
        keys[i] = json_item_hex(given, i);
    script_sort_keys(keys, given->n_items);
    for (size_t i = 0; i < sorted->n_items; i++)
        assert_bytes_equal(keys[i], json_item_hex(sorted, i));
    script_write_multisig(&script, 2, keys, given->n_items);
    assert_bytes_equal(writer_bytes(&script), json_need_hex(row, "script"));
    assert_true(address_script_of_script(&output, writer_bytes(&script), ADDR_P2SH, &err));
    address_or_hex(&address, writer_bytes(&output), chain_by_id(CHAIN_BTC));
    assert_bytes_equal(writer_bytes(&address), json_need_text(row, "address"));
}

TEST(psbt_signing_27_33_bip67_vectors)
{
    const struct json *rows = json_need(test_vectors("bip67.json"), "vectors");
    assert_int_equal(rows->n_items, 4);
    for (size_t i = 0; i < rows->n_items; i++)
        check_bip67_row(json_item(rows, i));
}

// Consensus allows 20 keys; OP_16 is the last number that is an opcode.
TEST(numbers_of_a_multisig_script)
{
    static const struct {
        size_t n;
        const char *end;
    } numbers[] = {
        { 1, "51ae" }, { 15, "5fae" }, { 16, "60ae" }, { 17, "0111ae" }, { 20, "0114ae" }
    };
    struct bytes keys[SCRIPT_MULTISIG_KEYS_MAX];
    for (size_t i = 0; i < COUNT(keys); i++)
        keys[i] = test_hex(K33);
    for (size_t i = 0; i < COUNT(numbers); i++) {
        struct writer w = writer_growing(test_arena(), 1024);
        const struct bytes end = test_hex(numbers[i].end);
        script_write_multisig(&w, 1, keys, numbers[i].n);
        assert_int_equal(w.len, 1 + 34 * numbers[i].n + end.len);
        assert_int_equal(w.ptr[0], 0x51);
        assert_bytes_equal(bytes_slice(writer_bytes(&w), w.len - end.len, end.len), end);
    }
}
