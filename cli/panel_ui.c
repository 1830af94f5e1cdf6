#include "cli/panel_ui.h"
#include "base/require.h"
#include "cli/panel_draw.h"
#include "cli/panel_session.h"
#include "client/wait.h"
#include <errno.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#define NCURSES_NOMACROS 1
#include <curses.h>

#define PASTE_ON  "\x1b[?2004h" // a terminal then says what is pasted
#define PASTE_OFF "\x1b[?2004l"

struct ui {
    struct panel_session session;
    int signal_fd;
    sigset_t old_mask;
    SCREEN *terminal;
    struct panel_look look;
    struct panel_input input;
    int64_t input_ms; // when the last byte came
    bool leave, interrupted;
};

// --- The terminal ---

// ncurses would take signals by handlers and stop the program in them; here they are events, so
// that every way out passes through terminal_end.
static bool block_signals(struct ui *ui, struct err *err)
{
    static const int signals[] = { SIGWINCH, SIGCONT, SIGQUIT, SIGTSTP };
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < COUNT(signals); i++)
        sigaddset(&set, signals[i]);
    if (sigprocmask(SIG_BLOCK, &set, &ui->old_mask) != 0)
        return err_set_errno(err, errno, "sigprocmask");
    ui->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (ui->signal_fd >= 0)
        return true;
    err_set_errno(err, errno, "signalfd");
    sigprocmask(SIG_SETMASK, &ui->old_mask, NULL);
    return false;
}

static void unblock_signals(struct ui *ui)
{
    close(ui->signal_fd);
    sigprocmask(SIG_SETMASK, &ui->old_mask, NULL);
}

static void say_to_terminal(const char *sequence)
{
    fputs(sequence, stdout);
    fflush(stdout);
}

static void terminal_modes(void)
{
    raw(); // Ctrl-C is a key: a signal would not tell it from kill(1)
    noecho();
    nonl();
    say_to_terminal(PASTE_ON);
}

static bool terminal_begin(struct ui *ui, bool wants_color, struct err *err)
{
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
        return err_set(err, ERR_USAGE, "the panel needs a terminal; --plain does without one");
    ui->terminal = newterm(NULL, stdout, stdin);
    if (ui->terminal == NULL)
        return err_set(err, ERR_USAGE, "this terminal is unknown; --plain does without one");
    if (tigetstr("cup") == NULL) {
        endwin();
        delscreen(ui->terminal);
        return err_set(err, ERR_USAGE, "this terminal has no cursor; --plain does without one");
    }
    terminal_modes();
    ui->look = panel_look_begin(wants_color);
    return true;
}

static void terminal_end(struct ui *ui)
{
    erase();
    refresh(); // where no alternate screen hides it, nothing of the policy stays behind
    endwin();
    say_to_terminal(PASTE_OFF);
    delscreen(ui->terminal);
}

static void follow_size(void)
{
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0)
        resizeterm(size.ws_row, size.ws_col);
}

static void redraw_all(void)
{
    clearok(curscr, TRUE);
}

