#include "bunker/onion.h"
#include "base/base64.h"
#include "base/file.h"
#include "base/require.h"
#include "base/utf8.h"
#include "bunker/bunker.h"
#include <errno.h>
#include <grp.h>
#include <sys/stat.h>

static struct listener *listener_of(const struct bunker *b)
{
    for (size_t i = 0; i < b->listeners->n; i++)
        if (&b->listeners->items[i] == b->config->onion)
            return &b->listeners->items[i];
    return NULL;
}

static bool is_connected(const struct bunker *b)
{
    return b->device->view.serial[0] != '\0';
}

static bool should_serve(const struct bunker *b)
{
    return b->onion.tor != NULL && !b->config->local_mode && !b->setup_mode &&
           b->settings.tor_enabled && b->settings.onion_key != NULL &&
           (!b->config->onion_requires_device || is_connected(b));
}

static struct hash256 wish_hash(const struct bunker *b)
{
    struct sha256 ctx;
    sha256_init(&ctx);
    sha256_update(&ctx, bytes_of_text(b->settings.onion_addr));
    sha256_update(
        &ctx, bytes_of(b->settings.onion_clients, b->settings.n_onion_clients * TOR_CLIENT_SIZE));
    return sha256_final(&ctx);
}

void onion_update(struct bunker *b)
{
    struct onion *o = &b->onion;
    struct listener *l = listener_of(b);
    const struct settings *s = &b->settings;
    const bool is_wanted = should_serve(b);
    const struct hash256 wanted = wish_hash(b);
    if (l != NULL && s->onion_addr[0] != '\0') { // visitors ask by this name and no other
        l->hosts[0] = bytes_of_text(s->onion_addr);
        l->n_hosts = 1;
    }
    if (o->tor == NULL ||
        (is_wanted == o->is_wanted && memcmp(&wanted, &o->wanted, sizeof wanted) == 0))
        return;
    o->is_wanted = is_wanted;
    o->wanted = wanted;
    tor_want(o->tor, is_wanted ? s->onion_key : NULL, s->onion_addr, s->onion_clients,
             is_wanted ? s->n_onion_clients : 0);
}

// --- Start and end ---

static void changed(void *context)
{
    struct bunker *b = context;
    struct tor_report *r = &b->onion.report;
    const struct tor_report before = *r;
    tor_look(b->onion.tor, r);
    if (r->state != before.state || strcmp(r->why, before.why) != 0)
        LOG(b->log, LOG_INFO, "tor", LOG_TEXT("state", tor_state_name(r->state)),
            LOG_TEXT("version", r->version), LOG_TEXT("why", r->why));
    clients_push(b);
}

// Tor is another user: it may open the socket by its group.
static bool open_to_group(const struct bunker *b, const char *path, struct err *err)
{
    const char *name = b->config->tor_group;
    const struct group *group = name != NULL ? getgrnam(name) : NULL;
    if (name == NULL)
        return chmod(path, 0600) == 0 || err_set_errno(err, errno, "%s", path);
    if (group == NULL)
        return err_set(err, ERR_USAGE, "[tor] socket_group: there is no group '%s'", name);
    return (chown(path, (uid_t)-1, group->gr_gid) == 0 && chmod(path, 0660) == 0) ||
           err_set_errno(err, errno, "%s", path);
}

static bool read_password(struct bunker *b, struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(65536);
    const char *path = b->config->tor_password_file;
    struct bytes text;
    if (path == NULL)
        return true;
    if (!file_read(&text, path, 1024, arena, err))
        return false;
    b->onion.password = secret_new(bytes_trim(text));
    return true;
}

bool onion_start(struct bunker *b, struct err *err)
{
    const struct listener *l = listener_of(b);
    struct onion *o = &b->onion;
    if (l == NULL)
        return true;
    (void)snprintf(o->target, sizeof o->target, "unix:%s", l->path);
    const struct tor_options options = { .control = b->config->tor_control,
                                         .user = b->config->tor_user,
                                         .target = o->target,
                                         .loop = { http_server_post, b->server },
                                         .changed = changed,
                                         .context = b };
    if (!open_to_group(b, l->path, err) || !read_password(b, err))
        return false;
    struct tor_options all = options;
    all.password = o->password;
    if (!tor_new(&o->tor, &all, err))
        return false;
    onion_update(b);
    return true;
}

void onion_stop(struct bunker *b)
{
    tor_free(b->onion.tor);
    secret_free(b->onion.password);
    b->onion = (struct onion){ 0 };
}

// --- Keys ---

void onion_pick(struct bunker *b, struct session *session, char address[static ONION_ADDR_LEN + 1],
                char handle[static ONION_HANDLE_SIZE])
{
    struct visitor *v = session_visitor(b, session);
    secret_free(v->picked);
    v->picked = secret_new_zeroed(ONION_KEY_LEN);
    onion_key_new(secret_edit(v->picked));
    const bool is_key = onion_address(address, secret_open(v->picked).ptr);
    secret_close(v->picked);
    secret_close(v->picked);
    REQUIRE(is_key);
    _Static_assert(ONION_HANDLE_SIZE == SESSION_TOKEN_SIZE, "a handle is such a token");
    session_make_token(v->handle);
    memcpy(handle, v->handle, ONION_HANDLE_SIZE);
}

struct secret *onion_take(struct bunker *b, struct session *session, struct bytes text)
{
    struct visitor *v = session_visitor(b, session);
    struct secret *key = NULL;
    uint8_t raw[ONION_KEY_LEN + 2];
    struct writer w = writer_of(raw, sizeof raw);
    if (v->picked != NULL && ct_equal(text, bytes_of_text(v->handle))) {
        key = v->picked;
        v->picked = NULL;
    } else if (base64_read(&w, text) && w.len == ONION_KEY_LEN) {
        key = secret_new(bytes_of(raw, ONION_KEY_LEN));
    }
    wipe(raw, sizeof raw);
    return key;
}

// --- STATUS ---

static void put_text(struct json_writer *j, const char *key, const char *text)
{
    char clean[256]; // a path that a daemon names may be no text
    json_key(j, key);
    if (text[0] == '\0') {
        json_null(j);
        return;
    }
    (void)snprintf(clean, sizeof clean, "%s", text);
    utf8_clean((uint8_t *)clean, strlen(clean));
    json_text(j, clean);
}

void onion_write(struct json_writer *j, const struct bunker *b)
{
    json_key(j, "tord_good");
    json_bool(j, b->onion.report.state >= TOR_STATE_GOOD);
    json_key(j, "tor_enabled");
    if (b->settings.tor_is_set)
        json_bool(j, b->settings.tor_enabled);
    else
        json_null(j);
    put_text(j, "onion_addr", b->onion.report.address);
}

void onion_write_extra(struct json_writer *j, const struct bunker *b, bool is_admin)
{
    const struct tor_report *r = &b->onion.report;
    json_key(j, "tor");
    json_begin_object(j);
    put_text(j, "state", b->onion.tor != NULL ? tor_state_name(r->state) : "off");
    put_text(j, "address", b->settings.onion_addr);
    put_text(j, "version", r->version);
    put_text(j, "why", r->why);
    json_key(j, "uploads");
    json_u64(j, r->uploads);
    json_key(j, "uploaded");
    json_u64(j, r->uploaded);
    json_key(j, "failed");
    json_u64(j, r->failed);
    json_key(j, "clients");
    json_begin_array(j);
    for (size_t i = 0; is_admin && i < b->settings.n_onion_clients; i++)
        json_text(j, b->settings.onion_clients[i]);
    json_end_array(j);
    json_end_object(j);
}
