#include "coordinator/api.h"

#include "base/require.h"
#include "base/utf8.h"
#include "coordinator/api_internal.h"
#include "http/form.h"

// --- Connections to the ledger ---

void api_init(struct api *api)
{
    REQUIRE(pthread_mutex_init(&api->lock, NULL) == 0);
}

void api_wipe(struct api *api)
{
    while (api->n_idle > 0)
        db_close(&api->idle[--api->n_idle]);
    (void)pthread_mutex_destroy(&api->lock);
}

void api_lock(struct api *api)
{
    REQUIRE(pthread_mutex_lock(&api->lock) == 0);
}

void api_unlock(struct api *api)
{
    REQUIRE(pthread_mutex_unlock(&api->lock) == 0);
}

bool api_take_db(struct api *api, struct db **out, struct err *err)
{
    *out = NULL;
    api_lock(api);
    if (api->n_idle > 0)
        *out = api->idle[--api->n_idle];
    api_unlock(api);
    return *out != NULL || db_open(out, api->store, err);
}

void api_give_db(struct api *api, struct db *db)
{
    if (db == NULL)
        return;
    db_rollback(db); // of a handler that failed
    api_lock(api);
    if (api->n_idle < API_CONNECTIONS) {
        api->idle[api->n_idle++] = db;
        db = NULL;
    }
    api_unlock(api);
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

struct json_writer call_list(struct call *c, struct writer *w, const char *name)
{
    struct json_writer j = call_json(c, w);
    json_begin_object(&j);
    json_key(&j, name);
    json_begin_array(&j);
    return j;
}

void call_list_end(struct call *c, struct json_writer *j, const struct writer *w)
{
    json_end_array(j);
    json_end_object(j);
    call_reply(c, 200, w);
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

static bool serve(struct call *c, const struct route *route, struct err *err)
{
    return caller_find(c, err) && call_read_body(c, route, err) && caller_check(c, route, err) &&
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
