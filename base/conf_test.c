#include "base/conf.h"
#include "tests/support/test.h"

static struct conf parse(const char *text)
{
    struct conf c = { 0 };
    struct err err;
    if (!conf_parse(&c, "x.conf", bytes_of_text(text), test_arena(), &err))
        fail_msg("%s", err.text);
    return c;
}

static struct bytes text_of(struct conf *c, const char *kind, const char *name, const char *key)
{
    struct bytes out = BYTES("(absent)");
    struct err err;
    if (!conf_text(c, kind, name, key, &out, &err))
        fail_msg("%s", err.text);
    return out;
}

TEST(a_file_with_everything)
{
    struct conf c = parse("# comment\n"
                          "chain = BTC\r\n"
                          "\n"
                          "  fee_limit=10   \n"
                          "\t# indented comment = x\n"
                          "notes = a = b # not a comment\n"
                          "empty =\n"
                          "[listener local]\n"
                          "port = 9823\n"
                          "[ signer   A B ]\n"
                          "chain = \xe2\x82\xbf\n"
                          "[plain]\n"
                          "chain = 1"); // no newline at the end
    struct err err;
    assert_bytes_text(text_of(&c, "", "", "chain"), "BTC");
    assert_bytes_text(text_of(&c, "", "", "fee_limit"), "10");
    assert_bytes_text(text_of(&c, "", "", "notes"), "a = b # not a comment");
    assert_bytes_text(text_of(&c, "", "", "empty"), "");
    assert_bytes_text(text_of(&c, "", "", "port"), "(absent)");
    assert_bytes_text(text_of(&c, "listener", "local", "port"), "9823");
    assert_bytes_text(text_of(&c, "listener", "", "port"), "(absent)");
    assert_bytes_text(text_of(&c, "signer", "A B", "chain"), "\xe2\x82\xbf");
    assert_false(conf_finish(&c, &err));
    assert_err(&err, ERR_USAGE, "x.conf:12: unknown section 'plain'");
    assert_bytes_text(text_of(&c, "plain", "", "nothing"), "(absent)");
    assert_false(conf_finish(&c, &err));
    assert_err(&err, ERR_USAGE, "x.conf:13: unknown key 'chain'");
    assert_bytes_text(text_of(&c, "plain", "", "chain"), "1");
    assert_true(conf_finish(&c, &err));
}

TEST(an_empty_file_is_a_file)
{
    static const char *const texts[] = { "", "\n", "\n\n# a\n", " " };
    struct err err;
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct conf c = parse(texts[i]);
        assert_int_equal(c.n_entries, 0);
        assert_true(conf_finish(&c, &err));
    }
}

