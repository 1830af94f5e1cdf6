// Who asks, and whether they may. Source: coordinator.md D10, D11, D15; C4, C14.
#include "coordinator/api_internal.h"
#include "http/form.h"

#define COOKIE_NAME "ms_session"

// --- Who asks ---

static bool load_caller(struct call *c, const char *principal_id, struct err *err)
{
    if (!people_load(c->db, &c->caller.person, principal_id, c->arena, err))
        return false;
    if (c->caller.person.disabled)
        return code_fail(err, CODE_UNAUTHENTICATED, "sign in required");
    c->actor.id = c->caller.person.id;
    return true;
}

static bool by_session(struct call *c, struct err *err)
{
    struct bytes id;
    bool found = false;
    if (!http_cookie_get(c->request->cookie, COOKIE_NAME, &id))
        return true;
    if (!auth_session_find(c->db, id, &c->caller.session, &found, err))
        return false;
    if (!found)
        return true;
    if (!load_caller(c, c->caller.session.principal_id, err))
        return code_of(err) == CODE_UNAUTHENTICATED;
    c->caller.kind = CALLER_SESSION;
    c->caller.scopes = ROLES_ALL;
    return true;
}

static bool by_token(struct call *c, struct err *err)
{
    struct reader r = reader_of(c->request->authorization);
    char principal_id[ID_SIZE];
    bool found = false;
    if (!reader_accept_bytes(&r, BYTES("Bearer ")))
        return true;
    if (!auth_token_find(c->db, bytes_trim(reader_rest(&r)), principal_id, &c->caller.scopes,
                         &found, err))
        return false;
    if (!found) // who shows a token that is none is told so
        return code_fail(err, CODE_UNAUTHENTICATED, "the token is not valid");
    c->caller.kind = CALLER_TOKEN;
    return load_caller(c, principal_id, err);
}

static bool by_certificate(struct call *c, struct err *err)
{
    char subject[PEOPLE_SUBJECT_MAX];
    struct err unknown;
    if (c->request->certificate.len == 0)
        return true;
    if (!people_subject(subject, "cert", c->request->certificate, &unknown) ||
        !people_find(c->db, &c->caller.person, subject, c->arena, &unknown))
        return code_of(&unknown) != CODE_LEDGER_UNAVAILABLE ||
               code_fail(err, CODE_LEDGER_UNAVAILABLE, "%s", unknown.text);
    if (c->caller.person.disabled)
        return true;
    c->caller.kind = CALLER_CERTIFICATE;
    c->caller.scopes = ROLES_ALL;
    c->actor.id = c->caller.person.id;
    return true;
}

// token+mtls: who signed in must be the certificate's person, too? No: the certificate lets in, the session or
// token says who it is.
bool caller_find(struct call *c, struct err *err)
{
    const unsigned auth = c->request->listener->auth;
    c->caller.kind = CALLER_NOBODY;
    if (c->request->authorization.len > 0 && !by_token(c, err))
        return false;
    if (c->caller.kind == CALLER_NOBODY && !by_session(c, err))
        return false;
    if (c->caller.kind == CALLER_NOBODY && auth == LISTENER_MTLS && !by_certificate(c, err))
        return false;
    if (c->caller.kind == CALLER_NOBODY && c->api->config->compat_demo)
        c->caller.kind = CALLER_DEMO;
    return true;
}

unsigned call_roles(const struct call *c, const char *wallet_id)
{
    if (c->api->config->compat_demo)
        return ROLES_ALL; // "anonymous use"
    if (c->caller.kind == CALLER_NOBODY)
        return 0;
    return person_roles(&c->caller.person, wallet_id) & c->caller.scopes;
}

bool call_may(const struct call *c, const char *wallet_id, unsigned roles, struct err *err)
{
    const unsigned has = call_roles(c, wallet_id);
    if (has == 0)
        return c->caller.kind == CALLER_NOBODY
                   ? code_fail(err, CODE_UNAUTHENTICATED, "sign in required")
                   : code_fail(err, CODE_NOT_FOUND, "there is no such thing");
    if ((has & roles) != 0 || roles == 0 || (roles & (unsigned)ROLE_VIEWER) != 0)
        return true;
    return code_fail(err, CODE_FORBIDDEN, "this needs another role");
}

bool call_wallet(const struct call *c, struct treasury_wallet *out, struct bytes name,
                 unsigned roles, struct err *err)
{
    struct treasury_wallet *all, *found = NULL;
    size_t n;
    if (call_roles(c, "") == 0 && c->caller.kind == CALLER_NOBODY)
        return code_fail(err, CODE_UNAUTHENTICATED, "sign in required");
    if (!treasury_all(c->api->treasury, c->db, &all, &n, c->arena, err))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (name.len > 0
                ? bytes_equal(name, all[i].row.name) || bytes_equal_text(name, all[i].row.id)
                : call_roles(c, all[i].row.id) != 0) {
            if (found != NULL)
                return code_fail(err, CODE_BAD_REQUEST, "wallet: there are several; name one");
            found = &all[i];
        }
    }
    if (found == NULL)
        return code_fail(err, CODE_NOT_FOUND, "there is no such wallet");
    *out = *found;
    return call_may(c, found->row.id, roles, err);
}

