// bitcoin/hdkey.h -- BIP-32 nodes, private and public.
#ifndef CASEMATE_BITCOIN_HDKEY_H
#define CASEMATE_BITCOIN_HDKEY_H
#include "base/secret.h"
#include "bitcoin/chain.h"
#include "bitcoin/keypath.h"
#include "crypto/ec.h"

// Master fingerprint: first 4 bytes of HASH160 of the master public key, in that order.
struct xfp {
    uint8_t b[4];
};
bool xfp_equal(struct xfp a, struct xfp b);
bool xfp_is_zero(struct xfp xfp);
uint32_t xfp_to_u32(struct xfp xfp); // as the wire counts it: the 4 bytes read little-endian
struct xfp xfp_from_u32(uint32_t value);
#define XFP_TEXT_SIZE 9
void xfp_to_text(char out[static XFP_TEXT_SIZE], struct xfp xfp);  // upper case: people, errors
MUST_CHECK bool xfp_from_text(struct xfp *out, struct bytes text); // 8 hex digits, either case

// Where a key is said to come from: a master and the path below it. A claim until it was derived.
struct key_origin {
    struct xfp xfp;
    struct keypath path;
};

struct hdpub {
    struct pubkey key;
    uint8_t chain_code[32];
    uint8_t depth;
    struct xfp parent;
    uint32_t child; // number, KEYPATH_HARD included
};
// Wipe after use.
struct hdkey {
    struct seckey key;
    struct hdpub pub; // its public side, computed once
};
void hdkey_wipe(struct hdkey *node); // also for AUTO

// BIP-32 master from a seed of 16 to 64 bytes. Fails: ERR_INVALID (1 in 2^127, or length).
MUST_CHECK bool hdkey_from_seed(struct hdkey *out, struct bytes seed, struct err *err);

// One step / a whole path. Fails: ERR_INVALID past depth 255, for an impossible child (do not skip
// to the next index), or a hardened step of a public node.
MUST_CHECK bool hdkey_child(struct hdkey *out, const struct hdkey *parent, uint32_t child,
                            struct err *err);
MUST_CHECK bool hdkey_derive(struct hdkey *out, const struct hdkey *from,
                             const struct keypath *path, struct err *err);
// The private key of a child alone, which spares a point multiplication: to sign with a key whose
// public side is known. Wipe after use.
MUST_CHECK bool hdkey_child_seckey(struct seckey *out, const struct hdkey *parent, uint32_t child,
                                   struct err *err);
MUST_CHECK bool hdpub_child(struct hdpub *out, const struct hdpub *parent, uint32_t child,
                            struct err *err);
// The key of a child alone, of a parent whose key was read before: the cheapest way to a leaf.
MUST_CHECK bool hdpub_child_point(struct point *out, const struct hdpub *parent,
                                  const struct point *parent_point, uint32_t child,
                                  struct err *err);

struct xfp hdpub_xfp(const struct hdpub *node);
bool hdpub_equal(const struct hdpub *a, const struct hdpub *b); // in all that an xpub shows
// The same with the 78 bytes of an xpub of any public version, which need not be read for it.
bool hdpub_equals_bytes(const struct hdpub *node, struct bytes serialized);

// Base58Check text, plain xpub/tpub version of the chain. XPUB_TEXT_SIZE includes the final zero.
#define XPUB_TEXT_SIZE 113
void hdpub_to_text(char out[static XPUB_TEXT_SIZE], const struct hdpub *node,
                   const struct chain *chain);
void hdkey_to_text(char out[static XPUB_TEXT_SIZE], const struct hdkey *node,
                   const struct chain *chain); // wipe the text after use

// Any of the ten public versions. *is_main tells BTC from XTN/XRT. Refuses what BIP-32 vector 5
// lists. Fails: ERR_MALFORMED.
MUST_CHECK bool hdpub_from_text(struct hdpub *out, bool *is_main, struct bytes text,
                                struct err *err);
// The same from the 78 bytes inside.
MUST_CHECK bool hdpub_from_bytes(struct hdpub *out, bool *is_main, struct bytes serialized,
                                 struct err *err);
MUST_CHECK bool hdkey_from_text(struct hdkey *out, bool *is_main, struct bytes text,
                                struct err *err);

// What a person pasted: the first "prv" in the text with the character before it and the base58
// after it, any of the ten private versions. Depth, parent and number are dropped: the node is a
// root. Fails: ERR_MALFORMED "Failed to parse extended private key."
// Source: psbt-signing.md 3.3.
MUST_CHECK bool hdkey_import(struct hdkey *out, bool *is_main, struct bytes text, struct err *err);

#endif
