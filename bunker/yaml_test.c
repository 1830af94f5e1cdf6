#include "bunker/yaml.h"
#include "tests/support/test.h"

static const struct {
    const char *line, *key, *value; // key NULL: refused
} lines[] = {
    { "PORT_NUMBER: 9823", "PORT_NUMBER", "9823" },
    { "A:", "A", "" },
    { "A: b # c", "A", "b" },
    { "A: b#c", "A", "b#c" }, // no blank before: no comment
    { "A: 'x # y' # z", "A", "x # y" },
    { "A: \"x\"", "A", "x" },
    { "A: socks5h://127.0.0.1:9150\r", "A", "socks5h://127.0.0.1:9150" },
    { "A: 'x", NULL, NULL },
    { "A:b", NULL, NULL },
    { " A: nested", NULL, NULL },
    { "- list", NULL, NULL },
    { "A: [1]", NULL, NULL },
    { "A: &anchor", NULL, NULL },
    { "A: 'x' y", NULL, NULL },
    { "words", NULL, NULL },
    { "A: \xff", NULL, NULL },
};

TEST(bunker_13_lines_of_the_reference)
{
    for (size_t i = 0; i < COUNT(lines); i++) {
        struct reader r = reader_of(bytes_of_text(lines[i].line));
        struct yaml_line line;
        unsigned n = 0;
        struct err err;
        const bool read = yaml_next(&r, &line, &n, &err);
        if (read != (lines[i].key != NULL))
            fail_msg("case %zu: '%s'", i, lines[i].line);
        if (!read) {
            assert_int_equal(err.code, ERR_MALFORMED);
            continue;
        }
        assert_bytes_text(line.key, lines[i].key);
        assert_bytes_text(line.value, lines[i].value);
    }
}

TEST(bunker_13_formats_are_told_apart)
{
    assert_true(yaml_is_reference(BYTES("# c\n---\nPORT_NUMBER: 1\n")));
    assert_false(yaml_is_reference(BYTES("port_number: 1\n")));
    assert_false(yaml_is_reference(BYTES("port_number = 1\n")));
    assert_false(yaml_is_reference(BYTES("[listener a]\n")));
    assert_false(yaml_is_reference(BYTES("")));
}

TEST(bunker_13_truth)
{
    bool b;
    assert_true(yaml_bool(BYTES("true"), &b) && b);
    assert_true(yaml_bool(BYTES("Off"), &b) && !b);
    assert_false(yaml_bool(BYTES("tRUE"), &b));
    assert_false(yaml_bool(BYTES(""), &b));
}
