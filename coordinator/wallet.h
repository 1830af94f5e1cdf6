// coordinator/wallet.h -- a k-of-n wallet: its scripts, addresses and which outputs are its own. Pure.
//
// Ownership is decided by descriptor, never by what a node's listing says.
// Source: coordinator.md A2, D1, D2.
#ifndef CASEMATE_COORDINATOR_WALLET_H
#define CASEMATE_COORDINATOR_WALLET_H
#include "bitcoin/keytable.h"
#include "bitcoin/multisig.h"
#include "bitcoin/tx.h"
#include "coordinator/code.h"

#define WALLET_GAP 1000 // scripts of each branch that are known beyond the highest one used

struct wallet;

struct wallet_text {
    struct bytes name, network, desc_receive,
        desc_change;             // network: main, test, testnet4, signet, regtest
    const char *registered_name; // on the devices; NULL: the name, cut to MS_NAME_MAX characters
};

// Copies what it needs. desc_change may be left empty where desc_receive has both branches as "<0;1>".
// Fails: CODE_BAD_REQUEST "wallet <name>: <what>" for descriptors that are no pair of one k-of-n wallet,
//        wsh(sortedmulti()) or sh(wsh(sortedmulti())), with branches 0 and 1, or of another network.
MUST_CHECK bool wallet_new(struct wallet **out, const struct wallet_text *text, struct err *err);
void wallet_free(struct wallet *wallet); // NULL is fine
void wallet_freep(struct wallet **wallet);

const struct ms_wallet *wallet_keys(const struct wallet *wallet);
const struct chain *wallet_chain(const struct wallet *wallet);
const char *wallet_network(const struct wallet *wallet);
const char *wallet_name(const struct wallet *wallet);

// The descriptor of one branch with its checksum, in the form in which it is given to a node.
struct bytes wallet_descriptor(const struct wallet *wallet, enum ms_branch branch);

struct wallet_place {
    enum ms_branch branch;
    uint32_t index;
};
// Whether the script is the wallet's own, up to WALLET_GAP beyond what wallet_note_used was told.
// Any thread, as all functions here but wallet_free. The first question derives 2 * WALLET_GAP scripts, for some
// tenths of a second.
bool wallet_owns(const struct wallet *wallet, struct bytes script, struct wallet_place *out);
// Extends what is known to WALLET_GAP beyond that place. Past WALLET_INDEX_MAX nothing is: what pays there
// counts as somebody else's, which errs on the side of the cap.
#define WALLET_INDEX_MAX 1000000
void wallet_note_used(const struct wallet *wallet, struct wallet_place place);
// How many places of a branch are known.
uint32_t wallet_known(const struct wallet *wallet, enum ms_branch branch);

// The cosigners' keys that were derived before, for one thread: each spend derives the same few again and again.
// NULL while another thread has them, which costs time and nothing else. To be given back, NULL too.
struct keytable *wallet_take_derived(const struct wallet *wallet);
void wallet_give_derived(const struct wallet *wallet, struct keytable *derived);

// The output script of a place.
MUST_CHECK bool wallet_output_script(struct writer *w, const struct wallet *wallet,
                                     struct wallet_place place, struct err *err);
MUST_CHECK bool wallet_address(struct writer *w, const struct wallet *wallet,
                               struct wallet_place place, struct err *err);

// The chain that a network's name means, or NULL: testnet4 and signet have the address forms of test.
const struct chain *wallet_chain_of(struct bytes network);

// The outflow of a transaction: what its outputs pay to others. Each own output is noted as used.
// False if the sum is more than there can be. Source: coordinator.md 0, D2, D17 37.
MUST_CHECK bool wallet_outflow(const struct wallet *wallet, const struct tx *tx, struct sats *out);

// What registers the wallet on a device (psbt-signing.md 7.4), and what a person keeps off site.
MUST_CHECK bool wallet_registration(struct writer *w, const struct wallet *wallet, struct err *err);

#endif
