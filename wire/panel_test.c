#include "wire/panel.h"
#include "tests/support/test.h"

static struct bytes line_of(const char *text)
{
    return bytes_of_text(text);
}

static struct bytes pack_request(const struct panel_request *request)
{
    struct writer w = writer_growing(test_arena(), 1 << 17);
    struct bytes out;
    panel_request_pack(&w, request);
    assert_true(writer_finish(&w, &out));
    return out;
}

static struct bytes pack_reply(const struct panel_reply *reply)
{
    struct writer w = writer_growing(test_arena(), 1 << 17);
    struct bytes out;
    panel_reply_pack(&w, reply);
    assert_true(writer_finish(&w, &out));
    return out;
}

// Each line is what we send; it is read and comes out again.
TEST(panel_requests_both_ways)
{
    static const char *const lines[] = {
        "{\"do\": \"screen\"}\n",
        "{\"do\": \"watch\"}\n",
        "{\"do\": \"keys\", \"keys\": \"yxw0123456789\"}\n",
        "{\"do\": \"text\", \"text\": \"correct horse \\\"battery\\\" \xc3\xa9\"}\n",
        "{\"do\": \"text\", \"text\": \"\"}\n",
        "{\"do\": \"keys\", \"keys\": \"y\", \"question\": 7}\n",
        "{\"do\": \"keys\", \"keys\": \"1\", \"question\": 0}\n",
        "{\"do\": \"text\", \"text\": \"123456\", \"question\": 9223372036854775807}\n",
        "{\"do\": \"menu\", \"item\": \"start-hsm\"}\n",
        "{\"do\": \"menu\", \"item\": \"wipe-policy\"}\n",
        "{\"do\": \"menu\", \"item\": \"delete-user\", \"name\": \"alice\"}\n",
        "{\"do\": \"menu\", \"item\": \"delete-wallet\", \"name\": \"2-of-3\"}\n",
        "{\"do\": \"menu\", \"item\": \"change-pin\"}\n",
        "{\"do\": \"menu\", \"item\": \"lock\"}\n",
        "{\"do\": \"advance\", \"seconds\": 0}\n",
        "{\"do\": \"advance\", \"seconds\": 4000000000}\n",
        "{\"do\": \"set\", \"key\": \"fee_limit\", \"value\": \"20\"}\n",
        "{\"do\": \"reset\", \"keep\": false}\n",
        "{\"do\": \"reset\", \"chain\": \"XRT\", \"words\": \"abandon about\", \"passphrase\": "
        "\"p\", "
        "\"keep\": true}\n",
    };
    for (size_t i = 0; i < COUNT(lines); i++) {
        struct panel_request request;
        struct err err;
        if (!panel_request_unpack(&request, line_of(lines[i]), test_arena(), &err))
            fail_msg("%s: %s", lines[i], err.text);
        assert_bytes_text(pack_request(&request), lines[i]);
    }
}

TEST(panel_request_members)
{
    struct panel_request r;
    struct err err;
    assert_true(panel_request_unpack(
        &r, line_of(" { \"text\" : \"12\\u00334-56\" , \"do\" : \"text\" } \r"), test_arena(),
        &err));
    assert_int_equal(r.verb, PANEL_TEXT);
    assert_bytes_text(r.text, "1234-56");
    assert_true(panel_request_unpack(
        &r, line_of("{\"do\": \"set\", \"key\": \"rz\", \"value\": 5}"), test_arena(), &err));
    assert_bytes_text(r.value, "5");
    assert_true(panel_request_unpack(&r, line_of("{\"do\": \"reset\"}"), test_arena(), &err));
    assert_int_equal(r.words.len, 0);
    assert_false(r.keep);
    assert_true(panel_request_unpack(&r, line_of("{\"do\": \"advance\", \"seconds\": 6e1}"),
                                     test_arena(), &err));
    assert_int_equal(r.seconds, 60);
}

