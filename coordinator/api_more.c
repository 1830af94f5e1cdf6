// Refills, messages, who am I, health. Source: coordinator.md D10, D12, A13.
#include "base/base64.h"
#include "coordinator/api_handlers.h"
#include "coordinator/refill.h"
#include "crypto/hash.h"

#define MESSAGE_MAX 140 // A3: "trimmed to 140"

bool api_explains(const struct call *c)
{
    return c->api->config->explain_refusals || (call_roles(c, "") & (unsigned)ROLE_OPERATOR) != 0;
}

bool api_node(struct call *c, const struct treasury_wallet *wallet, struct node **out,
              struct err *err)
{
    *out = NULL;
    if (!call_slow(c, err))
        return false;
    for (size_t i = 0; i < c->api->config->n_nodes; i++) {
        const struct node_config *n = &c->api->config->nodes[i];
        const struct node_options options = { .name = n->name,
                                              .host = n->host,
                                              .port = (uint16_t)n->port,
                                              .credential_file = n->credential_file,
                                              .network = wallet_network(wallet->wallet),
                                              .wallet_prefix = COORDINATOR_WALLET_PREFIX,
                                              .cancel_fd = -1 };
        struct node_state state;
        if (node_new(out, &options, err) && node_state(*out, &state, err))
            return true;
        node_free(*out);
        *out = NULL; // the caller frees what it gets
    }
    return code_fail(err, CODE_NODE_UNAVAILABLE, "no node answers");
}

// --- Me ---

// What a page needs to know of who looks at it.
bool api_get_me(struct call *c, struct err *err)
{
    struct writer w;
    struct json_writer j = call_json(c, &w);
    const struct person *p = api_person(c);
    const struct coordinator_config *config = c->api->config;
    json_begin_object(&j);
    json_key(&j, "principal_id");
    if (p != NULL)
        json_text(&j, p->id);
    else
        json_null(&j);
    json_key(&j, "name");
    json_text(&j, p == NULL ? "" : p->display[0] != '\0' ? p->display : p->subject);
    json_key(&j, "csrf");
    json_text(&j, c->caller.session.csrf);
    json_key(&j, "roles");
    roles_write(&j, call_roles(c, ""));
    json_key(&j, "demo");
    json_bool(&j, config->compat_demo);
    json_key(&j, "explorer");
    json_text(&j, config->explorer != NULL ? config->explorer : "");
    json_key(&j, "version");
    json_text(&j, CASEMATE_VERSION);
    json_end_object(&j);
    call_reply(c, 200, &w);
    (void)err;
    return true;
}

// --- Refills ---

bool api_get_refills(struct call *c, struct err *err)
{
    struct treasury_wallet t;
    struct db_rows rows;
    struct writer w;
    struct json_writer j = call_json(c, &w);
    if (!call_wallet(c, &t, call_parameter(c, "wallet"), ROLE_VIEWER, err) ||
        !db_query(c->db, &rows,
                  "SELECT p.id, p.name, p.body, p.enabled, p.paused_reason, p.next_sequence, "
                  "(SELECT r.spend_id FROM refill_run r WHERE r.policy_id = p.id "
                  "ORDER BY r.sequence DESC LIMIT 1), "
                  "(SELECT r.decision FROM refill_run r WHERE r.policy_id = p.id "
                  "ORDER BY r.sequence DESC LIMIT 1) "
                  "FROM refill_policy p WHERE p.wallet_id = $1 ORDER BY p.name",
                  DB_ARGS(db_text(t.row.id)), c->arena, err))
        return false;
    json_begin_object(&j);
    json_key(&j, "refills");
    json_begin_array(&j);
    for (size_t i = 0; i < rows.n; i++) {
        json_begin_object(&j);
        json_key(&j, "id");
        json_string(&j, db_cell_bytes(&rows, i, 0));
        json_key(&j, "name");
        json_string(&j, db_cell_bytes(&rows, i, 1));
        json_key(&j, "body");
        json_raw(&j, db_cell_bytes(&rows, i, 2));
        json_key(&j, "enabled");
        json_bool(&j, db_cell_int(&rows, i, 3) != 0);
        json_key(&j, "paused_reason");
        json_string(&j, db_cell_bytes(&rows, i, 4));
        json_key(&j, "next_sequence");
        json_u64(&j, db_cell_u64(&rows, i, 5));
        json_key(&j, "last_spend_id");
        json_string(&j, db_cell_bytes(&rows, i, 6));
        json_key(&j, "last_decision");
        json_string(&j, db_cell_bytes(&rows, i, 7));
        json_end_object(&j);
    }
    json_end_array(&j);
    json_end_object(&j);
    call_reply(c, 200, &w);
    return true;
}

