// Signing a PSBT: upload, codes, preview, submit, broadcast. Source: bunker.md 9.
#include "base/base64.h"
#include "base/hex.h"
#include "base/require.h"
#include "base/utf8.h"
#include "bunker/actions.h"
#include "bunker/broadcast.h"

// --- The slot ---

static struct slot *slot_of(struct action_call *call)
{
    return session_slot(call->b, call->c->session);
}

// "clear_psbt or upload_psbt on that slot is refused while signing"
static bool is_free(struct action_call *call)
{
    if (!slot_is_busy(slot_of(call)))
        return true;
    frame_fail(call->c, "busy", "This PSBT is being signed now.");
    return false;
}

static bool may_load(struct action_call *call)
{
    const char *why = slot_why_not_load(call->b, call->c->session);
    if (why != NULL)
        frame_fail(call->c, "denied", "%s", why);
    return why == NULL && is_free(call);
}

static bool check_upload(struct action_call *call, struct bytes content, int64_t size,
                         struct bytes digest)
{
    uint8_t expected[32];
    const struct hash256 sha = codes_sha256(content);
    if (size < 0 || (uint64_t)size != content.len) {
        frame_fail(call->c, "bad_args", "truncated/padded in transit");
        return false;
    }
    if (!hex_decode(expected, sizeof expected, digest) ||
        memcmp(expected, sha.b, sizeof expected) != 0) {
        frame_fail(call->c, "bad_args", "corrupted in transit");
        return false;
    }
    return true;
}

static void run_upload(struct action_call *call)
{
    AUTO(arena_freep) struct arena *arena = arena_new(REVIEW_ARENA);
    int64_t size;
    struct bytes digest, text, psbt;
    struct err err;
    if (!call_integer(call, 0, &size) || !call_text(call, 1, &digest) ||
        !call_text(call, 2, &text) || !may_load(call))
        return;
    struct writer w = writer_growing(arena, text.len + 4);
    if (!base64_read(&w, text)) {
        (void)call_bad(call);
        return;
    }
    if (!check_upload(call, writer_bytes(&w), size, digest))
        return;
    if (!review_upload(&psbt, writer_bytes(&w), arena, &err)) {
        frame_fail(call->c, err.code == ERR_LIMIT ? "too_large" : "bad_args", "%s", err.text);
        return;
    }
    slot_load(slot_of(call), psbt);
    session_visitor(call->b, call->c->session)->warned = false;
    call_audit(call, "upload", "ok", (struct bytes){ 0 });
    clients_push_slot(call->b, slot_of(call), call->c);
}

static void run_clear(struct action_call *call)
{
    if (!may_load(call))
        return;
    slot_clear(slot_of(call));
    clients_push_slot(call->b, slot_of(call), call->c);
}

// --- Codes ---

static void run_set_name(struct action_call *call)
{
    struct slot *slot = slot_of(call);
    int64_t index;
    struct bytes name;
    if (!call_integer(call, 0, &index) || !call_text(call, 1, &name) || !is_free(call))
        return;
    if (index < 0 || (uint64_t)index >= slot->n_auth || slot->auth[index].has_name ||
        name.len > 16 || !bytes_is_printable_ascii(name)) {
        (void)call_bad(call);
        return;
    }
    (void)snprintf(slot->auth[index].name, SLOT_NAME_SIZE, "%.*s", BYTES_ARG(name));
    clients_push_slot(call->b, slot_of(call), call->c);
}

