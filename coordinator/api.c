#include "coordinator/api.h"
#include "base/require.h"
#include "base/utf8.h"
#include "http/form.h"

#define COOKIE_NAME "ms_session"

// --- Connections to the ledger ---

void api_init(struct api *api)
{
    REQUIRE(pthread_mutex_init(&api->lock, NULL) == 0 &&
            pthread_mutex_init(&api->limits, NULL) == 0);
}

void api_wipe(struct api *api)
{
    while (api->n_idle > 0)
        db_close(&api->idle[--api->n_idle]);
    (void)pthread_mutex_destroy(&api->lock);
    (void)pthread_mutex_destroy(&api->limits);
}

static void lock(struct api *api)
{
    REQUIRE(pthread_mutex_lock(&api->lock) == 0);
}

static void unlock(struct api *api)
{
    REQUIRE(pthread_mutex_unlock(&api->lock) == 0);
}

bool api_take_db(struct api *api, struct db **out, struct err *err)
{
    *out = NULL;
    lock(api);
    if (api->n_idle > 0)
        *out = api->idle[--api->n_idle];
    unlock(api);
    return *out != NULL || db_open(out, api->store, err);
}

void api_give_db(struct api *api, struct db *db)
{
    if (db == NULL)
        return;
    db_rollback(db); // of a handler that failed
    lock(api);
    if (api->n_idle < API_CONNECTIONS) {
        api->idle[api->n_idle++] = db;
        db = NULL;
    }
    unlock(api);
    if (db != NULL)
        db_close(&db);
}

// --- Replies ---

int64_t call_now_us(const struct call *c)
{
    return c->api->clock->wall_s(c->api->clock) * 1000000;
}

struct json_writer call_json(struct call *c, struct writer *w)
{
    *w = writer_growing(c->arena, (size_t)32 << 20);
    struct json_writer j = json_writer_of(w);
    j.ascii = c->seed;
    return j;
}

void call_reply(struct call *c, unsigned status, const struct writer *w)
{
    struct bytes body;
    // A list that outgrew its bound: nothing half is sent.
    const bool whole = writer_finish(w, &body);
    c->reply.status = whole ? status : 500;
    c->reply.type = "application/json";
    c->reply.body = whole ? body : BYTES("{\"code\": \"internal\"}");
    c->reply.caching = c->seed ? CACHE_REVALIDATE : CACHE_NO_STORE;
}

void call_cookie(struct call *c, const char *name, const char *value, int64_t max_age_s)
{
    // "Secure" where the browser would send it back: the seed stands behind a proxy that speaks TLS.
    const bool secure = c->request->listener->tls_cert != NULL || !c->request->listener->loopback;
    (void)snprintf(c->cookie, sizeof c->cookie,
                   "%s=%s; Path=/; Max-Age=%lld; HttpOnly; %sSameSite=Lax", name, value,
                   (long long)max_age_s, secure ? "Secure; " : "");
}

static void write_error(struct call *c, const struct err *err)
{
    struct writer w;
    struct json_writer j = call_json(c, &w);
    const enum code code = code_of(err);
    const char *text = code == CODE_INTERNAL             ? "internal error"
                       : code == CODE_LEDGER_UNAVAILABLE ? "the ledger cannot be used now"
                       : code == CODE_NODE_UNAVAILABLE   ? "the node does not answer"
                                                         : err->text;
    json_begin_object(&j);
    if (c->seed) {
        json_key(&j, "error");
        json_string(&j, utf8_cut(bytes_of_text(text), 120));
    }
    json_key(&j, "code");
    json_text(&j, code_name(code));
    if (!c->seed) {
        json_key(&j, "message");
        json_text(&j, text);
    }
    json_key(&j, "request_id");
    json_text(&j, c->id);
    if (c->spend_id[0] != '\0') {
        json_key(&j, "spend_id");
        json_text(&j, c->spend_id);
    }
    json_end_object(&j);
    call_reply(c, code_http_status(code), &w);
}

