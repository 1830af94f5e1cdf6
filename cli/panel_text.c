#include "cli/panel_text.h"
#include "base/utf8.h"
#include "base/writer.h"
#include <wchar.h>

// --- Characters ---

// One character of valid UTF-8; *text moves past it.
static uint32_t take_character(struct bytes *text)
{
    static const uint8_t lead_bits[] = { 0x7f, 0x7f, 0x1f, 0x0f, 0x07 };
    const uint8_t lead = text->ptr[0];
    const size_t len = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    uint32_t c = lead & lead_bits[len];
    for (size_t i = 1; i < len && i < text->len; i++)
        c = c << 6 | (text->ptr[i] & 0x3f);
    *text = bytes_slice(*text, len, SIZE_MAX);
    return c;
}

// Unicode's Default_Ignorable_Code_Point, the line and paragraph separators, and the marks that
// turn the direction of writing: a terminal may show nothing for them, or show the rest elsewhere.
static const struct {
    uint32_t first, last;
} unseen[] = {
    { 0x00ad, 0x00ad },   { 0x034f, 0x034f }, { 0x061c, 0x061c },   { 0x115f, 0x1160 },
    { 0x17b4, 0x17b5 },   { 0x180b, 0x180f }, { 0x200b, 0x200f },   { 0x2028, 0x202e },
    { 0x2060, 0x206f },   { 0x3164, 0x3164 }, { 0xfe00, 0xfe0f },   { 0xfeff, 0xfeff },
    { 0xffa0, 0xffa0 },   { 0xfff0, 0xfffb }, { 0x1bca0, 0x1bca3 }, { 0x1d173, 0x1d17a },
    { 0xe0000, 0xe0fff },
};

static bool is_unseen(uint32_t c)
{
    for (size_t i = 0; i < COUNT(unseen); i++)
        if (c >= unseen[i].first && c <= unseen[i].last)
            return true;
    return false;
}

// Columns on the terminal; negative for what it must not get.
static int columns_of(uint32_t c)
{
    return c == 0 || is_unseen(c) ? -1 : wcwidth((wchar_t)c); // wcwidth says 0 for 0
}

// With or without the text's own line feeds.
static bool make_safe(struct bytes *out, struct bytes text, bool keep_feeds, struct arena *arena,
                      struct err *err)
{
    struct writer w = writer_growing(arena, 8 * text.len + 1); // "<U+0001>" for each byte, at most
    if (!utf8_is_valid(text))
        return err_set(err, ERR_MALFORMED, "text is not UTF-8");
    while (text.len > 0) {
        const struct bytes from = text;
        const uint32_t c = take_character(&text);
        if ((keep_feeds && c == '\n') || columns_of(c) >= 0)
            writer_put(&w, bytes_slice(from, 0, from.len - text.len));
        else
            writer_printf(&w, "<U+%04X>", c);
    }
    return writer_finish(&w, out) || err_set(err, ERR_NO_MEMORY, "no memory for the text");
}

bool panel_text_safe(struct bytes *out, struct bytes text, struct arena *arena, struct err *err)
{
    return make_safe(out, text, false, arena, err);
}

struct bytes panel_text_fit(struct bytes text, size_t columns)
{
    struct bytes rest = text;
    while (rest.len > 0) {
        struct bytes next = rest;
        const int wide = columns_of(take_character(&next));
        if (wide > 0 && (size_t)wide > columns)
            break;
        columns -= wide > 0 ? (size_t)wide : 0;
        rest = next;
    }
    return bytes_slice(text, 0, text.len - rest.len);
}

size_t panel_text_columns(struct bytes text)
{
    size_t n = 0;
    while (text.len > 0) {
        const int wide = columns_of(take_character(&text));
        n += wide > 0 ? (size_t)wide : 0;
    }
    return n;
}

// --- Lines ---

struct lines {
    struct arena *arena;
    struct panel_text_line *items;
    size_t n, cap;
};

