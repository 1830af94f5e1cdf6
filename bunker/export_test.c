#include "bunker/export.h"
#include "tests/support/test.h"

static struct bytes exported(const char *password)
{
    struct settings s;
    struct writer w = writer_growing(test_arena(), EXPORT_MAX);
    struct err err;
    settings_init(&s, "/");
    assert_non_null(settings_add_account(&s, BYTES("eve"), ROLE_VIEWER));
    settings_set_policy(&s, BYTES("{\"rules\": []}"));
    assert_true(export_write(&w, &s, bytes_of_text(password), test_arena(), &err));
    settings_free(&s);
    return writer_bytes(&w);
}

TEST(bunker_12_6_export_and_import)
{
    struct settings s;
    struct err err;
    settings_init(&s, "/");
    const struct bytes text = exported("long enough");
    assert_true(export_read(&s, text, BYTES("long enough"), test_arena(), &err));
    assert_int_equal(settings_account(&s, BYTES("eve"))->role, ROLE_VIEWER);
    assert_bytes_text(bytes_of(s.policy, s.policy_len), "{\"rules\": []}");
    assert_non_null(settings_add_account(&s, BYTES("new"), ROLE_VIEWER));
    assert_false(export_read(&s, text, BYTES("another one"), test_arena(), &err));
    assert_err(&err, ERR_AUTH, "wrong password, or the file was changed");
    assert_non_null(settings_account(&s, BYTES("new"))); // they are as they were
    settings_free(&s);
}

#define SHORT                                                                                      \
    "{\"casemate_settings\": 1, \"salt\": \"000102030405060708090a0b0c0d0e0f\", "                  \
    "\"sealed\": \"AAAA\"}"

TEST(bunker_12_6_what_is_no_export)
{
    static const char *const texts[] = {
        "",
        "{}",
        "{\"casemate_settings\": 2, \"salt\": \"\", \"sealed\": \"\"}",
        "{\"casemate_settings\": 1, \"salt\": \"00\", \"sealed\": \"AAAA\"}",
        (SHORT),
    };
    struct settings s;
    struct err err;
    settings_init(&s, "/");
    for (size_t i = 0; i < COUNT(texts); i++) {
        assert_false(
            export_read(&s, bytes_of_text(texts[i]), BYTES("long enough"), test_arena(), &err));
        assert_err(&err, ERR_MALFORMED, "no exported settings");
    }
    struct writer w = writer_growing(test_arena(), EXPORT_MAX);
    assert_false(export_write(&w, &s, BYTES("short"), test_arena(), &err));
    assert_err(&err, ERR_USAGE, "the password has less than 8 characters");
    settings_free(&s);
}
