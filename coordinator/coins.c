#include "coordinator/coins.h"
#include "base/require.h"

enum { CONSOLIDATE_MAX = 10 }; // inputs that a spend takes along

// What a set of coins comes to.
enum verdict {
    SHORT,    // not enough
    TOO_MUCH, // the fee is above a limit
    GAP,      // the change index is too far above the inputs'
    FAIR,
    NICE, // besides, the fee is small beside the whole and the change can pay the same again
};

struct set {
    size_t n;
    struct sats sum;
    uint32_t highest; // index
};

struct chooser {
    const struct build_request *request;
    const struct build_limits *limits;
    const struct ms_wallet *keys;
    const struct coin **list; // that may be chosen: the anchor, then the largest first
    size_t n, n_fixed;        // n_fixed: 1 with an anchor
    size_t n_confirmed_left;  // of the wallet, before choosing
    struct sats pay;          // of all outputs
    uint64_t outputs_len, change_len;
    size_t n_out;
    uint64_t input_cost; // at the rate
    enum verdict best;   // of all sets tried
};

struct build_limits build_limits_default(void)
{
    return (struct build_limits){
        .min_confirmations = 1,
        .spend_own_change = true,
        .chain_max = 20,
        .max_fee = { 1000000 },
        .max_fee_percent = 4,
        .min_change = { 5000 },
        .min_coins = 4,
        .consolidate_below = 2000,
        .max_inputs = 100,
    };
}

// --- A set of coins ---

static struct set with(struct set s, const struct coin *coin)
{
    s.n++;
    if (!sats_add(&s.sum, coin->amount))
        s.sum.n = SATS_MAX; // nobody has that: a node's lie, which ends at the previous transaction
    if (coin->place.index > s.highest)
        s.highest = coin->place.index;
    return s;
}

static uint64_t vsize_of(const struct chooser *c, size_t n_in, size_t n_change)
{
    return coins_vsize(c->keys, n_in, c->outputs_len + n_change * c->change_len,
                       c->n_out + n_change);
}

// By the rate; of a replacement at least what it replaces, and its own relay besides.
static uint64_t fee_of(const struct chooser *c, uint64_t vsize)
{
    const uint64_t fee = coins_fee(c->request->fee_rate, vsize);
    if (c->request->least_fee.n == 0)
        return fee;
    const uint64_t least = c->request->least_fee.n + coins_fee(COINS_INCREMENTAL, vsize);
    return fee > least ? fee : least;
}

static bool within_limits(const struct chooser *c, uint64_t fee, uint64_t outputs)
{
    return fee <= c->limits->max_fee.n && fee <= SATS_MAX &&
           fee * 100 <= outputs * c->limits->max_fee_percent;
}

static bool within_gap(const struct chooser *c, const struct set *s, size_t n_change)
{
    const uint64_t highest = (uint64_t)s->highest + COINS_CHANGE_GAP;
    return (n_change < 1 || c->request->change_index <= highest) &&
           (n_change < 2 || c->request->second_change_index <= highest);
}

static enum verdict settle(struct coins_choice *out, const struct chooser *c, const struct set *s,
                           uint64_t fee, uint64_t change, size_t n_change)
{
    const uint64_t outputs = c->pay.n + change;
    out->fee.n = fee;
    out->n_change = n_change;
    out->change[0].n = n_change == 2 ? change - change / 2 : change;
    out->change[1].n = n_change == 2 ? change / 2 : 0;
    out->vsize = vsize_of(c, s->n, n_change);
    if (!within_limits(c, fee, outputs))
        return TOO_MUCH;
    if (!within_gap(c, s, n_change))
        return GAP;
    const bool useful = change == 0 || change >= c->pay.n;
    return useful && fee * 100 <= outputs ? NICE : FAIR;
}

