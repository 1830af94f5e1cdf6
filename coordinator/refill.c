#include "coordinator/refill.h"
#include "base/hex.h"
#include "crypto/ec.h"
#include "crypto/hash.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

// --- Reading the rules ---

static bool whole(const struct json *object, const char *key, uint64_t min, uint64_t max,
                  uint64_t *out, struct err *err)
{
    const struct json *v = json_get(object, key);
    int64_t n = 0;
    bool out_of_range;
    if (v == NULL)
        return true;
    if (v->type != JSON_NUMBER || !json_integer(v, &n, &out_of_range) || n < 0 ||
        (uint64_t)n < min || (uint64_t)n > max)
        return code_fail(err, CODE_BAD_REQUEST,
                         "refill: %s: a whole number from %" PRIu64 " to %" PRIu64, key, min, max);
    *out = (uint64_t)n;
    return true;
}

static bool text_of(const struct json *object, const char *key, struct bytes *out, struct err *err)
{
    const struct json *v = json_get(object, key);
    if (v == NULL || v->type != JSON_STRING || v->text.len == 0)
        return code_fail(err, CODE_BAD_REQUEST, "refill: sources: %s: a text is missing", key);
    *out = v->text;
    return true;
}

static bool knows_members(const struct json *object, const char *const *names, size_t n,
                          struct err *err)
{
    for (const struct json *m = object->items; m != NULL; m = m->next) {
        bool found = false;
        for (size_t i = 0; i < n; i++)
            found = found || bytes_equal_text(m->key, names[i]);
        if (!found)
            return code_fail(err, CODE_BAD_REQUEST, "refill: unknown member '%.*s'",
                             BYTES_ARG(bytes_slice(m->key, 0, 64)));
    }
    return true;
}

static bool read_source(struct refill_source *out, const struct json *v, struct err *err)
{
    static const char *const NAMES[] = { "kind", "node", "descriptor", "wallet", "url", "key" };
    struct bytes key = { 0 };
    if (v->type != JSON_OBJECT)
        return code_fail(err, CODE_BAD_REQUEST, "refill: sources: a list of objects");
    if (!knows_members(v, NAMES, COUNT(NAMES), err))
        return false;
    const struct json *kind = json_get(v, "kind");
    if (kind != NULL && json_is_text(kind, "descriptor")) {
        out->kind = SOURCE_DESCRIPTOR;
        return text_of(v, "node", &out->node, err) &&
               text_of(v, "descriptor", &out->descriptor, err);
    }
    if (kind != NULL && json_is_text(kind, "wallet")) {
        out->kind = SOURCE_WALLET;
        return text_of(v, "node", &out->node, err) && text_of(v, "wallet", &out->wallet, err);
    }
    if (kind == NULL || !json_is_text(kind, "https"))
        return code_fail(err, CODE_BAD_REQUEST,
                         "refill: sources: kind: descriptor, wallet or https");
    out->kind = SOURCE_HTTPS;
    if (!text_of(v, "url", &out->url, err) || !text_of(v, "key", &key, err))
        return false;
    if (!bytes_starts_with(out->url, BYTES("https://")))
        return code_fail(err, CODE_BAD_REQUEST, "refill: sources: url: an https:// address");
    return hex_decode(out->key, sizeof out->key, key) ||
           code_fail(err, CODE_BAD_REQUEST, "refill: sources: key: 64 hex digits");
}

static bool read_sources(struct refill_rules *out, const struct json *list, struct err *err)
{
    if (list == NULL || list->type != JSON_ARRAY || list->n_items == 0 ||
        list->n_items > REFILL_SOURCES)
        return code_fail(err, CODE_BAD_REQUEST, "refill: sources: one to %d", REFILL_SOURCES);
    for (const struct json *v = list->items; v != NULL; v = v->next)
        if (!read_source(&out->sources[out->n_sources++], v, err))
            return false;
    return true;
}

static bool read_destinations(struct refill_rules *out, const struct json *list, struct err *err)
{
    if (list == NULL || list->type != JSON_ARRAY || list->n_items == 0 ||
        list->n_items > REFILL_DESTINATIONS)
        return code_fail(err, CODE_BAD_REQUEST, "refill: destinations: one to %d names",
                         REFILL_DESTINATIONS);
    for (const struct json *v = list->items; v != NULL; v = v->next) {
        if (v->type != JSON_STRING || v->text.len == 0)
            return code_fail(err, CODE_BAD_REQUEST, "refill: destinations: names");
        out->destinations[out->n_destinations++] = v->text;
    }
    return true;
}

