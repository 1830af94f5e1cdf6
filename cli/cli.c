#include "cli/cli.h"
#include "base/require.h"
#include "cli/interrupt.h"
#include "cli/target.h"
#include <stdarg.h>

#define LOCK_MS 5000 // most programs are done with a USB device by then

void cli_init(struct cli *cli)
{
    memset(cli, 0, sizeof *cli);
    cli->o = &cli->line.options;
    cli->arena = arena_new(CLI_ARENA_MAX);
    cli->clock = clock_system();
    cli->cancel_fd = -1;
    cli->text = writer_growing(cli->arena, CLI_OUTPUT_MAX);
    cli->json = writer_growing(cli->arena, CLI_OUTPUT_MAX);
    cli->picture = writer_growing(cli->arena, CLI_OUTPUT_MAX);
    cli->trace.fd = -1;
    cli->result = json_writer_of(&cli->json);
    cli->stdout_is_terminal = isatty(STDOUT_FILENO) != 0;
    cli->stderr_is_terminal = isatty(STDERR_FILENO) != 0;
}

void cli_disconnect(struct cli *cli)
{
    connection_close(cli->connection);
    cli->connection = NULL;
}

void cli_free(struct cli *cli)
{
    cli_disconnect(cli);
    trace_close(&cli->trace);
    interrupt_close(&cli->cancel_fd);
    arena_free(cli->arena);
}

bool cli_can_interrupt(struct cli *cli, struct err *err)
{
    return cli->cancel_fd >= 0 || interrupt_open(&cli->cancel_fd, err);
}

bool cli_fail(struct cli *cli, enum exit_code exit, struct err *err, enum err_code code,
              const char *fmt, ...)
{
    char text[ERR_TEXT_MAX];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    cli->exit = exit;
    return err_set(err, code, "%s", text);
}

bool cli_compat_raise(struct cli *cli, const char *exception)
{
    if (cli->o->compat)
        cli->compat_exception = exception;
    return false;
}

bool cli_compat_complain(struct cli *cli, const char *fmt, ...)
{
    char text[ERR_TEXT_MAX];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    cli_compat_print(cli, "%s\n", text);
    return cli_compat_raise(cli, "");
}

int cli_run(struct cli *cli)
{
    struct err err = { .code = ERR_NONE };
    const bool good = cli->line.verb->run(cli, &err);
    cli_progress_end(cli);
    return good ? cli_finish_good(cli) : cli_finish_bad(cli, &err);
}

int cli_complain(struct cli *cli, const struct err *err)
{
    cli->stage = STAGE_INPUT;
    return cli_finish_bad(cli, err);
}

// --- Connecting ---

static bool open_session(struct cli *cli, const struct target *target, struct err *err)
{
    const struct options *o = cli->o;
    const int64_t patience_ms = o->timeout.is_set ? cli_wait_limit_ms(cli) : LOCK_MS;
    const struct connection_options options = {
        .link = target->is_link ? &target->link : NULL,
        .socket_path = target->socket,
        .usb = { .serial = target->serial, .lock_ms = (int)patience_ms },
        .ncry = o->ncry.is_set ? o->ncry.value : 0,
        .plaintext = o->plaintext,
        .cancel_fd = cli->cancel_fd,
        .trace = trace_of(&cli->trace),
    };
    return connection_open(&cli->connection, &options, err);
}

// Who named nothing may not know that there is more than USB.
static bool connect_failed(const struct target *target, struct err *err)
{
    const bool none = strcmp(err->text, "no Coldcard is attached") == 0;
    if (!none || target->socket != NULL || target->serial != NULL)
        return false;
    return err_set(err, ERR_NOT_FOUND,
                   "no Coldcard is attached; name a signer with --socket or --serial");
}

bool cli_connect(struct cli *cli, struct err *err)
{
    struct target target;
    if (!target_find(cli, &target, err) || !cli_can_interrupt(cli, err))
        return false;
    if (cli->o->trace != NULL && !trace_open(&cli->trace, cli->o->trace, err))
        return false;
    cli->stage = STAGE_CONNECT;
    if (!open_session(cli, &target, err))
        return connect_failed(&target, err);
    if (!target_check(cli, err))
        return false;
    cli->stage = STAGE_DEVICE;
    return true;
}

bool cli_call(struct cli *cli, struct reply *out, enum reply_id expected,
              const struct request *request, struct err *err)
{
    cli->stage = STAGE_DEVICE;
    return connection_call(cli->connection, out, expected, request, cli->arena, err);
}

bool cli_status(struct cli *cli, struct hsm_status *out, struct err *err)
{
    cli->stage = STAGE_DEVICE;
    return hsm_status_fetch(out, cli->connection, cli->arena, err);
}
