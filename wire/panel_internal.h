// wire/panel_internal.h -- what the files behind wire/panel.h share. For wire/ only.
#ifndef CASEMATE_WIRE_PANEL_INTERNAL_H
#define CASEMATE_WIRE_PANEL_INTERNAL_H
#include "base/json.h"
#include "wire/panel.h"

#define PANEL_NUMBER_MAX INT64_MAX // what a JSON number gives without loss

// One line as an object. Fails: ERR_MALFORMED "JSON parse fail", "not an object"; ERR_NO_MEMORY.
MUST_CHECK bool panel_object(const struct json **out, struct bytes line, struct arena *arena,
                             struct err *err);

// A member of that type. Fails: ERR_MALFORMED "<key> is missing", "<key> must be text" (`true or
// false`, `a whole number up to <max>`).
MUST_CHECK bool panel_text(struct bytes *out, const struct json *object, const char *key,
                           struct err *err);
MUST_CHECK bool panel_bool(bool *out, const struct json *object, const char *key, struct err *err);
MUST_CHECK bool panel_number(uint64_t *out, uint64_t max, const struct json *object,
                             const char *key, struct err *err);

// A member that is one of `names` (NULL: no name at that place); *out is the place.
// Fails: as panel_text, and ERR_MALFORMED "unknown <key>".
MUST_CHECK bool panel_name(unsigned *out, const char *const *names, size_t n_names,
                           const struct json *object, const char *key, struct err *err);

// Writes a member. The writer fails where the other side could not read the text.
void panel_put_text(struct json_writer *j, const char *key, struct bytes text);

// Ends the line that began at `start`. The writer fails if it is longer than PANEL_LINE_MAX.
void panel_end_line(struct writer *w, size_t start);

#endif
