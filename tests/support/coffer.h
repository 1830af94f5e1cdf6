// tests/support/coffer.h -- a coordinator's wallet with made-up coins, and spends from it.
//
// The cosigners are those of ms_rig.h. All memory is the test's arena, but the wallet, which lives as long
// as the coffer; whatever goes wrong inside stops the test.
#ifndef CASEMATE_TESTS_SUPPORT_COFFER_H
#define CASEMATE_TESTS_SUPPORT_COFFER_H
#include "coordinator/build.h"
#include "tests/support/coffer_signer.h"
#include "tests/support/ms_rig.h"

#define COFFER_MAX 512 // coins, outputs

struct coffer {
    struct wallet *wallet;
    size_t first; // of the cosigners: 0, but for coffer_new_of
    struct coin coin[COFFER_MAX];
    struct spend_output output[COFFER_MAX];
    struct outpoint lock[COFFER_MAX];
    struct coins coins;
    struct spend_outputs outputs;
    struct outpoints locked;
    struct build_limits limits;
    struct build_request request; // 1 sat/vB, change index 0, no second
    struct build build;           // the last
    struct err err;
};
// On network "test", or another. `form`: "wsh" or "sh(wsh". Free the wallet with coffer_end.
struct coffer *coffer_new(const char *form, size_t m, size_t n);
struct coffer *coffer_new_on(const char *network, const char *form, size_t m, size_t n);
// 2 of 3 others: a wallet that differs for every `which` from 0 to 80.
struct coffer *coffer_new_of(const char *network, const char *form, size_t which);
void coffer_end(struct coffer **t); // for AUTO

// A confirmed coin there.
struct coin *coffer_coin(struct coffer *t, enum ms_branch branch, uint32_t index, uint64_t sats);
// A payment to a P2WPKH of nobody, another for each number; its address.
struct bytes coffer_pay(struct coffer *t, unsigned who, uint64_t sats);
void coffer_lock(struct coffer *t, const struct coin *coin);

bool coffer_build(struct coffer *t);
// Stops the test unless it is built / refused with that code.
#define coffer_builds(t)         assert_int_equal(coffer_result(t), CODE_NONE)
#define coffer_refuses(t, code_) assert_int_equal(coffer_result(t), (code_))
enum code coffer_result(struct coffer *t);

// What cosigner `who` returns for the PSBT that was built, cut down by combine_check.
struct bytes coffer_part(struct coffer *t, size_t who);

// A pseudo-random number below n, by a state of the test's own.
uint64_t coffer_random(uint64_t *state, uint64_t n);

#endif
