// base/log.h -- the operators' log: one line per event, fixed names, nothing secret.
//
//   2026-11-21T10:15:30Z level=info event=psbt_refused rule=2 reason="would exceed period spending"
#ifndef CASEMATE_BASE_LOG_H
#define CASEMATE_BASE_LOG_H
#include "base/bytes.h"
#include "base/clock.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };

struct log {
    int fd; // -1: discard
    enum log_level min;
    const struct clock *clock; // NULL: no time stamp
    bool json;           // an object a line: {"time": ..., "level": ..., "event": ..., fields}
    const char *replica; // named in each line; NULL: not
};

struct log_field {
    const char *name;
    enum { LOG_FIELD_TEXT, LOG_FIELD_U64, LOG_FIELD_I64, LOG_FIELD_BOOL } type;
    struct bytes text;
    uint64_t u64;
    int64_t i64;
};
#define LOG_TEXT(name, text)                                                                       \
    ((struct log_field){ (name), LOG_FIELD_TEXT, bytes_of_text(text), 0, 0 })
#define LOG_BYTES(name, text) ((struct log_field){ (name), LOG_FIELD_TEXT, (text), 0, 0 })
#define LOG_U64(name, value)  ((struct log_field){ (name), LOG_FIELD_U64, { 0, 0 }, (value), 0 })
#define LOG_I64(name, value)  ((struct log_field){ (name), LOG_FIELD_I64, { 0, 0 }, 0, (value) })
#define LOG_BOOL(name, value) ((struct log_field){ (name), LOG_FIELD_BOOL, { 0, 0 }, (value), 0 })

// One write(2) of one line. As logfmt: text with other than [A-Za-z0-9_.:/+@-] is quoted; control bytes,
// quotes and backslashes in it are escaped, so that no value can forge a field or a line. A text
// above 512 bytes ends in "..."; of a line above 4 KiB the last fields are left out for `cut=1`.
void log_event(const struct log *log, enum log_level level, const char *event,
               const struct log_field *fields, size_t n_fields);
#define LOG(log, level, event, ...)                                                                \
    log_event((log), (level), (event), (const struct log_field[]){ __VA_ARGS__ },                  \
              sizeof((const struct log_field[]){ __VA_ARGS__ }) / sizeof(struct log_field))

// The same for an event without fields.
#define LOG_NOTE(log, level, event) log_event((log), (level), (event), NULL, 0)

#endif
