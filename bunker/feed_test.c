#include "bunker/feed.h"
#include "tests/support/test.h"

#define NOW 1700000000

static void expect_feed(const struct feed *feed, uint64_t after, const char *expected)
{
    char text[4096];
    struct writer w = writer_of(text, sizeof text);
    struct json_writer j = json_writer_of(&w);
    feed_write(&j, feed, after);
    writer_u8(&w, 0);
    assert_string_equal(text, expected);
}

static void count(struct feed *feed, bool active, uint64_t approvals, uint64_t refusals,
                  uint64_t spent)
{
    const struct feed_counts now = { .active = active,
                                     .approvals = approvals,
                                     .refusals = refusals,
                                     .n_rules = 2,
                                     .spent = { { 0 }, { spent } } };
    feed_count(feed, &now);
}

TEST(feed_19_2_own_approval_names_the_charged_rule_and_is_no_other_hosts)
{
    struct feed *feed = feed_new();
    count(feed, true, 3, 0, 100);
    count(feed, true, 4, 0, 600);
    feed_add(feed, NOW,
             &(struct feed_event){ .kind = FEED_APPROVED,
                                   .account = "anna",
                                   .has_paid = true,
                                   .paid = { 500 },
                                   .n_destinations = 1 });
    assert_false(feed_settle(feed, NOW));
    expect_feed(
        feed, 0,
        "[{\"seq\": 1, \"time\": 1700000000, \"kind\": \"approved\", \"account\": \"anna\", "
        "\"sats\": 500, \"destinations\": 1, \"rule\": 2}]");
    feed_free(feed);
}

TEST(feed_19_2_counts_without_a_job_are_another_hosts)
{
    struct feed *feed = feed_new();
    count(feed, true, 3, 7, 0); // what was before this bunker came is not news
    assert_false(feed_settle(feed, NOW));
    count(feed, true, 3, 8, 0);
    assert_true(feed_settle(feed, NOW));
    assert_false(feed_settle(feed, NOW)); // told once
    count(feed, true, 5, 8, 0);
    assert_true(feed_settle(feed, NOW + 1));
    expect_feed(feed, 0,
                "[{\"seq\": 1, \"time\": 1700000000, \"kind\": \"elsewhere_refused\"}, "
                "{\"seq\": 2, \"time\": 1700000001, \"kind\": \"elsewhere_approved\", \"text\": "
                "\"2 times\"}]");
    expect_feed(feed, 2, "[]");
    expect_feed(feed, 99, "[]");
    feed_free(feed);
}

TEST(feed_19_2_counters_that_went_back_say_nothing)
{
    struct feed *feed = feed_new();
    count(feed, true, 3, 7, 0);
    count(feed, true, 4, 0, 0); // restarted
    assert_false(feed_settle(feed, NOW));
    count(feed, false, 0, 0, 0);
    count(feed, true, 9, 9, 0); // another HSM session
    assert_false(feed_settle(feed, NOW));
    feed_free(feed);
}

TEST(feed_19_2_keeps_the_newest)
{
    struct feed *feed = feed_new();
    for (unsigned i = 0; i < FEED_MAX + 5; i++)
        feed_add(feed, NOW + i, &(struct feed_event){ .kind = FEED_CONNECTED });
    assert_int_equal(feed->last, FEED_MAX + 5);
    expect_feed(feed, FEED_MAX + 4,
                "[{\"seq\": 205, \"time\": 1700000204, \"kind\": \"connected\"}]");
    AUTO(arena_freep) struct arena *arena = arena_new(1 << 20);
    struct writer w = writer_growing(arena, 1 << 19);
    struct json_writer j = json_writer_of(&w);
    feed_write(&j, feed, 0);
    assert_memory_equal(writer_bytes(&w).ptr, "[{\"seq\": 6,", 11);
    feed_free(feed);
}

TEST(feed_45_a_long_reason_is_cut_between_characters)
{
    char text[FEED_TEXT_MAX + 3];
    struct feed_event e = { 0 };
    memset(text, 'x', sizeof text);
    memcpy(text + FEED_TEXT_MAX - 1, "\xc3\xa9", 3); // its second byte would be the first too many
    feed_set_text(&e, text);
    assert_int_equal(strlen(e.text), FEED_TEXT_MAX - 1);
    feed_set_text(&e, "\xff");
    assert_string_equal(e.text, "");
}
