// Decisions as one device makes them: policy.md 10.1 to 10.3, 13.5, 14.
#include "signer/hsm.h"
#include "tests/support/device_checks.h"

TEST(policy_24_44_no_rules)
{
    WITH_RIG(rig, host);
    rig_activate(host, "{}");
    assert_refuses(host, rig_payment(rig, 1000), "Rejected: no txn signing allowed");
    struct psbt_maker *maker = rig_maker(rig, 1000);
    maker->out[1].amount.n = 9300000; // 7.5 %: a warning, which is reported before that
    assert_refuses(host, rig_make(rig, maker), "Rejected: has 1 warning(s)");
}

TEST(policy_24_43_warnings)
{
    WITH_RIG(rig, host);
    for (int ok = 0; ok < 2; ok++) {
        if (ok) {
            device_rig_restart(rig);
            rig_keys(rig, "x");
            host = rig_host_linked(rig);
        }
        rig_activate(host, ok ? "{\"warnings_ok\":true,\"rules\":[{}]}" : "{\"rules\":[{}]}");
        struct psbt_maker *maker = rig_maker(rig, 1000);
        maker->out[1].amount.n = 9300000;
        if (ok)
            assert_signs(host, rig_make(rig, maker));
        else
            assert_refuses(host, rig_make(rig, maker), "Rejected: has 1 warning(s)");
        // "Fee >= 10 %: error reply in both."
        maker = rig_maker(rig, 1000);
        maker->out[1].amount.n = 9000000;
        assert_fails(host, rig_make(rig, maker),
                     "Network fee bigger than 10% of total amount (it is 11%).");
    }
}

TEST(policy_24_46_a_bad_code_of_a_user_no_rule_needs_refuses_all)
{
    WITH_RIG(rig, host);
    rig_add_users(host);
    rig_activate(host, "{\"rules\":[{\"users\":[\"alice\"]}]}");
    rig_alice(host, 57000000);
    assert_int_equal(rig_user(host, "bob", BYTES("000000"), 0).id, REPLY_ASCI);
    assert_refuses(host, rig_payment(rig, 1000), "User 'bob' gave wrong auth value: mismatch");
    // [FIX] "advances counters only when all are good"
    assert_int_equal(rig_progress(rig, "alice"), 0);
    assert_status(host, "pending_auth", "0");
    rig_alice(host, 57000000); // good as before
    assert_signs(host, rig_payment(rig, 1000));
    assert_int_equal(rig_progress(rig, "alice"), 57000000);
    // In order of submission.
    const struct bytes wrong = BYTES("00000");
    assert_int_equal(rig_user(host, "zed", wrong, 0).id, REPLY_ASCI);
    assert_int_equal(rig_user(host, "alice", wrong, 58000000).id, REPLY_ASCI);
    assert_refuses(host, rig_payment(rig, 1000), "User 'zed' gave wrong auth value: unknown user");
    assert_int_equal(rig_user(host, "alice", wrong, 58000000).id, REPLY_ASCI);
    assert_int_equal(rig_user(host, "zed", wrong, 0).id, REPLY_ASCI);
    assert_refuses(host, rig_payment(rig, 1000), "User 'alice' gave wrong auth value: expect otp");
}

// "Counters are advanced even when afterwards no rule matches, but not by a refusal in E2 to E8."
TEST(policy_13_5_when_counters_advance)
{
    WITH_RIG(rig, host);
    rig_add_users(host);
    rig_activate(host, "{\"rules\":[{\"users\":[\"alice\",\"bob\"],\"max_amount\":1000}]}");
    rig_alice(host, 57000000);
    assert_refuses(host, rig_payment(rig, 1001), "Rejected: rule #1: amount exceeded");
    assert_int_equal(rig_progress(rig, "alice"), 57000000);
    rig_bob(host, 3);
    struct psbt_maker *maker = rig_maker(rig, 1000);
    maker->out[1].amount.n = 9300000;
    assert_refuses(host, rig_make(rig, maker), "Rejected: has 1 warning(s)"); // E6
    assert_int_equal(rig_progress(rig, "bob"), 0);
    assert_status(host, "pending_auth", "0"); // taken in E4 all the same
    // They are durable.
    device_rig_restart(rig);
    assert_int_equal(rig_progress(rig, "alice"), 57000000);
}