bool call_scope(const struct call *c, char wallet_id[static ID_SIZE], unsigned roles,
                struct err *err)
{
    const struct bytes name = call_parameter(c, "wallet");
    const struct treasury_wallet *one = NULL;
    struct treasury_wallet *all, named;
    size_t n, may = 0;
    *wallet_id = '\0';
    if (name.len > 0) {
        if (!call_wallet(c, &named, name, roles, err))
            return false;
        memcpy(wallet_id, named.row.id, ID_SIZE);
        return true;
    }
    if (!treasury_all(c->api->treasury, c->db, &all, &n, c->arena, err))
        return false;
    for (size_t i = 0; i < n; i++) {
        if ((call_roles(c, all[i].row.id) & roles) == 0)
            continue;
        one = &all[i];
        may++;
    }
    if (may == n)
        return true;
    if (may != 1)
        return code_fail(err, may == 0 ? CODE_FORBIDDEN : CODE_BAD_REQUEST, "%s",
                         may == 0 ? "this needs another role"
                                  : "wallet: there are several; name one");
    memcpy(wallet_id, one->row.id, ID_SIZE);
    return true;
}

// --- Browsers ---

static bool is_browser(const struct http_request *r)
{
    return r->sec_fetch_site.len > 0 || r->origin.len > 0;
}

// Source: D15. The server has compared Origin with the listener's hosts where it does so for every POST.
static bool check_origin(const struct call *c, struct err *err)
{
    const struct http_request *r = c->request;
    const bool demo = c->api->config->compat_demo;
    const struct bytes site = r->sec_fetch_site;
    if (site.len > 0 && !bytes_equal_text(site, "same-origin") &&
        !(demo && bytes_equal_text(site, "none")))
        return code_fail(err, CODE_FORBIDDEN, "the request comes from another site");
    if (!listener_has_origin(r->listener, r->origin))
        return code_fail(err, CODE_FORBIDDEN, "the request comes from another site");
    if (demo || c->caller.kind == CALLER_TOKEN || c->caller.kind == CALLER_NOBODY)
        return true;
    if (c->caller.kind == CALLER_CERTIFICATE)
        // A browser shows its certificate to whoever asks it to: pages work with a session.
        return !is_browser(r) || code_fail(err, CODE_FORBIDDEN, "sign in at /ui/ first");
    const struct bytes token = r->csrf_token.len > 0 ? r->csrf_token : call_parameter(c, "csrf");
    return auth_csrf_is(&c->caller.session, token) ||
           code_fail(err, CODE_FORBIDDEN, "the CSRF token is missing or wrong");
}

#define BUCKET_SIZE  200
#define BUCKET_PER_S 50

// C14 "rate limits": changing requests of one principal.
static bool check_rate(struct call *c, struct err *err)
{
    struct api *api = c->api;
    const int64_t now_ms = api->clock->monotonic_ms(api->clock);
    struct api_bucket *b = &api->buckets[0];
    api_lock(api);
    for (size_t i = 0; i < COUNT(api->buckets); i++) {
        if (strcmp(api->buckets[i].who, c->actor.id) == 0) {
            b = &api->buckets[i];
            break;
        }
        if (api->buckets[i].filled_ms < b->filled_ms)
            b = &api->buckets[i]; // who has been quiet longest makes room
    }
    if (strcmp(b->who, c->actor.id) != 0) {
        *b = (struct api_bucket){ .tokens = BUCKET_SIZE, .filled_ms = now_ms };
        (void)snprintf(b->who, sizeof b->who, "%s", c->actor.id);
    }
    const int64_t more = (now_ms - b->filled_ms) * BUCKET_PER_S / 1000;
    if (more > 0) {
        b->tokens = b->tokens + more > BUCKET_SIZE ? BUCKET_SIZE : b->tokens + more;
        b->filled_ms = now_ms;
    }
    const bool may = b->tokens > 0;
    b->tokens -= may;
    api_unlock(api);
    return may || code_fail(err, CODE_RATE_LIMITED, "too many requests; try again later");
}

// --- Before a handler ---

bool caller_check(struct call *c, const struct route *route, struct err *err)
{
    if ((route->flags & (unsigned)ROUTE_CHANGES) != 0 &&
        (!check_origin(c, err) || !check_rate(c, err)))
        return false;
    if ((route->flags & (unsigned)ROUTE_PUBLIC) != 0)
        return true;
    if (c->caller.kind == CALLER_NOBODY)
        return code_fail(err, CODE_UNAUTHENTICATED, "sign in required");
    const unsigned has = call_roles(c, "");
    return route->roles == 0 || (has & route->roles) != 0 ||
           (has != 0 && (route->roles & (unsigned)ROLE_VIEWER) != 0) ||
           code_fail(err, CODE_FORBIDDEN, "this needs another role");
}
