#include "bitcoin/tx.h"
#include "tests/support/test.h"
#include <string.h>

static struct bytes written(const struct tx *tx)
{
    const size_t room = 1 << 16;
    struct writer w = writer_of(arena_alloc(test_arena(), room), room);
    tx_write(&w, tx);
    assert_false(w.failed);
    return writer_bytes(&w);
}

static struct tx parsed(struct bytes raw)
{
    struct tx tx;
    struct err err;
    if (!tx_parse(&tx, raw, test_arena(), &err))
        fail_msg("%s", err.text);
    return tx;
}

// BIP-143's first example, unsigned and signed.
#define OUTPOINT_0 "fff7f7881a8099afa6940d42d1e7f6362bec38171ea3edf433541db4e4ad969f00000000"
#define OUTPOINT_1 "ef51e1b804cc89d182d279655c3aa89e815b1b309fe287d9b2b55d57b90ec68a01000000"
#define OUTPUTS                                                                                    \
    "02202cb206000000001976a9148280b37df378db99f66f85c95a783a76ac7a6d5988ac9093510d000000001976a9" \
    "143bde42dbee7e4dbe6a21b2d50ce2f0167faa815988ac"
#define LOCKTIME   "11000000"
#define SCRIPT_SIG "02abcd"
#define UNSIGNED   "0100000002" OUTPOINT_0 "00eeffffff" OUTPOINT_1 "00ffffffff" OUTPUTS LOCKTIME
#define SIGNED                                                                                     \
    "01000000000102" OUTPOINT_0 SCRIPT_SIG "eeffffff" OUTPOINT_1 "00ffffffff" OUTPUTS "00"         \
    "0201aa00" LOCKTIME

TEST(every_member_of_a_transaction)
{
    const struct tx tx = parsed(test_hex(SIGNED));
    assert_int_equal(tx.version, 1);
    assert_int_equal(tx.locktime, 0x11);
    assert_true(tx.has_witness);
    assert_int_equal(tx.n_in, 2);
    assert_int_equal(tx.n_out, 2);
    assert_bytes_equal(BYTES_OF(tx.in[0].prevout.txid.b), bytes_slice(test_hex(OUTPOINT_0), 0, 32));
    assert_int_equal(tx.in[0].prevout.index, 0);
    assert_bytes_equal(tx.in[0].script_sig, test_hex("abcd"));
    assert_int_equal(tx.in[0].sequence, 0xffffffee);
    assert_int_equal(tx.in[0].witness.len, 0);
    assert_int_equal(tx.in[1].prevout.index, 1);
    assert_int_equal(tx.in[1].script_sig.len, 0);
    assert_int_equal(tx.in[1].sequence, 0xffffffff);
    assert_bytes_equal(tx.in[1].witness, test_hex("0201aa00"));
    assert_int_equal(tx.out[0].value, 112340000);
    assert_bytes_equal(tx.out[1].script,
                       test_hex("76a9143bde42dbee7e4dbe6a21b2d50ce2f0167faa815988ac"));
    assert_bytes_equal(written(&tx), test_hex(SIGNED));
}

TEST(the_txid_leaves_witnesses_out)
{
    const struct tx with = parsed(test_hex(SIGNED));
    const struct tx without = parsed(test_hex("0100000002" OUTPOINT_0 SCRIPT_SIG
                                              "eeffffff" OUTPOINT_1 "00ffffffff" OUTPUTS LOCKTIME));
    const struct hash256 a = tx_txid(&with), b = tx_txid(&without);
    const struct hash256 whole = sha256d(written(&without));
    assert_bytes_equal(BYTES_OF(a.b), BYTES_OF(b.b));
    assert_bytes_equal(BYTES_OF(a.b), BYTES_OF(whole.b));
}

// The genesis block's transaction, whose txid everybody knows.
TEST(a_txid_is_shown_reversed)
{
    const struct tx tx = parsed(test_hex(
        "01000000010000000000000000000000000000000000000000000000000000000000000000ffffffff4d04ffff"
        "001d0104455468652054696d65732030332f4a616e2f32303039204368616e63656c6c6f72206f6e206272696e"
        "6b206f66207365636f6e64206261696c6f757420666f722062616e6b73ffffffff0100f2052a01000000434104"
        "678afdb0fe5548271967f1a67130b7105cd6a828e03909a67962e0ea1f61deb649f6bc3f4cef38c4f35504e51e"
        "c112de5c384df7ba0b8d578a4c702b6bf11d5fac00000000"));
    const struct hash256 txid = tx_txid(&tx);
    char text[TXID_TEXT_SIZE];
    txid_to_text(text, &txid);
    assert_string_equal(text, "4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b");
}