static void run_offer(struct action_call *call)
{
    struct slot *slot = slot_of(call);
    int64_t index, window;
    struct bytes code;
    bool adjusted = false;
    struct err err;
    if (!call_integer(call, 0, &index) || !call_window(call, 1, &window) ||
        !call_text(call, 2, &code) || !is_free(call))
        return;
    const char *why =
        index < 0 ? NULL : slot_why_not_offer(call->b, call->c->session, (size_t)index);
    if (why != NULL) {
        frame_fail(call->c, "denied", "%s", why);
        return;
    }
    if (index < 0 || !slot_offer(slot, (size_t)index, window, code, bunker_now_s(call->b),
                                 bunker_now_ms(call->b), &adjusted, &err)) {
        (void)call_bad(call);
        return;
    }
    slot->auth[index].by = call->c->session;
    (void)snprintf(slot->auth[index].by_name, SLOT_BY_SIZE, "%s", call->c->session->account);
    call_audit(call, "code_offered", adjusted ? "window adjusted" : "ok",
               bytes_of_text(slot->auth[index].name));
    clients_push_slot(call->b, slot_of(call), call->c);
}

// --- Jobs of a slot ---

struct slot_job {
    struct bunker *b;
    struct slot *slot;
    uint64_t client;
    unsigned serial; // of the slot's PSBT when it was made
    bool broadcast, download;
    int64_t begin_ms;
    char account[SESSION_ACCOUNT_SIZE];
    const char *listener;
};

// The device gives back the job; what it is a job of stands beside it.
struct signing {
    struct sign_job sign; // first: the device sees its base
    struct slot_job of;
};

static void release_slot(struct slot_job *of)
{
    of->slot->n_jobs--;
    if (of->slot->orphaned && of->slot->n_jobs == 0)
        slot_free(of->slot);
}

static void record(struct slot_job *of, const char *event, const char *outcome, struct bytes reason)
{
    char hash[65] = "";
    if (!of->slot->orphaned)
        (void)snprintf(hash, sizeof hash, "%s", of->slot->hash_text);
    const struct audit_event e = { .event = event,
                                   .account = of->account,
                                   .listener = of->listener,
                                   .psbt_hash = hash,
                                   .outcome = outcome,
                                   .reason = reason };
    if (!audit_add(&of->b->audit, bunker_now_s(of->b), &e))
        LOG(of->b->log, LOG_ERROR, "audit_failed", LOG_TEXT("event", event));
}

static void signing_drop(struct device_job *base)
{
    struct signing *s = (struct signing *)base;
    release_slot(&s->of);
    sign_job_free(&s->sign);
}

// For those who watch.
static void tell_feed(const struct slot_job *of, const struct sign_job *sign, enum feed_kind kind,
                      const char *text)
{
    AUTO(arena_freep) struct arena *arena = arena_new(REVIEW_ARENA);
    struct feed_event e = { .kind = kind };
    struct psbt psbt;
    struct err unimportant;
    (void)snprintf(e.account, sizeof e.account, "%s", of->account);
    feed_set_text(&e, text);
    e.has_paid =
        psbt_parse(&psbt, bytes_of(sign->psbt, sign->psbt_len), arena, &unimportant) &&
        review_paid(&e.paid, &e.n_destinations, &psbt, bytes_of_text(of->b->device->view.xfp));
    feed_add(of->b->feed, bunker_now_s(of->b), &e);
}

// --- Preview ---

static void preview_done(struct device_job *base)
{
    struct signing *s = (struct signing *)base;
    struct client *c = job_client(s->of.b, s->of.client);
    struct slot *slot = s->of.slot;
    const bool current = !slot->orphaned && slot->serial == s->of.serial;
    if (current) {
        slot->state = SLOT_LOADED;
        slot_set_preview(slot, base->ok ? bytes_of(s->sign.result, s->sign.result_len)
                                        : (struct bytes){ 0 });
    }
    if (c != NULL && !base->ok && s->sign.refused)
        frame_rejected(c, s->sign.refusal);
    else if (c != NULL && !base->ok)
        frame_device_error(c, &base->err);
    clients_push_slot(s->of.b, slot, c);
    signing_drop(base);
}

