#include "cli/panel_draw.h"
#define NCURSES_NOMACROS 1
#include <curses.h>

#define ROWS_MIN   10
#define COLS_MIN   40
#define ROWS_ROOMY 18
#define COLUMN_MAX 76 // wider lines are hard to read

enum { PAIR_ALERT = 1, PAIR_BAR, PAIR_KEY, PAIR_NOTE };

// --- Where things are ---

struct panel_layout panel_layout_of(int rows, int cols, const struct panel_view *view)
{
    struct panel_layout l = { .rows = rows, .cols = cols };
    l.too_small = rows < ROWS_MIN || cols < COLS_MIN;
    l.roomy = rows >= ROWS_ROOMY;
    l.width = cols - 4 < COLUMN_MAX ? cols - 4 : COLUMN_MAX;
    l.left = (cols - l.width) / 2;
    l.title = l.roomy ? 2 : 1;
    l.body = l.roomy ? 4 : 2;
    l.bar = rows - 1;
    l.note = rows - 2;
    l.keys = rows - 3;
    l.rule = rows - 4;
    l.typed = panel_view_is_typing(view) ? l.rule - 1 : -1;
    l.height = (l.typed >= 0 ? l.typed : l.rule) - l.body;
    if (l.roomy && l.typed >= 0)
        l.height--; // an empty line above it
    return l;
}

// --- Pieces ---

struct panel_look panel_look_begin(bool wants_color)
{
    struct panel_look look = { .utf8 = MB_CUR_MAX > 1 };
    look.colour = has_colors() && wants_color;
    if (look.colour) {
        start_color();
        use_default_colors();
        init_pair(PAIR_ALERT, COLOR_BLACK, COLOR_YELLOW);
        init_pair(PAIR_BAR, COLOR_WHITE, COLOR_BLUE);
        init_pair(PAIR_KEY, COLOR_CYAN, -1);
        init_pair(PAIR_NOTE, COLOR_YELLOW, -1);
    }
    return look;
}

static chtype attribute(const struct panel_look *look, int pair, chtype otherwise)
{
    return look->colour ? (chtype)COLOR_PAIR(pair) | A_BOLD : otherwise;
}

// Text that panel_text.h has made safe, or our own; what is beyond `width` columns is left out.
static int put(int row, int col, int width, chtype look, struct bytes text)
{
    const struct bytes shown = panel_text_fit(text, width > 0 ? (size_t)width : 0);
    attrset((int)look);
    mvaddnstr(row, col, (const char *)(shown.ptr ? shown.ptr : (const uint8_t *)""),
              (int)shown.len);
    attrset((int)A_NORMAL);
    return (int)panel_text_columns(shown);
}

static int put_text(int row, int col, int width, chtype look, const char *text)
{
    return put(row, col, width, look, bytes_of_text(text));
}

static void put_right(int row, int end, chtype look, const char *text)
{
    const int width = (int)panel_text_columns(bytes_of_text(text));
    put_text(row, end - width, width, look, text);
}

static void put_bar(int row, int cols, chtype look)
{
    attrset((int)look);
    mvhline(row, 0, ' ', cols);
    attrset((int)A_NORMAL);
}

static void put_repeated(int row, int col, int n, const char *piece)
{
    move(row, col);
    for (int i = 0; i < n; i++)
        addstr(piece);
}

static void put_rule(int row, const struct panel_layout *l, const struct panel_look *look)
{
    attrset((int)A_DIM);
    put_repeated(row, l->left, l->width, look->utf8 ? "\u2500" : "-");
    attrset((int)A_NORMAL);
}

// --- The two bars ---

static void draw_banner(const struct panel_view *view, const struct panel_layout *l,
                        const struct panel_look *look)
{
    const chtype bar = attribute(look, PAIR_BAR, A_REVERSE);
    const chtype alert = attribute(look, PAIR_ALERT, A_REVERSE | A_BOLD);
    const bool is_wide = l->cols >= 72;
    put_bar(0, l->cols, view->simulator ? alert : bar);
    const chtype look_of = view->simulator ? alert : bar;
    int col = 1 + put_text(0, 1, l->cols - 2, look_of, is_wide ? "Casemate panel  " : "");
    put(0, col, l->cols - col - 1, look_of, view->name);
    if (view->simulator)
        put_right(0, l->cols - 1, look_of,
                  is_wide ? "*** SIMULATOR: public test seed, no real money ***"
                          : "*** SIMULATOR ***");
}

