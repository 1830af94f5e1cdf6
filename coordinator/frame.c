#include "coordinator/frame.h"
#include "base/utf8.h"
#include <stdio.h>

static struct json_writer begin(struct writer *w)
{
    struct json_writer j = json_writer_of(w);
    j.ascii = true;
    json_begin_object(&j);
    return j;
}

void frame_json_log(struct writer *w, const char *cls, const char *fmt, va_list args)
{
    char text[512];
    (void)vsnprintf(text, sizeof text, fmt, args);
    struct bytes whole = bytes_of_text(text);
    while (!utf8_is_valid(whole))
        whole.len--;
    struct json_writer j = begin(w);
    json_key(&j, "log");
    json_string(&j, whole);
    json_key(&j, "cls");
    json_text(&j, cls);
    json_end_object(&j);
}

void frame_json_step(struct writer *w, const char *key, int step)
{
    struct json_writer j = begin(w);
    json_key(&j, key);
    json_i64(&j, step);
    json_end_object(&j);
}

void frame_json_end(struct writer *w, bool refused, struct bytes authorized, const char *code)
{
    struct json_writer j = begin(w);
    if (refused) {
        json_key(&j, "refused");
        json_bool(&j, true);
    }
    if (authorized.len > 0) {
        json_key(&j, "authorized");
        json_string(&j, authorized);
    }
    json_key(&j, "end");
    json_bool(&j, true);
    if (code != NULL) {
        json_key(&j, "code");
        json_text(&j, code);
    }
    json_end_object(&j);
}

void frame_json_copy(struct writer *w, const struct json *object)
{
    struct json_writer j = begin(w);
    for (const struct json *m = object->items; m != NULL; m = m->next) {
        json_key_bytes(&j, m->key);
        json_value(&j, m);
    }
    json_end_object(&j);
}
