#include "bunker/frames.h"
#include "base/utf8.h"
#include "crypto/random.h"
#include <stdarg.h>

#define FRAME_MAX ((size_t)24 << 20)

void frame_begin(struct frame *f)
{
    f->arena = arena_new(FRAME_ARENA);
    f->w = writer_growing(f->arena, FRAME_MAX);
    f->j = json_writer_of(&f->w);
    f->j.ascii = true;
    json_begin_object(&f->j);
}

void frame_free(struct frame *f)
{
    arena_free(f->arena);
}

// "f" lives on the caller's stack: its json_writer points into it.
void frame_send(struct frame *f, struct client *c, unsigned key)
{
    struct bytes text;
    json_end_object(&f->j);
    if (writer_finish(&f->w, &text))
        http_socket_send(c->socket, text, key);
    else
        http_socket_close(c->socket, 1013);
    frame_free(f);
}

// --- Escaping ---

static const char *entity(uint8_t c, bool attribute)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return attribute ? "&quot;" : NULL;
    case '\'':
        return attribute ? "&#39;" : NULL;
    case '\n':
        return attribute ? NULL : "<br>";
    default:
        return NULL;
    }
}

static void write_escaped(struct writer *w, struct bytes text, bool attribute)
{
    for (size_t i = 0; i < text.len; i++) {
        const char *e = entity(text.ptr[i], attribute);
        if (e != NULL)
            writer_text(w, e);
        else
            writer_u8(w, text.ptr[i]);
    }
}

void html_write(struct writer *w, struct bytes text)
{
    write_escaped(w, text, false);
}

void html_write_attribute(struct writer *w, struct bytes text)
{
    write_escaped(w, text, true);
}

void script_json_write(struct writer *w, struct bytes json)
{
    static const char special[] = "<>&'";
    for (size_t i = 0; i < json.len; i++) {
        const uint8_t c = json.ptr[i];
        const struct bytes rest = bytes_slice(json, i, 3);
        if (memchr(special, c, sizeof special - 1) != NULL) {
            writer_printf(w, "\\u%04x", c);
        } else if (bytes_equal_text(rest, "\xe2\x80\xa8") ||
                   bytes_equal_text(rest, "\xe2\x80\xa9")) {
            writer_printf(w, "\\u20%02x", rest.ptr[2] - 0x80u);
            i += 2;
        } else {
            writer_u8(w, c);
        }
    }
}

// --- Modals ---

static void send_modal(struct client *c, const char *selector, struct bytes text, const char *code)
{
    struct frame f;
    frame_begin(&f);
    struct writer html = writer_growing(f.arena, 8 * text.len + 64);
    html_write(&html, text);
    json_key(&f.j, "show_modal");
    json_bool(&f.j, true);
    json_key(&f.j, "html");
    json_string(&f.j, writer_bytes(&html));
    json_key(&f.j, "selector");
    json_text(&f.j, selector);
    json_key(&f.j, "text");
    json_string(&f.j, text);
    if (code != NULL) {
        json_key(&f.j, "code");
        json_text(&f.j, code);
    }
    frame_send(&f, c, 0);
}

void frame_fail(struct client *c, const char *code, const char *fmt, ...)
{
    char text[4096];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    utf8_clean((uint8_t *)text, strlen(text)); // a device may say anything, and some of it is cut
    send_modal(c, ".js-api-fail", bytes_of_text(text), code);
}

void frame_success(struct client *c, const char *text)
{
    char clean[1024];
    (void)snprintf(clean, sizeof clean, "%s", text);
    utf8_clean((uint8_t *)clean, strlen(clean));
    send_modal(c, ".js-api-success", bytes_of_text(clean), NULL);
}

void frame_rejected(struct client *c, const char *reason)
{
    frame_fail(c, "rejected", "Rejected by Coldcard.\n\n%s", reason);
}

void frame_flash(struct client *c, const char *text)
{
    struct frame f;
    frame_begin(&f);
    json_key(&f.j, "show_flash_msg");
    json_text(&f.j, text);
    frame_send(&f, c, 0);
}

void frame_download(struct client *c, struct bytes data, const char *filename, bool has_b64,
                    bool is_b64)
{
    struct frame f;
    frame_begin(&f);
    json_key(&f.j, "local_download");
    json_begin_object(&f.j);
    json_key(&f.j, "data");
    json_string(&f.j, data);
    json_key(&f.j, "filename");
    json_text(&f.j, filename);
    if (has_b64) {
        json_key(&f.j, "is_b64");
        json_bool(&f.j, is_b64);
    }
    json_end_object(&f.j);
    frame_send(&f, c, 0);
}

static const struct {
    enum err_code error;
    const char *code;
} codes[] = {
    { ERR_NOT_FOUND, "no_device" },   { ERR_BUSY, "busy" },
    { ERR_INVALID, "device_error" },  { ERR_STATE, "device_error" },
    { ERR_AUTH, "device_error" },     { ERR_LIMIT, "too_large" },
    { ERR_REFUSED, "rejected" },      { ERR_PENDING, "device_error" },
    { ERR_INTERRUPTED, "cancelled" },
};

void frame_device_error(struct client *c, const struct err *err)
{
    for (size_t i = 0; i < COUNT(codes); i++)
        if (codes[i].error == err->code) {
            frame_fail(c, codes[i].code, "%s", err->text);
            return;
        }
    const unsigned ref = random_below(0x10000);
    char text[16];
    (void)snprintf(text, sizeof text, "%04x", ref);
    LOG(c->bunker->log, LOG_WARNING, "internal_error", LOG_TEXT("ref", text),
        LOG_TEXT("error", err->text));
    frame_fail(c, "internal", "Internal error (ref %s).", text);
}
