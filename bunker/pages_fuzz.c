#include "bunker/pages.h"
#include "base/reader.h"
#include "fuzz/fuzz.h"
#include "tests/support/fuzz_bunker.h"

static const struct {
    const char *name;
    size_t member;
} fields[] = {
    { "query: ", offsetof(struct http_request, query) },
    { "host: ", offsetof(struct http_request, host) },
    { "origin: ", offsetof(struct http_request, origin) },
    { "cookie: ", offsetof(struct http_request, cookie) },
    { "auth: ", offsetof(struct http_request, authorization) },
    { "type: ", offsetof(struct http_request, content_type) },
    { "ours: ", offsetof(struct http_request, x_casemate) },
    { "id: ", offsetof(struct http_request, cf_client_id) },
    { "secret: ", offsetof(struct http_request, cf_client_secret) },
    { "name: ", offsetof(struct http_request, certificate) },
    { "last: ", offsetof(struct http_request, last_event_id) },
};

static void take_field(struct http_request *request, struct bytes line)
{
    for (size_t i = 0; i < COUNT(fields); i++)
        if (bytes_starts_with(line, bytes_of_text(fields[i].name)))
            *(struct bytes *)(void *)((char *)request + fields[i].member) =
                bytes_slice(line, strlen(fields[i].name), SIZE_MAX);
}

// "<who><method> <path>", headers, an empty line, a body. who: a admin, o operator, v viewer, l nobody at
// the listener that asks for passwords, else nobody at the other. A request is replied to once, also when
// a job comes between, and no text of it becomes a header; the traps make no session.
FUZZ_TARGET(data)
{
    static const char who[] = "aov";
    struct fuzz_bunker *f = fuzz_bunker_new();
    struct reader r = reader_of(bytes_slice(data, 0, 65536));
    struct http_request request = { .host = BYTES("localhost") };
    char cookie[64];
    struct bytes line;
    uint8_t first = 0, method = 0;
    unsigned status;
    (void)!(reader_u8(&r, &first) && reader_u8(&r, &method));
    (void)!reader_until(&r, '\n', &request.path);
    request.method = (enum http_method)(method % (HTTP_OTHER + 1));
    while (reader_until(&r, '\n', &line) && line.len > 0)
        take_field(&request, line);
    request.body = reader_rest(&r);
    const char *at = first != 0 ? strchr(who, first) : NULL;
    request.listener = &f->listeners.items[first == 'l' ? 1 : 0];
    if (at != NULL) {
        request.listener = f->sessions[at - who]->listener;
        (void)snprintf(cookie, sizeof cookie, "X=%s", f->ids[at - who]);
        request.cookie = bytes_of_text(cookie);
    }
    // What the server has looked at before: 421, 403.
    if (!listener_has_host(request.listener, request.host) ||
        !listener_has_origin(request.listener, request.origin))
        request.host = BYTES("localhost");
    if (request.body.len > pages_body_limit(&f->b, &request))
        request.body.len = 0;
    REQUIRE(fuzz_request(f, &request, &status) == 1);
    REQUIRE(status >= 200 && status < 600);
    fuzz_bunker_free(f);
}