TEST(vectors_round_trip)
{
    const struct json *legacy = json_need(test_vectors("sighash_legacy.json"), "vectors");
    const struct json *bip143 = json_need(test_vectors("bip143.json"), "examples");
    for (size_t i = 0; i < legacy->n_items; i++) {
        const struct bytes raw = json_item_hex(json_item(legacy, i), 0);
        const struct tx tx = parsed(raw);
        assert_bytes_equal(written(&tx), raw);
    }
    for (size_t i = 0; i < bip143->n_items; i++) {
        const struct bytes raw = json_need_hex(json_item(bip143, i), "tx");
        const struct tx tx = parsed(raw);
        assert_bytes_equal(written(&tx), raw);
    }
    const struct json *bip341 =
        json_item(json_need(test_vectors("bip341.json"), "keyPathSpending"), 0);
    const struct bytes full = json_need_hex(json_need(bip341, "auxiliary"), "fullySignedTx");
    const struct tx tx = parsed(full);
    assert_true(tx.has_witness);
    assert_bytes_equal(written(&tx), full);
}

// Every prefix of a transaction is refused, and so is a byte more.
TEST(truncation_at_every_byte)
{
    static const char *const texts[] = { UNSIGNED, SIGNED };
    for (size_t t = 0; t < COUNT(texts); t++) {
        const struct bytes raw = test_hex(texts[t]);
        for (size_t len = 0; len < raw.len; len++) {
            struct tx tx = { .locktime = 77 };
            struct err err;
            uint8_t *exact = malloc(len + 1); // so that reading on is seen
            assert_non_null(exact);
            memcpy(exact, raw.ptr, len);
            assert_false(tx_parse(&tx, bytes_of(exact, len), test_arena(), &err));
            assert_true(err.code == ERR_TRUNCATED || err.code == ERR_MALFORMED);
            assert_int_equal(tx.locktime, 77);
            free(exact);
        }
    }
}