static void take_signals(struct ui *ui)
{
    struct signalfd_siginfo info;
    while (read(ui->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        switch (info.ssi_signo) {
        case SIGWINCH:
            follow_size();
            break;
        case SIGCONT: // whoever ran meanwhile may have changed the modes
            terminal_modes();
            follow_size();
            redraw_all();
            break;
        case SIGQUIT:
            ui->interrupted = true;
            break;
        default: // SIGTSTP: the panel is not stopped in the middle of a PIN
            break;
        }
    }
}

static bool draw(struct ui *ui, struct err *err)
{
    const struct panel_layout layout = panel_layout_of(LINES, COLS, &ui->session.view);
    if (!panel_view_fit(&ui->session.view, (size_t)(layout.width > 0 ? layout.width : 1),
                        (size_t)(layout.height > 0 ? layout.height : 1), layout.too_small, err))
        return false;
    panel_draw(&ui->session.view, &layout, &ui->look);
    return true;
}

// --- The operator ---

static void send_typed(struct ui *ui, const struct panel_action *action)
{
    struct panel_view *view = &ui->session.view;
    const struct bytes typed = bytes_slice(secret_open(view->typed), 0, view->typed_len);
    if (action->act == PANEL_ACT_TEXT)
        panel_session_text(&ui->session, typed);
    else
        panel_session_item(&ui->session, action->item, typed);
    secret_close(view->typed);
    panel_view_sent(view);
    panel_view_say(view, BYTES("Sent. Waiting for the signer.")); // a PIN takes it a second
}

static void act(struct ui *ui, const struct panel_action *action)
{
    switch (action->act) {
    case PANEL_ACT_NONE:
        return;
    case PANEL_ACT_KEY:
        panel_session_keys(&ui->session, bytes_of(&action->key, 1));
        return;
    case PANEL_ACT_TEXT:
    case PANEL_ACT_ITEM:
        send_typed(ui, action);
        return;
    case PANEL_ACT_REDRAW:
        redraw_all();
        return;
    case PANEL_ACT_LEAVE:
        ui->leave = true;
        return;
    }
}

static void take_event(struct ui *ui, struct panel_event *event)
{
    const struct panel_action action = panel_view_key(&ui->session.view, event, wait_now_ms());
    wipe(event, sizeof *event);
    act(ui, &action);
}

static void take_input(struct ui *ui)
{
    uint8_t b[256];
    const ssize_t n = read(STDIN_FILENO, b, sizeof b);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        ui->leave = true; // the terminal is gone
    ui->input_ms = wait_now_ms();
    for (ssize_t i = 0; i < n && !ui->leave; i++) {
        struct panel_event event = panel_input_byte(&ui->input, b[i]);
        take_event(ui, &event);
    }
    wipe(b, sizeof b);
}

static void take_pause(struct ui *ui)
{
    if (!panel_input_is_waiting(&ui->input) || wait_now_ms() - ui->input_ms < PANEL_INPUT_ESC_MS)
        return;
    struct panel_event event = panel_input_pause(&ui->input);
    take_event(ui, &event);
}

// --- The loop ---

static int next_timeout(const struct ui *ui)
{
    const int64_t now_ms = wait_now_ms();
    int64_t at_ms = ui->session.due_ms;
    if (panel_input_is_waiting(&ui->input) && ui->input_ms + PANEL_INPUT_ESC_MS < at_ms)
        at_ms = ui->input_ms + PANEL_INPUT_ESC_MS;
    return at_ms > now_ms ? (int)(at_ms - now_ms) : 0;
}

static bool step(struct ui *ui, struct err *err)
{
    struct pollfd fds[] = {
        { .fd = STDIN_FILENO, .events = POLLIN },
        { .fd = ui->signal_fd, .events = POLLIN },
        { .fd = ui->session.cancel_fd > 0 ? ui->session.cancel_fd : -1, .events = POLLIN },
        { .fd = panel_session_fd(&ui->session), .events = POLLIN },
    };
    if (!draw(ui, err))
        return false;
    if (poll(fds, COUNT(fds), next_timeout(ui)) < 0 && errno != EINTR)
        return err_set_errno(err, errno, "poll");
    if (fds[1].revents != 0)
        take_signals(ui);
    if (fds[2].revents != 0)
        ui->interrupted = true;
    if (fds[3].revents != 0)
        panel_session_take(&ui->session); // before the keys: they answer what is on the screen now
    if (fds[0].revents != 0)
        take_input(ui);
    take_pause(ui);
    panel_session_tick(&ui->session);
    return true;
}

static bool run(struct ui *ui, struct err *err)
{
    while (!ui->leave && !ui->interrupted && !ui->session.interrupted)
        if (!step(ui, err))
            return false;
    return ui->leave || err_set(err, ERR_INTERRUPTED, "interrupted");
}

static bool run_on_terminal(struct ui *ui, bool wants_color, struct err *err)
{
    if (!block_signals(ui, err))
        return false;
    bool ok = terminal_begin(ui, wants_color, err);
    if (ok) {
        ok = run(ui, err);
        terminal_end(ui);
    }
    unblock_signals(ui);
    return ok;
}

bool panel_ui_run(const char *path, bool wants_color, int cancel_fd, struct err *err)
{
    struct ui ui = { .leave = false };
    setlocale(LC_CTYPE, "");
    prctl(PR_SET_DUMPABLE, 0); // no core file and no tracer: a PIN is typed here
    // Before the terminal is touched: a signer that is not there is a plain error.
    const bool ok = panel_session_begin(&ui.session, path, cancel_fd, err) &&
                    run_on_terminal(&ui, wants_color, err);
    panel_session_end(&ui.session);
    wipe(&ui.input, sizeof ui.input);
    return ok;
}
