// http/server.h -- the event loop of a web program: requests, WebSockets, event streams.
//
// The only header behind which libwebsockets is; nothing of it shows here. One thread runs the loop and
// every function of struct http_app; http_server_post is how other threads reach it.
//
// (1) A request is handed over whole, with a body of at most what the program allows for its path; its
//     Host and Origin have been checked, and the client certificate where the listener wants one.
// (2) What a client sends and does not read costs bounded memory: a message is assembled up to
//     HTTP_MESSAGE_MAX, a socket's output is an outbox, a request's head is at most 16 KiB.
// (3) A handler never waits; it replies at once or keeps the exchange and replies later.
// (4) Input that cannot be gone on from closes the socket: 1003 binary (on a link: text), 1007 UTF-8, 1009 size.
// (5) A listener with serve = link opens WebSockets of one subprotocol, whose clients send binary messages; anything
//     else asked for there is for the program to answer 404.
// Source: bunker.md 3.2, 5.2, 20.
#ifndef CASEMATE_HTTP_SERVER_H
#define CASEMATE_HTTP_SERVER_H
#include "base/err.h"
#include "base/log.h"
#include "http/listener.h"
#include "http/reply.h"

#define HTTP_MESSAGE_MAX ((size_t)4500000) // bytes of a WebSocket message
#define HTTP_OUTPUT_MAX  ((size_t)8 << 20) // queued for one socket
#define HTTP_HEAD_WAIT_S 10
#define HTTP_BODY_WAIT_S 60
#define HTTP_TICK_MS     250

struct http_server;
struct http_exchange; // a request to which the reply is owed
struct http_socket;   // an open WebSocket, or an event stream

enum http_method { HTTP_GET, HTTP_HEAD, HTTP_POST, HTTP_DELETE, HTTP_OTHER };

struct http_request {
    enum http_method method;
    struct bytes path, query; // decoded; as sent
    struct bytes host, origin, cookie, authorization, content_type;
    struct bytes x_casemate, cf_client_id, cf_client_secret;
    struct bytes accept, idempotency_key, last_event_id, sec_fetch_site, csrf_token;
    struct bytes body;
    struct bytes subprotocol; // those that a WebSocket client offers, as sent
    struct bytes certificate; // name in the client's certificate; empty: none
    const struct listener *listener;
};

struct http_app {
    void *context;

    // Most bytes of body that this request may have; 0: none. More is answered 413.
    size_t (*body_limit)(void *context, const struct http_request *request);

    // Replies with http_reply, now or later. `request` is valid until then.
    void (*request)(void *context, struct http_exchange *exchange,
                    const struct http_request *request);

    // Whether a WebSocket may be opened: 101, or the status to refuse with (*location: of a 302).
    unsigned (*upgrade)(void *context, const struct http_request *request, struct bytes *location);

    // It is open. http_socket_set_data gives it what the other functions need.
    void (*opened)(void *context, struct http_socket *socket, const struct http_request *request);
    void (*message)(void *context, struct http_socket *socket, struct bytes text);

    // A message is longer than HTTP_MESSAGE_MAX; `start` is what came first of it. The socket is closed
    // with 1009 after this.
    void (*too_large)(void *context, struct http_socket *socket, struct bytes start);

    // Of sockets and streams; the pointer is dead afterwards.
    void (*closed)(void *context, struct http_socket *socket);

    void (*tick)(void *context); // every HTTP_TICK_MS

    // In place of `message` on listeners with serve = link. NULL: there are none.
    void (*binary)(void *context, struct http_socket *socket, struct bytes message);
};

struct http_server_options {
    struct listeners *listeners; // ports that were 0 are filled in; must outlive the server
    struct http_app app;
    const struct log *log;
    const char *link_protocol; // subprotocol of listeners with serve = link; NULL: there are none
    size_t link_message_max;   // bytes of a message there
    bool takes_delete;         // else that method is answered 405, as those that nothing takes
};

// Listens on all of them, or on none.
// Fails: ERR_IO "listener <name>: cannot listen on <where>".
MUST_CHECK bool http_server_open(struct http_server **out,
                                 const struct http_server_options *options, struct err *err);

// Until http_server_stop.
void http_server_run(struct http_server *server);
void http_server_stop(struct http_server *server);
void http_server_free(struct http_server *server); // NULL is fine

// Reads the certificates and keys of the TLS listeners again; connections that are open keep theirs. On the
// loop. False: a listener's could not be read, and it keeps what it had.
MUST_CHECK bool http_server_reload_certificates(struct http_server *server);

// Runs call(argument) on the loop. Any thread.
void http_server_post(void *server, void (*call)(void *), void *argument);

// --- Requests ---

const struct http_request *http_exchange_request(const struct http_exchange *exchange);

// Copies what it needs of the reply; the exchange is dead afterwards. Does nothing more if the client
// has gone.
void http_reply(struct http_exchange *exchange, const struct http_reply *reply);

// Answers with an open event stream instead; NULL if the client has gone. The exchange is dead.
struct http_socket *http_reply_stream(struct http_exchange *exchange, void *data);

// --- Sockets ---

void http_socket_set_data(struct http_socket *socket, void *data);
void *http_socket_data(const struct http_socket *socket);
bool http_socket_is_stream(const struct http_socket *socket);
const struct listener *http_socket_listener(const struct http_socket *socket);

// Queues a text message; key as in http/outbox.h. A socket that does not read is closed with 1013.
void http_socket_send(struct http_socket *socket, struct bytes text, unsigned key);

// The same for a binary message.
void http_socket_send_binary(struct http_socket *socket, struct bytes message);

// The same for lines of an event stream that the caller has put together: "id: 7\ndata: {}\n\n", or a
// comment, ": \n\n".
void http_socket_send_lines(struct http_socket *socket, struct bytes lines);

// Closes once what is queued has been sent.
void http_socket_close(struct http_socket *socket, unsigned code);

// How many there are of sockets and streams.
size_t http_server_sockets(const struct http_server *server);

#endif
