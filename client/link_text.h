// client/link_text.h -- texts of the signer link, for both of its ends: its address, a pin, and the state
// that a bunker sends.
// Source: bunker.md 3.4, 15.
#ifndef CASEMATE_CLIENT_LINK_TEXT_H
#define CASEMATE_CLIENT_LINK_TEXT_H
#include "base/json.h"
#include "client/transport.h"
#include "crypto/hash.h"

#define LINK_PROTOCOL  "casemate-link-1"
#define LINK_PATH      "/device"
#define LINK_STATE_MAX 1024 // bytes of a state frame

// What the bunker answers by itself, as `err_`:
#define LINK_NO_DEVICE   "Coldcard is not connected."
#define LINK_NOT_ALLOWED "Not allowed on this link"

// "wss://HOST[:PORT]/device", taken apart.
struct link_address {
    char host[256];  // without brackets
    char port[6];    // 443 if there was none
    char where[270]; // as in the URL, with the port: "127.0.0.1:9824", "[::1]:9824"
    char path[256];
};
// A URL without a path means /device.
// Fails: ERR_USAGE "'<url>' is not wss://HOST:PORT" LINK_PATH.
MUST_CHECK bool link_address_read(struct link_address *out, const char *url, struct err *err);

// 64 hex digits of either case; colons between bytes are skipped. Fails: ERR_USAGE "'<pin>' is not a SHA-256 ...".
MUST_CHECK bool link_pin_read(struct hash256 *out, const char *pin, struct err *err);

// What the bunker last said of its device and of what we may do.
struct link_state {
    char kind[16];                 // "casemate", "coldcard", "simulator"
    char serial[SERIAL_TEXT_SIZE]; // empty: no device
    char xfp[9];                   // 8 upper-case hex digits; empty: none
    char state
        [16]; // "absent", "connecting", "locked", "hsm_disabled", "idle", "approving", "hsm", "busy", "error"
    bool provision; // whether this listener lets us enrol, send a policy, change users
};

// Members that are not known are skipped. Fails: ERR_FRAMING "state of the link: <what>".
MUST_CHECK bool link_state_read(struct link_state *out, struct bytes text, struct err *err);
void link_state_write(struct writer *w, const struct link_state *state);

#endif
