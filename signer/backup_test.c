// Backup and restore: docs/backup-format.md; a drill over the whole device.
#include "signer/backup.h"
#include "base/file.h"
#include "policy/canonical.h"
#include "signer/device_wallets.h"
#include "signer/init_backup.h"
#include "signer/master.h"
#include "signer/pinned.h"
#include "tests/support/device_checks.h"
#include "tests/support/ms_rig.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define POLICY                                                                                     \
    "{\"notes\": \"n\", \"period\": 60, \"rules\": [{\"per_period\": 500000, \"users\": "          \
    "[\"alice\", \"carol\"], \"min_users\": 1}, {\"max_amount\": 1000}]}"

// --- A terminal ---

struct terminal {
    const char *const *answers; // up to NULL
    char seen[65536];
    size_t n_seen;
};

static void show(void *context, struct bytes text)
{
    struct terminal *t = context;
    assert_true(t->n_seen + text.len < sizeof t->seen);
    memcpy(t->seen + t->n_seen, text.ptr, text.len);
    t->n_seen += text.len;
    t->seen[t->n_seen] = '\0';
}

static bool ask(void *context, struct writer *out, bool echo, struct err *err)
{
    struct terminal *t = context;
    (void)echo;
    if (*t->answers == NULL)
        return err_set(err, ERR_TRUNCATED, "the input ended before the last answer");
    writer_text(out, *t->answers++);
    return true;
}

static const char *path_of(const char *name)
{
    struct writer w = writer_growing(test_arena(), 200);
    writer_printf(&w, "%s/%s", test_dir(), name);
    return arena_text(test_arena(), writer_bytes(&w));
}

static const char *folder(const char *name)
{
    assert_int_equal(mkdir(path_of(name), 0700), 0);
    return path_of(name);
}

static void put_file(const char *name, struct bytes content)
{
    struct err err;
    assert_true(file_replace(path_of(name), content, 0600, &err));
}

static int64_t restored_at_s(const struct clock *clock)
{
    return RIG_EPOCH_S + clock->offset_s;
}

static bool restore(struct terminal *t, const char *dir, const char *file,
                    const char *const *answers, struct err *err)
{
    *t = (struct terminal){ .answers = answers };
    const struct clock clock = { .wall_s = restored_at_s };
    const struct init_options options = { .dir = path_of(dir),
                                          .clock = &clock,
                                          .source = INIT_BACKUP,
                                          .backup = path_of(file),
                                          .io = { .context = t, .show = show, .ask = ask },
                                          .cost = vault_cost_weak() };
    return init_run(&options, err);
}

// --- A signer with something of everything ---

static const struct backup_words words = { .len = 95,
                                           .b = "abandon abandon abandon abandon abandon abandon "
                                                "abandon abandon abandon abandon abandon about" };
#define WORDS                                                                                      \
    "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon "     \
    "about"

static struct backup_words fixed_words(void)
{
    struct backup_words fixed = words;
    fixed.len = strlen(fixed.b);
    return fixed;
}

static struct bytes sealed_backup_of(struct device_rig *rig)
{
    const struct backup_source source = { .store = rig->store,
                                          .master = rig->device.container,
                                          .chain = device_chain(&rig->device),
                                          .name = "rig",
                                          .now_s = RIG_EPOCH_S };
    const struct backup_words fixed = fixed_words();
    struct writer w = writer_growing(test_arena(), BACKUP_FILE_MAX);
    struct err err;
    if (!backup_make(&w, &source, &fixed, vault_cost_weak(), &err))
        fail_msg("%s", err.text);
    return writer_bytes(&w);
}

static struct bytes text_of(struct bytes sealed)
{
    struct bytes text;
    struct err err;
    if (!backup_file_open(&text, sealed, BYTES(WORDS), test_arena(), &err))
        fail_msg("%s", err.text);
    return text;
}