// The one place where a failed request is logged; details stay here.
static void fail(struct call *c, const struct route *route, const struct err *err)
{
    const enum code code = code_of(err);
    const bool ours = code_http_status(code) >= 500;
    struct writer w = writer_growing(c->arena, 65536);
    atomic_fetch_add(ours ? &c->api->counters.failed : &c->api->counters.refused, 1);
    LOG(c->api->log, ours ? LOG_ERROR : LOG_INFO, "request_failed", LOG_TEXT("component", "api"),
        LOG_TEXT("request", c->id), LOG_TEXT("route", route != NULL ? route->path : "none"),
        LOG_TEXT("code", code_name(code)), LOG_TEXT("actor", c->actor.id),
        LOG_TEXT("spend", c->spend_id), LOG_TEXT("error", ours ? err->text : ""),
        LOG_TEXT("detail", ours ? err->detail : ""));
    if (route == NULL || (route->flags & (unsigned)ROUTE_STREAM) == 0 || code == CODE_NOT_FOUND) {
        write_error(c, err);
        return;
    }
    // "A missing session on an SSE route is a `log` frame of class `y` and `end`, not an HTTP error."
    frame_log(&w, ours ? "e" : "y", "%.200s", ours ? code_name(code) : err->text);
    frame_end(&w, false, (struct bytes){ 0 }, code_name(code));
    c->plan = (struct stream_plan){ .kind = STREAM_TEXT, .text = writer_bytes(&w) };
}

// --- Who asks ---

static bool load_caller(struct call *c, const char *principal_id, struct err *err)
{
    if (!people_load(c->db, &c->caller.person, principal_id, c->arena, err))
        return false;
    if (c->caller.person.disabled)
        return code_fail(err, CODE_UNAUTHENTICATED, "sign in required");
    c->actor.id = c->caller.person.id;
    return true;
}

static bool by_session(struct call *c, struct err *err)
{
    struct bytes id;
    bool found = false;
    if (!http_cookie_get(c->request->cookie, COOKIE_NAME, &id))
        return true;
    if (!auth_session_find(c->db, id, &c->caller.session, &found, err))
        return false;
    if (!found)
        return true;
    if (!load_caller(c, c->caller.session.principal_id, err))
        return code_of(err) == CODE_UNAUTHENTICATED;
    c->caller.kind = CALLER_SESSION;
    c->caller.scopes = ROLES_ALL;
    return true;
}

static bool by_token(struct call *c, struct err *err)
{
    struct reader r = reader_of(c->request->authorization);
    char principal_id[ID_SIZE];
    bool found = false;
    if (!reader_accept_bytes(&r, BYTES("Bearer ")))
        return true;
    if (!auth_token_find(c->db, bytes_trim(reader_rest(&r)), principal_id, &c->caller.scopes,
                         &found, err))
        return false;
    if (!found) // who shows a token that is none is told so
        return code_fail(err, CODE_UNAUTHENTICATED, "the token is not valid");
    c->caller.kind = CALLER_TOKEN;
    return load_caller(c, principal_id, err);
}

static bool by_certificate(struct call *c, struct err *err)
{
    char subject[PEOPLE_SUBJECT_MAX];
    struct err unknown;
    if (c->request->certificate.len == 0)
        return true;
    if (!people_subject(subject, "cert", c->request->certificate, &unknown) ||
        !people_find(c->db, &c->caller.person, subject, c->arena, &unknown))
        return code_of(&unknown) != CODE_LEDGER_UNAVAILABLE ||
               code_fail(err, CODE_LEDGER_UNAVAILABLE, "%s", unknown.text);
    if (c->caller.person.disabled)
        return true;
    c->caller.kind = CALLER_CERTIFICATE;
    c->caller.scopes = ROLES_ALL;
    c->actor.id = c->caller.person.id;
    return true;
}

