#include "coordinator/nostr.h"
#include "base/hex.h"
#include "base/reader.h"
#include "crypto/ec.h"
#include "crypto/hash.h"
#include <inttypes.h>

#define FRESH_S 60 // C2: "created_at within 60 s"

// --- Reading ---

static bool read_hex(void *out, size_t len, const struct json *value)
{
    if (value == NULL || value->type != JSON_STRING || !hex_decode(out, len, value->text))
        return false;
    for (size_t i = 0; i < value->text.len; i++) // ids and keys are lower case (NIP-01)
        if (value->text.ptr[i] >= 'A' && value->text.ptr[i] <= 'F')
            return false;
    return true;
}

static bool are_tags(const struct json *tags)
{
    if (tags == NULL || tags->type != JSON_ARRAY || tags->n_items > NOSTR_TAGS_MAX)
        return false;
    for (const struct json *tag = tags->items; tag != NULL; tag = tag->next) {
        if (tag->type != JSON_ARRAY || tag->n_items > NOSTR_TAGS_MAX)
            return false;
        for (const struct json *item = tag->items; item != NULL; item = item->next)
            if (item->type != JSON_STRING)
                return false;
    }
    return true;
}

static bool read_integer(const struct json *value, int64_t *out)
{
    return value != NULL && value->type == JSON_NUMBER && json_integer(value, out, NULL) &&
           *out >= 0;
}

bool nostr_event_read(struct nostr_event *out, struct bytes body, struct arena *arena,
                      struct err *err)
{
    const struct json *object;
    uint8_t claimed[32], id[32];
    *out = (struct nostr_event){ 0 };
    if (body.len > NOSTR_EVENT_MAX || !json_parse(&object, body, arena, err))
        return err_set(err, ERR_MALFORMED, "bad json");
    const struct json *content = json_get(object, "content");
    out->tags = json_get(object, "tags");
    if (!read_hex(claimed, sizeof claimed, json_get(object, "id")) ||
        !read_hex(out->pubkey, sizeof out->pubkey, json_get(object, "pubkey")) ||
        !read_hex(out->sig, sizeof out->sig, json_get(object, "sig")) ||
        !read_integer(json_get(object, "created_at"), &out->created_at) ||
        !read_integer(json_get(object, "kind"), &out->kind) || !are_tags(out->tags) ||
        content == NULL || content->type != JSON_STRING)
        return err_set(err, ERR_MALFORMED, "malformed event");
    out->content = content->text;
    hex_encode(out->pubkey_text, BYTES_OF(out->pubkey));
    if (!nostr_event_id(id, out, arena, err))
        return false;
    return memcmp(id, claimed, sizeof id) == 0 || err_set(err, ERR_INVALID, "bad event id");
}

// --- The id ---

// NIP-01: only these are escaped, each with its short form; all else stands as it is.
static void put_text(struct writer *w, struct bytes text)
{
    static const char raw[] = "\n\"\\\r\t\b\f", escaped[] = "n\"\\rtbf";
    writer_u8(w, '"');
    for (size_t i = 0; i < text.len; i++) {
        const char *at = text.ptr[i] != 0 ? strchr(raw, text.ptr[i]) : NULL;
        if (at != NULL) {
            writer_u8(w, '\\');
            writer_u8(w, (uint8_t)escaped[at - raw]);
        } else if (text.ptr[i] < 0x20) {
            writer_printf(w, "\\u%04x", text.ptr[i]); // as every JSON writer has it
        } else {
            writer_u8(w, text.ptr[i]);
        }
    }
    writer_u8(w, '"');
}

static void put_tags(struct writer *w, const struct json *tags)
{
    writer_u8(w, '[');
    for (const struct json *tag = tags->items; tag != NULL; tag = tag->next) {
        writer_u8(w, '[');
        for (const struct json *item = tag->items; item != NULL; item = item->next) {
            put_text(w, item->text);
            if (item->next != NULL)
                writer_u8(w, ',');
        }
        writer_text(w, tag->next != NULL ? "]," : "]");
    }
    writer_u8(w, ']');
}

bool nostr_event_id(uint8_t out[static 32], const struct nostr_event *e, struct arena *arena,
                    struct err *err)
{
    // A control character of one byte becomes six.
    struct writer w = writer_growing(arena, (size_t)6 * NOSTR_EVENT_MAX + 256);
    struct bytes text;
    writer_printf(&w, "[0,\"%s\",%" PRId64 ",%" PRId64 ",", e->pubkey_text, e->created_at, e->kind);
    put_tags(&w, e->tags);
    writer_u8(&w, ',');
    put_text(&w, e->content);
    writer_u8(&w, ']');
    if (!writer_finish(&w, &text))
        return err_set(err, ERR_NO_MEMORY, "event: too large");
    const struct hash256 hash = sha256(text);
    memcpy(out, hash.b, sizeof hash.b);
    return true;
}

bool nostr_event_verify(const struct nostr_event *e, struct arena *arena, struct err *err)
{
    uint8_t id[32];
    return nostr_event_id(id, e, arena, err) &&
           (schnorr_verify(e->sig, e->pubkey, BYTES_OF(id)) ||
            err_set(err, ERR_AUTH, "signature verification failed"));
}

// --- What it must say ---

struct bytes nostr_tag(const struct nostr_event *e, const char *name)
{
    for (const struct json *tag = e->tags->items; tag != NULL; tag = tag->next)
        if (tag->n_items >= 2 && bytes_equal_text(tag->items->text, name))
            return tag->items->next->text;
    return (struct bytes){ 0 };
}

static bool is_ours(struct bytes u, const char *origin)
{
    static const char *const paths[] = { "", "/", "/auth/nostr/verify", "/api/auth/nostr/verify" };
    struct reader r = reader_of(u);
    if (!reader_accept_bytes(&r, bytes_of_text(origin)))
        return false;
    const struct bytes path = reader_rest(&r);
    for (size_t i = 0; i < COUNT(paths); i++)
        if (bytes_equal_text(path, paths[i]))
            return true;
    return false;
}

bool nostr_event_check(const struct nostr_event *e, const struct nostr_want *want,
                       struct bytes *challenge, struct err *err)
{
    const struct bytes u = nostr_tag(e, "u"), method = nostr_tag(e, "method");
    *challenge = nostr_tag(e, "challenge");
    if (challenge->len == 0)
        *challenge = e->content; // the seed's place
    if (e->kind != NOSTR_KIND && !want->loose)
        return err_set(err, ERR_AUTH, "the event is of another kind");
    // What is said must be right even where it may be left out.
    if (u.len == 0 ? !want->loose : !is_ours(u, want->origin))
        return err_set(err, ERR_AUTH, "the event is for another site");
    if (method.len == 0 ? !want->loose : !bytes_equal_text(method, "POST"))
        return err_set(err, ERR_AUTH, "the event is for another method");
    if (e->created_at < want->now_s - FRESH_S || e->created_at > want->now_s + FRESH_S)
        return err_set(err, ERR_AUTH, "stale or invalid challenge");
    return true;
}

void nostr_uid(char out[static NOSTR_UID_SIZE], const char pubkey_text[static 65])
{
    char text[6 + 64], hex[65];
    // NOLINTNEXTLINE(bugprone-not-null-terminated-result): hashed as bytes
    memcpy(text, "nostr:", 6);
    memcpy(text + 6, pubkey_text, 64);
    const struct hash256 hash = sha256(BYTES_OF(text));
    hex_encode(hex, BYTES_OF(hash.b));
    (void)snprintf(out, NOSTR_UID_SIZE, "nostr:%.24s", hex);
}
