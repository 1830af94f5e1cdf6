// signer/socket_file.h -- a unix socket's place in a folder: taken only if it is nobody's.
// Source: wire-protocol.md 1.2.3.
#ifndef CASEMATE_SIGNER_SOCKET_FILE_H
#define CASEMATE_SIGNER_SOCKET_FILE_H
#include "base/err.h"
#include <sys/types.h>
#include <sys/un.h>

// Our own socket's file. Zeroed: none.
struct socket_file {
    char path[sizeof((struct sockaddr_un *)NULL)->sun_path];
    dev_t dev; // so that only our own is removed
    ino_t ino;
};

// Binds the socket, of that type, with mode 0660 and the group if there is one (gid_t)-1: none.
// Replaces a socket on which nobody answers, and nothing else.
// Fails: ERR_BUSY "<path>: another program answers there", ERR_EXISTS "<path>: exists and is not a
//        socket" (or one of another kind), ERR_LIMIT for the path's length, ERR_IO.
MUST_CHECK bool socket_file_bind(struct socket_file *out, int fd, int type, const char *path,
                                 gid_t group, struct err *err);

// Removes the file if it is still ours; none is fine.
void socket_file_remove(struct socket_file *file);

#endif
