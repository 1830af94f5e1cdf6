// bitcoin/bech32.h -- segwit addresses: Bech32 (BIP-173) and Bech32m (BIP-350).
#ifndef CASEMATE_BITCOIN_BECH32_H
#define CASEMATE_BITCOIN_BECH32_H
#include "base/writer.h"

#define BECH32_TEXT_MAX 90

struct segwit_program {
    unsigned version; // 0 to 16
    uint8_t program[40];
    size_t len; // 2 to 40; 20 or 32 for version 0
};

void segwit_write(struct writer *w, const char *hrp, const struct segwit_program *program);

// Any human-readable part, which is returned borrowed from `text` (either case as given).
// False unless BIP-173 and BIP-350 accept the text.
MUST_CHECK bool segwit_read(struct segwit_program *out, struct bytes *hrp, struct bytes text);

// The checksummed container alone, for tests against the official strings: data are 5-bit values.
enum bech32_kind { BECH32_INVALID, BECH32, BECH32M };
enum bech32_kind bech32_decode(struct bytes *hrp, uint8_t data[static BECH32_TEXT_MAX],
                               size_t *n_data, struct bytes text);

#endif
