// Signing text messages. Source: bunker.md 6, 17.2.
#include "base/require.h"
#include "bitcoin/address.h"
#include "bunker/actions.h"

struct message_of {
    struct message_job job; // first
    struct bunker *b;
    uint64_t client;
    int64_t begin_ms;
    char account[SESSION_ACCOUNT_SIZE];
};

static void put_result(struct frame *f, const struct message_job *job)
{
    char text[256];
    (void)snprintf(text, sizeof text, "%s\n%s", job->signature, job->address);
    json_key(&f->j, "vue_app_cb");
    json_begin_object(&f->j);
    json_key(&f->j, "msg_signing_result");
    json_text(&f->j, text);
    json_end_object(&f->j);
}

static void put_signed(struct frame *f, const struct message_job *job)
{
    json_key(&f->j, "message_signed");
    json_begin_object(&f->j);
    json_key(&f->j, "address");
    json_text(&f->j, job->address);
    json_key(&f->j, "signature");
    json_text(&f->j, job->signature);
    json_end_object(&f->j);
}

// "one frame carrying both shapes ... because a second one left unread would be taken as the answer to
// the next request"
static void send_message_result(struct client *c, const struct message_job *job)
{
    const struct bunker_config *config = c->bunker->config;
    struct frame f;
    if (config->compat_message_download) {
        char text[1600];
        (void)snprintf(text, sizeof text, "%s\n%s\n%s", job->signature, job->address, job->text);
        frame_download(c, bytes_of_text(text), "message-signed.txt", false, false);
        return;
    }
    frame_begin(&f);
    put_result(&f, job);
    if (config->compat_message_signed == MESSAGE_COMBINED)
        put_signed(&f, job);
    frame_send(&f, c, 0);
    if (config->compat_message_signed == MESSAGE_SEPARATE) {
        frame_begin(&f);
        put_signed(&f, job);
        frame_send(&f, c, 0);
    }
}

static void send_message_failed(struct client *c, const struct message_job *job)
{
    struct frame f;
    frame_begin(&f);
    json_key(&f.j, "vue_app_cb");
    json_begin_object(&f.j);
    json_key(&f.j, "msg_signing_result");
    json_text(&f.j, "(failed)");
    json_end_object(&f.j);
    frame_send(&f, c, 0);
    if (job->refused)
        frame_rejected(c, job->refusal);
    else
        frame_device_error(c, &job->base.err);
}

static void message_drop(struct device_job *base)
{
    free((struct message_of *)base);
}

static void message_done(struct device_job *base)
{
    struct message_of *m = (struct message_of *)base;
    struct client *c = job_client(m->b, m->client);
    m->b->metrics.message_ms += (uint64_t)(bunker_now_ms(m->b) - m->begin_ms);
    if (base->ok)
        m->b->metrics.messages_ok++;
    else
        m->b->metrics.messages_failed++;
    const struct audit_event e = { .event = "message_signed",
                                   .account = m->account,
                                   .outcome = base->ok ? "ok" : "failed",
                                   .reason = bytes_of_text(base->ok         ? m->job.address
                                                           : m->job.refused ? m->job.refusal
                                                                            : base->err.text) };
    if (!audit_add(&m->b->audit, bunker_now_s(m->b), &e))
        LOG(m->b->log, LOG_ERROR, "audit_failed", LOG_TEXT("event", e.event));
    if (base->ok || m->job.refused) {
        struct feed_event told = { .kind = base->ok ? FEED_MESSAGE : FEED_MESSAGE_REFUSED };
        (void)snprintf(told.account, sizeof told.account, "%s", m->account);
        feed_set_text(&told, base->ok ? m->job.address : m->job.refusal);
        feed_add(m->b->feed, bunker_now_s(m->b), &told);
    }
    if (c != NULL && base->ok)
        send_message_result(c, &m->job);
    else if (c != NULL)
        send_message_failed(c, &m->job);
    clients_push_slot(m->b, NULL, c);
    message_drop(base);
}

// "fmt classic -> 1; p2sh asks for P2SH-P2WPKH, as the word says"
static bool format_of(struct bytes word, uint32_t *out)
{
    static const struct {
        const char *word;
        enum addr_format format;
    } rows[] = { { "classic", ADDR_P2PKH },
                 { "segwit", ADDR_P2WPKH },
                 { "p2sh", ADDR_P2SH_P2WPKH } };
    for (size_t i = 0; i < COUNT(rows); i++)
        if (bytes_equal_text(word, rows[i].word)) {
            *out = (uint32_t)rows[i].format;
            return true;
        }
    return false;
}

static void run_message(struct action_call *call)
{
    struct bytes text, path, word;
    uint32_t format;
    if (!call_text(call, 0, &text) || !call_text(call, 1, &path) || !call_text(call, 2, &word))
        return;
    struct message_of *m = calloc(1, sizeof *m);
    REQUIRE(m != NULL);
    if (!format_of(word, &format) || text.len >= sizeof m->job.text ||
        path.len >= sizeof m->job.path || memchr(text.ptr, 0, text.len) != NULL) {
        free(m);
        (void)call_bad(call);
        return;
    }
    if (!call_has_device(call) || !call_confirms_limit(call) || !call_begin_job(call)) {
        free(m);
        return;
    }
    m->b = call->b;
    m->client = call->c->id;
    m->begin_ms = bunker_now_ms(call->b);
    m->job.format = format;
    m->job.base.work = message_work;
    m->job.base.who = call->c->session;
    m->job.base.done = message_done;
    m->job.base.drop = message_drop;
    (void)snprintf(m->account, sizeof m->account, "%s", call->c->session->account);
    (void)snprintf(m->job.text, sizeof m->job.text, "%.*s", BYTES_ARG(text));
    (void)snprintf(m->job.path, sizeof m->job.path, "%.*s", BYTES_ARG(path));
    device_submit(call->b->device, &m->job.base);
}

const struct action message_actions[] = {
    { "sign_message", 3, 3, ROLE_OPERATOR, run_message },
};
const size_t n_message_actions = COUNT(message_actions);
