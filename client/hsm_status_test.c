#include "client/hsm_status.h"
#include "client/test_peer.h"

static struct hsm_status parse(const char *text)
{
    struct hsm_status status;
    struct err err;
    if (!hsm_status_parse(&status, bytes_of_text(text), test_arena(), &err))
        fail_msg("%s", err.text);
    return status;
}

// The samples of wire-protocol.md 9.1 and cli.md 3.16.
TEST(hsts_not_active)
{
    const struct hsm_status s =
        parse("{\"active\": false, \"chain\": \"XTN\", \"policy_available\": "
              "true, \"users\": [], \"wallets\": [\"decay\"]}");
    assert_false(s.active);
    assert_true(s.policy_available);
    assert_false(s.approval_wait);
    assert_bytes_text(s.chain, "XTN");
    assert_int_equal(s.users->n_items, 0);
    assert_bytes_text(s.wallets->items->text, "decay");
    assert_int_equal(s.last_refusal.len, 0);
}

TEST(hsts_active)
{
    const struct hsm_status s =
        parse("{\"active\": true, \"chain\": \"XTN\", \"policy_hash\": \"4936\", \"summary\": "
              "\"=-=\\ntest\", \"approvals\": 2, \"refusals\": 5, \"last_refusal\": null, "
              "\"next_local_code\": \"mGN7NOnFh9HFdOvH4ToS\", \"users\": [\"alice\", \"carol\"], "
              "\"pending_auth\": 1, \"sl_reads\": 3, \"period\": 60, \"uptime\": 40.606, "
              "\"period_ends\": 3599, \"has_spent\": [60000000, 0], \"casemate\": {\"x\": 1}}");
    assert_true(s.active);
    assert_int_equal(s.approvals, 2);
    assert_int_equal(s.refusals, 5);
    assert_int_equal(s.pending_auth, 1);
    assert_int_equal(s.sl_reads, 3);
    assert_int_equal(s.last_refusal.len, 0);
    assert_bytes_text(s.summary, "=-=\ntest");
    assert_bytes_text(s.next_local_code, "mGN7NOnFh9HFdOvH4ToS");
    assert_int_equal(s.users->n_items, 2);
    assert_null(s.wallets);
    assert_non_null(json_get(s.object, "casemate"));
}

TEST(hsts_with_priv_over_ux_hides_the_users)
{
    const struct hsm_status s = parse("{\"active\": true, \"approvals\": 0, \"refusals\": 1, "
                                      "\"last_refusal\": \"Rejected: no txn signing allowed\"}");
    assert_null(s.users);
    assert_bytes_text(s.last_refusal, "Rejected: no txn signing allowed");
}

TEST(hsts_that_is_none)
{
    static const struct {
        const char *text, *why;
    } rows[] = {
        { "", "hsts: JSON parse fail" },
        { "[]", "hsts: not an object" },
        { "{\"active\": 1}", "hsts: active is of another type" },
        { "{\"approvals\": -1}", "hsts: approvals is of another type" },
        { "{\"approvals\": 1.5}", "hsts: approvals is of another type" },
        { "{\"approvals\": 1e30}", "hsts: approvals is of another type" },
        { "{\"users\": {}}", "hsts: users is of another type" },
        { "{\"users\": [1]}", "hsts: users is of another type" },
        { "{\"last_refusal\": 5}", "hsts: last_refusal is of another type" },
        { "{\"active\": true, \"active\": false}", "hsts: duplicate item: active" },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct hsm_status status;
        struct err err;
        assert_false(hsm_status_parse(&status, bytes_of_text(rows[i].text), test_arena(), &err));
        assert_err(&err, ERR_FRAMING, rows[i].why);
    }
}

// cli.md 8, item 15.
TEST(cli_8_15_hsts_of_40000_bytes)
{
    struct writer w = writer_growing(test_arena(), 50000);
    writer_text(&w, "asci{\"active\": true, \"summary\": \"");
    while (w.len < 40000)
        writer_text(&w, "\\n- Rule #1: Any amount may be authorized by one of alice");
    writer_text(&w, "\", \"approvals\": 7}");
    const struct fake_rule rule = { "hsts", 1, FAKE_REPLY, writer_bytes(&w) };
    FAKE_SIGNER(fake) = start_fake(&rule, 1, BYTES(""));
    AUTO(connection_closep) struct connection *c = open_to_fake();
    struct hsm_status status;
    struct err err;
    assert_true(hsm_status_fetch(&status, c, test_arena(), &err));
    assert_int_equal(status.approvals, 7);
    assert_true(status.summary.len > 30000);
}

