// Rows with the right seal and a content that no version wrote: cut off at any byte, or with a value that cannot be.
// Whoever has the store's key could write them, and so could a bug; none is half taken.
#include "signer/store_fixture.h"
#include "signer/store_internal.h"
#include "tests/support/test.h"

static struct hash256 hash_of(const char *text)
{
    return sha256(bytes_of_text(text));
}

// --- Pure: the state, a velocity ---

static struct bytes written_state(void)
{
    static struct store_state state; // large
    struct writer w = writer_growing(test_arena(), sizeof state + 64);
    state = (struct store_state){ .counters = { 1, 2, 3, true },
                                  .settings = { true, true },
                                  .head = { 9, hash_of("line") },
                                  .first_line = 4,
                                  .amounts = { .n = 5, .next_seq = 6 },
                                  .n_rows = 2,
                                  .rows = { { .name = "policy" }, { .name = "users" } } };
    store_state_write(&w, &state);
    assert_false(w.failed);
    return writer_bytes(&w);
}

TEST(a_state_is_read_whole_or_not)
{
    static struct store_state read;
    const struct bytes whole = written_state();
    for (size_t len = 0; len < whole.len; len++)
        assert_false(store_state_read(&read, bytes_slice(whole, 0, len)));
    assert_true(store_state_read(&read, whole));
    assert_true(read.n_rows == 2 && read.head.seq == 9 && read.counters.stopped &&
                read.amounts.next_seq == 6);
    assert_string_equal(read.rows[1].name, "users");
}

TEST(a_state_with_a_value_that_cannot_be_is_not_read)
{
    enum {
        COUNTERS = 1,
        STOPPED = COUNTERS + 24,
        SETTINGS,
        N_ROWS = SETTINGS + 2 + 8 + 32 + 8 + 8 + 8 + 32,
        NAME
    };
    static const struct {
        size_t at;
        uint8_t value;
    } cases[] = {
        { 0, 2 },            // another version
        { STOPPED, 2 },      // neither true nor false
        { SETTINGS, 2 },     // has the switch
        { SETTINGS + 1, 2 }, // the switch
        { N_ROWS, 1 },       // a row is left over
        { N_ROWS, 3 },       // a row is missing
        { N_ROWS, 0xfd },    // a number that goes on into the names: more rows than there can be
        { NAME, 0 },         // a row without a name
        { NAME, 80 },        // a name of more than fits
        { NAME + 1, 7 },     // a name that nobody can read
    };
    static struct store_state read;
    const struct bytes whole = written_state();
    assert_int_equal(whole.ptr[N_ROWS], 2);
    assert_int_equal(whole.ptr[NAME], 6);
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint8_t *copy = arena_alloc(test_arena(), whole.len);
        assert_non_null(copy);
        memcpy(copy, whole.ptr, whole.len);
        copy[cases[i].at] = cases[i].value;
        if (store_state_read(&read, bytes_of(copy, whole.len)))
            fail_msg("case %zu was read", i);
    }
}

// --- Rows ---

static void put_row(struct store *store, const char *name, struct bytes content)
{
    AUTO(store_tx_end) struct store_tx tx = { 0 };
    struct err err;
    assert_true(store_begin(&tx, store, &err));
    assert_true(store_put_row(&tx, name, content, &err));
    assert_true(store_commit(&tx, &err));
}

static struct velocity velocity_with_all(void)
{
    return (struct velocity){ .running = true,
                              .start_s = 5,
                              .spent = { { 7 }, { 0 }, { 9 } },
                              .n = { 1, 2 },
                              .heights = { 800000 },
                              .n_outlays = 1,
                              .outlays = { { .rule = 1, .n = 2, .since_s = 3, .sats = { 4 } } },
                              .n_repeats = 1,
                              .repeats = { { .rule = 1, .since_s = 6, .txid = hash_of("tx") } } };
}

static struct store *full_store(void)
{
    struct err err;
    const struct user alice = { .name = "alice",
                                .name_len = 5,
                                .mode = USER_PASSWORD,
                                .secret_len = 10,
                                .salt_serial = "serial" };
    const struct store_wallet wallet = { BYTES("w"), BYTES("a wallet") };
    const struct store_policy policy = { .form = BYTES("p") };
    const struct velocity v = velocity_with_all();
    const struct store_past_item item = { hash_of("past"), BYTES("state") };
    const struct store_restored restored = {
        .users = &alice, .n_users = 1, .wallets = &wallet, .n_wallets = 1, .past = { 1, &item }
    };
    const struct store_activation a = { .policy = &policy,
                                        .policy_hash = hash_of("p"),
                                        .velocity = &v };
    struct store *store;
    assert_true(store_create(&store, test_dir(), &err));
    assert_int_equal(sqlite3_exec(store->db->sql, "PRAGMA synchronous = OFF", NULL, NULL, NULL),
                     SQLITE_OK);
    assert_true(
        vault_restore(store, FIXTURE_PIN, FIXTURE_SECRET, vault_cost_weak(), &restored, &err));
    assert_true(store_activate(store, &a, &err));
    return store;
}

