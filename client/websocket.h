// client/websocket.h -- the client's end of a WebSocket, without I/O: the upgrade, frames out, messages in.
//
// (1) Only what a server may send is taken: frames without a mask, no extension, control frames whole and
//     short, text of valid UTF-8, no message longer than its limit. Anything else ends the reading.
// (2) What was assembled is wiped: replies can hold secrets.
// Source: RFC 6455.
#ifndef CASEMATE_CLIENT_WEBSOCKET_H
#define CASEMATE_CLIENT_WEBSOCKET_H
#include "base/err.h"
#include "base/writer.h"

#define WEBSOCKET_HEAD_MAX    8192 // bytes of an answer to the upgrade
#define WEBSOCKET_CONTROL_MAX 125  // bytes in a ping, pong or close
#define WEBSOCKET_KEY_SIZE    25   // base64 of 16 bytes, and the final zero
#define WEBSOCKET_FRAME_ROOM  14   // what a frame of ours has around its content

enum websocket_event {
    WEBSOCKET_MORE, // nothing whole is there
    WEBSOCKET_TEXT,
    WEBSOCKET_BINARY,
    WEBSOCKET_PING, // to be answered by a pong of the same content
    WEBSOCKET_PONG,
    WEBSOCKET_CLOSE, // content: none, or a code of two bytes and a reason
    WEBSOCKET_BAD,   // err says why
};

// --- The upgrade ---

// Makes the key of one upgrade.
void websocket_key(char out[static WEBSOCKET_KEY_SIZE]);

// host: as in the URL, with its port; path: begins with a slash.
void websocket_write_upgrade(struct writer *w, const char *host, const char *path,
                             const char *protocol, const char *key);

// How many bytes the head of the answer has, its blank line included; 0: it is not whole.
size_t websocket_head_len(struct bytes received);

// Whether a whole head accepts the upgrade.
// Fails: ERR_AUTH for 401 and 403, ERR_NOT_FOUND for 404, ERR_FRAMING for any other status, with the text "HTTP <n>"; ERR_FRAMING
//        "not an answer of HTTP/1.1", "not the WebSocket that was asked for: <header>".
MUST_CHECK bool websocket_check_answer(struct bytes head, const char *protocol, const char *key,
                                       struct err *err);

// --- Frames of ours ---

// Appends one whole frame. kind: text, binary, ping, pong or close. The mask is random.
void websocket_write(struct writer *w, enum websocket_event kind, struct bytes content);

// --- Messages of the server ---

struct websocket { // zeroed but for limit: nothing has come
    size_t limit;  // bytes of a message
    uint8_t *raw;  // received and not looked at
    size_t raw_len, raw_cap;
    size_t used;      // of raw, by the event handed out last
    uint8_t *message; // of frames so far
    size_t message_len, message_cap;
    enum websocket_event kind; // of that message; WEBSOCKET_MORE: none is begun
    bool handed_out;           // the message was: it is forgotten by the next call
};
void websocket_wipe(struct websocket *ws); // frees; also for AUTO

// Appends what came: take all events before the next, or it grows without a bound.
void websocket_feed(struct websocket *ws, struct bytes received);

// The next event. *content is borrowed until the next call of either.
// WEBSOCKET_BAD: ERR_FRAMING, or ERR_LIMIT "message longer than <n> bytes".
enum websocket_event websocket_next(struct websocket *ws, struct bytes *content, struct err *err);

#endif
