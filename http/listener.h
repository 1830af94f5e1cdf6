// http/listener.h -- where a web program listens, and whom it lets in there.
//
// (1) Trust comes from the listener that was named in the configuration, never from a peer's address:
//     Tor connects from loopback.
// (2) Without authentication nothing but loopback or a unix socket is listened on, unless the file says
//     in so many words that it is wanted.
// (3) No two listeners share a port: the TLS keys of a connection are found by it.
// Source: bunker.md 2, 3.2.
#ifndef CASEMATE_HTTP_LISTENER_H
#define CASEMATE_HTTP_LISTENER_H
#include "base/conf.h"

#define LISTENERS_MAX        16
#define LISTENER_HOSTS_MAX   16
#define LISTENER_NAMES_MAX   32
#define LISTENER_CONNECTIONS 64 // unless `connections` says otherwise

enum listener_auth {
    LISTENER_PASSWORD = 1,
    LISTENER_TOTP = 2,
    LISTENER_MTLS = 4,
    LISTENER_TOKEN = 8,
};

enum listener_serve { SERVE_PAGES, SERVE_LINK, SERVE_METRICS };

struct listener {
    const char *name;
    const char *path;    // of a unix socket, else NULL
    const char *address; // of a TCP port, without brackets
    unsigned port;       // 0: any free one (tests)
    bool loopback;       // a unix socket, 127.0.0.0/8 or ::1
    unsigned auth;       // bits of enum listener_auth, all of which are needed; 0: none
    const char *role;    // highest role granted, in the words of the program; NULL: not said
    enum listener_serve serve;
    const char *tls_cert, *tls_key, *client_ca; // files; NULL: plain HTTP
    bool hsts;
    size_t n_hosts;
    struct bytes hosts[LISTENER_HOSTS_MAX];
    size_t n_link_names;
    struct bytes link_names[LISTENER_NAMES_MAX];
    bool link_provision;
    bool allow_unauthenticated_remote;
    unsigned connections;
};

struct listeners {
    size_t n;
    struct listener items[LISTENERS_MAX];
};

// `bind` as the file writes it: "127.0.0.1:9823", "[::1]:9823", "unix:/path".
// Fails: ERR_USAGE "bind: <what>".
MUST_CHECK bool listener_set_bind(struct listener *l, struct bytes bind, struct arena *arena,
                                  struct err *err);

// "none", or names joined by "+". Fails: ERR_USAGE "auth: <what>".
MUST_CHECK bool listener_set_auth(struct listener *l, struct bytes auth, struct err *err);

// Every section [listener NAME] of the file, appended to `out`. Keys: bind, auth, role, serve, tls_cert,
// tls_key, client_ca, hosts, link_names, link_provision, allow_unauthenticated_remote, hsts, connections.
// Fails: ERR_USAGE naming file, line and key.
MUST_CHECK bool listeners_read(struct listeners *out, struct conf *conf, struct arena *arena,
                               struct err *err);

// Rules that hold between keys and between listeners; hosts that were left out are filled in.
// Fails: ERR_USAGE "listener <name>: <what>".
MUST_CHECK bool listeners_check(struct listeners *all, struct err *err);

// Whether a Host header names one of the listener's hosts; its port is not looked at.
bool listener_has_host(const struct listener *l, struct bytes host);

// Whether an Origin header is of ours: scheme of the listener and an allowed host. True if absent.
bool listener_has_origin(const struct listener *l, struct bytes origin);

// Whether a local path to go to after the login is one: ^/[a-z0-9/_-]*$, and not "//", which a browser
// takes for another host.
bool http_is_local_path(struct bytes path);

#endif
