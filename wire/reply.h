// wire/reply.h -- every reply of the protocol, packed and unpacked by one table for both sides.
// Source: wire-protocol.md 3.2.
#ifndef CASEMATE_WIRE_REPLY_H
#define CASEMATE_WIRE_REPLY_H
#include "base/err.h"
#include "base/writer.h"
#include "crypto/ec.h"
#include "wire/frame.h"

enum reply_id {
    REPLY_NONE,
    REPLY_OKAY, // accepted; or, to a poll, "still waiting"
    REPLY_FRAM, // data: the reason
    REPLY_ERR_, // data: the text
    REPLY_REFU, // a person or the policy said no
    REPLY_BUSY,
    REPLY_BINY, // data
    REPLY_INT1, // number[0]
    REPLY_INT2, // number[0...1]
    REPLY_INT3,
    REPLY_MYPB,
    REPLY_ASCI, // data
    REPLY_SMRX,
    REPLY_STRX,
    REPLY_COUNT
};

#define MESSAGE_SIGNATURE_LEN 65

// Bytes are borrowed: from the message when unpacked.
struct reply {
    enum reply_id id;
    union {
        struct bytes data;
        uint32_t number[3];
        struct {
            struct pubkey64 device; // unchecked
            uint8_t xfp[4];         // of the master key, in BIP-32's order; zeros: no seed
            struct bytes xpub;      // base58 text; empty: no seed
        } mypb;
        struct {
            struct bytes address;
            uint8_t signature[MESSAGE_SIGNATURE_LEN];
        } smrx;
        struct {
            uint32_t length;
            struct hash256 sha;
        } strx;
    };
};

// An `err_` reply. An immediate one (argument checks) is cut to 80 bytes, between characters; a
// failure that a poll reports is not. Borrows `text`.
#define REPLY_IMMEDIATE_MAX 80
struct reply reply_error(struct bytes text, bool immediate);

// Appends code and content. The writer fails if `asci` is given other than ASCII, which the
// reference client cannot read.
void reply_pack(struct writer *w, const struct reply *reply);

// Left-over and missing bytes are errors. `asci` must be UTF-8: devices send names as they are.
// `fram` of old firmware comes without the blanks behind it.
// Fails: ERR_FRAMING "Unknown response signature: '<code>'", "<code>: wrong length",
//        "asci: not UTF-8", "reply of <n> bytes".
MUST_CHECK bool reply_unpack(struct reply *out, struct bytes message, struct err *err);

// The reply as the error that it is: `fram` ERR_FRAMING "Framing Error: <reason>", `err_`
// ERR_INVALID "Coldcard Error: <text>", `refu` ERR_REFUSED "You refused permission to do the
// operation", `busy` ERR_BUSY "Coldcard is handling another request right now"; any other is no
// error: true. Bytes of an error text that no terminal should see come as `?`.
MUST_CHECK bool reply_is_success(const struct reply *reply, struct err *err);

// reply_unpack, reply_is_success, and that it is the kind that was asked for: ERR_FRAMING "expected
// <code>, got <code>".
MUST_CHECK bool reply_expect(struct reply *out, enum reply_id id, struct bytes message,
                             struct err *err);

const char *reply_code(enum reply_id id);

#endif
