// coordinator/device_policy.h -- the policy that each signer of a wallet runs: its exact bytes, and what a
// policy's bytes allow. Pure.
//
// (1) The same numbers, names and addresses give the same bytes, so that anybody can make them again and
//     compare the hash that a device shows.
// (2) What a version allows is read from its own bytes with the signer's own parser, whoever wrote them.
// Source: coordinator.md A7, B4, D8; policy.md 2, 7.
#ifndef CASEMATE_COORDINATOR_DEVICE_POLICY_H
#define CASEMATE_COORDINATOR_DEVICE_POLICY_H
#include "bitcoin/sats.h"
#include "coordinator/code.h"
#include "policy/rules.h"

#define DEVICE_PERIOD_MAX 4320    // minutes
#define DEVICE_USER       "owner" // who gives the surge tier's code

// --- Making it ---

struct device_tier {
    struct sats max_amount, per_period;
};
struct device_policy {
    uint32_t period_min; // 1 to DEVICE_PERIOD_MAX
    const char *wallet;  // as registered
    const struct bytes
        *whitelist; // addresses, in this order; one that stands twice is written once
    size_t n_whitelist;
    struct device_tier automatic;
    bool has_surge;
    struct device_tier surge;
    const char *user; // NULL: DEVICE_USER
    // Beyond A7; off, the bytes are the seed's:
    bool shares_addresses; // so that the registered wallet can be proved in HSM mode
    bool charges_once;     // Casemate's `dedupe`: no Coldcard takes it
};
// Fails: CODE_BAD_REQUEST "device policy: <what>" for a period, name, amount or list that no signer takes: no
//        whitelist among them, as that would allow any address.
MUST_CHECK bool device_policy_write(struct writer *w, const struct device_policy *policy,
                                    struct err *err);

// --- Reading one ---

struct device_rule {
    bool is_there;
    size_t index;           // among the policy's rules, as `has_spent` counts them
    struct sats max_amount; // SATS_MAX: no limit
    struct sats per_period; // likewise
    const struct bytes *whitelist;
    size_t n_whitelist; // 0: any address
    const char *user;   // the first of those that must approve; NULL: none
};
struct device_rules {
    struct device_rule automatic; // the first rule that needs no person
    struct device_rule surge;     // the first that needs a user's code and nobody at the device
    unsigned period_min;          // 0: none
    bool charges_once;
    uint64_t max_refusals;
    struct hash256 hash; // as a device shows it
};
// *out lives in the arena. Fails: as policy_parse, but for users and wallets, which are taken to be there.
MUST_CHECK bool device_policy_read(struct device_rules *out, struct bytes body, struct arena *arena,
                                   struct err *err);

// --- The 2/3 rule ---

// "Casemate checks on load: per-device `per_period` between (k/n)*G and G, warning outside, error above a
// configured factor." Any k and n; G over the coordinator's window is taken for the device's period.
enum device_share {
    DEVICE_SHARE_TOO_HIGH, // above `factor` times G: an error
    DEVICE_SHARE_HIGH,     // above G: k hostile signings could move more than the cap
    DEVICE_SHARE_LOW,      // below (k/n) G: honest spending will meet the device's limit first
    DEVICE_SHARE_RIGHT,
};
struct device_share_facts {
    unsigned k, n;
    struct sats cap;  // G
    int64_t window_s; // of the cap
    struct sats per_period;
    uint32_t period_min; // of the device
    unsigned factor;     // 1 or more; 0: 2
};
enum device_share device_share(const struct device_share_facts *facts);
// A sentence for people: "per_period 500000 of 60 min is below 2/3 of the cap: ...".
void device_share_write(struct writer *w, const struct device_share_facts *facts);

#endif
