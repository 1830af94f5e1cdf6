// coordinator/wallet.h -- a k-of-n wallet: its scripts, addresses and which outputs are its own. Pure.
//
// Ownership is decided by descriptor, never by what a node's listing says.
// Source: coordinator.md A2, D1, D2.
#ifndef CASEMATE_COORDINATOR_WALLET_H
#define CASEMATE_COORDINATOR_WALLET_H
#include "bitcoin/multisig.h"
#include "bitcoin/tx.h"
#include "coordinator/code.h"

#define WALLET_GAP 1000 // scripts of each branch that are known beyond the highest one used

struct wallet;

struct wallet_text {
    struct bytes name, network, desc_receive,
        desc_change;             // network: main, test, testnet4, signet, regtest
    const char *registered_name; // on the devices; NULL: name
};

// Copies what it needs. Fails: CODE_BAD_REQUEST "<what> of wallet <name>: ..." for descriptors that are
// no pair of one k-of-n wallet with branches 0 and 1, or of another network.
MUST_CHECK bool wallet_new(struct wallet **out, const struct wallet_text *text, struct err *err);
void wallet_free(struct wallet *wallet); // NULL is fine
void wallet_freep(struct wallet **wallet);

const struct ms_wallet *wallet_keys(const struct wallet *wallet);
const struct chain *wallet_chain(const struct wallet *wallet);
const char *wallet_network(const struct wallet *wallet);

struct wallet_place {
    enum ms_branch branch;
    uint32_t index;
};
// Whether the script is the wallet's own, up to WALLET_GAP beyond what wallet_note_used was told.
// Any thread.
bool wallet_owns(const struct wallet *wallet, struct bytes script, struct wallet_place *out);
void wallet_note_used(struct wallet *wallet, struct wallet_place place);

// The output script of a place.
MUST_CHECK bool wallet_output_script(struct writer *w, const struct wallet *wallet,
                                     struct wallet_place place, struct err *err);
MUST_CHECK bool wallet_address(struct writer *w, const struct wallet *wallet,
                               struct wallet_place place, struct err *err);

// The outflow of a transaction: what its outputs pay to others. Source: coordinator.md 0, D2.
MUST_CHECK bool wallet_outflow(const struct wallet *wallet, const struct tx *tx, struct sats *out);

// What registers the wallet on a device (psbt-signing.md 7.4), and what a person keeps off site.
MUST_CHECK bool wallet_registration(struct writer *w, const struct wallet *wallet, struct err *err);

#endif
