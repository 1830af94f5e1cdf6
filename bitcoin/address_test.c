#include "bitcoin/address.h"
#include "bitcoin/hdkey.h"
#include "bitcoin/mnemonic.h"
#include "tests/support/test.h"
#include <string.h>

static struct bytes address_of(struct bytes script, const struct chain *chain)
{
    char *mem = arena_alloc(test_arena(), ADDRESS_TEXT_MAX);
    struct writer w = writer_of(mem, ADDRESS_TEXT_MAX);
    if (!address_from_script(&w, script, chain)) {
        assert_int_equal(w.len, 0);
        return (struct bytes){ 0 };
    }
    assert_false(w.failed);
    return writer_bytes(&w);
}

static struct bytes script_of(struct bytes address, const struct chain *chain, struct err *err)
{
    uint8_t *mem = arena_alloc(test_arena(), 42);
    struct writer w = writer_of(mem, 42);
    if (!address_to_script(&w, address, chain, err)) {
        assert_int_equal(w.len, 0);
        return (struct bytes){ 0 };
    }
    return writer_bytes(&w);
}

static struct hdkey derived(const struct json *vectors, struct bytes path_text)
{
    uint8_t seed[MNEMONIC_SEED_LEN];
    struct hdkey master, key;
    struct keypath path;
    struct err err;
    assert_true(mnemonic_to_seed(seed, json_need_text(vectors, "mnemonic"), BYTES(""), &err));
    assert_true(hdkey_from_seed(&master, BYTES_OF(seed), &err));
    assert_true(keypath_parse(&path, path_text, &err));
    assert_true(hdkey_derive(&key, &master, &path, &err));
    return key;
}

TEST(psbt_signing_27_10_derivation_addresses)
{
    const struct json *vectors = test_vectors("derivation.json");
    const struct json *rows = json_need(vectors, "addresses");
    assert_int_equal(rows->n_items, 27);
    for (size_t i = 0; i < rows->n_items; i++) {
        const struct json *row = json_item(rows, i);
        const struct chain *chain = chain_by_code(json_item_text(row, 0));
        const struct hdkey key = derived(vectors, json_item_text(row, 2));
        const struct bytes address = json_item_text(row, 5);
        enum addr_format format;
        uint8_t mem[34];
        struct writer w = writer_of(mem, sizeof mem);
        struct err err;
        assert_bytes_equal(BYTES_OF(key.pub.key.b), json_item_hex(row, 3));
        assert_true(addr_format_from_name(&format, json_item_text(row, 1)));
        assert_true(address_script_of_key(&w, &key.pub.key, format, &err));
        assert_bytes_equal(address_of(writer_bytes(&w), chain), address);
        assert_bytes_equal(script_of(address, chain, &err), writer_bytes(&w));
    }
}

TEST(psbt_signing_27_10_taproot_addresses)
{
    const struct json *vectors = test_vectors("derivation.json");
    const struct json *rows = json_need(vectors, "taproot");
    const struct chain *btc = chain_by_id(CHAIN_BTC);
    for (size_t i = 0; i < rows->n_items; i++) {
        const struct json *row = json_item(rows, i);
        const struct hdkey key = derived(vectors, json_item_text(row, 0));
        uint8_t mem[34];
        struct writer w = writer_of(mem, sizeof mem);
        struct err err;
        assert_bytes_equal(bytes_of(key.pub.key.b + 1, 32), json_item_hex(row, 1));
        assert_true(address_script_of_key(&w, &key.pub.key, ADDR_P2TR, &err));
        assert_bytes_equal(bytes_of(mem + 2, 32), json_item_hex(row, 2));
        assert_bytes_equal(address_of(writer_bytes(&w), btc), json_item_text(row, 3));
    }
}