struct refill {
    struct call *call;
    const char *wallet_id;
    struct bytes name, body;
    bool enabled;
};

static bool refill_body(struct db *db, void *context, struct err *err)
{
    const struct refill *r = context;
    char id[ID_SIZE];
    int64_t now_us;
    if (!db_now_us(db, &now_us, err))
        return false;
    db_new_id(id, now_us);
    return db_exec(db, NULL,
                   "INSERT INTO refill_policy(id, wallet_id, name, body, enabled) "
                   "VALUES($1, $2, $3, $4, $5) ON CONFLICT(wallet_id, name) DO UPDATE SET "
                   "body = $4, enabled = $5, paused_reason = NULL",
                   DB_ARGS(db_text(id), db_text(r->wallet_id), db_text_of(r->name),
                           db_text_of(r->body), db_int(r->enabled)),
                   err) &&
           actor_event(db, &r->call->actor, "refill.changed", r->wallet_id, (struct bytes){ 0 },
                       r->body, err);
}

// {"wallet", "name", "body", "enabled"}: makes it, or replaces it and ends its pause. It pays listed destinations
// only, within the wallet's cap, so an operator may.
bool api_post_refill(struct call *c, struct err *err)
{
    static const char *const members[] = { "wallet", "name", "body", "enabled" };
    struct treasury_wallet t;
    struct refill_rules rules;
    struct bytes wallet = { 0 }, name = { 0 };
    const struct json *body = json_get(c->body, "body"), *enabled = json_get(c->body, "enabled");
    if (!call_only(c->body, members, COUNT(members), err) ||
        !call_text(c, "wallet", 64, &wallet, err) || !call_text(c, "name", 64, &name, err) ||
        !call_wallet(c, &t, wallet, ROLE_OPERATOR, err))
        return false;
    if (name.len == 0 || !bytes_is_printable_ascii(name))
        return code_fail(err, CODE_BAD_REQUEST, "name: is missing or not printable");
    if (body == NULL || body->type != JSON_OBJECT)
        return code_fail(err, CODE_BAD_REQUEST, "body: is no JSON object");
    if (enabled != NULL && enabled->type != JSON_TRUE && enabled->type != JSON_FALSE)
        return code_fail(err, CODE_BAD_REQUEST, "enabled: is neither true nor false");
    if (!refill_rules_parse(&rules, body->text, c->arena, err))
        return false;
    struct refill r = { c, t.row.id, name, body->text,
                        enabled == NULL || enabled->type == JSON_TRUE };
    return db_transact(c->db, refill_body, &r, err) && api_get_refills(c, err);
}

// --- Messages ---

static bool keep_proof(struct call *c, const char *signer_id, struct bytes text,
                       const struct fleet_message *m, struct err *err)
{
    const struct hash256 hash = sha256(text);
    struct writer signature = writer_growing(c->arena, 256);
    char id[ID_SIZE];
    int64_t now_us;
    if (!base64_read(&signature, bytes_of_text(m->signature)))
        return code_fail(err, CODE_SIGNER_REFUSED, "a signer returned no signature");
    if (!db_now_us(c->db, &now_us, err))
        return false;
    db_new_id(id, now_us);
    return db_exec(c->db, NULL,
                   "INSERT INTO message_proof(id, text, text_hash, signer_id, path, address, "
                   "signature) VALUES($1, $2, $3, $4, $5, $6, $7)",
                   DB_ARGS(db_text(id), db_text_of(text), db_blob(BYTES_OF(hash.b)),
                           db_text(signer_id), db_text(API_MESSAGE_PATH), db_text(m->address),
                           db_blob(writer_bytes(&signature))),
                   err);
}

