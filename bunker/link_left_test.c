#include "bunker/link_left.h"
#include "tests/support/test.h"

#define NOW 1000000

static const struct link_users alice = { 1, { "alice" } }, bob = { 1, { "bob" } },
                               both = { 2, { "alice", "bob" } };

TEST(bunker_51_codes_count_as_own_for_90_s)
{
    struct link_left left = { 0 };
    assert_false(link_left_stops(&left, "a", 0, NOW));
    link_left_add_users(&left, "a", &alice, NOW);
    assert_false(link_left_stops(&left, "a", 1, NOW + 90000));
    assert_true(link_left_stops(&left, "a", 1, NOW + 90001));
}

TEST(bunker_51_only_as_many_as_were_given)
{
    struct link_left left = { 0 };
    link_left_add_users(&left, "a", &alice, NOW);
    link_left_add_users(&left, "a", &alice, NOW); // twice is one code on the device
    assert_true(link_left_stops(&left, "a", 2, NOW));
    link_left_add_users(&left, "a", &bob, NOW);
    assert_false(link_left_stops(&left, "a", 2, NOW));
    left.warned[0] = '\0';
    assert_true(link_left_stops(&left, "a", 3, NOW));
}

TEST(bunker_51_codes_of_others_stop_once_for_each_warning)
{
    struct link_left left = { 0 };
    link_left_add_users(&left, "a", &both, NOW);
    assert_true(link_left_stops(&left, "b", 2, NOW));
    assert_true(link_left_stops(&left, "c", 2, NOW));             // its own warning
    assert_true(link_left_stops(&left, "b", 2, NOW));             // which took b's
    assert_false(link_left_stops(&left, "b", 2, NOW + 1000));     // told, and asked again
    assert_true(link_left_stops(&left, "b", 2, NOW + 2000));      // that was for one time
    assert_true(link_left_stops(&left, "b", 2, NOW + 100000));    // long ago
    assert_true(link_left_stops(&left, "nobody", 1, NOW + 1000)); // a page's, or another host's
}

// Codes that were used up do not make those of later hosts one's own.
TEST(bunker_51_used_codes_are_forgotten)
{
    struct link_left left = { 0 };
    link_left_add_users(&left, "a", &alice, NOW);
    assert_false(link_left_stops(&left, "a", 0, NOW + 1));
    assert_true(link_left_stops(&left, "a", 1, NOW + 2));
    link_left_add_users(&left, "b", &bob, NOW + 3); // another giver, another list
    assert_true(link_left_stops(&left, "b", 2, NOW + 3));
}

TEST(bunker_51_decisions_are_kept)
{
    static const char *const no_decisions[] = { "", "okay", "busy" };
    struct link_left left = { 0 };
    for (size_t i = 0; i < COUNT(no_decisions); i++)
        link_left_keep(&left, BYTES("stok"), bytes_of_text(no_decisions[i]));
    link_left_keep(&left, BYTES("hsts"), BYTES("asci{}"));
    assert_int_equal(left.poll, REQUEST_NONE);
    link_left_keep(&left, BYTES("stok"), BYTES("refu"));
    assert_int_equal(left.poll, REQUEST_STOK);
    assert_bytes_text(bytes_of(left.decision, left.decision_len), "refu");
    link_left_keep(&left, BYTES("smok"), BYTES("smrxwhatever"));
    assert_int_equal(left.poll, REQUEST_SMOK);
    assert_bytes_text(bytes_of(left.decision, left.decision_len), "smrxwhatever");
}