// BIP-341: the rows without a script tree.
TEST(bip341_output_keys)
{
    const struct json *rows = json_need(test_vectors("bip341.json"), "scriptPubKey");
    size_t n_done = 0;
    for (size_t i = 0; i < rows->n_items; i++) {
        const struct json *given = json_need(json_item(rows, i), "given");
        const struct json *expected = json_need(json_item(rows, i), "expected");
        struct pubkey key = { { 0x02 } };
        uint8_t mem[34];
        struct writer w = writer_of(mem, sizeof mem);
        struct err err;
        if (json_need(given, "scriptTree")->type != JSON_NULL)
            continue;
        memcpy(key.b + 1, json_need_hex(given, "internalPubkey").ptr, 32);
        assert_true(address_script_of_key(&w, &key, ADDR_P2TR, &err));
        assert_bytes_equal(writer_bytes(&w), json_need_hex(expected, "scriptPubKey"));
        assert_bytes_equal(address_of(writer_bytes(&w), chain_by_id(CHAIN_BTC)),
                           json_need_text(expected, "bip350Address"));
        n_done++;
    }
    assert_true(n_done > 0);
}

#define H20 "751e76e8199196d454941c45d1b3a323f1433bd6"
#define H32 "1863143c14c5166804bd19203356da136c985678cd4d27a1b8c6329604903262"

// Each kind on each chain; regtest differs from testnet in segwit only.
static const struct {
    const char *script;
    const char *address[3]; // BTC, XTN, XRT
} kinds[] = {
    { "76a914" H20 "88ac",
      { "1BgGZ9tcN4rm9KBzDn7KprQz87SZ26SAMH", "mrCDrCybB6J1vRfbwM5hemdJz73FwDBC8r",
        "mrCDrCybB6J1vRfbwM5hemdJz73FwDBC8r" } },
    { "a914" H20 "87",
      { "3CNHUhP3uyB9EUtRLsmvFUmvGdjGdkTxJw", "2N3vVYSK5XRgVSGWy21PnsRmBUywSQNdCsf",
        "2N3vVYSK5XRgVSGWy21PnsRmBUywSQNdCsf" } },
    { "0014" H20,
      { "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx",
        "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080" } },
    { "0020" H32,
      { "bc1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qccfmv3",
        "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7",
        "bcrt1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qzf4jry" } },
};

TEST(psbt_signing_27_10_each_kind_on_each_chain)
{
    for (size_t i = 0; i < COUNT(kinds); i++)
        for (int id = CHAIN_BTC; id <= CHAIN_XRT; id++) {
            const struct chain *chain = chain_by_id((enum chain_id)id);
            const struct bytes script = test_hex(kinds[i].script);
            struct err err;
            assert_bytes_text(address_of(script, chain), kinds[i].address[id]);
            assert_bytes_equal(script_of(bytes_of_text(kinds[i].address[id]), chain, &err), script);
        }
}

TEST(psbt_signing_27_10_higher_versions_have_an_address_with_32_bytes)
{
    for (unsigned version = 1; version <= 16; version++) {
        uint8_t script[34] = { (uint8_t)(0x50 + version), 32 };
        const struct chain *chain = chain_by_id(CHAIN_XTN);
        struct err err;
        memset(script + 2, (int)version, 32);
        const struct bytes address = address_of(BYTES_OF(script), chain);
        assert_true(bytes_starts_with(address, BYTES("tb1")));
        assert_bytes_equal(script_of(address, chain, &err), BYTES_OF(script));
        // With 33 bytes there is an address, which we read and do not write.
        script[1] = 31;
        assert_int_equal(address_of(bytes_of(script, 33), chain).len, 0);
    }
}

TEST(psbt_signing_27_10_other_scripts_are_shown_as_hex)
{
    static const char *const scripts[] = {
        "",
        "51024e73", // anchor
        "21"
        "02" H32 "ac", // P2PK
        "5121"
        "02" H32 "51ae",  // multisig
        "6a0568656c6c6f", // OP_RETURN
        "6002751e",
        "5128" H20 H20,
        "0010751e76e8199196d454941c45d1b3a323", // lengths
    };
    for (size_t i = 0; i < COUNT(scripts); i++) {
        char mem[ADDRESS_TEXT_MAX];
        struct writer w = writer_of(mem, sizeof mem);
        assert_int_equal(address_of(test_hex(scripts[i]), chain_by_id(CHAIN_BTC)).len, 0);
        address_or_hex(&w, test_hex(scripts[i]), chain_by_id(CHAIN_BTC));
        assert_bytes_text(writer_bytes(&w), scripts[i]);
    }
    char mem[ADDRESS_TEXT_MAX];
    struct writer w = writer_of(mem, sizeof mem);
    address_or_hex(&w, test_hex(kinds[2].script), chain_by_id(CHAIN_XTN));
    assert_bytes_text(writer_bytes(&w), kinds[2].address[1]);
}

