// The terminal, or a pipe, as init talks to it. Nothing is buffered: a PIN stays in no library.
#include "base/file.h"
#include "signer/init.h"
#include <errno.h>
#include <termios.h>

static void show(void *context, struct bytes text)
{
    struct err ignored; // who cannot read the question will not answer it
    (void)context;
    (void)!file_write_fd(STDOUT_FILENO, "terminal", text, &ignored);
}

static void clear(void *context)
{
    // The screen, the lines above it, and the cursor to its first line.
    if (isatty(STDOUT_FILENO))
        show(context, BYTES("\033[2J\033[3J\033[H"));
}

static bool read_line(struct writer *out, struct err *err)
{
    for (;;) {
        uint8_t c;
        const ssize_t got = read(STDIN_FILENO, &c, 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_set_errno(err, errno, "terminal");
        if (got == 0)
            return err_set(err, ERR_TRUNCATED, "the input ended before the last answer");
        if (c == '\n')
            return !out->failed || err_set(err, ERR_LIMIT, "the line is too long");
        writer_u8(out, c);
    }
}

// Echo as it was, also when the process is told to end: the shell restores it then.
static bool ask(void *context, struct writer *out, bool echo, struct err *err)
{
    struct termios as_it_was, silent;
    if (echo || tcgetattr(STDIN_FILENO, &as_it_was) != 0)
        return read_line(out, err);
    silent = as_it_was;
    silent.c_lflag &= ~(tcflag_t)ECHO;
    if (tcsetattr(STDIN_FILENO, TCSADRAIN, &silent) != 0)
        return err_set_errno(err, errno, "the terminal's echo cannot be turned off");
    const bool read = read_line(out, err);
    (void)tcsetattr(STDIN_FILENO, TCSADRAIN, &as_it_was);
    show(context, BYTES("\n"));
    return read;
}

struct init_io init_io_terminal(void)
{
    return (struct init_io){ .show = show, .ask = ask, .clear = clear };
}