TEST(policy_24_47_reasons_in_order_and_the_first_match)
{
    WITH_RIG(rig, host);
    rig_activate(host, "{\"period\":60,\"rules\":[{\"max_amount\":1000},"
                       "{\"whitelist\":[\"mrVwhWw4GEBcHFttjEiawL77DaqZWNDm75\"]},"
                       "{\"max_amount\":5000},{\"per_period\":5000}]}");
    assert_refuses(host, rig_payment(rig, 5001),
                   "Rejected: rule #1: amount exceeded, rule #2: non-whitelisted "
                   "address: " RIG_STRANGER ", rule #3: amount exceeded, rule #4: would exceed "
                   "period spending");
    // "later rules are not looked at, even if the first has a velocity limit and they have not"
    assert_signs(host, rig_payment(rig, 5000)); // rule #3
    assert_status(host, "has_spent", "absent");
}

TEST(policy_24_50_change_and_fee_do_not_count)
{
    WITH_RIG(rig, host);
    rig_activate(host, "{\"rules\":[{\"max_amount\":3000}]}");
    struct psbt_maker *maker = rig_maker(rig, 1000);
    maker->out[2] = maker->out[1]; // our change, wherever it stands
    maker->out[1] = maker->out[0];
    maker->out[1].amount.n = 2000;
    maker->out[2].amount.n = 10000000 - 3000 - 100000; // 1 % fee
    maker->n_out = 3;
    assert_signs(host, rig_make(rig, maker));
    maker->out[1].amount.n = 2001;
    assert_refuses(host, rig_make(rig, maker), "Rejected: rule #1: amount exceeded");
}

TEST(policy_24_51_whitelists)
{
    WITH_RIG(rig, host);
    rig_activate(host, "{\"rules\":[{\"whitelist\":[]}]}"); // no restriction
    assert_signs(host, rig_payment(rig, 1000));
    device_rig_restart(rig);
    rig_keys(rig, "x");
    host = rig_host_linked(rig);
    rig_activate(host, "{\"rules\":[{\"whitelist\":[\"" RIG_STRANGER "\"]}]}");
    assert_signs(host, rig_payment(rig, 1000));
    // Two that are not listed: the first is named.
    struct psbt_maker *maker = rig_maker(rig, 1000);
    maker->out[2] = maker->out[1];
    maker->out[0].script = rig_script(rig, "mfWyW5fc9NUj75YAnFgoRLrjxgLDn2MMth");
    maker->out[1] =
        (struct maker_output){ .amount = { 0 },
                               .script = rig_script(rig, "mrVwhWw4GEBcHFttjEiawL77DaqZWNDm75") };
    maker->out[1].amount.n = 500;
    maker->n_out = 3;
    assert_refuses(
        host, rig_make(rig, maker),
        "Rejected: rule #1: non-whitelisted address: mfWyW5fc9NUj75YAnFgoRLrjxgLDn2MMth");
    // OP_RETURN shows as hex.
    maker->out[0].script = rig_script(rig, RIG_STRANGER);
    maker->out[1] = (struct maker_output){ .amount = { 0 }, .script = BYTES("\x6a\x02hi") };
    assert_refuses(host, rig_make(rig, maker),
                   "Rejected: rule #1: non-whitelisted address: 6a026869");
    device_rig_restart(rig);
    rig_keys(rig, "x");
    host = rig_host_linked(rig);
    rig_activate(host, "{\"rules\":[{\"whitelist\":[\"" RIG_STRANGER
                       "\"],\"whitelist_opts\":{\"allow_zeroval_outs\":true}}]}");
    assert_signs(host, rig_make(rig, maker));
}

TEST(policy_24_57_users)
{
    WITH_RIG(rig, host);
    rig_add_users(host);
    rig_activate(host, "{\"rules\":[{\"users\":[\"alice\",\"bob\",\"carol\"],\"min_users\":2}]}");
    assert_refuses(host, rig_payment(rig, 1000), "Rejected: rule #1: need user(s) confirmation");
    rig_alice(host, 57000000);
    assert_status(host, "pending_auth", "1");
    assert_refuses(host, rig_payment(rig, 1000),
                   "Rejected: rule #1: need more users to confirm (got 1 of 2)");
    assert_status(host, "pending_auth", "0");
    struct bytes psbt = rig_payment(rig, 1000);
    rig_alice(host, 57000001);
    rig_carol(host, psbt);
    assert_signs(host, psbt);
    psbt = rig_payment(rig, 1000);
    rig_bob(host, 0);
    rig_alice(host, 57000002);
    rig_carol(host, psbt);
    assert_signs(host, psbt); // one more than needed
    // [FIX] D12: "HOTP code 0 is accepted once."
    rig_bob(host, 0);
    rig_alice(host, 57000003);
    assert_refuses(host, rig_payment(rig, 1000), "User 'bob' gave wrong auth value: mismatch");
    // A password's token "is good for the same PSBT for ever".
    rig_alice(host, 57000003);
    rig_carol(host, psbt);
    assert_signs(host, psbt);
}

