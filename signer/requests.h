// signer/requests.h -- one row per command: who may use it when, and what it does.
//
// (1) A command that is not allowed in this state is refused before its arguments are looked at.
// (2) Every request gets exactly one reply; this is the only place that maps errors to replies.
// Source: wire-protocol.md 5.2, 5.4, 8.
#ifndef CASEMATE_SIGNER_REQUESTS_H
#define CASEMATE_SIGNER_REQUESTS_H
#include "signer/device.h"
#include "wire/reply.h"
#include "wire/request.h"

// One request and its reply.
struct exchange {
    struct device *device;
    struct peer *peer;
    bool encrypted;
    struct request request;
    struct arena *arena; // for what the reply borrows
    struct reply reply;  // REPLY_NONE until a handler has set it
};

#define EXCHANGE_ARENA_MAX (8u << 20)

// Takes one packet of a peer, and appends the packets of the reply if that completed a request or
// broke the framing. Knows no socket. Source: wire-protocol.md 2.2, appendix A.
void requests_feed(struct device *device, struct peer *peer, struct bytes packet,
                   struct writer *packets);

// Serves one message (code and arguments, in the clear). The reply, packed, is in `w`; it borrows
// nothing.
void requests_serve(struct device *device, struct peer *peer, struct bytes message, bool encrypted,
                    struct writer *w);

// --- For the handlers ---

void reply_okay(struct exchange *ex);
void reply_text(struct exchange *ex, struct bytes text); // `asci`; borrowed
void reply_binary(struct exchange *ex, struct bytes data);
void reply_number(struct exchange *ex, uint32_t number);

// A handler sets the reply and returns true, or fails: ERR_BUSY gives `busy`, ERR_FRAMING `fram`,
// the rest `err_` with the text, cut to 80 bytes.
typedef bool request_fn(struct exchange *ex, struct err *err);

// requests_link.c
request_fn serve_ncry, serve_mitm, serve_ping, serve_vers, serve_blkc, serve_bagi, serve_logo,
    serve_rebo;
// requests_upload.c
request_fn serve_upld, serve_sha2, serve_dwld;
// requests_keys.c
request_fn serve_xpub, serve_show;
// requests_wallets.c
request_fn serve_msck, serve_p2sh, serve_enrl;
// requests_sign.c
request_fn serve_stxn, serve_stok, serve_smsg, serve_smok;
// requests_backup.c
request_fn serve_back, serve_bkok, serve_rest;
// requests_pass.c
request_fn serve_pass, serve_pwok;
// requests_hsm.c
request_fn serve_hsms, serve_hsts, serve_gslr, serve_nwur, serve_rmur, serve_user;
// requests_developer.c
request_fn serve_xkey, serve_exec, serve_eval;

// The upload is the whole file of that length and hash. Fails: "Checksum", "badlen".
MUST_CHECK bool upload_is(const struct peer *peer, uint32_t length, const struct hash256 *sha,
                          uint32_t min, uint32_t max, struct err *err);

// Takes the place of the request that was pending, for this peer.
struct job *request_start_job(struct exchange *ex, enum job_kind kind);
// What every poll answers before there is a result; *finished if there is one of that kind.
MUST_CHECK bool request_poll_job(struct exchange *ex, struct job *job, enum job_kind kind,
                                 bool *finished, struct err *err);

// A poll's answer once there is a file: its length and hash. Whoever started the request has had the lease
// on it since it finished, unless he gave it up; another who asks, outside HSM mode, gets one now.
void reply_file(struct exchange *ex, struct job *job, uint32_t file);

// An address on the screen until a key dismisses it, in place of the request that is pending.
void show_address(struct device *device, struct bytes text);

#endif
