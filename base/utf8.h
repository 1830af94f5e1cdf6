// base/utf8.h -- UTF-8 checked and counted.
#ifndef CASEMATE_BASE_UTF8_H
#define CASEMATE_BASE_UTF8_H
#include "base/bytes.h"

// Well formed by RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
bool utf8_is_valid(struct bytes text);

// Code points of a valid text.
size_t utf8_length(struct bytes text);

// The code point of the first character of a valid text that is not empty.
uint32_t utf8_code_point(struct bytes text);

// The longest prefix of a valid text of at most `len` bytes that ends between characters.
struct bytes utf8_cut(struct bytes text, size_t len);

// Makes a text of anything, in place: a byte that is no part of a character becomes "?".
void utf8_clean(uint8_t *text, size_t len);

#endif
