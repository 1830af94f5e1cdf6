// Verbs against the fake signer: what goes over the link, and how answers end that no real signer
// gives when asked to.
#include "cli/cli.h"
#include "cli/test_run.h"

// Item 8: the key that goes over the link, and the token of a dry run.
TEST(cli_8_8_password_keys)
{
    struct fake_rule rules[] = { { "nwur", 0, FAKE_REPLY, BYTES_INIT("asci") },
                                 { "user", 0, FAKE_REPLY, BYTES_INIT("asci") } };
    struct fake_signer *fake = start(rules, 2);
    put_file("password", "1234abcd\n");
    assert_int_equal(run_line("user bob -a --password-file @password").status, EXIT_OK);
    assert_int_equal(run_line("auth bob -p --password-file @password").status, EXIT_OK);
    assert_bytes_equal(
        last(fake, "nwur"),
        test_hex("6e777572 03 03 20 626f62"
                 "ad5a4319450bc153a0aaae2302b0adcdddd1fd7767b441ba59e0a60cb61cbf92"));
    assert_bytes_equal(
        last(fake, "user"),
        test_hex("75736572 00000000 03 20 626f62"
                 "436e47c2d2ea017b687f66c8b293401a9430fdcda1f1b68df38f4a9d264386a0"));
    fake_signer_stop(fake);
}

// bob came from another device by a backup.
TEST(policy_21_d33_a_password_of_another_device)
{
    struct fake_rule rules[] = {
        { "hsts", 0, FAKE_REPLY,
          BYTES_INIT("asci{\"active\": false, "
                     "\"casemate\": {\"serials\": {\"bob\": \"0123456789AB\"}}}") }
    };
    AUTO(fake_signer_stopp) struct fake_signer *fake = start(rules, 1);
    put_file("password", "1234abcd\n");
    assert_int_equal(run_line("auth bob -p --password-file @password").status, EXIT_OK);
    assert_bytes_equal(
        last(fake, "user"),
        test_hex("75736572 00000000 03 20 626f62"
                 "8ca57f7b71449e074b4d86afd981b5104c036ce1331f4fc0705bd78f0a60ba15"));
}

// wire-protocol.md 13.2, where a verb sends it.
TEST(cli_requests_on_the_link)
{
    static const struct {
        const char *line, *code, *hex;
    } rows[] = {
        { "user alice -s MFRGGZDFMZTWQ2LK", "nwur",
          "6e777572 01 05 0a 616c696365 6162636465666768696a" },
        { "user alice", "nwur", "6e777572 81 05 00 616c696365" },
        { "user alice -q --hotp", "nwur", "6e777572 02 05 00 616c696365" },
        { "user alice --pass", "nwur", "6e777572 83 05 00 616c696365" },
        { "user alice -d", "rmur", "726d7572 05 616c696365" },
        { "xpub m/84h/0h/0h", "xpub", "78707562 6d2f3834682f30682f3068" },
        { "addr m/84h/0h/0h/0/0 -s", "show", "73686f77 07000000 6d2f3834682f30682f30682f302f30" },
        { "addr -w", "show", "73686f77 13000000 6d2f3439682f30682f30682f302f30" },
        { "msg hello~world -s -pm/44'/0'/0'/0/0", "smsg",
          "736d7367 07000000 0f000000 0b000000 6d2f3434272f30272f30272f302f30"
          "68656c6c6f20776f726c64" },
        { "msg hi --no-wait", "smsg",
          "736d7367 01000000 0f000000 02000000 6d2f3434682f30682f30682f302f30 6869" },
        { "hsm-start --no-wait", "hsms", "68736d73" },
        { "bag -n X1", "bagi", "62616769 5831" },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fake_rule rule = { rows[i].code, 0, FAKE_REPLY, BYTES_INIT("err_enough") };
        struct fake_signer *fake = start(&rule, 1);
        const struct outcome o = run_line(rows[i].line);
        assert_int_equal(o.status, EXIT_FAILED);
        assert_true(bytes_ends_with(o.err, "casemate: enough\n"));
        assert_bytes_equal(last(fake, rows[i].code), test_hex(rows[i].hex));
        fake_signer_stop(fake);
    }
}

