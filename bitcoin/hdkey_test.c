#include "bitcoin/hdkey.h"
#include "bitcoin/base58.h"
#include "bitcoin/mnemonic.h"
#include "tests/support/test.h"
#include <string.h>

static struct hdkey master_of(struct bytes seed)
{
    struct hdkey master;
    struct err err;
    assert_true(hdkey_from_seed(&master, seed, &err));
    return master;
}

static struct keypath path_of(struct bytes text)
{
    struct keypath path;
    struct err err;
    assert_true(keypath_parse(&path, text, &err));
    return path;
}

static void assert_texts(const struct hdkey *node, struct bytes xpub, struct bytes xprv)
{
    char text[XPUB_TEXT_SIZE];
    hdpub_to_text(text, &node->pub, chain_by_id(CHAIN_BTC));
    assert_bytes_equal(bytes_of_text(text), xpub);
    hdkey_to_text(text, node, chain_by_id(CHAIN_BTC));
    assert_bytes_equal(bytes_of_text(text), xprv);
}

static bool pubs_equal(const struct hdpub *a, const struct hdpub *b)
{
    return pubkey_equal(&a->key, &b->key) && memcmp(a->chain_code, b->chain_code, 32) == 0 &&
           a->depth == b->depth && xfp_equal(a->parent, b->parent) && a->child == b->child;
}

// Both ways: derived and written as the vector says, read from the vector as what was derived.
static void check_entry(const struct hdkey *node, const struct json *entry)
{
    struct hdkey read;
    struct hdpub read_pub;
    struct err err;
    bool is_main = false;
    assert_texts(node, json_item_text(entry, 1), json_item_text(entry, 2));
    assert_true(hdpub_from_text(&read_pub, &is_main, json_item_text(entry, 1), &err));
    assert_true(is_main && pubs_equal(&read_pub, &node->pub));
    assert_true(hdkey_from_text(&read, &is_main, json_item_text(entry, 2), &err));
    assert_true(is_main && pubs_equal(&read.pub, &node->pub));
    assert_memory_equal(read.key.b, node->key.b, sizeof node->key.b);
}

TEST(psbt_signing_27_5_bip32_vectors_1_to_4_both_ways)
{
    const struct json *rows = json_need(test_vectors("bip32.json"), "chains");
    size_t n_entries = 0;
    for (size_t i = 0; i < rows->n_items; i++) {
        const struct json *chain = json_need(json_item(rows, i), "chain");
        const struct hdkey master = master_of(json_need_hex(json_item(rows, i), "seed"));
        struct hdkey previous = master;
        for (size_t k = 0; k < chain->n_items; k++, n_entries++) {
            const struct json *entry = json_item(chain, k);
            const struct keypath path = path_of(json_item_text(entry, 0));
            struct hdkey node, one_step;
            struct err err;
            assert_true(hdkey_derive(&node, &master, &path, &err));
            check_entry(&node, entry);
            // Each entry is a child of the one before it.
            if (k > 0) {
                assert_true(hdkey_child(&one_step, &previous, path.step[path.depth - 1], &err));
                check_entry(&one_step, entry);
            }
            previous = node;
        }
    }
    assert_int_equal(n_entries, 17);
}

TEST(psbt_signing_27_5_the_16_invalid_texts_are_refused_both_ways)
{
    const struct json *rows = json_need(test_vectors("bip32.json"), "invalid");
    assert_int_equal(rows->n_items, 16);
    for (size_t i = 0; i < rows->n_items; i++) {
        const struct bytes text = json_item_text(json_item(rows, i), 0);
        struct hdkey key = { .pub.depth = 77 };
        struct hdpub pub = { .depth = 77 };
        struct err err;
        bool is_main;
        assert_false(hdpub_from_text(&pub, &is_main, text, &err));
        assert_int_equal(err.code, ERR_MALFORMED);
        assert_false(hdkey_from_text(&key, &is_main, text, &err));
        assert_int_equal(err.code, ERR_MALFORMED);
        assert_int_equal(pub.depth, 77); // untouched
        assert_int_equal(key.pub.depth, 77);
    }
}

