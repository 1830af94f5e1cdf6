// A backup's text comes from anybody: each line that no backup has is refused, with its key.
#include "signer/backup_text.h"
#include "tests/support/fault.h"
#include "tests/support/psbt_maker.h"
#include "tests/support/test.h"

#define KEY      "xprv = \"" TEST_SEED_XPRV "\"\n"
#define HASH     "\"1212121212121212121212121212121212121212121212121212121212121212\""
#define PASSWORD "[3, \"M2TAXMKEBCRW7DGVBQSSK5RUAGHSAJQGIRYVY5QDEI6EVZKVPPQA\", 1]"
#define FULL                                                                                       \
    "casemate.version = 1\n" KEY "chain = \"XTN\"\ncasemate.created = 1790000000\n"                \
    "casemate.serials = {\"pw\": \"F1F1F1F1F1F1\"}\nsetting.usr = {\"pw\": " PASSWORD "}\n"        \
    "setting.multisig = []\nsetting.hsmcmd = 1\ncasemate.policy = \"{}\"\n"                        \
    "casemate.policy_hash_full = " HASH "\ncasemate.sl_hash = " HASH "\n"                          \
    "casemate.spent = {" HASH ": \"0100\"}\n"                                                      \
    "casemate.counters = {\"approvals\": 1, \"refusals\": 2, \"locker_reads\": 3}\n"               \
    "casemate.journal = {\"seq\": 5, \"hash\": " HASH "}\ncasemate.locker = \"616263\"\n"
#define NO_COUNTERS "casemate.counters: not three numbers"
#define NO_JOURNAL  "casemate.journal: not the head of a journal"
#define NO_SPENDING "casemate.spent: not hashes and hex digits"
#define NO_LOCKER   "casemate.locker: not at most 414 bytes as hex digits"
#define NO_VERSION  "casemate.version: this program reads version 1"

static bool read_text(struct backup *out, const char *text, struct arena *arena, struct err *err)
{
    *out = (struct backup){ 0 };
    return backup_text_read(out, bytes_of_text(text), arena, err);
}

TEST(a_whole_text_is_read)
{
    AUTO(backup_wipe) struct backup b = { 0 };
    struct err err;
    if (!read_text(&b, FULL, test_arena(), &err))
        fail_msg("%s", err.text);
    assert_true(b.is_ours && b.settings.has_hsm_commands && b.settings.hsm_commands);
    assert_true(b.users.n == 1 && b.past.n == 1 && b.n_wallets == 0 && b.head.seq == 5);
    assert_string_equal(b.users.items[0].salt_serial, "F1F1F1F1F1F1");
    assert_true(b.counters.approvals == 1 && b.counters.refusals == 2 &&
                b.counters.locker_reads == 3);
    assert_bytes_text(b.locker, "abc");
    assert_int_equal(b.created_s, 1790000000);
}

TEST(what_a_coldcard_adds_is_ignored)
{
    static const char *const lines[] = {
        "",
        "\n\n# a comment\n",
        "something.of.theirs = {\"not\": \"ours\"}\n",
        "fw_date = not even JSON\n",
        "setting.hsmcmd = false\n",
        "setting.hsmcmd = 0\n",
        "hsm_policy = null\n",
        "hsm_policy = {\"rules\": []}\n",
    };
    for (size_t i = 0; i < COUNT(lines); i++) {
        AUTO(backup_wipe) struct backup b = { 0 };
        struct err err;
        char text[512];
        (void)snprintf(text, sizeof text, KEY "%s", lines[i]);
        if (!read_text(&b, text, test_arena(), &err))
            fail_msg("%s: %s", lines[i], err.text);
        assert_false(b.is_ours || b.settings.hsm_commands);
        assert_string_equal(b.chain->code, "BTC");
    }
}

