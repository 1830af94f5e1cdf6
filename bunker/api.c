// Requests of programs, and the plain forms. Source: bunker.md 3.3.
#include "base/base64.h"
#include "base/hex.h"
#include "base/utf8.h"
#include "bunker/actions.h"
#include "bunker/advice.h"
#include "bunker/pages.h"
#include "bunker/policy_form.h"
#include "bunker/qr.h"
#include "bunker/simulate.h"
#include "http/form.h"

#define API_ARENA ((size_t)48 << 20)

void api_fail(struct page *p, unsigned status, const char *code, const char *text)
{
    struct writer w = writer_growing(p->arena, 65536);
    struct json_writer j = json_writer_of(&w);
    char clean[ERR_TEXT_MAX];
    (void)snprintf(clean, sizeof clean, "%s", text);
    utf8_clean((uint8_t *)clean, strlen(clean));
    json_begin_object(&j);
    json_key(&j, "error");
    json_text(&j, clean);
    json_key(&j, "code");
    json_text(&j, code);
    json_end_object(&j);
    page_json(p, status, writer_bytes(&w));
}

bool api_may(struct page *p, enum role role)
{
    if (p->session->role >= role)
        return true;
    api_fail(p, 403, "denied", "Not permitted for this account.");
    return false;
}

bool api_may_change(struct page *p, enum role role)
{
    if (!api_may(p, role))
        return false;
    if (login_is_ours(p, (struct bytes){ 0 }))
        return true;
    api_fail(p, 403, "denied", "The header X-Casemate is missing.");
    return false;
}

// --- Status, events, audit ---

static void send_status(struct page *p)
{
    struct writer w = writer_growing(p->arena, (size_t)16 << 20);
    struct json_writer j = json_writer_of(&w);
    j.ascii = true;
    status_write(&j, p->b, p->session, bunker_now_s(p->b));
    page_json(p, 200, writer_bytes(&w));
}

static void send_events(struct page *p)
{
    clients_add_stream(p->b, p->session, p->exchange);
}

static bool query_number(struct page *p, const char *name, uint64_t *out)
{
    struct bytes text;
    struct reader r;
    if (!http_form_get(p->request->query, name, &text, p->arena))
        return true;
    r = reader_of(text);
    if (reader_decimal64(&r, UINT32_MAX, out) && reader_done(&r))
        return true;
    char why[64];
    (void)snprintf(why, sizeof why, "%s: is no number", name);
    api_fail(p, 400, "bad_args", why);
    return false;
}

// What happened after event number `after`.
static void send_feed(struct page *p)
{
    struct writer w = writer_growing(p->arena, (size_t)4 << 20);
    struct json_writer j = json_writer_of(&w);
    uint64_t after = 0;
    if (!query_number(p, "after", &after))
        return;
    j.ascii = true;
    feed_write(&j, p->b->feed, after);
    page_json(p, 200, writer_bytes(&w));
}

// The records after number `after`, or the newest `last` ones.
static void send_audit(struct page *p)
{
    const uint64_t newest = p->b->audit.seq;
    uint64_t after = 0, last = 0;
    struct err err;
    if (!api_may(p, ROLE_ADMIN) || !query_number(p, "after", &after) ||
        !query_number(p, "last", &last))
        return;
    if (last > 0)
        after = newest > last ? newest - last : 0;
    AUTO(arena_freep) struct arena *arena = arena_new((size_t)80 << 20);
    struct writer w = writer_growing(arena, (size_t)8 << 20);
    if (audit_read(&p->b->audit, after, &w, &err))
        page_json(p, 200, writer_bytes(&w));
    else
        api_fail(p, 413, "too_large", err.text);
}

// --- PSBTs ---

static bool load(struct page *p, struct bytes file, struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(REVIEW_ARENA);
    struct slot *slot = session_slot(p->b, p->session);
    struct bytes psbt;
    const char *why = slot_why_not_load(p->b, p->session);
    if (why != NULL)
        return err_set(err, ERR_BUSY, "%s", why);
    if (slot_is_busy(slot))
        return err_set(err, ERR_BUSY, "This PSBT is being signed now.");
    if (!review_upload(&psbt, file, arena, err))
        return false;
    slot_load(slot, psbt);
    session_visitor(p->b, p->session)->warned = false;
    p->session->active_s = bunker_now_s(p->b);
    clients_push_slot(p->b, slot, NULL);
    return true;
}