static const struct {
    const char *line, *text;
} bad_requests[] = {
    { "", "JSON parse fail" },
    { "{\"do\": \"screen\"} {}", "JSON parse fail" },
    { "[]", "not an object" },
    { "\"screen\"", "not an object" },
    { "{}", "do is missing" },
    { "{\"do\": 1}", "do must be text" },
    { "{\"do\": \"dance\"}", "unknown do: dance" },
    { "{\"do\": \"\"}", "unknown do: " },
    { "{\"do\": \"screen\", \"do\": \"screen\"}", "duplicate item: do" },
    { "{\"do\": \"screen\", \"keys\": \"y\"}", "unknown item: keys" },
    { "{\"do\": \"keys\"}", "keys is missing" },
    { "{\"do\": \"keys\", \"keys\": \"y\", \"question\": -1}",
      "question must be a whole number up to 9223372036854775807" },
    { "{\"do\": \"menu\", \"item\": \"lock\", \"question\": 1}", "unknown item: question" },
    { "{\"do\": \"keys\", \"keys\": 1}", "keys must be text" },
    { "{\"do\": \"keys\", \"keys\": \"\"}", "keys must be y, x, w and digits" },
    { "{\"do\": \"keys\", \"keys\": \"yz\"}", "keys must be y, x, w and digits" },
    { "{\"do\": \"text\"}", "text is missing" },
    { "{\"do\": \"text\", \"text\": null}", "text must be text" },
    { "{\"do\": \"text\", \"text\": \"sec\\u0000ret\"}", "JSON parse fail" },
    { "{\"do\": \"menu\"}", "item is missing" },
    { "{\"do\": \"menu\", \"item\": \"format-disk\"}", "unknown item" },
    { "{\"do\": \"menu\", \"item\": \"delete-user\"}", "name is missing" },
    { "{\"do\": \"menu\", \"item\": \"delete-wallet\", \"name\": \"\"}", "name is missing" },
    { "{\"do\": \"advance\", \"seconds\": -1}", "seconds must be a whole number up to 4000000000" },
    { "{\"do\": \"advance\", \"seconds\": 1.5}",
      "seconds must be a whole number up to 4000000000" },
    { "{\"do\": \"advance\", \"seconds\": 4000000001}",
      "seconds must be a whole number up to 4000000000" },
    { "{\"do\": \"advance\", \"seconds\": \"1\"}",
      "seconds must be a whole number up to 4000000000" },
    { "{\"do\": \"set\", \"key\": \"rz\"}", "value is missing" },
    { "{\"do\": \"set\", \"value\": \"8\"}", "key is missing" },
    { "{\"do\": \"set\", \"key\": \"rz\", \"value\": true}", "value must be text" },
    { "{\"do\": \"reset\", \"keep\": \"yes\"}", "keep must be true or false" },
    { "{\"do\": \"reset\", \"words\": []}", "words must be text" },
};

TEST(panel_requests_that_are_refused)
{
    for (size_t i = 0; i < COUNT(bad_requests); i++) {
        struct panel_request r = { .verb = PANEL_NONE };
        struct err err = { 0 };
        if (panel_request_unpack(&r, line_of(bad_requests[i].line), test_arena(), &err))
            fail_msg("accepted: %s", bad_requests[i].line);
        assert_err(&err, ERR_MALFORMED, bad_requests[i].text);
        assert_int_equal(r.verb, PANEL_NONE);
    }
}

// No error, text or detail, holds what was typed.
TEST(panel_errors_do_not_quote_secrets)
{
    static const char *const lines[] = {
        "{\"do\": \"text\", \"text\": \"hunter2\", \"more\": 1}",
        "{\"do\": \"text\", \"text\": \"hunter2\"",
        "{\"do\": \"text\", \"text\": \"hunter2\\x\"}",
        "{\"do\": \"text\", \"text\": \"a\", \"text\": \"hunter2\"}",
        "{\"do\": \"reset\", \"words\": \"hunter2\", \"passphrase\": \"hunter2\", \"keep\": 3}",
        "{\"do\": \"keys\", \"keys\": \"hunter2\"}",
    };
    for (size_t i = 0; i < COUNT(lines); i++) {
        struct panel_request r;
        struct err err = { 0 };
        assert_false(panel_request_unpack(&r, line_of(lines[i]), test_arena(), &err));
        assert_null(strstr(err.text, "hunter2"));
        assert_null(strstr(err.detail, "hunter2"));
    }
}

