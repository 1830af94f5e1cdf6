#include "cli/panel_view.h"
#include "base/utf8.h"

#define TEXT_MEMORY (16u << 20) // a screen's text with all that wrapping makes of it

const struct panel_menu_item panel_menu[] = {
    { PANEL_START_HSM, "Start HSM mode with the saved policy", NULL },
    { PANEL_CHANGE_PIN, "Change the PIN", NULL },
    { PANEL_LOCK, "Lock the signer", NULL },
    { PANEL_DELETE_USER, "Delete a user", "user" },
    { PANEL_DELETE_WALLET, "Delete a wallet", "wallet" },
    { PANEL_WIPE_POLICY, "Wipe the saved policy", NULL },
};
const size_t panel_menu_n = COUNT(panel_menu);

// --- Beginning and end ---

void panel_view_init(struct panel_view *view)
{
    *view = (struct panel_view){ .width = 76, .window = { .height = 16 } };
    view->typed = secret_new_zeroed(PANEL_VIEW_TYPE_MAX);
    view->greeting = arena_new(65536);
    view->shown = arena_new(TEXT_MEMORY);
    view->wrapped = arena_new(TEXT_MEMORY);
}

void panel_view_free(struct panel_view *view)
{
    secret_free(view->typed);
    arena_free(view->greeting);
    arena_free(view->shown);
    arena_free(view->wrapped);
    *view = (struct panel_view){ 0 };
}

// --- What is typed ---

static void forget_typed(struct panel_view *view)
{
    wipe(secret_edit(view->typed), PANEL_VIEW_TYPE_MAX);
    secret_close(view->typed);
    view->typed_len = 0;
    view->line_pasted = false;
}

static void append(struct panel_view *view, struct bytes text)
{
    if (text.len > PANEL_VIEW_TYPE_MAX - view->typed_len) {
        panel_view_say(view, BYTES("That is longer than any answer can be."));
        return;
    }
    uint8_t *typed = secret_edit(view->typed);
    for (size_t i = 0; i < text.len; i++)
        typed[view->typed_len + i] = text.ptr[i];
    secret_close(view->typed);
    view->typed_len += text.len;
}

static void take_back(struct panel_view *view)
{
    uint8_t *typed = secret_edit(view->typed);
    while (view->typed_len > 0) {
        const uint8_t last = typed[--view->typed_len];
        typed[view->typed_len] = 0;
        if ((last & 0xc0) != 0x80) // the byte that a character begins with
            break;
    }
    secret_close(view->typed);
}

// Words are pasted in lines: a line feed between them is a blank, one at the end is none.
static void type(struct panel_view *view, const struct panel_event *event)
{
    if (event->key == PANEL_KEY_ENTER) {
        view->line_pasted = view->typed_len > 0;
        return;
    }
    if (view->line_pasted && event->pasted)
        append(view, BYTES(" "));
    view->line_pasted = false;
    append(view, bytes_of(event->utf8, event->len));
}

size_t panel_view_typed_characters(const struct panel_view *view)
{
    const struct bytes typed = bytes_slice(secret_open(view->typed), 0, view->typed_len);
    const size_t n = utf8_length(typed);
    secret_close(view->typed);
    return n;
}

// --- What the signer says ---

void panel_view_say(struct panel_view *view, struct bytes note)
{
    snprintf(view->note, sizeof view->note, "%.*s", BYTES_ARG(utf8_cut(note, 150)));
}

bool panel_view_connect(struct panel_view *view, const struct panel_hello *hello, struct err *err)
{
    arena_reset(view->greeting);
    view->connected = true;
    view->has_screen = false;
    view->simulator = hello->simulator;
    view->note[0] = '\0';
    return panel_text_safe(&view->name, hello->name, view->greeting, err);
}

void panel_view_lose(struct panel_view *view, const char *why)
{
    view->connected = view->has_screen = false;
    view->page = PANEL_PAGE_SCREEN;
    forget_typed(view);
    panel_view_say(view, bytes_of_text(why));
}

static bool is_same_question(const struct panel_view *view, const struct panel_screen *screen)
{
    const struct panel_screen *old = &view->screen;
    return view->has_screen && old->ask == screen->ask && old->state == screen->state &&
           old->question == screen->question && bytes_equal(old->title, screen->title) &&
           bytes_equal(old->text, screen->text);
}

