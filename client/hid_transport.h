// client/hid_transport.h -- packets as reports of a Coldcard on USB, through hidapi.
//
// (1) A device carries one session, so one program talks to it at a time: an advisory lock on its
//     hidraw node stands for the time of the connection, and falls with the process.
// (2) A write is 65 bytes, report number 0 first; what is read is a packet as it came, of any length.
// (3) A device that was pulled out is ERR_NOT_FOUND from the next call on, never a hang.
// Needs hidapi's hidraw back end, whose paths are files. Source: wire-protocol.md 1.1; cli.md 7.6.
#ifndef CASEMATE_CLIENT_HID_TRANSPORT_H
#define CASEMATE_CLIENT_HID_TRANSPORT_H
#include "base/arena.h"
#include "client/transport.h"

#define HID_VENDOR  0xd13e
#define HID_PRODUCT 0xcc10
#define HID_MAX     64 // devices listed

// One attached device, as hidapi describes it. Texts are ASCII, `?` for what is not; never NULL.
struct hid_found {
    const char *path; // of the hidraw node
    const char *serial;
    const char *manufacturer, *product;
    int interface_number;
    unsigned release, usage_page, usage;
};
struct hid_list {
    size_t n;
    struct hid_found items[HID_MAX]; // sorted by serial number, then path
};

// What is attached, without opening any of it. Texts lie in the arena. Fails: ERR_NO_MEMORY.
MUST_CHECK bool hid_list_read(struct hid_list *out, struct arena *arena, struct err *err);

struct hid_choice {
    const char *serial; // NULL: the first of the list
    int lock_ms;        // patience with another program that has it: 0 none, WAIT_NO_TIMEOUT
};

// Fails: ERR_NOT_FOUND "no Coldcard is attached", "no Coldcard with the serial number <s>", "<path>:
//        permission denied (...)"; ERR_BUSY "Coldcard <s>: another program is using it";
//        ERR_INTERRUPTED; ERR_IO.
MUST_CHECK bool hid_transport_open(struct transport **out, const struct hid_choice *choice,
                                   int cancel_fd, struct err *err);

#endif
