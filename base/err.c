#include "base/err.h"
#include "base/require.h"
#include "base/utf8.h"
#include <errno.h>
#include <stdarg.h>

// Longer than the longest text, so that the byte after a cut is known; see utf8_cut.
struct scratch {
    char text[ERR_TEXT_MAX + 8];
};

// Formats into memory of its own: the arguments may lie in the very err that is being set.
PRINTF_LIKE(2, 0)
static void format(struct scratch *out, const char *fmt, va_list args)
{
    if (vsnprintf(out->text, sizeof out->text, fmt, args) < 0)
        memcpy(out->text, "?", 2); // a conversion that libc refuses; the code still stands
}

static void put(char *out, size_t size, const char *text)
{
    const struct bytes cut = utf8_cut(bytes_of_text(text), size - 1);
    memcpy(out, cut.ptr, cut.len);
    out[cut.len] = 0;
}

static void set(struct err *err, enum err_code code, const char *text)
{
    REQUIRE(code > ERR_NONE && code <= ERR_INTERNAL);
    err->code = code;
    put(err->text, sizeof err->text, text);
    err->detail[0] = 0;
}

// "context: reason". What does not fit is cut; the precision says so to the compiler.
static void join(struct scratch *all, const char *context, const char *reason)
{
    const int room = (int)sizeof all->text;
    const int len = snprintf(all->text, sizeof all->text, "%.*s: ", room - 3, context);
    if (len >= 0 && len < room)
        snprintf(all->text + len, (size_t)(room - len), "%.*s", room - len - 1, reason);
}

bool err_set(struct err *err, enum err_code code, const char *fmt, ...)
{
    struct scratch s;
    va_list args;
    va_start(args, fmt);
    format(&s, fmt, args);
    va_end(args);
    set(err, code, s.text);
    return false;
}

bool err_set_errno(struct err *err, int errnum, const char *fmt, ...)
{
    struct scratch s;
    va_list args;
    va_start(args, fmt);
    format(&s, fmt, args);
    va_end(args);
    char reason[128];
    struct scratch all;
    join(&all, s.text, strerror_r(errnum, reason, sizeof reason));
    set(err, errnum == ENOENT ? ERR_NOT_FOUND : ERR_IO, all.text);
    return false;
}

bool err_within(struct err *err, const char *fmt, ...)
{
    struct scratch s, all;
    va_list args;
    va_start(args, fmt);
    format(&s, fmt, args);
    va_end(args);
    join(&all, s.text, err->text);
    put(err->text, sizeof err->text, all.text);
    return false;
}

bool err_detail(struct err *err, const char *fmt, ...)
{
    struct scratch s;
    va_list args;
    va_start(args, fmt);
    format(&s, fmt, args);
    va_end(args);
    put(err->detail, sizeof err->detail, s.text);
    return false;
}

static const char *const code_names[] = {
    [ERR_NONE] = "none",
    [ERR_TRUNCATED] = "truncated",
    [ERR_MALFORMED] = "malformed",
    [ERR_LIMIT] = "limit",
    [ERR_INVALID] = "invalid",
    [ERR_UNSUPPORTED] = "unsupported",
    [ERR_REFUSED] = "refused",
    [ERR_BUSY] = "busy",
    [ERR_STATE] = "state",
    [ERR_NOT_FOUND] = "not-found",
    [ERR_EXISTS] = "exists",
    [ERR_AUTH] = "auth",
    [ERR_FRAMING] = "framing",
    [ERR_TIMEOUT] = "timeout",
    [ERR_IO] = "io",
    [ERR_NO_MEMORY] = "no-memory",
    [ERR_USAGE] = "usage",
    [ERR_INTERNAL] = "internal",
    [ERR_INTERRUPTED] = "interrupted",
    [ERR_PENDING] = "pending",
};

const char *err_code_name(enum err_code code)
{
    const size_t i = (size_t)code;
    return i < COUNT(code_names) ? code_names[i] : "unknown";
}
