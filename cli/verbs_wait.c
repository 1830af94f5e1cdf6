// wait, status: requests that another run has started. Source: cli.md 7.1.
#include "base/hex.h"
#include "base/reader.h"
#include "cli/collect.h"
#include "cli/signed_result.h"
#include "cli/verbs.h"
#include "cli/wallet_query.h"

// --- wait ---

static bool wait_sign(struct cli *cli, struct err *err)
{
    struct signed_result result = { .cli = cli, .out = cli->o->outfile };
    return collect_file(cli, &result.content, REQUEST_STOK, err) &&
           signed_result_guess(&result, err) && signed_result_put(&result, err);
}

static bool wait_msg(struct cli *cli, struct err *err)
{
    const struct collect_message unknown = { .path = NULL };
    struct reply smrx;
    return collect_answer(cli, &smrx, REQUEST_SMOK, REPLY_SMRX, err) &&
           collect_put_message(cli, &smrx, &unknown, err);
}

static bool wait_backup(struct cli *cli, struct err *err)
{
    struct bytes backup;
    const char *path;
    return collect_backup_path(cli, &path, err) && collect_file(cli, &backup, REQUEST_BKOK, err) &&
           collect_put_backup(cli, backup, path, err);
}

static bool wait_pass(struct cli *cli, struct err *err)
{
    struct reply reply;
    return collect_answer(cli, &reply, REQUEST_PWOK, REPLY_ASCI, err) &&
           collect_put_wallet(cli, reply.data, err);
}

static bool wait_multisig(struct cli *cli, struct err *err)
{
    struct wallet_query q;
    return (wallet_query_from_token(&q, cli->token) ||
            err_set(err, ERR_USAGE, "'%s' is no token", cli->token)) &&
           wallet_query_watch(cli, &q, err);
}

// The answer to these changes nothing that can be looked at, but that the question goes away.
static bool wait_screen(struct cli *cli, struct err *err)
{
    struct wallet_query unknown = { .is_known = false };
    return wallet_query_watch(cli, &unknown, err);
}

// What a token begins with, up to a colon.
static const struct {
    const char *name;
    bool (*run)(struct cli *cli, struct err *err);
} kinds[] = {
    { "sign", wait_sign },
    { "msg", wait_msg },
    { "backup", wait_backup },
    { "pass", wait_pass },
    { "hsm-start", hsm_start_watch },
    { "multisig", wait_multisig },
    { "restore", restore_watch },
    { "miniscript", wait_screen },
};

static bool run_wait(struct cli *cli, struct err *err)
{
    const char *token = cli->line.n_words > 0 ? cli->line.words[0] : "sign";
    const size_t len = strcspn(token, ":");
    for (size_t i = 0; i < COUNT(kinds); i++) {
        if (strlen(kinds[i].name) != len || strncmp(kinds[i].name, token, len) != 0)
            continue;
        if (!cli_connect(cli, err))
            return false;
        cli->token = token;
        cli->request_is_pending = true;
        return kinds[i].run(cli, err);
    }
    return err_set(err, ERR_USAGE,
                   "'%s' is no token of a request: sign, msg, backup, pass, hsm-start, "
                   "multisig, miniscript, restore",
                   token);
}
static const struct option wait_options[] = {
    TEXT('o', "outfile", "FILE", outfile, "file for the result of sign or backup"),
    TEXT('d', "outdir", "DIR", outdir, "folder for a backup"),
    FLAG(0, "force", force, "replace a backup's file that is there already"),
    FLAG('x', "hex", hex, "result of sign in hex"),
    FLAG('6', "base64", base64, "result of sign in base64"),
    FLAG('j', "just-sig", just_signature, "of a message, only the signature"),
    TEXT(0, "expect-xfp", "XFP", expect_xfp, "fail if a passphrase opened another wallet"),
    FLAG('v', "verbose", verbose, "of a passphrase's wallet, the master key"),
};
const struct verb verb_wait = {
    "wait",
    "[TOKEN]",
    0,
    1,
    "Wait for the answer to a request that was started before, and fetch its result",
    "TOKEN is what --no-wait printed, by default sign. A result is given out once, and in HSM "
    "mode\n"
    "only to the run that asked for it. With --timeout 0 it looks once.\n",
    OPTIONS(wait_options),
    0,
    run_wait
};

