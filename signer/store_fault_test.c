// A database, a disk or memory that fails at any one call: a change is then whole or absent, and the next start finds
// what the answer said.
#include "base/file.h"
#include "signer/store_fixture.h"
#include "signer/store_internal.h"
#include "tests/support/fault.h"
#include "tests/support/test.h"
#include <sys/stat.h>

enum { FILE_MAX = 4 << 20 };

static struct hash256 hash_of(const char *text)
{
    return sha256(bytes_of_text(text));
}

// --- Changes, each of which leaves another state ---

static bool add_user(struct store *store, struct err *err)
{
    const struct user bob = { .name = "bob", .name_len = 3, .mode = USER_HOTP, .secret_len = 10 };
    return store_add_user(store, &bob, BYTES("added"), err);
}

static bool delete_user(struct store *store, struct err *err)
{
    return store_delete_user(store, BYTES("alice"), BYTES("deleted"), err);
}

static bool put_wallet(struct store *store, struct err *err)
{
    const struct store_wallet wallet = { BYTES("another"), BYTES("form") };
    return store_put_wallet(store, &wallet, BYTES("enrolled"), err);
}

static bool delete_wallet(struct store *store, struct err *err)
{
    return store_delete_wallet(store, BYTES("w"), BYTES("deleted"), err);
}

static bool activate(struct store *store, struct err *err)
{
    const struct store_policy policy = { .form = BYTES("another policy") };
    const struct velocity v = { .running = true, .start_s = 7 };
    const struct store_activation a = { .policy = &policy,
                                        .has_locker = true,
                                        .locker = BYTES("0123456789abcdef"),
                                        .policy_hash = hash_of("q"),
                                        .velocity = &v,
                                        .journal_line = BYTES("activated") };
    return store_activate(store, &a, err);
}

static bool decide(struct store *store, struct err *err)
{
    const struct velocity v = { .running = true, .start_s = 2, .spent = { { 2 } } };
    const struct store_progress progress = { BYTES("alice"), { 2, false } };
    const struct store_amount amounts[] = { { { hash_of("tx"), 1 }, { 2 } },
                                            { { hash_of("tx"), 2 }, { 2 } } };
    const struct store_decision d = { .counters = { .approvals = 2 },
                                      .policy_hash = hash_of("p"),
                                      .velocity = &v,
                                      .progress = &progress,
                                      .n_progress = 1,
                                      .amounts = amounts,
                                      .n_amounts = 2,
                                      .journal_line = BYTES("decided") };
    return store_commit_decision(store, &d, err);
}

static bool decide_twice(struct store *store, struct err *err)
{
    store_batch_begin(store);
    if (!decide(store, err) || !activate(store, err)) {
        store_batch_undo(store);
        return false;
    }
    return store_batch_commit(store, err);
}

static bool read_locker(struct store *store, struct err *err)
{
    struct bytes value;
    AUTO(arena_freep) struct arena *arena = arena_new(1 << 16);
    if (!store_read_locker(store, 13, BYTES("read"), &value, arena, err))
        return false;
    FAULT_CHECK(bytes_equal_text(value, "0123456789abcdef"));
    return true;
}

static bool set_settings(struct store *store, struct err *err)
{
    const struct store_settings settings = { true, true };
    return store_set_settings(store, &settings, err);
}

static bool append(struct store *store, struct err *err)
{
    return store_append_journal(store, BYTES("a line"), err);
}

static bool append_after_writing(struct store *store, struct err *err)
{
    store_lines_written(store, store_get_head(store).seq);
    return store_append_journal(store, BYTES("a line"), err);
}

static bool wipe_policy(struct store *store, struct err *err)
{
    return store_wipe_policy(store, BYTES("wiped"), err);
}

static bool reset(struct store *store, struct err *err)
{
    return store_reset(store, false, err);
}

static bool replace_secret(struct store *store, struct err *err)
{
    struct vault vault = { .store = store };
    return vault_replace_secret(&vault, BYTES("\1another"), err);
}

// --- Each in a copy of one store ---

