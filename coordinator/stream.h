// coordinator/stream.h -- event streams: views of what the ledger says happens, and nothing more.
//
// (1) A viewer that leaves, or never reads, changes nothing (C13): the spend is the workers'.
// (2) A stream is told from the ledger's events in their order, so it can be resumed after any of them, on any
//     replica, and two viewers see the same.
// One thread reads the ledger for all streams; the loop sends.
// Source: coordinator.md A3 "SSE frames", D10, D15; F26.
#ifndef CASEMATE_COORDINATOR_STREAM_H
#define CASEMATE_COORDINATOR_STREAM_H
#include "coordinator/fleet.h"
#include "coordinator/ledger.h"
#include "http/server.h"

#define STREAMS_MAX       256
#define STREAMS_OF_ONE    16 // of one person; those of nobody (compat.demo) together have half of all
#define STREAM_COMMENT_MS 15000 // a comment line when nothing happens

enum stream_kind {
    STREAM_NONE,
    STREAM_TEXT,  // `text` as it is, then the end
    STREAM_SPEND, // native: every event of a spend, with its number as id
    STREAM_STORY, // the seed's frames of a spend
    STREAM_HEAL,  // the seed's frames while a rebooted signer comes back
};
struct stream_plan {
    enum stream_kind kind;
    char object[ID_SIZE]; // id of the spend or signer
    uint64_t after;       // the last event that the viewer has
    struct bytes text;    // frames to begin with; in the call's arena
    int64_t give_up_ms;   // HEAL: for so long
    char who[ID_SIZE];    // the principal that looks on; empty: nobody
};

struct streams;
struct streams_options {
    const struct db_options *store;
    struct http_server *server;
    struct fleet *fleet; // NULL: none
    const struct log *log;
};
struct streams *streams_new(const struct streams_options *options);
void streams_free(struct streams *streams); // stops its thread; NULL is fine

// On the loop. Answers with a stream, and the exchange is dead; where who looks on has too many, the oldest of those
// ends. (By person, as behind a proxy all have one address.) False: everybody together has too many, and nothing is
// answered yet.
MUST_CHECK bool streams_add(struct streams *streams, struct http_exchange *exchange,
                            const struct stream_plan *plan);
// On the loop: a stream has gone.
void streams_closed(struct streams *streams, struct http_socket *socket);

// --- Frames of the seed ---

// "data: {...}" and an empty line, what is not ASCII escaped.
void frame_log(struct writer *w, const char *cls, const char *fmt, ...) PRINTF_LIKE(3, 4);
void frame_step(struct writer *w, const char *key, int step); // "step", "done_step"
// The last one. refused, authorized, code: left out when false, empty, NULL.
void frame_end(struct writer *w, bool refused, struct bytes authorized, const char *code);
// A stored frame again, as the seed would write it. False: it is no JSON object.
bool frame_copy(struct writer *w, struct bytes json, bool *ends, struct arena *arena);

#endif