static void enroll(struct device_rig *rig)
{
    struct err err;
    const struct bytes text = ms_rig_text("Name: vault\nPolicy: 2 of 3\nFormat: P2WSH\n", 3);
    if (!device_ask_enroll(&rig->device, text, &err))
        fail_msg("%s", err.text);
    rig_keys(rig, "yyyyyyyy");
    assert_int_equal(rig->device.wallets.n, 1);
}

// Users, a wallet, a policy in force, something spent, one refusal.
static struct device_rig *furnished(struct bytes *psbt)
{
    struct device_rig *rig = device_rig_new(folder("first"));
    struct rig_host *host = rig_host_linked(rig);
    rig_add_users(host);
    enroll(rig);
    rig_activate(host, POLICY);
    *psbt = rig_payment(rig, 100000);
    rig_alice(host, 60000000);
    assert_int_equal(rig_sign(host, *psbt, 0).result, RIG_SIGNED);
    assert_int_equal(rig_sign(host, rig_payment(rig, 200000), 0).result, RIG_REFUSED);
    return rig;
}

static struct device_rig *open_restored(const char *dir)
{
    struct device_rig *rig = device_rig_prepare(path_of(dir));
    rig->salt = 1000;
    device_rig_start(rig);
    return rig;
}

#define ANSWERS(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define PINS         "123456", "123456"

// "restore drill": the second signer is the first in all that a host can see, and spends nothing that
// the first could not have spent.
TEST(restore_drill)
{
    struct bytes psbt, signed_before;
    struct terminal t;
    struct err err;
    AUTO(device_rig_freep) struct device_rig *first = furnished(&psbt);
    const struct bytes sealed = sealed_backup_of(first);
    const struct hash256 policy = first->device.hsm->policy_hash;
    const uint64_t alice = rig_progress(first, "alice");
    struct rig_host *host = rig_host_linked(first);
    rig_alice(host, 60000005);
    struct rig_outcome outcome = rig_sign(host, psbt, 0);
    assert_int_equal(outcome.result, RIG_SIGNED);
    assert_true(arena_copy(test_arena(), outcome.data, &signed_before));
    put_file("backup", sealed);
    if (!restore(&t, "second", "backup", ANSWERS(WORDS, PINS), &err))
        fail_msg("%s", err.text);
    assert_non_null(
        strstr(t.seen, "The backup of signer rig, fingerprint 0F056943, Bitcoin Testnet 4.\n"
                       "Made 2026-09-21T14:13:20Z.\n"
                       "3 users, 1 multisig wallets, a policy.\n"
                       "HOTP codes that were used after it would be good again. Make these users "
                       "anew: bob.\n"));
    assert_non_null(strstr(t.seen, "set chain = XTN in signer.conf."));
    assert_null(strstr(t.seen, "abandon")); // nothing secret is echoed

    AUTO(device_rig_freep) struct device_rig *second = open_restored("second");
    struct rig_host *h2;
    assert_bytes_text(rig_screen(second).title, "Start HSM?"); // asks, and the wire is closed
    assert_false(second->wire_is_open);
    rig_keys(second, "y");
    assert_int_equal(second->device.state, DEVICE_HSM);
    h2 = rig_host_linked(second);
    assert_memory_equal(second->device.hsm->policy_hash.b, policy.b, sizeof policy.b);
    assert_int_equal(rig_progress(second, "alice"), alice);
    assert_memory_equal(second->device.xfp.b, first->device.xfp.b, 4);
    assert_int_equal(second->device.wallets.n, 1);
    assert_string_equal(second->device.wallets.list[0]->name, "vault");
    // What was spent since the backup is not known: the period counts as used up.
    assert_status(h2, "has_spent", "[500000, 0]");
    rig_alice(h2, 60000010);
    assert_refuses(h2, psbt,
                   "Rejected: rule #1: would exceed period spending, rule #2: amount exceeded");
    rig_pass(second, 3600 * 1000);
    rig_alice(h2, 60000200);
    outcome = rig_sign(h2, psbt, 0);
    assert_int_equal(outcome.result, RIG_SIGNED);
    assert_bytes_equal(outcome.data, signed_before); // the same keys, deterministic
    // A password, salted with the number that it was made for.
    rig_carol(h2, psbt);
    assert_int_equal(rig_sign(h2, psbt, 0).result, RIG_SIGNED);
}

