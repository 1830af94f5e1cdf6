// Who somebody is: sessions, passwords, tokens, certificates. Source: bunker.md 4.
#include "base/hex.h"
#include "base/require.h"
#include "bunker/pages.h"
#include "http/form.h"

// --- Sessions ---

static void record(struct bunker *b, const char *event, const char *account,
                   const struct listener *listener, const char *outcome)
{
    const struct audit_event e = {
        .event = event, .account = account, .listener = listener->name, .outcome = outcome
    };
    if (!audit_add(&b->audit, bunker_now_s(b), &e))
        LOG(b->log, LOG_ERROR, "audit_failed", LOG_TEXT("event", event));
}

static enum role lower(enum role a, enum role b)
{
    return a < b ? a : b;
}

static struct session *start(struct page *p, const char *account, enum role role)
{
    struct session *s =
        session_start(&p->b->sessions, p->request->listener, bunker_now_s(p->b), p->id);
    if (s == NULL)
        return NULL;
    s->logged_in = role != ROLE_NONE;
    s->role = lower(role, bunker_listener_role(p->b, p->request->listener));
    (void)snprintf(s->account, sizeof s->account, "%s", account);
    return s;
}

// A program that keeps no cookie gets the session that its token has already.
static struct session *find_account(struct page *p, const char *account)
{
    struct session_store *store = p->b->sessions.store;
    for (struct session *s = NULL; (s = store->next(store, s)) != NULL;)
        if (s->logged_in && s->listener == p->request->listener &&
            strcmp(s->account, account) == 0 &&
            session_left_s(&p->b->sessions, s, bunker_now_s(p->b)) > 0)
            return s;
    return NULL;
}

static bool token_parts(const struct http_request *r, struct bytes *id, struct bytes *secret)
{
    struct reader a = reader_of(r->authorization);
    if (reader_accept_bytes(&a, BYTES("Bearer ")) && reader_until(&a, '.', id)) {
        *secret = reader_rest(&a);
        return true;
    }
    *id = r->cf_client_id;
    *secret = r->cf_client_secret;
    return id->len > 0;
}

static void by_token(struct page *p)
{
    struct bytes id, secret;
    char account[SESSION_ACCOUNT_SIZE];
    if (!token_parts(p->request, &id, &secret))
        return;
    const struct token *t = settings_token(&p->b->settings, id, secret, bunker_now_s(p->b));
    if (t == NULL)
        return;
    (void)snprintf(account, sizeof account, "token:%s", t->id);
    if (bytes_starts_with(p->request->path, BYTES("/api/")))
        p->session = find_account(p, account);
    if (p->session != NULL)
        return;
    p->session = start(p, account, t->role);
    if (p->session != NULL)
        p->session->ends_s = t->expires_s;
    record(p->b, "token", account, p->request->listener, p->session != NULL ? "ok" : "failed");
}

static void by_certificate(struct page *p)
{
    const struct account *a = settings_account(&p->b->settings, p->request->certificate);
    if (a == NULL)
        return;
    p->session = start(p, a->name, a->role);
    record(p->b, "certificate", a->name, p->request->listener,
           p->session != NULL ? "ok" : "failed");
}

void login_find(struct page *p)
{
    const unsigned auth = p->request->listener->auth;
    struct bytes id;
    if (http_cookie_get(p->request->cookie, "X", &id))
        p->session = session_find(&p->b->sessions, id, p->request->listener, bunker_now_s(p->b));
    if (p->session != NULL && p->session->logged_in)
        return;
    if (auth == 0)
        p->session = start(p, "local", ROLE_ADMIN);
    else if (auth == LISTENER_MTLS)
        by_certificate(p);
    else if ((auth & (LISTENER_TOKEN | LISTENER_PASSWORD)) != 0)
        by_token(p);
}

bool login_would_find(struct bunker *b, const struct http_request *r)
{
    const int64_t now_s = bunker_now_s(b);
    const struct session *session = NULL;
    struct bytes id, secret;
    if (http_cookie_get(r->cookie, "X", &id))
        session = session_find(&b->sessions, id, r->listener, now_s);
    if (session != NULL && session->logged_in)
        return true;
    if (r->listener->auth == 0)
        return true;
    if (r->listener->auth == LISTENER_MTLS)
        return settings_account(&b->settings, r->certificate) != NULL;
    return token_parts(r, &id, &secret) && settings_token(&b->settings, id, secret, now_s) != NULL;
}

bool login_is_ours(const struct page *p, struct bytes csrf)
{
    if (p->request->x_casemate.len > 0 || p->request->authorization.len > 0)
        return true;
    return p->session != NULL && ct_equal(csrf, bytes_of_text(p->session->csrf));
}

// --- The form ---

static const struct {
    const char *code, *text;
} complaints[] = {
    { "wrong", "That did not work. Check account, password and code, and try again." },
    { "wait", "Too many attempts. Wait a little, then try again." },
    { "unset", "No password has been set yet. Set one on this host: casemate-bunker setup" },
    { "stale", "This form was too old. Try again." },
    { "other", "Passwords do not open this listener: it asks for a token or a certificate." },
    { "captcha", "There have been many attempts: copy the characters of the picture as well." },
};