static bool keep(struct panel_view *view, const struct panel_screen *screen, struct err *err)
{
    arena_reset(view->shown);
    view->screen = *screen;
    if (!arena_copy(view->shown, screen->title, &view->screen.title) ||
        !arena_copy(view->shown, screen->text, &view->screen.text) ||
        !arena_copy(view->shown, screen->period_left, &view->screen.period_left) ||
        !arena_copy(view->shown, screen->digits, &view->screen.digits))
        return err_set(err, ERR_NO_MEMORY, "no memory for the screen");
    return panel_text_safe(&view->title, screen->title, view->shown, err);
}

static bool wrap(struct panel_view *view, struct err *err)
{
    arena_reset(view->wrapped);
    view->lines = (struct panel_text){ 0 };
    if (view->has_screen &&
        !panel_text_wrap(&view->lines, view->screen.text, view->width, view->wrapped, err))
        return false;
    view->window.n = view->lines.n;
    panel_window_move(&view->window, 0);
    return true;
}

bool panel_view_show(struct panel_view *view, const struct panel_screen *screen, int64_t now_ms,
                     struct err *err)
{
    const bool is_same = is_same_question(view, screen);
    view->has_screen = keep(view, screen, err);
    if (!view->has_screen)
        return false;
    if (is_same)
        return true;
    view->changed_ms = now_ms;
    view->note[0] = '\0';
    view->window.first = 0;
    view->page = PANEL_PAGE_SCREEN;
    forget_typed(view);
    return wrap(view, err);
}

bool panel_view_fit(struct panel_view *view, size_t width, size_t height, bool too_small,
                    struct err *err)
{
    const size_t old_width = view->width;
    view->too_small = too_small;
    view->width = width > PANEL_TEXT_WIDTH_MIN ? width : PANEL_TEXT_WIDTH_MIN;
    view->window.height = height > 0 ? height : 1;
    panel_window_move(&view->window, 0);
    return view->width == old_width || wrap(view, err);
}

// --- What the operator does ---

static const struct panel_action nothing = { .act = PANEL_ACT_NONE };

static struct panel_action send_key(char key)
{
    return (struct panel_action){ .act = PANEL_ACT_KEY, .key = key };
}

// The device's key, or 0. Enter is y, Esc is x.
static char device_key(const struct panel_event *event)
{
    if (event->key == PANEL_KEY_ENTER)
        return 'y';
    if (event->key == PANEL_KEY_ESC)
        return 'x';
    const char c = event->key == PANEL_KEY_TEXT && event->len == 1 ? (char)event->utf8[0] : 0;
    if (c == 'y' || c == 'Y')
        return 'y';
    if (c == 'x' || c == 'X')
        return 'x';
    if (c == 'w' || c == 'W') // withdraws a local code, in HSM mode
        return 'w';
    return c >= '0' && c <= '9' ? c : 0;
}

static bool is_letter(const struct panel_event *event, char letter)
{
    return event->key == PANEL_KEY_TEXT && event->len == 1 && event->utf8[0] == (uint8_t)letter &&
           !event->pasted;
}

static struct panel_action answer_question(struct panel_view *view, const struct panel_event *event,
                                           int64_t now_ms)
{
    const char key = device_key(event);
    if (event->pasted)
        panel_view_say(view, BYTES("A question is answered by a key, not by a paste."));
    else if (key == 'x')
        return send_key(key);
    else if (key != 0 && now_ms - view->changed_ms < PANEL_VIEW_LOOK_MS)
        panel_view_say(view, BYTES("This has only just come up. Read it, then press again."));
    else if (key != 0)
        return send_key(key);
    return nothing;
}

static struct panel_action enter_digit(const struct panel_event *event)
{
    const char key = device_key(event);
    if (event->key == PANEL_KEY_BACKSPACE || event->key == PANEL_KEY_CLEAR)
        return send_key('x');
    return key != 0 && (!event->pasted || (key >= '0' && key <= '9')) ? send_key(key) : nothing;
}

// True if the key changed or ended what is being typed; *ended: it is complete.
static bool edit(struct panel_view *view, const struct panel_event *event, bool *ended)
{
    *ended = event->key == PANEL_KEY_ENTER && !event->pasted;
    if (event->key == PANEL_KEY_TEXT || (event->key == PANEL_KEY_ENTER && event->pasted))
        type(view, event);
    else if (event->key == PANEL_KEY_BACKSPACE)
        take_back(view);
    else if (event->key == PANEL_KEY_CLEAR)
        forget_typed(view);
    else
        return *ended;
    return true;
}

static struct panel_action answer_text(struct panel_view *view, const struct panel_event *event)
{
    bool ended;
    if (edit(view, event, &ended))
        return (struct panel_action){ .act = ended ? PANEL_ACT_TEXT : PANEL_ACT_NONE };
    return event->key == PANEL_KEY_ESC ? send_key('x') : nothing;
}

