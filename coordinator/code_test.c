#include "coordinator/code.h"
#include "tests/support/test.h"

// Every code of D10 goes out under its name and comes back as itself.
TEST(coordinator_codes_have_names_that_lead_back)
{
    for (enum code c = CODE_NONE + 1; c < CODES; c++) {
        struct err err;
        assert_true(code_name(c)[0] != '\0');
        assert_int_equal(code_of_name(bytes_of_text(code_name(c))), c);
        assert_false(code_fail(&err, c, "spend %d", 7));
        assert_string_equal(err.text, "spend 7");
        assert_false(err_within(&err, "wallet main"));
        assert_int_equal(code_of(&err), c);
        assert_false(code_words(&err, "code=internal, it says"));
        assert_int_equal(code_of(&err), c);
        assert_string_equal(err.text, "wallet main: spend 7");
        assert_non_null(strstr(err.detail, " code=internal, it says"));
        assert_true(code_http_status(c) >= 400);
    }
    assert_int_equal(code_of_name(BYTES("velocity")), CODE_NONE);
    assert_int_equal(code_of_name(BYTES("")), CODE_NONE);
}

// What nobody coded tells the outside nothing.
TEST(coordinator_codes_are_internal_unless_set)
{
    struct err err;
    assert_false(err_set(&err, ERR_IO, "disk full"));
    assert_int_equal(code_of(&err), CODE_INTERNAL);
    assert_false(err_detail(&err, "code=nothing"));
    assert_int_equal(code_of(&err), CODE_INTERNAL);
}
