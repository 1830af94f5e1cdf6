// signer/wire_server.h -- the wire socket: datagrams of 64 bytes from and to any number of peers.
//
// (1) Every reply comes from the bound socket and goes to the address that completed the request.
// (2) A peer that does not read holds up nobody: its packets wait in its own outbox, for a second, and
//     what lies unread in its queue leaves room for others.
// Source: wire-protocol.md 1.2.
#ifndef CASEMATE_SIGNER_WIRE_SERVER_H
#define CASEMATE_SIGNER_WIRE_SERVER_H
#include "signer/device.h"
#include <sys/types.h>

struct wire_server;

struct wire_server_options {
    struct device *device; // borrowed
    const char *path;      // at most 107 bytes
    bool has_group;        // the socket belongs to this group
    gid_t group;
};

// Binds and serves. A file at the path is replaced only if it is a socket on which nobody answers.
// Fails: ERR_BUSY "<path>: another program answers there", ERR_EXISTS "<path>: not a socket", ERR_IO.
MUST_CHECK bool wire_server_open(struct wire_server **out,
                                 const struct wire_server_options *options, struct err *err);

// Stops serving and removes the socket; NULL is fine.
void wire_server_close(struct wire_server *server);

#endif
