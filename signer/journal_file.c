#include "signer/journal_file.h"
#include "base/file.h"
#include "base/json.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

// The tail has whatever a power cut may have torn, and the line before.
enum { BATCH = 64, TAIL_MAX = 4 * 65536, BATCH_MEMORY = 64 << 20 };

static bool broken(struct err *err, int errnum)
{
    return err_set_errno(err, errnum, JOURNAL_FILE);
}

void journal_file_close(struct journal_file *file)
{
    if (file->is_open)
        (void)close(file->fd);
    *file = (struct journal_file){ .is_open = false };
}

static bool open_file(struct journal_file *file, int dir_fd, struct err *err)
{
    struct stat st;
    file->fd = openat(dir_fd, JOURNAL_FILE,
                      O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    file->is_open = file->fd >= 0;
    if (!file->is_open || fstat(file->fd, &st) != 0)
        return broken(err, errno);
    if (!S_ISREG(st.st_mode) || st.st_nlink != 1)
        return err_set(err, ERR_IO, JOURNAL_FILE ": is not a plain file of one name");
    file->dev = st.st_dev;
    file->ino = st.st_ino;
    file->len = st.st_size;
    return true;
}

// Whether nobody but us has touched the file, or put another in its place.
static bool is_as_left(const struct journal_file *file, int dir_fd)
{
    struct stat st;
    return file->is_open && fstatat(dir_fd, JOURNAL_FILE, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           st.st_dev == file->dev && st.st_ino == file->ino && st.st_size == file->len &&
           st.st_nlink == 1;
}

// --- What the file has ---

// The last bytes of the file.
static bool read_tail(const struct journal_file *file, struct bytes *out, struct arena *arena,
                      struct err *err)
{
    const size_t want = file->len < TAIL_MAX ? (size_t)file->len : TAIL_MAX;
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

// Where the bytes behind the last LF, or behind the one before `end`, begin.
static size_t line_start(struct bytes text, size_t end)
{
    while (end > 0 && text.ptr[end - 1] != '\n')
        end--;
    return end;
}

// A line without its LF was cut by a crash, and one with zero bytes by a power cut, after which some file
// systems have those for what they did not write: it is in the store still, and so is what follows it.
static bool cut_torn_line(struct journal_file *file, struct bytes *tail, struct err *err)
{
    const uint8_t *zero = tail->len == 0 ? NULL : memchr(tail->ptr, 0, tail->len);
    const size_t whole = line_start(*tail, zero == NULL ? tail->len : (size_t)(zero - tail->ptr));
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

static bool append(struct journal_file *file, const struct store_lines *lines, struct arena *arena,
                   struct err *err)
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
    file->len += (int64_t)text.len;
    file->seq = lines->first_seq + lines->n - 1;
    file->n_unsafe += lines->n;
    file->unsafe_len += text.len;
    return true;
}

static bool append_pending(struct journal_file *file, struct store *store, struct arena *arena,
                           struct err *err)
{
    struct store_lines lines;
    do {
        arena_reset(arena);
        if (!store_pending_lines(store, &lines, file->seq, BATCH, arena, err) ||
            (lines.n > 0 && !append(file, &lines, arena, err)))
            return false;
        store_step(store, "journal");
        if ((file->n_unsafe >= JOURNAL_UNSAFE_LINES || file->unsafe_len >= JOURNAL_UNSAFE_BYTES) &&
            !journal_file_make_safe(file, store, err))
            return false;
    } while (lines.n == BATCH);
    return true;
}

// --- Opening ---

static bool understand(struct journal_file *file, struct store *store, struct arena *arena,
                       struct err *err)
{
    struct bytes tail = { 0 }, line;
    if (!read_tail(file, &tail, arena, err) || !cut_torn_line(file, &tail, err))
        return false;
    file->seq = last_seq(tail, &line, arena);
    if (!check_last(store, file->seq, line, err))
        return false;
    if (file->len == 0 && fsync(store_dir_fd(store)) != 0)
        return broken(err, errno);
    file->n_unsafe = 1; // nobody knows whether who wrote it waited for the disk
    return journal_file_make_safe(file, store, err);
}

static bool reopen(struct journal_file *file, struct store *store, struct arena *arena,
                   struct err *err)
{
    if (!journal_file_make_safe(file, store, err)) // under whatever name it has now
        return false;
    journal_file_close(file);
    if (open_file(file, store_dir_fd(store), err) && understand(file, store, arena, err))
        return true;
    journal_file_close(file);
    return false;
}

bool journal_file_catch_up(struct journal_file *file, struct store *store, struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(BATCH_MEMORY);
    return (is_as_left(file, store_dir_fd(store)) || reopen(file, store, arena, err)) &&
           append_pending(file, store, arena, err);
}

bool journal_file_make_safe(struct journal_file *file, struct store *store, struct err *err)
{
    if (file->n_unsafe == 0)
        return true;
    if (fdatasync(file->fd) != 0)
        return broken(err, errno);
    file->n_unsafe = file->unsafe_len = 0;
    store_step(store, "journal-safe");
    store_lines_written(store, file->seq);
    return true;
}
