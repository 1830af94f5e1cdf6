// The operator's panel: design.md "A signer on its host".
#include "base/reader.h"
#include "cli/panel_text.h"
#include "cli/panel_ui.h"
#include "cli/prompt.h"
#include "cli/target.h"
#include "cli/verbs.h"
#include "client/panel_client.h"
#include <locale.h>

static const char *const asks[] = { [PANEL_ASK_NONE] = "none",
                                    [PANEL_ASK_KEY] = "key",
                                    [PANEL_ASK_DIGITS] = "digits",
                                    [PANEL_ASK_TEXT] = "text" };
static const char *const states[] = {
    [PANEL_LOCKED] = "locked", [PANEL_NORMAL] = "normal", [PANEL_HSM] = "hsm"
};
static const char *const ask_lines[] = { [PANEL_ASK_NONE] = "",
                                         [PANEL_ASK_KEY] = "[y is OK, x is cancel]\n",
                                         [PANEL_ASK_DIGITS] = "[digits]\n",
                                         [PANEL_ASK_TEXT] = "[text]\n" };

// --- The connection ---

static bool open_panel(struct cli *cli, struct panel_client **out, struct err *err)
{
    const char *path;
    if (!target_panel_path(cli, &path, err) || !cli_can_interrupt(cli, err))
        return false;
    cli->stage = STAGE_PANEL;
    return panel_client_open(out, path, cli->cancel_fd, NULL, err);
}

// One request whose reply says nothing but ok.
static bool ask_panel(struct cli *cli, const struct panel_request *request, struct err *err)
{
    AUTO(panel_client_closep) struct panel_client *panel = NULL;
    struct panel_reply reply;
    return open_panel(cli, &panel, err) && panel_client_ask(panel, request, &reply, err);
}

// --- panel show ---

// As the panel itself prints it: what a terminal would obey or hide is shown (panel_text.h).
static bool print_screen(struct cli *cli, const struct panel_screen *s, struct err *err)
{
    struct panel_text text;
    struct bytes title, digits;
    setlocale(LC_CTYPE, ""); // which characters have a shape here
    if (!panel_text_safe(&title, s->title, cli->arena, err) ||
        !panel_text_safe(&digits, s->digits, cli->arena, err) ||
        !panel_text_wrap(&text, s->text, PANEL_TEXT_NO_WRAP, cli->arena, err))
        return false;
    cli_print_bytes(cli, title);
    cli_print(cli, "\n\n");
    for (size_t i = 0; i < text.n; i++) {
        cli_print(cli, "%*s", (int)text.lines[i].indent, "");
        cli_print_bytes(cli, text.lines[i].text);
        cli_print(cli, "\n");
    }
    if (digits.len > 0)
        cli_print(cli, "[digits: %.*s]\n", BYTES_ARG(digits));
    cli_print(cli, "%s", ask_lines[s->ask]);
    return true;
}

static void put_screen(struct cli *cli, const struct panel_screen *s)
{
    cli_text(cli, "title", s->title);
    cli_text(cli, "text", s->text);
    cli_text(cli, "ask", bytes_of_text(asks[s->ask]));
    cli_text(cli, "state", bytes_of_text(states[s->state]));
    if (s->state != PANEL_HSM)
        return;
    cli_number(cli, "approved", s->approved);
    cli_number(cli, "refused", s->refused);
    cli_text(cli, "period_left", s->period_left);
    cli_text(cli, "digits", s->digits);
}

static bool run_show(struct cli *cli, struct err *err)
{
    const struct panel_request request = { .verb = PANEL_SCREEN };
    AUTO(panel_client_closep) struct panel_client *panel = NULL;
    struct panel_reply reply;
    if (!open_panel(cli, &panel, err) || !panel_client_ask(panel, &request, &reply, err))
        return false;
    if (!reply.has_screen)
        return err_set(err, ERR_MALFORMED, "the panel shows no screen");
    put_screen(cli, &reply.screen);
    return print_screen(cli, &reply.screen, err);
}
const struct verb verb_panel_show = {
    "panel show", "", 0, 0, "Print what the signer's screen shows", NULL, NO_OPTIONS, 0, run_show
};

// --- cancel ---

