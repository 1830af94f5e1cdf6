// HSM mode: cli.md 3.16, 3.17, 3.21, 7.4.
#include "base/file.h"
#include "cli/python_dump.h"
#include "cli/sorted_json.h"
#include "cli/verbs.h"

#define POLICY_FILE_LIMIT 200000 // bytes: wire-protocol.md 8.10
#define WATCH_MS          250
#define QUESTION_MS       3000 // by then a device shows its question

// --- hsm ---

static bool run_hsm(struct cli *cli, struct err *err)
{
    struct hsm_status status;
    if (!cli_connect(cli, err) || !cli_status(cli, &status, err))
        return false;
    const bool ok = cli->o->compat ? python_dump_write(&cli->text, status.object, cli->arena)
                                   : sorted_json_write(&cli->text, status.object, cli->arena);
    if (!ok)
        return err_set(err, ERR_NO_MEMORY, "the status report is too long");
    json_value(&cli->result, status.object); // "the device's object unchanged"
    return true;
}
const struct verb verb_hsm = {
    "hsm", "", 0, 0, "Show the HSM status report", NULL, NO_OPTIONS, VERB_PROVES_COMPAT, run_hsm
};

// --- hsm-start ---

// How the start question ended: "hsts only", as a poll would disturb it.
enum start_state { START_OPEN, START_AGREED, START_REFUSED, START_UNKNOWN };

static enum start_state state_of(const struct hsm_status *status, bool was_asked, int64_t waited_ms)
{
    if (status->active)
        return START_AGREED;
    if (status->approval_wait)
        return START_OPEN;
    if (was_asked)
        return START_REFUSED;
    return waited_ms < QUESTION_MS ? START_OPEN : START_UNKNOWN;
}

static bool watch(struct cli *cli, struct hsm_status *status, enum start_state *state,
                  struct err *err)
{
    const struct progress progress = cli_progress(cli);
    const int64_t start_ms = wait_now_ms(), limit_ms = cli_wait_limit_ms(cli);
    bool was_asked = false;
    for (;;) {
        if (!cli_status(cli, status, err))
            return false;
        const int64_t waited_ms = wait_now_ms() - start_ms;
        was_asked = was_asked || status->approval_wait;
        *state = state_of(status, was_asked, waited_ms);
        if (*state != START_OPEN)
            return true;
        if (limit_ms >= 0 && waited_ms >= limit_ms)
            return err_set(err, ERR_PENDING, "nobody has decided within %d s",
                           (int)(limit_ms / 1000));
        if (progress.report != NULL)
            progress.report(progress.context, TRANSFER_WAIT, (uint64_t)waited_ms, 0);
        if (!connection_pause(cli->connection, WATCH_MS, err))
            return false;
    }
}

static bool report_start(struct cli *cli, const struct hsm_status *status, enum start_state state,
                         struct err *err)
{
    cli->request_is_pending = false;
    if (state == START_REFUSED)
        return err_set(err, ERR_REFUSED, "the operator did not agree to the policy");
    if (state == START_UNKNOWN)
        return cli_fail(cli, EXIT_PENDING, err, ERR_PENDING,
                        "the device neither asks nor is in HSM mode; see its screen");
    cli_print(cli, "HSM mode is active, policy hash %.*s\n", BYTES_ARG(status->policy_hash));
    cli_text(cli, "state", BYTES("active"));
    cli_text(cli, "policy_hash", status->policy_hash);
    return true;
}

static bool start_hsm(struct cli *cli, struct bytes policy, struct err *err)
{
    struct request request = { .id = REQUEST_HSMS };
    if (policy.len > 0) {
        cli_compat_note(cli, "%zu bytes (start @ 0) to send from '%s'\n", policy.len,
                        cli->line.words[0]);
        cli_compat_print(cli, "Uploading\n");
    }
    return cli_start(cli, policy, &request, err);
}

static bool run_hsm_start(struct cli *cli, struct err *err)
{
    struct bytes policy = { 0 };
    struct hsm_status status = { 0 };
    enum start_state state = START_UNKNOWN;
    if (cli->o->dry_run)
        return policy_check_run(cli, err);
    if (cli->line.n_words > 0 &&
        !file_read(&policy, cli->line.words[0], POLICY_FILE_LIMIT, cli->arena, err))
        return false;
    if (cli->line.n_words > 0 && policy.len == 0)
        return err_set(err, ERR_MALFORMED, "%s: no policy in it", cli->line.words[0]);
    if (!cli_connect(cli, err) || !start_hsm(cli, policy, err))
        return false;
    if (cli->o->compat || cli->o->no_wait) {
        cli_print(cli, "Approve HSM policy on Coldcard screen.\n");
        cli_text(cli, "state", BYTES("started"));
        return true;
    }
    return watch(cli, &status, &state, err) && report_start(cli, &status, state, err);
}
static const struct option hsm_start_options[] = {
    FLAG('n', "dry-run", dry_run, "only check the file, as 'policy check' does"),
    TEXT(0, "users", "NAMES", users, "with -n: the users there are, separated by commas"),
    TEXT(0, "wallets", "NAMES", wallets, "with -n: the multisig wallets there are"),
    TEXT(0, "chain", "CODE", chain, "with -n: BTC, XTN or XRT"),
};
const struct verb verb_hsm_start = {
    "hsm-start",
    "[POLICY]",
    0,
    1,
    "Start HSM mode, with a new policy or the stored one",
    "Waits until the operator has agreed or refused on the device.\n",
    OPTIONS(hsm_start_options),
    VERB_PROVES,
    run_hsm_start
};

// --- get-locker ---

static bool run_get_locker(struct cli *cli, struct err *err)
{
    const struct request request = { .id = REQUEST_GSLR };
    struct reply reply;
    if (!cli_connect(cli, err) || !cli_call(cli, &reply, REPLY_BINY, &request, err))
        return false;
    cli_print_bytes(cli, reply.data);
    cli_print(cli, "\n");
    cli_hex(cli, "hex", reply.data);
    return true;
}
const struct verb verb_get_locker = {
    "get-locker", "", 0, 0, "Read the storage locker", NULL, NO_OPTIONS, 0, run_get_locker
};
