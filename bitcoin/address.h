// bitcoin/address.h -- addresses: text of a script, and what a policy may list.
#ifndef CASEMATE_BITCOIN_ADDRESS_H
#define CASEMATE_BITCOIN_ADDRESS_H
#include "base/arena.h"
#include "base/err.h"
#include "bitcoin/chain.h"
#include "bitcoin/script.h"

#define ADDRESS_TEXT_MAX 128 // final zero included

// Address format codes of the wire and of stored wallets. Source: psbt-signing.md 4.2.
enum addr_format {
    ADDR_P2PK = 0x00,
    ADDR_P2PKH = 0x01,
    ADDR_P2WPKH = 0x07,
    ADDR_P2SH = 0x08,
    ADDR_P2WSH = 0x0e,
    ADDR_P2SH_P2WPKH = 0x13,
    ADDR_P2SH_P2WSH = 0x1a,
    ADDR_P2TR = 0x23,
};
const char *addr_format_name(enum addr_format format); // "p2wpkh"
MUST_CHECK bool addr_format_from_name(enum addr_format *out, struct bytes name);

// The script's address on the chain, or false if it has none (shown as hex then).
MUST_CHECK bool address_from_script(struct writer *w, struct bytes script,
                                    const struct chain *chain);

// The address, or the script in lower-case hex. Source: psbt-signing.md 4.4.
void address_or_hex(struct writer *w, struct bytes script, const struct chain *chain);

// The script of a single key in that format: P2PKH, P2WPKH, P2SH_P2WPKH, P2TR (key path, no script
// tree). Fails: ERR_UNSUPPORTED for others.
MUST_CHECK bool address_script_of_key(struct writer *w, const struct pubkey *key,
                                      enum addr_format format, struct err *err);

// The same for a redeem or witness script: P2SH, P2WSH, P2SH_P2WSH.
MUST_CHECK bool address_script_of_script(struct writer *w, struct bytes inner,
                                         enum addr_format format, struct err *err);

// Cleans a whitelist element: base58check below 40 characters as written, segwit in lower case.
// No chain is compared. False if it is no address. Source: policy.md 4.1.
MUST_CHECK bool address_clean(struct writer *w, struct bytes text);

// The script that an address of this chain pays to. Fails: ERR_MALFORMED "<text>: not an address of
// <chain's name>", without the text if it is not printable.
MUST_CHECK bool address_to_script(struct writer *w, struct bytes text, const struct chain *chain,
                                  struct err *err);

#endif
