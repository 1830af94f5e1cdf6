#include "bunker/settings.h"
#include "base/file.h"
#include "crypto/seal.h"
#include "tests/support/test.h"
#include <sys/stat.h>

static struct secret *test_key(void)
{
    uint8_t key[SETTINGS_KEY_LEN];
    memset(key, 0x4b, sizeof key);
    return secret_new(BYTES_OF(key));
}

TEST(bunker_21_37_locker_and_file_name)
{
    AUTO(secret_freep) struct secret *key = test_key();
    AUTO(secret_freep) struct secret *back = NULL;
    char name[32], text[LOCKER_TEXT_SIZE];
    struct err err;
    settings_file_name(name, "bp", key);
    assert_string_equal(name, "bp-01b00cf3685340cb.dat");
    settings_locker_text(text, key);
    assert_string_equal(text, "QnVua0tLS0tLS0tLS0tLS0tLS0tLS0tLS0tLS0tLS0tLS0tL");
    assert_true(settings_locker_key(&back, bytes_of_text(text), &err));
    assert_bytes_equal(secret_open(back), secret_open(key));
    secret_close(back);
    secret_close(key);
    text[3] = 'A'; // "Bun..." no more
    assert_false(settings_locker_key(&back, bytes_of_text(text), &err));
    assert_err(&err, ERR_MALFORMED, "the locker holds no key of a bunker");
    assert_false(settings_locker_key(&back, BYTES("QnVu"), &err));
}

TEST(bunker_21_38_saved_and_opened_again)
{
    struct settings s, again;
    struct err err;
    struct stat st;
    char token[TOKEN_TEXT_SIZE], path[400];
    const char *folder = test_dir();
    settings_init(&s, folder);
    assert_false(settings_save(&s, &err));
    assert_err(&err, ERR_STATE, "no key");
    assert_true(settings_open(&s, test_key(), &err));
    assert_false(settings_has_password(&s)); // no default password
    struct account *a = settings_add_account(&s, BYTES("admin"), ROLE_ADMIN);
    assert_true(
        password_hash(a->password, BYTES("a password"), (struct password_cost){ 1, 64 }, &err));
    assert_true(settings_add_token(&s, ROLE_VIEWER, 100, token, &err));
    settings_set_policy(&s, BYTES("{\"rules\": []}"));
    assert_true(settings_save(&s, &err));
    (void)snprintf(path, sizeof path, "%s/cm-01b00cf3685340cb.dat", folder);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    settings_init(&again, folder);
    assert_true(settings_open(&again, test_key(), &err));
    assert_true(settings_has_password(&again));
    assert_int_equal(settings_account(&again, BYTES("admin"))->role, ROLE_ADMIN);
    assert_bytes_text(bytes_of(again.policy, again.policy_len), "{\"rules\": []}");
    const struct bytes text = bytes_of_text(token);
    const struct bytes id = bytes_slice(text, 0, 16), secret = bytes_slice(text, 17, SIZE_MAX);
    assert_non_null(settings_token(&again, id, secret, 99));
    assert_null(settings_token(&again, id, secret, 100)); // expired
    assert_null(settings_token(&again, id, BYTES("x"), 99));
    settings_free(&s);
    settings_free(&again);
}

TEST(bunker_21_38_the_file_of_the_reference_is_read_and_left_alone)
{
    struct settings s;
    struct err err;
    char path[400];
    static const char plain[] = "{\"master_pw\": \"test1234\", \"allow_reboots\": false, "
                                "\"policy\": {\"rules\": []}}";
    uint8_t sealed[sizeof plain - 1 + SEAL_OVERHEAD];
    AUTO(secret_freep) struct secret *key = test_key();
    struct bytes after;
    (void)snprintf(path, sizeof path, "%s/bp-01b00cf3685340cb.dat", test_dir());
    seal(sealed, bytes_of(plain, sizeof plain - 1), secret_open(key).ptr);
    secret_close(key);
    assert_true(file_replace(path, BYTES_OF(sealed), 0644, &err));
    char folder[400];
    (void)snprintf(folder, sizeof folder, "%.*s",
                   (int)(strlen(path) - strlen("/bp-01b00cf3685340cb.dat")), path);
    settings_init(&s, folder);
    assert_true(settings_open(&s, test_key(), &err));
    assert_false(s.allow_reboots);
    assert_bytes_text(bytes_of(s.policy, s.policy_len), "{\"rules\": []}");
    assert_false(settings_has_password(&s)); // test1234 never works
    assert_true(settings_save(&s, &err));
    assert_true(file_read(&after, path, 4096, test_arena(), &err));
    assert_bytes_equal(after, BYTES_OF(sealed));
    settings_free(&s);
}

