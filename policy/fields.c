// policy/fields.c
#include "policy/fields.h"
#include "base/reader.h"
#include "base/utf8.h"
#include <inttypes.h>
#include <stdarg.h>

bool fields_fail(const struct fields *f, const char *fmt, ...)
{
    char text[ERR_TEXT_MAX];
    va_list args;
    va_start(args, fmt);
    const int len = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (len < 0)
        text[0] = '\0';
    if (f->rule == 0)
        return err_set(f->err, ERR_INVALID, "HSM Policy invalid: policy: %s", text);
    return err_set(f->err, ERR_INVALID, "HSM Policy invalid: rule #%zu: %s", f->rule, text);
}

bool fields_no_memory(const struct fields *f)
{
    return err_set(f->err, ERR_NO_MEMORY, "no memory left for the policy");
}

// Policy 2.4: "`Falsy` is absent, `null`, `false`, `0`, `0.0`, `""`, `[]`, `{}`."
static bool is_falsy(const struct json *value)
{
    int64_t number;
    if (value == NULL)
        return true;
    switch (value->type) {
    case JSON_NULL:
    case JSON_FALSE:
        return true;
    case JSON_TRUE:
        return false;
    case JSON_NUMBER:
        return json_integer(value, &number, NULL) && number == 0;
    case JSON_STRING:
        return value->text.len == 0;
    case JSON_ARRAY:
    case JSON_OBJECT:
        break;
    }
    return value->n_items == 0;
}

// The value of a field that is given, or NULL: "absent or `null` -> unset".
static const struct json *given(const struct fields *f, const char *key)
{
    const struct json *value = json_get(f->object, key);
    return value == NULL || value->type == JSON_NULL ? NULL : value;
}

bool field_bool(const struct fields *f, const char *key, bool *out)
{
    const struct json *value = json_get(f->object, key);
    *out = !is_falsy(value);
    // In the reference the string "false" is true; policy 2.4: "Casemate rejects non-empty strings,
    // arrays and objects".
    if (*out && value->type != JSON_TRUE && value->type != JSON_NUMBER)
        return fields_fail(f, "%s: must be boolean", key);
    return true;
}

// True with a value of an integer type; *too_large if it is integral and above any range.
static bool read_integer(const struct json *value, int64_t *out, bool *too_large)
{
    *too_large = false;
    if (value->type == JSON_TRUE || value->type == JSON_FALSE) {
        *out = value->type == JSON_TRUE;
        return true;
    }
    return json_integer(value, out, too_large) || *too_large;
}

bool field_integer(const struct fields *f, const char *key, uint64_t min, uint64_t max,
                   bool *is_set, uint64_t *out)
{
    const struct json *value = given(f, key);
    int64_t n = 0;
    bool too_large;
    *is_set = value != NULL;
    if (value == NULL)
        return true;
    if (!read_integer(value, &n, &too_large))
        return fields_fail(f, "%s: must be integer", key);
    if (max < min)
        return fields_fail(f, "%s: cannot be specified", key);
    if (too_large || n < 0 || (uint64_t)n < min || (uint64_t)n > max)
        return fields_fail(f, "%s: must be in range: [%" PRIu64 "..%" PRIu64 "]", key, min, max);
    *out = (uint64_t)n;
    return true;
}

bool field_text(const struct fields *f, const char *key, size_t min, size_t max, struct bytes *out)
{
    const struct json *value = given(f, key);
    if (value == NULL)
        return true;
    if (value->type != JSON_STRING)
        return fields_fail(f, "%s: must be string", key);
    const size_t len = utf8_length(value->text);
    if (len < min || len > max)
        return fields_fail(f, "%s: length must be %zu..%zu", key, min, max);
    return arena_copy(f->arena, value->text, out) || fields_no_memory(f);
}

bool field_list(const struct fields *f, const char *key, const struct json **out)
{
    const struct json *value = json_get(f->object, key);
    *out = NULL;
    if (is_falsy(value))
        return true;
    if (value->type != JSON_ARRAY)
        return fields_fail(f, "need a list for: %s", key);
    *out = value;
    return true;
}

bool field_object(const struct fields *f, const char *key, const struct json **out)
{
    *out = given(f, key);
    if (*out != NULL && (*out)->type != JSON_OBJECT)
        return fields_fail(f, "%s: must be dict", key);
    return true;
}

struct bytes json_shown(const struct json *value)
{
    return value->text; // base/json.h: decoded for strings, the source text for all else
}

static bool is_known(struct bytes key, const char *const *known, size_t n_known)
{
    for (size_t i = 0; i < n_known; i++)
        if (bytes_equal_text(key, known[i]))
            return true;
    return false;
}

bool fields_finish(const struct fields *f, const char *const *known, size_t n_known)
{
    char text[ERR_TEXT_MAX]; // more would not fit into the error either
    struct writer w = writer_of(text, sizeof text);
    size_t n = 0;
    for (const struct json *m = f->object->items; m != NULL && !w.failed; m = m->next) {
        if (is_known(m->key, known, n_known))
            continue;
        writer_text(&w, n++ == 0 ? "" : ", ");
        // A key that does not fit whole is shown in part.
        writer_put(&w, bytes_slice(m->key, 0, sizeof text - w.len));
    }
    const struct bytes keys = writer_bytes(&w);
    return n == 0 || fields_fail(f, "Unknown item: %.*s", BYTES_ARG(keys));
}
