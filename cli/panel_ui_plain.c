#include "cli/panel_session.h"
#include "cli/panel_ui.h"
#include "client/wait.h"
#include <errno.h>
#include <locale.h>
#include <poll.h>
#include <sys/prctl.h>
#include <termios.h>

#define LINE_BYTES_MAX 1024

struct plain {
    struct panel_session session;
    struct secret *line; // as typed so far: it may be a PIN
    size_t line_len;
    bool skip_line;           // it is too long
    struct termios old_modes; // of a terminal
    bool is_terminal, leave;
    bool shown, was_connected, was_hsm_home;
    int64_t shown_ms;           // changed_ms of what was printed last
    uint64_t approved, refused; // ... and of the HSM screen
    char digits[8];
};

// --- The terminal, if it is one ---

// A key that would end or stop the program while the terminal shows nothing typed is off.
static void terminal_begin(struct plain *plain)
{
    plain->is_terminal = tcgetattr(STDIN_FILENO, &plain->old_modes) == 0;
}

static void terminal_hide(const struct plain *plain, bool hide)
{
    struct termios modes = plain->old_modes;
    if (!plain->is_terminal)
        return;
    modes.c_cc[VQUIT] = modes.c_cc[VSUSP] = _POSIX_VDISABLE;
    if (hide)
        modes.c_lflag &= ~(tcflag_t)ECHO;
    tcsetattr(STDIN_FILENO, TCSADRAIN, &modes);
}

static void terminal_end(const struct plain *plain)
{
    if (plain->is_terminal)
        tcsetattr(STDIN_FILENO, TCSADRAIN, &plain->old_modes);
}

// --- Printing ---

static void print_asked(const struct panel_view *view)
{
    static const char *const asked[] = {
        [PANEL_ASK_NONE] = "Nothing is asked. q leaves.",
        [PANEL_ASK_KEY] = "Asked: y for OK, x to cancel, or a digit; then Enter.",
        [PANEL_ASK_DIGITS] = ("Asked: the digits of a code, x to clear them, w to withdraw one; "
                              "then Enter. q leaves."),
        [PANEL_ASK_TEXT] =
            "Asked: the answer, which is not shown, then Enter; Esc and Enter to cancel.",
    };
    static const char *const states[] = {
        [PANEL_LOCKED] = "Locked", [PANEL_NORMAL] = "Normal mode", [PANEL_HSM] = "HSM mode"
    };
    printf("%s. %s\n", states[view->screen.state], asked[view->screen.ask]);
}

static void print_hsm(const struct panel_screen *screen)
{
    printf("Approved %llu, refused %llu, period left %.*s.\n", (unsigned long long)screen->approved,
           (unsigned long long)screen->refused, BYTES_ARG(screen->period_left));
    if (screen->digits.len > 0)
        printf("Code %.*s.\n", BYTES_ARG(screen->digits));
}

static void print_screen(const struct panel_view *view)
{
    printf("\n%.*s\n\n", BYTES_ARG(view->title));
    if (panel_view_is_hsm_home(view))
        print_hsm(&view->screen);
    else
        for (size_t i = 0; i < view->lines.n; i++)
            printf("%.*s\n", BYTES_ARG(view->lines.lines[i].text));
    putchar('\n');
    print_asked(view);
}

// The HSM screen's text counts the period down; that alone is not worth a line.
static bool is_news(const struct plain *plain)
{
    const struct panel_view *view = &plain->session.view;
    if (!plain->shown)
        return true;
    if (!panel_view_is_hsm_home(view) || !plain->was_hsm_home)
        return view->changed_ms != plain->shown_ms;
    return view->screen.approved != plain->approved || view->screen.refused != plain->refused ||
           !bytes_equal_text(view->screen.digits, plain->digits);
}

static void remember(struct plain *plain)
{
    const struct panel_view *view = &plain->session.view;
    plain->shown = true;
    plain->shown_ms = view->changed_ms;
    plain->was_hsm_home = panel_view_is_hsm_home(view);
    plain->approved = view->screen.approved;
    plain->refused = view->screen.refused;
    snprintf(plain->digits, sizeof plain->digits, "%.*s",
             BYTES_ARG(bytes_slice(view->screen.digits, 0, sizeof plain->digits - 1)));
}

static void print_connection(struct plain *plain)
{
    const struct panel_view *view = &plain->session.view;
    if (view->connected == plain->was_connected)
        return;
    plain->was_connected = view->connected;
    plain->shown = false;
    if (!view->connected)
        printf("\nNo connection: %s. Trying again every second. q leaves.\n", view->note);
    else
        printf("Signer %.*s.%s\n", BYTES_ARG(view->name),
               view->simulator ? " SIMULATOR: public test seed, no real money." : "");
}

