#include "bunker/settings.h"
#include "base/base64.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/require.h"
#include "crypto/hash.h"
#include "crypto/random.h"
#include "crypto/seal.h"
#include <errno.h>
#include <limits.h>
#include <sys/stat.h>

#define SETTINGS_MAX   ((size_t)1 << 20)
#define SETTINGS_ARENA ((size_t)16 << 20)
#define LOCKER_MAGIC   "Bunk"

void settings_init(struct settings *s, const char *folder)
{
    *s = (struct settings){ .folder = folder, .allow_reboots = true };
}

static void forget(struct settings *s)
{
    const char *folder = s->folder;
    struct secret *key = s->key;
    free(s->policy);
    secret_free(s->onion_key);
    secret_free(s->reference_pw);
    wipe(s, sizeof *s);
    settings_init(s, folder);
    s->key = key;
}

void settings_free(struct settings *s)
{
    forget(s);
    secret_free(s->key);
    s->key = NULL;
}

// --- Key and names ---

void settings_file_name(char out[static 32], const char *prefix, const struct secret *key)
{
    uint8_t salted[5 + SETTINGS_KEY_LEN] = "salty";
    char hex[65];
    memcpy(salted + 5, secret_open(key).ptr, SETTINGS_KEY_LEN);
    secret_close(key);
    const struct hash256 hash = sha256d(BYTES_OF(salted));
    wipe(salted, sizeof salted);
    hex_encode(hex, BYTES_OF(hash.b));
    (void)snprintf(out, 32, "%s-%s.dat", prefix, hex + 48);
}

void settings_locker_text(char out[static LOCKER_TEXT_SIZE], const struct secret *key)
{
    uint8_t content[4 + SETTINGS_KEY_LEN] = LOCKER_MAGIC;
    memcpy(content + 4, secret_open(key).ptr, SETTINGS_KEY_LEN);
    secret_close(key);
    struct writer w = writer_of(out, LOCKER_TEXT_SIZE);
    base64_write(&w, BYTES_OF(content));
    writer_u8(&w, 0);
    wipe(content, sizeof content);
}

bool settings_locker_key(struct secret **out, struct bytes text, struct err *err)
{
    uint8_t content[64];
    struct writer w = writer_of(content, sizeof content);
    const bool ok = text.len == LOCKER_TEXT_SIZE - 1 && base64_read(&w, text) &&
                    w.len == 4 + SETTINGS_KEY_LEN && memcmp(content, LOCKER_MAGIC, 4) == 0;
    if (ok)
        *out = secret_new(bytes_of(content + 4, SETTINGS_KEY_LEN));
    wipe(content, sizeof content);
    return ok || err_set(err, ERR_MALFORMED, "the locker holds no key of a bunker");
}

// --- Accounts and tokens ---

struct account *settings_account(struct settings *s, struct bytes name)
{
    for (size_t i = 0; i < s->n_accounts; i++)
        if (bytes_equal_text(name, s->accounts[i].name))
            return &s->accounts[i];
    return NULL;
}

struct account *settings_add_account(struct settings *s, struct bytes name, enum role role)
{
    struct account *a = settings_account(s, name);
    if (a != NULL)
        return a;
    if (s->n_accounts == ACCOUNTS_MAX || name.len == 0 || name.len >= ACCOUNT_NAME_SIZE ||
        !bytes_is_printable_ascii(name))
        return NULL;
    a = &s->accounts[s->n_accounts++];
    *a = (struct account){ .role = role };
    memcpy(a->name, name.ptr, name.len);
    return a;
}

bool settings_has_password(const struct settings *s)
{
    for (size_t i = 0; i < s->n_accounts; i++)
        if (s->accounts[i].password[0] != '\0')
            return true;
    return false;
}

