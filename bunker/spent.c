#include "bunker/spent.h"
#include "base/reader.h"

#define COIN 100000000u

// A decimal amount of coins with at most 8 decimals.
static bool read_coins(struct bytes text, struct sats *out)
{
    struct reader r = reader_of(text);
    uint64_t whole, part = 0;
    if (!reader_decimal64(&r, 21000000, &whole))
        return false;
    if (reader_accept(&r, '.')) {
        const struct bytes digits = reader_digits(&r);
        if (digits.len == 0 || digits.len > 8)
            return false;
        for (size_t i = 0; i < 8; i++)
            part = 10 * part + (i < digits.len ? digits.ptr[i] - (uint64_t)'0' : 0);
    }
    out->n = whole * COIN + part;
    return reader_done(&r);
}

bool spent_cap_of_line(struct bytes line, size_t *rule, struct sats *cap)
{
    static const char mark[] = "Up to ";
    struct reader r = reader_of(bytes_trim(line));
    uint32_t number;
    struct bytes amount;
    if (reader_accept_bytes(&r, BYTES("- ")) && !bytes_starts_with(r.rest, BYTES("Rule #")))
        return false;
    if (!reader_accept_bytes(&r, BYTES("Rule #")) || !reader_decimal(&r, 1000, &number) ||
        !reader_accept_bytes(&r, BYTES(": ")))
        return false;
    const struct bytes rest = reader_rest(&r);
    const uint8_t *at = rest.len > 0 ? memmem(rest.ptr, rest.len, mark, sizeof mark - 1) : NULL;
    if (at == NULL)
        return false;
    r = reader_of(bytes_slice(rest, (size_t)(at - rest.ptr) + sizeof mark - 1, SIZE_MAX));
    struct bytes unit;
    if (!reader_until(&r, ' ', &amount) || !reader_until(&r, ' ', &unit))
        return false;
    *rule = number;
    return bytes_starts_with(reader_rest(&r), BYTES("per period")) && read_coins(amount, cap);
}

static void read_caps(struct spending *s, const struct json *hsm)
{
    const struct json *summary = json_get(hsm, "summary");
    struct bytes line;
    if (summary == NULL || summary->type != JSON_STRING)
        return;
    for (struct reader r = reader_of(summary->text); reader_until(&r, '\n', &line);) {
        size_t rule;
        struct sats cap;
        if (!spent_cap_of_line(line, &rule, &cap) || rule == 0 || rule > SPENT_RULES_MAX)
            continue;
        s->rules[rule - 1].has_cap = true;
        s->rules[rule - 1].cap = cap;
        s->n_rules = rule > s->n_rules ? rule : s->n_rules;
    }
}

static void read_spent(struct spending *s, const struct json *hsm)
{
    const struct json *spent = json_get(hsm, "has_spent");
    size_t i = 0;
    for (const struct json *v = spent != NULL && spent->type == JSON_ARRAY ? spent->items : NULL;
         v != NULL && i < SPENT_RULES_MAX; v = v->next, i++) {
        int64_t sats;
        if (v->type == JSON_NUMBER && json_integer(v, &sats, NULL) && sats >= 0)
            s->rules[i].spent.n = (uint64_t)sats;
    }
    s->n_rules = i > s->n_rules ? i : s->n_rules;
}

static int64_t integer_of(const struct json *hsm, const char *key, int64_t absent)
{
    const struct json *v = json_get(hsm, key);
    int64_t digits;
    unsigned scale;
    if (v == NULL || v->type != JSON_NUMBER || !json_decimal(v, &digits, &scale))
        return absent;
    for (; scale > 0; scale--)
        digits /= 10;
    return digits;
}

// "when the first status after (re)activation shows approvals == 0 and has_spent[i] > 0, that amount is
// presumed ... until the period ends or uptime goes backwards"
static void judge_presumed(struct spending *s, const struct json *hsm)
{
    const uint64_t approvals = (uint64_t)integer_of(hsm, "approvals", 0);
    const int64_t uptime = integer_of(hsm, "uptime", 0);
    const bool began = !s->seen || uptime < s->uptime_s;
    const bool first = began && approvals == 0 && json_get(hsm, "approvals") != NULL;
    for (size_t i = 0; i < SPENT_RULES_MAX; i++) {
        if (began || !s->has_period_end)
            s->baseline[i].n = 0;
        if (first && s->has_period_end && s->rules[i].has_cap)
            s->baseline[i] = s->rules[i].spent;
        const uint64_t most = s->rules[i].spent.n;
        s->rules[i].presumed.n = s->baseline[i].n < most ? s->baseline[i].n : most;
        s->presumed = s->presumed || s->rules[i].presumed.n > 0;
    }
    s->seen = true;
    s->approvals = approvals;
    s->uptime_s = uptime;
}

void spending_update(struct spending *s, const struct json *hsm)
{
    const struct json *active = json_get(hsm, "active");
    const int64_t ends = integer_of(hsm, "period_ends", -1);
    memset(s->rules, 0, sizeof s->rules);
    s->n_rules = 0;
    s->presumed = false;
    s->total.n = 0;
    s->has_period_end = ends >= 0;
    s->period_ends_s = ends >= 0 ? (uint64_t)ends : 0;
    if (active == NULL || active->type != JSON_TRUE) {
        s->seen = false;
        return;
    }
    read_caps(s, hsm);
    read_spent(s, hsm);
    judge_presumed(s, hsm);
    for (size_t i = 0; i < s->n_rules; i++) {
        s->rules[i].rule = i + 1;
        if (s->rules[i].has_cap &&
            !sats_add(&s->total, (struct sats){ s->rules[i].spent.n - s->rules[i].presumed.n }))
            s->total.n = UINT64_MAX;
    }
}

void spending_write(struct json_writer *j, const struct spending *s)
{
    json_begin_array(j);
    for (size_t i = 0; i < s->n_rules; i++) {
        const struct gauge *g = &s->rules[i];
        if (!g->has_cap)
            continue;
        json_begin_object(j);
        json_key(j, "rule");
        json_u64(j, g->rule);
        json_key(j, "cap");
        json_u64(j, g->cap.n);
        json_key(j, "spent");
        json_u64(j, g->spent.n);
        json_key(j, "presumed");
        json_u64(j, g->presumed.n);
        json_end_object(j);
    }
    json_end_array(j);
}
