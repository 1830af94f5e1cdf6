#include "bitcoin/keytable.h"
#include "tests/support/psbt_rig.h"

static struct hdpub node_of(const struct rig *rig, uint32_t account)
{
    const struct keypath path = { .step = { 84 | KEYPATH_HARD, account | KEYPATH_HARD, 0 },
                                  .depth = 3 };
    struct hdkey key;
    struct err err;
    assert_true(hdkey_derive(&key, &rig->master, &path, &err));
    return key.pub;
}

// What the table says is what derivation says.
static void check_child(struct keytable *table, const struct hdpub *parent, uint32_t number)
{
    const struct known_key *known;
    struct hdpub child;
    struct err err;
    assert_true(keytable_child(&known, table, parent, number, &err));
    assert_true(hdpub_child(&child, parent, number, &err));
    assert_memory_equal(&known->key, &child.key, sizeof child.key);
    const struct pubkey of_point = point_pubkey(&known->point);
    assert_memory_equal(&of_point, &child.key, sizeof child.key);
}

TEST(psbt_signing_24_table_gives_what_derivation_gives)
{
    struct rig *rig = rig_new();
    AUTO(keytable_freep) struct keytable *table = keytable_new();
    const struct hdpub a = node_of(rig, 0), b = node_of(rig, 1);
    // Neighbours, the last numbers, and numbers that share a place of the table.
    static const uint32_t numbers[] = { 0, 1, 2, 8192, 8193, 16384, 0x7fffffff, 0x7ffffffe };
    for (size_t round = 0; round < 3; round++)
        for (size_t i = 0; i < COUNT(numbers); i++) {
            check_child(table, &a, numbers[i]);
            check_child(table, &b, numbers[i]);
            if (round == 1 && i == 3)
                keytable_forget(table);
        }
}

// More parents than it remembers.
TEST(psbt_signing_24_many_parents)
{
    struct rig *rig = rig_new();
    AUTO(keytable_freep) struct keytable *table = keytable_new();
    for (uint32_t round = 0; round < 2; round++)
        for (uint32_t account = 0; account < 300; account++) {
            const struct hdpub node = node_of(rig, account);
            check_child(table, &node, account % 3);
        }
}

// Parents that differ in their chain code, or their key, alone.
TEST(psbt_signing_24_parents_that_look_alike)
{
    struct rig *rig = rig_new();
    AUTO(keytable_freep) struct keytable *table = keytable_new();
    const struct hdpub node = node_of(rig, 0), other = node_of(rig, 1);
    struct hdpub other_code = node, other_key = node;
    other_code.chain_code[31] ^= 1;
    other_key.key = other.key;
    for (size_t round = 0; round < 2; round++) {
        check_child(table, &node, 7);
        check_child(table, &other_code, 7);
        check_child(table, &other_key, 7);
    }
}

TEST(psbt_signing_24_impossible_children)
{
    struct rig *rig = rig_new();
    AUTO(keytable_freep) struct keytable *table = keytable_new();
    struct hdpub node = node_of(rig, 0);
    const struct known_key *known;
    struct err err;
    assert_false(keytable_child(&known, table, &node, KEYPATH_HARD, &err));
    assert_int_equal(err.code, ERR_INVALID);
    check_child(table, &node, 0);
    node.depth = UINT8_MAX; // the same key so deep has no child
    assert_false(keytable_child(&known, table, &node, 0, &err));
    node.key = (struct pubkey){ { 0 } };
    assert_false(keytable_child(&known, table, &node, 0, &err));
}

