#include "coordinator/sights.h"
#include "tests/support/test.h"
#include <pthread.h>

static const struct sighting mempool = { .where = SIGHT_MEMPOOL }, gone = { .where = SIGHT_GONE };

static struct sighting block(uint32_t depth)
{
    return (struct sighting){ .where = SIGHT_BLOCK, .height = 100, .depth = depth };
}

// "Several nodes: each has its own cursor; the union of sightings counts."
TEST(coordinator_D5_the_union_of_sightings_counts)
{
    struct sights *s = sights_new();
    const struct hash256 a = { { 1 } }, b = { { 2 } };
    const struct sighting one = block(1), two = block(2);
    assert_int_equal(sights_put(s, 0, &a, &gone, 0).where, SIGHT_GONE);
    assert_int_equal(sights_put(s, 1, &a, &mempool, 0).where, SIGHT_MEMPOOL);
    assert_int_equal(sights_put(s, 0, &a, &gone, 10).where, SIGHT_MEMPOOL); // the other has it
    assert_int_equal(sights_put(s, 0, &b, &gone, 10).where, SIGHT_GONE);    // another transaction
    assert_int_equal(sights_put(s, 0, &a, &one, 20).depth, 1);
    assert_int_equal(sights_put(s, 1, &a, &mempool, 20).where, SIGHT_BLOCK); // it lags
    assert_int_equal(sights_put(s, 1, &a, &two, 30).depth, 2);
    assert_int_equal(sights_put(s, 0, &a, &one, 30).depth, 2);
    // Each node's own view is its newest: a block that both lost is lost.
    assert_int_equal(sights_put(s, 0, &a, &mempool, 40).where, SIGHT_BLOCK);
    assert_int_equal(sights_put(s, 1, &a, &mempool, 40).where, SIGHT_MEMPOOL);
    assert_int_equal(sights_put(s, 0, &a, &gone, 50).where, SIGHT_MEMPOOL);
    assert_int_equal(sights_put(s, 1, &a, &gone, 50).where, SIGHT_GONE);
    sights_free(s);
}

TEST(coordinator_D5_what_a_node_saw_long_ago_counts_no_more)
{
    struct sights *s = sights_new();
    const struct hash256 a = { { 1 } };
    assert_int_equal(sights_put(s, 1, &a, &mempool, 1000).where, SIGHT_MEMPOOL);
    assert_int_equal(sights_put(s, 0, &a, &gone, 1000 + SIGHTS_FRESH_MS).where, SIGHT_MEMPOOL);
    assert_int_equal(sights_put(s, 0, &a, &gone, 1001 + SIGHTS_FRESH_MS).where, SIGHT_GONE);
    sights_free(s);
    sights_free(NULL);
}

static void *looks(void *context)
{
    for (uint32_t i = 0; i < 2000; i++) {
        const struct hash256 txid = { { (uint8_t)i } };
        (void)sights_put(context, i % 3, &txid, &mempool, i);
    }
    return NULL;
}

TEST(coordinator_D5_several_nodes_look_at_once)
{
    struct sights *s = sights_new();
    const struct hash256 txid = { { 7 } };
    pthread_t threads[3];
    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, looks, s), 0);
    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(sights_put(s, 9, &txid, &gone, 2000).where, SIGHT_MEMPOOL);
    sights_free(s);
}