static void draw_bar(const struct panel_view *view, const struct panel_layout *l,
                     const struct panel_look *look)
{
    static const char *const states[] = {
        [PANEL_LOCKED] = "Locked", [PANEL_NORMAL] = "Normal mode", [PANEL_HSM] = "HSM mode"
    };
    const chtype bar = attribute(look, PAIR_BAR, A_REVERSE);
    const struct panel_screen *s = &view->screen;
    char text[160];
    put_bar(l->bar, l->cols, bar);
    if (!view->has_screen)
        snprintf(text, sizeof text, "Not connected");
    else if (s->state == PANEL_HSM && !panel_view_is_hsm_home(view))
        snprintf(text, sizeof text, "HSM mode  approved %llu  refused %llu  left %.*s",
                 (unsigned long long)s->approved, (unsigned long long)s->refused,
                 BYTES_ARG(bytes_slice(s->period_left, 0, 16)));
    else
        snprintf(text, sizeof text, "%s", states[s->state]);
    const char *leave = panel_view_q_leaves(view) ? "q Leave" : "Ctrl-C Leave";
    const int end = l->cols - 1 - (int)strlen(leave);
    put_text(l->bar, 1, end - 2, bar, text);
    put_right(l->bar, l->cols - 1, bar, leave);
}

// --- What keys do ---

struct hint {
    const char *key, *what;
};

static const struct hint key_hints[] = {
    { "Enter/y", "OK" }, { "Esc/x", "Cancel" }, { "0-9", "Digit" }, { NULL, NULL }
};
static const struct hint digit_hints[] = { { "0-9", "Code" },
                                           { "Enter/y", "Send again" },
                                           { "Esc/x", "Clear" },
                                           { "w", "Withdraw" },
                                           { NULL, NULL } };
static const struct hint text_hints[] = {
    { "Enter", "Send" }, { "Esc", "Cancel" }, { "Ctrl-U", "Clear" }, { NULL, NULL }
};
static const struct hint menu_hints[] = { { "1-6", "Choose" }, { "Esc", "Back" }, { NULL, NULL } };
static const struct hint idle_hints[] = { { "m", "Menu" }, { NULL, NULL } };
static const struct hint no_hints[] = { { NULL, NULL } };

static const struct hint *hints_of(const struct panel_view *view)
{
    if (!view->has_screen)
        return no_hints;
    if (view->page == PANEL_PAGE_MENU)
        return menu_hints;
    if (view->page == PANEL_PAGE_NAME || view->screen.ask == PANEL_ASK_TEXT)
        return text_hints;
    if (view->screen.ask == PANEL_ASK_KEY)
        return key_hints;
    if (view->screen.ask == PANEL_ASK_DIGITS)
        return digit_hints;
    return view->screen.state == PANEL_NORMAL ? idle_hints : no_hints;
}

static int put_hint(int row, int col, int end, const struct panel_look *look,
                    const struct hint *hint)
{
    const int width = (int)(strlen(hint->key) + 1 + strlen(hint->what));
    if (col + width > end)
        return col;
    col += put_text(row, col, width, attribute(look, PAIR_KEY, A_BOLD), hint->key) + 1;
    return col + put_text(row, col, width, A_NORMAL, hint->what) + 3;
}

static void draw_keys(const struct panel_view *view, const struct panel_layout *l,
                      const struct panel_look *look)
{
    static const struct hint scroll_hint = { "PgUp/PgDn", "Scroll" };
    const struct panel_window *w = &view->window;
    int col = l->left;
    for (const struct hint *hint = hints_of(view); hint->key != NULL; hint++)
        col = put_hint(l->keys, col, l->left + l->width, look, hint);
    if (view->has_screen && view->page == PANEL_PAGE_SCREEN && w->n > w->height)
        put_hint(l->keys, col, l->left + l->width, look, &scroll_hint);
    if (view->has_screen)
        put_text(l->note, l->left, l->width, attribute(look, PAIR_NOTE, A_BOLD), view->note);
}

