// --compat: what scripts of the reference client read, byte for byte. Source: cli.md 1.3, 3, 4.
#include "cli/test_run.h"

#define NOTE_5    "5 bytes (start @ 0) to send from 'memory'\n"
#define UPLOADING "Uploading\n"
#define BLANKS    "                                  "
#define WAITING   "Waiting for OK on the Coldcard...\r" BLANKS "\r"
#define REFUSED   "\n\nYou refused permission to do the operation\n"
#define BUSY      "\n\nColdcard is handling another request right now\n"
#define STATUS    "asci{\"active\": false, \"chain\": \"XTN\", \"users\": [], \"wallets\": []}"
#define VERSION   "2026-08-20\n5.6.1\n3.3.0\n260820133600\nmk4"
#define SCRIPT    "51210339a36013301597daef41fbe593a02cc513d0b55527ec2df1050e2e8ff49c85c251ae"
#define MASTER    "[3442193e"

// One run against a signer that answers one request so. "": nothing is said there; NULL: not looked at.
struct row {
    const char *line;
    struct fake_rule rule;
    int exit;
    const char *out, *err;
};
#define RULE(code, reply)                                                                          \
    {                                                                                              \
        code, 0, FAKE_REPLY, BYTES_INIT(reply)                                                     \
    }
#define NO_RULE                                                                                    \
    {                                                                                              \
        "logo", 0, FAKE_REPLY, BYTES_INIT("okay")                                                  \
    }

static void check(const struct row *row)
{
    struct fake_signer *fake = start(&row->rule, 1);
    char line[300];
    snprintf(line, sizeof line, "--compat %s", row->line);
    const struct outcome o = run_line(line);
    if (o.status != row->exit || (row->out != NULL && !bytes_equal_text(o.out, row->out)) ||
        (row->err != NULL && !bytes_equal_text(o.err, row->err)))
        fail_msg("%s: exit %d, out '%.*s', err '%.*s'", row->line, o.status, BYTES_ARG(o.out),
                 BYTES_ARG(o.err));
    fake_signer_stop(fake);
}

static void check_all(const struct row *rows, size_t n)
{
    put_file("in.psbt", "psbt\xff");
    put_file("backup.7z", "7z");
    put_file("wallet.txt", "name: joe");
    put_file("p.json", "{\"rules\": []}");
    for (size_t i = 0; i < n; i++)
        check(&rows[i]);
}

