#include "http/notify.h"
#include "base/reader.h"
#include <sys/socket.h>
#include <sys/un.h>

// "AF_UNIX sockets are supported, both in the file system and in the abstract namespace": that begins with @.
static bool find_socket(struct sockaddr_un *to, socklen_t *len)
{
    const struct bytes path = bytes_of_text(getenv("NOTIFY_SOCKET"));
    *to = (struct sockaddr_un){ .sun_family = AF_UNIX };
    if (path.len < 2 || path.len > sizeof to->sun_path - 1)
        return false;
    memcpy(to->sun_path, path.ptr, path.len);
    if (to->sun_path[0] == '@')
        to->sun_path[0] = '\0';
    *len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.len);
    return true;
}

void notify_send(const char *state)
{
    struct sockaddr_un to;
    socklen_t len;
    if (!find_socket(&to, &len))
        return;
    const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    (void)sendto(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT,
                 (const struct sockaddr *)&to, len);
    close(fd);
}

int64_t notify_watchdog_ms(void)
{
    struct reader r = reader_of(bytes_of_text(getenv("WATCHDOG_USEC")));
    uint64_t us;
    if (!reader_decimal64(&r, INT64_MAX, &us) || !reader_done(&r))
        return 0;
    return (int64_t)(us / 2000);
}
