#include "cli/python_dump.h"
#include "base/utf8.h"
#include "cli/sorted_json.h"

#define WIDTH 80

struct dump {
    struct writer *w;
    struct arena *arena;
    bool failed; // no room in the arena
};

// --- repr() ---

static bool has(struct bytes text, char c)
{
    return text.len > 0 && memchr(text.ptr, c, text.len) != NULL;
}

// C1 controls and the soft hyphen are the unprintable characters that status texts could hold.
static bool is_unprintable_pair(struct bytes text, size_t i)
{
    return text.ptr[i] == 0xc2 && i + 1 < text.len &&
           (text.ptr[i + 1] < 0xa1 || text.ptr[i + 1] == 0xad);
}

static void repr_text(struct writer *w, struct bytes text)
{
    const char quote = has(text, '\'') && !has(text, '"') ? '"' : '\'';
    writer_u8(w, (uint8_t)quote);
    for (size_t i = 0; i < text.len; i++) {
        const uint8_t c = text.ptr[i];
        if (c == '\\' || c == (uint8_t)quote)
            writer_printf(w, "\\%c", c);
        else if (c == '\n' || c == '\r' || c == '\t')
            writer_text(w, c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\t");
        else if (c < 0x20 || c == 0x7f)
            writer_printf(w, "\\x%02x", c);
        else if (is_unprintable_pair(text, i))
            writer_printf(w, "\\x%02x", text.ptr[++i]);
        else
            writer_u8(w, c);
    }
    writer_u8(w, (uint8_t)quote);
}

static void repr(struct dump *d, struct writer *w, const struct json *value)
{
    const bool is_object = value->type == JSON_OBJECT;
    const struct json **order;
    switch (value->type) {
    case JSON_NULL:
        writer_text(w, "None");
        return;
    case JSON_TRUE:
        writer_text(w, "True");
        return;
    case JSON_FALSE:
        writer_text(w, "False");
        return;
    case JSON_NUMBER:
        writer_put(w, value->text); // the device writes numbers as Python does
        return;
    case JSON_STRING:
        repr_text(w, value->text);
        return;
    case JSON_ARRAY:
    case JSON_OBJECT:
        break;
    }
    order = sorted_json_items(value, d->arena);
    d->failed = d->failed || order == NULL;
    writer_u8(w, is_object ? '{' : '[');
    for (size_t i = 0; order != NULL && i < value->n_items; i++) {
        writer_text(w, i > 0 ? ", " : "");
        if (is_object) {
            repr_text(w, order[i]->key);
            writer_text(w, ": ");
        }
        repr(d, w, order[i]);
    }
    writer_u8(w, is_object ? '}' : ']');
}

// Characters, not bytes.
static size_t repr_text_len(struct dump *d, struct bytes text)
{
    struct writer w = writer_growing(d->arena, 4 * text.len + 2);
    repr_text(&w, text);
    return utf8_length(writer_bytes(&w));
}

// --- Long strings ---

struct chunks {
    struct dump *d;
    size_t indent;
    bool any;
};

static void put_chunk(struct chunks *c, struct bytes text)
{
    if (c->any) {
        writer_u8(c->d->w, '\n');
        for (size_t i = 0; i < c->indent; i++)
            writer_u8(c->d->w, ' ');
    }
    repr_text(c->d->w, text);
    c->any = true;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r') || (c >= 0x1c && c <= 0x1f);
}

// The next word with the blanks behind it.
static size_t part_len(struct bytes line)
{
    size_t n = 0;
    while (n < line.len && !is_blank(line.ptr[n]))
        n++;
    while (n < line.len && is_blank(line.ptr[n]))
        n++;
    return n;
}

// A line that does not fit is cut between words: as many in a chunk as fit.
static void put_words(struct chunks *c, struct bytes line, bool last_line, size_t width,
                      size_t allowance)
{
    size_t start = 0, end = 0;
    while (end < line.len) {
        const size_t next = end + part_len(bytes_slice(line, end, SIZE_MAX));
        const size_t room = next == line.len && last_line ? width - allowance : width;
        if (repr_text_len(c->d, bytes_slice(line, start, next - start)) > room) {
            if (end > start)
                put_chunk(c, bytes_slice(line, start, end - start));
            start = end;
        }
        end = next;
    }
    if (end > start)
        put_chunk(c, bytes_slice(line, start, end - start));
}

// The next line with its end.
static size_t line_len(struct bytes text)
{
    size_t n = 0;
    while (n < text.len) {
        const uint8_t c = text.ptr[n++];
        if (c == '\r' && n < text.len && text.ptr[n] == '\n')
            n++;
        if ((c >= '\n' && c <= '\r') || (c >= 0x1c && c <= 0x1e))
            break;
    }
    return n;
}

static void dump_text(struct dump *d, struct bytes text, size_t indent, size_t allowance)
{
    struct chunks chunks = { d, indent, false };
    const size_t width = WIDTH > indent ? WIDTH - indent : 1;
    if (allowance >= width)
        allowance = width - 1;
    while (text.len > 0) {
        const struct bytes line = bytes_slice(text, 0, line_len(text));
        text = bytes_slice(text, line.len, SIZE_MAX);
        const bool last = text.len == 0;
        if (repr_text_len(d, line) <= (last ? width - allowance : width))
            put_chunk(&chunks, line);
        else
            put_words(&chunks, line, last, width, allowance);
    }
}

// --- Layout ---

static void dump(struct dump *d, const struct json *value, size_t indent, size_t allowance);

static void new_line(struct dump *d, size_t indent)
{
    writer_text(d->w, ",\n");
    for (size_t i = 0; i < indent; i++)
        writer_u8(d->w, ' ');
}

static void dump_items(struct dump *d, const struct json *value, size_t indent, size_t allowance)
{
    const bool is_object = value->type == JSON_OBJECT;
    const struct json **order = sorted_json_items(value, d->arena);
    d->failed = d->failed || order == NULL;
    writer_u8(d->w, is_object ? '{' : '[');
    for (size_t i = 0; order != NULL && i < value->n_items; i++) {
        const bool last = i + 1 == value->n_items;
        size_t at = indent + 1;
        if (i > 0)
            new_line(d, at);
        if (is_object) {
            repr_text(d->w, order[i]->key);
            writer_text(d->w, ": ");
            at += repr_text_len(d, order[i]->key) + 2;
        }
        dump(d, order[i], at, last ? allowance + 1 : 1);
    }
    writer_u8(d->w, is_object ? '}' : ']');
}

// indent: where it begins; allowance: what closes behind it on the same line.
static void dump(struct dump *d, const struct json *value, size_t indent, size_t allowance)
{
    struct writer w = writer_growing(d->arena, SIZE_MAX / 4);
    repr(d, &w, value);
    d->failed = d->failed || w.failed;
    const bool fits = utf8_length(writer_bytes(&w)) + indent + allowance <= WIDTH;
    if (!fits && value->type == JSON_STRING && value->text.len > 0)
        dump_text(d, value->text, indent, allowance);
    else if (!fits && (value->type == JSON_OBJECT || value->type == JSON_ARRAY))
        dump_items(d, value, indent, allowance);
    else
        writer_put(d->w, writer_bytes(&w));
}

bool python_dump_write(struct writer *w, const struct json *value, struct arena *arena)
{
    struct dump d = { .w = w, .arena = arena };
    dump(&d, value, 0, 0);
    writer_u8(w, '\n');
    return !d.failed && !w->failed;
}
