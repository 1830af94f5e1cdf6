#include "http/server_internal.h"

#include "base/require.h"

#define REQUEST_ARENA ((size_t)128 << 10)

// --- Reading what the library parsed ---

// -1 of the library means "too long for your buffer", never "absent" (bunker.md 20, 4).
static bool copy_header(struct bytes *out, struct lws *wsi, enum lws_token_indexes token,
                        struct arena *arena)
{
    const int len = lws_hdr_total_length(wsi, token);
    *out = (struct bytes){ 0 };
    if (len <= 0)
        return true;
    char *text = len < HEADER_TEXT_MAX ? arena_alloc(arena, (size_t)len + 2) : NULL;
    if (text == NULL || lws_hdr_copy(wsi, text, len + 1, token) < 0)
        return false;
    *out = bytes_of(text, strlen(text));
    return true;
}

// The library splits a query at its "&".
static bool copy_query(struct bytes *out, struct lws *wsi, struct arena *arena)
{
    const int total = lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_URI_ARGS);
    *out = (struct bytes){ 0 };
    if (total <= 0)
        return true;
    char *piece = total < HEADER_TEXT_MAX ? arena_alloc(arena, (size_t)total + 2) : NULL;
    if (piece == NULL)
        return false;
    struct writer w = writer_growing(arena, 2 * HEADER_TEXT_MAX);
    for (int i = 0; lws_hdr_copy_fragment(wsi, piece, total + 1, WSI_TOKEN_HTTP_URI_ARGS, i) > 0;
         i++)
        writer_printf(&w, "%s%s", i > 0 ? "&" : "", piece);
    return writer_finish(&w, out);
}

static bool copy_custom(struct bytes *out, struct lws *wsi, const char *name, struct arena *arena)
{
    const int name_len = (int)strlen(name);
    const int len = lws_hdr_custom_length(wsi, name, name_len);
    *out = (struct bytes){ 0 };
    if (len <= 0)
        return true;
    char *text = len < HEADER_TEXT_MAX ? arena_alloc(arena, (size_t)len + 2) : NULL;
    if (text == NULL || lws_hdr_custom_copy(wsi, text, len + 1, name, name_len) < 0)
        return false;
    *out = bytes_of(text, strlen(text));
    return true;
}

static bool copy_path(struct http_request *out, struct lws *wsi, struct arena *arena)
{
    static const struct {
        enum lws_token_indexes token;
        enum http_method method;
    } rows[] = {
        { WSI_TOKEN_GET_URI, HTTP_GET },       { WSI_TOKEN_POST_URI, HTTP_POST },
        { WSI_TOKEN_HEAD_URI, HTTP_HEAD },     { WSI_TOKEN_PUT_URI, HTTP_OTHER },
        { WSI_TOKEN_PATCH_URI, HTTP_OTHER },   { WSI_TOKEN_DELETE_URI, HTTP_DELETE },
        { WSI_TOKEN_OPTIONS_URI, HTTP_OTHER },
    };
    out->method = HTTP_OTHER;
    for (size_t i = 0; i < COUNT(rows); i++)
        if (lws_hdr_total_length(wsi, rows[i].token) > 0) {
            out->method = rows[i].method;
            return lws_hdr_total_length(wsi, rows[i].token) < PATH_TEXT_MAX &&
                   copy_header(&out->path, wsi, rows[i].token, arena);
        }
    return true;
}

static bool copy_certificate(struct http_request *out, struct lws *wsi, struct arena *arena)
{
    const struct origin *o = origin_of(wsi);
    if ((out->listener->auth & LISTENER_MTLS) == 0 || o == NULL)
        return true;
    return arena_copy(arena, bytes_of_text(o->certificate), &out->certificate);
}