// No request of the wire takes another back; the operator's key does.
static bool run_cancel(struct cli *cli, struct err *err)
{
    const struct panel_request look = { .verb = PANEL_SCREEN };
    const struct panel_request press = { .verb = PANEL_KEYS, .keys = BYTES("x") };
    AUTO(panel_client_closep) struct panel_client *panel = NULL;
    struct panel_reply reply;
    if (!open_panel(cli, &panel, err))
        return err->code == ERR_INTERRUPTED
                   ? false
                   : cli_fail(cli, EXIT_FAILED, err, ERR_UNSUPPORTED,
                              "this device can be told to cancel only on its own screen; dismiss "
                              "the question there");
    if (!panel_client_ask(panel, &look, &reply, err))
        return false;
    if (!reply.has_screen || reply.screen.ask == PANEL_ASK_NONE ||
        reply.screen.ask == PANEL_ASK_DIGITS)
        return cli_fail(cli, EXIT_FAILED, err, ERR_STATE, "nothing is being asked");
    cli_text(cli, "cancelled", reply.screen.title);
    cli_note(cli, "Cancelled: %.*s", BYTES_ARG(reply.screen.title));
    return panel_client_ask(panel, &press, &reply, err);
}
const struct verb verb_cancel = {
    "cancel",
    "",
    0,
    0,
    "Take back the question on a Casemate signer's screen",
    "Presses x on its panel, which it needs the operator's permission for.\n",
    NO_OPTIONS,
    0,
    run_cancel
};

// --- panel keys, text, menu ---

static bool run_keys(struct cli *cli, struct err *err)
{
    const struct panel_request request = { .verb = PANEL_KEYS,
                                           .keys = bytes_of_text(cli->line.words[0]) };
    if (request.keys.len == 0 || strspn(cli->line.words[0], "yxw0123456789") != request.keys.len)
        return err_set(err, ERR_USAGE, "'%s' is not made of y, x, w and digits",
                       cli->line.words[0]);
    return ask_panel(cli, &request, err);
}
const struct verb verb_panel_keys = {
    "panel keys",
    "KEYS",
    1,
    1,
    "Press keys: y is OK, x is cancel, w withdraws a code, and digits",
    NULL,
    NO_OPTIONS,
    0,
    run_keys
};

static bool run_text(struct cli *cli, struct err *err)
{
    AUTO(secret_freep) struct secret *text = NULL;
    if (!prompt_secret(&text, cli, "Answer (hidden): ", PROMPT_MAY_BE_EMPTY, err))
        return false;
    const struct panel_request request = { .verb = PANEL_TEXT, .text = secret_open(text) };
    const bool ok = ask_panel(cli, &request, err);
    secret_close(text);
    return ok;
}
static const struct option text_options[] = {
    NUMBER(0, "password-fd", "N", password_fd, 0, 1023, "read it from this descriptor"),
    TEXT(0, "password-file", "FILE", password_file, "read it from this file"),
};
const struct verb verb_panel_text = {
    "panel text",
    "",
    0,
    0,
    "Answer the signer's question for a PIN, words or a passphrase",
    "The answer is read from the terminal without echo, or a line of standard input.\n",
    OPTIONS(text_options),
    0,
    run_text
};

static const struct {
    const char *name;
    enum panel_item item;
    bool needs_name;
} menu_items[] = {
    { "start-hsm", PANEL_START_HSM, false },    { "wipe-policy", PANEL_WIPE_POLICY, false },
    { "delete-user", PANEL_DELETE_USER, true }, { "delete-wallet", PANEL_DELETE_WALLET, true },
    { "change-pin", PANEL_CHANGE_PIN, false },  { "lock", PANEL_LOCK, false },
};

