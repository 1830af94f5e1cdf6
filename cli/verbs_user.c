// HSM users: cli.md 3.18.
#include "base/base64.h"
#include "cli/prompt.h"
#include "cli/qr.h"
#include "cli/verbs.h"
#include "policy/users.h"

#define SECRET_LEN 32

// A secret to be sent with `nwur`; no bytes: the device picks one.
struct new_secret {
    uint8_t b[SECRET_LEN];
    size_t len;
};

static void new_secret_wipe(struct new_secret *s)
{
    wipe(s, sizeof *s);
}

// "-" asks for it, so that nobody else sees it.
static bool read_totp_text(struct secret **out, struct cli *cli, struct err *err)
{
    if (strcmp(cli->o->totp_secret, "-") == 0)
        return prompt_secret(out, cli, "Secret in base32 (hidden): ", 0, err);
    *out = prompt_argument(cli, "secret", cli->o->totp_secret);
    return true;
}

// "TOTP secret, 10 or 20 bytes; wins over everything"
static bool read_totp_secret(struct new_secret *out, struct cli *cli, struct err *err)
{
    AUTO(secret_freep) struct secret *text = NULL;
    if (!read_totp_text(&text, cli, err))
        return false;
    struct writer w = writer_of(out->b, sizeof out->b);
    const bool ok = base32_read(&w, bytes_trim(secret_open(text)));
    secret_close(text);
    out->len = w.len;
    if (!ok || (w.len != 10 && w.len != 20))
        return err_set(err, ERR_USAGE, "--totp-secret: not 10 or 20 bytes in base32");
    return true;
}

static bool read_password(struct secret **out, struct cli *cli, struct err *err)
{
    if (cli->o->text_secret != NULL) {
        *out = prompt_argument(cli, "password", cli->o->text_secret);
        return true;
    }
    return prompt_secret(out, cli, "Password (hidden): ", PROMPT_TWICE, err);
}

static bool wants_password(const struct options *o)
{
    return o->ask_password || o->text_secret != NULL;
}

static unsigned mode_of(const struct options *o)
{
    if (o->totp_secret != NULL)
        return NWUR_TOTP;
    if (wants_password(o) || o->pick_password)
        return NWUR_HMAC;
    return o->hotp ? NWUR_HOTP : NWUR_TOTP;
}

// The password itself never crosses the link: the key depends on the device's serial number.
static void derive(struct new_secret *out, const struct cli *cli, const struct secret *password)
{
    user_password_secret(out->b, secret_open(password),
                         bytes_of_text(connection_identity(cli->connection)->serial), false);
    secret_close(password);
    out->len = SECRET_LEN;
}

static const char *mode_name(unsigned mode)
{
    return mode == NWUR_HMAC ? "password" : mode == NWUR_HOTP ? "hotp" : "totp";
}

// What the device picked: a password, or the secret that an authenticator takes.
static bool put_picked(struct cli *cli, unsigned mode, struct bytes name, struct bytes picked,
                       struct err *err)
{
    if (picked.len == 0)
        return true;
    if (mode == NWUR_HMAC) {
        cli_print(cli, "%.*s\n", BYTES_ARG(picked));
        cli_text(cli, "password", picked);
        return true;
    }
    struct writer w = writer_growing(cli->arena, 1024);
    writer_printf(&w, "otpauth://%s/%.*s?secret=%.*s&issuer=Coldcard%%20%s", mode_name(mode),
                  BYTES_ARG(name), BYTES_ARG(picked), connection_identity(cli->connection)->serial);
    cli_print(cli, "%.*s\n", BYTES_ARG(writer_bytes(&w)));
    cli_text(cli, "otpauth", writer_bytes(&w));
    return !cli->o->qr || qr_put(cli, writer_bytes(&w), err);
}

static bool add_user(struct cli *cli, struct bytes name, const struct new_secret *secret,
                     struct err *err)
{
    const unsigned mode = mode_of(cli->o);
    const bool picks = secret->len == 0;
    const bool shows = picks && !cli->o->show_url; // on its own screen
    const struct request request = { .id = REQUEST_NWUR,
                                     .nwur = { (uint8_t)(mode | (shows ? NWUR_SHOW_SECRET : 0)),
                                               name, bytes_of(secret->b, secret->len) } };
    struct reply reply;
    cli->hint = picks ? HINT_PICKED_SECRET : HINT_NONE;
    if (!cli_call(cli, &reply, REPLY_ASCI, &request, err))
        return false;
    if (!bytes_is_printable_ascii(reply.data))
        return err_set(err, ERR_FRAMING, "nwur: not a secret in text");
    cli_text(cli, "username", name);
    cli_text(cli, "mode", bytes_of_text(mode_name(mode)));
    cli_flag(cli, "created", true);
    if (picks && !shows)
        return put_picked(cli, mode, name, reply.data, err);
    cli_print(cli, "Done\n");
    if (shows)
        cli_note(cli, "The device shows the secret on its screen.");
    return true;
}