bool request_read(struct http_request *out, struct lws *wsi, struct arena *arena)
{
    static const struct {
        size_t member;
        enum lws_token_indexes token;
    } rows[] = {
        { offsetof(struct http_request, host), WSI_TOKEN_HOST },
        { offsetof(struct http_request, origin), WSI_TOKEN_ORIGIN },
        { offsetof(struct http_request, cookie), WSI_TOKEN_HTTP_COOKIE },
        { offsetof(struct http_request, subprotocol), WSI_TOKEN_PROTOCOL },
        { offsetof(struct http_request, authorization), WSI_TOKEN_HTTP_AUTHORIZATION },
        { offsetof(struct http_request, content_type), WSI_TOKEN_HTTP_CONTENT_TYPE },
        { offsetof(struct http_request, accept), WSI_TOKEN_HTTP_ACCEPT },
    };
    // What the library has no token for.
    static const struct {
        size_t member;
        const char *name;
    } customs[] = {
        { offsetof(struct http_request, x_casemate), "x-casemate:" },
        { offsetof(struct http_request, cf_client_id), "cf-access-client-id:" },
        { offsetof(struct http_request, cf_client_secret), "cf-access-client-secret:" },
        { offsetof(struct http_request, idempotency_key), "idempotency-key:" },
        { offsetof(struct http_request, last_event_id), "last-event-id:" },
        { offsetof(struct http_request, sec_fetch_site), "sec-fetch-site:" },
        { offsetof(struct http_request, csrf_token), "x-csrf-token:" },
    };
    *out = (struct http_request){ 0 };
    out->listener = &server_of(wsi)->listeners->items[listener_of(wsi)];
    for (size_t i = 0; i < COUNT(rows); i++)
        if (!copy_header((struct bytes *)(void *)((char *)out + rows[i].member), wsi, rows[i].token,
                         arena))
            return false;
    for (size_t i = 0; i < COUNT(customs); i++)
        if (!copy_custom((struct bytes *)(void *)((char *)out + customs[i].member), wsi,
                         customs[i].name, arena))
            return false;
    return copy_path(out, wsi, arena) && copy_query(&out->query, wsi, arena) &&
           copy_certificate(out, wsi, arena);
}

unsigned request_check(const struct http_request *r)
{
    if (!listener_has_host(r->listener, r->host))
        return 421; // DNS rebinding
    if (r->method != HTTP_GET && r->method != HTTP_HEAD &&
        !listener_has_origin(r->listener, r->origin))
        return 403;
    if ((r->listener->auth & LISTENER_MTLS) != 0 && r->certificate.len == 0)
        return 403;
    return 0;
}

// --- Replying ---

static void write_head(struct http_exchange *x, struct writer *w, const struct http_reply *reply,
                       bool streams)
{
    const struct listener *l = x->request.listener;
    const struct http_reply_context context = {
        .host = listener_has_host(l, x->request.host) ? x->request.host : (struct bytes){ 0 },
        .hsts = l->hsts && l->tls_cert != NULL,
        .streams = streams,
    };
    http_reply_head(w, reply, &context);
    REQUIRE(!w->failed);
}

static void exchange_free(struct http_exchange *x)
{
    if (x->holder != NULL)
        x->holder->exchange = NULL;
    if (x->body != NULL)
        wipe(x->body, x->body_limit);
    free(x->body);
    free(x->reply);
    arena_free(x->arena);
    free(x);
}

void http_reply(struct http_exchange *x, const struct http_reply *reply)
{
    uint8_t head[HTTP_HEAD_MAX];
    struct writer w = writer_of(head, sizeof head);
    if (x->wsi == NULL) {
        exchange_free(x);
        return;
    }
    write_head(x, &w, reply, false);
    const size_t body_len = x->is_head ? 0 : reply->body.len;
    x->head_len = w.len;
    x->reply_len = w.len + body_len;
    x->reply = malloc(OUTBOX_ROOM + x->reply_len);
    REQUIRE(x->reply != NULL);
    memcpy(x->reply + OUTBOX_ROOM, head, w.len);
    if (body_len > 0)
        memcpy(x->reply + OUTBOX_ROOM + w.len, reply->body.ptr, body_len);
    x->handed_over = false;
    lws_set_timeout(x->wsi, PENDING_TIMEOUT_HTTP_CONTENT, HTTP_BODY_WAIT_S);
    lws_callback_on_writable(x->wsi);
}