// A code that was used between backup and restore is a code of a time past.
TEST(a_restored_signer_takes_no_totp_code_of_a_time_past)
{
    enum { STEP = RIG_EPOCH_S / 30 };
    struct terminal t;
    struct err err;
    AUTO(device_rig_freep) struct device_rig *first = device_rig_new(folder("first"));
    struct rig_host *host = rig_host_linked(first);
    rig_add_users(host);
    rig_activate(host, "{\"rules\": [{\"users\": [\"alice\"]}]}");
    put_file("backup", sealed_backup_of(first));
    assert_true(restore(&t, "second", "backup", ANSWERS(WORDS, PINS), &err));
    AUTO(device_rig_freep) struct device_rig *second = open_restored("second");
    rig_keys(second, "y");
    struct rig_host *h2 = rig_host_linked(second);
    rig_alice(h2, STEP);
    assert_refuses(h2, rig_payment(second, 1000), "User 'alice' gave wrong auth value: replay");
    rig_alice(h2, STEP + 1);
    assert_signs(h2, rig_payment(second, 1000));
}

// A backup of a restored signer that was not started since still knows what it does not know.
TEST(a_backup_of_a_restored_signer)
{
    struct bytes psbt;
    struct terminal t;
    struct err err;
    AUTO(device_rig_freep) struct device_rig *first = furnished(&psbt);
    put_file("backup", sealed_backup_of(first));
    assert_true(restore(&t, "second", "backup", ANSWERS(WORDS, PINS), &err));
    AUTO(device_rig_freep) struct device_rig *second = open_restored("second");
    rig_keys(second, "x");
    put_file("backup2", sealed_backup_of(second));
    assert_true(restore(&t, "third", "backup2", ANSWERS(WORDS, PINS), &err));
    AUTO(device_rig_freep) struct device_rig *third = open_restored("third");
    rig_keys(third, "y");
    assert_status(rig_host_linked(third), "has_spent", "[500000, 0]");
}

// Nothing arms by itself after a restore, whatever the policy or the configuration say.
TEST(a_restored_signer_waits_for_keys)
{
    struct terminal t;
    struct err err;
    AUTO(device_rig_freep) struct device_rig *first = device_rig_new(folder("first"));
    rig_activate(rig_host_linked(first), "{\"boot_to_hsm\": \"123456\", \"period\": 5, \"rules\": "
                                         "[{\"per_period\": 1000}]}");
    put_file("backup", sealed_backup_of(first));
    assert_true(restore(&t, "second", "backup", ANSWERS(WORDS, PINS), &err));
    AUTO(device_rig_freep) struct device_rig *second = open_restored("second");
    assert_bytes_text(rig_screen(second).title, "Start HSM?");
    assert_int_equal(second->device.state, DEVICE_OFFER);
    rig_keys(second, "y");
    assert_int_equal(second->device.state, DEVICE_HSM);
    device_rig_restart(second);
    assert_int_equal(second->device.state, DEVICE_HSM); // as before
}

TEST(a_restored_signer_does_not_start_a_pinned_policy)
{
    struct terminal t;
    struct err err;
    struct hash256 pin;
    AUTO(device_rig_freep) struct device_rig *first = device_rig_new(folder("first"));
    rig_activate(rig_host_linked(first), "{\"period\": 5, \"rules\": [{\"per_period\": 1000}]}");
    assert_true(pinned_hash(&first->device, &first->device.hsm->policy, &pin, &err));
    put_file("backup", sealed_backup_of(first));
    assert_true(restore(&t, "second", "backup", ANSWERS(WORDS, PINS), &err));
    AUTO(device_rig_freep) struct device_rig *second = device_rig_prepare(path_of("second"));
    second->config.accepted[0] = pin;
    second->config.n_accepted = 1;
    device_rig_start(second);
    assert_bytes_text(rig_screen(second).title, "Start HSM?");
    rig_keys(second, "y");
    assert_status(rig_host_linked(second), "has_spent", "[1000]");
    device_rig_restart(second); // from now on as pinned policies do, with what was spent
    assert_int_equal(second->device.state, DEVICE_HSM);
    assert_status(rig_host_linked(second), "has_spent", "[1000]");
}

