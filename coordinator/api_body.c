// What a request says: its body's members and its parameters.
#include "coordinator/api_internal.h"
#include "http/form.h"

bool call_read_body(struct call *c, const struct route *route, struct err *err)
{
    const bool is_json = http_type_is(c->request->content_type, "application/json");
    const bool wanted = (route->flags & (unsigned)ROUTE_JSON) != 0;
    if ((route->flags & (unsigned)ROUTE_RAW) != 0)
        return true;
    if (wanted && c->request->body.len == 0) {
        c->body = NULL;
        return true;
    }
    if (wanted && !is_json)
        return code_fail(err, CODE_BAD_REQUEST, "the body must be application/json");
    if (!is_json || c->request->body.len == 0)
        return true;
    if (!json_parse(&c->body, c->request->body, c->arena, err))
        return code_fail(err, CODE_BAD_REQUEST, "body: %s", err->text);
    return c->body->type == JSON_OBJECT ||
           code_fail(err, CODE_BAD_REQUEST, "body: is no JSON object");
}

bool call_text(const struct call *c, const char *name, size_t max, struct bytes *out,
               struct err *err)
{
    const struct json *m = json_get(c->body, name);
    if (m == NULL || m->type == JSON_NULL)
        return true;
    if (m->type != JSON_STRING || m->text.len > max)
        return code_fail(err, CODE_BAD_REQUEST, "%s: is no text of at most %zu bytes", name, max);
    *out = m->text;
    return true;
}

bool call_sats(const struct json *object, const char *name, struct sats *out, struct err *err)
{
    const struct json *m = json_get(object, name);
    int64_t n;
    if (m == NULL || m->type == JSON_NULL)
        return true;
    if (m->type != JSON_NUMBER || !json_integer(m, &n, NULL) || n < 0 || (uint64_t)n > SATS_MAX)
        return code_fail(err, CODE_BAD_REQUEST, "%s: is no amount in satoshi", name);
    out->n = (uint64_t)n;
    return true;
}

bool call_only(const struct json *object, const char *const *names, size_t n, struct err *err)
{
    if (object == NULL)
        return true;
    for (const struct json *m = object->items; m != NULL; m = m->next) {
        size_t i = 0;
        while (i < n && !bytes_equal_text(m->key, names[i]))
            i++;
        if (i == n)
            return code_fail(err, CODE_BAD_REQUEST, "%.*s: unknown member",
                             BYTES_ARG(bytes_slice(m->key, 0, 64)));
    }
    return true;
}

struct bytes call_parameter(const struct call *c, const char *name)
{
    struct bytes value;
    if (http_form_get(c->request->query, name, &value, c->arena) && value.len > 0)
        return value;
    const struct json *member = json_get(c->body, name);
    if (member != NULL && (member->type == JSON_STRING || member->type == JSON_NUMBER))
        return member->text;
    if (c->body == NULL &&
        http_type_is(c->request->content_type, "application/x-www-form-urlencoded") &&
        http_form_get(c->request->body, name, &value, c->arena))
        return value;
    return (struct bytes){ 0 };
}
