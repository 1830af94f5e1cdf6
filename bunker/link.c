#include "bunker/link.h"
#include "base/require.h"
#include "bunker/bunker.h"

#define WAIT_MS   4000 // for others' jobs, before `busy`
#define CHEAP_MAX FLOOD_MAX

#define SIMULATOR_SERIAL "F1F1F1F1F1F1"

struct link_client {
    struct bunker *b;
    struct http_socket *socket;
    struct link_client *next;
    uint64_t id; // never used again: how replies find it, if it is still there
    const struct listener *listener;
    char certificate[DEVICE_OWNER_SIZE];
    bool in_flight;
    struct link_job *job; // that takes the messages; NULL: none
    size_t n_real;        // jobs of several messages that are not done
    int64_t asked_ms;     // when the message in flight came
    struct hash256 told;  // of the state that was sent
    int64_t second_ms;    // begin of the second in which n_cheap replies went out
    unsigned n_cheap;     // that cost the device nothing
};

// --- Who may ---

static bool is_named(const struct listener *l, struct bytes name)
{
    for (size_t i = 0; i < l->n_link_names; i++)
        if (bytes_equal(l->link_names[i], name))
            return true;
    return false;
}

unsigned link_upgrade(struct bunker *b, const struct http_request *r)
{
    if (!bytes_equal_text(r->path, LINK_PATH))
        return 404;
    if (is_named(r->listener, r->certificate))
        return 101;
    LOG(b->log, LOG_WARNING, "link_refused", LOG_TEXT("listener", r->listener->name),
        LOG_BYTES("certificate", r->certificate));
    return 403;
}

static struct link_client *find(const struct bunker *b, uint64_t id)
{
    struct link_client *c = b->links.first;
    while (c != NULL && c->id != id)
        c = c->next;
    return c;
}

static void note(struct bunker *b, const struct link_client *c, const char *outcome)
{
    const struct audit_event e = { .event = "link",
                                   .account = c->certificate,
                                   .listener = c->listener->name,
                                   .outcome = outcome };
    if (!audit_add(&b->audit, bunker_now_s(b), &e))
        LOG(b->log, LOG_ERROR, "audit_failed", LOG_TEXT("event", e.event));
}

// --- States ---

// Ours says in its status what it is, also behind a USB gadget; a Coldcard's simulator has a serial number of its own.
static const char *kind_of(const struct bunker *b)
{
    const struct json *own = json_get(b->hsm, "casemate"), *simulator = json_get(own, "simulator");
    if (own != NULL)
        return simulator != NULL && simulator->type == JSON_TRUE ? "simulator" : "casemate";
    if (b->config->usb)
        return "coldcard";
    return strcmp(b->device->view.serial, SIMULATOR_SERIAL) == 0 ? "simulator" : "casemate";
}

static void push(struct bunker *b, struct link_client *c)
{
    const struct device_report *d = &b->device->view;
    uint8_t mem[LINK_STATE_MAX];
    struct writer w = writer_of(mem, sizeof mem);
    struct link_state state = { .provision = c->listener->link_provision };
    (void)snprintf(state.kind, sizeof state.kind, "%s", kind_of(b));
    (void)snprintf(state.serial, sizeof state.serial, "%s", d->serial);
    (void)snprintf(state.xfp, sizeof state.xfp, "%s", d->xfp);
    (void)snprintf(state.state, sizeof state.state, "%s", device_state_name(d->state));
    link_state_write(&w, &state);
    const struct hash256 now = sha256(writer_bytes(&w));
    if (w.failed || memcmp(&now, &c->told, sizeof now) == 0)
        return;
    c->told = now;
    http_socket_send(c->socket, writer_bytes(&w), KEY_STATUS);
}

void links_push(struct bunker *b)
{
    for (struct link_client *c = b->links.first; c != NULL; c = c->next)
        push(b, c);
}

// --- Opening and closing ---

void link_opened(struct bunker *b, struct http_socket *socket, const struct http_request *r)
{
    struct link_client *c = calloc(1, sizeof *c);
    REQUIRE(c != NULL);
    *c = (struct link_client){ .b = b,
                               .socket = socket,
                               .next = b->links.first,
                               .id = ++b->links.last_id,
                               .listener = r->listener };
    (void)snprintf(c->certificate, sizeof c->certificate, "%.*s", BYTES_ARG(r->certificate));
    b->links.first = c;
    http_socket_set_data(socket, c);
    note(b, c, "opened");
    push(b, c);
    bunker_poll(b);
}

