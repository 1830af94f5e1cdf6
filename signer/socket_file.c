#include "signer/socket_file.h"
#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>

static bool make_address(struct sockaddr_un *out, const char *path, struct err *err)
{
    const size_t len = strlen(path);
    *out = (struct sockaddr_un){ .sun_family = AF_UNIX };
    if (len == 0 || len >= sizeof out->sun_path)
        return err_set(err, ERR_LIMIT, "%s: a socket's path has 1 to %zu bytes", path,
                       sizeof out->sun_path - 1);
    memcpy(out->sun_path, path, len);
    return true;
}

// "if the path exists, try to connect. If it is refused, unlink and bind. If somebody answers, do not
// steal the path."
static bool clear_path(const struct sockaddr_un *address, int type, struct err *err)
{
    const char *path = address->sun_path;
    struct stat st;
    if (lstat(path, &st) != 0)
        return errno == ENOENT || err_set_errno(err, errno, "%s", path);
    if (!S_ISSOCK(st.st_mode))
        return err_set(err, ERR_EXISTS, "%s: exists and is not a socket", path);
    const int probe = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe < 0)
        return err_set_errno(err, errno, "%s", path);
    const bool answers = connect(probe, (const struct sockaddr *)address, sizeof *address) == 0;
    const int reason = errno;
    close(probe);
    if (answers || reason == EAGAIN)
        return err_set(err, ERR_BUSY, "%s: another program answers there", path);
    if (reason == EPROTOTYPE)
        return err_set(err, ERR_EXISTS, "%s: a socket of another kind is there", path);
    if (reason != ECONNREFUSED)
        return err_set_errno(err, reason, "%s", path);
    return unlink(path) == 0 || err_set_errno(err, errno, "%s", path);
}

bool socket_file_bind(struct socket_file *out, int fd, int type, const char *path, gid_t group,
                      struct err *err)
{
    struct sockaddr_un address;
    struct stat st;
    if (!make_address(&address, path, err) || !clear_path(&address, type, err))
        return false;
    // Nobody but us may connect before the mode is right.
    const mode_t before = umask(0177);
    const bool is_bound = bind(fd, (struct sockaddr *)&address, sizeof address) == 0;
    const int reason = errno;
    umask(before);
    if (!is_bound || stat(address.sun_path, &st) != 0)
        return err_set_errno(err, is_bound ? errno : reason, "%s", path);
    *out = (struct socket_file){ .dev = st.st_dev, .ino = st.st_ino };
    memcpy(out->path, address.sun_path, sizeof out->path);
    if (group != (gid_t)-1 && chown(out->path, (uid_t)-1, group) != 0)
        return err_set_errno(err, errno, "%s: cannot give it to the group", path);
    return chmod(out->path, 0660) == 0 || err_set_errno(err, errno, "%s", path);
}

void socket_file_remove(struct socket_file *file)
{
    struct stat st;
    if (file->ino != 0 && lstat(file->path, &st) == 0 && st.st_dev == file->dev &&
        st.st_ino == file->ino)
        unlink(file->path);
    file->ino = 0;
}
