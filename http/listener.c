#include "http/listener.h"
#include "base/reader.h"
#include "http/form.h"

// --- bind ---

static bool is_loopback(const char *address)
{
    return strcmp(address, "::1") == 0 || strcmp(address, "localhost") == 0 ||
           strncmp(address, "127.", 4) == 0;
}

static bool is_address(struct bytes text)
{
    static const char allowed[] = "0123456789abcdefABCDEF:.";
    for (size_t i = 0; i < text.len; i++)
        if (memchr(allowed, text.ptr[i], sizeof allowed - 1) == NULL)
            return bytes_equal_text(text, "localhost");
    return text.len > 0;
}

static bool set_unix(struct listener *l, struct bytes path, struct arena *arena, struct err *err)
{
    // sockaddr_un has room for 107 characters.
    if (path.len == 0 || path.ptr[0] != '/' || path.len > 107)
        return err_set(err, ERR_USAGE,
                       "bind: 'unix:' wants an absolute path of at most 107 characters");
    l->path = arena_text(arena, path);
    l->loopback = true;
    return l->path != NULL || err_set(err, ERR_USAGE, "bind: the path is no text");
}

bool listener_set_bind(struct listener *l, struct bytes bind, struct arena *arena, struct err *err)
{
    struct reader r = reader_of(bind);
    struct bytes address;
    uint32_t port;
    l->path = l->address = NULL;
    if (reader_accept_bytes(&r, BYTES("unix:")))
        return set_unix(l, reader_rest(&r), arena, err);
    const bool bracketed = reader_accept(&r, '[');
    if (!reader_until(&r, bracketed ? ']' : ':', &address) || !is_address(address) ||
        (bracketed && !reader_accept(&r, ':')) || !reader_decimal(&r, 65535, &port) ||
        !reader_done(&r))
        return err_set(err, ERR_USAGE,
                       "bind: '%.*s' is not ADDRESS:PORT, [ADDRESS]:PORT or unix:PATH",
                       BYTES_ARG(bind));
    l->address = arena_text(arena, address);
    if (l->address == NULL)
        return err_set(err, ERR_USAGE, "bind: the address is no text");
    l->port = port;
    l->loopback = is_loopback(l->address);
    return true;
}

// --- auth, serve ---

static const struct {
    const char *name;
    unsigned bit;
} auth_names[] = {
    { "none", 0 },
    { "password", LISTENER_PASSWORD },
    { "totp", LISTENER_TOTP },
    { "mtls", LISTENER_MTLS },
    { "token", LISTENER_TOKEN },
};

static bool add_auth(struct listener *l, struct bytes word, struct err *err)
{
    for (size_t i = 0; i < COUNT(auth_names); i++)
        if (bytes_equal_text(word, auth_names[i].name)) {
            l->auth |= auth_names[i].bit;
            return true;
        }
    return err_set(err, ERR_USAGE, "auth: '%.*s' is none of none, password, totp, mtls, token",
                   BYTES_ARG(word));
}

bool listener_set_auth(struct listener *l, struct bytes auth, struct err *err)
{
    struct reader r = reader_of(auth);
    struct bytes word;
    l->auth = 0;
    if (auth.len == 0)
        return err_set(err, ERR_USAGE, "auth: is empty");
    while (reader_until(&r, '+', &word))
        if (!add_auth(l, bytes_trim(word), err))
            return false;
    return true;
}

static const char *const serve_names[] = {
    [SERVE_PAGES] = "pages",
    [SERVE_LINK] = "link",
    [SERVE_METRICS] = "metrics",
};

static bool set_serve(struct listener *l, struct bytes serve, struct err *err)
{
    for (size_t i = 0; i < COUNT(serve_names); i++)
        if (bytes_equal_text(serve, serve_names[i])) {
            l->serve = (enum listener_serve)i;
            return true;
        }
    return err_set(err, ERR_USAGE, "serve: '%.*s' is none of pages, link, metrics",
                   BYTES_ARG(serve));
}

// --- A section of the file ---

