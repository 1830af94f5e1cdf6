#include "bitcoin/sighash.h"
#include "bitcoin/script.h"
#include "tests/support/test.h"
#include <string.h>

static struct tx parsed(struct bytes raw)
{
    struct tx tx;
    struct err err;
    if (!tx_parse(&tx, raw, test_arena(), &err))
        fail_msg("%s", err.text);
    return tx;
}

static struct hash256 reversed(struct bytes display_order)
{
    struct hash256 out;
    assert_int_equal(display_order.len, sizeof out.b);
    for (size_t i = 0; i < sizeof out.b; i++)
        out.b[i] = display_order.ptr[sizeof out.b - 1 - i];
    return out;
}

// Walks over pushes, so that a byte inside one is kept; what is no whole push ends the script.
static size_t opcode_len(struct bytes script, size_t at)
{
    const uint8_t op = script.ptr[at];
    const size_t left = script.len - at;
    size_t len = 1;
    if (op >= 1 && op < 0x4c)
        len = 1 + (size_t)op;
    else if (op == 0x4c && left > 1)
        len = 2 + (size_t)script.ptr[at + 1];
    else if (op == 0x4d && left > 2)
        len = 3 + (size_t)(script.ptr[at + 1] | script.ptr[at + 2] << 8);
    else if (op == 0x4e)
        len = left; // the vectors have no such push whole
    return len < left ? len : left;
}

// The vectors' scripts are random bytes; consensus leaves OP_CODESEPARATOR out.
static struct bytes without_codeseparator(struct bytes script)
{
    uint8_t *mem = arena_alloc(test_arena(), script.len);
    struct writer w = writer_of(mem, script.len);
    for (size_t i = 0; i < script.len;) {
        const size_t len = opcode_len(script, i);
        if (script.ptr[i] != 0xab)
            writer_put(&w, bytes_slice(script, i, len));
        i += len;
    }
    return writer_bytes(&w);
}

TEST(psbt_signing_27_90_legacy_vectors)
{
    const struct json *rows = json_need(test_vectors("sighash_legacy.json"), "vectors");
    assert_int_equal(rows->n_items, 500);
    size_t i = 0;
    for (const struct json *row = rows->items; row; row = row->next, i++) {
        const struct tx tx = parsed(json_item_hex(row, 0));
        const struct bytes script = without_codeseparator(json_item_hex(row, 1));
        const struct hash256 expected = reversed(json_item_hex(row, 4));
        struct sighash_cache cache;
        struct hash256 got;
        struct err err;
        sighash_cache_init(&cache, &tx, test_arena());
        assert_true(sighash_legacy(&got, &cache, (size_t)json_item_integer(row, 2), script,
                                   (uint32_t)json_item_integer(row, 3), &err));
        if (memcmp(got.b, expected.b, sizeof got.b) != 0)
            fail_msg("vector %zu", i);
    }
}

TEST(psbt_signing_27_90_bip143_vectors)
{
    const struct json *rows = json_need(test_vectors("bip143.json"), "examples");
    assert_int_equal(rows->n_items, 14);
    for (const struct json *row = rows->items; row; row = row->next) {
        const struct tx tx = parsed(json_need_hex(row, "tx"));
        struct sighash_cache cache;
        sighash_cache_init(&cache, &tx, test_arena());
        const struct hash256 got = sighash_segwit0(
            &cache, (size_t)json_need_integer(row, "input"), json_need_hex(row, "script_code"),
            (struct sats){ (uint64_t)json_need_integer(row, "amount") },
            (uint32_t)json_need_integer(row, "hash_type"));
        assert_bytes_equal(BYTES_OF(got.b), json_need_hex(row, "sighash"));
    }
}

// The signatures that the file calls ours without grinding.
TEST(psbt_signing_27_90_bip143_signatures)
{
    const struct json *rows = json_need(test_vectors("bip143.json"), "examples");
    size_t n_ours = 0;
    for (const struct json *row = rows->items; row; row = row->next) {
        const struct json *ours = json_get(row, "rfc6979_match");
        struct hash256 digest;
        struct signature sig;
        struct seckey key;
        struct err err;
        uint8_t der[ECDSA_DER_MAX + 1];
        if (ours == NULL || ours->type != JSON_TRUE)
            continue;
        memcpy(digest.b, json_need_hex(row, "sighash").ptr, sizeof digest.b);
        assert_true(seckey_from_bytes(&key, json_need_hex(row, "private_key"), &err));
        const struct pubkey pub = seckey_pubkey(&key);
        assert_true(ecdsa_sign(&sig, &key, &pub, &digest, false, &err));
        const size_t len = ecdsa_to_der(der, &sig);
        der[len] = (uint8_t)json_need_integer(row, "hash_type");
        assert_bytes_equal(bytes_of(der, len + 1), json_need_hex(row, "signature"));
        n_ours++;
    }
    assert_int_equal(n_ours, 12);
}

