// http/server_internal.h -- what the parts of the server share. Inside http/ only.
#ifndef CASEMATE_HTTP_SERVER_INTERNAL_H
#define CASEMATE_HTTP_SERVER_INTERNAL_H
// OpenSSL, which libwebsockets.h includes, has a type with the name of one of our error codes, and uses
// what base/banned.h forbids: it comes first.
#define ERR_STATE OPENSSL_ERR_STATE
#include <libwebsockets.h>
#undef ERR_STATE

#include "base/reader.h"
#include "base/secret.h"
#include "crypto/certificate.h"
#include "http/outbox.h"
#include "http/server.h"
#include <pthread.h>

#define PATH_TEXT_MAX   1024
#define HEADER_TEXT_MAX 8192
#define CHUNK_MAX       32768 // bytes written at once

struct posted {
    struct posted *next;
    void (*call)(void *);
    void *argument;
};

// Which listener a vhost is, and its server.
struct vhost_data {
    struct http_server *server;
    size_t listener;
};

struct http_server {
    struct http_app app;
    const struct log *log;
    struct listeners *listeners;
    struct lws_context *context;
    lws_sorted_usec_list_t timer;
    bool stops, takes_delete;
    size_t n_sockets;
    size_t link_message_max;
    struct lws_protocols link_protocols[2]; // of listeners with serve = link
    struct vhost_data vhosts[LISTENERS_MAX];
    unsigned connections[LISTENERS_MAX];
    pthread_mutex_t lock; // of what follows
    struct posted *first, **last;
};

// Where a connection came in, and whose certificate it showed.
struct origin {
    size_t listener;
    bool counted;                            // as one of the listener's connections
    char certificate[CERTIFICATE_NAME_SIZE]; // empty: none
};

struct http_exchange {
    struct http_server *server;
    struct lws *wsi;           // NULL: the client has gone
    struct connection *holder; // of this exchange; NULL likewise
    struct arena *arena;
    struct http_request request;
    uint8_t *body;
    size_t body_len, body_limit; // received; announced
    bool handed_over;            // the program owes a reply
    bool is_head;
    uint8_t *reply; // OUTBOX_ROOM bytes, then head and body
    size_t reply_len, head_len, sent;
};

struct http_socket {
    struct http_server *server;
    struct lws *wsi;
    const struct listener *listener;
    void *data;
    bool is_stream;
    bool is_link;   // binary messages
    bool head_sent; // of a stream
    struct outbox outbox;
    uint8_t *message; // being assembled
    size_t message_len, message_cap;
    unsigned close_code; // 0: open
    bool too_large;      // its message was: what is left of it is not looked at
    size_t discarded;    // bytes of that
    uint8_t *head;       // of a stream, with OUTBOX_ROOM in front
    size_t head_len;
};

// The library's memory per connection.
struct connection {
    struct http_exchange *exchange;
    struct http_socket *socket;
};

struct http_server *server_of(struct lws *wsi);
size_t listener_of(struct lws *wsi);
const struct origin *origin_of(struct lws *wsi);

// Reads what the library knows of a request into the arena. False: a header is longer than we take.
MUST_CHECK bool request_read(struct http_request *out, struct lws *wsi, struct arena *arena);

// 0, or the status to refuse with before the program sees it. Source: bunker.md 3.2.
unsigned request_check(const struct http_request *request);

// Writes a reply without a body at once.
void write_short_reply(struct lws *wsi, const struct http_request *request, unsigned status,
                       struct bytes location);

// Callbacks of the library, by kind; 0 goes on, else the connection ends.
int on_request(struct lws *wsi, struct connection *c);
int on_body(struct lws *wsi, struct connection *c, struct bytes piece);
int on_body_end(struct connection *c);
int on_request_writeable(struct lws *wsi, struct connection *c);
void on_request_gone(struct connection *c);
int on_upgrade(struct lws *wsi);
int on_open(struct lws *wsi, struct connection *c);
int on_message(struct lws *wsi, struct connection *c, struct bytes piece);
int on_socket_writeable(struct lws *wsi, struct connection *c);
void on_socket_gone(struct connection *c);

#endif