TEST(policy_24_59_what_a_code_is_bound_to)
{
    WITH_RIG(rig, host);
    rig_add_users(host);
    rig_activate(host, "{\"rules\":[{\"users\":[\"alice\",\"carol\"],\"min_users\":1}]}");
    const struct bytes a = rig_payment(rig, 1000), b = rig_payment(rig, 2000);
    rig_alice(host, 57000000); // meant for a
    assert_signs(host, b);
    rig_carol(host, a);
    assert_refuses(host, b, "User 'carol' gave wrong auth value: mismatch");
    rig_carol(host, a);
    assert_signs(host, a);
}

// --- The local code: 14, 8.5 ---

#define LOCAL         "{\"msg_paths\":[\"any\"],\"rules\":[{\"local_conf\":true}]}"
#define NOT_CONFIRMED "Rejected: rule #1: local operator didn't confirm"

static const char *next_code(struct rig_host *host)
{
    const struct json *next = json_get(rig_status(host), "next_local_code");
    assert_non_null(next);
    assert_int_equal(next->text.len, 20);
    return arena_text(test_arena(), next->text);
}

TEST(policy_24_60_wire_66_the_local_code)
{
    char code[7];
    WITH_RIG(rig, host);
    rig_activate(host, LOCAL);
    struct bytes psbt = rig_payment(rig, 1000);
    assert_refuses(host, psbt, NOT_CONFIRMED);
    rig_local_code(host, psbt, code);
    const char *before = next_code(host);
    rig_keys(rig, code);
    assert_signs(host, psbt);
    assert_string_not_equal(next_code(host), before); // rotated after every evaluated PSBT
    // "right code twice": it was consumed, and would be wrong by now.
    assert_refuses(host, psbt, NOT_CONFIRMED);
    rig_keys(rig, code);
    before = next_code(host);
    assert_refuses(host, psbt, NOT_CONFIRMED);
    assert_string_not_equal(next_code(host), before);
    // A wrong code uses the secret up as well.
    rig_local_code(host, psbt, code);
    code[0] = (char)(code[0] == '9' ? '0' : code[0] + 1);
    rig_keys(rig, code);
    assert_refuses(host, psbt, NOT_CONFIRMED);
    // The code of another PSBT.
    rig_local_code(host, rig_payment(rig, 1000), code);
    rig_keys(rig, code);
    assert_refuses(host, psbt, NOT_CONFIRMED);
}

TEST(policy_24_60_what_does_not_rotate_it)
{
    char code[7];
    WITH_RIG(rig, host);
    rig_activate(host, LOCAL);
    const struct bytes psbt = rig_payment(rig, 1000);
    rig_local_code(host, psbt, code);
    rig_keys(rig, code);
    const char *before = next_code(host);
    assert_int_equal(rig_sign_text(host, "hello", "m").result, RIG_SIGNED);
    assert_string_equal(next_code(host), before);
    assert_int_equal(rig_sign(host, psbt, STXN_VISUALIZE).result, RIG_SIGNED);
    assert_string_equal(next_code(host), before);
    assert_fails(host, bytes_slice(psbt, 0, psbt.len - 1), "PSBT parse failed");
    assert_string_equal(next_code(host), before);
    assert_signs(host, psbt);
}

