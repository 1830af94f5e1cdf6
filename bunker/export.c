#include "bunker/export.h"
#include "base/base64.h"
#include "base/hex.h"
#include "crypto/kdf.h"
#include "crypto/random.h"
#include "crypto/seal.h"

#define SALT_LEN   16
#define PLAIN_MAX  ((size_t)1 << 20)
#define PASSES     2
#define MEMORY_KIB 65536

static bool make_key(uint8_t out[static SEAL_KEY_LEN], struct bytes password,
                     const uint8_t salt[static SALT_LEN], struct err *err)
{
    return argon2id(out, SEAL_KEY_LEN, password, bytes_of(salt, SALT_LEN), PASSES, MEMORY_KIB, err);
}

bool export_write(struct writer *w, const struct settings *s, struct bytes password,
                  struct arena *arena, struct err *err)
{
    uint8_t salt[SALT_LEN], key[SEAL_KEY_LEN];
    struct writer plain = writer_growing(arena, PLAIN_MAX),
                  text = writer_growing(arena, EXPORT_MAX);
    struct json_writer j = json_writer_of(w);
    struct bytes content;
    if (password.len < EXPORT_PASSWORD_MIN)
        return err_set(err, ERR_USAGE, "the password has less than %d characters",
                       EXPORT_PASSWORD_MIN);
    settings_write(&plain, s);
    if (!writer_finish(&plain, &content))
        return err_set(err, ERR_LIMIT, "the settings are too large");
    uint8_t *sealed = arena_alloc(arena, content.len + SEAL_OVERHEAD);
    random_bytes(salt, sizeof salt);
    if (sealed == NULL || !make_key(key, password, salt, err))
        return sealed != NULL || err_set(err, ERR_NO_MEMORY, "the settings are too large");
    seal(sealed, content, key);
    wipe(key, sizeof key);
    base64_write(&text, bytes_of(sealed, content.len + SEAL_OVERHEAD));
    json_begin_object(&j);
    json_key(&j, "casemate_settings");
    json_u64(&j, 1);
    json_key(&j, "salt");
    json_hex(&j, BYTES_OF(salt));
    json_key(&j, "sealed");
    json_string(&j, writer_bytes(&text));
    json_end_object(&j);
    writer_u8(w, '\n');
    return !text.failed || err_set(err, ERR_LIMIT, "the settings are too large");
}

static bool read_parts(uint8_t salt[static SALT_LEN], struct bytes *sealed, struct bytes text,
                       struct arena *arena)
{
    const struct json *object, *version, *salt_text, *sealed_text;
    struct err unimportant;
    int64_t number;
    if (!json_parse(&object, text, arena, &unimportant))
        return false;
    version = json_get(object, "casemate_settings");
    salt_text = json_get(object, "salt");
    sealed_text = json_get(object, "sealed");
    if (version == NULL || version->type != JSON_NUMBER || !json_integer(version, &number, NULL) ||
        number != 1 || salt_text == NULL || salt_text->type != JSON_STRING || sealed_text == NULL ||
        sealed_text->type != JSON_STRING || !hex_decode(salt, SALT_LEN, salt_text->text))
        return false;
    struct writer w = writer_growing(arena, EXPORT_MAX);
    return base64_read(&w, sealed_text->text) && writer_finish(&w, sealed) &&
           sealed->len > SEAL_OVERHEAD;
}

bool export_read(struct settings *s, struct bytes text, struct bytes password, struct arena *arena,
                 struct err *err)
{
    uint8_t salt[SALT_LEN], key[SEAL_KEY_LEN];
    struct bytes sealed;
    if (!read_parts(salt, &sealed, text, arena))
        return err_set(err, ERR_MALFORMED, "no exported settings");
    uint8_t *plain = arena_alloc(arena, sealed.len);
    if (plain == NULL || !make_key(key, password, salt, err))
        return plain != NULL || err_set(err, ERR_NO_MEMORY, "the settings are too large");
    const bool ok = unseal(plain, sealed, key);
    wipe(key, sizeof key);
    if (!ok)
        return err_set(err, ERR_AUTH, "wrong password, or the file was changed");
    return settings_read(s, bytes_of(plain, sealed.len - SEAL_OVERHEAD), arena, err);
}
