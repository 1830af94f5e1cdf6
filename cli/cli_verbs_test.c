// Verbs whose answers a real signer gives only after questions: what they send, and what they report.
#include "cli/test_run.h"

// cli.md 3.10, 7.1: "never overwrite `backup` files without `--force`".
TEST(cli_7_1_backups_are_not_lost)
{
    struct fake_signer *fake = start(NULL, 0);
    char expected[600];
    struct bytes file;
    struct err err;
    snprintf(expected, sizeof expected,
             "Wrote 5 bytes into: %s\nSHA256: "
             "f8fb60f5815d82f0bddb0046423805aba05f32ba13faa61d923c0dc707e4f8a3\n",
             path_of("b.7z"));
    struct outcome o = run_line("backup -o @b.7z");
    assert_int_equal(o.status, EXIT_OK);
    assert_bytes_text(o.out, expected);
    assert_true(file_read(&file, path_of("b.7z"), 100, test_arena(), &err));
    assert_bytes_text(file, "psbt\xff");
    put_file("b.7z", "old");
    o = run_line("backup -o @b.7z"); // and the device is not even asked
    assert_int_equal(o.status, EXIT_USAGE);
    assert_true(bytes_ends_with(o.err, "b.7z: is there already; --force replaces it\n"));
    assert_true(file_read(&file, path_of("b.7z"), 100, test_arena(), &err));
    assert_bytes_text(file, "old");
    assert_int_equal(run_line("backup -o @b.7z --force").status, EXIT_OK);
    put_file("b.7z", "old");
    o = run_line("--compat backup -o @b.7z");
    assert_int_equal(o.status, EXIT_OK);
    assert_bytes_text(o.out, expected);
    assert_true(file_read(&file, path_of("b.7z"), 100, test_arena(), &err));
    assert_bytes_text(file, "psbt\xff");
    o = run_line("backup -o -");
    assert_bytes_text(o.out, "psbt\xff");
    fake_signer_pause(fake);
    assert_int_equal(fake_signer_count(fake, "back"), 4);
    fake_signer_stop(fake);
}

// "by default backup-YYYYMMDD-HHMM.7z", in a folder.
TEST(cli_3_10_the_name_of_a_backup)
{
    struct fake_signer *fake = start(NULL, 0);
    const struct outcome o = run_line("backup --json -d @.");
    const char *name = strstr(arena_text(test_arena(), o.out), "/backup-");
    assert_int_equal(o.status, EXIT_OK);
    assert_non_null(name);
    assert_int_equal(strspn(name + 8, "0123456789"), 8);
    assert_int_equal(name[16], '-');
    assert_int_equal(strspn(name + 17, "0123456789"), 4);
    assert_memory_equal(name + 21, ".7z\"", 4);
    fake_signer_stop(fake);
}

// cli.md 7.4: "after `pwok`, shows the new fingerprint and lets the user compare (`--expect-xfp`)".
TEST(cli_7_4_a_passphrase)
{
    struct fake_rule rules[] = { { "pwok", 1, FAKE_REPLY, BYTES_INIT("okay") },
                                 { "pwok", 0, FAKE_REPLY, BYTES_INIT("asci" FAKE_XPUB) } };
    static const struct {
        const char *line;
        enum exit_code exit;
        const char *out, *says;
    } rows[] = {
        { "pass --password-file @pw", EXIT_OK, "3442193E\n",
          "The device now uses the wallet 3442193E: compare it with the one you expect.\n" },
        { "pass --password-file @pw -v", EXIT_OK, FAKE_XPUB "\n", "" },
        { "pass --password-file @pw --expect-xfp 3442193e", EXIT_OK, "3442193E\n", "" },
        { "pass --password-file @pw --expect-xfp 3442193F", EXIT_IDENTITY, "",
          "casemate: that passphrase opened the wallet 3442193E, not 3442193F; a restart of the "
          "device leaves it\n" },
        { "pass se cret", EXIT_USAGE, "", "Got unexpected extra argument (cret)\n" },
        { "pass secret", EXIT_OK, "3442193E\n", "" },
        { "pass --passphrase secret", EXIT_OK, "3442193E\n", "" }, // the reference ignores it
        { "pass secret --no-wait", EXIT_OK, "pass\n", "" },
    };
    put_file("pw", "secret\n");
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fake_signer *fake = start(rules, 2);
        const struct outcome o = run_line(rows[i].line);
        assert_int_equal(o.status, rows[i].exit);
        assert_bytes_text(o.out, rows[i].out);
        assert_true(bytes_ends_with(o.err, rows[i].says));
        if (o.status == EXIT_OK)
            assert_bytes_text(last(fake, "pass"), "passsecret");
        fake_signer_stop(fake);
    }
}