TEST(a_restore_writes_over_nothing)
{
    struct terminal t;
    struct err err;
    char text[400];
    AUTO(device_rig_freep) struct device_rig *first = device_rig_new(folder("first"));
    put_file("backup", sealed_backup_of(first));
    // Of a signer that runs, of one that does not, and where one has been.
    assert_false(restore(&t, "first", "backup", ANSWERS(WORDS, PINS), &err));
    assert_int_equal(err.code, ERR_EXISTS);
    device_rig_stop(first);
    assert_false(restore(&t, "first", "backup", ANSWERS(WORDS, PINS), &err));
    snprintf(text, sizeof text, "%s: there is the journal of a signer; move it away",
             path_of("first"));
    assert_err(&err, ERR_EXISTS, text);
    assert_int_equal(rename(path_of("first/journal.jsonl"), path_of("elsewhere")), 0);
    assert_false(restore(&t, "first", "backup", ANSWERS(WORDS, PINS), &err));
    snprintf(text, sizeof text, "%s: there is a signer already", path_of("first"));
    assert_err(&err, ERR_EXISTS, text);
    assert_int_equal(t.n_seen, 0); // before the first question
}

TEST(a_restore_that_fails_leaves_nothing)
{
    struct terminal t;
    struct err err;
    struct stat st;
    AUTO(device_rig_freep) struct device_rig *first = device_rig_new(folder("first"));
    put_file("backup", sealed_backup_of(first));
    assert_false(restore(&t, "second", "backup", ANSWERS(WORDS, "123456"), &err));
    assert_err(&err, ERR_TRUNCATED, "the input ended before the last answer");
    assert_int_not_equal(stat(path_of("second"), &st), 0);
}

// --- The sealed file ---

TEST(damage_is_named)
{
    AUTO(device_rig_freep) struct device_rig *rig = device_rig_new(folder("first"));
    const struct bytes good = sealed_backup_of(rig);
    uint8_t *mem = arena_alloc(test_arena(), good.len + 1);
    struct bytes text;
    struct err err;
    char expected[200];
    const struct {
        size_t at;
        uint8_t flip;
        enum err_code code;
        const char *text;
    } cases[] = {
        { 0, 1, ERR_MALFORMED, "not a Casemate backup" },
        { 16, 3, ERR_UNSUPPORTED, "backup of version 2; this program opens version 1" },
        { 17, 0x80, ERR_INVALID, "the backup is damaged" },           // passes
        { 24, 0x80, ERR_INVALID, "the backup is damaged" },           // memory
        { 29, 1, ERR_AUTH, "these words do not open the backup" },    // salt
        { 50, 1, ERR_AUTH, "these words do not open the backup" },    // stream's header
        { 45 + 41, 1, ERR_INVALID, "the backup is damaged" },         // first byte of the text
        { good.len - 1, 0x80, ERR_INVALID, "the backup is damaged" }, // last byte
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        memcpy(mem, good.ptr, good.len);
        mem[cases[i].at] ^= cases[i].flip;
        assert_false(
            backup_file_open(&text, bytes_of(mem, good.len), BYTES(WORDS), test_arena(), &err));
        assert_err(&err, cases[i].code, cases[i].text);
    }
    for (size_t len = 45; len < good.len; len += 97) {
        assert_false(
            backup_file_open(&text, bytes_slice(good, 0, len), BYTES(WORDS), test_arena(), &err));
        snprintf(expected, sizeof expected, "the backup is cut short: %zu bytes of %zu", len,
                 good.len);
        assert_err(&err, ERR_TRUNCATED, expected);
    }
    memcpy(mem, good.ptr, good.len);
    assert_false(
        backup_file_open(&text, bytes_of(mem, good.len + 1), BYTES(WORDS), test_arena(), &err));
    snprintf(expected, sizeof expected, "the backup is longer than it says: %zu bytes of %zu",
             good.len + 1, good.len);
    assert_err(&err, ERR_MALFORMED, expected);
    assert_false(
        backup_file_open(&text, bytes_slice(good, 0, 30), BYTES(WORDS), test_arena(), &err));
    assert_err(&err, ERR_TRUNCATED, "the backup is cut short: 30 bytes of 45 or more");
}

