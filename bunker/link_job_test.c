// Jobs of signer links on a device's thread, with a fake signer for the device and the test for the loop.
#include "bunker/link_job.h"
#include "base/require.h"
#include "client/test_peer.h"

#define WAIT_S 30

// --- The loop ---

struct call {
    struct call *next;
    void (*run)(void *);
    void *argument;
};

struct rig {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct call *first, **last;
    struct device *device;
    struct fake_signer *fake;
    struct link_left left;
    struct writer replies; // as they came, each with a line end behind it
    size_t n_dropped;
    // Of the last job that was done:
    size_t n_done;
    struct link_progress progress;
    bool ok, timed_out, socket_ended, owes, given_up;
};

static void post(void *context, void (*run)(void *), void *argument)
{
    struct rig *rig = context;
    struct call *c = malloc(sizeof *c);
    REQUIRE(c != NULL);
    *c = (struct call){ NULL, run, argument };
    REQUIRE(pthread_mutex_lock(&rig->lock) == 0);
    *rig->last = c;
    rig->last = &c->next;
    REQUIRE(pthread_cond_signal(&rig->wake) == 0 && pthread_mutex_unlock(&rig->lock) == 0);
}

// Locked on return.
static void await_call(struct rig *rig)
{
    struct timespec end;
    REQUIRE(clock_gettime(CLOCK_REALTIME, &end) == 0);
    end.tv_sec += WAIT_S;
    REQUIRE(pthread_mutex_lock(&rig->lock) == 0);
    while (rig->first == NULL)
        if (pthread_cond_timedwait(&rig->wake, &rig->lock, &end) != 0)
            fail_msg("nothing happens");
}

static void run_one(struct rig *rig)
{
    await_call(rig);
    struct call *c = rig->first;
    rig->first = c->next;
    if (rig->first == NULL)
        rig->last = &rig->first;
    REQUIRE(pthread_mutex_unlock(&rig->lock) == 0);
    c->run(c->argument);
    free(c);
}

static void changed(void *context, const struct device_report *before,
                    const struct device_report *now)
{
    (void)context, (void)before, (void)now;
}

static void start(struct rig *rig, const struct fake_rule *rules, size_t n_rules)
{
    *rig = (struct rig){ .replies = writer_growing(test_arena(), 1 << 16) };
    rig->last = &rig->first;
    REQUIRE(pthread_mutex_init(&rig->lock, NULL) == 0 && pthread_cond_init(&rig->wake, NULL) == 0);
    const struct device_options options = {
        .path = test_path("fake-1.sock"), .ncry = 1, .loop = { post, rig }, .changed = changed
    };
    rig->fake = start_fake(rules, n_rules, BYTES("result"));
    rig->device = device_new(&options);
}

static void finish(struct rig *rig)
{
    device_free(rig->device);
    for (struct call *next, *c = rig->first; c != NULL; c = next) { // what the loop runs no more
        next = c->next;
        free(c);
    }
    fake_signer_stop(rig->fake);
    (void)pthread_mutex_destroy(&rig->lock);
    (void)pthread_cond_destroy(&rig->wake);
}

// --- Jobs ---

static void replied(void *context, uint64_t client, struct bytes reply)
{
    struct rig *rig = context;
    assert_int_equal(client, 7);
    writer_put(&rig->replies, reply);
    writer_u8(&rig->replies, '\n');
}

static void done(struct device_job *base)
{
    struct link_job *job = (struct link_job *)base;
    struct rig *rig = job->context;
    rig->n_done++;
    rig->progress = job->progress;
    rig->ok = base->ok;
    rig->timed_out = job->timed_out;
    rig->socket_ended = job->socket_ended;
    rig->owes = job->owes;
    rig->given_up = job->given_up;
    link_job_free(job);
}

static void drop(struct device_job *base)
{
    struct link_job *job = (struct link_job *)base;
    ((struct rig *)job->context)->n_dropped++;
    link_job_free(job);
}

