#include "policy/replay.h"
#include "tests/support/policy_fixture.h"

#define OLD "{\"period\":60,\"rules\":[{\"per_period\":5000000},{\"users\":[\"alice\"]}]}"

// Decides under OLD and writes the line of it, as a signer does.
struct past {
    struct journal_head head;
    struct fixture f;
    struct policy policy;
    size_t n;
    struct bytes lines[8];
};

static struct seckey any_key(void)
{
    struct seckey key;
    memset(key.b, 3, sizeof key.b);
    return key;
}

static void begin(struct past *p)
{
    *p = (struct past){ .n = 0 };
    fixture_init(&p->f);
    p->policy = parsed(OLD);
}

static void write_event(struct past *p, const struct journal_event *event)
{
    struct writer w = text_writer();
    struct err err;
    const struct seckey secret = any_key();
    struct schnorr_key key;
    schnorr_key_of(&key, &secret);
    assert_true(journal_write(&w, event, &p->head, p->f.now_s, &key, &err));
    p->lines[p->n++] = written(&w);
    p->head.seq++;
}

static void happen(struct past *p, const char *user)
{
    if (user != NULL)
        fixture_authorise(&p->f, user, 58000000 + (uint32_t)p->n);
    const struct decision d = fixture_decide(&p->f, &p->policy);
    const struct journal_ruling ruling = { &d, &p->policy, &p->f.tx, &p->f.auth,
                                           decision_text(&d, &p->policy, &p->f) };
    write_event(p, &(struct journal_event){ .kind = JOURNAL_DECISION, .ruling = &ruling });
    fixture_commit(&p->f, &d);
}

// "same", "different" or "unknown" of each decision.
static const char *replayed(const struct past *p, const char *policy_text)
{
    static const char *const words[] = { "none", "same", "different", "unknown" };
    const struct policy policy = parsed(policy_text);
    struct replay replay = { .policy = &policy };
    struct writer w = text_writer();
    for (size_t i = 0; i < p->n; i++) {
        struct replay_outcome o;
        struct err err;
        assert_true(replay_line(&o, &replay, p->lines[i], test_arena(), &err));
        assert_int_equal(o.seq, i + 1);
        writer_printf(&w, "%s%s", i == 0 ? "" : " ", words[o.result]);
    }
    return arena_text(test_arena(), written(&w));
}

// The fixture's transaction moves 2,000,000: two fit, the third needs alice.
TEST(policy_21_d18_replay)
{
    struct past p;
    begin(&p);
    happen(&p, NULL);
    happen(&p, NULL);
    happen(&p, NULL);
    happen(&p, "alice");
    write_event(&p, &(struct journal_event){ .kind = JOURNAL_ESCAPE });
    assert_string_equal(replayed(&p, OLD), "same same same same none");
    // Room for one: the second is refused now.
    assert_string_equal(replayed(&p, "{\"period\":60,\"rules\":[{\"per_period\":2000000},"
                                     "{\"users\":[\"alice\"]}]}"),
                        "same different same same none");
    // Room for three, and nobody asked: only the fourth, which needed alice.
    assert_string_equal(replayed(&p, "{\"period\":60,\"rules\":[{\"per_period\":6000000}]}"),
                        "same same different different none");
    assert_string_equal(replayed(&p, "{}"), "different different same different none");
    assert_string_equal(replayed(&p, "{\"rules\":[{\"users\":[\"bob\"]}]}"),
                        "different different same different none");
}

TEST(policy_21_d18_replay_gives_both_texts)
{
    struct past p;
    struct replay_outcome o;
    struct err err;
    begin(&p);
    happen(&p, NULL);
    const struct policy policy = parsed("{\"rules\":[{\"max_amount\":5}]}");
    struct replay replay = { .policy = &policy };
    assert_true(replay_line(&o, &replay, p.lines[0], test_arena(), &err));
    assert_true(o.was_signed);
    assert_bytes_text(o.was, "Acceptable by rule #1");
    assert_bytes_text(o.would_be, "Rejected: rule #1: amount exceeded");
    assert_int_equal(replay.n_different, 1);
}

TEST(policy_21_d18_replay_of_wrong_codes)
{
    struct past p;
    begin(&p);
    fixture_send(&p.f, "alice", "000000", 58000000);
    happen(&p, NULL);
    assert_string_equal(replayed(&p, "{\"rules\":[{}]}"), "same");
}

// A new period under the other policy too.
TEST(policy_21_d18_replay_keeps_time)
{
    struct past p;
    begin(&p);
    happen(&p, NULL);
    p.f.now_s += 30 * 60;
    happen(&p, NULL);
    p.f.now_s += 31 * 60;
    happen(&p, NULL);
    assert_string_equal(replayed(&p, "{\"period\":60,\"rules\":[{\"per_period\":2000000}]}"),
                        "same different same");
    assert_string_equal(replayed(&p, "{\"period\":20,\"rules\":[{\"per_period\":2000000}]}"),
                        "same same same");
}

TEST(policy_21_d18_replay_says_what_it_cannot_know)
{
    struct replay replay = { 0 };
    struct replay_outcome o;
    struct err err;
    const struct policy policy = parsed("{\"rules\":[{}]}");
    replay.policy = &policy;
    assert_true(replay_line(&o, &replay,
                            BYTES("{\"seq\": 1, \"time\": 5, \"kind\": \"decision\", \"request\": "
                                  "\"text message\", \"verdict\": \"approved\"}"),
                            test_arena(), &err));
    assert_int_equal(o.result, REPLAY_UNKNOWN);
    static const char *const bad[] = { "", "5", "{}", "{\"seq\": 1}",
                                       "{\"seq\": -1, \"time\": 5}" };
    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_false(replay_line(&o, &replay, bytes_of_text(bad[i]), test_arena(), &err));
        assert_err(&err, ERR_MALFORMED, "not a journal record");
    }
}
