#include "signer/vault.h"
#include "signer/store_fixture.h"
#include "signer/store_internal.h"
#include "tests/support/test.h"
#include <sys/wait.h>

static struct fixture_clock now;

static struct vault open_vault(struct store **store, unsigned pin_tries)
{
    struct vault vault;
    struct err err;
    assert_true(store_open(store, test_dir(), &err));
    if (!vault_init(&vault, *store, &now.clock, pin_tries, true, &err))
        fail_msg("%s", err.text);
    return vault;
}

static struct vault fresh(struct store **store, unsigned pin_tries)
{
    now = fixture_clock();
    fixture_make(test_dir());
    return open_vault(store, pin_tries);
}

static bool unlock(struct vault *vault, struct bytes pin, struct err *err)
{
    struct secret *secret = NULL;
    if (!vault_unlock(vault, &secret, pin, err))
        return false;
    assert_bytes_equal(secret_open(secret), FIXTURE_SECRET);
    secret_close(secret);
    secret_free(secret);
    return true;
}

static void assert_wrong(struct vault *vault, const char *pin)
{
    struct err err;
    assert_false(unlock(vault, bytes_of_text(pin), &err));
    assert_err(&err, ERR_AUTH, "wrong PIN");
    assert_false(store_is_unlocked(vault->store));
}

// --- The PIN's form ---

