// The pages at /ui/, and signing in. Source: coordinator.md A12, D14 "Dashboard", D15.
#include "coordinator/api_handlers.h"
#include "coordinator/metrics.h"
#include "coordinator/nostr.h"
#include "http/form.h"

#define COOKIE_SESSION "ms_session"
#define COOKIE_PRE     "ms_pre"

// --- Files ---

static bool send_asset(struct call *c, struct bytes path)
{
    const struct asset *asset = asset_find(c->api->assets, path);
    const struct bytes version = call_parameter(c, "v");
    const bool is_page = asset != NULL && strstr(asset->path, ".html") != NULL;
    if (asset == NULL) {
        c->reply = (struct http_reply){ .status = 404 };
        return true;
    }
    const bool versioned = bytes_equal_text(version, asset->tag);
    c->reply = (struct http_reply){ .status = 200,
                                    .type = asset->type,
                                    .body = asset->content,
                                    .caching = is_page     ? CACHE_NO_STORE
                                               : versioned ? CACHE_IMMUTABLE
                                                           : CACHE_REVALIDATE };
    return true;
}

static bool get_login(struct call *c, struct err *err)
{
    (void)err;
    return send_asset(c, BYTES("coordinator/login.html"));
}

// /ui/static/coordinator/app.js: pages are not among them.
static bool get_file(struct call *c, struct err *err)
{
    struct writer w = writer_growing(c->arena, 300);
    (void)err;
    writer_printf(&w, "%.*s/%.*s", BYTES_ARG(c->segments[0]), BYTES_ARG(c->segments[1]));
    const struct bytes path = writer_bytes(&w);
    if (memmem(path.ptr, path.len, ".html", 5) != NULL) {
        c->reply = (struct http_reply){ .status = 404 };
        return true;
    }
    return send_asset(c, path);
}

static void redirect(struct call *c, const char *to)
{
    c->reply = (struct http_reply){ .status = 303 };
    http_reply_add(&c->reply, "location", bytes_of_text(to));
}

// Its links are relative: without the slash they would lead elsewhere.
static bool get_ui(struct call *c, struct err *err)
{
    (void)err;
    if (bytes_equal_text(c->request->path, "/ui/"))
        return send_asset(c, BYTES("coordinator/app.html"));
    redirect(c, "/ui/");
    return true;
}

// --- Sessions ---

static int64_t session_life_us(const struct call *c)
{
    return c->api->config->compat_demo ? AUTH_SESSION_DEMO_US : AUTH_SESSION_US;
}

// Starts a session for that principal, and sets the cookie.
static bool start_session(struct call *c, const char *principal_id, struct err *err)
{
    char id[AUTH_SECRET_SIZE];
    const struct actor actor = { principal_id, c->request->listener->name };
    const int64_t life_us = session_life_us(c);
    if (!auth_session_start(c->db, id, &c->caller.session, &actor, principal_id, life_us, err))
        return false;
    atomic_fetch_add(&c->api->counters.logins, 1);
    call_cookie(c, COOKIE_SESSION, id, life_us / 1000000);
    wipe(id, sizeof id);
    return true;
}

// Keys and tokens cannot be guessed, but trying costs us work: once attempts fail, so many of everybody's are
// looked at in a second. Nobody's failures make another wait longer than that.
static bool may_try(struct call *c, struct err *err)
{
    struct api *api = c->api;
    int64_t wait_ms = 0;
    (void)pthread_mutex_lock(&api->lock);
    if (api->throttle.recent > 0)
        wait_ms = throttle_wait_ms(&api->throttle, BYTES("sign-in"),
                                   api->clock->monotonic_ms(api->clock));
    (void)pthread_mutex_unlock(&api->lock);
    return wait_ms == 0 || code_fail(err, CODE_RATE_LIMITED, "too many attempts; try again later");
}

static void failed(struct call *c)
{
    struct api *api = c->api;
    (void)pthread_mutex_lock(&api->lock);
    throttle_failed(&api->throttle, BYTES("failed"), api->clock->monotonic_ms(api->clock));
    (void)pthread_mutex_unlock(&api->lock);
    atomic_fetch_add(&api->counters.logins_failed, 1);
}

