// What a device does wrong in the middle of a request, and what we then know: whether it may have signed.
#include "coordinator/port.h"
#include "base/secret.h"
#include "client/fake_signer.h"
#include "tests/support/test.h"

#define HSTS                                                                                       \
    "asci{\"active\": true, \"chain\": \"XTN\", \"policy_hash\": \"ab\", \"approvals\": 1, "       \
    "\"refusals\": 2, \"last_refusal\": \"Rejected: rule #1: would exceed period spending\", "     \
    "\"period\": 60, \"period_ends\": 30, \"has_spent\": [7, 9], \"uptime\": 12.345}"

struct rig {
    struct fake_signer *fake;
    struct signer_config section;
    struct port_options options;
    struct port *port;
    char path[200];
};

static void start(struct rig *r, const struct fake_rule *rules, size_t n_rules)
{
    struct err err;
    *r = (struct rig){ .section = { .name = "A", .transport = TRANSPORT_UNIX } };
    assert_true(secret_init());
    connection_init();
    (void)snprintf(r->path, sizeof r->path, "%s/fake-1.sock", test_dir());
    r->section.path = r->path;
    r->options = (struct port_options){ .section = &r->section, .network = "regtest" };
    assert_true(xfp_from_text(&r->options.xfp, BYTES(FAKE_XFP)));
    const struct fake_options o = {
        .path = r->path, .rules = rules, .n_rules = n_rules, .result = BYTES("psbt\xff signed")
    };
    r->fake = fake_signer_start(&o);
    assert_true(port_new(&r->port, &r->options, &err));
}

static void stop(struct rig *r)
{
    port_free(r->port);
    fake_signer_stop(r->fake);
}

static struct port_answer sign(struct rig *r)
{
    struct port_answer a;
    port_sign(r->port, &a, BYTES("psbt\xff a transaction"), test_arena());
    return a;
}

TEST(coordinator_D8_outcomes)
{
    static const struct {
        struct fake_rule rule;
        enum port_outcome outcome;
        enum refusal_tag tag;
        const char *text; // NULL: not compared
    } rows[] = {
        // lost before the request: nothing was begun
        { { "upld", 1, FAKE_VANISH, { 0 } }, PORT_UNSENT, REFUSAL_UNREACHABLE, NULL },
        { { "sha2", 1, FAKE_VANISH, { 0 } }, PORT_UNSENT, REFUSAL_UNREACHABLE, NULL },
        { { "upld", 0, FAKE_REPLY, BYTES_INIT("busy") },
          PORT_BUSY,
          REFUSAL_BUSY,
          "Coldcard is handling another request right now" },
        { { "upld", 1, FAKE_REPLY, BYTES_INIT("err_psbt") },
          PORT_REFUSED,
          REFUSAL_PROTOCOL,
          "Coldcard Error: psbt" },
        // it answered the request itself: that is definite
        { { "stxn", 0, FAKE_REPLY, BYTES_INIT("busy") }, PORT_BUSY, REFUSAL_BUSY, NULL },
        { { "stxn", 1, FAKE_REPLY, BYTES_INIT("err_badlen") },
          PORT_REFUSED,
          REFUSAL_PROTOCOL,
          "Coldcard Error: badlen" },
        // it went away, or lost its order, after the request
        { { "stxn", 1, FAKE_VANISH, { 0 } }, PORT_GONE, REFUSAL_UNREACHABLE, NULL },
        { { "stxn", 1, FAKE_SHORT_PACKET, { 0 } }, PORT_GONE, REFUSAL_UNREACHABLE, NULL },
        { { "stok", 1, FAKE_VANISH, { 0 } }, PORT_GONE, REFUSAL_UNREACHABLE, NULL },
        { { "stok", 1, FAKE_REPLY, BYTES_INIT("err_No active request") },
          PORT_GONE,
          REFUSAL_UNREACHABLE,
          "Coldcard Error: No active request" },
        { { "dwld", 1, FAKE_VANISH, { 0 } }, PORT_GONE, REFUSAL_UNREACHABLE, NULL },
        { { "dwld", 1, FAKE_REPLY, BYTES_INIT("biny other bytes!!") },
          PORT_GONE,
          REFUSAL_UNREACHABLE,
          NULL },
        // it decided
        { { "stok", 1, FAKE_REPLY, BYTES_INIT("refu") },
          PORT_REFUSED,
          REFUSAL_VELOCITY,
          "Rejected: rule #1: would exceed period spending" },
        { { "stok", 1, FAKE_REPLY, BYTES_INIT("err_Unknown multisig wallet") },
          PORT_REFUSED,
          REFUSAL_WALLET,
          "Coldcard Error: Unknown multisig wallet" },
        { { "none", 1, FAKE_REPLY, { 0 } }, PORT_SIGNED, REFUSAL_UNKNOWN, "" },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct fake_rule rules[] = { { "hsts", 0, FAKE_REPLY, BYTES_INIT(HSTS) },
                                           rows[i].rule };
        struct rig r;
        start(&r, rules, 2);
        const struct port_answer a = sign(&r);
        if (a.outcome != rows[i].outcome || a.tag != rows[i].tag ||
            (rows[i].text != NULL && strcmp(a.text, rows[i].text) != 0))
            fail_msg("row %zu: outcome %d, tag %s, '%s'", i, a.outcome, refusal_tag_name(a.tag),
                     a.text);
        if (a.outcome == PORT_SIGNED)
            assert_bytes_text(a.psbt, "psbt\xff signed");
        stop(&r);
    }
}

