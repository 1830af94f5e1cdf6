#include "bunker/trial.h"
#include "bitcoin/psbt.h"
#include "policy/simulate.h"
#include "tests/support/test.h"

static struct hdpub master(void)
{
    // of the public test seed
    static const char xpub[] =
        "tpubD6NzVbkrYhZ4XzL5Dhayo67Gorv1YMS7j8pRUvVMd5odC2LBPLAygka9p7748JtSq82FNG"
        "PppFEz5xxZUdasBRCqJqXvUHq6xpnsMcYJzeh";
    struct hdpub node;
    bool is_main;
    struct err err;
    assert_true(hdpub_from_text(&node, &is_main, bytes_of_text(xpub), &err));
    return node;
}

static bool read_trial(struct trial *out, const char *text, enum chain_id chain, struct err *err)
{
    const struct json *asked;
    assert_true(json_parse(&asked, bytes_of_text(text), test_arena(), err));
    return trial_read(out, asked, chain_by_id(chain), test_arena(), err);
}

// What a signer that believes the key paths sees in it.
static const struct psbt_facts *facts_of(const char *text)
{
    struct psbt_facts *facts = arena_alloc(test_arena(), sizeof *facts);
    const struct hdpub node = master();
    struct writer w = writer_growing(test_arena(), 1 << 20);
    struct trial trial;
    struct err err;
    assert_non_null(facts);
    assert_true(read_trial(&trial, text, CHAIN_XTN, &err));
    assert_true(trial_write(&w, &trial, &node, test_arena(), &err));
    if (!policy_claimed_facts(facts, writer_bytes(&w), hdpub_xfp(&node), chain_by_id(CHAIN_XTN),
                              test_arena(), &err))
        fail_msg("%s: %s", text, err.text);
    return facts;
}

#define SHOP "tb1q5uxpx630djalehx2c0hwc8cj6vejl4j93hk4ad"

// Amounts are what was asked, of each kind of coin, and the coins are the device's own.
TEST(bunker_19_5_a_trial_is_what_was_asked)
{
    static const struct {
        const char *text;
        uint64_t spent, fee;
        size_t n_in, n_out;
    } cases[] = {
        { "{\"pays\": [{\"address\": \"" SHOP
          "\", \"sats\": 5000}], \"change\": 4000, \"fee\": 100}",
          5000, 100, 1, 2 },
        // coins that do not divide evenly
        { "{\"pays\": [{\"address\": \"" SHOP
          "\", \"sats\": 7}, {\"address\": \"\", \"sats\": 5000}], \"fee\": 9, "
          "\"inputs\": 3, \"format\": \"wrapped\"}",
          5007, 9, 3, 2 },
        { "{\"pays\": [{\"address\": \"\", \"sats\": 60000}], \"change\": 1, \"inputs\": 50, "
          "\"format\": \"classic\"}",
          60000, 0, 50, 2 },
        // all of it comes back
        { "{\"change\": 100000, \"fee\": 500, \"format\": \"segwit\"}", 0, 500, 1, 1 },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct tx_facts *tx = &facts_of(cases[i].text)->tx;
        assert_int_equal(facts_spent(tx).n, cases[i].spent);
        assert_true(tx->fee_known);
        assert_int_equal(tx->fee.n, cases[i].fee);
        assert_int_equal(tx->n_in, cases[i].n_in);
        assert_int_equal(tx->n_out, cases[i].n_out);
        for (size_t k = 0; k < tx->n_in; k++)
            assert_true(tx->in[k].claims);
    }
}

// What is shown as paid to an address is paid to that address.
TEST(bunker_19_5_a_trial_pays_its_addresses)
{
    struct writer w = writer_growing(test_arena(), 1 << 20), to = writer_growing(test_arena(), 200);
    const struct hdpub node = master();
    struct trial trial;
    struct psbt psbt;
    struct err err;
    assert_true(read_trial(&trial, "{\"pays\": [{\"address\": \"" SHOP "\", \"sats\": 5000}]}",
                           CHAIN_XTN, &err));
    assert_true(trial_write(&w, &trial, &node, test_arena(), &err));
    assert_true(psbt_parse(&psbt, writer_bytes(&w), test_arena(), &err));
    assert_true(address_from_script(&to, psbt.tx.out[0].script, chain_by_id(CHAIN_XTN)));
    assert_bytes_text(writer_bytes(&to), SHOP);
}

