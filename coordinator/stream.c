#include "coordinator/stream.h"
#include "base/require.h"
#include "coordinator/frame.h"
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>

#define POLL_MS      200 // between looks at the ledger while somebody watches
#define BATCH        500 // events of one stream at once
#define STREAM_ARENA ((size_t)32 << 20)

// --- Frames ---

struct frame {
    uint8_t mem[FRAME_MAX];
    struct writer w;
};

static struct writer *frame_begin(struct frame *f)
{
    f->w = writer_of(f->mem, sizeof f->mem);
    return &f->w;
}

static void frame_put(const struct frame *f, struct writer *w)
{
    struct bytes json;
    if (!writer_finish(&f->w, &json))
        return;
    writer_text(w, "data: ");
    writer_put(w, json);
    writer_text(w, "\n\n");
}

void frame_log(struct writer *w, const char *cls, const char *fmt, ...)
{
    struct frame f;
    va_list args;
    va_start(args, fmt);
    frame_json_log(frame_begin(&f), cls, fmt, args);
    va_end(args);
    frame_put(&f, w);
}

void frame_step(struct writer *w, const char *key, int step)
{
    struct frame f;
    frame_json_step(frame_begin(&f), key, step);
    frame_put(&f, w);
}

void frame_end(struct writer *w, bool refused, struct bytes authorized, const char *code)
{
    struct frame f;
    frame_json_end(frame_begin(&f), refused, authorized, code);
    frame_put(&f, w);
}

bool frame_copy(struct writer *w, struct bytes text, bool *ends, struct arena *arena)
{
    const struct json *object;
    struct frame f;
    struct err unimportant;
    *ends = false;
    if (!json_parse(&object, text, arena, &unimportant) || object->type != JSON_OBJECT)
        return false;
    frame_json_copy(frame_begin(&f), object);
    frame_put(&f, w);
    const struct json *end = json_get(object, "end");
    *ends = end != NULL && end->type == JSON_TRUE;
    return true;
}

// --- Streams ---

struct entry {
    struct entry *next;
    uint64_t number;
    struct http_socket *socket; // the loop's
    enum stream_kind kind;
    char object[ID_SIZE], who[ID_SIZE];
    bool gone; // the viewer has left, or all was told
    // The thread's alone:
    uint64_t after;
    int64_t told_ms, began_ms, give_up_ms;
    bool done; // all was told
};

// What the loop is to send.
struct letter {
    struct letter *next;
    uint64_t number;
    bool closes;
    size_t len;
    uint8_t text[];
};

struct streams {
    struct streams_options options;
    struct clock clock;
    pthread_t thread;
    pthread_mutex_t lock; // of what follows
    pthread_cond_t wake;
    bool ends;
    struct entry *first;
    size_t n;
    uint64_t last_number;
    struct letter *letters, **last_letter;
};

static void lock(struct streams *s)
{
    REQUIRE(pthread_mutex_lock(&s->lock) == 0);
}

static void unlock(struct streams *s)
{
    REQUIRE(pthread_mutex_unlock(&s->lock) == 0);
}

static struct entry *find(struct streams *s, uint64_t number)
{
    for (struct entry *e = s->first; e != NULL; e = e->next)
        if (e->number == number && !e->gone)
            return e;
    return NULL;
}

// --- On the loop ---

static void deliver(void *context)
{
    struct streams *s = context;
    struct letter *next;
    lock(s);
    struct letter *all = s->letters;
    s->letters = NULL;
    s->last_letter = &s->letters;
    unlock(s);
    for (struct letter *l = all; l != NULL; l = next) {
        next = l->next;
        lock(s);
        const struct entry *e = find(s, l->number);
        struct http_socket *socket = e != NULL ? e->socket : NULL;
        unlock(s);
        if (socket != NULL && l->len > 0)
            http_socket_send_lines(socket, bytes_of(l->text, l->len));
        if (socket != NULL && l->closes)
            http_socket_close(socket, 1000);
        free(l);
    }
}

static void post(struct streams *s, uint64_t number, struct bytes text, bool closes)
{
    struct letter *l = malloc(sizeof *l + text.len);
    REQUIRE(l != NULL);
    *l = (struct letter){ .number = number, .closes = closes, .len = text.len };
    if (text.len > 0)
        memcpy(l->text, text.ptr, text.len);
    lock(s);
    *s->last_letter = l;
    s->last_letter = &l->next;
    unlock(s);
    http_server_post(s->options.server, deliver, s);
}