TEST(psbt_signing_27_3_malformed_transactions)
{
    static const struct {
        const char *raw;
        enum err_code code;
        const char *text;
    } cases[] = {
        { "", ERR_TRUNCATED, "no version" },
        { "01000000", ERR_TRUNCATED, "inputs: no count at byte 4" },
        { UNSIGNED "00", ERR_MALFORMED, "bytes left over at byte 160" },
        // Counts: longer than needed, more than there can be.
        { "01000000fd0200" OUTPOINT_0, ERR_TRUNCATED, "inputs: no count at byte 4" },
        { "01000000ffffffffffffffffff" OUTPOINT_0, ERR_TRUNCATED,
          "inputs: count at byte 13 exceeds the bytes left" },
        { "01000000feffffffff" OUTPOINT_0, ERR_TRUNCATED,
          "inputs: count at byte 9 exceeds the bytes left" },
        { "0100000002" OUTPOINT_0 "00ffffffff" OUTPOINT_1, ERR_TRUNCATED,
          "inputs: count at byte 5 exceeds the bytes left" },
        { "0100000000fd0100" OUTPUTS, ERR_TRUNCATED, "outputs: no count at byte 5" },
        { "0100000000feffffff7f" OUTPUTS, ERR_TRUNCATED,
          "outputs: count at byte 10 exceeds the bytes left" },
        // A script length longer than needed, or longer than the bytes.
        { "0100000001" OUTPOINT_0 "fd0000"
          "ffffffff00" LOCKTIME,
          ERR_TRUNCATED, "input 0: ends at byte 41" },
        { "0100000001" OUTPOINT_0 "ffffffffffffffffff"
          "ffffffff00" LOCKTIME,
          ERR_TRUNCATED, "input 0: ends at byte 41" },
        { "0100000000"
          "02"
          "0000000000000000fd0a00"
          "00000000000000000000" LOCKTIME,
          ERR_TRUNCATED, "output 0: ends at byte 14" },
        // Witness format.
        { "01000000000101" OUTPOINT_0 "00ffffffff"
          "00"
          "00" LOCKTIME,
          ERR_MALFORMED, "witness format without a witness" },
        { "0100000000010000" LOCKTIME, ERR_MALFORMED, "witness format without a witness" },
        { "01000000000101" OUTPOINT_0 "00ffffffff"
          "00"
          "ffffffffffffffffff00" LOCKTIME,
          ERR_TRUNCATED, "witness 0: ends at byte 59" },
        { "01000000000101" OUTPOINT_0 "00ffffffff"
          "00"
          "01fd0100aa" LOCKTIME,
          ERR_TRUNCATED, "witness 0: ends at byte 50" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct tx tx;
        struct err err;
        if (tx_parse(&tx, test_hex(cases[i].raw), test_arena(), &err))
            fail_msg("case %zu accepted", i);
        assert_err(&err, cases[i].code, cases[i].text);
    }
}

// A count of 2^32 must cost nothing.
TEST(counts_are_bounded_before_allocating)
{
    struct arena *arena = arena_new(4096);
    struct tx tx;
    struct err err;
    assert_false(tx_parse(&tx, test_hex("01000000feffffffff" OUTPOINT_0), arena, &err));
    assert_int_equal(arena_used(arena), 0);
    arena_free(arena);
}

TEST(a_full_arena_is_an_error)
{
    struct arena *arena = arena_new(64);
    struct tx tx;
    struct err err;
    assert_false(tx_parse(&tx, test_hex(UNSIGNED), arena, &err));
    assert_err(&err, ERR_NO_MEMORY, "inputs: no memory for 2");
    arena_free(arena);
}

// Psbt-signing.md 8.4: "A transaction that begins 00 01 after the version is an error, not a witness
// transaction."
TEST(the_legacy_form_has_no_witnesses)
{
    struct tx tx;
    struct err err;
    assert_true(tx_parse_legacy(&tx, test_hex(UNSIGNED), test_arena(), &err));
    assert_bytes_equal(written(&tx), test_hex(UNSIGNED));
    assert_false(tx_parse_legacy(&tx, test_hex(SIGNED), test_arena(), &err));
    // One without inputs and with one output reads as such, where tx_parse sees the mark.
    const struct bytes no_inputs = test_hex("0200000000010000000000000000"
                                            "016a"
                                            "00000000");
    assert_true(tx_parse_legacy(&tx, no_inputs, test_arena(), &err));
    assert_int_equal(tx.n_in, 0);
    assert_int_equal(tx.n_out, 1);
    assert_bytes_equal(tx.out[0].script, test_hex("6a"));
    assert_false(tx_parse(&tx, no_inputs, test_arena(), &err));
    assert_true(tx_parse(&tx, test_hex("02000000000000000000"), test_arena(), &err));
    assert_int_equal(tx.n_in + tx.n_out, 0);
}

static struct bytes with_script_of(size_t len)
{
    uint8_t *mem = arena_alloc(test_arena(), len + 64);
    struct writer w = writer_of(mem, len + 64);
    const uint8_t *zeros = arena_alloc(test_arena(), len);
    writer_put(&w, test_hex("01000000"
                            "00"
                            "01"
                            "0000000000000000"));
    writer_counted(&w, bytes_of(zeros, len));
    writer_u32le(&w, 0);
    return writer_bytes(&w);
}

TEST(psbt_signing_8_6_a_transaction_is_at_most_a_million_bytes)
{
    const size_t overhead = 4 + 1 + 1 + 8 + 5 + 4;
    struct tx tx;
    struct err err;
    assert_true(tx_parse_legacy(&tx, with_script_of(TX_SIZE_MAX - overhead), test_arena(), &err));
    assert_false(
        tx_parse_legacy(&tx, with_script_of(TX_SIZE_MAX - overhead + 1), test_arena(), &err));
    assert_err(&err, ERR_LIMIT, "larger than 1000000 bytes");
}

// "without witnesses": a large witness does not count.
TEST(psbt_signing_8_6_witnesses_are_not_counted)
{
    const size_t room = 1100000;
    uint8_t *mem = arena_alloc(test_arena(), room);
    const uint8_t *item = arena_alloc(test_arena(), TX_SIZE_MAX);
    struct writer w = writer_of(mem, room);
    struct tx tx;
    struct err err;
    writer_put(&w, test_hex("01000000000101" OUTPOINT_0 "00ffffffff"
                            "00"
                            "01"));
    writer_counted(&w, bytes_of(item, TX_SIZE_MAX));
    writer_u32le(&w, 0);
    assert_false(w.failed);
    assert_true(tx_parse(&tx, writer_bytes(&w), test_arena(), &err));
}