// Secrets on the command line are named, also with --quiet; with --compat nothing is.
TEST(cli_7_4_secrets_in_arguments)
{
    struct fake_rule rule = { "user", 0, FAKE_REPLY, BYTES_INIT("asci") };
    struct fake_signer *fake = start(&rule, 1);
    const char *warning = "casemate: the password stands on the command line, where other users of "
                          "this machine and the shell's history can see it\n";
    assert_bytes_text(run_line("auth bob -p secret").err, warning);
    assert_bytes_text(run_line("--quiet auth bob -p secret").err, warning);
    assert_bytes_text(run_line("--compat auth bob -p secret").err, "");
    fake_signer_stop(fake);
}

// wire-protocol.md 8.9: who has restored starts anew and knows no session. Any other end cannot be
// told from a refusal.
TEST(cli_7_4_restore_agreed_or_unknown)
{
    struct fake_rule agreed[] = { { "upld", 2, FAKE_REPLY, BYTES_INIT("busy") },
                                  { "upld", 3, FAKE_REPLY, BYTES_INIT("framno key") } };
    struct fake_rule over[] = { { "upld", 2, FAKE_REPLY, BYTES_INIT("busy") },
                                { "upld", 3, FAKE_REPLY, BYTES_INIT("err_offset") } };
    put_file("b.7z", "7z");
    struct fake_signer *fake = start(agreed, 2);
    struct outcome o = run_line("restore @b.7z -t");
    assert_int_equal(o.status, EXIT_OK);
    assert_bytes_text(o.out, "Restored: the device starts anew.\n");
    assert_bytes_equal(
        last(fake, "rest"),
        test_hex("72657374 02000000 "
                 "e0fc9ee7e4bc539ac75bfefdf8b3caa44143b174b430962499e647a3672dfcc1 04"));
    fake_signer_stop(fake);
    fake = start(over, 2);
    o = run_line("restore @b.7z");
    assert_int_equal(o.status, EXIT_PENDING);
    assert_true(bytes_ends_with(o.err, "casemate: the device does not tell whether the operator "
                                       "agreed to the backup; see its screen\n"));
    fake_signer_stop(fake);
}

// "watch `msck`": there, gone without it, or there already before.
TEST(cli_7_4_enrolment_by_msck)
{
    struct fake_rule agreed[] = { { "blkc", 0, FAKE_REPLY, BYTES_INIT("asciBTC") },
                                  { "msck", 1, FAKE_REPLY, BYTES_INIT("int1\0\0\0\0") },
                                  { "msck", 2, FAKE_REPLY, BYTES_INIT("int1\0\0\0\0") },
                                  { "msck", 0, FAKE_REPLY, BYTES_INIT("int1\1\0\0\0") },
                                  { "upld", 2, FAKE_REPLY, BYTES_INIT("busy") } };
    struct fake_rule refused[] = { agreed[0],
                                   { "msck", 0, FAKE_REPLY, BYTES_INIT("int1\0\0\0\0") },
                                   agreed[4] };
    struct fake_rule before[] = { agreed[0],
                                  { "msck", 0, FAKE_REPLY, BYTES_INIT("int1\1\0\0\0") },
                                  agreed[4] };
    const struct {
        const struct fake_rule *rules;
        size_t n;
        enum exit_code exit;
    } rows[] = {
        { agreed, 5, EXIT_OK },
        { refused, 3, EXIT_REFUSED_BY_USER },
        { before, 3, EXIT_PENDING },
    };
    put_file("w.txt",
             "name: joe\npolicy: 1 of 1\nformat: P2WSH\nderivation: m\n3442193E: " FAKE_XPUB "\n");
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fake_signer *fake = start(rows[i].rules, rows[i].n);
        assert_int_equal(run_line("upload -m @w.txt").status, rows[i].exit);
        fake_signer_pause(fake);
        assert_int_equal(fake_signer_count(fake, "stok"), 0); // "Never use `stok` for this"
        assert_int_equal(fake_signer_count(fake, "enrl"), 1);
        fake_signer_stop(fake);
    }
}

