#include "bitcoin/message.h"
#include "base/base64.h"
#include "bitcoin/mnemonic.h"
#include "tests/support/test.h"
#include <string.h>

static struct hdkey derived(const struct json *vectors, struct bytes path_text)
{
    uint8_t seed[MNEMONIC_SEED_LEN];
    struct hdkey key;
    struct keypath path;
    struct err err;
    assert_true(mnemonic_to_seed(seed, json_need_text(vectors, "mnemonic"), BYTES(""), &err));
    assert_true(hdkey_from_seed(&key, BYTES_OF(seed), &err));
    assert_true(keypath_parse(&path, path_text, &err));
    assert_true(hdkey_derive(&key, &key, &path, &err));
    return key;
}

static struct bytes address_of(const struct pubkey *key, enum addr_format format,
                               const struct chain *chain)
{
    uint8_t script[34];
    char *mem = arena_alloc(test_arena(), ADDRESS_TEXT_MAX);
    struct writer s = writer_of(script, sizeof script), w = writer_of(mem, ADDRESS_TEXT_MAX);
    struct err err;
    assert_true(address_script_of_key(&s, key, format, &err));
    assert_true(address_from_script(&w, writer_bytes(&s), chain));
    return writer_bytes(&w);
}

static struct bytes base64_of(const uint8_t sig[static MESSAGE_SIGNATURE_LEN])
{
    const size_t room = BASE64_LEN(MESSAGE_SIGNATURE_LEN);
    struct writer w = writer_of(arena_alloc(test_arena(), room), room);
    base64_write(&w, bytes_of(sig, MESSAGE_SIGNATURE_LEN));
    return writer_bytes(&w);
}

TEST(psbt_signing_27_115_signatures)
{
    const struct json *vectors = test_vectors("message_signing.json");
    const struct json *rows = json_need(vectors, "vectors");
    assert_int_equal(rows->n_items, 48);
    for (size_t i = 0; i < rows->n_items; i++) {
        const struct json *row = json_item(rows, i); // chain, path, format, text, address, base64
        const struct hdkey key = derived(vectors, json_item_text(row, 1));
        const struct message_armor armor = { .text = json_item_text(row, 3),
                                             .address = json_item_text(row, 4),
                                             .signature = json_item_text(row, 5) };
        uint8_t sig[MESSAGE_SIGNATURE_LEN];
        enum addr_format format;
        struct err err;
        bool header_matches = false;
        assert_true(addr_format_from_name(&format, json_item_text(row, 2)));
        assert_true(message_sign(sig, &key.key, format, armor.text, &err));
        assert_bytes_equal(base64_of(sig), armor.signature);
        assert_bytes_equal(address_of(&key.pub.key, format, chain_by_code(json_item_text(row, 0))),
                           armor.address);
        assert_true(message_verify(&header_matches, &armor, &err));
        assert_true(header_matches);
    }
}

TEST(psbt_signing_27_115_text_rules)
{
    const struct json *rows = json_need(test_vectors("message_signing.json"), "text_rules");
    assert_int_equal(rows->n_items, 14);
    for (size_t i = 0; i < rows->n_items; i++) {
        const struct json *row = json_item(rows, i);
        const bool lines = json_item(row, 1)->type == JSON_TRUE;
        const struct json *expected = json_item(row, 3);
        struct err err;
        const bool good =
            message_check(json_item_text(row, 0), (size_t)json_item_integer(row, 2), lines, &err);
        assert_int_equal(good, expected->type == JSON_NULL);
        if (!good) {
            assert_bytes_equal(bytes_of_text(err.text), expected->text);
            assert_int_equal(err.code, ERR_MALFORMED);
        }
    }
}

// The order of the rules: each text breaks the named one and a later one.
TEST(psbt_signing_27_115_order_of_the_rules)
{
    static const struct {
        const char *text;
        size_t max;
        bool lines;
        const char *error;
    } cases[] = {
        { "\x01", 240, false, "must be ascii printable" }, // and too short
        { "\x01", 240, true, "must be ascii printable, tab, or newline" },
        { "a\rb", 240, true, "must be ascii printable, tab, or newline" },
        { " ", 240, false, "msg too short (min. 2)" },                    // and leading
        { "     ", 4, false, "msg too long (max. 4)" },                   // and blanks
        { "   ", 240, false, "too many spaces together in msg(max. 3)" }, // and leading
        { " a ", 240, false, "leading space(s) in msg" },                 // and trailing
        { "  ", 240, false, "leading space(s) in msg" },
        { "a ", 240, false, "trailing space(s) in msg" },
        { "ab", 2, false, NULL },
        { "\tb\n", 240, true, NULL }, // only the blank is looked for at the ends
        { "~ ~", 240, false, NULL },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct err err;
        const bool good =
            message_check(bytes_of_text(cases[i].text), cases[i].max, cases[i].lines, &err);
        assert_int_equal(good, cases[i].error == NULL);
        if (!good)
            assert_err(&err, ERR_MALFORMED, cases[i].error);
    }
}