// Item 11, and the exit codes that only a faulty signer brings about.
static const struct {
    struct fake_rule rule;
    const char *line;
    enum exit_code exit;
    const char *json;
} bad[] = {
    { { "blkc", 0, FAKE_REPLY, BYTES_INIT("framdecode") },
      "chain --json",
      EXIT_LINK,
      "{\"ok\": false, \"verb\": \"chain\", \"error\": {\"code\": \"link\", \"exit\": 7, "
      "\"message\": "
      "\"the link lost synchronisation, usually because two programs talk to the device at once\", "
      "\"device_text\": \"Framing Error: decode\"}}\n" },
    { { "blkc", 0, FAKE_VANISH, { 0 } }, "chain --json", EXIT_NO_DEVICE, NULL },
    { { "mitm", 0, FAKE_WRONG_PROOF, { 0 } },
      "hsm-start --json",
      EXIT_IDENTITY,
      "{\"ok\": false, \"verb\": \"hsm-start\", \"error\": {\"code\": \"identity\", \"exit\": 9, "
      "\"message\": \"Possible active MiTM attack in progress! Incorrect signature.\"}}\n" },
    { { "hsts", 0, FAKE_REPLY, BYTES_INIT("asci{]") },
      "hsm --json",
      EXIT_LINK,
      "{\"ok\": false, \"verb\": \"hsm\", \"error\": {\"code\": \"link\", \"exit\": 7, "
      "\"message\": "
      "\"hsts: JSON parse fail\"}}\n" },
    { { "hsts", 0, FAKE_REPLY, BYTES_INIT("busy") },
      "users --json",
      EXIT_BUSY,
      "{\"ok\": false, \"verb\": \"users\", \"error\": {\"code\": \"busy\", \"exit\": 4, "
      "\"message\": "
      "\"an address or another question is on the device's screen; dismiss it there\", "
      "\"device_text\": \"Coldcard is handling another request right now\"}}\n" },
    // a device's text with what a terminal would obey
    { { "blkc", 0, FAKE_REPLY, BYTES_INIT("err_\x1b[2Jx") },
      "chain --json",
      EXIT_FAILED,
      "{\"ok\": false, \"verb\": \"chain\", \"error\": {\"code\": \"failed\", \"exit\": 1, "
      "\"message\": \"?[2Jx\"}}\n" },
};

TEST(cli_8_11_json_for_each_error)
{
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct fake_signer *fake = start(&bad[i].rule, 1);
        const struct outcome o = run_line(bad[i].line);
        assert_int_equal(o.status, bad[i].exit);
        if (bad[i].json != NULL)
            assert_bytes_text(o.out, bad[i].json);
        fake_signer_stop(fake);
    }
}

// A signer that proves a key of its own is still not the pinned one.
TEST(cli_7_6_pins)
{
    static const struct {
        const char *line;
        enum exit_code exit;
    } rows[] = {
        { "xfp --pin-xpub " FAKE_XPUB, EXIT_OK },
        { "xfp --pin-xfp " FAKE_XFP, EXIT_OK },
        { "xfp --pin-xfp 3442193F", EXIT_IDENTITY },
        { "xfp --pin-xpub "
          "tpubD6NzVbkrYhZ4XzL5Dhayo67Gorv1YMS7j8pRUvVMd5odC2LBPLAygka9p7748JtSq82FNGPppFEz5xxZUdas"
          "BRCqJqXvUHq6xpnsMcYJzeh",
          EXIT_IDENTITY },
        { "xfp --pin-xpub xpub", EXIT_USAGE },
        { "xfp --pin-xfp 344219", EXIT_USAGE },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fake_signer *fake = start(NULL, 0);
        const struct outcome o = run_line(rows[i].line);
        assert_int_equal(o.status, rows[i].exit);
        fake_signer_pause(fake);
        assert_int_equal(fake_signer_count(fake, "mitm"), rows[i].exit == EXIT_OK);
        fake_signer_stop(fake);
    }
}