// Each cause by its own sentence, none with a character of the key in it.
TEST(each_cause_has_its_sentence)
{
    const struct json *rows = json_need(test_vectors("bip32.json"), "invalid");
    static const struct {
        size_t row;
        bool as_private;
        const char *text;
    } cases[] = {
        { 1, true, "extended key: private key out of range" }, // a public key's first byte
        { 2, false, "extended key: not a point of the curve" },
        { 3, true, "extended key: private key out of range" },
        { 6, true, "extended key: depth 0 with a parent" },
        { 9, false, "extended key: depth 0 with a parent" },
        { 10, true, "extended key: unknown version" },
        { 12, true, "extended key: private key out of range" },
        { 14, false, "extended key: not a point of the curve" },
        { 15, true, "extended key: bad base58 or checksum" },
        { 0, true, "extended key: unknown version" }, // a public one
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct bytes text = json_item_text(json_item(rows, cases[i].row), 0);
        struct hdkey key;
        struct hdpub pub;
        struct err err;
        bool is_main;
        assert_false(cases[i].as_private ? hdkey_from_text(&key, &is_main, text, &err)
                                         : hdpub_from_text(&pub, &is_main, text, &err));
        assert_err(&err, ERR_MALFORMED, cases[i].text);
    }
}

TEST(a_text_of_another_length_is_no_key)
{
    static const char *const texts[] = { "", "3QJmnh", "237LSrY9NUUas", "xpub" };
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct hdpub pub;
        struct err err;
        bool is_main;
        assert_false(hdpub_from_text(&pub, &is_main, bytes_of_text(texts[i]), &err));
        assert_int_equal(err.code, ERR_MALFORMED);
    }
}

TEST(seeds_of_16_to_64_bytes)
{
    static const struct {
        size_t len;
        bool good;
    } cases[] = { { 0, false }, { 15, false }, { 16, true }, { 64, true }, { 65, false } };
    const uint8_t seed[65] = { 1 };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct hdkey master;
        struct err err;
        assert_int_equal(hdkey_from_seed(&master, bytes_of(seed, cases[i].len), &err),
                         cases[i].good);
        if (!cases[i].good)
            assert_int_equal(err.code, ERR_INVALID);
    }
}

// BIP-32: CKDpub of a public key is the public key of CKDpriv, for normal children.
TEST(public_derivation_agrees_with_private)
{
    const struct hdkey master = master_of(test_hex("000102030405060708090a0b0c0d0e0f"));
    struct hdkey key = master;
    struct hdpub pub = master.pub;
    for (uint32_t i = 0; i < 20; i++) {
        const uint32_t child = (i * 0x1234567u) & ~KEYPATH_HARD;
        struct err err;
        assert_true(hdkey_child(&key, &key, child, &err)); // in place
        assert_true(hdpub_child(&pub, &pub, child, &err));
        assert_true(pubs_equal(&key.pub, &pub));
    }
    assert_int_equal(pub.depth, 20);
}

// The short cuts of hdkey_derive change nothing: hardened and normal steps in every order.
TEST(a_path_is_its_steps)
{
    const struct hdkey master = master_of(test_hex("000102030405060708090a0b0c0d0e0f"));
    for (uint32_t pattern = 0; pattern < 32; pattern++)
        for (size_t depth = 0; depth <= 5; depth++) {
            struct keypath path = { .depth = depth };
            struct hdkey whole, step = master;
            struct err err;
            for (size_t i = 0; i < depth; i++) {
                path.step[i] = (uint32_t)i | ((pattern >> i & 1) != 0 ? KEYPATH_HARD : 0);
                assert_true(hdkey_child(&step, &step, path.step[i], &err));
                const struct pubkey expected = seckey_pubkey(&step.key);
                assert_true(pubkey_equal(&step.pub.key, &expected));
            }
            assert_true(hdkey_derive(&whole, &master, &path, &err));
            assert_true(pubs_equal(&whole.pub, &step.pub));
            assert_memory_equal(whole.key.b, step.key.b, sizeof step.key.b);
        }
}