TEST(cli_7_4_one_reason_a_line)
{
    static const struct {
        const char *text, *reasons[4];
        bool consumed;
    } rows[] = {
        { "Rejected: rule #1: amount exceeded", { "rule #1: amount exceeded" }, true },
        { "Rejected: rule #1: does not meet self transfer threshold, expected: 75.00, actual: "
          "0.00, rule #2: need more users to confirm (got 1 of 2), rule #10: wrong wallet",
          { "rule #1: does not meet self transfer threshold, expected: 75.00, actual: 0.00",
            "rule #2: need more users to confirm (got 1 of 2)", "rule #10: wrong wallet" },
          true },
        { "Rejected: has 1 warning(s)", { "has 1 warning(s)" }, true },
        { "User 'al, rule #x: b' gave wrong auth value: replay",
          { "User 'al, rule #x: b' gave wrong auth value: replay" },
          true },
        { "Could not log details, and must_log is set",
          { "Could not log details, and must_log is set" },
          false },
        { "Message signing not permitted", { "Message signing not permitted" }, false },
        { "Rejected: Message signing not permitted", { "Message signing not permitted" }, true },
        // None is empty, whatever stands there.
        { "Rejected: , rule #2: x, rule #3: y", { ", rule #2: x", "rule #3: y" }, true },
        { "", { NULL }, false },
        { "Rejected: ", { NULL }, true },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct bytes rest = bytes_of_text(rows[i].text), reason;
        size_t n = 0;
        for (; hsm_refusal_next(&rest, &reason); n++)
            assert_bytes_text(reason, rows[i].reasons[n]);
        assert_null(rows[i].reasons[n]);
        assert_int_equal(hsm_refusal_consumed(bytes_of_text(rows[i].text)), rows[i].consumed);
    }
}

// "SHOULD read hsts.last_refusal after `refu` in HSM mode and show it": what the verbs are given.
TEST(wire_15_79_the_reason_of_a_refusal)
{
    static const struct fake_rule rules[] = {
        { "stok", 0, FAKE_REPLY, BYTES_INIT("refu") },
        { "hsts", 0, FAKE_REPLY,
          BYTES_INIT("asci{\"active\": true, \"chain\": \"XTN\", \"approvals\": 0, \"refusals\": "
                     "1, \"last_refusal\": \"Rejected: rule #1: amount exceeded\"}") },
    };
    FAKE_SIGNER(fake) = start_fake(rules, COUNT(rules), BYTES(""));
    AUTO(connection_closep) struct connection *c = open_to_fake();
    const struct request stok = { .id = REQUEST_STOK };
    struct hsm_status status;
    struct bytes rest, reason;
    struct reply reply;
    struct err err;
    assert_false(connection_exchange(c, &reply, &stok, NULL, &err));
    assert_int_equal(err.code, ERR_REFUSED);
    assert_true(hsm_status_fetch(&status, c, test_arena(), &err)); // on the same session
    rest = status.last_refusal;
    assert_true(hsm_refusal_next(&rest, &reason));
    assert_bytes_text(reason, "rule #1: amount exceeded");
    assert_false(hsm_refusal_next(&rest, &reason));
}

TEST(policy_21_d33_the_serial_of_a_password)
{
    static const struct {
        const char *status, *serial;
    } cases[] = {
        { "{\"active\": false, \"casemate\": {\"serials\": {\"al\": \"X\", \"pw\": "
          "\"0123456789AB\"}}}",
          "0123456789AB" },
        { "{\"active\": false, \"casemate\": {\"serials\": {\"pw\": 5}}}", "" },
        { "{\"active\": false, \"casemate\": {\"serials\": [\"pw\"]}}", "" },
        { "{\"active\": false, \"casemate\": 1}", "" },
        { "{\"active\": false}", "" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct hsm_status status;
        struct err err;
        if (!hsm_status_parse(&status, bytes_of_text(cases[i].status), test_arena(), &err))
            fail_msg("case %zu: %s", i, err.text);
        assert_bytes_text(hsm_status_salt_serial(&status, BYTES("pw")), cases[i].serial);
    }
}
