#include "bunker/device.h"
#include "base/hex.h"
#include "base/reader.h"
#include "base/require.h"
#include "base/secret.h"
#include "client/socket_transport.h"
#include <sys/eventfd.h>

#define WAITING_MAX 256

static const char *const state_names[] = {
    [DEVICE_ABSENT] = "absent", [DEVICE_CONNECTING] = "connecting",
    [DEVICE_LOCKED] = "locked", [DEVICE_HSM_DISABLED] = "hsm_disabled",
    [DEVICE_IDLE] = "idle",     [DEVICE_APPROVING] = "approving",
    [DEVICE_HSM] = "hsm",       [DEVICE_BUSY] = "busy",
    [DEVICE_ERROR] = "error",
};

const char *device_state_name(enum device_state state)
{
    return state_names[state];
}

void report_wipe(struct device_report *report)
{
    free(report->hsts);
    *report = (struct device_report){ 0 };
}

static void report_copy(struct device_report *out, const struct device_report *from)
{
    *out = *from;
    if (from->hsts == NULL)
        return;
    out->hsts = malloc(from->hsts_len);
    REQUIRE(out->hsts != NULL);
    memcpy(out->hsts, from->hsts, from->hsts_len);
}

// --- Connecting ---

static void read_firmware(struct device_line *line, struct arena *arena)
{
    const struct request request = { .id = REQUEST_VERS };
    struct reply reply;
    struct bytes text;
    struct err unimportant;
    if (!connection_call(line->connection, &reply, REPLY_ASCI, &request, arena, &unimportant))
        return;
    struct reader r = reader_of(reply.data);
    // NOLINTNEXTLINE(misc-redundant-expression): date, then version
    if (reader_until(&r, '\n', &text) && reader_until(&r, '\n', &text) &&
        bytes_is_printable_ascii(text))
        (void)snprintf(line->report.firmware, sizeof line->report.firmware, "%.*s",
                       BYTES_ARG(text));
}

static void read_identity(struct device_line *line)
{
    const struct connection_identity *id = connection_identity(line->connection);
    struct device_report *r = &line->report;
    (void)snprintf(r->serial, sizeof r->serial, "%s", id->serial);
    (void)snprintf(r->xpub, sizeof r->xpub, "%s", id->xpub);
    r->xfp[0] = '\0';
    if (id->has_seed)
        hex_encode_upper(r->xfp, BYTES_OF(id->xfp));
}

static bool connect_line(struct device_line *line, struct arena *arena, struct err *err)
{
    const struct device_options *o = line->options;
    const struct connection_options options = { .socket_path = o->path,
                                                .usb.serial = o->serial,
                                                .ncry = o->ncry,
                                                .cancel_fd = line->cancel_fd };
    if (line->connection != NULL)
        return true;
    if (!o->usb && o->path == NULL) // which would be USB to the connection
        return err_set(err, ERR_NOT_FOUND, "no device is configured");
    if ((!o->usb && !socket_check_owner(o->path, o->path_owner, err)) ||
        !connection_open(&line->connection, &options, err))
        return false;
    read_identity(line);
    if (o->serial != NULL && strcmp(o->serial, line->report.serial) != 0)
        return err_set(err, ERR_AUTH, "the device's serial number %s is not %s",
                       line->report.serial, o->serial);
    read_firmware(line, arena);
    return true;
}

static void disconnect(struct device_line *line, enum device_state state, const char *why)
{
    connection_close(line->connection);
    line->connection = NULL;
    report_wipe(&line->report);
    line->report.state = state;
    (void)snprintf(line->report.why, sizeof line->report.why, "%.255s", why);
}

// --- Status ---

static bool is_disabled(const struct err *err)
{
    return err->code == ERR_INVALID && strstr(err->text, "HSM commands disabled") != NULL;
}