struct section {
    struct conf *conf;
    const char *name;
    struct arena *arena;
    struct err *err;
};

static bool text_of(struct section *s, const char *key, struct bytes *out)
{
    *out = (struct bytes){ 0 };
    return conf_text(s->conf, "listener", s->name, key, out, s->err);
}

static bool string_of(struct section *s, const char *key, const char **out)
{
    struct bytes value;
    if (!text_of(s, key, &value))
        return false;
    *out = value.len > 0 ? arena_text(s->arena, value) : NULL;
    return true;
}

static bool list_of(struct section *s, const char *key, struct bytes *out, size_t max, size_t *n)
{
    struct bytes value, word;
    *n = 0;
    if (!text_of(s, key, &value))
        return false;
    for (struct reader r = reader_of(value); reader_until(&r, ',', &word);) {
        if (*n == max)
            return err_set(s->err, ERR_USAGE, "%s: [listener %s] %s: more than %zu", s->conf->file,
                           s->name, key, max);
        out[(*n)++] = bytes_trim(word);
    }
    return true;
}

// bunker.md writes yes and no for these, the common format on and off.
static bool flag_of(struct section *s, const char *key, bool *out)
{
    struct bytes value;
    if (!text_of(s, key, &value))
        return false;
    if (value.len == 0)
        return true;
    *out = bytes_equal_text(value, "yes") || bytes_equal_text(value, "on");
    return *out || bytes_equal_text(value, "no") || bytes_equal_text(value, "off") ||
           err_set(s->err, ERR_USAGE, "%s: [listener %s] %s: is neither yes nor no", s->conf->file,
                   s->name, key);
}

static bool read_words(struct section *s, struct listener *l)
{
    struct bytes bind, auth, serve;
    if (!text_of(s, "bind", &bind) || !text_of(s, "auth", &auth) || !text_of(s, "serve", &serve))
        return false;
    if (!listener_set_bind(l, bind, s->arena, s->err) ||
        !listener_set_auth(l, auth.len > 0 ? auth : BYTES("password"), s->err) ||
        !set_serve(l, serve.len > 0 ? serve : BYTES("pages"), s->err))
        return err_within(s->err, "%s: [listener %s]", s->conf->file, s->name);
    return true;
}

static bool read_section(struct section *s, struct listener *l)
{
    uint64_t connections = LISTENER_CONNECTIONS;
    *l = (struct listener){ .name = s->name };
    if (!read_words(s, l) || !string_of(s, "role", &l->role) ||
        !string_of(s, "tls_cert", &l->tls_cert) || !string_of(s, "tls_key", &l->tls_key) ||
        !string_of(s, "client_ca", &l->client_ca) || !flag_of(s, "hsts", &l->hsts) ||
        !flag_of(s, "link_provision", &l->link_provision) ||
        !flag_of(s, "allow_unauthenticated_remote", &l->allow_unauthenticated_remote) ||
        !list_of(s, "hosts", l->hosts, LISTENER_HOSTS_MAX, &l->n_hosts) ||
        !list_of(s, "link_names", l->link_names, LISTENER_NAMES_MAX, &l->n_link_names) ||
        !conf_u64(s->conf, "listener", s->name, "connections", 1, 4096, &connections, s->err))
        return false;
    l->connections = (unsigned)connections;
    return true;
}

bool listeners_read(struct listeners *out, struct conf *conf, struct arena *arena, struct err *err)
{
    for (struct conf_entry *e = NULL; (e = conf_next_section(conf, "listener", e)) != NULL;) {
        struct section s = { conf, arena_text(arena, e->name), arena, err };
        if (s.name == NULL || e->name.len == 0)
            return err_set(err, ERR_USAGE, "%s:%u: a listener has no name", conf->file, e->line);
        if (out->n == LISTENERS_MAX)
            return err_set(err, ERR_USAGE, "%s:%u: more than %d listeners", conf->file, e->line,
                           LISTENERS_MAX);
        if (!read_section(&s, &out->items[out->n]))
            return false;
        out->n++;
    }
    return true;
}

