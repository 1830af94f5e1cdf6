// signer/device_wallets.h -- registered multisig wallets: loaded, enrolled on the screen, deleted, in
// store and memory together.
//
// (1) A wallet is registered only by a key at the panel, outside HSM mode.
// Source: psbt-signing.md 7; wire-protocol.md 8.8; policy.md D21.
#ifndef CASEMATE_SIGNER_DEVICE_WALLETS_H
#define CASEMATE_SIGNER_DEVICE_WALLETS_H
#include "bitcoin/multisig_register.h"
#include "signer/device.h"

// Reads the stored wallets anew. Pointers into the list that was there before are void.
// Fails: ERR_MALFORMED "wallet '<name>': <what>", ERR_IO, ERR_NO_MEMORY; the list is empty then.
MUST_CHECK bool device_load_wallets(struct device *device, struct err *err);
void device_forget_wallets(struct device *device);

// Reads a registration text and asks on the screen; OK stores the wallet. The request that is pending
// is discarded. Fails: as ms_register and ms_review; nothing has changed then.
MUST_CHECK bool device_ask_enroll(struct device *device, struct bytes text, struct err *err);

// Asks about the wallet that the pending transaction describes (psbt-signing.md 7.9), named
// PSBT-<M>-of-<N>, with a number behind it if that is taken. The transaction stays pending.
// `answered` is called once. Fails: as device_ask_enroll; it is not called then.
enum wallet_answer {
    WALLET_CREATED,
    WALLET_DECLINED,
    WALLET_DISMISSED, // something else came on the screen
};
typedef void wallet_answer_fn(struct device *device, enum wallet_answer answer);
MUST_CHECK bool device_offer_wallet(struct device *device, struct bytes text,
                                    wallet_answer_fn *answered, struct err *err);

// Fails: ERR_NOT_FOUND, ERR_STATE "in use by policy" for a wallet that a stored policy with
// boot_to_hsm names (policy.md D21), ERR_IO.
MUST_CHECK bool device_delete_wallet(struct device *device, struct bytes name, struct err *err);

#endif