static struct link_job *submit(struct rig *rig, struct bytes message, const char *certificate,
                               int limit_ms)
{
    enum request_id id;
    (void)link_gate(message, &id);
    struct link_job *job = link_job_new(message, !link_opens_job(id));
    job->base.done = done;
    job->base.drop = drop;
    job->client = 7;
    job->provision = true;
    (void)snprintf(job->certificate, sizeof job->certificate, "%s", certificate);
    job->left = &rig->left;
    job->replied = replied;
    job->context = rig;
    job->limit_ms = limit_ms;
    device_submit(rig->device, &job->base);
    return job;
}

static void until_done(struct rig *rig, size_t n)
{
    while (rig->n_done < n)
        run_one(rig);
}

#define HSM                                                                                        \
    BYTES_INIT("asci{\"active\": true, \"approvals\": 0, \"refusals\": 0, \"pending_auth\": 0}")
#define IDLE BYTES_INIT("asci{\"active\": false}")
#define CODES                                                                                      \
    BYTES_INIT("asci{\"active\": true, \"approvals\": 0, \"refusals\": 0, \"pending_auth\": 1}")

static struct bytes block(void)
{
    return test_hex("75706c64 00000000 05000000 70736274ff");
}

static struct bytes sign(void)
{
    return test_hex("7374786e 05000000 00000000"
                    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
}

// The limit ends a job of which nothing comes, and the device is free.
TEST(bunker_51_a_job_has_its_time)
{
    const struct fake_rule rules[] = { { "hsts", 0, FAKE_REPLY, HSM } };
    struct rig rig;
    start(&rig, rules, COUNT(rules));
    (void)submit(&rig, block(), "a", 300);
    while (rig.replies.len < 9)
        run_one(&rig);
    assert_bytes_equal(writer_bytes(&rig.replies), bytes_of("int1\0\0\0\0\n", 9));
    assert_int_equal(rig.n_done, 0);
    until_done(&rig, 1);
    assert_true(rig.timed_out && rig.ok && !rig.owes);
    assert_int_equal(rig.device->n_real, 0);
    (void)submit(&rig, BYTES("ping"), "b", 300);
    until_done(&rig, 2);
    assert_true(rig.ok && !rig.timed_out);
    finish(&rig);
}

// "or 120 s": the limit of every job but those of these tests, which wait less for it.
TEST(bunker_51_a_job_has_120_seconds)
{
    struct link_job *several = link_job_new(block(), false),
                    *one = link_job_new(BYTES("ping"), true);
    assert_int_equal(several->limit_ms, 120000);
    assert_int_equal(one->limit_ms, 120000);
    link_job_free(several);
    link_job_free(one);
}

// A question that waits behind a job is taken back, and never reaches the device.
TEST(bunker_51_a_question_that_waits_too_long)
{
    const struct fake_rule rules[] = { { "hsts", 0, FAKE_REPLY, HSM } };
    struct rig rig;
    start(&rig, rules, COUNT(rules));
    struct link_job *first = submit(&rig, block(), "a", 500);
    while (rig.replies.len < 9)
        run_one(&rig);
    assert_false(link_job_give_up(first)); // it has begun
    struct link_job *second = submit(&rig, BYTES("ping"), "b", 500);
    assert_true(link_job_give_up(second));
    assert_false(link_job_give(second, BYTES("ping")));
    link_job_lose(first);
    until_done(&rig, 2);
    assert_true(rig.given_up && rig.replies.len == 9);
    fake_signer_pause(rig.fake);
    assert_int_equal(fake_signer_count(rig.fake, "ping"), 0);
    finish(&rig);
}

// The decision is waited for when nobody else does, and told to whom it was for.
TEST(bunker_51_a_decision_after_the_socket)
{
    const struct fake_rule rules[] = { { "hsts", 0, FAKE_REPLY, HSM },
                                       { "stok", 1, FAKE_REPLY, BYTES_INIT("okay") },
                                       { "stok", 2, FAKE_REPLY, BYTES_INIT("refu") } };
    struct rig rig;
    start(&rig, rules, COUNT(rules));
    struct link_job *job = submit(&rig, block(), "a", 20000);
    while (rig.replies.len < 9)
        run_one(&rig);
    assert_true(link_job_give(job, sign()));
    while (rig.replies.len < 14)
        run_one(&rig);
    link_job_lose(job);
    assert_false(rig.n_done > 0);
    until_done(&rig, 1);
    assert_true(rig.socket_ended && rig.ok);
    assert_int_equal(rig.progress.outcome, LINK_REFUSED);
    (void)submit(&rig, BYTES("stok"), "b", 1000);
    (void)submit(&rig, BYTES("stok"), "a", 1000);
    until_done(&rig, 3);
    assert_bytes_equal(bytes_slice(writer_bytes(&rig.replies), 14, SIZE_MAX),
                       BYTES("err_No active request\nrefu\n"));
    fake_signer_pause(rig.fake);
    assert_int_equal(fake_signer_count(rig.fake, "stok"), 2);
    finish(&rig);
}

// What is allowed is decided by the state in which the device is, not the one that was seen before.
TEST(bunker_51_the_gate_is_at_the_device)
{
    const struct fake_rule idle[] = { { "hsts", 0, FAKE_REPLY, IDLE } },
                           hsm[] = { { "hsts", 0, FAKE_REPLY, HSM } },
                           codes[] = { { "hsts", 0, FAKE_REPLY, CODES } },
                           disabled[] = { { "hsts", 0, FAKE_REPLY,
                                            BYTES_INIT("err_HSM commands disabled") } };
    const struct {
        const struct fake_rule *rule;
        struct bytes message;
        const char *reply;
    } rows[] = {
        { idle, sign(), "err_Not allowed on this link\n" },
        { idle, test_hex("726d7572 01 61"), "okay\n" },
        { disabled, test_hex("726d7572 01 61"), "okay\n" }, // it is not in HSM mode then
        { disabled, sign(), "err_Not allowed on this link\n" },
        { hsm, test_hex("726d7572 01 61"), "err_Not allowed on this link\n" },
        { hsm, sign(), "okay\n" },
        { codes, sign(),
          "err_The device holds 1 code(s) that were not given here: they would authorise this "
          "transaction. Ask again "
          "to go on all the same.\n" },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct rig rig;
        start(&rig, rows[i].rule, 1);
        (void)submit(&rig, rows[i].message, "a", 200);
        until_done(&rig, 1);
        assert_bytes_text(writer_bytes(&rig.replies), rows[i].reply);
        finish(&rig);
    }
}

// A link to the device that breaks while a message is on it: the loop is told that a reply is owed, and the next
// job opens another.
TEST(bunker_51_a_device_that_fails_in_mid_job)
{
    const struct fake_rule rules[] = { { "hsts", 0, FAKE_REPLY, HSM },
                                       { "stxn", 0, FAKE_SHORT_PACKET, BYTES_INIT("okay") } };
    struct rig rig;
    start(&rig, rules, COUNT(rules));
    struct link_job *job = submit(&rig, block(), "a", 20000);
    while (rig.replies.len < 9)
        run_one(&rig);
    assert_true(link_job_give(job, sign()));
    until_done(&rig, 1);
    assert_true(rig.owes && !rig.ok);
    assert_int_equal(rig.replies.len, 9);
    (void)submit(&rig, BYTES("ping"), "a", 1000);
    until_done(&rig, 2);
    assert_true(rig.ok && !rig.owes);
    finish(&rig);
}

// The bunker ends while one job is with the device and others wait: each is let go, with what it held and the reply
// that the loop did not come to (the sanitizers' build sees what is not).
TEST(bunker_51_jobs_that_the_end_overtakes)
{
    const struct fake_rule rules[] = { { "hsts", 0, FAKE_REPLY, HSM } };
    struct rig rig;
    start(&rig, rules, COUNT(rules));
    struct link_job *first = submit(&rig, block(), "a", 60000);
    while (rig.replies.len < 9)
        run_one(&rig);
    (void)submit(&rig, BYTES("ping"), "b", 60000);
    (void)submit(&rig, BYTES("ping"), "c", 60000);
    assert_true(link_job_give(first, sign()));
    await_call(&rig); // its reply
    REQUIRE(pthread_mutex_unlock(&rig.lock) == 0);
    finish(&rig);
    assert_int_equal(rig.n_done, 0);
    assert_int_equal(rig.n_dropped, 3);
}
