#include "http/server_internal.h"

#include "base/require.h"

struct http_server *server_of(struct lws *wsi)
{
    const struct vhost_data *v = lws_vhost_user(lws_get_vhost(wsi));
    return v != NULL ? v->server : NULL;
}

// Remembered when the connection came in, or, if that is sooner, when its certificate is verified: once it has read a Host header, the library may give a
// connection to any vhost with the same port, and all unix sockets have port 0.
static struct origin *remember_listener(struct lws *wsi)
{
    const struct vhost_data *v = lws_vhost_user(lws_get_vhost(wsi));
    struct origin *o = lws_get_opaque_user_data(wsi);
    if (o != NULL)
        return o;
    o = calloc(1, sizeof *o);
    REQUIRE(v != NULL && o != NULL);
    o->listener = v->listener;
    lws_set_opaque_user_data(wsi, o);
    return o;
}

const struct origin *origin_of(struct lws *wsi)
{
    return lws_get_opaque_user_data(wsi);
}

size_t listener_of(struct lws *wsi)
{
    REQUIRE(origin_of(wsi) != NULL);
    return origin_of(wsi)->listener;
}

// `verdict` is OpenSSL's own; 0 from here would accept whatever it was (bunker.md 20, 1).
static int check_certificate(struct lws *wsi, void *store_context, bool verdict)
{
    if (!verdict || wsi == NULL)
        return 1;
    struct origin *o = remember_listener(wsi);
    if (!certificate_name(o->certificate, store_context))
        o->certificate[0] = '\0'; // of an authority above it, or nameless: nobody
    return 0;
}

// A resumed TLS session shows no certificate, so nobody would know whose it is.
static void forbid_resumption(SSL_CTX *tls)
{
    (void)SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
    (void)SSL_CTX_set_options(tls, SSL_OP_NO_TICKET);
    (void)SSL_CTX_set_num_tickets(tls, 0);
}

// --- Work that other threads hand over ---

void http_server_post(void *server, void (*call)(void *), void *argument)
{
    struct http_server *s = server;
    struct posted *p = malloc(sizeof *p);
    REQUIRE(p != NULL);
    *p = (struct posted){ .call = call, .argument = argument };
    REQUIRE(pthread_mutex_lock(&s->lock) == 0);
    *s->last = p;
    s->last = &p->next;
    REQUIRE(pthread_mutex_unlock(&s->lock) == 0);
    lws_cancel_service(s->context);
}

static struct posted *take_posted(struct http_server *s)
{
    REQUIRE(pthread_mutex_lock(&s->lock) == 0);
    struct posted *all = s->first;
    s->first = NULL;
    s->last = &s->first;
    REQUIRE(pthread_mutex_unlock(&s->lock) == 0);
    return all;
}

static void run_posted(struct http_server *s)
{
    struct posted *next;
    for (struct posted *p = s != NULL ? take_posted(s) : NULL; p != NULL; p = next) {
        next = p->next;
        p->call(p->argument);
        free(p);
    }
}

// --- The library's callback ---

// A connection more than the listener may have is not accepted at all.
static int count_connection(struct lws *wsi)
{
    struct http_server *s = server_of(wsi);
    struct origin *o = remember_listener(wsi);
    REQUIRE(s != NULL);
    if (s->connections[o->listener] >= s->listeners->items[o->listener].connections)
        return 1;
    o->counted = true;
    s->connections[o->listener]++;
    return 0;
}

static void uncount_connection(struct lws *wsi)
{
    struct http_server *s = server_of(wsi);
    struct origin *o = lws_get_opaque_user_data(wsi);
    if (s == NULL || o == NULL)
        return;
    if (o->counted)
        s->connections[o->listener]--;
    lws_set_opaque_user_data(wsi, NULL);
    free(o);
}

