#include "bunker/yaml.h"
#include "base/utf8.h"

static bool is_key_char(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
}

static struct bytes take_key(struct reader *r)
{
    const struct bytes at = r->rest;
    struct bytes key;
    size_t len = 0;
    while (len < at.len && is_key_char(at.ptr[len]))
        len++;
    return reader_take(r, len, &key) ? key : (struct bytes){ 0 };
}

static bool is_skipped(struct bytes line)
{
    return line.len == 0 || line.ptr[0] == '#' || bytes_equal_text(line, "---") ||
           bytes_equal_text(line, "...");
}

bool yaml_is_reference(struct bytes file)
{
    struct bytes line;
    for (struct reader r = reader_of(file); reader_until(&r, '\n', &line);) {
        line = bytes_trim(line);
        if (is_skipped(line))
            continue;
        struct reader l = reader_of(line);
        const struct bytes key = take_key(&l);
        return key.len > 0 && key.ptr[0] >= 'A' && key.ptr[0] <= 'Z' && reader_accept(&l, ':');
    }
    return false;
}

// A quoted text up to its end; nothing but a comment may follow.
static bool quoted(struct bytes text, struct bytes *out)
{
    struct reader r = reader_of(bytes_slice(text, 1, SIZE_MAX));
    const char quote = (char)text.ptr[0];
    if (memchr(r.rest.ptr, quote, r.rest.len) == NULL || !reader_until(&r, quote, out))
        return false;
    const struct bytes rest = bytes_trim(reader_rest(&r));
    return rest.len == 0 || rest.ptr[0] == '#';
}

// " #" begins a comment.
static struct bytes without_comment(struct bytes text)
{
    for (size_t i = 0; i + 1 < text.len; i++)
        if ((text.ptr[i] == ' ' || text.ptr[i] == '\t') && text.ptr[i + 1] == '#')
            return bytes_trim(bytes_slice(text, 0, i));
    return text.len > 0 && text.ptr[0] == '#' ? (struct bytes){ 0 } : text;
}

static bool read_value(struct bytes text, struct bytes *out)
{
    text = bytes_trim(text);
    *out = (struct bytes){ 0 };
    if (text.len == 0)
        return true;
    if (text.ptr[0] == '"' || text.ptr[0] == '\'')
        return quoted(text, out);
    *out = without_comment(text);
    // NOLINTNEXTLINE(bugprone-not-null-terminated-result): the zero behind them is not one of them
    return out->len == 0 || memchr("[{&*!|>%@`", out->ptr[0], 10) == NULL;
}

static bool read_line(struct bytes line, struct yaml_line *out, struct err *err)
{
    struct reader r = reader_of(line);
    if (!utf8_is_valid(line))
        return err_set(err, ERR_MALFORMED, "%u: not UTF-8", out->line);
    if (line.ptr[0] == ' ' || line.ptr[0] == '\t' || line.ptr[0] == '-')
        return err_set(err, ERR_MALFORMED, "%u: only KEY: value lines are read", out->line);
    out->key = take_key(&r);
    if (out->key.len == 0 || !reader_accept(&r, ':') ||
        (!reader_done(&r) && r.rest.ptr[0] != ' ' && r.rest.ptr[0] != '\t' &&
         r.rest.ptr[0] != '\r'))
        return err_set(err, ERR_MALFORMED, "%u: is no KEY: value", out->line);
    return read_value(reader_rest(&r), &out->value) ||
           err_set(err, ERR_MALFORMED, "%u: the value is of a form that is not read", out->line);
}

bool yaml_next(struct reader *r, struct yaml_line *out, unsigned *line, struct err *err)
{
    struct bytes text;
    err->code = ERR_NONE;
    while (reader_until(r, '\n', &text)) {
        ++*line;
        if (is_skipped(bytes_trim(text)))
            continue;
        *out = (struct yaml_line){ .line = *line };
        return read_line(text, out, err);
    }
    return false;
}

bool yaml_bool(struct bytes value, bool *out)
{
    static const char *const words[2][9] = {
        { "false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF" },
        { "true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON" },
    };
    for (size_t truth = 0; truth < 2; truth++)
        for (size_t i = 0; i < COUNT(words[truth]); i++)
            if (bytes_equal_text(value, words[truth][i])) {
                *out = truth == 1;
                return true;
            }
    return false;
}
