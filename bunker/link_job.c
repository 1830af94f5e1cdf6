#include "bunker/link_job.h"
#include "base/require.h"
#include "base/secret.h"
#include "crypto/hash.h"
#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>

#define POLL_MS 250 // of a decision that nobody waits for any more

// --- Between the threads ---

static void lock(struct link_job *job)
{
    REQUIRE(pthread_mutex_lock(&job->lock) == 0);
}

static void unlock(struct link_job *job)
{
    REQUIRE(pthread_mutex_unlock(&job->lock) == 0);
}

static void wake(const struct link_job *job)
{
    const uint64_t one = 1;
    REQUIRE(write(job->wake_fd, &one, sizeof one) == (ssize_t)sizeof one || errno == EAGAIN);
}

static void keep_message(struct link_job *job, struct bytes message)
{
    REQUIRE(message.len <= sizeof job->message);
    if (message.len > 0)
        memcpy(job->message, message.ptr, message.len);
    job->message_len = message.len;
    job->has_message = true;
}

// A reply under way to the loop.
struct parcel {
    struct parcel *next;
    size_t len;
    uint8_t bytes[];
};

static void parcel_free(struct parcel *p)
{
    wipe(p->bytes, p->len);
    free(p);
}

static device_work work;

struct link_job *link_job_new(struct bytes message, bool single)
{
    struct link_job *job = calloc(1, sizeof *job);
    REQUIRE(job != NULL && pthread_mutex_init(&job->lock, NULL) == 0);
    job->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    REQUIRE(job->wake_fd >= 0);
    job->base.work = work;
    job->base.brief = single;
    job->single = single;
    job->limit_ms = LINK_JOB_MS;
    job->owes = true;
    keep_message(job, message);
    return job;
}

void link_job_free(struct link_job *job)
{
    for (struct parcel *next, *p = job->first; p != NULL; p = next) {
        next = p->next;
        parcel_free(p);
    }
    close(job->wake_fd);
    (void)pthread_mutex_destroy(&job->lock);
    wipe(job, sizeof *job);
    free(job);
}

bool link_job_give(struct link_job *job, struct bytes message)
{
    lock(job);
    const bool takes = !job->single && !job->ended && !job->given_up && !job->has_message;
    if (takes)
        keep_message(job, message);
    unlock(job);
    if (takes)
        wake(job);
    return takes;
}

void link_job_lose(struct link_job *job)
{
    lock(job);
    job->lost = true;
    unlock(job);
    wake(job);
}

bool link_job_give_up(struct link_job *job)
{
    lock(job);
    const bool in_time = !job->begun;
    job->given_up = job->given_up || in_time;
    unlock(job);
    return in_time;
}

// False: it was given up.
static bool begin(struct link_job *job)
{
    lock(job);
    job->begun = true;
    const bool wanted = !job->given_up;
    unlock(job);
    return wanted;
}

static void mark_ended(struct link_job *job)
{
    lock(job);
    job->ended = true;
    job->owes = job->owes || job->has_message;
    unlock(job);
}

// The oldest reply. Its call was posted before the job's end, so the job is there.
static void deliver(void *argument)
{
    struct link_job *job = argument;
    lock(job);
    struct parcel *p = job->first;
    job->first = p->next;
    unlock(job);
    job->replied(job->context, job->client, bytes_of(p->bytes, p->len));
    parcel_free(p);
}

static void reply_with(struct link_job *job, struct bytes reply)
{
    const struct pool_loop *loop = &job->base.device->options.loop;
    struct parcel *p = malloc(sizeof *p + reply.len), **at = &job->first;
    REQUIRE(p != NULL);
    *p = (struct parcel){ NULL, reply.len };
    if (reply.len > 0)
        memcpy(p->bytes, reply.ptr, reply.len);
    lock(job);
    while (*at != NULL)
        at = &(*at)->next;
    *at = p;
    unlock(job);
    job->owes = false;
    loop->post(loop->context, deliver, job);
}

