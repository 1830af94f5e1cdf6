#include "coordinator/coins.h"
#include "tests/support/coffer.h"

static uint64_t sum_of(const struct build *b)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < b->n_inputs; i++)
        sum += b->inputs[i].amount.n;
    return sum;
}

static uint64_t paid(const struct coffer *t)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < t->outputs.n; i++)
        sum += t->output[i].amount.n;
    return sum;
}

static bool uses(const struct build *b, const struct coin *coin)
{
    for (size_t i = 0; i < b->n_inputs; i++)
        if (memcmp(&b->inputs[i].outpoint.txid, &coin->outpoint.txid, 32) == 0 &&
            b->inputs[i].outpoint.index == coin->outpoint.index)
            return true;
    return false;
}

static bool is_anchor_of(const struct build *b, const struct coin *coin)
{
    return memcmp(&b->inputs[0].outpoint.txid, &coin->outpoint.txid, 32) == 0 &&
           b->inputs[0].outpoint.index == coin->outpoint.index;
}

// --- Sizes ---

// Annex: "2-of-3, 1 input, 2 outputs: 189-192 vB", one of them P2WPKH or P2WSH.
TEST(coordinator_annex_sizes)
{
    static const struct {
        const char *form;
        size_t m, n, n_in;
        uint64_t vsize;
    } cases[] = {
        { "wsh", 2, 3, 1, 189 },    // 31 and 43 bytes of outputs
        { "wsh", 1, 2, 1, 163 },    // 4 * 125 + 2 + 2 + 73 + 1 + 71, by four
        { "wsh", 3, 5, 4, 644 },    //
        { "wsh", 15, 15, 1, 529 },  // a script above 252 bytes
        { "sh(wsh", 2, 3, 1, 213 }, // scriptSig, and a shorter change output
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO(coffer_end) struct coffer *t = coffer_new(cases[i].form, cases[i].m, cases[i].n);
        for (size_t k = 0; k < cases[i].n_in; k++)
            (void)coffer_coin(t, MS_RECEIVE, (uint32_t)k, 1000000);
        (void)coffer_pay(t, 1, 1000000 * cases[i].n_in - 400000);
        coffer_builds(t);
        if (t->build.vsize != cases[i].vsize || t->build.fee.n != cases[i].vsize)
            fail_msg("%s %zu of %zu: %llu vB", cases[i].form, cases[i].m, cases[i].n,
                     (unsigned long long)t->build.vsize);
    }
}

TEST(coordinator_D6_fee_of_a_rate_is_rounded_up)
{
    assert_int_equal(coins_fee(1000, 189), 189);
    assert_int_equal(coins_fee(1001, 189), 190);
    assert_int_equal(coins_fee(1, 189), 1);
    assert_int_equal(coins_fee(0, 189), 0);
    assert_int_equal(coins_fee(UINT64_MAX, 2), UINT64_MAX);
    assert_int_equal(coins_fee(UINT64_MAX / 2, 2), UINT64_MAX);
}

