// bunker/tor_control.h -- what is said to a Tor daemon's control port to publish one onion service.
//
// Without I/O: tor_control_feed takes what arrived, in pieces of any size, and appends what must be sent.
// (1) What the daemon says is bounded: TOR_LINE_MAX bytes a line, TOR_REPLY_LINES lines a reply.
// (2) The service's key is sent only after the daemon has been told who we are, and the cookie never:
//     both sides prove that they know it.
// (3) An answer other than 250 ends the connection; whoever owns it begins again later.
// Source: Tor's control-spec; bunker.md 14.
#ifndef CASEMATE_BUNKER_TOR_CONTROL_H
#define CASEMATE_BUNKER_TOR_CONTROL_H
#include "base/err.h"
#include "base/secret.h"
#include "base/writer.h"
#include "crypto/onion.h"

#define TOR_LINE_MAX    4608 // a path in quotes, and what is around it
#define TOR_REPLY_LINES 64
#define TOR_PATH_SIZE   4097
#define TOR_COOKIE_LEN  32
#define TOR_CLIENTS_MAX 16
#define TOR_CLIENT_SIZE 53   // base32 of an x25519 key, and a final zero
#define TOR_SEND_MAX    4096 // bytes that one step may append

// What the answer that is owed belongs to.
enum tor_step {
    TOR_CLOSED,
    TOR_GREETS,
    TOR_WANTS_PROOF, // none is owed: the caller chooses how to authenticate
    TOR_CHALLENGES,
    TOR_AUTHENTICATES,
    TOR_ASKS_VERSION,
    TOR_SUBSCRIBES,
    TOR_READY, // none is owed
    TOR_ADDS,
    TOR_REMOVES,
    TOR_PROBES,
};

struct tor_control {
    enum tor_step step;
    uint8_t line[TOR_LINE_MAX];
    size_t line_len;
    unsigned n_lines; // of the reply under way
    bool in_data;     // between "250+" and "."
    bool may_null, may_password, may_cookie;
    char cookie_path[TOR_PATH_SIZE];
    uint8_t cookie[TOR_COOKIE_LEN], nonce[32];
    char version[32];
    char served[ONION_ADDR_LEN + 1]; // empty: none
    char adding[ONION_ADDR_LEN + 1];
    unsigned uploads, uploaded, failed; // of its descriptor
};

// A service. `key` is ONION_KEY_LEN bytes; `target` "unix:/path" without blanks.
struct tor_service {
    const struct secret *key;
    const char *address, *target;
    size_t n_clients; // keys that may open it; 0: everybody
    char (*clients)[TOR_CLIENT_SIZE];
};

void tor_control_begin(struct tor_control *t, struct writer *w);
void tor_control_wipe(struct tor_control *t);

// Fails: ERR_MALFORMED "Tor: <what>", ERR_LIMIT, ERR_REFUSED "Tor says: <line>", ERR_AUTH for a daemon
//        that does not know its own cookie.
MUST_CHECK bool tor_control_feed(struct tor_control *t, struct bytes piece, struct writer *w,
                                 struct err *err);

// In TOR_WANTS_PROOF. nonce: 32 fresh random bytes.
void tor_control_with_cookie(struct tor_control *t, const uint8_t cookie[static TOR_COOKIE_LEN],
                             const uint8_t nonce[static 32], struct writer *w);
void tor_control_with_password(struct tor_control *t, struct bytes password, struct writer *w);
void tor_control_with_nothing(struct tor_control *t, struct writer *w);

// In TOR_READY.
void tor_control_add(struct tor_control *t, const struct tor_service *service, struct writer *w);
void tor_control_remove(struct tor_control *t, struct writer *w);
void tor_control_probe(struct tor_control *t, struct writer *w); // whether it still answers

// Whether an answer is owed.
bool tor_control_waits(const struct tor_control *t);

#endif
