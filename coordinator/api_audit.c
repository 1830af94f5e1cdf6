// Who there is and what was done: of all wallets for who may see that of every one, else of one wallet.
// Source: coordinator.md D1 "every object below is wallet-scoped", D10, D11.
#include "coordinator/api_handlers.h"
#include "coordinator/audit.h"

#define WATCHERS ((unsigned)ROLE_AUDITOR | (unsigned)ROLE_POLICY_ADMIN | (unsigned)ROLE_OFFICER)

static const char *only(const char *wallet_id)
{
    return wallet_id[0] != '\0' ? wallet_id : NULL;
}

bool api_get_people(struct call *c, struct err *err)
{
    char wallet_id[ID_SIZE];
    struct writer w;
    struct json_writer j = call_json(c, &w);
    if (!call_scope(c, wallet_id, WATCHERS, err))
        return false;
    json_begin_object(&j);
    json_key(&j, "people");
    if (!people_write(c->db, &j, only(wallet_id), c->arena, err))
        return false;
    json_end_object(&j);
    call_reply(c, 200, &w);
    return true;
}

// --- The audit chain ---

static void write_event(struct json_writer *j, const struct audit_event *e)
{
    const struct {
        const char *key;
        struct bytes text;
    } texts[] = { { "actor", e->actor },
                  { "origin", e->origin },
                  { "kind", e->kind },
                  { "object", e->object },
                  { "request_id", e->request_id } };
    json_begin_object(j);
    json_key(j, "seq");
    json_u64(j, e->seq);
    json_key(j, "at");
    auth_time_write(j, e->at_us);
    for (size_t i = 0; i < COUNT(texts); i++) {
        json_key(j, texts[i].key);
        json_string(j, texts[i].text);
    }
    json_key(j, "before");
    json_string(j, e->before);
    json_key(j, "after");
    json_string(j, e->after);
    json_key(j, "hash");
    json_hex(j, BYTES_OF(e->hash.b));
    json_end_object(j);
}

static void write_verification(struct call *c, struct json_writer *j)
{
    struct audit_head head;
    struct err err;
    const bool ok = audit_verify(c->db, 1, &head, &err);
    json_key(j, "verified");
    json_bool(j, ok);
    if (!ok) {
        json_key(j, "error");
        json_text(j, err.text);
    }
}

// ?after=N&limit=N&object=ID&wallet=NAME&verify=1
bool api_get_audit(struct call *c, struct err *err)
{
    const struct bytes after = call_parameter(c, "after"), limit = call_parameter(c, "limit");
    const char *object = arena_text(c->arena, call_parameter(c, "object"));
    char wallet_id[ID_SIZE];
    struct reader a = reader_of(after), l = reader_of(limit);
    uint64_t from = 0, n = API_PAGE;
    struct audit_events events;
    struct audit_head head;
    struct writer w;
    struct json_writer j = call_json(c, &w);
    if ((after.len > 0 && (!reader_decimal64(&a, INT64_MAX, &from) || !reader_done(&a))) ||
        (limit.len > 0 && (!reader_decimal64(&l, API_PAGE_MAX, &n) || !reader_done(&l) || n == 0)))
        return code_fail(err, CODE_BAD_REQUEST, "after, limit: are no numbers within bounds");
    if (!call_scope(c, wallet_id, ROLE_AUDITOR, err) ||
        !audit_read(c->db, &events, from, (size_t)n,
                    object != NULL && object[0] != '\0' ? object : NULL, only(wallet_id), c->arena,
                    err) ||
        !audit_head(c->db, &head, err))
        return false;
    json_begin_object(&j);
    json_key(&j, "events");
    json_begin_array(&j);
    for (size_t i = 0; i < events.n; i++)
        write_event(&j, &events.items[i]);
    json_end_array(&j);
    json_key(&j, "head");
    json_begin_object(&j);
    json_key(&j, "seq");
    json_u64(&j, head.seq);
    json_key(&j, "hash");
    json_hex(&j, BYTES_OF(head.hash.b));
    json_end_object(&j);
    if (bytes_equal_text(call_parameter(c, "verify"), "1"))
        write_verification(c, &j);
    json_end_object(&j);
    call_reply(c, 200, &w);
    return true;
}