const struct token *settings_token(const struct settings *s, struct bytes id, struct bytes secret,
                                   int64_t now_s)
{
    const struct hash256 hash = sha256(secret);
    for (size_t i = 0; i < s->n_tokens; i++) {
        const struct token *t = &s->tokens[i];
        if (bytes_equal_text(id, t->id) && ct_equal(BYTES_OF(hash.b), BYTES_OF(t->hash)))
            return t->expires_s == 0 || now_s < t->expires_s ? t : NULL;
    }
    return NULL;
}

bool settings_add_token(struct settings *s, enum role role, int64_t expires_s,
                        char out[static TOKEN_TEXT_SIZE], struct err *err)
{
    uint8_t id[8], secret[32];
    char secret_text[65];
    if (s->n_tokens == TOKENS_MAX)
        return err_set(err, ERR_LIMIT, "at most %d tokens", TOKENS_MAX);
    struct token *t = &s->tokens[s->n_tokens++];
    random_bytes(id, sizeof id);
    random_bytes(secret, sizeof secret);
    *t = (struct token){ .role = role, .expires_s = expires_s };
    hex_encode(t->id, BYTES_OF(id));
    hex_encode(secret_text, BYTES_OF(secret));
    const struct hash256 hash = sha256(bytes_of_text(secret_text));
    memcpy(t->hash, hash.b, sizeof t->hash);
    (void)snprintf(out, TOKEN_TEXT_SIZE, "%s.%s", t->id, secret_text);
    wipe(secret, sizeof secret);
    wipe(secret_text, sizeof secret_text);
    return true;
}

void settings_set_policy(struct settings *s, struct bytes policy)
{
    free(s->policy);
    s->policy = NULL;
    s->policy_len = policy.len;
    if (policy.len == 0)
        return;
    s->policy = malloc(policy.len);
    REQUIRE(s->policy != NULL);
    memcpy(s->policy, policy.ptr, policy.len);
}

bool settings_set_onion(struct settings *s, const uint8_t *key)
{
    char address[ONION_ADDR_LEN + 1] = "";
    if (key != NULL && !onion_address(address, key))
        return false;
    secret_free(s->onion_key);
    s->onion_key = key != NULL ? secret_new(bytes_of(key, ONION_KEY_LEN)) : NULL;
    memcpy(s->onion_addr, address, sizeof address);
    return true;
}

// --- The plain form ---

static void write_accounts(struct json_writer *j, const struct settings *s)
{
    json_key(j, "accounts");
    json_begin_array(j);
    for (size_t i = 0; i < s->n_accounts; i++) {
        const struct account *a = &s->accounts[i];
        json_begin_object(j);
        json_key(j, "name");
        json_text(j, a->name);
        json_key(j, "role");
        json_text(j, role_name(a->role));
        json_key(j, "password");
        json_text(j, a->password);
        json_key(j, "totp");
        json_hex(j, bytes_of(a->totp, a->totp_len));
        json_key(j, "totp_last");
        json_u64(j, a->totp_last);
        json_key(j, "theme");
        json_text(j, a->theme);
        json_end_object(j);
    }
    json_end_array(j);
}

static void write_tokens(struct json_writer *j, const struct settings *s)
{
    json_key(j, "tokens");
    json_begin_array(j);
    for (size_t i = 0; i < s->n_tokens; i++) {
        const struct token *t = &s->tokens[i];
        json_begin_object(j);
        json_key(j, "id");
        json_text(j, t->id);
        json_key(j, "hash");
        json_hex(j, BYTES_OF(t->hash));
        json_key(j, "role");
        json_text(j, role_name(t->role));
        json_key(j, "expires");
        json_i64(j, t->expires_s);
        json_end_object(j);
    }
    json_end_array(j);
}

static void write_pin(struct json_writer *j, const struct device_pin *pin)
{
    json_key(j, "pin");
    json_begin_object(j);
    json_key(j, "serial");
    json_text(j, pin->serial);
    json_key(j, "xfp");
    json_text(j, pin->xfp);
    json_key(j, "xpub");
    json_text(j, pin->xpub);
    json_end_object(j);
}

