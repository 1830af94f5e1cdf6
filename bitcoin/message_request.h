// bitcoin/message_request.h -- a text that somebody wants signed, as a file of one of three forms.
//
//   one to three lines      message; path; address type
//   JSON                    {"msg": "...", "subpath": "m/...", "addr_fmt": "p2wpkh"}
//   one line                signmessage m/84h/0h/0h/0/0 ascii:message
// Source: psbt-signing.md 18.3.
#ifndef CASEMATE_BITCOIN_MESSAGE_REQUEST_H
#define CASEMATE_BITCOIN_MESSAGE_REQUEST_H
#include "base/arena.h"
#include "bitcoin/address.h"
#include "bitcoin/keypath.h"

struct message_request {
    struct bytes text; // of the arena or of the file; has passed message_check
    struct keypath path;
    enum addr_format format; // ADDR_P2PKH, ADDR_P2WPKH or ADDR_P2SH_P2WPKH
};

// What is left out: the type follows from the path's first step (84h: P2WPKH, 49h: P2SH-P2WPKH, else
// P2PKH), the path from the type (the first address of the first account on that chain). JSON may
// have tabs and line ends in the text. A line end at the end of the file counts for nothing.
// Fails: ERR_MALFORMED "max 3 lines", "MSG required", the texts of message_check and keypath_parse,
//        "Invalid address format: '<text>'\n\nChoose from p2pkh, p2wpkh, p2sh-p2wpkh.";
//        ERR_NO_MEMORY.
MUST_CHECK bool message_request_read(struct message_request *out, struct bytes file,
                                     const struct chain *chain, struct arena *arena,
                                     struct err *err);

// "m/84h/<coin>h/0h/0/0" and its like.
struct keypath message_default_path(enum addr_format format, const struct chain *chain);

#endif
