// client/connection.h -- a session with one signer: requests out, replies in.
//
// (1) Everything after `ncry` is encrypted, unless the caller asked for a link in the clear.
// (2) A request that got no whole reply ends the session: nobody knows any more where the two
//     streams stand, and a late reply must not be taken for the next one's.
// (3) What a reply holds is valid as the table of wire/reply.h says, and is still the other side's
//     word: lengths, hashes and texts are for the caller to check.
// (4) A connection belongs to one thread at a time; connections share nothing.
// (5) Over a signer link (client/signer_link.h) requests and replies are the same, and so are the errors: a link
//     that is lost, or whose bunker has lost its device, is ERR_NOT_FOUND, as a device that went away.
// Source: wire-protocol.md 2, 4, 11, appendix B; cli.md 7.6.
#ifndef CASEMATE_CLIENT_CONNECTION_H
#define CASEMATE_CLIENT_CONNECTION_H
#include "client/hid_transport.h"
#include "client/signer_link.h"
#include "wire/reply.h"
#include "wire/request.h"
#include "wire/socket_name.h"

#define CONNECTION_REPLY_MS 6000 // "client reply wait: 3 s, tried twice"
#define CONNECTION_LINK_MS                                                                         \
    20000 // over a signer link, whose bunker waits for the device as long as that
#define CONNECTION_PROOF_MS 10000 // "`mitm` 5 s x2"

#define CONNECTION_SIMULATOR SOCKET_NAME_DEFAULT // where simulators listen

struct connection;

// Who looks at what goes over the link. Messages come as they are before encryption and after
// decryption; of those that hold secrets (wire/request.h) only the code is there, and `masked` says
// how many bytes were left out. A reply that was no message is not seen.
struct connection_trace {
    void (*message)(void *context, bool sent, struct bytes message, size_t masked, bool encrypted);
    void *context;
};

// Zeroed: the first Coldcard on USB, version 1, the usual patience, nobody to cancel.
struct connection_options {
    const struct link_choice
        *link;               // not NULL: a bunker's signer link, and the next two do not count
    const char *socket_path; // NULL: a Coldcard on USB
    struct hid_choice usb;   // then: which, and the patience with another program that uses it
    uint32_t ncry;           // LINK_V1, LINK_V2; 0 is LINK_V1
    bool plaintext;          // no link encryption at all: for developers
    int reply_ms;            // 0: CONNECTION_REPLY_MS, or CONNECTION_LINK_MS
    int cancel_fd;           // see client/wait.h
    struct connection_trace trace; // zeroed: nobody looks
};

// Who answered, as it says itself.
struct connection_identity {
    const char *transport; // "socket", "usb", "link"
    const char *serial;
    bool has_seed;
    uint8_t xfp[4];   // of the master key, in BIP-32's order
    const char *xpub; // of the master key; empty without a seed or on a link in the clear
};

// Once in main: the cryptographic library. Stops the process where it does not work.
void connection_init(void);

// Opens, empties the link of what an earlier client left, and agrees on a session key. Over a signer link
// there is nothing to empty or to agree on; there must be a device, with the pinned key if it has one.
// Fails: as socket_transport_open, hid_transport_open or signer_link_open; ERR_AUTH "the device's key is not the pinned
//        one"; ERR_TIMEOUT "no reply from the device within <n> s"; ERR_FRAMING.
MUST_CHECK bool connection_open(struct connection **out, const struct connection_options *options,
                                struct err *err);
void connection_close(struct connection *c);   // wipes; NULL is fine
void connection_closep(struct connection **c); // for AUTO

const struct connection_identity *connection_identity(const struct connection *c);

// Over a signer link: what the bunker says of it, brought up to date by each exchange. Else NULL.
const struct link_state *connection_link_state(const struct connection *c);

// Sends one request and waits for its reply. The reply's bytes lie in `arena`; without one they are
// valid until the next call.
// Fails: ERR_FRAMING, ERR_INVALID, ERR_REFUSED, ERR_BUSY as reply_is_success; ERR_TIMEOUT;
//        ERR_NOT_FOUND when the device went away; ERR_INTERRUPTED; ERR_LIMIT "<code>: arguments too
//        long" and nothing was sent; ERR_IO.
MUST_CHECK bool connection_exchange(struct connection *c, struct reply *out,
                                    const struct request *request, struct arena *arena,
                                    struct err *err);

// The same where one kind of reply is expected: any other is ERR_FRAMING.
MUST_CHECK bool connection_call(struct connection *c, struct reply *out, enum reply_id expected,
                                const struct request *request, struct arena *arena,
                                struct err *err);

// The same with a message and a reply as they are, which only whoever passes on what others ask should
// need: a reply that is a refusal or an error is no failure, and nothing of it is traced.
// Fails: ERR_TIMEOUT, ERR_NOT_FOUND, ERR_INTERRUPTED, ERR_FRAMING, ERR_IO: the session is then lost.
MUST_CHECK bool connection_relay(struct connection *c, struct bytes message, struct bytes *reply,
                                 struct arena *arena, struct err *err);

// Has the device prove that it holds `master`'s secret key. What that proves depends on where the
// caller has the key from: not much if it is the one of connection_identity.
// Over a signer link it proves nothing, and is not asked: pin the key there.
// Fails: ERR_AUTH as link_verify, ERR_UNSUPPORTED over a signer link, and as connection_call. Source: wire-protocol.md 4.6.
MUST_CHECK bool connection_prove(struct connection *c, const struct pubkey *master,
                                 struct err *err);

// Waits without using the link. Fails: ERR_INTERRUPTED.
MUST_CHECK bool connection_pause(const struct connection *c, int ms, struct err *err);

#endif
