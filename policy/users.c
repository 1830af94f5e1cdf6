// policy/users.c -- records of users, and how they are made.
#include "policy/users.h"
#include "base/base64.h"
#include "base/json.h"
#include "base/secret.h"
#include "base/utf8.h"
#include "crypto/hmac.h"
#include "crypto/kdf.h"
#include <inttypes.h>

#define PBKDF2_ROUNDS   2500 // policy 13.3
#define RECORD_ARENA    4096
#define PASSWORD_SECRET 32

void user_wipe(struct user *user)
{
    wipe(user, sizeof *user);
}

struct bytes user_name(const struct user *user)
{
    return bytes_of(user->name, user->name_len);
}

void name_write(struct writer *w, struct bytes name)
{
    for (size_t i = 0; i < name.len; i++) {
        const uint8_t c = name.ptr[i];
        const bool continues = (c & 0xc0) == 0x80; // a later byte of a character already shown
        if (!continues)
            writer_u8(w, c >= 0x20 && c <= 0x7e ? c : '?');
    }
}

const struct user *user_find(const struct user *users, size_t n_users, struct bytes name)
{
    for (size_t i = 0; i < n_users; i++)
        if (bytes_equal(user_name(&users[i]), name))
            return &users[i];
    return NULL;
}

// --- Creating ---

// Policy 13.2: "printable ASCII (0x20 to 0x7e, no blank at either end, no `,`, no `"`) for new users"
static bool is_good_name(struct bytes name)
{
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] == ',' || name.ptr[i] == '"')
            return false;
    return bytes_is_printable_ascii(name) && bytes_trim(name).len == name.len;
}

static bool is_good_secret_len(enum user_mode mode, size_t len)
{
    return mode == USER_PASSWORD ? len == PASSWORD_SECRET : len == 10 || len == 20;
}

// The table of 13.2, row by row.
static bool check_request(const struct user_request *r, const struct user *users, size_t n_users,
                          struct err *err)
{
    const unsigned mode = r->mode & ~USER_SHOW_QR;
    if (r->name.len == 0)
        return err_set(err, ERR_INVALID, "badlen");
    if (!is_good_name(r->name))
        return err_set(err, ERR_INVALID, "bad username");
    if ((r->mode & USER_SHOW_QR) != 0 && r->secret.len > 0)
        return err_set(err, ERR_INVALID, "Assertion no secret with QR");
    if (mode < USER_TOTP || mode > USER_PASSWORD)
        return err_set(err, ERR_INVALID, "Assertion bad mode");
    if (r->name.len < USER_NAME_MIN || r->name.len > USER_NAME_MAX)
        return err_set(err, ERR_INVALID, "badlen");
    if (r->name.ptr[0] == '_')
        return err_set(err, ERR_INVALID, "reserved");
    if (user_find(users, n_users, r->name) != NULL)
        return err_set(err, ERR_EXISTS, "exists");
    if (r->secret.len > 0 && !is_good_secret_len((enum user_mode)mode, r->secret.len))
        return err_set(err, ERR_INVALID, "Assertion bad secret length");
    if (n_users >= USERS_MAX)
        return err_set(err, ERR_LIMIT, "too many");
    return true;
}

static void set_secret(struct user *user, struct bytes secret)
{
    memcpy(user->secret, secret.ptr, secret.len);
    user->secret_len = secret.len;
}