#define LINK "--bunker wss://127.0.0.1:1/device "
#define CERT "--tls-cert @none --tls-key @none "

// What is found out before anybody is asked.
TEST(bunker_51_lines_that_no_signer_link_can_do)
{
    static const struct {
        const char *line, *message;
    } rows[] = {
        { LINK "xfp", "--bunker needs --tls-cert and --tls-key" },
        { LINK CERT "xfp", "--bunker needs --tls-ca or --tls-pin" },
        { LINK CERT "--tls-pin 00 -P xfp",
          "--bunker does not go with --compat, --plaintext or --ncry" },
        { LINK CERT "--tls-pin 00 --ncry 2 xfp",
          "--bunker does not go with --compat, --plaintext or --ncry" },
        { LINK CERT "--tls-pin 00 --check xfp",
          "a device proves nothing over a signer link; pin its key with --pin-xpub" },
        { LINK CERT "--tls-pin 00 reboot", "no signer link allows 'reboot'" },
        { LINK CERT "--tls-pin 00 get-locker", "no signer link allows 'get-locker'" },
        { LINK CERT "--tls-pin 00 backup", "no signer link allows 'backup'" },
        { LINK CERT "--tls-pin 00 miniscript ls", "no signer link allows 'miniscript ls'" },
        { LINK CERT "--tls-pin 00 panel show",
          "whose panel? name the signer with --panel or --socket" },
        { LINK CERT "--tls-pin 00 xfp", "'00' is not a SHA-256 of 64 hex digits" },
        { "--bunker ws://127.0.0.1:1 " CERT "--tls-ca @none xfp",
          "'ws://127.0.0.1:1' is not wss://HOST:PORT/device" },
        { LINK "-x xfp", "--bunker and another device: which is it?" },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char expected[300];
        const struct outcome o = run_words(rows[i].line);
        (void)snprintf(expected, sizeof expected, "casemate: %s\n", rows[i].message);
        if (o.status != EXIT_USAGE || !bytes_ends_with(o.err, expected))
            fail_msg("'%s': %d: %.*s", rows[i].line, o.status, BYTES_ARG(o.err));
    }
}

// A refusal outside HSM mode is the user's; a status that cannot be had changes nothing.
TEST(cli_7_3_who_refused)
{
    struct fake_rule user[] = { { "stok", 0, FAKE_REPLY, BYTES_INIT("refu") },
                                { "hsts", 0, FAKE_REPLY, BYTES_INIT("asci{\"active\": false}") } };
    struct fake_rule unknown[] = { { "stok", 0, FAKE_REPLY, BYTES_INIT("refu") },
                                   { "hsts", 0, FAKE_REPLY,
                                     BYTES_INIT("err_HSM commands disabled") } };
    struct fake_rule policy[] = {
        { "stok", 0, FAKE_REPLY, BYTES_INIT("refu") },
        { "hsts", 0, FAKE_REPLY,
          BYTES_INIT("asci{\"active\": true, \"last_refusal\": \"Rejected: rule #1: wrong "
                     "wallet\"}") },
    };
    const struct {
        const struct fake_rule *rules;
        enum exit_code exit;
        const char *json;
    } rows[] = {
        { user, EXIT_REFUSED_BY_USER, NULL },
        { unknown, EXIT_REFUSED_BY_USER, NULL },
        { policy, EXIT_REFUSED_BY_POLICY,
          "{\"ok\": false, \"verb\": \"sign\", \"error\": {\"code\": \"refused_by_policy\", "
          "\"exit\": "
          "6, \"message\": \"the policy refused\", \"device_text\": \"Rejected: rule #1: wrong "
          "wallet\"}}\n" },
    };
    put_file("in.psbt", "psbt\xff");
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fake_signer *fake = start(rows[i].rules, 2);
        const struct outcome o = run_line("--json sign @in.psbt @out.psbt");
        assert_int_equal(o.status, rows[i].exit);
        if (rows[i].json != NULL)
            assert_bytes_text(o.out, rows[i].json);
        assert_int_equal(access(path_of("out.psbt"), F_OK), -1); // item 5
        fake_signer_stop(fake);
    }
}

