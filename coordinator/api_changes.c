// Changes of limits, lists and rights: /v1/policies and /v1/destinations. Source: coordinator.md D10, D11.
#include "coordinator/api_handlers.h"

#define KIND_MAX 64

bool api_draft(struct call *c, const struct treasury_wallet *t, struct bytes kind,
               const struct json *body, struct change_row *out, struct err *err)
{
    const unsigned roles = change_kind_roles(kind);
    const struct person *person = api_person(c);
    if (!change_kind_is_known(kind))
        return code_fail(err, CODE_BAD_REQUEST, "kind: there is no such kind of change");
    return call_may(c, t->row.id, roles, err) &&
           change_draft(c->db, out, &c->actor, person != NULL ? person->id : NULL, t->row.id, kind,
                        body, c->arena, err);
}

bool api_publish(struct call *c, const char *id, struct change_row *out, struct err *err)
{
    if (!change_publish(c->db, out, &c->actor, id, c->api->config->compat_demo, c->arena, err))
        return false;
    if (c->api->fleet != NULL)
        fleet_reload(c->api->fleet);
    return true;
}

// What tightens is published by who asks for it; in the demo everything is.
static bool publish_if_free(struct call *c, struct change_row *row, struct err *err)
{
    return (row->loosening && !c->api->config->compat_demo) || api_publish(c, row->id, row, err);
}

static bool send_change(struct call *c, unsigned status, const struct change_row *row)
{
    struct writer w;
    struct json_writer j = call_json(c, &w);
    change_write(&j, row);
    call_reply(c, status, &w);
    return true;
}

bool api_get_changes(struct call *c, struct err *err)
{
    struct treasury_wallet t;
    struct change_rows rows;
    struct writer w;
    struct json_writer j = call_json(c, &w);
    const char *cursor = arena_text(c->arena, call_parameter(c, "cursor"));
    if (!call_wallet(c, &t, call_parameter(c, "wallet"), ROLE_VIEWER, err) ||
        !change_list(c->db, &rows, t.row.id, cursor != NULL ? cursor : "", API_PAGE + 1, c->arena,
                     err))
        return false;
    const size_t n = rows.n > API_PAGE ? API_PAGE : rows.n;
    json_begin_object(&j);
    json_key(&j, "policies");
    json_begin_array(&j);
    for (size_t i = 0; i < n; i++)
        change_write(&j, &rows.items[i]);
    json_end_array(&j);
    json_key(&j, "next");
    if (rows.n > n)
        json_text(&j, rows.items[n - 1].id);
    else
        json_null(&j);
    json_end_object(&j);
    call_reply(c, 200, &w);
    return true;
}

bool api_post_change(struct call *c, struct err *err)
{
    static const char *const members[] = { "wallet", "kind", "body" };
    struct treasury_wallet t;
    struct change_row row = { .loosening = true };
    struct bytes name = { 0 }, kind = { 0 };
    const struct json *body = json_get(c->body, "body");
    if (!call_only(c->body, members, COUNT(members), err) ||
        !call_text(c, "wallet", 64, &name, err) || !call_text(c, "kind", KIND_MAX, &kind, err))
        return false;
    if (body != NULL && body->type != JSON_OBJECT)
        return code_fail(err, CODE_BAD_REQUEST, "body: is no JSON object");
    return call_wallet(c, &t, name, ROLE_VIEWER, err) && api_draft(c, &t, kind, body, &row, err) &&
           publish_if_free(c, &row, err) && send_change(c, 201, &row);
}

static bool find_change(struct call *c, unsigned roles, struct change_row *out, struct err *err)
{
    const char *id = arena_text(c->arena, c->segments[0]);
    return id != NULL && change_get(c->db, out, id, c->arena, err) &&
           call_may(c, out->wallet_id, roles, err);
}

bool api_get_change(struct call *c, struct err *err)
{
    struct change_row row = { .loosening = true };
    return find_change(c, ROLE_VIEWER, &row, err) && send_change(c, 200, &row);
}

