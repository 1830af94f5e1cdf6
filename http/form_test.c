#include "http/form.h"
#include "tests/support/test.h"

static const struct {
    const char *form, *value; // of the field `a`; NULL: absent
} forms[] = {
    { "a=1", "1" },
    { "b=2&a=x+y%21", "x y!" },
    { "a=&b=1", "" },
    { "a", "" },
    { "a=1&a=2", "1" }, // the first
    { "%61=1", "1" },   // names are encoded, too
    { "a=%", NULL },    // half a digit pair
    { "a=%zz", NULL },  //
    { "a=%00", NULL },  // a zero byte would end a C text
    { "a=%ff", NULL },  // no UTF-8
    { "ab=1", NULL },   //
    { "", NULL },       //
    { "a=%C3%A4", "\xc3\xa4" },
};

TEST(http_form_fields)
{
    for (size_t i = 0; i < COUNT(forms); i++) {
        struct bytes value;
        const bool found = http_form_get(bytes_of_text(forms[i].form), "a", &value, test_arena());
        if (found != (forms[i].value != NULL))
            fail_msg("case %zu: '%s'", i, forms[i].form);
        assert_bytes_text(value, found ? forms[i].value : "");
    }
}

static const struct {
    const char *header, *value; // of the cookie `X`
} cookies[] = {
    { "X=abc", "abc" },
    { "Y=1; X=abc", "abc" },
    { "X=\"a=b\"; Y=2", "a=b" },
    { "x=abc", NULL }, // names have their case
    { "XX=1", NULL },
    { "", NULL },
    { "X=a;X=b", "a" },
};

TEST(http_cookies)
{
    for (size_t i = 0; i < COUNT(cookies); i++) {
        struct bytes value;
        const bool found = http_cookie_get(bytes_of_text(cookies[i].header), "X", &value);
        assert_int_equal(found, cookies[i].value != NULL);
        assert_bytes_text(value, found ? cookies[i].value : "");
    }
}

#define TYPE "multipart/form-data; boundary=\"bb\""

TEST(http_multipart_fields_and_files)
{
    static const char body[] = "--bb\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\nk1\r\n"
                               "--bb\r\ncontent-disposition: form-data; name=\"psbt\"; "
                               "filename=\"a.psbt\"\r\nContent-Type: x/y\r\n\r\n"
                               "psbt\xff\r\n--b\r\n\r\n--bb--\r\n";
    struct http_parts parts;
    struct err err;
    assert_true(http_parts_read(&parts, BYTES(TYPE), bytes_of(body, sizeof body - 1), &err));
    assert_int_equal(parts.n, 2);
    assert_bytes_text(http_parts_find(&parts, "csrf")->content, "k1");
    assert_bytes_text(http_parts_find(&parts, "psbt")->filename, "a.psbt");
    assert_bytes_text(http_parts_find(&parts, "psbt")->content, "psbt\xff\r\n--b\r\n");
    assert_null(http_parts_find(&parts, "other"));
}

static const struct {
    const char *type, *body, *text;
} bad_parts[] = {
    { "text/plain", "", "multipart: no boundary" },
    { "multipart/form-data", "", "multipart: no boundary" },
    { TYPE, "", "multipart: the boundary is missing" },
    { TYPE, "--bb\r\n\r\n", "multipart: a part has no end" },
    { TYPE, "--bbx", "multipart: a part has no end" },
    { TYPE, "--bb\r\n\r\n--bb--", "multipart: a part has no end of its headers" },
    { TYPE, "--bb\r\na: b\r\n\r\nx\r\n--bb--", "multipart: a part has no Content-Disposition" },
    { TYPE, "--bb\r\nContent-Disposition: form-data\r\n\r\nx\r\n--bb--",
      "multipart: a part has no name" },
};

TEST(http_multipart_faults)
{
    for (size_t i = 0; i < COUNT(bad_parts); i++) {
        struct http_parts parts;
        struct err err;
        assert_false(http_parts_read(&parts, bytes_of_text(bad_parts[i].type),
                                     bytes_of_text(bad_parts[i].body), &err));
        assert_err(&err, ERR_MALFORMED, bad_parts[i].text);
    }
}

TEST(http_multipart_has_a_limit)
{
    static const char part[] = "\r\n--bb\r\nContent-Disposition: form-data; name=a\r\n\r\n";
    char body[(HTTP_PARTS_MAX + 2) * sizeof part] = "";
    struct writer w = writer_of(body, sizeof body);
    for (size_t i = 0; i <= HTTP_PARTS_MAX; i++)
        writer_text(&w, part);
    writer_text(&w, "\r\n--bb--");
    struct http_parts parts;
    struct err err;
    assert_false(http_parts_read(&parts, BYTES(TYPE), writer_bytes(&w), &err));
    assert_err(&err, ERR_LIMIT, "multipart: more than 32 parts");
}

TEST(http_media_types)
{
    assert_true(http_type_is(BYTES("Text/HTML ; charset=utf-8"), "text/html"));
    assert_false(http_type_is(BYTES("text/htmlx"), "text/html"));
    assert_false(http_type_is(BYTES(""), "text/html"));
}
