// What is gathered once for all rules: destinations, and sums of what is ours.
#include "policy/clauses.h"
#include "tests/support/policy_fixture.h"

static struct evidence gather(const struct fixture *f)
{
    return evidence_of(NULL, &f->tx, &f->auth, NULL, test_arena());
}

// Letters are scripts, small ones without value, '-' is change. A rule asks its list once for each
// script with value and once for each without, in output order.
static const struct {
    const char *outputs, *destinations;
} cases[] = {
    { "A", "A" },
    { "-", "" },
    { "AA", "A" },
    { "aA", "aA" },
    { "Aa", "Aa" },
    { "ABA", "AB" },
    { "BABAB", "BA" },
    { "-A-B", "AB" },
    { "ABCABC", "ABC" },
    { "CBACBA", "CBA" },
    { "aBAbCcaB", "aBAbCc" },
    { "aabbABBA", "abAB" },
    { "DaCbBcAdD", "DaCbBcAd" },
    { "dcbaABCDabcd", "dcbaABCD" },
    { "AbAbAbAbAbAb", "Ab" },
    { "ABCDEFGHIJKL", "ABCDEFGHIJKL" },
};

static void set_outputs(struct fixture *f, const char *outputs)
{
    static const char letters[] = "ABCDEFGHIJKL";
    f->tx.n_out = strlen(outputs);
    for (size_t i = 0; i < f->tx.n_out; i++) {
        const char c = outputs[i] >= 'a' ? (char)(outputs[i] - 'a' + 'A') : outputs[i];
        f->out[i] = (struct output_facts){ .change = c == '-', .own = c == '-' };
        f->out[i].amount.n = outputs[i] >= 'a' ? 0 : 1 + i;
        f->out[i].script = c == '-' ? BYTES("change") : bytes_of(&letters[c - 'A'], 1);
    }
}

TEST(policy_10_2_each_destination_once_in_output_order)
{
    struct fixture f;
    fixture_init(&f);
    for (size_t i = 0; i < COUNT(cases); i++) {
        set_outputs(&f, cases[i].outputs);
        struct evidence e = gather(&f);
        evidence_need_destinations(&e);
        assert_int_equal(e.n_destinations, strlen(cases[i].destinations));
        for (size_t k = 0; k < e.n_destinations; k++) {
            const struct destination *d = &e.destinations[k];
            const char letter = (char)(d->script.ptr[0] + (d->is_zero ? 'a' - 'A' : 0));
            if (letter != cases[i].destinations[k] ||
                d->output != (size_t)(strchr(cases[i].outputs, letter) - cases[i].outputs))
                fail_msg("%s: place %zu is %c of output %zu", cases[i].outputs, k, letter,
                         d->output);
        }
    }
}

// Memory for what is worked out of each output grows with it, and with each byte of its script twice.
TEST(policy_10_2_room_for_each_output)
{
    struct fixture f;
    fixture_init(&f);
    f.tx.n_out = 0;
    const size_t none = evidence_scratch_size(&f.tx);
    f.tx.n_out = 2;
    f.out[0].script.len = f.out[1].script.len = 0;
    const size_t two = evidence_scratch_size(&f.tx);
    assert_true(none >= 32768 && two >= none + (size_t)2 * 512);
    f.out[0].script.len = 100;
    assert_int_equal(evidence_scratch_size(&f.tx), two + 200);
    f.out[1].script.len = 1000;
    assert_int_equal(evidence_scratch_size(&f.tx), two + 2200);
}

TEST(policy_10_2_the_first_of_two_is_named)
{
    struct fixture f;
    fixture_init(&f);
    set_outputs(&f, "ABA");
    const struct decision d =
        assert_decision(&f, "{\"rules\":[{\"whitelist\":[\"" STRANGER "\"]}]}",
                        "Rejected: rule #1: non-whitelisted address: 41");
    assert_int_equal(d.tried[0].output, 0);
}

// Amounts are compared with the first, which is one.
TEST(policy_24_48_one_amount_is_equal_to_itself)
{
    struct fixture f;
    fixture_init(&f);
    f.tx.n_out = 1;
    fixture_sum(&f);
    (void)assert_decision(&f, "{\"rules\":[{\"patterns\":[\"EQ_OUT_AMOUNTS\"]}]}",
                          "Acceptable by rule #1");
}

TEST(policy_24_56_whose_inputs_and_outputs_are_counted)
{
    struct fixture f;
    fixture_init(&f);
    f.tx.n_in = 3;
    f.tx.n_out = 4;
    f.in[0].own = false; // the first is somebody else's, those behind it count
    f.in[1].amount.n = 5;
    f.in[2].amount.n = 7;
    f.out[1].own = false; // change is ours in any case
    f.out[2].own = true;
    f.out[3].own = f.out[3].change = true;
    const struct evidence e = gather(&f);
    assert_true(e.own_in_is_known && e.n_own_in == 2 && e.own_in.n == 12);
    assert_true(e.n_own_out == 3 && e.own_out.n == 7999000 + 2000000 + 2000000);
    assert_true(e.spent_is_known && e.spent.n == 4000000);
}
