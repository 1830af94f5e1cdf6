#include "cli/command_line.h"
#include "cli/verbs.h"
#include "tests/support/test.h"

// "casemate a b" split at blanks.
static bool parse(struct command_line *out, const char *text, struct err *err)
{
    static char copy[512];
    char *argv[64] = { 0 };
    int argc = 0;
    snprintf(copy, sizeof copy, "%s", text);
    for (char *word = copy; word != NULL;) {
        char *end = strchr(word, ' ');
        if (end != NULL)
            *end++ = 0;
        argv[argc++] = word;
        word = end;
    }
    return command_line_parse(out, argc, argv, verbs_globals(), verbs_all(), err);
}

// cli.md 8, item 1: each verb of section 2 with each option of section 3, and our own of 7.1.
TEST(cli_8_1_command_lines_parse)
{
    static const char *const lines[] = {
        "casemate list",
        "casemate version",
        "casemate -x chain",
        "casemate bag -n ABC",
        "casemate bag --number ABC",
        "casemate xfp",
        "casemate xfp -s",
        "casemate xfp --swab",
        "casemate xpub",
        "casemate xpub m/84h/0h/0h -v",
        "casemate xpub --verbose m",
        "casemate pubkey",
        "casemate pubkey m/0",
        "casemate addr",
        "casemate addr m/0 -s -q",
        "casemate addr -t",
        "casemate addr --taproot --quiet",
        "casemate addr -w",
        "casemate addr --wrap --segwit",
        "casemate sign in.psbt",
        "casemate sign in.psbt out.psbt",
        "casemate sign -z in",
        "casemate sign -zs in",
        "casemate sign in -6",
        "casemate -x sign in -6",
        "casemate -x sign in -x",
        "casemate sign - -",
        "casemate sign --finalize --visualize --signed --hex --base64 in out",
        "casemate sign -p coldcard in",
        "casemate sign --pushtx https://x/# in",
        "casemate sign -m decay in",
        "casemate sign --miniscript decay in",
        "casemate msg hello",
        "casemate msg hello -p m/0 -s -j",
        "casemate msg hello -w -v",
        "casemate msg hello --path m --segwit --wrap --just-sig --verbose",
        "casemate msg -",
        "casemate msg --file f",
        "casemate upload f",
        "casemate upload f --blksize 1024",
        "casemate upload -m f",
        "casemate upload --multisig f",
        "casemate upload --miniscript f",
        "casemate upload --backup f",
        "casemate p2sh 51ae 0F056943/45h/0/1",
        "casemate p2sh 51ae 0F056943/45h 4369050F/45' -s -q",
        "casemate p2sh --segwit --wrap --quiet 51ae a/1 b/1 c/1",
        "casemate p2sh 51ae a b c d e f g h i j k l m n o",
        "casemate backup",
        "casemate backup -d /tmp -o x.7z",
        "casemate backup --outdir /tmp --outfile x.7z --force",
        "casemate restore x.7z",
        "casemate restore -c x.txt",
        "casemate restore x.7z --password --tmp --plaintext",
        "casemate restore x.7z -p -t",
        "casemate pass",
        "casemate pass secret",
        "casemate pass --passphrase secret -v",
        "casemate pass --verbose --expect-xfp 0F056943 --password-fd 3",
        "casemate multisig",
        "casemate multisig -m 2 -n 3 -l joe -p m/45' -f out -v -a -d",
        "casemate multisig --min-signers 2 --signers 3 --name joe --path m/45' --format p2sh",
        "casemate multisig --output-file out --verbose --add --desc",
        "casemate miniscript ls",
        "casemate miniscript get decay",
        "casemate miniscript policy decay",
        "casemate miniscript addr decay 7 --change",
        "casemate miniscript enroll wsh(x) --blksize 1024",
        "casemate miniscript enroll --file f",
        "casemate miniscript del decay",
        "casemate upgrade",
        "casemate upgrade f.dfu",
        "casemate upgrade f.dfu -s",
        "casemate upgrade --stop-early f.dfu",
        "casemate hsm",
        "casemate hsm-start",
        "casemate hsm-start p.json",
        "casemate hsm-start p.json -n",
        "casemate hsm-start --dry-run p.json",
        "casemate user alice",
        "casemate user alice -t",
        "casemate user alice --pass",
        "casemate user alice -a",
        "casemate user alice -p secret",
        "casemate user alice -s NBSWY3DPO5XXE3DE",
        "casemate user alice --hotp -q",
        "casemate user alice -d",
        "casemate user alice --ask-pass --text-secret x",
        "casemate user alice --totp-secret x --show-qr --totp --delete",
        "casemate auth alice 123456",
        "casemate auth alice",
        "casemate auth bob -p",
        "casemate auth bob -f tx.psbt pw",
        "casemate auth bob --psbt-file tx.psbt --password",
        "casemate auth bob -d -3",
        "casemate auth bob --debug --version3",
        "casemate local-conf tx.psbt",
        "casemate local-conf tx.psbt -n BrstN9qZ28pEaBdrUs3K",
        "casemate get-locker",
        "casemate logout",
        "casemate reboot",
        "casemate test",
        "casemate test -s 65",
        "casemate test --single 0",
        "casemate -P version",
        "casemate --plaintext -c /tmp/x -s ABC -x version",
        "casemate --serial=/tmp/x.sock --socket=/tmp/y chain",
        "casemate sign in -p=x --json",
        // 7.1: global options after the verb, in long form
        "casemate sign in --socket /tmp/x --serial y --simulator --json --timeout 5",
        "casemate hsm --pin-xpub x --pin-xfp y --ncry 2 --compat --no-wait --check --quiet",
        "casemate sign in --no-color --verbose --trace /tmp/t --config /tmp/c --plaintext",
        "casemate users",
        "casemate wallets",
        "casemate status",
        "casemate verify",
        "casemate verify f",
        "casemate verify --message a --address b --signature c",
        "casemate wait",
        "casemate wait sign:00 -o out -x",
        "casemate wait backup --outdir /tmp --force --timeout 0",
        "casemate cancel",
        "casemate completion bash",
        "casemate sign -f --qr in",
        "casemate addr --qr",
        "casemate xpub --qr",
        "casemate user alice -q --qr",
        "casemate panel",
        "casemate panel show",
        "casemate panel keys y12",
        "casemate panel text --password-fd 3",
        "casemate panel menu delete-user alice",
        "casemate panel advance 60",
        "casemate panel set fee_limit 20",
        "casemate panel reset --chain XTN --keep",
        "casemate panel --panel A",
        "casemate policy check p.json --users a,b",
        "casemate policy hash p.json",
        "casemate --help",
        "casemate sign --help",
        "casemate",
        "casemate --version",
        "casemate msg -- -x",
        "casemate -- version",
    };
    for (size_t i = 0; i < COUNT(lines); i++) {
        struct command_line line;
        struct err err;
        if (!parse(&line, lines[i], &err))
            fail_msg("%s: %s", lines[i], err.text);
    }
}

