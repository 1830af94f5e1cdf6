// signer/screen.h -- what the device shows, and who gets the keys.
//
// There is one screen with at most one dialog; a new dialog replaces the one before, which is told
// so. Without a dialog the device's home text is shown (device.h). Texts carry 0x02 before addresses as the device's do; panels are sent them without.
#ifndef CASEMATE_SIGNER_SCREEN_H
#define CASEMATE_SIGNER_SCREEN_H
#include "base/bytes.h"

#define SCREEN_TITLE_MAX 32
#define SCREEN_TEXT_MAX  1048576 // bytes; a longer text is cut, which its last line says
#define SCREEN_PAGE_MAX  48000   // bytes of a panel's line that one page may take

enum screen_ask { ASK_NONE, ASK_KEY, ASK_DIGITS, ASK_TEXT };

// What a dialog does with input. Each may end the dialog or put up another; all may be NULL.
// `context` is the owner's and outlives the dialog.
struct dialog_ops {
    void (*key)(void *context, char key);           // 'y', 'x', '0' to '9'
    void (*text)(void *context, struct bytes text); // answer to ASK_TEXT; a secret, wiped after
    void (*dismissed)(void *context);               // another dialog or screen_clear took its place
};

struct screen {
    char title[SCREEN_TITLE_MAX];
    char *text; // owned, zero-terminated
    size_t text_len;
    size_t page_start, page_len; // the part that is shown now
    enum screen_ask ask;
    const struct dialog_ops *ops; // NULL: no dialog
    void *context;
    uint64_t question;               // number of the dialog that was put up last
    uint64_t version;                // raised by every change
    void (*changed)(void *listener); // told after every change; NULL: nobody
    void *listener;
};

void screen_init(struct screen *screen);
void screen_free(struct screen *screen); // dismisses nobody

// Puts up a dialog, dismissing the one that is there. `text` is copied.
void screen_ask(struct screen *screen, const char *title, struct bytes text, enum screen_ask ask,
                const struct dialog_ops *ops, void *context);

// Takes the dialog down without telling it: its owner has ended it.
void screen_done(struct screen *screen);

// Takes the dialog down as if another had come.
void screen_dismiss(struct screen *screen);

bool screen_has_dialog(const struct screen *screen);

// What is shown of a long text: it comes in pages, and OK shows the next one before it can mean
// anything else. So nothing is approved unseen.
struct bytes screen_page(const struct screen *screen);
bool screen_has_more(const struct screen *screen);

// Something else that panels show has changed.
void screen_touch(struct screen *screen);

// Input for the dialog. False if none is up or it does not take this kind of input.
bool screen_key(struct screen *screen, char key);
bool screen_text(struct screen *screen, struct bytes text);

#endif
