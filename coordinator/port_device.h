// coordinator/port_device.h -- a port that speaks the device protocol: over a unix socket, USB or a bunker's
// signer link. For the port_*.c alone.
#ifndef CASEMATE_COORDINATOR_PORT_DEVICE_H
#define CASEMATE_COORDINATOR_PORT_DEVICE_H
#include "client/hsm_status.h"
#include "client/transfer.h"
#include "coordinator/deadline.h"
#include "coordinator/port.h"

struct device_port {
    struct port base;
    struct port_options o;
    struct deadline deadline;      // its descriptor is the connection's cancel_fd
    struct connection *connection; // NULL: no conversation
    bool proved;                   // the device has shown that it holds the pinned key
    bool is_simulator;             // as its status said: keys can be pressed
    struct arena *arena;           // of the call that runs
};

MUST_CHECK bool device_port_new(struct port **out, const struct port_options *options,
                                struct err *err);
MUST_CHECK bool command_port_new(struct port **out, const struct port_options *options,
                                 struct err *err);

struct device_port *device_of(struct port *port);

// Begins a call: a clean arena, a conversation with the expected device, and `ms` from now.
// most_ms: how far progress may move that.
MUST_CHECK bool device_begin(struct device_port *d, int64_t ms, int64_t most_ms, struct err *err);

// Ends a call that failed: what it was is told, and a conversation in doubt is over. Returns false.
bool device_failed(struct device_port *d, struct err *err);

// The device's status now, in the call's arena.
MUST_CHECK bool device_status(struct device_port *d, struct hsm_status *out, struct err *err);

// Whether its keys are ours to press: of a simulator in demo mode, but no link carries them.
bool device_has_keys(const struct device_port *d);
// The device's word in our terms: what is hidden, or no number, counts as not told.
void device_read_status(struct port_status *out, const struct hsm_status *s);

// A developer's command, answered by a simulator only. reply: NULL, not wanted.
MUST_CHECK bool device_press(struct device_port *d, const char *keys, struct err *err);
MUST_CHECK bool device_exec(struct device_port *d, const char *text, struct bytes *reply,
                            struct err *err);

// For transfers: each block is progress.
struct progress device_progress(struct device_port *d);

// The parts of port_ops that have files of their own.
bool device_knows_wallet(struct port *port, enum port_wallet *out, const struct ms_wallet *wallet,
                         struct err *err);
bool device_register(struct port *port, const struct ms_wallet *wallet, struct err *err);
bool device_enrol(struct port *port, const struct port_user *user, struct err *err);
bool device_load_policy(struct port *port, struct bytes policy, struct err *err);
bool device_activate(struct port *port, struct err *err);
bool device_auth(struct port *port, const struct port_auth *auth, struct err *err);
void device_sign(struct port *port, struct port_answer *out, struct bytes psbt,
                 struct arena *arena);
bool device_sign_message(struct port *port, struct port_message *out, const char *path,
                         struct bytes text, struct err *err);

// Runs the section's restart_command.
MUST_CHECK bool restart_signer(const struct port_options *options, struct deadline *deadline,
                               struct err *err);

#endif
