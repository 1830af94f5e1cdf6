#include "cli/trace.h"
#include "base/file.h"
#include <errno.h>
#include <fcntl.h>

#define LINE_MAX_LEN ((size_t)2 * REQUEST_MAX + 200)

bool trace_open(struct trace_file *t, const char *path, struct err *err)
{
    t->start_ms = wait_now_ms();
    t->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0600);
    return t->fd >= 0 || err_set_errno(err, errno, "%s", path);
}

void trace_close(struct trace_file *t)
{
    if (t->fd >= 0)
        close(t->fd);
    t->fd = -1;
}

static void write_line(struct writer *w, int64_t ms, bool sent, struct bytes message, size_t masked,
                       bool encrypted)
{
    writer_printf(w, "%4d.%03d %c ", (int)(ms / 1000), (int)(ms % 1000), sent ? '>' : '<');
    for (size_t i = 0; i < message.len && i < CODE_LEN; i++)
        writer_u8(w, message.ptr[i] > 0x20 && message.ptr[i] < 0x7f ? message.ptr[i] : '?');
    writer_printf(w, " %zu bytes, %s: ", message.len + masked,
                  encrypted ? "encrypted" : "in the clear");
    writer_hex(w, message);
    if (masked > 0)
        writer_printf(w, " and %zu bytes not shown", masked);
    writer_u8(w, '\n');
}

static void on_message(void *context, bool sent, struct bytes message, size_t masked,
                       bool encrypted)
{
    const struct trace_file *t = context;
    struct arena *arena = arena_new(2 * LINE_MAX_LEN + 4 * message.len);
    struct writer w = writer_growing(arena, LINE_MAX_LEN + 2 * message.len);
    struct err unimportant;
    write_line(&w, wait_now_ms() - t->start_ms, sent, message, masked, encrypted);
    // A full disk must not keep a transaction from being signed.
    (void)!file_write_fd(t->fd, "trace", writer_bytes(&w), &unimportant);
    arena_free(arena);
}

struct connection_trace trace_of(struct trace_file *t)
{
    return (struct connection_trace){ t->fd >= 0 ? on_message : NULL, t };
}
