// Credentials for the next transaction: cli.md 3.19, 3.20.
#include "cli/prompt.h"
#include "cli/psbt_input.h"
#include "cli/verbs.h"
#include "client/codes.h"
#include "policy/users.h"

#define TOKEN_DIGITS 6
#define EDGE_S       5 // "warn when fewer than 5 s of the slot remain"

struct credential {
    struct bytes name;
    uint32_t totp_time; // 0 for passwords
    uint8_t token[32];
    size_t token_len;
};

static void credential_wipe(struct credential *c)
{
    wipe(c, sizeof *c);
}

// --- One-time codes ---

static bool is_code(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
    return text.len == TOKEN_DIGITS;
}

static void warn_of_edge(struct cli *cli, unsigned left_s)
{
    // The reference warns at the safe end of the slot.
    if (cli->o->compat && left_s > CODES_STEP_S - EDGE_S)
        cli_print(cli, "NOTE: TOTP was on edge of expiry limit! Might not work.\n");
    if (left_s < EDGE_S)
        cli_note(cli, "This code's time is over in %u s; the device takes it for another minute.",
                 left_s);
}

static bool take_code(struct cli *cli, struct credential *c, struct err *err)
{
    struct bytes code = bytes_of_text(cli->line.n_words > 1 ? cli->line.words[1] : NULL);
    unsigned left_s;
    if (cli->line.n_words < 2 && !prompt_text(&code, cli, "2FA Token (6 digits): ", err))
        return false;
    if (!is_code(code))
        return err_set(err, ERR_USAGE, "2FA Token must be 6 decimal digits");
    memcpy(c->token, code.ptr, code.len);
    c->token_len = code.len;
    c->totp_time = codes_totp_step(cli->clock.wall_s(&cli->clock), &left_s);
    warn_of_edge(cli, left_s);
    return true;
}

// --- Passwords ---

static bool take_password(struct cli *cli, struct secret **out, struct err *err)
{
    const char *psbt = cli->o->psbt_file;
    const bool stdin_is_taken = psbt != NULL && strcmp(psbt, "-") == 0;
    if (cli->line.n_words > 1) {
        *out = prompt_argument(cli, "password", cli->line.words[1]);
        return true;
    }
    return prompt_secret(out, cli, "Password (hidden): ", stdin_is_taken ? PROMPT_STDIN_TAKEN : 0,
                         err);
}

// The device's own, or that of the device which the user came from by a backup: policy.md D33. A device
// that gives no status has no such users.
static struct bytes salt_serial(struct cli *cli, struct bytes user)
{
    struct hsm_status status;
    struct err unimportant;
    const struct bytes other = cli_status(cli, &status, &unimportant)
                                   ? hsm_status_salt_serial(&status, user)
                                   : (struct bytes){ 0 };
    return other.len > 0 ? other : bytes_of_text(connection_identity(cli->connection)->serial);
}

static void make_token(struct cli *cli, struct credential *c, const struct secret *password,
                       const struct hash256 *psbt_hash)
{
    uint8_t key[32];
    const struct bytes serial = salt_serial(cli, c->name);
    user_password_secret(key, secret_open(password), serial, cli->o->version3);
    secret_close(password);
    user_password_token(c->token, key, psbt_hash);
    c->token_len = sizeof c->token;
    wipe(key, sizeof key);
}

// --- auth ---

// In HSM mode nothing is looked at before the next transaction; only the status tells which it was.
static const char *state_of(struct cli *cli)
{
    struct hsm_status status;
    struct err unimportant;
    return cli_status(cli, &status, &unimportant) && !status.active ? "accepted" : "queued";
}

static bool report(struct cli *cli, const struct credential *c, struct bytes problem,
                   struct err *err)
{
    if (problem.len == 0) {
        cli_print(cli, "Correct or queued\n");
        cli_text(cli, "username", c->name);
        if (cli->o->json)
            cli_text(cli, "state", bytes_of_text(state_of(cli)));
        return true;
    }
    if (cli->o->compat && !cli->o->json) { // exit 0: cli.md 1.3
        cli_print(cli, "Problem: %.*s\n", BYTES_ARG(problem));
        return true;
    }
    return cli_fail(cli, EXIT_REJECTED_CREDENTIAL, err, ERR_AUTH, "Problem: %.*s",
                    BYTES_ARG(problem));
}

static bool send(struct cli *cli, const struct credential *c, struct err *err)
{
    const struct request request = {
        .id = REQUEST_USER, .user = { c->totp_time, c->name, bytes_of(c->token, c->token_len) }
    };
    struct reply reply;
    if (cli->o->debug) // the token is not shown: it would be good for a transaction
        cli_note(cli, "username=%.*s totp_time=%u token of %zu bytes", BYTES_ARG(c->name),
                 (unsigned)c->totp_time, c->token_len);
    cli->stage = STAGE_DEVICE;
    if (!connection_exchange(cli->connection, &reply, &request, cli->arena, err))
        return false;
    if (reply.id != REPLY_OKAY && reply.id != REPLY_ASCI)
        return err_set(err, ERR_FRAMING, "expected asci, got %s", reply_code(reply.id));
    return report(cli, c, reply.id == REPLY_ASCI ? reply.data : (struct bytes){ 0 }, err);
}

