// Verbs against the fake signer: what goes over the link, and how answers end that no real signer
// gives when asked to.
#include "cli/cli.h"
#include "base/file.h"
#include "base/reader.h"
#include "cli/verbs.h"
#include "client/fake_signer.h"
#include "tests/support/test.h"
#include <fcntl.h>

static const char *path_of(const char *name)
{
    struct writer w = writer_growing(test_arena(), 200);
    writer_printf(&w, "%s/%s", test_dir(), name);
    return arena_text(test_arena(), writer_bytes(&w));
}

static void put_file(const char *name, const char *content)
{
    struct err err;
    assert_true(file_replace(path_of(name), bytes_of_text(content), 0600, &err));
}

static struct fake_signer *start(const struct fake_rule *rules, size_t n_rules)
{
    const struct fake_options options = { .path = path_of("fake-1.sock"),
                                          .rules = rules,
                                          .n_rules = n_rules,
                                          .result = BYTES("psbt\xff") };
    return fake_signer_start(&options);
}

struct outcome {
    int status;
    struct bytes out, err;
};

// Standard output or error, into a file of the test's folder. Returns what it was.
static int redirect(int stream, const char *name)
{
    const int before = dup(stream);
    const int fd = open(path_of(name), O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_true(before >= 0 && fd >= 0);
    fflush(NULL);
    assert_true(dup2(fd, stream) >= 0);
    close(fd);
    return before;
}

static struct bytes restore(int stream, int before, const char *name)
{
    struct bytes said;
    struct err err;
    assert_true(dup2(before, stream) >= 0);
    close(before);
    assert_true(file_read(&said, path_of(name), 1 << 20, test_arena(), &err));
    return said;
}

// Runs a command line in this process and catches what it says.
static struct outcome run(int argc, char **argv)
{
    struct outcome result;
    struct cli cli;
    struct err err;
    const int out = redirect(STDOUT_FILENO, "out"), errors = redirect(STDERR_FILENO, "err");
    cli_init(&cli);
    result.status = command_line_parse(&cli.line, argc, argv, verbs_globals(), verbs_all(), &err)
                        ? cli_run(&cli)
                        : cli_complain(&cli, &err);
    cli_free(&cli);
    result.out = restore(STDOUT_FILENO, out, "out");
    result.err = restore(STDERR_FILENO, errors, "err");
    return result;
}

// A line of words: "@name" is a path in the test's folder, "~" a blank. It asks the fake signer.
static struct outcome run_line(const char *line)
{
    char *text = arena_alloc(test_arena(), 4096), *argv[32] = { text };
    int argc = 0;
    struct writer w = writer_of(text, 4096);
    writer_printf(&w, "casemate -c @fake-1.sock %s ", line);
    struct reader r = reader_of(writer_bytes(&w));
    char *copy = arena_alloc(test_arena(), 8192);
    for (struct bytes word; reader_until(&r, ' ', &word); argc++) {
        argv[argc] = copy;
        if (word.len > 0 && word.ptr[0] == '@')
            copy += snprintf(copy, 300, "%s/%.*s", test_dir(),
                             BYTES_ARG(bytes_slice(word, 1, SIZE_MAX)));
        else
            copy += snprintf(copy, 300, "%.*s", BYTES_ARG(word));
        copy++;
    }
    for (char *c = argv[0]; c < copy; c++)
        *c = *c == '~' ? ' ' : *c;
    argv[argc] = NULL;
    return run(argc, argv);
}

static bool bytes_ends_with(struct bytes text, const char *end)
{
    const size_t len = strlen(end);
    return text.len >= len && bytes_equal_text(bytes_slice(text, text.len - len, len), end);
}

static struct bytes last(struct fake_signer *fake, const char *code)
{
    fake_signer_pause(fake);
    return fake_signer_last(fake, code);
}

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