// Fills in everything but the coins.
static enum verdict judge(struct coins_choice *out, const struct chooser *c, const struct set *s,
                          size_t n_change)
{
    const uint64_t fee = fee_of(c, vsize_of(c, s->n, n_change));
    const uint64_t bare = fee_of(c, vsize_of(c, s->n, 0));
    const uint64_t need = c->pay.n;
    if (fee <= SATS_MAX && s->sum.n >= need + fee &&
        s->sum.n - need - fee >= n_change * c->limits->min_change.n)
        return settle(out, c, s, fee, s->sum.n - need - fee, n_change);
    // "No change below 5000 sat: it joins the fee only within the fee limits"
    if (n_change > 1 || need == 0 || bare > SATS_MAX || s->sum.n < need + bare)
        return SHORT;
    return settle(out, c, s, s->sum.n - need, 0, 0);
}

// --- Which set ---

// The first n of the list, where one place is taken by another coin.
static void take(struct coins_choice *out, const struct chooser *c, size_t n, size_t last)
{
    for (size_t i = 0; i + 1 < n; i++)
        out->coins[i] = c->list[i];
    out->coins[n - 1] = c->list[last];
    out->n = n;
}

// With n inputs: the largest but for the last, which is the smallest that makes a nice set, or the largest
// that makes a fair one. Large coins are left for others, and the change is worth having.
static bool try_n(struct coins_choice *out, struct chooser *c, const struct set *base, size_t n)
{
    size_t fair = SIZE_MAX;
    const size_t first = n - 1 < c->n_fixed ? n - 1 : c->n - 1;
    for (size_t last = first + 1; last-- > n - 1;) {
        const struct set s = with(*base, c->list[last]);
        const enum verdict v = judge(out, c, &s, 1);
        if (v > c->best)
            c->best = v;
        if (v == NICE) {
            take(out, c, n, last);
            return true;
        }
        if (v == FAIR)
            fair = last;
    }
    if (fair == SIZE_MAX)
        return false;
    const struct set s = with(*base, c->list[fair]);
    (void)judge(out, c, &s, 1);
    take(out, c, n, fair);
    return true;
}

// "fewest inputs that keep the fee share low and the change useful"
static bool try_all(struct coins_choice *out, struct chooser *c)
{
    struct set base = { 0 };
    for (size_t n = 1; n <= c->n && n <= c->limits->max_inputs; n++) {
        if (try_n(out, c, &base, n))
            return true;
        base = with(base, c->list[n - 1]);
    }
    return false;
}

// --- Which coins may be chosen ---

static bool same_outpoint(const struct outpoint *a, const struct outpoint *b)
{
    return a->index == b->index && memcmp(a->txid.b, b->txid.b, sizeof a->txid.b) == 0;
}

static bool is_locked(const struct build_request *r, const struct coin *coin)
{
    for (size_t i = 0; r->locked != NULL && i < r->locked->n; i++)
        if (same_outpoint(&r->locked->items[i], &coin->outpoint))
            return true;
    return false;
}

static bool is_anchor(const struct build_request *r, const struct coin *coin)
{
    return r->anchor != NULL && same_outpoint(r->anchor, &coin->outpoint);
}

bool coins_is_eligible(const struct coin *coin, const struct build_limits *limits)
{
    if (coin->confirmations > 0)
        return coin->confirmations >= limits->min_confirmations;
    return limits->spend_own_change && coin->is_own_change && coin->ancestors < limits->chain_max &&
           coin->descendants < limits->chain_max;
}

static int compare(const void *a, const void *b)
{
    const struct coin *x = *(const struct coin *const *)a, *y = *(const struct coin *const *)b;
    if (x->amount.n != y->amount.n)
        return x->amount.n > y->amount.n ? -1 : 1;
    const int order = memcmp(x->outpoint.txid.b, y->outpoint.txid.b, sizeof x->outpoint.txid.b);
    return order != 0                               ? order
           : x->outpoint.index < y->outpoint.index  ? -1
           : x->outpoint.index == y->outpoint.index ? 0
                                                    : 1;
}

