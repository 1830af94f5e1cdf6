// bitcoin/chain.c
#include "bitcoin/chain.h"

// Testnet and regtest share their version bytes: a key or base58 address of one reads as the other.
#define TEST_VERSIONS                                                                              \
    .p2pkh_version = 0x6f, .p2sh_version = 0xc4, .wif_version = 0xef, .coin_type = 1,              \
    .xpub_version = { 0x043587cf, 0x044a5262, 0x045f1cf6, 0x024289ef, 0x02575483 },                \
    .xprv_version = { 0x04358394, 0x044a4e28, 0x045f18bc, 0x024285b5, 0x02575048 }

static const struct chain chains[] = {
    [CHAIN_BTC] = {
        .id = CHAIN_BTC, .code = "BTC", .name = "Bitcoin Mainnet", .hrp = "bc",
        .p2pkh_version = 0x00, .p2sh_version = 0x05, .wif_version = 0x80, .coin_type = 0,
        .xpub_version = { 0x0488b21e, 0x049d7cb2, 0x04b24746, 0x0295b43f, 0x02aa7ed3 },
        .xprv_version = { 0x0488ade4, 0x049d7878, 0x04b2430c, 0x0295b005, 0x02aa7a99 },
        .unit_label = { [8] = "BTC", [5] = "mBTC", [2] = "bits", [0] = "sats" },
    },
    [CHAIN_XTN] = {
        .id = CHAIN_XTN, .code = "XTN", .name = "Bitcoin Testnet 4", .hrp = "tb",
        TEST_VERSIONS,
        .unit_label = { [8] = "XTN", [5] = "mXTN", [2] = "bits", [0] = "sats" },
    },
    [CHAIN_XRT] = {
        .id = CHAIN_XRT, .code = "XRT", .name = "Bitcoin Regtest", .hrp = "bcrt",
        TEST_VERSIONS,
        .unit_label = { [8] = "XRT", [5] = "mXRT", [2] = "bits", [0] = "sats" },
    },
};

const struct chain *chain_by_id(enum chain_id id)
{
    return &chains[id];
}

const struct chain *chain_by_code(struct bytes code)
{
    for (size_t i = 0; i < COUNT(chains); i++)
        if (bytes_equal_text(code, chains[i].code))
            return &chains[i];
    return NULL;
}
