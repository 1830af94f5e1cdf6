#include "bitcoin/sats.h"
#include "bitcoin/chain.h"
#include "tests/support/test.h"
#include <inttypes.h>

// The table of policy.md 4.2, and the fixed forms of the same amounts.
static const struct {
    uint64_t amount;
    const char *fixed[4], *short_form[4]; // 8, 5, 2 and 0 decimals
} cases[] = {
    { 0,
      { "0.00000000 BTC", "0.00000 mBTC", "0.00 bits", "0 sats" },
      { "0 BTC", "0 mBTC", "0 bits", "0 sats" } },
    { 1,
      { "0.00000001 BTC", "0.00001 mBTC", "0.01 bits", "1 sats" },
      { "0.00000001 BTC", "0.00001 mBTC", "0.01 bits", "1 sats" } },
    { 10,
      { "0.00000010 BTC", "0.00010 mBTC", "0.10 bits", "10 sats" },
      { "0.0000001 BTC", "0.0001 mBTC", "0.1 bits", "10 sats" } },
    { 150000,
      { "0.00150000 BTC", "1.50000 mBTC", "1500.00 bits", "150000 sats" },
      { "0.0015 BTC", "1.5 mBTC", "1500 bits", "150000 sats" } },
    { 100000000,
      { "1.00000000 BTC", "1000.00000 mBTC", "1000000.00 bits", "100000000 sats" },
      { "1 BTC", "1000 mBTC", "1000000 bits", "100000000 sats" } },
    { 123456789,
      { "1.23456789 BTC", "1234.56789 mBTC", "1234567.89 bits", "123456789 sats" },
      { "1.23456789 BTC", "1234.56789 mBTC", "1234567.89 bits", "123456789 sats" } },
    { 1000000001, // zeros inside are kept
      { "10.00000001 BTC", "10000.00001 mBTC", "10000000.01 bits", "1000000001 sats" },
      { "10.00000001 BTC", "10000.00001 mBTC", "10000000.01 bits", "1000000001 sats" } },
    { 2100000000000000,
      { "21000000.00000000 BTC", "21000000000.00000 mBTC", "21000000000000.00 bits",
        "2100000000000000 sats" },
      { "21000000 BTC", "21000000000 mBTC", "21000000000000 bits", "2100000000000000 sats" } },
};
static const enum unit units[4] = { UNIT_COIN, UNIT_MILLI, UNIT_BITS, UNIT_SATS };

TEST(psbt_signing_27_12_amounts_in_four_units)
{
    const struct chain *btc = chain_by_id(CHAIN_BTC);
    for (size_t i = 0; i < COUNT(cases); i++)
        for (size_t u = 0; u < COUNT(units); u++) {
            const struct sats amount = { cases[i].amount };
            char mem[64];
            struct writer w = writer_of(mem, sizeof mem);
            sats_write_fixed(&w, amount, btc, units[u]);
            assert_bytes_text(writer_bytes(&w), cases[i].fixed[u]);
            w = writer_of(mem, sizeof mem);
            sats_write_short(&w, amount, btc, units[u]);
            assert_bytes_text(writer_bytes(&w), cases[i].short_form[u]);
        }
}

TEST(the_number_stands_alone)
{
    char mem[64];
    struct writer w = writer_of(mem, sizeof mem);
    sats_write_short_number(&w, (struct sats){ 2500000 }, UNIT_COIN);
    assert_bytes_text(writer_bytes(&w), "0.025");
}

TEST(psbt_signing_27_12_labels_follow_the_chain)
{
    static const struct {
        enum chain_id chain;
        const char *label[4];
    } labels[] = {
        { CHAIN_BTC, { "BTC", "mBTC", "bits", "sats" } },
        { CHAIN_XTN, { "XTN", "mXTN", "bits", "sats" } },
        { CHAIN_XRT, { "XRT", "mXRT", "bits", "sats" } },
    };
    for (size_t i = 0; i < COUNT(labels); i++)
        for (size_t u = 0; u < COUNT(units); u++)
            assert_string_equal(unit_label(chain_by_id(labels[i].chain), units[u]),
                                labels[i].label[u]);
}

TEST(a_sum_never_exceeds_what_can_exist)
{
    static const struct {
        uint64_t sum, more;
        bool fits;
    } sums[] = {
        { 0, 0, true },
        { 1, 2, true },
        { SATS_MAX, 0, true },
        { 0, SATS_MAX, true },
        { SATS_MAX - 1, 1, true },
        { SATS_MAX, 1, false },
        { 1, SATS_MAX, false },
        { 0, SATS_MAX + 1, false },
        { 1, UINT64_MAX, false }, // would wrap to 0
        { UINT64_MAX, 1, false },
        { SATS_MAX + 1, 0, false },
    };
    for (size_t i = 0; i < COUNT(sums); i++) {
        struct sats sum = { sums[i].sum };
        assert_int_equal(sats_add(&sum, (struct sats){ sums[i].more }), sums[i].fits);
        assert_int_equal(sum.n, sums[i].fits ? sums[i].sum + sums[i].more : sums[i].sum);
    }
}