TEST(panel_hello_both_ways)
{
    static const char *const line = "{\"panel\": 1, \"name\": \"A\", \"simulator\": false}\n";
    struct panel_hello hello;
    struct err err;
    struct writer w = writer_growing(test_arena(), 1000);
    assert_true(panel_hello_unpack(&hello, line_of(line), test_arena(), &err));
    assert_bytes_text(hello.name, "A");
    assert_false(hello.simulator);
    panel_hello_pack(&w, &hello);
    assert_bytes_text(writer_bytes(&w), line);
    assert_false(
        panel_hello_unpack(&hello, line_of("{\"panel\": 2, \"name\": \"A\", \"simulator\": false}"),
                           test_arena(), &err));
    assert_err(&err, ERR_UNSUPPORTED, "panel protocol 2");
    assert_false(panel_hello_unpack(&hello, line_of("{\"panel\": 1}"), test_arena(), &err));
    assert_err(&err, ERR_MALFORMED, "name is missing");
}

TEST(panel_replies_both_ways)
{
    static const char *const lines[] = {
        "{\"ok\": true}\n",
        "{\"ok\": false, \"error\": \"locked\"}\n",
        "{\"ok\": true, \"title\": \"Start HSM?\", \"text\": \"line 1\\nline 2\", \"ask\": "
        "\"key\", "
        "\"state\": \"normal\"}\n",
        "{\"ok\": true, \"title\": \"\", \"text\": \"\", \"ask\": \"key\", \"question\": 3, "
        "\"state\": \"normal\"}\n",
        "{\"ok\": true, \"title\": \"\", \"text\": \"PIN\", \"ask\": \"text\", \"state\": "
        "\"locked\"}\n",
        "{\"ok\": true, \"title\": \"HSM MODE\", \"text\": \"\", \"ask\": \"digits\", \"state\": "
        "\"hsm\", \"approved\": 12, \"refused\": 0, \"period_left\": \"n/a\", \"digits\": "
        "\"123\"}\n",
        "{\"ok\": true, \"title\": \"\", \"text\": \"\", \"ask\": \"none\", \"state\": "
        "\"normal\"}\n",
    };
    for (size_t i = 0; i < COUNT(lines); i++) {
        struct panel_reply reply;
        struct err err;
        if (!panel_reply_unpack(&reply, line_of(lines[i]), test_arena(), &err))
            fail_msg("%s: %s", lines[i], err.text);
        assert_bytes_text(pack_reply(&reply), lines[i]);
    }
}

