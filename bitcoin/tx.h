// bitcoin/tx.h -- transactions, parsed in place.
#ifndef CASEMATE_BITCOIN_TX_H
#define CASEMATE_BITCOIN_TX_H
#include "base/arena.h"
#include "base/err.h"
#include "bitcoin/sats.h"
#include "crypto/hash.h"

#define TX_SIZE_MAX 1000000 // without witnesses: consensus

struct outpoint {
    struct hash256 txid; // byte order of the transaction, not of the display
    uint32_t index;
};
struct tx_in {
    struct outpoint prevout;
    struct bytes script_sig;
    uint32_t sequence;
    struct bytes witness; // serialized: count and items; no bytes if none
};
struct tx_out {
    int64_t value; // as written, unchecked
    struct bytes script;
};
struct tx {
    int32_t version;
    uint32_t locktime;
    size_t n_in, n_out;
    struct tx_in *in; // scripts borrow from the parsed bytes
    struct tx_out *out;
    bool has_witness;
};

// Everything, to the last byte. Counts are bounded by the bytes that are there before allocating.
// Counts of 0 are accepted. tx_parse_legacy never takes "00 01" after the version for the mark of
// the witness format: for the unsigned transaction of a PSBT (psbt-signing.md 8.4).
// Fails: ERR_TRUNCATED, ERR_MALFORMED, ERR_LIMIT, ERR_NO_MEMORY.
// Source: BIP-144.
MUST_CHECK bool tx_parse(struct tx *out, struct bytes raw, struct arena *arena, struct err *err);
MUST_CHECK bool tx_parse_legacy(struct tx *out, struct bytes raw, struct arena *arena,
                                struct err *err);

// sha256d without witnesses.
struct hash256 tx_txid(const struct tx *tx);
#define TXID_TEXT_SIZE 65
void txid_to_text(char out[static TXID_TEXT_SIZE], const struct hash256 *txid); // reversed hex

// Legacy form, or with marker and witnesses if any input has one.
void tx_write(struct writer *w, const struct tx *tx);
void tx_write_input(struct writer *w, const struct tx_in *in);
void tx_write_output(struct writer *w, const struct tx_out *out);

#endif