// --- status ---

static void put_line(struct cli *cli, const char *label, const char *key, struct bytes value)
{
    cli_print(cli, "%-10s %.*s\n", label, BYTES_ARG(value));
    cli_text(cli, key, value);
}

static const char *hsm_state(const struct hsm_status *status)
{
    if (status->active)
        return "active";
    if (status->approval_wait)
        return "asks whether to start";
    return status->policy_available ? "not active; a policy is stored" : "not active";
}

static void put_counter(struct cli *cli, const char *label, const char *key, uint64_t value)
{
    cli_print(cli, "%-10s %llu\n", label, (unsigned long long)value);
    cli_number(cli, key, value);
}

static void put_hsm(struct cli *cli, const struct hsm_status *status)
{
    put_line(cli, "HSM mode", "hsm", bytes_of_text(hsm_state(status)));
    if (!status->active)
        return;
    put_line(cli, "policy", "policy_hash", status->policy_hash);
    put_counter(cli, "approved", "approvals", status->approvals);
    put_counter(cli, "refused", "refusals", status->refusals);
    put_counter(cli, "queued", "pending_auth", status->pending_auth);
    if (status->last_refusal.len > 0)
        put_line(cli, "last", "last_refusal", status->last_refusal);
}

static bool put_version(struct cli *cli, struct err *err)
{
    const struct request request = { .id = REQUEST_VERS };
    struct bytes line = { 0 };
    struct reply reply;
    if (!cli_call(cli, &reply, REPLY_ASCI, &request, err))
        return false;
    struct reader r = reader_of(reply.data);
    // NOLINTNEXTLINE(misc-redundant-expression): date, then version
    if (!reader_until(&r, '\n', &line) || !reader_until(&r, '\n', &line))
        line = BYTES("unknown");
    put_line(cli, "firmware", "version", line);
    return true;
}

static bool put_chain(struct cli *cli, struct err *err)
{
    const struct request request = { .id = REQUEST_BLKC };
    struct reply reply;
    if (!cli_call(cli, &reply, REPLY_ASCI, &request, err))
        return false;
    put_line(cli, "chain", "chain", reply.data);
    return true;
}

static void put_identity(struct cli *cli)
{
    const struct connection_identity *id = connection_identity(cli->connection);
    char text[2 * sizeof id->xfp + 1];
    put_line(cli, "serial", "serial", bytes_of_text(id->serial));
    put_line(cli, "link", "transport", bytes_of_text(id->transport));
    hex_encode_upper(text, BYTES_OF(id->xfp));
    put_line(cli, "xfp", "xfp", id->has_seed ? bytes_of_text(text) : BYTES("no seed"));
}

// "HSM commands disabled" and a device that knows no HSM mode are states, not failures.
static bool run_status(struct cli *cli, struct err *err)
{
    struct hsm_status status;
    if (!cli_connect(cli, err))
        return false;
    put_identity(cli);
    if (!put_version(cli, err) || !put_chain(cli, err))
        return false;
    if (cli_status(cli, &status, err)) {
        put_hsm(cli, &status);
        return true;
    }
    if (err->code != ERR_INVALID)
        return false;
    put_line(cli, "HSM mode", "hsm", BYTES("not available"));
    return true;
}
const struct verb verb_status = {
    "status",
    "",
    0,
    0,
    "Show at a glance which device answers, and its HSM mode",
    "Disturbs no request: whether one is answered, only 'wait' can tell, as it takes the result.\n",
    NO_OPTIONS,
    0,
    run_status
};
