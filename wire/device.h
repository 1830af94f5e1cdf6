// wire/device.h -- the device's end of one peer's link: packets in, requests out; replies in,
// packets out.
//
// (1) Pieces from two peers are never joined: each peer has an end of its own (wire-protocol.md 15,
//     item 17).
// (2) A framing error found before decryption is answered in plaintext and moves no keystream (2.4
//     [D]), so that no stranger's runt breaks a session.
#ifndef CASEMATE_WIRE_DEVICE_H
#define CASEMATE_WIRE_DEVICE_H
#include "wire/frame.h"
#include "wire/link.h"

// Zeroed: a peer that has said nothing. Not to be copied.
struct device_end {
    struct frame_request in;
    struct link link;
};

enum device_event {
    DEVICE_NOTHING,     // wait for more
    DEVICE_RESYNC,      // reset the upload state, send nothing
    DEVICE_BAD_FRAMING, // reset the upload state, reply `fram` with err's text
    DEVICE_REQUEST,
};

struct device_input {
    enum device_event event;
    bool encrypted;       // whether the reply must be
    struct bytes message; // DEVICE_REQUEST: code and arguments in the clear, borrowed from the end
                          // until the next call
};

// Takes what one datagram or report held and runs the checks of wire-protocol.md 2.2 in their
// order. bound: the device's flag (version 2).
// err:   for DEVICE_BAD_FRAMING: ERR_FRAMING with `short`, `long`, `xlong`, `badsz`, `must
//        encrypt`, `no key` or `decode`.
struct device_input device_feed(struct device_end *end, struct bytes packet, bool bound,
                                struct err *err);

// Appends the packets of one reply. encrypted: as the request was; needs an open link. An `ncry` is
// handled by link_accept on end->link before its reply is packed: in plaintext that moves no
// stream, and the reply to an encrypted `ncry` comes under the new key (4.4).
// False, and no stream has moved, if the writer has no room.
MUST_CHECK bool device_reply(struct device_end *end, struct writer *packets, struct bytes reply,
                             bool encrypted);

// Wipes the request that was handed out; call when it has been answered.
void device_request_done(struct device_end *end);

// Ends the session and wipes everything; also for AUTO.
void device_end_wipe(struct device_end *end);

#endif