// One viewer must not take the places of all others: the oldest stream of one who has many makes room for the new one.
// (Not the new one is refused: a viewer that came again may be told of first when its old stream is written to.)
static bool make_room(struct streams *s, const struct stream_plan *plan)
{
    const size_t most = plan->who[0] != '\0' ? STREAMS_OF_ONE : STREAMS_MAX / 2;
    struct entry *oldest = NULL;
    struct http_socket *leaves = NULL;
    size_t all = 0, own = 0;
    lock(s);
    for (struct entry *e = s->first; e != NULL; e = e->next) { // newest first
        const bool is_own = !e->gone && strcmp(e->who, plan->who) == 0;
        all += !e->gone;
        own += is_own;
        oldest = is_own ? e : oldest;
    }
    if (own >= most) {
        leaves = oldest->socket;
        oldest->gone = true;
        all--;
    }
    unlock(s);
    if (leaves != NULL)
        http_socket_close(leaves, 1000);
    return all < STREAMS_MAX;
}

bool streams_add(struct streams *s, struct http_exchange *exchange, const struct stream_plan *plan)
{
    if (plan->kind != STREAM_TEXT && !make_room(s, plan))
        return false;
    struct http_socket *socket = http_reply_stream(exchange, NULL);
    if (socket == NULL)
        return true;
    if (plan->text.len > 0)
        http_socket_send_lines(socket, plan->text);
    if (plan->kind == STREAM_TEXT) {
        http_socket_close(socket, 1000);
        return true;
    }
    struct entry *e = calloc(1, sizeof *e);
    REQUIRE(e != NULL);
    const int64_t now_ms = s->clock.monotonic_ms(&s->clock);
    e->socket = socket;
    e->kind = plan->kind;
    e->after = plan->after;
    e->told_ms = e->began_ms = now_ms;
    e->give_up_ms = plan->give_up_ms;
    memcpy(e->object, plan->object, sizeof e->object);
    memcpy(e->who, plan->who, sizeof e->who);
    lock(s);
    e->number = ++s->last_number;
    e->next = s->first;
    s->first = e;
    s->n++;
    REQUIRE(pthread_cond_signal(&s->wake) == 0);
    unlock(s);
    return true;
}

void streams_closed(struct streams *s, struct http_socket *socket)
{
    lock(s);
    for (struct entry *e = s->first; e != NULL; e = e->next)
        if (e->socket == socket)
            e->gone = true;
    unlock(s);
}

// --- On the thread ---

struct telling {
    struct streams *s;
    struct entry *e;
    struct db *db;
    struct arena *arena;
    struct writer w;
    bool ends;
};

static void write_event(struct telling *t, const struct db_rows *rows, size_t row)
{
    struct json_writer j = json_writer_of(&t->w);
    const struct bytes after = db_cell_bytes(rows, row, 3);
    char at[CLOCK_TEXT_SIZE];
    clock_to_text(at, db_cell_int(rows, row, 1) / 1000000);
    writer_printf(&t->w, "id: %" PRId64 "\ndata: ", db_cell_int(rows, row, 0));
    j.ascii = true;
    json_begin_object(&j);
    json_key(&j, "seq");
    json_i64(&j, db_cell_int(rows, row, 0));
    json_key(&j, "at");
    json_text(&j, at);
    json_key(&j, "kind");
    json_string(&j, db_cell_bytes(rows, row, 2));
    json_key(&j, "data");
    if (after.len > 0)
        json_raw(&j, after);
    else
        json_null(&j);
    json_end_object(&j);
    writer_text(&t->w, "\n\n");
}

static bool read_state(struct telling *t, enum spend_state *state, struct err *err)
{
    struct db_rows rows;
    return db_query(t->db, &rows, "SELECT state FROM spend WHERE id = $1",
                    DB_ARGS(db_text(t->e->object)), t->arena, err) &&
           rows.n == 1 && spend_state_of(state, db_cell_bytes(&rows, 0, 0));
}

// The state is read before the events: what is final then has all its events there.
static bool tell_spend(struct telling *t, struct err *err)
{
    const bool story = t->e->kind == STREAM_STORY;
    enum spend_state state;
    struct db_rows rows;
    if (!read_state(t, &state, err) ||
        !db_query(t->db, &rows,
                  "SELECT seq, at, kind, after FROM event WHERE object = $1 AND seq > $2 "
                  "ORDER BY seq LIMIT 500",
                  DB_ARGS(db_text(t->e->object), db_u64(t->e->after)), t->arena, err))
        return false;
    for (size_t i = 0; i < rows.n && !t->ends; i++) {
        t->e->after = db_cell_u64(&rows, i, 0);
        if (!story)
            write_event(t, &rows, i);
        else if (bytes_equal_text(db_cell_bytes(&rows, i, 2), "spend.frame"))
            (void)frame_copy(&t->w, db_cell_bytes(&rows, i, 3), &t->ends, t->arena);
    }
    if (rows.n == BATCH || t->ends)
        return true;
    if (!story) {
        t->ends = spend_state_is_final(state);
    } else if (state == SPEND_AWAITING_APPROVAL) {
        frame_log(&t->w, "y", "This waits for the approval of another person.");
        frame_end(&t->w, false, (struct bytes){ 0 }, NULL);
        t->ends = true;
    } else if (spend_state_is_final(state)) {
        frame_end(&t->w, false, (struct bytes){ 0 }, NULL);
        t->ends = true;
    }
    return true;
}

