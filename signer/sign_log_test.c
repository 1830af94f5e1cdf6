// What the card gets of each request: policy.md 17, checklist items 42, 81, 82.
#include "base/file.h"
#include "base/hex.h"
#include "base/reader.h"
#include "signer/audit.h"
#include "signer/sign_tx.h"
#include "tests/support/device_checks.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define NO_CARD "Could not log details, and must_log is set"

static void eject(struct device_rig *rig)
{
    const int dir = store_dir_fd(rig->store);
    assert_int_equal(renameat(dir, "card", dir, "card.pulled"), 0);
}

static void insert(struct device_rig *rig)
{
    const int dir = store_dir_fd(rig->store);
    assert_int_equal(renameat(dir, "card.pulled", dir, "card"), 0);
}

// The path of a record: folder and the last 8 bytes of the hash.
static const char *path_of(const char *folder, struct bytes what)
{
    const struct hash256 hash = sha256(what);
    char name[AUDIT_FILE_NAME_SIZE];
    audit_file_name(name, &hash);
    struct writer w = writer_growing(test_arena(), 4096);
    writer_printf(&w, "%s/card/%s/%s", test_dir(), folder, name);
    return arena_text(test_arena(), writer_bytes(&w));
}

static bool exists(const char *path)
{
    struct stat st;
    if (stat(path, &st) == 0)
        return true;
    assert_int_equal(errno, ENOENT);
    return false;
}

static struct bytes record(const char *folder, struct bytes what)
{
    struct bytes text;
    struct err err;
    if (!file_read(&text, path_of(folder, what), 1u << 20, test_arena(), &err))
        fail_msg("%s", err.text);
    return text;
}

static void write_request(struct writer *w, struct bytes psbt)
{
    const struct hash256 hash = sha256(psbt);
    writer_text(w, "Transaction signing requested:\nSHA256(PSBT) = ");
    writer_hex(w, BYTES_OF(hash.b));
    // [FIX] without the display byte 0x02 before addresses
    writer_text(w, "\n-vvv-\nSending 0.02000000 XTN\nNetwork fee 0.00001000 XTN\n\n 1 input\n"
                   " 2 outputs\n\n0.02000000 XTN\n - to address -\n" RIG_STRANGER
                   "\n\nChange back:\n0.07999000 XTN\n - to address -\n"
                   "tb1qhvr7drg3mlxp03l97ecz5tzvczve6rsmsvf99e\n\n\n-^^^-\n");
}

// --- 17.4, with a PSBT of the test seed ---

TEST(policy_24_81_the_worked_example)
{
    char code[7];
    WITH_RIG(rig, host);
    rig_add_users(host);
    rig_activate(host, "{\"must_log\":true,\"period\":60,\"rules\":[{\"max_amount\":1000000,"
                       "\"per_period\":3000000},{\"max_amount\":5000000,\"users\":[\"alice\"],"
                       "\"local_conf\":true}]}");
    assert_status(host, "policy_hash",
                  "\"d231cc875234118e9e8577c036449957c96d9765301237a0183229b9a2cae409\"");
    const struct bytes psbt = rig_payment(rig, 2000000);
    static const char refusal[] =
        "Rejected: rule #1: amount exceeded, rule #2: local operator didn't confirm";
    assert_refuses(host, psbt, refusal);
    rig_local_code(host, psbt, code);
    rig_keys(rig, code);
    rig_alice(host, 58000000);
    assert_signs(host, psbt);

    // The same PSBT again adds a record to the same file.
    struct writer w = writer_growing(test_arena(), 8192);
    write_request(&w, psbt);
    writer_printf(&w, "\nREFUSED: %s\n\n===\n\n", refusal);
    write_request(&w, psbt);
    writer_text(&w, "Local operator gave correct code.\n"
                    "These users gave correct auth codes: alice\n"
                    "\nAPPROVED: Acceptable by rule #2\n\n===\n\n");
    assert_bytes_equal(record("psbt", psbt), writer_bytes(&w));

    for (int i = 0; i < 3; i++)
        assert_signs(host, rig_payment(rig, 900000));
    assert_refuses(
        host, rig_payment(rig, 900000),
        "Rejected: rule #1: would exceed period spending, rule #2: local operator didn't "
        "confirm");
    assert_status(host, "has_spent", "[2700000, 0]");
}