int on_request_writeable(struct lws *wsi, struct connection *c)
{
    struct http_exchange *x = c->exchange;
    if (x == NULL || x->reply == NULL)
        return 0;
    const bool first = x->sent == 0;
    const size_t left = x->reply_len - x->sent;
    const size_t n = first ? x->head_len : left < CHUNK_MAX ? left : CHUNK_MAX;
    const bool last = x->sent + n == x->reply_len;
    const enum lws_write_protocol kind = first  ? LWS_WRITE_HTTP_HEADERS
                                         : last ? LWS_WRITE_HTTP_FINAL
                                                : LWS_WRITE_HTTP;
    if (lws_write(wsi, x->reply + OUTBOX_ROOM + x->sent, n, kind) < 0)
        return -1;
    x->sent += n;
    if (!last) {
        lws_callback_on_writable(wsi);
        return 0;
    }
    const bool whole = x->body_limit == 0 || x->body_len == x->body_limit;
    exchange_free(x);
    // What was not read of a body that we refused would be taken for the next request.
    return !whole || lws_http_transaction_completed(wsi) ? -1 : 0;
}

static void reply_status(struct http_exchange *x, unsigned status)
{
    http_reply(x, &(struct http_reply){ .status = status });
}

// --- Requests ---

// A body in chunks, which the library does not read. Whoever passes requests on may understand it, and would see another
// end of this request than we do; also where a blank hides the name from one of us.
static bool is_chunked(struct lws *wsi)
{
    static const char hidden[] = "transfer-encoding :";
    return lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING) > 0 ||
           lws_hdr_custom_length(wsi, hidden, sizeof hidden - 1) > 0;
}

// False: no valid length, or more than a number holds.
static bool content_length(struct lws *wsi, struct arena *arena, uint64_t *out, bool *given)
{
    struct bytes text;
    *out = 0;
    if (is_chunked(wsi) || !copy_header(&text, wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH, arena))
        return false;
    *given = text.len > 0;
    struct reader r = reader_of(text);
    return text.len == 0 || (reader_decimal64(&r, UINT32_MAX, out) && reader_done(&r));
}

static int hand_over(struct http_exchange *x)
{
    x->request.body = bytes_of(x->body, x->body_len);
    x->handed_over = true;
    lws_set_timeout(x->wsi, NO_PENDING_TIMEOUT, 0);
    x->server->app.request(x->server->app.context, x, &x->request);
    return 0;
}

static int begin(struct http_exchange *x)
{
    const struct http_app *app = &x->server->app;
    uint64_t length = 0;
    bool given = false;
    if (!request_read(&x->request, x->wsi, x->arena) ||
        !content_length(x->wsi, x->arena, &length, &given)) {
        x->body_limit = 1; // unknown where it ends: the connection does
        reply_status(x, 400);
        return 0;
    }
    x->is_head = x->request.method == HTTP_HEAD;
    const unsigned status = request_check(&x->request);
    const enum http_method method = x->request.method;
    if (status != 0 || method == HTTP_OTHER ||
        (method == HTTP_DELETE && !x->server->takes_delete)) {
        x->body_limit = length;
        reply_status(x, status != 0 ? status : 405);
        return 0;
    }
    if (method == HTTP_POST && !given) {
        x->body_limit = 1; // unknown: the connection ends
        reply_status(x, 411);
        return 0;
    }
    x->body_limit = (size_t)length;
    if (length > 0 && length > app->body_limit(app->context, &x->request)) {
        reply_status(x, 413);
        return 0;
    }
    if (length == 0)
        return hand_over(x);
    x->body = malloc((size_t)length);
    REQUIRE(x->body != NULL);
    lws_set_timeout(x->wsi, PENDING_TIMEOUT_HTTP_CONTENT, HTTP_BODY_WAIT_S);
    return 0;
}