TEST(no_step_past_depth_255_and_no_hardened_step_of_a_public_key)
{
    struct hdkey key = master_of(test_hex("000102030405060708090a0b0c0d0e0f")), out = { 0 };
    struct hdpub pub = key.pub, pub_out;
    struct err err;
    key.pub.depth = 254;
    assert_true(hdkey_child(&key, &key, 0, &err));
    assert_int_equal(key.pub.depth, 255);
    assert_false(hdkey_child(&out, &key, 0, &err));
    assert_err(&err, ERR_INVALID, "deeper than 255 steps");
    assert_false(hdpub_child(&pub_out, &key.pub, 0, &err));
    assert_err(&err, ERR_INVALID, "deeper than 255 steps");
    assert_false(hdpub_child(&pub_out, &pub, KEYPATH_HARD, &err));
    assert_err(&err, ERR_INVALID, "hardened step of a public key");
}

TEST(psbt_signing_27_8_fingerprint_forms)
{
    const struct xfp xfp = { { 0x0f, 0x05, 0x69, 0x43 } };
    struct xfp read = { { 1 } };
    char text[XFP_TEXT_SIZE];
    xfp_to_text(text, xfp);
    assert_string_equal(text, "0F056943");
    assert_int_equal(xfp_to_u32(xfp), 0x4369050f);
    assert_true(xfp_equal(xfp_from_u32(0x4369050f), xfp));
    assert_true(xfp_from_text(&read, BYTES("0F056943")) && xfp_equal(read, xfp));
    assert_true(xfp_from_text(&read, BYTES("0f056943")) && xfp_equal(read, xfp));
    static const char *const wrong[] = { "",         "0F05694",  "0F0569430",
                                         "0F05694g", "0x056943", " F056943" };
    for (size_t i = 0; i < COUNT(wrong); i++)
        assert_false(xfp_from_text(&read, bytes_of_text(wrong[i])));
    assert_true(xfp_is_zero((struct xfp){ { 0 } }));
    assert_false(xfp_is_zero((struct xfp){ { 0, 0, 0, 1 } }));
}

// The project's test seed, whose fingerprint the item names.
TEST(psbt_signing_27_8_fingerprint_of_the_test_seed)
{
    const struct json *vectors = test_vectors("message_signing.json");
    uint8_t seed[MNEMONIC_SEED_LEN];
    struct err err;
    char text[XFP_TEXT_SIZE];
    assert_true(mnemonic_to_seed(seed, json_need_text(vectors, "mnemonic"), BYTES(""), &err));
    const struct hdkey master = master_of(BYTES_OF(seed));
    xfp_to_text(text, hdpub_xfp(&master.pub));
    assert_string_equal(text, "0F056943");
}

static const struct chain *chain_of(const struct json *row)
{
    const struct chain *chain = chain_by_code(json_item_text(row, 0));
    assert_non_null(chain);
    return chain;
}

TEST(psbt_signing_27_9_ten_public_versions_are_read_and_written_plain)
{
    const struct json *rows = json_need(test_vectors("derivation.json"), "slip132");
    const struct json *plain = NULL;
    assert_int_equal(rows->n_items, 10);
    for (size_t i = 0; i < rows->n_items; i++) {
        const struct json *row = json_item(rows, i);
        struct hdpub pub;
        struct err err;
        char text[XPUB_TEXT_SIZE];
        bool is_main;
        if (json_is_text(json_item(row, 1), "p2pkh"))
            plain = row; // first of each chain
        assert_true(hdpub_from_text(&pub, &is_main, json_item_text(row, 2), &err));
        assert_int_equal(is_main, json_is_text(json_item(row, 0), "BTC"));
        hdpub_to_text(text, &pub, chain_of(row));
        assert_bytes_equal(bytes_of_text(text), json_item_text(plain, 2));
        assert_false(hdpub_from_text(&pub, &is_main, json_item_text(row, 3), &err));
    }
}

