// Requests that a person or a policy decides: cli.md 7.4.
#include "base/require.h"
#include "cli/cli.h"

#define BUSY_PAUSE_MS 1000 // "with --timeout, retry every second"

int64_t cli_wait_limit_ms(const struct cli *cli)
{
    if (cli->o->no_wait)
        return 0;
    if (cli->o->timeout.is_set)
        return (int64_t)cli->o->timeout.value * 1000;
    return cli->stderr_is_terminal ? TRANSFER_WAIT_NO_END : (int64_t)CLI_WAIT_S * 1000;
}

static bool start_once(struct cli *cli, struct bytes content, struct request *start,
                       struct err *err)
{
    const struct progress progress = cli_progress(cli);
    struct reply reply;
    if (content.len == 0)
        return cli_call(cli, &reply, REPLY_OKAY, start, err);
    return transfer_start(cli->connection, content, start, &progress, err);
}

bool cli_start(struct cli *cli, struct bytes content, struct request *start, struct err *err)
{
    const int64_t start_ms = wait_now_ms();
    const int64_t patience_ms = cli->o->timeout.is_set ? cli_wait_limit_ms(cli) : 0;
    cli->stage = STAGE_DEVICE;
    while (!start_once(cli, content, start, err)) {
        struct err stop;
        if (err->code != ERR_BUSY || wait_now_ms() - start_ms >= patience_ms)
            return false;
        if (!connection_pause(cli->connection, BUSY_PAUSE_MS, &stop)) {
            *err = stop;
            return false;
        }
    }
    cli->request_is_pending = true;
    return true;
}

// "After a refusal in HSM mode read `hsts` once": whoever refused, the error is a refusal.
static void look_up_refusal(struct cli *cli)
{
    struct hsm_status status;
    struct err unimportant;
    if (!cli_status(cli, &status, &unimportant) || !status.active)
        return;
    cli->exit = EXIT_REFUSED_BY_POLICY;
    cli->last_refusal = arena_text(cli->arena, status.last_refusal);
    if (!hsm_refusal_consumed(status.last_refusal))
        return;
    // Hidden users may have sent something as well.
    cli->credentials_are_used_up = status.users == NULL || status.users->n_items > 0;
    cli->local_code_is_used_up = status.next_local_code.len > 0;
}

static bool report_wait(struct cli *cli, const struct err *err)
{
    if (err->code == ERR_REFUSED || err->code == ERR_INVALID) // or it failed on the device
        cli->request_is_pending = false;
    if (err->code == ERR_REFUSED)
        look_up_refusal(cli);
    return false;
}

bool cli_wait(struct cli *cli, struct reply *out, enum request_id poll, enum reply_id expected,
              struct err *err)
{
    const struct progress progress = cli_progress(cli);
    cli->stage = STAGE_DEVICE;
    if (!transfer_wait(cli->connection, out, poll, expected, cli_wait_limit_ms(cli), cli->arena,
                       &progress, err))
        return report_wait(cli, err);
    cli->request_is_pending = false;
    return true;
}