static int callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t len)
{
    struct connection *c = user;
    switch (reason) {
    case LWS_CALLBACK_SERVER_NEW_CLIENT_INSTANTIATED:
        return count_connection(wsi);
    case LWS_CALLBACK_WSI_DESTROY:
        uncount_connection(wsi);
        return 0;
    case LWS_CALLBACK_OPENSSL_PERFORM_CLIENT_CERT_VERIFICATION:
        return check_certificate(wsi, user, len != 0);
    case LWS_CALLBACK_OPENSSL_LOAD_EXTRA_SERVER_VERIFY_CERTS:
        forbid_resumption(user);
        return 0;
    case LWS_CALLBACK_HTTP:
        return on_request(wsi, c);
    case LWS_CALLBACK_HTTP_BODY:
        return on_body(wsi, c, bytes_of(in, len));
    case LWS_CALLBACK_HTTP_BODY_COMPLETION:
        return on_body_end(c);
    case LWS_CALLBACK_HTTP_WRITEABLE:
        return c->socket != NULL ? on_socket_writeable(wsi, c) : on_request_writeable(wsi, c);
    case LWS_CALLBACK_HTTP_DROP_PROTOCOL:
    case LWS_CALLBACK_CLOSED_HTTP:
        if (c != NULL) {
            on_request_gone(c);
            on_socket_gone(c);
        }
        return 0;
    case LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION:
        return on_upgrade(wsi);
    case LWS_CALLBACK_ESTABLISHED:
        return on_open(wsi, c);
    case LWS_CALLBACK_RECEIVE:
        return on_message(wsi, c, bytes_of(in, len));
    case LWS_CALLBACK_SERVER_WRITEABLE:
        return on_socket_writeable(wsi, c);
    case LWS_CALLBACK_CLOSED:
        if (c != NULL)
            on_socket_gone(c);
        return 0;
    case LWS_CALLBACK_EVENT_WAIT_CANCELLED:
        run_posted(server_of(wsi));
        return 0;
    default:
        return 0; // the library's own answers are not wanted: some accept what must be refused
    }
}

static const struct lws_protocols protocols[] = {
    { .name = "http",
      .callback = callback,
      .per_session_data_size = sizeof(struct connection),
      .rx_buffer_size = 16384 },
    { .name = NULL },
};

// --- Listening ---

// "Protocol-level ping every 25 s; close after 75 s without any inbound frame."
static const lws_retry_bo_t idle_policy = { .secs_since_valid_ping = 25,
                                            .secs_since_valid_hangup = 75 };

static void set_tls(struct lws_context_creation_info *info, const struct listener *l)
{
    if (l->tls_cert == NULL)
        return;
    info->ssl_cert_filepath = l->tls_cert;
    info->ssl_private_key_filepath = l->tls_key;
    info->options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
    // TLS 1.2 at least; the signer link wants 1.3.
    info->ssl_options_set = (long)(SSL_OP_NO_SSLv3 | SSL_OP_NO_TLSv1 | SSL_OP_NO_TLSv1_1 |
                                   (l->serve == SERVE_LINK ? SSL_OP_NO_TLSv1_2 : 0));
    if ((l->auth & LISTENER_MTLS) != 0) {
        info->ssl_ca_filepath = l->client_ca;
        info->options |= LWS_SERVER_OPTION_REQUIRE_VALID_OPENSSL_CLIENT_CERT;
    }
}