static void write_onion(struct json_writer *j, const struct settings *s)
{
    json_key(j, "tor_enabled");
    if (s->tor_is_set)
        json_bool(j, s->tor_enabled);
    else
        json_null(j);
    json_key(j, "onion_sk");
    if (s->onion_key != NULL) {
        json_hex(j, secret_open(s->onion_key));
        secret_close(s->onion_key);
    } else {
        json_null(j);
    }
    json_key(j, "onion_clients");
    json_begin_array(j);
    for (size_t i = 0; i < s->n_onion_clients; i++)
        json_text(j, s->onion_clients[i]);
    json_end_array(j);
}

void settings_write(struct writer *w, const struct settings *s)
{
    struct json_writer j = json_writer_of(w);
    json_begin_object(&j);
    json_key(&j, "v");
    json_u64(&j, 1);
    write_accounts(&j, s);
    write_tokens(&j, s);
    json_key(&j, "allow_reboots");
    json_bool(&j, s->allow_reboots);
    json_key(&j, "easy_captcha");
    json_bool(&j, s->easy_captcha);
    json_key(&j, "policy");
    if (s->policy != NULL)
        json_string(&j, bytes_of(s->policy, s->policy_len));
    else
        json_null(&j);
    json_key(&j, "xfp");
    json_text(&j, s->xfp);
    json_key(&j, "serial");
    json_text(&j, s->serial);
    write_pin(&j, &s->pin);
    write_onion(&j, s);
    json_end_object(&j);
}

static struct bytes text_of(const struct json *object, const char *key)
{
    const struct json *v = json_get(object, key);
    return v != NULL && v->type == JSON_STRING ? v->text : (struct bytes){ 0 };
}

static bool copy_text(char *out, size_t size, struct bytes text)
{
    if (text.len >= size)
        return false;
    (void)snprintf(out, size, "%.*s", BYTES_ARG(text));
    return true;
}

static int64_t integer_of(const struct json *object, const char *key)
{
    const struct json *v = json_get(object, key);
    int64_t out;
    return v != NULL && v->type == JSON_NUMBER && json_integer(v, &out, NULL) ? out : 0;
}

static bool read_account(struct settings *s, const struct json *v)
{
    const enum role role = role_of(text_of(v, "role"));
    struct account *a = settings_add_account(s, text_of(v, "name"), role);
    const struct bytes totp = text_of(v, "totp"), password = text_of(v, "password");
    if (a == NULL || role == ROLE_NONE || integer_of(v, "totp_last") < 0 ||
        totp.len > 2 * sizeof a->totp || totp.len % 2 != 0 ||
        (password.len > 0 && !password_is_verifier(password)))
        return false;
    a->totp_len = totp.len / 2;
    a->totp_last = (uint64_t)integer_of(v, "totp_last");
    return copy_text(a->theme, sizeof a->theme, text_of(v, "theme")) &&
           copy_text(a->password, sizeof a->password, password) &&
           hex_decode(a->totp, a->totp_len, totp);
}

static bool read_token(struct settings *s, const struct json *v)
{
    if (s->n_tokens == TOKENS_MAX)
        return false;
    struct token *t = &s->tokens[s->n_tokens++];
    t->role = role_of(text_of(v, "role"));
    t->expires_s = integer_of(v, "expires");
    return t->role != ROLE_NONE && copy_text(t->id, sizeof t->id, text_of(v, "id")) &&
           hex_decode(t->hash, sizeof t->hash, text_of(v, "hash"));
}

static bool read_pin(struct device_pin *pin, const struct json *v)
{
    return copy_text(pin->serial, sizeof pin->serial, text_of(v, "serial")) &&
           copy_text(pin->xfp, sizeof pin->xfp, text_of(v, "xfp")) &&
           copy_text(pin->xpub, sizeof pin->xpub, text_of(v, "xpub"));
}