static bool run_auth(struct cli *cli, struct err *err)
{
    const bool by_password =
        cli->o->password || cli->o->psbt_file != NULL || cli->o->message != NULL;
    AUTO(credential_wipe)
    struct credential c = { .name = bytes_of_text(cli->line.words[0]) };
    AUTO(secret_freep) struct secret *password = NULL;
    struct hash256 psbt_hash = { { 0 } }; // "32 zero bytes": a dry run
    struct bytes psbt;
    if (cli->o->psbt_file != NULL) {
        if (!psbt_input_read(cli, &psbt, cli->o->psbt_file, err))
            return false;
        psbt_hash = codes_sha256(psbt);
    } else if (cli->o->message != NULL) {
        psbt_hash = codes_sha256(bytes_of_text(cli->o->message)); // for msg_users [EXT]
    }
    if (by_password ? !take_password(cli, &password, err) : !take_code(cli, &c, err))
        return false;
    if (!cli_connect(cli, err))
        return false;
    if (by_password)
        make_token(cli, &c, password, &psbt_hash);
    return send(cli, &c, err);
}

static const struct option auth_options[] = {
    TEXT('f', "psbt-file", "FILE", psbt_file, "a password, bound to the PSBT that will be signed"),
    TEXT(0, "message", "TEXT", message, "likewise, bound to the text that will be signed"),
    FLAG('p', "password", password, "a password; without -f good for dry runs only"),
    FLAG('d', "debug", debug, "show what is sent, without the token"),
    FLAG('3', "version3", version3, "hash the password as firmware before 4 wants it"),
    NUMBER(0, "password-fd", "N", password_fd, 0, 1023, "read the password from this descriptor"),
    TEXT(0, "password-file", "FILE", password_file, "read the password from this file"),
};
const struct verb verb_auth = {
    "auth",
    "USERNAME [TOKEN]",
    1,
    2,
    "Offer a user's code or password for the next transaction",
    "TOKEN is the code of 6 digits, or with -f or -p the password; it is asked for if it is left\n"
    "out. In HSM mode it is looked at when the transaction is, not before.\n",
    OPTIONS(auth_options),
    VERB_PROVES_COMPAT,
    run_auth
};

// --- local-conf ---

static bool ask_next_code(struct cli *cli, struct bytes *out, struct err *err)
{
    struct hsm_status status;
    if (!cli_connect(cli, err) || !cli_status(cli, &status, err))
        return false;
    if (!status.active) {
        (void)cli_compat_raise(cli, "AssertionError: Coldcard not in HSM mode");
        return err_set(err, ERR_STATE, "the device is not in HSM mode");
    }
    if (status.next_local_code.len == 0) {
        (void)cli_compat_raise(cli, "KeyError: 'next_local_code'");
        return err_set(err, ERR_STATE, "no rule of the policy asks for a local code");
    }
    *out = status.next_local_code;
    return true;
}

static bool run_local_conf(struct cli *cli, struct err *err)
{
    char code[OTP_TEXT_SIZE];
    struct bytes psbt, next = bytes_of_text(cli->o->next);
    if (!psbt_input_read(cli, &psbt, cli->line.words[0], err))
        return false;
    const struct hash256 hash = codes_sha256(psbt);
    if (cli->o->next == NULL && !ask_next_code(cli, &next, err))
        return false;
    if (!codes_local(code, next, &hash, err))
        return cli->o->next != NULL ? err_within(err, "--next")
                                    : err_set(err, ERR_FRAMING, "hsts: %s", err->text);
    if (cli->o->compat)
        cli_print(cli, "Local authorization code is:\n\n\t%s\n\n", code);
    else
        cli_print(cli, "%s\n", code);
    cli_text(cli, "code", bytes_of_text(code));
    cli_hex(cli, "psbt_sha256", BYTES_OF(hash.b));
    cli_text(cli, "next_local_code", next);
    return true;
}
static const struct option local_conf_options[] = {
    TEXT('n', "next", "CODE", next,
         "next_local_code of the status report, so that no device is asked"),
};
const struct verb verb_local_conf = {
    "local-conf",
    "PSBT_FILE",
    1,
    1,
    "Work out the six digits for the device's keypad",
    "The code changes with every transaction: fetch it again after a refusal.\n",
    OPTIONS(local_conf_options),
    VERB_PROVES_COMPAT,
    run_local_conf
};