void login_get(struct page *p)
{
    struct bytes code;
    const char *text = "";
    if (p->session != NULL && p->session->logged_in) {
        page_redirect(p, 302, BYTES("/"));
        return;
    }
    if (p->session == NULL)
        p->session = start(p, "", ROLE_NONE);
    if (p->session == NULL) {
        page_status(p, 503);
        return;
    }
    (void)http_form_get(p->request->query, "e", &code, p->arena);
    for (size_t i = 0; i < COUNT(complaints); i++)
        if (bytes_equal_text(code, complaints[i].code))
            text = complaints[i].text;
    template_send(p, "bunker/login.html", text, false);
}

// --- The captcha, while passwords are being guessed ---

bool login_wants_captcha(const struct page *p)
{
    return throttle_wants_captcha(&p->b->throttle, bunker_now_ms(p->b));
}

// "404 without a session cookie"; "The same session always gets the same code until consumed."
void login_captcha(struct page *p)
{
    struct writer w = writer_growing(p->arena, 65536);
    if (p->session == NULL) {
        page_status(p, 404);
        return;
    }
    struct visitor *v = session_visitor(p->b, p->session);
    if (v->captcha[0] == '\0')
        captcha_pick(v->captcha);
    captcha_png(&w, v->captcha, p->b->config->easy_captcha || p->b->settings.easy_captcha);
    page_reply(
        p, &(struct http_reply){ .status = 200, .type = "image/png", .body = writer_bytes(&w) });
}

// Used up by the attempt, right or wrong; with a session that is too old it is nobody's.
static bool has_captcha(struct page *p)
{
    struct bytes given;
    if (p->session == NULL || p->session->data == NULL)
        return false;
    struct visitor *v = p->session->data;
    const int64_t age_s = bunker_now_s(p->b) - p->session->created_s;
    const bool ok = http_form_get(p->request->body, "captcha", &given, p->arena) &&
                    captcha_is(v->captcha, bytes_trim(given)) &&
                    age_s <= (int64_t)p->b->config->max_login_wait_time;
    wipe(v->captcha, sizeof v->captcha);
    return ok;
}

struct attempt {
    struct bunker *b;
    struct http_exchange *exchange;
    const struct listener *listener;
    char account[SESSION_ACCOUNT_SIZE], verifier[PASSWORD_TEXT_MAX], code[16], to[128];
    uint8_t session_key[SESSION_KEY_LEN];
    bool has_session, ok;
    struct secret *password;
    struct err err;
};

static void verify_work(void *argument)
{
    struct attempt *a = argument;
    a->ok = password_verify(bytes_of_text(a->verifier), secret_open(a->password), &a->err);
    secret_close(a->password);
}

static void back_to_form(struct page *p, const char *code, const char *to)
{
    char location[256];
    if (strcmp(to, "/") == 0)
        (void)snprintf(location, sizeof location, "/login?e=%s", code);
    else
        (void)snprintf(location, sizeof location, "/login?e=%s&u=%s", code, to + 1);
    page_redirect(p, 302, bytes_of_text(location));
}

static bool check_second_factor(struct attempt *a, struct account *account)
{
    const bool needed = (a->listener->auth & LISTENER_TOTP) != 0 || account->totp_len > 0;
    struct err unimportant;
    if (!needed)
        return true;
    if (account->totp_len == 0 ||
        !totp_verify(bytes_of(account->totp, account->totp_len), bytes_of_text(a->code),
                     bunker_now_s(a->b), &account->totp_last))
        return false;
    if (a->b->settings.key != NULL) // that the code was used must outlive this process
        return settings_save(&a->b->settings, &unimportant);
    return true;
}

static bool admit(struct attempt *a, struct page *p)
{
    struct account *account = settings_account(&a->b->settings, bytes_of_text(a->account));
    const bool by_certificate = (a->listener->auth & LISTENER_MTLS) != 0;
    if (!a->ok || account == NULL ||
        (by_certificate && !bytes_equal_text(p->request->certificate, account->name)) ||
        !check_second_factor(a, account))
        return false;
    struct session *old =
        a->has_session ? a->b->sessions.store->find(a->b->sessions.store, a->session_key) : NULL;
    if (old != NULL)
        session_end(&a->b->sessions, old);
    p->session = start(p, account->name, account->role);
    if (p->session == NULL)
        return false;
    p->session->factor_s = bunker_now_s(a->b);
    p->session->typed = true;
    return true;
}

static void attempt_free(struct attempt *a)
{
    secret_free(a->password);
    wipe(a, sizeof *a);
    free(a);
}

