#include "coordinator/device_policy.h"
#include "base/hex.h"
#include "tests/support/test.h"

#define SINK  "tb1qq5zs2pg9q5zs2pg9q5zs2pg9q5zs2pg9lm9x7g"
#define OTHER "tb1q49n66nhqj3sm8efw3wj23gpnwsn0vzqgezq2da"

static const struct bytes list[] = { BYTES_INIT(SINK), BYTES_INIT(OTHER) };

// The seed's numbers (A1).
static struct device_policy seed_policy(void)
{
    return (struct device_policy){ .period_min = 60,
                                   .wallet = "hsm",
                                   .whitelist = list,
                                   .n_whitelist = 2,
                                   .automatic = { { 8000 }, { 500000 } },
                                   .has_surge = true,
                                   .surge = { { 200000 }, { 2000000 } } };
}

static struct bytes made_of(const struct device_policy *p)
{
    struct writer w = writer_growing(test_arena(), 65536);
    struct err err;
    if (!device_policy_write(&w, p, &err))
        fail_msg("%s", err.text);
    return writer_bytes(&w);
}

#define SEED_BYTES                                                                                 \
    "{\"must_log\": true, \"period\": 60, \"msg_paths\": [\"any\"], \"rules\": [{\"max_amount\": " \
    "8000, \"per_period\": 500000, \"wallet\": \"hsm\", \"whitelist\": [\"" SINK "\", \"" OTHER    \
    "\"]}, {\"max_amount\": 200000, \"per_period\": 2000000, \"wallet\": \"hsm\", "                \
    "\"whitelist\": [\"" SINK "\", \"" OTHER "\"], \"users\": [\"owner\"], \"min_users\": 1}]}"

TEST(coordinator_F7_two_tier_policy_byte_for_byte)
{
    struct device_policy p = seed_policy();
    assert_bytes_text(made_of(&p), SEED_BYTES);
    assert_bytes_equal(made_of(&p), made_of(&p));
    p.has_surge = false;
    p.n_whitelist = 1;
    assert_bytes_text(made_of(&p),
                      "{\"must_log\": true, \"period\": 60, \"msg_paths\": [\"any\"], \"rules\": "
                      "[{\"max_amount\": 8000, \"per_period\": 500000, \"wallet\": \"hsm\", "
                      "\"whitelist\": [\"" SINK "\"]}]}");
    p.shares_addresses = p.charges_once = true;
    assert_bytes_text(made_of(&p),
                      "{\"must_log\": true, \"period\": 60, \"msg_paths\": [\"any\"], "
                      "\"share_addrs\": [\"p2sh\"], \"casemate\": {\"dedupe\": true}, \"rules\": "
                      "[{\"max_amount\": 8000, \"per_period\": 500000, \"wallet\": \"hsm\", "
                      "\"whitelist\": [\"" SINK "\"]}]}");
}

TEST(coordinator_F7_listed_once)
{
    static const struct bytes twice[] = { BYTES_INIT(SINK), BYTES_INIT(SINK), BYTES_INIT(OTHER) };
    struct device_policy p = seed_policy();
    p.whitelist = twice;
    p.n_whitelist = 3;
    assert_bytes_text(made_of(&p), SEED_BYTES);
}

TEST(coordinator_F7_what_no_signer_should_get)
{
    static const struct bytes nonsense[] = { BYTES_INIT("not an address") };
    static const struct {
        struct device_policy p;
        const char *text;
    } rows[] = {
        { { .period_min = 0 }, "device policy: the period has 1 to 4320 minutes" },
        { { .period_min = 4321 }, "device policy: the period has 1 to 4320 minutes" },
        { { .period_min = 1 }, "device policy: no wallet" },
        { { .period_min = 1, .wallet = "1" }, "device policy: no wallet" },
        { { .period_min = 1, .wallet = "w" },
          "device policy: no address is listed, which would allow any" },
        { { .period_min = 1, .wallet = "w", .whitelist = nonsense, .n_whitelist = 1 },
          "device policy: the list has something that is no address" },
        { { .period_min = 1, .wallet = "w", .whitelist = list, .n_whitelist = 1 },
          "device policy: a limit of 0" },
        { { .period_min = 1,
            .wallet = "w",
            .whitelist = list,
            .n_whitelist = 1,
            .automatic = { { SATS_MAX + 1 }, { 1 } } },
          "device policy: an amount of more than can exist" },
        { { .period_min = 1,
            .wallet = "w",
            .whitelist = list,
            .n_whitelist = 1,
            .automatic = { { 1 }, { 1 } },
            .has_surge = true },
          "device policy: a limit of 0" },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct writer w = writer_growing(test_arena(), 65536);
        struct err err;
        assert_false(device_policy_write(&w, &rows[i].p, &err));
        assert_string_equal(err.text, rows[i].text);
        assert_int_equal(code_of(&err), CODE_BAD_REQUEST);
    }
}

