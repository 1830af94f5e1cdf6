// eval, exec: what only simulators answer. Built with the Meson option `simulator` alone.
// Source: cli.md 3.24; wire-protocol.md 8.12.
#include "cli/verbs.h"

static bool send(struct cli *cli, enum request_id id, struct err *err)
{
    struct writer w = writer_growing(cli->arena, REQUEST_MAX);
    struct request request = { .id = id };
    struct reply reply;
    for (size_t i = 0; i < cli->line.n_words; i++)
        writer_printf(&w, "%s%s", i > 0 ? " " : "", cli->line.words[i]);
    if (!writer_finish(&w, &request.data))
        return err_set(err, ERR_USAGE, "the text is too long");
    if (!cli_connect(cli, err) || !cli_call(cli, &reply, REPLY_BINY, &request, err))
        return false;
    cli_print_bytes(cli, reply.data);
    cli_print(cli, "\n");
    cli_text(cli, "output", reply.data);
    return true;
}

static bool run_eval(struct cli *cli, struct err *err)
{
    return send(cli, REQUEST_EVAL, err);
}
const struct verb verb_eval = { "eval",
                                "STMT...",
                                1,
                                WORDS_MAX,
                                "Have a simulator evaluate an expression",
                                NULL,
                                NO_OPTIONS,
                                VERB_NOT_OVER_LINK,
                                run_eval };

static bool run_exec(struct cli *cli, struct err *err)
{
    return send(cli, REQUEST_EXEC, err);
}
const struct verb verb_exec = {
    "exec",     "STMT...",          1,       WORDS_MAX, "Have a simulator execute statements", NULL,
    NO_OPTIONS, VERB_NOT_OVER_LINK, run_exec
};
