// wire/panel.h -- the panel's protocol: JSON, one object a line, for both sides.
//
// The device sends a hello, then one reply for each request (to `watch`: one now and one after
// every change of the screen).
//
// (1) `text` of a request is a PIN, seed words or a passphrase. It lies in struct panel_lines or in
//     the caller's arena, and nowhere else; both wipe.
// (2) A key or text names the question that it answers: hosts can put another in its place at any
//     moment, and what was pressed for one must not answer the other.
// (3) A line never exceeds PANEL_LINE_MAX, line feed included. A screen that does not fit is not
//     sent cut: the writer fails, and the signer refuses what it cannot show whole.
// Source: design.md "A signer on its host".
#ifndef CASEMATE_WIRE_PANEL_H
#define CASEMATE_WIRE_PANEL_H
#include "base/arena.h"
#include "base/err.h"
#include "base/writer.h"

#define PANEL_VERSION  1
#define PANEL_LINE_MAX 65536

// --- Lines out of a stream ---

struct panel_lines { // zeroed: empty
    size_t len;
    bool complete; // the line was handed out
    uint8_t b[PANEL_LINE_MAX];
};

enum panel_line { PANEL_LINE_MORE, PANEL_LINE_COMPLETE, PANEL_LINE_TOO_LONG };

// Takes bytes of *in up to a line feed, moving *in past them. PANEL_LINE_COMPLETE: *out is the line
// without its line feed, borrowed until the next call; call again for what is left in *in.
// PANEL_LINE_TOO_LONG: close the connection.
enum panel_line panel_lines_feed(struct panel_lines *lines, struct bytes *in, struct bytes *out);
void panel_lines_wipe(struct panel_lines *lines); // also for AUTO

// --- Requests ---

enum panel_do {
    PANEL_NONE,
    PANEL_SCREEN,
    PANEL_WATCH,
    PANEL_KEYS,
    PANEL_TEXT,
    PANEL_MENU,
    PANEL_ADVANCE, // simulator only, as the two below
    PANEL_SET,
    PANEL_RESET,
};
enum panel_item {
    PANEL_ITEM_NONE,
    PANEL_START_HSM,
    PANEL_WIPE_POLICY,
    PANEL_DELETE_USER,
    PANEL_DELETE_WALLET,
    PANEL_CHANGE_PIN,
    PANEL_LOCK,
};
#define PANEL_ADVANCE_MAX 4000000000 // seconds

struct panel_request {
    enum panel_do verb;
    struct bytes keys;    // keys: `y`, `x` and digits
    struct bytes text;    // text: secret; may be empty
    bool has_question;    // keys, text: they are for that question only; else for any
    uint64_t question;    // 0: for the screen without one
    enum panel_item item; // menu
    struct bytes name;    // menu: of the user or wallet to delete, empty for other items
    uint64_t seconds;     // advance
    struct bytes key;     // set: a configuration key
    struct bytes value;   // set
    struct bytes chain, words, passphrase; // reset: secret; empty: the default
    bool keep;                             // reset: users, wallets and locker stay
};

// Members that the verb does not have are errors. Bytes borrow from `line` and the arena.
// Fails: ERR_MALFORMED "JSON parse fail", "duplicate item: <key>", "unknown do: <verb>", "<key> is
//        missing", "<key> must be text", "unknown item: <key>", and the like; ERR_NO_MEMORY. No
//        error quotes a value of `text`, `words` or `passphrase`.
MUST_CHECK bool panel_request_unpack(struct panel_request *out, struct bytes line,
                                     struct arena *arena, struct err *err);
void panel_request_pack(struct writer *w, const struct panel_request *request); // with line feed

// --- What the device sends ---

struct panel_hello {
    struct bytes name;
    bool simulator;
};
// Fails: ERR_UNSUPPORTED "panel protocol <n>" for another version; ERR_MALFORMED.
MUST_CHECK bool panel_hello_unpack(struct panel_hello *out, struct bytes line, struct arena *arena,
                                   struct err *err);
void panel_hello_pack(struct writer *w, const struct panel_hello *hello);

enum panel_ask { PANEL_ASK_NONE, PANEL_ASK_KEY, PANEL_ASK_DIGITS, PANEL_ASK_TEXT };
enum panel_state { PANEL_LOCKED, PANEL_NORMAL, PANEL_HSM };

struct panel_screen {
    struct bytes title, text; // without the 0x02 bytes
    enum panel_ask ask;
    uint64_t question; // its number, never used twice; 0: none is up
    enum panel_state state;
    uint64_t approved, refused; // PANEL_HSM, as the two below
    struct bytes period_left;   // as the device shows it: "n/a", "--", "12m 3s", "1h 2m"
    struct bytes digits;        // on the display, 0 to 6
};
struct panel_reply {
    bool ok;
    struct bytes error; // if not ok
    bool has_screen;    // if ok: to `screen` and `watch`
    struct panel_screen screen;
};
// Members that are not known are ignored: an older panel may watch a newer device.
// Fails: ERR_MALFORMED, ERR_NO_MEMORY.
MUST_CHECK bool panel_reply_unpack(struct panel_reply *out, struct bytes line, struct arena *arena,
                                   struct err *err);
void panel_reply_pack(struct writer *w, const struct panel_reply *reply);

#endif
