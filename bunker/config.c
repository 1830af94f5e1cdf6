#include "bunker/config.h"
#include "base/file.h"
#include "bunker/tor.h"
#include "bunker/yaml.h"
#include <sys/un.h>

static void set_defaults(struct bunker_config *c)
{
    *c = (struct bunker_config){
        .ncry = 1,
        .reconnect_delay = 10,
        .ping_rate = 15,
        .max_idle_time = 600,
        .max_login_wait_time = 300,
        .max_session_time = 43200,
        .factor_time = 600,
        .data_files = "./data",
        .broadcast = BROADCAST_ESPLORA,
        .esplora_url = ESPLORA_DEFAULT,
        .socks = TOR_SOCKS_DEFAULT,
        .esplora_main = "/api",
        .esplora_test = "/testnet/api",
        .node_url = "http://127.0.0.1:8332",
        .tor_control = TOR_AUTO,
        .tor_user = "debian-tor",
        .tor_auth = "password",
        .tor_role = "operator",
    };
}

// --- Our format ---

struct key {
    const char *section, *name;
    enum { KEY_TEXT, KEY_SECONDS, KEY_FLAG } kind;
    size_t member;
};
#define MEMBER(field) offsetof(struct bunker_config, field)

static const struct key keys[] = {
    { "", "max_idle_time", KEY_SECONDS, MEMBER(max_idle_time) },
    { "", "max_login_wait_time", KEY_SECONDS, MEMBER(max_login_wait_time) },
    { "", "max_session_time", KEY_SECONDS, MEMBER(max_session_time) },
    { "", "factor_time", KEY_SECONDS, MEMBER(factor_time) },
    { "", "reconnect_delay", KEY_SECONDS, MEMBER(reconnect_delay) },
    { "", "ping_rate", KEY_SECONDS, MEMBER(ping_rate) },
    { "", "data_files", KEY_TEXT, MEMBER(data_files) },
    { "", "settings_key_file", KEY_TEXT, MEMBER(settings_key_file) },
    { "", "easy_captcha", KEY_FLAG, MEMBER(easy_captcha) },
    { "", "compat_message_download", KEY_FLAG, MEMBER(compat_message_download) },
    { "", "allow_shutdown_remote", KEY_FLAG, MEMBER(allow_shutdown_remote) },
    { "device", "path", KEY_TEXT, MEMBER(device_path) },
    { "device", "path_owner", KEY_TEXT, MEMBER(path_owner) },
    { "device", "serial", KEY_TEXT, MEMBER(serial) },
    { "broadcast", "esplora_url", KEY_TEXT, MEMBER(esplora_url) },
    { "broadcast", "esplora_main", KEY_TEXT, MEMBER(esplora_main) },
    { "broadcast", "esplora_test", KEY_TEXT, MEMBER(esplora_test) },
    { "broadcast", "socks", KEY_TEXT, MEMBER(socks) },
    { "broadcast", "node_url", KEY_TEXT, MEMBER(node_url) },
    { "broadcast", "node_cookie", KEY_TEXT, MEMBER(node_cookie) },
    { "tor", "control", KEY_TEXT, MEMBER(tor_control) },
    { "tor", "user", KEY_TEXT, MEMBER(tor_user) },
    { "tor", "control_password_file", KEY_TEXT, MEMBER(tor_password_file) },
    { "tor", "socket", KEY_TEXT, MEMBER(tor_socket) },
    { "tor", "socket_group", KEY_TEXT, MEMBER(tor_group) },
    { "tor", "auth", KEY_TEXT, MEMBER(tor_auth) },
    { "tor", "role", KEY_TEXT, MEMBER(tor_role) },
    { "tor", "onion_requires_device", KEY_FLAG, MEMBER(onion_requires_device) },
};

static void *member_of(struct bunker_config *c, const struct key *key)
{
    return (char *)c + key->member;
}

static bool set_text(const char **out, struct bytes value, struct arena *arena, struct err *err)
{
    if (value.len == 0)
        return true;
    *out = arena_text(arena, value);
    return *out != NULL || err_set(err, ERR_USAGE, "a value is no text");
}

