// bitcoin/base58.h -- Base58Check.
#ifndef CASEMATE_BITCOIN_BASE58_H
#define CASEMATE_BITCOIN_BASE58_H
#include "base/writer.h"

#define BASE58_TEXT_MAX 112 // longest text that is decoded: extended keys

// Payload plus 4-byte checksum as text.
void base58check_write(struct writer *w, struct bytes payload);

// Writes the payload, checksum checked and left out. False if the text is longer than
// BASE58_TEXT_MAX, has a character outside the alphabet, or a wrong checksum.
MUST_CHECK bool base58check_read(struct writer *w, struct bytes text);

#endif