// What BIP-173 and BIP-350 call an invalid human-readable part is an address of no chain.
TEST(psbt_signing_27_2_unknown_human_readable_parts)
{
    static const char *const texts[] = {
        "tc1qw508d6qejxtdg4y5r3zarvary0c5xw7kg3g4ty",
        "tc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq5zuyut",
    };
    for (size_t i = 0; i < COUNT(texts); i++)
        for (int id = CHAIN_BTC; id <= CHAIN_XRT; id++) {
            struct err err;
            assert_int_equal(
                script_of(bytes_of_text(texts[i]), chain_by_id((enum chain_id)id), &err).len, 0);
        }
}

TEST(an_address_of_another_chain_is_refused_by_name)
{
    static const struct {
        const char *text;
        enum chain_id chain;
        const char *error;
    } cases[] = {
        { "1BgGZ9tcN4rm9KBzDn7KprQz87SZ26SAMH", CHAIN_XTN,
          "1BgGZ9tcN4rm9KBzDn7KprQz87SZ26SAMH: not an address of Bitcoin Testnet 4" },
        { "mrCDrCybB6J1vRfbwM5hemdJz73FwDBC8r", CHAIN_BTC,
          "mrCDrCybB6J1vRfbwM5hemdJz73FwDBC8r: not an address of Bitcoin Mainnet" },
        { "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx", CHAIN_XRT,
          "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx: not an address of Bitcoin Regtest" },
        { "1BgGZ9tcN4rm9KBzDn7KprQz87SZ26SAMh", CHAIN_BTC,
          "1BgGZ9tcN4rm9KBzDn7KprQz87SZ26SAMh: not an address of Bitcoin Mainnet" },
        { "", CHAIN_BTC, ": not an address of Bitcoin Mainnet" },
        { " bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", CHAIN_BTC,
          " bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4: not an address of Bitcoin Mainnet" },
        { "\xff\n", CHAIN_BTC, "not an address of Bitcoin Mainnet" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct err err;
        assert_int_equal(
            script_of(bytes_of_text(cases[i].text), chain_by_id(cases[i].chain), &err).len, 0);
        assert_err(&err, ERR_MALFORMED, cases[i].error);
    }
}

// Policy.md 4.1: what a whitelist takes, and what it becomes.
TEST(policy_24_19_whitelist_elements)
{
    static const struct {
        const char *given, *cleaned; // NULL: refused
    } cases[] = {
        { "1BgGZ9tcN4rm9KBzDn7KprQz87SZ26SAMH", "1BgGZ9tcN4rm9KBzDn7KprQz87SZ26SAMH" },
        { "2N3vVYSK5XRgVSGWy21PnsRmBUywSQNdCsf", "2N3vVYSK5XRgVSGWy21PnsRmBUywSQNdCsf" },
        { "13REmUhe2ckUKy1FvM7AMCdtyYq831yxM3QeyEu4", NULL }, // 40 characters
        { "237LSrY9NUUas", "237LSrY9NUUas" },                 // any payload
        { "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
          "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4" },
        { "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
          "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4" },
        { "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3T4", NULL }, // two cases
        { "tc1qw508d6qejxtdg4y5r3zarvary0c5xw7kg3g4ty",
          "tc1qw508d6qejxtdg4y5r3zarvary0c5xw7kg3g4ty" }, // any human-readable part
        { "BC1SW50QGDZ25J", "bc1sw50qgdz25j" },
        { "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kemeawh", NULL }, // Bech32m on version 0
        { "bc1pw5dgrnzv", NULL },                               // a program of one byte
        { "xpub661MyMwAqRbcFtXgS5sYJABqqG9YLmC4Q1Rdap9gSE8NqtwybGhePY2gZ29ESFjqJoCu1Rupje8YtGqsefD2"
          "65"
          "TMg7usUDFdp6W1EGMcet8",
          NULL },
        { "", NULL },
        { " 1BgGZ9tcN4rm9KBzDn7KprQz87SZ26SAMH", NULL }, // nothing is trimmed
        { "1BgGZ9tcN4rm9KBzDn7KprQz87SZ26SAMH\n", NULL },
        { "1bgGZ9tcN4rm9KBzDn7KprQz87SZ26SAMH", NULL },
        { "0014751e76e8199196d454941c45d1b3a323f1433bd6", NULL }, // a script in hex
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char mem[ADDRESS_TEXT_MAX];
        struct writer w = writer_of(mem, sizeof mem);
        const bool good = address_clean(&w, bytes_of_text(cases[i].given));
        if (good != (cases[i].cleaned != NULL))
            fail_msg("case %zu: '%s'", i, cases[i].given);
        assert_bytes_text(writer_bytes(&w), good ? cases[i].cleaned : "");
    }
}

TEST(psbt_signing_4_2_format_codes_and_names)
{
    static const struct {
        unsigned code;
        const char *name, *other_name;
    } rows[] = {
        { 0x00, "p2pk", NULL },
        { 0x01, "p2pkh", NULL },
        { 0x07, "p2wpkh", NULL },
        { 0x13, "p2sh-p2wpkh", "p2wpkh-p2sh" },
        { 0x08, "p2sh", NULL },
        { 0x0e, "p2wsh", NULL },
        { 0x1a, "p2sh-p2wsh", "p2wsh-p2sh" },
        { 0x23, "p2tr", NULL },
    };
    enum addr_format format;
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_string_equal(addr_format_name((enum addr_format)rows[i].code), rows[i].name);
        assert_true(addr_format_from_name(&format, bytes_of_text(rows[i].name)));
        assert_int_equal(format, rows[i].code);
        if (rows[i].other_name) {
            assert_true(addr_format_from_name(&format, bytes_of_text(rows[i].other_name)));
            assert_int_equal(format, rows[i].code);
        }
    }
    assert_false(addr_format_from_name(&format, BYTES("P2PKH")));
    assert_false(addr_format_from_name(&format, BYTES("")));
    assert_string_equal(addr_format_name((enum addr_format)0x55), "unknown");
}

