#include "coordinator/config.h"
#include "base/conf.h"
#include "base/file.h"
#include "base/reader.h"
#include <inttypes.h>

#define SECONDS_MAX 86400

static const char *const transports[] = {
    [TRANSPORT_UNIX] = "unix",
    [TRANSPORT_USB] = "usb",
    [TRANSPORT_LINK] = "link",
    [TRANSPORT_COMMAND] = "command",
};

const char *signer_transport_name(enum signer_transport transport)
{
    return transports[transport];
}

static void set_defaults(struct coordinator_config *c)
{
    *c = (struct coordinator_config){
        .log_level = LOG_INFO,
        .api_threads = 4,
        .workers = 4,
        .refill_every_s = 10,
        .reconcile_every_s = 10,
        .explain_refusals = true,
    };
}

// --- Keys ---

struct key {
    const char *section, *name;
    enum { KEY_TEXT, KEY_NUMBER, KEY_FLAG, KEY_WORDS } kind;
    size_t member; // of the section's struct
    uint64_t min, max;
};
#define MEMBER(field)        offsetof(struct coordinator_config, field)
#define NODE_MEMBER(field)   offsetof(struct node_config, field)
#define SIGNER_MEMBER(field) offsetof(struct signer_config, field)

static const struct key keys[] = {
    { "", "replica", KEY_TEXT, MEMBER(replica), 0, 0 },
    { "", "api_threads", KEY_NUMBER, MEMBER(api_threads), 1, 8 },
    { "", "workers", KEY_NUMBER, MEMBER(workers), 1, CONFIG_WORKERS },
    { "", "reconcile_every", KEY_NUMBER, MEMBER(reconcile_every_s), 1, 20 },
    { "", "refill_every", KEY_NUMBER, MEMBER(refill_every_s), 0, 3600 },
    { "", "explain_refusals", KEY_FLAG, MEMBER(explain_refusals), 0, 0 },
    { "", "hooks_private", KEY_FLAG, MEMBER(hooks_private), 0, 0 },
    { "", "refill_private", KEY_FLAG, MEMBER(refill_private), 0, 0 },
    { "", "explorer", KEY_TEXT, MEMBER(explorer), 0, 0 },
    { "store", "sqlite", KEY_TEXT, MEMBER(sqlite), 0, 0 },
    { "store", "postgres", KEY_TEXT, MEMBER(postgres), 0, 0 },
    { "store", "password_file", KEY_TEXT, MEMBER(password_file), 0, 0 },
    { "compat", "get", KEY_FLAG, MEMBER(compat_get), 0, 0 },
    { "compat", "demo", KEY_FLAG, MEMBER(compat_demo), 0, 0 },
    { "compat", "public_status", KEY_FLAG, MEMBER(compat_public_status), 0, 0 },
    { "compat", "wallet", KEY_TEXT, MEMBER(compat_wallet), 0, 0 },
    { "compat", "totp_secret_file", KEY_TEXT, MEMBER(compat_totp_secret_file), 0, 0 },
    { "compat", "sink_wallet", KEY_TEXT, MEMBER(compat_sink_wallet), 0, 0 },
    { "log", "json", KEY_FLAG, MEMBER(log_json), 0, 0 },
};

static const struct key node_keys[] = {
    { "node", "host", KEY_TEXT, NODE_MEMBER(host), 0, 0 },
    { "node", "port", KEY_NUMBER, NODE_MEMBER(port), 1, 65535 },
    { "node", "credential_file", KEY_TEXT, NODE_MEMBER(credential_file), 0, 0 },
    { "node", "timeout", KEY_NUMBER, NODE_MEMBER(timeout_s), 1, SECONDS_MAX },
};

static const struct key signer_keys[] = {
    { "signer", "path", KEY_TEXT, SIGNER_MEMBER(path), 0, 0 },
    { "signer", "path_owner", KEY_TEXT, SIGNER_MEMBER(path_owner), 0, 0 },
    { "signer", "serial", KEY_TEXT, SIGNER_MEMBER(serial), 0, 0 },
    { "signer", "url", KEY_TEXT, SIGNER_MEMBER(url), 0, 0 },
    { "signer", "client_cert", KEY_TEXT, SIGNER_MEMBER(client_cert), 0, 0 },
    { "signer", "client_key", KEY_TEXT, SIGNER_MEMBER(client_key), 0, 0 },
    { "signer", "server_ca", KEY_TEXT, SIGNER_MEMBER(server_ca), 0, 0 },
    { "signer", "server_pin", KEY_TEXT, SIGNER_MEMBER(server_pin), 0, 0 },
    { "signer", "args", KEY_WORDS, SIGNER_MEMBER(args), 0, 0 },
    { "signer", "restart_command", KEY_WORDS, SIGNER_MEMBER(restart_command), 0, 0 },
    { "signer", "boots_to_hsm", KEY_FLAG, SIGNER_MEMBER(boots_to_hsm), 0, 0 },
};