int on_request(struct lws *wsi, struct connection *c)
{
    if (c->exchange != NULL) // the library promises one at a time
        return -1;
    struct http_exchange *x = calloc(1, sizeof *x);
    REQUIRE(x != NULL);
    *x = (struct http_exchange){ .server = server_of(wsi), .wsi = wsi, .holder = c };
    x->arena = arena_new(REQUEST_ARENA);
    c->exchange = x;
    return begin(x);
}

int on_body(struct lws *wsi, struct connection *c, struct bytes piece)
{
    struct http_exchange *x = c->exchange;
    (void)wsi;
    if (x == NULL || x->reply != NULL || x->body == NULL)
        return 0; // refused already: what comes is read and forgotten
    if (piece.len > x->body_limit - x->body_len)
        return -1;
    memcpy(x->body + x->body_len, piece.ptr, piece.len);
    x->body_len += piece.len;
    return 0;
}

int on_body_end(struct connection *c)
{
    struct http_exchange *x = c->exchange;
    if (x == NULL || x->reply != NULL || x->handed_over || x->body == NULL)
        return 0;
    return x->body_len == x->body_limit ? hand_over(x) : -1;
}

void on_request_gone(struct connection *c)
{
    struct http_exchange *x = c->exchange;
    if (x == NULL)
        return;
    c->exchange = NULL;
    x->holder = NULL;
    x->wsi = NULL;
    if (!x->handed_over) // else the program still owes a reply, and holds the exchange
        exchange_free(x);
}

const struct http_request *http_exchange_request(const struct http_exchange *x)
{
    return &x->request;
}

void write_short_reply(struct lws *wsi, const struct http_request *request, unsigned status,
                       struct bytes location)
{
    uint8_t mem[OUTBOX_ROOM + HTTP_HEAD_MAX];
    struct writer w = writer_of(mem + OUTBOX_ROOM, HTTP_HEAD_MAX);
    struct http_reply reply = { .status = status };
    if (location.len > 0)
        http_reply_add(&reply, "location", location);
    const bool known =
        request->listener != NULL && listener_has_host(request->listener, request->host);
    http_reply_head(&w, &reply,
                    &(struct http_reply_context){
                        .host = known ? request->host : (struct bytes){ 0 }, .closes = true });
    if (!w.failed)
        (void)lws_write(wsi, mem + OUTBOX_ROOM, w.len, LWS_WRITE_HTTP_HEADERS);
}

// --- Event streams ---

struct http_socket *http_reply_stream(struct http_exchange *x, void *data)
{
    struct connection *c = x->holder;
    struct lws *wsi = x->wsi;
    struct http_server *server = x->server;
    const struct http_reply reply = { .status = 200,
                                      .type = "text/event-stream",
                                      .caching = CACHE_REVALIDATE };
    if (wsi == NULL) {
        exchange_free(x);
        return NULL;
    }
    struct http_socket *s = calloc(1, sizeof *s);
    uint8_t *head = malloc(OUTBOX_ROOM + HTTP_HEAD_MAX);
    REQUIRE(s != NULL && head != NULL);
    struct writer w = writer_of(head + OUTBOX_ROOM, HTTP_HEAD_MAX);
    write_head(x, &w, &reply, true);
    *s = (struct http_socket){ .server = server,
                               .wsi = wsi,
                               .listener = x->request.listener,
                               .data = data,
                               .is_stream = true,
                               .head = head,
                               .head_len = w.len };
    outbox_init(&s->outbox, HTTP_OUTPUT_MAX);
    exchange_free(x);
    c->socket = s;
    server->n_sockets++;
    lws_http_mark_sse(wsi);
    lws_set_timeout(wsi, NO_PENDING_TIMEOUT, 0);
    lws_callback_on_writable(wsi);
    return s;
}