TEST(script_formats_are_not_of_one_key)
{
    static const enum addr_format refused[] = { ADDR_P2PK, ADDR_P2SH, ADDR_P2WSH, ADDR_P2SH_P2WSH };
    const struct hdkey key = derived(test_vectors("derivation.json"), BYTES("m"));
    for (size_t i = 0; i < COUNT(refused); i++) {
        uint8_t mem[80];
        struct writer w = writer_of(mem, sizeof mem);
        struct err err;
        assert_false(address_script_of_key(&w, &key.pub.key, refused[i], &err));
        assert_int_equal(err.code, ERR_UNSUPPORTED);
    }
}

// Bitcoin's P2PKH addresses of uncompressed keys: the hash is of 65 bytes.
TEST(psbt_signing_27_1_uncompressed_p2pkh)
{
    const struct json *rows = json_need(test_vectors("base58check.json"), "uncompressed_p2pkh");
    assert_int_equal(rows->n_items, 40);
    for (size_t i = 0; i < rows->n_items; i++) {
        const struct json *row = json_item(rows, i);
        struct seckey key;
        struct err err;
        assert_true(seckey_from_bytes(&key, json_item_hex(row, 0), &err));
        const struct pubkey pub = seckey_pubkey(&key);
        const struct pubkey64 xy = pubkey_to64(&pub);
        uint8_t serialized[65] = { 0x04 }, mem[25];
        struct writer w = writer_of(mem, sizeof mem);
        memcpy(serialized + 1, xy.b, sizeof xy.b);
        script_write_p2pkh(&w, hash160(BYTES_OF(serialized)));
        assert_bytes_equal(address_of(writer_bytes(&w), chain_by_id(CHAIN_BTC)),
                           json_item_text(row, 1));
    }
}

TEST(a_script_has_addresses_of_three_formats_and_no_other)
{
    static const enum addr_format others[] = { ADDR_P2PK, ADDR_P2PKH, ADDR_P2WPKH, ADDR_P2SH_P2WPKH,
                                               ADDR_P2TR };
    for (size_t i = 0; i < COUNT(others); i++) {
        uint8_t mem[64];
        struct writer w = writer_of(mem, sizeof mem);
        struct err err;
        assert_false(address_script_of_script(&w, BYTES("\x51"), others[i], &err));
        assert_err(&err, ERR_UNSUPPORTED, "not an address format of a script");
        assert_int_equal(w.len, 0);
    }
}