static struct signing *signing_new(struct bunker *b, struct client *c, struct slot *slot,
                                   const struct session *session)
{
    struct signing *s = calloc(1, sizeof *s);
    REQUIRE(s != NULL);
    s->sign.psbt = malloc(slot->psbt_len);
    REQUIRE(s->sign.psbt != NULL);
    memcpy(s->sign.psbt, slot->psbt, slot->psbt_len);
    s->sign.psbt_len = slot->psbt_len;
    s->sign.base.work = sign_work;
    s->sign.base.drop = signing_drop;
    s->sign.base.who = session;
    slot->n_jobs++;
    s->of = (struct slot_job){ .b = b,
                               .slot = slot,
                               .client = c != NULL ? c->id : 0,
                               .serial = slot->serial,
                               .begin_ms = bunker_now_ms(b),
                               .listener = session->listener->name };
    (void)snprintf(s->of.account, sizeof s->of.account, "%s", session->account);
    return s;
}

static void run_preview(struct action_call *call)
{
    struct slot *slot = slot_of(call);
    if (!is_free(call) || !call_has_device(call))
        return;
    if (slot->psbt == NULL) {
        frame_fail(call->c, "bad_args", "No PSBT is loaded.");
        return;
    }
    if (!call_begin_job(call))
        return;
    struct signing *s = signing_new(call->b, call->c, slot, call->c->session);
    session_visitor(call->b, call->c->session)->checked = slot->serial + 1;
    s->sign.preview = true;
    s->sign.base.done = preview_done;
    slot->state = SLOT_PREVIEWING;
    slot_set_preview(slot, BYTES("Wait..."));
    clients_push_slot(call->b, slot_of(call), call->c);
    device_submit(call->b->device, &s->sign.base);
}

// --- Submit ---

static void send_result(struct client *c, const struct slot *slot, bool dropped, bool download)
{
    AUTO(arena_freep) struct arena *arena = arena_new(FRAME_ARENA);
    const struct bytes result = bytes_of(slot->result, slot->result_len);
    struct writer w = writer_growing(arena, 2 * result.len + 8);
    char name[32] = "transaction.txt";
    frame_success(c, dropped
                         ? "Transaction signed.\n\nOther signatures are still missing, so it was "
                           "not finalized."
                         : "Transaction signed.");
    if (!download)
        return;
    if (slot->result_is_final)
        writer_hex(&w, result);
    else
        base64_write(&w, result);
    if (!slot->result_is_final)
        (void)snprintf(name, sizeof name, "signed-%s.psbt", slot->hash_text + 58);
    frame_download(c, writer_bytes(&w), name, true, !slot->result_is_final);
}

static void submit_failed(struct signing *s, struct client *c)
{
    struct slot *slot = s->of.slot;
    const struct err *err = &s->sign.base.err;
    const bool untouched = !s->sign.sent;
    slot->state = untouched ? SLOT_LOADED : s->sign.refused ? SLOT_REFUSED : SLOT_FAILED;
    if (!untouched)
        slot_forget_codes(slot); // "Errors before the signing step leave the codes in place"
    if (s->sign.refused)
        s->of.b->metrics.signed_refused++;
    else
        s->of.b->metrics.signed_failed++;
    record(&s->of, s->sign.refused ? "refused" : "sign_failed", "failed",
           bytes_of_text(s->sign.refused ? s->sign.refusal : err->text));
    tell_feed(&s->of, &s->sign, s->sign.refused ? FEED_REFUSED : FEED_FAILED,
              s->sign.refused ? s->sign.refusal : err->text);
    if (c != NULL && untouched && s->sign.leftovers && !slot->orphaned)
        session_visitor(s->of.b, c->session)->warned = true;
    if (c != NULL && s->sign.refused)
        frame_rejected(c, s->sign.refusal);
    else if (c != NULL)
        frame_device_error(c, err);
}

