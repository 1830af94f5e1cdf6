// bunker/onion.h -- the bunker as an onion service: which key, when it is published, who may come.
//
// (1) The service ends at a unix socket of its own, a listener that always asks for a password: it cannot
//     inherit what another listener trusts.
// (2) Its key is made here and never leaves: a browser gets a handle, which is good for one save.
// (3) Nothing is published with --local, nor in setup mode before leave_setup_mode.
// Source: bunker.md 2, 14.
#ifndef CASEMATE_BUNKER_ONION_H
#define CASEMATE_BUNKER_ONION_H
#include "base/json.h"
#include "bunker/tor.h"
#include "crypto/hash.h"

#define ONION_HANDLE_SIZE 25

struct bunker;
struct session;

struct onion {
    struct tor *tor; // NULL: none is to be spoken to
    struct tor_report report;
    struct secret *password; // of the control port; NULL: none
    char target[128];
    bool is_wanted; // as tor_want was told last
    struct hash256 wanted;
};

// Reads the control port's password and makes the listener's socket one that Tor may open.
// Fails: ERR_USAGE, ERR_IO, ERR_NOT_FOUND.
MUST_CHECK bool onion_start(struct bunker *b, struct err *err);
void onion_stop(struct bunker *b);

// After settings, mode or device have changed.
void onion_update(struct bunker *b);

// A fresh key, kept with the session: its address, and the handle by which it may be saved once.
void onion_pick(struct bunker *b, struct session *session, char address[static ONION_ADDR_LEN + 1],
                char handle[static ONION_HANDLE_SIZE]);

// The key of a handle of that session, or of base64 from an old client, which the caller frees; NULL:
// neither. A handle is used up.
struct secret *onion_take(struct bunker *b, struct session *session, struct bytes text);

// The members tord_good, tor_enabled and onion_addr of STATUS, and the object `tor` of `casemate`:
// {"state": "away"|"good"|"added"|"published"|"off", "address": of the settings or null, "why",
// "version", "uploads", "uploaded", "failed", "clients": [...]}; the last is for admins.
void onion_write(struct json_writer *j, const struct bunker *b);
void onion_write_extra(struct json_writer *j, const struct bunker *b, bool is_admin);

#endif