static bool read_key(struct bunker_config *c, const struct key *key, struct conf *conf,
                     struct arena *arena, struct err *err)
{
    void *member = member_of(c, key);
    struct bytes value = { 0 };
    switch (key->kind) {
    case KEY_TEXT:
        return conf_text(conf, key->section, "", key->name, &value, err) &&
               set_text(member, value, arena, err);
    case KEY_SECONDS:
        return conf_u64(conf, key->section, "", key->name, 1, 31536000, member, err);
    default:
        return conf_bool(conf, key->section, "", key->name, member, err);
    }
}

// One of a few words, each with its number.
static bool read_word(struct conf *conf, const char *section, const char *name,
                      const char *const *words, size_t n_words, unsigned *out, struct err *err)
{
    struct bytes value = { 0 };
    if (!conf_text(conf, section, "", name, &value, err))
        return false;
    if (value.len == 0)
        return true;
    for (unsigned i = 0; i < n_words; i++)
        if (bytes_equal_text(value, words[i])) {
            *out = i;
            return true;
        }
    return err_set(err, ERR_USAGE, "%s: %s: '%.*s' is no such thing", conf->file, name,
                   BYTES_ARG(value));
}

static const char *const broadcast_words[] = { "none", "esplora", "bitcoind" };
static const char *const message_words[] = { "combined", "separate", "off" };
static const char *const slot_words[] = { "private", "shared" };
static const char *const backend_words[] = { "unix", "usb" };

static bool read_words(struct bunker_config *c, struct conf *conf, struct err *err)
{
    unsigned broadcast = c->broadcast, message = c->compat_message_signed, slot = 0, backend = 0;
    uint64_t ncry = c->ncry;
    if (!read_word(conf, "broadcast", "backend", broadcast_words, COUNT(broadcast_words),
                   &broadcast, err) ||
        !read_word(conf, "", "compat_message_signed", message_words, COUNT(message_words), &message,
                   err) ||
        !read_word(conf, "", "slot_mode", slot_words, COUNT(slot_words), &slot, err) ||
        !read_word(conf, "device", "backend", backend_words, COUNT(backend_words), &backend, err) ||
        !conf_u64(conf, "", "", "usb_ncry_version", 1, 2, &ncry, err))
        return false;
    c->broadcast = (enum broadcast_backend)broadcast;
    c->compat_message_signed = (enum message_frame)message;
    c->usb = backend == 1;
    c->shared_slot = slot == 1;
    c->ncry = (uint32_t)ncry;
    return true;
}

static bool read_ours(struct bunker_config *c, const char *file, struct bytes text,
                      struct arena *arena, struct err *err)
{
    struct conf conf;
    if (!conf_parse(&conf, file, text, arena, err))
        return false;
    for (size_t i = 0; i < COUNT(keys); i++)
        if (!read_key(c, &keys[i], &conf, arena, err))
            return false;
    return read_words(c, &conf, err) && listeners_read(&c->listeners, &conf, arena, err) &&
           conf_finish(&conf, err);
}

// --- The reference's format ---

enum yaml_kind {
    YAML_TEXT,
    YAML_SECONDS,
    YAML_PORT,
    YAML_NCRY,
    YAML_TORD,
    YAML_FLAG,
    YAML_PASSWORD,
    YAML_SKIP,
};

static const struct {
    const char *name;
    enum yaml_kind kind;
    size_t member;
} yaml_keys[] = {
    { "PORT_NUMBER", YAML_PORT, 0 },
    { "MAX_IDLE_TIME", YAML_SECONDS, MEMBER(max_idle_time) },
    { "MAX_LOGIN_WAIT_TIME", YAML_SECONDS, MEMBER(max_login_wait_time) },
    { "MASTER_PW", YAML_PASSWORD, 0 },
    { "EASY_CAPTCHA", YAML_FLAG, MEMBER(easy_captcha) },
    { "ALLOW_REBOOTS", YAML_SKIP, 0 },
    { "DATA_FILES", YAML_TEXT, MEMBER(data_files) },
    { "EXPLORA", YAML_TEXT, MEMBER(esplora_url) },
    { "TORD_PORT", YAML_TORD, 0 },
    { "TOR_SOCKS", YAML_TEXT, MEMBER(socks) },
    { "SIMULATOR_SOCK", YAML_TEXT, MEMBER(device_path) },
    { "RECONNECT_DELAY", YAML_SECONDS, MEMBER(reconnect_delay) },
    { "PING_RATE", YAML_SECONDS, MEMBER(ping_rate) },
    { "USB_NCRY_VERSION", YAML_NCRY, 0 },
};

