// coordinator/submit.h -- a request to move money, from what somebody wrote to a spend in the ledger: the same
// for the native API, the seed's routes and the command line.
//
// (1) The coordinator's own list is checked first (C9, C11); an address that is not on it is refused whoever asks.
// (2) A request id belongs to one body for ever: amounts, scripts, tier, fee, time and note are its hash.
// (3) The surge tier waits for another person, and never for who asked (D11).
// Source: coordinator.md D10, D11; F25, F41.
#ifndef CASEMATE_COORDINATOR_SUBMIT_H
#define CASEMATE_COORDINATOR_SUBMIT_H
#include "coordinator/people.h"
#include "coordinator/treasury.h"

#define SUBMIT_OUTPUTS_MAX 100
#define SUBMIT_NOTE_MAX    500
#define SUBMIT_LEAST       546 // sat of an output

struct submission {
    const struct treasury_wallet *wallet;
    struct bytes request_id;
    struct spend_output outputs[SUBMIT_OUTPUTS_MAX];
    size_t n_outputs;
    enum tier tier;
    int64_t not_after_us;
    uint64_t fee_rate; // sat per 1000 vB; 0: the wallet's rules
    struct bytes note;
    bool alone; // compat.demo: no second person for the surge tier
    bool known; // there is a spend of that request id: it is only compared with
};

// 1 to 64 of A-Z a-z 0-9 . _ : -
bool submit_is_request_id(struct bytes text);

// Sets `known` by wallet and request id, before anything else is read: whoever asks again learns what became of the
// spend, though its time has passed or its destination has left the list. "The key is unique per wallet forever."
MUST_CHECK bool submit_recall(struct db *db, struct submission *s, struct arena *arena,
                              struct err *err);

// The destination that a name or an address means, added as an output.
// Fails: CODE_DESTINATION_NOT_ALLOWED, CODE_AMOUNT_OUT_OF_RANGE, CODE_BAD_REQUEST.
MUST_CHECK bool submit_add_output(struct db *db, struct submission *s, struct bytes to,
                                  struct sats amount, struct arena *arena, struct err *err);

// What the ledger is to be asked. person NULL: the coordinator itself, or anonymous in the demo.
struct spend_request submit_request(const struct submission *s, const struct person *person);

// Checks the person's limits, and submits.
// Fails: CODE_FORBIDDEN for what the person may not ask for; CODE_SURGE_REQUIRED; as ledger_submit.
MUST_CHECK bool submit(struct db *db, const struct submission *s, const struct person *person,
                       struct spend *out, bool *is_new, struct arena *arena, struct err *err);

#endif