TEST(panel_replies_that_are_refused)
{
    static const struct {
        const char *line, *text;
    } cases[] = {
        { "{}", "ok is missing" },
        { "{\"ok\": 1}", "ok must be true or false" },
        { "{\"ok\": false}", "error is missing" },
        { "{\"ok\": true, \"state\": \"normal\"}", "title is missing" },
        { "{\"ok\": true, \"title\": \"\", \"text\": \"\", \"ask\": \"why\", \"state\": \"hsm\"}",
          "unknown ask" },
        { "{\"ok\": true, \"title\": \"\", \"text\": \"\", \"ask\": \"none\", \"state\": \"x\"}",
          "unknown state" },
        { "{\"ok\": true, \"title\": \"\", \"text\": \"\", \"ask\": \"none\", \"state\": \"hsm\"}",
          "approved is missing" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct panel_reply reply;
        struct err err;
        assert_false(panel_reply_unpack(&reply, line_of(cases[i].line), test_arena(), &err));
        assert_err(&err, ERR_MALFORMED, cases[i].text);
    }
    struct panel_reply reply;
    struct err err;
    assert_true(panel_reply_unpack(&reply, line_of("{\"ok\": true, \"new\": [1]}"), test_arena(),
                                   &err)); // an older panel may watch a newer device
    assert_false(reply.has_screen);
}

TEST(panel_pack_fails_where_the_other_side_could_not_read)
{
    static uint8_t big[PANEL_LINE_MAX];
    memset(big, 'a', sizeof big);
    const struct bytes texts[] = { BYTES_OF(big), BYTES("nul\0inside"), BYTES("\xff") };
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct writer w = writer_growing(test_arena(), 1 << 20);
        struct bytes out;
        panel_request_pack(&w, &(struct panel_request){ PANEL_TEXT, .text = texts[i] });
        assert_false(writer_finish(&w, &out));
    }
    // The longest that fits: {"do": "text", "text": "..."} and a line feed.
    const size_t around = sizeof "{\"do\": \"text\", \"text\": \"\"}\n" - 1;
    struct panel_request fits = { PANEL_TEXT, .text = bytes_of(big, sizeof big - around) };
    assert_int_equal(pack_request(&fits).len, PANEL_LINE_MAX);
    fits.text.len++;
    struct writer w = writer_growing(test_arena(), 1 << 20);
    struct bytes out;
    panel_request_pack(&w, &fits);
    assert_false(writer_finish(&w, &out));
}

// --- Lines ---

TEST(panel_lines_however_the_bytes_arrive)
{
    static const char stream[] = "one\n\ntwo three\r\nfour\nunfinished";
    static const char *const expected[] = { "one", "", "two three\r", "four" };
    static struct panel_lines lines;
    for (size_t step = 1; step < sizeof stream; step++) {
        size_t n = 0;
        struct bytes line;
        for (size_t at = 0; at < sizeof stream - 1; at += step) {
            struct bytes in = bytes_slice(bytes_of(stream, sizeof stream - 1), at, step);
            while (panel_lines_feed(&lines, &in, &line) == PANEL_LINE_COMPLETE) {
                assert_true(n < COUNT(expected));
                assert_bytes_text(line, expected[n++]);
            }
            assert_int_equal(in.len, 0);
        }
        assert_int_equal(n, COUNT(expected));
        assert_int_equal(lines.len, strlen("unfinished"));
        panel_lines_wipe(&lines);
    }
}

TEST(panel_line_of_64_kib_is_the_longest)
{
    static struct panel_lines lines;
    static uint8_t big[PANEL_LINE_MAX + 1];
    struct bytes line, in;
    memset(big, 'a', sizeof big);
    big[PANEL_LINE_MAX - 1] = '\n';
    in = bytes_of(big, PANEL_LINE_MAX);
    assert_int_equal(panel_lines_feed(&lines, &in, &line), PANEL_LINE_COMPLETE);
    assert_int_equal(line.len, PANEL_LINE_MAX - 1);
    big[PANEL_LINE_MAX - 1] = 'a';
    big[PANEL_LINE_MAX] = '\n';
    in = BYTES_OF(big);
    assert_int_equal(panel_lines_feed(&lines, &in, &line), PANEL_LINE_TOO_LONG);
    panel_lines_wipe(&lines);
    in = bytes_of(big, PANEL_LINE_MAX - 1);
    assert_int_equal(panel_lines_feed(&lines, &in, &line), PANEL_LINE_MORE);
    in = BYTES("a"); // full, and no line feed has come: none can
    assert_int_equal(panel_lines_feed(&lines, &in, &line), PANEL_LINE_TOO_LONG);
    panel_lines_wipe(&lines);
}

TEST(panel_line_is_wiped_before_the_next)
{
    static struct panel_lines lines;
    struct bytes line, in = BYTES("{\"do\": \"text\", \"text\": \"hunter2\"}\nx");
    assert_int_equal(panel_lines_feed(&lines, &in, &line), PANEL_LINE_COMPLETE);
    assert_int_equal(panel_lines_feed(&lines, &in, &line), PANEL_LINE_MORE);
    for (size_t i = 1; i < sizeof lines.b; i++)
        assert_int_equal(lines.b[i], 0);
}
