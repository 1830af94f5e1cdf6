#include "bitcoin/mnemonic.h"
#include "bitcoin/hdkey.h"
#include "tests/support/test.h"
#include <string.h>

#define ABOUT                                                                                      \
    "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon "

static struct bytes normalized(struct bytes text, struct err *err)
{
    char *mem = arena_alloc(test_arena(), MNEMONIC_TEXT_MAX);
    struct writer w = writer_of(mem, MNEMONIC_TEXT_MAX);
    if (!mnemonic_normalize(&w, text, err)) {
        assert_int_equal(w.len, 0);
        return (struct bytes){ 0 };
    }
    return writer_bytes(&w);
}

static void check_row(const struct json *row, struct bytes passphrase, struct bytes seed,
                      struct bytes xprv)
{
    const struct bytes entropy = json_item_hex(row, 0), words = json_item_text(row, 1);
    char mem[MNEMONIC_TEXT_MAX], text[XPUB_TEXT_SIZE];
    uint8_t back[32], got[MNEMONIC_SEED_LEN];
    struct writer w = writer_of(mem, sizeof mem);
    struct hdkey master;
    struct err err;
    assert_true(mnemonic_from_entropy(&w, entropy, &err));
    assert_bytes_equal(writer_bytes(&w), words);
    w = writer_of(back, sizeof back);
    assert_true(mnemonic_to_entropy(&w, words, &err));
    assert_bytes_equal(writer_bytes(&w), entropy);
    assert_bytes_equal(normalized(words, &err), words);
    assert_true(mnemonic_to_seed(got, words, passphrase, &err));
    assert_bytes_equal(BYTES_OF(got), seed);
    assert_true(hdkey_from_seed(&master, BYTES_OF(got), &err));
    hdkey_to_text(text, &master, chain_by_id(CHAIN_BTC));
    assert_bytes_equal(bytes_of_text(text), xprv);
}

TEST(psbt_signing_27_4_bip39_vectors)
{
    const struct json *vectors = test_vectors("bip39.json");
    const struct json *trezor = json_need(vectors, "trezor");
    const struct json *computed = json_need(vectors, "computed");
    assert_int_equal(trezor->n_items, 24);
    assert_int_equal(computed->n_items, 15);
    for (size_t i = 0; i < trezor->n_items; i++) {
        const struct json *row = json_item(trezor, i);
        check_row(row, BYTES("TREZOR"), json_item_hex(row, 2), json_item_text(row, 3));
    }
    for (size_t i = 0; i < computed->n_items; i++) {
        const struct json *row = json_item(computed, i);
        check_row(row, json_item_text(row, 2), json_item_hex(row, 3), json_item_text(row, 4));
    }
}

TEST(psbt_signing_27_4_refused_phrases)
{
    static const char *const texts[] = {
        "wrong checksum",
        "11 words, not 12, 18 or 24",
        "word 12 is not in the list",
        "15 words, not 12, 18 or 24",
        "21 words, not 12, 18 or 24",
    };
    const struct json *rows = json_need(test_vectors("bip39.json"), "refuse");
    assert_int_equal(rows->n_items, COUNT(texts));
    for (size_t i = 0; i < rows->n_items; i++) {
        const struct bytes words = json_item_text(json_item(rows, i), 0);
        uint8_t mem[32];
        struct writer w = writer_of(mem, sizeof mem);
        struct err err;
        assert_int_equal(normalized(words, &err).len, 0);
        assert_err(&err, ERR_MALFORMED, texts[i]);
        assert_false(mnemonic_to_entropy(&w, words, &err));
        assert_err(&err, ERR_MALFORMED, texts[i]);
        assert_int_equal(w.len, 0);
    }
}

// The list itself: what the program compiles, one word a line.
TEST(psbt_signing_3_1_the_word_list_has_the_published_hash)
{
    static const char words[][8] = {
#include "bitcoin/mnemonic_words.inc"
    };
    struct sha256 h;
    assert_int_equal(COUNT(words), 2048);
    sha256_init(&h);
    for (size_t i = 0; i < COUNT(words); i++) {
        sha256_update(&h, bytes_of(words[i], strnlen(words[i], sizeof words[i])));
        sha256_u8(&h, '\n');
    }
    const struct hash256 hash = sha256_final(&h);
    assert_bytes_equal(BYTES_OF(hash.b),
                       json_need_hex(test_vectors("bip39.json"), "wordlist_sha256"));
}

