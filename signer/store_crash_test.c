// Death between any two steps of a change: the next start finds the old content or the new, whole.
#include "signer/store_fixture.h"
#include "signer/store_internal.h"
#include "tests/support/test.h"
#include <sys/wait.h>

enum { DIED = 42, DONE = 43 };

static struct hash256 hash_of(const char *text)
{
    return sha256(bytes_of_text(text));
}

// --- Changes ---

// Version 1 or 2 of everything.
static bool activate(struct store *store, unsigned version, struct err *err)
{
    const struct store_policy policy = { version == 1 ? BYTES("form 1") : BYTES("form 2"), true,
                                         hash_of(version == 1 ? "1" : "2"),
                                         hash_of(version == 1 ? "full 1" : "full 2") };
    const struct velocity v = { .running = true, .start_s = version, .spent = { { version } } };
    const struct store_activation a = { .policy = &policy,
                                        .has_locker = true,
                                        .locker = version == 1 ? BYTES("0123456789abcde1")
                                                               : BYTES("0123456789abcde2"),
                                        .policy_hash = hash_of("p"),
                                        .velocity = &v,
                                        .counters = { .refusals = version },
                                        .journal_line = BYTES("activated") };
    return store_activate(store, &a, err);
}

static bool decide(struct store *store, unsigned version, struct err *err)
{
    const struct velocity v = { .running = true, .start_s = version, .spent = { { version } } };
    const struct store_progress progress = { BYTES("alice"), { version, false } };
    const struct store_amount amounts[] = { { { hash_of("tx"), 1 }, { version } },
                                            { { hash_of("tx"), version + 1 }, { version } } };
    const struct store_decision d = { .counters = { .approvals = version },
                                      .policy_hash = hash_of("p"),
                                      .velocity = &v,
                                      .progress = &progress,
                                      .n_progress = 1,
                                      .amounts = amounts,
                                      .n_amounts = 2,
                                      .journal_line = BYTES("decided") };
    return store_commit_decision(store, &d, err);
}

// --- What is found ---

// Everything that the changes above touch, as text.
static const char *describe(struct store *store)
{
    struct store_policy policy;
    struct velocity v;
    struct user users[USERS_MAX];
    struct store_lines lines;
    struct err err;
    size_t n;
    bool found;
    struct bytes locker;
    const struct hash256 p = hash_of("p");
    const struct store_counters c = store_get_counters(store);
    struct writer w = writer_growing(test_arena(), 4096);
    assert_true(store_get_policy(store, &policy, test_arena(), &err));
    assert_true(store_get_velocity(store, &p, &v, &err));
    assert_true(store_get_users(store, users, &n, &err));
    assert_true(store_row(store, ROW_LOCKER, &locker, &found, test_arena(), &err));
    assert_true(store_pending_lines(store, &lines, 0, 99, test_arena(), &err));
    writer_printf(&w, "%.*s %.*s %d %d %d %d %d %zu ", BYTES_ARG(policy.form), BYTES_ARG(locker),
                  (int)v.start_s, (int)v.spent[0].n, (int)c.approvals, (int)c.refusals,
                  (int)users[0].progress.last, n);
    writer_hex(&w, bytes_of(policy.sl_hash.b, 2));
    for (uint32_t i = 1; i <= 3; i++) {
        struct sats sats = { 0 };
        const struct outpoint outpoint = { hash_of("tx"), i };
        (void)store_known_amount(store, &outpoint, &sats);
        writer_printf(&w, " %d", (int)sats.n);
    }
    writer_printf(&w, " %zu lines", lines.n);
    writer_u8(&w, 0);
    assert_false(w.failed);
    return (const char *)w.ptr;
}

// --- Dying ---

struct fuse {
    unsigned left; // steps until death
};

static void step(void *context, const char *name)
{
    struct fuse *fuse = context;
    (void)name;
    if (fuse->left-- == 0)
        _exit(DIED);
}

typedef bool change_fn(struct store *store, unsigned version, struct err *err);

