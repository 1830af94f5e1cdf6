#include "bunker/pages.h"
#include "base/require.h"
#include "http/form.h"

#define PAGE_ARENA      ((size_t)24 << 20)
#define PSBT_BODY_MAX   ((size_t)4718592) // 4.5 MiB: hex doubles the size
#define POLICY_BODY_MAX ((size_t)400000)

// --- Replies ---

void page_reply(struct page *p, struct http_reply *reply)
{
    char cookie[COOKIE_SIZE];
    if (p->id[0] != '\0') {
        (void)snprintf(cookie, sizeof cookie, "X=%s; HttpOnly; SameSite=Strict; Path=/%s", p->id,
                       p->request->listener->tls_cert != NULL ? "; Secure" : "");
        http_reply_add(reply, "set-cookie", bytes_of_text(cookie));
    }
    http_reply(p->exchange, reply);
}

void page_status(struct page *p, unsigned status)
{
    page_reply(p, &(struct http_reply){ .status = status });
}

void page_redirect(struct page *p, unsigned status, struct bytes location)
{
    struct http_reply reply = { .status = status };
    http_reply_add(&reply, "location", location);
    page_reply(p, &reply);
}

void page_json(struct page *p, unsigned status, struct bytes json)
{
    page_reply(p,
               &(struct http_reply){ .status = status, .type = "application/json", .body = json });
}

// --- Routes ---

static void send_app(struct page *p)
{
    p->session->active_s = bunker_now_s(p->b);
    // "denying camera (except on the page with QR scanning)"
    template_send(p, "bunker/app.html", "", bytes_equal_text(p->request->path, "/"));
}

static void send_static(struct page *p)
{
    struct reader r = reader_of(p->request->path);
    struct bytes version;
    if (!reader_accept_bytes(&r, BYTES("/static/"))) {
        page_status(p, 404);
        return;
    }
    const struct asset *asset = asset_find(p->b->assets, reader_rest(&r));
    if (asset == NULL || strstr(asset->path, ".html") != NULL) {
        page_status(p, 404);
        return;
    }
    const bool versioned = http_form_get(p->request->query, "v", &version, p->arena) &&
                           bytes_equal_text(version, asset->tag);
    page_reply(p,
               &(struct http_reply){ .status = 200,
                                     .type = asset->type,
                                     .body = asset->content,
                                     .caching = versioned ? CACHE_IMMUTABLE : CACHE_REVALIDATE });
}

static void send_health(struct page *p)
{
    const bool may = p->request->listener->loopback || p->session != NULL;
    page_status(p, may ? 204 : 404);
}

struct route {
    enum http_method method;
    const char *path;
    bool needs_login;
    void (*run)(struct page *p);
};

static const struct route routes[] = {
    { HTTP_GET, "/", true, send_app },
    { HTTP_GET, "/tools", true, send_app },
    { HTTP_GET, "/address", true, send_app },
    { HTTP_GET, "/setup", true, send_app },
    { HTTP_GET, "/bunker", true, send_app },
    { HTTP_GET, "/help", true, send_app },
    { HTTP_GET, "/login", false, login_get },
    { HTTP_POST, "/login", false, login_post },
    { HTTP_GET, "/captcha", false, login_captcha },
    { HTTP_GET, "/logout", false, login_logout },
    { HTTP_POST, "/logout", false, login_logout },
    { HTTP_GET, "/healthz", false, send_health },
    { HTTP_POST, "/psbt", true, api_form_psbt },
    { HTTP_POST, "/submit", true, api_form_submit },
};

static bool starts_with(struct bytes path, const char *prefix)
{
    return bytes_starts_with(path, bytes_of_text(prefix));
}

static bool ends_with(struct bytes path, const char *suffix)
{
    const size_t len = strlen(suffix);
    return path.len >= len && bytes_equal_text(bytes_slice(path, path.len - len, len), suffix);
}

