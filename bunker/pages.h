// bunker/pages.h -- requests for pages, assets and forms. Source: bunker.md 3, 4.
#ifndef CASEMATE_BUNKER_PAGES_H
#define CASEMATE_BUNKER_PAGES_H
#include "bunker/frames.h"

#define COOKIE_SIZE 160

// One request on its way through the handlers.
struct page {
    struct bunker *b;
    struct http_exchange *exchange;
    const struct http_request *request;
    struct session *session;  // live; NULL: none
    char id[SESSION_ID_SIZE]; // of a session that was made now; empty: no cookie is set
    struct arena *arena;
};

// Replies, with the cookie if there is a new one.
void page_reply(struct page *p, struct http_reply *reply);
void page_status(struct page *p, unsigned status);
void page_redirect(struct page *p, unsigned status, struct bytes location);
void page_json(struct page *p, unsigned status, struct bytes json);

// --- login.c ---

// Finds the session, or makes one where the listener lets anybody in, a token says who it is, or a client
// certificate does.
void login_find(struct page *p);
// Whether that would be somebody: before the body has come, and nothing is made.
bool login_would_find(struct bunker *b, const struct http_request *request);
void login_get(struct page *p);
void login_captcha(struct page *p); // the picture
bool login_wants_captcha(const struct page *p);
void login_post(struct page *p);
void login_logout(struct page *p);

// Whether a form's hidden field, or the header of an API call, shows that our own page sent it.
bool login_is_ours(const struct page *p, struct bytes csrf);

// --- api.c ---

bool api_request(struct page *p); // false: no such path
void api_fail(struct page *p, unsigned status, const char *code,
              const char *text);                     // {"error", "code"}
bool api_may(struct page *p, enum role role);        // else says so
bool api_may_change(struct page *p, enum role role); // and a page or program of ours asks
void api_form_psbt(struct page *p);
void api_form_submit(struct page *p);
void api_metrics(struct page *p);

// --- api_codes.c ---

void api_post_trial(struct page *p); // trial.h's question; {"psbt": base64}
void api_send_codes(struct page *p); // {"parts": [[rows of 0 and 1]]}: a slot's result as QR codes

// --- plain.c ---

// The slot, the device and their forms, for browsers without scripts.
void plain_write(struct writer *w, struct page *p);

// --- template.c ---

// The page of web/ of that name with its marks replaced: %BOOTSTRAP%, %CSRF%, %ERROR% and so on.
void template_send(struct page *p, const char *name, const char *error, bool camera);

#endif
