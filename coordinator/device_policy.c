#include "coordinator/device_policy.h"
#include "base/json.h"
#include "bitcoin/address.h"
#include "policy/canonical.h"
#include "policy/named.h"
#include <inttypes.h>

// --- Making it ---

static bool bad(struct err *err, const char *what)
{
    return code_fail(err, CODE_BAD_REQUEST, "device policy: %s", what);
}

static bool check_tier(const struct device_tier *tier, struct err *err)
{
    if (tier->max_amount.n > SATS_MAX || tier->per_period.n > SATS_MAX)
        return bad(err, "an amount of more than can exist");
    // Of a Coldcard's saved policy a limit of 0 is no limit (policy.md D1).
    if (tier->max_amount.n == 0 || tier->per_period.n == 0)
        return bad(err, "a limit of 0");
    return true;
}

static bool check(const struct device_policy *p, struct err *err)
{
    if (p->period_min < 1 || p->period_min > DEVICE_PERIOD_MAX)
        return bad(err, "the period has 1 to 4320 minutes");
    if (p->wallet == NULL || p->wallet[0] == '\0' || strcmp(p->wallet, "1") == 0)
        return bad(err, "no wallet"); // "1" would mean: no multisig
    if (p->n_whitelist == 0)
        return bad(err, "no address is listed, which would allow any");
    for (size_t i = 0; i < p->n_whitelist; i++) {
        uint8_t mem[128];
        struct writer clean = writer_of(mem, sizeof mem);
        if (!address_clean(&clean, p->whitelist[i]))
            return bad(err, "the list has something that is no address");
    }
    return check_tier(&p->automatic, err) && (!p->has_surge || check_tier(&p->surge, err));
}

static bool is_repeated(const struct device_policy *p, size_t i)
{
    for (size_t j = 0; j < i; j++)
        if (bytes_equal(p->whitelist[i], p->whitelist[j]))
            return true;
    return false;
}

static void put_rule(struct json_writer *j, const struct device_policy *p,
                     const struct device_tier *tier, const char *user)
{
    json_begin_object(j);
    json_key(j, "max_amount");
    json_u64(j, tier->max_amount.n);
    json_key(j, "per_period");
    json_u64(j, tier->per_period.n);
    json_key(j, "wallet");
    json_text(j, p->wallet);
    json_key(j, "whitelist");
    json_begin_array(j);
    for (size_t i = 0; i < p->n_whitelist; i++)
        if (!is_repeated(p, i))
            json_string(j, p->whitelist[i]);
    json_end_array(j);
    if (user != NULL) {
        json_key(j, "users");
        json_begin_array(j);
        json_text(j, user);
        json_end_array(j);
        json_key(j, "min_users");
        json_u64(j, 1);
    }
    json_end_object(j);
}

static void put_word(struct json_writer *j, const char *key, const char *word)
{
    json_key(j, key);
    json_begin_array(j);
    json_text(j, word);
    json_end_array(j);
}

bool device_policy_write(struct writer *w, const struct device_policy *p, struct err *err)
{
    struct json_writer j = json_writer_of(w);
    if (!check(p, err))
        return false;
    json_begin_object(&j);
    json_key(&j, "must_log");
    json_bool(&j, true);
    json_key(&j, "period");
    json_u64(&j, p->period_min);
    put_word(&j, "msg_paths", "any");
    if (p->shares_addresses)
        put_word(&j, "share_addrs", "p2sh");
    if (p->charges_once) {
        json_key(&j, "casemate");
        json_begin_object(&j);
        json_key(&j, "dedupe");
        json_bool(&j, true);
        json_end_object(&j);
    }
    json_key(&j, "rules");
    json_begin_array(&j);
    put_rule(&j, p, &p->automatic, NULL);
    if (p->has_surge)
        put_rule(&j, p, &p->surge, p->user != NULL ? p->user : DEVICE_USER);
    json_end_array(&j);
    json_end_object(&j);
    return !w->failed || bad(err, "too long");
}

