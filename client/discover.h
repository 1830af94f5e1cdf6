// client/discover.h -- which devices are there, without asking them anything.
#ifndef CASEMATE_CLIENT_DISCOVER_H
#define CASEMATE_CLIENT_DISCOVER_H
#include "client/hid_transport.h"

#define DISCOVER_MAX 256

struct discovered {
    const char *path;      // of the socket, or of the hidraw node
    const char *transport; // "socket", "usb"
    const char *serial;
    const char *product;
    const struct hid_found *usb; // what else is known of a USB device; NULL for a socket
};
struct discovery {
    size_t n;
    struct discovered items[DISCOVER_MAX];
};

// Signers that listen on sockets of the usual folders, /run/casemate and /tmp, sorted by path: each
// datagram socket named `*.sock` that would take a packet from us and is no client's. *out starts
// anew; texts lie in the arena. Fails: ERR_NO_MEMORY.
MUST_CHECK bool discover_sockets(struct discovery *out, struct arena *arena, struct err *err);

// Coldcards on USB, by serial number, appended. Fails: ERR_NO_MEMORY.
MUST_CHECK bool discover_usb(struct discovery *out, struct arena *arena, struct err *err);

// One folder, appended. A folder that cannot be read holds none.
MUST_CHECK bool discover_folder(struct discovery *out, const char *folder, struct arena *arena,
                                struct err *err);

#endif