TEST(psbt_signing_3_1_what_a_person_types)
{
    static const struct {
        const char *typed, *clean; // NULL: refused with `error`
        const char *error;
    } cases[] = {
        { ABOUT "about", ABOUT "about", NULL },
        { "aban aban aban aban aban aban aban aban aban aban aban abou", ABOUT "about", NULL },
        { "ABAN aban aBAn aban aban\naban aban\taban aban aban aban   About ", ABOUT "about",
          NULL },
        { "abando abandon aband aban aban aban aban aban aban aban aban about", ABOUT "about",
          NULL },
        { "\r\n aban aban aban aban aban aban aban aban aban aban aban about\v\f", ABOUT "about",
          NULL },
        // Three letters are a word only if the list has just those.
        { "zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo wron",
          "zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo wrong", NULL },
        { "aba aban aban aban aban aban aban aban aban aban aban about", NULL,
          "word 1 is not in the list" },
        { "aban abax aban aban aban aban aban aban aban aban aban about", NULL,
          "word 2 is not in the list" },
        { "aban aban abandons aban aban aban aban aban aban aban aban about", NULL,
          "word 3 is not in the list" },
        { "aban aban aban abandonn aban aban aban aban aban aban aban about", NULL,
          "word 4 is not in the list" },
        { "aban aban aban aban a aban aban aban aban aban aban about", NULL,
          "word 5 is not in the list" },
        { "aban aban aban aban aban a-an aban aban aban aban aban about", NULL,
          "word 6 is not in the list" },
        { "aban aban aban aban aban aban ab\xe0n aban aban aban aban about", NULL,
          "word 7 is not in the list" },
        { "aban aban aban aban aban aban aban aban aban aban aban aban", NULL, "wrong checksum" },
        { "", NULL, "0 words, not 12, 18 or 24" },
        { " \n", NULL, "0 words, not 12, 18 or 24" },
        { ABOUT ABOUT "about about about", NULL, "25 words, not 12, 18 or 24" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct err err;
        const struct bytes got = normalized(bytes_of_text(cases[i].typed), &err);
        assert_bytes_text(got, cases[i].clean ? cases[i].clean : "");
        if (!cases[i].clean)
            assert_err(&err, ERR_MALFORMED, cases[i].error);
    }
}

// A word with a zero byte is not the shorter word.
TEST(a_zero_byte_is_no_letter)
{
    static const char typed[] = "zoo\0 zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo wrong";
    struct err err;
    assert_int_equal(normalized(bytes_of(typed, sizeof typed - 1), &err).len, 0);
    assert_err(&err, ERR_MALFORMED, "word 1 is not in the list");
}

TEST(entropy_of_other_lengths_is_refused)
{
    const uint8_t entropy[40] = { 0 };
    for (size_t len = 0; len <= sizeof entropy; len++) {
        char mem[MNEMONIC_TEXT_MAX];
        struct writer w = writer_of(mem, sizeof mem);
        struct err err;
        const bool good = len == 16 || len == 24 || len == 32;
        assert_int_equal(mnemonic_from_entropy(&w, bytes_of(entropy, len), &err), good);
        if (!good)
            assert_int_equal(err.code, ERR_INVALID);
    }
}

TEST(psbt_signing_27_4_passphrases)
{
    char long_one[MNEMONIC_PASSPHRASE_MAX + 1];
    uint8_t seed[MNEMONIC_SEED_LEN];
    struct err err;
    memset(long_one, '~', sizeof long_one);
    assert_true(mnemonic_to_seed(seed, BYTES(ABOUT "about"), bytes_of(long_one, 99), &err));
    assert_false(mnemonic_to_seed(seed, BYTES(ABOUT "about"), bytes_of(long_one, 100), &err));
    assert_err(&err, ERR_INVALID, "too long");
    static const char *const refused[] = { "caf\xc3\xa9", "\x1f", "\x7f", "a\tb", "\n" };
    for (size_t i = 0; i < COUNT(refused); i++) {
        assert_false(mnemonic_to_seed(seed, BYTES(ABOUT "about"), bytes_of_text(refused[i]), &err));
        assert_err(&err, ERR_INVALID, "must be ascii printable");
    }
    assert_true(mnemonic_to_seed(seed, BYTES(ABOUT "about"), BYTES(" !~"), &err));
}

// Property: each word of the list is found by itself and by four letters.
TEST(every_word_is_found)
{
    static const char words[][8] = {
#include "bitcoin/mnemonic_words.inc"
    };
    for (size_t i = 0; i < COUNT(words); i++) {
        const int len = (int)strnlen(words[i], 8);
        char text[128];
        struct err err;
        // Eleven known words and this one: never "not in the list".
        (void)snprintf(text, sizeof text, ABOUT "%.*s", len < 4 ? len : 4, words[i]);
        if (normalized(bytes_of_text(text), &err).len == 0)
            assert_err(&err, ERR_MALFORMED, "wrong checksum");
        (void)snprintf(text, sizeof text, ABOUT "%.*s", len, words[i]);
        if (normalized(bytes_of_text(text), &err).len == 0)
            assert_err(&err, ERR_MALFORMED, "wrong checksum");
    }
}
