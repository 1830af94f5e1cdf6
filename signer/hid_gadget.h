// signer/hid_gadget.h -- the signer as a USB device: reports through Linux's HID gadget, /dev/hidgN.
//
// (1) A cable has one other end: what comes through it belongs to one peer, whose session, upload and
//     results nobody on the socket can touch.
// (2) A locked signer takes reports off the queue and answers none of them. (The reference is not on
//     the bus before the PIN; a gadget is there for as long as it is configured.)
// (3) A host that reads nothing holds up nobody: its reply is dropped after a second.
// docs/hardware.md tells how the gadget is configured. Source: wire-protocol.md 1.1, 1.2.3, 2.5, 4.3.
#ifndef CASEMATE_SIGNER_HID_GADGET_H
#define CASEMATE_SIGNER_HID_GADGET_H
#include "signer/device.h"

struct hid_gadget;

// Opens the gadget's node; call before the sandbox closes. Reports are served from hid_gadget_start
// on, and discarded until then.
// Fails: ERR_NOT_FOUND, ERR_INVALID "<path>: not a device", ERR_IO, ERR_LIMIT.
MUST_CHECK bool hid_gadget_open(struct hid_gadget **out, const char *path, struct device *device,
                                struct err *err);
// The same with a descriptor that is open already, of reports kept apart (a SOCK_SEQPACKET socket):
// for tests. Takes the descriptor, also when it fails.
MUST_CHECK bool hid_gadget_of_fd(struct hid_gadget **out, int fd, struct device *device,
                                 struct err *err);

void hid_gadget_start(struct hid_gadget *gadget); // NULL is fine, here and below
void hid_gadget_stop(struct hid_gadget *gadget);  // what is left of a reply is dropped
void hid_gadget_close(struct hid_gadget *gadget);

#endif