TEST(cli_1_1_what_is_refused)
{
    static const struct {
        const char *line, *text;
    } rows[] = {
        { "casemate bogus", "No such command 'bogus'." },
        { "casemate x sign test.psbt -6", "No such command 'x'." }, // the seed example's typo
        { "casemate debug", "No such command 'debug'." },
        { "casemate convert2cc x", "No such command 'convert2cc'." },
        { "casemate miniscript", "Missing command after 'miniscript'." },
        { "casemate policy", "Missing command after 'policy'." },
        { "casemate policy --json", "Missing command after 'policy'." },
        { "casemate policy fly x", "No such command 'policy fly'." },
        { "casemate panel frob", "No such command 'panel frob'." },
        { "casemate sign", "Missing argument 'PSBT_IN'." },
        { "casemate panel set x", "Missing argument 'VALUE'." },
        { "casemate panel menu", "Missing argument 'ITEM'." },
        { "casemate sign a b c", "Got unexpected extra argument (c)" },
        { "casemate version x", "Got unexpected extra argument (x)" },
        { "casemate sign -q a", "No such option: -q" },
        { "casemate sign --frob a", "No such option: --frob" },
        { "casemate --hex sign a", "No such option: --hex" },  // it is the verb's
        { "casemate sign -c /tmp/x a", "No such option: -c" }, // short forms are the verb's
        { "casemate version -j", "No such option: -j" },
        { "casemate -c", "Option '-c' requires an argument." },
        { "casemate --socket", "Option '--socket' requires an argument." },
        { "casemate sign a --hex=1", "Option '--hex' does not take a value." },
        { "casemate --ncry 3 xfp", "Invalid value for '--ncry': '3' is not a number from 1 to 2." },
        { "casemate --ncry 0 xfp", "Invalid value for '--ncry': '0' is not a number from 1 to 2." },
        { "casemate --timeout -1 xfp",
          "Invalid value for '--timeout': '-1' is not a number from 0 to 1000000." },
        { "casemate --timeout 1s xfp",
          "Invalid value for '--timeout': '1s' is not a number from 0 to 1000000." },
        { "casemate test -s 256", "Invalid value for '-s': '256' is not a number from 0 to 255." },
        { "casemate upload f --blksize 4096",
          "Invalid value for '--blksize': '4096' is not a number from 256 to 2048." },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct command_line line;
        struct err err;
        if (parse(&line, rows[i].line, &err))
            fail_msg("%s was accepted", rows[i].line);
        assert_err(&err, ERR_USAGE, rows[i].text);
    }
}