static bool get_users(struct store *store, struct err *err)
{
    struct user users[USERS_MAX];
    size_t n;
    return store_get_users(store, users, &n, err);
}

static bool get_wallets(struct store *store, struct err *err)
{
    const struct store_wallet *wallets;
    size_t n;
    return store_get_wallets(store, &wallets, &n, test_arena(), err);
}

static bool get_policy(struct store *store, struct err *err)
{
    struct store_policy policy;
    return store_get_policy(store, &policy, test_arena(), err);
}

static bool get_velocity(struct store *store, struct err *err)
{
    const struct hash256 p = hash_of("p");
    struct velocity v;
    return store_get_velocity(store, &p, &v, err);
}

static bool get_past(struct store *store, struct err *err)
{
    struct store_past past;
    return store_get_past(store, &past, test_arena(), err);
}

static const char *name_of_velocity(const struct store *store)
{
    for (size_t i = 0; i < store->state->n_rows; i++)
        if (bytes_starts_with(bytes_of_text(store->state->rows[i].name), BYTES(ROW_VELOCITY)))
            return strdup(store->state->rows[i].name);
    fail_msg("no velocity");
}

struct row {
    const char *name;
    bool (*get)(struct store *store, struct err *err);
    const char *damage;
};

static void assert_damaged(struct store *store, const struct row *row, struct bytes content,
                           size_t at)
{
    struct err err = { 0 };
    char text[STORE_DB_PATH_MAX + 128];
    put_row(store, row->name, content);
    if (row->get(store, &err))
        fail_msg("%s: was read, at %zu", row->name, at);
    (void)snprintf(text, sizeof text, "%s: %s; restore it from a backup", store->db->path,
                   row->damage);
    assert_err(&err, ERR_INVALID, text);
}

TEST(a_row_is_read_whole_or_not)
{
    AUTO(store_closep) struct store *store = full_store();
    const char *velocity = name_of_velocity(store);
    const struct row rows[] = {
        { ROW_USERS, get_users, "its users cannot be read" },
        { ROW_WALLETS, get_wallets, "its wallets cannot be read" },
        { ROW_POLICY, get_policy, "its policy cannot be read" },
        { velocity, get_velocity, "its spending totals cannot be read" },
        { ROW_PAST, get_past, "its past spending cannot be read" },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct bytes whole;
        struct err err;
        bool found;
        assert_true(store_row(store, rows[i].name, &whole, &found, test_arena(), &err));
        assert_true(found && rows[i].get(store, &err));
        for (size_t len = 1; len < whole.len; len++)
            assert_damaged(store, &rows[i], bytes_slice(whole, 0, len), len);
        put_row(store, rows[i].name, whole);
        assert_true(rows[i].get(store, &err));
    }
    free((char *)(uintptr_t)velocity);
}

// One byte at a known place.
TEST(a_row_with_a_value_that_cannot_be_is_not_read)
{
    AUTO(store_closep) struct store *store = full_store();
    const char *velocity = name_of_velocity(store);
    const struct row users = { ROW_USERS, get_users, "its users cannot be read" };
    const struct row policy = { ROW_POLICY, get_policy, "its policy cannot be read" };
    const struct row spent = { velocity, get_velocity, "its spending totals cannot be read" };
    enum { MODE = 6, SECRET = MODE + 1, ZERO_USED = SECRET + 1 + 10 + 8, SERIAL };
    const struct {
        const struct row *row;
        size_t at;
        uint8_t value;
    } cases[] = {
        { &users, 0, 200 },       // a name of more than fits
        { &users, MODE, 0 },      // a mode that is none
        { &users, MODE, 9 },      //
        { &users, SECRET, 200 },  // a secret of more than fits
        { &users, ZERO_USED, 2 }, // neither true nor false
        { &users, SERIAL, 100 },  // a serial of more than fits
        { &policy, 0, 2 },        // neither true nor false
        { &spent, 0, 2 },         //
        { &spent, 9, 0xfc },      // more totals than there are rules
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct bytes whole;
        struct err err;
        bool found;
        assert_true(store_row(store, cases[i].row->name, &whole, &found, test_arena(), &err));
        uint8_t *copy = arena_alloc(test_arena(), whole.len);
        assert_non_null(copy);
        memcpy(copy, whole.ptr, whole.len);
        copy[cases[i].at] = cases[i].value;
        assert_damaged(store, cases[i].row, bytes_of(copy, whole.len), i);
        put_row(store, cases[i].row->name, whole);
    }
    free((char *)(uintptr_t)velocity);
}