static bool is_sane(const struct refill_rules *r, struct err *err)
{
    if ((r->target.n == 0) == (r->amount.n == 0))
        return code_fail(err, CODE_BAD_REQUEST, "refill: either target_sat or amount_sat");
    if (r->target.n != 0 && r->target.n <= r->floor.n)
        return code_fail(err, CODE_BAD_REQUEST, "refill: target_sat is not above floor_sat");
    if (r->least.n > r->most.n)
        return code_fail(err, CODE_BAD_REQUEST, "refill: least_sat is above most_sat");
    if (r->amount.n != 0 && (r->amount.n < r->least.n || r->amount.n > r->most.n))
        return code_fail(err, CODE_BAD_REQUEST,
                         "refill: amount_sat is not between least_sat and most_sat");
    if (r->quorum > r->n_sources)
        return code_fail(err, CODE_BAD_REQUEST, "refill: quorum: there are %zu sources",
                         r->n_sources);
    if ((r->drain_count == 0) != (r->drain_s == 0))
        return code_fail(err, CODE_BAD_REQUEST, "refill: drain_count and drain_s go together");
    return true;
}

bool refill_rules_parse(struct refill_rules *out, struct bytes text, struct arena *arena,
                        struct err *err)
{
    static const char *const NAMES[] = {
        "destinations", "floor_sat",  "target_sat", "amount_sat",  "least_sat",
        "most_sat",     "interval_s", "per_day",    "stale_s",     "tolerance_sat",
        "quorum",       "sources",    "drain_s",    "drain_count", "drain_factor_percent",
    };
    const struct json *o;
    *out = (struct refill_rules){ .least = { 546 },
                                  .most = { SATS_MAX },
                                  .interval_s = 600,
                                  .per_day = 24,
                                  .stale_s = 7200,
                                  .quorum = 1 };
    if (!json_parse(&o, text, arena, err) || o->type != JSON_OBJECT)
        return code_fail(err, CODE_BAD_REQUEST, "refill: not a JSON object");
    return knows_members(o, NAMES, COUNT(NAMES), err) &&
           read_destinations(out, json_get(o, "destinations"), err) &&
           read_sources(out, json_get(o, "sources"), err) &&
           whole(o, "floor_sat", 1, SATS_MAX, &out->floor.n, err) &&
           whole(o, "target_sat", 1, SATS_MAX, &out->target.n, err) &&
           whole(o, "amount_sat", 546, SATS_MAX, &out->amount.n, err) &&
           whole(o, "least_sat", 546, SATS_MAX, &out->least.n, err) &&
           whole(o, "most_sat", 546, SATS_MAX, &out->most.n, err) &&
           whole(o, "interval_s", 0, 31536000, &out->interval_s, err) &&
           whole(o, "per_day", 1, 100000, &out->per_day, err) &&
           whole(o, "stale_s", 1, 604800, &out->stale_s, err) &&
           whole(o, "tolerance_sat", 0, SATS_MAX, &out->tolerance.n, err) &&
           whole(o, "quorum", 1, REFILL_SOURCES, &out->quorum, err) &&
           whole(o, "drain_count", 1, 100000, &out->drain_count, err) &&
           whole(o, "drain_s", 1, 31536000, &out->drain_s, err) &&
           whole(o, "drain_factor_percent", 101, 100000, &out->drain_factor, err) &&
           (out->floor.n != 0 ||
            code_fail(err, CODE_BAD_REQUEST, "refill: floor_sat is missing")) &&
           is_sane(out, err);
}

// --- Deciding ---

static struct refill_decision say(enum refill_verdict verdict, struct sats effective,
                                  const char *fmt, ...) PRINTF_LIKE(3, 4);
static struct refill_decision say(enum refill_verdict verdict, struct sats effective,
                                  const char *fmt, ...)
{
    struct refill_decision d = { .verdict = verdict, .effective = effective };
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(d.why, sizeof d.why, fmt, args);
    va_end(args);
    return d;
}

// "they must agree within a tolerance". False: not to be relied on, with the reason.
static bool agreed(const struct refill_rules *r, const struct refill_balance *b,
                   const struct refill_past *past, int64_t now_s, struct sats *out,
                   char why[static 160])
{
    uint64_t n = 0, low = UINT64_MAX, high = 0;
    for (size_t i = 0; i < r->n_sources; i++) {
        if (!b[i].ok)
            continue;
        if (now_s - b[i].time_s > (int64_t)r->stale_s) {
            (void)snprintf(why, 160, "source %zu is %" PRId64 " s old", i + 1, now_s - b[i].time_s);
            return false;
        }
        // It would be paid a second time: a settled refill counts as part of the balance, and only as that.
        if (b[i].height < past->height) {
            (void)snprintf(why, 160, "source %zu has not seen the last refill", i + 1);
            return false;
        }
        n++;
        low = b[i].balance.n < low ? b[i].balance.n : low;
        high = b[i].balance.n > high ? b[i].balance.n : high;
    }
    if (n < r->quorum) {
        (void)snprintf(why, 160, "%" PRIu64 " of %" PRIu64 " balance sources answer", n, r->quorum);
        return false;
    }
    if (high - low > r->tolerance.n) {
        (void)snprintf(why, 160, "sources contradict: %" PRIu64 " and %" PRIu64 " sat", low, high);
        return false;
    }
    // The higher one: what some source has seen arrive is not paid again.
    out->n = high;
    return true;
}

