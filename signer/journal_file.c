#include "signer/journal_file.h"
#include "base/file.h"
#include "base/json.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

enum { BATCH = 64, TAIL_USUAL = 8192, TAIL_MAX = 2 * 65536, BATCH_MEMORY = 64 << 20 };

struct journal_file {
    int fd;
    int64_t len;
};

static bool broken(struct err *err, int errnum)
{
    return err_set_errno(err, errnum, JOURNAL_FILE);
}

static void close_file(struct journal_file *file)
{
    if (file->fd >= 0)
        (void)close(file->fd);
}

static bool open_file(struct journal_file *out, int dir_fd, struct err *err)
{
    struct stat st;
    out->fd = openat(dir_fd, JOURNAL_FILE,
                     O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    if (out->fd < 0 || fstat(out->fd, &st) != 0)
        return broken(err, errno);
    if (!S_ISREG(st.st_mode) || st.st_nlink != 1)
        return err_set(err, ERR_IO, JOURNAL_FILE ": is not a plain file of one name");
    out->len = st.st_size;
    return true;
}

// --- What the file has ---

static bool read_last(const struct journal_file *file, size_t max, struct bytes *out,
                      struct arena *arena, struct err *err)
{
    const size_t want = file->len < (int64_t)max ? (size_t)file->len : max;
    uint8_t *tail = arena_alloc(arena, want);
    size_t n = 0;
    if (!tail)
        return err_set(err, ERR_NO_MEMORY, JOURNAL_FILE ": no memory");
    while (n < want) {
        const ssize_t got =
            pread(file->fd, tail + n, want - n, (off_t)(file->len - (int64_t)(want - n)));
        if (got == 0 || (got < 0 && errno != EINTR))
            return broken(err, got == 0 ? EIO : errno);
        n += got > 0 ? (size_t)got : 0;
    }
    *out = bytes_of(tail, want);
    return true;
}

// Whether a whole line and the end of the one before are there.
static bool has_last_line(struct bytes tail)
{
    const uint8_t *end = tail.len == 0 ? NULL : memrchr(tail.ptr, '\n', tail.len);
    return end != NULL && memrchr(tail.ptr, '\n', (size_t)(end - tail.ptr)) != NULL;
}

// The last bytes of the file: mostly a few lines, at most as many as two lines may have.
static bool read_tail(const struct journal_file *file, struct bytes *out, struct arena *arena,
                      struct err *err)
{
    return read_last(file, TAIL_USUAL, out, arena, err) &&
           (file->len <= TAIL_USUAL || has_last_line(*out) ||
            read_last(file, TAIL_MAX, out, arena, err));
}

// Where the bytes behind the last LF, or behind the one before `end`, begin.
static size_t line_start(struct bytes text, size_t end)
{
    while (end > 0 && text.ptr[end - 1] != '\n')
        end--;
    return end;
}

// A line without its LF was cut by a crash: it is in the store still.
static bool cut_torn_line(struct journal_file *file, struct bytes *tail, struct err *err)
{
    const size_t whole = line_start(*tail, tail->len);
    if (whole == tail->len)
        return true;
    file->len -= (int64_t)(tail->len - whole);
    *tail = bytes_slice(*tail, 0, whole);
    return ftruncate(file->fd, (off_t)file->len) == 0 || broken(err, errno);
}

// The `seq` of the file's last line; 0 for an empty file or a line that is not ours.
static uint64_t last_seq(struct bytes tail, struct bytes *line, struct arena *arena)
{
    const struct json *value;
    struct err ignored;
    int64_t seq = 0;
    *line = bytes_of(NULL, 0);
    if (tail.len == 0)
        return 0;
    const size_t start = line_start(tail, tail.len - 1);
    *line = bytes_slice(tail, start, tail.len - 1 - start);
    if (!json_parse(&value, *line, arena, &ignored))
        return 0;
    const struct json *member = json_get(value, "seq");
    return member && json_integer(member, &seq, NULL) && seq > 0 ? (uint64_t)seq : 0;
}

// Whoever puts an older signer.db in place gives back what was spent since; the file then knows
// more than the store.
static bool check_last(struct store *store, uint64_t seq, struct bytes line, struct err *err)
{
    const struct store_head head = store_get_head(store);
    const struct hash256 hash = sha256(line);
    const bool differs =
        seq == head.seq && seq > 0 && !bytes_equal(BYTES_OF(hash.b), BYTES_OF(head.hash.b));
    if (seq > head.seq || differs)
        return err_set(err, ERR_INVALID,
                       JOURNAL_FILE ": line %" PRIu64
                                    " is not in the store: it was set back to an older copy",
                       seq);
    return true;
}

// --- What it lacks ---

static bool append(const struct journal_file *file, const struct store_lines *lines,
                   struct arena *arena, struct err *err)
{
    size_t total = 0;
    for (size_t i = 0; i < lines->n; i++)
        total += lines->lines[i].len + 1;
    struct writer w = writer_growing(arena, total);
    struct bytes text;
    for (size_t i = 0; i < lines->n; i++) {
        writer_put(&w, lines->lines[i]);
        writer_u8(&w, '\n');
    }
    if (!writer_finish(&w, &text))
        return err_set(err, ERR_NO_MEMORY, JOURNAL_FILE ": no memory");
    if (!file_write_fd(file->fd, JOURNAL_FILE, text, err))
        return false;
    return fdatasync(file->fd) == 0 || broken(err, errno);
}

static bool append_pending(struct store *store, const struct journal_file *file,
                           struct arena *arena, struct err *err)
{
    struct store_lines lines;
    do {
        arena_reset(arena);
        if (!store_pending_lines(store, &lines, BATCH, arena, err) ||
            (lines.n > 0 && !append(file, &lines, arena, err)))
            return false;
        store_step(store, "journal");
        store_lines_written(store, lines.first_seq + lines.n - 1);
    } while (lines.n == BATCH);
    return true;
}

bool journal_file_catch_up(struct store *store, struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(BATCH_MEMORY);
    AUTO(close_file) struct journal_file file = { .fd = -1 };
    struct bytes tail = { 0 }, line;
    if (!open_file(&file, store_dir_fd(store), err) || !read_tail(&file, &tail, arena, err) ||
        !cut_torn_line(&file, &tail, err))
        return false;
    const uint64_t seq = last_seq(tail, &line, arena);
    if (!check_last(store, seq, line, err))
        return false;
    if (file.len == 0 && fsync(store_dir_fd(store)) != 0)
        return broken(err, errno);
    store_lines_written(store, seq);
    return append_pending(store, &file, arena, err);
}