TEST(wrong_words_are_asked_again)
{
    struct terminal t;
    struct err err;
    AUTO(device_rig_freep) struct device_rig *first = device_rig_new(folder("first"));
    put_file("backup", sealed_backup_of(first));
    if (!restore(&t, "second", "backup",
                 ANSWERS("zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo wrong", "hello",
                         "abandon abandon abandon abandon abandon abandon abandon abandon abandon "
                         "abandon abandon abandon abandon abandon abandon abandon abandon agent",
                         "ABAN aban aban aban aban aban aban aban aban aban aban abou", PINS),
                 &err))
        fail_msg("%s", err.text);
    assert_non_null(strstr(t.seen, "these words do not open the backup.\n"));
    assert_non_null(strstr(t.seen, "a backup has 12 words.\n"));
}

// --- The text ---

TEST(the_text_is_that_of_a_coldcard_and_more)
{
    struct bytes psbt;
    AUTO(device_rig_freep) struct device_rig *rig = furnished(&psbt);
    const struct bytes text = text_of(sealed_backup_of(rig));
    const char *all = arena_text(test_arena(), text);
    static const char *const lines[] = {
        "\nmnemonic = \"wife shiver author away frog air rough vanish fantasy frozen noodle "
        "athlete "
        "pioneer citizen symptom firm much faith extend rare axis garment kiwi clarify\"\n",
        "\nchain = \"XTN\"\n",
        "\nxprv = "
        "\"tprv8ZgxMBicQKsPeXJHL3vPPgTAEqQ5P2FD9qDeCQT4Cp1EMY5QkwMPWFxHdxHrxZhhcVRJ2m7BNWTz9Xre"
        "68y7mX5vCdMJ5qXMUfnrZ2si2X4\"\n",
        "\ncasemate.version = 1\ncasemate.name = \"rig\"\ncasemate.created = 1790000000\n",
        "\nsetting.usr = {\"alice\": [1, \"",
        "\ncasemate.serials = {\"carol\": \"F1F1F1F1F1F1\"}\n",
        "\nsetting.multisig = [[\"vault\", [2, 3], ",
        "\nhsm_policy = \"{\\\"notes\\\": \\\"n\\\", \\\"period\\\": 60, \\\"rules\\\": [{",
        "\ncasemate.counters = {\"approvals\": 1, \"refusals\": 1, \"locker_reads\": 0}\n",
    };
    for (size_t i = 0; i < COUNT(lines); i++)
        if (strstr(all, lines[i]) == NULL)
            fail_msg("line %zu is missing in:\n%s", i, all);
}

#define XPRV                                                                                       \
    "tprv8ZgxMBicQKsPeXJHL3vPPgTAEqQ5P2FD9qDeCQT4Cp1EMY5QkwMPWFxHdxHrxZhhcVRJ2m7BNWTz9Xre68y7mX5v" \
    "CdMJ5qXMUfnrZ2si2X4"
#define MNEMONIC                                                                                   \
    "wife shiver author away frog air rough vanish fantasy frozen noodle athlete pioneer citizen " \
    "symptom firm much faith extend rare axis garment kiwi clarify"