// What scanners ask for. "answer /admin and *.php with 404 ... No cookie."
static bool is_trap(struct bytes path)
{
    static const char *const never[] = { "/favicon.ico", "/robots.txt", "/humans.txt" };
    for (size_t i = 0; i < COUNT(never); i++)
        if (bytes_equal_text(path, never[i]))
            return true;
    return bytes_equal_text(path, "/admin") || ends_with(path, ".php");
}

// "write one audit record per minute per path class"
static void record_trap(struct page *p)
{
    const bool is_php = ends_with(p->request->path, ".php");
    int64_t *last_s = &p->b->trapped_s[is_php];
    const int64_t now_s = bunker_now_s(p->b);
    const struct audit_event e = { .event = "trap",
                                   .listener = p->request->listener->name,
                                   .reason = is_php ? BYTES("*.php") : BYTES("/admin") };
    if ((!is_php && !bytes_equal_text(p->request->path, "/admin")) ||
        (now_s - *last_s < 60 && now_s >= *last_s))
        return;
    *last_s = now_s;
    if (!audit_add(&p->b->audit, now_s, &e))
        LOG(p->b->log, LOG_ERROR, "audit_failed", LOG_TEXT("event", e.event));
}

// "not logged in: 302 to /login?u=<path without slash>"
static void ask_for_login(struct page *p)
{
    char location[256];
    const struct bytes path = p->request->path;
    if (path.len <= 1 || path.len > 200 || !http_is_local_path(path) ||
        bytes_equal_text(path, "/logout"))
        (void)snprintf(location, sizeof location, "/login");
    else
        (void)snprintf(location, sizeof location, "/login?u=%.*s",
                       BYTES_ARG(bytes_slice(path, 1, 200)));
    p->id[0] = '\0'; // not for every path that somebody tries
    page_redirect(p, 302, bytes_of_text(location));
}

static const struct route *find_route(const struct http_request *r)
{
    const enum http_method method = r->method == HTTP_HEAD ? HTTP_GET : r->method;
    for (size_t i = 0; i < COUNT(routes); i++)
        if (routes[i].method == method && bytes_equal_text(r->path, routes[i].path))
            return &routes[i];
    return NULL;
}

static void serve_page(struct page *p)
{
    if (is_trap(p->request->path)) {
        record_trap(p);
        page_status(p, 404);
        return;
    }
    if (starts_with(p->request->path, "/static/")) {
        send_static(p);
        return;
    }
    const struct route *route = find_route(p->request);
    login_find(p);
    const bool logged_in = p->session != NULL && p->session->logged_in;
    if (route != NULL && (!route->needs_login || logged_in))
        route->run(p);
    else if (!logged_in && starts_with(p->request->path, "/api/"))
        page_status(p, 401);
    else if (!logged_in)
        ask_for_login(p);
    else if (!api_request(p))
        page_status(p, 404);
}

size_t pages_body_limit(void *context, const struct http_request *r)
{
    size_t limit = HTTP_FORM_MAX;
    if (bytes_equal_text(r->path, "/api/psbt") || bytes_equal_text(r->path, "/psbt"))
        limit = PSBT_BODY_MAX;
    else if (bytes_equal_text(r->path, "/api/policy") || bytes_equal_text(r->path, "/api/simulate"))
        limit = POLICY_BODY_MAX;
    // Room is made before the body has come: of strangers no more than a login takes.
    return limit == HTTP_FORM_MAX || login_would_find(context, r) ? limit : HTTP_FORM_MAX;
}

void pages_request(void *context, struct http_exchange *exchange,
                   const struct http_request *request)
{
    AUTO(arena_freep) struct arena *arena = arena_new(PAGE_ARENA);
    struct page p = { .b = context, .exchange = exchange, .request = request, .arena = arena };
    if (request->listener->serve == SERVE_LINK) { // all but the upgrade of link.h
        page_status(&p, 404);
        return;
    }
    if (request->listener->serve == SERVE_METRICS) {
        if (bytes_equal_text(request->path, "/metrics"))
            api_metrics(&p);
        else
            page_status(&p, 404);
        return;
    }
    serve_page(&p);
}
