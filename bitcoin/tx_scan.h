// bitcoin/tx_scan.h -- one pass over a serialized transaction that stores nothing but slices.
//
// For previous transactions, of which only the txid and one output matter: nothing is allocated.
// What is a transaction is for tx_parse to say; this accepts the same.
#ifndef CASEMATE_BITCOIN_TX_SCAN_H
#define CASEMATE_BITCOIN_TX_SCAN_H
#include "base/reader.h"
#include "bitcoin/tx.h"

// All slices borrow from the scanned bytes.
struct tx_scan {
    size_t n_in, n_out;
    struct bytes outputs;          // serialized one after the other, without their count
    struct bytes head, body, tail; // what the txid covers: version; inputs and outputs; locktime
};

// Everything, to the last byte.
// Fails: ERR_TRUNCATED, ERR_MALFORMED, ERR_LIMIT.
MUST_CHECK bool tx_scan(struct tx_scan *out, struct bytes raw, struct err *err);

// sha256d without witnesses.
struct hash256 tx_scan_txid(const struct tx_scan *scan);

// The output at the reader, which moves past it. False, and nothing moved, if none is whole there.
MUST_CHECK bool tx_read_out(struct reader *r, struct tx_out *out);

// The output of that number; false if there is none.
MUST_CHECK bool tx_scan_output(const struct tx_scan *scan, uint32_t index, struct tx_out *out);

#endif
