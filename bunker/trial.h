// bunker/trial.h -- made-up transactions by which a policy is tried on a test chain.
//
// (1) Their inputs do not exist: what is signed here nobody can broadcast. The device cannot know that, and counts what
//     it approves.
// (2) The coins are at m/0/n of the device, and what comes back goes to m/1/0: the master xpub alone tells those keys.
// (3) Never on the main chain, where a habit of signing what "does not count" would be a trap.
// Source: bunker.md 19.5.
#ifndef CASEMATE_BUNKER_TRIAL_H
#define CASEMATE_BUNKER_TRIAL_H
#include "base/json.h"
#include "bitcoin/address.h"
#include "bitcoin/hdkey.h"

#define TRIAL_PAYS_MAX   50
#define TRIAL_INPUTS_MAX 50

struct trial_pay {
    struct bytes script;
    uint64_t sats;
};
struct trial {
    struct trial_pay pays[TRIAL_PAYS_MAX];
    size_t n_pays, n_inputs;
    uint64_t change_sats, fee_sats; // change 0: none
    enum addr_format format;        // of our coins
    uint32_t salt;                  // goes into the made-up coins: no two trials are the same
};

// {"pays": [{"address": "tb1...", "sats": n}], "change": n, "fee": n, "inputs": n, "format": "segwit" | "wrapped" |
// "classic"}. Absent: nothing comes back, no fee, one input, segwit. An empty address is one of nobody.
// *out borrows from the arena.
// Fails: ERR_INVALID for the main chain; ERR_MALFORMED, ERR_LIMIT, ERR_INVALID, each with a sentence for people.
MUST_CHECK bool trial_read(struct trial *out, const struct json *asked, const struct chain *chain,
                           struct arena *arena, struct err *err);

// A version 0 PSBT. master: of the device. Fails: ERR_NO_MEMORY.
MUST_CHECK bool trial_write(struct writer *w, const struct trial *trial, const struct hdpub *master,
                            struct arena *arena, struct err *err);

#endif