static void reply_error_text(struct link_job *job, const char *text)
{
    uint8_t mem[ERR_TEXT_MAX + CODE_LEN];
    struct writer w = writer_of(mem, sizeof mem);
    const struct reply reply = { .id = REPLY_ERR_, .data = bytes_of_text(text) };
    reply_pack(&w, &reply);
    REQUIRE(!w.failed);
    reply_with(job, writer_bytes(&w));
}

// --- The device's state ---

// A device that answers no status (locked, HSM commands disabled) is not in HSM mode.
static bool read_state(struct device_line *line, struct link_job *job, bool *active,
                       uint64_t *pending, struct err *err)
{
    struct hsm_status status;
    *active = false;
    *pending = 0;
    if (line->report.xfp[0] == '\0')
        return true;
    if (line_status(line, &status, job->base.arena, err)) {
        *active = status.active;
        *pending = status.pending_auth;
        return true;
    }
    return err->code == ERR_INVALID || err->code == ERR_REFUSED;
}

// Codes of others would authorise what this job is for.
static bool has_leftovers(struct link_job *job, enum request_id id, uint64_t pending)
{
    if (!link_is_about_codes(id) ||
        !link_left_stops(job->left, job->certificate, pending, wait_now_ms()))
        return false;
    char text[200];
    (void)snprintf(
        text, sizeof text,
        "The device holds %llu code(s) that were not given here: they would authorise this "
        "transaction. Ask again to go on all the same.",
        (unsigned long long)pending);
    reply_error_text(job, text);
    (void)snprintf(job->progress.reason, sizeof job->progress.reason, "codes of others");
    job->progress.outcome = LINK_FAILED;
    return true;
}

// --- One message ---

// Of a result or an upload that is not this certificate's: as a device says that has none.
static void reply_nothing_there(struct link_job *job, enum request_id id)
{
    uint8_t mem[CODE_LEN + sizeof(struct hash256)];
    struct writer w = writer_of(mem, sizeof mem);
    const struct hash256 of_nothing = sha256((struct bytes){ 0 });
    if (id == REQUEST_DWLD) {
        reply_error_text(job, "not allowed");
    } else if (id != REQUEST_SHA2) {
        reply_error_text(job, "No active request");
    } else {
        const struct reply reply = { .id = REPLY_BINY, .data = BYTES_OF(of_nothing.b) };
        reply_pack(&w, &reply);
        reply_with(job, writer_bytes(&w));
    }
}

static bool pass_on(struct device_line *line, struct link_job *job, struct bytes message,
                    struct err *err)
{
    struct bytes reply;
    if (!connection_relay(line->connection, message, &reply, NULL, err))
        return false;
    link_progress_step(&job->progress, message, reply);
    job->n_passed++;
    link_left_add_users(job->left, job->certificate, &job->progress.users, wait_now_ms());
    link_left_keep(job->left, message, reply);
    if (job->progress.over)
        mark_ended(job); // before the reply is seen, which brings the next message
    reply_with(job, reply);
    return true;
}

// The first message of a job, or the only one. *goes_on: there may be more.
static bool first_message(struct device_line *line, struct link_job *job, struct bytes message,
                          bool *goes_on, struct err *err)
{
    enum request_id id;
    const enum link_gate gate = link_gate(message, &id);
    bool active = false;
    uint64_t pending = 0;
    *goes_on = false;
    if (link_is_about_result(id) && strcmp(line->owner, job->certificate) != 0) {
        reply_nothing_there(job, id);
        return true;
    }
    if (id == job->left->poll && id != REQUEST_NONE) {
        reply_with(job, bytes_of(job->left->decision, job->left->decision_len));
        return true;
    }
    if ((gate != LINK_ALWAYS || link_opens_job(id)) &&
        !read_state(line, job, &active, &pending, err))
        return false;
    if (gate != LINK_ALWAYS && !link_may_pass(gate, active, job->provision)) {
        reply_error_text(job, LINK_NOT_ALLOWED);
        return true;
    }
    if (link_opens_job(id)) {
        if (has_leftovers(job, id, active ? pending : 0))
            return true;
        memcpy(line->owner, job->certificate, sizeof line->owner);
        job->left->poll = REQUEST_NONE;
    }
    *goes_on = !job->single;
    return pass_on(line, job, message, err);
}