static const struct tx_out *spent_of(const struct json *list)
{
    struct tx_out *spent = arena_array(test_arena(), list->n_items, sizeof *spent);
    size_t i = 0;
    for (const struct json *utxo = list->items; utxo; utxo = utxo->next, i++) {
        spent[i].script = json_need_hex(utxo, "scriptPubKey");
        spent[i].value = json_need_integer(utxo, "amountSats");
    }
    return spent;
}

TEST(psbt_signing_27_123_bip341_digests)
{
    const struct json *all =
        json_item(json_need(test_vectors("bip341.json"), "keyPathSpending"), 0);
    const struct json *given = json_need(all, "given");
    const struct tx tx = parsed(json_need_hex(given, "rawUnsignedTx"));
    const struct tx_out *spent = spent_of(json_need(given, "utxosSpent"));
    const struct json *rows = json_need(all, "inputSpending");
    struct sighash_cache cache;
    assert_int_equal(rows->n_items, 7);
    sighash_cache_init(&cache, &tx, test_arena());
    for (const struct json *row = rows->items; row; row = row->next) {
        const struct json *in = json_need(row, "given");
        struct hash256 got;
        struct err err;
        assert_true(sighash_taproot(&got, &cache, (size_t)json_need_integer(in, "txinIndex"), spent,
                                    (uint32_t)json_need_integer(in, "hashType"), &err));
        assert_bytes_equal(BYTES_OF(got.b),
                           json_need_hex(json_need(row, "intermediary"), "sigHash"));
    }
}

TEST(psbt_signing_22_taproot_types)
{
    const struct json *all =
        json_item(json_need(test_vectors("bip341.json"), "keyPathSpending"), 0);
    const struct tx tx = parsed(json_need_hex(json_need(all, "given"), "rawUnsignedTx"));
    const struct tx_out *spent = spent_of(json_need(json_need(all, "given"), "utxosSpent"));
    struct sighash_cache cache;
    sighash_cache_init(&cache, &tx, test_arena());
    assert_int_equal(tx.n_out, 2);
    for (uint32_t type = 0; type < 0x200; type++) {
        const bool known = type <= 3 || (type >= 0x81 && type <= 0x83);
        struct hash256 got;
        struct err err;
        assert_int_equal(sighash_taproot(&got, &cache, 0, spent, type, &err), known);
        if (!known)
            assert_int_equal(err.code, ERR_INVALID);
        // Input 2 has no output of its number.
        assert_int_equal(sighash_taproot(&got, &cache, 2, spent, type, &err),
                         known && (type & 3) != SIGHASH_SINGLE);
    }
}

// A plain writing of psbt-signing.md 14.2 to compare with: no cache, one buffer.
static struct hash256 plain_legacy(const struct tx *tx, size_t input, struct bytes script_code,
                                   uint32_t type)
{
    const size_t room = 1 << 16;
    struct writer w = writer_of(arena_alloc(test_arena(), room), room);
    const uint32_t base = type & 0x1f;
    const bool acp = (type & 0x80) != 0, few = base == SIGHASH_NONE || base == SIGHASH_SINGLE;
    if (base == SIGHASH_SINGLE && input >= tx->n_out)
        return (struct hash256){ { 1 } };
    writer_u32le(&w, (uint32_t)tx->version);
    writer_compact_size(&w, acp ? 1 : tx->n_in);
    for (size_t i = 0; i < tx->n_in; i++) {
        if (acp && i != input)
            continue;
        writer_put(&w, BYTES_OF(tx->in[i].prevout.txid.b));
        writer_u32le(&w, tx->in[i].prevout.index);
        writer_counted(&w, i == input ? script_code : (struct bytes){ 0 });
        writer_u32le(&w, i != input && few ? 0 : tx->in[i].sequence);
    }
    const size_t n_out = base == SIGHASH_NONE ? 0 : base == SIGHASH_SINGLE ? input + 1 : tx->n_out;
    writer_compact_size(&w, n_out);
    for (size_t i = 0; i < n_out; i++) {
        const bool blank = base == SIGHASH_SINGLE && i < input;
        writer_i64le(&w, blank ? -1 : tx->out[i].value);
        writer_counted(&w, blank ? (struct bytes){ 0 } : tx->out[i].script);
    }
    writer_u32le(&w, tx->locktime);
    writer_u32le(&w, type);
    assert_false(w.failed);
    return sha256d(writer_bytes(&w));
}