TEST(cli_8_2_success)
{
    static const struct row rows[] = {
        { "version", RULE("vers", "asci" VERSION), 0, VERSION "\n", "" },
        { "chain", RULE("blkc", "asciXRT"), 0, "XRT\n", "" },
        { "bag", RULE("bagi", "asciCSIM0000"), 0, "Bag number: 'CSIM0000'\n", "" },
        { "bag -n X", RULE("bagi", "asciCSIM0000"), 0, "Bag number: 'CSIM0000'\n", "" },
        { "xfp", NO_RULE, 0, "3442193E\n", "" },
        { "xfp -s", NO_RULE, 0, "0x3e194234\n", "" },
        { "xpub m/1", RULE("xpub", "asci" FAKE_XPUB), 0, FAKE_XPUB "\n", "" },
        { "xpub -v", RULE("xpub", "asci" FAKE_XPUB), 0, MASTER "/m]" FAKE_XPUB "\n", "" },
        { "xpub -v m/1'", RULE("xpub", "asci" FAKE_XPUB), 0, MASTER "/1h]" FAKE_XPUB "\n", "" },
        { "pubkey", RULE("xpub", "asci" FAKE_XPUB), 0,
          "0339a36013301597daef41fbe593a02cc513d0b55527ec2df1050e2e8ff49c85c2\n", "" },
        { "addr", RULE("show", "asci1abc"), 0, "Displaying address:\n\n1abc\n\n", "" },
        { "addr -q", RULE("show", "asci1abc"), 0, "1abc\n", "" },
        { "p2sh " SCRIPT " 0F056943/45h", RULE("p2sh", "asci3abc"), 0,
          "Displaying address:\n\n3abc\n\n", "" },
        { "p2sh " SCRIPT " 0F056943/45h -q", RULE("p2sh", "asci3abc"), 0, "3abc\n", "" },
        { "sign @in.psbt", NO_RULE, 0, UPLOADING "cHNidP8=\n",
          NOTE_5 WAITING "Ok! Downloading result (5 bytes)\n" },
        { "sign @in.psbt -x", NO_RULE, 0, UPLOADING "70736274ff\n", NULL },
        { "sign @in.psbt -x -6", NO_RULE, 0, UPLOADING "70736274ff\n", NULL },
        { "sign @in.psbt @signed", NO_RULE, 0, UPLOADING, NULL },
        { "sign @in.psbt -z", NO_RULE, 0, UPLOADING "psbt\xff", NULL },
        { "sign @in.psbt -s", NO_RULE, 0, UPLOADING "cHNidP8=\n", NULL },
        { "restore @backup.7z", NO_RULE, 0, UPLOADING,
          NULL }, // "Starts the dialog and exits 0 at once"
        { "pass secret", RULE("pwok", "asci" FAKE_XPUB), 0, "Done.\n", WAITING },
        { "pass secret -v", RULE("pwok", "asci" FAKE_XPUB), 0, FAKE_XPUB "\n", WAITING },
        { "multisig -a", RULE("xpub", "asci" FAKE_XPUB), 0, "3442193E: " FAKE_XPUB "\n", "" },
        { "multisig -d -m 2", RULE("xpub", "asci" FAKE_XPUB), 0,
          "wsh(sortedmulti(2," MASTER "/45']" FAKE_XPUB "/0/*,...))\n", "" },
        { "upload @wallet.txt", NO_RULE, 0, UPLOADING, NULL },
        { "upload -m @wallet.txt", NO_RULE, 0, UPLOADING, NULL },
        { "upload --miniscript @wallet.txt", NO_RULE, 0, UPLOADING, NULL },
        { "upload --backup @backup.7z", NO_RULE, 0, UPLOADING, NULL },
        { "miniscript ls", RULE("msls", "asci[\"decay\"]"), 0, "['decay']\n", "" },
        { "miniscript get decay", RULE("msgt", "asci{\"name\": \"decay\", \"desc\": \"x\"}"), 0,
          "{'desc': 'x', 'name': 'decay'}\n", "" },
        { "miniscript policy decay", RULE("mspl", "asci{\"name\": \"decay\"}"), 0,
          "{'name': 'decay'}\n", "" },
        { "miniscript addr decay 7", RULE("msas", "ascibc1q"), 0, "bc1q\n", "" },
        { "miniscript del decay", NO_RULE, 0, "", "" },
        { "miniscript enroll wsh(x)", NO_RULE, 0, NULL, NULL },
        { "hsm", RULE("hsts", STATUS), 0,
          "{'active': False, 'chain': 'XTN', 'users': [], 'wallets': []}\n", "" },
        { "hsm-start", NO_RULE, 0, "Approve HSM policy on Coldcard screen.\n", "" },
        { "hsm-start @p.json", NO_RULE, 0, UPLOADING "Approve HSM policy on Coldcard screen.\n",
          NULL },
        { "hsm-start -n @p.json", NO_RULE, 0, "Policy ok\n", "" },
        { "user bob -p secret", RULE("nwur", "asci"), 0, "Done\n", "" },
        { "user bob -q", RULE("nwur", "asciNBSWY3DPO5XXE3DE"), 0,
          "otpauth://totp/bob?secret=NBSWY3DPO5XXE3DE&issuer=Coldcard%20F1F1F1F1F1F1\n", "" },
        { "user bob -d", NO_RULE, 0, "Deleted, if it was there\n", "" },
        { "auth bob -p secret", RULE("user", "asci"), 0, "Correct or queued\n", "" },
        { "auth bob -p secret", RULE("user", "ascimismatch"), 0, "Problem: mismatch\n", "" },
        { "local-conf @in.psbt -n BrstN9qZ28pEaBdrUs3K", NO_RULE, 0, NULL, "" },
        { "get-locker", RULE("gslr", "biny0123456789abcdef"), 0, "0123456789abcdef\n", "" },
        { "logout", NO_RULE, 0, "Okay!\n", "" },
        { "reboot", NO_RULE, 0, "Okay!\n", "" },
    };
    check_all(rows, COUNT(rows));
}

TEST(cli_8_2_refusal)
{
    static const struct row rows[] = {
        { "sign @in.psbt", RULE("stok", "refu"), 1, UPLOADING, NOTE_5 WAITING REFUSED },
        { "msg hello", RULE("smok", "refu"), 1, "", WAITING REFUSED },
        { "backup -o @b.7z", RULE("bkok", "refu"), 1, "", WAITING REFUSED },
        { "pass secret", RULE("pwok", "refu"), 1, "", WAITING REFUSED },
    };
    check_all(rows, COUNT(rows));
}

TEST(cli_8_2_busy)
{
    static const struct row rows[] = {
        { "msg hello", RULE("smsg", "busy"), 1, "", BUSY },
        { "p2sh " SCRIPT " 0F056943/45h", RULE("p2sh", "busy"), 1, "", BUSY },
        { "miniscript addr decay 7", RULE("msas", "busy"), 1, "", BUSY },
    };
    check_all(rows, COUNT(rows));
}

