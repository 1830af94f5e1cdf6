// tests/chain/long_test.c -- what takes minutes: ten thousand payments, a hundred spends.
#include "base/clock.h"
#include "tests/chain/scene.h"

#define PER_TX 1990

static struct bytes own_address(const struct scene *s, uint32_t i)
{
    const enum ms_branch branch = i < 995 ? MS_RECEIVE : MS_CHANGE;
    return address_at(s, branch, 1 + i % 995);
}

// "10 000 dust payments do not change `spent`": nor does a pass take long, nor choosing coins.
TEST(inv_38_ten_thousand_dust_payments)
{
    AUTO(scene_end) struct scene *s = scene_new("wsh", 3, 5 * (uint64_t)COIN);
    struct bytes *dust = arena_array(test_arena(), PER_TX, sizeof *dust);
    pass(s);
    const struct known_spend k = signed_spend(s, COIN);
    sends(s, k.attempt.raw);
    pays(s, regtest_address(s->r), COIN / 2);
    s->t->request.change_index = 9;
    sends(s, built(s));
    for (uint32_t i = 0; i < PER_TX; i++)
        dust[i] = own_address(s, i);
    for (int i = 0; i < 6; i++) {
        regtest_dust(s->r, dust, PER_TX);
        if (i % 2 == 1)
            (void)regtest_mine(s->r, 1);
    }
    // The node's wallet has to read them all; until then it may not answer in time.
    for (int i = 0; i < 20 && !passes(s); i++)
        scene_pause_ms(5000);
    const int64_t before = s->clock.monotonic_ms(&s->clock);
    pass(s);
    print_message("# a pass over %d payments: %lld ms\n", 6 * PER_TX,
                  (long long)(s->clock.monotonic_ms(&s->clock) - before));
    assert_int_equal(velocity(s).sent.n, COIN);
    assert_int_equal(velocity(s).foreign.n, COIN / 2);
    state_is(s, k, "confirmed");
    // The next spend takes none of it, at a rate at which dust costs more than it brings.
    s->t->request.fee_rate = 12000;
    pays(s, regtest_address(s->r), COIN);
    const int64_t choosing = s->clock.monotonic_ms(&s->clock);
    sends(s, built(s));
    print_message("# coins of %zu chosen: %lld ms\n", s->t->coins.n,
                  (long long)(s->clock.monotonic_ms(&s->clock) - choosing));
    assert_true(s->t->build.n_inputs <= 3);
}

// A wallet in use: spend after spend, block by block, with a reorg now and then. In the end the ledger has what
// the chain has.
TEST(inv_35_a_hundred_spends_with_reorgs)
{
    AUTO(scene_end) struct scene *s = scene_new("wsh", 4, 20 * (uint64_t)COIN);
    uint64_t paid = 0;
    pass(s);
    for (unsigned i = 0; i < 100; i++) {
        const uint64_t sats = 100000 + 1000 * i;
        const struct known_spend k = signed_spend(s, sats);
        sends(s, k.attempt.raw);
        paid += sats;
        if (i % 3 == 0)
            pass(s);
        const struct bytes block = regtest_mine(s->r, 1);
        if (i % 10 == 9) {
            pass(s);
            regtest_take_back(s->r, block);
            pass(s);
            state_is(s, k, "sent");
            (void)regtest_mine(s->r, 1);
        }
    }
    (void)regtest_mine(s->r, 6);
    pass(s);
    assert_int_equal(velocity(s).spent.n, paid);
    assert_int_equal(velocity(s).open.n, 0);
    assert_int_equal(rig_number(&s->ledger, "SELECT count(*) FROM spend WHERE state = 'settled'"),
                     100);
    assert_int_equal(rig_number(&s->ledger, "SELECT count(*) FROM foreign_outflow"), 0);
    assert_int_equal(rig_number(&s->ledger, "SELECT count(*) FROM input_lock"), 0);
}