static struct tx made(size_t n_in, size_t n_out)
{
    struct tx tx = { .version = 2, .locktime = 500, .n_in = n_in, .n_out = n_out };
    tx.in = arena_array(test_arena(), n_in, sizeof *tx.in);
    tx.out = arena_array(test_arena(), n_out, sizeof *tx.out);
    for (size_t i = 0; i < n_in; i++) {
        memset(tx.in[i].prevout.txid.b, (int)(i % 251), 32);
        tx.in[i].prevout.index = (uint32_t)i;
        tx.in[i].sequence = 0xffffff00u + (uint32_t)i;
    }
    for (size_t i = 0; i < n_out; i++) {
        tx.out[i].value = (int64_t)(1000 * i + 7);
        tx.out[i].script =
            bytes_slice(test_hex("0014751e76e8199196d454941c45d1b3a323f1433bd6"), 0, 22 - i % 5);
    }
    return tx;
}

static const uint32_t types[] = { 0x00, 0x01, 0x02, 0x03, 0x81, 0x82, 0x83, 0x41, 0xe2 };

// sighash (2): one cache for all inputs and types, forwards, backwards and jumping.
TEST(psbt_signing_27_99_a_cache_changes_no_legacy_digest)
{
    const struct tx tx = made(140, 80); // SINGLE with more outputs than one block of blank ones
    const struct bytes code = test_hex("76a914751e76e8199196d454941c45d1b3a323f1433bd688ac");
    struct sighash_cache cache;
    sighash_cache_init(&cache, &tx, test_arena());
    for (size_t k = 0; k < 3 * tx.n_in; k++) {
        const size_t input = k < tx.n_in       ? k
                             : k < 2 * tx.n_in ? 2 * tx.n_in - 1 - k
                                               : k * 89 % tx.n_in;
        for (size_t t = 0; t < COUNT(types); t++) {
            struct hash256 got;
            struct err err;
            assert_true(sighash_legacy(&got, &cache, input, code, types[t], &err));
            const struct hash256 expected = plain_legacy(&tx, input, code, types[t]);
            if (memcmp(got.b, expected.b, sizeof got.b) != 0)
                fail_msg("input %zu, type %02x", input, types[t]);
        }
    }
}

TEST(psbt_signing_27_99_a_cache_changes_no_segwit_digest)
{
    const struct tx tx = made(9, 5), spent = made(1, 9);
    const struct bytes code = test_hex("76a914751e76e8199196d454941c45d1b3a323f1433bd688ac");
    const struct sats amount = { 123456789 };
    struct sighash_cache cache;
    sighash_cache_init(&cache, &tx, test_arena());
    for (size_t input = tx.n_in; input-- > 0;)
        for (size_t t = 0; t < COUNT(types); t++) {
            struct sighash_cache fresh;
            struct hash256 a, b;
            struct err err;
            sighash_cache_init(&fresh, &tx, test_arena());
            a = sighash_segwit0(&cache, input, code, amount, types[t]);
            b = sighash_segwit0(&fresh, input, code, amount, types[t]);
            assert_memory_equal(a.b, b.b, sizeof a.b);
            sighash_cache_init(&fresh, &tx, test_arena());
            const bool good = sighash_taproot(&a, &cache, input, spent.out, types[t], &err);
            assert_int_equal(sighash_taproot(&b, &fresh, input, spent.out, types[t], &err), good);
            if (good)
                assert_memory_equal(a.b, b.b, sizeof a.b);
        }
}

// BIP-143 and consensus: SINGLE without its output commits to no output in segwit, and is the
// constant in legacy.
TEST(single_without_an_output)
{
    const struct tx tx = made(3, 1);
    const struct bytes code = test_hex("51");
    struct sighash_cache cache;
    struct hash256 legacy;
    struct err err;
    sighash_cache_init(&cache, &tx, test_arena());
    assert_true(sighash_legacy(&legacy, &cache, 2, code, SIGHASH_SINGLE, &err));
    assert_bytes_equal(BYTES_OF(legacy.b),
                       test_hex("01000000000000000000000000000000000000000000000"
                                "00000000000000000"));
    const struct hash256 a = sighash_segwit0(&cache, 2, code, (struct sats){ 5 }, SIGHASH_SINGLE);
    struct tx other = tx;
    struct tx_out out = { .value = 99 };
    other.out = &out;
    sighash_cache_init(&cache, &other, test_arena());
    const struct hash256 b = sighash_segwit0(&cache, 2, code, (struct sats){ 5 }, SIGHASH_SINGLE);
    assert_memory_equal(a.b, b.b, sizeof a.b);
}

TEST(no_memory_for_a_legacy_digest_is_an_error)
{
    const struct tx tx = made(100, 1);
    struct arena *arena = arena_new(1000);
    struct sighash_cache cache;
    struct hash256 got;
    struct err err;
    sighash_cache_init(&cache, &tx, arena);
    assert_false(sighash_legacy(&got, &cache, 0, test_hex("51"), SIGHASH_ALL, &err));
    assert_err(&err, ERR_NO_MEMORY, "no memory for the digest of 100 inputs");
    arena_free(arena);
}