static bool fill(struct store *store, struct err *err)
{
    const struct user alice = {
        .name = "alice", .name_len = 5, .mode = USER_TOTP, .secret_len = 10
    };
    const struct store_wallet wallet = { BYTES("w"), BYTES("a wallet") };
    const struct store_policy policy = { .form = BYTES("a policy") };
    const struct velocity v = { .running = true, .start_s = 1 };
    const struct store_amount amount = { { hash_of("tx"), 1 }, { 1 } };
    const struct store_activation a = { .policy = &policy,
                                        .has_locker = true,
                                        .locker = BYTES("0123456789abcdef"),
                                        .policy_hash = hash_of("p"),
                                        .velocity = &v,
                                        .journal_line = BYTES("first") };
    const struct store_decision d = { .policy_hash = hash_of("p"),
                                      .amounts = &amount,
                                      .n_amounts = 1 };
    return store_add_user(store, &alice, BYTES("added"), err) &&
           store_put_wallet(store, &wallet, BYTES("enrolled"), err) &&
           store_activate(store, &a, err) && store_commit_decision(store, &d, err);
}

static const char *full_store(void)
{
    struct err err;
    fixture_make(test_dir());
    AUTO(store_closep) struct store *store = fixture_open(test_dir());
    assert_true(fill(store, &err));
    return test_dir();
}

static const char *copy_of(const char *dir)
{
    struct err err;
    struct bytes content;
    AUTO(arena_freep) struct arena *arena = arena_new(FILE_MAX);
    char from[256];
    static char copy[128], to[256]; // the child's own
    (void)snprintf(from, sizeof from, "%s/%s", dir, STORE_FILE);
    (void)snprintf(copy, sizeof copy, "%s/copy", dir);
    (void)snprintf(to, sizeof to, "%s/%s", copy, STORE_FILE);
    (void)mkdir(copy, 0700);
    FAULT_CHECK(file_read(&content, from, FILE_MAX, arena, &err));
    FAULT_CHECK(file_replace(to, content, 0600, &err));
    return copy;
}

// Of all that the store holds: its state has the hash of each row, the head of the journal, the sum of amounts.
static struct hash256 content_of(const struct store *store)
{
    static uint8_t room[sizeof(struct store_state) + 64];
    struct writer w = writer_of(room, sizeof room);
    store_state_write(&w, store->state);
    FAULT_CHECK(!w.failed);
    return sha256(writer_bytes(&w));
}

struct change {
    const char *name, *dir;
    bool counts_first; // refused, it may have been made: it is on disk before there is an answer
    bool (*make)(struct store *store, struct err *err);
};

static bool change_a_copy(void *context, struct err *err)
{
    const struct change *c = context;
    const char *dir = copy_of(c->dir);
    struct store *store = fixture_open(dir);
    struct err no;
    FAULT_CHECK(sqlite3_exec(store->db->sql, "PRAGMA synchronous = OFF", NULL, NULL, NULL) ==
                SQLITE_OK);
    const struct hash256 before = content_of(store);
    fault_arm();
    const bool ok = c->make(store, err);
    fault_disarm();
    const struct hash256 now = content_of(store);
    store_close(store);
    FAULT_CHECK(fixture_unlock(&store, dir, &no));
    const struct hash256 after = content_of(store);
    // What is in memory is what is on disk, and it has changed if that was said.
    FAULT_CHECK(bytes_equal(BYTES_OF(now.b), BYTES_OF(after.b)));
    if (!(c->counts_first && !ok) && ok == bytes_equal(BYTES_OF(before.b), BYTES_OF(after.b)))
        fault_wrong(c->name, ok ? "said to be made and is not" : "refused and made", 0);
    store_close(store);
    return ok;
}