struct reading {
    struct conf *conf;
    struct arena *arena;
    struct err *err;
};

// An argument list: words between blanks. There is no quoting, as there is no shell.
static bool set_words(const struct reading *r, const char **out, struct bytes value)
{
    struct reader text = reader_of(value);
    struct bytes word;
    size_t n = 0;
    while (reader_until(&text, ' ', &word)) {
        if (word.len == 0)
            continue;
        if (n == CONFIG_ARGS)
            return err_set(r->err, ERR_USAGE, "%s: more than %d words in a command", r->conf->file,
                           CONFIG_ARGS);
        out[n] = arena_text(r->arena, word);
        if (out[n++] == NULL)
            return err_set(r->err, ERR_USAGE, "%s: a command is no text", r->conf->file);
    }
    return true;
}

static bool set_text(const struct reading *r, const char **out, struct bytes value)
{
    if (value.len == 0)
        return true;
    *out = arena_text(r->arena, value);
    return *out != NULL || err_set(r->err, ERR_USAGE, "%s: a value is no text", r->conf->file);
}

static bool read_key(const struct reading *r, const struct key *key, const char *name, void *of)
{
    void *member = (char *)of + key->member;
    struct bytes value = { 0 };
    switch (key->kind) {
    case KEY_NUMBER:
        return conf_u64(r->conf, key->section, name, key->name, key->min, key->max, member, r->err);
    case KEY_FLAG:
        return conf_bool(r->conf, key->section, name, key->name, member, r->err);
    case KEY_WORDS:
        return conf_text(r->conf, key->section, name, key->name, &value, r->err) &&
               set_words(r, member, value);
    default:
        return conf_text(r->conf, key->section, name, key->name, &value, r->err) &&
               set_text(r, member, value);
    }
}

static bool read_keys(const struct reading *r, const struct key *rows, size_t n, const char *name,
                      void *of)
{
    for (size_t i = 0; i < n; i++)
        if (!read_key(r, &rows[i], name, of))
            return false;
    return true;
}

// --- Sections with a name ---

static bool is_name(struct bytes name)
{
    for (size_t i = 0; i < name.len; i++) {
        const uint8_t c = name.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_' || c == '-' || c == '.'))
            return false;
    }
    return name.len > 0 && name.len <= 64;
}

// The next section's name; false with an error, or at the end without one (*entry NULL).
static bool next_section(const struct reading *r, const char *kind, struct conf_entry **entry,
                         const char **name, size_t n, size_t max)
{
    *entry = conf_next_section(r->conf, kind, *entry);
    if (*entry == NULL)
        return true;
    if (!is_name((*entry)->name))
        return err_set(r->err, ERR_USAGE, "%s:%u: a %s's name is 1 to 64 of A-Z a-z 0-9 _ - .",
                       r->conf->file, (*entry)->line, kind);
    if (n == max)
        return err_set(r->err, ERR_USAGE, "%s:%u: more than %zu of [%s]", r->conf->file,
                       (*entry)->line, max, kind);
    *name = arena_text(r->arena, (*entry)->name);
    return *name != NULL || err_set(r->err, ERR_NO_MEMORY, "%s: too large", r->conf->file);
}

static bool finish_node(const struct reading *r, struct node_config *n)
{
    char url[300];
    struct bytes cookie = { 0 };
    if (!conf_text(r->conf, "node", n->name, "cookie", &cookie, r->err))
        return false;
    if (cookie.len > 0 && n->credential_file != NULL)
        return err_set(r->err, ERR_USAGE, "%s: [node %s] has cookie and credential_file",
                       r->conf->file, n->name);
    if (cookie.len > 0 && !set_text(r, &n->credential_file, cookie))
        return false;
    if (n->credential_file == NULL)
        return err_set(r->err, ERR_USAGE, "%s: [node %s] has neither cookie nor credential_file",
                       r->conf->file, n->name);
    const bool v6 = strchr(n->host, ':') != NULL;
    const int len = snprintf(url, sizeof url, "http://%s%s%s:%" PRIu64, v6 ? "[" : "", n->host,
                             v6 ? "]" : "", n->port);
    if (len < 0 || (size_t)len >= sizeof url)
        return err_set(r->err, ERR_USAGE, "%s: [node %s] host: too long", r->conf->file, n->name);
    return set_text(r, &n->url, bytes_of_text(url));
}

