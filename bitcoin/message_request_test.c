#include "bitcoin/message_request.h"
#include "bitcoin/message.h"
#include "tests/support/test.h"

#define CHOOSE "\n\nChoose from p2pkh, p2wpkh, p2sh-p2wpkh."

static bool read_request(struct message_request *out, const char *file, struct err *err)
{
    return message_request_read(out, bytes_of_text(file), chain_by_id(CHAIN_XTN), test_arena(),
                                err);
}

static const char *path_text(const struct keypath *path)
{
    struct writer w = writer_growing(test_arena(), KEYPATH_TEXT_MAX);
    keypath_write(&w, path);
    return arena_text(test_arena(), writer_bytes(&w));
}

TEST(psbt_signing_27_117_each_form)
{
    static const struct {
        const char *file, *text, *path;
        enum addr_format format;
    } rows[] = {
        // Lines.
        { "hello", "hello", "m/44h/1h/0h/0/0", ADDR_P2PKH },
        { "hello\n", "hello", "m/44h/1h/0h/0/0", ADDR_P2PKH },
        { "hello\r\nm/84h/1h/0h/0/7\r\n", "hello", "m/84h/1h/0h/0/7", ADDR_P2WPKH },
        { "hello\nm/49'/1'/0'/0/7", "hello", "m/49h/1h/0h/0/7", ADDR_P2SH_P2WPKH },
        { "hello\nm/48h/1", "hello", "m/48h/1", ADDR_P2PKH },
        { "hello\nm", "hello", "m", ADDR_P2PKH },
        { "hello\nm/84h/0/1\np2pkh", "hello", "m/84h/0/1", ADDR_P2PKH },
        { "hello\n\np2wpkh", "hello", "m/84h/1h/0h/0/0", ADDR_P2WPKH },
        { "hello\n\np2sh-p2wpkh\n", "hello", "m/49h/1h/0h/0/0", ADDR_P2SH_P2WPKH },
        { "hello\n\np2wpkh-p2sh", "hello", "m/49h/1h/0h/0/0", ADDR_P2SH_P2WPKH },
        { "{ not JSON", "{ not JSON", "m/44h/1h/0h/0/0", ADDR_P2PKH },
        { "12", "12", "m/44h/1h/0h/0/0", ADDR_P2PKH }, // a JSON number is no object
        // JSON.
        { "{\"msg\": \"hello\"}", "hello", "m/44h/1h/0h/0/0", ADDR_P2PKH },
        { "{\"msg\": \"a\\tb\\nc\", \"subpath\": \"m/84h/2\"}\n", "a\tb\nc", "m/84h/2",
          ADDR_P2WPKH },
        { "{\"msg\": \"hello\", \"addr_fmt\": \"p2wpkh\"}", "hello", "m/84h/1h/0h/0/0",
          ADDR_P2WPKH },
        { "{\"addr_fmt\": \"p2pkh\", \"subpath\": \"m/84h\", \"msg\": \"hi\"}", "hi", "m/84h",
          ADDR_P2PKH },
        // A command.
        { "signmessage m/84h/1h/0h/0/5 ascii:hello there", "hello there", "m/84h/1h/0h/0/5",
          ADDR_P2WPKH },
        { "signmessage m/45h ascii:a:b\n", "a:b", "m/45h", ADDR_P2PKH },
        { "signmessage of mine", "signmessage of mine", "m/44h/1h/0h/0/0", ADDR_P2PKH },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct message_request got;
        struct err err;
        if (!read_request(&got, rows[i].file, &err))
            fail_msg("row %zu: %s", i, err.text);
        assert_bytes_text(got.text, rows[i].text);
        assert_string_equal(path_text(&got.path), rows[i].path);
        assert_int_equal(got.format, rows[i].format);
    }
}

TEST(psbt_signing_27_117_each_error)
{
    static const struct {
        const char *file, *text;
    } rows[] = {
        { "a message\nm\np2pkh\nmore", "max 3 lines" },
        { "{}", "MSG required" },
        { "{\"msg\": 7}", "MSG required" },
        { "{\"text\": \"hello\"}", "MSG required" },
        { "", "msg too short (min. 2)" },
        { "x\nm", "msg too short (min. 2)" },
        { "a\tb", "must be ascii printable" }, // a tab needs JSON
        { "{\"msg\": \"a\\u00e4b\"}", "must be ascii printable, tab, or newline" },
        { " hello", "leading space(s) in msg" },
        { "hello ", "trailing space(s) in msg" },
        { "a   b", "too many spaces together in msg(max. 3)" },
        { "hello\nm/1/2/3/4/5/6/7/8/9/10/11/12/13", "too deep" },
        { "hello\nm/x", "invalid characters in path" },
        { "hello\nm//1", "empty path component" },
        { "hello\nm\np2tr", "Invalid address format: 'p2tr'" CHOOSE },
        { "hello\nm\np2wsh", "Invalid address format: 'p2wsh'" CHOOSE },
        { "{\"msg\": \"hello\", \"addr_fmt\": \"x\"}", "Invalid address format: 'x'" CHOOSE },
        { "signmessage m/84h/x ascii:hello", "invalid characters in path" },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct message_request got;
        struct err err = { 0 };
        assert_false(read_request(&got, rows[i].file, &err));
        assert_err(&err, ERR_MALFORMED, rows[i].text);
    }
    char long_text[MESSAGE_MAX + 2];
    struct message_request got;
    struct err err;
    memset(long_text, 'a', sizeof long_text);
    assert_true(message_request_read(&got, bytes_of(long_text, MESSAGE_MAX), chain_by_id(CHAIN_BTC),
                                     test_arena(), &err));
    assert_string_equal(path_text(&got.path), "m/44h/0h/0h/0/0"); // of that chain
    assert_false(message_request_read(&got, bytes_of(long_text, MESSAGE_MAX + 1),
                                      chain_by_id(CHAIN_BTC), test_arena(), &err));
    assert_err(&err, ERR_MALFORMED, "msg too long (max. 240)");
}