TEST(psbt_signing_27_6_import_of_ten_private_versions)
{
    const struct json *rows = json_need(test_vectors("derivation.json"), "slip132");
    for (size_t i = 0; i < rows->n_items; i++) {
        const struct json *row = json_item(rows, i);
        struct hdkey read, imported;
        struct err err;
        bool is_main;
        char pasted[300];
        assert_true(hdkey_from_text(&read, &is_main, json_item_text(row, 3), &err));
        assert_int_equal(read.pub.depth, 4);
        (void)snprintf(pasted, sizeof pasted, "my key: \"%.*s\"\n",
                       BYTES_ARG(json_item_text(row, 3)));
        assert_true(hdkey_import(&imported, &is_main, bytes_of_text(pasted), &err));
        assert_int_equal(is_main, json_is_text(json_item(row, 0), "BTC"));
        // The same keys as a root: paths count from it, its fingerprint is its own.
        const struct hdpub root = { .key = read.pub.key };
        assert_memory_equal(imported.key.b, read.key.b, sizeof read.key.b);
        assert_memory_equal(imported.pub.chain_code, read.pub.chain_code, 32);
        assert_true(xfp_equal(hdpub_xfp(&imported.pub), hdpub_xfp(&root)));
        assert_int_equal(imported.pub.depth, 0);
        assert_int_equal(imported.pub.child, 0);
        assert_true(xfp_is_zero(imported.pub.parent));
    }
}

#define XPRV                                                                                       \
    "xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvvNKmPGJxWUtg6LnF5kejMRNNU3TG" \
    "tRB"                                                                                          \
    "eJgk33yuGBxrMPHi"

TEST(psbt_signing_27_6_import_failures_have_one_text)
{
    static const struct {
        const char *text;
        bool good;
    } cases[] = {
        { XPRV, true },
        { "  " XPRV "  ", true },
        { "x" XPRV, true }, // the character before "prv" counts, not the word
        { "", false },
        { "prv", false },
        { "xprv", false },
        { "prv9s21ZrQH143K3", false },
        { XPRV "x", false }, // one digit more
        { "xpub661MyMwAqRbcFtXgS5sYJABqqG9YLmC4Q1Rdap9gSE8Nqtwy", false },
        { "xprv of mine: " XPRV, false }, // only the first occurrence
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct hdkey key;
        struct err err;
        bool is_main;
        const bool good = hdkey_import(&key, &is_main, bytes_of_text(cases[i].text), &err);
        if (good != cases[i].good)
            fail_msg("case %zu", i);
        if (!good)
            assert_err(&err, ERR_MALFORMED, "Failed to parse extended private key.");
    }
}

TEST(wiping_leaves_nothing)
{
    struct hdkey key = master_of(test_hex("000102030405060708090a0b0c0d0e0f"));
    const struct hdkey zero = { 0 };
    hdkey_wipe(&key);
    assert_memory_equal(key.key.b, zero.key.b, sizeof zero.key.b);
    assert_memory_equal(key.pub.chain_code, zero.pub.chain_code, sizeof zero.pub.chain_code);
}

// A PSBT has the 78 bytes without Base58Check.
TEST(psbt_signing_7_9_serialized_extended_keys)
{
    const struct json *rows = json_need(test_vectors("derivation.json"), "slip132");
    for (size_t i = 0; i < rows->n_items; i++) {
        const struct bytes text = json_item_text(json_item(rows, i), 2);
        uint8_t mem[128];
        struct writer w = writer_of(mem, sizeof mem);
        struct hdpub node, again;
        struct err err;
        bool is_main, same_net;
        assert_true(hdpub_from_text(&node, &is_main, text, &err));
        assert_true(base58check_read(&w, text));
        const struct bytes serialized = writer_bytes(&w);
        assert_int_equal(serialized.len, 78);
        assert_true(hdpub_from_bytes(&again, &same_net, serialized, &err));
        assert_true(hdpub_equal(&node, &again) && is_main == same_net);
        assert_true(hdpub_equals_bytes(&node, serialized));
        for (size_t bit = 8 * 4; bit < 8 * serialized.len; bit++) {
            mem[bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_false(hdpub_equals_bytes(&node, serialized));
            mem[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        assert_false(hdpub_equals_bytes(&node, bytes_slice(serialized, 0, 77)));
        assert_false(hdpub_equals_bytes(&node, (struct bytes){ 0 }));
        assert_false(hdpub_from_bytes(&again, &same_net, bytes_slice(serialized, 0, 77), &err));
        mem[0] ^= 0x80; // no version
        assert_false(hdpub_equals_bytes(&node, serialized));
        assert_false(hdpub_from_bytes(&again, &same_net, serialized, &err));
    }
}