static bool read_nodes(const struct reading *r, struct coordinator_config *c)
{
    struct conf_entry *entry = NULL;
    for (;;) {
        struct node_config *n = &c->nodes[c->n_nodes];
        const char *name = NULL;
        if (!next_section(r, "node", &entry, &name, c->n_nodes, CONFIG_NODES))
            return false;
        if (entry == NULL)
            return true;
        *n = (struct node_config){
            .name = name, .host = "127.0.0.1", .port = 8332, .timeout_s = 60
        };
        if (!read_keys(r, node_keys, COUNT(node_keys), name, n) || !finish_node(r, n))
            return false;
        c->n_nodes++;
    }
}

// What each transport needs.
static const char *wrong_signer(const struct signer_config *s)
{
    switch (s->transport) {
    case TRANSPORT_UNIX:
        return s->path == NULL ? "path is missing" : NULL;
    case TRANSPORT_USB:
        return s->serial == NULL ? "serial is missing" : NULL;
    case TRANSPORT_LINK:
        if (s->url == NULL || s->client_cert == NULL || s->client_key == NULL)
            return "url, client_cert and client_key are needed";
        return s->server_ca == NULL && s->server_pin == NULL ? "server_ca or server_pin is needed"
                                                             : NULL;
    default:
        return s->path == NULL ? "path is missing" : NULL;
    }
}

static bool finish_signer(const struct reading *r, struct signer_config *s)
{
    struct bytes word = { 0 };
    if (!conf_text(r->conf, "signer", s->name, "transport", &word, r->err))
        return false;
    size_t i = 0;
    while (i < COUNT(transports) && !bytes_equal_text(word, transports[i]))
        i++;
    if (i == COUNT(transports))
        return err_set(r->err, ERR_USAGE,
                       "%s: [signer %s] transport is none of unix, usb, link, command",
                       r->conf->file, s->name);
    s->transport = (enum signer_transport)i;
    const char *why = wrong_signer(s);
    return why == NULL ||
           err_set(r->err, ERR_USAGE, "%s: [signer %s] %s", r->conf->file, s->name, why);
}

static bool read_signers(const struct reading *r, struct coordinator_config *c)
{
    struct conf_entry *entry = NULL;
    for (;;) {
        struct signer_config *s = &c->signers[c->n_signers];
        const char *name = NULL;
        if (!next_section(r, "signer", &entry, &name, c->n_signers, CONFIG_SIGNERS))
            return false;
        if (entry == NULL)
            return true;
        *s = (struct signer_config){ .name = name };
        if (!read_keys(r, signer_keys, COUNT(signer_keys), name, s) || !finish_signer(r, s))
            return false;
        c->n_signers++;
    }
}

// --- The whole file ---

static const char *const levels[] = { "debug", "info", "warning", "error" };

static bool read_level(const struct reading *r, struct coordinator_config *c)
{
    struct bytes word = { 0 };
    if (!conf_text(r->conf, "log", "", "level", &word, r->err))
        return false;
    for (size_t i = 0; i < COUNT(levels); i++)
        if (bytes_equal_text(word, levels[i])) {
            c->log_level = (enum log_level)i;
            return true;
        }
    return word.len == 0 ||
           err_set(r->err, ERR_USAGE, "%s: level is none of debug, info, warning, error",
                   r->conf->file);
}

static bool add_default_listener(struct coordinator_config *c)
{
    if (c->listeners.n == 0)
        c->listeners.items[c->listeners.n++] = (struct listener){
            .name = "local",
            .address = "127.0.0.1",
            .port = COORDINATOR_PORT,
            .loopback = true,
            .auth = LISTENER_TOKEN,
            .connections = LISTENER_CONNECTIONS,
        };
    return true;
}