// token+mtls: who signed in must be the certificate's person, too? No: the certificate lets in, the session or
// token says who it is.
static bool find_caller(struct call *c, struct err *err)
{
    const unsigned auth = c->request->listener->auth;
    c->caller.kind = CALLER_NOBODY;
    if (c->request->authorization.len > 0 && !by_token(c, err))
        return false;
    if (c->caller.kind == CALLER_NOBODY && !by_session(c, err))
        return false;
    if (c->caller.kind == CALLER_NOBODY && auth == LISTENER_MTLS && !by_certificate(c, err))
        return false;
    if (c->caller.kind == CALLER_NOBODY && c->api->config->compat_demo)
        c->caller.kind = CALLER_DEMO;
    return true;
}

unsigned call_roles(const struct call *c, const char *wallet_id)
{
    if (c->api->config->compat_demo)
        return ROLES_ALL; // "anonymous use"
    if (c->caller.kind == CALLER_NOBODY)
        return 0;
    return person_roles(&c->caller.person, wallet_id) & c->caller.scopes;
}

bool call_may(const struct call *c, const char *wallet_id, unsigned roles, struct err *err)
{
    const unsigned has = call_roles(c, wallet_id);
    if (has == 0)
        return c->caller.kind == CALLER_NOBODY
                   ? code_fail(err, CODE_UNAUTHENTICATED, "sign in required")
                   : code_fail(err, CODE_NOT_FOUND, "there is no such thing");
    if ((has & roles) != 0 || roles == 0 || (roles & (unsigned)ROLE_VIEWER) != 0)
        return true;
    return code_fail(err, CODE_FORBIDDEN, "this needs another role");
}

bool call_wallet(const struct call *c, struct treasury_wallet *out, struct bytes name,
                 unsigned roles, struct err *err)
{
    struct treasury_wallet *all, *found = NULL;
    size_t n;
    if (call_roles(c, "") == 0 && c->caller.kind == CALLER_NOBODY)
        return code_fail(err, CODE_UNAUTHENTICATED, "sign in required");
    if (!treasury_all(c->api->treasury, c->db, &all, &n, c->arena, err))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (name.len > 0
                ? bytes_equal(name, all[i].row.name) || bytes_equal_text(name, all[i].row.id)
                : call_roles(c, all[i].row.id) != 0) {
            if (found != NULL)
                return code_fail(err, CODE_BAD_REQUEST, "wallet: there are several; name one");
            found = &all[i];
        }
    }
    if (found == NULL)
        return code_fail(err, CODE_NOT_FOUND, "there is no such wallet");
    *out = *found;
    return call_may(c, found->row.id, roles, err);
}

// --- Browsers ---

static bool is_browser(const struct http_request *r)
{
    return r->sec_fetch_site.len > 0 || r->origin.len > 0;
}

struct bytes call_parameter(const struct call *c, const char *name)
{
    struct bytes value;
    if (http_form_get(c->request->query, name, &value, c->arena) && value.len > 0)
        return value;
    const struct json *member = json_get(c->body, name);
    if (member != NULL && (member->type == JSON_STRING || member->type == JSON_NUMBER))
        return member->text;
    if (c->body == NULL &&
        http_type_is(c->request->content_type, "application/x-www-form-urlencoded") &&
        http_form_get(c->request->body, name, &value, c->arena))
        return value;
    return (struct bytes){ 0 };
}

// Source: D15. The server has compared Origin with the listener's hosts where it does so for every POST.
static bool check_origin(const struct call *c, struct err *err)
{
    const struct http_request *r = c->request;
    const bool demo = c->api->config->compat_demo;
    const struct bytes site = r->sec_fetch_site;
    if (site.len > 0 && !bytes_equal_text(site, "same-origin") &&
        !(demo && bytes_equal_text(site, "none")))
        return code_fail(err, CODE_FORBIDDEN, "the request comes from another site");
    if (!listener_has_origin(r->listener, r->origin))
        return code_fail(err, CODE_FORBIDDEN, "the request comes from another site");
    if (demo || c->caller.kind == CALLER_TOKEN || c->caller.kind == CALLER_NOBODY)
        return true;
    if (c->caller.kind == CALLER_CERTIFICATE)
        // A browser shows its certificate to whoever asks it to: pages work with a session.
        return !is_browser(r) || code_fail(err, CODE_FORBIDDEN, "sign in at /ui/ first");
    const struct bytes token = r->csrf_token.len > 0 ? r->csrf_token : call_parameter(c, "csrf");
    return auth_csrf_is(&c->caller.session, token) ||
           code_fail(err, CODE_FORBIDDEN, "the CSRF token is missing or wrong");
}

