#include "http/form.h"
#include "base/hex.h"
#include "base/reader.h"
#include "base/utf8.h"
#include "base/writer.h"

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

bool http_equal_nocase(struct bytes a, struct bytes b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (lower(a.ptr[i]) != lower(b.ptr[i]))
            return false;
    return true;
}

bool http_type_is(struct bytes value, const char *type)
{
    struct reader r = reader_of(value);
    struct bytes media;
    return reader_until(&r, ';', &media) &&
           http_equal_nocase(bytes_trim(media), bytes_of_text(type));
}

// --- Percent encoding ---

bool http_percent_decode(struct bytes *out, struct bytes text, bool plus, struct arena *arena)
{
    struct writer w = writer_growing(arena, text.len + 1);
    struct reader r = reader_of(text);
    uint8_t c, decoded;
    struct bytes digits;
    while (reader_u8(&r, &c)) {
        if (c == '%') {
            if (!reader_take(&r, 2, &digits) || !hex_decode(&decoded, 1, digits))
                return false;
            c = decoded;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        writer_u8(&w, c);
    }
    return writer_finish(&w, out);
}

static bool has_zero(struct bytes text)
{
    return text.len > 0 && memchr(text.ptr, 0, text.len) != NULL;
}

bool http_form_get(struct bytes form, const char *name, struct bytes *out, struct arena *arena)
{
    struct reader r = reader_of(form);
    struct bytes field, key, decoded;
    *out = (struct bytes){ 0 };
    while (reader_until(&r, '&', &field)) {
        struct reader f = reader_of(field);
        if (!reader_until(&f, '=', &key) || !http_percent_decode(&decoded, key, true, arena) ||
            !bytes_equal_text(decoded, name))
            continue;
        if (!http_percent_decode(&decoded, reader_rest(&f), true, arena) || has_zero(decoded) ||
            !utf8_is_valid(decoded))
            return false;
        *out = decoded;
        return true;
    }
    return false;
}

// --- Cookies ---

static struct bytes without_quotes(struct bytes value)
{
    if (value.len >= 2 && value.ptr[0] == '"' && value.ptr[value.len - 1] == '"')
        return bytes_slice(value, 1, value.len - 2);
    return value;
}

bool http_cookie_get(struct bytes header, const char *name, struct bytes *out)
{
    struct reader r = reader_of(header);
    struct bytes pair, key;
    while (reader_until(&r, ';', &pair)) {
        struct reader p = reader_of(bytes_trim(pair));
        if (!reader_until(&p, '=', &key) || !bytes_equal_text(key, name))
            continue;
        *out = without_quotes(reader_rest(&p));
        return true;
    }
    *out = (struct bytes){ 0 };
    return false;
}

// --- multipart/form-data ---

// The parameter of a header value: name="value" or name=value.
static bool find_parameter(struct bytes header, const char *name, struct bytes *out)
{
    struct reader r = reader_of(header);
    struct bytes piece, key;
    if (!reader_until(&r, ';', &piece))
        return false;
    while (reader_until(&r, ';', &piece)) {
        struct reader p = reader_of(bytes_trim(piece));
        if (!reader_until(&p, '=', &key) || !http_equal_nocase(key, bytes_of_text(name)))
            continue;
        *out = without_quotes(reader_rest(&p));
        return true;
    }
    return false;
}

// Moves past the next `mark`; *before is what stood in front of it.
static bool take_until(struct reader *r, struct bytes mark, struct bytes *before)
{
    const struct bytes rest = r->rest;
    const uint8_t *found =
        rest.len >= mark.len ? memmem(rest.ptr, rest.len, mark.ptr, mark.len) : NULL;
    struct bytes skipped;
    return found != NULL && reader_take(r, (uint64_t)(found - rest.ptr), before) &&
           reader_take(r, mark.len, &skipped);
}

static bool read_part(struct http_part *out, struct bytes part, struct err *err)
{
    struct reader r = reader_of(part);
    struct bytes head, line, key;
    *out = (struct http_part){ 0 };
    if (!take_until(&r, BYTES("\r\n\r\n"), &head))
        return err_set(err, ERR_MALFORMED, "multipart: a part has no end of its headers");
    out->content = reader_rest(&r);
    for (struct reader h = reader_of(head); reader_until(&h, '\n', &line);) {
        struct reader l = reader_of(bytes_trim(line));
        if (!reader_until(&l, ':', &key) ||
            !http_equal_nocase(bytes_trim(key), BYTES("content-disposition")))
            continue;
        const struct bytes value = reader_rest(&l);
        if (!find_parameter(value, "name", &out->name))
            return err_set(err, ERR_MALFORMED, "multipart: a part has no name");
        if (!find_parameter(value, "filename", &out->filename))
            out->filename = (struct bytes){ 0 };
        return true;
    }
    return err_set(err, ERR_MALFORMED, "multipart: a part has no Content-Disposition");
}

#define BOUNDARY_MAX 70 // RFC 2046 5.1.1

bool http_parts_read(struct http_parts *out, struct bytes content_type, struct bytes body,
                     struct err *err)
{
    struct bytes boundary, part;
    uint8_t mem[BOUNDARY_MAX + 4];
    out->n = 0;
    if (!http_type_is(content_type, "multipart/form-data") ||
        !find_parameter(content_type, "boundary", &boundary) || boundary.len == 0 ||
        boundary.len > BOUNDARY_MAX)
        return err_set(err, ERR_MALFORMED, "multipart: no boundary");
    struct writer w = writer_of(mem, sizeof mem);
    writer_text(&w, "\r\n--");
    writer_put(&w, boundary);
    const struct bytes mark = writer_bytes(&w);
    struct reader r = reader_of(body);
    // The first boundary may stand at the very start, without the line end before it.
    if (!reader_accept_bytes(&r, bytes_slice(mark, 2, SIZE_MAX)) && !take_until(&r, mark, &part))
        return err_set(err, ERR_MALFORMED, "multipart: the boundary is missing");
    while (!reader_accept_bytes(&r, BYTES("--"))) {
        if (out->n == HTTP_PARTS_MAX)
            return err_set(err, ERR_LIMIT, "multipart: more than %d parts", HTTP_PARTS_MAX);
        if (!reader_accept_bytes(&r, BYTES("\r\n")) || !take_until(&r, mark, &part))
            return err_set(err, ERR_MALFORMED, "multipart: a part has no end");
        if (!read_part(&out->items[out->n], part, err))
            return false;
        out->n++;
    }
    return true;
}

const struct http_part *http_parts_find(const struct http_parts *parts, const char *name)
{
    for (size_t i = 0; i < parts->n; i++)
        if (bytes_equal_text(parts->items[i].name, name))
            return &parts->items[i];
    return NULL;
}
