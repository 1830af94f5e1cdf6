// coordinator/main.c -- casemate-coordinator: from the command line to a command, and its exit status.
#include "base/file.h"
#include "base/require.h"
#include "base/secret.h"
#include "client/connection.h"
#include "coordinator/command.h"
#include "coordinator/rpc.h"
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#define MAIN_ARENA ((size_t)64 << 20)
#define OUTPUT_MAX ((size_t)16 << 20)

static int complain(const struct err *err, int status)
{
    (void)fprintf(stderr, "casemate-coordinator: %s\n", err->text);
    return status != 0 ? status : err->code == ERR_USAGE ? EXIT_WRONG_USE : 1;
}

static int print(struct bytes text)
{
    struct err err;
    return file_write_fd(STDOUT_FILENO, "standard output", text, &err) ? 0 : complain(&err, 0);
}

static void harden(void)
{
    const struct rlimit none = { 0, 0 };
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)prctl(PR_SET_DUMPABLE, 0);
    (void)signal(SIGPIPE, SIG_IGN);
}

static int run(const struct command *command, struct arena *arena)
{
    const struct command_row *row = NULL;
    struct coordinator_config *config = arena_alloc(arena, sizeof *config);
    struct writer out = writer_growing(arena, OUTPUT_MAX);
    const struct clock clock = clock_system();
    struct err err;
    if (config == NULL)
        return 1;
    if (!command->check_config && !command_row_find(&row, command, &err))
        return complain(&err, 0);
    if (!config_load(config, command->config, arena, &err))
        return complain(&err, EXIT_WRONG_USE);
    if (command->check_config) {
        config_write(&out, config);
        return print(writer_bytes(&out));
    }
    const struct log log = { .fd = STDERR_FILENO,
                             .min = config->log_level,
                             .clock = &clock,
                             .json = config->log_json,
                             .replica = config->replica };
    struct run r = {
        .command = command, .config = config, .log = &log, .arena = arena, .out = &out
    };
    REQUIRE(row != NULL);
    if (!row->run(&r, &err))
        return complain(&err, r.status != 0           ? r.status
                              : err.code == ERR_USAGE ? EXIT_WRONG_USE
                                                      : 1);
    const int printed = print(writer_bytes(&out));
    return r.status != 0 ? r.status : printed;
}

int main(int argc, char **argv)
{
    AUTO(arena_freep) struct arena *arena = arena_new(MAIN_ARENA);
    struct command command;
    struct err err;
    if (!secret_init()) {
        fputs("casemate-coordinator: this system gives no guarded memory or random bytes\n",
              stderr);
        return 1;
    }
    harden();
    connection_init();
    rpc_init();
    if (!command_parse(&command, argc, argv, &err))
        return complain(&err, EXIT_WRONG_USE);
    if (command.help)
        return print(bytes_of_text(command_help()));
    if (command.version)
        return print(BYTES("casemate-coordinator " CASEMATE_VERSION "\n"));
    return run(&command, arena);
}
