#include "base/base64.h"
#include "tests/support/test.h"

// RFC 4648 10.
static const struct {
    const char *content, *base64, *base32;
} rfc4648[] = {
    { "", "", "" },
    { "f", "Zg==", "MY" },
    { "fo", "Zm8=", "MZXQ" },
    { "foo", "Zm9v", "MZXW6" },
    { "foob", "Zm9vYg==", "MZXW6YQ" },
    { "fooba", "Zm9vYmE=", "MZXW6YTB" },
    { "foobar", "Zm9vYmFy", "MZXW6YTBOI" },
};

TEST(rfc_4648_vectors)
{
    for (size_t i = 0; i < COUNT(rfc4648); i++) {
        char mem[64];
        const struct bytes content = bytes_of_text(rfc4648[i].content);
        struct writer w = writer_of(mem, sizeof mem);
        base64_write(&w, content);
        assert_bytes_text(writer_bytes(&w), rfc4648[i].base64);
        assert_int_equal(BASE64_LEN(content.len), w.len);
        w = writer_of(mem, sizeof mem);
        assert_true(base64_read(&w, bytes_of_text(rfc4648[i].base64)));
        assert_bytes_equal(writer_bytes(&w), content);
        w = writer_of(mem, sizeof mem);
        base32_write(&w, content);
        assert_bytes_text(writer_bytes(&w), rfc4648[i].base32);
        assert_int_equal(BASE32_LEN(content.len), w.len);
        w = writer_of(mem, sizeof mem);
        assert_true(base32_read(&w, bytes_of_text(rfc4648[i].base32)));
        assert_bytes_equal(writer_bytes(&w), content);
    }
}

static const char *const bad_base64[] = {
    "Zg",       "Zg=",     "Zg===",    "Zh==", // surplus bits
    "Zm9=",     "Z",       "Z===",     "=",      "==",      "===",     "====",
    "Zg==Zg==", "Zm9vZg=", "Zm9v\n",   " Zm9v",  "Zm\n9v",  "Zm9-",    "Zm9_",
    "Z=9v",     "Zm=v",    "Zm9v====", "Zm8=\n", "Zm9\x80", "\xc3m9v",
};

static const char *const bad_base32[] = {
    "M",   "MYX",     "MYXMYX", // lengths that no content has
    "MZ",                       // surplus bits
    "MY=", "MY=====", "MY=======", "========", "MZXW6===MY======", "MY =====", "M1",
    "M0",  "M8",      "M!",        "MY\n",
};

TEST(what_is_not_strict_is_refused)
{
    char mem[64];
    for (size_t i = 0; i < COUNT(bad_base64); i++) {
        struct writer w = writer_of(mem, sizeof mem);
        assert_false(base64_read(&w, bytes_of_text(bad_base64[i])));
        assert_int_equal(w.len, 0);
    }
    for (size_t i = 0; i < COUNT(bad_base32); i++) {
        struct writer w = writer_of(mem, sizeof mem);
        assert_false(base32_read(&w, bytes_of_text(bad_base32[i])));
        assert_int_equal(w.len, 0);
    }
    struct writer w = writer_of(mem, sizeof mem);
    assert_false(base64_read(&w, BYTES("Zm9\0"))); // a zero is no digit
    assert_false(base32_read(&w, BYTES("M\0")));
}

TEST(base32_takes_either_case_and_padding)
{
    static const char *const foob[] = { "MZXW6YQ", "mzxw6yq", "mZxW6yQ", "MZXW6YQ=", "mzxw6yq=" };
    char mem[8];
    for (size_t i = 0; i < COUNT(foob); i++) {
        struct writer w = writer_of(mem, sizeof mem);
        assert_true(base32_read(&w, bytes_of_text(foob[i])));
        assert_bytes_text(writer_bytes(&w), "foob");
    }
    struct writer w = writer_of(mem, sizeof mem);
    assert_false(base64_read(&w, BYTES("zG9v=A==")));
}

TEST(no_room)
{
    char mem[4];
    struct writer w = writer_of(mem, 2);
    assert_false(base64_read(&w, BYTES("Zm9v")));
    w = writer_of(mem, 3);
    base64_write(&w, BYTES("foo"));
    assert_true(w.failed);
}

TEST(every_pair_of_bytes)
{
    for (unsigned i = 0; i < 65536; i++) {
        const uint8_t in[] = { (uint8_t)(i >> 8), (uint8_t)i };
        char text[8];
        uint8_t back[4];
        struct writer w = writer_of(text, sizeof text), b = writer_of(back, sizeof back);
        base64_write(&w, BYTES_OF(in));
        assert_true(base64_read(&b, writer_bytes(&w)));
        assert_true(bytes_equal(writer_bytes(&b), BYTES_OF(in)));
        w = writer_of(text, sizeof text);
        b = writer_of(back, sizeof back);
        base32_write(&w, BYTES_OF(in));
        assert_true(base32_read(&b, writer_bytes(&w)));
        assert_true(bytes_equal(writer_bytes(&b), BYTES_OF(in)));
    }
}
