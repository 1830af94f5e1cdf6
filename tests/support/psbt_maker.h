// tests/support/psbt_maker.h -- makes PSBTs that spend invented coins of a test seed.
//
// For tests and the demo: the previous transactions do not exist on any chain.
#ifndef CASEMATE_TESTS_SUPPORT_PSBT_MAKER_H
#define CASEMATE_TESTS_SUPPORT_PSBT_MAKER_H
#include "bitcoin/address.h"
#include "bitcoin/hdkey.h"
#include "bitcoin/sats.h"

// The public test seed of the reference's simulator, fingerprint 0F056943; it never holds value.
#define TEST_SEED_WORDS                                                                            \
    "wife shiver author away frog air rough vanish fantasy frozen noodle athlete pioneer citizen " \
    "symptom firm much faith extend rare axis garment kiwi clarify"
// Its master key: no PBKDF2.
#define TEST_SEED_XPRV                                                                             \
    "tprv8ZgxMBicQKsPeXJHL3vPPgTAEqQ5P2FD9qDeCQT4Cp1EMY5QkwMPWFxHdxHrxZhhcVRJ2m7BNWTz9Xre68y7mX5v" \
    "CdMJ5"                                                                                        \
    "qXMUfnrZ2si2X4"

#define PSBT_MAKER_MAX 1000 // inputs, and outputs

struct maker_input {
    struct keypath path; // m/44h: P2PKH, m/49h: P2SH-P2WPKH, m/84h: P2WPKH
    struct sats amount;
    bool full_prev_tx; // also for segwit, where the witness UTXO alone is usual
};
struct maker_output {
    struct sats amount;
    struct bytes script; // of a payment
    bool is_ours;        // else: `path` says where, and the key path is told to the signer
    struct keypath path;
};
struct psbt_maker {
    struct maker_input in[PSBT_MAKER_MAX];
    size_t n_in;
    struct maker_output out[PSBT_MAKER_MAX];
    size_t n_out;
    uint32_t salt;     // goes into the invented previous transactions, so that two PSBTs differ
    uint32_t locktime; // with sequence fffffffd
};

// Writes a version 0 PSBT. Fails: ERR_UNSUPPORTED for a path of no known purpose, ERR_NO_MEMORY.
MUST_CHECK bool psbt_make(struct writer *w, const struct psbt_maker *maker,
                          const struct hdkey *master, struct arena *arena, struct err *err);

#endif
