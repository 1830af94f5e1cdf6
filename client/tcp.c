#include "client/tcp.h"
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

int tcp_left_ms(int64_t end_ms)
{
    const int64_t left = end_ms - wait_now_ms();
    return left > 0 ? (int)left : 0;
}

bool tcp_is_gone(int errnum)
{
    return errnum == ECONNRESET || errnum == EPIPE || errnum == ETIMEDOUT || errnum == ENETDOWN ||
           errnum == ENETUNREACH || errnum == EHOSTUNREACH;
}

static bool failed(int errnum, struct err *err)
{
    if (errnum == ECONNREFUSED)
        return err_set(err, ERR_NOT_FOUND, "nobody listens there");
    (void)err_set_errno(err, errnum, "cannot connect");
    if (tcp_is_gone(errnum))
        err->code = ERR_NOT_FOUND; // no way there, for now
    return false;
}

static bool finish(int fd, int cancel_fd, int64_t end_ms, struct err *err)
{
    int errnum = 0;
    socklen_t len = sizeof errnum;
    if (!wait_fd(fd, POLLOUT, cancel_fd, tcp_left_ms(end_ms), err))
        return false;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &errnum, &len) != 0)
        errnum = errno;
    return errnum == 0 || failed(errnum, err);
}

static bool connect_fd(int fd, const struct addrinfo *to, int cancel_fd, int64_t end_ms,
                       struct err *err)
{
    const int one = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(fd, to->ai_addr, to->ai_addrlen) == 0)
        return true;
    return errno == EINPROGRESS ? finish(fd, cancel_fd, end_ms, err) : failed(errno, err);
}

static bool try_one(int *out, const struct addrinfo *to, int cancel_fd, int64_t end_ms,
                    struct err *err)
{
    const int fd =
        socket(to->ai_family, to->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, to->ai_protocol);
    if (fd < 0)
        return failed(errno, err);
    if (!connect_fd(fd, to, cancel_fd, end_ms, err)) {
        close(fd);
        return false;
    }
    *out = fd;
    return true;
}

bool tcp_connect(int *out, const char *host, const char *port, int cancel_fd, int64_t end_ms,
                 struct err *err)
{
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
    struct addrinfo *all;
    const int why = getaddrinfo(host, port, &hints, &all);
    if (why != 0)
        return err_set(err, ERR_NOT_FOUND, "%s", gai_strerror(why));
    bool ok = false;
    for (const struct addrinfo *one = all; one != NULL && !ok; one = one->ai_next) {
        ok = try_one(out, one, cancel_fd, end_ms, err);
        if (!ok && (err->code == ERR_INTERRUPTED || tcp_left_ms(end_ms) == 0))
            break;
    }
    freeaddrinfo(all);
    return ok;
}
