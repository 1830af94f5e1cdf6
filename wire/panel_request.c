#include "base/require.h"
#include "base/utf8.h"
#include "wire/panel.h"
#include "wire/panel_internal.h"

#define MEMBERS_MAX 4
#define SHOWN_MAX   40 // bytes of the other side's text in an error

static const struct verb {
    const char *name;
    enum panel_do verb;
    const char *members[MEMBERS_MAX + 1]; // beside `do`; NULL at the end
} verbs[] = {
    { "screen", PANEL_SCREEN, { NULL } },
    { "watch", PANEL_WATCH, { NULL } },
    { "keys", PANEL_KEYS, { "keys", "question" } },
    { "text", PANEL_TEXT, { "text", "question" } },
    { "menu", PANEL_MENU, { "item", "name" } },
    { "advance", PANEL_ADVANCE, { "seconds" } },
    { "set", PANEL_SET, { "key", "value" } },
    { "reset", PANEL_RESET, { "chain", "words", "passphrase", "keep" } },
};

static const char *const items[] = {
    [PANEL_START_HSM] = "start-hsm",     [PANEL_WIPE_POLICY] = "wipe-policy",
    [PANEL_DELETE_USER] = "delete-user", [PANEL_DELETE_WALLET] = "delete-wallet",
    [PANEL_CHANGE_PIN] = "change-pin",   [PANEL_LOCK] = "lock",
};

static bool find_verb(const struct verb **out, const struct json *object, struct err *err)
{
    struct bytes name;
    if (!panel_text(&name, object, "do", err))
        return false;
    for (size_t i = 0; i < COUNT(verbs); i++)
        if (bytes_equal_text(name, verbs[i].name)) {
            *out = &verbs[i];
            return true;
        }
    return err_set(err, ERR_MALFORMED, "unknown do: %.*s", BYTES_ARG(utf8_cut(name, SHOWN_MAX)));
}

static bool has_member(const struct verb *verb, struct bytes key)
{
    for (size_t i = 0; verb->members[i] != NULL; i++)
        if (bytes_equal_text(key, verb->members[i]))
            return true;
    return bytes_equal_text(key, "do");
}

// A key that is ignored may be one that somebody relies on.
static bool has_no_others(const struct verb *verb, const struct json *object, struct err *err)
{
    for (const struct json *m = object->items; m != NULL; m = m->next)
        if (!has_member(verb, m->key))
            return err_set(err, ERR_MALFORMED, "unknown item: %.*s",
                           BYTES_ARG(utf8_cut(m->key, SHOWN_MAX)));
    return true;
}

static bool optional_text(struct bytes *out, const struct json *object, const char *key,
                          struct err *err)
{
    return json_get(object, key) == NULL || panel_text(out, object, key, err);
}

static bool read_keys(struct bytes *out, const struct json *object, struct err *err)
{
    if (!panel_text(out, object, "keys", err))
        return false;
    bool good = out->len > 0;
    for (size_t i = 0; i < out->len; i++)
        good = good && strchr("yxw0123456789", out->ptr[i]) != NULL;
    return good || err_set(err, ERR_MALFORMED, "keys must be y, x, w and digits");
}

static bool read_question(struct panel_request *out, const struct json *object, struct err *err)
{
    out->has_question = json_get(object, "question") != NULL;
    return !out->has_question ||
           panel_number(&out->question, PANEL_NUMBER_MAX, object, "question", err);
}

static bool read_menu(struct panel_request *out, const struct json *object, struct err *err)
{
    unsigned item;
    if (!panel_name(&item, items, COUNT(items), object, "item", err) ||
        !optional_text(&out->name, object, "name", err))
        return false;
    out->item = (enum panel_item)item;
    if ((item == PANEL_DELETE_USER || item == PANEL_DELETE_WALLET) && out->name.len == 0)
        return err_set(err, ERR_MALFORMED, "name is missing");
    return true;
}

