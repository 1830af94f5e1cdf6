// tests/support/ms_draft.h -- coins, change and cosigners' signatures of multisig wallets in drafts.
//
// The wallets are those of ms_rig.h's cosigners, registered with a rig of psbt_rig.h, whose seed is
// cosigner 0's. Include both sources in the test's build.
#ifndef CASEMATE_TESTS_SUPPORT_MS_DRAFT_H
#define CASEMATE_TESTS_SUPPORT_MS_DRAFT_H
#include "tests/support/ms_rig.h"
#include "tests/support/psbt_rig.h"

// An address of a wallet.
struct ms_place {
    const struct ms_wallet *wallet;
    enum ms_branch branch;
    uint32_t index;
};

// 2 of 3 in each form: what a test registers, or goes through in turn.
enum { MS_HEADS = 3 };
extern const char *const ms_draft_heads[MS_HEADS];
#define NATIVE ms_draft_heads[0]
#define LEGACY ms_draft_heads[1]
#define NESTED ms_draft_heads[2]

// Registers the m of n wallet of the cosigners 0 to n - 1 at MS_RIG_PATH; `head` has the lines before
// the keys.
const struct ms_wallet *ms_draft_wallet(struct rig *rig, const char *head, size_t n);
// The same, its keys in the cosigners' order (P2WSH).
const struct ms_wallet *ms_draft_unsorted(struct rig *rig, size_t m, size_t n);

struct bytes ms_inner_script(const struct ms_place *at); // redeem or witness script
struct bytes ms_output_script_of(const struct ms_place *at);
struct bytes ms_redeem_of_witness(struct bytes witness); // `0020` and its hash

// An input or output with all that belongs to it: UTXO, scripts, and the key path of each cosigner
// in the wallet's order. A script is the last field but the key paths.
struct psbt_map *draft_in_ms(struct draft *d, const struct ms_place *at, uint64_t sats);
struct psbt_map *draft_change_ms(struct draft *d, const struct ms_place *at, uint64_t sats);
// The key paths alone.
void draft_put_ms_paths(struct psbt_map *map, uint8_t type, const struct ms_place *at);
// Key path of one cosigner to a place of any branch and index; `suffix` such as "/0/7".
void draft_put_ms_path(struct psbt_map *map, uint8_t type, size_t who, const char *suffix);

// What the input's coin needs from cosigner `who`: the key and the signature, of that hash type.
struct psbt_new_sig ms_draft_signature(const struct draft *d, size_t input,
                                       const struct ms_place *at, uint64_t sats, size_t who,
                                       uint32_t type);
// The same, put into the input's map.
void draft_sign_ms(struct draft *d, size_t input, const struct ms_place *at, uint64_t sats,
                   size_t who);

#endif
