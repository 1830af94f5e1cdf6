// cli/panel_text.h -- a text as lines of a given width, and the part of it that is in view.
//
// (1) What is approved is what is seen: whatever a terminal would obey, hide or draw elsewhere
//     (control characters, marks that turn the direction of writing, characters that have no
//     shape, or that the locale cannot show) becomes a visible "<U+202E>".
// (2) Nothing but blanks at the end of a line, and empty lines before and behind the text, is left
//     out.
#ifndef CASEMATE_CLI_PANEL_TEXT_H
#define CASEMATE_CLI_PANEL_TEXT_H
#include "base/arena.h"
#include "base/err.h"

struct panel_text_line {
    size_t indent;     // columns before the text
    struct bytes text; // safe to print; no line feed
};
struct panel_text {
    const struct panel_text_line *lines;
    size_t n;
};

#define PANEL_TEXT_WIDTH_MIN 8
#define PANEL_TEXT_NO_WRAP   SIZE_MAX // as width: one line for each of the text's own

// Breaks at blanks, and within words that are wider than a line. What continues a line is indented
// like it, behind its "- " if it begins so. Lines live in the arena.
// text:  UTF-8. width: columns, PANEL_TEXT_WIDTH_MIN at least.
// Fails: ERR_MALFORMED "text is not UTF-8", ERR_NO_MEMORY.
MUST_CHECK bool panel_text_wrap(struct panel_text *out, struct bytes text, size_t width,
                                struct arena *arena, struct err *err);

// The same text with what (1) says replaced, on one line: for titles and names.
MUST_CHECK bool panel_text_safe(struct bytes *out, struct bytes text, struct arena *arena,
                                struct err *err);

// How many columns the text takes that one of the above made.
size_t panel_text_columns(struct bytes text);

// The beginning of it that fits into so many columns.
struct bytes panel_text_fit(struct bytes text, size_t columns);

// --- The part in view: lines `first` to `first + height - 1` of `n` ---

struct panel_window {
    size_t first, height, n;
};
// Moves by so many lines, as far as there is text.
void panel_window_move(struct panel_window *window, int64_t lines);
size_t panel_window_above(const struct panel_window *window); // lines out of view
size_t panel_window_below(const struct panel_window *window);

#endif