TEST(policy_24_61_8_5_entering_digits)
{
    static const struct {
        const char *before, *after; // the six digits
        bool counts;
        const char *shown;
    } cases[] = {
        { "", "", true, "######" },
        { "", "y", true, "" },     // OK queues it again and clears the display
        { "", "x", true, "" },     // X clears the display only
        { "12", "", false, NULL }, // eight digits: the first six are queued
        { "12x", "", true, "######" },
        { "y", "", true, "######" },
        { "", "123", true, "123" },    // the display begins anew, the queued code stays
        { "", "123456", false, NULL }, // "A new code replaces an old one."
        { "", "x12345", true, "12345" },
    };
    char code[7], keys[64];
    WITH_RIG(rig, host);
    rig_activate(host, LOCAL);
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct bytes psbt = rig_payment(rig, 1000);
        rig_local_code(host, psbt, code);
        snprintf(keys, sizeof keys, "x%s%s%s", cases[i].before, code, cases[i].after);
        rig_keys(rig, keys);
        if (cases[i].shown != NULL) {
            const char *shown = cases[i].shown[0] == '#' ? code : cases[i].shown;
            assert_bytes_text(rig_screen(rig).digits, shown);
        }
        const struct rig_outcome got = rig_sign(host, psbt, 0);
        if (got.result != (cases[i].counts ? RIG_SIGNED : RIG_REFUSED))
            fail_msg("case %zu: %d", i, (int)got.result);
    }
}

// No rule wants it: it is neither shown nor asked for.
TEST(policy_18_next_local_code_only_where_a_rule_wants_it)
{
    WITH_RIG(rig, host);
    rig_activate(host, "{\"rules\":[{}]}");
    assert_status(host, "next_local_code", "absent");
    rig_keys(rig, "123456");
    assert_signs(host, rig_payment(rig, 1000));
}

// --- The largest that there is ---

// 1000 rules, each with a limit, none of which holds; an output whose script is long.
static const char *large_policy(bool last_allows)
{
    struct writer w = writer_growing(test_arena(), 1u << 20);
    writer_text(&w, "{\"period\":4320,\"rules\":[");
    for (int i = 0; i < 999; i++)
        writer_printf(
            &w, "{\"per_period\":%llu,\"whitelist\":[\"mrVwhWw4GEBcHFttjEiawL77DaqZWNDm75\"]},",
            2100000000000000ull - (unsigned)i);
    writer_printf(&w, "{\"per_period\":2100000000000000%s}]}",
                  last_allows ? "" : ",\"max_amount\":0");
    return arena_text(test_arena(), writer_bytes(&w));
}

static struct bytes large_psbt(struct device_rig *rig)
{
    struct psbt_maker *maker = rig_maker(rig, 1000);
    uint8_t *script = arena_alloc(test_arena(), 9000);
    memset(script, 'x', 9000);
    memcpy(script, "\x6a\x4d\x24\x23", 4); // OP_RETURN PUSHDATA2 8996
    const struct maker_output change = maker->out[1];
    maker->out[1] = (struct maker_output){ .amount = { 0 }, .script = bytes_of(script, 9000) };
    maker->out[0].script = rig_script(rig, RIG_STRANGER);
    for (maker->n_out = 2; maker->n_out < 200; maker->n_out++) {
        maker->out[maker->n_out] = maker->out[0];
        maker->out[maker->n_out].amount.n = 600 + maker->n_out;
    }
    maker->out[maker->n_out] = change;
    maker->out[maker->n_out++].amount.n = 9000000;
    return rig_make(rig, maker);
}

TEST(policy_12_the_longest_refusal_is_counted_and_told)
{
    WITH_RIG(rig, host);
    rig_add_users(host);
    char *policy = (char *)(uintptr_t)large_policy(false);
    rig_activate(host, policy);
    const struct bytes psbt = large_psbt(rig);
    for (int i = 1; i <= 3; i++) {
        rig_alice(host, 57000000 + (uint32_t)i);
        const struct rig_outcome got = rig_sign(host, psbt, 0);
        if (got.result != RIG_REFUSED)
            fail_msg("%d: %.*s", (int)got.result, BYTES_ARG(got.data));
        const struct json *refusals = json_get(rig_status(host), "refusals");
        assert_non_null(refusals);
        assert_int_equal(refusals->text.ptr[0], '0' + i);
        assert_status(host, "pending_auth", "0");
    }
    device_rig_restart(rig);
    rig_keys(rig, "x");
    host = rig_host_linked(rig);
    rig_activate(host, large_policy(true));
    struct psbt_maker *maker = rig_maker(rig, 1000);
    assert_signs(host, rig_make(rig, maker));
    assert_int_equal(json_get(rig_status(host), "has_spent")->n_items, 1000);
}
