// client/signer_link.h -- the signer behind a bunker, through the bunker's signer link: TLS 1.3, certificates
// on both sides, a WebSocket, one binary frame for each message. No packets and no link encryption:
// those are between the bunker and the device.
//
// (1) Nothing of ours is sent before the bunker's certificate is the pinned one, or that of the named
//     authority for the host: crypto/tls_client.h (1).
// (2) One message is in flight. A link that broke while one was is lost: nobody knows whether the device
//     got it. It is not opened again by itself.
// (3) Of the device we know what the bunker says. `mitm` proves nothing here: pin the master key.
// (4) No state outside the link: each thread may have links of its own.
// Source: bunker.md 3.4.
#ifndef CASEMATE_CLIENT_SIGNER_LINK_H
#define CASEMATE_CLIENT_SIGNER_LINK_H
#include "client/link_text.h"

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

struct signer_link;

// Connects, proves both sides, and waits for the first state. cancel_fd: see client/wait.h.
// Fails: ERR_USAGE for a choice that cannot be used; ERR_NOT_FOUND "<where>: ..." when nobody listens or there is no
//        link; ERR_AUTH "<where>: ..." for a certificate of either side, or our name, that is not accepted;
//        ERR_UNSUPPORTED without TLS 1.3; ERR_FRAMING; ERR_TIMEOUT; ERR_INTERRUPTED; ERR_IO.
MUST_CHECK bool signer_link_open(struct signer_link **out, const struct link_choice *choice,
                                 int cancel_fd, struct err *err);
void signer_link_free(struct signer_link *link);   // closes; NULL is fine
void signer_link_freep(struct signer_link **link); // for AUTO

// Kept up to date by the calls below.
const struct link_state *signer_link_state(const struct signer_link *link);

// Sends a message and waits for the reply to it, which is borrowed until the next call.
// Fails: ERR_NOT_FOUND "<where>: the link was lost", "<where>: another device is behind it now"; ERR_TIMEOUT;
//        ERR_FRAMING; ERR_INTERRUPTED; ERR_IO. The link is then of no more use.
MUST_CHECK bool signer_link_exchange(struct signer_link *link, struct bytes message,
                                     struct bytes *reply, int timeout_ms, struct err *err);

// Waits, and answers the bunker's pings meanwhile: a link that is silent for 75 s is closed there.
// Fails: as signer_link_exchange; the end of the time is no failure.
MUST_CHECK bool signer_link_pause(struct signer_link *link, int ms, struct err *err);

#endif