// What nodes relay at 3 sat/vB.
TEST(coordinator_D6_dust_by_kind)
{
    static const struct {
        struct bytes script;
        uint64_t sats;
    } cases[] = {
        { BYTES_INIT("\x00\x14"
                     "01234567890123456789"),
          294 },
        { BYTES_INIT("\x00\x20"
                     "01234567890123456789012345678901"),
          330 },
        { BYTES_INIT("\x51\x20"
                     "01234567890123456789012345678901"),
          330 },
        { BYTES_INIT("\x76\xa9\x14"
                     "01234567890123456789"
                     "\x88\xac"),
          546 },
        { BYTES_INIT("\xa9\x14"
                     "01234567890123456789"
                     "\x87"),
          540 },
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(coins_dust(cases[i].script).n, cases[i].sats);
}

// --- Which coins may be spent ---

TEST(coordinator_F29_C16_another_partys_unconfirmed_coin_is_never_spent)
{
    AUTO(coffer_end) struct coffer *t = coffer_new("wsh", 2, 3);
    struct coin *unsafe = coffer_coin(t, MS_RECEIVE, 0, 900000000); // the largest
    struct coin *safe = coffer_coin(t, MS_RECEIVE, 1, 1000000);
    unsafe->confirmations = 0;
    (void)coffer_pay(t, 1, 100000);
    coffer_builds(t);
    assert_true(uses(&t->build, safe));
    assert_false(uses(&t->build, unsafe));
    t->output[0].amount.n = 2000000; // there would be enough
    coffer_refuses(t, CODE_COINS_BUSY);
    t->output[0].amount.n = 2000000000; // there would not
    coffer_refuses(t, CODE_INSUFFICIENT_FUNDS);
}

TEST(coordinator_F29_own_unconfirmed_change_by_its_chain)
{
    static const struct {
        bool allowed, own;
        uint64_t ancestors, descendants;
        bool spent;
    } cases[] = {
        { true, true, 1, 1, true },   { true, true, 19, 1, true },  { true, true, 20, 1, false },
        { true, true, 1, 20, false }, { false, true, 1, 1, false }, // not allowed
        { true, false, 1, 1, false },                               // somebody else's
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO(coffer_end) struct coffer *t = coffer_new("wsh", 2, 3);
        struct coin *coin = coffer_coin(t, MS_CHANGE, 0, 1000000);
        coin->confirmations = 0;
        coin->is_own_change = cases[i].own;
        coin->ancestors = cases[i].ancestors;
        coin->descendants = cases[i].descendants;
        t->limits.spend_own_change = cases[i].allowed;
        (void)coffer_pay(t, 1, 100000);
        if (coffer_build(t) != cases[i].spent)
            fail_msg("case %zu: %s", i, t->err.text);
        if (!cases[i].spent)
            assert_int_equal(code_of(&t->err), CODE_COINS_BUSY);
    }
}

TEST(coordinator_F29_confirmed_coins_come_first)
{
    AUTO(coffer_end) struct coffer *t = coffer_new("wsh", 2, 3);
    struct coin *change = coffer_coin(t, MS_CHANGE, 0, 10000000);
    struct coin *a = coffer_coin(t, MS_RECEIVE, 0, 300000);
    struct coin *b = coffer_coin(t, MS_RECEIVE, 1, 300000);
    change->confirmations = 0;
    change->is_own_change = true;
    (void)coffer_pay(t, 1, 500000);
    coffer_builds(t); // two inputs rather than one that hangs on another transaction
    assert_true(uses(&t->build, a) && uses(&t->build, b) && !uses(&t->build, change));
    t->limits.min_confirmations = 7; // they have 6
    coffer_builds(t);
    assert_true(uses(&t->build, change));
    assert_int_equal(t->build.n_inputs, 1);
}

TEST(inv_7_coins_of_other_spends_are_left_alone)
{
    AUTO(coffer_end) struct coffer *t = coffer_new("wsh", 2, 3);
    struct coin *held = coffer_coin(t, MS_RECEIVE, 0, 1000000);
    struct coin *other = coffer_coin(t, MS_RECEIVE, 1, 2000000);
    coffer_lock(t, held);
    (void)coffer_pay(t, 1, 100000);
    coffer_builds(t);
    assert_true(uses(&t->build, other) && !uses(&t->build, held));
    coffer_lock(t, other);
    coffer_refuses(t, CODE_COINS_BUSY);
}

TEST(coordinator_D6_a_coin_that_is_told_twice_is_spent_once)
{
    AUTO(coffer_end) struct coffer *t = coffer_new("wsh", 2, 3);
    (void)coffer_coin(t, MS_RECEIVE, 0, 100000);
    t->coin[t->coins.n++] = t->coin[0];
    (void)coffer_pay(t, 1, 150000);
    // Together they would look like enough.
    assert_false(coffer_build(t));
    t->output[0].amount.n = 50000;
    t->request.anchor = &t->coin[0].outpoint;
    coffer_builds(t);
    assert_int_equal(t->build.n_inputs, 1);
}

// --- Fees ---

// "The node's default choice may pick a small fragment; the fee is then several percent of everything".
TEST(coordinator_F29_big_fee_trap)
{
    AUTO(coffer_end) struct coffer *t = coffer_new("wsh", 2, 3);
    struct coin *fragment = coffer_coin(t, MS_RECEIVE, 0, 30000);
    struct coin *large = coffer_coin(t, MS_RECEIVE, 1, 50000000);
    t->request.fee_rate = 10000; // 1900 sat: 6 % of the fragment, nothing of the other
    (void)coffer_pay(t, 1, 20000);
    coffer_builds(t);
    assert_true(uses(&t->build, large) && !uses(&t->build, fragment));
    coffer_lock(t, large);
    coffer_refuses(t, CODE_FEE_TOO_HIGH);
}

TEST(inv_10_fee_and_share_are_within_their_limits)
{
    AUTO(coffer_end) struct coffer *t = coffer_new("wsh", 2, 3);
    (void)coffer_coin(t, MS_RECEIVE, 0, 100000000);
    (void)coffer_pay(t, 1, 1000000);
    t->limits.max_fee.n = 188; // of 189
    coffer_refuses(t, CODE_FEE_TOO_HIGH);
    t->limits.max_fee.n = 189;
    coffer_builds(t);
    // Exactly 4 % of all outputs: the last that may be.
    AUTO(coffer_end) struct coffer *u = coffer_new("wsh", 2, 3);
    (void)coffer_coin(u, MS_RECEIVE, 0, 26 * 189 + 189 + 546);
    (void)coffer_pay(u, 1, 546);
    u->limits.min_change.n = 330;
    u->request.fee_rate = 1100; // 208
    coffer_builds(u);
    assert_true(u->build.fee.n * 100 <= (546 + u->build.change.n) * 4);
    u->request.fee_rate = 1200;
    coffer_refuses(u, CODE_FEE_TOO_HIGH);
}

// "No change below 5000 sat: it joins the fee only within the fee limits, else other coins."
TEST(coordinator_F29_no_change_below_5000)
{
    AUTO(coffer_end) struct coffer *t = coffer_new("wsh", 2, 3);
    (void)coffer_coin(t, MS_RECEIVE, 0, 1000000);
    (void)coffer_pay(t, 1, 1000000 - 4000);
    coffer_builds(t);
    assert_int_equal(t->build.n_change, 0);
    assert_int_equal(t->build.fee.n, 4000);
    assert_int_equal(t->build.vsize, 146); // without a change output
    t->output[0].amount.n = 1000000 - 189 - 5000;
    coffer_builds(t);
    assert_int_equal(t->build.n_change, 1);
    assert_int_equal(t->build.change.n, 5000);
    // 4999 would be 7 % of 69 000: another coin.
    AUTO(coffer_end) struct coffer *u = coffer_new("wsh", 2, 3);
    struct coin *tight = coffer_coin(u, MS_RECEIVE, 0, 74000);
    struct coin *wide = coffer_coin(u, MS_RECEIVE, 1, 20000000);
    (void)coffer_pay(u, 1, 69000);
    coffer_builds(u);
    assert_true(uses(&u->build, wide) && !uses(&u->build, tight));
    coffer_lock(u, wide);
    coffer_refuses(u, CODE_FEE_TOO_HIGH);
}

TEST(coordinator_D7_a_replacement_pays_for_what_it_replaces_and_itself)
{
    AUTO(coffer_end) struct coffer *t = coffer_new("wsh", 2, 3);
    struct coin *anchor = coffer_coin(t, MS_RECEIVE, 0, 1000000);
    struct coin *change = coffer_coin(t, MS_CHANGE, 0, 900000); // of what is replaced
    change->confirmations = 0;
    change->is_own_change = true;
    (void)coffer_pay(t, 1, 100000);
    t->request.anchor = &anchor->outpoint;
    coffer_lock(t, anchor); // by this very spend
    t->request.least_fee.n = 500;
    coffer_builds(t);
    assert_int_equal(t->build.fee.n, 500 + 189);
    assert_true(is_anchor_of(&t->build, anchor));
    // Not with a coin that is unconfirmed: BIP-125 rule 2, and here it would even be its own child's.
    t->output[0].amount.n = 1200000;
    coffer_refuses(t, CODE_COINS_BUSY);
    t->request.anchor = &change->outpoint;
    change->outpoint.index = 7; // no such coin
    const struct outpoint gone = { .index = 99 };
    t->request.anchor = &gone;
    coffer_refuses(t, CODE_CONFLICT);
}

TEST(coordinator_D7_void_and_child_send_the_anchor_to_change)
{
    AUTO(coffer_end) struct coffer *t = coffer_new("wsh", 2, 3);
    struct coin *anchor = coffer_coin(t, MS_RECEIVE, 0, 1000000);
    (void)coffer_coin(t, MS_RECEIVE, 1, 1000000);
    t->request.anchor = &anchor->outpoint;
    t->request.everything_to_change = true;
    t->request.second_change_index = 1; // not asked for here
    coffer_builds(t);
    assert_int_equal(t->build.n_inputs, 1);
    assert_int_equal(t->build.n_change, 1);
    assert_int_equal(t->build.change.n, 1000000 - t->build.fee.n);
    anchor->amount.n = 5100; // not enough for itself: another coin helps
    anchor->previous = coffer_coin(t, MS_RECEIVE, 0, 5100)->previous;
    anchor->outpoint = t->coin[2].outpoint;
    coffer_builds(t);
    assert_int_equal(t->build.n_inputs, 2);
    assert_true(is_anchor_of(&t->build, anchor));
}

// --- Change ---

TEST(coordinator_D6_change_is_split_while_coins_are_few)
{
    static const struct {
        size_t n_coins;
        uint64_t pay;
        bool second;
        size_t n_change;
    } cases[] = {
        { 1, 1000000, true, 2 },  { 3, 1000000, true, 2 }, { 5, 1000000, true, 1 }, // four are left
        { 1, 40000000, true, 1 }, // a half could not pay that again
        { 1, 1000000, false, 1 }, // no second address
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO(coffer_end) struct coffer *t = coffer_new("wsh", 2, 3);
        for (size_t k = 0; k < cases[i].n_coins; k++)
            (void)coffer_coin(t, MS_RECEIVE, (uint32_t)k, 100000000);
        (void)coffer_pay(t, 1, cases[i].pay);
        t->request.change_index = 3;
        t->request.second_change_index = cases[i].second ? 4 : UINT32_MAX;
        coffer_builds(t);
        if (t->build.n_change != cases[i].n_change)
            fail_msg("case %zu: %zu", i, t->build.n_change);
        assert_int_equal(sum_of(&t->build), paid(t) + t->build.change.n + t->build.fee.n);
    }
}

TEST(coordinator_D6_small_coins_go_along_while_blocks_are_cheap)
{
    AUTO(coffer_end) struct coffer *t = coffer_new("wsh", 2, 3);
    for (uint32_t k = 0; k < 30; k++)
        (void)coffer_coin(t, MS_RECEIVE, k, 20000 + k);
    (void)coffer_coin(t, MS_RECEIVE, 30, 100000000);
    (void)coffer_pay(t, 1, 1000000);
    coffer_builds(t);
    assert_int_equal(t->build.n_inputs, 11); // ten, the smallest
    assert_true(uses(&t->build, &t->coin[0]) && !uses(&t->build, &t->coin[29]));
    t->limits.consolidate_below = 1000; // the rate is not below
    coffer_builds(t);
    assert_int_equal(t->build.n_inputs, 1);
}

// Device: change above the highest input index by more than 200 is refused; C15.
TEST(coordinator_F28_inv_28_change_index_is_at_most_150_above_the_inputs)
{
    AUTO(coffer_end) struct coffer *t = coffer_new("wsh", 2, 3);
    (void)coffer_coin(t, MS_RECEIVE, 10, 1000000);
    (void)coffer_pay(t, 1, 100000);
    t->request.change_index = 160;
    coffer_builds(t);
    t->request.change_index = 161;
    coffer_refuses(t, CODE_PREFLIGHT_FAILED);
    // A second coin that reaches there is taken, also beside the others.
    struct coin *far = coffer_coin(t, MS_CHANGE, 40, 8000);
    coffer_builds(t);
    assert_true(uses(&t->build, far));
    t->request.second_change_index = 300; // too far for a second one: it is left out
    coffer_builds(t);
    assert_int_equal(t->build.n_change, 1);
}

TEST(coordinator_D6_what_cannot_be_paid)
{
    AUTO(coffer_end) struct coffer *t = coffer_new("wsh", 2, 3);
    (void)coffer_coin(t, MS_RECEIVE, 0, 1000000);
    (void)coffer_pay(t, 1, 293);
    coffer_refuses(t, CODE_AMOUNT_OUT_OF_RANGE);
    t->output[0].amount.n = 294;
    coffer_builds(t);
    t->output[0].script = BYTES("\x6a\x04"
                                "data");
    coffer_refuses(t, CODE_DESTINATION_NOT_ALLOWED);
    t->output[0].script = BYTES("\x51");
    coffer_refuses(t, CODE_DESTINATION_NOT_ALLOWED);
    t->outputs.n = 0;
    for (unsigned i = 0; i < 2; i++)
        (void)coffer_pay(t, i, SATS_MAX);
    coffer_refuses(t, CODE_AMOUNT_OUT_OF_RANGE);
}

TEST(coordinator_D6_at_most_max_inputs)
{
    AUTO(coffer_end) struct coffer *t = coffer_new("wsh", 2, 3);
    for (uint32_t k = 0; k < 20; k++)
        (void)coffer_coin(t, MS_RECEIVE, k, 100000);
    (void)coffer_pay(t, 1, 950000);
    t->limits.max_inputs = 10;
    coffer_builds(t);
    assert_int_equal(t->build.n_inputs, 10);
    t->output[0].amount.n = 1500000;
    coffer_refuses(t, CODE_COINS_BUSY);
}

// --- Properties ---

static void draw_coins(struct coffer *t, uint64_t *state)
{
    const size_t n = 1 + coffer_random(state, 12);
    for (uint32_t k = 0; k < n; k++) {
        // From dust to a few coins, as many of each size.
        const uint64_t amount =
            400 + coffer_random(state, UINT64_C(10) << coffer_random(state, 30));
        struct coin *coin = coffer_coin(t, coffer_random(state, 2) == 0 ? MS_RECEIVE : MS_CHANGE,
                                        (uint32_t)coffer_random(state, 250), amount);
        coin->confirmations = (uint32_t)coffer_random(state, 3);
        coin->is_own_change = coffer_random(state, 2) == 0;
        coin->ancestors = coffer_random(state, 25);
        coin->descendants = coffer_random(state, 25);
        if (coffer_random(state, 5) == 0)
            coffer_lock(t, coin);
    }
}

static bool is_held(const struct coffer *t, const struct coin *coin)
{
    for (size_t i = 0; i < t->locked.n; i++)
        if (memcmp(&t->lock[i].txid, &coin->outpoint.txid, 32) == 0)
            return true;
    return false;
}

static void check_build(const struct coffer *t)
{
    const struct build *b = &t->build;
    const uint64_t outputs = paid(t) + b->change.n;
    assert_int_equal(sum_of(b), outputs + b->fee.n);
    assert_true(b->fee.n >= coins_fee(t->request.fee_rate, b->vsize));
    assert_true(b->fee.n <= t->limits.max_fee.n);
    assert_true(b->fee.n * 100 <= outputs * t->limits.max_fee_percent);
    assert_true(b->n_change == 0 || b->change.n >= b->n_change * t->limits.min_change.n);
    uint32_t highest = 0;
    for (size_t i = 0; i < t->coins.n; i++) {
        const struct coin *coin = &t->coin[i];
        if (!uses(b, coin))
            continue;
        assert_true(coin->confirmations > 0 || coin->is_own_change);
        assert_false(is_held(t, coin));
        if (coin->place.index > highest)
            highest = coin->place.index;
    }
    assert_true(b->n_change == 0 || t->request.change_index <= highest + COINS_CHANGE_GAP);
}

// Where it says that there is not enough, no coins that may be spent are enough.
static void check_refusal(const struct coffer *t)
{
    uint64_t all = 0;
    for (size_t i = 0; i < t->coins.n; i++)
        all += t->coin[i].amount.n;
    if (code_of(&t->err) == CODE_INSUFFICIENT_FUNDS)
        assert_true(all < paid(t) + coins_fee(t->request.fee_rate, 189));
}

TEST(coordinator_D6_property_whatever_is_built_keeps_every_rule)
{
    AUTO(coffer_end) struct coffer *t = coffer_new("wsh", 2, 3);
    uint64_t state = 1;
    size_t n_built = 0;
    for (int round = 0; round < 300; round++) {
        t->coins.n = t->outputs.n = t->locked.n = 0;
        draw_coins(t, &state);
        for (unsigned i = 0; i < 1 + coffer_random(&state, 3); i++)
            (void)coffer_pay(
                t, i, 600 + coffer_random(&state, UINT64_C(10) << coffer_random(&state, 24)));
        t->request.fee_rate = 1000 + coffer_random(&state, 30000);
        t->request.change_index = (uint32_t)coffer_random(&state, 300);
        t->request.second_change_index = t->request.change_index + 1;
        t->limits.consolidate_below = coffer_random(&state, 2) * 50000;
        if (coffer_build(t)) {
            n_built++;
            check_build(t);
            // The order of the coins plays no part.
            const struct hash256 txid = t->build.txid;
            for (size_t i = 0; i < t->coins.n / 2; i++) {
                const struct coin other = t->coin[i];
                t->coin[i] = t->coin[t->coins.n - 1 - i];
                t->coin[t->coins.n - 1 - i] = other;
            }
            coffer_builds(t);
            assert_memory_equal(&t->build.txid, &txid, sizeof txid);
        } else {
            check_refusal(t);
        }
    }
    assert_in_range(n_built, 30, 270); // both happen
}

// Ten thousand payments of dust cost time, not safety: D17 38 is about what counts, this about choosing.
TEST(coordinator_D6_dust_is_passed_over)
{
    AUTO(coffer_end) struct coffer *t = coffer_new("wsh", 2, 3);
    struct coin *many = arena_array(test_arena(), 10001, sizeof *many);
    (void)coffer_coin(t, MS_RECEIVE, 0, 600);
    (void)coffer_coin(t, MS_RECEIVE, 1, 10000000);
    for (uint32_t i = 0; i < 10000; i++) {
        many[i] = t->coin[0];
        many[i].outpoint.index = i;
    }
    many[10000] = t->coin[1];
    const struct coins coins = { many, 10001 };
    t->request.coins = &coins;
    t->request.fee_rate = 5000; // a dust coin costs 525 to spend
    (void)coffer_pay(t, 1, 1000000);
    coffer_builds(t);
    assert_int_equal(t->build.n_inputs, 1);
    t->output[0].amount.n = 12000000; // with all that dust there would be enough
    coffer_refuses(t, CODE_COINS_BUSY);
}
