// wire/socket_name.h -- the names of unix sockets, as existing clients compute them.
// Source: wire-protocol.md 1.2.1, 1.2.4.
#ifndef CASEMATE_WIRE_SOCKET_NAME_H
#define CASEMATE_WIRE_SOCKET_NAME_H
#include "base/writer.h"

#define SOCKET_PATH_MAX     107 // bytes
#define SOCKET_NAME_DEFAULT "/tmp/ckcc-simulator.sock"

// Stands for the serial number of a signer on a socket, wherever a serial enters a computation.
#define SOCKET_SERIAL "F1F1F1F1F1F1"

// "cut the path at the first `.` anywhere in it, then take what follows the last `-` of the
// remainder"; the whole remainder if there is none.
struct bytes socket_name_tag(struct bytes server_path);

// Whether the reference client can bind a path for this server: its tag has no `/`, and the path
// with any pid fits. A server warns about a path that fails this, and listens.
bool socket_name_suits_clients(struct bytes server_path);

// The path that the reference client binds, of instance n (0 to 4); where its tag would have a `/`,
// one without tag, for our own client. Past SOCKET_PATH_MAX the writer fails.
void socket_name_client(struct writer *w, struct bytes server_path, uint32_t pid, unsigned n);

// The path that our own client binds beside the server's socket, unique by pid, the process's n-th
// connection and a random number.
void socket_name_beside(struct writer *w, struct bytes server_path, uint32_t pid, unsigned n,
                        uint32_t random);

#endif