static bool delete_user(struct cli *cli, struct bytes name, struct err *err)
{
    const struct request request = { .id = REQUEST_RMUR, .rmur = { name } };
    struct reply reply;
    if (!cli_connect(cli, err) || !cli_call(cli, &reply, REPLY_OKAY, &request, err))
        return false;
    cli_print(cli, "Deleted, if it was there\n");
    cli_text(cli, "username", name);
    cli_flag(cli, "deleted", true);
    return true;
}

// "TOTP secret [...] wins over everything": there a wish for another kind of user is lost.
static bool check_kind(const struct cli *cli, struct err *err)
{
    const struct options *o = cli->o;
    const bool wants_other = o->hotp || o->pick_password || wants_password(o);
    if (o->compat || o->totp_secret == NULL || !wants_other)
        return true;
    return err_set(err, ERR_USAGE, "--totp-secret makes a user of TOTP, and %s asks for another",
                   o->hotp ? "--hotp" : "the option for a password");
}

static bool check_user_options(struct cli *cli, struct err *err)
{
    const size_t len = strlen(cli->line.words[0]);
    // The device wants two characters; only the reference sends it a shorter name.
    if (len < (cli->o->compat ? 1 : USER_NAME_MIN) || len > USER_NAME_MAX) {
        (void)cli_compat_raise(cli, "AssertionError: Username length wrong");
        return err_set(err, ERR_USAGE, "Username length wrong: %d to %d characters", USER_NAME_MIN,
                       USER_NAME_MAX);
    }
    if (cli->o->show_url && (wants_password(cli->o) || cli->o->pick_password))
        return err_set(err, ERR_USAGE, "--show-qr shows the secret of TOTP and HOTP only");
    if (cli->o->qr && !cli->o->show_url)
        return err_set(err, ERR_USAGE, "--qr draws what --show-qr prints: use both");
    if (cli->o->qr && !qr_may_show_secret(cli, err))
        return false;
    return check_kind(cli, err);
}

static bool run_user(struct cli *cli, struct err *err)
{
    const struct bytes name = bytes_of_text(cli->line.words[0]);
    AUTO(new_secret_wipe) struct new_secret secret = { .len = 0 };
    AUTO(secret_freep) struct secret *password = NULL;
    if (!check_user_options(cli, err))
        return false;
    if (cli->o->delete_user)
        return delete_user(cli, name, err);
    if (cli->o->totp_secret != NULL) {
        if (!read_totp_secret(&secret, cli, err))
            return false;
    } else if (wants_password(cli->o) && !read_password(&password, cli, err)) {
        return false;
    }
    if (!cli_connect(cli, err))
        return false;
    if (password != NULL)
        derive(&secret, cli, password);
    return add_user(cli, name, &secret, err);
}

static const struct option user_options[] = {
    FLAG('t', "totp", totp, "codes that change with time, which is the default"),
    FLAG(0, "hotp", hotp, "codes that are counted"),
    FLAG(0, "pass", pick_password, "a password that the device picks"),
    FLAG('a', "ask-pass", ask_password, "a password, asked for twice"),
    TEXT('p', "text-secret", "TEXT", text_secret, "that password, visible to other users"),
    TEXT('s', "totp-secret", "BASE32", totp_secret,
         "TOTP with this secret of 10 or 20 bytes; - asks for it"),
    FLAG('q', "show-qr", show_url, "print the secret that the device picked as a URL"),
    FLAG(0, "qr", qr, "with -q: that URL as a QR code as well, only on a terminal"),
    FLAG('d', "delete", delete_user, "remove the user"),
    NUMBER(0, "password-fd", "N", password_fd, 0, 1023, "read the password from this descriptor"),
    TEXT(0, "password-file", "FILE", password_file, "read the password from this file"),
};
const struct verb verb_user = {
    "user",
    "USERNAME",
    1,
    1,
    "Create or delete a user who can approve in HSM mode",
    "Without a secret the device picks one and shows it on its screen.\n",
    OPTIONS(user_options),
    VERB_PROVES_COMPAT,
    run_user
};

// --- users, wallets ---

static void put_names(struct cli *cli, const struct json *names)
{
    for (const struct json *name = names->items; name != NULL; name = name->next) {
        cli_print_bytes(cli, name->text);
        cli_print(cli, "\n");
    }
    json_value(&cli->result, names);
}

static bool run_users(struct cli *cli, struct err *err)
{
    struct hsm_status status;
    if (!cli_connect(cli, err) || !cli_status(cli, &status, err))
        return false;
    if (status.users == NULL)
        return err_set(err, ERR_STATE, "the policy hides who the users are");
    put_names(cli, status.users);
    return true;
}
const struct verb verb_users = {
    "users", "", 0, 0, "List the users who can approve in HSM mode", NULL, NO_OPTIONS, 0, run_users
};

static bool run_wallets(struct cli *cli, struct err *err)
{
    struct hsm_status status;
    if (!cli_connect(cli, err) || !cli_status(cli, &status, err))
        return false;
    if (status.wallets == NULL)
        return err_set(err, ERR_STATE, "in HSM mode the device does not tell its wallets");
    put_names(cli, status.wallets);
    return true;
}
const struct verb verb_wallets = {
    "wallets", "",         0, 0,          "List the multisig wallets that are enrolled",
    NULL,      NO_OPTIONS, 0, run_wallets
};
