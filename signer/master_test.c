#include "signer/master.h"
#include "tests/support/test.h"

// The public test seed of the golden vectors.
#define WORDS                                                                                      \
    "wife shiver author away frog air rough vanish fantasy frozen noodle athlete pioneer citizen " \
    "symptom firm much faith extend rare axis garment kiwi clarify"
#define TPRV                                                                                       \
    "tprv8ZgxMBicQKsPeXJHL3vPPgTAEqQ5P2FD9qDeCQT4Cp1EMY5QkwMPWFxHdxHrxZhhcVRJ2m7BNWTz9Xre68y7mX5v" \
    "CdMJ5qXMUfnrZ2si2X4"
#define XPRV                                                                                       \
    "xprv9s21ZrQH143K3i4kfV4tE2qAvhys9WDCpHJXKz2biqWkZwLKma1dzWaqin8CxCKPF3tX2fVRD9tBggJtxvdAxTpK" \
    "fz8zRUoJZa3S7MtMgwy"
#define TPUB                                                                                       \
    "tpubD6NzVbkrYhZ4XzL5Dhayo67Gorv1YMS7j8pRUvVMd5odC2LBPLAygka9p7748JtSq82FNGPppFEz5xxZUdasBRCq" \
    "JqXvUHq6xpnsMcYJzeh"

static const char *xpub_of(const struct secret *container)
{
    char *text = arena_alloc(test_arena(), XPUB_TEXT_SIZE);
    struct hdkey node;
    struct err err;
    if (!master_node(&node, container, &err))
        fail_msg("%s", err.text);
    hdpub_to_text(text, &node.pub, chain_by_id(CHAIN_XTN));
    return text;
}

TEST(words_give_the_golden_master)
{
    AUTO(secret_freep) struct secret *container = NULL;
    struct hdkey node;
    struct err err;
    char text[MNEMONIC_TEXT_MAX];
    struct writer w = writer_of(text, sizeof text);
    char xfp[XFP_TEXT_SIZE];
    // As a person types them: four letters, any case, any blanks.
    assert_true(master_of_words(&container,
                                BYTES(" WIFE shiv auth away frog air roug vani fant froz nood "
                                      "athl  pion citi symp firm much fait exte rare axis garm "
                                      "kiwi clar "),
                                BYTES(""), &err));
    assert_int_equal(master_kind(container), MASTER_WORDS);
    assert_string_equal(xpub_of(container), TPUB);
    assert_true(master_node(&node, container, &err));
    xfp_to_text(xfp, hdpub_xfp(&node.pub));
    assert_string_equal(xfp, "0F056943");
    assert_true(master_words(&w, container, &err));
    assert_bytes_text(writer_bytes(&w), WORDS);
}

TEST(a_passphrase_makes_another_wallet)
{
    AUTO(secret_freep) struct secret *plain = NULL, *with = NULL;
    struct hdkey node;
    struct err err;
    char text[XPUB_TEXT_SIZE];
    assert_true(master_of_words(&plain, BYTES(WORDS), BYTES(""), &err));
    assert_true(master_of_words(&with, BYTES(WORDS), BYTES("a passphrase"), &err));
    assert_string_not_equal(xpub_of(with), TPUB);
    // For a session, over the wire: the same wallet.
    assert_true(master_node_with_passphrase(&node, plain, BYTES("a passphrase"), &err));
    hdpub_to_text(text, &node.pub, chain_by_id(CHAIN_XTN));
    assert_string_equal(text, xpub_of(with));
    // wire-protocol.md 8.9: also when a passphrase is already active
    assert_false(master_node_with_passphrase(&node, with, BYTES("another"), &err));
    assert_err(&err, ERR_STATE, "no seed");
}