static struct panel_action choose_item(struct panel_view *view, const struct panel_event *event)
{
    const bool is_text = event->key == PANEL_KEY_TEXT && event->len == 1 && !event->pasted;
    const size_t i = is_text ? (size_t)event->utf8[0] - '1' : SIZE_MAX;
    if (i >= panel_menu_n) {
        view->page = PANEL_PAGE_SCREEN; // any other key goes back
        return nothing;
    }
    view->item = panel_menu[i].item;
    view->page = panel_menu[i].name_of != NULL ? PANEL_PAGE_NAME : PANEL_PAGE_SCREEN;
    if (view->page == PANEL_PAGE_NAME)
        return nothing;
    return (struct panel_action){ .act = PANEL_ACT_ITEM, .item = view->item };
}

static struct panel_action name_item(struct panel_view *view, const struct panel_event *event)
{
    bool ended;
    if (edit(view, event, &ended)) {
        if (!ended || view->typed_len == 0)
            return nothing;
        view->page = PANEL_PAGE_SCREEN;
        return (struct panel_action){ .act = PANEL_ACT_ITEM, .item = view->item };
    }
    if (event->key == PANEL_KEY_ESC) {
        forget_typed(view);
        view->page = PANEL_PAGE_MENU;
    }
    return nothing;
}

static struct panel_action idle(struct panel_view *view, const struct panel_event *event)
{
    if (is_letter(event, 'm') && view->screen.state == PANEL_NORMAL)
        view->page = PANEL_PAGE_MENU;
    return nothing;
}

static bool scroll(struct panel_view *view, enum panel_key key)
{
    const int64_t page = (int64_t)view->window.height - 1; // one line stays, to find one's place
    const int64_t all = (int64_t)view->window.n;
    switch (key) {
    case PANEL_KEY_UP:
        panel_window_move(&view->window, -1);
        return true;
    case PANEL_KEY_DOWN:
        panel_window_move(&view->window, 1);
        return true;
    case PANEL_KEY_PAGE_UP:
        panel_window_move(&view->window, page > 0 ? -page : -1);
        return true;
    case PANEL_KEY_PAGE_DOWN:
        panel_window_move(&view->window, page > 0 ? page : 1);
        return true;
    case PANEL_KEY_HOME:
        panel_window_move(&view->window, -all);
        return true;
    case PANEL_KEY_END:
        panel_window_move(&view->window, all);
        return true;
    default:
        return false;
    }
}

static struct panel_action on_screen(struct panel_view *view, const struct panel_event *event,
                                     int64_t now_ms)
{
    switch (view->screen.ask) {
    case PANEL_ASK_KEY:
        return answer_question(view, event, now_ms);
    case PANEL_ASK_DIGITS:
        return enter_digit(event);
    case PANEL_ASK_TEXT:
        return answer_text(view, event);
    case PANEL_ASK_NONE:
        break;
    }
    return idle(view, event);
}

struct panel_action panel_view_key(struct panel_view *view, const struct panel_event *event,
                                   int64_t now_ms)
{
    if (event->key == PANEL_KEY_NONE)
        return nothing;
    if (event->key == PANEL_KEY_REDRAW)
        return (struct panel_action){ .act = PANEL_ACT_REDRAW };
    if (event->key == PANEL_KEY_LEAVE || (is_letter(event, 'q') && panel_view_q_leaves(view)))
        return (struct panel_action){ .act = PANEL_ACT_LEAVE };
    if (!view->has_screen || view->too_small)
        return nothing;
    view->note[0] = '\0';
    if (view->page == PANEL_PAGE_MENU)
        return choose_item(view, event);
    if (view->page == PANEL_PAGE_NAME)
        return name_item(view, event);
    return scroll(view, event->key) ? nothing : on_screen(view, event, now_ms);
}

void panel_view_sent(struct panel_view *view)
{
    forget_typed(view);
}

// --- For drawing ---

bool panel_view_is_hsm_home(const struct panel_view *view)
{
    return view->screen.state == PANEL_HSM && view->screen.ask == PANEL_ASK_DIGITS;
}

bool panel_view_is_typing(const struct panel_view *view)
{
    return view->has_screen &&
           (view->page == PANEL_PAGE_NAME ||
            (view->page == PANEL_PAGE_SCREEN && view->screen.ask == PANEL_ASK_TEXT));
}

bool panel_view_q_leaves(const struct panel_view *view)
{
    if (!view->has_screen || view->too_small)
        return true;
    return view->page == PANEL_PAGE_SCREEN &&
           (view->screen.ask == PANEL_ASK_NONE || view->screen.ask == PANEL_ASK_DIGITS);
}
