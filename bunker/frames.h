// bunker/frames.h -- what is sent to sockets: modals, notes, files. Source: bunker.md 7.
#ifndef CASEMATE_BUNKER_FRAMES_H
#define CASEMATE_BUNKER_FRAMES_H
#include "bunker/bunker.h"

// A frame under way: write its members with `j`, then frame_send.
struct frame {
    struct arena *arena;
    struct writer w;
    struct json_writer j;
};
void frame_begin(struct frame *f);
void frame_send(struct frame *f, struct client *c, unsigned key); // to one socket; frees the frame
void frame_free(struct frame *f);

// One failure modal. `text` is plain; in `html` its lines are joined by <br> and `&<>` are escaped.
// code: a stable name ("bad_args").
void frame_fail(struct client *c, const char *code, const char *fmt, ...) PRINTF_LIKE(3, 4);
void frame_success(struct client *c, const char *text);
void frame_flash(struct client *c, const char *text);

// "Rejected by Coldcard." and the reason.
void frame_rejected(struct client *c, const char *reason);

// {"local_download": ...}; has_b64: whether the member is_b64 is written.
void frame_download(struct client *c, struct bytes data, const char *filename, bool has_b64,
                    bool is_b64);

// Text as HTML: & < > escaped, quotes left alone, LF as <br>. Source: 7 [C].
void html_write(struct writer *w, struct bytes text);

// The same with quotes, for attributes; LF stays.
void html_write_attribute(struct writer *w, struct bytes text);

// JSON for a script in a page: < > & ' U+2028 U+2029 as \uXXXX. Source: 17.2.
void script_json_write(struct writer *w, struct bytes json);

// An error of a device job in the words and under the code that clients know. Interpreter, errno and
// library texts are logged under a reference number, which is all that users see of them.
void frame_device_error(struct client *c, const struct err *err);

#endif