// --- The middle ---

static void draw_lines(const struct panel_view *view, const struct panel_layout *l)
{
    const struct panel_window *w = &view->window;
    for (size_t i = 0; i < w->height && w->first + i < view->lines.n; i++) {
        const struct panel_text_line *line = &view->lines.lines[w->first + i];
        const int indent = (int)line->indent;
        put(l->body + (int)i, l->left + indent, l->width - indent, A_NORMAL, line->text);
    }
}

static void draw_scroll_hints(const struct panel_view *view, const struct panel_layout *l,
                              const struct panel_look *look)
{
    const size_t above = panel_window_above(&view->window);
    const size_t below = panel_window_below(&view->window);
    const chtype bold = attribute(look, PAIR_NOTE, A_BOLD);
    char text[64];
    if (below > 0) {
        snprintf(text, sizeof text, " %s %zu more line%s below ", look->utf8 ? "\u25bc" : "v",
                 below, below > 1 ? "s" : "");
        put_right(l->rule, l->left + l->width - 2, bold, text);
    }
    if (above > 0) {
        snprintf(text, sizeof text, " %s %zu above ", look->utf8 ? "\u25b2" : "^", above);
        put_text(l->rule, l->left + 2, l->width, bold, text);
    }
}

// The six-place display: what the operator keys in is the code of one transaction, no secret.
static void draw_display(const struct panel_view *view, int row, int col,
                         const struct panel_look *look)
{
    const struct bytes digits = view->screen.digits;
    const char *bar = look->utf8 ? "\u2502" : "|";
    mvaddstr(row, col,
             look->utf8 ? "\u250c\u2500\u2500\u2500\u252c\u2500\u2500\u2500\u252c\u2500\u2500\u2500"
                          "\u252c\u2500\u2500\u2500\u252c\u2500\u2500\u2500\u252c\u2500\u2500\u2500"
                          "\u2510"
                        : "+---+---+---+---+---+---+");
    mvaddstr(row + 2, col,
             look->utf8 ? "\u2514\u2500\u2500\u2500\u2534\u2500\u2500\u2500\u2534\u2500\u2500\u2500"
                          "\u2534\u2500\u2500\u2500\u2534\u2500\u2500\u2500\u2534\u2500\u2500\u2500"
                          "\u2518"
                        : "+---+---+---+---+---+---+");
    for (int i = 0; i < 6; i++) {
        mvaddstr(row + 1, col + 4 * i, bar);
        if ((size_t)i < digits.len)
            put(row + 1, col + 4 * i + 2, 1, A_BOLD, bytes_slice(digits, (size_t)i, 1));
    }
    mvaddstr(row + 1, col + 24, bar);
}

static void draw_counter(int row, int col, const char *label, const char *value)
{
    put_text(row, col, 14, A_NORMAL, label);
    put_text(row, col + 15, 16, A_BOLD, value);
}

static void draw_hsm(const struct panel_view *view, const struct panel_layout *l,
                     const struct panel_look *look)
{
    const struct panel_screen *s = &view->screen;
    char approved[24], refused[24], left[24], line[80];
    snprintf(approved, sizeof approved, "%llu", (unsigned long long)s->approved);
    snprintf(refused, sizeof refused, "%llu", (unsigned long long)s->refused);
    snprintf(left, sizeof left, "%.*s", BYTES_ARG(bytes_slice(s->period_left, 0, 16)));
    if (l->height >= 7) {
        const int row = l->body + (l->height >= 10 ? 2 : 0);
        const int col = l->left + (l->width - 25) / 2;
        draw_display(view, row, col, look);
        draw_counter(row + 4, col, "APPROVED", approved);
        draw_counter(row + 5, col, "REFUSED", refused);
        draw_counter(row + 6, col, "PERIOD LEFT", left);
        return;
    }
    snprintf(line, sizeof line, "Code: %-6.*s", BYTES_ARG(bytes_slice(s->digits, 0, 6)));
    put_text(l->body, l->left, l->width, A_BOLD, line);
    snprintf(line, sizeof line, "APPROVED %s  REFUSED %s", approved, refused);
    put_text(l->body + 1, l->left, l->width, A_NORMAL, line);
    snprintf(line, sizeof line, "PERIOD LEFT %s", left);
    put_text(l->body + 2, l->left, l->width, A_NORMAL, line);
}

