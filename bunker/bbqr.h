// bunker/bbqr.h -- a file as a series of QR codes, one shown after the other: BBQr.
//
// Each code is text: "B$", the encoding, the file type, how many codes there are and which one this is (two base-36
// digits each), and its part of the file. Ours are in base32 ('2'), whose letters QR codes hold in 5.5 bits each, and of
// about the same length. Every part ends at a whole byte, so that each can be decoded alone.
// Source: the BBQr specification; bunker.md 19.5.
#ifndef CASEMATE_BUNKER_BBQR_H
#define CASEMATE_BUNKER_BBQR_H
#include "base/bytes.h"
#include "base/err.h"
#include "base/writer.h"

#define BBQR_PARTS_MAX 100 // of the 1295 that two digits hold: nobody waits for more
#define BBQR_HEADER    8
#define BBQR_PART_BYTES                                                                            \
    250 // of the file in each code: 408 characters, which a camera reads off a screen
#define BBQR_TEXT_SIZE (BBQR_HEADER + (BBQR_PART_BYTES * 8 + 4) / 5 + 1)

enum bbqr_type { BBQR_PSBT = 'P', BBQR_TRANSACTION = 'T' };

// How many codes a file takes; 0: it is empty, or too large.
size_t bbqr_parts(size_t file_len);

// The text of code number `index`, with a final zero. index < bbqr_parts(file.len).
void bbqr_part(char out[static BBQR_TEXT_SIZE], struct bytes file, enum bbqr_type type,
               size_t index);

#endif