// What comes back must be what was asked for.
TEST(a_result_that_is_neither_psbt_nor_transaction)
{
    const struct fake_options options = { .path = path_of("fake-1.sock"),
                                          .result = BYTES("hello") };
    struct fake_signer *fake = fake_signer_start(&options);
    put_file("in.psbt", "psbt\xff");
    const struct outcome o = run_line("--json sign @in.psbt @out.psbt");
    assert_int_equal(o.status, EXIT_LINK);
    assert_int_equal(access(path_of("out.psbt"), F_OK), -1);
    fake_signer_stop(fake);
}

// cli.md 7.6: "`mitm` only when a pinned key exists or `--check` is given, and always for `sign`,
// `backup`, `pass`, `hsm-start`". --compat: the verbs that section 2 marks.
TEST(cli_7_6_who_has_the_device_prove_its_key)
{
    static const struct {
        const char *line;
        bool proves, proves_compat;
    } rows[] = {
        { "sign @in.psbt", true, true },
        { "backup --force -o @b.7z", true, true },
        { "pass secret --no-wait", true, true },
        { "hsm-start --no-wait", true, true },
        { "xfp --check", true, true },
        { "xfp", false, false },
        { "chain", false, false },
        { "msg hello --no-wait", false, false },
        { "upload @in.psbt", false, false },
        { "restore @in.psbt --no-wait", false, false },
        { "get-locker", false, false },
        { "logout", false, false },
        { "hsm", false, true },
        { "multisig", false, true },
        { "miniscript ls", false, true },
        { "user bob -d", false, true },
        { "auth bob 123456", false, true },
        { "local-conf @in.psbt", false, true },
        { "local-conf @in.psbt --next BrstN9qZ28pEaBdrUs3K", false, false }, // asks no device
    };
    put_file("in.psbt", "psbt\xff");
    for (size_t i = 0; i < 2 * COUNT(rows); i++) {
        const bool compat = i % 2 != 0;
        char line[200];
        snprintf(line, sizeof line, "%s%s", compat ? "--compat " : "", rows[i / 2].line);
        struct fake_signer *fake = start(NULL, 0);
        (void)run_line(line);
        fake_signer_pause(fake);
        const bool proves = compat ? rows[i / 2].proves_compat : rows[i / 2].proves;
        if ((fake_signer_count(fake, "mitm") == 1) != proves)
            fail_msg("%s: %u proofs", line, fake_signer_count(fake, "mitm"));
        fake_signer_stop(fake);
    }
}

// Item 15: "A reply of 40 000 bytes to `hsts` is parsed."
TEST(cli_8_15_a_long_status)
{
    struct writer w = writer_growing(test_arena(), 50000);
    writer_text(&w, "asci{\"active\": true, \"users\": [\"alice\"], \"summary\": \"");
    while (w.len < 39990)
        writer_u8(&w, 'x');
    writer_text(&w, "y\"}");
    struct fake_rule rule = { "hsts", 0, FAKE_REPLY, writer_bytes(&w) };
    struct fake_signer *fake = start(&rule, 1);
    const struct outcome o = run_line("--json hsm");
    assert_int_equal(o.status, EXIT_OK);
    assert_true(o.out.len > 39990 && bytes_ends_with(o.out, "xxxy\"}}\n"));
    assert_bytes_text(run_line("users").out, "alice\n");
    fake_signer_stop(fake);
}
