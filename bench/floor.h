// bench/floor.h -- the library calls that a request cannot do without, in a bare loop.
//
// Warm: per signature, each signing call of the grinding that this digest and key need, and one
// verification; for taproot the key pair, one signature and one verification. Keys are parsed.
// Cold: also, per own key, cosigner's key and change key, the HMAC of its derivation and the public
// tweak; for taproot also the tweak that makes the output's key.
// Source: psbt-signing.md 24.
#ifndef CASEMATE_BENCH_FLOOR_H
#define CASEMATE_BENCH_FLOOR_H
#include "bench/pipeline.h"

struct floor;

// Of a request that has run. In the arena.
struct floor *floor_new(const struct bench_result *result, struct bench_signer *signer,
                        struct arena *arena);
void floor_warm(const struct floor *floor);
void floor_derive(const struct floor *floor); // what cold has besides

size_t floor_sign_calls(const struct floor *floor);
size_t floor_derivations(const struct floor *floor);

#endif