TEST(a_change_is_whole_or_absent_whichever_call_fails)
{
    static const struct change changes[] = {
        { .name = "add user", .make = add_user },
        { .name = "delete user", .make = delete_user },
        { .name = "put wallet", .make = put_wallet },
        { .name = "delete wallet", .make = delete_wallet },
        { .name = "activate", .make = activate },
        { .name = "decide", .make = decide },
        { .name = "decide twice in a batch", .make = decide_twice },
        { .name = "read locker", .make = read_locker, .counts_first = true },
        { .name = "set settings", .make = set_settings },
        { .name = "append to the journal", .make = append },
        { .name = "append when lines were written", .make = append_after_writing },
        { .name = "wipe the policy", .make = wipe_policy },
        { .name = "reset", .make = reset },
        { .name = "replace the secret", .make = replace_secret },
    };
    const char *dir = full_store();
    for (size_t i = 0; i < COUNT(changes); i++) {
        struct change c = changes[i];
        c.dir = dir;
        const struct fault_counts broken = fault_sweep(FAULT_DATABASE, change_a_copy, &c);
        // At least its beginning, one row, the state and its commit can fail.
        if (broken.refused < 4)
            fail_msg("%s: only %u calls of the database refused it", c.name, broken.refused);
        const struct fault_counts full = fault_sweep(FAULT_MEMORY, change_a_copy, &c);
        if (full.refused + full.stopped == 0)
            fail_msg("%s: takes no memory", c.name);
    }
}

// --- Reading ---

static bool read_all(struct store *store, struct err *err)
{
    struct user users[USERS_MAX];
    const struct store_wallet *wallets;
    size_t n_users, n_wallets;
    struct store_policy policy;
    struct velocity v, before;
    struct bytes locker;
    struct store_past past;
    struct store_lines lines;
    const struct hash256 p = hash_of("p");
    bool is_past;
    AUTO(arena_freep) struct arena *arena = arena_new(1 << 20);
    if (!store_get_users(store, users, &n_users, err) ||
        !store_get_wallets(store, &wallets, &n_wallets, arena, err) ||
        !store_get_policy(store, &policy, arena, err) || !store_get_velocity(store, &p, &v, err) ||
        !store_get_locker(store, &locker, arena, err) ||
        !store_get_past(store, &past, arena, err) ||
        !store_is_past(store, &p, &is_past, &before, err) ||
        !store_pending_lines(store, &lines, 0, 99, arena, err))
        return false;
    FAULT_CHECK(n_users == 1 && n_wallets == 1 && v.start_s == 1 && past.n == 1 && !is_past &&
                lines.n == 3);
    FAULT_CHECK(bytes_equal_text(policy.form, "a policy") &&
                bytes_equal_text(locker, "0123456789abcdef"));
    return true;
}

static bool read_a_copy(void *context, struct err *err)
{
    AUTO(store_closep) struct store *store = fixture_open(copy_of(context));
    fault_arm();
    const bool ok = read_all(store, err);
    fault_disarm();
    return ok;
}

TEST(what_cannot_be_read_is_an_error_and_never_empty)
{
    char *dir = strdup(full_store());
    const struct fault_counts broken = fault_sweep(FAULT_DATABASE, read_a_copy, dir);
    assert_true(broken.refused >= 8);
    assert_int_equal(broken.harmless, 0);
    const struct fault_counts full = fault_sweep(FAULT_MEMORY, read_a_copy, dir);
    assert_true(full.refused >= 8);
    assert_int_equal(full.harmless, 0);
    free(dir);
}

static bool unlock_a_copy(void *context, struct err *err)
{
    const char *dir = copy_of(context);
    struct store *store;
    fault_arm();
    const bool ok = fixture_unlock(&store, dir, err);
    fault_disarm();
    if (ok)
        FAULT_CHECK(store_is_unlocked(store));
    if (ok)
        store_close(store);
    return ok;
}

TEST(a_store_that_cannot_be_verified_stays_locked)
{
    char *dir = strdup(full_store());
    static const struct {
        enum fault_kind kind;
        unsigned at_least;
    } kinds[] = { { FAULT_DATABASE, 20 }, { FAULT_MEMORY, 6 }, { FAULT_SYSTEM, 1 } };
    for (size_t i = 0; i < COUNT(kinds); i++) {
        const struct fault_counts counts = fault_sweep(kinds[i].kind, unlock_a_copy, dir);
        if (counts.refused < kinds[i].at_least || counts.stopped != 0)
            fail_msg("%zu: %u refused, %u stopped", i, counts.refused, counts.stopped);
    }
    free(dir);
}

// --- The PIN ---

