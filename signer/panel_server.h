// signer/panel_server.h -- the panel socket: what shows the screen and brings the keys.
//
// A unix stream socket of JSON lines (wire/panel.h), for any number of panels up to PANEL_CLIENTS.
// Who may speak is decided by the kernel's word for the peer: this user, root, or a member of one
// group. A panel that reads too slowly, or sends what is no line, is cut off; the others notice
// nothing. Source: design.md "A signer on its host", panel protocol.
#ifndef CASEMATE_SIGNER_PANEL_SERVER_H
#define CASEMATE_SIGNER_PANEL_SERVER_H
#include "base/log.h"
#include "signer/loop.h"
#include "wire/panel.h"
#include <sys/types.h>

#define PANEL_CLIENTS 16

// What the device does for a panel. All but `screen` may fail, with the text that the panel gets.
// What `screen` writes must stay as it is until the next call to the device. Borrowed bytes are
// valid during the call; `text` is a secret, which the device copies and the server wipes. `advance`, `set` and `reset` are NULL outside simulator mode: then refused.
struct panel_backend {
    void *device;
    void (*screen)(void *device, struct panel_screen *out);
    bool (*keys)(void *device, struct bytes keys, struct err *err);
    bool (*text)(void *device, struct bytes text, struct err *err);
    bool (*menu)(void *device, enum panel_item item, struct bytes name, struct err *err);
    bool (*advance)(void *device, uint64_t seconds, struct err *err);
    bool (*set)(void *device, struct bytes key, struct bytes value, struct err *err);
    bool (*reset)(void *device, const struct panel_request *request, struct err *err);
};

struct panel_server_options {
    struct loop *loop;     // borrowed, as all here
    const struct log *log; // NULL: none
    const char *path;      // of the socket; one on which nobody answers is replaced
    const char *name;      // the signer's, for the greeting
    bool simulator;        // for the greeting
    bool has_group;        // members of `group` may connect, and the socket is theirs
    gid_t group;
    struct panel_backend backend;
};

struct panel_server;

// Binds, listens (mode 0660), watches. Fails: as socket_file_bind.
MUST_CHECK bool panel_server_new(struct panel_server **out,
                                 const struct panel_server_options *options, struct err *err);
// Closes all and removes the socket; NULL is fine.
void panel_server_free(struct panel_server *server);

// What `screen` would say has changed: panels that watch are sent it, once, from the loop. Changes
// that follow each other closely may be sent as one.
void panel_server_changed(struct panel_server *server);

// How many panels are connected.
size_t panel_server_clients(const struct panel_server *server);

#endif