TEST(psbt_signing_27_115_verification)
{
    const struct json *rows = json_need(test_vectors("message_signing.json"), "verify");
    assert_int_equal(rows->n_items, 6);
    for (size_t i = 0; i < rows->n_items; i++) {
        const struct json *row = json_item(rows, i);
        const struct message_armor armor = { json_item_text(row, 0), json_item_text(row, 1),
                                             json_item_text(row, 2) };
        struct err err;
        bool header_matches;
        assert_true(message_verify(&header_matches, &armor, &err));
        assert_int_equal(header_matches, json_is_text(json_item(row, 3), "ok"));
    }
}

TEST(psbt_signing_27_115_armoured_sample)
{
    const struct bytes sample =
        json_need_text(test_vectors("message_signing.json"), "armored_sample");
    struct message_armor armor;
    struct err err;
    char mem[1024];
    struct writer w = writer_of(mem, sizeof mem);
    bool header_matches = false;
    assert_true(message_armor_parse(&armor, sample, &err));
    assert_bytes_text(armor.text,
                      "f1591bfb04a89f723e1f14eb01a6b2f6f507eb0967d0a5d7822b329b98018ae4  "
                      "coldcard-export.json");
    assert_bytes_text(armor.address, "mtHSVByP9EYZmB26jASDdPVm19gvpecb5R");
    assert_true(message_verify(&header_matches, &armor, &err));
    assert_true(header_matches);
    message_armor_write(&w, &armor);
    assert_bytes_equal(writer_bytes(&w), sample);
}

#define BEGIN  "-----BEGIN BITCOIN SIGNED MESSAGE-----"
#define MIDDLE "-----BEGIN BITCOIN SIGNATURE-----"
#define END    "-----END BITCOIN SIGNATURE-----"
#define DASHES "Armor text MUST be surrounded by exactly five (5) dashes."
#define BASE64 "Parsing signature failed - invalid encoding."

TEST(psbt_signing_18_4_armour)
{
    static const struct {
        const char *armor, *text, *address, *signature, *error;
    } cases[] = {
        { BEGIN "\nhi\n" MIDDLE "\naddr\nsig\n" END "\n", "hi", "addr", "sig", NULL },
        { BEGIN "\r\nhi\r\n" MIDDLE "\r\naddr\r\nsig\r\n" END, "hi", "addr", "sig", NULL },
        { BEGIN "\nhi\r\n" MIDDLE "\naddr\nsig\n" END, "hi\r", "addr", "sig",
          NULL }, // not stripped: no other end is CR LF
        { BEGIN "\n\na\nb\n\n" MIDDLE "\naddr\n\nsig\n" END, "\na\nb\n", "addr", "sig", NULL },
        { "\n" BEGIN "\nhi\n" MIDDLE "\naddr\nsig\n" END "\nbye", "hi", "addr", "sig", NULL },
        { BEGIN "\n\n" MIDDLE "\naddr\nsig\n" END, "", "addr", "sig", NULL },
        { "", NULL, NULL, NULL, DASHES },
        { "hi", NULL, NULL, NULL, DASHES },
        { BEGIN "\nhi\n" MIDDLE "\naddr\nsig\n", NULL, NULL, NULL, DASHES },
        { BEGIN "\nhi-----\n" MIDDLE "\naddr\nsig\n" END, NULL, NULL, NULL, DASHES },
        { BEGIN "\nhi\n" MIDDLE "\naddr\nsig\n" END "-----", NULL, NULL, NULL, DASHES },
        { BEGIN "\nhi\n" MIDDLE "\n" END, NULL, NULL, NULL, BASE64 },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct message_armor armor;
        struct err err;
        const bool good = message_armor_parse(&armor, bytes_of_text(cases[i].armor), &err);
        assert_int_equal(good, cases[i].error == NULL);
        if (!good) {
            assert_err(&err, ERR_MALFORMED, cases[i].error);
            continue;
        }
        assert_bytes_text(armor.text, cases[i].text);
        assert_bytes_text(armor.address, cases[i].address);
        assert_bytes_text(armor.signature, cases[i].signature);
    }
}

