// HSM mode: cli.md 3.16, 3.17, 3.21, 7.4.
#include "base/file.h"
#include "cli/approval.h"
#include "cli/python_dump.h"
#include "cli/sorted_json.h"
#include "cli/verbs.h"

#define POLICY_FILE_LIMIT 200000 // bytes: wire-protocol.md 8.10
#define QUESTION_MS       3000   // by then a device shows its question

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

struct start {
    struct hsm_status status;
    bool was_asked;
};

// "hsts only", as a poll would disturb it.
static bool look(struct cli *cli, void *context, int64_t waited_ms, enum approval *out,
                 struct err *err)
{
    struct start *start = context;
    const struct hsm_status *status = &start->status;
    if (!cli_status(cli, &start->status, err))
        return false;
    start->was_asked = start->was_asked || status->approval_wait;
    if (status->active)
        *out = APPROVAL_AGREED;
    else if (status->approval_wait)
        *out = APPROVAL_OPEN;
    else if (start->was_asked)
        *out = APPROVAL_REFUSED;
    else
        *out = waited_ms < QUESTION_MS ? APPROVAL_OPEN : APPROVAL_UNKNOWN;
    return true;
}

bool hsm_start_watch(struct cli *cli, struct err *err)
{
    struct start start = { .was_asked = false };
    enum approval state;
    if (!approval_watch(cli, look, &start, &state, err))
        return false;
    if (state == APPROVAL_AGREED) {
        cli->request_is_pending = false;
        cli_print(cli, "HSM mode is active, policy hash %.*s\n",
                  BYTES_ARG(start.status.policy_hash));
        cli_text(cli, "state", BYTES("active"));
        cli_text(cli, "policy_hash", start.status.policy_hash);
        return true;
    }
    return approval_report(cli, state, "the policy", err);
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
    if (cli->o->dry_run)
        return policy_check_run(cli, err);
    if (cli->line.n_words > 0 &&
        !file_read(&policy, cli->line.words[0], POLICY_FILE_LIMIT, cli->arena, err))
        return false;
    if (cli->line.n_words > 0 && policy.len == 0)
        return err_set(err, ERR_MALFORMED, "%s: no policy in it", cli->line.words[0]);
    if (!cli_connect(cli, err) || !start_hsm(cli, policy, err))
        return false;
    if (cli->o->compat) {
        cli_print(cli, "Approve HSM policy on Coldcard screen.\n");
        cli_text(cli, "state", BYTES("started"));
        return true;
    }
    return cli->o->no_wait ? cli_put_token(cli, "hsm-start") : hsm_start_watch(cli, err);
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
    "get-locker",  "", 0, 0, "Read the storage locker", NULL, NO_OPTIONS, VERB_NOT_OVER_LINK,
    run_get_locker
};