// What the link has left after that error: whether the session goes on.
static bool is_usable_after(enum err_code code)
{
    return code == ERR_INVALID || code == ERR_REFUSED || code == ERR_BUSY || code == ERR_PENDING ||
           code == ERR_STATE || code == ERR_AUTH || code == ERR_LIMIT;
}

static void keep_status(struct device_report *r, const struct hsm_status *s, struct arena *arena)
{
    struct writer w = writer_growing(arena, REPLY_MAX + 4096);
    struct json_writer j = json_writer_of(&w);
    struct bytes text;
    json_value(&j, s->object); // one line, whatever blanks the device put in
    free(r->hsts);
    r->hsts = NULL;
    r->hsts_len = 0;
    if (writer_finish(&w, &text)) {
        r->hsts = malloc(text.len);
        REQUIRE(r->hsts != NULL);
        memcpy(r->hsts, text.ptr, text.len);
        r->hsts_len = text.len;
    }
    r->active = s->active;
    r->approvals = s->approvals;
    r->refusals = s->refusals;
    r->pending_auth = s->pending_auth;
    r->state = s->active ? DEVICE_HSM : s->approval_wait ? DEVICE_APPROVING : DEVICE_IDLE;
    r->why[0] = '\0';
}

bool line_status(struct device_line *line, struct hsm_status *out, struct arena *arena,
                 struct err *err)
{
    const int64_t end = wait_now_ms() + DEVICE_BUSY_MS;
    while (!hsm_status_fetch(out, line->connection, arena, err)) {
        if (err->code != ERR_BUSY || wait_now_ms() > end)
            return false;
        if (!connection_pause(line->connection, DEVICE_RETRY_MS, err))
            return false;
    }
    keep_status(&line->report, out, arena);
    return true;
}

bool line_call(struct device_line *line, struct reply *out, enum reply_id expected,
               const struct request *request, struct arena *arena, struct err *err)
{
    const int64_t end = wait_now_ms() + DEVICE_BUSY_MS;
    while (!connection_call(line->connection, out, expected, request, arena, err)) {
        if (err->code != ERR_BUSY || wait_now_ms() > end)
            return false;
        if (!connection_pause(line->connection, DEVICE_RETRY_MS, err))
            return false;
    }
    return true;
}

static void refresh(struct device_line *line, struct arena *arena)
{
    struct hsm_status status;
    struct err err;
    struct device_report *r = &line->report;
    if (line->connection == NULL)
        return;
    if (r->xfp[0] == '\0') {
        r->state = DEVICE_LOCKED;
        (void)snprintf(r->why, sizeof r->why, "The device holds no secret yet.");
        return;
    }
    if (line_status(line, &status, arena, &err))
        return;
    if (is_disabled(&err)) {
        r->state = DEVICE_HSM_DISABLED;
        (void)snprintf(r->why, sizeof r->why, "Enable HSM mode in the device's Advanced menu.");
    } else if (err.code == ERR_BUSY) {
        r->state = DEVICE_BUSY;
    } else {
        disconnect(line, err.code == ERR_NOT_FOUND ? DEVICE_ABSENT : DEVICE_ERROR, err.text);
    }
}

// --- A job, on the thread ---

static bool is_real(const struct device_job *job)
{
    return job->work != NULL && !job->brief;
}

static bool try_connect(struct device_line *line, struct device_job *job)
{
    struct err err;
    if (connect_line(line, job->arena, &err))
        return true;
    disconnect(line, err.code == ERR_NOT_FOUND ? DEVICE_ABSENT : DEVICE_ERROR, err.text);
    return err_set(&job->err, ERR_NOT_FOUND, DEVICE_NOT_CONNECTED);
}

static void drain(int fd)
{
    uint64_t count;
    while (read(fd, &count, sizeof count) > 0)
        ;
}

