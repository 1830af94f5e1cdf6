// Open sockets and event streams: who may open one, what each is sent.
#include "base/reader.h"
#include "base/require.h"
#include "bunker/frames.h"
#include "http/form.h"

#define WEBSOCKET_PATH "/websocket/"

int64_t bunker_now_s(const struct bunker *b)
{
    return b->clock.wall_s(&b->clock);
}

int64_t bunker_now_ms(const struct bunker *b)
{
    return b->clock.monotonic_ms(&b->clock);
}

enum role bunker_listener_role(const struct bunker *b, const struct listener *l)
{
    return b->config->roles[l - b->listeners->items];
}

struct visitor *session_visitor(struct bunker *b, struct session *session)
{
    struct visitor *v = session->data;
    if (v != NULL)
        return v;
    v = calloc(1, sizeof *v);
    REQUIRE(v != NULL);
    session->data = v;
    v->slot = b->shared;
    if (v->slot == NULL) {
        v->slot = slot_new();
        v->slot->owner = session;
        v->slot->n_members = 1;
        slot_set_users(v->slot, json_get(b->hsm, "users"));
    }
    return v;
}

struct slot *session_slot(struct bunker *b, struct session *session)
{
    return session_visitor(b, session)->slot;
}

// --- Opening ---

static struct session *session_of(struct bunker *b, const struct http_request *r)
{
    struct bytes id;
    if (!http_cookie_get(r->cookie, "X", &id))
        return NULL;
    return session_find(&b->sessions, id, r->listener, bunker_now_s(b));
}

static bool has_token(const struct session *session, struct bytes path)
{
    struct reader r = reader_of(path);
    return reader_accept_bytes(&r, BYTES(WEBSOCKET_PATH)) &&
           ct_equal(reader_rest(&r), bytes_of_text(session->ws_token));
}

// "a WebSocket request without a session is also redirected (302) in login mode and answered 403 in
// no-login mode"
unsigned clients_upgrade(void *context, const struct http_request *r, struct bytes *location)
{
    struct bunker *b = context;
    if (r->listener->serve == SERVE_LINK)
        return link_upgrade(b, r);
    const struct session *session = session_of(b, r);
    if (r->listener->serve != SERVE_PAGES)
        return 404;
    if (session == NULL && r->listener->auth != 0) {
        *location = BYTES("/login");
        return 302;
    }
    return session != NULL && session->logged_in && has_token(session, r->path) ? 101 : 403;
}

static struct client *add_client(struct bunker *b, struct session *session)
{
    struct client *c = calloc(1, sizeof *c);
    REQUIRE(c != NULL);
    *c = (struct client){ .bunker = b, .session = session, .next = b->clients };
    c->id = ++b->last_client;
    b->clients = c;
    session->has_socket = true;
    return c;
}

void clients_opened(void *context, struct http_socket *socket, const struct http_request *r)
{
    struct bunker *b = context;
    if (r->listener->serve == SERVE_LINK) {
        link_opened(b, socket, r);
        return;
    }
    struct session *session = session_of(b, r);
    if (session == NULL) { // it ended in between
        http_socket_close(socket, 4401);
        return;
    }
    struct client *c = add_client(b, session);
    c->socket = socket;
    http_socket_set_data(socket, c);
    clients_push_slot(b, NULL, c);
    bunker_poll(b);
}

void clients_add_stream(struct bunker *b, struct session *session, struct http_exchange *exchange)
{
    struct client *c = add_client(b, session);
    c->socket = http_reply_stream(exchange, c);
    if (c->socket == NULL) {
        b->clients = c->next;
        session->has_socket = false; // at worst too early: until its next socket
        free(c);
        return;
    }
    clients_push_slot(b, NULL, c);
}

void clients_closed(void *context, struct http_socket *socket)
{
    struct bunker *b = context;
    if (http_socket_listener(socket)->serve == SERVE_LINK) {
        link_closed(b, socket);
        return;
    }
    struct client *c = http_socket_data(socket);
    for (struct client **at = &b->clients; *at != NULL; at = &(*at)->next)
        if (*at == c) {
            *at = c->next;
            break;
        }
    if (c == NULL)
        return;
    // "Codes vanish ... on disconnect": with the last socket of that session.
    bool others = false;
    for (const struct client *o = b->clients; o != NULL; o = o->next)
        others = others || o->session == c->session;
    struct slot *slot = session_slot(b, c->session);
    c->session->has_socket = others;
    if (!others && slot != b->shared && !slot_is_busy(slot)) {
        slot_forget_codes_of(slot, c->session);
        clients_push_slot(b, slot, NULL);
    }
    free(c);
}

struct client *clients_find(const struct bunker *b, uint64_t id)
{
    for (struct client *c = b->clients; c != NULL; c = c->next)
        if (c->id == id)
            return c;
    return NULL;
}

bool clients_any_watch(const struct bunker *b)
{
    return b->clients != NULL;
}

void clients_close_session(struct bunker *b, const struct session *session)
{
    struct client *next;
    for (struct client *c = b->clients; c != NULL; c = next) {
        next = c->next;
        if (c->session != session)
            continue;
        http_socket_send(c->socket, BYTES("{\"redirect\": \"/logout\"}"), 0);
        http_socket_set_data(c->socket, NULL);
        http_socket_close(c->socket, 4401);
        for (struct client **at = &b->clients; *at != NULL; at = &(*at)->next)
            if (*at == c) {
                *at = next;
                break;
            }
        free(c);
    }
}

// --- Input ---

void clients_message(void *context, struct http_socket *socket, struct bytes text)
{
    struct client *c = http_socket_data(socket);
    if (c != NULL)
        actions_run(context, c, text);
}

void clients_too_large(void *context, struct http_socket *socket, struct bytes start)
{
    static const char mark[] = "\"upload_psbt\"";
    struct client *c = http_socket_data(socket);
    const struct bytes head = bytes_slice(start, 0, 256);
    (void)context;
    if (c != NULL && head.len > 0 && memmem(head.ptr, head.len, mark, sizeof mark - 1) != NULL)
        frame_fail(c, "too_large", "PSBT is too large (limit %d bytes).", PSBT_SIZE_MAX);
}

// --- Pushing ---

static void push_one(struct bunker *b, struct client *c, bool always)
{
    AUTO(arena_freep) struct arena *arena = arena_new(FRAME_ARENA);
    struct writer w = writer_growing(arena, FRAME_ARENA / 2);
    struct json_writer j = json_writer_of(&w);
    j.ascii = true;
    status_write(&j, b, c->session, 0);
    const struct hash256 now = sha256(writer_bytes(&w));
    if (!always && c->has_last && memcmp(&now, &c->last, sizeof now) == 0)
        return;
    c->last = now;
    c->has_last = true;
    struct frame f;
    frame_begin(&f);
    json_key(&f.j, "vue_app_cb");
    json_begin_object(&f.j);
    json_key(&f.j, "update_status");
    status_write(&f.j, b, c->session, bunker_now_s(b));
    json_end_object(&f.j);
    frame_send(&f, c, KEY_STATUS);
}

void clients_push(struct bunker *b)
{
    b->push_due = false;
    for (struct client *c = b->clients; c != NULL; c = c->next)
        push_one(b, c, false);
}

void clients_push_slot(struct bunker *b, const struct slot *slot, struct client *always)
{
    for (struct client *c = b->clients; c != NULL; c = c->next)
        if (c == always || session_slot(b, c->session) == slot)
            push_one(b, c, c == always);
}