// Two of them share no coin, and the same again is the same.
TEST(bunker_19_5_trials_differ_by_their_salt)
{
    const struct hdpub node = master();
    struct trial trial;
    struct err err;
    struct bytes made[3];
    assert_true(read_trial(&trial, "{\"change\": 1000}", CHAIN_XRT, &err));
    for (size_t i = 0; i < COUNT(made); i++) {
        struct writer w = writer_growing(test_arena(), 1 << 20);
        trial.salt = i == 1 ? 1 : 0;
        assert_true(trial_write(&w, &trial, &node, test_arena(), &err));
        made[i] = writer_bytes(&w);
    }
    assert_false(bytes_equal(made[0], made[1]));
    assert_true(bytes_equal(made[0], made[2]));
}

TEST(bunker_19_5_no_trial_of_that)
{
    static const struct {
        const char *text, *why;
        enum chain_id chain;
    } cases[] = {
        { "{\"change\": 1000}", "Trial transactions are for test chains only.", CHAIN_BTC },
        { "[]", "That is no trial transaction.", CHAIN_XTN },
        { "{}", "It pays nothing to anybody.", CHAIN_XTN },
        { "{\"pays\": 1}", "pays: is no list", CHAIN_XTN },
        { "{\"pays\": [1]}", "payment 1: address: is missing", CHAIN_XTN },
        { "{\"pays\": [{\"address\": \"x\", \"sats\": 1}]}",
          "payment 1: x: not an address of Bitcoin Testnet 4", CHAIN_XTN },
        // of the other chain
        { "{\"pays\": [{\"address\": \"1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2\", \"sats\": 1}]}",
          "payment 1: 1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2: not an address of Bitcoin Testnet 4",
          CHAIN_XTN },
        { "{\"pays\": [{\"address\": \"\", \"sats\": -1}]}",
          "payment 1: sats: is no whole number that can be", CHAIN_XTN },
        { "{\"pays\": [{\"address\": \"\", \"sats\": 1.5}]}",
          "payment 1: sats: is no whole number that can be", CHAIN_XTN },
        { "{\"change\": 2100000000000001}", "change: is no whole number that can be", CHAIN_XTN },
        { "{\"change\": 2100000000000000, \"fee\": 1}",
          "The amounts together are more than can exist, or too few.", CHAIN_XTN },
        { "{\"change\": 1, \"inputs\": 2}",
          "The amounts together are more than can exist, or too few.", CHAIN_XTN },
        { "{\"change\": 1000, \"inputs\": 0}", "inputs: 1 to 50", CHAIN_XTN },
        { "{\"change\": 1000, \"inputs\": 51}", "inputs: 1 to 50", CHAIN_XTN },
        { "{\"change\": 1000, \"format\": \"taproot\"}", "format: segwit, wrapped or classic",
          CHAIN_XTN },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct trial trial;
        struct err err;
        if (read_trial(&trial, cases[i].text, cases[i].chain, &err))
            fail_msg("taken: %s", cases[i].text);
        assert_string_equal(err.text, cases[i].why);
    }
}

TEST(bunker_19_5_a_trial_has_at_most_50_payments)
{
    struct writer w = writer_growing(test_arena(), 1 << 16);
    struct trial trial;
    struct err err;
    writer_text(&w, "{\"pays\": [");
    for (unsigned i = 0; i <= TRIAL_PAYS_MAX; i++)
        writer_printf(&w, "%s{\"address\": \"\", \"sats\": 1}", i == 0 ? "" : ",");
    writer_text(&w, "]}");
    assert_false(read_trial(&trial, arena_text(test_arena(), writer_bytes(&w)), CHAIN_XTN, &err));
    assert_err(&err, ERR_LIMIT, "more than 50 payments");
}
