#include "cli/prompt.h"
#include "base/file.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <termios.h>

struct answer {
    char b[PROMPT_MAX];
    size_t len;
};

static void answer_wipe(struct answer *a)
{
    wipe(a, sizeof *a);
}

static struct bytes answer_bytes(const struct answer *a)
{
    return bytes_of(a->b, a->len);
}

static void close_fd(const int *fd)
{
    if (*fd > STDERR_FILENO)
        close(*fd);
}

// --- A line ---

// One byte at a time: what stands behind the line is not ours.
static bool read_line(struct answer *out, int fd, int cancel_fd, struct err *err)
{
    out->len = 0;
    for (;;) {
        char c;
        if (!wait_fd(fd, POLLIN, cancel_fd, WAIT_NO_TIMEOUT, err))
            return false;
        const ssize_t n = read(fd, &c, 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set_errno(err, errno, "reading the answer");
        if (n == 0 || c == '\n')
            break;
        if (out->len == sizeof out->b)
            return err_set(err, ERR_LIMIT, "the answer is longer than %zu bytes", sizeof out->b);
        out->b[out->len++] = c;
    }
    if (out->len > 0 && out->b[out->len - 1] == '\r')
        out->len--;
    return true;
}

// --- A terminal ---

// Ctrl-C arrives at cancel_fd; the terminal echoes again on every way out.
static bool ask_terminal(struct answer *out, struct cli *cli, int tty, const char *question,
                         bool echo, struct err *err)
{
    struct termios before, quiet;
    struct err ignored;
    const bool is_terminal = tcgetattr(tty, &before) == 0;
    if (!file_write_fd(tty, "terminal", bytes_of_text(question), err))
        return false;
    if (is_terminal && !echo) {
        quiet = before;
        quiet.c_lflag &= (tcflag_t) ~(tcflag_t)ECHO;
        if (tcsetattr(tty, TCSAFLUSH, &quiet) != 0)
            return err_set_errno(err, errno, "turning echo off");
    }
    const bool ok = read_line(out, tty, cli->cancel_fd, err);
    if (is_terminal && !echo) {
        (void)tcsetattr(tty, TCSAFLUSH, &before);
        if (!file_write_fd(tty, "terminal", BYTES("\n"), &ignored))
            return ok; // the line feed is an ornament
    }
    return ok;
}

static bool open_terminal(int *tty, struct err *err)
{
    *tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    return *tty >= 0 ||
           err_set(err, ERR_USAGE, "no terminal to ask at: use --password-fd or --password-file");
}

static bool ask_twice(struct answer *out, struct cli *cli, int tty, const char *question,
                      struct err *err)
{
    AUTO(answer_wipe) struct answer again = { .len = 0 };
    char text[128];
    snprintf(text, sizeof text, "Again, %s", question);
    if (!ask_terminal(out, cli, tty, question, false, err) ||
        !ask_terminal(&again, cli, tty, text, false, err))
        return false;
    return ct_equal(answer_bytes(out), answer_bytes(&again)) ||
           err_set(err, ERR_USAGE, "the two differ");
}

static bool ask(struct answer *out, struct cli *cli, const char *question, bool twice,
                struct err *err)
{
    AUTO(close_fd) int tty = -1;
    if (!open_terminal(&tty, err))
        return false;
    return twice ? ask_twice(out, cli, tty, question, err)
                 : ask_terminal(out, cli, tty, question, false, err);
}

// --- Where a secret comes from ---

static bool read_file(struct answer *out, struct cli *cli, const char *path, struct err *err)
{
    AUTO(close_fd) const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return err_set_errno(err, errno, "%s", path);
    return read_line(out, fd, cli->cancel_fd, err);
}

static bool read_secret(struct answer *out, struct cli *cli, const char *question, unsigned flags,
                        struct err *err)
{
    const struct options *o = cli->o;
    if (o->password_fd.is_set)
        return read_line(out, (int)o->password_fd.value, cli->cancel_fd, err);
    if (o->password_file != NULL)
        return read_file(out, cli, o->password_file, err);
    if ((flags & PROMPT_STDIN_TAKEN) == 0 && isatty(STDIN_FILENO) == 0)
        return read_line(out, STDIN_FILENO, cli->cancel_fd, err);
    return ask(out, cli, question, (flags & PROMPT_TWICE) != 0, err);
}

bool prompt_secret(struct secret **out, struct cli *cli, const char *question, unsigned flags,
                   struct err *err)
{
    AUTO(answer_wipe) struct answer answer = { .len = 0 };
    const enum stage stage = cli->stage;
    cli->stage = STAGE_INPUT;
    if (!cli_can_interrupt(cli, err) || !read_secret(&answer, cli, question, flags, err))
        return false;
    if (answer.len == 0 && (flags & PROMPT_MAY_BE_EMPTY) == 0)
        return err_set(err, ERR_USAGE, "the secret is empty");
    cli->stage = stage;
    *out = secret_new(answer_bytes(&answer));
    return true;
}

struct secret *prompt_argument(struct cli *cli, const char *what, const char *argument)
{
    if (!cli->o->compat)
        cli_warn(cli,
                 "the %s stands on the command line, where other users of this machine and the "
                 "shell's history can see it",
                 what);
    return secret_new(bytes_of_text(argument));
}

bool prompt_text(struct bytes *out, struct cli *cli, const char *question, struct err *err)
{
    AUTO(answer_wipe) struct answer answer = { .len = 0 };
    AUTO(close_fd) int tty = -1;
    cli->stage = STAGE_INPUT;
    if (!cli_can_interrupt(cli, err))
        return false;
    const bool ok =
        isatty(STDIN_FILENO) == 0
            ? read_line(&answer, STDIN_FILENO, cli->cancel_fd, err)
            : open_terminal(&tty, err) && ask_terminal(&answer, cli, tty, question, true, err);
    if (!ok)
        return false;
    return arena_copy(cli->arena, bytes_trim(answer_bytes(&answer)), out) ||
           err_set(err, ERR_NO_MEMORY, "no memory for the answer");
}