static void post_psbt(struct page *p)
{
    struct err err;
    if (!api_may_change(p, ROLE_OPERATOR))
        return;
    if (!load(p, p->request->body, &err)) {
        api_fail(p,
                 err.code == ERR_BUSY    ? 409
                 : err.code == ERR_LIMIT ? 413
                                         : 400,
                 err.code == ERR_BUSY    ? "busy"
                 : err.code == ERR_LIMIT ? "too_large"
                                         : "bad_args",
                 err.text);
        return;
    }
    const struct slot *slot = session_slot(p->b, p->session);
    struct writer w = writer_growing(p->arena, 4096);
    struct json_writer j = json_writer_of(&w);
    json_begin_object(&j);
    json_key(&j, "psbt_hash");
    json_text(&j, slot->hash_text);
    json_key(&j, "psbt_size");
    json_u64(&j, slot->psbt_len);
    json_key(&j, "slot");
    json_text(&j, slot->id);
    json_end_object(&j);
    page_json(p, 200, writer_bytes(&w));
}

// "/api/psbt/<hash>/<what>" of the session's slot.
static bool takes_slot(struct page *p, const char *what)
{
    struct reader r = reader_of(p->request->path);
    struct bytes hash;
    const struct slot *slot = session_slot(p->b, p->session);
    return p->request->method != HTTP_POST && reader_accept_bytes(&r, BYTES("/api/psbt/")) &&
           reader_until(&r, '/', &hash) && slot->psbt != NULL &&
           bytes_equal_text(hash, slot->hash_text) && bytes_equal_text(reader_rest(&r), what);
}

static void send_result(struct page *p)
{
    AUTO(arena_freep) struct arena *arena = arena_new(API_ARENA);
    const struct slot *slot = session_slot(p->b, p->session);
    const struct bytes result = bytes_of(slot->result, slot->result_len);
    struct writer w = writer_growing(arena, 2 * result.len + 8);
    struct bytes format;
    char disposition[96];
    if (!api_may(p, ROLE_OPERATOR))
        return;
    if (slot->result == NULL) {
        page_status(p, 404);
        return;
    }
    (void)http_form_get(p->request->query, "format", &format, p->arena);
    struct http_reply reply = { .status = 200, .type = "application/octet-stream", .body = result };
    if (bytes_equal_text(format, "hex"))
        writer_hex(&w, result);
    else if (bytes_equal_text(format, "base64"))
        base64_write(&w, result);
    if (w.len > 0) {
        reply.type = "text/plain";
        reply.body = writer_bytes(&w);
    }
    (void)snprintf(disposition, sizeof disposition, "attachment; filename=\"%s-%s.%s\"",
                   slot->result_is_final ? "transaction" : "signed", slot->hash_text + 58,
                   slot->result_is_final ? "txn" : "psbt");
    http_reply_add(&reply, "content-disposition", bytes_of_text(disposition));
    page_reply(p, &reply);
}

// The bunker's own reading, for the picture.
static void send_review(struct page *p)
{
    AUTO(arena_freep) struct arena *arena = arena_new(REVIEW_ARENA);
    const struct slot *slot = session_slot(p->b, p->session);
    struct writer w = writer_growing(arena, (size_t)32 << 20);
    struct json_writer j = json_writer_of(&w);
    struct psbt psbt;
    struct bytes body;
    struct err err;
    if (!psbt_parse(&psbt, bytes_of(slot->psbt, slot->psbt_len), arena, &err)) {
        api_fail(p, 500, "internal", "The PSBT cannot be read.");
        return;
    }
    if (psbt.n_in + psbt.n_out >
        REVIEW_ROWS_MAX) { // one session's picture keeps the loop from all others
        api_fail(p, 413, "too_large", "The PSBT is too large for a picture.");
        return;
    }
    j.ascii = true;
    review_write(&j, &psbt, bytes_of_text(p->b->device->view.xfp), bunker_chain(p->b), arena);
    if (writer_finish(&w, &body))
        page_json(p, 200, body);
    else
        api_fail(p, 413, "too_large", "The PSBT is too large for a picture.");
}

// --- Advice: policy/'s own code, as a forecast ---

static void send_advice(struct page *p, struct writer *w, bool ok, const struct err *err)
{
    struct bytes body;
    if (!ok) // an answer as good as any: what was asked about is not sound
        api_fail(p, 200, "bad_args", err->text);
    else if (writer_finish(w, &body))
        page_json(p, 200, body);
    else
        api_fail(p, 413, "too_large", "The answer is too large.");
}

// The copy of the policy that was installed through this bunker, as the editor's form.
static void send_policy(struct page *p)
{
    AUTO(arena_freep) struct arena *arena = arena_new(API_ARENA);
    const struct settings *s = &p->b->settings;
    struct writer w = writer_growing(arena, POLICY_FORM_MAX);
    const struct json *policy;
    struct bytes form;
    struct err err;
    if (s->policy == NULL)
        api_fail(p, 200, "not_found", "The bunker has no copy of the device's policy.");
    else if (!json_parse(&policy, bytes_of(s->policy, s->policy_len), arena, &err) ||
             !policy_form_cook(&w, policy, arena, &err) || !writer_finish(&w, &form))
        api_fail(p, 500, "internal", "The copy of the policy cannot be read.");
    else
        page_json(p, 200, form);
}