// "Their base32 (16 characters, upper case) is the picked text and, for modes 1 and 2, the secret is
// the 10 bytes. For mode 3 the picked text is lower-cased, is the password".
static void pick_secret(struct user *user, char picked[static USER_PICKED_SIZE],
                        const struct user_request *r)
{
    struct writer w = writer_of(picked, USER_PICKED_SIZE - 1);
    base32_write(&w, BYTES_OF(r->entropy));
    picked[w.len] = '\0';
    if (user->mode != USER_PASSWORD) {
        set_secret(user, BYTES_OF(r->entropy));
        return;
    }
    for (char *c = picked; *c != '\0'; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    user_password_secret(user->secret, bytes_of_text(picked), r->serial, false);
    user->secret_len = PASSWORD_SECRET;
}

bool user_create(struct user *out, char picked[static USER_PICKED_SIZE],
                 const struct user_request *request, const struct user *users, size_t n_users,
                 struct err *err)
{
    if (!check_request(request, users, n_users, err))
        return false;
    *out = (struct user){ .mode = (enum user_mode)(request->mode & ~USER_SHOW_QR) };
    memcpy(out->name, request->name.ptr, request->name.len);
    out->name_len = request->name.len;
    picked[0] = '\0';
    if (out->mode == USER_PASSWORD)
        (void)snprintf(out->salt_serial, sizeof out->salt_serial, "%.*s",
                       BYTES_ARG(request->serial));
    if (request->secret.len > 0)
        set_secret(out, request->secret);
    else
        pick_secret(out, picked, request);
    return true;
}

void user_qr_write(struct writer *w, enum user_mode mode, const char *picked)
{
    if (mode == USER_TOTP)
        writer_text(w, "otpauth://totp/CC?secret=");
    else if (mode == USER_HOTP)
        writer_text(w, "otpauth://hotp/CC?secret=");
    writer_text(w, picked);
}

void user_menu_write(struct writer *w, const struct user *user)
{
    if (user->mode == USER_HOTP)
        writer_printf(w, "HOTP: count=%" PRIu64, user->progress.last);
    else
        writer_printf(w, "%s: %s", user->mode == USER_TOTP ? "TOTP" : "Password",
                      user->progress.last == 0 ? "unused" : "active");
}

// --- Records: `[mode, "BASE32", last]` ---

void user_record_write(struct writer *w, const struct user *user)
{
    char text[BASE32_LEN(USER_SECRET_MAX)];
    struct writer secret = writer_of(text, sizeof text);
    struct json_writer j = json_writer_of(w);
    base32_write(&secret, bytes_of(user->secret, user->secret_len));
    json_begin_array(&j);
    json_u64(&j, user->mode);
    json_string(&j, writer_bytes(&secret));
    json_u64(&j, user->progress.last);
    if (user->progress.zero_used)
        json_bool(&j, true);
    json_end_array(&j);
    wipe(text, sizeof text);
}

static bool bad_record(struct err *err)
{
    return err_set(err, ERR_MALFORMED, "not the record of a user");
}

static bool read_record(struct user *out, const struct json *record, struct err *err)
{
    struct writer secret = writer_of(out->secret, sizeof out->secret);
    int64_t mode, last;
    if (record->type != JSON_ARRAY || record->n_items < 3 || record->n_items > 4)
        return bad_record(err);
    const struct json *item = record->items, *text = item->next, *count = text->next;
    if (!json_integer(item, &mode, NULL) || mode < USER_TOTP || mode > USER_PASSWORD ||
        text->type != JSON_STRING || !base32_read(&secret, text->text) || secret.failed ||
        !is_good_secret_len((enum user_mode)mode, secret.len) ||
        !json_integer(count, &last, NULL) || last < 0)
        return bad_record(err);
    if (count->next != NULL && count->next->type != JSON_TRUE)
        return bad_record(err);
    out->mode = (enum user_mode)mode;
    out->secret_len = secret.len;
    out->progress.last = (uint64_t)last;
    out->progress.zero_used = count->next != NULL;
    return true;
}

bool user_record_read(struct user *out, struct bytes name, struct bytes record, struct err *err)
{
    AUTO(arena_freep) struct arena *scratch = arena_new(RECORD_ARENA);
    AUTO(user_wipe) struct user user = { .name_len = name.len };
    const struct json *json;
    // Names of old backups may be of any script.
    if (name.len == 0 || name.len > sizeof user.name || !utf8_is_valid(name))
        return bad_record(err);
    memcpy(user.name, name.ptr, name.len);
    if (record.len > USER_RECORD_MAX || !json_parse(&json, record, scratch, err))
        return bad_record(err);
    if (!read_record(&user, json, err))
        return false;
    *out = user;
    return true;
}

struct hash256 user_secret_hash(const struct user *user)
{
    struct sha256 ctx;
    sha256_init(&ctx);
    sha256_update(&ctx, user_name(user));
    sha256_update(&ctx, bytes_of(user->secret, user->secret_len));
    return sha256_final(&ctx);
}

// --- Passwords ---

// Policy 13.3: `salt = SHA-256( "pepper" || serial )`, 2500 rounds. "Before firmware 4 (2021) the
// key was PBKDF2-HMAC-SHA256, 32 bytes, same salt and count".
void user_password_secret(uint8_t out[static 32], struct bytes password, struct bytes serial,
                          bool v3)
{
    struct sha256 ctx;
    sha256_init(&ctx);
    sha256_update(&ctx, BYTES("pepper"));
    sha256_update(&ctx, serial);
    const struct hash256 salt = sha256_final(&ctx);
    if (v3)
        pbkdf2_sha256(out, 32, password, BYTES_OF(salt.b), PBKDF2_ROUNDS);
    else
        pbkdf2_sha512(out, 32, password, BYTES_OF(salt.b), PBKDF2_ROUNDS);
}

void user_password_token(uint8_t out[static 32], const uint8_t secret[static 32],
                         const struct hash256 *psbt_hash)
{
    hmac_sha256(out, bytes_of(secret, 32), BYTES_OF(psbt_hash->b));
}