// EDGE firmware's wallets, seen by their list.
TEST(cli_7_4_miniscript_by_msls)
{
    struct fake_rule rules[] = { { "msls", 1, FAKE_REPLY, BYTES_INIT("asci[\"a\"]") },
                                 { "msls", 0, FAKE_REPLY, BYTES_INIT("asci[\"a\", \"decay\"]") } };
    struct fake_signer *fake = start(rules, 2);
    assert_int_equal(run_line("miniscript enroll wsh(x)").status, EXIT_OK);
    assert_bytes_equal(bytes_slice(last(fake, "mins"), 4, 4), test_hex("06000000"));
    fake_signer_stop(fake);
    rules[0].nth = 0;
    fake = start(rules, 1);
    assert_int_equal(run_line("miniscript del decay").status, EXIT_REFUSED_BY_USER);
    fake_signer_stop(fake);
}

// cli.md 3.7: the request, byte for byte.
TEST(cli_3_7_p2sh)
{
    struct fake_rule rule = { "p2sh", 0, FAKE_REPLY, BYTES_INIT("asci2abc") };
    struct fake_signer *fake = start(&rule, 1);
    const struct outcome o =
        run_line("p2sh -w 512102aabbccddeeff00112233445566778899aabbccddeeff00112233445566778899aa"
                 "bb51ae 0F056943/45'/0h/7");
    assert_int_equal(o.status, EXIT_OK);
    assert_bytes_text(o.out, "2abc\n");
    assert_bytes_equal(
        last(fake, "p2sh"),
        test_hex("70327368 1a000000 01 01 2700"
                 "512102aabbccddeeff00112233445566778899aabbccddeeff00112233445566778899aabb51ae"
                 "04 0f056943 2d000080 00000080 07000000"));
    fake_signer_stop(fake);
}

// cli.md 3.22: the image, its hash, the header once more, its hash, and a restart unless -s.
TEST(cli_3_22_upgrade)
{
    static char image[0x4100];
    struct err err;
    memset(image, 7, sizeof image);
    memcpy(image + 0x3f80, "\x34\x12\0\xcc", 4);
    assert_true(file_replace(path_of("fw"), BYTES_OF(image), 0600, &err));
    for (int stop = 0; stop < 2; stop++) {
        struct fake_signer *fake = start(NULL, 0);
        assert_int_equal(run_line(stop ? "upgrade @fw -s" : "upgrade @fw").status, EXIT_OK);
        const struct bytes trailer = last(fake, "upld");
        assert_int_equal(fake_signer_count(fake, "sha2"), 2);
        assert_int_equal(fake_signer_count(fake, "rebo"), !stop);
        assert_bytes_equal(bytes_slice(trailer, 4, 8), test_hex("00410000 80410000"));
        assert_bytes_equal(bytes_slice(trailer, 12, 128), bytes_of(image + 0x3f80, 128));
        assert_int_equal(fake_signer_uploaded(fake).len, sizeof image + 128);
        fake_signer_stop(fake);
    }
}

// "--hotp --totp-secret": the reference makes a user of TOTP without a word.
TEST(cli_3_18_a_given_secret_is_for_totp)
{
    struct fake_rule rule = { "nwur", 0, FAKE_REPLY, BYTES_INIT("asci") };
    static const char *const wrong[] = { "user bob --hotp -s MFRGGZDFMZTWQ2LK",
                                         "user bob -a -s MFRGGZDFMZTWQ2LK",
                                         "user bob --pass -s MFRGGZDFMZTWQ2LK" };
    struct fake_signer *fake = start(&rule, 1);
    for (size_t i = 0; i < COUNT(wrong); i++)
        assert_int_equal(run_line(wrong[i]).status, EXIT_USAGE);
    assert_int_equal(run_line("--compat user bob --hotp -s MFRGGZDFMZTWQ2LK").status, EXIT_OK);
    assert_bytes_equal(bytes_slice(last(fake, "nwur"), 0, 5), test_hex("6e777572 01"));
    fake_signer_stop(fake);
    fake = start(&rule, 1);
    put_file("secret", "MFRGGZDFMZTWQ2LK\n");
    const struct outcome o = run_line("user bob -s - --password-file @secret");
    assert_int_equal(o.status, EXIT_OK);
    assert_bytes_text(o.err, ""); // nothing of it stands on the command line
    assert_bytes_equal(last(fake, "nwur"),
                       test_hex("6e777572 01 03 0a 626f62 6162636465666768696a"));
    fake_signer_stop(fake);
}