TEST(extended_keys_in_any_text)
{
    static const struct {
        const char *text;
        bool is_main;
    } cases[] = {
        { TPRV, false },
        { XPRV, true },
        { "my key: " XPRV ".", true },
        { "line\n" TPRV "\nmore", false },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO(secret_freep) struct secret *container = NULL;
        struct err err;
        bool is_main;
        struct writer w = writer_of(NULL, 0);
        if (!master_of_xprv(&container, &is_main, bytes_of_text(cases[i].text), &err))
            fail_msg("case %zu: %s", i, err.text);
        assert_int_equal(is_main, cases[i].is_main);
        assert_int_equal(master_kind(container), MASTER_XPRV);
        assert_string_equal(xpub_of(container), TPUB);
        assert_false(master_words(&w, container, &err));
        assert_err(&err, ERR_STATE, "no words");
        struct hdkey node;
        assert_false(master_node_with_passphrase(&node, container, BYTES("x"), &err));
        assert_err(&err, ERR_STATE, "no seed");
    }
}

// "Depth, parent and index are dropped: the node is treated as a root"
TEST(a_derived_key_becomes_a_root)
{
    AUTO(secret_freep) struct secret *words = NULL, *derived = NULL;
    struct hdkey master, child, root;
    char text[XPUB_TEXT_SIZE];
    struct err err;
    bool is_main;
    assert_true(master_of_words(&words, BYTES(WORDS), BYTES(""), &err));
    assert_true(master_node(&master, words, &err));
    assert_true(hdkey_child(&child, &master, 7, &err));
    hdkey_to_text(text, &child, chain_by_id(CHAIN_XTN));
    assert_true(master_of_xprv(&derived, &is_main, bytes_of_text(text), &err));
    assert_true(master_node(&root, derived, &err));
    assert_int_equal(root.pub.depth, 0);
    assert_int_equal(root.pub.child, 0);
    assert_true(xfp_is_zero(root.pub.parent));
    assert_memory_equal(root.key.b, child.key.b, 32);
    assert_memory_equal(root.pub.chain_code, child.pub.chain_code, 32);
    assert_memory_equal(root.pub.key.b, child.pub.key.b, 33);
}

TEST(what_is_no_key_is_refused_with_one_text)
{
    static const char *const texts[] = {
        "",
        "prv",
        "xprv",
        "no key here",
        "xprv123 " XPRV, // the first occurrence counts
        XPRV "1",
        TPUB,
        "xprv9s21ZrQH143K3i4kfV4tE2qAvhys9WDCpHJXKz2biqWkZwLKma1dzWaqin8CxCKPF3tX2fV"
    };
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct secret *container;
        struct err err;
        bool is_main;
        assert_false(master_of_xprv(&container, &is_main, bytes_of_text(texts[i]), &err));
        assert_err(&err, ERR_MALFORMED, "Failed to parse extended private key.");
    }
}

TEST(bad_words_and_passphrases_are_refused)
{
    struct secret *container;
    struct err err;
    char long_one[101];
    memset(long_one, 'a', sizeof long_one);
    assert_false(master_of_words(&container, BYTES("wife shiver author"), BYTES(""), &err));
    assert_false(master_of_words(&container, BYTES(WORDS), bytes_of(long_one, 100), &err));
    assert_err(&err, ERR_INVALID, "too long");
    assert_false(master_of_words(&container, BYTES(WORDS), BYTES("caf\xc3\xa9"), &err));
    assert_err(&err, ERR_INVALID, "must be ascii printable");
}

TEST(a_blank_signer_has_no_seed)
{
    AUTO(secret_freep) struct secret *none = master_of_nothing();
    AUTO(secret_freep) struct secret *odd = secret_new(BYTES("\2 too short"));
    struct hdkey node;
    struct err err;
    assert_int_equal(master_kind(none), MASTER_NONE);
    assert_false(master_node(&node, none, &err));
    assert_err(&err, ERR_STATE, "no seed");
    assert_int_equal(master_kind(odd), MASTER_NONE);
    assert_false(master_node(&node, odd, &err));
    assert_err(&err, ERR_STATE, "no seed");
}
