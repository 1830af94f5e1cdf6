// wire/link.h -- link encryption between one client and one device.
//
// (1) Both directions use one key and start at the same counter (wire-protocol.md 4.2, "known
//     weakness; must be reproduced"): the link hides nothing from who can guess one direction, and
//     authenticates nothing. It keeps compatibility, not secrets.
// (2) A stream moves by exactly the encrypted message bytes. Framing bytes, padding and plaintext
//     messages do not move it.
// (3) The device's *bound* flag (version 2) belongs to the device and not to a link:
//     wire-protocol.md 4.5. It comes in as an argument.
#ifndef CASEMATE_WIRE_LINK_H
#define CASEMATE_WIRE_LINK_H
#include "base/err.h"
#include "crypto/aes_ctr.h"
#include "crypto/ec.h"
#include "wire/frame.h"

// USB_NCRY_V1, USB_NCRY_V2.
#define LINK_V1 1
#define LINK_V2 2

#define LINK_PROOF_LEN 65

// One session, the same on both sides. Zeroed: no session. Not to be copied.
struct link {
    uint32_t version; // LINK_V1 or LINK_V2; 0 while there is no session
    struct hash256 session_key;
    struct aes_ctr *to_device;
    struct aes_ctr *to_host;
};

bool link_is_open(const struct link *link);
void link_wipe(struct link *link); // ends the session; also for AUTO

// Starts a session, on either side: session key = SHA-256(S.x || S.y) of the shared point.
// On success a former session in *link is wiped; on failure it stays usable.
// own:   a key pair of this session only (seckey_generate); the caller wipes it.
// peer:  the other side's public key.
// Fails: ERR_INVALID "secp256k1_ec_pubkey_parse" if `peer` is no point of the curve.
// Source: wire-protocol.md 4.1, 4.2.
MUST_CHECK bool link_open(struct link *link, const struct seckey *own, const struct pubkey64 *peer,
                          uint32_t version, struct err *err);

// The device's side of `ncry`: its checks 3 to 5, then link_open. Whoever calls it sets the bound
// flag after success with version 2, and only then (4.5 [D]).
// Fails: ERR_FRAMING "bad ncry version", ERR_FRAMING "crypto already set up", ERR_INVALID
//        "secp256k1_ec_pubkey_parse". ERR_FRAMING is the reply `fram` with that reason.
// Source: wire-protocol.md 8.2.
MUST_CHECK bool link_accept(struct link *link, uint32_t version, const struct pubkey64 *client,
                            bool bound, const struct seckey *own, struct err *err);

// X || Y of a key pair: what `ncry` and `mypb` carry.
struct pubkey64 link_public(const struct seckey *own);

enum link_direction { LINK_TO_DEVICE, LINK_TO_HOST };

// Encrypts or decrypts one whole message in place and moves that direction's stream. The link is
// open.
void link_apply(struct link *link, enum link_direction to, uint8_t *message, size_t len);

// Appends a message as packets (frame_cut), encrypted if asked; the link must then be open.
// False, and no stream has moved, if the writer has no room.
MUST_CHECK bool link_cut(struct link *link, enum link_direction to, struct writer *packets,
                         struct bytes message, bool encrypted);

// Proof of identity (`mitm`): the session key itself is the digest. Header byte 31 + recovery id,
// r, s.
// Fails: as ecdsa_sign_recoverable. The link is open.
// Source: wire-protocol.md 4.6.
MUST_CHECK bool link_prove(uint8_t out[static LINK_PROOF_LEN], const struct link *link,
                           const struct seckey *master, struct err *err);

// The client's check. `master` must come from outside the link to prove anything.
// Fails: ERR_FRAMING "mitm: <n> bytes, not 65"; ERR_AUTH "Possible active MiTM attack in progress!
//        Incorrect signature."
MUST_CHECK bool link_verify(const struct link *link, struct bytes proof,
                            const struct pubkey *master, struct err *err);

#endif