// "verbs `sign`, `backup`, `restore`": on standard output; "all other verbs": standard error.
TEST(cli_8_2_device_error)
{
    static const struct row rows[] = {
        { "sign @in.psbt", RULE("stok", "err_Invalid PSBT"), 1,
          UPLOADING "\nColdcard Error: Invalid PSBT\n\n", NOTE_5 WAITING },
        { "sign @in.psbt", RULE("stxn", "err_badlen"), 1, UPLOADING "\nColdcard Error: badlen\n\n",
          NOTE_5 },
        { "backup -o @b.7z", RULE("back", "err_Not allowed in HSM mode"), 1,
          "\nColdcard Error: Not allowed in HSM mode\n\n", "" },
        { "restore @backup.7z", RULE("rest", "err_badlen"), 1,
          UPLOADING "\nColdcard Error: badlen\n\n", NULL },
        { "msg hello", RULE("smsg", "err_x"), 1, "", "\n\nColdcard Error: x\n" },
        { "pass secret", RULE("pass", "err_no seed"), 1, "", "\n\nColdcard Error: no seed\n" },
        { "xpub q", RULE("xpub", "err_invalid characters in path"), 1, "",
          "\n\nColdcard Error: invalid characters in path\n" },
        { "addr -t", RULE("show", "err_Assertion chains.py:173"), 1, "",
          "\n\nColdcard Error: Assertion chains.py:173\n" },
        { "user alice", RULE("nwur", "err_badlen"), 1, "", "\n\nColdcard Error: badlen\n" },
        { "hsm", RULE("hsts", "err_HSM commands disabled"), 1, "",
          "\n\nColdcard Error: HSM commands disabled\n" },
        { "hsm-start", RULE("hsms", "err_No existing policy"), 1, "",
          "\n\nColdcard Error: No existing policy\n" },
        { "upload -m @wallet.txt", RULE("enrl", "err_need xpubs"), 1, UPLOADING, NULL },
        { "miniscript ls", RULE("msls", "err_Unknown cmd"), 1, "",
          "\n\nColdcard Error: Unknown cmd\n" },
        { "get-locker", RULE("gslr", "err_need hsm"), 1, "", "\n\nColdcard Error: need hsm\n" },
        { "bag", RULE("bagi", "err_x"), 1, "", "\n\nColdcard Error: x\n" },
    };
    check_all(rows, COUNT(rows));
}

// "traceback ending in ...", "failed local check"; and texts on standard output with exit 1.
TEST(cli_8_2_local_failures)
{
    static const struct row rows[] = {
        { "user bobbobbobbobbobbo -d", NO_RULE, 1, "",
          "Traceback (most recent call last):\nAssertionError: Username length wrong\n" },
        { "local-conf @in.psbt", RULE("hsts", STATUS), 1, "",
          "Traceback (most recent call last):\nAssertionError: Coldcard not in HSM mode\n" },
        { "local-conf @in.psbt", RULE("hsts", "asci{\"active\": true}"), 1, "",
          "Traceback (most recent call last):\nKeyError: 'next_local_code'\n" },
        { "xpub", RULE("xpub", "framdecode"), 1, "",
          "Traceback (most recent call last):\nckcc.protocol.CCFramingError: Framing Error: "
          "decode\n" },
        { "sign @backup.7z", NO_RULE, 1, "File doesn't have PSBT magic number at start.\n", "" },
        { "restore -c -p @backup.7z", NO_RULE, 1,
          "Failed: Plaintext backup cannot have custom password.\n", "" },
        { "upload -m --backup @backup.7z", NO_RULE, 1,
          "Failed: Only one can be specified from miniscript/multisig/backup\n", "" },
        { "multisig -m 4 -n 15", NO_RULE, 1, "N must be 1..15\n", "" },
        { "hsm",
          { "mitm", 0, FAKE_WRONG_PROOF, { 0 } },
          1,
          "",
          "Traceback (most recent call last):\nRuntimeError: Possible active MiTM attack in "
          "progress! Incorrect signature.\n" },
        { "auth bob 12345", NO_RULE, 2, "", NULL },
        { "bogus", NO_RULE, 2, "", NULL },
        { "sign @none", NO_RULE, 2, "", NULL },
    };
    check_all(rows, COUNT(rows));
}

TEST(cli_8_2_no_seed)
{
    const struct fake_options options = { .path = path_of("fake-1.sock"), .no_seed = true };
    struct fake_signer *fake = fake_signer_start(&options);
    put_file("in.psbt", "psbt\xff");
    struct outcome o = run_line("--compat xfp");
    assert_int_equal(o.status, 1);
    assert_bytes_text(o.err, "Traceback (most recent call last):\nAssertionError\n");
    o = run_line("--compat sign @in.psbt");
    assert_int_equal(o.status, 1);
    assert_bytes_text(o.err, "Traceback (most recent call last):\nAssertionError: device doesn't "
                             "have any secrets yet\n");
    fake_signer_stop(fake);
}

// Each verb that talks to a device, where there is none.
TEST(cli_8_2_no_device)
{
    static const char *const lines[] = {
        "version", "chain",    "bag",        "xfp",   "xpub",   "addr", "backup", "pass x",
        "hsm",     "multisig", "get-locker", "users", "logout", "test", "msg hi", "user bob -d",
    };
    for (size_t i = 0; i < COUNT(lines); i++) {
        char line[100];
        put_file("nobody", "");
        snprintf(line, sizeof line, "--compat -c @nobody %s", lines[i]);
        const struct outcome o = run_words(line);
        assert_int_equal(o.status, 1);
        assert_bytes_text(o.out, "");
        if (!bytes_ends_with(o.err, "RuntimeError: Cannot connect to simulator. Is it running?\n"))
            fail_msg("%s: %.*s", lines[i], BYTES_ARG(o.err));
    }
}
