// cli/main.c -- casemate, the command line.
#include "base/file.h"
#include "base/secret.h"
#include "cli/help.h"
#include "cli/verbs.h"
#include <signal.h>

#define HELP_MAX 65536

static int show(struct cli *cli, const struct verb *verb)
{
    struct writer w = writer_growing(cli->arena, HELP_MAX);
    struct err err;
    if (cli->o->version)
        writer_text(&w, "casemate " CASEMATE_VERSION "\n");
    else if (verb != NULL)
        help_write_verb(&w, verb);
    else
        help_write(&w, verbs_all(), verbs_globals());
    return file_write_fd(STDOUT_FILENO, "standard output", writer_bytes(&w), &err) ? EXIT_OK
                                                                                   : EXIT_FAILED;
}

// --json holds for the errors of the command line, too, wherever it stands.
static bool asks_for_json(int argc, char *const *argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--json") == 0)
            return true;
    return false;
}

static int run(struct cli *cli, int argc, char *const *argv)
{
    struct err err;
    if (!command_line_parse(&cli->line, argc, argv, verbs_globals(), verbs_all(), &err)) {
        cli->o->json = asks_for_json(argc, argv);
        return cli_complain(cli, &err);
    }
    if (argc < 2 || cli->o->help || cli->o->version)
        return show(cli, cli->line.verb);
    if (cli->line.verb == NULL) {
        (void)err_set(&err, ERR_USAGE, "Missing command.");
        return cli_complain(cli, &err);
    }
    return cli_run(cli);
}

int main(int argc, char **argv)
{
    struct cli cli;
    if (!secret_init()) {
        fputs("casemate: this system gives no guarded memory or random bytes\n", stderr);
        return EXIT_FAILED;
    }
    connection_init();
    (void)signal(SIGPIPE, SIG_IGN); // a closed standard output is an error that we report
    cli_init(&cli);
    const int status = run(&cli, argc, argv);
    cli_free(&cli);
    return status;
}