// What is written is what is read, and the hash is the one that a device shows.
TEST(coordinator_F7_read_back)
{
    const struct device_policy p = seed_policy();
    struct device_rules rules;
    struct err err;
    if (!device_policy_read(&rules, made_of(&p), test_arena(), &err))
        fail_msg("%s", err.text);
    assert_int_equal(rules.period_min, 60);
    assert_true(rules.automatic.is_there && rules.surge.is_there);
    assert_int_equal(rules.automatic.index, 0);
    assert_int_equal(rules.surge.index, 1);
    assert_int_equal(rules.automatic.max_amount.n, 8000);
    assert_int_equal(rules.automatic.per_period.n, 500000);
    assert_int_equal(rules.surge.max_amount.n, 200000);
    assert_int_equal(rules.surge.per_period.n, 2000000);
    assert_null(rules.automatic.user);
    assert_string_equal(rules.surge.user, "owner");
    assert_int_equal(rules.surge.n_whitelist, 2);
    assert_bytes_text(rules.surge.whitelist[0], SINK);
    assert_int_equal(rules.max_refusals, 100);
    assert_false(rules.charges_once);
    // The canonical form of policy.md 7, hashed beside this test.
    const char canonical[] =
        "{\"must_log\": true, \"msg_paths\": [\"any\"], \"period\": 60, \"rules\": "
        "[{\"per_period\": 500000, \"max_amount\": 8000, \"whitelist\": [\"" SINK "\", \"" OTHER
        "\"], \"wallet\": \"hsm\"}, {\"per_period\": 2000000, \"max_amount\": 200000, \"users\": "
        "[\"owner\"], \"min_users\": 1, \"whitelist\": [\"" SINK "\", \"" OTHER
        "\"], \"wallet\": \"hsm\"}]}";
    const struct hash256 expected = sha256(bytes_of_text(canonical));
    assert_memory_equal(rules.hash.b, expected.b, sizeof expected.b);
}

// Policies of other hands: what has no limit, what needs somebody at the device, users only.
TEST(coordinator_F7_policies_of_others)
{
    struct device_rules rules;
    struct err err;
    assert_true(device_policy_read(
        &rules,
        BYTES("{\"rules\": [{\"local_conf\": true}, {\"users\": [\"a\", \"b\"], \"min_users\": 2}, "
              "{\"max_amount\": 5}, {}], \"casemate\": {\"dedupe\": true, \"max_refusals\": 7}}"),
        test_arena(), &err));
    assert_int_equal(rules.surge.index, 1);
    assert_int_equal(rules.surge.max_amount.n, SATS_MAX);
    assert_int_equal(rules.surge.n_whitelist, 0);
    assert_string_equal(rules.surge.user, "a");
    assert_int_equal(rules.automatic.index, 2);
    assert_int_equal(rules.automatic.max_amount.n, 5);
    assert_int_equal(rules.automatic.per_period.n, SATS_MAX);
    assert_true(rules.charges_once);
    assert_int_equal(rules.max_refusals, 7);
    assert_true(device_policy_read(&rules, BYTES("{\"rules\": []}"), test_arena(), &err));
    assert_false(rules.automatic.is_there || rules.surge.is_there);
    assert_false(device_policy_read(&rules, BYTES("{\"rulez\": []}"), test_arena(), &err));
    assert_err(&err, ERR_INVALID, "HSM Policy invalid: policy: Unknown item: rulez");
}

