#include "signer/store.h"
#include "signer/store_db.h"
#include "signer/store_fixture.h"
#include "tests/support/test.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

static struct hash256 hash_of(const char *text)
{
    return sha256(bytes_of_text(text));
}

static struct store *reopen(struct store *store)
{
    store_close(store);
    return fixture_open(test_dir());
}

static struct store *fresh(void)
{
    fixture_make(test_dir());
    return fixture_open(test_dir());
}

static const char *path_in_dir(const char *name)
{
    char *path = arena_alloc(test_arena(), 256);
    (void)snprintf(path, 256, "%s/%s", test_dir(), name);
    return path;
}

static struct velocity spent(int64_t start_s, uint64_t first, uint64_t last)
{
    struct velocity v = { .running = true, .start_s = start_s };
    v.spent[0].n = first;
    v.spent[POLICY_RULES_MAX - 1].n = last;
    return v;
}

static void assert_velocity(struct store *store, const char *policy,
                            const struct velocity *expected)
{
    struct velocity got;
    struct err err;
    const struct hash256 hash = hash_of(policy);
    assert_true(store_get_velocity(store, &hash, &got, &err));
    assert_int_equal(got.running, expected->running);
    assert_int_equal(got.start_s, expected->start_s);
    assert_memory_equal(got.spent, expected->spent, sizeof got.spent);
}

static void assert_policy(struct store *store, const char *form, bool has_sl_hash)
{
    struct store_policy policy;
    struct err err;
    assert_true(store_get_policy(store, &policy, test_arena(), &err));
    assert_bytes_text(policy.form, form);
    assert_int_equal(policy.has_sl_hash, has_sl_hash);
}

// --- Files ---

