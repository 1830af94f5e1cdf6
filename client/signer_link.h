// client/signer_link.h -- the signer behind a bunker, through the bunker's signer link: TLS 1.3, certificates
// on both sides, a WebSocket, one binary frame for each message. No packets and no link encryption:
// those are between the bunker and the device.
//
// (1) Nothing of ours is sent before the bunker's certificate is the pinned one or that of the named
//     authority, and nothing is taken from a bunker that did not ask for our certificate.
// (2) One message is in flight. A link that broke while one was is lost: nobody knows whether the device
//     got it. It is not opened again by itself.
// (3) Of the device we know what the bunker says. `mitm` proves nothing here: pin the master key.
// (4) No state outside the link: each thread may have links of its own.
// Source: bunker.md 3.4.
#ifndef CASEMATE_CLIENT_SIGNER_LINK_H
#define CASEMATE_CLIENT_SIGNER_LINK_H
#include "client/transport.h"

#define LINK_CONNECT_MS 10000 // for TCP, TLS, the upgrade and the first state, together

// Where, and who proves what by which files. Texts are borrowed while the connection is opened.
struct link_choice {
    const char *url;       // "wss://HOST[:PORT]/device"; HOST: a name, an IPv4 address, or [IPv6]
    const char *cert_file; // our certificate, then those above it, PEM
    const char *key_file;  // its private key, PEM
    const char *ca_file;   // who must have issued the bunker's certificate, PEM; HOST must be in it
    const char *pin; // or sha256 of the bunker's certificate (DER): 64 hex digits, colons allowed.
                     // One of the two at least; with both, both must hold
    const char *pin_xpub; // of the device's master key; NULL: not compared
    int connect_ms;       // 0: LINK_CONNECT_MS
};

// What the bunker last said of its device and of what we may do.
struct link_state {
    char kind[16];                 // "casemate", "coldcard", "simulator"
    char serial[SERIAL_TEXT_SIZE]; // empty: no device
    char xfp[9];                   // 8 upper-case hex digits; empty: none
    char state
        [16]; // "absent", "connecting", "locked", "hsm_disabled", "idle", "approving", "hsm", "busy",
              // "error": bunker.md 15
    bool provision; // whether this listener lets us enrol, send a policy, change users
};

#endif
