#include "base/log.h"
#include "base/json.h"
#include "base/utf8.h"
#include "base/writer.h"
#include <errno.h>
#include <inttypes.h>

#define LINE_MAX_LEN 4096 // PIPE_BUF: lines of several processes in one pipe do not mix
#define VALUE_MAX    512  // bytes of one text
#define CUT          " cut=1\n"
#define CUT_JSON     ", \"cut\": 1}\n"

static bool is_bare(struct bytes text)
{
    static const char others[] = "_.:/+@-";
    for (size_t i = 0; i < text.len; i++) {
        const uint8_t c = text.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              (c != 0 && strchr(others, c) != NULL)))
            return false;
    }
    return text.len > 0;
}

// Whether the byte may reach a terminal. U+0080 to U+009F, c2 80 to c2 9f in UTF-8, are control
// characters as well.
static bool is_harmless(struct bytes text, size_t i, bool is_utf8)
{
    const uint8_t c = text.ptr[i];
    if (c < 0x80)
        return c >= 0x20 && c != 0x7f;
    const bool starts_c1 = c == 0xc2 && i + 1 < text.len && text.ptr[i + 1] < 0xa0;
    const bool ends_c1 = i > 0 && text.ptr[i - 1] == 0xc2 && c < 0xa0;
    return is_utf8 && !starts_c1 && !ends_c1;
}

static void write_quoted(struct writer *w, struct bytes text, const char *tail)
{
    const bool is_utf8 = utf8_is_valid(text);
    writer_u8(w, '"');
    for (size_t i = 0; i < text.len; i++) {
        const uint8_t c = text.ptr[i];
        if (c == '"' || c == '\\')
            writer_printf(w, "\\%c", c);
        else if (c == '\n')
            writer_text(w, "\\n");
        else if (is_harmless(text, i, is_utf8))
            writer_u8(w, c);
        else
            writer_printf(w, "\\x%02x", c);
    }
    writer_text(w, tail);
    writer_u8(w, '"');
}

static void write_text(struct writer *w, struct bytes text)
{
    if (text.len > VALUE_MAX)
        write_quoted(w, utf8_cut(text, VALUE_MAX), "...");
    else if (is_bare(text))
        writer_put(w, text);
    else
        write_quoted(w, text, "");
}

// JSON is UTF-8: what is not has its bytes escaped by hand, as logfmt does.
static void write_json_text(struct writer *w, struct bytes text)
{
    struct json_writer j = json_writer_of(w);
    uint8_t mem[4 * VALUE_MAX];
    struct writer escaped = writer_of(mem, sizeof mem);
    j.ascii = true; // no terminal is steered by it
    if (utf8_is_valid(text)) {
        json_string(&j, utf8_cut(text, VALUE_MAX));
        return;
    }
    for (size_t i = 0; i < text.len && i < VALUE_MAX; i++)
        if (text.ptr[i] >= 0x20 && text.ptr[i] < 0x7f && text.ptr[i] != '\\')
            writer_u8(&escaped, text.ptr[i]);
        else
            writer_printf(&escaped, "\\x%02x", text.ptr[i]);
    json_string(&j, writer_bytes(&escaped));
}

// As key=value and in JSON alike, but for texts.
static void write_value(struct writer *w, const struct log_field *f,
                        void (*text)(struct writer *w, struct bytes text))
{
    switch (f->type) {
    case LOG_FIELD_TEXT:
        text(w, f->text);
        break;
    case LOG_FIELD_U64:
        writer_printf(w, "%" PRIu64, f->u64);
        break;
    case LOG_FIELD_I64:
        writer_printf(w, "%" PRId64, f->i64);
        break;
    case LOG_FIELD_BOOL:
        writer_text(w, f->u64 != 0 ? "true" : "false");
        break;
    }
}

static void write_value_json(struct writer *w, const struct log_field *f)
{
    writer_printf(w, ", \"%s\": ", f->name);
    write_value(w, f, write_json_text);
}

static void write_field(struct writer *w, const struct log_field *f)
{
    writer_printf(w, " %s=", f->name);
    write_value(w, f, write_text);
}

static void write_head(struct writer *w, const struct log *log, enum log_level level,
                       const char *event)
{
    static const char *const names[] = { "debug", "info", "warning", "error" };
    char stamp[CLOCK_TEXT_SIZE] = "";
    if (log->clock != NULL)
        clock_to_text(stamp, log->clock->wall_s(log->clock));
    if (log->json && log->clock != NULL)
        writer_printf(w, "{\"time\": \"%s\", \"level\": \"%s\", \"event\": \"%s\"", stamp,
                      names[level], event);
    else if (log->json)
        writer_printf(w, "{\"level\": \"%s\", \"event\": \"%s\"", names[level], event);
    else
        writer_printf(w, "%s%slevel=%s event=%s", stamp, log->clock != NULL ? " " : "",
                      names[level], event);
    if (log->replica == NULL)
        return;
    const struct log_field replica = LOG_TEXT("replica", log->replica);
    (log->json ? write_value_json : write_field)(w, &replica);
}

// There is nobody to tell that logging failed; a full pipe must not stop a signer either.
static void write_line(int fd, struct bytes line)
{
    ssize_t n;
    do {
        n = write(fd, line.ptr, line.len);
    } while (n < 0 && errno == EINTR);
}

void log_event(const struct log *log, enum log_level level, const char *event,
               const struct log_field *fields, size_t n_fields)
{
    char line[LINE_MAX_LEN];
    if (log->fd < 0 || level < log->min)
        return;
    const char *cut = log->json ? CUT_JSON : CUT, *end = log->json ? "}\n" : "\n";
    struct writer w = writer_of(line, sizeof line - strlen(cut));
    write_head(&w, log, level, event);
    struct writer whole = w; // up to the last field that fits
    for (size_t i = 0; i < n_fields && !w.failed; i++) {
        (log->json ? write_value_json : write_field)(&w, &fields[i]);
        if (!w.failed)
            whole = w;
    }
    whole.cap = whole.limit = sizeof line;
    writer_text(&whole, w.failed ? cut : end);
    write_line(log->fd, writer_bytes(&whole));
}