// A bearer token, typed once; or the client certificate, shown already.
static bool login(struct call *c, struct err *err)
{
    struct bytes token;
    char principal_id[ID_SIZE];
    unsigned scopes;
    bool found = false;
    if (!http_form_get(c->request->body, "token", &token, c->arena) || token.len == 0) {
        if (c->caller.kind != CALLER_CERTIFICATE)
            return code_fail(err, CODE_UNAUTHENTICATED, "the token is missing");
        return start_session(c, c->caller.person.id, err);
    }
    if (!may_try(c, err) ||
        !auth_token_find(c->db, bytes_trim(token), principal_id, &scopes, &found, err))
        return false;
    if (!found)
        failed(c);
    // A session has all of its principal's rights: a token of fewer would gain some.
    if (found && scopes != ROLES_ALL)
        return code_fail(err, CODE_FORBIDDEN, "this token is for programs");
    return found ? start_session(c, principal_id, err)
                 : code_fail(err, CODE_UNAUTHENTICATED, "the token is not valid");
}

static bool post_login(struct call *c, struct err *err)
{
    const struct bytes site = c->request->sec_fetch_site;
    // Nobody is to be signed in as somebody else by another site's page.
    if (site.len > 0 && !bytes_equal_text(site, "same-origin"))
        return code_fail(err, CODE_FORBIDDEN, "the request comes from another site");
    if (login(c, err)) {
        redirect(c, "/ui/");
        return true;
    }
    if (code_of(err) == CODE_LEDGER_UNAVAILABLE)
        return false;
    redirect(c, code_of(err) == CODE_RATE_LIMITED ? "/ui/login?e=wait"
                : code_of(err) == CODE_FORBIDDEN  ? "/ui/login?e=program"
                                                  : "/ui/login?e=wrong");
    return true;
}

static bool end_session(struct call *c, struct err *err)
{
    if (c->caller.kind == CALLER_SESSION &&
        !auth_session_end(c->db, &c->caller.session, &c->actor, err))
        return false;
    call_cookie(c, COOKIE_SESSION, "", 0);
    return true;
}

static bool post_ui_logout(struct call *c, struct err *err)
{
    if (!end_session(c, err))
        return false;
    redirect(c, "/ui/login");
    return true;
}

// --- The seed's routes for it ---

static void send_ok(struct call *c)
{
    struct writer w;
    struct json_writer j = call_json(c, &w);
    json_begin_object(&j);
    json_key(&j, "ok");
    json_bool(&j, true);
    json_end_object(&j);
    call_reply(c, 200, &w);
}

bool pages_logout(struct call *c, struct err *err)
{
    if (!end_session(c, err))
        return false;
    send_ok(c);
    return true;
}

// {"user", "pubkey"} of a Nostr principal; the uid of others is their subject.
static void write_user(struct json_writer *j, const struct person *p)
{
    char uid[NOSTR_UID_SIZE], pubkey[65] = "";
    const bool nostr = p != NULL && strncmp(p->subject, "nostr:", 6) == 0;
    json_key(j, "user");
    if (nostr) {
        (void)snprintf(pubkey, sizeof pubkey, "%s", p->subject + 6);
        nostr_uid(uid, pubkey);
        json_text(j, uid);
    } else if (p != NULL) {
        json_text(j, p->subject);
    } else {
        json_null(j);
    }
    json_key(j, "pubkey");
    if (nostr)
        json_text(j, pubkey);
    else
        json_null(j);
}

bool pages_me(struct call *c, struct err *err)
{
    struct writer w;
    struct json_writer j = call_json(c, &w);
    (void)err;
    json_begin_object(&j);
    write_user(&j, api_person(c));
    if (c->caller.kind == CALLER_SESSION) {
        json_key(&j, "csrf");
        json_text(&j, c->caller.session.csrf);
    }
    json_end_object(&j);
    call_reply(c, 200, &w);
    return true;
}

bool pages_challenge(struct call *c, struct err *err)
{
    char challenge[AUTH_CHALLENGE_SIZE], pre[AUTH_SECRET_SIZE] = "";
    struct bytes cookie;
    struct writer w;
    struct json_writer j = call_json(c, &w);
    if (http_cookie_get(c->request->cookie, COOKIE_PRE, &cookie) &&
        cookie.len == AUTH_SECRET_SIZE - 1 && bytes_is_printable_ascii(cookie))
        (void)snprintf(pre, sizeof pre, "%.*s", BYTES_ARG(cookie));
    if (!auth_challenge(c->db, challenge, pre, err))
        return false;
    call_cookie(c, COOKIE_PRE, pre, AUTH_CHALLENGE_US / 1000000);
    json_begin_object(&j);
    json_key(&j, "challenge");
    json_text(&j, challenge);
    json_end_object(&j);
    call_reply(c, 200, &w);
    return true;
}