static bool run_menu(struct cli *cli, struct err *err)
{
    const char *name = cli->line.n_words > 1 ? cli->line.words[1] : NULL;
    for (size_t i = 0; i < COUNT(menu_items); i++) {
        if (strcmp(cli->line.words[0], menu_items[i].name) != 0)
            continue;
        if (menu_items[i].needs_name != (name != NULL))
            return err_set(err, ERR_USAGE, "%s: %s", menu_items[i].name,
                           name != NULL ? "takes no name" : "whom or which? a name is missing");
        const struct panel_request request = { .verb = PANEL_MENU,
                                               .item = menu_items[i].item,
                                               .name = bytes_of_text(name) };
        return ask_panel(cli, &request, err);
    }
    return err_set(err, ERR_USAGE, "'%s' is no item of the menu", cli->line.words[0]);
}
const struct verb verb_panel_menu = { "panel menu",
                                      "ITEM [NAME]",
                                      1,
                                      2,
                                      "Choose an item of the signer's menu",
                                      "ITEM is start-hsm, wipe-policy, delete-user NAME, "
                                      "delete-wallet NAME, change-pin or lock. The\n"
                                      "signer asks on its screen before it does anything.\n",
                                      NO_OPTIONS,
                                      0,
                                      run_menu };

// --- Simulators only ---

static bool run_advance(struct cli *cli, struct err *err)
{
    struct panel_request request = { .verb = PANEL_ADVANCE };
    struct reader r = reader_of(bytes_of_text(cli->line.words[0]));
    if (!reader_decimal64(&r, PANEL_ADVANCE_MAX, &request.seconds) || !reader_done(&r))
        return err_set(err, ERR_USAGE, "'%s' is no number of seconds", cli->line.words[0]);
    return ask_panel(cli, &request, err);
}
const struct verb verb_panel_advance = {
    "panel advance", "SECONDS", 1,          1, "Simulator: move its clocks forward", NULL,
    NO_OPTIONS,      0,         run_advance
};

static bool run_set(struct cli *cli, struct err *err)
{
    const struct panel_request request = { .verb = PANEL_SET,
                                           .key = bytes_of_text(cli->line.words[0]),
                                           .value = bytes_of_text(cli->line.words[1]) };
    return ask_panel(cli, &request, err);
}
const struct verb verb_panel_set = {
    "panel set", "KEY VALUE", 2, 2,      "Simulator: set a key of its configuration",
    NULL,        NO_OPTIONS,  0, run_set
};

static bool run_reset(struct cli *cli, struct err *err)
{
    const struct panel_request request = { .verb = PANEL_RESET,
                                           .chain = bytes_of_text(cli->o->chain),
                                           .words = bytes_of_text(cli->o->words),
                                           .passphrase = bytes_of_text(cli->o->passphrase),
                                           .keep = cli->o->keep };
    if (cli->o->words != NULL || cli->o->passphrase != NULL)
        cli_note(cli, "casemate: the words stand on the command line; for throw-away seeds only");
    return ask_panel(cli, &request, err);
}
static const struct option reset_options[] = {
    TEXT(0, "chain", "CODE", chain, "BTC, XTN or XRT"),
    TEXT(0, "words", "WORDS", words, "seed words, of a throw-away seed"),
    TEXT(0, "passphrase", "TEXT", passphrase, "passphrase to the words"),
    FLAG(0, "keep", keep, "users, wallets and locker stay"),
};
const struct verb verb_panel_reset = {
    "panel reset",          "", 0,        0, "Simulator: start anew with an empty store", NULL,
    OPTIONS(reset_options), 0,  run_reset
};

// --- panel ---

static bool run_panel(struct cli *cli, struct err *err)
{
    const char *path;
    if (cli->o->json)
        return err_set(err, ERR_USAGE, "--json: use 'panel show'");
    if (!target_panel_path(cli, &path, err) || !cli_can_interrupt(cli, err))
        return false;
    cli->stage = STAGE_PANEL;
    return cli->o->plain ? panel_ui_run_plain(path, cli->cancel_fd, err)
                         : panel_ui_run(path, cli_has_color(cli), cli->cancel_fd, err);
}
static const struct option panel_options[] = {
    FLAG(0, "plain", plain,
         "plain lines, for a screen reader or a script; reads y, x, digits, ?, q"),
};
const struct verb verb_panel = { "panel",
                                 "",
                                 0,
                                 0,
                                 "Be the signer's screen and keypad, on this terminal",
                                 "The panel's socket is the wire socket's path with .panel added, "
                                 "or that of the signer's state\n"
                                 "directory; --panel names another, or the signer.\n",
                                 OPTIONS(panel_options),
                                 0,
                                 run_panel };
