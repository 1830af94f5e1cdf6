#include "base/file.h"
#include "base/hex.h"
#include "base/writer.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/random.h>
#include <sys/stat.h>

static void close_fd(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static bool is_dash(const char *path)
{
    return strcmp(path, "-") == 0;
}

// --- Reading ---

// Reads until `into` is full or the file ends; *n tells how much came.
static bool fill(int fd, const char *name, uint8_t *into, size_t len, size_t *n, struct err *err)
{
    *n = 0;
    while (*n < len) {
        const ssize_t got = read(fd, into + *n, len - *n);
        if (got == 0)
            return true;
        if (got < 0 && errno != EINTR)
            return err_set_errno(err, errno, "%s", name);
        if (got > 0)
            *n += (size_t)got;
    }
    return true;
}

// What a regular file claims to hold; only a guess, as it may grow and pipes claim nothing.
static size_t first_guess(int fd, size_t limit)
{
    struct stat st;
    size_t guess = 4096;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0)
        guess = (size_t)st.st_size;
    return guess < limit ? guess : limit;
}

// `w` has room for the head of the file, `more` is the byte that proved it longer.
static bool grow(struct writer *w, size_t limit, uint8_t more, struct arena *arena)
{
    const size_t cap = w->cap <= limit / 2 ? 2 * w->cap : limit;
    void *mem = arena_alloc(arena, cap);
    if (mem == NULL)
        return false;
    struct writer larger = writer_of(mem, cap);
    writer_put(&larger, writer_bytes(w));
    writer_u8(&larger, more);
    *w = larger;
    return true;
}

bool file_read_fd(struct bytes *out, int fd, const char *name, size_t limit, struct arena *arena,
                  struct err *err)
{
    const size_t guess = first_guess(fd, limit);
    uint8_t *mem = arena_alloc(arena, guess);
    if (mem == NULL)
        return err_set(err, ERR_NO_MEMORY, "%s: no memory left", name);
    struct writer w = writer_of(mem, guess);
    for (;;) {
        uint8_t more;
        size_t n;
        if (!fill(fd, name, w.ptr + w.len, w.cap - w.len, &n, err))
            return false;
        w.len += n;
        if (!fill(fd, name, &more, 1, &n, err))
            return false;
        if (n == 0)
            return writer_finish(&w, out);
        if (w.len == limit)
            return err_set(err, ERR_LIMIT, "%s: larger than %zu bytes", name, limit);
        if (!grow(&w, limit, more, arena))
            return err_set(err, ERR_NO_MEMORY, "%s: no memory left", name);
    }
}

bool file_read(struct bytes *out, const char *path, size_t limit, struct arena *arena,
               struct err *err)
{
    if (is_dash(path))
        return file_read_fd(out, STDIN_FILENO, "standard input", limit, arena, err);
    AUTO(close_fd) const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return err_set_errno(err, errno, "%s", path);
    return file_read_fd(out, fd, path, limit, arena, err);
}

// --- Writing ---

bool file_write_fd(int fd, const char *name, struct bytes content, struct err *err)
{
    while (content.len > 0) {
        const ssize_t n = write(fd, content.ptr, content.len);
        if (n < 0 && errno != EINTR)
            return err_set_errno(err, errno, "%s", name);
        if (n > 0)
            content = bytes_slice(content, (size_t)n, SIZE_MAX);
    }
    return true;
}

// A file and its temporary neighbour, named within their open folder.
struct place {
    const char *path; // for error texts
    const char *base;
    char temporary[NAME_MAX + 1];
    int folder;
};

static bool failed(const struct place *p, struct err *err)
{
    return err_set_errno(err, errno, "%s", p->path);
}

static bool write_temporary(const struct place *p, struct bytes content, unsigned mode,
                            struct err *err)
{
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
    AUTO(close_fd) const int fd = openat(p->folder, p->temporary, flags, (mode_t)mode);
    if (fd < 0)
        return failed(p, err);
    if (!file_write_fd(fd, p->path, content, err))
        return false;
    return fsync(fd) == 0 || failed(p, err);
}

static bool move_over(const struct place *p, struct err *err)
{
    return renameat(p->folder, p->temporary, p->folder, p->base) == 0 || failed(p, err);
}

// Some file systems know no renaming without replacing; there a race is possible.
static bool move_beside(const struct place *p, struct err *err)
{
    if (renameat2(p->folder, p->temporary, p->folder, p->base, RENAME_NOREPLACE) == 0)
        return true;
    const bool unknown = errno == EINVAL || errno == ENOSYS;
    if (errno == EEXIST || faccessat(p->folder, p->base, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return err_set(err, ERR_EXISTS, "%s: is there already", p->path);
    return unknown ? move_over(p, err) : failed(p, err);
}

typedef bool mover(const struct place *p, struct err *err);

static bool put_file(const struct place *p, struct bytes content, unsigned mode, mover *move,
                     struct err *err)
{
    const bool ok = write_temporary(p, content, mode, err) && move(p, err);
    if (!ok) {
        (void)unlinkat(p->folder, p->temporary, 0);
        return false;
    }
    return fsync(p->folder) == 0 || failed(p, err); // else a power cut may bring the old name back
}

// A name that no other process takes and that no crash leaves in the way.
static bool name_temporary(struct place *p)
{
    uint8_t unique[8];
    char digits[2 * sizeof unique + 1];
    if (getrandom(unique, sizeof unique, 0) != (ssize_t)sizeof unique)
        return false;
    hex_encode(digits, BYTES_OF(unique));
    const int n = snprintf(p->temporary, sizeof p->temporary, "%s.%s.new", p->base, digits);
    if (n < 0 || (size_t)n >= sizeof p->temporary)
        errno = ENAMETOOLONG;
    return n >= 0 && (size_t)n < sizeof p->temporary;
}

static int open_folder(const char *path, const char *base)
{
    char folder[PATH_MAX];
    const size_t len = (size_t)(base - path);
    if (len >= sizeof folder) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(folder, path, len);
    folder[len] = 0;
    return open(len == 0 ? "." : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static bool put(const char *path, struct bytes content, unsigned mode, mover *move, struct err *err)
{
    if (is_dash(path))
        return file_write_fd(STDOUT_FILENO, "standard output", content, err);
    const char *slash = strrchr(path, '/');
    struct place p = { .path = path, .base = slash == NULL ? path : slash + 1 };
    AUTO(close_fd) const int folder = open_folder(path, p.base);
    p.folder = folder;
    if (folder < 0 || !name_temporary(&p))
        return failed(&p, err);
    return put_file(&p, content, mode, move, err);
}

bool file_replace(const char *path, struct bytes content, unsigned mode, struct err *err)
{
    return put(path, content, mode, move_over, err);
}

bool file_create(const char *path, struct bytes content, unsigned mode, struct err *err)
{
    return put(path, content, mode, move_beside, err);
}