TEST(coordinator_F47_share_of_each_device)
{
    static const struct {
        struct device_share_facts f;
        enum device_share share;
    } rows[] = {
        // 2 of 3, G = 50,000 in 60 min: 33,333.33 to 50,000
        { { 2, 3, { 50000 }, 3600, { 33333 }, 60, 0 }, DEVICE_SHARE_LOW },
        { { 2, 3, { 50000 }, 3600, { 33334 }, 60, 0 }, DEVICE_SHARE_RIGHT },
        { { 2, 3, { 50000 }, 3600, { 50000 }, 60, 0 }, DEVICE_SHARE_RIGHT },
        { { 2, 3, { 50000 }, 3600, { 50001 }, 60, 0 }, DEVICE_SHARE_HIGH },
        { { 2, 3, { 50000 }, 3600, { 100000 }, 60, 0 }, DEVICE_SHARE_HIGH },
        { { 2, 3, { 50000 }, 3600, { 100001 }, 60, 0 }, DEVICE_SHARE_TOO_HIGH },
        { { 2, 3, { 50000 }, 3600, { 500000 }, 60, 10 },
          DEVICE_SHARE_HIGH }, // the seed's own numbers
        { { 2, 3, { 50000 }, 3600, { 500001 }, 60, 10 }, DEVICE_SHARE_TOO_HIGH },
        { { 2, 3, { 50000 }, 3600, { 50000 }, 60, 1 }, DEVICE_SHARE_RIGHT },
        { { 2, 3, { 50000 }, 3600, { 50001 }, 60, 1 }, DEVICE_SHARE_TOO_HIGH },
        // any k and n
        { { 1, 1, { 100 }, 3600, { 99 }, 60, 0 }, DEVICE_SHARE_LOW },
        { { 1, 1, { 100 }, 3600, { 100 }, 60, 0 }, DEVICE_SHARE_RIGHT },
        { { 3, 5, { 100 }, 3600, { 59 }, 60, 0 }, DEVICE_SHARE_LOW },
        { { 3, 5, { 100 }, 3600, { 60 }, 60, 0 }, DEVICE_SHARE_RIGHT },
        { { 15, 15, { 100 }, 3600, { 99 }, 60, 0 }, DEVICE_SHARE_LOW },
        { { 8, 15, { 1000 }, 3600, { 533 }, 60, 0 }, DEVICE_SHARE_LOW },
        { { 8, 15, { 1000 }, 3600, { 534 }, 60, 0 }, DEVICE_SHARE_RIGHT },
        // another period than the window: G for a day is G/24 for an hour
        { { 2, 3, { 2400 }, 86400, { 66 }, 60, 0 }, DEVICE_SHARE_LOW },
        { { 2, 3, { 2400 }, 86400, { 67 }, 60, 0 }, DEVICE_SHARE_RIGHT },
        { { 2, 3, { 2400 }, 86400, { 101 }, 60, 0 }, DEVICE_SHARE_HIGH },
        { { 2, 3, { SATS_MAX }, 60, { SATS_MAX }, 4320, 0 }, DEVICE_SHARE_LOW }, // no overflow
        { { 2, 3, { SATS_MAX }, 3600, { SATS_MAX }, 60, 0 }, DEVICE_SHARE_RIGHT },
        { { 2, 3, { 0 }, 3600, { 1 }, 60, 0 }, DEVICE_SHARE_TOO_HIGH },
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        if (device_share(&rows[i].f) != rows[i].share)
            fail_msg("row %zu: %d", i, device_share(&rows[i].f));
}

// For every k and n: the smallest share that is right is ceil(k G / n).
TEST(coordinator_F47_property_share)
{
    for (unsigned n = 1; n <= 15; n++) {
        for (unsigned k = 1; k <= n; k++) {
            const uint64_t cap = 1000003 + 17 * n + k, least = (cap * k + n - 1) / n;
            struct device_share_facts f = { k, n, { cap }, 3600, { least }, 60, 0 };
            assert_int_equal(device_share(&f), DEVICE_SHARE_RIGHT);
            f.per_period.n = least - 1;
            assert_int_equal(device_share(&f), DEVICE_SHARE_LOW);
        }
    }
}

TEST(coordinator_F47_in_words)
{
    struct writer w = writer_growing(test_arena(), 500);
    device_share_write(&w, &(struct device_share_facts){ 2, 3, { 50000 }, 3600, { 33333 }, 60, 0 });
    assert_bytes_text(writer_bytes(&w),
                      "per_period 33333 sat in 60 min is below its share of the cap: signers will "
                      "refuse before the cap is met (cap in that time: 50000 sat; 2 of 3 signers)");
}
