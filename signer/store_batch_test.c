// Several changes in one commit: all of them or none, whatever fails and wherever it dies.
#include "signer/store_fixture.h"
#include "signer/store_internal.h"
#include "tests/support/test.h"
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

enum { DIED = 42, DONE = 43 };

static struct hash256 hash_of(const char *text)
{
    return sha256(bytes_of_text(text));
}

// Decision number n: spends n in all, remembers an amount, writes a line.
static bool decide(struct store *store, uint64_t n, struct err *err)
{
    const struct velocity v = { .running = true, .start_s = 1, .spent = { { n } } };
    const struct store_amount amount = { { hash_of("tx"), (uint32_t)n }, { n } };
    char line[32];
    (void)snprintf(line, sizeof line, "decision %u", (unsigned)n);
    const struct store_decision d = { .counters = { .approvals = n },
                                      .policy_hash = hash_of("p"),
                                      .velocity = &v,
                                      .amounts = &amount,
                                      .n_amounts = 1,
                                      .journal_line = bytes_of_text(line) };
    return store_commit_decision(store, &d, err);
}

// One that fails half way, after its velocity was written.
static bool decide_badly(struct store *store, struct err *err)
{
    const struct velocity v = { .running = true, .start_s = 1, .spent = { { 999 } } };
    const struct store_progress progress = { BYTES("nobody"), { 1, false } };
    const struct store_decision d = { .counters = { .approvals = 999 },
                                      .policy_hash = hash_of("p"),
                                      .velocity = &v,
                                      .progress = &progress,
                                      .n_progress = 1,
                                      .journal_line = BYTES("never") };
    return store_commit_decision(store, &d, err);
}

// "approvals spent head known-amounts lines"
static const char *describe(struct store *store)
{
    struct velocity v;
    struct store_lines lines;
    struct err err;
    const struct hash256 p = hash_of("p");
    unsigned n_known = 0;
    assert_true(store_get_velocity(store, &p, &v, &err));
    assert_true(store_pending_lines(store, &lines, 0, 99, test_arena(), &err));
    for (uint32_t i = 1; i <= 9; i++) {
        struct sats sats;
        const struct outpoint outpoint = { hash_of("tx"), i };
        n_known += store_known_amount(store, &outpoint, &sats);
    }
    struct writer w = writer_growing(test_arena(), 256);
    writer_printf(&w, "%d %d %d %u %zu", (int)store_get_counters(store).approvals,
                  (int)v.spent[0].n, (int)store_get_head(store).seq, n_known, lines.n);
    writer_u8(&w, 0);
    return (const char *)writer_bytes(&w).ptr;
}

static const char *describe_after_restart(struct store **store)
{
    store_closep(store);
    *store = fixture_open(test_dir());
    return describe(*store);
}

static void count_commits(void *context, const char *name)
{
    unsigned *n = context;
    *n += strcmp(name, "committed") == 0;
}

TEST(three_decisions_are_one_commit)
{
    unsigned n_commits = 0;
    struct err err;
    fixture_make(test_dir());
    AUTO(store_closep) struct store *store = fixture_open(test_dir());
    store_set_hook(store, (struct store_hook){ count_commits, &n_commits });
    store_batch_begin(store);
    for (uint64_t n = 1; n <= 3; n++)
        assert_true(decide(store, n, &err));
    assert_string_equal(describe(store), "3 3 3 3 3"); // reading sees the batch
    assert_int_equal(n_commits, 0);
    assert_true(store_batch_commit(store, &err));
    assert_int_equal(n_commits, 1);
    assert_string_equal(describe_after_restart(&store), "3 3 3 3 3");
    assert_true(decide(store, 4, &err)); // alone again
    assert_string_equal(describe_after_restart(&store), "4 4 4 4 4");
}

TEST(a_batch_without_changes_writes_nothing)
{
    unsigned n_commits = 0;
    struct err err;
    fixture_make(test_dir());
    AUTO(store_closep) struct store *store = fixture_open(test_dir());
    store_set_hook(store, (struct store_hook){ count_commits, &n_commits });
    store_batch_begin(store);
    assert_true(store_batch_commit(store, &err));
    assert_int_equal(n_commits, 0);
}

// What one of them had written before it failed goes; the others stay.
TEST(one_that_fails_leaves_the_others)
{
    struct err err;
    fixture_make(test_dir());
    AUTO(store_closep) struct store *store = fixture_open(test_dir());
    store_batch_begin(store);
    assert_false(decide_badly(store, &err)); // the first of a batch
    assert_true(decide(store, 1, &err));
    assert_false(decide_badly(store, &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_true(decide(store, 2, &err));
    assert_true(store_batch_commit(store, &err));
    assert_string_equal(describe_after_restart(&store), "2 2 2 2 2");
}

// The disk is full at the commit, or as soon as a change is too large for the memory that holds it.
TEST(a_commit_that_fails_takes_all_back)
{
    struct rlimit limit, small;
    struct err err;
    fixture_make(test_dir());
    AUTO(store_closep) struct store *store = fixture_open(test_dir());
    assert_true(decide(store, 1, &err));
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    small = limit;
    small.rlim_cur = 1;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    store_batch_begin(store);
    assert_true(decide(store, 2, &err));
    assert_true(decide(store, 3, &err));
    const bool is_committed = store_batch_commit(store, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_false(is_committed);
    assert_int_equal(err.code, ERR_IO);
    assert_string_equal(describe(store), "1 1 1 1 1");
    assert_true(decide(store, 2, &err));
    assert_string_equal(describe_after_restart(&store), "2 2 2 2 2");
}

// The database may undo a transaction by itself when a change fails: the batch is then lost, and says so.
TEST(a_batch_that_the_database_undid_commits_nothing)
{
    struct err err;
    fixture_make(test_dir());
    AUTO(store_closep) struct store *store = fixture_open(test_dir());
    assert_true(decide(store, 1, &err));
    store_batch_begin(store);
    assert_true(decide(store, 2, &err));
    db_rollback(store->db);
    assert_false(decide_badly(store, &err)); // fails at once or finds out on the way
    assert_false(decide(store, 3, &err));
    assert_false(store_batch_commit(store, &err));
    assert_string_equal(describe(store), "1 1 1 1 1");
    assert_string_equal(describe_after_restart(&store), "1 1 1 1 1");
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

static NORETURN void run_child(unsigned at)
{
    struct fuse fuse = { at };
    struct err err;
    struct store *store = fixture_open(test_dir());
    store_set_hook(store, (struct store_hook){ step, &fuse });
    store_batch_begin(store);
    const bool ok = decide(store, 2, &err) && decide(store, 3, &err) && decide(store, 4, &err) &&
                    store_batch_commit(store, &err);
    _exit(ok ? DONE : 1);
}

TEST(death_in_a_batch_leaves_all_of_it_or_nothing)
{
    unsigned at = 0, n_after = 0;
    int status = 0;
    struct err err;
    fixture_make(test_dir());
    {
        AUTO(store_closep) struct store *store = fixture_open(test_dir());
        assert_true(decide(store, 1, &err));
    }
    while (n_after == 0) {
        const pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            run_child(at);
        assert_int_equal(waitpid(child, &status, 0), child);
        AUTO(store_closep) struct store *store = fixture_open(test_dir());
        const char *now = describe(store);
        n_after = strcmp(now, "4 4 4 4 4") == 0;
        if (n_after == 0)
            assert_string_equal(now, "1 1 1 1 1");
        at++;
    }
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == DIED); // between commit and answer
    assert_in_range(at, 3 * 4 + 2, 40);
}