static bool read_onion(struct settings *s, const struct json *object)
{
    const struct json *enabled = json_get(object, "tor_enabled");
    const struct json *clients = json_get(object, "onion_clients");
    const struct bytes text = text_of(object, "onion_sk");
    uint8_t key[ONION_KEY_LEN];
    s->tor_is_set = enabled != NULL && enabled->type != JSON_NULL;
    s->tor_enabled = enabled != NULL && enabled->type == JSON_TRUE;
    for (const struct json *v = clients != NULL ? clients->items : NULL; v != NULL; v = v->next)
        if (s->n_onion_clients == TOR_CLIENTS_MAX || v->type != JSON_STRING ||
            !copy_text(s->onion_clients[s->n_onion_clients++], TOR_CLIENT_SIZE, v->text))
            return false;
    const bool ok =
        text.len == 0 || (hex_decode(key, sizeof key, text) && settings_set_onion(s, key));
    wipe(key, sizeof key);
    return ok;
}

static bool read_all(struct settings *s, const struct json *object)
{
    const struct json *accounts = json_get(object, "accounts");
    const struct json *tokens = json_get(object, "tokens");
    const struct json *reboots = json_get(object, "allow_reboots");
    if (integer_of(object, "v") != 1 || accounts == NULL || accounts->type != JSON_ARRAY ||
        tokens == NULL || tokens->type != JSON_ARRAY)
        return false;
    for (const struct json *v = accounts->items; v != NULL; v = v->next)
        if (!read_account(s, v))
            return false;
    for (const struct json *v = tokens->items; v != NULL; v = v->next)
        if (!read_token(s, v))
            return false;
    s->allow_reboots = reboots == NULL || reboots->type == JSON_TRUE;
    const struct json *easy = json_get(object, "easy_captcha");
    s->easy_captcha = easy != NULL && easy->type == JSON_TRUE;
    settings_set_policy(s, text_of(object, "policy"));
    return copy_text(s->xfp, sizeof s->xfp, text_of(object, "xfp")) &&
           copy_text(s->serial, sizeof s->serial, text_of(object, "serial")) &&
           read_pin(&s->pin, json_get(object, "pin")) && read_onion(s, object);
}

bool settings_read(struct settings *s, struct bytes text, struct arena *arena, struct err *err)
{
    const struct json *object;
    struct settings fresh;
    settings_init(&fresh, s->folder);
    if (!json_parse(&object, text, arena, err))
        return false;
    if (!read_all(&fresh, object)) {
        forget(&fresh);
        return err_set(err, ERR_MALFORMED, "the settings are not of our form");
    }
    forget(s);
    fresh.key = s->key;
    *s = fresh;
    wipe(&fresh, sizeof fresh);
    return true;
}

// --- The sealed file ---

static bool path_of(char out[static PATH_MAX], const struct settings *s, const char *prefix,
                    const char *suffix, const struct secret *key, struct err *err)
{
    char name[32];
    settings_file_name(name, prefix, key);
    const int n = snprintf(out, PATH_MAX, "%s/%s%s", s->folder, name, suffix);
    return (n > 0 && n < PATH_MAX) || err_set(err, ERR_LIMIT, "%s: too long", s->folder);
}

static bool read_sealed(struct bytes *out, const char *path, const struct secret *key,
                        struct arena *arena, struct err *err)
{
    struct bytes sealed;
    if (!file_read(&sealed, path, SETTINGS_MAX + SEAL_OVERHEAD, arena, err))
        return false;
    uint8_t *plain = arena_alloc(arena, sealed.len);
    if (plain == NULL)
        return err_set(err, ERR_NO_MEMORY, "%s: too large", path);
    const bool ok = unseal(plain, sealed, secret_open(key).ptr);
    secret_close(key);
    if (!ok)
        return err_set(err, ERR_MALFORMED, "%s: does not open with its key", path);
    *out = bytes_of(plain, sealed.len - SEAL_OVERHEAD);
    return true;
}

