#include "client/socket_transport.h"
#include "base/require.h"
#include "crypto/random.h"
#include "wire/frame.h"
#include "wire/socket_name.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define OWN_PATH_TRIES 64
#define OWN_PATH_MODE  0660
#define SEND_MAX       64 // packets in one call

struct socket_transport {
    struct transport base;
    int fd;
    struct sockaddr_un server;
    struct sockaddr_un own; // bound; empty path: not yet
    dev_t own_dev;          // of the file that bind made
    ino_t own_ino;
    uint8_t packet[PACKET_LEN + 1]; // one more, to see that a datagram is too long
};

static struct socket_transport *of(struct transport *t)
{
    return (struct socket_transport *)t;
}

// --- Addresses ---

static bool set_address(struct sockaddr_un *out, struct bytes path)
{
    if (path.len == 0 || path.len > SOCKET_PATH_MAX || memchr(path.ptr, 0, path.len) != NULL)
        return false;
    *out = (struct sockaddr_un){ .sun_family = AF_UNIX };
    memcpy(out->sun_path, path.ptr, path.len);
    return true;
}

static int new_socket(void)
{
    return socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

static bool connect_to(int fd, const struct sockaddr_un *server)
{
    return connect(fd, (const struct sockaddr *)server, sizeof *server) == 0;
}

bool socket_is_listening(const char *path)
{
    struct sockaddr_un server;
    if (!set_address(&server, bytes_of_text(path)))
        return false;
    const int fd = new_socket();
    const bool listening = fd >= 0 && connect_to(fd, &server);
    if (fd >= 0)
        close(fd);
    return listening;
}

static bool connect_failed(const char *path, int errnum, struct err *err)
{
    // "no signer": also a path that is no socket, or a stream socket
    if (errnum == ENOENT || errnum == ECONNREFUSED || errnum == EPROTOTYPE || errnum == ENOTSOCK ||
        errnum == ENOTDIR)
        return err_set(err, ERR_NOT_FOUND, "%s: no signer listens there", path);
    if (errnum == EACCES || errnum == EPERM)
        return err_set(err, ERR_NOT_FOUND, "%s: permission denied", path);
    return err_set_errno(err, errnum, "%s", path);
}

// "must be owned by the bunker's user, root or the configured path_owner, and not be world-writable"
bool socket_check_owner(const char *path, const char *owner, struct err *err)
{
    struct stat st;
    struct passwd mem, *entry = NULL;
    char text[4096];
    if (stat(path, &st) != 0)
        return err_set_errno(err, errno, "%s", path);
    if (owner != NULL)
        (void)getpwnam_r(owner, &mem, text, sizeof text, &entry); // NULL: no such user
    if (st.st_uid != geteuid() && st.st_uid != 0 && (entry == NULL || st.st_uid != entry->pw_uid))
        return err_set(err, ERR_AUTH, "%s: belongs to another user; see path_owner", path);
    if ((st.st_mode & S_IWOTH) != 0)
        return err_set(err, ERR_AUTH, "%s: anybody may write to it", path);
    return true;
}

// --- The path that we are answered at ---

// Design.md: "a client of ours binds its own, 0660, beside the server's": whatever our umask, the
// signer must be able to write to it. Without following a link that somebody put in its place.
static bool note_own_file(struct socket_transport *s, struct err *err)
{
    struct stat st;
    if (fchmodat(AT_FDCWD, s->own.sun_path, OWN_PATH_MODE, AT_SYMLINK_NOFOLLOW) != 0 ||
        lstat(s->own.sun_path, &st) != 0)
        return err_set_errno(err, errno, "%s", s->own.sun_path);
    s->own_dev = st.st_dev;
    s->own_ino = st.st_ino;
    return true;
}

// 0 or an errno value.
static int try_bind(struct socket_transport *s, struct bytes path)
{
    struct sockaddr_un own;
    if (!set_address(&own, path))
        return ENAMETOOLONG;
    if (bind(s->fd, (const struct sockaddr *)&own, sizeof own) != 0)
        return errno;
    s->own = own;
    return 0;
}

static int bind_beside(struct socket_transport *s, struct bytes server, uint32_t pid)
{
    uint8_t mem[SOCKET_PATH_MAX];
    int why = EADDRINUSE;
    for (unsigned n = 0; n < OWN_PATH_TRIES && why == EADDRINUSE; n++) {
        struct writer w = writer_of(mem, sizeof mem);
        uint32_t random;
        random_bytes(&random, sizeof random);
        socket_name_beside(&w, server, pid, n, random);
        why = w.failed ? ENAMETOOLONG : try_bind(s, writer_bytes(&w));
    }
    return why;
}

static int bind_in_tmp(struct socket_transport *s, struct bytes server, uint32_t pid)
{
    uint8_t mem[SOCKET_PATH_MAX];
    int why = EADDRINUSE;
    for (unsigned n = 0; n < OWN_PATH_TRIES && why == EADDRINUSE; n++) {
        struct writer w = writer_of(mem, sizeof mem);
        socket_name_client(&w, server, pid, n);
        why = w.failed ? ENAMETOOLONG : try_bind(s, writer_bytes(&w));
    }
    return why;
}

static bool bind_own(struct socket_transport *s, struct err *err)
{
    const struct bytes server = bytes_of_text(s->server.sun_path);
    const uint32_t pid = (uint32_t)getpid();
    // "beside the server's where it may write, else in /tmp"
    const int why = bind_beside(s, server, pid) != 0 ? bind_in_tmp(s, server, pid) : 0;
    if (why != 0)
        return err_set_errno(err, why, "no path for the replies of %s", s->server.sun_path);
    return note_own_file(s, err);
}

static void remove_own(const struct socket_transport *s)
{
    struct stat st;
    if (s->own.sun_path[0] != 0 && lstat(s->own.sun_path, &st) == 0 && st.st_dev == s->own_dev &&
        st.st_ino == s->own_ino)
        unlink(s->own.sun_path);
}

// --- Packets ---

static bool gone(const struct socket_transport *s, struct err *err)
{
    return err_set(err, ERR_NOT_FOUND, "%s: the signer went away", s->server.sun_path);
}

static bool is_gone(int errnum)
{
    return errnum == ECONNREFUSED || errnum == ECONNRESET || errnum == ENOTCONN ||
           errnum == EPIPE || errnum == ENOENT;
}

static bool socket_send(struct transport *t, struct bytes packet, struct err *err)
{
    struct socket_transport *s = of(t);
    const int64_t start_ms = wait_now_ms();
    for (bool again = false;; again = true) {
        if (send(s->fd, packet.ptr, packet.len, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
            return true;
        if (is_gone(errno))
            return gone(s, err);
        if (errno != EAGAIN && errno != EINTR && errno != ENOBUFS)
            return err_set_errno(err, errno, "%s", s->server.sun_path);
        const int64_t left_ms = TRANSPORT_WRITE_MS - (wait_now_ms() - start_ms);
        if (left_ms <= 0)
            return err_set(err, ERR_TIMEOUT, "%s: the signer takes no packets", s->server.sun_path);
        // Where others fill the queue before us each time, this would be a busy loop.
        if (!wait_fd(s->fd, POLLOUT, t->cancel_fd, (int)left_ms, err) ||
            (again && !wait_pause(1, t->cancel_fd, err)))
            return false;
    }
}

// How many of the first packets the signer's queue took; 0 also where socket_send must say why.
static size_t send_some(const struct socket_transport *s, struct bytes packets)
{
    struct mmsghdr messages[SEND_MAX] = { 0 };
    struct iovec parts[SEND_MAX];
    const size_t left = packets.len / PACKET_LEN;
    const unsigned n = (unsigned)(left < SEND_MAX ? left : SEND_MAX);
    for (size_t i = 0; i < n; i++) {
        // sendmmsg(2) takes what it only reads without a const.
        const uintptr_t at = (uintptr_t)(packets.ptr + i * PACKET_LEN);
        parts[i] = (struct iovec){ (void *)at, PACKET_LEN };
        messages[i].msg_hdr = (struct msghdr){ .msg_iov = &parts[i], .msg_iovlen = 1 };
    }
    const int sent = sendmmsg(s->fd, messages, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    return sent > 0 ? (size_t)sent : 0;
}

// In one call, as far as they go: a signer that was woken for each would cost more than they do.
static bool socket_send_all(struct transport *t, struct bytes packets, struct err *err)
{
    while (packets.len > 0) {
        size_t n = send_some(of(t), packets);
        if (n == 0) {
            if (!socket_send(t, bytes_slice(packets, 0, PACKET_LEN), err))
                return false;
            n = 1;
        }
        packets = bytes_slice(packets, n * PACKET_LEN, SIZE_MAX);
    }
    return true;
}

static bool take(struct socket_transport *s, struct bytes *out)
{
    const ssize_t n = recv(s->fd, s->packet, sizeof s->packet, MSG_DONTWAIT);
    *out = bytes_of(s->packet, n > 0 ? (size_t)n : 0);
    return n >= 0;
}

static bool socket_receive(struct transport *t, struct bytes *out, int timeout_ms, struct err *err)
{
    struct socket_transport *s = of(t);
    if (take(s, out)) // as a rule a reply's packets are there together
        return true;
    if (!wait_fd(s->fd, POLLIN, t->cancel_fd, timeout_ms, err)) {
        // A server that dies leaves no mark on a datagram socket.
        if (err->code == ERR_TIMEOUT && timeout_ms != 0 && !socket_is_listening(s->server.sun_path))
            return gone(s, err);
        return false;
    }
    if (take(s, out))
        return true;
    return is_gone(errno) ? gone(s, err) : err_set_errno(err, errno, "%s", s->server.sun_path);
}

static void socket_free(struct transport *t)
{
    struct socket_transport *s = of(t);
    remove_own(s);
    if (s->fd >= 0)
        close(s->fd);
    free(s);
}

static const struct transport_ops socket_ops = {
    .name = "socket",
    .send = socket_send,
    .send_all = socket_send_all,
    .receive = socket_receive,
    .free = socket_free,
};

bool socket_transport_open(struct transport **out, const char *path, int cancel_fd, struct err *err)
{
    struct socket_transport *s = calloc(1, sizeof *s);
    REQUIRE(s != NULL);
    s->base = (struct transport){ .ops = &socket_ops, .cancel_fd = cancel_fd };
    // "A signer reached through the socket MUST use F1F1F1F1F1F1 as its serial number"
    snprintf(s->base.serial, sizeof s->base.serial, "%s", SOCKET_SERIAL);
    s->fd = -1;
    AUTO(transport_freep) struct transport *t = &s->base;
    if (!set_address(&s->server, bytes_of_text(path)))
        return err_set(err, ERR_LIMIT, "%s: a socket's path has 1 to %d bytes", path,
                       SOCKET_PATH_MAX);
    s->fd = new_socket();
    if (s->fd < 0)
        return err_set_errno(err, errno, "socket");
    if (!connect_to(s->fd, &s->server))
        return connect_failed(path, errno, err);
    if (!bind_own(s, err))
        return false;
    *out = t;
    t = NULL; // the caller's now
    return true;
}
