#include "cli/python_dump.h"
#include "tests/support/test.h"

// Made with Python 3.11: pprint.pprint(json.loads(...)).
static const struct {
    const char *json, *dump;
} rows[] = {
    { "{\"active\": false, \"chain\": \"XTN\", \"policy_available\": false, \"users\": [], "
      "\"wallets\": []}",
      "{'active': False,\n"
      " 'chain': 'XTN',\n"
      " 'policy_available': False,\n"
      " 'users': [],\n"
      " 'wallets': []}\n" },
    { "{\"b\": 1, \"a\": null}", "{'a': None, 'b': 1}\n" },
    { "{\"summary\": \"line one\\nline two is a rather long line that does not fit into the width "
      "of eighty columns at all, really\", \"x\": true}",
      "{'summary': 'line one\\n'\n"
      "            'line two is a rather long line that does not fit into the width '\n"
      "            'of eighty columns at all, really',\n"
      " 'x': True}\n" },
    { "{\"last_refusal\": \"Rejected: rule #1: amount exceeded, rule #2: non-whitelisted address: "
      "tb1q5uxpx630djalehx2c0hwc8cj6vejl4j93hk4ad, rule #3: need user(s) confirmation\", \"zz\": "
      "[1, 2.5, \"x\"]}",
      "{'last_refusal': 'Rejected: rule #1: amount exceeded, rule #2: non-whitelisted '\n"
      "                 'address: tb1q5uxpx630djalehx2c0hwc8cj6vejl4j93hk4ad, rule '\n"
      "                 '#3: need user(s) confirmation',\n"
      " 'zz': [1, 2.5, 'x']}\n" },
    { "{\"has_spent\": [100000000, 200000000, 300000000, 400000000, 500000000, 600000000, "
      "700000000, 800000000], \"uptime\": 40.606}",
      "{'has_spent': [100000000,\n"
      "               200000000,\n"
      "               300000000,\n"
      "               400000000,\n"
      "               500000000,\n"
      "               600000000,\n"
      "               700000000,\n"
      "               800000000],\n"
      " 'uptime': 40.606}\n" },
    { "{\"q\": \"it's\", \"r\": \"a \\\"b\\\"\", \"s\": \"it's \\\"x\\\"\", \"t\": \"tab\\t\\\\ "
      "\\u0001 \\u007f\"}",
      "{'q': \"it's\", 'r': 'a \"b\"', 's': 'it\\'s \"x\"', 't': 'tab\\t\\\\ \\x01 \\x7f'}\n" },
    { "{\"deep\": {\"policy_hash_full\": "
      "\"56b7bcc18de6d3cd6e1008d81c4676b16162811a82063537092db1e0264187fa\", \"version\": "
      "\"0.1.0\", \"more\": [\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\", "
      "\"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\"]}}",
      "{'deep': {'more': ['aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',\n"
      "                   'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb'],\n"
      "          'policy_hash_full': "
      "'56b7bcc18de6d3cd6e1008d81c4676b16162811a82063537092db1e0264187fa',\n"
      "          'version': '0.1.0'}}\n" },
    { "{\"u\": \"\\u00e9\\u00e9\\u00e9 \\u20ac caf\\u00e9 r\\u00e9sum\\u00e9 na\\u00efve "
      "fa\\u00e7ade \\u00fcber stra\\u00dfe \\u00e9t\\u00e9 \\u00e9l\\u00e8ve gar\\u00e7on "
      "d\\u00e9j\\u00e0 vu \\u00a9 xx\", \"c1\": \"a\\u0085b\\u00adc\"}",
      "{'c1': 'a\\x85b\\xadc',\n"
      " 'u': '\xc3\xa9\xc3\xa9\xc3\xa9 \xe2\x82\xac caf\xc3\xa9 r\xc3\xa9sum\xc3\xa9 na\xc3\xafve "
      "fa\xc3\xa7"
      "ade \xc3\xbc"
      "ber stra\xc3\x9f"
      "e \xc3\xa9t\xc3\xa9 \xc3\xa9l\xc3\xa8ve gar\xc3\xa7on d\xc3\xa9j\xc3\xa0 vu \xc2\xa9 '\n"
      "      'xx'}\n" },
    { "{\"last\": "
      "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
      "aaaaaaaaaaaaaaaa bb cc\"}",
      "{'last': "
      "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
      "aaaaaaaaaaaaaaa '\n"
      "         'bb cc'}\n" },
    { "{\"nl\": \"\\n\\n\\nrule\\n\", \"empty\": \"\", \"o\": {}, \"l\": []}",
      "{'empty': '', 'l': [], 'nl': '\\n\\n\\nrule\\n', 'o': {}}\n" },
    { "[]", "[]\n" },
    { "\"x\"", "'x'\n" },
    { "[[\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\", \"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\"], "
      "{\"k\": \"ccccccccccccccccccccccc\"}]",
      "[['aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',\n"
      "  'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb'],\n"
      " {'k': 'ccccccccccccccccccccccc'}]\n" },
    { "{\"edge\": \"0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 012\", "
      "\"f\": 1}",
      "{'edge': '0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 '\n"
      "         '012',\n"
      " 'f': 1}\n" },
    { "{\"edge\": \"0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 01234\", "
      "\"f\": 1}",
      "{'edge': '0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 '\n"
      "         '01234',\n"
      " 'f': 1}\n" },
    { "{\"z_edge\": \"0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 01\", "
      "\"f\": 1}",
      "{'f': 1,\n"
      " 'z_edge': '0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 '\n"
      "           '01'}\n" },
    { "{\"z_edge\": \"0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0\", "
      "\"f\": 1}",
      "{'f': 1,\n"
      " 'z_edge': '0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 '\n"
      "           '0'}\n" },
};

TEST(cli_8_2_hsm_as_the_reference_prints_it)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct writer w = writer_growing(test_arena(), 1 << 20);
        const struct json *value;
        struct err err;
        assert_true(json_parse(&value, bytes_of_text(rows[i].json), test_arena(), &err));
        assert_true(python_dump_write(&w, value, test_arena()));
        assert_bytes_text(writer_bytes(&w), rows[i].dump);
    }
}

TEST(no_room_is_told)
{
    uint8_t mem[4];
    struct writer w = writer_of(mem, sizeof mem);
    const struct json *value;
    struct err err;
    assert_true(json_parse(&value, BYTES("{\"a\": 1}"), test_arena(), &err));
    assert_false(python_dump_write(&w, value, test_arena()));
}
