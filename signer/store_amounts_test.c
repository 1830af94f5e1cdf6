#include "signer/store_internal.h"
#include "tests/support/test.h"

static const uint8_t key[STORE_KEY_LEN] = "a key";

static struct store *fresh(void)
{
    AUTO(store_tx_end) struct store_tx tx = { 0 };
    struct store *store;
    struct err err;
    assert_true(store_create(&store, test_dir(), &err));
    // Durability is tested elsewhere.
    assert_int_equal(sqlite3_exec(store->db->sql, "PRAGMA synchronous = OFF", NULL, NULL, NULL),
                     SQLITE_OK);
    store_unlock_new(store, key);
    assert_true(store_begin(&tx, store, &err));
    assert_true(store_commit(&tx, &err));
    return store;
}

static struct store_amount amount_of(uint32_t n, uint64_t sats)
{
    struct store_amount amount = { .amount = { sats } };
    struct writer w = writer_of(amount.outpoint.txid.b, 32);
    writer_u32le(&w, n);
    amount.outpoint.index = n % 3;
    return amount;
}

static void put(struct store *store, const struct store_amount *amounts, size_t n)
{
    const struct store_decision d = { .amounts = amounts, .n_amounts = n };
    struct err err;
    if (!store_commit_decision(store, &d, &err))
        fail_msg("%s", err.text);
}

// The last n_weak of them push nothing out.
static void put_weakly(struct store *store, const struct store_amount *amounts, size_t n,
                       size_t n_weak)
{
    const struct store_decision d = { .amounts = amounts, .n_amounts = n, .n_weak = n_weak };
    struct err err;
    if (!store_commit_decision(store, &d, &err))
        fail_msg("%s", err.text);
}

static uint64_t known(struct store *store, uint32_t n)
{
    const struct store_amount amount = amount_of(n, 0);
    struct sats sats = { 0 };
    return store_known_amount(store, &amount.outpoint, &sats) ? sats.n : UINT64_MAX;
}

TEST(amounts_are_found_by_the_whole_outpoint)
{
    struct store *store = fresh();
    const struct store_amount amount = amount_of(4, 15);
    struct outpoint near = amount.outpoint;
    struct sats sats;
    put(store, &amount, 1);
    assert_int_equal(known(store, 4), 15);
    near.index++;
    assert_false(store_known_amount(store, &near, &sats));
    near.index--;
    near.txid.b[31] ^= 1;
    assert_false(store_known_amount(store, &near, &sats));
    store_close(store);
}

TEST(a_newer_amount_replaces_an_older)
{
    struct store *store = fresh();
    // The same outpoint twice in one request: the second holds.
    const struct store_amount amounts[] = { amount_of(1, 10), amount_of(1, 11), amount_of(2, 0) };
    const struct store_amount again = amount_of(1, 12);
    struct err err;
    put(store, amounts, COUNT(amounts));
    assert_int_equal(known(store, 1), 11);
    assert_int_equal(known(store, 2), 0);
    put(store, &again, 1);
    put(store, &again, 1);
    assert_int_equal(known(store, 1), 12);
    assert_int_equal(store->state->amounts.n, 2);
    assert_true(store_unlock(store, key, &err)); // the sum is right
    assert_int_equal(known(store, 1), 12);
    store_close(store);
}

TEST(more_than_can_exist_is_refused)
{
    struct store *store = fresh();
    const struct store_amount amounts[] = { amount_of(1, 10), amount_of(2, SATS_MAX + 1) };
    const struct store_decision d = { .amounts = amounts, .n_amounts = 2 };
    struct err err;
    assert_false(store_commit_decision(store, &d, &err));
    assert_err(&err, ERR_LIMIT, "an amount of more than can exist");
    assert_int_equal(known(store, 1), UINT64_MAX); // all or nothing
    assert_true(store_unlock(store, key, &err));
    store_close(store);
}

// "keeps at least 100,000 entries, oldest out first"
_Static_assert(STORE_AMOUNTS_MAX >= 100000, "psbt-signing.md 17");
TEST(the_oldest_leave_first)
{
    enum { MAX = 2000, BATCH = 500, EXTRA = 3 };
    struct store *store = fresh();
    struct store_amount *batch = arena_array(test_arena(), BATCH, sizeof *batch);
    const struct store_amount renewed = amount_of(1, 77);
    struct err err;
    store->amounts_max = MAX;
    for (uint32_t n = 0; n < MAX; n += BATCH) {
        for (uint32_t i = 0; i < BATCH; i++)
            batch[i] = amount_of(n + i, n + i);
        put(store, batch, BATCH);
    }
    assert_int_equal(known(store, 0), 0);
    put(store, &renewed, 1); // is now the newest
    for (uint32_t i = 0; i < EXTRA; i++)
        batch[i] = amount_of(MAX + i, 5);
    put(store, batch, EXTRA);
    assert_int_equal(store->state->amounts.n, MAX);
    assert_int_equal(known(store, 0), UINT64_MAX);
    assert_int_equal(known(store, 1), 77);
    assert_int_equal(known(store, 2), UINT64_MAX);
    assert_int_equal(known(store, 3), UINT64_MAX);
    assert_int_equal(known(store, 4), 4);
    assert_int_equal(known(store, MAX + 2), 5);
    for (uint32_t i = 0; i < EXTRA; i++)
        batch[i] = amount_of(2 * MAX + i, 6);
    put_weakly(store, batch, EXTRA, EXTRA - 1);
    assert_int_equal(store->state->amounts.n, MAX);
    assert_int_equal(known(store, 4), UINT64_MAX); // one went, for the one that is not weak
    assert_int_equal(known(store, 5), 5);
    assert_int_equal(known(store, 2 * MAX), 6);
    assert_int_equal(known(store, 2 * MAX + 1), UINT64_MAX);
    assert_true(store_unlock(store, key, &err));
    store_close(store);
}

TEST(while_there_is_room_all_are_kept)
{
    struct store *store = fresh();
    const struct store_amount amounts[] = { amount_of(1, 10), amount_of(2, 11), amount_of(3, 12) };
    put_weakly(store, amounts, COUNT(amounts), COUNT(amounts));
    for (uint32_t i = 1; i <= 3; i++)
        assert_int_equal(known(store, i), 9 + i);
    store_close(store);
}

// Analysis cannot hear of a failed lookup: the commit that follows does.
TEST(a_failed_lookup_refuses_the_decision)
{
    struct store *store = fresh();
    const struct store_amount amount = amount_of(1, 10);
    const struct store_decision d = { .amounts = &amount, .n_amounts = 1 };
    struct sats sats;
    struct err err;
    put(store, &amount, 1);
    assert_int_equal(
        sqlite3_exec(store->db->sql, "ALTER TABLE amounts RENAME TO gone", NULL, NULL, NULL),
        SQLITE_OK);
    assert_false(store_known_amount(store, &amount.outpoint, &sats));
    assert_int_equal(
        sqlite3_exec(store->db->sql, "ALTER TABLE gone RENAME TO amounts", NULL, NULL, NULL),
        SQLITE_OK);
    assert_false(store_commit_decision(store, &d, &err));
    assert_int_equal(err.code, ERR_IO);
    assert_true(store_commit_decision(store, &d, &err)); // the next one is asked anew
    assert_int_equal(known(store, 1), 10);
    store_close(store);
}
