// bitcoin/keypath.c
//
// The text is never copied: each byte is cleaned as it is looked at, so that a text of any length
// gets its own error.
#include "bitcoin/keypath.h"
#include "base/reader.h"
#include <inttypes.h>
#include <string.h>

// Policy 3.1: "lower-case", "Every `p` and every `'` becomes `h`".
static uint8_t cleaned(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        c = (uint8_t)(c - 'A' + 'a');
    return c == 'p' || c == '\'' ? 'h' : c;
}

static bool is_at(struct bytes text, size_t i, char c)
{
    return i < text.len && cleaned(text.ptr[i]) == (uint8_t)c;
}

static bool is_digit_at(struct bytes text, size_t i)
{
    return i < text.len && text.ptr[i] >= '0' && text.ptr[i] <= '9';
}

static bool is_only(struct bytes text, char c)
{
    return text.len == 1 && is_at(text, 0, c);
}

// Policy 3.1: "Must match, entirely: optional `m` or `m/`, then any of digits, `/`, `h`, then
// (policy only) an optional final `*` or `*h`."
static bool has_path_characters(struct bytes text, bool star_allowed)
{
    size_t i = is_at(text, 0, 'm') ? 1 : 0;
    while (is_digit_at(text, i) || is_at(text, i, '/') || is_at(text, i, 'h'))
        i++;
    if (star_allowed && is_at(text, i, '*')) {
        i++;
        if (is_at(text, i, 'h'))
            i++;
    }
    return i == text.len;
}

// The part before the next '/', which *rest then starts behind.
static struct bytes take_part(struct bytes *rest)
{
    size_t len = 0;
    while (len < rest->len && rest->ptr[len] != '/')
        len++;
    const struct bytes part = bytes_slice(*rest, 0, len);
    *rest = bytes_slice(*rest, len + 1, rest->len);
    return part;
}

static size_t count_parts(struct bytes text)
{
    size_t n = 1;
    for (size_t i = 0; i < text.len; i++)
        n += text.ptr[i] == '/';
    return n;
}

static bool bad_component(struct bytes part, struct err *err)
{
    char shown[ERR_TEXT_MAX];
    size_t len = 0;
    for (; len < part.len && len < sizeof shown - 1; len++)
        shown[len] = (char)cleaned(part.ptr[len]);
    shown[len] = '\0';
    return err_set(err, ERR_MALFORMED, "bad component: %s", shown);
}

static bool parse_number(struct keypath *path, struct bytes part, struct err *err)
{
    uint32_t hard = 0;
    uint32_t index;
    // Policy 3.1: "Otherwise remove one final `h`; the rest must be a decimal number below 2^31
    // written without leading zeros."
    if (is_at(part, part.len - 1, 'h')) {
        hard = KEYPATH_HARD;
        part.len--;
    }
    struct reader r = reader_of(part);
    if (!reader_decimal(&r, KEYPATH_HARD - 1, &index) || !reader_done(&r))
        return bad_component(part, err);
    path->step[path->depth++] = index | hard;
    return true;
}

static bool parse_part(struct keypath_pattern *p, struct bytes part, struct err *err)
{
    if (part.len == 0 || is_only(part, 'h'))
        return err_set(err, ERR_MALFORMED, "empty path component");
    const bool hard = is_at(part, part.len - 1, 'h');
    const size_t star = part.len - (hard ? 2 : 1); // has_path_characters allows it nowhere else
    if (!is_at(part, star, '*'))
        return parse_number(&p->prefix, part, err);
    if (star != 0)
        return err_set(err, ERR_MALFORMED, "bad wildcard");
    p->tail = hard ? TAIL_HARD_STAR : TAIL_STAR;
    return true;
}

static bool parse(struct keypath_pattern *out, struct bytes text, bool star_allowed,
                  struct err *err)
{
    struct keypath_pattern p = { .tail = TAIL_NONE };
    text = bytes_trim(text);
    if (!bytes_is_printable_ascii(text))
        return err_set(err, ERR_MALFORMED, "must be ascii printable");
    if (!has_path_characters(text, star_allowed))
        return err_set(err, ERR_MALFORMED, "invalid characters in path");

    // Policy 3.1: "Split at `/`; drop a first part `m`."
    size_t n_parts = text.len == 0 ? 0 : count_parts(text);
    struct bytes rest = text;
    if (is_only(take_part(&rest), 'm'))
        n_parts--;
    else
        rest = text;
    if (n_parts > KEYPATH_DEPTH_MAX)
        return err_set(err, ERR_MALFORMED, "too deep");
    for (; n_parts > 0; n_parts--)
        if (!parse_part(&p, take_part(&rest), err))
            return false;
    *out = p;
    return true;
}

bool keypath_parse(struct keypath *out, struct bytes text, struct err *err)
{
    struct keypath_pattern p;
    if (!parse(&p, text, false, err))
        return false;
    *out = p.prefix;
    return true;
}

bool keypath_pattern_parse(struct keypath_pattern *out, struct bytes text, struct err *err)
{
    return parse(out, text, true, err);
}

bool keypath_pattern_matches(const struct keypath_pattern *pattern, const struct keypath *path)
{
    const size_t fixed = pattern->prefix.depth;
    if (path->depth != fixed + (pattern->tail != TAIL_NONE))
        return false;
    if (!keypath_starts_with(path, &pattern->prefix))
        return false;
    const bool last_hard = path->depth > fixed && (path->step[fixed] & KEYPATH_HARD) != 0;
    return last_hard == (pattern->tail == TAIL_HARD_STAR);
}

bool keypath_equal(const struct keypath *a, const struct keypath *b)
{
    return a->depth == b->depth && keypath_starts_with(a, b);
}

bool keypath_starts_with(const struct keypath *path, const struct keypath *prefix)
{
    return path->depth >= prefix->depth &&
           memcmp(path->step, prefix->step, prefix->depth * sizeof path->step[0]) == 0;
}

void keypath_write(struct writer *w, const struct keypath *path)
{
    writer_u8(w, 'm');
    for (size_t i = 0; i < path->depth; i++)
        writer_printf(w, "/%" PRIu32 "%s", path->step[i] & ~KEYPATH_HARD,
                      (path->step[i] & KEYPATH_HARD) != 0 ? "h" : "");
}

void keypath_pattern_write(struct writer *w, const struct keypath_pattern *pattern)
{
    static const char *const tails[] = {
        [TAIL_NONE] = "", [TAIL_STAR] = "/*", [TAIL_HARD_STAR] = "/*h"
    };
    keypath_write(w, &pattern->prefix);
    writer_text(w, tails[pattern->tail]);
}