#define BUCKET_SIZE  200
#define BUCKET_PER_S 50

// C14 "rate limits": changing requests of one principal.
static bool check_rate(struct call *c, struct err *err)
{
    struct api *api = c->api;
    const int64_t now_ms = api->clock->monotonic_ms(api->clock);
    struct api_bucket *b = &api->buckets[0];
    lock(api);
    for (size_t i = 0; i < COUNT(api->buckets); i++) {
        if (strcmp(api->buckets[i].who, c->actor.id) == 0) {
            b = &api->buckets[i];
            break;
        }
        if (api->buckets[i].filled_ms < b->filled_ms)
            b = &api->buckets[i]; // who has been quiet longest makes room
    }
    if (strcmp(b->who, c->actor.id) != 0) {
        *b = (struct api_bucket){ .tokens = BUCKET_SIZE, .filled_ms = now_ms };
        (void)snprintf(b->who, sizeof b->who, "%s", c->actor.id);
    }
    const int64_t more = (now_ms - b->filled_ms) * BUCKET_PER_S / 1000;
    if (more > 0) {
        b->tokens = b->tokens + more > BUCKET_SIZE ? BUCKET_SIZE : b->tokens + more;
        b->filled_ms = now_ms;
    }
    const bool may = b->tokens > 0;
    b->tokens -= may;
    unlock(api);
    return may || code_fail(err, CODE_RATE_LIMITED, "too many requests; try again later");
}

bool call_slow(struct call *c, struct err *err)
{
    const unsigned half = (unsigned)c->api->config->api_threads / 2, most = half > 0 ? half : 1;
    if (c->slow)
        return true;
    if (atomic_fetch_add(&c->api->slow, 1) >= most) {
        atomic_fetch_sub(&c->api->slow, 1);
        return code_fail(err, CODE_RATE_LIMITED, "too many requests wait already; try again later");
    }
    c->slow = true;
    return true;
}

// --- Bodies ---

static bool read_body(struct call *c, const struct route *route, struct err *err)
{
    const bool is_json = http_type_is(c->request->content_type, "application/json");
    const bool wanted = (route->flags & (unsigned)ROUTE_JSON) != 0;
    if ((route->flags & (unsigned)ROUTE_RAW) != 0)
        return true;
    if (wanted && c->request->body.len == 0) {
        c->body = NULL;
        return true;
    }
    if (wanted && !is_json)
        return code_fail(err, CODE_BAD_REQUEST, "the body must be application/json");
    if (!is_json || c->request->body.len == 0)
        return true;
    if (!json_parse(&c->body, c->request->body, c->arena, err))
        return code_fail(err, CODE_BAD_REQUEST, "body: %s", err->text);
    return c->body->type == JSON_OBJECT ||
           code_fail(err, CODE_BAD_REQUEST, "body: is no JSON object");
}

bool call_text(const struct call *c, const char *name, size_t max, struct bytes *out,
               struct err *err)
{
    const struct json *m = json_get(c->body, name);
    if (m == NULL || m->type == JSON_NULL)
        return true;
    if (m->type != JSON_STRING || m->text.len > max)
        return code_fail(err, CODE_BAD_REQUEST, "%s: is no text of at most %zu bytes", name, max);
    *out = m->text;
    return true;
}

bool call_sats(const struct json *object, const char *name, struct sats *out, struct err *err)
{
    const struct json *m = json_get(object, name);
    int64_t n;
    if (m == NULL || m->type == JSON_NULL)
        return true;
    if (m->type != JSON_NUMBER || !json_integer(m, &n, NULL) || n < 0 || (uint64_t)n > SATS_MAX)
        return code_fail(err, CODE_BAD_REQUEST, "%s: is no amount in satoshi", name);
    out->n = (uint64_t)n;
    return true;
}

