#include "cli/signed_text.h"
#include "tests/support/test.h"

// wire-protocol.md 13.4: the signature of "hello world" by m/84h/1h/0h/0/0 of the simulators' seed.
#define ADDRESS "tb1qupyd58ndsh7lut0et0vtrq432jvu9jtdyws9n9"
#define SIGNATURE                                                                                  \
    "KGQ3Go7eAtEa5W8nzoEt1gjIyvkXGR3KSygxMQUtDPDSbLyRn6Zv8MK++HmC/AEa56ljhpBWt/9HAk+7/ThAfkQ="

TEST(cli_7_1_forms_of_a_signed_text)
{
    static const struct {
        const char *text, *message;
        bool is_story;
    } rows[] = {
        { "hello world\n" ADDRESS "\n" SIGNATURE "\n", "hello world", false },
        { "hello world\r\n" ADDRESS "\r\n" SIGNATURE "\r\n", "hello world", false },
        { "hello world\n" ADDRESS "\n" SIGNATURE, "hello world", false },
        { "a\n\nb\n" ADDRESS "\n" SIGNATURE "\n", "a\n\nb", false }, // text of several lines
        { "-----BEGIN BITCOIN SIGNED MESSAGE-----\nhello world\n"
          "-----BEGIN BITCOIN SIGNATURE-----\n" ADDRESS "\n" SIGNATURE
          "\n-----END BITCOIN SIGNATURE-----\n\n",
          "hello world", false },
        { "Sending 1 BTC\n\n" SIGNATURE "\n", "Sending 1 BTC\n\n", true }, // its line end is signed
        { "Change back:\n " ADDRESS "\n\n" SIGNATURE "\n", "Change back:\n " ADDRESS "\n\n", true },
        { "Change back:\n " ADDRESS "\n" SIGNATURE "\n", "Change back:\n " ADDRESS "\n", true },
        { SIGNATURE, "", true },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct signed_text out;
        struct err err;
        assert_true(signed_text_read(&out, bytes_of_text(rows[i].text), &err));
        assert_bytes_text(out.parts.text, rows[i].message);
        assert_bytes_text(out.parts.signature, SIGNATURE);
        assert_bytes_text(out.parts.address, rows[i].is_story ? "" : ADDRESS);
        assert_int_equal(out.is_story, rows[i].is_story);
    }
}

TEST(cli_7_1_what_is_no_signed_text)
{
    static const char *const rows[] = {
        "",
        "\n",
        "hello\n" ADDRESS "\n",
        "hello\n" ADDRESS "\n" SIGNATURE "\nmore\n",
        "hello\n" ADDRESS "\n KGQ3Go7eAtEa5W8nzoEt1gjIyvkXGR3KSygxMQUtDPDSbLyRn6Zv8MK\n",
        "-----BEGIN BITCOIN SIGNED MESSAGE-----\nhello\n",
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct signed_text out;
        struct err err;
        assert_false(signed_text_read(&out, bytes_of_text(rows[i]), &err));
        assert_int_equal(err.code, ERR_MALFORMED);
    }
}

// A prefix tells BIP-322's signatures from others; these need an address.
TEST(cli_7_1_bip322_strings)
{
    struct signed_text out;
    struct err err;
    assert_true(signed_text_read(&out, BYTES("hello\n" ADDRESS "\nsmpAkcw\n"), &err));
    assert_true(out.is_bip322 && !out.is_story);
    assert_bytes_text(out.parts.text, "hello");
    assert_bytes_text(out.parts.signature, "smpAkcw");
    assert_false(signed_text_read(&out, BYTES("hello\nsmpAkcw\n"), &err));
    assert_err(&err, ERR_MALFORMED, "no address in the line before the signature");
    assert_false(signed_text_read(&out, BYTES("hello\n" ADDRESS "\nsmpAkcw\r\r\n"), &err));
    assert_err(&err, ERR_MALFORMED, "no signature in the last line");
    assert_true(signed_text_read(&out, BYTES("hello\n" ADDRESS "\n" SIGNATURE), &err));
    assert_false(out.is_bip322);
}

// A changed text gives another key; a header byte of another format gives none.
TEST(cli_7_1_the_key_of_a_visualisation)
{
    struct message_armor story = { .text = BYTES("a"), .signature = BYTES(SIGNATURE) };
    struct pubkey key;
    struct err err;
    assert_false(signed_text_key(&key, &story, &err)); // header 40: p2wpkh
    assert_err(&err, ERR_INVALID, "Invalid signature for message.");
}
