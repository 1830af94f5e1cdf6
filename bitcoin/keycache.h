// bitcoin/keycache.h -- derives many keys of one master, each shared part of their paths once.
//
// (1) Private keys lie in guarded memory, readable only while the cache is open, and are gone when it
//     is freed. Their public sides lie outside, so that a proof of known keys opens nothing.
// Kept from request to request, until the signer is locked. Source: psbt-signing.md 24 (1).
#ifndef CASEMATE_BITCOIN_KEYCACHE_H
#define CASEMATE_BITCOIN_KEYCACHE_H
#include "bitcoin/keytable.h"

// Not for two threads at once; two caches are.
struct keycache;

// Copies the master, which stays the caller's to wipe. The cache is closed.
struct keycache *keycache_new(const struct hdkey *master);
void keycache_free(struct keycache *cache);   // wipes; NULL is fine
void keycache_freep(struct keycache **cache); // for AUTO

// Between these two its private keys can be had; psbt_sign opens the cache itself. Calls nest.
void keycache_open(struct keycache *cache);
void keycache_close(struct keycache *cache);

// Public keys that were derived for it, and for others who ask. Freed with the cache.
struct keytable *keycache_table(struct keycache *cache);

// The public key at a path; *out is the cache's until the next call. It opens the cache if it must.
// Fails: as hdkey_derive.
MUST_CHECK bool keycache_public(const struct known_key **out, struct keycache *cache,
                                const struct keypath *path, struct err *err);

// While open: the key at a path from the master. Fails: as hdkey_derive.
MUST_CHECK bool keycache_derive(struct hdkey *out, struct keycache *cache,
                                const struct keypath *path, struct err *err);

// --- Looking without changing anything: several threads may, at the same open cache ---

struct keyview {
    const struct keycache *cache;
    size_t last; // of keytable_peek
};

// The public key at a path if it is known, else NULL.
const struct known_key *keyview_public(struct keyview *view, const struct keypath *path);

// The private key alone: to sign with a key whose public side is known. It is derived from the master
// where its branch was forgotten. Wipe after use. Fails: as hdkey_derive.
MUST_CHECK bool keyview_seckey(struct seckey *out, const struct keyview *view,
                               const struct keypath *path, struct err *err);

#endif
