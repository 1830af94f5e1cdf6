#include "signer/audit.h"
#include "tests/support/test.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

// SHA-256 of the text "casemate worked example": policy.md 17.4.
static struct hash256 example(void)
{
    return sha256(BYTES("casemate worked example"));
}
#define EXAMPLE_FILE "d55ad33cb11949c4.log"

static const char *path_of(const char *name)
{
    char *path = arena_alloc(test_arena(), 256);
    (void)snprintf(path, 256, "%s/%s", test_dir(), name);
    return path;
}

static int state_dir(void)
{
    const int fd = open(test_dir(), O_RDONLY | O_DIRECTORY);
    assert_true(fd >= 0);
    return fd;
}

static void insert_card(void)
{
    assert_int_equal(mkdir(path_of("card"), 0750), 0);
}

static struct bytes content(const char *name)
{
    uint8_t *mem = arena_alloc(test_arena(), 65536);
    FILE *f = fopen(path_of(name), "rb");
    if (!f)
        fail_msg("%s is not there", name);
    const size_t len = fread(mem, 1, 65536, f);
    assert_int_equal(fclose(f), 0);
    return bytes_of(mem, len);
}

static bool exists(const char *name)
{
    struct stat st;
    return lstat(path_of(name), &st) == 0;
}

static bool record(enum audit_kind kind, struct bytes text, struct err *err)
{
    struct audit audit;
    const struct hash256 digest = example();
    const int dir = state_dir();
    const bool saved = audit_open(&audit, dir, kind, &digest, err) && audit_save(&audit, text, err);
    assert_int_equal(close(dir), 0);
    return saved;
}

TEST(policy_24_81_log_files_folders_and_append)
{
    static const char refused[] = "Transaction signing requested:\n"
                                  "REFUSED: Rejected: rule #1: amount exceeded\n\n===\n\n";
    struct stat st;
    struct err err;
    insert_card();
    assert_true(record(AUDIT_PSBT, bytes_of_text(refused), &err));
    assert_bytes_text(content("card/psbt/" EXAMPLE_FILE), refused);
    assert_int_equal(stat(path_of("card/psbt/" EXAMPLE_FILE), &st), 0);
    assert_int_equal(st.st_mode & 0137, 0); // others read nothing
    assert_false(exists("card/messages"));
    assert_true(record(AUDIT_PSBT, BYTES("again\n"), &err)); // the same PSBT: the same file
    assert_bytes_text(content("card/psbt/" EXAMPLE_FILE),
                      "Transaction signing requested:\n"
                      "REFUSED: Rejected: rule #1: amount exceeded\n\n===\n\nagain\n");
    assert_true(record(AUDIT_MESSAGE, BYTES("message\n"), &err));
    assert_bytes_text(content("card/messages/" EXAMPLE_FILE), "message\n");
}

TEST(without_a_card_nothing_is_opened)
{
    struct audit audit;
    struct err err;
    const struct hash256 digest = example();
    const int dir = state_dir();
    assert_false(audit_has_card(dir));
    assert_false(audit_open(&audit, dir, AUDIT_PSBT, &digest, &err));
    assert_err(&err, ERR_NOT_FOUND, "no card");
    insert_card();
    assert_true(audit_has_card(dir));
    assert_int_equal(rename(path_of("card"), path_of("ejected")), 0); // as a simulator ejects it
    assert_false(audit_has_card(dir));
    assert_int_equal(close(dir), 0);
}

TEST(a_cancelled_record_leaves_nothing)
{
    struct audit audit, none = { 0 };
    struct err err;
    const struct hash256 digest = example();
    const int dir = state_dir();
    insert_card();
    assert_true(audit_open(&audit, dir, AUDIT_PSBT, &digest, &err));
    assert_true(exists("card/psbt/" EXAMPLE_FILE)); // shows that the card can be written
    audit_cancel(&audit);
    assert_false(exists("card/psbt/" EXAMPLE_FILE));
    audit_cancel(&audit); // twice is fine
    audit_cancel(&none);
    assert_true(record(AUDIT_PSBT, BYTES("kept\n"), &err));
    assert_true(audit_open(&audit, dir, AUDIT_PSBT, &digest, &err));
    audit_cancel(&audit);
    assert_bytes_text(content("card/psbt/" EXAMPLE_FILE), "kept\n");
    assert_int_equal(close(dir), 0);
}