static void print_news(struct plain *plain)
{
    struct panel_view *view = &plain->session.view;
    print_connection(plain);
    if (view->connected && view->note[0] != '\0') {
        printf("%s\n", view->note);
        view->note[0] = '\0';
    }
    if (view->has_screen && is_news(plain)) {
        print_screen(view);
        remember(plain);
        terminal_hide(plain, view->screen.ask == PANEL_ASK_TEXT);
    }
    fflush(stdout);
}

// --- Lines of the operator ---

static bool are_keys(struct bytes line)
{
    for (size_t i = 0; i < line.len; i++)
        if (line.ptr[i] != 'y' && line.ptr[i] != 'x' && line.ptr[i] != 'w' &&
            (line.ptr[i] < '0' || line.ptr[i] > '9'))
            return false;
    return line.len > 0;
}

static void take_command(struct plain *plain, struct bytes line)
{
    struct panel_session *session = &plain->session;
    line = bytes_trim(line);
    if (bytes_equal_text(line, "q"))
        plain->leave = true;
    else if (line.len == 0 || bytes_equal_text(line, "?"))
        plain->shown = false;
    else if (!session->view.has_screen)
        panel_view_say(&session->view, BYTES("There is no connection."));
    else if (are_keys(line))
        panel_session_keys(session, line);
    else
        panel_view_say(&session->view, BYTES("Not understood: y, x, w, digits, ? or q."));
}

static void take_line(struct plain *plain)
{
    struct panel_session *session = &plain->session;
    const bool is_answer = session->view.has_screen && session->view.screen.ask == PANEL_ASK_TEXT;
    const struct bytes line = bytes_slice(secret_open(plain->line), 0, plain->line_len);
    if (plain->skip_line)
        panel_view_say(&session->view, BYTES("That line is longer than any answer can be."));
    else if (is_answer && bytes_equal(line, BYTES("\x1b")))
        panel_session_keys(session, BYTES("x"));
    else if (is_answer)
        panel_session_text(session, line);
    else
        take_command(plain, line);
    secret_close(plain->line);
    wipe(secret_edit(plain->line), LINE_BYTES_MAX);
    secret_close(plain->line);
    plain->line_len = 0;
    plain->skip_line = false;
}

static void take_byte(struct plain *plain, uint8_t byte)
{
    if (byte == '\n') {
        take_line(plain);
    } else if (plain->line_len == LINE_BYTES_MAX) {
        plain->skip_line = true;
    } else {
        secret_edit(plain->line)[plain->line_len++] = byte;
        secret_close(plain->line);
    }
}

// One byte at a time: the lines after an answer are for the screens after it, and a script's must
// not be taken before those have come.
static void take_input(struct plain *plain)
{
    uint8_t byte;
    const ssize_t n = read(STDIN_FILENO, &byte, 1);
    if (n == 1)
        take_byte(plain, byte);
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        plain->leave = true;
    wipe(&byte, sizeof byte);
}

// --- The loop ---

static bool step(struct plain *plain, struct err *err)
{
    struct panel_session *session = &plain->session;
    const int64_t left_ms = session->due_ms - wait_now_ms();
    const bool is_ready = !session->view.connected || session->view.has_screen;
    struct pollfd fds[] = {
        { .fd = is_ready ? STDIN_FILENO : -1, .events = POLLIN },
        { .fd = session->cancel_fd > 0 ? session->cancel_fd : -1, .events = POLLIN },
        { .fd = panel_session_fd(session), .events = POLLIN },
    };
    print_news(plain);
    if (poll(fds, COUNT(fds), left_ms > 0 ? (int)left_ms : 0) < 0 && errno != EINTR)
        return err_set_errno(err, errno, "poll");
    if (fds[1].revents != 0)
        session->interrupted = true;
    if (fds[2].revents != 0)
        panel_session_take(session);
    else if (fds[0].revents != 0)
        take_input(plain);
    panel_session_tick(session);
    return true;
}

static bool run(struct plain *plain, struct err *err)
{
    if (!panel_view_fit(&plain->session.view, PANEL_TEXT_NO_WRAP, SIZE_MAX / 2, false, err))
        return false;
    while (!plain->leave && !plain->session.interrupted)
        if (!step(plain, err))
            return false;
    return plain->leave || err_set(err, ERR_INTERRUPTED, "interrupted");
}

bool panel_ui_run_plain(const char *path, int cancel_fd, struct err *err)
{
    struct plain plain = { .leave = false };
    setlocale(LC_CTYPE, "");
    prctl(PR_SET_DUMPABLE, 0); // no core file and no tracer: a PIN is typed here
    plain.line = secret_new_zeroed(LINE_BYTES_MAX);
    terminal_begin(&plain);
    bool ok = panel_session_begin(&plain.session, path, cancel_fd, err);
    plain.session.is_script = !plain.is_terminal;
    ok = ok && run(&plain, err);
    terminal_end(&plain);
    panel_session_end(&plain.session);
    secret_free(plain.line);
    return ok;
}