// The body is the editor's form.
static void post_policy(struct page *p)
{
    AUTO(arena_freep) struct arena *arena = arena_new(ADVICE_ARENA);
    struct writer form = writer_growing(arena, POLICY_FORM_MAX),
                  w = writer_growing(arena, API_ARENA);
    struct json_writer j = json_writer_of(&w);
    struct err err;
    if (!api_may_change(p, ROLE_VIEWER))
        return;
    j.ascii = true;
    const bool ok = policy_form_clean(&form, p->request->body, NULL, arena, &err) &&
                    advice_on_policy(&j, writer_bytes(&form), bunker_chain(p->b), arena, &err);
    send_advice(p, &w, ok, &err);
}

// The body is what simulate_write is asked.
static void post_simulate(struct page *p)
{
    AUTO(arena_freep) struct arena *arena = arena_new(ADVICE_ARENA);
    struct writer w = writer_growing(arena, API_ARENA);
    struct json_writer j = json_writer_of(&w);
    const struct json *body;
    struct err err;
    if (!api_may_change(p, ROLE_VIEWER))
        return;
    j.ascii = true;
    const bool ok = json_parse(&body, p->request->body, arena, &err) &&
                    simulate_write(&j, p->b, p->session, body, arena, &err);
    send_advice(p, &w, ok, &err);
}

// "?text=": an address, a transaction id. Secrets come as modules in frames, never in a URL.
static void send_qr(struct page *p)
{
    AUTO(arena_freep) struct arena *arena = arena_new((size_t)4 << 20);
    char text[QR_TEXT_MAX + 1];
    struct writer w = writer_growing(arena, (size_t)2 << 20);
    struct bytes asked, svg;
    const bool fits =
        http_form_get(p->request->query, "text", &asked, p->arena) && asked.len < sizeof text;
    if (fits)
        (void)snprintf(text, sizeof text, "%.*s", BYTES_ARG(asked));
    if (!fits || !qr_svg(&w, text) || !writer_finish(&w, &svg)) {
        api_fail(p, 400, "bad_args", "text: is absent or too long");
        return;
    }
    page_reply(p, &(struct http_reply){ .status = 200, .type = "image/svg+xml", .body = svg });
}

static const struct {
    enum http_method method;
    const char *path;
    void (*run)(struct page *p);
} rows[] = {
    { HTTP_GET, "/api/status", send_status },
    { HTTP_GET, "/api/events", send_events },
    { HTTP_GET, "/api/audit", send_audit },
    { HTTP_GET, "/api/feed", send_feed },
    { HTTP_GET, "/api/qr", send_qr },
    { HTTP_GET, "/api/policy", send_policy },
    { HTTP_POST, "/api/psbt", post_psbt },
    { HTTP_POST, "/api/policy", post_policy },
    { HTTP_POST, "/api/simulate", post_simulate },
    { HTTP_POST, "/api/trial", api_post_trial },
};

bool api_request(struct page *p)
{
    for (size_t i = 0; i < COUNT(rows); i++)
        if (rows[i].method == p->request->method &&
            bytes_equal_text(p->request->path, rows[i].path)) {
            rows[i].run(p);
            return true;
        }
    if (takes_slot(p, "result"))
        send_result(p);
    else if (takes_slot(p, "review"))
        send_review(p);
    else if (takes_slot(p, "codes"))
        api_send_codes(p);
    else
        return false;
    return true;
}

// --- The plain forms (19.5) ---

static bool form_is_ours(struct page *p, struct bytes csrf)
{
    if (p->session->role >= ROLE_OPERATOR && ct_equal(csrf, bytes_of_text(p->session->csrf)))
        return true;
    page_status(p, 403);
    return false;
}

void api_form_psbt(struct page *p)
{
    struct http_parts parts;
    struct err err;
    if (!http_parts_read(&parts, p->request->content_type, p->request->body, &err)) {
        page_status(p, 400);
        return;
    }
    const struct http_part *csrf = http_parts_find(&parts, "csrf");
    const struct http_part *file = http_parts_find(&parts, "psbt");
    if (!form_is_ours(p, csrf != NULL ? csrf->content : (struct bytes){ 0 }))
        return;
    if (file == NULL || !load(p, file->content, &err)) {
        page_reply(
            p, &(struct http_reply){ .status = 400,
                                     .type = "text/plain; charset=utf-8",
                                     .body = bytes_of_text(file == NULL ? "No file." : err.text) });
        return;
    }
    page_redirect(p, 303, BYTES("/"));
}

