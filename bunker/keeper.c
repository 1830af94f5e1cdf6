#include "bunker/keeper.h"
#include "base/base64.h"
#include "base/file.h"
#include "base/reader.h"
#include "bunker/export.h"
#include "crypto/random.h"
#include <time.h>

#define TOKEN_DAYS_MAX  3650
#define TOTP_SECRET_LEN 20 // RFC 4226: as long as SHA-1's output

static bool read_role(enum role *out, const char *word, struct err *err)
{
    *out = role_of(bytes_of_text(word));
    return *out != ROLE_NONE ||
           err_set(err, ERR_USAGE, "'%s' is none of viewer, operator, admin", word);
}

// --- Tokens ---

static bool print_token(struct settings *s, const char *role_word, int64_t expires_s,
                        struct writer *w, struct err *err)
{
    char text[TOKEN_TEXT_SIZE];
    enum role role;
    if (!read_role(&role, role_word, err) || !settings_add_token(s, role, expires_s, text, err))
        return false;
    writer_printf(w, "%s\n", text);
    wipe(text, sizeof text);
    return true;
}

static bool token_add(struct settings *s, const char *const *args, struct writer *w,
                      struct err *err)
{
    return print_token(s, args[0], 0, w, err);
}

static bool token_add_for(struct settings *s, const char *const *args, struct writer *w,
                          struct err *err)
{
    struct reader r = reader_of(bytes_of_text(args[1]));
    uint32_t days;
    if (!reader_decimal(&r, TOKEN_DAYS_MAX, &days) || !reader_done(&r) || days == 0)
        return err_set(err, ERR_USAGE, "'%s' is no number of days from 1 to %d", args[1],
                       TOKEN_DAYS_MAX);
    return print_token(s, args[0], (int64_t)time(NULL) + (int64_t)days * 86400, w, err);
}

static void write_end(struct writer *w, int64_t expires_s)
{
    const time_t at = (time_t)expires_s;
    struct tm day;
    if (expires_s > 0 && gmtime_r(&at, &day) != NULL)
        writer_printf(w, " until %04d-%02d-%02dT%02d:%02d:%02dZ", day.tm_year + 1900,
                      day.tm_mon + 1, day.tm_mday, day.tm_hour, day.tm_min, day.tm_sec);
}

static bool token_list(struct settings *s, const char *const *args, struct writer *w,
                       struct err *err)
{
    (void)args;
    (void)err;
    for (size_t i = 0; i < s->n_tokens; i++) {
        writer_printf(w, "%s %s", s->tokens[i].id, role_name(s->tokens[i].role));
        write_end(w, s->tokens[i].expires_s);
        writer_text(w, "\n");
    }
    return true;
}

static bool token_revoke(struct settings *s, const char *const *args, struct writer *w,
                         struct err *err)
{
    (void)w;
    for (size_t i = 0; i < s->n_tokens; i++) {
        if (strcmp(s->tokens[i].id, args[0]) != 0)
            continue;
        s->tokens[i] = s->tokens[--s->n_tokens];
        return true;
    }
    return err_set(err, ERR_NOT_FOUND, "there is no token '%s'", args[0]);
}

// --- Accounts ---

static bool account_list(struct settings *s, const char *const *args, struct writer *w,
                         struct err *err)
{
    (void)args;
    (void)err;
    for (size_t i = 0; i < s->n_accounts; i++)
        writer_printf(w, "%s %s%s%s\n", s->accounts[i].name, role_name(s->accounts[i].role),
                      s->accounts[i].password[0] != '\0' ? " password" : "",
                      s->accounts[i].totp_len > 0 ? " totp" : "");
    return true;
}

// A line end behind it is none of it.
static bool read_password(struct bytes *out, struct arena *arena, struct err *err)
{
    if (!file_read_fd(out, STDIN_FILENO, "standard input", 4096, arena, err))
        return false;
    if (out->len > 0 && out->ptr[out->len - 1] == '\n')
        out->len--;
    return true;
}

static bool account_set(struct settings *s, const char *const *args, struct writer *w,
                        struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(65536);
    struct bytes password;
    enum role role;
    (void)w;
    if (!read_role(&role, args[1], err) || !read_password(&password, arena, err))
        return false;
    struct account *a = settings_add_account(s, bytes_of_text(args[0]), role);
    if (a == NULL)
        return err_set(err, ERR_USAGE, "'%s' is no name for an account, or there are %d already",
                       args[0], ACCOUNTS_MAX);
    a->role = role;
    return password_hash(a->password, password, PASSWORD_COST, err);
}

static bool account_remove(struct settings *s, const char *const *args, struct writer *w,
                           struct err *err)
{
    struct account *a = settings_account(s, bytes_of_text(args[0]));
    (void)w;
    if (a == NULL)
        return err_set(err, ERR_NOT_FOUND, "there is no account '%s'", args[0]);
    *a = s->accounts[--s->n_accounts];
    return true;
}

// What an authenticator takes, as a URL and as base32; shown this once.
static bool totp_enrol(struct settings *s, const char *const *args, struct writer *w,
                       struct err *err)
{
    char base32[BASE32_LEN(TOTP_SECRET_LEN) + 1];
    struct account *a = settings_account(s, bytes_of_text(args[0]));
    if (a == NULL)
        return err_set(err, ERR_NOT_FOUND, "there is no account '%s'", args[0]);
    random_bytes(a->totp, TOTP_SECRET_LEN);
    a->totp_len = TOTP_SECRET_LEN;
    a->totp_last = 0;
    struct writer text = writer_of(base32, sizeof base32);
    base32_write(&text, bytes_of(a->totp, a->totp_len));
    writer_u8(&text, 0);
    writer_printf(w, "%s\notpauth://totp/Casemate:%s?secret=%s&issuer=Casemate\n", base32, a->name,
                  base32);
    wipe(base32, sizeof base32);
    return true;
}

// --- Backup ---

static bool settings_export(struct settings *s, const char *const *args, struct writer *w,
                            struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new((size_t)16 << 20);
    struct bytes password;
    (void)args;
    return read_password(&password, arena, err) && export_write(w, s, password, arena, err);
}

static bool settings_import(struct settings *s, const char *const *args, struct writer *w,
                            struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new((size_t)32 << 20);
    struct bytes password, text;
    (void)w;
    return file_read(&text, args[0], EXPORT_MAX, arena, err) &&
           read_password(&password, arena, err) && export_read(s, text, password, arena, err);
}

const struct keeper_command keeper_commands[] = {
    { { "export-settings", "" }, 0, false, settings_export },
    { { "import-settings", "" }, 1, true, settings_import },
    { { "token", "add" }, 1, true, token_add },
    { { "token", "add" }, 2, true, token_add_for },
    { { "token", "list" }, 0, false, token_list },
    { { "token", "revoke" }, 1, true, token_revoke },
    { { "account", "list" }, 0, false, account_list },
    { { "account", "set" }, 2, true, account_set },
    { { "account", "remove" }, 1, true, account_remove },
    { { "totp", "enrol" }, 1, true, totp_enrol },
};
const size_t n_keeper_commands = COUNT(keeper_commands);
