// client/socket_transport.h -- packets as datagrams of a unix socket.
//
// (1) The address that the signer answers to is unique: process, connection, random number.
// (2) A path that this connection did not make is never removed; its own is, whenever the transport
//     is freed.
// Source: wire-protocol.md 1.2; design.md "A signer on its host"; cli.md 7.6.
#ifndef CASEMATE_CLIENT_SOCKET_TRANSPORT_H
#define CASEMATE_CLIENT_SOCKET_TRANSPORT_H
#include "client/transport.h"

// Connects to the signer that listens at `path`.
// Fails: ERR_NOT_FOUND "<path>: no signer listens there" (nothing there, nobody behind it, or
//        something else), "<path>: permission denied"; ERR_LIMIT for a path above 107 bytes; ERR_IO.
MUST_CHECK bool socket_transport_open(struct transport **out, const char *path, int cancel_fd,
                                      struct err *err);

// Whether whoever listens there may be believed to be the signer: the socket is its user's (ours, root's or
// the named owner's), and nobody else may write to it. Before opening.
// Fails: ERR_AUTH "<path>: belongs to another user; see path_owner", "<path>: anybody may write to it";
//        ERR_NOT_FOUND, ERR_IO.
MUST_CHECK bool socket_check_owner(const char *path, const char *owner, struct err *err);

// Whether a datagram socket listens at `path` that would let us send. Sends nothing.
bool socket_is_listening(const char *path);

#endif
