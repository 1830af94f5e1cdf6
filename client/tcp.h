// client/tcp.h -- a TCP connection within a time, with a way to give up.
#ifndef CASEMATE_CLIENT_TCP_H
#define CASEMATE_CLIENT_TCP_H
#include "client/wait.h"

// Tries the addresses of `host` one after the other until wait_now_ms() is end_ms. *out does not block.
// Looking up a name cannot be given up; addresses need none.
// Fails: ERR_NOT_FOUND "nobody listens there", or no such name or no way to it; ERR_TIMEOUT; ERR_INTERRUPTED; ERR_IO.
MUST_CHECK bool tcp_connect(int *out, const char *host, const char *port, int cancel_fd,
                            int64_t end_ms, struct err *err);

// What is left of it, at least 0.
int tcp_left_ms(int64_t end_ms);

// Whether that error of send(2) or recv(2) means that the other side, or the way to it, is gone.
bool tcp_is_gone(int errnum);

#endif
