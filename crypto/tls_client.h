// crypto/tls_client.h -- the client's side of TLS 1.3, without I/O: what came from the network goes in, what is
// to be sent comes out, and the caller moves the bytes.
//
// (1) TLS 1.3 only, no resumption, no early data. The peer's certificate is the pinned one, or issued by
//     the named authority for the host, as a TLS server's; with both, both. There is no third way, and
//     the system's authorities do not count.
// (2) A pin names one certificate: its dates do not matter then, unless there is an authority too.
// (3) No state outside the object; one thread at a time uses it.
#ifndef CASEMATE_CRYPTO_TLS_CLIENT_H
#define CASEMATE_CRYPTO_TLS_CLIENT_H
#include "base/err.h"
#include "crypto/hash.h"

struct tls_client;

struct tls_client_options {
    struct bytes certificate; // ours, then those above it, PEM
    struct bytes key;         // its private key, PEM, not encrypted
    struct bytes authority;   // PEM, one or more; empty: only the pin counts
    const char
        *host; // name or address that the authority must have certified; also sent as the name
    bool has_pin;
    struct hash256 pin; // SHA-256 of the peer's certificate in DER
};

// Fails: ERR_USAGE "client certificate: <what>", "client key: <what>", "authority: <what>", "neither an
//        authority nor a pin".
MUST_CHECK bool tls_client_new(struct tls_client **out, const struct tls_client_options *options,
                               struct err *err);
void tls_client_free(struct tls_client *tls);   // NULL is fine
void tls_client_freep(struct tls_client **tls); // for AUTO

// Takes what came from the network. What it means is found out by the next call of the others.
void tls_client_feed(struct tls_client *tls, struct bytes received);

// What is to be sent, borrowed until the next call of any of these; no bytes: nothing. Of that, `n` bytes were sent.
struct bytes tls_client_pending(struct tls_client *tls);
void tls_client_sent(struct tls_client *tls, size_t n);

// Goes on with the handshake. *done: it is over, and the peer is who it should be. (Whether it accepts us is known
// with the first bytes that it sends.)
// Fails: ERR_AUTH "the certificate is not the pinned one: <sha256>", "the certificate is not accepted: <why>";
//        ERR_UNSUPPORTED "the other side does not speak TLS 1.3"; as tls_client_read.
MUST_CHECK bool tls_client_handshake(struct tls_client *tls, bool *done, struct err *err);

// Encrypts all of `content`.
void tls_client_write(struct tls_client *tls, struct bytes content);

// Decrypts up to `cap` bytes; *n is 0 if more must come first. *closed: the other side is done.
// Fails: ERR_AUTH "the other side refuses our certificate: <alert>", ERR_FRAMING "TLS: <what>".
MUST_CHECK bool tls_client_read(struct tls_client *tls, void *mem, size_t cap, size_t *n,
                                bool *closed, struct err *err);

#endif