TEST(psbt_signing_18_4_verification_failures)
{
    static const char address_text[] =
        "Invalid address format - must be one of p2pkh, p2sh-p2wpkh, or p2wpkh.";
    static const char wrong[] = "Invalid signature for message.";
#define SIG                                                                                        \
    "H3jE1G2pv+6GG35Unak824xig8GzotLE8pFfvNwlgGU7KebANAxo7RuwybCNXrK9+RvjUEohtffM521N+phQNX0="
#define OWNER "mwhrUneshkXh8yUw2L2T16UYCoF3ouy4L2"
    static const struct {
        const char *text, *address, *signature;
        enum err_code code;
        const char *error;
    } cases[] = {
        { "aaaaaaaaaaaaaaaaab", OWNER, SIG, ERR_INVALID, wrong },
        { "aaaaaaaaaaaaaaaaaa", "mrCDrCybB6J1vRfbwM5hemdJz73FwDBC8r", SIG, ERR_INVALID, wrong },
        { "aaaaaaaaaaaaaaaaaa", "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080", SIG, ERR_INVALID,
          wrong },
        { "aaaaaaaaaaaaaaaaaa", "", SIG, ERR_MALFORMED, address_text },
        { "aaaaaaaaaaaaaaaaaa", "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7",
          SIG, ERR_MALFORMED, address_text },
        { "aaaaaaaaaaaaaaaaaa", OWNER, "", ERR_MALFORMED, BASE64 },
        { "aaaaaaaaaaaaaaaaaa", OWNER, "H3jE", ERR_MALFORMED, BASE64 },
        { "aaaaaaaaaaaaaaaaaa", OWNER, "?" SIG, ERR_MALFORMED, BASE64 },
        { "aaaaaaaaaaaaaaaaaa", OWNER, SIG SIG, ERR_MALFORMED, BASE64 },
        // Header 26, 43; r of zeros.
        { "aaaaaaaaaaaaaaaaaa", OWNER,
          "GnjE1G2pv+6GG35Unak824xig8GzotLE8pFfvNwlgGU7KebANAxo7RuwybCNXrK9+RvjUEohtffM521N+"
          "phQNX0=",
          ERR_INVALID, wrong },
        { "aaaaaaaaaaaaaaaaaa", OWNER,
          "K3jE1G2pv+6GG35Unak824xig8GzotLE8pFfvNwlgGU7KebANAxo7RuwybCNXrK9+RvjUEohtffM521N+"
          "phQNX0=",
          ERR_INVALID, wrong },
        { "aaaaaaaaaaaaaaaaaa", OWNER,
          "HwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAKebANAxo7RuwybCNXrK9+RvjUEohtffM521N+"
          "phQNX0=",
          ERR_INVALID, wrong },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct message_armor armor = { bytes_of_text(cases[i].text),
                                             bytes_of_text(cases[i].address),
                                             bytes_of_text(cases[i].signature) };
        struct err err;
        bool header_matches;
        if (message_verify(&header_matches, &armor, &err))
            fail_msg("case %zu accepted", i);
        assert_err(&err, cases[i].code, cases[i].error);
    }
}

// Many texts, so that recovery ids 0 and 1 both occur; 2 and 3 need an r above the field's order,
// which nobody finds.
TEST(psbt_signing_27_116_header_bytes_per_type)
{
    static const struct {
        enum addr_format format;
        int base;
    } types[] = { { ADDR_P2PKH, 31 }, { ADDR_P2SH_P2WPKH, 35 }, { ADDR_P2WPKH, 39 } };
    const struct hdkey key = derived(test_vectors("message_signing.json"), BYTES("m/1"));
    bool seen[2] = { false, false };
    for (int c = 'a'; c <= 'p'; c++) {
        const char text[2] = { (char)c, (char)c };
        uint8_t first[MESSAGE_SIGNATURE_LEN] = { 0 };
        for (size_t t = 0; t < COUNT(types); t++) {
            uint8_t sig[MESSAGE_SIGNATURE_LEN];
            struct err err;
            assert_true(message_sign(sig, &key.key, types[t].format, BYTES_OF(text), &err));
            const int recid = sig[0] - types[t].base;
            assert_true(recid == 0 || recid == 1);
            seen[recid] = true;
            if (t == 0)
                memcpy(first, sig, sizeof first);
            // "R and S do not depend on the type"
            assert_memory_equal(sig + 1, first + 1, MESSAGE_SIGNATURE_LEN - 1);
        }
    }
    assert_true(seen[0] && seen[1]);
}