void link_closed(struct bunker *b, struct http_socket *socket)
{
    struct link_client *c = http_socket_data(socket);
    if (c == NULL)
        return;
    for (struct link_client **at = &b->links.first; *at != NULL; at = &(*at)->next)
        if (*at == c) {
            *at = c->next;
            break;
        }
    if (c->job != NULL)
        link_job_lose(c->job);
    note(b, c, "closed");
    wipe(c, sizeof *c);
    free(c);
}

// --- Replies ---

static void reply(struct link_client *c, struct bytes content)
{
    c->in_flight = false;
    http_socket_send_binary(c->socket, content);
}

static void reply_text(struct link_client *c, enum reply_id id, const char *text)
{
    uint8_t mem[ERR_TEXT_MAX + CODE_LEN];
    struct writer w = writer_of(mem, sizeof mem);
    const struct reply r = { .id = id, .data = bytes_of_text(text) };
    reply_pack(&w, &r);
    REQUIRE(!w.failed);
    reply(c, writer_bytes(&w));
}

// One that costs the device nothing: who asks for too many of them is flooding us.
static void reply_cheaply(struct link_client *c, enum reply_id id, const char *text)
{
    const int64_t now = bunker_now_ms(c->b);
    if (now - c->second_ms >= 1000) {
        c->second_ms = now;
        c->n_cheap = 0;
    }
    if (++c->n_cheap > CHEAP_MAX)
        http_socket_close(c->socket, 1008);
    else
        reply_text(c, id, text);
}

static void replied(void *context, uint64_t client, struct bytes content)
{
    struct link_client *c = find(context, client);
    if (c != NULL)
        reply(c, content);
}

// --- Jobs ---

static const char *outcome_of(const struct link_job *job)
{
    if (job->timed_out)
        return "timeout";
    if (job->socket_ended && job->progress.outcome == LINK_UNFINISHED)
        return "socket_ended";
    return link_outcome_name(job->base.ok ? job->progress.outcome : LINK_FAILED);
}

// Signed, or asked to and refused or failed.
static bool is_signature(const struct link_job *job)
{
    return job->progress.outcome == LINK_MESSAGE_SIGNED ||
           (job->progress.psbt_hash[0] != '\0' && job->progress.outcome != LINK_UNFINISHED &&
            job->progress.outcome != LINK_PROVISIONED);
}

static void count(struct metrics *m, const struct link_job *job)
{
    if (!is_signature(job))
        return;
    switch (job->progress.outcome) {
    case LINK_SIGNED:
        m->signed_ok++;
        return;
    case LINK_MESSAGE_SIGNED:
        m->messages_ok++;
        return;
    case LINK_REFUSED:
        m->signed_refused++;
        return;
    case LINK_FAILED:
        m->signed_failed++;
        return;
    default:
        return;
    }
}

// What people who watch the pages are told of it.
static void tell_feed(struct bunker *b, const struct link_job *job)
{
    static const enum feed_kind kinds[] = { [LINK_SIGNED] = FEED_APPROVED,
                                            [LINK_REFUSED] = FEED_REFUSED,
                                            [LINK_FAILED] = FEED_FAILED,
                                            [LINK_MESSAGE_SIGNED] = FEED_MESSAGE };
    const enum link_outcome outcome = job->progress.outcome;
    const struct json *why = json_get(b->hsm, "last_refusal");
    struct feed_event e = { .kind = kinds[outcome < COUNT(kinds) ? outcome : 0] };
    char text[FEED_TEXT_MAX + 1] = "over a signer link";
    if (is_signature(job)) {
        if (outcome == LINK_REFUSED && why != NULL && why->type == JSON_STRING)
            (void)snprintf(text, sizeof text, "%.*s", BYTES_ARG(why->text));
        (void)snprintf(e.account, sizeof e.account, "%.*s", FEED_NAME_SIZE - 1, job->certificate);
        feed_set_text(&e, text);
        feed_add(b->feed, bunker_now_s(b), &e);
        clients_push(b);
    }
}