struct yaml_file {
    struct bunker_config *config;
    unsigned *port;
    struct arena *arena;
};

static bool read_number(struct bytes value, uint64_t min, uint64_t max, uint64_t *out)
{
    struct reader r = reader_of(value);
    return reader_decimal64(&r, max, out) && reader_done(&r) && *out >= min;
}

static const char *port_text(struct arena *arena, unsigned port)
{
    char text[32];
    (void)snprintf(text, sizeof text, "127.0.0.1:%u", port);
    return arena_text(arena, bytes_of_text(text));
}

static bool take_yaml(const struct yaml_file *f, size_t key, struct bytes value, struct err *err)
{
    struct bunker_config *c = f->config;
    void *member = (char *)c + yaml_keys[key].member;
    uint64_t number = 0;
    switch (yaml_keys[key].kind) {
    case YAML_TEXT:
        return set_text(member, value, f->arena, err);
    case YAML_SECONDS:
        if (!read_number(value, 1, 31536000, &number))
            break;
        *(uint64_t *)member = number;
        return true;
    case YAML_PORT:
        if (!read_number(value, 1, 65535, &number))
            break;
        *f->port = (unsigned)number;
        return true;
    case YAML_NCRY:
        if (!read_number(value, 1, 2, &number))
            break;
        c->ncry = (uint32_t)number;
        return true;
    case YAML_TORD:
        if (bytes_equal_text(value, "default"))
            return true;
        if (!read_number(value, 1, 65535, &number))
            break;
        c->tor_control = port_text(f->arena, (unsigned)number);
        return true;
    case YAML_FLAG:
        *(bool *)member = bytes_equal_text(value, "true") || bytes_equal_text(value, "True");
        return true;
    case YAML_PASSWORD:
        c->had_default_password = true;
        return true;
    default:
        return true;
    }
    return err_set(err, ERR_USAGE, "%s: '%.*s' is out of range", yaml_keys[key].name,
                   BYTES_ARG(value));
}

// "unknown keys logged and ignored as there"
static bool find_yaml(struct bytes key, size_t *out)
{
    for (size_t i = 0; i < COUNT(yaml_keys); i++)
        if (bytes_equal_text(key, yaml_keys[i].name)) {
            *out = i;
            return true;
        }
    return false;
}

static bool read_reference(const struct yaml_file *f, const char *file, struct bytes text,
                           struct err *err)
{
    struct reader r = reader_of(text);
    struct yaml_line line;
    unsigned n = 0;
    size_t key;
    while (yaml_next(&r, &line, &n, err)) {
        if (!find_yaml(line.key, &key)) {
            f->config->n_ignored++;
            f->config->ignored = arena_text(f->arena, line.key);
        } else if (!take_yaml(f, key, line.value, err)) {
            return err_within(err, "%s:%u", file, line.line);
        }
    }
    return err->code == ERR_NONE || err_within(err, "%s", file);
}

// --- Modes are presets over listeners ---

static struct listener *add_listener(struct bunker_config *c, const char *name)
{
    struct listener *l = &c->listeners.items[c->listeners.n++];
    *l = (struct listener){ .name = name, .connections = LISTENER_CONNECTIONS };
    return l;
}

static bool add_preset(struct bunker_config *c, const struct config_request *q, unsigned port,
                       struct arena *arena, struct err *err)
{
    const bool is_open = q->local || q->setup;
    struct listener *l = add_listener(c, is_open ? "local" : "login");
    l->address = "127.0.0.1";
    l->port = port;
    l->loopback = true;
    l->auth = is_open ? 0 : LISTENER_PASSWORD;
    l->role = "admin";
    return q->listen == NULL || listener_set_bind(l, bytes_of_text(q->listen), arena, err);
}

