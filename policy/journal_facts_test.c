// Facts as journal lines keep them: what was not written so is refused, with the part that is wrong.
#include "base/json.h"
#include "policy/journal.h"
#include "tests/support/test.h"

#define TXID    "\"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\""
#define HEAD    "\"chain\":\"XTN\",\"warnings\":1,\"message\":false,\"wallet\":\"\",\"signs\":\"\""
#define LISTS   "\"in\":[[100,\"\"]],\"out\":[[90,\"0014\",\"\"]]"
#define BAD     "facts: not as a journal has them"
#define FEE     "facts: the fee cannot be read"
#define NO_LIST "facts: no inputs and outputs"
#define INPUT   "facts: an input cannot be read"
#define OUTPUT  "facts: an output cannot be read"
#define BOUND   "facts: txid, locktime or first input cannot be read"

static bool read_facts(struct tx_facts *out, const char *text, struct err *err)
{
    const struct json *json;
    if (!json_parse(&json, bytes_of_text(text), test_arena(), err))
        fail_msg("%s: %s", text, err->text);
    return journal_facts_read(out, json, test_arena(), err);
}

TEST(facts_that_a_journal_has)
{
    static const char *const good[] = {
        "{" HEAD "," LISTS "}",
        "{" HEAD ",\"fee\":10," LISTS "}",
        "{" HEAD ",\"fee\":10,\"txid\":" TXID ",\"locktime\":800000,\"first\":[" TXID ",1]," LISTS
        "}",
        "{" HEAD ",\"in\":[],\"out\":[]}",
        "{" HEAD ",\"in\":[[100,\"\",\"m/84h/1h/0h/0/0\"]],\"out\":[[90,\"0014\",\"\",\"aa\"]]}",
        "{" HEAD ",\"in\":[],\"out\":[[90,\"0014\",\"\",null,\"bb\"]]}",
        "{" HEAD ",\"in\":[],\"out\":[[2100000000000000,\"\",\"\"]]}",
    };
    for (size_t i = 0; i < COUNT(good); i++) {
        struct tx_facts tx;
        struct err err;
        if (!read_facts(&tx, good[i], &err))
            fail_msg("%s: %s", good[i], err.text);
        assert_int_equal(tx.n_warnings, 1);
        assert_int_equal(tx.fee_known, strstr(good[i], "fee") != NULL);
    }
}

