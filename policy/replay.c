#include "policy/replay.h"
#include "policy/simulate.h"

#define REPLAY_TEXT_MAX ((size_t)4 << 20)

static bool read_integer(const struct json *record, const char *key, int64_t *out)
{
    const struct json *value = json_get(record, key);
    return value != NULL && value->type == JSON_NUMBER && json_integer(value, out, NULL) &&
           *out >= 0;
}

static bool member_is(const struct json *record, const char *key, const char *text)
{
    const struct json *value = json_get(record, key);
    return value != NULL && json_is_text(value, text);
}

static struct bytes member_text(const struct json *record, const char *key)
{
    const struct json *value = json_get(record, key);
    return value != NULL && value->type == JSON_STRING ? value->text : (struct bytes){ 0 };
}

// Who approved, as the journal says.
static bool read_users(struct assumptions *out, const struct json *record, struct arena *arena)
{
    const struct json *list = json_get(record, "users");
    if (list == NULL || list->type != JSON_ARRAY)
        return true;
    struct bytes *users = arena_array(arena, list->n_items, sizeof *users);
    if (users == NULL)
        return false;
    for (const struct json *item = list->items; item != NULL; item = item->next)
        users[out->n_users++] = item->text;
    out->users = users;
    return true;
}

static bool gather(struct assumptions *out, const struct replay *replay, const struct json *record,
                   int64_t time_s, struct arena *arena)
{
    const struct json *local = json_get(record, "local_code");
    *out = (struct assumptions){ .local_code = local != NULL && local->type == JSON_TRUE,
                                 .has_card = true,
                                 .velocity = replay->velocity,
                                 .now_s = time_s };
    // There was no card then: there would be none now.
    if (bytes_starts_with(member_text(record, "text"), BYTES("Could not log details")))
        out->has_card = false;
    return read_users(out, record, arena);
}

static void count(struct replay *replay, struct replay_outcome *out, enum replay_result result)
{
    out->result = result;
    replay->n_same += result == REPLAY_SAME;
    replay->n_different += result == REPLAY_DIFFERENT;
    replay->n_unknown += result == REPLAY_UNKNOWN;
}

static bool decide(struct replay_outcome *out, struct replay *replay, const struct json *record,
                   const struct tx_facts *tx, struct arena *arena, struct err *err)
{
    struct assumptions *assumed = arena_alloc(arena, sizeof *assumed);
    struct simulation *s = arena_alloc(arena, sizeof *s);
    if (assumed == NULL || s == NULL || !gather(assumed, replay, record, out->time_s, arena))
        return err_set(err, ERR_NO_MEMORY, "no memory for a record");
    if (!policy_simulate(s, replay->policy, tx, assumed, arena, err))
        return false;
    struct writer w = writer_growing(arena, REPLAY_TEXT_MAX);
    decision_write(&w, &s->decision, replay->policy, tx);
    out->would_be = writer_bytes(&w);
    replay->velocity = s->decision.velocity;
    const bool signs = s->decision.verdict == VERDICT_SIGN;
    count(replay, out, signs == out->was_signed ? REPLAY_SAME : REPLAY_DIFFERENT);
    return true;
}

static bool replay_decision(struct replay_outcome *out, struct replay *replay,
                            const struct json *record, struct arena *arena, struct err *err)
{
    const struct json *facts = json_get(record, "facts");
    struct tx_facts tx;
    out->was_signed = member_is(record, "verdict", "approved");
    out->was = member_text(record, "text");
    // A wrong code refuses under every policy that has a rule.
    if (replay->policy->n_rules > 0 && bytes_starts_with(out->was, BYTES("User '"))) {
        count(replay, out, REPLAY_SAME);
        return true;
    }
    if (facts == NULL) {
        count(replay, out, REPLAY_UNKNOWN);
        return true;
    }
    return journal_facts_read(&tx, facts, arena, err) &&
           decide(out, replay, record, &tx, arena, err);
}

bool replay_line(struct replay_outcome *out, struct replay *replay, struct bytes line,
                 struct arena *arena, struct err *err)
{
    const struct json *record;
    int64_t seq = 0;
    *out = (struct replay_outcome){ .result = REPLAY_NO_DECISION };
    if (!json_parse(&record, line, arena, err) || !read_integer(record, "seq", &seq) ||
        !read_integer(record, "time", &out->time_s))
        return err_set(err, ERR_MALFORMED, "not a journal record");
    out->seq = (uint64_t)seq;
    // "A new file that was approved with keys starts fresh": policy.md 11.
    if (member_is(record, "kind", "activation") && member_is(record, "what", "new file"))
        replay->velocity = (struct velocity){ 0 };
    if (!member_is(record, "kind", "decision"))
        return true;
    return replay_decision(out, replay, record, arena, err);
}