// "The onion service gets its own Unix-socket listener with password at least, so it can never inherit a
// trusted listener's policy."
static bool add_onion(struct bunker_config *c, const struct config_request *q, struct arena *arena,
                      struct err *err)
{
    const bool is_named = c->tor_socket != NULL;
    char path[1024];
    if (q->local || strcmp(c->tor_control, "none") == 0 || c->listeners.n == LISTENERS_MAX) {
        c->tor_control = NULL;
        return true;
    }
    (void)snprintf(path, sizeof path, "%s/onion.sock", c->data_files);
    if (!is_named)
        c->tor_socket = arena_text(arena, bytes_of_text(path));
    const bool fits = c->tor_socket != NULL && strpbrk(c->tor_socket, " \"\\,") == NULL &&
                      strlen(c->tor_socket) < sizeof((struct sockaddr_un){ 0 }).sun_path;
    if (!fits && is_named)
        return err_set(err, ERR_USAGE, "[tor] socket: too long, or with blanks or commas");
    if (!fits) { // nobody asked for it
        c->tor_control = c->tor_socket = NULL;
        return true;
    }
    struct listener *l = add_listener(c, "onion");
    l->path = c->tor_socket;
    l->role = c->tor_role;
    l->hosts[l->n_hosts++] = BYTES("onion.invalid"); // until it has its address
    c->onion = l;
    if (!listener_set_auth(l, bytes_of_text(c->tor_auth), err))
        return err_within(err, "[tor]");
    return (l->auth & LISTENER_PASSWORD) != 0 ||
           err_set(err, ERR_USAGE, "[tor] auth: onion visitors always give a password");
}

static bool read_roles(struct bunker_config *c, struct err *err)
{
    for (size_t i = 0; i < c->listeners.n; i++) {
        const struct listener *l = &c->listeners.items[i];
        c->roles[i] = l->role != NULL ? role_of(bytes_of_text(l->role)) : ROLE_OPERATOR;
        if (c->roles[i] == ROLE_NONE)
            return err_set(err, ERR_USAGE,
                           "listener %s: role '%s' is none of viewer, operator, admin", l->name,
                           l->role);
        if (l->serve == SERVE_LINK && l->role != NULL)
            return err_set(err, ERR_USAGE, "listener %s: serve = link has no role", l->name);
    }
    return true;
}

static bool finish(struct bunker_config *c, const struct config_request *q, unsigned port,
                   struct arena *arena, struct err *err)
{
    if (q->listen != NULL)
        c->listeners.n = 0;
    if (c->usb && c->device_path != NULL)
        return err_set(err, ERR_USAGE, "[device]: backend = usb has no path");
    if (c->listeners.n == 0 && !add_preset(c, q, port, arena, err))
        return false;
    if (!add_onion(c, q, arena, err))
        return false;
    c->serial = q->serial != NULL ? q->serial : c->serial;
    c->preload = q->preload;
    if (q->settings_key_file != NULL)
        c->settings_key_file = q->settings_key_file;
    c->local_mode = q->local;
    c->setup_mode = q->setup;
    return listeners_check(&c->listeners, err) && read_roles(c, err);
}

bool config_parse(struct bunker_config *out, const char *file, struct bytes text,
                  const struct config_request *request, struct arena *arena, struct err *err)
{
    unsigned port = BUNKER_PORT;
    set_defaults(out);
    const struct yaml_file yaml = { out, &port, arena };
    const bool ok = yaml_is_reference(text) ? read_reference(&yaml, file, text, err)
                                            : read_ours(out, file, text, arena, err);
    return ok && finish(out, request, port, arena, err);
}

bool config_load(struct bunker_config *out, const struct config_request *request,
                 struct arena *arena, struct err *err)
{
    const char *file = request->file != NULL ? request->file : BUNKER_CONF;
    struct bytes text = { 0 };
    if (!file_read(&text, file, CONF_FILE_MAX, arena, err) &&
        (request->file != NULL || err->code != ERR_NOT_FOUND))
        return false;
    return config_parse(out, file, text, request, arena, err);
}

