#include "client/hsm_status.h"
#include "base/reader.h"

enum member_kind { MEMBER_BOOL, MEMBER_TEXT, MEMBER_COUNT, MEMBER_NAMES };

// All may be absent; a member of another type than this is a device that we do not understand.
static const struct member {
    const char *key;
    enum member_kind kind;
    size_t at;
} members[] = {
    { "active", MEMBER_BOOL, offsetof(struct hsm_status, active) },
    { "policy_available", MEMBER_BOOL, offsetof(struct hsm_status, policy_available) },
    { "approval_wait", MEMBER_BOOL, offsetof(struct hsm_status, approval_wait) },
    { "chain", MEMBER_TEXT, offsetof(struct hsm_status, chain) },
    { "policy_hash", MEMBER_TEXT, offsetof(struct hsm_status, policy_hash) },
    { "next_local_code", MEMBER_TEXT, offsetof(struct hsm_status, next_local_code) },
    { "last_refusal", MEMBER_TEXT, offsetof(struct hsm_status, last_refusal) },
    { "summary", MEMBER_TEXT, offsetof(struct hsm_status, summary) },
    { "approvals", MEMBER_COUNT, offsetof(struct hsm_status, approvals) },
    { "refusals", MEMBER_COUNT, offsetof(struct hsm_status, refusals) },
    { "pending_auth", MEMBER_COUNT, offsetof(struct hsm_status, pending_auth) },
    { "sl_reads", MEMBER_COUNT, offsetof(struct hsm_status, sl_reads) },
    { "users", MEMBER_NAMES, offsetof(struct hsm_status, users) },
    { "wallets", MEMBER_NAMES, offsetof(struct hsm_status, wallets) },
};

static bool is_bool(const struct json *value)
{
    return value->type == JSON_TRUE || value->type == JSON_FALSE;
}

static bool is_count(const struct json *value)
{
    int64_t n;
    return value->type == JSON_NUMBER && json_integer(value, &n, NULL) && n >= 0;
}

static bool is_names(const struct json *value)
{
    if (value->type != JSON_ARRAY)
        return false;
    for (const struct json *item = value->items; item != NULL; item = item->next)
        if (item->type != JSON_STRING)
            return false;
    return true;
}

static bool has_type(const struct json *value, enum member_kind kind)
{
    switch (kind) {
    case MEMBER_BOOL:
        return is_bool(value);
    case MEMBER_TEXT:
        return value->type == JSON_STRING;
    case MEMBER_COUNT:
        return is_count(value);
    case MEMBER_NAMES:
        return is_names(value);
    }
    return false;
}

static void store(struct hsm_status *out, const struct member *m, const struct json *value)
{
    uint8_t *at = (uint8_t *)out + m->at;
    const bool yes = value->type == JSON_TRUE;
    int64_t n = 0;
    switch (m->kind) {
    case MEMBER_BOOL:
        memcpy(at, &yes, sizeof yes);
        return;
    case MEMBER_TEXT:
        memcpy(at, &value->text, sizeof value->text);
        return;
    case MEMBER_COUNT:
        if (json_integer(value, &n, NULL))
            memcpy(at, &n, sizeof n); // not negative, so the same bits
        return;
    case MEMBER_NAMES:
        *(const struct json **)(void *)at = value;
        return;
    }
}

bool hsm_status_parse(struct hsm_status *out, struct bytes text, struct arena *arena,
                      struct err *err)
{
    struct hsm_status status = { 0 };
    if (!json_parse(&status.object, text, arena, err))
        return err->code == ERR_NO_MEMORY ? false
                                          : err_set(err, ERR_FRAMING, "hsts: %s", err->text);
    if (status.object->type != JSON_OBJECT)
        return err_set(err, ERR_FRAMING, "hsts: not an object");
    for (size_t i = 0; i < COUNT(members); i++) {
        const struct json *value = json_get(status.object, members[i].key);
        if (value == NULL || value->type == JSON_NULL)
            continue;
        if (!has_type(value, members[i].kind))
            return err_set(err, ERR_FRAMING, "hsts: %s is of another type", members[i].key);
        store(&status, &members[i], value);
    }
    *out = status;
    return true;
}

bool hsm_status_fetch(struct hsm_status *out, struct connection *c, struct arena *arena,
                      struct err *err)
{
    const struct request request = { .id = REQUEST_HSTS };
    struct reply reply;
    return connection_call(c, &reply, REPLY_ASCI, &request, arena, err) &&
           hsm_status_parse(out, reply.data, arena, err);
}

// --- Refusals ---

// Where the next ", rule #<n>: " begins; the end of the text without one. Reasons have commas of
// their own, and are never empty.
static size_t end_of_reason(struct bytes text)
{
    for (size_t i = 1; i < text.len; i++) {
        struct reader r = reader_of(bytes_slice(text, i, SIZE_MAX));
        if (reader_accept_bytes(&r, BYTES(", rule #")) && reader_digits(&r).len > 0 &&
            reader_accept_bytes(&r, BYTES(": ")))
            return i;
    }
    return text.len;
}

struct bytes hsm_status_salt_serial(const struct hsm_status *status, struct bytes user)
{
    const struct json *ours = json_get(status->object, "casemate");
    const struct json *serials = ours != NULL ? json_get(ours, "serials") : NULL;
    if (serials == NULL || serials->type != JSON_OBJECT)
        return (struct bytes){ 0 };
    for (const struct json *item = serials->items; item != NULL; item = item->next)
        if (item->type == JSON_STRING && bytes_equal(item->key, user))
            return item->text;
    return (struct bytes){ 0 };
}

bool hsm_refusal_next(struct bytes *rest, struct bytes *reason)
{
    struct reader r = reader_of(*rest);
    (void)(reader_accept_bytes(&r, BYTES("Rejected: ")) || reader_accept_bytes(&r, BYTES(", ")));
    if (reader_done(&r))
        return false;
    const size_t len = end_of_reason(r.rest);
    *reason = bytes_slice(r.rest, 0, len);
    *rest = bytes_slice(r.rest, len, SIZE_MAX);
    return true;
}

bool hsm_refusal_consumed(struct bytes last_refusal)
{
    // E2 is before E4; a text message consults neither users nor local code.
    return last_refusal.len > 0 &&
           !bytes_equal_text(last_refusal, "Could not log details, and must_log is set") &&
           !bytes_starts_with(last_refusal, BYTES("Message signing "));
}
