// bunker/link.h -- the signer link: WebSockets on listeners with serve = link, each the message channel of one
// program (a coordinator, `casemate --bunker`) to the device.
//
// (1) Who is there is the name in the client's certificate, and nothing else: no cookie, account, token or
//     stored setting. It works without a device, before the locker is read, and outside HSM mode.
// (2) One message is in flight on a link; each gets exactly one reply, or the link ends.
// (3) What is refused here never reaches the device's queue.
// Source: bunker.md 3.4, 5.2.
#ifndef CASEMATE_BUNKER_LINK_H
#define CASEMATE_BUNKER_LINK_H
#include "bunker/link_job.h"
#include "http/server.h"

struct bunker;
struct link_client;

struct links { // of a bunker; zeroed: none
    struct link_client *first;
    uint64_t last_id;
    struct link_left left; // the device's thread alone
};

// The functions of struct http_app, for sockets of such listeners.
unsigned link_upgrade(struct bunker *b, const struct http_request *request);
void link_opened(struct bunker *b, struct http_socket *socket, const struct http_request *request);
void link_message(void *context, struct http_socket *socket, struct bytes message);
void link_closed(struct bunker *b, struct http_socket *socket);

// The device may have changed: tells those who have not been told.
void links_push(struct bunker *b);

// Questions that have waited too long behind another's job get `busy`.
void links_tick(struct bunker *b);

#endif
