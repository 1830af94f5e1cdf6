// cli/signed_text.h -- a signed text as it is passed around, told apart by its form.
//
//   an armoured block                  "-----BEGIN BITCOIN SIGNED MESSAGE-----" ...
//   three parts, as `msg` prints them  text, address, signature, a line each; the text may have more
//                                      and the signature may be one of BIP-322 with its prefix
//   a signed visualisation             the words of a transaction, then a signature by the master key
// Source: cli.md 3.9, 7.1; wire-protocol.md 10; psbt-signing.md 19.
#ifndef CASEMATE_CLI_SIGNED_TEXT_H
#define CASEMATE_CLI_SIGNED_TEXT_H
#include "bitcoin/message.h"

struct signed_text {
    bool is_story;  // a visualisation: no address stands in it
    bool is_bip322; // to be checked by bitcoin/bip322.h
    struct message_armor parts;
};

// Borrows from `text`. Fails: ERR_MALFORMED, as message_armor_parse or "no signature in the last
// line".
MUST_CHECK bool signed_text_read(struct signed_text *out, struct bytes text, struct err *err);

// Whether a signature has a prefix of BIP-322.
bool signed_text_is_bip322(struct bytes signature);

// The master key that signed a visualisation. Fails: ERR_INVALID "Invalid signature for message.",
// ERR_MALFORMED "Parsing signature failed - invalid encoding.".
MUST_CHECK bool signed_text_key(struct pubkey *key, const struct message_armor *story,
                                struct err *err);

#endif