TEST(symlinks_are_not_followed)
{
    struct err err;
    assert_int_equal(mkdir(path_of("elsewhere"), 0750), 0);
    assert_int_equal(mkdir(path_of("elsewhere/psbt"), 0750), 0);

    assert_int_equal(symlink("elsewhere", path_of("card")), 0);
    assert_false(record(AUDIT_PSBT, BYTES("x"), &err)); // the card itself
    assert_int_equal(err.code, ERR_IO);
    assert_int_equal(unlink(path_of("card")), 0);

    insert_card();
    assert_int_equal(symlink("../elsewhere/psbt", path_of("card/psbt")), 0);
    assert_false(record(AUDIT_PSBT, BYTES("x"), &err)); // its folder
    assert_int_equal(err.code, ERR_IO);
    assert_int_equal(unlink(path_of("card/psbt")), 0);

    assert_int_equal(mkdir(path_of("card/psbt"), 0750), 0);
    assert_int_equal(symlink("../../victim", path_of("card/psbt/" EXAMPLE_FILE)), 0);
    assert_false(record(AUDIT_PSBT, BYTES("x"), &err)); // its file, made through the link
    assert_int_equal(err.code, ERR_IO);
    assert_false(exists("victim"));
    assert_false(exists("elsewhere/psbt/" EXAMPLE_FILE));
}

TEST(only_a_plain_file_of_one_name_is_written)
{
    struct err err;
    insert_card();
    assert_int_equal(mkdir(path_of("card/psbt"), 0750), 0);
    FILE *f = fopen(path_of("victim"), "wb");
    assert_non_null(f);
    assert_int_equal(fclose(f), 0);

    assert_int_equal(link(path_of("victim"), path_of("card/psbt/" EXAMPLE_FILE)), 0);
    assert_false(record(AUDIT_PSBT, BYTES("x"), &err));
    assert_err(&err, ERR_IO, "card: " EXAMPLE_FILE " is not a plain file of one name");
    assert_int_equal(content("victim").len, 0);
    assert_int_equal(unlink(path_of("card/psbt/" EXAMPLE_FILE)), 0);

    assert_int_equal(mkfifo(path_of("card/psbt/" EXAMPLE_FILE), 0600), 0);
    assert_false(record(AUDIT_PSBT, BYTES("x"), &err)); // and does not wait for a reader
    assert_int_equal(err.code, ERR_IO);
    assert_int_equal(unlink(path_of("card/psbt/" EXAMPLE_FILE)), 0);

    assert_int_equal(mkdir(path_of("card/psbt/" EXAMPLE_FILE), 0700), 0);
    assert_false(record(AUDIT_PSBT, BYTES("x"), &err));
    assert_int_equal(err.code, ERR_IO);
}

TEST(what_stands_in_the_way_makes_a_card_unusable)
{
    struct err err;
    FILE *f = fopen(path_of("card"), "wb"); // a file
    assert_non_null(f);
    assert_int_equal(fclose(f), 0);
    assert_false(record(AUDIT_PSBT, BYTES("x"), &err));
    assert_err(&err, ERR_IO, "card: Not a directory");
    assert_int_equal(unlink(path_of("card")), 0);
    insert_card();
    f = fopen(path_of("card/psbt"), "wb");
    assert_non_null(f);
    assert_int_equal(fclose(f), 0);
    assert_false(record(AUDIT_PSBT, BYTES("x"), &err));
    assert_err(&err, ERR_IO, "card: Not a directory");
}

static void as_user(uid_t uid)
{
    if (getuid() == 0)
        assert_int_equal(seteuid(uid), 0);
}

// A card that cannot be written to. Root may write anywhere, so it is another user who tries.
TEST(policy_24_82_a_card_that_is_read_only)
{
    struct audit audit;
    struct err err;
    const struct hash256 digest = example();
    const int dir = state_dir();
    insert_card();
    assert_int_equal(fchmod(dir, 0755), 0);
    assert_int_equal(fchmodat(dir, "card", 0555, 0), 0);
    as_user(65534);
    const bool fresh = audit_open(&audit, dir, AUDIT_PSBT, &digest, &err);
    as_user(0);
    assert_false(fresh);
    assert_err(&err, ERR_IO, "card: Permission denied");
    // With its folders, and the file, already there.
    assert_int_equal(fchmodat(dir, "card", 0755, 0), 0);
    assert_true(record(AUDIT_PSBT, BYTES("first\n"), &err));
    assert_int_equal(fchmodat(dir, "card/psbt", 0555, 0), 0);
    as_user(65534);
    const bool again = audit_open(&audit, dir, AUDIT_PSBT, &digest, &err);
    as_user(0);
    assert_false(again);
    assert_bytes_text(content("card/psbt/" EXAMPLE_FILE), "first\n");
    assert_int_equal(close(dir), 0);
}