static void submit_done(struct device_job *base)
{
    struct signing *s = (struct signing *)base;
    struct bunker *b = s->of.b;
    struct client *c = job_client(b, s->of.client);
    struct slot *slot = s->of.slot;
    b->metrics.sign_ms += (uint64_t)(bunker_now_ms(b) - s->of.begin_ms);
    if (!base->ok) {
        submit_failed(s, c);
    } else {
        slot_forget_codes(slot);
        slot_set_result(slot, bytes_of(s->sign.result, s->sign.result_len),
                        s->sign.kind == RESULT_TRANSACTION, bunker_now_s(b));
        (void)snprintf(slot->txid, sizeof slot->txid, "%s", s->sign.txid);
        b->metrics.signed_ok++;
        record(&s->of, "approved", "ok", bytes_of_text(slot->txid));
        tell_feed(&s->of, &s->sign, FEED_APPROVED, "");
        if (c != NULL)
            send_result(c, slot, s->sign.finalize_dropped, s->of.download);
        if (s->of.broadcast && slot->result_is_final)
            signing_broadcast(b, c, slot);
    }
    clients_push_slot(b, slot, c);
    signing_drop(base);
}

void signing_start(struct bunker *b, struct client *c, struct session *session, bool broadcast,
                   bool finalize, bool download)
{
    struct slot *slot = session_slot(b, session);
    struct visitor *v = session_visitor(b, session);
    struct signing *s = signing_new(b, c, slot, session);
    for (size_t i = 0; i < slot->n_auth; i++)
        sign_job_add_code(&s->sign, &slot->auth[i], bytes_of_text(b->device->view.serial),
                          &slot->hash);
    s->sign.finalize = finalize;
    s->sign.accept_leftovers = v->warned;
    s->sign.base.done = submit_done;
    s->of.broadcast = broadcast;
    s->of.download = download;
    v->warned = false;
    slot->state = SLOT_QUEUED;
    clients_push_slot(b, slot, c);
    device_submit(b->device, &s->sign.base);
}

static void run_submit(struct action_call *call)
{
    const struct slot *slot = slot_of(call);
    struct bytes hash;
    bool broadcast, finalize, download;
    if (!call_text(call, 0, &hash) || !call_bool(call, 1, &broadcast) ||
        !call_bool(call, 2, &finalize) || !call_bool(call, 3, &download) || !is_free(call))
        return;
    if (slot->psbt == NULL || !bytes_equal_text(hash, slot->hash_text))
        frame_fail(call->c, "hash_mismatch", "hash mismatch");
    else if (broadcast && !finalize)
        frame_fail(call->c, "bad_args", "must finalize b4 send");
    else if (call_has_device(call) && call_confirms_limit(call) && call_begin_job(call)) {
        call_audit(call, "submit", "queued", (struct bytes){ 0 });
        signing_start(call->b, call->c, call->c->session, broadcast, finalize, download);
    }
}

// "the user can cancel waiting": for a person at a device that is not in HSM mode. One in HSM mode answers
// by itself, and may have charged the period already.
static void run_cancel(struct action_call *call)
{
    if (call->b->device->view.active) {
        frame_fail(call->c, "bad_args", "A device in HSM mode answers by itself.");
        return;
    }
    if (device_cancel_of(call->b->device, call->c->session) == 0) {
        frame_fail(call->c, "bad_args", "Nothing of yours is waited for.");
        return;
    }
    call_audit(call, "cancelled", "ok", (struct bytes){ 0 });
    clients_push_slot(call->b, NULL, call->c);
}

// --- Broadcasting ---

struct sending {
    struct broadcast_job job; // first
    struct bunker *b;
    uint64_t client;
    struct session *session; // compared only
    char hash[65];
};

static void broadcast_work(void *argument)
{
    broadcast_run(&((struct sending *)argument)->job);
}

// The slot may be gone, or hold another PSBT: then only the socket is told.
static struct slot *slot_sent(struct sending *s)
{
    struct session *session = NULL;
    while ((session = s->b->sessions.store->next(s->b->sessions.store, session)) != NULL)
        if (session == s->session && strcmp(session_slot(s->b, session)->hash_text, s->hash) == 0)
            return session_slot(s->b, session);
    return NULL;
}

