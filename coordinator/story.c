#include "coordinator/story.h"
#include "coordinator/frame.h"

static void tell(struct db *db, const char *spend_id, const struct writer *w)
{
    struct bytes text;
    struct err err;
    if (writer_finish(w, &text) && !ledger_story(db, spend_id, text, &err))
        return; // the payment matters more than its story
}

void story_log(struct db *db, const char *spend_id, const char *cls, const char *fmt, ...)
{
    uint8_t mem[FRAME_MAX];
    struct writer w = writer_of(mem, sizeof mem);
    va_list args;
    va_start(args, fmt);
    frame_json_log(&w, cls, fmt, args);
    va_end(args);
    tell(db, spend_id, &w);
}

static void tell_step(struct db *db, const char *spend_id, const char *key, enum story_step step)
{
    uint8_t mem[FRAME_MAX];
    struct writer w = writer_of(mem, sizeof mem);
    frame_json_step(&w, key, (int)step);
    tell(db, spend_id, &w);
}

void story_begin(struct db *db, const char *spend_id, enum story_step step)
{
    tell_step(db, spend_id, "step", step);
}

void story_done(struct db *db, const char *spend_id, enum story_step step)
{
    tell_step(db, spend_id, "done_step", step);
}

void story_end(struct db *db, const char *spend_id, bool refused, enum code code)
{
    uint8_t mem[FRAME_MAX];
    struct writer w = writer_of(mem, sizeof mem);
    frame_json_end(&w, refused, (struct bytes){ 0 }, code != CODE_NONE ? code_name(code) : NULL);
    tell(db, spend_id, &w);
}
