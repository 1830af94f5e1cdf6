// bitcoin/chain.h -- constants of the three chains.
#ifndef CASEMATE_BITCOIN_CHAIN_H
#define CASEMATE_BITCOIN_CHAIN_H
#include "base/bytes.h"

enum chain_id { CHAIN_BTC, CHAIN_XTN, CHAIN_XRT };

// Which script an extended key's version bytes hint at (SLIP-132).
enum slip132 {
    SLIP132_PLAIN,
    SLIP132_P2SH_P2WPKH,
    SLIP132_P2WPKH,
    SLIP132_P2SH_P2WSH,
    SLIP132_P2WSH
};
#define SLIP132_KINDS 5

struct chain {
    enum chain_id id;
    const char *code; // "BTC", "XTN", "XRT": wire and status texts
    const char *name; // "Bitcoin Mainnet"
    uint8_t p2pkh_version, p2sh_version, wif_version;
    const char *hrp;    // bech32 prefix
    uint32_t coin_type; // BIP-44
    uint32_t xpub_version[SLIP132_KINDS], xprv_version[SLIP132_KINDS];
    const char *unit_label[9]; // by decimals: [8], [5], [2], [0]
};

// Source: psbt-signing.md 4.1.
const struct chain *chain_by_id(enum chain_id id);
const struct chain *chain_by_code(struct bytes code); // NULL if unknown

#endif
