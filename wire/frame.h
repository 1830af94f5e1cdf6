// wire/frame.h -- packets of 64 bytes, and the messages that are cut into them.
//
// A packet is a framing byte and 63 bytes of payload. The framing byte: FRAME_LAST on the last
// packet of a message, FRAME_ENCRYPTED (looked at on the last packet only) if the message is
// encrypted, and in the low six bits how many payload bytes are valid. What is encrypted and how is
// in wire/link.h.
// Source: wire-protocol.md 2.
#ifndef CASEMATE_WIRE_FRAME_H
#define CASEMATE_WIRE_FRAME_H
#include "base/arena.h"
#include "base/err.h"
#include "base/writer.h"

#define PACKET_LEN     64
#define PACKET_PAYLOAD 63 // most payload bytes in one packet

#define CODE_LEN 4 // bytes at the start of every message, request or reply

#define FRAME_LAST      0x80u
#define FRAME_ENCRYPTED 0x40u
#define FRAME_COUNT     0x3fu

#define REQUEST_MAX 2060      // bytes in a request, framing excluded
#define REPLY_MAX   (1 << 20) // bytes in a reply that our client takes; the protocol has no limit

// Appends `message` as packets: full ones, then the last. Padding is zeros. A message is never
// empty.
// Source: wire-protocol.md 2.1 "Casemate MUST send zeros", 2.3.
void frame_cut(struct writer *w, struct bytes message, bool encrypted);

// Appends the packet that makes a device forget a partial message: 80, then 63 times ff.
// Source: wire-protocol.md 2.5.
void frame_cut_resync(struct writer *w);

enum frame_event {
    FRAME_MORE,     // the packet was taken and more must come; nothing to do
    FRAME_RESYNC,   // a resync: reset the upload state, send nothing
    FRAME_COMPLETE, // a message stands in the assembler
    FRAME_BAD,      // err says why; the partial message is forgotten
};

// --- The device's side: requests of one peer ---

// A request being put together. Zeroed: none begun. Large: keep it in the peer's state.
struct frame_request {
    size_t len;
    bool complete;  // the next packet starts a new message
    bool encrypted; // of a complete message
    uint8_t b[REQUEST_MAX];
};

// Takes what one datagram or report held. FRAME_COMPLETE leaves the message in in->b, in->len,
// until the next call.
// FRAME_BAD: err has ERR_FRAMING and the reason for the reply "fram": `short`, `long` (a packet
//   that is not 64 bytes; we answer where the reference cuts), `xlong` (2060 would be exceeded; the
//   packet is thrown away), `badsz` (fewer than 4 bytes).
// Source: wire-protocol.md 2.2, checks 1 and 2; 1.2.3.
enum frame_event frame_request_feed(struct frame_request *in, struct bytes packet, struct err *err);

// Forgets and wipes: arguments of requests can be secret.
void frame_request_wipe(struct frame_request *in);

// --- The client's side: the reply to one request ---

struct frame_reply {
    struct writer content; // growing in the caller's arena
    bool complete;
    bool encrypted;
};

// A reply of at most REPLY_MAX bytes is to be collected. The arena needs up to 3 * REPLY_MAX.
struct frame_reply frame_reply_start(struct arena *arena);

// Takes one packet; never FRAME_RESYNC. FRAME_COMPLETE leaves the message in in->content.
// A first packet whose payload starts with `fram` and is printable is complete also without L, as
// firmware before 5.3 sent it: wire-protocol.md 2.4.
// FRAME_BAD: ERR_FRAMING (not 64 bytes, no payload, fewer than 4 bytes), ERR_LIMIT "reply longer
//   than 1048576 bytes", ERR_NO_MEMORY.
enum frame_event frame_reply_feed(struct frame_reply *in, struct bytes packet, struct err *err);

#endif