// A listener's `auth` says how people may come in there: by what they carry (token: a session or a bearer
// token), or by a certificate. There are no passwords, and rights are people's own, not a listener's.
static bool check_listeners(struct coordinator_config *c, const struct reading *r)
{
    for (size_t i = 0; i < c->listeners.n; i++) {
        struct listener *l = &c->listeners.items[i];
        struct bytes auth = { 0 };
        const char *why = NULL;
        if (!conf_text(r->conf, "listener", l->name, "auth", &auth, r->err))
            return false;
        if (auth.len == 0 && l->auth == LISTENER_PASSWORD)
            l->auth = LISTENER_TOKEN; // what http/listener.h takes where nothing is said
        if (l->role != NULL)
            why = "role: rights are people's own here";
        else if (l->serve == SERVE_LINK || l->n_link_names > 0 || l->link_provision)
            why = "serve = link is a bunker's";
        else if ((l->auth & (LISTENER_PASSWORD | LISTENER_TOTP)) != 0)
            why = "auth is one of token, mtls, token+mtls, none";
        else if (l->auth == 0 && l->serve == SERVE_PAGES && !c->compat_demo)
            why = "auth = none is for serve = metrics and for [compat] demo";
        if (why != NULL)
            return err_set(r->err, ERR_USAGE, "%s: [listener %s] %s", r->conf->file, l->name, why);
    }
    return listeners_check(&c->listeners, r->err);
}

// libpq's "scheme://user:password@host", or its "password=...". An '@' before the scheme's end ends no user.
static bool has_password(const char *postgres)
{
    const char *user = strstr(postgres, "://");
    const char *at = user != NULL ? strchr(user, '@') : NULL;
    return strstr(postgres, "password=") != NULL ||
           (at != NULL && memchr(user + 3, ':', (size_t)(at - user) - 3) != NULL);
}

static bool check_store(const struct coordinator_config *c, const struct reading *r)
{
    if ((c->sqlite == NULL) == (c->postgres == NULL))
        return err_set(r->err, ERR_USAGE, "%s: [store] wants either sqlite or postgres",
                       r->conf->file);
    if (c->password_file != NULL && c->postgres == NULL)
        return err_set(r->err, ERR_USAGE, "%s: [store] password_file is for postgres",
                       r->conf->file);
    // It would be seen in the process list of whoever prints it, and in this file.
    if (c->postgres != NULL && has_password(c->postgres))
        return err_set(r->err, ERR_USAGE,
                       "%s: [store] postgres: a password goes into password_file", r->conf->file);
    return true;
}

static bool check_compat(const struct coordinator_config *c, const struct reading *r)
{
    if (!c->compat_demo && (c->compat_totp_secret_file != NULL || c->compat_sink_wallet != NULL))
        return err_set(r->err, ERR_USAGE,
                       "%s: [compat] totp_secret_file and sink_wallet need demo = on",
                       r->conf->file);
    return true;
}

bool config_parse(struct coordinator_config *out, const char *file, struct bytes text,
                  struct arena *arena, struct err *err)
{
    struct conf conf;
    const struct reading r = { &conf, arena, err };
    set_defaults(out);
    return conf_parse(&conf, file, text, arena, err) && read_keys(&r, keys, COUNT(keys), "", out) &&
           read_level(&r, out) && read_nodes(&r, out) && read_signers(&r, out) &&
           listeners_read(&out->listeners, &conf, arena, err) && add_default_listener(out) &&
           check_listeners(out, &r) && check_store(out, &r) && check_compat(out, &r) &&
           conf_finish(&conf, err);
}

// "credential:NAME" is a file that systemd has put where only this service reads it. Without systemd it stays what
// it is, and opening it fails.
static bool resolve(const char **path, struct arena *arena, struct err *err)
{
    const char *folder = getenv("CREDENTIALS_DIRECTORY");
    struct reader r = reader_of(bytes_of_text(*path));
    struct writer w = writer_growing(arena, 4096);
    if (*path == NULL || folder == NULL || !reader_accept_bytes(&r, BYTES("credential:")))
        return true;
    const struct bytes name = reader_rest(&r);
    if (!is_name(name))
        return err_set(err, ERR_USAGE, "%s: is no name of a credential", *path);
    writer_printf(&w, "%s/%.*s", folder, BYTES_ARG(name));
    *path = arena_text(arena, writer_bytes(&w));
    return *path != NULL || err_set(err, ERR_USAGE, "the credentials' folder is too long");
}

static bool resolve_all(struct coordinator_config *c, struct arena *arena, struct err *err)
{
    bool ok =
        resolve(&c->password_file, arena, err) && resolve(&c->compat_totp_secret_file, arena, err);
    for (size_t i = 0; ok && i < c->n_nodes; i++)
        ok = resolve(&c->nodes[i].credential_file, arena, err);
    for (size_t i = 0; ok && i < c->n_signers; i++)
        ok = resolve(&c->signers[i].client_key, arena, err);
    for (size_t i = 0; ok && i < c->listeners.n; i++)
        ok = resolve(&c->listeners.items[i].tls_key, arena, err);
    return ok;
}