// "onion_pk: base64 of the 64-byte expanded ed25519 key"
static void take_reference_onion(struct settings *s, const struct json *object)
{
    uint8_t key[ONION_KEY_LEN + 2]; // room for what base64 pads
    const struct json *enabled = json_get(object, "tor_enabled");
    struct writer w = writer_of(key, sizeof key);
    s->tor_is_set = enabled != NULL && enabled->type != JSON_NULL;
    s->tor_enabled = enabled != NULL && enabled->type == JSON_TRUE;
    if (base64_read(&w, text_of(object, "onion_pk")) && w.len == ONION_KEY_LEN)
        s->tor_enabled = settings_set_onion(s, key) && s->tor_enabled;
    wipe(key, sizeof key);
}

// The reference keeps its master password in clear; the account gets it once it has been hashed, which
// takes a worker (bunker_take_password). The default one is nobody's.
static void take_reference_password(struct settings *s, const struct json *object)
{
    const struct bytes password = text_of(object, "master_pw");
    if (password.len >= PASSWORD_MIN && password.len <= PASSWORD_MAX &&
        !bytes_equal_text(password, "test1234"))
        s->reference_pw = secret_new(password);
}

static void take_reference(struct settings *s, struct bytes text, struct arena *arena)
{
    const struct json *object;
    struct err err;
    if (!json_parse(&object, text, arena, &err))
        return;
    const struct json *reboots = json_get(object, "allow_reboots");
    const struct json *policy = json_get(object, "policy");
    const struct json *easy = json_get(object, "easy_captcha");
    s->easy_captcha = easy != NULL && easy->type == JSON_TRUE;
    s->allow_reboots = reboots == NULL || reboots->type != JSON_FALSE;
    if (policy != NULL && policy->type == JSON_OBJECT)
        settings_set_policy(s, policy->text);
    (void)copy_text(s->xfp, sizeof s->xfp, text_of(object, "xfp"));
    (void)copy_text(s->serial, sizeof s->serial, text_of(object, "serial"));
    take_reference_onion(s, object);
    take_reference_password(s, object);
}

bool settings_open(struct settings *s, struct secret *key, struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(SETTINGS_ARENA);
    char path[PATH_MAX];
    struct bytes text;
    bool ok = path_of(path, s, "cm", "", key, err);
    const bool found = ok && read_sealed(&text, path, key, arena, err);
    ok = found ? settings_read(s, text, arena, err) : ok && err->code == ERR_NOT_FOUND;
    if (!ok) {
        secret_free(key);
        return false;
    }
    secret_free(s->key);
    s->key = key;
    s->loaded = true;
    if (!found && path_of(path, s, "bp", "", key, err) && read_sealed(&text, path, key, arena, err))
        take_reference(s, text, arena);
    return true;
}

bool settings_save(const struct settings *s, struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(SETTINGS_ARENA);
    char path[PATH_MAX], before[PATH_MAX];
    struct writer w = writer_growing(arena, SETTINGS_MAX);
    struct bytes plain;
    if (s->key == NULL)
        return err_set(err, ERR_STATE, "no key");
    settings_write(&w, s);
    if (!writer_finish(&w, &plain))
        return err_set(err, ERR_LIMIT, "the settings are too large");
    uint8_t *sealed = arena_alloc(arena, plain.len + SEAL_OVERHEAD);
    if (sealed == NULL || !path_of(path, s, "cm", "", s->key, err) ||
        !path_of(before, s, "cm", ".old", s->key, err))
        return sealed != NULL || err_set(err, ERR_NO_MEMORY, "the settings are too large");
    if (mkdir(s->folder, 0700) != 0 && errno != EEXIST)
        return err_set_errno(err, errno, "%s", s->folder);
    seal(sealed, plain, secret_open(s->key).ptr);
    secret_close(s->key);
    (void)unlink(before);
    if (link(path, before) != 0 && errno != ENOENT)
        return err_set_errno(err, errno, "%s", before);
    return file_replace(path, bytes_of(sealed, plain.len + SEAL_OVERHEAD), 0600, err);
}
