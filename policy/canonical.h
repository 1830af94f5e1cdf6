// policy/canonical.h -- a policy as bytes: what is hashed, and what is stored.
//
// (1) The canonical form and policy_hash are the reference's, byte for byte.
// (2) The stored form is ours: 0 and unset differ in it, percentages are exact, sl_hash is kept.
//     Reading it back gives the policy that was written.
// Source: policy.md 7 and D7.
#ifndef CASEMATE_POLICY_CANONICAL_H
#define CASEMATE_POLICY_CANONICAL_H
#include "base/writer.h"
#include "bitcoin/chain.h"
#include "policy/rules.h"

#define POLICY_STORED_MAX ((size_t)1 << 20) // bytes; no policy's form is longer

// The reference's saved form: canonical, without sl_hash.
void policy_canonical_write(struct writer *w, const struct policy *policy);

// SHA-256 of the canonical form with sl_hash, if any, as its last key.
struct hash256 policy_hash(const struct policy *policy);

// The hash that a Coldcard shows after its first restart: without sl_hash.
struct hash256 policy_hash_without_locker(const struct policy *policy);

// SHA-256(set_sl || "pepper"). Source: policy.md 7.3.
struct hash256 policy_sl_hash(struct bytes set_sl);

// What policy_hash_full binds beside the policy. Users and wallets that the policy does not name
// are left out of the hash, so the caller may pass all there are, in any order.
struct bound_user {
    struct bytes name;
    unsigned mode;              // 1 TOTP, 2 HOTP, 3 password
    struct hash256 secret_hash; // SHA-256(name || secret)
};
struct bound_wallet {
    struct bytes name;
    struct bytes descriptor; // psbt-signing.md 7.4, branch <0;1>
};
struct policy_bindings {
    const struct chain *chain;
    size_t n_users;
    const struct bound_user *users;
    size_t n_wallets;
    const struct bound_wallet *wallets;
};

// Source: policy.md D7. Fails: ERR_NOT_FOUND naming the user or wallet that is missing.
MUST_CHECK bool policy_hash_full(struct hash256 *out, const struct policy *policy,
                                 const struct policy_bindings *bindings, struct err *err);

// Our stored form.
void policy_store_write(struct writer *w, const struct policy *policy);

// Strict: what is read must be exactly what policy_store_write writes, and pass every check of
// policy_parse, so that a policy whose user was deleted fails to load. Fails: as policy_parse;
//        ERR_MALFORMED "HSM Policy invalid: policy: not our stored form".
MUST_CHECK bool policy_store_read(struct policy *out, struct bytes stored,
                                  const struct policy_world *world, struct arena *arena,
                                  struct err *err);

#endif