static uint64_t wanted(const struct refill_rules *r, struct sats effective, struct sats cap_room)
{
    uint64_t amount = r->amount.n != 0 ? r->amount.n : r->target.n - effective.n;
    if (amount > r->most.n)
        amount = r->most.n;
    return amount > cap_room.n ? cap_room.n : amount;
}

struct refill_decision refill_decide(const struct refill_rules *rules,
                                     const struct refill_balance *balances,
                                     const struct refill_past *past, struct sats cap_room,
                                     int64_t now_s)
{
    struct sats effective = { 0 };
    char why[160];
    if (past->live)
        return say(REFILL_WAITS, effective, "the refill before is under way");
    if (!agreed(rules, balances, past, now_s, &effective, why))
        return say(REFILL_UNKNOWN, effective, "%s", why);
    if (!sats_add(&effective, past->unsettled))
        return say(REFILL_UNKNOWN, effective, "a balance is more than can exist");
    if (effective.n >= rules->floor.n)
        return say(REFILL_ENOUGH, effective, "%" PRIu64 " sat, floor %" PRIu64, effective.n,
                   rules->floor.n);
    if (rules->drain_count != 0 && past->recent >= rules->drain_count)
        return say(REFILL_DRAINING, effective, "%" PRIu64 " refills within %" PRIu64 " s",
                   past->recent, rules->drain_s);
    if (rules->drain_factor != 0 && past->rate_usual != 0 &&
        past->rate_last / rules->drain_factor > past->rate_usual / 100)
        return say(REFILL_DRAINING, effective,
                   "it empties at %" PRIu64 " sat a day, usual are %" PRIu64, past->rate_last,
                   past->rate_usual);
    if (past->last_s != 0 && now_s - past->last_s < (int64_t)rules->interval_s)
        return say(REFILL_WAITS, effective, "the least interval has not passed");
    if (past->today >= rules->per_day)
        return say(REFILL_WAITS, effective, "%" PRIu64 " refills in the last 24 hours",
                   past->today);
    const uint64_t amount = wanted(rules, effective, cap_room);
    if (amount < rules->least.n)
        return say(REFILL_NO_ROOM, effective, "the cap has room for %" PRIu64 " sat", cap_room.n);
    struct refill_decision d =
        say(REFILL_PAY, effective, "%" PRIu64 " sat, floor %" PRIu64, effective.n, rules->floor.n);
    d.amount.n = amount;
    return d;
}

const char *refill_verdict_name(enum refill_verdict verdict)
{
    static const char *const NAMES[] = {
        "enough", "waits", "no_room", "unknown", "draining", "pay"
    };
    return NAMES[verdict];
}

// --- HTTPS sources ---

bool refill_read_answer(struct refill_balance *out, struct bytes body, struct bytes signature_hex,
                        const uint8_t key[static 32], struct arena *arena, struct err *err)
{
    uint8_t signature[64];
    const struct json *o;
    uint64_t sat = UINT64_MAX, height = UINT64_MAX, time = UINT64_MAX;
    const struct hash256 digest = sha256(body);
    *out = (struct refill_balance){ .ok = false };
    if (!hex_decode(signature, sizeof signature, signature_hex))
        return err_set(err, ERR_AUTH, "the answer is not signed");
    if (!schnorr_verify(signature, key, bytes_of(digest.b, sizeof digest.b)))
        return err_set(err, ERR_AUTH, "the answer's signature is wrong");
    if (!json_parse(&o, body, arena, err) || o->type != JSON_OBJECT)
        return err_set(err, ERR_MALFORMED, "the answer is no JSON object");
    if (!whole(o, "sat", 0, SATS_MAX, &sat, err) ||
        !whole(o, "height", 0, UINT32_MAX, &height, err) ||
        !whole(o, "time", 0, INT64_MAX, &time, err) || sat == UINT64_MAX || height == UINT64_MAX ||
        time == UINT64_MAX)
        return err_set(err, ERR_MALFORMED, "the answer lacks sat, height or time");
    *out = (struct refill_balance){ true, { sat }, (int64_t)time, (uint32_t)height };
    return true;
}