TEST(facts_that_no_journal_has)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        { "{}", BAD },
        { "{\"chain\":\"XYZ\",\"warnings\":1,\"message\":false,\"wallet\":\"\",\"signs\":"
          "\"\"," LISTS "}",
          BAD },
        { "{\"chain\":5,\"warnings\":1,\"message\":false,\"wallet\":\"\",\"signs\":\"\"," LISTS "}",
          BAD },
        { "{\"chain\":\"XTN\",\"warnings\":1,\"message\":false,\"signs\":\"\"," LISTS "}", BAD },
        { "{\"chain\":\"XTN\",\"warnings\":1,\"message\":false,\"wallet\":1,\"signs\":\"\"," LISTS
          "}",
          BAD },
        { "{\"chain\":\"XTN\",\"warnings\":1,\"wallet\":\"\",\"signs\":\"\"," LISTS "}", BAD },
        { "{\"chain\":\"XTN\",\"message\":false,\"wallet\":\"\",\"signs\":\"\"," LISTS "}", BAD },
        { "{\"chain\":\"XTN\",\"warnings\":-1,\"message\":false,\"wallet\":\"\",\"signs\":"
          "\"\"," LISTS "}",
          BAD },
        { "{\"chain\":\"XTN\",\"warnings\":\"1\",\"message\":false,\"wallet\":\"\",\"signs\":"
          "\"\"," LISTS "}",
          BAD },
        { "{\"chain\":\"XTN\",\"warnings\":1.5,\"message\":false,\"wallet\":\"\",\"signs\":"
          "\"\"," LISTS "}",
          BAD },
        { "{\"chain\":\"XTN\",\"warnings\":1,\"message\":false,\"wallet\":\"\"," LISTS "}", BAD },
        { "{\"chain\":\"XTN\",\"warnings\":1,\"message\":false,\"wallet\":\"\",\"signs\":7," LISTS
          "}",
          BAD },
        { "{\"chain\":\"XTN\",\"warnings\":1,\"message\":false,\"wallet\":\"\",\"signs\":\"?"
          "\"," LISTS "}",
          BAD },
        // more than there will ever be
        { "{" HEAD ",\"fee\":2100000000000001," LISTS "}", FEE },
        { "{" HEAD ",\"fee\":true," LISTS "}", FEE },
        { "{" HEAD ",\"in\":[]}", NO_LIST },
        { "{" HEAD ",\"out\":[]}", NO_LIST },
        { "{" HEAD ",\"in\":{},\"out\":[]}", NO_LIST },
        { "{" HEAD ",\"in\":[],\"out\":\"\"}", NO_LIST },
        { "{" HEAD ",\"in\":[5],\"out\":[]}", INPUT },
        { "{" HEAD ",\"in\":[[]],\"out\":[]}", INPUT },
        { "{" HEAD ",\"in\":[[5]],\"out\":[]}", INPUT },
        { "{" HEAD ",\"in\":[[5,6]],\"out\":[]}", INPUT },
        { "{" HEAD ",\"in\":[[5,\"\",6]],\"out\":[]}", INPUT },
        { "{" HEAD ",\"in\":[[5,\"\",\"m/x\"]],\"out\":[]}", INPUT },
        { "{" HEAD ",\"in\":[[5,\"\",\"m/1\",\"m/1\"]],\"out\":[]}", INPUT },
        { "{" HEAD ",\"in\":[],\"out\":[5]}", OUTPUT },
        { "{" HEAD ",\"in\":[],\"out\":[[]]}", OUTPUT },
        { "{" HEAD ",\"in\":[],\"out\":[[5]]}", OUTPUT },
        { "{" HEAD ",\"in\":[],\"out\":[[5,6,\"\"]]}", OUTPUT },
        { "{" HEAD ",\"in\":[],\"out\":[[5,\"0\",\"\"]]}", OUTPUT },
        { "{" HEAD ",\"in\":[],\"out\":[[5,\"xx\",\"\"]]}", OUTPUT },
        { "{" HEAD ",\"in\":[],\"out\":[[5,\"00\"]]}", OUTPUT },
        { "{" HEAD ",\"in\":[],\"out\":[[5,\"00\",\"?\"]]}", OUTPUT },
        { "{" HEAD ",\"in\":[],\"out\":[[5,\"00\",\"\",7]]}", OUTPUT },
        { "{" HEAD ",\"in\":[],\"out\":[[5,\"00\",\"\",\"zz\"]]}", OUTPUT },
        { "{" HEAD ",\"in\":[],\"out\":[[5,\"00\",\"\",null,7]]}", OUTPUT },
        { "{" HEAD ",\"in\":[],\"out\":[[5,\"00\",\"\",null,\"aa\",\"bb\"]]}", OUTPUT },
        { "{" HEAD ",\"in\":[],\"out\":[[2100000000000000,\"\",\"\"],[1,\"\",\"\"]]}",
          "facts: more than can exist" },
        { "{" HEAD ",\"txid\":7," LISTS "}", BOUND },
        { "{" HEAD ",\"txid\":\"00\"," LISTS "}", BOUND },
        { "{" HEAD ",\"locktime\":\"\"," LISTS "}", BOUND },
        { "{" HEAD ",\"locktime\":4294967296," LISTS "}", BOUND },
        { "{" HEAD ",\"first\":7," LISTS "}", BOUND },
        { "{" HEAD ",\"first\":[" TXID "]," LISTS "}", BOUND },
        { "{" HEAD ",\"first\":[7,1]," LISTS "}", BOUND },
        { "{" HEAD ",\"first\":[" TXID ",\"\"]," LISTS "}", BOUND },
        { "{" HEAD ",\"first\":[" TXID ",4294967296]," LISTS "}", BOUND },
        { "{" HEAD ",\"first\":[" TXID ",1],\"in\":[],\"out\":[]}", BOUND }, // of what?
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct tx_facts tx;
        struct err err = { 0 };
        if (read_facts(&tx, cases[i].text, &err))
            fail_msg("was read: %s", cases[i].text);
        assert_err(&err, ERR_MALFORMED, cases[i].error);
    }
}