bool call_only(const struct json *object, const char *const *names, size_t n, struct err *err)
{
    if (object == NULL)
        return true;
    for (const struct json *m = object->items; m != NULL; m = m->next) {
        size_t i = 0;
        while (i < n && !bytes_equal_text(m->key, names[i]))
            i++;
        if (i == n)
            return code_fail(err, CODE_BAD_REQUEST, "%.*s: unknown member",
                             BYTES_ARG(bytes_slice(m->key, 0, 64)));
    }
    return true;
}

// --- Routes ---

// Whether the path is of the pattern; what stands for each "*" goes to `segments`.
static bool matches(const char *pattern, struct bytes path, struct bytes *segments)
{
    struct reader p = reader_of(bytes_of_text(pattern)), r = reader_of(path);
    struct bytes want, is;
    size_t n = 0;
    for (;;) {
        const bool more = reader_until(&p, '/', &want), has = reader_until(&r, '/', &is);
        if (more != has)
            return false;
        if (!more)
            return true;
        if (bytes_equal_text(want, "*")) {
            if (is.len == 0 || is.len > 128 || n == API_SEGMENTS || !utf8_is_valid(is))
                return false;
            segments[n++] = is;
        } else if (!bytes_equal(want, is)) {
            return false;
        }
    }
}

struct table {
    const struct route *items;
    size_t n;
    bool get_too; // compat.get
};

static const struct route *find_in(struct table table, enum http_method method, struct bytes path,
                                   struct bytes *segments, bool *other_method)
{
    for (size_t i = 0; i < table.n; i++) {
        const struct route *r = &table.items[i];
        if (!matches(r->path, path, segments))
            continue;
        if (r->method == method ||
            (table.get_too && (r->flags & (unsigned)ROUTE_GET_TOO) != 0 && method == HTTP_GET))
            return r;
        *other_method = true;
    }
    return NULL;
}

// "a trailing / is ignored"; "/api/" is where the seed's proxy puts the same routes.
static struct bytes seed_path(struct bytes path)
{
    if (bytes_starts_with(path, BYTES("/api/")))
        path = bytes_slice(path, 4, SIZE_MAX);
    else if (bytes_equal_text(path, "/api"))
        path = BYTES("/");
    while (path.len > 1 && path.ptr[path.len - 1] == '/')
        path.len--;
    return path;
}

static const struct route *find_route(struct call *c, bool *other_method)
{
    const struct http_request *r = c->request;
    const enum http_method method = r->method == HTTP_HEAD ? HTTP_GET : r->method;
    const bool get_too = c->api->config->compat_get;
    const struct table native = { api_routes, n_api_routes, false },
                       pages = { page_routes, n_page_routes, false },
                       seed = { compat_routes, n_compat_routes, get_too };
    const struct route *route = find_in(native, method, r->path, c->segments, other_method);
    if (route == NULL)
        route = find_in(pages, method, r->path, c->segments, other_method);
    if (route != NULL || *other_method)
        return route;
    route = find_in(seed, method, seed_path(r->path), c->segments, other_method);
    c->seed = route != NULL;
    return route;
}

static bool check_caller(struct call *c, const struct route *route, struct err *err)
{
    if ((route->flags & (unsigned)ROUTE_CHANGES) != 0 &&
        (!check_origin(c, err) || !check_rate(c, err)))
        return false;
    if ((route->flags & (unsigned)ROUTE_PUBLIC) != 0)
        return true;
    if (c->caller.kind == CALLER_NOBODY)
        return code_fail(err, CODE_UNAUTHENTICATED, "sign in required");
    const unsigned has = call_roles(c, "");
    return route->roles == 0 || (has & route->roles) != 0 ||
           (has != 0 && (route->roles & (unsigned)ROLE_VIEWER) != 0) ||
           code_fail(err, CODE_FORBIDDEN, "this needs another role");
}