// BIP-125 rule 2: a replacement brings in no unconfirmed coin of its own.
static bool may_join(const struct chooser *c, const struct coin *coin, bool unconfirmed)
{
    if (is_anchor(c->request, coin))
        return false; // is there already
    return coins_is_eligible(coin, c->limits) && !is_locked(c->request, coin) &&
           (coin->confirmations > 0 || (unconfirmed && c->request->least_fee.n == 0)) &&
           coin->previous.len > 0 &&       // the node gave it for the larger ones
           coin->amount.n > c->input_cost; // a coin that costs more than it brings is no help
}

static bool list_anchor(struct chooser *c, struct err *err)
{
    const struct coins *all = c->request->coins;
    c->n = c->n_fixed = 0;
    for (size_t i = 0; i < all->n && c->n == 0; i++)
        if (is_anchor(c->request, &all->items[i]))
            c->list[c->n++] = &all->items[i];
    c->n_fixed = c->n;
    return c->request->anchor == NULL || c->n == 1 ||
           code_fail(err, CODE_CONFLICT, "the anchor is not among the wallet's coins");
}

// A coin that the caller names twice is one coin.
static size_t drop_doubles(const struct coin **list, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || !same_outpoint(&list[kept - 1]->outpoint, &list[i]->outpoint))
            list[kept++] = list[i];
    return kept;
}

static bool list(struct chooser *c, bool unconfirmed, struct err *err)
{
    const struct coins *all = c->request->coins;
    if (!list_anchor(c, err))
        return false;
    for (size_t i = 0; i < all->n; i++)
        if (may_join(c, &all->items[i], unconfirmed))
            c->list[c->n++] = &all->items[i];
    qsort(c->list + c->n_fixed, c->n - c->n_fixed, sizeof c->list[0], compare);
    c->n = c->n_fixed + drop_doubles(c->list + c->n_fixed, c->n - c->n_fixed);
    return true;
}

// --- What becomes of the rest ---

static bool is_chosen(const struct coins_choice *choice, const struct coin *coin)
{
    for (size_t i = 0; i < choice->n; i++)
        if (choice->coins[i] == coin)
            return true;
    return false;
}

// Confirmed coins of use that stay in the wallet.
static size_t count_left(const struct chooser *c, const struct coins_choice *choice)
{
    size_t n = 0;
    for (size_t i = 0; i < c->n; i++)
        n += c->list[i]->confirmations > 0 && c->list[i]->amount.n >= c->limits->min_change.n &&
             !is_chosen(choice, c->list[i]);
    return n;
}

static struct set set_of(const struct coins_choice *choice)
{
    struct set s = { 0 };
    for (size_t i = 0; i < choice->n; i++)
        s = with(s, choice->coins[i]);
    return s;
}

// Small confirmed coins go along while blocks are cheap, as long as plenty stay.
static void consolidate(struct coins_choice *choice, const struct chooser *c)
{
    size_t left = count_left(c, choice), added = 0;
    if (c->request->fee_rate >= c->limits->consolidate_below || c->request->anchor != NULL ||
        choice->n_change != 1)
        return;
    for (size_t i = c->n; i-- > 0 && added < CONSOLIDATE_MAX && left > 2 * c->limits->min_coins &&
                          choice->n < c->limits->max_inputs;) {
        struct coins_choice more = *choice;
        if (c->list[i]->confirmations == 0 || is_chosen(choice, c->list[i]))
            continue;
        more.coins[more.n++] = c->list[i];
        const struct set s = set_of(&more);
        if (judge(&more, c, &s, 1) < FAIR || more.n_change != 1)
            continue;
        *choice = more;
        left -= c->list[i]->amount.n >= c->limits->min_change.n;
        added++;
    }
}

// "keep at least min_confirmed_coins (4) coins by splitting change into two when short, so that a burst
// does not hang on one chain": halves that can each pay the same again.
static void split(struct coins_choice *choice, const struct chooser *c)
{
    struct coins_choice two = *choice;
    const struct set s = set_of(choice);
    if (c->request->second_change_index == UINT32_MAX || choice->n_change != 1 ||
        c->request->everything_to_change || count_left(c, choice) + 1 >= c->limits->min_coins)
        return;
    if (judge(&two, c, &s, 2) >= FAIR && two.n_change == 2 && two.change[1].n >= c->pay.n &&
        two.change[1].n >= 2 * c->limits->min_change.n)
        *choice = two;
}