static void run(void *argument)
{
    struct device_job *job = argument;
    struct device_line *line = &job->device->line;
    job->arena = arena_new(DEVICE_ARENA);
    drain(line->cancel_fd);
    if (is_real(job))
        line->owner[0] = '\0';
    job->ok = !atomic_load(&job->cancelled) && try_connect(line, job);
    if (job->ok && job->work != NULL)
        job->ok = job->work(line, job, &job->err);
    if (!job->ok && atomic_load(&job->cancelled)) {
        if (job->err.code == ERR_INTERRUPTED) { // in the middle of an answer: begin anew
            disconnect(line, DEVICE_CONNECTING, "");
            drain(line->cancel_fd);
            if (try_connect(line, job))
                refresh(line, job->arena);
        }
        (void)err_set(&job->err, ERR_INTERRUPTED, DEVICE_CANCELLED);
    } else if (!job->ok && line->connection != NULL && !is_usable_after(job->err.code)) {
        const bool gone = job->err.code == ERR_NOT_FOUND;
        disconnect(line, gone ? DEVICE_ABSENT : DEVICE_ERROR, job->err.text);
        if (gone)
            (void)err_set(&job->err, ERR_NOT_FOUND, DEVICE_NOT_CONNECTED);
    } else {
        refresh(line, job->arena);
    }
    report_copy(&job->report, &line->report);
}

static void finished(void *argument)
{
    struct device_job *job = argument;
    struct device *d = job->device;
    struct arena *arena = job->arena;
    struct device_report before = d->view;
    d->view = job->report;
    job->report = (struct device_report){ 0 };
    d->seen_ms = wait_now_ms();
    d->n_jobs--;
    d->first = job->next; // one thread, one queue: they end in their order
    if (d->first == NULL)
        d->last = &d->first;
    d->n_real -= is_real(job);
    d->options.changed(d->options.context, &before, &d->view);
    report_wipe(&before);
    job->done(job);
    arena_free(arena);
}

// --- The loop's side ---

struct device *device_new(const struct device_options *options)
{
    struct device *d = calloc(1, sizeof *d);
    REQUIRE(d != NULL);
    d->options = *options;
    d->cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    REQUIRE(d->cancel_fd >= 0);
    d->line = (struct device_line){ .options = &d->options, .cancel_fd = d->cancel_fd };
    d->pool = pool_new(1, options->loop);
    d->view.state = d->line.report.state = DEVICE_ABSENT;
    d->last = &d->first;
    return d;
}

void device_cancel(struct device *d)
{
    const uint64_t one = 1;
    if (write(d->cancel_fd, &one, sizeof one) < 0)
        return; // it is set already
}

size_t device_cancel_of(struct device *d, const void *who)
{
    size_t n = 0;
    for (struct device_job *job = d->first; job != NULL; job = job->next) {
        if (who == NULL || job->who != who)
            continue;
        atomic_store(&job->cancelled, true);
        if (job == d->first)
            device_cancel(d);
        n++;
    }
    return n;
}

// Those whose end the loop does not see any more.
static void drop_jobs(struct device *d)
{
    while (d->first != NULL) {
        struct device_job *job = d->first;
        struct arena *arena = job->arena;
        d->first = job->next;
        report_wipe(&job->report);
        job->drop(job);
        arena_free(arena);
    }
}

void device_free(struct device *d)
{
    if (d == NULL)
        return;
    device_cancel(d);
    pool_free(d->pool);
    drop_jobs(d);
    connection_close(d->line.connection);
    report_wipe(&d->line.report);
    report_wipe(&d->view);
    close(d->cancel_fd);
    free(d);
}

void device_submit(struct device *d, struct device_job *job)
{
    REQUIRE(job->done != NULL && job->drop != NULL);
    job->device = d;
    job->ok = false;
    if (pool_submit(d->pool, (struct pool_job){ run, finished, job }, WAITING_MAX)) {
        d->n_jobs++;
        *d->last = job;
        d->last = &job->next;
        d->n_real += is_real(job);
        return;
    }
    (void)err_set(&job->err, ERR_BUSY, "Too many requests.");
    job->done(job);
}
