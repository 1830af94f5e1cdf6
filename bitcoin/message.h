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
// 27 to 42. Headers 27 to 30 are P2PKH of the key's uncompressed form.
MUST_CHECK bool message_recover(struct pubkey *key, enum addr_format *format,
                                struct bytes signature, const struct hash256 *digest);

// A signed text as people pass it around. All members borrow.
struct message_armor {
    struct bytes text, address;
    struct bytes signature; // base64
};
void message_armor_write(struct writer *w, const struct message_armor *armor);

// Between six groups of five dashes; what the headings say does not matter. Fails: ERR_MALFORMED
// "Armor text MUST be surrounded by exactly five (5) dashes."
MUST_CHECK bool message_armor_parse(struct message_armor *out, struct bytes text, struct err *err);

// Whether the owner of the address, of any chain, signed the text. A header byte of another address
// format is accepted; *header_matches tells (people see "Specified address format does not match
// signature header byte format.").
// Fails: ERR_MALFORMED "Invalid address format - must be one of p2pkh, p2sh-p2wpkh, or p2wpkh.",
//        "Parsing signature failed - invalid encoding."; ERR_INVALID "Invalid signature for
//        message."
// Source: psbt-signing.md 18.4.
MUST_CHECK bool message_verify(bool *header_matches, const struct message_armor *armor,
                               struct err *err);

#endif
