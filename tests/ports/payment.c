#include "base/require.h"
#include "tests/ports/box.h"
#include "tests/support/ms_draft.h"

static const struct ms_wallet *wallet_of(struct rig *rig)
{
    return ms_draft_wallet(rig, "Name: treasury\nPolicy: 2 of 3\nFormat: P2WSH\n", 3);
}

const struct ms_wallet *box_wallet(void)
{
    return wallet_of(rig_new());
}

struct bytes box_payment(uint64_t sats, uint32_t salt)
{
    struct rig *rig = rig_new();
    struct draft *d = draft_new();
    const struct ms_wallet *wallet = wallet_of(rig);
    struct writer script = writer_growing(test_arena(), 64);
    struct err err;
    REQUIRE(address_to_script(&script, BYTES(BOX_TO), chain_by_id(CHAIN_XTN), &err));
    // Another amount of the coin is another coin.
    draft_in_ms(d, &(struct ms_place){ wallet, MS_RECEIVE, 0 }, 100000000 + salt);
    draft_pay(d, writer_bytes(&script), sats);
    draft_change_ms(d, &(struct ms_place){ wallet, MS_CHANGE, 0 }, 99999000 + salt - sats);
    return draft_v0(d);
}

bool box_is_signed(struct bytes sent, struct bytes returned)
{
    struct psbt *before = arena_alloc(test_arena(), sizeof *before);
    struct psbt *after = arena_alloc(test_arena(), sizeof *after);
    struct err err;
    REQUIRE(before != NULL && after != NULL);
    if (!psbt_parse(before, sent, test_arena(), &err) ||
        !psbt_parse(after, returned, test_arena(), &err))
        return false;
    const struct hash256 a = tx_txid(&before->tx), b = tx_txid(&after->tx);
    return memcmp(a.b, b.b, sizeof a.b) == 0 && returned.len > sent.len;
}
