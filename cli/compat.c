#include "cli/compat.h"
#include "base/file.h"

static void print(int fd, const char *before, const char *text, const char *after)
{
    char all[2 * ERR_TEXT_MAX];
    struct err err;
    snprintf(all, sizeof all, "%s%s%s", before, text, after);
    if (!file_write_fd(fd, "", bytes_of_text(all), &err))
        return; // nobody is left to be told
}

// The last line of the traceback that the reference shows, or NULL.
static const char *exception_of(const struct cli *cli, const struct err *err, char *mem,
                                size_t size)
{
    const struct settings *s = &cli->settings;
    const bool is_checksum = strncmp(err->text, "Checksum wrong during", 21) == 0;
    if (is_checksum || (err->code == ERR_AUTH && cli->stage == STAGE_CONNECT))
        snprintf(mem, size, "RuntimeError: %s", err->text);
    else if (err->code == ERR_FRAMING)
        snprintf(mem, size, "ckcc.protocol.CCFramingError: %s", err->text);
    else if (err->code == ERR_STATE && cli->stage == STAGE_CONNECT)
        snprintf(mem, size, "AssertionError: device doesn't have any secrets yet");
    else if (cli->stage != STAGE_CONNECT)
        return NULL;
    else if (s->socket != NULL || s->simulator || (s->serial != NULL && strchr(s->serial, '/')))
        snprintf(mem, size, "RuntimeError: Cannot connect to simulator. Is it running?");
    else if (s->serial != NULL)
        snprintf(mem, size, "KeyError: 'Cannot find CC with serial: %s'", s->serial);
    else
        snprintf(mem, size, "KeyError: 'Could not find Coldcard!'");
    return mem;
}

static bool is_device_error(const struct err *err)
{
    return err->code == ERR_INVALID && strncmp(err->text, "Coldcard Error: ", 16) == 0;
}

static int finish_device(struct cli *cli, const struct err *err)
{
    // "verbs `sign`, `backup`, `restore`": also framing errors are clean text there.
    if (cli->line.verb->flags & VERB_STDOUT_ERRORS)
        print(STDOUT_FILENO, "\n", err->text, "\n\n");
    else
        print(STDERR_FILENO, "\n\n", err->text, "\n");
    return EXIT_FAILED;
}

int compat_finish(struct cli *cli, const struct err *err)
{
    char mem[2 * ERR_TEXT_MAX];
    const bool clean_framing = err->code == ERR_FRAMING && cli->line.verb != NULL &&
                               (cli->line.verb->flags & VERB_STDOUT_ERRORS) != 0;
    struct err unimportant;
    if (!file_write_fd(STDOUT_FILENO, "", writer_bytes(&cli->text), &unimportant))
        return EXIT_FAILED;
    if (cli->compat_exception != NULL) {
        if (cli->compat_exception[0] != 0)
            print(STDERR_FILENO, "Traceback (most recent call last):\n", cli->compat_exception,
                  "\n");
        return EXIT_FAILED;
    }
    if (err->code == ERR_USAGE) {
        print(STDERR_FILENO, "Error: ", err->text, "\n");
        return EXIT_USAGE;
    }
    if (is_device_error(err) || (clean_framing && cli->stage == STAGE_DEVICE))
        return finish_device(cli, err);
    if (err->code == ERR_REFUSED || err->code == ERR_BUSY) {
        print(STDERR_FILENO, "\n\n", err->text, "\n");
        return EXIT_FAILED;
    }
    const char *exception = exception_of(cli, err, mem, sizeof mem);
    if (exception != NULL)
        print(STDERR_FILENO, "Traceback (most recent call last):\n", exception, "\n");
    else
        print(STDERR_FILENO, "Error: ", err->text, "\n");
    if (err->code == ERR_INTERRUPTED)
        return EXIT_INTERRUPTED;
    return cli->stage == STAGE_INPUT ? EXIT_USAGE : EXIT_FAILED;
}