TEST(lines_of_no_known_form)
{
    static const struct {
        struct bytes text;
        const char *expected;
    } cases[] = {
        { BYTES_INIT("a = 1\nchain BTC\n"),
          "x.conf:2: neither `key = value` nor `[section]` nor `# comment`" },
        { BYTES_INIT("= 1"), "x.conf:1: no key: letters, digits, `_`, `-`, `.`" },
        { BYTES_INIT("a b = 1"), "x.conf:1: no key: letters, digits, `_`, `-`, `.`" },
        { BYTES_INIT("caf\xc3\xa9 = 1"), "x.conf:1: no key: letters, digits, `_`, `-`, `.`" },
        { BYTES_INIT("\xef\xbb\xbf# a\na = 1"), // a byte-order mark
          "x.conf:1: neither `key = value` nor `[section]` nor `# comment`" },
        { BYTES_INIT("\n\n[a\n"), "x.conf:3: no ] at the end of the section's line" },
        { BYTES_INIT("[a] # b"), "x.conf:1: no ] at the end of the section's line" },
        { BYTES_INIT("["), "x.conf:1: no ] at the end of the section's line" },
        { BYTES_INIT("[]"), "x.conf:1: no section: [kind] or [kind name]" },
        { BYTES_INIT("[ ]"), "x.conf:1: no section: [kind] or [kind name]" },
        { BYTES_INIT("[a b]]"), "x.conf:1: no section: [kind] or [kind name]" },
        { BYTES_INIT("[a [b]"), "x.conf:1: no section: [kind] or [kind name]" },
        { BYTES_INIT("[a=b c]"), "x.conf:1: no section: [kind] or [kind name]" },
        { BYTES_INIT("# \xff"), "x.conf:1: invalid UTF-8" },
        { BYTES_INIT("a = \xc3"), "x.conf:1: invalid UTF-8" },
        { BYTES_INIT("a = 1\0"), "x.conf:1: control character" },
        { BYTES_INIT("a = \x1b[2J"), "x.conf:1: control character" },
        { BYTES_INIT("a = 1\rb = 2"), "x.conf:1: control character" }, // would hide a line
        { BYTES_INIT("a = \x7f"), "x.conf:1: control character" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct conf c = { 0 };
        struct err err;
        assert_false(conf_parse(&c, "x.conf", cases[i].text, test_arena(), &err));
        assert_err(&err, ERR_MALFORMED, cases[i].expected);
        assert_null(c.file); // not written
    }
}

TEST(sizes)
{
    static char text[CONF_FILE_MAX + 1];
    struct conf c;
    struct err err;
    memset(text, '\n', sizeof text);
    assert_true(conf_parse(&c, "x.conf", bytes_of(text, CONF_FILE_MAX), test_arena(), &err));
    assert_false(conf_parse(&c, "x.conf", bytes_of(text, sizeof text), test_arena(), &err));
    assert_err(&err, ERR_LIMIT, "x.conf: larger than 65536 bytes");
    AUTO(arena_freep) struct arena *small = arena_new(10);
    assert_false(conf_parse(&c, "x.conf", BYTES("a = 1"), small, &err));
    assert_err(&err, ERR_NO_MEMORY, "x.conf: no memory left");
}

TEST(a_key_that_stands_twice)
{
    struct conf c = parse("a = 1\nb = 1\na = 1\n[s]\na = 1\n");
    struct bytes text = BYTES("before");
    uint64_t number = 7;
    bool flag = true;
    struct err err;
    assert_false(conf_text(&c, "", "", "a", &text, &err));
    assert_err(&err, ERR_USAGE, "x.conf:3: a: stands on line 1 already");
    assert_false(conf_u64(&c, "", "", "a", 0, 9, &number, &err));
    assert_err(&err, ERR_USAGE, "x.conf:3: a: stands on line 1 already");
    assert_false(conf_bool(&c, "", "", "a", &flag, &err));
    assert_err(&err, ERR_USAGE, "x.conf:3: a: stands on line 1 already");
    assert_bytes_text(text, "before");
    assert_true(number == 7 && flag);
    // A section that stands twice is one section.
    struct conf again = parse("[s A]\na = 1\n[t]\n[s A]\na = 2\n");
    assert_false(conf_text(&again, "s", "A", "a", &text, &err));
    assert_err(&err, ERR_USAGE, "x.conf:5: a: stands on line 2 already");
}

TEST(numbers)
{
    static const struct {
        const char *text;
        bool ok;
        uint64_t value;
    } cases[] = {
        { "n = 2", true, 2 },
        { "n = 99", true, 99 },
        { "n = 1", false, 0 },
        { "n = 100", false, 0 },
        { "n =", false, 0 },
        { "n = 2x", false, 0 },
        { "n = 2 3", false, 0 },
        { "n = 02", false, 0 },
        { "n = -2", false, 0 },
        { "n = 2.0", false, 0 },
        { "n = 0x2", false, 0 },
        { "x = 2", true, 50 },
        { "n = 18446744073709551618", false, 0 }, // 2 after wrapping
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct conf c = parse(cases[i].text);
        uint64_t value = 50; // the default
        struct err err;
        assert_int_equal(conf_u64(&c, "", "", "n", 2, 99, &value, &err), cases[i].ok);
        if (!cases[i].ok)
            assert_err(&err, ERR_USAGE, "x.conf:1: n: must be a whole number from 2 to 99");
        assert_true(value == (cases[i].ok ? cases[i].value : 50));
    }
    struct conf c = parse("n = 18446744073709551615");
    uint64_t value = 0;
    struct err err;
    assert_true(conf_u64(&c, "", "", "n", 0, UINT64_MAX, &value, &err));
    assert_true(value == UINT64_MAX);
}

TEST(flags)
{
    struct conf c = parse("a = on\nb = off\nc = yes\nd =\ne = On\n");
    bool a = false, b = true, other = true;
    struct err err;
    assert_true(conf_bool(&c, "", "", "a", &a, &err) && a);
    assert_true(conf_bool(&c, "", "", "b", &b, &err) && !b);
    assert_true(conf_bool(&c, "", "", "absent", &other, &err) && other);
    assert_false(conf_bool(&c, "", "", "c", &other, &err));
    assert_err(&err, ERR_USAGE, "x.conf:3: c: must be on or off");
    assert_false(conf_bool(&c, "", "", "d", &other, &err));
    assert_err(&err, ERR_USAGE, "x.conf:4: d: must be on or off");
    assert_false(conf_bool(&c, "", "", "e", &other, &err));
    assert_true(other);
}

TEST(keys_and_sections_that_repeat)
{
    struct conf c = parse("accept_policy = 1\nx = 1\naccept_policy = 2\n"
                          "[signer A]\naccept_policy = 3\n[signer B]\n[other A]\n[signer C]\n");
    struct err err;
    struct conf_entry *e = conf_next(&c, "", "", "accept_policy", NULL);
    assert_bytes_text(e->value, "1");
    e = conf_next(&c, "", "", "accept_policy", e);
    assert_bytes_text(e->value, "2");
    assert_int_equal(e->line, 3);
    assert_null(conf_next(&c, "", "", "accept_policy", e));
    assert_null(conf_next(&c, "", "", "absent", NULL));

    char names[8] = "";
    size_t n = 0;
    for (e = NULL; (e = conf_next_section(&c, "signer", e)) != NULL;)
        names[n++] = (char)e->name.ptr[0];
    assert_string_equal(names, "ABC");
    assert_bytes_text(text_of(&c, "", "", "x"), "1");
    assert_false(conf_finish(&c, &err));
    assert_err(&err, ERR_USAGE, "x.conf:5: unknown key 'accept_policy'");
    assert_bytes_text(text_of(&c, "signer", "A", "accept_policy"), "3");
    assert_false(conf_finish(&c, &err));
    assert_err(&err, ERR_USAGE, "x.conf:7: unknown section 'other A'"); // although it is empty
}