// cli.md 7.1: tokens name what is to be collected; the poll belongs to the kind.
TEST(cli_7_1_wait_polls_for_the_kind)
{
    static const struct {
        const char *line, *code;
        const char *reply;
        enum exit_code exit;
    } rows[] = {
        { "wait", "stok", NULL, EXIT_OK },
        { "wait sign:0011", "stok", NULL, EXIT_OK },
        { "wait msg", "smok", "err_No active request", EXIT_FAILED },
        { "wait backup -o @w.7z", "bkok", NULL, EXIT_OK },
        { "wait pass", "pwok", "asci" FAKE_XPUB, EXIT_OK },
        { "wait hsm-start", "hsts", "asci{\"active\": true}", EXIT_OK },
        { "wait multisig:2:3:0a0b0c0d", "msck", "int1\1\1\1\1", EXIT_OK },
        { "wait sign --timeout 0", "stok", "okay", EXIT_PENDING },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct fake_rule rule = { rows[i].code, 0, FAKE_REPLY, bytes_of_text(rows[i].reply) };
        struct fake_signer *fake = start(&rule, 1);
        assert_int_equal(run_line(rows[i].line).status, rows[i].exit);
        fake_signer_pause(fake);
        assert_int_equal(fake_signer_count(fake, rows[i].code), 1);
        fake_signer_stop(fake);
    }
    static const char *const wrong[] = { "wait signs", "wait :", "wait multisig:2:3", "wait x" };
    for (size_t i = 0; i < COUNT(wrong); i++) {
        struct fake_signer *fake = start(NULL, 0);
        assert_int_equal(run_line(wrong[i]).status, EXIT_USAGE);
        fake_signer_stop(fake);
    }
}

// cli.md 7.1: "--trace FILE (packets, with payload of `pass`, `user`, `nwur`, `gslr` masked)".
TEST(cli_7_1_traces_hold_no_secret)
{
    static const char secret[] = "736563726574"; // "secret"
    struct fake_rule rules[] = { { "gslr", 0, FAKE_REPLY, BYTES_INIT("binysecretsecretsecret") },
                                 { "nwur", 0, FAKE_REPLY, BYTES_INIT("ascisecret") },
                                 { "user", 0, FAKE_REPLY, BYTES_INIT("ascisecret") },
                                 { "bagi", 0, FAKE_REPLY, BYTES_INIT("ascisecret") } };
    static const struct {
        const char *line;
        bool is_shown;
    } rows[] = {
        { "pass secret --no-wait --quiet", false },
        { "get-locker", false },
        { "user bob -q", false },
        { "auth secret 123456", false },
        { "bag -n secret", true }, // what is no secret is there: the test could fail
    };
    struct fake_signer *fake = start(rules, COUNT(rules));
    for (size_t i = 0; i < COUNT(rows); i++) {
        char line[200];
        struct bytes trace;
        struct err err;
        snprintf(line, sizeof line, "--trace @trace %s", rows[i].line);
        (void)run_line(line);
        assert_true(file_read(&trace, path_of("trace"), 1 << 20, test_arena(), &err));
        const char *text = arena_text(test_arena(), trace);
        assert_int_equal(strstr(text, secret) != NULL, rows[i].is_shown);
        assert_non_null(strstr(text, "> ncry 72 bytes, in the clear: 6e637279"));
    }
    fake_signer_stop(fake);
}

// Runs `auth` with a code when so many seconds of its slot are left.
static struct outcome auth_with_left(const char *line, int left_s)
{
    const struct clock clock = clock_system();
    const int64_t now_s = clock.wall_s(&clock);
    clock_offset_s = 30 - left_s - now_s % 30;
    const struct outcome o = run_line(line);
    clock_offset_s = 0;
    return o;
}

// cli.md 7.4: "warn when fewer than 5 s of the slot remain; the device accepts the two preceding
// slots". The reference's note comes at the other end (3.19). A second may pass meanwhile.
TEST(cli_7_4_totp_at_the_end_of_its_slot)
{
    struct fake_rule rule = { "user", 0, FAKE_REPLY, BYTES_INIT("asci") };
    struct fake_signer *fake = start(&rule, 1);
    const char *note =
        "NOTE: TOTP was on edge of expiry limit! Might not work.\nCorrect or queued\n";
    struct outcome o = auth_with_left("auth bob 123456", 3);
    assert_true(bytes_starts_with(o.err, BYTES("This code's time is over in ")));
    assert_true(bytes_ends_with(o.err, " s; the device takes it for another minute.\n"));
    assert_bytes_text(auth_with_left("auth bob 123456", 15).err, "");
    assert_bytes_text(auth_with_left("auth bob 123456", 29).err, "");
    assert_bytes_text(auth_with_left("--compat auth bob 123456", 29).out, note);
    o = auth_with_left("--compat auth bob 123456", 3);
    assert_bytes_text(o.out, "Correct or queued\n");
    assert_bytes_text(o.err, "");
    fake_signer_stop(fake);
}