// The seed's own words, with its statuses: 400 for what cannot be read, 401 for what is not believed.
static bool refuse_event(struct call *c, unsigned status, const char *text)
{
    struct writer w;
    struct json_writer j = call_json(c, &w);
    json_begin_object(&j);
    json_key(&j, "error");
    json_text(&j, text);
    json_key(&j, "code");
    json_text(&j, code_name(status == 400 ? CODE_BAD_REQUEST : CODE_UNAUTHENTICATED));
    json_end_object(&j);
    call_reply(c, status, &w);
    failed(c);
    return true;
}

static bool check_event(struct call *c, struct nostr_event *event, struct bytes *challenge,
                        struct err *err)
{
    char origin[300];
    const struct http_request *r = c->request;
    // Behind a proxy that speaks TLS our own scheme is not the browser's: either is ours.
    const char *scheme =
        bytes_starts_with(nostr_tag(event, "u"), BYTES("https://")) ? "https" : "http";
    if (r->listener->tls_cert != NULL || !r->listener->loopback)
        scheme = "https";
    (void)snprintf(origin, sizeof origin, "%s://%.*s", scheme, BYTES_ARG(r->host));
    const struct nostr_want want = { .origin = origin,
                                     .now_s = call_now_us(c) / 1000000,
                                     .loose = c->api->config->compat_demo };
    return nostr_event_check(event, &want, challenge, err);
}

static bool admit(struct call *c, const struct nostr_event *event, struct bytes challenge,
                  struct err *err)
{
    char subject[PEOPLE_SUBJECT_MAX];
    struct bytes pre = { 0 };
    (void)http_cookie_get(c->request->cookie, COOKIE_PRE, &pre);
    // Taken even where nobody is enrolled under the key: a challenge is for one attempt.
    if (!auth_challenge_take(c->db, challenge, pre, c->api->config->compat_demo, err))
        return false;
    (void)snprintf(subject, sizeof subject, "nostr:%s", event->pubkey_text);
    if (!people_find(c->db, &c->caller.person, subject, c->arena, err))
        return code_of(err) == CODE_NOT_FOUND &&
               code_fail(err, CODE_UNAUTHENTICATED, "this key is not enrolled");
    if (c->caller.person.disabled)
        return code_fail(err, CODE_UNAUTHENTICATED, "this key is not enrolled");
    c->caller.kind = CALLER_SESSION;
    return start_session(c, c->caller.person.id, err);
}

bool pages_verify(struct call *c, struct err *err)
{
    struct nostr_event event;
    struct bytes challenge;
    struct err why;
    if (!may_try(c, err))
        return false;
    if (!nostr_event_read(&event, c->request->body, c->arena, &why))
        return refuse_event(c, 400, why.text);
    if (!nostr_event_verify(&event, c->arena, &why) || !check_event(c, &event, &challenge, &why)) {
        return refuse_event(c, 401, why.text);
    }
    if (!admit(c, &event, challenge, &why)) {
        if (code_of(&why) == CODE_UNAUTHENTICATED)
            return refuse_event(c, 401, why.text);
        *err = why;
        return false;
    }
    struct writer w;
    struct json_writer j = call_json(c, &w);
    json_begin_object(&j);
    write_user(&j, &c->caller.person);
    json_end_object(&j);
    call_reply(c, 200, &w);
    return true;
}

// --- Metrics ---

bool api_metrics(struct call *c, struct err *err)
{
    struct writer w = writer_growing(c->arena, (size_t)8 << 20);
    struct db *db;
    const bool open = api_take_db(c->api, &db, err);
    const struct metrics_sources sources = { .db = open ? db : NULL,
                                             .treasury = c->api->treasury,
                                             .fleet = c->api->fleet,
                                             .board = c->api->board,
                                             .clock = c->api->clock };
    metrics_write(&w, &sources, c->arena);
    api_give_db(c->api, open ? db : NULL);
    c->reply = (struct http_reply){ .status = 200,
                                    .type = "text/plain; version=0.0.4; charset=utf-8",
                                    .body = writer_bytes(&w) };
    return true;
}

#define FILES (ROUTE_PUBLIC | ROUTE_NO_LEDGER)

const struct route page_routes[] = {
    { HTTP_GET, "/ui", 0, FILES, get_ui },
    { HTTP_GET, "/ui/login", 0, FILES, get_login },
    { HTTP_POST, "/ui/login", 0, ROUTE_PUBLIC, post_login },
    { HTTP_POST, "/ui/logout", 0, ROUTE_PUBLIC | ROUTE_CHANGES, post_ui_logout },
    { HTTP_GET, "/ui/static/*/*", 0, FILES, get_file },
    { HTTP_GET, "/static/*/*", 0, FILES, get_file },
};
const size_t n_page_routes = COUNT(page_routes);
