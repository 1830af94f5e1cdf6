// bitcoin/keycache.h -- derives many keys of one master, each shared part of their paths once.
//
// What it remembers lies in guarded memory and is gone when the cache is. Source: psbt-signing.md
// 24 (1).
#ifndef CASEMATE_BITCOIN_KEYCACHE_H
#define CASEMATE_BITCOIN_KEYCACHE_H
#include "bitcoin/hdkey.h"

struct keycache;

// `master` is borrowed until the cache is freed.
struct keycache *keycache_new(const struct hdkey *master);
void keycache_free(struct keycache *cache);   // wipes; NULL is fine
void keycache_freep(struct keycache **cache); // for AUTO

// The key at a path from the master. Fails: as hdkey_derive.
MUST_CHECK bool keycache_derive(struct hdkey *out, struct keycache *cache,
                                const struct keypath *path, struct err *err);

// Its private key alone: to sign with a key whose public side is known. Wipe after use.
MUST_CHECK bool keycache_seckey(struct seckey *out, struct keycache *cache,
                                const struct keypath *path, struct err *err);

#endif