TEST(policy_24_81_messages)
{
    WITH_RIG(rig, host);
    rig_activate(host, "{\"msg_paths\":[\"m\"]}");
    assert_int_equal(rig_sign_text(host, "hello world", "m").result, RIG_SIGNED);
    assert_int_equal(rig_sign_text(host, "hello world", "m/2").result, RIG_REFUSED);
    const struct bytes text = record("messages", BYTES("hello world"));
    assert_bytes_text(
        text, "Message signing requested:\nSHA256(msg) = "
              "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9\n\n"
              "11 bytes to be signed by m => tb1qpuzkjsuxpq6dzhlj8ntrp3yc994u6dtgthuupa\n\n"
              "APPROVED: Message signing allowed\n\n===\n\n"
              "Message signing requested:\nSHA256(msg) = "
              "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9\n\n"
              "11 bytes to be signed by m/2 => tb1qt0p9j60cpyj60zwff8yzhg525p0rpss24ctvdx\n\n"
              "REFUSED: Message signing not enabled for that path\n\n===\n\n");
}

TEST(policy_17_3_warnings_that_were_accepted)
{
    WITH_RIG(rig, host);
    rig_activate(host, "{\"warnings_ok\":true,\"rules\":[{}]}");
    struct psbt_maker *maker = rig_maker(rig, 1000);
    maker->out[1].amount.n = 9300000;
    const struct bytes psbt = rig_make(rig, maker);
    assert_signs(host, psbt);
    const char *text = arena_text(test_arena(), record("psbt", psbt));
    assert_non_null(strstr(text, "\n-vvv-\n(1 warning below)\n\nSending "));
    assert_non_null(strstr(text, "---WARNING---\n\n- Big Fee: Network fee is more than 5% of total "
                                 "value (7.5%).\n\n\n-^^^-\nTxn has warnings, but policy is to "
                                 "accept anyway.\n\nAPPROVED: Acceptable by rule #1\n"));
}

// --- Modes: 17.2 ---

TEST(policy_24_42_must_log_without_a_card)
{
    char code[7];
    WITH_RIG(rig, host);
    rig_add_users(host);
    rig_activate(host, "{\"must_log\":true,\"msg_paths\":[\"any\"],\"rules\":[{\"users\":"
                       "[\"alice\"],\"local_conf\":true}]}");
    const struct bytes psbt = rig_payment(rig, 1000);
    rig_local_code(host, psbt, code);
    rig_keys(rig, code);
    rig_alice(host, 57000000);
    eject(rig);
    assert_refuses(host, psbt, NO_CARD);
    assert_int_equal(rig_sign_text(host, "hello", "m").result, RIG_REFUSED);
    assert_status(host, "last_refusal", "\"" NO_CARD "\"");
    assert_status(host, "refusals", "2");
    assert_status(host, "pending_auth", "1");
    insert(rig);
    // "next attempt with card still has the same authorisations and local code"
    assert_signs(host, psbt);
    assert_false(exists(path_of("messages", BYTES("hello")))); // there was nowhere to write
    const char *text = arena_text(test_arena(), record("psbt", psbt));
    assert_null(strstr(text, "REFUSED"));
}

TEST(policy_17_2_default_without_a_card_goes_on)
{
    WITH_RIG(rig, host);
    rig_activate(host, "{\"msg_paths\":[\"any\"],\"rules\":[{}]}");
    eject(rig);
    assert_signs(host, rig_payment(rig, 1000));
    assert_int_equal(rig_sign_text(host, "hello", "m").result, RIG_SIGNED);
    insert(rig);
    assert_signs(host, rig_payment(rig, 1000));
    struct stat st;
    assert_int_equal(fstatat(store_dir_fd(rig->store), "card.pulled", &st, 0), -1);
}

TEST(policy_24_82_never_log_writes_no_file)
{
    WITH_RIG(rig, host);
    rig_activate(host, "{\"never_log\":true,\"msg_paths\":[\"any\"],\"rules\":[{}]}");
    const struct bytes psbt = rig_payment(rig, 1000);
    assert_signs(host, psbt);
    assert_int_equal(rig_sign_text(host, "hello", "m").result, RIG_SIGNED);
    assert_int_equal(rig_sign_text(host, "hello", "m/0").result, RIG_SIGNED);
    struct stat st;
    assert_int_equal(fstatat(store_dir_fd(rig->store), "card/psbt", &st, 0), -1);
    assert_int_equal(fstatat(store_dir_fd(rig->store), "card/messages", &st, 0), -1);
}