// Makes the change in a child that dies at step `at`; false when it got to the end.
static bool dies_at(change_fn *change, unsigned at)
{
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct fuse fuse = { at };
        struct err err;
        struct store *store = fixture_open(test_dir());
        store_set_hook(store, (struct store_hook){ step, &fuse });
        // No clean end in either case.
        _exit(change(store, 2, &err) ? DONE : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_true(WEXITSTATUS(status) == DIED || WEXITSTATUS(status) == DONE);
    return WEXITSTATUS(status) == DIED;
}

static void prepare(void)
{
    const struct user alice = {
        .name = "alice", .name_len = 5, .mode = USER_TOTP, .secret_len = 10
    };
    struct err err;
    fixture_make(test_dir());
    struct store *store = fixture_open(test_dir());
    assert_true(store_add_user(store, &alice, BYTES(""), &err));
    assert_true(activate(store, 1, &err));
    assert_true(decide(store, 1, &err));
    store_close(store);
}

static const char *found_now(void)
{
    struct store *store = fixture_open(test_dir());
    const char *text = describe(store);
    store_close(store);
    return text;
}

// Dies at every step of the change; `after` is what it leads to. Returns how many steps it has.
static unsigned die_everywhere(change_fn *change, const char *before, const char *after)
{
    unsigned at = 0, old = 0;
    assert_string_equal(found_now(), before);
    for (; dies_at(change, at); at++) {
        const char *found = found_now();
        if (strcmp(found, before) == 0) {
            old++;
            continue;
        }
        // Whole, and only at the last step, "committed".
        assert_string_equal(found, after);
        assert_int_equal(old, at);
        return at + 1;
    }
    fail_msg("the change never got to its end");
    return 0;
}

TEST(policy_24_36_a_crash_in_an_activation_leaves_old_or_new)
{
    prepare();
    // begin, policy, locker, velocity, line, state, committed
    const unsigned steps =
        die_everywhere(activate, "form 1 0123456789abcde1 1 1 1 0 1 1 6b86 1 1 0 2 lines",
                       "form 2 0123456789abcde2 2 2 0 2 1 1 d473 1 1 0 3 lines");
    assert_int_equal(steps, 7);
}

TEST(policy_24_66_psbt_signing_27_114_a_crash_in_a_decision_leaves_old_or_new)
{
    prepare();
    // begin, velocity, users, amounts, line, state, committed
    const unsigned steps =
        die_everywhere(decide, "form 1 0123456789abcde1 1 1 1 0 1 1 6b86 1 1 0 2 lines",
                       "form 1 0123456789abcde1 2 2 2 0 2 1 6b86 2 1 2 3 lines");
    assert_int_equal(steps, 7);
}

static bool wipe_policy(struct store *store, unsigned version, struct err *err)
{
    (void)version;
    return store_wipe_policy(store, BYTES("wiped"), err);
}

static bool delete_user(struct store *store, unsigned version, struct err *err)
{
    (void)version;
    return store_delete_user(store, BYTES("alice"), BYTES("deleted"), err);
}

TEST(a_crash_in_a_removal_leaves_old_or_new)
{
    static const char before[] = "form 1 0123456789abcde1 1 1 1 0 1 1 6b86 1 1 0 2 lines";
    prepare();
    assert_int_equal(
        die_everywhere(wipe_policy, before, " 0123456789abcde1 1 1 1 0 1 1 0000 1 1 0 3 lines"), 5);
    assert_int_equal(die_everywhere(delete_user, " 0123456789abcde1 1 1 1 0 1 1 0000 1 1 0 3 lines",
                                    " 0123456789abcde1 1 1 1 0 0 0 0000 1 1 0 4 lines"),
                     5);
}

// What SQLite is told, so that "committed" means "on the disk".
TEST(commits_are_synchronous_and_deletions_overwrite)
{
    static const struct {
        const char *pragma, *value;
    } cases[] = {
        { "PRAGMA synchronous", "2" },   { "PRAGMA journal_mode", "wal" },
        { "PRAGMA secure_delete", "1" }, { "PRAGMA locking_mode", "exclusive" },
        { "PRAGMA foreign_keys", "1" },  { "PRAGMA trusted_schema", "0" },
    };
    fixture_make(test_dir());
    struct store *store = fixture_open(test_dir());
    for (size_t i = 0; i < COUNT(cases); i++) {
        sqlite3_stmt *s;
        assert_int_equal(sqlite3_prepare_v2(store->db->sql, cases[i].pragma, -1, &s, NULL),
                         SQLITE_OK);
        assert_int_equal(sqlite3_step(s), SQLITE_ROW);
        assert_string_equal((const char *)sqlite3_column_text(s, 0), cases[i].value);
        (void)sqlite3_finalize(s);
    }
    store_close(store);
}
