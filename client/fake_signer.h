// client/fake_signer.h -- a signer for tests: a thread with a fixed key and canned answers.
//
// Unless a rule says otherwise it opens sessions, proves its key (BIP-32's test vector 1), takes
// uploads, says `okay` to what starts from them, and gives `result` as what came out.
#ifndef CASEMATE_CLIENT_FAKE_SIGNER_H
#define CASEMATE_CLIENT_FAKE_SIGNER_H
#include "base/bytes.h"

#define FAKE_XPUB                                                                                  \
    "xpub661MyMwAqRbcFtXgS5sYJABqqG9YLmC4Q1Rdap9gSE8NqtwybGhePY2gZ29ESFjqJoCu1Rupje8YtGqsefD265T"  \
    "Mg7usUDFdp6W1EGMcet8"
#define FAKE_XFP "3442193e"

enum fake_how {
    FAKE_REPLY,        // as a signer would
    FAKE_PLAINTEXT,    // in the clear, however the request came
    FAKE_WITHOUT_LAST, // one packet without the mark of the last, padded with blanks: old firmware
    FAKE_SHORT_PACKET, // 63 bytes in the datagram
    FAKE_LONG_PACKET,  // 65
    FAKE_HALF,         // only the first packet of the reply
    FAKE_SILENT,       // nothing
    FAKE_VANISH,       // nothing, and the socket is closed and removed
    FAKE_WRONG_PROOF,  // mitm: signed by another key
};

// What to do with the nth request (from 1; 0: each) of that code. The first rule that fits.
struct fake_rule {
    const char *code;
    unsigned nth;
    enum fake_how how;
    struct bytes reply; // code and content; empty: what it would say without the rule
};

struct fake_options {
    const char *path;
    const struct fake_rule *rules; // borrowed, as all here
    size_t n_rules;
    struct bytes result; // of `stok` and `dwld`
    bool no_seed;
};

struct fake_signer;

struct fake_signer *fake_signer_start(const struct fake_options *options); // listens on return
void fake_signer_stop(struct fake_signer *fake);                           // NULL is fine
void fake_signer_stopp(struct fake_signer **fake);                         // for AUTO

// What was seen, after fake_signer_pause only. How many requests of that code came:
unsigned fake_signer_count(const struct fake_signer *fake, const char *code);
struct bytes fake_signer_uploaded(const struct fake_signer *fake);

// The last request of that code, whole; no bytes: none came.
struct bytes fake_signer_last(const struct fake_signer *fake, const char *code);

// Ends the thread, so that what it has seen can be looked at.
void fake_signer_pause(struct fake_signer *fake);

#endif