static bool serve(struct call *c, const struct route *route, struct err *err)
{
    return find_caller(c, err) && read_body(c, route, err) && check_caller(c, route, err) &&
           route->run(c, err);
}

static void work(void *argument)
{
    struct call *c = argument;
    struct err err = { 0 };
    bool other_method = false;
    const struct route *route = find_route(c, &other_method);
    atomic_fetch_add(&c->api->counters.requests, 1);
    db_new_id(c->id, call_now_us(c));
    c->actor = (struct actor){ "anonymous", c->request->listener->name };
    if (route == NULL && other_method) {
        c->reply = (struct http_reply){ .status = 405 };
        return;
    }
    if (route == NULL && !bytes_starts_with(c->request->path, BYTES("/v1/"))) {
        c->reply =
            (struct http_reply){ .status = 404 }; // "unknown paths give 404 with an empty body"
        return;
    }
    const bool ok = route == NULL ? code_fail(&err, CODE_NOT_FOUND, "there is no such path")
                    : (route->flags & (unsigned)ROUTE_NO_LEDGER) != 0
                        ? route->run(c, &err)
                        : api_take_db(c->api, &c->db, &err) && serve(c, route, &err);
    if (!ok)
        fail(c, route, &err);
    if (c->slow)
        atomic_fetch_sub(&c->api->slow, 1);
    api_give_db(c->api, c->db);
    c->db = NULL;
}

// False: there is no room for another stream, and that is the reply.
static bool begin_stream(struct call *c)
{
    struct err err;
    if (c->plan.kind == STREAM_NONE)
        return false;
    if (c->caller.kind != CALLER_NOBODY && c->caller.kind != CALLER_DEMO)
        memcpy(c->plan.who, c->caller.person.id, sizeof c->plan.who);
    if (streams_add(c->api->streams, c->exchange, &c->plan))
        return true;
    (void)code_fail(&err, CODE_RATE_LIMITED, "too many event streams are open already");
    write_error(c, &err);
    return false;
}

static void done(void *argument)
{
    struct call *c = argument;
    struct arena *arena = c->arena;
    if (!begin_stream(c)) {
        if (c->cookie[0] != '\0')
            http_reply_add(&c->reply, "set-cookie", bytes_of_text(c->cookie));
        http_reply(c->exchange, &c->reply);
    }
    wipe(c, sizeof *c);
    arena_free(arena);
}

static void refuse(struct http_exchange *exchange, unsigned status)
{
    http_reply(exchange, &(struct http_reply){ .status = status });
}

void api_request(void *context, struct http_exchange *exchange, const struct http_request *request)
{
    struct api *api = context;
    const bool metrics = request->listener->serve == SERVE_METRICS;
    // "metrics on its own listener"
    if (metrics != bytes_equal_text(request->path, "/metrics")) {
        refuse(exchange, 404);
        return;
    }
    struct arena *arena = arena_new(API_ARENA);
    struct call *c = arena_alloc(arena, sizeof *c);
    REQUIRE(c != NULL);
    *c = (struct call){ .api = api, .exchange = exchange, .request = request, .arena = arena };
    if (pool_submit(api->pool, (struct pool_job){ work, done, c }, API_QUEUE_MAX))
        return;
    arena_free(arena);
    refuse(exchange, 503);
}

size_t api_body_limit(void *context, const struct http_request *request)
{
    (void)context;
    return bytes_starts_with(request->path, BYTES("/v1/")) ? API_BODY_MAX : HTTP_FORM_MAX;
}

unsigned api_upgrade(void *context, const struct http_request *request, struct bytes *location)
{
    (void)context;
    (void)request;
    (void)location;
    return 404; // there is no WebSocket here
}

void api_closed(void *context, struct http_socket *socket)
{
    struct api *api = context;
    if (api->streams != NULL) // at the end they go before their sockets
        streams_closed(api->streams, socket);
}
