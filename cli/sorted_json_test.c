#include "cli/sorted_json.h"
#include "tests/support/test.h"

static struct bytes sorted(const char *text)
{
    struct writer w = writer_growing(test_arena(), 1 << 16);
    const struct json *value;
    struct err err;
    assert_true(json_parse(&value, bytes_of_text(text), test_arena(), &err));
    assert_true(sorted_json_write(&w, value, test_arena()));
    return writer_bytes(&w);
}

TEST(cli_7_2_members_sorted_one_a_line)
{
    assert_bytes_text(
        sorted("{\"b\": [2, 1, {\"z\": null, \"y\": \"q\\\"\"}], \"a\": 40.606, \"ab\": {}}"),
        "{\n  \"a\": 40.606,\n  \"ab\": {},\n  \"b\": [\n    2,\n    1,\n    {\n"
        "      \"y\": \"q\\\"\",\n      \"z\": null\n    }\n  ]\n}\n");
    assert_bytes_text(sorted("{}"), "{}\n");
    assert_bytes_text(sorted("[]"), "[]\n");
    assert_bytes_text(sorted("{\"b\": 1, \"B\": 2}"), "{\n  \"B\": 2,\n  \"b\": 1\n}\n");
}