// --- Reading one ---

static struct sats limit_of(const struct sats_limit *limit)
{
    return limit->is_set ? limit->max : (struct sats){ SATS_MAX };
}

static bool read_rule(struct device_rule *out, const struct policy *policy, size_t index,
                      struct arena *arena)
{
    const struct rule *rule = &policy->rules[index];
    *out = (struct device_rule){ .is_there = true,
                                 .index = index,
                                 .max_amount = limit_of(&rule->max_amount),
                                 .per_period = limit_of(&rule->per_period),
                                 .whitelist = rule->whitelist,
                                 .n_whitelist = rule->n_whitelist };
    if (rule->n_users > 0)
        out->user = arena_text(arena, rule->users[0]);
    return rule->n_users == 0 || out->user != NULL;
}

bool device_policy_read(struct device_rules *out, struct bytes body, struct arena *arena,
                        struct err *err)
{
    struct policy policy;
    if (!policy_parse_named(&policy, body, arena, err))
        return false;
    *out = (struct device_rules){ .period_min = policy.period_min,
                                  .charges_once = policy.own.dedupe,
                                  .max_refusals = policy_max_refusals(&policy),
                                  .hash = policy_hash(&policy) };
    for (size_t i = 0; i < policy.n_rules; i++) {
        const struct rule *rule = &policy.rules[i];
        struct device_rule *at = rule->n_users == 0 ? &out->automatic : &out->surge;
        if (rule->local_conf || at->is_there)
            continue;
        if (!read_rule(at, &policy, i, arena))
            return err_set(err, ERR_NO_MEMORY, "no memory for the policy");
    }
    return true;
}

// --- The 2/3 rule ---

__extension__ typedef unsigned __int128 product;

// a * b against c * d, where no product fits 64 bits.
static int compare_products(uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    const product left = (product)a * b;
    const product right = (product)c * d;
    return left < right ? -1 : left > right;
}

// The cap for the device's period, G * period / window, rounded up.
static uint64_t cap_in_period(const struct device_share_facts *f)
{
    const uint64_t period_s = (uint64_t)f->period_min * 60;
    const uint64_t window_s = f->window_s > 0 ? (uint64_t)f->window_s : 1;
    const product whole = (product)f->cap.n * period_s;
    const product cap = (whole + window_s - 1) / window_s;
    return cap > UINT64_MAX / 1024 ? UINT64_MAX / 1024 : (uint64_t)cap;
}

enum device_share device_share(const struct device_share_facts *f)
{
    const uint64_t cap = cap_in_period(f);
    const unsigned factor = f->factor > 0 ? f->factor : 2;
    if (compare_products(f->per_period.n, 1, cap, factor) > 0)
        return DEVICE_SHARE_TOO_HIGH;
    if (f->per_period.n > cap)
        return DEVICE_SHARE_HIGH;
    // per_period < (k/n) G, without dividing
    return compare_products(f->per_period.n, f->n, cap, f->k) < 0 ? DEVICE_SHARE_LOW
                                                                  : DEVICE_SHARE_RIGHT;
}

void device_share_write(struct writer *w, const struct device_share_facts *f)
{
    static const char *const tails[] = {
        [DEVICE_SHARE_TOO_HIGH] = "is far above the cap",
        [DEVICE_SHARE_HIGH] =
            "is above the cap: a hostile coordinator could move more than the cap",
        [DEVICE_SHARE_LOW] =
            "is below its share of the cap: signers will refuse before the cap is met",
        [DEVICE_SHARE_RIGHT] = "is right",
    };
    const uint64_t cap = cap_in_period(f);
    writer_printf(w,
                  "per_period %" PRIu64 " sat in %" PRIu32 " min %s (cap in that time: %" PRIu64
                  " sat; %u of %u signers)",
                  f->per_period.n, f->period_min, tails[device_share(f)], cap, f->k, f->n);
}
