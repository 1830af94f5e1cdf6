// bitcoin/ct_test.c -- runs what touches a seed or a private key with it marked undefined, under
// valgrind, which then reports each branch and each index that depends on it.
//
// tests/support/ct.h says how this works and why rows count reports. Texts of extended private keys
// (base58) are left out: they are written and read once, for their owner.
// Covers psbt-signing.md 27, item 98.
#include "tests/support/ct.h"
#include "base/require.h"
#include "base/secret.h"
#include "bitcoin/hdkey.h"
#include "bitcoin/message.h"
#include "bitcoin/mnemonic.h"

#define WORDS                                                                                      \
    "wife shiver author away frog air rough vanish fantasy frozen noodle athlete pioneer "         \
    "citizen symptom firm much faith extend rare axis garment kiwi clarify"

static bool same_node(const struct hdkey *secret, const struct hdkey *plain)
{
    return same(&secret->key, &plain->key, sizeof plain->key) &&
           same(secret->pub.chain_code, plain->pub.chain_code, sizeof plain->pub.chain_code) &&
           same(&secret->pub.key, &plain->pub.key, sizeof plain->pub.key) &&
           same(&secret->pub.parent, &plain->pub.parent, sizeof plain->pub.parent);
}

static struct hdkey plain_master(void)
{
    const uint8_t seed[32] = { 0x42, 0x11, 0x17 };
    struct hdkey master;
    struct err err;
    REQUIRE(hdkey_from_seed(&master, BYTES_OF(seed), &err));
    return master;
}

static struct hdkey secret_master(void)
{
    struct hdkey master = plain_master();
    make_secret(&master.key, sizeof master.key);
    make_secret(master.pub.chain_code, sizeof master.pub.chain_code);
    return master;
}

static bool run_from_seed(void)
{
    uint8_t seed[32] = { 0x42, 0x11, 0x17 };
    const struct hdkey plain = plain_master();
    struct hdkey node;
    struct err err;
    make_secret(seed, sizeof seed);
    return hdkey_from_seed(&node, BYTES_OF(seed), &err) && same_node(&node, &plain);
}

static bool run_derive(void)
{
    const struct keypath path = { .step = { 84 | KEYPATH_HARD, 0 | KEYPATH_HARD, 5, 7 },
                                  .depth = 4 };
    const struct hdkey master = secret_master(), plain_from = plain_master();
    struct hdkey node, plain;
    struct err err;
    REQUIRE(hdkey_derive(&plain, &plain_from, &path, &err));
    return hdkey_derive(&node, &master, &path, &err) && same_node(&node, &plain);
}

static bool run_message(void)
{
    const struct hdkey master = secret_master(), plain = plain_master();
    uint8_t a[MESSAGE_SIGNATURE_LEN], b[MESSAGE_SIGNATURE_LEN];
    struct err err;
    REQUIRE(message_sign(b, &plain.key, ADDR_P2WPKH, BYTES("hello"), &err));
    return message_sign(a, &master.key, ADDR_P2WPKH, BYTES("hello"), &err) && same(a, b, sizeof a);
}

static bool run_normalize(void)
{
    char typed[] = WORDS, mem[MNEMONIC_TEXT_MAX];
    struct writer w = writer_of(mem, sizeof mem);
    struct err err;
    make_secret(typed, sizeof typed - 1);
    return mnemonic_normalize(&w, bytes_of(typed, sizeof typed - 1), &err) &&
           w.len == sizeof typed - 1 && same(mem, WORDS, w.len);
}

static bool run_to_entropy(void)
{
    char words[] = WORDS, back[MNEMONIC_TEXT_MAX];
    uint8_t entropy[32];
    struct writer w = writer_of(entropy, sizeof entropy), text = writer_of(back, sizeof back);
    struct err err;
    make_secret(words, sizeof words - 1);
    return mnemonic_to_entropy(&w, bytes_of(words, sizeof words - 1), &err) &&
           mnemonic_from_entropy(&text, writer_bytes(&w), &err) && text.len == sizeof words - 1 &&
           same(back, WORDS, text.len);
}

static bool run_to_seed(void)
{
    char words[] = WORDS;
    uint8_t a[MNEMONIC_SEED_LEN], b[MNEMONIC_SEED_LEN];
    struct err err;
    REQUIRE(mnemonic_to_seed(b, BYTES(WORDS), BYTES("pass"), &err));
    make_secret(words, sizeof words - 1);
    return mnemonic_to_seed(a, bytes_of(words, sizeof words - 1), BYTES("pass"), &err) &&
           same(a, b, sizeof a);
}

static const struct ct_row rows[] = {
    { "hdkey_from_seed", run_from_seed, 0 },
    { "hdkey_derive", run_derive, 0 },
    { "message_sign", run_message, 2 }, // of ecdsa_sign_recoverable, see crypto/ct_test.c
    { "mnemonic_normalize", run_normalize, 0 },
    { "mnemonic_to_entropy and back", run_to_entropy, 0 },
    { "mnemonic_to_seed", run_to_seed, 0 },
};

int main(void)
{
    return ct_main("psbt-signing 27 98", rows, COUNT(rows));
}
