// bitcoin/psbt.h -- the PSBT container (BIP-174, 370, 371): parsed in place, every field kept.
//
// The PSBT stays one private buffer; fields are slices of it. The container accepts everything that
// the official "valid" vectors hold; the signer's own rules come after (psbt_analyse.h).
// Source: psbt-signing.md 8.
#ifndef CASEMATE_BITCOIN_PSBT_H
#define CASEMATE_BITCOIN_PSBT_H
#include "base/arena.h"
#include "base/err.h"
#include "base/writer.h"
#include "bitcoin/tx.h"

#define PSBT_SIZE_MIN 51
#define PSBT_SIZE_MAX 2097152

// One key-value pair as it stands in the file.
struct psbt_field {
    struct bytes key; // type byte and key data
    struct bytes value;
};
struct psbt_map {
    struct psbt_field *fields; // file order
    size_t n_fields;
};

struct psbt {
    struct bytes raw; // borrowed: must outlive the struct
    uint32_t version; // 0 or 2 (others only when the field says so)
    struct psbt_map global;
    size_t n_in, n_out;
    struct psbt_map *in, *out;
    struct tx tx; // v0: the unsigned transaction; v2: made from the fields, locktime by BIP-370
};

// Fails: ERR_MALFORMED "PSBT parse failed" or ERR_INVALID "Invalid PSBT" with a detail,
//        ERR_NO_MEMORY "Transaction is too complex".
MUST_CHECK bool psbt_parse(struct psbt *out, struct bytes raw, struct arena *arena,
                           struct err *err);

// The bytes it was parsed from, if nothing was changed.
void psbt_write(struct writer *w, const struct psbt *psbt);

// The field with exactly this key, or NULL.
const struct psbt_field *psbt_find(const struct psbt_map *map, struct bytes key);

// How a PSBT file is encoded, by its first bytes: binary, hex (any case, other characters ignored),
// base64 (blanks at the ends ignored). *out is the binary form in the arena.
// Fails: ERR_MALFORMED "not psbt". Source: psbt-signing.md 8.1, cli.md 3.8.
enum psbt_encoding { PSBT_BINARY, PSBT_HEX, PSBT_BASE64 };
MUST_CHECK bool psbt_decode_file(struct bytes *out, enum psbt_encoding *encoding, struct bytes file,
                                 struct arena *arena, struct err *err);

#endif