// What a Coldcard of firmware 5 writes, with the settings of this specification.
#define COLDCARD                                                                                   \
    "# Coldcard backup file! DO NOT CHANGE.\n\n# Private key details: Bitcoin Testnet\n\n"         \
    "mnemonic = \"" MNEMONIC "\"\nchain = \"XTN\"\nxprv = \"" XPRV "\"\n"                          \
    "xpub = \"tpubD\"\nraw_secret = "                                                              \
    "\"82\"\n"                                                                                     \
    "\n# Firmware version: informational only\n\nfw_date = \"2026-08-20\"\nfw_version = "          \
    "\"5.6.1\"\n"                                                                                  \
    "fw_timestamp = \"260820133600\"\nserial = \"0123456789AB\"\n\n# User preferences\n\n"         \
    "setting.xfp = 1130956047\nsetting.hsmcmd = 1\n"                                               \
    "setting.usr = {\"bob\": [2, \"MFRGGZDFMZTWQ2LK\", 7], \"pw\": [3, "                           \
    "\"M2TAXMKEBCRW7DGVBQSSK5RUAGHSAJQGIRYVY5QDEI6EVZKVPPQA\", 0]}\n"                              \
    "setting.du = 1\nhsm_policy = \"{\\\"rules\\\": [{\\\"max_amount\\\": 5000, \\\"users\\\": "   \
    "[\\\"pw\\\"], "                                                                               \
    "\\\"min_users\\\": 1}]}\"\nlong_secret = \"00\"\n\n# EOF\n"

TEST(a_coldcards_text_is_imported)
{
    struct terminal t;
    struct err err;
    put_file("ckcc-backup.txt", BYTES(COLDCARD));
    if (!restore(&t, "second", "ckcc-backup.txt", ANSWERS(PINS), &err))
        fail_msg("%s", err.text);
    assert_non_null(strstr(t.seen, "The backup of signer Coldcard, fingerprint 0F056943"));
    AUTO(device_rig_freep) struct device_rig *rig = open_restored("second");
    assert_int_equal(rig_progress(rig, "bob"), 7);
    assert_bytes_text(rig_screen(rig).title, "Start HSM?");
    rig_keys(rig, "yyy");
    assert_int_equal(rig->device.state, DEVICE_HSM);
    // D33: clients are told which number the password was salted with.
    const struct bytes status = rig_status_text(rig_host_linked(rig));
    assert_non_null(
        strstr(arena_text(test_arena(), status), "\"serials\": {\"pw\": \"0123456789AB\"}"));
}

static bool read_text(struct backup *out, const char *text, struct err *err)
{
    return backup_text_read(out, bytes_of_text(text), test_arena(), err);
}

// The reference's container: psbt-signing.md 3.3.
TEST(psbt_signing_3_3_secrets_of_every_kind)
{
    static const struct {
        const char *text, *xfp;
    } cases[] = {
        { "mnemonic = \"" MNEMONIC "\"", "0F056943" },
        { "xprv = \"" XPRV "\"", "0F056943" },
        // 16 bytes of entropy, zeros at the end left out: "abandon ... about"
        { "raw_secret = \"80\"", "73C5DA0A" },
        { "raw_secret = \"8\"", "73C5DA0A" },
        { "raw_secret = \"81000000000000000000000000000000000000000000000000\"", "E08B8AC3" },
        // 16 bytes as they are: BIP-32's vector 1
        { "raw_secret = \"10000102030405060708090a0b0c0d0e0f\"", "3442193E" },
        { "raw_secret = "
          "\"01873dff81c02f525623fd1fe5167eac3a55a049de3d314bb42ee227ffed37d508e8f32e723decf4051aef"
          "ac"
          "8e2c93c9c5b214313817cdb01a1494b917c8436b35\"",
          "3442193E" },
        { "mnemonic = \"" MNEMONIC "\"\ncasemate.passphrase = \"TREZOR\"", NULL },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO(backup_wipe) struct backup backup = { 0 };
        struct hdkey node;
        struct err err;
        char xfp[XFP_TEXT_SIZE];
        if (!read_text(&backup, cases[i].text, &err) || !master_node(&node, backup.master, &err))
            fail_msg("case %zu: %s", i, err.text);
        xfp_to_text(xfp, hdpub_xfp(&node.pub));
        if (cases[i].xfp != NULL)
            assert_string_equal(xfp, cases[i].xfp);
        else
            assert_string_not_equal(xfp, "0F056943");
    }
}

