// tests/chain/scene.h -- a wallet on a real chain with a ledger: what reconcile.h brings together.
//
// Whatever goes wrong inside stops the test.
#ifndef CASEMATE_TESTS_CHAIN_SCENE_H
#define CASEMATE_TESTS_CHAIN_SCENE_H
#include "coordinator/reconcile.h"
#include "tests/chain/regtest.h"
#include "tests/support/coffer.h"
#include "tests/support/ledger_rig.h"

#define COIN 100000000u

struct scene {
    struct regtest *r;
    struct ledger_rig ledger;
    struct coffer *t;
    struct node *node;
    struct sights *sights;
    struct clock clock;
    struct log log;
    struct treasury_wallet wallet;
    struct reconcile_result last;
    struct err err;
};
// 2 of 3, a confirmed coin of `funds` at its first address. Each test has a `which` of its own, as the node's
// chain is the same for all.
struct scene *scene_new(const char *form, size_t which, uint64_t funds);
void scene_end(struct scene **s); // for AUTO
// For what reads the wallet from the ledger.
void scene_write_descriptors(struct scene *s);
void scene_pause_ms(long ms);

// With a struct err of that name: stops the test where the call fails.
#define good(call) assert_good((call), &err, #call)
void assert_good(bool ok, const struct err *err, const char *what);

struct bytes address_at(const struct scene *s, enum ms_branch branch, uint32_t index);
bool passes(struct scene *s); // reconciles once
#define pass(s)                                                                                    \
    do {                                                                                           \
        if (!passes(s))                                                                            \
            fail_msg("line %d: %s", __LINE__, (s)->err.text);                                      \
    } while (0)
struct velocity_view velocity(struct scene *s);

// What is paid next; the final transaction that pays it; sending that.
void pays(struct scene *s, struct bytes address, uint64_t sats);
struct bytes built(struct scene *s);
void sends(struct scene *s, struct bytes raw);

// A spend that the ledger knows, up to its final transaction: signed, not sent.
struct known_spend {
    struct spend spend;
    struct attempt attempt;
};
struct known_spend signed_spend(struct scene *s, uint64_t sats);

#define state_is(s, k, name) assert_spend_state(&(s)->ledger, (k).spend.id, name)

#endif
