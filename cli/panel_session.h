// cli/panel_session.h -- keeps a panel's view in step with its signer, and connects anew when that
// went away.
#ifndef CASEMATE_CLI_PANEL_SESSION_H
#define CASEMATE_CLI_PANEL_SESSION_H
#include "cli/panel_view.h"

struct panel_session {
    const char *path;
    int cancel_fd;               // see client/wait.h
    struct panel_client *client; // NULL: not connected
    struct panel_view view;
    bool is_script;   // its lines may be sent before the screens that they answer have come
    int64_t due_ms;   // of panel_session_tick
    bool interrupted; // through cancel_fd
};

// Connects, and asks for the screen and its changes. `path` is borrowed.
// Fails: as panel_client_open; panel_session_end is called all the same.
MUST_CHECK bool panel_session_begin(struct panel_session *session, const char *path, int cancel_fd,
                                    struct err *err);
void panel_session_end(struct panel_session *session); // wipes

// For poll(2); -1 when not connected.
int panel_session_fd(const struct panel_session *session);

// Takes what has come.
void panel_session_take(struct panel_session *session);

// Every second: connects again if need be; in HSM mode asks anew, as the period runs.
void panel_session_tick(struct panel_session *session);

// Sends it; the caller wipes what is secret. Does nothing when not connected.
void panel_session_keys(struct panel_session *session, struct bytes keys);
void panel_session_text(struct panel_session *session, struct bytes text);
void panel_session_item(struct panel_session *session, enum panel_item item, struct bytes name);

#endif
