// How long transfers and waits are shown: cli.md 7.4.
#include "cli/cli.h"
#include <inttypes.h>

static unsigned percent(uint64_t done, uint64_t total)
{
    return total > 0 ? (unsigned)(done * 100 / total) : 100;
}

static void show_progress(void *context, enum transfer_phase phase, uint64_t done, uint64_t total)
{
    static const char spinner[] = "|/-\\";
    struct cli *cli = context;
    char line[160];
    if (phase == TRANSFER_WAIT)
        snprintf(line, sizeof line, "\r%c %" PRIu64 " s: confirm on the device\033[K",
                 spinner[done / TRANSFER_POLL_MS % 4], done / 1000);
    else
        snprintf(line, sizeof line, "\r%s %u%%, %" PRIu64 " of %" PRIu64 " bytes\033[K",
                 phase == TRANSFER_UPLOAD ? "Uploading" : "Downloading", percent(done, total), done,
                 total);
    (void)!write(STDERR_FILENO, line, strlen(line));
    cli->progress_shown = true;
}

void cli_progress_end(struct cli *cli)
{
    if (!cli->progress_shown)
        return;
    (void)!write(STDERR_FILENO, "\r\033[K", 4);
    cli->progress_shown = false;
}

// "one line per 10 % with --verbose"
static void print_progress(void *context, enum transfer_phase phase, uint64_t done, uint64_t total)
{
    struct cli *cli = context;
    const unsigned tenth = percent(done, total) / 10;
    if (phase == TRANSFER_WAIT || (phase == cli->last_phase && tenth == cli->last_tenth))
        return;
    cli->last_phase = phase;
    cli->last_tenth = tenth;
    cli_note(cli, "%s %u%%, %" PRIu64 " of %" PRIu64 " bytes",
             phase == TRANSFER_UPLOAD ? "Uploading" : "Downloading", percent(done, total), done,
             total);
}

struct progress cli_progress(struct cli *cli)
{
    if (cli->o->quiet || cli->o->compat)
        return (struct progress){ 0 };
    if (cli->stderr_is_terminal)
        return (struct progress){ show_progress, cli };
    return (struct progress){ cli->o->progress_lines ? print_progress : NULL, cli };
}