// --- Why not ---

static bool no_coins(const struct chooser *c, struct err *err)
{
    const uint64_t fee = fee_of(c, vsize_of(c, 1, c->pay.n > 0 ? 0 : 1));
    struct set all = { 0 };
    if (c->best == TOO_MUCH || fee > c->limits->max_fee.n)
        return code_fail(err, CODE_FEE_TOO_HIGH,
                         "the fee would be above its limit of %u %% or %llu sat",
                         c->limits->max_fee_percent, (unsigned long long)c->limits->max_fee.n);
    if (c->best == GAP)
        return code_fail(err, CODE_PREFLIGHT_FAILED,
                         "change index %u is more than %u above the highest of the inputs",
                         c->request->change_index, COINS_CHANGE_GAP);
    for (size_t i = 0; i < c->request->coins->n; i++)
        all = with(all, &c->request->coins->items[i]);
    return all.sum.n >= c->pay.n && all.sum.n - c->pay.n >= fee
               ? code_fail(err, CODE_COINS_BUSY,
                           "there would be enough, but in use, unconfirmed or in coins too small")
               : code_fail(err, CODE_INSUFFICIENT_FUNDS, "the wallet does not have that much");
}

// --- The request ---

static bool add_output(struct chooser *c, const struct spend_output *output, struct err *err)
{
    const enum script_kind kind = script_classify(output->script);
    if (kind == SCRIPT_UNKNOWN || kind == SCRIPT_OP_RETURN || kind == SCRIPT_P2PK)
        return code_fail(err, CODE_DESTINATION_NOT_ALLOWED,
                         "a destination's script is of no kind that is paid");
    if (output->amount.n < coins_dust(output->script).n)
        return code_fail(err, CODE_AMOUNT_OUT_OF_RANGE, "%llu sat is dust",
                         (unsigned long long)output->amount.n);
    if (!sats_add(&c->pay, output->amount))
        return code_fail(err, CODE_AMOUNT_OUT_OF_RANGE, "more than there can be");
    c->outputs_len += 8 + 1 + output->script.len; // no paid script is above 252 bytes
    c->n_out++;
    return true;
}

size_t coins_n_outputs(const struct build_request *request)
{
    return request->everything_to_change || request->outputs == NULL ? 0 : request->outputs->n;
}

static bool read_request(struct chooser *c, const struct build_request *r, struct err *err)
{
    *c = (struct chooser){ .request = r, .limits = r->limits, .keys = wallet_keys(r->wallet) };
    const size_t n_out = coins_n_outputs(r);
    REQUIRE(n_out > 0 || r->everything_to_change);
    c->change_len = 8 + 1 + (c->keys->format == ADDR_P2SH_P2WSH ? 23 : 34);
    c->input_cost =
        coins_fee(r->fee_rate, coins_vsize(c->keys, 2, 0, 1) - coins_vsize(c->keys, 1, 0, 1));
    for (size_t i = 0; i < n_out; i++)
        if (!add_output(c, &r->outputs->items[i], err))
            return false;
    return true;
}

bool coins_choose(struct coins_choice *out, const struct build_request *request,
                  struct arena *arena, struct err *err)
{
    struct chooser c;
    if (!read_request(&c, request, err))
        return false;
    *out = (struct coins_choice){ 0 };
    c.list = arena_array(arena, request->coins->n + 1, sizeof c.list[0]);
    out->coins = arena_array(arena, request->coins->n + 1, sizeof out->coins[0]);
    if (c.list == NULL || out->coins == NULL)
        return err_set(err, ERR_NO_MEMORY, "too many coins");
    // Confirmed ones first: what is unconfirmed hangs on what it came from.
    for (int unconfirmed = 0; unconfirmed < 2; unconfirmed++) {
        if (!list(&c, unconfirmed == 1, err))
            return false;
        if (try_all(out, &c)) {
            consolidate(out, &c);
            split(out, &c);
            return true;
        }
    }
    return no_coins(&c, err);
}