// policy.md 24, 82: a card that fills up in mid-record.
TEST(policy_24_82_half_a_record_is_taken_back)
{
    uint8_t *large = arena_alloc(test_arena(), 65536);
    struct rlimit limit, small;
    struct err err;
    insert_card();
    assert_true(record(AUDIT_PSBT, BYTES("first\n"), &err));
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    small = (struct rlimit){ 4096, limit.rlim_max };
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    const bool saved = record(AUDIT_PSBT, bytes_of(large, 65536), &err);
    const bool saved_message = record(AUDIT_MESSAGE, bytes_of(large, 65536), &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_false(saved);
    assert_false(saved_message);
    assert_err(&err, ERR_IO, "card: File too large");
    assert_bytes_text(content("card/psbt/" EXAMPLE_FILE), "first\n");
    assert_false(exists("card/messages/" EXAMPLE_FILE)); // made for it, and removed
}

// A descriptor of a file that cannot be waited for, in the place of a record's.
static void break_file(const struct audit *audit)
{
    const int path_only = open("/", O_PATH | O_CLOEXEC);
    assert_true(path_only >= 0);
    assert_int_equal(dup3(path_only, audit->file, O_CLOEXEC), audit->file);
    assert_int_equal(close(path_only), 0);
}

static void append(struct audit_list *list, int dir, uint8_t which, struct bytes text)
{
    struct audit audit;
    struct err err;
    struct hash256 digest = example();
    digest.b[31] ^= which;
    assert_true(audit_open(&audit, dir, AUDIT_PSBT, &digest, &err));
    assert_true(audit_append(list, &audit, text, &err));
    assert_false(audit.open); // the list's now
}

TEST(records_that_are_waited_for_together)
{
    struct audit_list list = { 0 };
    struct err err;
    const int dir = state_dir();
    insert_card();
    assert_true(audit_flush(&list, &err)); // none
    for (uint8_t i = 0; i < AUDIT_TOGETHER_MAX; i++)
        append(&list, dir, i % 3, i < 3 ? BYTES("first\n") : BYTES("again\n"));
    assert_true(audit_flush(&list, &err));
    assert_int_equal(list.n, 0);
    const struct bytes written = content("card/psbt/" EXAMPLE_FILE);
    assert_int_equal(written.len, 6 * 11);
    assert_bytes_text(bytes_slice(written, 0, 12), "first\nagain\n");
    assert_int_equal(close(dir), 0);
}

// All or none: what came before in the same files stays.
TEST(records_that_fail_together)
{
    struct audit_list list = { 0 };
    struct err err;
    const int dir = state_dir();
    insert_card();
    assert_true(record(AUDIT_PSBT, BYTES("before\n"), &err));
    append(&list, dir, 0, BYTES("one\n"));
    append(&list, dir, 0, BYTES("two\n"));
    append(&list, dir, 1, BYTES("three\n"));
    append(&list, dir, 2, BYTES("four\n"));
    break_file(&list.items[2]);
    assert_false(audit_flush(&list, &err));
    assert_err(&err, ERR_IO, "card: Bad file descriptor");
    assert_int_equal(list.n, 0);
    assert_bytes_text(content("card/psbt/" EXAMPLE_FILE), "before\n");
    assert_int_equal(close(dir), 0);
}

// The card is pulled between opening and saving: the record goes to the file that was opened, or
// fails; never elsewhere.
TEST(a_card_pulled_in_mid_record)
{
    struct audit audit;
    struct err err;
    const struct hash256 digest = example();
    const int dir = state_dir();
    insert_card();
    assert_true(audit_open(&audit, dir, AUDIT_PSBT, &digest, &err));
    assert_int_equal(rename(path_of("card"), path_of("ejected")), 0);
    assert_true(audit_save(&audit, BYTES("record\n"), &err));
    assert_bytes_text(content("ejected/psbt/" EXAMPLE_FILE), "record\n");
    assert_false(exists("card"));
    assert_int_equal(close(dir), 0);
}