static bool tell_heal(struct telling *t, int64_t now_ms)
{
    struct fleet_signer all[SIGNERS_MAX];
    const size_t n = t->s->options.fleet != NULL ? fleet_view(t->s->options.fleet, NULL, all) : 0;
    for (size_t i = 0; i < n; i++)
        if (strcmp(all[i].id, t->e->object) == 0 && all[i].ready) {
            frame_log(&t->w, "g", "Signer %u is back and signing-ready.", all[i].number);
            frame_end(&t->w, false, (struct bytes){ 0 }, NULL);
            t->ends = true;
            return true;
        }
    if (now_ms - t->e->began_ms < t->e->give_up_ms)
        return true;
    frame_log(&t->w, "y", "It is not back yet; healing goes on.");
    frame_end(&t->w, false, (struct bytes){ 0 }, NULL);
    t->ends = true;
    return true;
}

static void tell(struct streams *s, struct entry *e, struct db *db, struct arena *arena)
{
    struct telling t = {
        .s = s, .e = e, .db = db, .arena = arena, .w = writer_growing(arena, (size_t)16 << 20)
    };
    struct bytes text;
    struct err err;
    const int64_t now_ms = s->clock.monotonic_ms(&s->clock);
    const bool ok = e->kind == STREAM_HEAL ? tell_heal(&t, now_ms)
                    : db != NULL           ? tell_spend(&t, &err)
                                           : false;
    if (!ok)
        t.w.len = 0; // the ledger is away: the viewer waits, or comes again
    if (t.w.len == 0 && now_ms - e->told_ms >= STREAM_COMMENT_MS)
        writer_text(&t.w, ":\n\n");
    if (!writer_finish(&t.w, &text)) {
        text = (struct bytes){ 0 };
        t.ends = true;
    }
    if (text.len == 0 && !t.ends)
        return;
    e->told_ms = now_ms;
    e->done = t.ends;
    post(s, e->number, text, t.ends);
}

// Those that are left; what has gone is freed.
static void sweep(struct streams *s)
{
    struct entry **at = &s->first;
    while (*at != NULL) {
        struct entry *e = *at;
        if (!e->gone) {
            at = &e->next;
            continue;
        }
        *at = e->next;
        s->n--;
        free(e);
    }
}

// Sleeps until there is something to look at. False: the end.
static bool wait_for_work(struct streams *s)
{
    struct timespec until;
    lock(s);
    sweep(s);
    while (!s->ends && s->n == 0)
        REQUIRE(pthread_cond_wait(&s->wake, &s->lock) == 0);
    if (!s->ends) {
        (void)clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += (long)POLL_MS * 1000000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        (void)pthread_cond_timedwait(&s->wake, &s->lock, &until);
        sweep(s);
    }
    const bool goes_on = !s->ends;
    unlock(s);
    return goes_on;
}

static void *run(void *context)
{
    struct streams *s = context;
    struct arena *arena = arena_new(STREAM_ARENA);
    struct db *db = NULL;
    struct err err;
    while (wait_for_work(s)) {
        if (db == NULL && !db_open(&db, s->options.store, &err))
            db = NULL;
        // Only this thread takes entries out of the list, and new ones come in front.
        lock(s);
        struct entry *e = s->first;
        unlock(s);
        for (; e != NULL; e = e->next) {
            if (!e->done)
                tell(s, e, db, arena);
            arena_reset(arena);
        }
    }
    if (db != NULL)
        db_close(&db);
    arena_free(arena);
    return NULL;
}

struct streams *streams_new(const struct streams_options *options)
{
    struct streams *s = calloc(1, sizeof *s);
    REQUIRE(s != NULL && pthread_mutex_init(&s->lock, NULL) == 0 &&
            pthread_cond_init(&s->wake, NULL) == 0);
    s->options = *options;
    s->clock = clock_system();
    s->last_letter = &s->letters;
    REQUIRE(pthread_create(&s->thread, NULL, run, s) == 0);
    return s;
}

void streams_free(struct streams *s)
{
    if (s == NULL)
        return;
    lock(s);
    s->ends = true;
    REQUIRE(pthread_cond_signal(&s->wake) == 0);
    unlock(s);
    REQUIRE(pthread_join(s->thread, NULL) == 0);
    for (struct entry *next, *e = s->first; e != NULL; e = next) {
        next = e->next;
        free(e);
    }
    for (struct letter *next, *l = s->letters; l != NULL; l = next) {
        next = l->next;
        free(l);
    }
    (void)pthread_cond_destroy(&s->wake);
    (void)pthread_mutex_destroy(&s->lock);
    free(s);
}