TEST(more_users_than_there_can_be_are_not_read)
{
    AUTO(store_closep) struct store *store = full_store();
    const struct row users = { ROW_USERS, get_users, "its users cannot be read" };
    struct bytes one;
    struct err err;
    bool found;
    struct writer w = writer_growing(test_arena(), 1 << 16);
    assert_true(store_row(store, ROW_USERS, &one, &found, test_arena(), &err));
    for (size_t i = 0; i <= USERS_MAX; i++)
        writer_put(&w, one);
    assert_damaged(store, &users, writer_bytes(&w), USERS_MAX + 1);
}

TEST(more_wallets_than_there_can_be_are_not_stored)
{
    AUTO(store_closep) struct store *store = full_store();
    struct err err;
    static uint8_t large[STORE_WALLET_MAX + 1];
    const struct store_wallet too_large = { BYTES("w"), BYTES_OF(large) };
    assert_false(store_put_wallet(store, &too_large, BYTES(""), &err));
    assert_err(&err, ERR_LIMIT, "the wallet is too large");
    char name[16];
    for (unsigned i = 0; i < STORE_WALLETS_MAX; i++) {
        (void)snprintf(name, sizeof name, "wallet %u", i);
        const struct store_wallet wallet = { bytes_of_text(name), BYTES("form") };
        const bool ok = store_put_wallet(store, &wallet, BYTES(""), &err); // one is there already
        if (i < STORE_WALLETS_MAX - 1)
            assert_true(ok);
        else
            assert_false(ok);
    }
    assert_err(&err, ERR_LIMIT, "more than 256 wallets");
    const struct store_wallet again = { BYTES("w"), BYTES("another form") };
    assert_true(store_put_wallet(store, &again, BYTES(""), &err)); // takes another's place
}

TEST(a_policy_without_content_and_a_line_too_long_are_not_stored)
{
    AUTO(store_closep) struct store *store = full_store();
    struct err err;
    const struct velocity none = { 0 };
    const struct store_policy empty = { .has_sl_hash = true };
    const struct store_activation a = { .policy = &empty, .velocity = &none };
    assert_false(store_activate(store, &a, &err));
    assert_err(&err, ERR_LIMIT, "a policy must be of 1 to 4194304 bytes");
    const size_t len = 8 << 20;
    char *line = malloc(len);
    assert_non_null(line);
    memset(line, 'x', len);
    assert_false(store_append_journal(store, bytes_of(line, len), &err));
    assert_int_equal(err.code, ERR_LIMIT);
    free(line);
    store_lock(store);
    struct store_lines lines;
    assert_false(store_pending_lines(store, &lines, 0, 1, test_arena(), &err));
    assert_err(&err, ERR_STATE, "the store is locked");
}

// What a restored store came with: counts as spent, whatever its form.
TEST(past_spending_of_another_program_counts_as_all_spent)
{
    AUTO(store_closep) struct store *store = full_store();
    const struct hash256 past = hash_of("past"), other = hash_of("other"), own = hash_of("p");
    static struct velocity before;
    struct err err;
    bool is_past;
    before.start_s = 99;
    assert_true(store_is_past(store, &past, &is_past, &before, &err));
    assert_true(is_past);
    assert_int_equal(before.start_s, 0); // "state" is no velocity of this program
    assert_true(store_is_past(store, &other, &is_past, &before, &err));
    assert_true(is_past); // whose spending nobody knows
    assert_true(store_is_past(store, &own, &is_past, &before, &err));
    assert_false(is_past);
}

TEST(a_path_that_is_too_long_is_refused)
{
    static char dir[STORE_DB_PATH_MAX + 16];
    struct store *store;
    struct err err;
    const int len = snprintf(dir, sizeof dir, "%s", test_dir());
    for (size_t at = (size_t)len; at + 2 < STORE_DB_PATH_MAX; at += 2)
        memcpy(dir + at, "/.", 3);
    assert_false(store_open(&store, dir, &err));
    assert_err(&err, ERR_LIMIT, "the path of the state directory is too long");
    assert_false(store_create(&store, dir, &err));
    assert_err(&err, ERR_LIMIT, "the path of the state directory is too long");
}

TEST(a_store_of_another_user_is_refused)
{
    char file[256];
    struct store *store = NULL;
    struct err err;
    if (geteuid() != 0)
        skip();
    store_close(full_store());
    (void)snprintf(file, sizeof file, "%s/%s", test_dir(), STORE_FILE);
    assert_int_equal(chown(file, 65534, 65534), 0);
    assert_false(store_open(&store, test_dir(), &err));
    assert_int_equal(err.code, ERR_AUTH);
    assert_int_equal(chown(file, 0, 0), 0);
    assert_int_equal(chown(test_dir(), 65534, 65534), 0);
    assert_false(store_open(&store, test_dir(), &err));
    assert_int_equal(err.code, ERR_AUTH);
    assert_int_equal(chown(test_dir(), 0, 0), 0);
    assert_true(store_open(&store, test_dir(), &err));
    store_close(store);
}
