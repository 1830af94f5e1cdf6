#include "base/json.h"
#include "base/utf8.h"
#include <inttypes.h>

struct json_writer json_writer_of(struct writer *w)
{
    return (struct json_writer){ .w = w, .first = true };
}

static void new_line(struct json_writer *j)
{
    writer_u8(j->w, '\n');
    for (unsigned i = 0; i < j->depth; i++)
        writer_text(j->w, "  ");
}

// What stands before a key, or before a value that has none.
static void separate(struct json_writer *j)
{
    if (!j->after_key && !j->first)
        writer_text(j->w, j->indent ? "," : ", ");
    if (!j->after_key && j->indent && j->depth > 0)
        new_line(j);
    j->after_key = false;
    j->first = false;
}

static void begin(struct json_writer *j, char bracket)
{
    separate(j);
    writer_u8(j->w, (uint8_t)bracket);
    j->depth++;
    j->first = true;
}

static void end(struct json_writer *j, char bracket)
{
    j->depth--;
    if (j->indent && !j->first)
        new_line(j);
    writer_u8(j->w, (uint8_t)bracket);
    j->first = false;
}

void json_begin_object(struct json_writer *j)
{
    begin(j, '{');
}

void json_end_object(struct json_writer *j)
{
    end(j, '}');
}

void json_begin_array(struct json_writer *j)
{
    begin(j, '[');
}

void json_end_array(struct json_writer *j)
{
    end(j, ']');
}

// policy.md 7.2: "raw UTF-8 ... Escaped: `"` and `\` with a backslash; LF, CR, TAB as `\n`, `\r`,
// `\t`; other bytes below 0x20 as `\u00xx` (lower-case hex). `/` and 0x7f are not escaped."
static void write_escape(struct writer *w, uint8_t c)
{
    if (c == '"' || c == '\\')
        writer_printf(w, "\\%c", c);
    else if (c == '\n')
        writer_text(w, "\\n");
    else if (c == '\r')
        writer_text(w, "\\r");
    else if (c == '\t')
        writer_text(w, "\\t");
    else
        writer_printf(w, "\\u%04x", c);
}

// RFC 8259 7: above U+FFFF as a pair of surrogates.
static void write_non_ascii(struct writer *w, struct bytes character)
{
    const uint32_t c = utf8_code_point(character);
    if (c < 0x10000)
        writer_printf(w, "\\u%04x", (unsigned)c);
    else
        writer_printf(w, "\\u%04x\\u%04x", (unsigned)(0xd800 + ((c - 0x10000) >> 10)),
                      (unsigned)(0xdc00 + ((c - 0x10000) & 0x3ff)));
}

static void write_string(const struct json_writer *j, struct bytes text)
{
    struct writer *w = j->w;
    size_t done = 0;
    writer_u8(w, '"');
    for (size_t i = 0; i < text.len; i++) {
        const uint8_t c = text.ptr[i];
        const bool plain = c >= 0x20 && c != '"' && c != '\\' && (c < 0x80 || !j->ascii);
        if (plain)
            continue;
        writer_put(w, bytes_slice(text, done, i - done));
        if (c < 0x80)
            write_escape(w, c);
        else if ((c & 0xc0) != 0x80) // the first byte of a character; the others belong to it
            write_non_ascii(w, bytes_slice(text, i, SIZE_MAX));
        done = i + 1;
    }
    writer_put(w, bytes_slice(text, done, SIZE_MAX));
    writer_u8(w, '"');
}

void json_key_bytes(struct json_writer *j, struct bytes key)
{
    separate(j);
    write_string(j, key);
    writer_text(j->w, ": ");
    j->after_key = true;
}

void json_key(struct json_writer *j, const char *key)
{
    json_key_bytes(j, bytes_of_text(key));
}

void json_string(struct json_writer *j, struct bytes text)
{
    separate(j);
    write_string(j, text);
}

void json_text(struct json_writer *j, const char *text)
{
    json_string(j, bytes_of_text(text));
}

void json_raw(struct json_writer *j, struct bytes already_json)
{
    separate(j);
    writer_put(j->w, already_json);
}

void json_bool(struct json_writer *j, bool value)
{
    json_raw(j, value ? BYTES("true") : BYTES("false"));
}

void json_null(struct json_writer *j)
{
    json_raw(j, BYTES("null"));
}

void json_u64(struct json_writer *j, uint64_t value)
{
    separate(j);
    writer_printf(j->w, "%" PRIu64, value);
}

void json_i64(struct json_writer *j, int64_t value)
{
    separate(j);
    writer_printf(j->w, "%" PRId64, value);
}

void json_hex(struct json_writer *j, struct bytes content)
{
    separate(j);
    writer_u8(j->w, '"');
    writer_hex(j->w, content);
    writer_u8(j->w, '"');
}

static void write_container(struct json_writer *j, const struct json *value)
{
    const bool is_object = value->type == JSON_OBJECT;
    begin(j, is_object ? '{' : '[');
    for (const struct json *item = value->items; item != NULL; item = item->next) {
        if (is_object)
            json_key_bytes(j, item->key);
        json_value(j, item);
    }
    end(j, is_object ? '}' : ']');
}

void json_value(struct json_writer *j, const struct json *value)
{
    if (value->type == JSON_OBJECT || value->type == JSON_ARRAY)
        write_container(j, value);
    else if (value->type == JSON_STRING)
        json_string(j, value->text);
    else
        json_raw(j, value->text); // literals and numbers as they were written
}