// Every header from 0 to 255 on one signature: which format, and which two recover the key.
TEST(psbt_signing_27_116_headers_read)
{
    const struct hdkey key = derived(test_vectors("message_signing.json"), BYTES("m/1"));
    const struct hash256 digest = message_digest(BYTES("aa"));
    uint8_t sig[MESSAGE_SIGNATURE_LEN];
    struct err err;
    assert_true(message_sign(sig, &key.key, ADDR_P2PKH, BYTES("aa"), &err));
    const int recid = sig[0] - 31;
    for (int header = 0; header < 256; header++) {
        enum addr_format format;
        struct pubkey got;
        sig[0] = (uint8_t)header;
        const bool recovered = message_recover(&got, &format, BYTES_OF(sig), &digest);
        if (header < 27 || header > 42) {
            assert_false(recovered);
            continue;
        }
        // An id above 1 needs r + n below p: never so here.
        assert_int_equal(recovered, ((header - 27) & 3) < 2);
        if (!recovered)
            continue;
        assert_int_equal(pubkey_equal(&got, &key.pub.key), ((header - 27) & 3) == recid);
        assert_int_equal(format, header < 35   ? ADDR_P2PKH
                                 : header < 39 ? ADDR_P2SH_P2WPKH
                                               : ADDR_P2WPKH);
    }
    assert_false(message_recover(&(struct pubkey){ 0 }, &(enum addr_format){ 0 },
                                 bytes_of(sig, MESSAGE_SIGNATURE_LEN - 1), &digest));
}

// Psbt-signing.md 18.4 [FIX]: "27 to 30 (uncompressed P2PKH) are tried as uncompressed too".
TEST(psbt_signing_18_4_uncompressed_owner)
{
    const struct hdkey key = derived(test_vectors("message_signing.json"), BYTES("m/1"));
    const struct pubkey64 xy = pubkey_to64(&key.pub.key);
    uint8_t serialized[65] = { 0x04 }, script[25], sig[MESSAGE_SIGNATURE_LEN];
    char address[ADDRESS_TEXT_MAX];
    struct writer s = writer_of(script, sizeof script), a = writer_of(address, sizeof address);
    struct err err;
    bool header_matches = false;
    memcpy(serialized + 1, xy.b, sizeof xy.b);
    script_write_p2pkh(&s, hash160(BYTES_OF(serialized)));
    assert_true(address_from_script(&a, writer_bytes(&s), chain_by_id(CHAIN_BTC)));
    assert_true(message_sign(sig, &key.key, ADDR_P2PKH, BYTES("old style"), &err));
    struct message_armor armor = { BYTES("old style"), writer_bytes(&a), base64_of(sig) };
    assert_false(message_verify(&header_matches, &armor, &err)); // says compressed
    sig[0] = (uint8_t)(sig[0] - 4);
    armor.signature = base64_of(sig);
    assert_true(message_verify(&header_matches, &armor, &err));
    assert_true(header_matches);
    // The compressed address of the same key: accepted, and the header does not fit.
    armor.address = address_of(&key.pub.key, ADDR_P2PKH, chain_by_id(CHAIN_BTC));
    assert_true(message_verify(&header_matches, &armor, &err));
    assert_false(header_matches);
}

TEST(other_formats_sign_nothing)
{
    static const struct {
        enum addr_format format;
        const char *error;
    } cases[] = {
        { ADDR_P2TR, "Invalid address format: 'p2tr'\n\nChoose from p2pkh, p2wpkh, p2sh-p2wpkh." },
        { ADDR_P2SH, "Invalid address format: 'p2sh'\n\nChoose from p2pkh, p2wpkh, p2sh-p2wpkh." },
    };
    const struct hdkey key = derived(test_vectors("message_signing.json"), BYTES("m"));
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint8_t sig[MESSAGE_SIGNATURE_LEN];
        struct err err;
        assert_false(message_sign(sig, &key.key, cases[i].format, BYTES("hello"), &err));
        assert_err(&err, ERR_UNSUPPORTED, cases[i].error);
    }
}

// Psbt-signing.md 20: an attestation's message is hashed as a text message.
TEST(psbt_signing_20_attestation_digests)
{
    const struct json *rows = json_need(test_vectors("message_signing.json"), "attestation");
    assert_int_equal(rows->n_items, 3);
    for (size_t i = 0; i < rows->n_items; i++) {
        const struct json *row = json_item(rows, i);
        const struct hash256 digest = message_digest(json_need_hex(row, "txout"));
        assert_bytes_equal(BYTES_OF(digest.b), json_need_hex(row, "digest"));
        struct pubkey key;
        struct seckey owner;
        struct err err;
        enum addr_format format;
        assert_true(message_recover(&key, &format, json_need_hex(row, "signature"), &digest));
        assert_true(seckey_from_bytes(&owner, json_need_hex(row, "private_key"), &err));
        const struct pubkey expected = seckey_pubkey(&owner);
        assert_true(pubkey_equal(&key, &expected));
    }
}
