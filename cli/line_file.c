#include "cli/line_file.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

void line_file_close(struct line_file *f)
{
    if (f->fd > STDIN_FILENO)
        (void)close(f->fd);
}

bool line_file_open(struct line_file *f, const char *path, struct err *err)
{
    const bool is_stdin = strcmp(path, "-") == 0;
    f->path = is_stdin ? "standard input" : path;
    f->fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    return f->fd >= 0 || err_set_errno(err, errno, "%s", path);
}

static bool fill(struct line_file *f, struct err *err)
{
    memmove(f->mem, f->mem + f->start, f->end - f->start);
    f->end -= f->start;
    f->start = 0;
    while (!f->at_eof && f->end < sizeof f->mem) {
        const ssize_t n = read(f->fd, f->mem + f->end, sizeof f->mem - f->end);
        if (n < 0 && errno != EINTR)
            return err_set_errno(err, errno, "%s", f->path);
        f->at_eof = n == 0;
        f->end += n > 0 ? (size_t)n : 0;
    }
    return true;
}

bool line_file_next(struct line_file *f, struct bytes *line, bool *is_whole, bool *more,
                    struct err *err)
{
    if (f->end - f->start < LINE_FILE_MAX && !f->at_eof && !fill(f, err))
        return false;
    const size_t have = f->end - f->start;
    const uint8_t *at = f->mem + f->start;
    const uint8_t *lf = have > 0 ? memchr(at, '\n', have) : NULL;
    *more = have > 0;
    *is_whole = lf != NULL;
    *line = bytes_of(at, lf != NULL             ? (size_t)(lf - at)
                         : have < LINE_FILE_MAX ? have
                                                : LINE_FILE_MAX);
    f->start += line->len + (lf != NULL ? 1 : 0);
    return true;
}