static bool unlocks_with(const char *dir, struct bytes pin)
{
    const struct fixture_clock clock = fixture_clock();
    struct vault vault;
    struct secret *secret = NULL;
    struct err err;
    AUTO(store_closep) struct store *store = NULL;
    FAULT_CHECK(store_open(&store, dir, &err));
    FAULT_CHECK(vault_init(&vault, store, &clock.clock, 0, true, &err));
    vault.not_before_ms = 0;
    const bool ok = vault_unlock(&vault, &secret, pin, &err);
    secret_free(secret);
    return ok;
}

static bool change_pin_of_a_copy(void *context, struct err *err)
{
    const char *dir = copy_of(context);
    const struct fixture_clock clock = fixture_clock();
    struct vault vault;
    struct store *store = fixture_open(dir);
    FAULT_CHECK(vault_init(&vault, store, &clock.clock, 0, true, err));
    fault_arm();
    const bool ok = vault_change_pin(&vault, FIXTURE_PIN, BYTES("654321"), err);
    fault_disarm();
    store_close(store);
    FAULT_CHECK(unlocks_with(dir, ok ? BYTES("654321") : FIXTURE_PIN));
    return ok;
}

TEST(a_pin_that_could_not_be_changed_is_the_old_one)
{
    char *dir = strdup(full_store());
    assert_true(fault_sweep(FAULT_DATABASE, change_pin_of_a_copy, dir).refused >= 3);
    free(dir);
}

static bool destroy_a_copy(void *context, struct err *err)
{
    const char *dir = copy_of(context);
    const struct fixture_clock clock = fixture_clock();
    struct vault vault;
    struct secret *secret = NULL;
    struct err why = { 0 };
    AUTO(store_closep) struct store *store = NULL;
    FAULT_CHECK(store_open(&store, dir, err));
    FAULT_CHECK(vault_init(&vault, store, &clock.clock, 1, true, err));
    fault_arm();
    FAULT_CHECK(!vault_unlock(&vault, &secret, BYTES("wrong1"), &why));
    fault_disarm();
    store_closep(&store);
    if (strcmp(why.text, "the keys were destroyed after too many wrong PINs") == 0) {
        FAULT_CHECK(!unlocks_with(dir, FIXTURE_PIN));
        return true;
    }
    *err = why;
    return false;
}

TEST(keys_are_said_to_be_destroyed_only_when_they_are)
{
    char *dir = strdup(full_store());
    assert_true(fault_sweep(FAULT_DATABASE, destroy_a_copy, dir).refused >= 3);
    free(dir);
}

// --- Making a store ---

static bool make_new(void *context, struct err *err)
{
    static const struct user alice = {
        .name = "alice", .name_len = 5, .mode = USER_TOTP, .secret_len = 10
    };
    static const struct store_wallet wallet = { { (const uint8_t *)"w", 1 },
                                                { (const uint8_t *)"form", 4 } };
    static const struct store_policy policy = { .form = { (const uint8_t *)"policy", 6 } };
    const struct store_past_item item = { hash_of("p"), BYTES("state") };
    const struct store_restored restored = { .users = &alice,
                                             .n_users = 1,
                                             .wallets = &wallet,
                                             .n_wallets = 1,
                                             .policy = &policy,
                                             .past = { 1, &item },
                                             .locker = BYTES("0123456789abcdef") };
    char dir[128];
    AUTO(store_closep) struct store *store = NULL;
    (void)snprintf(dir, sizeof dir, "%s/new-XXXXXX", (const char *)context);
    FAULT_CHECK(mkdtemp(dir) != NULL);
    fault_arm();
    const bool ok =
        store_create(&store, dir, err) &&
        vault_restore(store, FIXTURE_PIN, FIXTURE_SECRET, vault_cost_weak(), &restored, err);
    fault_disarm();
    if (store != NULL)
        FAULT_CHECK(store_is_unlocked(store) == ok);
    store_closep(&store);
    if (ok)
        FAULT_CHECK(unlocks_with(dir, FIXTURE_PIN));
    return ok;
}

TEST(a_store_is_made_whole_or_cannot_be_used)
{
    char *dir = strdup(test_dir());
    assert_true(fault_sweep(FAULT_DATABASE, make_new, dir).refused >= 10);
    assert_true(fault_sweep(FAULT_SYSTEM, make_new, dir).refused >= 3);
    assert_true(fault_sweep(FAULT_MEMORY, make_new, dir).refused >= 4);
    free(dir);
}