bool config_load(struct coordinator_config *out, const char *path, struct arena *arena,
                 struct err *err)
{
    const char *file = path != NULL ? path : COORDINATOR_CONF;
    struct bytes text = { 0 };
    return file_read(&text, file, CONF_FILE_MAX, arena, err) &&
           config_parse(out, file, text, arena, err) && resolve_all(out, arena, err);
}

const struct signer_config *config_signer(const struct coordinator_config *c, struct bytes name)
{
    for (size_t i = 0; i < c->n_signers; i++)
        if (bytes_equal_text(name, c->signers[i].name))
            return &c->signers[i];
    return NULL;
}

// --- Writing ---

static void write_key(struct writer *w, const struct key *key, const void *of)
{
    const void *member = (const char *)of + key->member;
    switch (key->kind) {
    case KEY_NUMBER:
        writer_printf(w, "%s = %" PRIu64 "\n", key->name, *(const uint64_t *)member);
        return;
    case KEY_FLAG:
        writer_printf(w, "%s = %s\n", key->name, *(const bool *)member ? "on" : "off");
        return;
    case KEY_WORDS: {
        const char *const *words = member;
        if (words[0] == NULL)
            return;
        writer_printf(w, "%s =", key->name);
        for (size_t i = 0; words[i] != NULL; i++)
            writer_printf(w, " %s", words[i]);
        writer_text(w, "\n");
        return;
    }
    default:
        if (*(const char *const *)member != NULL)
            writer_printf(w, "%s = %s\n", key->name, *(const char *const *)member);
    }
}

static void write_keys(struct writer *w, const struct key *rows, size_t n, const void *of)
{
    for (size_t i = 0; i < n; i++)
        write_key(w, &rows[i], of);
}

static void write_own_keys(struct writer *w, const struct coordinator_config *c)
{
    const char *section = "";
    for (size_t i = 0; i < COUNT(keys); i++) {
        if (strcmp(section, keys[i].section) != 0) {
            section = keys[i].section;
            writer_printf(w, "\n[%s]\n", section);
            if (strcmp(section, "log") == 0)
                writer_printf(w, "level = %s\n", levels[c->log_level]);
        }
        write_key(w, &keys[i], c);
    }
}

static void write_listener(struct writer *w, const struct listener *l)
{
    writer_printf(w, "\n[listener %s]\n", l->name);
    if (l->path != NULL)
        writer_printf(w, "bind = unix:%s\n", l->path);
    else
        writer_printf(w, strchr(l->address, ':') != NULL ? "bind = [%s]:%u\n" : "bind = %s:%u\n",
                      l->address, l->port);
    writer_printf(w, "auth = %s\n",
                  l->auth == 0                ? "none"
                  : l->auth == LISTENER_MTLS  ? "mtls"
                  : l->auth == LISTENER_TOKEN ? "token"
                                              : "token+mtls");
    if (l->serve == SERVE_METRICS)
        writer_text(w, "serve = metrics\n");
    writer_printf(w, "connections = %u\nhosts = ", l->connections);
    for (size_t i = 0; i < l->n_hosts; i++)
        writer_printf(w, "%s%.*s", i > 0 ? ", " : "", BYTES_ARG(l->hosts[i]));
    writer_text(w, "\n");
    if (l->tls_cert != NULL)
        writer_printf(w, "tls_cert = %s\ntls_key = %s\n", l->tls_cert, l->tls_key);
    if (l->client_ca != NULL)
        writer_printf(w, "client_ca = %s\n", l->client_ca);
    if (l->hsts)
        writer_text(w, "hsts = yes\n");
    if (l->allow_unauthenticated_remote)
        writer_text(w, "allow_unauthenticated_remote = yes\n");
}

void config_write(struct writer *w, const struct coordinator_config *c)
{
    write_own_keys(w, c);
    for (size_t i = 0; i < c->n_nodes; i++) {
        writer_printf(w, "\n[node %s]\n", c->nodes[i].name);
        write_keys(w, node_keys, COUNT(node_keys), &c->nodes[i]);
    }
    for (size_t i = 0; i < c->n_signers; i++) {
        writer_printf(w, "\n[signer %s]\ntransport = %s\n", c->signers[i].name,
                      transports[c->signers[i].transport]);
        write_keys(w, signer_keys, COUNT(signer_keys), &c->signers[i]);
    }
    for (size_t i = 0; i < c->listeners.n; i++)
        write_listener(w, &c->listeners.items[i]);
}
