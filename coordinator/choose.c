#include "coordinator/choose.h"
#include <string.h>

enum choose_why choose_judge(const struct candidate *c, struct sats amount)
{
    if (!c->enabled || !c->ready || c->leased || c->cooling || c->excluded ||
        c->refusals >= CHOOSE_REFUSALS_MAX)
        return CHOOSE_NOT_READY;
    if (amount.n > c->max_amount.n)
        return CHOOSE_AMOUNT;
    return amount.n > c->budget.n ? CHOOSE_BUDGET : CHOOSE_ELIGIBLE;
}

// "least signed value in the device window first, then longest idle, then number"
static bool is_before(const struct candidate *a, const struct candidate *b)
{
    if (a->value.n != b->value.n)
        return a->value.n < b->value.n;
    if (a->last_us != b->last_us)
        return a->last_us < b->last_us;
    return a->number < b->number;
}

static void insert(struct choice *out, const struct candidate *all, size_t i)
{
    size_t at = out->n++;
    for (; at > 0 && is_before(&all[i], &all[out->order[at - 1]]); at--)
        out->order[at] = out->order[at - 1];
    out->order[at] = i;
}

static bool shares_domain(const struct candidate *all, const size_t *chosen, size_t n, size_t i)
{
    for (size_t c = 0; c < n; c++)
        if (all[i].domain[0] != '\0' && strcmp(all[chosen[c]].domain, all[i].domain) == 0)
            return true;
    return false;
}

// Moves the best of each failure domain to the front, as many as k; the order among the others stays. If
// there are not k domains, no set is free of pairs, and the rest of the k are simply the best.
static void spread(struct choice *out, const struct candidate *all, size_t k)
{
    for (size_t front = 0; front < k; front++) {
        size_t i = front;
        while (i < out->n && shares_domain(all, out->order, front, out->order[i]))
            i++;
        if (i == out->n)
            return;
        const size_t chosen = out->order[i];
        for (; i > front; i--)
            out->order[i] = out->order[i - 1];
        out->order[front] = chosen;
    }
}

bool choose_signers(struct choice *out, const struct candidate *candidates, size_t n, size_t k,
                    struct sats amount)
{
    *out = (struct choice){ .n = 0 };
    for (size_t i = 0; i < n && i < CHOOSE_MAX; i++) {
        const enum choose_why why = choose_judge(&candidates[i], amount);
        out->n_ready += why != CHOOSE_NOT_READY;
        out->n_amount += why == CHOOSE_BUDGET || why == CHOOSE_ELIGIBLE;
        if (why == CHOOSE_ELIGIBLE)
            insert(out, candidates, i);
    }
    if (out->n < k)
        return false;
    spread(out, candidates, k);
    return true;
}

enum choose_next choose_after(enum refusal_tag tag)
{
    switch (tag) {
    case REFUSAL_VELOCITY:
    case REFUSAL_BUSY:
    case REFUSAL_TIMEOUT:
    case REFUSAL_UNREACHABLE:
    case REFUSAL_LOG:
        return CHOOSE_SUBSTITUTE;
    default: // amount, address, wallet, warning, user; and what D9 does not name: nobody knows that it helps
        return CHOOSE_END;
    }
}

struct sats budget_left(const struct budget *b, int64_t now_us)
{
    if (b->per_period.n >= SATS_MAX)
        return b->per_period;
    if (b->assumed_spent && !b->is_reported)
        return (struct sats){ 0 };
    struct sats spent = b->counted;
    // A period that ended since the report is over, and with it what was spent in it.
    const bool runs = b->is_reported && (b->window_ends_us == 0 || now_us < b->window_ends_us);
    if (runs && !sats_add(&spent, b->reported))
        return (struct sats){ 0 };
    return (struct sats){ spent.n < b->per_period.n ? b->per_period.n - spent.n : 0 };
}
