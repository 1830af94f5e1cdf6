// bitcoin/keytable.h -- public keys that were derived before, so that the indices in use cost nothing.
//
// (1) Whatever is found here was computed here, from the same parent: key, chain code and number.
// (2) Bounded: what is older makes room. Public data, yet it tells which keys belong together, so it
//     is wiped.
// Source: psbt-signing.md 24 (1, 2).
#ifndef CASEMATE_BITCOIN_KEYTABLE_H
#define CASEMATE_BITCOIN_KEYTABLE_H
#include "bitcoin/hdkey.h"
#include "bitcoin/taproot.h"

// Not for two threads at once.
struct keytable;

struct keytable *keytable_new(void);
void keytable_free(struct keytable *table);   // wipes; NULL is fine
void keytable_freep(struct keytable **table); // for AUTO
// Wipes every derived key; the branches that they were derived from stay.
void keytable_forget(struct keytable *table);

struct known_key {
    struct pubkey key;
    struct point point; // of the same
};

// The key of a normal child; *out is the table's until the next call. Fails: as hdpub_child.
MUST_CHECK bool keytable_child(const struct known_key **out, struct keytable *table,
                               const struct hdpub *parent, uint32_t child, struct err *err);

// The same, of which only the key is wanted. table NULL: nothing is known, and nothing is kept.
MUST_CHECK bool keytable_pubkey(struct pubkey *out, struct keytable *table,
                                const struct hdpub *parent, uint32_t child, struct err *err);

// The key of that child if it is known, else NULL. Changes nothing, so several threads may look at
// once. *last: where its parent was found, for the next look; begins as 0.
const struct known_key *keytable_peek(const struct keytable *table, size_t *last,
                                      const struct hdpub *parent, uint32_t child);

// As taproot_output_key. `table` may be NULL. `path`: where the key is said to be below our master,
// or NULL: if it is there indeed, its point need not be computed from its bytes.
MUST_CHECK bool keytable_output_key(uint8_t out[static XONLY_LEN], struct keytable *table,
                                    const uint8_t internal[static XONLY_LEN],
                                    const struct keypath *path);

// --- Nodes of our master, by path ---

#define KEYTABLE_NODES_MAX 64 // branches 0 and 1 of a few accounts

// NULL: the place is empty.
const struct hdpub *keytable_node(const struct keytable *table, size_t place);
// The node's place, or KEYTABLE_NODES_MAX.
size_t keytable_find_node(const struct keytable *table, const struct keypath *path);
// Puts it in a place of its own, instead of an older one if all are taken.
size_t keytable_put_node(struct keytable *table, const struct keypath *path,
                         const struct hdpub *node);

#endif