static void draw_menu(const struct panel_layout *l, const struct panel_look *look)
{
    for (size_t i = 0; i < panel_menu_n && (int)i < l->height; i++) {
        char digit[] = { (char)('1' + i), '\0' };
        put_text(l->body + (int)i, l->left, 1, attribute(look, PAIR_KEY, A_BOLD), digit);
        put_text(l->body + (int)i, l->left + 3, l->width - 3, A_NORMAL, panel_menu[i].label);
    }
}

static void draw_lost(const struct panel_view *view, const struct panel_layout *l)
{
    put_text(l->body, l->left, l->width, A_NORMAL, view->note);
    put_text(l->body + 2, l->left, l->width, A_NORMAL,
             view->connected ? "Waiting for its screen." : "Trying again every second.");
}

// --- What is being typed ---

static void draw_typed(const struct panel_view *view, const struct panel_layout *l,
                       const struct panel_look *look)
{
    const int room = l->width - 4;
    const size_t n = panel_view_typed_characters(view);
    const int shown = n < (size_t)room ? (int)n : room;
    curs_set(1);
    put_text(l->typed, l->left, 2, A_BOLD, "> ");
    if (view->page == PANEL_PAGE_NAME) {
        const struct bytes typed = bytes_slice(secret_open(view->typed), 0, view->typed_len);
        put(l->typed, l->left + 2, room, A_NORMAL, typed);
        secret_close(view->typed);
    } else {
        put_repeated(l->typed, l->left + 2, shown, look->utf8 ? "\u2022" : "*");
    }
    move(l->typed, l->left + 2 + shown);
}

static struct bytes title_of(const struct panel_view *view)
{
    if (!view->has_screen)
        return view->connected ? BYTES("Connected") : BYTES("No connection to the signer");
    if (view->page == PANEL_PAGE_SCREEN)
        return view->title;
    if (view->page == PANEL_PAGE_MENU)
        return BYTES("Menu");
    return view->item == PANEL_DELETE_USER ? BYTES("Name of the user to delete")
                                           : BYTES("Name of the wallet to delete");
}

static void draw_middle(const struct panel_view *view, const struct panel_layout *l,
                        const struct panel_look *look)
{
    put(l->title, l->left, l->width, A_BOLD, title_of(view));
    if (l->roomy)
        put_rule(l->title + 1, l, look);
    put_rule(l->rule, l, look);
    if (!view->has_screen)
        draw_lost(view, l);
    else if (view->page == PANEL_PAGE_MENU)
        draw_menu(l, look);
    else if (view->page == PANEL_PAGE_SCREEN && panel_view_is_hsm_home(view))
        draw_hsm(view, l, look);
    else if (view->page == PANEL_PAGE_SCREEN) {
        draw_lines(view, l);
        draw_scroll_hints(view, l, look);
    }
}

static void draw_too_small(const struct panel_layout *l)
{
    char text[80];
    put_text(0, 0, l->cols, A_BOLD, "Terminal too small:");
    snprintf(text, sizeof text, "%dx%d, needs %dx%d.", l->cols, l->rows, COLS_MIN, ROWS_MIN);
    put_text(1, 0, l->cols, A_NORMAL, text);
    put_text(2, 0, l->cols, A_NORMAL, "Enlarge it, or q Leave.");
}

void panel_draw(const struct panel_view *view, const struct panel_layout *layout,
                const struct panel_look *look)
{
    erase();
    curs_set(0);
    if (layout->too_small) {
        draw_too_small(layout);
    } else {
        draw_banner(view, layout, look);
        draw_middle(view, layout, look);
        draw_keys(view, layout, look);
        draw_bar(view, layout, look);
        if (layout->typed >= 0)
            draw_typed(view, layout, look); // last: leaves the cursor there
    }
    refresh();
}