// --- Rules between keys ---

static const char *wrong(const struct listener *l)
{
    if (l->path == NULL && l->address == NULL)
        return "has no bind";
    if ((l->tls_cert == NULL) != (l->tls_key == NULL))
        return "tls_cert and tls_key belong together";
    if ((l->auth & LISTENER_MTLS) != 0 && (l->tls_cert == NULL || l->client_ca == NULL))
        return "auth = mtls needs tls_cert, tls_key and client_ca";
    if (l->serve == SERVE_LINK && (l->auth != LISTENER_MTLS || l->n_link_names == 0))
        return "serve = link needs auth = mtls alone, and link_names";
    if ((l->auth & LISTENER_TOTP) != 0 && (l->auth & LISTENER_PASSWORD) == 0)
        return "auth = totp needs password beside it";
    if ((l->auth & LISTENER_TOKEN) != 0 && (l->auth & LISTENER_PASSWORD) != 0)
        return "auth: a token stands for a password, and nobody gives both";
    if (l->auth == 0 && !l->loopback && !l->allow_unauthenticated_remote)
        return "auth = none is for loopback and unix sockets; "
               "allow_unauthenticated_remote = yes overrules this";
    return NULL;
}

static void add_host(struct listener *l, const char *host)
{
    if (l->n_hosts < LISTENER_HOSTS_MAX)
        l->hosts[l->n_hosts++] = bytes_of_text(host);
}

static void fill_hosts(struct listener *l)
{
    if (l->n_hosts > 0)
        return;
    add_host(l, "localhost");
    if (l->path == NULL)
        add_host(l, l->address);
}

bool listeners_check(struct listeners *all, struct err *err)
{
    for (size_t i = 0; i < all->n; i++) {
        struct listener *l = &all->items[i];
        const char *why = wrong(l);
        if (why != NULL)
            return err_set(err, ERR_USAGE, "listener %s: %s", l->name, why);
        for (size_t k = 0; k < i; k++)
            if (l->path == NULL && all->items[k].path == NULL && l->port != 0 &&
                l->port == all->items[k].port)
                return err_set(err, ERR_USAGE, "listener %s: port %u is listener %s's", l->name,
                               l->port, all->items[k].name);
        fill_hosts(l);
    }
    return true;
}

// --- Host and Origin ---

// The host of "host", "host:port", "[v6]" or "[v6]:port"; false if it is none of them.
static bool split_host(struct bytes text, struct bytes *host)
{
    struct reader r = reader_of(text);
    uint32_t port;
    const bool bracketed = reader_accept(&r, '[');
    if (bracketed ? !reader_until(&r, ']', host) : !reader_until(&r, ':', host))
        return false;
    if (bracketed && !reader_done(&r) && !reader_accept(&r, ':'))
        return false;
    return host->len > 0 &&
           (reader_done(&r) || (reader_decimal(&r, 65535, &port) && reader_done(&r)));
}

bool listener_has_host(const struct listener *l, struct bytes host)
{
    struct bytes name;
    if (!split_host(host, &name))
        return false;
    for (size_t i = 0; i < l->n_hosts; i++)
        if (http_equal_nocase(name, l->hosts[i]))
            return true;
    return false;
}

bool listener_has_origin(const struct listener *l, struct bytes origin)
{
    struct reader r = reader_of(origin);
    if (origin.len == 0)
        return true;
    const struct bytes scheme = l->tls_cert != NULL ? BYTES("https://") : BYTES("http://");
    return reader_accept_bytes(&r, scheme) && listener_has_host(l, reader_rest(&r));
}

bool http_is_local_path(struct bytes path)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789/_-";
    if (path.len == 0 || path.ptr[0] != '/' || bytes_starts_with(path, BYTES("//")))
        return false;
    for (size_t i = 0; i < path.len; i++)
        if (memchr(allowed, path.ptr[i], sizeof allowed - 1) == NULL)
            return false;
    return true;
}