// "The first two ready signers each sign the same text": k of them, here. Those that cannot are passed over.
bool api_prove(struct call *c, const struct treasury_wallet *wallet, struct bytes text,
               struct api_proof *out, struct err *err)
{
    struct fleet_signer all[SIGNERS_MAX];
    const size_t n = c->api->fleet != NULL ? fleet_view(c->api->fleet, wallet->row.id, all) : 0;
    *out = (struct api_proof){ 0 };
    if (!call_slow(c, err))
        return false;
    for (size_t i = 0; i < n && out->n < wallet->row.k; i++) {
        struct fleet_message m = { 0 };
        if (!all[i].enabled || !all[i].ready)
            continue;
        fleet_sign_message(c->api->fleet, all[i].id, text, API_MESSAGE_PATH, &m);
        if (!m.ok)
            continue;
        if (!keep_proof(c, all[i].id, text, &m, err))
            return false;
        (void)snprintf(out->items[out->n].signer, sizeof out->items[0].signer, "%s", all[i].name);
        (void)snprintf(out->items[out->n].address, sizeof out->items[0].address, "%s", m.address);
        (void)snprintf(out->items[out->n].signature, sizeof out->items[0].signature, "%s",
                       m.signature);
        out->items[out->n++].number = all[i].number;
    }
    if (out->n < wallet->row.k)
        return code_fail(err, CODE_QUORUM_LOST, "%zu of %u signers signed it", out->n,
                         wallet->row.k);
    const struct event e = { .actor = c->actor.id,
                             .kind = "message.signed",
                             .object = wallet->row.id,
                             .request_id = c->id };
    return ledger_event(c->db, &e, err);
}

bool api_post_message(struct call *c, struct err *err)
{
    static const char *const members[] = { "wallet", "text" };
    struct treasury_wallet t;
    struct api_proof proof;
    struct bytes wallet = { 0 }, text = { 0 };
    struct writer w;
    struct json_writer j = call_json(c, &w);
    if (!call_only(c->body, members, COUNT(members), err) ||
        !call_text(c, "wallet", 64, &wallet, err) ||
        !call_text(c, "text", MESSAGE_MAX, &text, err) ||
        !call_wallet(c, &t, wallet, ROLE_SPENDER, err))
        return false;
    if (text.len == 0 || !bytes_is_printable_ascii(text))
        return code_fail(err, CODE_BAD_REQUEST, "text: 1 to %d printable characters", MESSAGE_MAX);
    if (!api_prove(c, &t, text, &proof, err))
        return false;
    json_begin_object(&j);
    json_key(&j, "text");
    json_string(&j, text);
    json_key(&j, "path");
    json_text(&j, API_MESSAGE_PATH);
    json_key(&j, "signatures");
    json_begin_array(&j);
    for (size_t i = 0; i < proof.n; i++) {
        json_begin_object(&j);
        json_key(&j, "signer");
        json_text(&j, proof.items[i].signer);
        json_key(&j, "address");
        json_text(&j, proof.items[i].address);
        json_key(&j, "signature");
        json_text(&j, proof.items[i].signature);
        json_end_object(&j);
    }
    json_end_array(&j);
    json_end_object(&j);
    call_reply(c, 200, &w);
    return true;
}

// --- Health ---

bool api_healthz(struct call *c, struct err *err)
{
    (void)err;
    c->reply = (struct http_reply){ .status = 204 };
    return true;
}

// 200 when money could move: the ledger answers, a node is up, each wallet has its quorum.
bool api_readyz(struct call *c, struct err *err)
{
    struct board_node nodes[BOARD_NODES];
    struct treasury_wallet *all;
    size_t n = 0;
    struct writer w;
    struct json_writer j = call_json(c, &w);
    bool node = false, quorum = true;
    const size_t n_nodes = board_nodes(c->api->board, nodes);
    for (size_t i = 0; i < n_nodes; i++)
        node = node || (nodes[i].up && !nodes[i].behind);
    const bool ledger = treasury_all(c->api->treasury, c->db, &all, &n, c->arena, err);
    for (size_t i = 0; ledger && i < n; i++) {
        struct fleet_signer signers[SIGNERS_MAX];
        const size_t count =
            c->api->fleet != NULL ? fleet_view(c->api->fleet, all[i].row.id, signers) : 0;
        unsigned ready = 0;
        for (size_t s = 0; s < count; s++)
            ready += signers[s].enabled && signers[s].ready;
        quorum = quorum && ready >= all[i].row.k;
    }
    json_begin_object(&j);
    json_key(&j, "ledger");
    json_bool(&j, ledger);
    json_key(&j, "node");
    json_bool(&j, node);
    json_key(&j, "quorum");
    json_bool(&j, ledger && quorum);
    json_end_object(&j);
    call_reply(c, ledger && node && quorum ? 200 : 503, &w);
    return true;
}