static void verify_done(void *argument)
{
    struct attempt *a = argument;
    struct bunker *b = a->b;
    struct page p = { .b = b,
                      .exchange = a->exchange,
                      .request = http_exchange_request(a->exchange) };
    const struct bytes name = bytes_of_text(a->account);
    if (admit(a, &p)) {
        throttle_succeeded(&b->throttle, name);
        b->metrics.logins_ok++;
        record(b, "login", a->account, a->listener, "ok");
        page_redirect(&p, 302, bytes_of_text(a->to));
    } else {
        throttle_failed(&b->throttle, name, bunker_now_ms(b));
        b->metrics.logins_failed++;
        record(b, "login", a->account, a->listener, "failed");
        back_to_form(&p, "wrong", a->to);
    }
    attempt_free(a);
}

static bool copy_field(struct page *p, const char *name, char *out, size_t size)
{
    struct bytes value;
    if (!http_form_get(p->request->body, name, &value, p->arena))
        value = (struct bytes){ 0 };
    if (value.len >= size)
        return false;
    (void)snprintf(out, size, "%.*s", BYTES_ARG(value));
    return true;
}

static bool read_form(struct page *p, struct attempt *a)
{
    char to[120];
    struct bytes password;
    if (!copy_field(p, "account", a->account, sizeof a->account) ||
        !copy_field(p, "totp", a->code, sizeof a->code) || !copy_field(p, "u", to, sizeof to) ||
        !http_form_get(p->request->body, "password", &password, p->arena) ||
        password.len > PASSWORD_MAX)
        return false;
    if (a->account[0] == '\0')
        (void)snprintf(a->account, sizeof a->account, "admin"); // as with the reference's form
    (void)snprintf(a->to, sizeof a->to, "/%s", to);
    if (!http_is_local_path(bytes_of_text(a->to)))
        (void)snprintf(a->to, sizeof a->to, "/");
    a->password = secret_new(password);
    return true;
}

// "A POST /login without [csrf] (a client of the reference) is accepted if Origin is absent or ours": the
// server has checked Origin. It tells as much as csrf, whose session may have had to make room.
static bool is_stale(struct page *p)
{
    struct bytes csrf;
    return p->request->origin.len == 0 &&
           http_form_get(p->request->body, "csrf", &csrf, p->arena) && !login_is_ours(p, csrf);
}

static void check_password(struct page *p, struct attempt *a)
{
    const struct account *account = settings_account(&p->b->settings, bytes_of_text(a->account));
    if (account != NULL)
        memcpy(a->verifier, account->password, sizeof a->verifier);
    if (p->session != NULL) {
        a->has_session = true;
        memcpy(a->session_key, p->session->key, sizeof a->session_key);
    }
    a->b = p->b;
    a->exchange = p->exchange;
    a->listener = p->request->listener;
    // An unknown account is hashed for all the same: the time tells nothing.
    if (pool_submit(p->b->hashers, (struct pool_job){ verify_work, verify_done, a }, 32))
        return;
    back_to_form(p, "wait", a->to);
    attempt_free(a);
}

void login_post(struct page *p)
{
    struct attempt *a = calloc(1, sizeof *a);
    const char *refused = NULL;
    REQUIRE(a != NULL);
    (void)snprintf(a->to, sizeof a->to, "/");
    if (p->session != NULL && p->session->logged_in && p->request->listener->auth == 0) {
        free(a);
        page_redirect(p, 302, BYTES("/"));
        return;
    }
    if ((p->request->listener->auth & LISTENER_PASSWORD) == 0)
        refused = "other"; // nothing that is typed opens this listener
    else if (is_stale(p))
        refused = "stale";
    else if (!read_form(p, a))
        refused = "wrong";
    else if (!settings_has_password(&p->b->settings))
        refused = "unset"; // there is no default password
    else if (login_wants_captcha(p) && !has_captcha(p))
        refused = "captcha";
    else if (throttle_wait_ms(&p->b->throttle, bytes_of_text(a->account), bunker_now_ms(p->b)) > 0)
        refused = "wait";
    if (refused == NULL) {
        check_password(p, a);
        return;
    }
    if (strcmp(refused, "wait") == 0) {
        p->b->metrics.logins_throttled++;
        record(p->b, "login", a->account, p->request->listener, "throttled");
    }
    back_to_form(p, refused, a->to);
    attempt_free(a);
}

// --- Logging out ---

void login_logout(struct page *p)
{
    struct bytes csrf;
    const bool logged_in = p->session != NULL && p->session->logged_in;
    if (p->request->method != HTTP_POST) {
        template_send(p, logged_in ? "bunker/logout.html" : "bunker/bye.html", "", false);
        return;
    }
    (void)http_form_get(p->request->body, "csrf", &csrf, p->arena);
    if (logged_in && !login_is_ours(p, csrf)) {
        page_status(p, 403);
        return;
    }
    if (logged_in) {
        record(p->b, "logout", p->session->account, p->request->listener, "ok");
        session_end(&p->b->sessions, p->session);
    }
    p->session = NULL;
    p->id[0] = '\0';
    struct http_reply reply = { .status = 303 };
    http_reply_add(&reply, "location", BYTES("/logout"));
    http_reply_add(&reply, "set-cookie", BYTES("X=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0"));
    page_reply(p, &reply);
}