static bool add_line(struct lines *lines, size_t indent, struct bytes text)
{
    if (lines->n == lines->cap) {
        const size_t cap = lines->cap > 0 ? 2 * lines->cap : 32;
        struct panel_text_line *more = arena_array(lines->arena, cap, sizeof *more);
        if (more == NULL)
            return false;
        if (lines->n > 0)
            memcpy(more, lines->items, lines->n * sizeof *more);
        lines->items = more;
        lines->cap = cap;
    }
    lines->items[lines->n++] = (struct panel_text_line){ indent, text };
    return true;
}

static struct bytes without_blanks(struct bytes text)
{
    while (text.len > 0 && text.ptr[0] == ' ')
        text = bytes_slice(text, 1, SIZE_MAX);
    return text;
}

static struct bytes without_blanks_behind(struct bytes text)
{
    while (text.len > 0 && text.ptr[text.len - 1] == ' ')
        text.len--;
    return text;
}

// The blanks that a line begins with, and its "- ".
static size_t lead_of(struct bytes line)
{
    const struct bytes rest = without_blanks(line);
    return line.len - rest.len + (bytes_starts_with(rest, BYTES("- ")) ? 2 : 0);
}

// What goes on one line of that width: up to the last blank that fits, or else as much as fits.
static struct bytes first_part(struct bytes line, size_t width)
{
    const struct bytes fits = panel_text_fit(line, width);
    if (fits.len == line.len || line.ptr[fits.len] == ' ')
        return fits;
    for (size_t end = fits.len; end > lead_of(line); end--)
        if (line.ptr[end - 1] == ' ')
            return bytes_slice(line, 0, end);
    // A character wider than the line: rather too wide than for ever.
    return fits.len > 0 ? fits : line;
}

static bool wrap_line(struct lines *lines, struct bytes line, size_t width)
{
    const size_t indent = lead_of(line) <= width / 2 ? lead_of(line) : 0;
    line = without_blanks_behind(line);
    const struct bytes head = first_part(line, width);
    if (!add_line(lines, 0, without_blanks_behind(head)))
        return false;
    line = without_blanks(bytes_slice(line, head.len, SIZE_MAX));
    while (line.len > 0) {
        const struct bytes part = first_part(line, width - indent);
        if (!add_line(lines, indent, without_blanks_behind(part)))
            return false;
        line = without_blanks(bytes_slice(line, part.len, SIZE_MAX));
    }
    return true;
}

static struct bytes take_own_line(struct bytes *text)
{
    const uint8_t *feed = memchr(text->ptr, '\n', text->len);
    const size_t len = feed != NULL ? (size_t)(feed - text->ptr) : text->len;
    const struct bytes line = bytes_slice(*text, 0, len);
    *text = bytes_slice(*text, len + 1, SIZE_MAX);
    return line;
}

static void leave_out_empty_ends(struct lines *lines)
{
    while (lines->n > 0 && lines->items[lines->n - 1].text.len == 0)
        lines->n--;
    while (lines->n > 0 && lines->items[0].text.len == 0) {
        lines->items++;
        lines->n--;
    }
}

bool panel_text_wrap(struct panel_text *out, struct bytes text, size_t width, struct arena *arena,
                     struct err *err)
{
    struct lines lines = { .arena = arena };
    struct bytes rest;
    if (!make_safe(&rest, text, true, arena, err))
        return false;
    while (rest.len > 0)
        if (!wrap_line(&lines, take_own_line(&rest), width))
            return err_set(err, ERR_NO_MEMORY, "no memory for the text");
    leave_out_empty_ends(&lines);
    *out = (struct panel_text){ lines.items, lines.n };
    return true;
}

// --- The part in view ---

void panel_window_move(struct panel_window *window, int64_t lines)
{
    const size_t last = window->n > window->height ? window->n - window->height : 0;
    const size_t by = lines < 0 ? (size_t)-lines : (size_t)lines;
    if (lines < 0)
        window->first = window->first > by ? window->first - by : 0;
    else
        window->first = window->first + by < last ? window->first + by : last;
    if (window->first > last)
        window->first = last;
}

size_t panel_window_above(const struct panel_window *window)
{
    return window->first;
}

size_t panel_window_below(const struct panel_window *window)
{
    const size_t end = window->first + window->height;
    return window->n > end ? window->n - end : 0;
}