static void broadcast_done(void *argument)
{
    struct sending *s = argument;
    struct client *c = job_client(s->b, s->client);
    struct slot *slot = slot_sent(s);
    if (s->job.ok)
        s->b->metrics.broadcasts_ok++;
    else
        s->b->metrics.broadcasts_failed++;
    char text[400];
    (void)snprintf(text, sizeof text, "Transaction broadcast %s%s",
                   s->job.ok ? "success: " : "FAILED: ", s->job.ok ? s->job.txid : s->job.reason);
    if (slot != NULL)
        (void)snprintf(slot->broadcast, sizeof slot->broadcast, "%.199s", text);
    const struct audit_event e = { .event = "broadcast",
                                   .psbt_hash = s->hash,
                                   .outcome = s->job.ok ? "ok" : "failed",
                                   .reason =
                                       bytes_of_text(s->job.ok ? s->job.txid : s->job.reason) };
    if (!audit_add(&s->b->audit, bunker_now_s(s->b), &e))
        LOG(s->b->log, LOG_ERROR, "audit_failed", LOG_TEXT("event", e.event));
    struct feed_event told = { .kind = s->job.ok ? FEED_BROADCAST : FEED_BROADCAST_FAILED };
    feed_set_text(&told, s->job.ok ? s->job.txid : s->job.reason);
    feed_add(s->b->feed, bunker_now_s(s->b), &told);
    if (c != NULL && s->job.ok)
        frame_success(c, text);
    else if (c != NULL)
        frame_fail(c, "broadcast_failed", "%s", text);
    clients_push_slot(s->b, slot, c);
    broadcast_job_wipe(&s->job);
    free(s);
}

void signing_broadcast(struct bunker *b, struct client *c, struct slot *slot)
{
    const struct json *chain = json_get(b->hsm, "chain");
    struct sending *s = calloc(1, sizeof *s);
    REQUIRE(s != NULL);
    s->b = b;
    s->client = c != NULL ? c->id : 0;
    s->session = c != NULL ? c->session : NULL;
    (void)snprintf(s->hash, sizeof s->hash, "%s", slot->hash_text);
    broadcast_job_init(&s->job, b->config, bytes_of(slot->result, slot->result_len), slot->txid,
                       chain != NULL && json_is_text(chain, "BTC"));
    if (c != NULL)
        c->n_jobs++;
    (void)snprintf(slot->broadcast, sizeof slot->broadcast, "Broadcasting...");
    if (!pool_submit(b->senders, (struct pool_job){ broadcast_work, broadcast_done, s }, 64)) {
        (void)snprintf(s->job.reason, sizeof s->job.reason, "too many broadcasts are waiting");
        broadcast_done(s);
    }
}

static void run_rebroadcast(struct action_call *call)
{
    struct slot *slot = slot_of(call);
    struct bytes hash;
    if (!call_text(call, 0, &hash))
        return;
    if (!bytes_equal_text(hash, slot->hash_text))
        frame_fail(call->c, "hash_mismatch", "hash mismatch");
    else if (slot->result == NULL || !slot->result_is_final)
        frame_fail(call->c, "bad_args", "There is no finalized transaction to broadcast.");
    else {
        signing_broadcast(call->b, call->c, slot);
        clients_push_slot(call->b, slot_of(call), call->c);
    }
}

const struct action signing_actions[] = {
    { "upload_psbt", 3, 3, ROLE_OPERATOR, run_upload },
    { "clear_psbt", 0, 0, ROLE_OPERATOR, run_clear },
    { "preview_psbt", 0, 0, ROLE_OPERATOR, run_preview },
    { "auth_set_name", 2, 2, ROLE_OPERATOR, run_set_name },
    { "auth_offer_guess", 3, 3, ROLE_OPERATOR, run_offer },
    { "submit_psbt", 4, 4, ROLE_OPERATOR, run_submit },
    { "rebroadcast", 1, 1, ROLE_OPERATOR, run_rebroadcast },
    { "cancel", 0, 0, ROLE_OPERATOR, run_cancel },
};
const size_t n_signing_actions = COUNT(signing_actions);