// --- Writing ---

static void write_listener(struct writer *w, const struct listener *l, enum role role)
{
    static const struct {
        unsigned bit;
        const char *name;
    } auths[] = { { LISTENER_PASSWORD, "password" },
                  { LISTENER_TOTP, "totp" },
                  { LISTENER_MTLS, "mtls" },
                  { LISTENER_TOKEN, "token" } };
    const char *join = "";
    writer_printf(w, "\n[listener %s]\n", l->name);
    if (l->path != NULL)
        writer_printf(w, "bind = unix:%s\n", l->path);
    else
        writer_printf(w, strchr(l->address, ':') != NULL ? "bind = [%s]:%u\n" : "bind = %s:%u\n",
                      l->address, l->port);
    writer_text(w, l->auth == 0 ? "auth = none" : "auth = ");
    for (size_t i = 0; i < COUNT(auths); i++)
        if ((l->auth & auths[i].bit) != 0) {
            writer_printf(w, "%s%s", join, auths[i].name);
            join = "+";
        }
    if (l->serve != SERVE_LINK)
        writer_printf(w, "\nrole = %s", role_name(role));
    if (l->serve != SERVE_PAGES)
        writer_printf(w, "\nserve = %s", l->serve == SERVE_LINK ? "link" : "metrics");
    writer_printf(w, "\nconnections = %u\nhosts = ", l->connections);
    for (size_t i = 0; i < l->n_hosts; i++)
        writer_printf(w, "%s%.*s", i > 0 ? ", " : "", BYTES_ARG(l->hosts[i]));
    writer_text(w, "\n");
    if (l->tls_cert != NULL)
        writer_printf(w, "tls_cert = %s\ntls_key = %s\n", l->tls_cert, l->tls_key);
    if (l->client_ca != NULL)
        writer_printf(w, "client_ca = %s\n", l->client_ca);
    if (l->serve == SERVE_LINK) {
        writer_text(w, "link_names = ");
        for (size_t i = 0; i < l->n_link_names; i++)
            writer_printf(w, "%s%.*s", i > 0 ? ", " : "", BYTES_ARG(l->link_names[i]));
        writer_printf(w, "\nlink_provision = %s\n", l->link_provision ? "yes" : "no");
    }
}

static void write_key(struct writer *w, const struct key *key, const struct bunker_config *c)
{
    const void *member = (const char *)c + key->member;
    if (key->kind == KEY_SECONDS)
        writer_printf(w, "%s = %llu\n", key->name, (unsigned long long)*(const uint64_t *)member);
    else if (key->kind == KEY_FLAG)
        writer_printf(w, "%s = %s\n", key->name, *(const bool *)member ? "on" : "off");
    else if (*(const char *const *)member != NULL)
        writer_printf(w, "%s = %s\n", key->name, *(const char *const *)member);
}

void config_write(struct writer *w, const struct bunker_config *c)
{
    const char *section = "";
    writer_printf(w, "slot_mode = %s\ncompat_message_signed = %s\nusb_ncry_version = %u\n",
                  slot_words[c->shared_slot], message_words[c->compat_message_signed],
                  (unsigned)c->ncry);
    for (size_t i = 0; i < COUNT(keys); i++) {
        if (strcmp(section, keys[i].section) != 0) {
            section = keys[i].section;
            writer_printf(w, "\n[%s]\n", section);
            if (strcmp(section, "device") == 0)
                writer_printf(w, "backend = %s\n", backend_words[c->usb]);
            if (strcmp(section, "broadcast") == 0)
                writer_printf(w, "backend = %s\n", broadcast_words[c->broadcast]);
            if (strcmp(section, "tor") == 0 && c->tor_control == NULL)
                writer_text(w, "control = none\n");
        }
        write_key(w, &keys[i], c);
    }
    for (size_t i = 0; i < c->listeners.n; i++)
        if (&c->listeners.items[i] != c->onion) // it is what [tor] says
            write_listener(w, &c->listeners.items[i], c->roles[i]);
}