// "Note the trap [...]: `-x` before the verb means simulator, `-x` after `sign` means hex output."
TEST(cli_1_1_position_decides)
{
    struct command_line line;
    struct err err;
    assert_true(parse(&line, "casemate -x sign a", &err));
    assert_true(line.options.simulator && !line.options.hex);
    assert_true(parse(&line, "casemate sign -x a", &err));
    assert_true(!line.options.simulator && line.options.hex);
    assert_true(parse(&line, "casemate sign a --simulator", &err));
    assert_true(line.options.simulator && !line.options.hex);
    assert_true(parse(&line, "casemate -s ABC sign -s a", &err));
    assert_string_equal(line.options.serial, "ABC");
    assert_true(line.options.signed_text);
    // --quiet is the verb's where it has one
    assert_true(parse(&line, "casemate addr --quiet", &err));
    assert_true(line.options.address_only && !line.options.quiet);
    assert_true(parse(&line, "casemate --quiet addr", &err));
    assert_true(!line.options.address_only && line.options.quiet);
    assert_true(parse(&line, "casemate -s/tmp/x.sock xfp", &err));
    assert_string_equal(line.options.serial, "/tmp/x.sock");
    assert_true(parse(&line, "casemate --timeout=7 msg -- -x", &err));
    assert_int_equal(line.options.timeout.value, 7);
    assert_string_equal(line.words[0], "-x");
}

// The verb is known also when the line is wrong: JSON and usage name it.
TEST(a_wrong_line_knows_its_verb)
{
    struct command_line line;
    struct err err;
    assert_false(parse(&line, "casemate sign --frob a", &err));
    assert_string_equal(line.verb->name, "sign");
}

// Every row can be used: letters and names are unique in their table, and a value has a name.
TEST(tables_are_consistent)
{
    for (size_t v = 0; v <= verbs_all().n; v++) {
        const struct option_table t =
            v == verbs_all().n ? verbs_globals() : verbs_all().rows[v]->options;
        for (size_t i = 0; i < t.n; i++) {
            const struct option *a = &t.rows[i];
            assert_non_null(a->name);
            assert_true((a->argument == NULL) == (a->kind == OPTION_FLAG));
            for (size_t k = i + 1; k < t.n; k++) {
                assert_string_not_equal(a->name, t.rows[k].name);
                assert_true(a->letter == 0 || a->letter != t.rows[k].letter);
            }
        }
    }
}