TEST(a_new_store_is_a_private_file_in_wal_mode)
{
    struct store *store = fresh();
    struct stat st;
    assert_int_equal(stat(path_in_dir("signer.db"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(stat(path_in_dir("signer.db-wal"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(stat(path_in_dir("signer.db-shm"), &st), -1); // exclusive: none
    assert_int_equal(stat(path_in_dir("signer.db.new"), &st), -1);
    store_close(store);
    assert_int_equal(stat(path_in_dir("signer.db-wal"), &st), -1); // all is in the file
}

TEST(a_store_is_never_made_over_another)
{
    struct store *store;
    struct err err;
    char text[512];
    fixture_make(test_dir());
    (void)snprintf(text, sizeof text, "%s/signer.db: exists already", test_dir());
    assert_false(store_create(&store, test_dir(), &err));
    assert_err(&err, ERR_EXISTS, text);
    store_close(fixture_open(test_dir()));
}

TEST(a_second_process_is_refused)
{
    struct store *store = fresh();
    char text[512];
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct store *second;
        struct err err;
        (void)snprintf(text, sizeof text, "%s: another casemate-signer has it open", test_dir());
        const bool opened = store_open(&second, test_dir(), &err);
        _exit(!opened && err.code == ERR_BUSY && strcmp(err.text, text) == 0 ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    store_close(store);
    store_close(fixture_open(test_dir())); // released
}

TEST(a_store_that_others_may_touch_is_refused)
{
    static const struct {
        mode_t folder, file;
        const char *text;
    } cases[] = {
        { 0700, 0640, "%s/signer.db: others may read or write it (mode must be 0600)" },
        { 0700, 0602, "%s/signer.db: others may read or write it (mode must be 0600)" },
        { 0720, 0600, "%s: others may write to it" }, // a false panel socket could ask for the PIN
        { 0702, 0600, "%s: others may write to it" },
    };
    fixture_make(test_dir());
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct store *store;
        struct err err;
        char text[512];
        assert_int_equal(chmod(path_in_dir("signer.db"), cases[i].file), 0);
        assert_int_equal(chmod(test_dir(), cases[i].folder), 0);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        (void)snprintf(text, sizeof text, cases[i].text, test_dir());
#pragma GCC diagnostic pop
        assert_false(store_open(&store, test_dir(), &err));
        assert_err(&err, ERR_AUTH, text);
    }
    assert_int_equal(chmod(test_dir(), 0710), 0);
    assert_int_equal(chmod(path_in_dir("signer.db"), 0600), 0);
    store_close(fixture_open(test_dir()));
}

TEST(a_symlink_in_the_place_of_the_store_is_refused)
{
    struct store *store;
    struct err err;
    fixture_make(test_dir());
    assert_int_equal(rename(path_in_dir("signer.db"), path_in_dir("real.db")), 0);
    assert_int_equal(symlink("real.db", path_in_dir("signer.db")), 0);
    assert_false(store_open(&store, test_dir(), &err));
    assert_int_equal(err.code, ERR_AUTH);
}

TEST(an_absent_store_is_named)
{
    struct store *store;
    struct err err;
    char text[512];
    (void)snprintf(text, sizeof text, "%s/signer.db: No such file or directory", test_dir());
    assert_false(store_open(&store, test_dir(), &err));
    assert_err(&err, ERR_NOT_FOUND, text);
    assert_false(store_open(&store, path_in_dir("nowhere"), &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
}

TEST(a_store_of_a_newer_version_is_not_touched)
{
    struct store *store;
    struct err err;
    char text[512];
    sqlite3 *sql;
    fixture_make(test_dir());
    assert_int_equal(sqlite3_open(path_in_dir("signer.db"), &sql), SQLITE_OK);
    assert_int_equal(sqlite3_exec(sql, "PRAGMA user_version = 2", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(sql), SQLITE_OK);
    (void)snprintf(text, sizeof text,
                   "%s/signer.db: made by a newer version of casemate-signer (format 2, this one "
                   "reads 1)",
                   test_dir());
    assert_false(store_open(&store, test_dir(), &err));
    assert_err(&err, ERR_UNSUPPORTED, text);
}

// A locked store gives nothing and takes nothing.
TEST(what_is_locked_is_refused)
{
    struct store *store;
    struct err err;
    struct store_policy policy;
    struct sats sats;
    const struct outpoint outpoint = { 0 };
    const struct store_decision decision = { 0 };
    fixture_make(test_dir());
    assert_true(store_open(&store, test_dir(), &err));
    assert_false(store_is_unlocked(store));
    assert_false(store_get_policy(store, &policy, test_arena(), &err));
    assert_err(&err, ERR_STATE, "the store is locked");
    assert_false(store_commit_decision(store, &decision, &err));
    assert_err(&err, ERR_STATE, "the store is locked");
    assert_false(store_append_journal(store, BYTES("x"), &err));
    assert_err(&err, ERR_STATE, "the store is locked");
    assert_false(store_known_amount(store, &outpoint, &sats));
    store_close(store);
}

// --- Policy and velocity ---

TEST(an_empty_store_is_empty)
{
    struct store *store = fresh();
    struct user users[USERS_MAX];
    const struct store_wallet *wallets;
    const struct store_counters counters = store_get_counters(store);
    const struct velocity none = { 0 };
    size_t n;
    struct err err;
    assert_policy(store, "", false);
    assert_velocity(store, "p", &none);
    assert_true(store_get_users(store, users, &n, &err));
    assert_int_equal(n, 0);
    assert_true(store_get_wallets(store, &wallets, &n, test_arena(), &err));
    assert_int_equal(n, 0);
    assert_int_equal(counters.approvals + counters.refusals + counters.locker_reads, 0);
    assert_false(counters.stopped);
    assert_int_equal(store_get_head(store).seq, 0);
    assert_false(store_get_settings(store).has_hsm_commands);
    store_close(store);
}

static bool activate(struct store *store, const char *form, const char *locker,
                     const struct velocity *velocity, struct err *err)
{
    const struct store_policy policy = { bytes_of_text(form), locker != NULL, hash_of("sl"),
                                         hash_of("full") };
    const struct store_activation a = { .policy = form ? &policy : NULL,
                                        .has_locker = locker != NULL,
                                        .locker = bytes_of_text(locker),
                                        .policy_hash = hash_of("p"),
                                        .velocity = velocity,
                                        .journal_line = BYTES("{\"seq\": 1}") };
    return store_activate(store, &a, err);
}

TEST(policy_24_65_velocity_survives_restarts_and_belongs_to_its_policy)
{
    struct store *store = fresh();
    const struct velocity v = spent(1700000000, 5, SATS_MAX), none = { 0 };
    struct err err;
    assert_true(activate(store, "form", NULL, &v, &err));
    store = reopen(store);
    assert_velocity(store, "p", &v);
    assert_velocity(store, "q", &none);

    // Another policy, and back: what the first had spent is still spent.
    const struct velocity w = spent(1700000100, 7, 0);
    const struct store_activation other = { .policy_hash = hash_of("q"), .velocity = &w };
    assert_true(store_activate(store, &other, &err));
    store = reopen(store);
    assert_velocity(store, "p", &v);
    assert_velocity(store, "q", &w);
    assert_policy(store, "form", false);
    store_close(store);
}

TEST(many_policies_forget_the_velocity_that_was_not_used_for_longest)
{
    struct store *store = fresh();
    const struct velocity v = spent(1, 2, 3), none = { 0 };
    struct err err;
    char name[32];
    for (unsigned i = 0; i <= 256; i++) {
        (void)snprintf(name, sizeof name, "%u", i);
        struct store_decision d = { .policy_hash = hash_of(name), .velocity = &v };
        assert_true(store_commit_decision(store, &d, &err));
        d.policy_hash = hash_of("0"); // the first is used all the time
        assert_true(store_commit_decision(store, &d, &err));
    }
    assert_velocity(store, "0", &v);
    assert_velocity(store, "1", &none);
    assert_velocity(store, "2", &v);
    assert_velocity(store, "256", &v);
    store_close(store);
}

TEST(an_activation_is_stored_whole)
{
    struct store *store = fresh();
    const struct velocity v = spent(10, 20, 30);
    const struct store_policy policy = { BYTES("form"), true, hash_of("sl"), hash_of("full") };
    const struct store_activation a = { .policy = &policy,
                                        .has_locker = true,
                                        .locker = BYTES("0123456789abcdef"),
                                        .policy_hash = hash_of("p"),
                                        .velocity = &v,
                                        .counters = { 1, 2, 3, true },
                                        .journal_line = BYTES("line") };
    struct store_policy got;
    struct bytes locker;
    struct err err;
    assert_true(store_activate(store, &a, &err));
    store = reopen(store);
    assert_true(store_get_policy(store, &got, test_arena(), &err));
    assert_bytes_text(got.form, "form");
    assert_true(got.has_sl_hash);
    assert_bytes_equal(BYTES_OF(got.sl_hash.b), BYTES_OF(policy.sl_hash.b));
    assert_bytes_equal(BYTES_OF(got.full_hash.b), BYTES_OF(policy.full_hash.b));
    assert_velocity(store, "p", &v);
    const struct store_counters counters = store_get_counters(store);
    assert_int_equal(counters.approvals, 1);
    assert_int_equal(counters.refusals, 2);
    assert_int_equal(counters.locker_reads, 3);
    assert_true(counters.stopped);
    assert_int_equal(store_get_head(store).seq, 1);
    assert_true(store_read_locker(store, 100, (struct bytes){ 0 }, &locker, test_arena(), &err));
    assert_bytes_text(locker, "0123456789abcdef");

    // The saved policy starts again: nothing but what is said changes.
    const struct store_activation again = { .policy_hash = hash_of("p"), .velocity = &v };
    assert_true(store_activate(store, &again, &err));
    store = reopen(store);
    assert_policy(store, "form", true);
    assert_int_equal(store_get_counters(store).refusals, 0);
    assert_int_equal(store_get_head(store).seq, 1);
    store_close(store);
}

TEST(a_policy_is_wiped_and_its_velocity_stays)
{
    struct store *store = fresh();
    const struct velocity v = spent(10, 20, 30);
    struct err err;
    assert_true(activate(store, "form", NULL, &v, &err));
    assert_true(store_wipe_policy(store, BYTES("wiped"), &err));
    store = reopen(store);
    assert_policy(store, "", false);
    assert_velocity(store, "p", &v);
    assert_int_equal(store_get_head(store).seq, 2);
    store_close(store);
}

TEST(what_is_too_large_is_refused)
{
    struct store *store = fresh();
    const struct velocity v = { 0 };
    uint8_t *large = arena_alloc(test_arena(), STORE_POLICY_MAX + 1);
    struct store_policy policy = { .form = bytes_of(large, STORE_POLICY_MAX + 1) };
    struct store_activation a = { .policy = &policy, .velocity = &v };
    struct err err;
    assert_false(store_activate(store, &a, &err));
    assert_err(&err, ERR_LIMIT, "a policy must be of 1 to 4194304 bytes");
    policy.form.len = STORE_POLICY_MAX;
    a.has_locker = true;
    a.locker = bytes_of(large, STORE_LOCKER_MAX + 1);
    assert_false(store_activate(store, &a, &err));
    assert_err(&err, ERR_LIMIT, "the storage locker holds 414 bytes");
    assert_policy(store, "", false); // nothing of it is there
    a.locker.len = STORE_LOCKER_MAX;
    assert_true(store_activate(store, &a, &err));
    store_close(store);
}

// --- Decisions, users ---

static struct user user_of(const char *name, enum user_mode mode, size_t secret_len)
{
    struct user user = { .mode = mode, .secret_len = secret_len };
    user.name_len = strlen(name);
    memcpy(user.name, name, user.name_len);
    memset(user.secret, name[0], secret_len);
    return user;
}

static void assert_user(const struct user *user, const struct user *expected)
{
    assert_bytes_equal(bytes_of(user->name, user->name_len),
                       bytes_of(expected->name, expected->name_len));
    assert_int_equal(user->mode, expected->mode);
    assert_bytes_equal(bytes_of(user->secret, user->secret_len),
                       bytes_of(expected->secret, expected->secret_len));
    assert_int_equal(user->progress.last, expected->progress.last);
    assert_int_equal(user->progress.zero_used, expected->progress.zero_used);
}

TEST(users_are_kept_in_order)
{
    struct store *store = fresh();
    struct user carol = user_of("carol", USER_PASSWORD, 32);
    struct user alice = user_of("alice", USER_TOTP, 10);
    struct user bob = user_of("bob", USER_HOTP, 20);
    struct user users[USERS_MAX];
    struct err err;
    size_t n;
    alice.progress.last = UINT64_MAX;
    bob.progress.zero_used = true;
    assert_true(store_add_user(store, &carol, BYTES(""), &err));
    assert_true(store_add_user(store, &alice, BYTES("alice was made"), &err));
    assert_true(store_add_user(store, &bob, BYTES(""), &err));
    assert_false(store_add_user(store, &bob, BYTES("never"), &err));
    assert_err(&err, ERR_EXISTS, "exists");
    store = reopen(store);
    assert_int_equal(store_get_head(store).seq, 1);
    assert_true(store_get_users(store, users, &n, &err));
    assert_int_equal(n, 3);
    assert_user(&users[0], &alice);
    assert_user(&users[1], &bob);
    assert_user(&users[2], &carol);

    assert_true(store_delete_user(store, BYTES("bob"), BYTES(""), &err));
    assert_true(store_delete_user(store, BYTES("nobody"), BYTES(""), &err));
    store = reopen(store);
    assert_true(store_get_users(store, users, &n, &err));
    assert_int_equal(n, 2);
    assert_user(&users[0], &alice);
    assert_user(&users[1], &carol);
    store_close(store);
}

TEST(there_are_at_most_thirty_users)
{
    struct store *store = fresh();
    struct err err;
    char name[8];
    for (unsigned i = 0; i < USERS_MAX; i++) {
        (void)snprintf(name, sizeof name, "u%u", i);
        const struct user user = user_of(name, USER_TOTP, 10);
        assert_true(store_add_user(store, &user, BYTES(""), &err));
    }
    const struct user more = user_of("more", USER_TOTP, 10);
    assert_false(store_add_user(store, &more, BYTES(""), &err));
    assert_err(&err, ERR_LIMIT, "too many");
    store_close(store);
}

TEST(a_decision_is_stored_whole)
{
    struct store *store = fresh();
    const struct user alice = user_of("alice", USER_TOTP, 10);
    const struct user bob = user_of("bob", USER_HOTP, 10);
    const struct velocity v = spent(10, 20, 30);
    const struct store_progress progress[] = { { BYTES("alice"), { 57000001, false } },
                                               { BYTES("bob"), { 0, true } } };
    const struct store_amount amounts[] = { { { hash_of("tx"), 1 }, { 15 } },
                                            { { hash_of("tx"), 2 }, { SATS_MAX } } };
    const struct store_decision d = { .counters = { .approvals = 1 },
                                      .policy_hash = hash_of("p"),
                                      .velocity = &v,
                                      .progress = progress,
                                      .n_progress = 2,
                                      .amounts = amounts,
                                      .n_amounts = 2,
                                      .journal_line = BYTES("signed") };
    struct user users[USERS_MAX];
    struct sats sats;
    struct err err;
    size_t n;
    assert_true(store_add_user(store, &alice, BYTES(""), &err));
    assert_true(store_add_user(store, &bob, BYTES(""), &err));
    assert_true(store_commit_decision(store, &d, &err));
    store = reopen(store);
    assert_velocity(store, "p", &v);
    assert_true(store_get_users(store, users, &n, &err));
    assert_int_equal(users[0].progress.last, 57000001);
    assert_true(users[1].progress.zero_used);
    assert_int_equal(store_get_counters(store).approvals, 1);
    assert_true(store_known_amount(store, &amounts[0].outpoint, &sats));
    assert_int_equal(sats.n, 15);
    assert_true(store_known_amount(store, &amounts[1].outpoint, &sats));
    assert_int_equal(sats.n, SATS_MAX);
    const struct hash256 line = hash_of("signed");
    const struct store_head head = store_get_head(store);
    assert_int_equal(head.seq, 1);
    assert_bytes_equal(BYTES_OF(head.hash.b), BYTES_OF(line.b));
    store_close(store);
}

TEST(a_decision_that_names_a_stranger_changes_nothing)
{
    struct store *store = fresh();
    const struct velocity v = spent(10, 20, 30), none = { 0 };
    const struct store_progress progress = { BYTES("mallory"), { 1, false } };
    const struct store_decision d = { .counters = { .approvals = 1 },
                                      .policy_hash = hash_of("p"),
                                      .velocity = &v,
                                      .progress = &progress,
                                      .n_progress = 1,
                                      .journal_line = BYTES("line") };
    struct err err;
    assert_false(store_commit_decision(store, &d, &err));
    assert_err(&err, ERR_NOT_FOUND, "a user who approved is not in the store");
    assert_int_equal(store_get_counters(store).approvals, 0);
    assert_int_equal(store_get_head(store).seq, 0);
    assert_velocity(store, "p", &none);
    store = reopen(store);
    assert_velocity(store, "p", &none);
    store_close(store);
}

// --- Locker, settings, wallets ---

TEST(policy_24_80_locker_counts_before_it_reads)
{
    struct store *store = fresh();
    const struct velocity v = { 0 };
    struct bytes value;
    struct err err;
    assert_true(store_read_locker(store, 1, (struct bytes){ 0 }, &value, test_arena(), &err));
    assert_bytes_text(value, ""); // nothing ever was stored
    assert_false(store_read_locker(store, 1, (struct bytes){ 0 }, &value, test_arena(), &err));
    assert_err(&err, ERR_LIMIT, "consumed");

    assert_true(activate(store, "form", "0123456789abcdef", &v, &err)); // counters are 0 again
    assert_true(store_read_locker(store, 2, (struct bytes){ 0 }, &value, test_arena(), &err));
    assert_bytes_text(value, "0123456789abcdef");
    store = reopen(store);
    assert_int_equal(store_get_counters(store).locker_reads, 1); // a crash does not reset it
    assert_true(store_read_locker(store, 2, (struct bytes){ 0 }, &value, test_arena(), &err));
    assert_false(store_read_locker(store, 2, (struct bytes){ 0 }, &value, test_arena(), &err));
    assert_err(&err, ERR_LIMIT, "consumed");

    assert_true(activate(store, "another", NULL, &v, &err)); // survives a new policy
    assert_true(store_read_locker(store, 1, (struct bytes){ 0 }, &value, test_arena(), &err));
    assert_bytes_text(value, "0123456789abcdef");
    store_close(store);
}

TEST(settings_are_kept)
{
    struct store *store = fresh();
    const struct store_settings on = { true, true };
    struct err err;
    assert_true(store_set_settings(store, &on, &err));
    store = reopen(store);
    assert_true(store_get_settings(store).has_hsm_commands);
    assert_true(store_get_settings(store).hsm_commands);
    store_close(store);
}

TEST(wallets_keep_their_order)
{
    struct store *store = fresh();
    const struct store_wallet wallets[] = { { BYTES("b"), BYTES("first") },
                                            { BYTES("a"), BYTES("second") },
                                            { BYTES("b"), BYTES("first, changed") } };
    const struct store_wallet *got;
    struct err err;
    size_t n;
    for (size_t i = 0; i < COUNT(wallets); i++)
        assert_true(store_put_wallet(store, &wallets[i], BYTES(""), &err));
    store = reopen(store);
    assert_true(store_get_wallets(store, &got, &n, test_arena(), &err));
    assert_int_equal(n, 2);
    assert_bytes_text(got[0].name, "b");
    assert_bytes_text(got[0].form, "first, changed");
    assert_bytes_text(got[1].name, "a");
    assert_false(store_delete_wallet(store, BYTES("c"), BYTES(""), &err));
    assert_err(&err, ERR_NOT_FOUND, "no such wallet");
    assert_true(store_delete_wallet(store, BYTES("b"), BYTES("deleted"), &err));
    store = reopen(store);
    assert_true(store_get_wallets(store, &got, &n, test_arena(), &err));
    assert_int_equal(n, 1);
    assert_bytes_text(got[0].form, "second");
    assert_int_equal(store_get_head(store).seq, 1);
    store_close(store);
}

// --- Journal ---

TEST(journal_lines_stay_until_they_are_written)
{
    struct store *store = fresh();
    struct store_lines lines;
    struct err err;
    assert_true(store_append_journal(store, BYTES("one"), &err));
    assert_true(store_append_journal(store, BYTES("two"), &err));
    assert_true(store_append_journal(store, BYTES("three"), &err));
    store = reopen(store);
    assert_true(store_pending_lines(store, &lines, 0, 2, test_arena(), &err));
    assert_int_equal(lines.first_seq, 1);
    assert_int_equal(lines.n, 2);
    assert_bytes_text(lines.lines[0], "one");
    assert_bytes_text(lines.lines[1], "two");

    store_lines_written(store, 2);
    assert_true(store_pending_lines(store, &lines, 0, 9, test_arena(), &err));
    assert_int_equal(lines.first_seq, 3);
    assert_int_equal(lines.n, 1);
    assert_bytes_text(lines.lines[0], "three");

    store_lines_written(store, 99); // cannot be: ignored
    assert_true(store_append_journal(store, BYTES("four"), &err));
    store = reopen(store);
    assert_true(store_pending_lines(store, &lines, 0, 9, test_arena(), &err));
    assert_int_equal(lines.first_seq, 3);
    assert_int_equal(lines.n, 2);
    assert_bytes_text(lines.lines[1], "four");
    assert_int_equal(store_get_head(store).seq, 4);
    store_lines_written(store, 4);
    assert_true(store_append_journal(store, BYTES("five"), &err));
    store_lines_written(store, 5);
    store = reopen(store);
    assert_true(store_pending_lines(store, &lines, 0, 9, test_arena(), &err));
    assert_int_equal(lines.n, 1);
    store_close(store);
}

// --- Failing disks ---

TEST(a_full_disk_changes_nothing_and_is_told)
{
    struct store *store = fresh();
    const struct velocity before = spent(1, 2, 3), after = spent(4, 5, 6);
    uint8_t *large = arena_alloc(test_arena(), 1 << 20);
    const struct store_policy policy = { .form = bytes_of(large, 1 << 20) };
    const struct store_activation a = { .policy = &policy,
                                        .policy_hash = hash_of("p"),
                                        .velocity = &after,
                                        .journal_line = BYTES("line") };
    struct rlimit limit, small;
    struct err err;
    assert_true(activate(store, "form", NULL, &before, &err));

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    small = (struct rlimit){ 300000, limit.rlim_max };
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    const bool activated = store_activate(store, &a, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_false(activated);
    assert_int_equal(err.code, ERR_IO);

    assert_policy(store, "form", false);
    assert_velocity(store, "p", &before);
    store = reopen(store);
    assert_policy(store, "form", false);
    assert_velocity(store, "p", &before);
    assert_true(store_activate(store, &a, &err)); // with room again
    assert_velocity(store, "p", &after);
    store_close(store);
}

// --- The simulator's reset ---

TEST(reset_keeps_what_it_says)
{
    for (int keep = 0; keep <= 1; keep++) {
        struct store *store = keep == 0 ? fresh() : fixture_open(test_dir());
        const struct user alice = user_of("alice", USER_TOTP, 10);
        const struct store_wallet wallet = { BYTES("w"), BYTES("form") };
        const struct store_amount amount = { { hash_of("tx"), 1 }, { 15 } };
        const struct velocity v = spent(1, 2, 3), none = { 0 };
        const struct store_decision d = { .amounts = &amount, .n_amounts = 1 };
        const struct store_settings on = { true, true };
        struct user users[USERS_MAX];
        const struct store_wallet *wallets;
        struct bytes locker;
        struct sats sats;
        struct err err;
        size_t n;
        assert_true(store_add_user(store, &alice, BYTES(""), &err));
        assert_true(store_put_wallet(store, &wallet, BYTES(""), &err));
        assert_true(activate(store, "form", "0123456789abcdef", &v, &err));
        assert_true(store_commit_decision(store, &d, &err));
        assert_true(store_set_settings(store, &on, &err));

        assert_true(store_reset(store, keep == 1, &err));
        store = reopen(store);
        assert_policy(store, "", false);
        assert_velocity(store, "p", &none);
        assert_false(store_known_amount(store, &amount.outpoint, &sats));
        assert_false(store_get_settings(store).has_hsm_commands);
        assert_int_equal(store_get_counters(store).locker_reads, 0);
        assert_true(store_get_users(store, users, &n, &err));
        assert_int_equal(n, keep);
        assert_true(store_get_wallets(store, &wallets, &n, test_arena(), &err));
        assert_int_equal(n, keep);
        assert_true(store_read_locker(store, 1, (struct bytes){ 0 }, &locker, test_arena(), &err));
        assert_bytes_text(locker, keep == 1 ? "0123456789abcdef" : "");
        store_close(store);
    }
}
