#include "base/require.h"
#include "wire/panel.h"
#include "wire/panel_internal.h"

static const char *const asks[] = { [PANEL_ASK_NONE] = "none",
                                    [PANEL_ASK_KEY] = "key",
                                    [PANEL_ASK_DIGITS] = "digits",
                                    [PANEL_ASK_TEXT] = "text" };
static const char *const states[] = {
    [PANEL_LOCKED] = "locked", [PANEL_NORMAL] = "normal", [PANEL_HSM] = "hsm"
};

bool panel_hello_unpack(struct panel_hello *out, struct bytes line, struct arena *arena,
                        struct err *err)
{
    const struct json *object;
    struct panel_hello hello = { 0 };
    uint64_t version;
    if (!panel_object(&object, line, arena, err) ||
        !panel_number(&version, PANEL_NUMBER_MAX, object, "panel", err))
        return false;
    if (version != PANEL_VERSION)
        return err_set(err, ERR_UNSUPPORTED, "panel protocol %llu", (unsigned long long)version);
    if (!panel_text(&hello.name, object, "name", err) ||
        !panel_bool(&hello.simulator, object, "simulator", err))
        return false;
    *out = hello;
    return true;
}

void panel_hello_pack(struct writer *w, const struct panel_hello *hello)
{
    const size_t start = w->len;
    struct json_writer j = json_writer_of(w);
    json_begin_object(&j);
    json_key(&j, "panel");
    json_u64(&j, PANEL_VERSION);
    panel_put_text(&j, "name", hello->name);
    json_key(&j, "simulator");
    json_bool(&j, hello->simulator);
    json_end_object(&j);
    panel_end_line(w, start);
}

static bool read_hsm(struct panel_screen *out, const struct json *object, struct err *err)
{
    return panel_number(&out->approved, PANEL_NUMBER_MAX, object, "approved", err) &&
           panel_number(&out->refused, PANEL_NUMBER_MAX, object, "refused", err) &&
           panel_text(&out->period_left, object, "period_left", err) &&
           panel_text(&out->digits, object, "digits", err);
}

static bool read_screen(struct panel_screen *out, const struct json *object, struct err *err)
{
    unsigned ask, state;
    if (!panel_text(&out->title, object, "title", err) ||
        !panel_text(&out->text, object, "text", err) ||
        !panel_name(&ask, asks, COUNT(asks), object, "ask", err) ||
        !panel_name(&state, states, COUNT(states), object, "state", err))
        return false;
    if (json_get(object, "question") != NULL &&
        !panel_number(&out->question, PANEL_NUMBER_MAX, object, "question", err))
        return false;
    out->ask = (enum panel_ask)ask;
    out->state = (enum panel_state)state;
    return out->state != PANEL_HSM || read_hsm(out, object, err);
}

bool panel_reply_unpack(struct panel_reply *out, struct bytes line, struct arena *arena,
                        struct err *err)
{
    const struct json *object;
    struct panel_reply reply = { 0 };
    if (!panel_object(&object, line, arena, err) || !panel_bool(&reply.ok, object, "ok", err))
        return false;
    reply.has_screen = reply.ok && json_get(object, "state") != NULL;
    if (!reply.ok && !panel_text(&reply.error, object, "error", err))
        return false;
    if (reply.has_screen && !read_screen(&reply.screen, object, err))
        return false;
    *out = reply;
    return true;
}

static void put_number(struct json_writer *j, const char *key, uint64_t value)
{
    json_key(j, key);
    json_u64(j, value);
}

static void put_screen(struct json_writer *j, const struct panel_screen *screen)
{
    REQUIRE(screen->ask < COUNT(asks) && screen->state < COUNT(states));
    panel_put_text(j, "title", screen->title);
    panel_put_text(j, "text", screen->text);
    json_key(j, "ask");
    json_text(j, asks[screen->ask]);
    if (screen->question > 0)
        put_number(j, "question", screen->question);
    json_key(j, "state");
    json_text(j, states[screen->state]);
    if (screen->state != PANEL_HSM)
        return;
    put_number(j, "approved", screen->approved);
    put_number(j, "refused", screen->refused);
    panel_put_text(j, "period_left", screen->period_left);
    panel_put_text(j, "digits", screen->digits);
}

void panel_reply_pack(struct writer *w, const struct panel_reply *reply)
{
    const size_t start = w->len;
    struct json_writer j = json_writer_of(w);
    json_begin_object(&j);
    json_key(&j, "ok");
    json_bool(&j, reply->ok);
    if (!reply->ok)
        panel_put_text(&j, "error", reply->error);
    else if (reply->has_screen)
        put_screen(&j, &reply->screen);
    json_end_object(&j);
    panel_end_line(w, start);
}