// A number is taken as it was written: {"key": "fee_limit", "value": 20}.
static bool read_set(struct panel_request *out, const struct json *object, struct err *err)
{
    const struct json *value = json_get(object, "value");
    if (value != NULL && value->type == JSON_NUMBER)
        out->value = value->text;
    else if (!panel_text(&out->value, object, "value", err))
        return false;
    return panel_text(&out->key, object, "key", err);
}

static bool read_reset(struct panel_request *out, const struct json *object, struct err *err)
{
    return optional_text(&out->chain, object, "chain", err) &&
           optional_text(&out->words, object, "words", err) &&
           optional_text(&out->passphrase, object, "passphrase", err) &&
           (json_get(object, "keep") == NULL || panel_bool(&out->keep, object, "keep", err));
}

static bool read_members(struct panel_request *out, const struct json *object, struct err *err)
{
    switch (out->verb) {
    case PANEL_KEYS:
        return read_keys(&out->keys, object, err) && read_question(out, object, err);
    case PANEL_TEXT:
        return panel_text(&out->text, object, "text", err) && read_question(out, object, err);
    case PANEL_MENU:
        return read_menu(out, object, err);
    case PANEL_ADVANCE:
        return panel_number(&out->seconds, PANEL_ADVANCE_MAX, object, "seconds", err);
    case PANEL_SET:
        return read_set(out, object, err);
    case PANEL_RESET:
        return read_reset(out, object, err);
    default:
        return true;
    }
}

bool panel_request_unpack(struct panel_request *out, struct bytes line, struct arena *arena,
                          struct err *err)
{
    const struct json *object;
    const struct verb *verb = NULL;
    if (!panel_object(&object, line, arena, err) || !find_verb(&verb, object, err) ||
        !has_no_others(verb, object, err))
        return false;
    struct panel_request request = { .verb = verb->verb };
    if (!read_members(&request, object, err))
        return false;
    *out = request;
    return true;
}

static const char *verb_name(enum panel_do verb)
{
    size_t i = 0;
    while (i < COUNT(verbs) && verbs[i].verb != verb)
        i++;
    REQUIRE(i < COUNT(verbs));
    return verbs[i].name;
}

static void put_if_any(struct json_writer *j, const char *key, struct bytes text)
{
    if (text.len > 0)
        panel_put_text(j, key, text);
}

static void put_question(struct json_writer *j, const struct panel_request *request)
{
    if (!request->has_question)
        return;
    json_key(j, "question");
    json_u64(j, request->question);
}

static void put_members(struct json_writer *j, const struct panel_request *request)
{
    switch (request->verb) {
    case PANEL_KEYS:
        panel_put_text(j, "keys", request->keys);
        put_question(j, request);
        return;
    case PANEL_TEXT:
        panel_put_text(j, "text", request->text);
        put_question(j, request);
        return;
    case PANEL_MENU:
        REQUIRE(request->item > PANEL_ITEM_NONE && request->item < COUNT(items));
        json_key(j, "item");
        json_text(j, items[request->item]);
        put_if_any(j, "name", request->name);
        return;
    case PANEL_ADVANCE:
        json_key(j, "seconds");
        json_u64(j, request->seconds);
        return;
    case PANEL_SET:
        panel_put_text(j, "key", request->key);
        panel_put_text(j, "value", request->value);
        return;
    case PANEL_RESET:
        put_if_any(j, "chain", request->chain);
        put_if_any(j, "words", request->words);
        put_if_any(j, "passphrase", request->passphrase);
        json_key(j, "keep");
        json_bool(j, request->keep);
        return;
    default:
        return;
    }
}

void panel_request_pack(struct writer *w, const struct panel_request *request)
{
    const size_t start = w->len;
    struct json_writer j = json_writer_of(w);
    json_begin_object(&j);
    json_key(&j, "do");
    json_text(&j, verb_name(request->verb));
    put_members(&j, request);
    json_end_object(&j);
    panel_end_line(w, start);
}