// The users to whom codes went, and the reason.
static struct bytes write_reason(struct writer *w, const struct link_job *job)
{
    const struct link_progress *p = &job->progress;
    for (size_t i = 0; i < p->users.n; i++)
        writer_printf(w, "%s%s", i == 0 ? "codes of " : ", ", p->users.items[i]);
    const char *why = p->reason[0] != '\0' ? p->reason : job->base.ok ? "" : job->base.err.text;
    writer_printf(w, "%s%s", p->users.n > 0 && why[0] != '\0' ? ": " : "", why);
    return writer_bytes(w);
}

// Questions leave no record; provisioning does, though it may be of one message.
static void record(struct bunker *b, const struct link_job *job, const char *listener)
{
    char mem[2048];
    struct writer w = writer_of(mem, sizeof mem);
    if (job->single ? job->progress.outcome != LINK_PROVISIONED
                    : job->n_passed == 0 && job->progress.outcome == LINK_UNFINISHED)
        return;
    const struct audit_event e = { .event = "link_job",
                                   .account = job->certificate,
                                   .listener = listener,
                                   .psbt_hash = job->progress.psbt_hash,
                                   .outcome = outcome_of(job),
                                   .reason = write_reason(&w, job) };
    count(&b->metrics, job);
    tell_feed(b, job);
    LOG(b->log, LOG_INFO, e.event, LOG_TEXT("certificate", job->certificate),
        LOG_TEXT("outcome", e.outcome));
    if (!audit_add(&b->audit, bunker_now_s(b), &e))
        LOG(b->log, LOG_ERROR, "audit_failed", LOG_TEXT("event", e.event));
}

static void reply_owed(struct link_client *c, const struct link_job *job)
{
    if (job->base.ok || job->base.err.code == ERR_BUSY) // it ended while a message was on its way
        reply_text(c, REPLY_BUSY, "");
    else
        reply_text(c, REPLY_ERR_, job->base.err.text);
}

static void job_done(struct device_job *base)
{
    struct link_job *job = (struct link_job *)base;
    struct bunker *b = job->context;
    struct link_client *c = find(b, job->client);
    record(b, job, job->listener);
    if (c != NULL) {
        c->n_real -= !job->single;
        if (c->job == job)
            c->job = NULL;
        if (job->owes && !job->given_up)
            reply_owed(c, job);
    }
    link_job_free(job);
}

// The socket may end after it.
static void job_drop(struct device_job *base)
{
    struct link_job *job = (struct link_job *)base;
    struct link_client *c = find(job->context, job->client);
    if (c != NULL && c->job == job)
        c->job = NULL;
    link_job_free(job);
}

static void start_job(struct link_client *c, struct bytes message, bool single)
{
    struct bunker *b = c->b;
    struct link_job *job = link_job_new(message, single);
    job->base.done = job_done;
    job->base.drop = job_drop;
    job->client = c->id;
    job->provision = c->listener->link_provision;
    job->listener = c->listener->name;
    memcpy(job->certificate, c->certificate, sizeof job->certificate);
    job->left = &b->links.left;
    job->replied = replied;
    job->context = b;
    c->job = job;
    c->n_real += !single;
    device_submit(b->device, &job->base);
}

// --- Messages ---

static bool is_anothers_job_under_way(const struct link_client *c)
{
    return c->b->device->n_real > c->n_real;
}

static void take(struct link_client *c, struct bytes message)
{
    enum request_id id;
    c->in_flight = true;
    c->asked_ms = bunker_now_ms(c->b);
    if (link_gate(message, &id) == LINK_NEVER)
        reply_cheaply(c, REPLY_ERR_, LINK_NOT_ALLOWED);
    else if (c->job != NULL && link_job_give(c->job, message))
        return;
    else if (link_opens_job(id) && is_anothers_job_under_way(c))
        reply_cheaply(c, REPLY_BUSY, "");
    else
        start_job(c, message, !link_opens_job(id));
}

void link_message(void *context, struct http_socket *socket, struct bytes message)
{
    struct link_client *c = http_socket_data(socket);
    (void)context;
    if (c == NULL)
        return;
    if (c->in_flight) // "one in flight"
        http_socket_close(socket, 1008);
    else
        take(c, message);
}

void links_tick(struct bunker *b)
{
    const int64_t now = bunker_now_ms(b);
    for (struct link_client *c = b->links.first; c != NULL; c = c->next)
        if (c->in_flight && c->job != NULL && now - c->asked_ms >= WAIT_MS &&
            link_job_give_up(c->job)) {
            c->job = NULL;
            reply_text(c, REPLY_BUSY, "");
        }
}