TEST(lines_that_no_backup_has)
{
    static const struct {
        const char *line, *error;
    } cases[] = {
        { "no value\n", "line 2: not `key = value`" },
        { "chain = XTN\n", "line 2: chain: not a value of JSON" },
        { "chain = 5\n", "line 2: chain: a value of another kind" },
        { "chain = \"XTN\"\nchain = \"XTN\"\n", "line 3: chain stands on line 2 already" },
        { "chain = \"XYZ\"\n", "chain: neither BTC nor XTN nor XRT" },
        { "casemate.unheard = 1\n", "line 2: casemate.unheard: made by a newer program?" },
        { "casemate.version = 2\n", NO_VERSION },
        { "casemate.version = 1.5\n", NO_VERSION },
        { "casemate.created = 0.5\n", "casemate.created: not a time" },
        { "casemate.locker = \"6\"\n", NO_LOCKER },
        { "casemate.locker = \"zz\"\n", NO_LOCKER },
        { "casemate.policy_hash_full = \"12\"\n", "casemate.policy_hash_full: not 64 hex digits" },
        { "casemate.sl_hash = \"\"\n", "casemate.sl_hash: not 64 hex digits" },
        { "casemate.spent = {\"12\": \"00\"}\n", NO_SPENDING },
        { "casemate.spent = {" HASH ": 5}\n", NO_SPENDING },
        { "casemate.spent = {" HASH ": \"0\"}\n", NO_SPENDING },
        { "casemate.counters = {}\n", NO_COUNTERS },
        { "casemate.counters = {\"approvals\": 1, \"refusals\": -2, \"locker_reads\": 3}\n",
          NO_COUNTERS },
        { "casemate.counters = {\"approvals\": 1, \"refusals\": 2}\n", NO_COUNTERS },
        { "casemate.counters = {\"approvals\": 1, \"refusals\": 2, \"locker_reads\": 0.5}\n",
          NO_COUNTERS },
        { "casemate.journal = {}\n", NO_JOURNAL },
        { "casemate.journal = {\"seq\": 5}\n", NO_JOURNAL },
        { "casemate.journal = {\"seq\": 5, \"hash\": 5}\n", NO_JOURNAL },
        { "casemate.journal = {\"seq\": 5, \"hash\": \"12\"}\n", NO_JOURNAL },
        { "setting.hsmcmd = \"yes\"\n", "setting.hsmcmd: neither true nor false" },
        { "hsm_policy = [1]\n", "hsm_policy: not a policy" },
        { "serial = \"\\u0001\"\nsetting.usr = {\"pw\": " PASSWORD "}\n",
          "serial: not a serial number" },
        { "casemate.serials = {\"pw\": \"longer than any serial number of a Coldcard "
          "is\"}\nsetting.usr = {\"pw\": " PASSWORD "}\n",
          "casemate.serials: not a serial number" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO(backup_wipe) struct backup b = { 0 };
        struct err err = { 0 };
        char text[1024];
        (void)snprintf(text, sizeof text, KEY "%s", cases[i].line);
        if (read_text(&b, text, test_arena(), &err))
            fail_msg("was read: %s", cases[i].line);
        assert_string_equal(err.text, cases[i].error);
    }
}

// A serial of a user that has no password, and one that is no text, say nothing.
TEST(serials_of_others)
{
    AUTO(backup_wipe) struct backup b = { 0 };
    struct err err;
    assert_true(read_text(&b,
                          KEY "serial = \"A1\"\ncasemate.serials = {\"else\": \"B2\", \"pw\": "
                              "5}\nsetting.usr = {\"pw\": " PASSWORD "}\n",
                          test_arena(), &err));
    assert_string_equal(b.users.items[0].salt_serial, "A1");
}

TEST(secrets_that_no_backup_has)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        { "chain = \"XTN\"\n", "no key: neither mnemonic nor raw_secret nor xprv" },
        { "raw_secret = \"zz\"\n", "raw_secret: not hex digits" },
        { "raw_secret = \"00\"\n", "raw_secret: a secret of no known kind" },
        { KEY "raw_secret = \"80"
              "01010101010101010101010101010101\"\n",
          "xprv is not the key of the words or the secret beside it; leave one out" },
        { "xprv = \"xprv9\"\nraw_secret = \"8001010101010101010101010101010101\"\n",
          "xprv: Failed to parse extended private key." },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO(backup_wipe) struct backup b = { 0 };
        struct err err = { 0 };
        if (read_text(&b, cases[i].text, test_arena(), &err))
            fail_msg("was read: %s", cases[i].text);
        assert_string_equal(err.text, cases[i].error);
    }
}

static bool read_armed(void *context, struct err *err)
{
    AUTO(backup_wipe) struct backup b = { 0 };
    AUTO(arena_freep) struct arena *arena = arena_new(1 << 22);
    (void)context;
    fault_arm();
    const bool ok = read_text(&b, FULL, arena, err);
    fault_disarm();
    return ok;
}

TEST(without_memory_no_backup_is_read)
{
    const struct fault_counts counts = fault_sweep(FAULT_MEMORY, read_armed, NULL);
    assert_true(counts.refused >= 10);
    assert_int_equal(counts.harmless, 0);
    assert_int_equal(counts.stopped, 0);
}