TEST(what_is_wrong_is_named)
{
    static const struct {
        const char *text;
        enum err_code code;
        const char *error;
    } cases[] = {
        { "", ERR_MALFORMED, "no key: neither mnemonic nor raw_secret nor xprv" },
        { "hello", ERR_MALFORMED, "line 1: not `key = value`" },
        { "\n# a\nmnemonic = wife\n", ERR_MALFORMED, "line 3: mnemonic: not a value of JSON" },
        { "mnemonic = 5", ERR_MALFORMED, "line 1: mnemonic: a value of another kind" },
        { "chain = \"BTC\"\nchain = \"XTN\"", ERR_MALFORMED,
          "line 2: chain stands on line 1 already" },
        { "casemate.future = 1", ERR_UNSUPPORTED,
          "line 1: casemate.future: made by a newer program?" },
        { "casemate.version = 2", ERR_UNSUPPORTED,
          "casemate.version: this program reads version 1" },
        { "chain = \"LTC\"", ERR_MALFORMED, "chain: neither BTC nor XTN nor XRT" },
        { "mnemonic = \"wife wife\"", ERR_MALFORMED, NULL },
        { "raw_secret = \"zz\"", ERR_MALFORMED, "raw_secret: not hex digits" },
        { "raw_secret = \"05\"", ERR_MALFORMED, "raw_secret: a secret of no known kind" },
        { "xprv = \"xprv9s21\"", ERR_MALFORMED, "xprv: Failed to parse extended private key." },
        { "xprv = \"" XPRV "\"\nraw_secret = \"80\"", ERR_INVALID,
          "xprv is not the key of the words or the secret beside it; leave one out" },
        { "xprv = \"" XPRV "\"\nsetting.usr = {\"a\": [9, \"A\", 0]}", ERR_MALFORMED,
          "setting.usr: not the record of a user" },
        { "xprv = \"" XPRV "\"\nsetting.multisig = [[]]", ERR_MALFORMED, NULL },
        { "xprv = \"" XPRV "\"\ncasemate.spent = {\"00\": \"\"}", ERR_MALFORMED,
          "casemate.spent: not hashes and hex digits" },
        { "xprv = \"" XPRV "\"\ncasemate.counters = {}", ERR_MALFORMED,
          "casemate.counters: not three numbers" },
        { "xprv = \"" XPRV "\"\ncasemate.locker = \"0\"", ERR_MALFORMED,
          "casemate.locker: not at most 414 bytes as hex digits" },
        { "xprv = \"" XPRV "\"\nhsm_policy = 5", ERR_MALFORMED, "hsm_policy: not a policy" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO(backup_wipe) struct backup backup = { 0 };
        struct err err;
        if (read_text(&backup, cases[i].text, &err))
            fail_msg("case %zu was read", i);
        if (cases[i].error != NULL && strcmp(err.text, cases[i].error) != 0)
            fail_msg("case %zu: %s", i, err.text);
        assert_int_equal(err.code, cases[i].code);
    }
}

// A policy that cannot be read is left behind, and said so; the keys are not lost for it.
TEST(a_policy_that_cannot_be_read_is_left_behind)
{
    struct terminal t;
    struct err err;
    put_file("text",
             BYTES("xprv = \"" XPRV "\"\nhsm_policy = {\"rules\": [{\"users\": [\"zoe\"]}]}"));
    assert_true(restore(&t, "second", "text", ANSWERS(PINS), &err));
    assert_non_null(strstr(t.seen, "The policy was not taken over: HSM Policy invalid: rule #1: "
                                   "Unknown user: zoe.\n"));
    assert_non_null(strstr(t.seen, "0 users, 0 multisig wallets, no policy.\n"));
}

TEST(an_archive_is_refused_with_what_to_do)
{
    struct terminal t;
    struct err err;
    char text[300];
    put_file("b.7z", BYTES("7z\xbc\xaf\x27\x1c and so on"));
    assert_false(restore(&t, "second", "b.7z", ANSWERS(PINS), &err));
    snprintf(text, sizeof text,
             "%s: an archive; unpack it with its words, and restore the text inside",
             path_of("b.7z"));
    assert_err(&err, ERR_UNSUPPORTED, text);
}

// --- The quiz and the verb ---

TEST(quiz_takes_the_words_asked_for)
{
    const struct backup_quiz quiz = { { 1, 11, 12 } };
    const struct backup_words fixed = fixed_words();
    static const struct {
        const char *answer;
        bool right;
    } cases[] = {
        { "abandon abandon about", true },
        { " ABANDON  aban  abou ", true },
        { "abandon abandon abandon", false },
        { "abandon abandon", false },
        { "abandon abandon about about", false },
        { "", false },
        { "aba aban abou", false },
        { "abandon abandon aboutx", false },
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        if (backup_quiz_is_right(&quiz, &fixed, bytes_of_text(cases[i].answer)) != cases[i].right)
            fail_msg("case %zu", i);
    for (int i = 0; i < 200; i++) {
        const struct backup_quiz drawn = backup_quiz_make();
        assert_true(drawn.number[0] >= 1 && drawn.number[0] < drawn.number[1] &&
                    drawn.number[1] < drawn.number[2] && drawn.number[2] <= 12);
    }
}

TEST(words_are_twelve_and_never_the_same)
{
    struct backup_words a, b;
    struct writer w = writer_growing(test_arena(), MNEMONIC_TEXT_MAX);
    struct err err;
    backup_words_make(&a);
    backup_words_make(&b);
    assert_true(mnemonic_normalize(&w, bytes_of(a.b, a.len), &err));
    assert_bytes_equal(writer_bytes(&w), bytes_of(a.b, a.len));
    assert_int_equal(backup_words_nth(&a, 12).ptr + backup_words_nth(&a, 12).len - (uint8_t *)a.b,
                     a.len);
    assert_string_not_equal(a.b, b.b);
}

static bool take(struct terminal *t, const char *file, const char *const *answers, struct err *err)
{
    static struct clock clock;
    clock = clock_system();
    *t = (struct terminal){ .answers = answers };
    const struct backup_options options = { .dir = path_of("first"),
                                            .name = "rig",
                                            .file = path_of(file),
                                            .cost = vault_cost_weak(),
                                            .accept_weak = true,
                                            .chain = chain_by_id(CHAIN_XTN),
                                            .clock = &clock,
                                            .io = { .context = t, .show = show, .ask = ask } };
    return backup_run(&options, err);
}

TEST(the_verb_refuses_what_it_must)
{
    struct terminal t;
    struct err err;
    struct stat st;
    char text[300];
    AUTO(device_rig_freep) struct device_rig *rig = device_rig_new(folder("first"));
    assert_false(take(&t, "out", ANSWERS("123456"), &err));
    assert_int_equal(err.code, ERR_BUSY); // it runs
    device_rig_stop(rig);
    assert_false(take(&t, "out", ANSWERS("wrong pin"), &err));
    assert_err(&err, ERR_AUTH, "wrong PIN");
    put_file("there", BYTES("x"));
    assert_false(take(&t, "there", ANSWERS("123456"), &err));
    snprintf(text, sizeof text, "%s: exists already", path_of("there"));
    assert_err(&err, ERR_EXISTS, text);
    assert_int_not_equal(stat(path_of("out"), &st), 0);
}
