#include "bunker/feed.h"
#include "base/require.h"
#include "base/utf8.h"

const char *feed_kind_name(enum feed_kind kind)
{
    static const char *const names[] = {
        [FEED_APPROVED] = "approved",
        [FEED_REFUSED] = "refused",
        [FEED_FAILED] = "failed",
        [FEED_MESSAGE] = "message",
        [FEED_MESSAGE_REFUSED] = "message_refused",
        [FEED_BROADCAST] = "broadcast",
        [FEED_BROADCAST_FAILED] = "broadcast_failed",
        [FEED_ELSEWHERE_APPROVED] = "elsewhere_approved",
        [FEED_ELSEWHERE_REFUSED] = "elsewhere_refused",
        [FEED_ARMED] = "armed",
        [FEED_CONNECTED] = "connected",
        [FEED_DISCONNECTED] = "disconnected",
    };
    return names[kind];
}

void feed_set_text(struct feed_event *event, const char *text)
{
    const struct bytes all = bytes_of_text(text);
    const struct bytes kept =
        utf8_is_valid(all) ? utf8_cut(all, FEED_TEXT_MAX) : (struct bytes){ 0 };
    (void)snprintf(event->text, sizeof event->text, "%.*s", BYTES_ARG(kept));
}

struct feed *feed_new(void)
{
    struct feed *feed = calloc(1, sizeof *feed);
    REQUIRE(feed != NULL);
    return feed;
}

void feed_free(struct feed *feed)
{
    free(feed);
}

// --- What the device counted ---

static void explain(uint64_t *counted)
{
    if (*counted > 0)
        --*counted;
}

void feed_count(struct feed *feed, const struct feed_counts *now)
{
    const struct feed_counts *before = &feed->counts;
    const bool goes_on = feed->seen && before->active && now->active &&
                         now->approvals >= before->approvals && now->refusals >= before->refusals;
    feed->charged = 0;
    if (goes_on) {
        feed->approvals += now->approvals - before->approvals;
        feed->refusals += now->refusals - before->refusals;
        for (size_t i = 0; i < now->n_rules && i < before->n_rules; i++)
            if (now->spent[i].n > before->spent[i].n)
                feed->charged = i + 1;
    } else {
        feed->approvals = feed->refusals = 0;
    }
    feed->seen = true;
    feed->counts = *now;
}

void feed_add(struct feed *feed, int64_t now_s, const struct feed_event *event)
{
    struct feed_event *e = &feed->items[feed->last % FEED_MAX];
    *e = *event;
    e->seq = ++feed->last;
    e->at_s = now_s;
    if (e->kind == FEED_APPROVED)
        e->rule = feed->charged;
    if (e->kind == FEED_APPROVED || e->kind == FEED_MESSAGE)
        explain(&feed->approvals);
    if (e->kind == FEED_REFUSED || e->kind == FEED_MESSAGE_REFUSED)
        explain(&feed->refusals);
}

// Many at once are one event: the device tells how many, not what they were.
static void add_elsewhere(struct feed *feed, int64_t now_s, enum feed_kind kind, uint64_t *counted)
{
    struct feed_event e = { .kind = kind };
    if (*counted == 0)
        return;
    if (*counted > 1)
        (void)snprintf(e.text, sizeof e.text, "%llu times", (unsigned long long)*counted);
    if (kind == FEED_ELSEWHERE_APPROVED)
        e.rule = feed->charged;
    *counted = 0;
    feed_add(feed, now_s, &e);
}

bool feed_settle(struct feed *feed, int64_t now_s)
{
    const uint64_t before = feed->last;
    add_elsewhere(feed, now_s, FEED_ELSEWHERE_APPROVED, &feed->approvals);
    add_elsewhere(feed, now_s, FEED_ELSEWHERE_REFUSED, &feed->refusals);
    return feed->last != before;
}

// --- Reading ---

static void put_text(struct json_writer *j, const char *key, const char *text)
{
    if (text[0] == '\0')
        return;
    json_key(j, key);
    json_text(j, text);
}

static void put_event(struct json_writer *j, const struct feed_event *e)
{
    json_begin_object(j);
    json_key(j, "seq");
    json_u64(j, e->seq);
    json_key(j, "time");
    json_i64(j, e->at_s);
    put_text(j, "kind", feed_kind_name(e->kind));
    put_text(j, "account", e->account);
    if (e->has_paid) {
        json_key(j, "sats");
        json_u64(j, e->paid.n);
        json_key(j, "destinations");
        json_u64(j, e->n_destinations);
    }
    if (e->rule > 0) {
        json_key(j, "rule");
        json_u64(j, e->rule);
    }
    put_text(j, "text", e->text);
    json_end_object(j);
}

void feed_write(struct json_writer *j, const struct feed *feed, uint64_t after)
{
    const uint64_t oldest = feed->last > FEED_MAX ? feed->last - FEED_MAX : 0;
    json_begin_array(j);
    for (uint64_t seq = after > oldest ? after : oldest; seq < feed->last; seq++)
        put_event(j, &feed->items[seq % FEED_MAX]);
    json_end_array(j);
}
