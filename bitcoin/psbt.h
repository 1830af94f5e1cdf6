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

#define PSBT_SIZE_MIN 51 // bytes; of an upload, see `badlen`
#define PSBT_SIZE_MAX 2097152

#define PSBT_MAGIC "psbt\xff"

// Field types: the first byte of the key.
enum psbt_global_type {
    PSBT_GLOBAL_UNSIGNED_TX = 0x00,
    PSBT_GLOBAL_XPUB = 0x01,
    PSBT_GLOBAL_TX_VERSION = 0x02,
    PSBT_GLOBAL_FALLBACK_LOCKTIME = 0x03,
    PSBT_GLOBAL_INPUT_COUNT = 0x04,
    PSBT_GLOBAL_OUTPUT_COUNT = 0x05,
    PSBT_GLOBAL_TX_MODIFIABLE = 0x06,
    PSBT_GLOBAL_MESSAGE = 0x09,
    PSBT_GLOBAL_VERSION = 0xfb,
};
enum psbt_in_type {
    PSBT_IN_NON_WITNESS_UTXO = 0x00,
    PSBT_IN_WITNESS_UTXO = 0x01,
    PSBT_IN_PARTIAL_SIG = 0x02,
    PSBT_IN_SIGHASH_TYPE = 0x03,
    PSBT_IN_REDEEM_SCRIPT = 0x04,
    PSBT_IN_WITNESS_SCRIPT = 0x05,
    PSBT_IN_KEY_PATH = 0x06,
    PSBT_IN_FINAL_SCRIPT_SIG = 0x07,
    PSBT_IN_FINAL_WITNESS = 0x08,
    PSBT_IN_PREVIOUS_TXID = 0x0e,
    PSBT_IN_OUTPUT_INDEX = 0x0f,
    PSBT_IN_SEQUENCE = 0x10,
    PSBT_IN_TIME_LOCKTIME = 0x11,
    PSBT_IN_HEIGHT_LOCKTIME = 0x12,
    PSBT_IN_TAP_KEY_SIG = 0x13,
    PSBT_IN_TAP_SCRIPT_SIG = 0x14,
    PSBT_IN_TAP_LEAF_SCRIPT = 0x15,
    PSBT_IN_TAP_KEY_PATH = 0x16,
    PSBT_IN_TAP_INTERNAL_KEY = 0x17,
    PSBT_IN_TAP_MERKLE_ROOT = 0x18,
};
enum psbt_out_type {
    PSBT_OUT_REDEEM_SCRIPT = 0x00,
    PSBT_OUT_WITNESS_SCRIPT = 0x01,
    PSBT_OUT_KEY_PATH = 0x02,
    PSBT_OUT_AMOUNT = 0x03,
    PSBT_OUT_SCRIPT = 0x04,
    PSBT_OUT_TAP_INTERNAL_KEY = 0x05,
    PSBT_OUT_TAP_TREE = 0x06,
    PSBT_OUT_TAP_KEY_PATH = 0x07,
};

// The key of an output's attestation: proprietary, identifier COINKITE, subtype 0, no key data.
#define PSBT_OUT_ATTESTATION_KEY                                                                   \
    "\xfc\x08"                                                                                     \
    "COINKITE"                                                                                     \
    "\x00"
// Likewise subtype 1, which is good in one transaction only. Source: policy.md D26.
#define PSBT_OUT_BOUND_ATTESTATION_KEY                                                             \
    "\xfc\x08"                                                                                     \
    "COINKITE"                                                                                     \
    "\x01"

// One key-value pair as it stands in the file.
struct psbt_field {
    struct bytes key; // type byte and key data
    struct bytes value;
};
struct psbt_map {
    struct psbt_field *fields; // file order; no two keys are equal
    size_t n_fields;
};

struct psbt {
    struct bytes raw; // borrowed: must outlive the struct
    uint32_t version; // 0 or 2
    struct psbt_map global;
    size_t n_in, n_out;
    struct psbt_map *in, *out;
    struct tx tx; // v0: the unsigned transaction; v2: made from the fields, locktime by BIP-370
};

// Each known field has passed the checks of psbt_fields.h. More than PSBT_SIZE_MAX bytes are
// refused; less than PSBT_SIZE_MIN are not, for the official vectors have such.
// Fails: ERR_MALFORMED "PSBT parse failed" or ERR_INVALID "Invalid PSBT" with a detail,
//        ERR_NO_MEMORY "Transaction is too complex".
MUST_CHECK bool psbt_parse(struct psbt *out, struct bytes raw, struct arena *arena,
                           struct err *err);

// The bytes it was parsed from, if nothing was changed.
void psbt_write(struct writer *w, const struct psbt *psbt);
void psbt_write_map(struct writer *w, const struct psbt_map *map); // with the zero byte at its end

// The field with exactly this key, or NULL.
const struct psbt_field *psbt_find(const struct psbt_map *map, struct bytes key);

// The field whose key is the type byte alone, or NULL.
const struct psbt_field *psbt_get(const struct psbt_map *map, uint8_t type);

// The field of that type with this key data, or NULL.
const struct psbt_field *psbt_find_keyed(const struct psbt_map *map, uint8_t type,
                                         struct bytes key_data);

// The next field of that type, whatever its key data; `after` is the one found before, or NULL.
const struct psbt_field *psbt_next(const struct psbt_map *map, uint8_t type,
                                   const struct psbt_field *after);

// The key without its type byte.
struct bytes psbt_key_data(const struct psbt_field *field);

// The number in a 4-byte value.
uint32_t psbt_u32(const struct psbt_field *field);

// How a PSBT file is encoded, by its first bytes: binary, hex (any case, other characters ignored),
// base64 (blanks at the ends ignored). *out is the binary form in the arena, or `file` itself.
// Fails: ERR_MALFORMED "not psbt", ERR_NO_MEMORY. Source: psbt-signing.md 8.1, cli.md 3.8.
enum psbt_encoding { PSBT_BINARY, PSBT_HEX, PSBT_BASE64 };
MUST_CHECK bool psbt_decode_file(struct bytes *out, enum psbt_encoding *encoding, struct bytes file,
                                 struct arena *arena, struct err *err);

#endif
