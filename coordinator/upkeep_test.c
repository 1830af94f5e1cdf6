// Webhooks as they are delivered from the ledger: in the order of each spend, and no spend waits for another's.
#include "coordinator/upkeep.h"
#include "base/require.h"
#include "tests/support/ledger_rig.h"
#include "tests/support/test.h"
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { GOT_MAX = 64 };

// Answers 500 as long as the body names `refused`, else 204; keeps which events it took.
struct receiver {
    int fd;
    unsigned port;
    pthread_t thread;
    pthread_mutex_t lock;
    const char *refused; // NULL: nothing
    uint64_t took[GOT_MAX];
    size_t n;
    unsigned n_refused;
};

static void answer(struct receiver *r, int fd)
{
    static const char *const id_field = "X-Casemate-Id: ";
    char got[8192] = "";
    size_t len = 0;
    const char *end = NULL;
    while (end == NULL || strchr(end, '}') == NULL) { // the body is one object, and ends with it
        struct pollfd p = { .fd = fd, .events = POLLIN };
        const ssize_t n = poll(&p, 1, 5000) == 1 ? read(fd, got + len, sizeof got - 1 - len) : -1;
        REQUIRE(n > 0);
        len += (size_t)n;
        got[len] = '\0';
        end = strstr(got, "\r\n\r\n");
        if (end != NULL && got[len - 1] != '}')
            end = NULL;
    }
    const char *id = strstr(got, id_field);
    REQUIRE(id != NULL);
    (void)pthread_mutex_lock(&r->lock);
    const bool refused = r->refused != NULL && strstr(got, r->refused) != NULL;
    if (refused)
        r->n_refused++;
    else if (r->n < GOT_MAX)
        r->took[r->n++] = strtoull(id + strlen(id_field), NULL, 10);
    (void)pthread_mutex_unlock(&r->lock);
    const char *reply = refused ? "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"
                                : "HTTP/1.1 204 No Content\r\n\r\n";
    REQUIRE(write(fd, reply, strlen(reply)) == (ssize_t)strlen(reply));
    (void)close(fd);
}

static void *receive(void *context)
{
    struct receiver *r = context;
    int fd;
    while ((fd = accept(r->fd, NULL, NULL)) >= 0) // until it is shut down
        answer(r, fd);
    return NULL;
}

static void start(struct receiver *r)
{
    struct sockaddr_in at = { .sin_family = AF_INET };
    socklen_t len = sizeof at;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    *r = (struct receiver){ .fd = socket(AF_INET, SOCK_STREAM, 0) };
    assert_int_equal(pthread_mutex_init(&r->lock, NULL), 0);
    assert_int_equal(bind(r->fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(r->fd, 8), 0);
    assert_int_equal(getsockname(r->fd, (struct sockaddr *)&at, &len), 0);
    r->port = ntohs(at.sin_port);
    assert_int_equal(pthread_create(&r->thread, NULL, receive, r), 0);
}

static void stop(struct receiver *r)
{
    (void)shutdown(r->fd, SHUT_RDWR);
    assert_int_equal(pthread_join(r->thread, NULL), 0);
    (void)close(r->fd);
    (void)pthread_mutex_destroy(&r->lock);
}

static void add_hook(struct ledger_rig *rig, const struct receiver *r)
{
    char path[300], url[64], id[ID_SIZE];
    struct err err;
    (void)snprintf(path, sizeof path, "%s/hook-secret", test_dir());
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fputs("key\n", file) >= 0, 1);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0600), 0);
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/hook", r->port);
    db_new_id(id, 1);
    assert_true(db_exec(rig->db, NULL,
                        "INSERT INTO hook(id, url, secret_ref, kinds, wallet_id) "
                        "VALUES($1, $2, $3, ',spend.state,', $4)",
                        DB_ARGS(db_text(id), db_text(url), db_text(path), db_text(rig->wallet)),
                        &err));
}

// Rounds until there is nothing to do; what is to be tried again later is left.
static void deliver_all(struct ledger_rig *rig)
{
    static const struct log silent = { .fd = -1 };
    const struct hooks_round round = { rig->db, &silent, true };
    struct err err;
    size_t n;
    do {
        if (!hooks_deliver(&round, &n, &err))
            fail_msg("%s", err.text);
    } while (n > 0);
}

// Whose event that was.
static bool is_of(struct ledger_rig *rig, uint64_t seq, const struct spend *s)
{
    struct db_rows rows;
    struct err err;
    assert_true(db_query(rig->db, &rows, "SELECT 1 FROM event WHERE seq = $1 AND object = $2",
                         DB_ARGS(db_u64(seq), db_text(s->id)), test_arena(), &err));
    return rows.n == 1;
}

static size_t took_of(struct ledger_rig *rig, const struct receiver *r, const struct spend *s)
{
    uint64_t last = 0;
    size_t n = 0;
    for (size_t i = 0; i < r->n; i++)
        if (is_of(rig, r->took[i], s)) {
            assert_true(r->took[i] > last); // in the order in which it happened, each once
            last = r->took[i];
            n++;
        }
    return n;
}

// D13: "in order per spend"; a receiver that has trouble with one gets the others' all the same.
TEST_BOTH(coordinator_F49_webhooks_come_in_the_order_of_each_spend)
{
    struct receiver r;
    struct attempt a;
    start(&r);
    add_hook(rig, &r);
    const struct spend one = rig_sent(rig, 100, &a), two = rig_sent(rig, 100, &a);
    r.refused = one.id;
    deliver_all(rig);
    // received, reserved, built, signing, signed, sent
    assert_int_equal(took_of(rig, &r, &two), 6);
    assert_int_equal(took_of(rig, &r, &one), 0);
    assert_int_equal(r.n_refused, 1); // nothing of it is tried past the first
    rig->offset_us += 4000000;
    deliver_all(rig);
    assert_int_equal(r.n_refused, 1);
    rig->offset_us += 2000000; // "5 s", then twice as long
    deliver_all(rig);
    assert_int_equal(r.n_refused, 2);
    r.refused = NULL;
    rig->offset_us += 11000000;
    deliver_all(rig);
    assert_int_equal(took_of(rig, &r, &one), 6);
    assert_int_equal(took_of(rig, &r, &two), 6);
    assert_int_equal(r.n, 12);
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM outbox WHERE done_at IS NULL"), 0);
    stop(&r);
}
