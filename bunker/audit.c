#include "bunker/audit.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/require.h"
#include "base/utf8.h"
#include <errno.h>
#include <fcntl.h>

#define LINE_MAX_LEN 4096

// --- Reading, a line at a time ---

struct lines {
    int fd;
    uint64_t offset; // of what has not been read into `mem` yet
    uint8_t mem[4 * LINE_MAX_LEN];
    size_t at, len;
};

static bool fill(struct lines *l, struct err *err)
{
    memmove(l->mem, l->mem + l->at, l->len - l->at);
    l->len -= l->at;
    l->at = 0;
    const ssize_t n = pread(l->fd, l->mem + l->len, sizeof l->mem - l->len, (off_t)l->offset);
    if (n < 0)
        return err_set_errno(err, errno, "audit");
    l->offset += (uint64_t)n;
    l->len += (size_t)n;
    return true;
}

// The next whole line, without its end; *line.ptr NULL: there is none.
static bool next_line(struct lines *l, struct bytes *line, struct err *err)
{
    const uint8_t *end = memchr(l->mem + l->at, '\n', l->len - l->at);
    *line = (struct bytes){ 0 };
    if (end == NULL && !fill(l, err))
        return false;
    end = memchr(l->mem + l->at, '\n', l->len - l->at);
    if (end == NULL)
        return l->len < sizeof l->mem || err_set(err, ERR_INVALID, "audit: a line is too long");
    *line = bytes_of(l->mem + l->at, (size_t)(end - l->mem) - l->at);
    l->at = (size_t)(end - l->mem) + 1;
    return true;
}

static struct bytes prev_of(struct bytes line, struct arena *arena)
{
    const struct json *record, *prev;
    struct err err;
    if (!json_parse(&record, line, arena, &err) || (prev = json_get(record, "prev")) == NULL)
        return (struct bytes){ 0 };
    return prev->text;
}

// --- What is kept of a line ---

static void count(struct audit *a, struct bytes line)
{
    if (a->seq % AUDIT_MARK_EVERY == 0) {
        uint64_t *more = realloc(a->marks, (a->n_marks + 1) * sizeof *more);
        REQUIRE(more != NULL);
        a->marks = more;
        a->marks[a->n_marks++] = a->len;
    }
    a->head = sha256(line);
    a->seq++;
    a->len += line.len + 1;
}

static bool check_chain(struct audit *a, const char *path, struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(1 << 20);
    struct lines lines = { .fd = a->fd };
    struct bytes line;
    char head[65];
    while (next_line(&lines, &line, err) && line.ptr != NULL) {
        hex_encode(head, BYTES_OF(a->head.b));
        if (!bytes_equal_text(prev_of(line, arena), head))
            return err_set(err, ERR_INVALID, "%s:%llu: the chain is broken", path,
                           (unsigned long long)a->seq + 1);
        count(a, line);
        arena_reset(arena);
    }
    if (err->code != ERR_NONE)
        return err_within(err, "%s", path);
    return ftruncate(a->fd, (off_t)a->len) == 0 || err_set_errno(err, errno, "%s", path);
}

bool audit_open(struct audit *out, const char *path, struct err *err)
{
    *out = (struct audit){ .fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600) };
    err->code = ERR_NONE;
    if (out->fd < 0)
        return err_set_errno(err, errno, "%s", path);
    if (check_chain(out, path, err))
        return true;
    audit_close(out);
    return false;
}

void audit_close(struct audit *a)
{
    if (a->fd >= 0)
        close(a->fd);
    a->fd = -1;
    free(a->marks);
    a->marks = NULL;
    a->n_marks = 0;
}

static void put(struct json_writer *j, const char *key, struct bytes value)
{
    if (value.len == 0)
        return;
    uint8_t clean[1024]; // what a device or a server says may be no text, or is cut
    value = bytes_slice(value, 0, sizeof clean);
    memcpy(clean, value.ptr, value.len);
    utf8_clean(clean, value.len);
    json_key(j, key);
    json_string(j, bytes_of(clean, value.len));
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
    if (!file_write_fd(a->fd, "audit", writer_bytes(&w), &err) || fdatasync(a->fd) != 0) {
        (void)!ftruncate(a->fd, (off_t)a->len); // a part of a line would break the chain
        return false;
    }
    count(a, line);
    return true;
}

bool audit_read(const struct audit *a, uint64_t after, struct writer *w, struct err *err)
{
    const size_t mark = (size_t)(after / AUDIT_MARK_EVERY);
    struct lines lines = { .fd = a->fd };
    uint64_t seq = mark * AUDIT_MARK_EVERY;
    struct bytes line;
    const char *comma = "";
    err->code = ERR_NONE;
    writer_text(w, "[");
    if (a->fd >= 0 && mark < a->n_marks) {
        lines.offset = a->marks[mark];
        while (seq < after + AUDIT_READ_MAX && next_line(&lines, &line, err) && line.ptr != NULL) {
            if (++seq <= after)
                continue;
            writer_text(w, comma);
            writer_put(w, line);
            comma = ",\n";
        }
    }
    writer_text(w, "]");
    if (err->code != ERR_NONE)
        return false;
    return !w->failed || err_set(err, ERR_LIMIT, "audit: too many records; use after");
}