// bunker.md, appendix A.
#define ONION_KEY                                                                                  \
    "qC8n+VCcgc/v7Mu3RiTeljoG0LmeKY4hCP0b9W6GlH+s5yI1BVRLRYjNF7ZadL7kqhuWYY347wVSsaALUkLGVA=="
#define ONION_ADDRESS "ou734ickitggezugvs7lnhncwhfwhzhj33uymsyfcmz2r2cqa7wbosyd.onion"

// What the reference kept in clear is taken over, and its file stays as it is.
TEST(bunker_12_6_onion_and_password_of_the_reference)
{
    struct settings s, again;
    struct err err;
    char path[400];
    static const char plain[] = "{\"master_pw\": \"correct horse\", \"tor_enabled\": true, "
                                "\"onion_pk\": \"" ONION_KEY "\", \"xfp\": \"0F056943\", "
                                "\"serial\": \"F1F1F1F1F1F1\", \"policy\": null}";
    uint8_t sealed[sizeof plain - 1 + SEAL_OVERHEAD];
    AUTO(secret_freep) struct secret *key = test_key();
    const char *folder = test_dir();
    (void)snprintf(path, sizeof path, "%s/bp-01b00cf3685340cb.dat", folder);
    seal(sealed, bytes_of(plain, sizeof plain - 1), secret_open(key).ptr);
    secret_close(key);
    assert_true(file_replace(path, BYTES_OF(sealed), 0644, &err));
    settings_init(&s, folder);
    assert_true(settings_open(&s, test_key(), &err));
    assert_true(s.tor_is_set && s.tor_enabled);
    assert_string_equal(s.onion_addr, ONION_ADDRESS);
    assert_string_equal(s.xfp, "0F056943");
    assert_non_null(s.reference_pw);
    assert_bytes_text(secret_open(s.reference_pw), "correct horse");
    secret_close(s.reference_pw);
    assert_true(settings_save(&s, &err));
    settings_init(&again, folder);
    assert_true(settings_open(&again, test_key(), &err));
    assert_string_equal(again.onion_addr, ONION_ADDRESS);
    assert_bytes_equal(secret_open(again.onion_key), secret_open(s.onion_key));
    secret_close(again.onion_key);
    secret_close(s.onion_key);
    assert_true(again.tor_is_set && again.tor_enabled);
    settings_free(&s);
    settings_free(&again);
}

// A step of time below zero was read as a huge one, and written as what could not be read again.
TEST(bunker_50_a_negative_step_is_no_step)
{
    struct settings s;
    struct err err;
    settings_init(&s, "/");
    assert_false(settings_read(&s,
                               BYTES("{\"v\": 1, \"accounts\": [{\"name\": \"a\", \"role\": "
                                     "\"admin\", \"totp_last\": -5}], \"tokens\": []}"),
                               test_arena(), &err));
    assert_err(&err, ERR_MALFORMED, "the settings are not of our form");
    settings_free(&s);
}

TEST(bunker_12_6_what_does_not_open_changes_nothing)
{
    struct settings s;
    struct err err;
    char path[400];
    const char *folder = test_dir();
    settings_init(&s, folder);
    (void)snprintf(path, sizeof path, "%s/cm-01b00cf3685340cb.dat", folder);
    assert_true(file_replace(path, BYTES("not sealed"), 0600, &err));
    assert_false(settings_open(&s, test_key(), &err));
    assert_int_equal(err.code, ERR_MALFORMED);
    assert_false(s.loaded);
    settings_free(&s);
}
