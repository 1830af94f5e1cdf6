// bitcoin/message.h -- signed text messages ("Bitcoin Signed Message"), BIP-137 headers.
#ifndef CASEMATE_BITCOIN_MESSAGE_H
#define CASEMATE_BITCOIN_MESSAGE_H
#include "bitcoin/address.h"
#include "bitcoin/hdkey.h"

#define MESSAGE_MAX           240 // characters over the wire
#define MESSAGE_BIP322_MAX    330
#define MESSAGE_SIGNATURE_LEN 65

// Text rules in order, with their exact texts. `lines`: tab and LF are allowed too.
// Source: psbt-signing.md 18.1. Fails: ERR_MALFORMED.
MUST_CHECK bool message_check(struct bytes text, size_t max, bool lines, struct err *err);

struct hash256 message_digest(struct bytes text);

// header || r || s; header base 31 (P2PKH), 35 (P2SH-P2WPKH), 39 (P2WPKH). Not ground.
// Fails: ERR_UNSUPPORTED for other formats, ERR_INTERNAL.
MUST_CHECK bool message_sign(uint8_t out[static MESSAGE_SIGNATURE_LEN], const struct seckey *key,
                             enum addr_format format, struct bytes text, struct err *err);

// The key and address format that signed; false if no key can be recovered or the header is outside
// 27 to 42.
MUST_CHECK bool message_recover(struct pubkey *key, enum addr_format *format,
                                struct bytes signature, const struct hash256 *digest);

#endif
