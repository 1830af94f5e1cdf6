#include "wire/panel.h"
#include "base/secret.h"
#include "base/utf8.h"
#include "wire/panel_internal.h"

void panel_lines_wipe(struct panel_lines *lines)
{
    wipe(lines->b, lines->len);
    lines->len = 0;
    lines->complete = false;
}

// The part of *in up to and with the first line feed, or all of it.
static struct bytes take_line(struct bytes *in)
{
    const uint8_t *feed = in->len > 0 ? memchr(in->ptr, '\n', in->len) : NULL;
    const struct bytes part =
        bytes_slice(*in, 0, feed != NULL ? (size_t)(feed - in->ptr) + 1 : SIZE_MAX);
    *in = bytes_slice(*in, part.len, SIZE_MAX);
    return part;
}

enum panel_line panel_lines_feed(struct panel_lines *lines, struct bytes *in, struct bytes *out)
{
    if (lines->complete)
        panel_lines_wipe(lines);
    const struct bytes part = take_line(in);
    if (part.len > sizeof lines->b - lines->len) {
        panel_lines_wipe(lines);
        return PANEL_LINE_TOO_LONG;
    }
    if (part.len > 0)
        memcpy(lines->b + lines->len, part.ptr, part.len);
    lines->len += part.len;
    if (lines->len == 0 || lines->b[lines->len - 1] != '\n')
        return lines->len < sizeof lines->b ? PANEL_LINE_MORE : PANEL_LINE_TOO_LONG;
    lines->complete = true;
    *out = bytes_of(lines->b, lines->len - 1);
    return PANEL_LINE_COMPLETE;
}

bool panel_object(const struct json **out, struct bytes line, struct arena *arena, struct err *err)
{
    const struct json *value;
    if (!json_parse(&value, line, arena, err))
        return false;
    if (value->type != JSON_OBJECT)
        return err_set(err, ERR_MALFORMED, "not an object");
    *out = value;
    return true;
}

static bool need(const struct json **out, const struct json *object, const char *key,
                 struct err *err)
{
    *out = json_get(object, key);
    return *out != NULL || err_set(err, ERR_MALFORMED, "%s is missing", key);
}

bool panel_text(struct bytes *out, const struct json *object, const char *key, struct err *err)
{
    const struct json *value;
    if (!need(&value, object, key, err))
        return false;
    if (value->type != JSON_STRING)
        return err_set(err, ERR_MALFORMED, "%s must be text", key);
    *out = value->text;
    return true;
}

bool panel_bool(bool *out, const struct json *object, const char *key, struct err *err)
{
    const struct json *value;
    if (!need(&value, object, key, err))
        return false;
    if (value->type != JSON_TRUE && value->type != JSON_FALSE)
        return err_set(err, ERR_MALFORMED, "%s must be true or false", key);
    *out = value->type == JSON_TRUE;
    return true;
}

bool panel_number(uint64_t *out, uint64_t max, const struct json *object, const char *key,
                  struct err *err)
{
    const struct json *value;
    int64_t number;
    if (!need(&value, object, key, err))
        return false;
    if (value->type != JSON_NUMBER || !json_integer(value, &number, NULL) || number < 0 ||
        (uint64_t)number > max)
        return err_set(err, ERR_MALFORMED, "%s must be a whole number up to %llu", key,
                       (unsigned long long)max);
    *out = (uint64_t)number;
    return true;
}

bool panel_name(unsigned *out, const char *const *names, size_t n_names, const struct json *object,
                const char *key, struct err *err)
{
    struct bytes text;
    if (!panel_text(&text, object, key, err))
        return false;
    for (unsigned i = 0; i < n_names; i++)
        if (names[i] != NULL && bytes_equal_text(text, names[i])) {
            *out = i;
            return true;
        }
    return err_set(err, ERR_MALFORMED, "unknown %s", key);
}

void panel_put_text(struct json_writer *j, const char *key, struct bytes text)
{
    json_key(j, key);
    json_string(j, text);
    const bool has_zero = text.len > 0 && memchr(text.ptr, 0, text.len) != NULL;
    if (has_zero || !utf8_is_valid(text))
        j->w->failed = true;
}

void panel_end_line(struct writer *w, size_t start)
{
    writer_u8(w, '\n');
    if (w->len - start > PANEL_LINE_MAX)
        w->failed = true;
}