// A card that fails in mid-record. The limit makes the record's write fail; the store, whose file is
// written as well, is put out of its reach by being larger already.
static void limit_files(rlim_t bytes)
{
    struct rlimit limit;
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

// The record of this PSBT is already as large as the limit.
static void fill_record(const char *path)
{
    const int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0 && ftruncate(fd, 64 << 20) == 0);
    close(fd);
}

// Whether the journal says of the last transaction that the card has it.
static bool last_is_logged(struct device_rig *rig)
{
    char path[256];
    struct bytes file, line, last = { 0 };
    struct err err;
    rig_run(rig);
    (void)snprintf(path, sizeof path, "%s/journal.jsonl", rig->dir);
    assert_true(file_read(&file, path, 1 << 20, test_arena(), &err));
    for (struct reader r = reader_of(file); reader_until(&r, '\n', &line);)
        if (memmem(line.ptr, line.len, "\"request\": \"transaction\"", 24) != NULL)
            last = line;
    assert_true(last.len > 0);
    return memmem(last.ptr, last.len, "\"logged\": true", 14) != NULL;
}

TEST(policy_24_82_a_card_that_fails_in_mid_record)
{
    static const char *const policies[] = {
        "{\"must_log\":true,\"msg_paths\":[\"any\"],\"rules\":[{\"users\":[\"alice\"]}]}",
        "{\"msg_paths\":[\"any\"],\"rules\":[{\"users\":[\"alice\"]}]}",
    };
    WITH_RIG(rig, host);
    rig_add_users(host);
    for (size_t i = 0; i < COUNT(policies); i++) {
        const bool must_log = i == 0;
        rig_activate(host, policies[i]);
        const struct bytes psbt = rig_payment(rig, 1000);
        rig_alice(host, 57000000 + 10 * (uint32_t)i);
        assert_signs(host, psbt); // makes the files
        assert_true(last_is_logged(rig));
        assert_int_equal(rig_sign_text(host, "hello", "m").result, RIG_SIGNED);
        fill_record(path_of("psbt", psbt));
        fill_record(path_of("messages", BYTES("hello")));
        rig_alice(host, 57000001 + 10 * (uint32_t)i);
        limit_files(64 << 20);
        if (must_log) {
            assert_refuses(host, psbt, NO_CARD);
            assert_int_equal(rig_sign_text(host, "hello", "m").result, RIG_REFUSED);
            assert_status(host, "last_refusal", "\"" NO_CARD "\"");
        } else {
            assert_signs(host, psbt);
            assert_int_equal(rig_sign_text(host, "hello", "m").result, RIG_SIGNED);
        }
        limit_files(RLIM_INFINITY);
        assert_false(last_is_logged(rig));
        assert_int_equal(truncate(path_of("psbt", psbt), 0), 0);
        if (must_log)
            assert_signs(host, psbt); // alice's code was not used up
        device_rig_restart(rig);
        rig_keys(rig, "x");
        host = rig_host_linked(rig);
    }
}

// A folder in the place of the file, a link out of the card: unusable, which is a refusal at most.
TEST(policy_17_2_a_card_that_is_no_card)
{
    WITH_RIG(rig, host);
    rig_activate(host, "{\"must_log\":true,\"rules\":[{}]}");
    const struct bytes psbt = rig_payment(rig, 1000);
    const int dir = store_dir_fd(rig->store);
    assert_int_equal(mkdirat(dir, "card/psbt", 0700), 0);
    assert_int_equal(mkdir(path_of("psbt", psbt), 0700), 0);
    assert_refuses(host, psbt, NO_CARD);
    assert_int_equal(rmdir(path_of("psbt", psbt)), 0);
    assert_int_equal(symlink("/etc/passwd", path_of("psbt", psbt)), 0);
    assert_refuses(host, psbt, NO_CARD);
    assert_int_equal(unlink(path_of("psbt", psbt)), 0);
    assert_signs(host, psbt);
}
