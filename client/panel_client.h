// client/panel_client.h -- a connection to a signer's panel socket: what it shows, and the keys.
//
// Only cli/ includes this: what the local operator approves, no network front end can approve.
// Source: design.md "A signer on its host", panel protocol.
#ifndef CASEMATE_CLIENT_PANEL_CLIENT_H
#define CASEMATE_CLIENT_PANEL_CLIENT_H
#include "base/err.h"
#include "wire/panel.h"

#define PANEL_OPEN_MS   10000 // for its greeting
#define PANEL_ANSWER_MS 60000 // a panel answers at once, but changing a PIN costs it seconds

struct panel_client;

// Connects and reads the greeting. *hello (may be NULL) lives as long as the connection.
// cancel_fd: see client/wait.h.
// Fails: ERR_NOT_FOUND "<path>: no signer shows its panel there", ERR_AUTH "<path>: permission
//        denied", ERR_TIMEOUT, ERR_UNSUPPORTED, ERR_MALFORMED.
MUST_CHECK bool panel_client_open(struct panel_client **out, const char *path, int cancel_fd,
                                  struct panel_hello *hello, struct err *err);
void panel_client_close(struct panel_client *panel);   // wipes; NULL is fine
void panel_client_closep(struct panel_client **panel); // for AUTO

// For poll(2): readable when panel_client_receive would have something to read.
int panel_client_fd(const struct panel_client *panel);

// Sends one request. Its secrets are wiped here once sent; the caller wipes its own copy.
// Fails: ERR_LIMIT "request too long for the panel", ERR_NOT_FOUND when the signer went away,
//        ERR_IO, ERR_TIMEOUT, ERR_INTERRUPTED.
MUST_CHECK bool panel_client_send(struct panel_client *panel, const struct panel_request *request,
                                  struct err *err);

// The next reply; its bytes are valid until the next call. After `watch`, screens come unasked:
// they have has_screen, the replies to `keys`, `text` and `menu` do not.
// timeout_ms: 0 takes only what is there already.
// Fails: ERR_TIMEOUT, ERR_NOT_FOUND "the signer closed the panel", ERR_MALFORMED, ERR_INTERRUPTED.
MUST_CHECK bool panel_client_receive(struct panel_client *panel, struct panel_reply *out,
                                     int timeout_ms, struct err *err);

// Sends and waits for the reply, on a connection that does not watch. A reply that is not ok is
// ERR_INVALID with its text.
MUST_CHECK bool panel_client_ask(struct panel_client *panel, const struct panel_request *request,
                                 struct panel_reply *out, struct err *err);

#endif
