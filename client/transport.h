// client/transport.h -- moves packets of 64 bytes to one device and back, whatever carries them.
//
// A carrier is a struct that begins with a struct transport and fills in its functions; nothing
// above this header knows sockets from USB.
// Source: wire-protocol.md 1.
#ifndef CASEMATE_CLIENT_TRANSPORT_H
#define CASEMATE_CLIENT_TRANSPORT_H
#include "base/err.h"
#include "client/wait.h"

#define TRANSPORT_WRITE_MS 10000 // "Reads use a receive timeout; writes use a 10 s timeout."
#define SERIAL_TEXT_SIZE   33

struct transport;
struct transport_ops {
    const char *name; // "socket", for people and JSON

    // Sends one packet. Fails: ERR_NOT_FOUND when the device is gone, ERR_TIMEOUT, ERR_INTERRUPTED,
    // ERR_IO.
    bool (*send)(struct transport *t, struct bytes packet, struct err *err);

    // Sends packets that follow each other. NULL: `send` for each. Fails: as `send`.
    bool (*send_all)(struct transport *t, struct bytes packets, struct err *err);

    // The next packet, of any length; borrowed until the next call. timeout_ms 0: only what is
    // there already. Fails: ERR_TIMEOUT, ERR_NOT_FOUND when the device is gone, ERR_INTERRUPTED,
    // ERR_IO.
    bool (*receive)(struct transport *t, struct bytes *out, int timeout_ms, struct err *err);

    // Closes, and removes what opening made.
    void (*free)(struct transport *t);
};
struct transport {
    const struct transport_ops *ops;
    int cancel_fd; // see client/wait.h
    char serial[SERIAL_TEXT_SIZE];
};

void transport_free(struct transport *t);   // NULL is fine
void transport_freep(struct transport **t); // for AUTO

#endif
