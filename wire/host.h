// wire/host.h -- the client's end of a link: requests in, packets out; packets in, replies out.
//
// (1) Once a session is open everything but `ncry` is encrypted (wire-protocol.md 15, item 76).
// (2) A plaintext reply to an encrypted request is an error unless it is `fram` (item 76). Such a
//     `fram` says that the device did not decrypt the request, so the streams no longer agree: the
//     session is closed, and the next one starts with `ncry`.
#ifndef CASEMATE_WIRE_HOST_H
#define CASEMATE_WIRE_HOST_H
#include "wire/frame.h"
#include "wire/link.h"

// Zeroed: no session, no request under way. Not to be copied.
struct host_end {
    struct link link;
    struct frame_reply in;
    bool sent_encrypted;
};

// Appends the packets of one request (request_pack made it) and gets ready for its reply, which
// will lie in `arena` (up to 3 * REPLY_MAX bytes). False, and no stream has moved, if the writer
// has no room.
MUST_CHECK bool host_send(struct host_end *end, struct writer *packets, struct bytes request,
                          struct arena *arena);

// Takes one packet. *out is written on FRAME_COMPLETE: the reply in the clear (for reply_unpack),
// in the arena.
// FRAME_BAD: as frame_reply_feed, and ERR_FRAMING "reply in plaintext to an encrypted request",
//   "encrypted reply to a plaintext request", "reply without a request". The session is then closed, if one was in use.
enum frame_event host_feed(struct host_end *end, struct bytes packet, struct bytes *out,
                           struct err *err);

void host_end_wipe(struct host_end *end); // also for AUTO

#endif
