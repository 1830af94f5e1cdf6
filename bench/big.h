// bench/big.h -- PSBTs of the largest size that a signer takes.
#ifndef CASEMATE_BENCH_BIG_H
#define CASEMATE_BENCH_BIG_H
#include "bench/pipeline.h"

// As W5 and W6, P2PKH with previous transactions of 257 bytes; as W2, with a witness UTXO alone.
#define BIG_LEGACY "2MB"
#define BIG_SEGWIT "2MBw"

// With as many inputs as fit, in the arena. No bytes: the name is neither of the two.
struct bytes big_psbt(const char *name, struct bench_signer *signer, struct arena *arena);

#endif
