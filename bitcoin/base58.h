// bitcoin/base58.h -- Base58 and Base58Check.
//
// The work is quadratic in the length, so both directions are bounded: BASE58_TEXT_MAX digits.
#ifndef CASEMATE_BITCOIN_BASE58_H
#define CASEMATE_BITCOIN_BASE58_H
#include "base/writer.h"

#define BASE58_TEXT_MAX 112 // longest text: extended keys

bool base58_has(uint8_t c); // in the alphabet

// Leading zero bytes are leading 1s. Too long a result makes the writer fail.
void base58_write(struct writer *w, struct bytes in);

// False if the text is longer than BASE58_TEXT_MAX or has a character outside the alphabet; blanks
// are such.
MUST_CHECK bool base58_read(struct writer *w, struct bytes text);

// Payload plus 4-byte checksum as text.
void base58check_write(struct writer *w, struct bytes payload);

// Writes the payload, checksum checked and left out. False if the text is longer than
// BASE58_TEXT_MAX, has a character outside the alphabet, or a wrong checksum; nothing is written
// then.
MUST_CHECK bool base58check_read(struct writer *w, struct bytes text);

#endif
