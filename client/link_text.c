#include "client/link_text.h"
#include "base/hex.h"
#include "base/reader.h"

#define VERSION        1
#define PORT_DEFAULT   443
#define STATE_ARENA    ((size_t)1 << 16)
#define PIN_TEXT_MAX   (2 * sizeof(struct hash256))
#define COLONS_AT_MOST (sizeof(struct hash256) - 1)

// --- The address ---

static bool keep(char *out, size_t size, struct bytes text)
{
    if (text.len == 0 || text.len >= size)
        return false;
    memcpy(out, text.ptr, text.len);
    out[text.len] = '\0';
    return true;
}

static bool has_only(struct bytes text, const char *others)
{
    for (size_t i = 0; i < text.len; i++) {
        const uint8_t c = text.ptr[i];
        const bool alnum =
            (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        // NOLINTNEXTLINE(bugprone-not-null-terminated-result): a zero is none of them
        if (!alnum && memchr(others, c, strlen(others)) == NULL)
            return false;
    }
    return true;
}

// Host and port of "host", "host:port", "[v6]", "[v6]:port".
static bool read_authority(struct link_address *out, struct bytes text)
{
    struct reader r = reader_of(text);
    const bool bracketed = reader_accept(&r, '[');
    struct bytes host;
    uint32_t port = PORT_DEFAULT;
    if (!reader_until(&r, bracketed ? ']' : ':', &host) || (bracketed && host.len + 2 > text.len) ||
        !keep(out->host, sizeof out->host, host) || !has_only(host, bracketed ? ".:" : ".-_"))
        return false;
    const bool has_port = bracketed ? reader_accept(&r, ':') : host.len < text.len;
    if (has_port && (!reader_decimal(&r, UINT16_MAX, &port) || port == 0))
        return false;
    (void)snprintf(out->port, sizeof out->port, "%u", (unsigned)(uint16_t)port);
    (void)snprintf(out->where, sizeof out->where, bracketed ? "[%s]:%s" : "%s:%s", out->host,
                   out->port);
    return reader_done(&r);
}

static bool read_path(struct link_address *out, struct bytes rest)
{
    if (rest.len <= 1)
        return keep(out->path, sizeof out->path, BYTES(LINK_PATH));
    return has_only(rest, "/._~-%") && keep(out->path, sizeof out->path, rest);
}

bool link_address_read(struct link_address *out, const char *url, struct err *err)
{
    const struct bytes all = bytes_of_text(url);
    const size_t prefix = sizeof "wss://" - 1;
    *out = (struct link_address){ .host = "" };
    const struct bytes rest = bytes_slice(all, prefix, SIZE_MAX);
    const uint8_t *slash = rest.len > 0 ? memchr(rest.ptr, '/', rest.len) : NULL;
    const size_t authority_len = slash != NULL ? (size_t)(slash - rest.ptr) : rest.len;
    if (!bytes_starts_with(all, BYTES("wss://")) ||
        !read_authority(out, bytes_slice(rest, 0, authority_len)) ||
        !read_path(out, bytes_slice(rest, authority_len, SIZE_MAX)))
        return err_set(err, ERR_USAGE, "'%s' is not wss://HOST:PORT" LINK_PATH, url);
    return true;
}

// --- The pin ---

bool link_pin_read(struct hash256 *out, const char *pin, struct err *err)
{
    char digits[PIN_TEXT_MAX];
    size_t n = 0;
    const struct bytes text = bytes_of_text(pin);
    bool ok = text.len <= PIN_TEXT_MAX + COLONS_AT_MOST;
    for (size_t i = 0; ok && i < text.len; i++) {
        if (text.ptr[i] == ':' && n % 2 == 0)
            continue;
        ok = n < sizeof digits;
        if (ok)
            digits[n++] = (char)text.ptr[i];
    }
    return (ok && hex_decode(out->b, sizeof out->b, bytes_of(digits, n))) ||
           err_set(err, ERR_USAGE, "'%s' is not a SHA-256 of 64 hex digits", pin);
}

// --- The state ---

static bool bad(struct err *err, const char *what)
{
    return err_set(err, ERR_FRAMING, "state of the link: %s", what);
}

// A text of print that fits. null and "" are the same where a text may be missing.
static bool take(char *out, size_t size, const struct json *object, const char *key, bool needed,
                 struct err *err)
{
    const struct json *member = json_get(object, key);
    const bool is_null = member != NULL && member->type == JSON_NULL;
    out[0] = '\0';
    if (!needed &&
        (is_null || (member != NULL && member->type == JSON_STRING && member->text.len == 0)))
        return true;
    return (member != NULL && member->type == JSON_STRING &&
            bytes_is_printable_ascii(member->text) && keep(out, size, member->text)) ||
           bad(err, key);
}

static bool take_xfp(struct link_state *out, const struct json *object, struct err *err)
{
    uint8_t xfp[4];
    if (!take(out->xfp, sizeof out->xfp, object, "xfp", false, err))
        return false;
    if (out->xfp[0] == '\0')
        return true;
    if (!hex_decode(xfp, sizeof xfp, bytes_of_text(out->xfp)))
        return bad(err, "xfp");
    hex_encode_upper(out->xfp, BYTES_OF(xfp));
    return true;
}

static bool take_all(struct link_state *out, const struct json *object, struct err *err)
{
    const struct json *version = json_get(object, "v"), *provision = json_get(object, "provision");
    int64_t v;
    if (version == NULL || !json_integer(version, &v, NULL) || v != VERSION)
        return bad(err, "not of version 1");
    if (provision == NULL || (provision->type != JSON_TRUE && provision->type != JSON_FALSE))
        return bad(err, "provision");
    out->provision = provision->type == JSON_TRUE;
    return take(out->kind, sizeof out->kind, object, "kind", true, err) &&
           take(out->serial, sizeof out->serial, object, "serial", false, err) &&
           take_xfp(out, object, err) &&
           take(out->state, sizeof out->state, object, "state", true, err);
}

bool link_state_read(struct link_state *out, struct bytes text, struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(STATE_ARENA);
    const struct json *object;
    struct err why;
    struct link_state state;
    if (text.len > LINK_STATE_MAX || !json_parse(&object, text, arena, &why))
        return bad(err, "no JSON");
    if (!take_all(&state, object, err))
        return false;
    *out = state;
    return true;
}

static void put(struct json_writer *j, const char *key, const char *text)
{
    json_key(j, key);
    if (text[0] != '\0')
        json_text(j, text);
    else
        json_null(j);
}

void link_state_write(struct writer *w, const struct link_state *state)
{
    struct json_writer j = json_writer_of(w);
    json_begin_object(&j);
    json_key(&j, "v");
    json_u64(&j, VERSION);
    put(&j, "kind", state->kind);
    put(&j, "serial", state->serial);
    put(&j, "xfp", state->xfp);
    put(&j, "state", state->state);
    json_key(&j, "provision");
    json_bool(&j, state->provision);
    json_end_object(&j);
}