TEST(pins_have_6_to_64_printable_characters)
{
    static const struct {
        const char *pin, *text;
    } cases[] = {
        { "12345", "a PIN has 6 to 64 characters" },
        { "", "a PIN has 6 to 64 characters" },
        { "123456", NULL },
        { " ~ ~ ~", NULL }, // 0x20 to 0x7e
        { "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", NULL },
        { "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0",
          "a PIN has 6 to 64 characters" },
        { "12345\x7f", "a PIN has printable ASCII characters only" },
        { "12345\n", "a PIN has printable ASCII characters only" },
        { "12345\xc3\xa9", "a PIN has printable ASCII characters only" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct err err;
        const bool good = vault_check_pin(bytes_of_text(cases[i].pin), &err);
        assert_int_equal(good, cases[i].text == NULL);
        if (!good)
            assert_err(&err, ERR_INVALID, cases[i].text);
    }
}

// --- Unlocking ---

TEST(the_right_pin_gives_the_secret)
{
    struct store *store;
    struct vault vault = fresh(&store, 0);
    struct err err;
    assert_int_equal(vault.state, VAULT_SEALED);
    assert_true(unlock(&vault, FIXTURE_PIN, &err));
    assert_true(store_is_unlocked(store));
    vault_lock(&vault);
    assert_false(store_is_unlocked(store));
    assert_true(unlock(&vault, FIXTURE_PIN, &err));
    store_close(store);
}

TEST(a_wrong_pin_gives_nothing)
{
    static const char *const pins[] = {
        "123457",
        "12345",
        "1234567",
        "",
        "123456\n",
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    };
    struct store *store;
    struct vault vault = fresh(&store, 0);
    for (size_t i = 0; i < COUNT(pins); i++) {
        now.now_ms += vault_wait_ms(&vault);
        assert_wrong(&vault, pins[i]);
    }
    store_close(store);
}

// "After the n-th wrong one in a row: a pause of 2^(n-1) s, at most an hour."
TEST(pauses_double_up_to_an_hour)
{
    static const int64_t pauses_s[] = { 1,   2,   4,    8,    16,   32,   64,  128,
                                        256, 512, 1024, 2048, 3600, 3600, 3600 };
    struct store *store;
    struct vault vault = fresh(&store, 0);
    struct err err;
    char text[32];
    assert_int_equal(vault_wait_ms(&vault), 0);
    for (size_t i = 0; i < COUNT(pauses_s); i++) {
        assert_wrong(&vault, "wrong!");
        assert_int_equal(vault_wait_ms(&vault), pauses_s[i] * 1000);
        // Too early, right or wrong: not tried, and not counted.
        (void)snprintf(text, sizeof text, "wait %lld s", (long long)pauses_s[i]);
        assert_false(unlock(&vault, FIXTURE_PIN, &err));
        assert_err(&err, ERR_BUSY, text);
        now.now_ms += pauses_s[i] * 1000 - 1;
        assert_false(unlock(&vault, FIXTURE_PIN, &err));
        assert_err(&err, ERR_BUSY, "wait 1 s");
        now.now_ms += 1;
        assert_int_equal(vault.wrong, i + 1);
    }
    assert_true(unlock(&vault, FIXTURE_PIN, &err));
    assert_int_equal(vault.wrong, 0);
    vault_lock(&vault);
    assert_wrong(&vault, "wrong!");
    assert_int_equal(vault_wait_ms(&vault), 1000); // from the start
    store_close(store);
}

TEST(pauses_outlive_the_process)
{
    struct store *store;
    struct vault vault = fresh(&store, 0);
    struct err err;
    for (unsigned i = 0; i < 4; i++) {
        assert_wrong(&vault, "wrong!");
        now.now_ms += vault_wait_ms(&vault);
    }
    store_close(store);
    now = fixture_clock(); // a restarted machine counts from anywhere
    vault = open_vault(&store, 0);
    assert_int_equal(vault.wrong, 4);
    assert_int_equal(vault_wait_ms(&vault), 8000);
    now.now_ms += 8000;
    assert_true(unlock(&vault, FIXTURE_PIN, &err));
    store_close(store);
    vault = open_vault(&store, 0);
    assert_int_equal(vault_wait_ms(&vault), 0);
    store_close(store);
}

// --- Dying while a PIN is tried ---

struct death {
    const char *at;
};

static void die(void *context, const char *name)
{
    const struct death *death = context;
    if (strcmp(name, death->at) == 0)
        _exit(42);
}

static void try_and_die(const char *at, unsigned pin_tries, struct bytes pin)
{
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct store *store;
        struct secret *secret;
        struct death death = { at };
        struct err err;
        struct vault vault = open_vault(&store, pin_tries);
        now.now_ms += vault_wait_ms(&vault);
        store_set_hook(store, (struct store_hook){ die, &death });
        (void)!vault_unlock(&vault, &secret, pin, &err);
        _exit(1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WEXITSTATUS(status), 42);
}

// The count is on disk before anything is known of the PIN: cutting the power spares no try.
TEST(a_try_is_counted_before_it_is_checked)
{
    struct store *store;
    struct vault vault = fresh(&store, 0);
    store_close(store);
    try_and_die("counted", 0, BYTES("wrong!"));
    try_and_die("tried", 0, BYTES("wrong!"));
    try_and_die("counted", 0, FIXTURE_PIN); // a right one that nobody saw counts as well
    vault = open_vault(&store, 0);
    assert_int_equal(vault.wrong, 3);
    assert_int_equal(vault_wait_ms(&vault), 4000);
    store_close(store);
}

// --- Destroying ---

static void assert_destroyed(unsigned pin_tries)
{
    struct store *store;
    struct vault vault = open_vault(&store, pin_tries);
    struct err err;
    assert_int_equal(vault.state, VAULT_DESTROYED);
    assert_false(unlock(&vault, FIXTURE_PIN, &err));
    assert_err(&err, ERR_STATE, "the keys were destroyed after too many wrong PINs");
    store_close(store);
}

static bool file_has(const char *name, struct bytes part)
{
    char path[256];
    uint8_t *content = arena_alloc(test_arena(), 1 << 20);
    (void)snprintf(path, sizeof path, "%s/%s", test_dir(), name);
    FILE *f = fopen(path, "rb");
    if (!f)
        return false;
    const size_t len = fread(content, 1, 1 << 20, f);
    assert_int_equal(fclose(f), 0);
    return memmem(content, len, part.ptr, part.len) != NULL;
}

// The sealed key as it lies in the file.
static struct bytes sealed_key(struct store *store)
{
    sqlite3_stmt *s = db_statement(store->db, SQL_VAULT_GET);
    struct bytes record = { 0 }, copy;
    struct err err;
    bool found;
    assert_true(db_next(store->db, s, &found, &err) && found && db_column_blob(s, 0, &record));
    assert_true(arena_copy(test_arena(), bytes_slice(record, record.len - 72, 72), &copy));
    db_reset(s);
    return copy;
}

TEST(too_many_wrong_pins_destroy_the_keys)
{
    struct store *store;
    struct vault vault = fresh(&store, 3);
    struct secret *secret;
    struct err err;
    const struct bytes key = sealed_key(store);
    assert_wrong(&vault, "wrong1");
    now.now_ms += vault_wait_ms(&vault);
    assert_false(vault_unlock(&vault, &secret, BYTES("wrong2"), &err));
    assert_err(&err, ERR_AUTH, "wrong PIN");
    assert_string_equal(err.detail, "1 more wrong ones destroy the keys");
    assert_true(file_has("signer.db", key) || file_has("signer.db-wal", key));
    now.now_ms += vault_wait_ms(&vault);
    assert_false(vault_unlock(&vault, &secret, BYTES("wrong3"), &err));
    assert_err(&err, ERR_STATE, "the keys were destroyed after too many wrong PINs");
    assert_int_equal(vault.state, VAULT_DESTROYED);
    assert_false(file_has("signer.db", key));
    assert_false(file_has("signer.db-wal", key));
    store_close(store);
    assert_destroyed(3);
    assert_destroyed(0);
}

TEST(the_right_pin_at_the_last_try_saves_the_keys)
{
    struct store *store;
    struct vault vault = fresh(&store, 3);
    struct err err;
    for (unsigned round = 0; round < 2; round++) {
        assert_wrong(&vault, "wrong1");
        now.now_ms += vault_wait_ms(&vault);
        assert_wrong(&vault, "wrong2");
        now.now_ms += vault_wait_ms(&vault);
        assert_true(unlock(&vault, FIXTURE_PIN, &err));
        vault_lock(&vault);
    }
    store_close(store);
}

TEST(a_last_try_that_was_cut_short_destroys_the_keys)
{
    struct store *store;
    struct vault vault = fresh(&store, 2);
    assert_wrong(&vault, "wrong1");
    store_close(store);
    try_and_die("tried", 2, BYTES("wrong2"));
    assert_destroyed(2);
}

// An operator who lowers the limit below what was counted has one try more, not none.
TEST(a_lowered_limit_leaves_one_try)
{
    struct store *store;
    struct vault vault = fresh(&store, 0);
    struct err err;
    for (unsigned i = 0; i < 5; i++) {
        assert_wrong(&vault, "wrong!");
        now.now_ms += vault_wait_ms(&vault);
    }
    store_close(store);
    vault = open_vault(&store, 3);
    assert_int_equal(vault.state, VAULT_SEALED);
    now.now_ms += vault_wait_ms(&vault);
    assert_true(unlock(&vault, FIXTURE_PIN, &err));
    store_close(store);
}

// --- Changing ---

TEST(a_changed_pin_replaces_the_old_one)
{
    struct store *store;
    struct vault vault = fresh(&store, 0);
    struct err err;
    const struct bytes key = sealed_key(store);
    assert_true(unlock(&vault, FIXTURE_PIN, &err));
    assert_false(vault_change_pin(&vault, FIXTURE_PIN, BYTES("short"), &err));
    assert_err(&err, ERR_INVALID, "a PIN has 6 to 64 characters");
    assert_true(vault_change_pin(&vault, FIXTURE_PIN, BYTES("a new PIN"), &err));
    assert_true(store_is_unlocked(store));
    assert_false(file_has("signer.db", key));
    assert_false(file_has("signer.db-wal", key));
    store_close(store);
    vault = open_vault(&store, 0);
    assert_wrong(&vault, "123456");
    now.now_ms += vault_wait_ms(&vault);
    assert_true(unlock(&vault, BYTES("a new PIN"), &err));
    store_close(store);
}

TEST(a_wrong_old_pin_counts_as_a_try)
{
    struct store *store;
    struct vault vault = fresh(&store, 2);
    struct err err;
    assert_false(vault_change_pin(&vault, BYTES("wrong!"), BYTES("a new PIN"), &err));
    assert_err(&err, ERR_AUTH, "wrong PIN");
    assert_int_equal(vault.wrong, 1);
    assert_false(vault_change_pin(&vault, FIXTURE_PIN, BYTES("a new PIN"), &err));
    assert_err(&err, ERR_BUSY, "wait 1 s");
    now.now_ms += 1000;
    assert_true(vault_change_pin(&vault, FIXTURE_PIN, BYTES("a new PIN"), &err));
    assert_false(store_is_unlocked(store));
    assert_true(unlock(&vault, BYTES("a new PIN"), &err));
    store_close(store);
}

TEST(a_crash_while_the_pin_changes_leaves_one_of_them)
{
    struct store *store;
    struct vault vault = fresh(&store, 0);
    struct err err;
    store_close(store);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct death death = { "resealed" };
        vault = open_vault(&store, 0);
        store_set_hook(store, (struct store_hook){ die, &death });
        (void)!vault_change_pin(&vault, FIXTURE_PIN, BYTES("a new PIN"), &err);
        _exit(1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WEXITSTATUS(status), 42);
    vault = open_vault(&store, 0);
    assert_true(unlock(&vault, BYTES("a new PIN"), &err));
    store_close(store);
}

// --- What a vault refuses ---

TEST(a_second_pin_and_an_empty_vault)
{
    struct store *store;
    struct vault vault;
    struct err err;
    now = fixture_clock();
    assert_true(store_create(&store, test_dir(), &err));
    assert_true(vault_init(&vault, store, &now.clock, 0, false, &err));
    assert_int_equal(vault.state, VAULT_EMPTY);
    assert_false(unlock(&vault, FIXTURE_PIN, &err));
    assert_err(&err, ERR_STATE, "no PIN is set");
    assert_false(vault_create(store, BYTES("12345"), FIXTURE_SECRET, vault_cost_weak(), &err));
    assert_err(&err, ERR_INVALID, "a PIN has 6 to 64 characters");
    assert_true(vault_create(store, FIXTURE_PIN, FIXTURE_SECRET, vault_cost_weak(), &err));
    assert_true(store_is_unlocked(store));
    assert_false(vault_create(store, FIXTURE_PIN, FIXTURE_SECRET, vault_cost_weak(), &err));
    assert_err(&err, ERR_EXISTS, "a PIN is set already");
    store_close(store);
}

TEST(a_simulators_store_is_refused_for_real_keys)
{
    struct store *store;
    struct vault vault = fresh(&store, 0);
    struct err err;
    char text[512];
    (void)snprintf(text, sizeof text, "%s/signer.db: made by a simulator; never for real keys",
                   test_dir());
    assert_false(vault_init(&vault, store, &now.clock, 0, false, &err));
    assert_err(&err, ERR_UNSUPPORTED, text);
    store_close(store);
}

TEST(a_replaced_secret_is_what_comes_next)
{
    struct store *store;
    struct vault vault = fresh(&store, 0);
    struct secret *secret;
    struct err err;
    assert_false(vault_replace_secret(&vault, BYTES("another"), &err)); // locked
    assert_true(unlock(&vault, FIXTURE_PIN, &err));
    assert_true(vault_replace_secret(&vault, BYTES("another"), &err));
    store_close(store);
    vault = open_vault(&store, 0);
    assert_true(vault_unlock(&vault, &secret, FIXTURE_PIN, &err));
    assert_bytes_text(secret_open(secret), "another");
    secret_close(secret);
    secret_free(secret);
    store_close(store);
}

// Property: no byte of the PIN's record can be changed so that a wrong PIN opens it, or the right
// one opens something else.
TEST(a_changed_record_never_opens)
{
    struct store *store;
    struct vault vault = fresh(&store, 0);
    struct err err;
    sqlite3_stmt *s = db_statement(store->db, SQL_VAULT_GET);
    struct bytes record = { 0 };
    uint8_t changed[256];
    bool found;
    assert_true(db_next(store->db, s, &found, &err) && found && db_column_blob(s, 0, &record));
    const size_t len = record.len;
    assert_true(len <= sizeof changed);
    memcpy(changed, record.ptr, len);
    db_reset(s);
    // version, state, count (4), last try, passes (4), memory (4): then salt and key.
    for (size_t at = 0; at < len; at++) {
        if (at >= 2 && at < 7)
            continue; // the count itself
        if (at >= 8 && at < 15)
            continue; // gigabytes: bounded, and tested by the parser's limits below
        changed[at] ^= 2;
        s = db_statement(store->db, SQL_VAULT_PUT);
        db_bind_blob(s, 1, bytes_of(changed, len));
        assert_true(db_done(store->db, s, &err));
        if (vault_init(&vault, store, &now.clock, 0, true, &err)) {
            now.now_ms += vault_wait_ms(&vault);
            assert_false(unlock(&vault, FIXTURE_PIN, &err));
        }
        changed[at] ^= 2;
    }
    store_close(store);
}

TEST(a_record_that_asks_for_too_much_is_damaged)
{
    static const struct {
        uint32_t passes, memory_kib;
    } cases[] = { { 0, 65536 }, { 17, 65536 }, { UINT32_MAX, 65536 }, { 3, 7 }, { 3, 2097153 } };
    struct store *store;
    struct vault vault = fresh(&store, 0);
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint8_t mem[256];
        struct writer w = writer_of(mem, sizeof mem);
        struct err err;
        writer_u8(&w, 1);
        writer_u8(&w, VAULT_SEALED);
        writer_u32le(&w, 0);
        writer_u8(&w, 0);
        writer_u32le(&w, cases[i].passes);
        writer_u32le(&w, cases[i].memory_kib);
        for (size_t k = 0; k < 16 + 72; k++)
            writer_u8(&w, 0);
        sqlite3_stmt *s = db_statement(store->db, SQL_VAULT_PUT);
        db_bind_blob(s, 1, writer_bytes(&w));
        assert_true(db_done(store->db, s, &err));
        assert_false(vault_init(&vault, store, &now.clock, 0, true, &err));
        assert_int_equal(err.code, ERR_INVALID);
    }
    store_close(store);
}

TEST(the_default_cost_is_at_least_interactive)
{
    const struct vault_cost cost = vault_cost_default();
    assert_true(cost.passes >= 2);
    assert_true(cost.memory_kib >= 65536);
}