// A lost file, or a device that was busy for a moment, is sent again; not for ever.
TEST(coordinator_D8_sent_again)
{
    static const char *const replies[] = { "err_Checksum", "busy" };
    for (size_t i = 0; i < COUNT(replies); i++) {
        const struct fake_rule once[] = { { "stxn", 1, FAKE_REPLY, bytes_of_text(replies[i]) } };
        const struct fake_rule always[] = { { "stxn", 0, FAKE_REPLY, bytes_of_text(replies[i]) } };
        struct rig r;
        start(&r, once, 1);
        assert_int_equal(sign(&r).outcome, PORT_SIGNED);
        stop(&r);
        start(&r, always, 1);
        assert_int_equal(sign(&r).outcome, i == 0 ? PORT_REFUSED : PORT_BUSY);
        fake_signer_pause(r.fake);
        assert_int_equal(fake_signer_count(r.fake, "stxn"), 3);
        stop(&r);
    }
}

TEST(coordinator_D8_status_is_read)
{
    const struct fake_rule rules[] = { { "hsts", 0, FAKE_REPLY, BYTES_INIT(HSTS) } };
    struct port_status s;
    struct rig r;
    struct err err;
    start(&r, rules, 1);
    assert_true(port_status(r.port, &s, &err));
    assert_true(s.active && s.has_counters && s.tells_velocity && s.period_runs);
    assert_int_equal(s.approvals, 1);
    assert_int_equal(s.refusals, 2);
    assert_int_equal(s.tag, REFUSAL_VELOCITY);
    assert_int_equal(s.period_left_s, 30);
    assert_int_equal(s.uptime_ms, 12345);
    assert_int_equal(s.n_spent, 2);
    assert_int_equal(s.spent[1].n, 9);
    assert_false(s.tells_users || s.tells_wallets);
    stop(&r);
}

// Numbers that are none make the budget one that is not told.
TEST(coordinator_D8_status_of_nonsense)
{
    static const struct {
        const char *hsts;
        bool ok, tells_velocity;
    } rows[] = {
        { "asci{\"active\": true, \"period\": 60, \"has_spent\": [-1]}", true, false },
        { "asci{\"active\": true, \"period\": 60, \"has_spent\": [1.5]}", true, false },
        { "asci{\"active\": true, \"period\": 60, \"has_spent\": [\"1\"]}", true, false },
        { "asci{\"active\": true, \"period\": 60, \"has_spent\": 5}", true, true },
        { "asci{\"active\": true, \"period\": null}", true, true },
        { "asci{\"active\": true}", true, false }, // priv_over_ux
        { "asci{\"active\": true, \"has_spent\": [1,2,3,4,5,6,7,8,9,10,11]}", true, false },
        { "asci{\"active\": 1}", false, false },
        { "asci[]", false, false },
        { "biny", false, false },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct fake_rule rules[] = { { "hsts", 0, FAKE_REPLY, bytes_of_text(rows[i].hsts) } };
        struct port_status s;
        struct rig r;
        struct err err;
        start(&r, rules, 1);
        const bool ok = port_status(r.port, &s, &err);
        if (ok != rows[i].ok || (ok && s.tells_velocity != rows[i].tells_velocity))
            fail_msg("row %zu: %d, %d", i, ok, s.tells_velocity);
        assert_true(!ok || s.n_spent <= PORT_RULES_MAX);
        stop(&r);
    }
}

// A device that cannot prove the pinned key gets no transaction.
TEST(coordinator_D8_pinned_key_is_proved)
{
    const struct fake_rule rules[] = { { "mitm", 0, FAKE_WRONG_PROOF, { 0 } } };
    struct rig r;
    struct err err;
    start(&r, rules, 1);
    port_free(r.port);
    r.options.pin_xpub = FAKE_XPUB;
    assert_true(port_new(&r.port, &r.options, &err));
    const struct port_answer a = sign(&r);
    assert_int_equal(a.outcome, PORT_UNSENT);
    assert_int_equal(a.tag, REFUSAL_PROTOCOL);
    fake_signer_pause(r.fake);
    assert_int_equal(fake_signer_count(r.fake, "upld"), 0);
    stop(&r);
}

// Whose lease is lost may find another at that device: it starts neither what signs nor what restarts.
TEST(coordinator_F36_inv_16_who_is_to_stop_starts_no_program)
{
    int fds[2];
    struct port *port;
    struct err err;
    char path[200];
    (void)snprintf(path, sizeof path, "%s/started", test_dir());
    const struct signer_config section = { .name = "A",
                                           .transport = TRANSPORT_COMMAND,
                                           .path = "/usr/bin/touch",
                                           .args = { path },
                                           .restart_command = { "/usr/bin/touch", path } };
    assert_int_equal(pipe(fds), 0);
    struct port_options options = { .section = &section,
                                    .network = "regtest",
                                    .cancel_fd = fds[0] };
    assert_true(xfp_from_text(&options.xfp, BYTES(FAKE_XFP)));
    assert_true(port_new(&port, &options, &err));
    assert_int_equal(write(fds[1], "x", 1), 1);
    struct port_answer a;
    port_sign(port, &a, BYTES("psbt\xff a transaction"), test_arena());
    assert_int_equal(a.outcome, PORT_UNSENT);
    assert_false(port_reboot(port, &err));
    assert_err(&err, ERR_INTERRUPTED, "interrupted");
    assert_int_equal(access(path, F_OK), -1);
    port_free(port);
    close(fds[0]);
    close(fds[1]);
}
