#include "http/session.h"
#include "base/base64.h"
#include "base/require.h"
#include "base/secret.h"
#include "crypto/hmac.h"
#include "crypto/random.h"

// --- In memory ---

struct memory_store {
    struct session_store base;
    struct session *items[SESSIONS_MAX];
};

static struct session *memory_find(struct session_store *store,
                                   const uint8_t key[static SESSION_KEY_LEN])
{
    struct memory_store *m = (struct memory_store *)store;
    for (size_t i = 0; i < SESSIONS_MAX; i++)
        if (m->items[i] != NULL &&
            ct_equal(BYTES_OF(m->items[i]->key), bytes_of(key, SESSION_KEY_LEN)))
            return m->items[i];
    return NULL;
}

static struct session *memory_add(struct session_store *store,
                                  const uint8_t key[static SESSION_KEY_LEN])
{
    struct memory_store *m = (struct memory_store *)store;
    for (size_t i = 0; i < SESSIONS_MAX; i++) {
        if (m->items[i] != NULL)
            continue;
        m->items[i] = calloc(1, sizeof *m->items[i]);
        REQUIRE(m->items[i] != NULL);
        memcpy(m->items[i]->key, key, SESSION_KEY_LEN);
        return m->items[i];
    }
    return NULL;
}

static void memory_remove(struct session_store *store, struct session *session)
{
    struct memory_store *m = (struct memory_store *)store;
    for (size_t i = 0; i < SESSIONS_MAX; i++)
        if (m->items[i] == session)
            m->items[i] = NULL;
    wipe(session, sizeof *session);
    free(session);
}

static struct session *memory_next(struct session_store *store, const struct session *after)
{
    struct memory_store *m = (struct memory_store *)store;
    bool found = after == NULL;
    for (size_t i = 0; i < SESSIONS_MAX; i++) {
        if (found && m->items[i] != NULL)
            return m->items[i];
        found = found || m->items[i] == after;
    }
    return NULL;
}

static void memory_free(struct session_store *store)
{
    for (struct session *s; (s = memory_next(store, NULL)) != NULL;)
        memory_remove(store, s);
    free(store);
}

struct session_store *session_store_memory(void)
{
    struct memory_store *m = calloc(1, sizeof *m);
    REQUIRE(m != NULL);
    m->base =
        (struct session_store){ memory_find, memory_add, memory_remove, memory_next, memory_free };
    return &m->base;
}

// --- Ids ---

void session_make_token(char out[static SESSION_TOKEN_SIZE])
{
    uint8_t random[15];
    random_bytes(random, sizeof random);
    struct writer w = writer_of(out, SESSION_TOKEN_SIZE);
    base32_write(&w, BYTES_OF(random));
    writer_u8(&w, 0);
    wipe(random, sizeof random);
}

// base64url without padding.
static void make_id(char out[static SESSION_ID_SIZE])
{
    uint8_t random[32];
    char text[BASE64_LEN(sizeof random)];
    random_bytes(random, sizeof random);
    struct writer w = writer_of(text, sizeof text);
    base64_write(&w, BYTES_OF(random));
    for (size_t i = 0; i < SESSION_ID_SIZE - 1; i++)
        out[i] = text[i];
    out[SESSION_ID_SIZE - 1] = '\0';
    for (char *c = out; *c != '\0'; c++)
        *c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
    wipe(random, sizeof random);
    wipe(text, sizeof text);
}

static void key_of(const struct sessions *s, uint8_t out[static SESSION_KEY_LEN], struct bytes id)
{
    hmac_sha256(out, BYTES_OF(s->secret), id);
}

// --- Life ---

void sessions_init(struct sessions *s, struct session_store *store)
{
    *s = (struct sessions){ .store = store, .idle_s = SESSION_IDLE_S, .life_s = SESSION_LIFE_S };
    random_bytes(s->secret, sizeof s->secret);
}

void sessions_free(struct sessions *s)
{
    while (s->store != NULL && s->store->next(s->store, NULL) != NULL)
        session_end(s, s->store->next(s->store, NULL));
    if (s->store != NULL)
        s->store->free(s->store);
    wipe(s, sizeof *s);
}

static struct session *add(struct sessions *s, char id[static SESSION_ID_SIZE])
{
    uint8_t key[SESSION_KEY_LEN];
    make_id(id);
    key_of(s, key, bytes_of_text(id));
    struct session *made = s->store->add(s->store, key);
    if (made == NULL)
        return NULL;
    session_make_token(made->ws_token);
    session_make_token(made->csrf);
    return made;
}

static bool make_room(struct sessions *s)
{
    struct session *oldest = NULL;
    for (struct session *at = NULL; (at = s->store->next(s->store, at)) != NULL;)
        if (!at->typed && !at->has_socket && (oldest == NULL || at->active_s < oldest->active_s))
            oldest = at;
    if (oldest != NULL)
        session_end(s, oldest);
    return oldest != NULL;
}

struct session *session_start(struct sessions *s, const struct listener *listener, int64_t now_s,
                              char id[static SESSION_ID_SIZE])
{
    struct session *made = add(s, id);
    if (made == NULL && make_room(s))
        made = add(s, id);
    if (made == NULL)
        return NULL;
    made->listener = listener;
    made->created_s = made->active_s = now_s;
    return made;
}

int64_t session_left_s(const struct sessions *s, const struct session *session, int64_t now_s)
{
    const int64_t idle = session->active_s + s->idle_s - now_s;
    const int64_t life = session->created_s + s->life_s - now_s;
    const int64_t own = session->ends_s > 0 ? session->ends_s - now_s : life;
    const int64_t least = idle < life ? idle : life;
    return own < least ? own : least;
}

struct session *session_find(struct sessions *s, struct bytes id, const struct listener *listener,
                             int64_t now_s)
{
    uint8_t key[SESSION_KEY_LEN];
    if (id.len != SESSION_ID_SIZE - 1)
        return NULL;
    key_of(s, key, id);
    struct session *found = s->store->find(s->store, key);
    // What one listener let in is no session of another, which may ask for more.
    if (found == NULL || found->listener != listener)
        return NULL;
    if (session_left_s(s, found, now_s) <= 0) {
        session_end(s, found);
        return NULL;
    }
    return found;
}

struct session *session_renew(struct sessions *s, struct session *session, int64_t now_s,
                              char id[static SESSION_ID_SIZE])
{
    struct session *made = add(s, id);
    if (made == NULL) {
        session_end(s, session);
        return NULL;
    }
    made->listener = session->listener;
    made->logged_in = session->logged_in;
    made->typed = session->typed;
    made->role = session->role;
    made->factor_s = session->factor_s;
    made->ends_s = session->ends_s;
    memcpy(made->account, session->account, sizeof made->account);
    made->created_s = made->active_s = now_s;
    session_end(s, session);
    return made;
}

void session_end(struct sessions *s, struct session *session)
{
    if (s->ended != NULL)
        s->ended(s->context, session);
    s->store->remove(s->store, session);
}

void sessions_expire(struct sessions *s, int64_t now_s)
{
    struct session *next;
    for (struct session *at = s->store->next(s->store, NULL); at != NULL; at = next) {
        next = s->store->next(s->store, at);
        if (session_left_s(s, at, now_s) <= 0)
            session_end(s, at);
    }
}
