// cli/panel_view.h -- what the panel shows and what a key means on it. No terminal, no socket.
//
// (1) Only a typed key approves: a paste never does, nor a key that comes within
//     PANEL_VIEW_LOOK_MS of a question that has just come up, nor one while the question does not
//     fit on the terminal.
// (2) What is typed in answer to `text` lies in guarded memory, is never drawn, and is wiped when
//     it was sent, when the question changes, and at the end.
#ifndef CASEMATE_CLI_PANEL_VIEW_H
#define CASEMATE_CLI_PANEL_VIEW_H
#include "base/secret.h"
#include "cli/panel_input.h"
#include "cli/panel_text.h"
#include "client/panel_client.h"

#define PANEL_VIEW_LOOK_MS  700
#define PANEL_VIEW_TYPE_MAX 1024 // bytes of an answer

enum panel_page {
    PANEL_PAGE_SCREEN, // the signer's
    PANEL_PAGE_MENU,   // ours
    PANEL_PAGE_NAME,   // ours: of the user or wallet to delete
};

// What the program does about a key.
enum panel_act {
    PANEL_ACT_NONE,
    PANEL_ACT_KEY,  // send `key`
    PANEL_ACT_TEXT, // send what was typed, then panel_view_sent
    PANEL_ACT_ITEM, // send `item`, with what was typed as its name, then panel_view_sent
    PANEL_ACT_REDRAW,
    PANEL_ACT_LEAVE,
};
struct panel_action {
    enum panel_act act;
    char key;
    enum panel_item item;
};

struct panel_view {
    bool connected, has_screen;
    struct bytes name; // safe to print, as are the two below
    bool simulator;
    struct bytes title;
    struct panel_text lines;
    struct panel_window window;
    struct panel_screen screen; // as it came, in `shown`
    int64_t changed_ms;         // when the question did
    bool too_small;
    size_t width;
    enum panel_page page;
    enum panel_item item; // PANEL_PAGE_NAME
    struct secret *typed;
    size_t typed_len;
    bool line_pasted; // a line feed, which becomes a blank if more of the paste follows
    char note[160];   // said until the next key; UTF-8
    struct arena *greeting, *shown, *wrapped;
};

void panel_view_init(struct panel_view *view);
void panel_view_free(struct panel_view *view); // wipes

// --- What the signer says ---

MUST_CHECK bool panel_view_connect(struct panel_view *view, const struct panel_hello *hello,
                                   struct err *err);
void panel_view_lose(struct panel_view *view, const char *why);
MUST_CHECK bool panel_view_show(struct panel_view *view, const struct panel_screen *screen,
                                int64_t now_ms, struct err *err);
void panel_view_say(struct panel_view *view, struct bytes note);

// --- What the operator does ---

// The terminal has room for `height` lines of `width` columns; too_small: for none.
MUST_CHECK bool panel_view_fit(struct panel_view *view, size_t width, size_t height, bool too_small,
                               struct err *err);
struct panel_action panel_view_key(struct panel_view *view, const struct panel_event *event,
                                   int64_t now_ms);
void panel_view_sent(struct panel_view *view);

// --- For drawing ---

// HSM mode with no question: counters and digits rather than text.
bool panel_view_is_hsm_home(const struct panel_view *view);
// Something is being typed: hidden dots for `text`, plain for a name.
bool panel_view_is_typing(const struct panel_view *view);
size_t panel_view_typed_characters(const struct panel_view *view);
// `q` leaves, as no letter means anything else now.
bool panel_view_q_leaves(const struct panel_view *view);

struct panel_menu_item {
    enum panel_item item;
    const char *label;
    const char *name_of; // what is to be named: "user"; NULL: nothing
};
extern const struct panel_menu_item panel_menu[];
extern const size_t panel_menu_n;

#endif
