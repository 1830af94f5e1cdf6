// http/session.h -- who is logged in: a table on our side, of which a browser holds only a random id.
//
// (1) The id itself is nowhere kept, only its hash under a key of this process: who reads our memory or
//     our store cannot log in with it.
// (2) A session ends by logging out, by idling, at its absolute limit, with what it began with; what ends it ends all
//     its sockets.
// (3) A change of rights is a new id (session_renew).
// Where sessions are kept is behind struct session_store: in memory here, elsewhere for other programs.
// Source: bunker.md 4.3.
#ifndef CASEMATE_HTTP_SESSION_H
#define CASEMATE_HTTP_SESSION_H
#include "http/listener.h"

#define SESSION_ID_SIZE      44 // base64url of 32 bytes, and a final zero
#define SESSION_TOKEN_SIZE   25 // base32 of 15 bytes, and a final zero
#define SESSION_ACCOUNT_SIZE 33
#define SESSION_KEY_LEN      32
#define SESSION_IDLE_S       600
#define SESSION_LIFE_S       43200
#define SESSIONS_MAX         1024

struct session {
    uint8_t key[SESSION_KEY_LEN]; // hash of the id
    bool logged_in;
    bool typed;      // by hand: it makes room for nobody
    bool has_socket; // now: likewise. Both are the program's to set
    char account[SESSION_ACCOUNT_SIZE];
    unsigned role; // the program's own
    int64_t created_s, active_s,
        factor_s; // factor_s: when the second factor was last given; 0: never
    int64_t
        ends_s; // when what it began with expires, as a token does; 0: never. The program's to set
    const struct listener *listener;
    char ws_token[SESSION_TOKEN_SIZE]; // of the path of its sockets
    char csrf[SESSION_TOKEN_SIZE];     // of its forms
    void *data;                        // the program's
};

struct session_store {
    struct session *(*find)(struct session_store *store, const uint8_t key[static SESSION_KEY_LEN]);
    // A zeroed one with that key; NULL if there is no room.
    struct session *(*add)(struct session_store *store, const uint8_t key[static SESSION_KEY_LEN]);
    void (*remove)(struct session_store *store, struct session *session);
    // One after the other, from NULL; the one given may be removed after the next was asked for.
    struct session *(*next)(struct session_store *store, const struct session *after);
    void (*free)(struct session_store *store);
};

struct session_store *session_store_memory(void);

struct sessions {
    struct session_store *store;
    uint8_t secret[32]; // of this process
    int64_t idle_s, life_s;
    void (*ended)(void *context, struct session *session); // before a session is removed
    void *context;
};

// Takes the store over. The limits are SESSION_IDLE_S and SESSION_LIFE_S until they are set.
void sessions_init(struct sessions *s, struct session_store *store);
void sessions_free(struct sessions *s);

// A new session that is not logged in; its id goes into the cookie and nowhere else. If there are too many, the one that
// was least lately active makes room, of those that cost nobody anything to get: a crowd of strangers drives out
// itself. NULL: there is none.
struct session *session_start(struct sessions *s, const struct listener *listener, int64_t now_s,
                              char id[static SESSION_ID_SIZE]);

// The live session of a cookie's value that began at this listener, or NULL. Does not count as activity.
struct session *session_find(struct sessions *s, struct bytes id, const struct listener *listener,
                             int64_t now_s);

// The same session under a new id, with new tokens; the old id is nobody's. NULL as session_start; then
// the old one is gone.
struct session *session_renew(struct sessions *s, struct session *session, int64_t now_s,
                              char id[static SESSION_ID_SIZE]);

void session_end(struct sessions *s, struct session *session);

// Ends what has idled or lived too long.
void sessions_expire(struct sessions *s, int64_t now_s);

// Seconds until it ends without activity.
int64_t session_left_s(const struct sessions *s, const struct session *session, int64_t now_s);

// 24 characters of base32, for paths and forms.
void session_make_token(char out[static SESSION_TOKEN_SIZE]);

#endif
