// Developer commands: answered as test rigs expect, and never executed. wire-protocol.md 8.12.
#include "signer/panel_backend.h"
#include "signer/requests.h"

// "XKEY MUST be answered `okay`; the key MUST be ignored unless Casemate runs in an explicit test
// mode with a throw-away seed." Keys that this device does not have are ignored.
bool serve_xkey(struct exchange *ex, struct err *err)
{
    if (ex->device->simulator)
        (void)!panel_press(ex->device, ex->request.data, err);
    reply_okay(ex);
    return true;
}

static void write_repr(struct writer *w, struct bytes text)
{
    const char quote =
        memchr(text.ptr, '\'', text.len) != NULL && memchr(text.ptr, '"', text.len) == NULL ? '"'
                                                                                            : '\'';
    writer_u8(w, (uint8_t)quote);
    for (size_t i = 0; i < text.len; i++) {
        const char c = (char)text.ptr[i];
        if (c == '\n')
            writer_text(w, "\\n");
        else if (c == quote || c == '\\')
            writer_printf(w, "\\%c", c);
        else if (text.ptr[i] < 0x20 || text.ptr[i] == 0x7f)
            writer_printf(w, "\\x%02x", text.ptr[i]);
        else
            writer_u8(w, text.ptr[i]);
    }
    writer_u8(w, (uint8_t)quote);
}

// The Python repr of the tuple (title, body).
static bool reply_story(struct exchange *ex, struct err *err)
{
    const struct screen *screen = &ex->device->screen;
    struct writer w = writer_growing(ex->arena, 2 * SCREEN_TEXT_MAX);
    const char *title = screen->title[0] != 0 ? screen->title : "NO-TITLE";
    writer_u8(&w, '(');
    write_repr(&w, bytes_of_text(title));
    writer_text(&w, ", ");
    write_repr(&w, bytes_of(screen->text != NULL ? screen->text : "", screen->text_len));
    writer_u8(&w, ')');
    struct bytes text;
    if (!writer_finish(&w, &text))
        return err_set(err, ERR_NO_MEMORY, "Out of RAM");
    reply_binary(ex, text);
    return true;
}

static bool turn_hsm_on(struct exchange *ex, struct err *err)
{
    const struct store_settings settings = { .has_hsm_commands = true, .hsm_commands = true };
    if (!store_set_settings(ex->device->store, &settings, err))
        return false;
    ex->device->hsm_commands = true;
    reply_binary(ex, BYTES("ok"));
    return true;
}

static bool not_supported(struct exchange *ex)
{
    reply_binary(ex, BYTES("Traceback: not supported"));
    return true;
}

bool serve_exec(struct exchange *ex, struct err *err)
{
    const struct bytes text = ex->request.data;
    if (bytes_equal_text(text, EXEC_IS_EDGE)) {
        reply_binary(ex, BYTES("0"));
        return true;
    }
    if (ex->device->simulator && bytes_equal_text(text, EXEC_HSM_ON))
        return turn_hsm_on(ex, err);
    if (ex->device->simulator && bytes_equal_text(text, EXEC_STORY))
        return reply_story(ex, err);
    return not_supported(ex);
}

bool serve_eval(struct exchange *ex, struct err *err)
{
    struct writer w = writer_growing(ex->arena, 32);
    struct bytes number;
    if (!ex->device->simulator || !bytes_equal_text(ex->request.data, EVAL_N_WALLETS))
        return not_supported(ex);
    writer_printf(&w, "%zu", ex->device->wallets.n);
    if (!writer_finish(&w, &number))
        return err_set(err, ERR_NO_MEMORY, "Out of RAM");
    reply_binary(ex, number);
    return true;
}