TEST(psbt_signing_24_output_keys)
{
    struct rig *rig = rig_new();
    AUTO(keytable_freep) struct keytable *table = keytable_new();
    uint8_t expected[XONLY_LEN], got[XONLY_LEN];
    for (size_t round = 0; round < 2; round++)
        for (uint32_t i = 0; i < 300; i++) {
            const struct hdpub node = node_of(rig, i % 150);
            assert_true(taproot_output_key(expected, node.key.b + 1));
            assert_true(keytable_output_key(got, round == 0 ? table : NULL, node.key.b + 1, NULL));
            assert_memory_equal(got, expected, sizeof got);
        }
    // Two keys of one place: 12 bits of the key choose it.
    const struct hdpub node = node_of(rig, 0);
    uint8_t twin[XONLY_LEN];
    memcpy(twin, node.key.b + 1, sizeof twin);
    do
        twin[31]++;
    while (!taproot_output_key(expected, twin));
    for (size_t round = 0; round < 2; round++) {
        assert_true(keytable_output_key(got, table, twin, NULL));
        assert_memory_equal(got, expected, sizeof got);
        assert_true(keytable_output_key(got, table, node.key.b + 1, NULL));
    }
    static const uint8_t off_curve[XONLY_LEN] = { [31] = 5 };
    assert_false(keytable_output_key(got, table, off_curve, NULL));
    assert_false(keytable_output_key(got, NULL, off_curve, NULL));
}

// Whatever wallet asks first: the same bytes come out with and without a table.
TEST(psbt_signing_27_99_table_on_and_off)
{
    struct rig *with = rig_new(), *without = rig_new();
    AUTO(keytable_freep) struct keytable *table = keytable_new();
    const struct bytes raw = test_vector_bytes("perf/W4.psbt");
    const struct json *manifest = test_vectors("perf/manifest.json");
    struct rig *rigs[] = { with, without };
    with->view.table = table;
    for (size_t i = 0; i < COUNT(rigs); i++) {
        rig_load_seed(rigs[i], json_item_text(json_need(manifest, "mnemonics"), 0));
        (void)rig_register(rigs[i], json_need_text(json_need(manifest, "descriptors"), "wsh"));
    }
    rig_accepts(without, raw);
    for (size_t twice = 0; twice < 2; twice++) {
        rig_accepts(with, raw);
        assert_bytes_equal(with->result, without->result);
    }
}

// Where the key is said to be helps if it is true and changes nothing if it is not.
TEST(psbt_signing_24_output_keys_by_path)
{
    struct rig *rig = rig_new();
    const struct hdpub node = node_of(rig, 0);
    const struct keypath path = test_path("m/84h/0h/0/5"), above = test_path("m/84h/0h/0");
    struct keypath elsewhere = path, master = { .depth = 0 };
    struct hdpub child;
    uint8_t expected[XONLY_LEN], got[XONLY_LEN];
    elsewhere.step[3] = 6;
    assert_true(hdpub_child(&child, &node, 5, &rig->err));
    assert_true(taproot_output_key(expected, child.key.b + 1));
    const struct keypath *const claims[] = { NULL, &path, &elsewhere, &above, &master };
    for (size_t known = 0; known < 2; known++)
        for (size_t i = 0; i < COUNT(claims); i++) {
            AUTO(keytable_freep) struct keytable *table = keytable_new();
            if (known == 1)
                assert_int_equal(keytable_put_node(table, &above, &node), 0);
            assert_true(keytable_output_key(got, table, child.key.b + 1, claims[i]));
            assert_memory_equal(got, expected, sizeof got);
        }
}

TEST(psbt_signing_24_nodes_by_path)
{
    struct rig *rig = rig_new();
    AUTO(keytable_freep) struct keytable *table = keytable_new();
    const struct hdpub node = node_of(rig, 0);
    for (uint32_t i = 0; i < 100; i++) {
        const struct keypath path = { .step = { i }, .depth = 1 };
        assert_int_equal(keytable_find_node(table, &path), KEYTABLE_NODES_MAX);
        const size_t place = keytable_put_node(table, &path, &node);
        assert_int_equal(place, i % KEYTABLE_NODES_MAX); // the oldest makes room
        assert_int_equal(keytable_find_node(table, &path), place);
        assert_non_null(keytable_node(table, place));
    }
    assert_null(keytable_node(table, KEYTABLE_NODES_MAX));
    const struct keypath first = { .step = { 0 }, .depth = 1 };
    const struct keypath last = { .step = { 99 }, .depth = 1 };
    assert_int_equal(keytable_find_node(table, &first), KEYTABLE_NODES_MAX);
    keytable_forget(table);
    assert_int_equal(keytable_find_node(table, &last), 99 % KEYTABLE_NODES_MAX);
}
