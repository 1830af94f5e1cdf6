#include "bunker/audit.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/reader.h"
#include <errno.h>
#include <fcntl.h>

#define LINE_MAX_LEN 4096
#define FILE_MAX     ((size_t)64 << 20)

static struct bytes prev_of(struct bytes line, struct arena *arena)
{
    const struct json *record, *prev;
    struct err err;
    if (!json_parse(&record, line, arena, &err) || (prev = json_get(record, "prev")) == NULL)
        return (struct bytes){ 0 };
    return prev->text;
}

static bool check_chain(struct audit *a, const char *path, struct bytes text, struct arena *arena,
                        struct err *err)
{
    struct bytes line;
    char head[65];
    for (struct reader r = reader_of(text); reader_until(&r, '\n', &line);) {
        hex_encode(head, BYTES_OF(a->head.b));
        if (!bytes_equal_text(prev_of(line, arena), head))
            return err_set(err, ERR_INVALID, "%s:%llu: the chain is broken", path,
                           (unsigned long long)a->seq + 1);
        a->head = sha256(line);
        a->seq++;
        arena_reset(arena);
    }
    return true;
}

bool audit_open(struct audit *out, const char *path, struct err *err)
{
    AUTO(arena_freep) struct arena *text_arena = arena_new(FILE_MAX + 4096);
    AUTO(arena_freep) struct arena *arena = arena_new(1 << 20);
    struct bytes text;
    *out = (struct audit){ .fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600) };
    if (out->fd < 0)
        return err_set_errno(err, errno, "%s", path);
    if (file_read_fd(&text, out->fd, path, FILE_MAX, text_arena, err) &&
        check_chain(out, path, text, arena, err))
        return true;
    audit_close(out);
    return false;
}

void audit_close(struct audit *a)
{
    if (a->fd >= 0)
        close(a->fd);
    a->fd = -1;
}

static void put(struct json_writer *j, const char *key, struct bytes value)
{
    if (value.len == 0)
        return;
    json_key(j, key);
    json_string(j, bytes_slice(value, 0, 1024));
}

static void write_line(struct writer *w, const struct audit *a, int64_t now_s,
                       const struct audit_event *e)
{
    struct json_writer j = json_writer_of(w);
    char time[CLOCK_TEXT_SIZE];
    clock_to_text(time, now_s);
    j.ascii = true;
    json_begin_object(&j);
    json_key(&j, "seq");
    json_u64(&j, a->seq + 1);
    put(&j, "time", bytes_of_text(time));
    put(&j, "event", bytes_of_text(e->event));
    put(&j, "account", bytes_of_text(e->account));
    put(&j, "listener", bytes_of_text(e->listener));
    put(&j, "session", bytes_of_text(e->session));
    put(&j, "psbt_hash", bytes_of_text(e->psbt_hash));
    put(&j, "outcome", bytes_of_text(e->outcome));
    put(&j, "reason", e->reason);
    json_key(&j, "prev");
    json_hex(&j, BYTES_OF(a->head.b));
    json_end_object(&j);
}

bool audit_add(struct audit *a, int64_t now_s, const struct audit_event *event)
{
    char mem[2 * LINE_MAX_LEN];
    struct writer w = writer_of(mem, sizeof mem);
    struct bytes line;
    struct err err;
    if (a->fd < 0)
        return true;
    write_line(&w, a, now_s, event);
    if (!writer_finish(&w, &line))
        return false;
    writer_text(&w, "\n");
    if (!file_write_fd(a->fd, "audit", writer_bytes(&w), &err) || fdatasync(a->fd) != 0)
        return false;
    a->head = sha256(line);
    a->seq++;
    return true;
}

bool audit_read(const struct audit *a, uint64_t after, struct writer *w, struct arena *arena,
                struct err *err)
{
    struct bytes text = { 0 }, line;
    uint64_t seq = 0;
    const char *comma = "";
    if (a->fd >= 0 && (lseek(a->fd, 0, SEEK_SET) < 0 ||
                       !file_read_fd(&text, a->fd, "audit", FILE_MAX, arena, err)))
        return false;
    writer_text(w, "[");
    for (struct reader r = reader_of(text); reader_until(&r, '\n', &line);) {
        if (++seq <= after)
            continue;
        writer_text(w, comma);
        writer_put(w, line);
        comma = ",\n";
    }
    writer_text(w, "]");
    return !w->failed || err_set(err, ERR_LIMIT, "audit: too many records; use after");
}
