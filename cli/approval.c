#include "cli/approval.h"

#define WATCH_MS 250

bool approval_watch(struct cli *cli, approval_look *look, void *context, enum approval *out,
                    struct err *err)
{
    const struct progress progress = cli_progress(cli);
    const int64_t start_ms = wait_now_ms(), limit_ms = cli_wait_limit_ms(cli);
    for (;;) {
        const int64_t waited_ms = wait_now_ms() - start_ms;
        if (!look(cli, context, waited_ms, out, err))
            return false;
        if (*out != APPROVAL_OPEN)
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

bool approval_screen_is_free(struct cli *cli, bool *is_free, struct err *err)
{
    const struct request probe = { .id = REQUEST_UPLD, .upld = { .offset = 0, .total = 1 } };
    struct reply reply;
    cli->stage = STAGE_DEVICE;
    *is_free = true;
    if (connection_exchange(cli->connection, &reply, &probe, cli->arena, err) ||
        err->code == ERR_INVALID)
        return true;
    *is_free = false;
    return err->code == ERR_BUSY;
}

bool approval_report(struct cli *cli, enum approval state, const char *what, struct err *err)
{
    cli->request_is_pending = false;
    switch (state) {
    case APPROVAL_AGREED:
        cli_text(cli, "state", BYTES("agreed"));
        return true;
    case APPROVAL_REFUSED:
        return err_set(err, ERR_REFUSED, "the operator did not agree to %s", what);
    case APPROVAL_OPEN:
    case APPROVAL_UNKNOWN:
        break;
    }
    return cli_fail(cli, EXIT_PENDING, err, ERR_PENDING,
                    "the device does not tell whether the operator agreed to %s; see its screen",
                    what);
}
