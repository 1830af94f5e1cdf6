// cli/panel_input.h -- what a terminal sends, as keys.
//
// Our own decoder rather than the library's, because a PIN is typed through it: nothing keeps what
// has become a key. It knows the sequences of xterm and what imitates it, the Linux console, tmux
// and screen; another sequence is one unknown key, never a row of letters.
#ifndef CASEMATE_CLI_PANEL_INPUT_H
#define CASEMATE_CLI_PANEL_INPUT_H
#include "base/bytes.h"

#define PANEL_INPUT_ESC_MS 60 // an Esc that nothing follows for so long is the key

enum panel_key {
    PANEL_KEY_NONE, // nothing complete, or nothing known
    PANEL_KEY_TEXT, // one character
    PANEL_KEY_ENTER,
    PANEL_KEY_ESC,
    PANEL_KEY_BACKSPACE,
    PANEL_KEY_CLEAR,  // Ctrl-U
    PANEL_KEY_REDRAW, // Ctrl-L
    PANEL_KEY_LEAVE,  // Ctrl-C
    PANEL_KEY_UP,
    PANEL_KEY_DOWN,
    PANEL_KEY_PAGE_UP,
    PANEL_KEY_PAGE_DOWN,
    PANEL_KEY_HOME,
    PANEL_KEY_END,
};

struct panel_event {
    enum panel_key key;
    bool pasted; // PANEL_KEY_TEXT and PANEL_KEY_ENTER: not typed, but from a clipboard
    uint8_t utf8[4];
    size_t len; // of utf8, for PANEL_KEY_TEXT
};

struct panel_input { // zeroed: nothing has come
    uint8_t b[16];   // of a character or sequence that is not complete
    size_t len;
    bool too_long; // a sequence that is being skipped
    bool pasting;
};

// Takes the next byte. The event's character is a valid one, printable or not.
struct panel_event panel_input_byte(struct panel_input *input, uint8_t byte);

// For PANEL_INPUT_ESC_MS nothing has come: what is half a sequence is an Esc, or nothing.
struct panel_event panel_input_pause(struct panel_input *input);
bool panel_input_is_waiting(const struct panel_input *input);

#endif
