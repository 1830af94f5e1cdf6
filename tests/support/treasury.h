// tests/support/treasury.h -- a coordinator's wallet with made-up coins, and spends from it.
//
// The cosigners are those of ms_rig.h. All memory is the test's arena, but the wallet, which lives as long
// as the treasury; whatever goes wrong inside stops the test.
#ifndef CASEMATE_TESTS_SUPPORT_TREASURY_H
#define CASEMATE_TESTS_SUPPORT_TREASURY_H
#include "coordinator/build.h"
#include "tests/support/ms_rig.h"
#include "tests/support/treasury_signer.h"

#define TREASURY_MAX 512 // coins, outputs

struct treasury {
    struct wallet *wallet;
    struct coin coin[TREASURY_MAX];
    struct spend_output output[TREASURY_MAX];
    struct outpoint lock[TREASURY_MAX];
    struct coins coins;
    struct spend_outputs outputs;
    struct outpoints locked;
    struct build_limits limits;
    struct build_request request; // 1 sat/vB, change index 0, no second
    struct build build;           // the last
    struct err err;
};
// `form`: "wsh" or "sh(wsh". Free the wallet with treasury_end.
struct treasury *treasury_new(const char *form, size_t m, size_t n);
void treasury_end(struct treasury **t); // for AUTO

// A confirmed coin there.
struct coin *treasury_coin(struct treasury *t, enum ms_branch branch, uint32_t index,
                           uint64_t sats);
// A payment to a P2WPKH of nobody, another for each number; its address.
struct bytes treasury_pay(struct treasury *t, unsigned who, uint64_t sats);
void treasury_lock(struct treasury *t, const struct coin *coin);

bool treasury_build(struct treasury *t);
// Stops the test unless it is built / refused with that code.
#define treasury_builds(t)         assert_int_equal(treasury_result(t), CODE_NONE)
#define treasury_refuses(t, code_) assert_int_equal(treasury_result(t), (code_))
enum code treasury_result(struct treasury *t);

// What cosigner `who` returns for the PSBT that was built, cut down by combine_check.
struct bytes treasury_part(struct treasury *t, size_t who);

// A pseudo-random number below n, by a state of the test's own.
uint64_t treasury_random(uint64_t *state, uint64_t n);

#endif