static bool give_verdict(struct call *c, bool approve, struct err *err)
{
    struct change_row row = { .loosening = true };
    const struct person *person = api_person(c);
    if (!find_change(c, ROLE_OFFICER, &row, err))
        return false;
    if (person == NULL)
        return code_fail(err, CODE_UNAUTHENTICATED, "sign in required");
    return change_approve(c->db, &row, &c->actor, person->id, row.id, approve, c->arena, err) &&
           send_change(c, 200, &row);
}

bool api_approve_change(struct call *c, struct err *err)
{
    return give_verdict(c, true, err);
}

bool api_reject_change(struct call *c, struct err *err)
{
    return give_verdict(c, false, err);
}

bool api_publish_change(struct call *c, struct err *err)
{
    struct change_row row = { .loosening = true };
    return find_change(c, (unsigned)ROLE_POLICY_ADMIN | (unsigned)ROLE_OFFICER, &row, err) &&
           api_publish(c, row.id, &row, err) && send_change(c, 200, &row);
}

bool api_rollback_change(struct call *c, struct err *err)
{
    struct change_row row = { .loosening = true };
    const struct person *person = api_person(c);
    if (!find_change(c, (unsigned)ROLE_POLICY_ADMIN | (unsigned)ROLE_OFFICER, &row, err) ||
        !change_rollback(c->db, &row, &c->actor, person != NULL ? person->id : NULL, row.id,
                         c->api->config->compat_demo, c->arena, err))
        return false;
    if (c->api->fleet != NULL)
        fleet_reload(c->api->fleet);
    return send_change(c, 201, &row);
}

// --- Destinations: the same, by another name ---

bool api_post_destination(struct call *c, struct err *err)
{
    static const char *const members[] = { "wallet", "name", "address" };
    struct treasury_wallet t;
    struct change_row row = { .loosening = true };
    struct bytes name = { 0 }, label = { 0 }, address = { 0 };
    struct writer w = writer_growing(c->arena, 4096);
    struct json_writer j = json_writer_of(&w);
    const struct json *body;
    if (!call_only(c->body, members, COUNT(members), err) ||
        !call_text(c, "wallet", 64, &name, err) || !call_text(c, "name", 64, &label, err) ||
        !call_text(c, "address", 128, &address, err))
        return false;
    json_begin_object(&j);
    json_key(&j, "name");
    json_string(&j, label);
    json_key(&j, "address");
    json_string(&j, address);
    json_end_object(&j);
    return json_parse(&body, writer_bytes(&w), c->arena, err) &&
           call_wallet(c, &t, name, ROLE_VIEWER, err) &&
           api_draft(c, &t, BYTES("destination.add"), body, &row, err) &&
           publish_if_free(c, &row, err) && send_change(c, 201, &row);
}

bool api_delete_destination(struct call *c, struct err *err)
{
    struct treasury_wallet t;
    struct change_row row = { .loosening = true };
    struct db_rows rows;
    struct writer w = writer_growing(c->arena, 1024);
    struct json_writer j = json_writer_of(&w);
    const struct json *body;
    if (!db_query(c->db, &rows, "SELECT wallet_id FROM destination WHERE id = $1",
                  DB_ARGS(db_text_of(c->segments[0])), c->arena, err))
        return false;
    if (rows.n == 0)
        return code_fail(err, CODE_NOT_FOUND, "there is no such destination");
    json_begin_object(&j);
    json_key(&j, "id");
    json_string(&j, c->segments[0]);
    json_end_object(&j);
    return json_parse(&body, writer_bytes(&w), c->arena, err) &&
           call_wallet(c, &t, db_cell_bytes(&rows, 0, 0), ROLE_VIEWER, err) &&
           api_draft(c, &t, BYTES("destination.remove"), body, &row, err) &&
           publish_if_free(c, &row, err) && send_change(c, 200, &row);
}