static bool listen_on(struct http_server *s, size_t i, struct err *err)
{
    struct listener *l = &s->listeners->items[i];
    struct lws_context_creation_info info;
    REQUIRE(l->serve != SERVE_LINK || (s->link_protocols[0].name != NULL && s->app.binary != NULL));
    s->vhosts[i] = (struct vhost_data){ s, i };
    memset(&info, 0, sizeof info);
    info.vhost_name = l->name;
    info.protocols = l->serve == SERVE_LINK ? s->link_protocols : protocols;
    info.user = &s->vhosts[i];
    info.alpn = "http/1.1"; // bunker.md 20, 7
    info.timeout_secs = HTTP_HEAD_WAIT_S;
    info.keepalive_timeout = 30;
    info.retry_and_idle_policy = &idle_policy;
    info.options = LWS_SERVER_OPTION_FAIL_UPON_UNABLE_TO_BIND;
    set_tls(&info, l);
    if (l->path != NULL) {
        (void)unlink(l->path); // of a process that is gone
        info.options |= LWS_SERVER_OPTION_UNIX_SOCK;
        info.iface = l->path;
    } else {
        info.iface = l->address;
        info.port = (int)l->port;
        if (strchr(l->address, ':') == NULL)
            info.options |= LWS_SERVER_OPTION_DISABLE_IPV6;
        else
            info.options |=
                LWS_SERVER_OPTION_IPV6_V6ONLY_MODIFY | LWS_SERVER_OPTION_IPV6_V6ONLY_VALUE;
    }
    struct lws_vhost *vhost = lws_create_vhost(s->context, &info);
    if (vhost == NULL)
        return err_set(err, ERR_IO, "listener %s: cannot listen on %s%s%.0u", l->name,
                       l->path != NULL ? "unix:" : "", l->path != NULL ? l->path : l->address,
                       l->port);
    if (l->path == NULL)
        l->port = (unsigned)lws_get_vhost_port(vhost);
    return true;
}

static void tick(lws_sorted_usec_list_t *timer)
{
    struct http_server *s = lws_container_of(timer, struct http_server, timer);
    s->app.tick(s->app.context);
    lws_sul_schedule(s->context, 0, &s->timer, tick, HTTP_TICK_MS * LWS_US_PER_MS);
}

bool http_server_open(struct http_server **out, const struct http_server_options *options,
                      struct err *err)
{
    struct lws_context_creation_info info;
    struct http_server *s = calloc(1, sizeof *s);
    REQUIRE(s != NULL && pthread_mutex_init(&s->lock, NULL) == 0);
    *out = s;
    s->app = options->app;
    s->log = options->log;
    s->takes_delete = options->takes_delete;
    s->listeners = options->listeners;
    s->last = &s->first;
    s->link_message_max = options->link_message_max;
    s->link_protocols[0] = protocols[0];
    s->link_protocols[0].name = options->link_protocol;
    lws_set_log_level(0, NULL); // what it says is for its developers
    memset(&info, 0, sizeof info);
    info.options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS | LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
    info.max_http_header_data = 16384;
    info.timeout_secs = HTTP_HEAD_WAIT_S;
    s->context = lws_create_context(&info);
    if (s->context == NULL)
        return err_set(err, ERR_IO, "the event loop cannot be started");
    for (size_t i = 0; i < s->listeners->n; i++)
        if (!listen_on(s, i, err))
            return false;
    lws_sul_schedule(s->context, 0, &s->timer, tick, HTTP_TICK_MS * LWS_US_PER_MS);
    return true;
}

void http_server_run(struct http_server *s)
{
    while (!s->stops && lws_service(s->context, 0) >= 0)
        ;
}

void http_server_stop(struct http_server *s)
{
    s->stops = true;
    lws_cancel_service(s->context);
}

bool http_server_reload_certificates(struct http_server *s)
{
    bool ok = true;
    for (size_t i = 0; i < s->listeners->n; i++) {
        const struct listener *l = &s->listeners->items[i];
        if (l->tls_cert != NULL &&
            lws_tls_cert_updated(s->context, l->tls_cert, l->tls_key, NULL, 0, NULL, 0) != 0)
            ok = false;
    }
    return ok;
}

void http_server_free(struct http_server *s)
{
    if (s == NULL)
        return;
    if (s->context != NULL) {
        lws_sul_cancel(&s->timer);
        lws_context_destroy(s->context);
    }
    for (size_t i = 0; i < s->listeners->n; i++)
        if (s->listeners->items[i].path != NULL)
            (void)unlink(s->listeners->items[i].path);
    for (struct posted *next, *p = take_posted(s); p != NULL; p = next) {
        next = p->next;
        free(p);
    }
    (void)pthread_mutex_destroy(&s->lock);
    free(s);
}

size_t http_server_sockets(const struct http_server *s)
{
    return s->n_sockets;
}
