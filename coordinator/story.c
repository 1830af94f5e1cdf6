#include "coordinator/story.h"
#include "base/json.h"
#include "base/utf8.h"
#include <stdarg.h>
#include <stdio.h>

#define FRAME_MAX 2048

struct frame {
    uint8_t mem[FRAME_MAX];
    struct writer w;
    struct json_writer j;
};

static void begin(struct frame *f)
{
    f->w = writer_of(f->mem, sizeof f->mem);
    f->j = json_writer_of(&f->w);
    f->j.ascii = true; // "non-ASCII characters are escaped"
    json_begin_object(&f->j);
}

// Our own sentences, some with a text of a signer or node in them; cut by snprintf, maybe within a character.
static struct bytes whole_characters(const char *text)
{
    struct bytes all = bytes_of_text(text);
    for (unsigned i = 0; i < 4 && !utf8_is_valid(all) && all.len > 0; i++)
        all.len--;
    return utf8_is_valid(all) ? all : BYTES("a text that is not UTF-8");
}

static void tell(struct frame *f, struct db *db, const char *spend_id)
{
    struct bytes text;
    struct err err;
    json_end_object(&f->j);
    if (writer_finish(&f->w, &text) && !ledger_story(db, spend_id, text, &err))
        return;
}

void story_log(struct db *db, const char *spend_id, const char *cls, const char *fmt, ...)
{
    char text[512];
    struct frame f;
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    begin(&f);
    json_key(&f.j, "log");
    json_string(&f.j, whole_characters(text));
    json_key(&f.j, "cls");
    json_text(&f.j, cls);
    tell(&f, db, spend_id);
}

static void step_frame(struct db *db, const char *spend_id, const char *key, enum story_step step)
{
    struct frame f;
    begin(&f);
    json_key(&f.j, key);
    json_u64(&f.j, step);
    tell(&f, db, spend_id);
}

void story_begin(struct db *db, const char *spend_id, enum story_step step)
{
    step_frame(db, spend_id, "step", step);
}

void story_done(struct db *db, const char *spend_id, enum story_step step)
{
    step_frame(db, spend_id, "done_step", step);
}

void story_end(struct db *db, const char *spend_id, bool refused, enum code code)
{
    struct frame f;
    begin(&f);
    if (refused) {
        json_key(&f.j, "refused");
        json_bool(&f.j, true);
    }
    json_key(&f.j, "end");
    json_bool(&f.j, true);
    if (code != CODE_NONE) {
        json_key(&f.j, "code");
        json_text(&f.j, code_name(code));
    }
    tell(&f, db, spend_id);
}