// A later one, in the midst of a job: HSM mode may have begun since.
static bool next_message(struct device_line *line, struct link_job *job, struct bytes message,
                         struct err *err)
{
    enum request_id id;
    const enum link_gate gate = link_gate(message, &id);
    bool active = false;
    uint64_t pending = 0;
    if (gate != LINK_ALWAYS && !read_state(line, job, &active, &pending, err))
        return false;
    if (link_may_pass(gate, active, job->provision))
        return pass_on(line, job, message, err);
    reply_error_text(job, LINK_NOT_ALLOWED);
    return true;
}

// --- The job ---

enum awaited { GOT_MESSAGE, SOCKET_LOST, TIME_OVER, CANCELLED };

static void drain(int fd)
{
    uint64_t count;
    while (read(fd, &count, sizeof count) > 0)
        ;
}

static enum awaited await(struct link_job *job, uint8_t *message, size_t *len, int64_t end_ms,
                          struct err *err)
{
    for (;;) {
        drain(job->wake_fd);
        lock(job);
        const bool lost = job->lost, has = job->has_message;
        if (has && !lost) {
            memcpy(message, job->message, job->message_len);
            *len = job->message_len;
            wipe(job->message, sizeof job->message);
            job->has_message = false;
            job->owes = true;
        }
        unlock(job);
        if (lost)
            return SOCKET_LOST;
        if (has)
            return GOT_MESSAGE;
        const int64_t left = end_ms - wait_now_ms();
        if (left <= 0)
            return TIME_OVER;
        if (!wait_fd(job->wake_fd, POLLIN, job->base.device->cancel_fd, (int)left, err) &&
            err->code != ERR_TIMEOUT)
            return CANCELLED;
    }
}

// (5) of the header.
static bool finish_decision(struct device_line *line, struct link_job *job, int64_t end_ms,
                            struct err *err)
{
    const enum request_id id = job->progress.awaited;
    while (job->progress.awaited != REQUEST_NONE && wait_now_ms() < end_ms) {
        const struct request poll = { .id = id };
        uint8_t mem[CODE_LEN];
        struct writer w = writer_of(mem, sizeof mem);
        struct bytes reply;
        request_pack(&w, &poll);
        if (!connection_relay(line->connection, writer_bytes(&w), &reply, NULL, err))
            return false;
        link_progress_step(&job->progress, writer_bytes(&w), reply);
        link_left_keep(job->left, writer_bytes(&w), reply);
        if (job->progress.awaited != REQUEST_NONE &&
            !connection_pause(line->connection, POLL_MS, err))
            return false;
    }
    return true;
}

struct incoming {
    uint8_t bytes[REQUEST_MAX];
    size_t len;
};

static void incoming_wipe(struct incoming *in)
{
    wipe(in, sizeof *in);
}

static bool serve(struct device_line *line, struct link_job *job, struct err *err)
{
    AUTO(incoming_wipe) struct incoming in;
    const int64_t end_ms = wait_now_ms() + job->limit_ms;
    bool goes_on = true;
    for (bool is_first = true; goes_on; is_first = false) {
        switch (await(job, in.bytes, &in.len, end_ms, err)) {
        case GOT_MESSAGE:
            break;
        case SOCKET_LOST:
            job->socket_ended = true;
            mark_ended(job);
            return finish_decision(line, job, end_ms, err);
        case TIME_OVER:
            job->timed_out = true;
            return true;
        case CANCELLED:
            return false;
        }
        const struct bytes message = bytes_of(in.bytes, in.len);
        const bool ok = is_first ? first_message(line, job, message, &goes_on, err)
                                 : next_message(line, job, message, err);
        if (!ok)
            return false;
        goes_on = goes_on && !job->progress.over;
    }
    return true;
}

static bool work(struct device_line *line, struct device_job *base, struct err *err)
{
    struct link_job *job = (struct link_job *)base;
    if (!begin(job))
        return true;
    const bool ok = serve(line, job, err);
    mark_ended(job);
    return ok;
}