void api_form_submit(struct page *p)
{
    struct slot *slot = session_slot(p->b, p->session);
    struct bytes csrf, hash, code, finalize;
    char name[32];
    bool adjusted;
    struct err err;
    (void)http_form_get(p->request->body, "csrf", &csrf, p->arena);
    (void)http_form_get(p->request->body, "hash", &hash, p->arena);
    if (!form_is_ours(p, csrf))
        return;
    if (slot->psbt == NULL || slot_is_busy(slot) || !bytes_equal_text(hash, slot->hash_text) ||
        p->b->device->view.serial[0] == '\0' || p->b->other_device ||
        p->b->device->view.refusals > REFUSALS_TO_CONFIRM) { // which this form cannot ask about
        page_status(p, 409);
        return;
    }
    for (size_t i = 0; i < slot->n_auth; i++) {
        (void)snprintf(name, sizeof name, "code%zu", i);
        if (!http_form_get(p->request->body, name, &code, p->arena) || code.len == 0)
            continue;
        if (slot_why_not_offer(p->b, p->session, i) != NULL ||
            !slot_offer(slot, i, 0, code, bunker_now_s(p->b), bunker_now_ms(p->b), &adjusted,
                        &err)) {
            page_status(p, 400);
            return;
        }
    }
    signing_start(p->b, NULL, p->session, false,
                  http_form_get(p->request->body, "finalize", &finalize, p->arena), false);
    page_redirect(p, 303, BYTES("/"));
}

// --- Metrics ---

static void put_counter(struct writer *w, const char *name, const char *label, uint64_t value)
{
    writer_printf(w, "casemate_bunker_%s%s %llu\n", name, label, (unsigned long long)value);
}

static void put_seconds(struct writer *w, const char *kind, uint64_t ms)
{
    writer_printf(w, "casemate_bunker_job_seconds{kind=\"%s\"} %llu.%03llu\n", kind,
                  (unsigned long long)(ms / 1000), (unsigned long long)(ms % 1000));
}

static size_t count_sessions(struct session_store *store)
{
    size_t n = 0;
    for (struct session *s = NULL; (s = store->next(store, s)) != NULL;)
        n += s->logged_in;
    return n;
}

void api_metrics(struct page *p)
{
    struct bunker *b = p->b;
    const struct metrics *m = &b->metrics;
    struct writer w = writer_growing(p->arena, 65536);
    char label[96];
    (void)snprintf(label, sizeof label, "{state=\"%s\"}", device_state_name(b->device->view.state));
    put_counter(&w, "device_state", label, 1);
    put_counter(&w, "device_age_seconds", "",
                (uint64_t)(bunker_now_ms(b) - b->device->seen_ms) / 1000);
    put_counter(&w, "approvals", "", b->device->view.approvals);
    put_counter(&w, "refusals", "", b->device->view.refusals);
    for (size_t i = 0; i < b->spending.n_rules; i++) {
        const struct gauge *g = &b->spending.rules[i];
        (void)snprintf(label, sizeof label, "{rule=\"%zu\"}", g->rule);
        if (g->has_cap)
            put_counter(&w, "spent_sat", label, g->spent.n);
        if (g->has_cap)
            put_counter(&w, "cap_sat", label, g->cap.n);
    }
    put_counter(&w, "sockets", "", http_server_sockets(b->server));
    put_counter(&w, "sessions", "", count_sessions(b->sessions.store));
    put_seconds(&w, "sign", m->sign_ms);
    put_seconds(&w, "message", m->message_ms);
    put_counter(&w, "logins_total", "{result=\"ok\"}", m->logins_ok);
    put_counter(&w, "logins_total", "{result=\"failed\"}", m->logins_failed);
    put_counter(&w, "logins_total", "{result=\"throttled\"}", m->logins_throttled);
    put_counter(&w, "jobs_total", "{kind=\"sign\",result=\"ok\"}", m->signed_ok);
    put_counter(&w, "jobs_total", "{kind=\"sign\",result=\"refused\"}", m->signed_refused);
    put_counter(&w, "jobs_total", "{kind=\"sign\",result=\"failed\"}", m->signed_failed);
    put_counter(&w, "jobs_total", "{kind=\"message\",result=\"ok\"}", m->messages_ok);
    put_counter(&w, "jobs_total", "{kind=\"message\",result=\"failed\"}", m->messages_failed);
    put_counter(&w, "broadcasts_total", "{result=\"ok\"}", m->broadcasts_ok);
    put_counter(&w, "broadcasts_total", "{result=\"failed\"}", m->broadcasts_failed);
    put_counter(&w, "build_info", "{version=\"" CASEMATE_VERSION "\"}", 1);
    page_reply(p, &(struct http_reply){ .status = 200,
                                        .type = "text/plain; version=0.0.4",
                                        .body = writer_bytes(&w) });
}
