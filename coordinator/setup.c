#include "coordinator/setup.h"
#include "base/hex.h"
#include "coordinator/changes_kinds.h"
#include "coordinator/device_policy.h"
#include "coordinator/people.h"
#include "coordinator/refill.h"
#include "coordinator/spend_rules.h"
#include "coordinator/wallet.h"
#include "crypto/hash.h"
#include "http/form.h"
#include <inttypes.h>

#define HOST (&(const struct actor){ "host", "setup" })

static bool bad(struct err *err, const char *member, const char *what)
{
    return code_fail(err, CODE_BAD_REQUEST, "%s: %s", member, what);
}

static bool only(const struct json *object, const char *where, const char *const *names, size_t n,
                 struct err *err)
{
    if (object == NULL || object->type != JSON_OBJECT)
        return bad(err, where, "is missing or no object");
    for (const struct json *m = object->items; m != NULL; m = m->next) {
        size_t i = 0;
        while (i < n && !bytes_equal_text(m->key, names[i]))
            i++;
        if (i == n)
            return code_fail(err, CODE_BAD_REQUEST, "%s: unknown member '%.*s'", where,
                             BYTES_ARG(bytes_slice(m->key, 0, 64)));
    }
    return true;
}

static bool text(const struct json *object, const char *name, size_t max, bool needed,
                 struct bytes *out, struct err *err)
{
    const struct json *m = json_get(object, name);
    *out = (struct bytes){ 0 };
    if (m == NULL && !needed)
        return true;
    if (m == NULL || m->type != JSON_STRING || m->text.len > max || (needed && m->text.len == 0) ||
        !bytes_is_printable_ascii(m->text))
        return bad(err, name, "is missing, no printable text or too long");
    *out = m->text;
    return true;
}

static bool number(const struct json *object, const char *name, int64_t min, int64_t max,
                   int64_t *out, struct err *err)
{
    const struct json *m = json_get(object, name);
    if (m == NULL)
        return true;
    return (m->type == JSON_NUMBER && json_integer(m, out, NULL) && *out >= min && *out <= max) ||
           bad(err, name, "is no number within its bounds");
}

// --- Reading ---

struct plan {
    const struct json *file, *settings;
    struct wallet_text text;
    struct wallet *wallet;
    int64_t settle_depth;
    int64_t cap_auto, cap_surge, fee_cap, window_s;
    struct arena *arena;
};

static void plan_wipe(struct plan *p)
{
    wallet_free(p->wallet);
}

static bool read_wallet(struct plan *p, struct err *err)
{
    static const char *const members[] = { "name",         "network",  "receive",        "change",
                                           "settle_depth", "settings", "registered_name" };
    const struct json *wallet = json_get(p->file, "wallet");
    struct bytes registered;
    struct spend_rules rules;
    if (!only(wallet, "wallet", members, COUNT(members), err) ||
        !text(wallet, "name", MS_NAME_MAX, true, &p->text.name, err) ||
        !text(wallet, "network", 16, true, &p->text.network, err) ||
        !text(wallet, "receive", 8192, true, &p->text.desc_receive, err) ||
        !text(wallet, "change", 8192, true, &p->text.desc_change, err) ||
        !text(wallet, "registered_name", MS_NAME_MAX, false, &registered, err) ||
        !number(wallet, "settle_depth", 1, 1000, &p->settle_depth, err))
        return false;
    p->text.registered_name = arena_text(p->arena, registered.len > 0 ? registered : p->text.name);
    p->settings = json_get(wallet, "settings");
    if (p->settings != NULL && !spend_rules_parse(&rules, p->settings->text, p->arena, err))
        return false;
    return wallet_new(&p->wallet, &p->text, err);
}

static bool read_caps(struct plan *p, struct err *err)
{
    static const char *const members[] = { "cap_auto_sat", "cap_surge_sat", "fee_cap_sat",
                                           "window_s" };
    const struct json *caps = json_get(p->file, "caps");
    const int64_t most = (int64_t)SATS_MAX;
    if (!only(caps, "caps", members, COUNT(members), err))
        return false;
    for (size_t i = 0; i < COUNT(members); i++)
        if (json_get(caps, members[i]) == NULL)
            return bad(err, members[i], "is missing: a cap has no default");
    return number(caps, "cap_auto_sat", 0, most, &p->cap_auto, err) &&
           number(caps, "cap_surge_sat", 0, most, &p->cap_surge, err) &&
           number(caps, "fee_cap_sat", 0, most, &p->fee_cap, err) &&
           number(caps, "window_s", 60, 31536000, &p->window_s, err) &&
           (p->cap_auto <= p->cap_surge || bad(err, "cap_surge_sat", "is below cap_auto_sat"));
}

// The 2/3 rule's facts (B4), with the defaults of A1 where the file says nothing.
static struct device_share_facts share_of(const struct plan *p)
{
    const struct json *policy = json_get(p->file, "policy");
    const struct ms_wallet *keys = wallet_keys(p->wallet);
    int64_t per_period = 500000, period_min = 60;
    struct err unimportant;
    if (!number(policy, "per_period_sat", 0, (int64_t)SATS_MAX, &per_period, &unimportant) ||
        !number(policy, "period_min", 1, 1440, &period_min, &unimportant))
        per_period = 0; // refused as a policy
    return (struct device_share_facts){ .k = (unsigned)keys->m,
                                        .n = (unsigned)keys->n,
                                        .cap = { (uint64_t)p->cap_auto },
                                        .window_s = p->window_s,
                                        .per_period = { (uint64_t)per_period },
                                        .period_min = (uint32_t)period_min };
}

static bool check_share(const struct plan *p, struct err *err)
{
    const struct device_share_facts facts = share_of(p);
    struct writer w = writer_growing(p->arena, 1024);
    if (device_share(&facts) != DEVICE_SHARE_TOO_HIGH)
        return true;
    device_share_write(&w, &facts);
    return code_fail(err, CODE_BAD_REQUEST, "policy: %.*s", BYTES_ARG(writer_bytes(&w)));
}

static bool read_plan(struct plan *p, const struct json *file, struct arena *arena, struct err *err)
{
    static const char *const members[] = { "wallet",     "signers", "caps",
                                           "policy",     "changes", "destinations",
                                           "principals", "refills", "hooks" };
    *p = (struct plan){ .file = file, .settle_depth = SETTLE_DEPTH, .arena = arena };
    return only(file, "file", members, COUNT(members), err) && read_wallet(p, err) &&
           read_caps(p, err) && check_share(p, err);
}

// --- Signers ---

static const char *const signer_kinds[] = { "casemate", "coldcard", "simulator", "command" };

static bool is_signer_kind(struct bytes kind)
{
    for (size_t i = 0; i < COUNT(signer_kinds); i++)
        if (bytes_equal_text(kind, signer_kinds[i]))
            return true;
    return false;
}

struct new_signer {
    struct bytes name, kind, domain, pin;
    int64_t number;
    struct xfp xfp;
};

// "one signer may serve several wallets": the one that is there, if the file says the same of it.
static bool find_signer(struct db *db, const struct new_signer *s, char id[static ID_SIZE],
                        bool *found, struct arena *arena, struct err *err)
{
    struct db_rows rows;
    if (!db_query(db, &rows,
                  "SELECT id FROM signer WHERE name = $1 AND number = $2 AND kind = $3 AND "
                  "fingerprint = $4 AND failure_domain = $5",
                  DB_ARGS(db_text_of(s->name), db_int(s->number), db_text_of(s->kind),
                          db_blob(BYTES_OF(s->xfp.b)), db_text_of(s->domain)),
                  arena, err))
        return false;
    *found = rows.n == 1;
    if (*found)
        db_cell_copy(id, ID_SIZE, &rows, 0, 0);
    return true;
}

static bool add_signer(struct db *db, const struct new_signer *s, char id[static ID_SIZE],
                       struct arena *arena, int64_t now_us, struct err *err)
{
    bool found = false;
    if (!find_signer(db, s, id, &found, arena, err) || found)
        return found;
    db_new_id(id, now_us);
    return db_exec(db, NULL,
                   "INSERT INTO signer(id, name, number, kind, fingerprint, device_pin, "
                   "failure_domain) VALUES($1, $2, $3, $4, $5, $6, $7)",
                   DB_ARGS(db_text(id), db_text_of(s->name), db_int(s->number), db_text_of(s->kind),
                           db_blob(BYTES_OF(s->xfp.b)),
                           s->pin.len > 0 ? db_text_of(s->pin) : db_null(DB_TEXT),
                           db_text_of(s->domain)),
                   err) ||
           (db_fault(db) == DB_FAULT_CONSTRAINT &&
            code_fail(err, CODE_CONFLICT, "another signer has that name or number already"));
}

// The list names each of the descriptor's keys by its fingerprint, in the descriptor's order.
static bool insert_signer(struct db *db, const struct plan *p, const char *wallet_id,
                          const struct json *s, size_t position, int64_t now_us, struct err *err)
{
    static const char *const members[] = { "name",        "number",         "kind",
                                           "fingerprint", "failure_domain", "device_pin" };
    const struct ms_wallet *keys = wallet_keys(p->wallet);
    const struct ms_cosigner *key = &keys->cosigner[position];
    struct bytes fingerprint;
    struct new_signer new = { .number = (int64_t)position + 1, .xfp = key->origin.xfp };
    char id[ID_SIZE], xfp[9], xpub[XPUB_TEXT_SIZE], path[128];
    struct writer path_text = writer_of(path, sizeof path - 1);
    if (!only(s, "signers", members, COUNT(members), err) ||
        !text(s, "name", 16, true, &new.name, err) || !text(s, "kind", 16, true, &new.kind, err) ||
        !text(s, "fingerprint", 8, true, &fingerprint, err) ||
        !text(s, "failure_domain", 64, false, &new.domain, err) ||
        !text(s, "device_pin", 120, false, &new.pin, err) ||
        !number(s, "number", 1, 1000, &new.number, err))
        return false;
    if (!is_signer_kind(new.kind))
        return bad(err, "kind", "is none of casemate, coldcard, simulator, command");
    hex_encode(xfp, BYTES_OF(key->origin.xfp.b));
    if (!http_equal_nocase(fingerprint, bytes_of_text(xfp)))
        return code_fail(err, CODE_BAD_REQUEST,
                         "signers: number %zu of the descriptor has the fingerprint %s",
                         position + 1, xfp);
    hdpub_to_text(xpub, &key->node, keys->chain);
    keypath_write(&path_text, &key->origin.path);
    return add_signer(db, &new, id, p->arena, now_us, err) &&
           db_exec(db, NULL,
                   "INSERT INTO wallet_signer(wallet_id, signer_id, position, xpub, keypath, "
                   "registered_name) VALUES($1, $2, $3, $4, $5, $6)",
                   DB_ARGS(db_text(wallet_id), db_text(id), db_u64(position), db_text(xpub),
                           db_text_of(writer_bytes(&path_text)), db_text(p->text.registered_name)),
                   err);
}

static bool insert_signers(struct db *db, const struct plan *p, const char *wallet_id,
                           int64_t now_us, struct err *err)
{
    const struct json *signers = json_get(p->file, "signers");
    const size_t n = wallet_keys(p->wallet)->n;
    size_t position = 0;
    if (signers == NULL || signers->type != JSON_ARRAY || signers->n_items != n)
        return code_fail(err, CODE_BAD_REQUEST, "signers: are not the %zu of the descriptor", n);
    for (const struct json *s = signers->items; s != NULL; s = s->next)
        if (!insert_signer(db, p, wallet_id, s, position++, now_us, err))
            return false;
    return true;
}

// --- The wallet ---

static bool insert_wallet(struct db *db, const struct plan *p, const char *wallet_id,
                          struct err *err)
{
    const struct ms_wallet *keys = wallet_keys(p->wallet);
    struct sha256 ctx;
    sha256_init(&ctx);
    sha256_update(&ctx, p->text.desc_receive);
    sha256_update(&ctx, p->text.desc_change);
    const struct hash256 hash = sha256_final(&ctx);
    if (!db_exec(db, NULL,
                 "INSERT INTO wallet(id, name, network, k, n, kind, desc_receive, desc_change, "
                 "desc_hash, status, settle_depth, settings) "
                 "VALUES($1, $2, $3, $4, $5, $6, $7, $8, $9, 'active', $10, $11)",
                 DB_ARGS(db_text(wallet_id), db_text_of(p->text.name), db_text_of(p->text.network),
                         db_u64(keys->m), db_u64(keys->n),
                         db_text(keys->format == ADDR_P2SH_P2WSH ? "sh-wsh-sortedmulti"
                                                                 : "wsh-sortedmulti"),
                         db_text_of(p->text.desc_receive), db_text_of(p->text.desc_change),
                         db_blob(BYTES_OF(hash.b)), db_int(p->settle_depth),
                         db_text_of(p->settings != NULL ? p->settings->text : BYTES("{}"))),
                 err))
        return db_fault(db) == DB_FAULT_CONSTRAINT &&
               code_fail(err, CODE_CONFLICT, "the wallet is there already");
    return db_exec(db, NULL,
                   "INSERT INTO velocity_guard(wallet_id, window_s, cap_auto, cap_surge, fee_cap) "
                   "VALUES($1, $2, $3, $4, $5)",
                   DB_ARGS(db_text(wallet_id), db_int(p->window_s), db_int(p->cap_auto),
                           db_int(p->cap_surge), db_int(p->fee_cap)),
                   err);
}

// Members that are changes like any other: checked and applied by the same code.
static bool apply_as(struct db *db, const struct plan *p, const char *wallet_id, const char *kind,
                     const struct json *body, int64_t now_us, struct err *err)
{
    const struct change_kind *k = change_kind_find(bytes_of_text(kind));
    const struct change_context c = { .db = db,
                                      .arena = p->arena,
                                      .actor = HOST,
                                      .wallet_id = wallet_id,
                                      .body = body,
                                      .now_us = now_us };
    struct bytes before;
    bool loosening;
    if (k == NULL || body->type != JSON_OBJECT)
        return bad(err, kind, "is no object");
    if (!k->compare(&c, &loosening, &before, err))
        // What the file says is what holds by default.
        return strcmp(kind, "destination.add") != 0 && code_of(err) == CODE_CONFLICT;
    return k->apply(&c, err) || err_within(err, "%s", kind);
}

static bool apply_all(struct db *db, const struct plan *p, const char *wallet_id,
                      const char *member, const char *kind, int64_t now_us, struct err *err)
{
    const struct json *list = json_get(p->file, member);
    if (list == NULL)
        return true;
    if (list->type != JSON_ARRAY)
        return bad(err, member, "is no list");
    // Ids are ordered by their milliseconds: the file's order is the list's.
    for (const struct json *item = list->items; item != NULL; item = item->next, now_us += 1000)
        if (!apply_as(db, p, wallet_id, kind, item, now_us, err))
            return false;
    return true;
}

// --- People, refills ---

static bool insert_person(struct db *db, const char *wallet_id, const struct json *item,
                          struct arena *arena, struct err *err)
{
    static const char *const members[] = { "kind", "name", "display", "roles", "limits" };
    struct bytes kind, name, display;
    char subject[PEOPLE_SUBJECT_MAX], id[ID_SIZE];
    struct person person;
    const struct json *roles = json_get(item, "roles"), *limits = json_get(item, "limits");
    if (!only(item, "principals", members, COUNT(members), err) ||
        !text(item, "kind", 16, true, &kind, err) || !text(item, "name", 127, true, &name, err) ||
        !text(item, "display", 127, false, &display, err))
        return false;
    const char *kind_text = arena_text(arena, kind);
    if (kind_text == NULL || !people_subject(subject, kind_text, name, err))
        return false;
    if (roles == NULL || roles->type != JSON_ARRAY)
        return bad(err, "roles", "is no list");
    // The people of a second wallet may be those of the first.
    if (people_find(db, &person, subject, arena, err))
        memcpy(id, person.id, sizeof id);
    else if (code_of(err) != CODE_NOT_FOUND ||
             !people_add(db, id, HOST, kind_text, subject, display, err))
        return false;
    for (const struct json *r = roles->items; r != NULL; r = r->next) {
        const unsigned role = role_of_name(r->text);
        if (role == 0)
            return bad(err, "roles", "there is no such role");
        if (!people_grant(db, HOST, id, wallet_id, (enum role)role,
                          limits != NULL ? limits->text : (struct bytes){ 0 }, err))
            return false;
    }
    return true;
}

static bool insert_people(struct db *db, const struct plan *p, const char *wallet_id,
                          struct err *err)
{
    const struct json *list = json_get(p->file, "principals");
    if (list != NULL && list->type != JSON_ARRAY)
        return bad(err, "principals", "is no list");
    for (const struct json *i = list != NULL ? list->items : NULL; i != NULL; i = i->next)
        if (!insert_person(db, wallet_id, i, p->arena, err))
            return false;
    return true;
}

static bool insert_refills(struct db *db, const struct plan *p, const char *wallet_id,
                           int64_t now_us, struct err *err)
{
    static const char *const members[] = { "name", "body" };
    const struct json *list = json_get(p->file, "refills");
    if (list != NULL && list->type != JSON_ARRAY)
        return bad(err, "refills", "is no list");
    for (const struct json *i = list != NULL ? list->items : NULL; i != NULL; i = i->next) {
        struct refill_rules rules;
        struct bytes name;
        char id[ID_SIZE];
        const struct json *body = json_get(i, "body");
        if (!only(i, "refills", members, COUNT(members), err) ||
            !text(i, "name", 64, true, &name, err))
            return false;
        if (body == NULL || !refill_rules_parse(&rules, body->text, p->arena, err))
            return body != NULL ? false : bad(err, "refills", "body is missing");
        db_new_id(id, now_us);
        if (!db_exec(
                db, NULL,
                "INSERT INTO refill_policy(id, wallet_id, name, body) VALUES($1, $2, $3, $4)",
                DB_ARGS(db_text(id), db_text(wallet_id), db_text_of(name), db_text_of(body->text)),
                err))
            return false;
    }
    return true;
}

// --- All of it ---

struct applying {
    const struct plan *plan;
    char *wallet_id;
};

static bool body(struct db *db, void *context, struct err *err)
{
    const struct applying *a = context;
    const struct plan *p = a->plan;
    const struct json *policy = json_get(p->file, "policy"),
                      *changes = json_get(p->file, "changes");
    int64_t now_us;
    if (!db_now_us(db, &now_us, err))
        return false;
    db_new_id(a->wallet_id, now_us);
    return insert_wallet(db, p, a->wallet_id, err) &&
           insert_signers(db, p, a->wallet_id, now_us, err) &&
           (policy == NULL || apply_as(db, p, a->wallet_id, "policy", policy, now_us, err)) &&
           (changes == NULL || apply_as(db, p, a->wallet_id, "approvals", changes, now_us, err)) &&
           apply_all(db, p, a->wallet_id, "destinations", "destination.add", now_us, err) &&
           apply_all(db, p, a->wallet_id, "hooks", "hook.add", now_us, err) &&
           insert_people(db, p, a->wallet_id, err) &&
           insert_refills(db, p, a->wallet_id, now_us, err) &&
           actor_event(db, HOST, "wallet.added", a->wallet_id, (struct bytes){ 0 }, p->file->text,
                       err);
}

bool setup_apply(struct db *db, char wallet_id[static ID_SIZE], const struct json *file,
                 struct arena *arena, struct err *err)
{
    AUTO(plan_wipe) struct plan plan = { 0 };
    struct applying a = { &plan, wallet_id };
    return read_plan(&plan, file, arena, err) && db_transact(db, body, &a, err);
}

// --- For the person who reads it ---

static void describe_share(struct writer *w, const struct plan *p)
{
    const struct device_share_facts facts = share_of(p);
    if (device_share(&facts) == DEVICE_SHARE_RIGHT)
        return;
    writer_text(w, "note: ");
    device_share_write(w, &facts);
    writer_text(w, "\n");
}

static size_t count_of(const struct plan *p, const char *member)
{
    const struct json *list = json_get(p->file, member);
    return list != NULL ? list->n_items : 0;
}

bool setup_describe(struct writer *w, const struct json *file, struct arena *arena, struct err *err)
{
    AUTO(plan_wipe) struct plan p = { 0 };
    struct writer address = writer_growing(arena, 256);
    if (!read_plan(&p, file, arena, err) ||
        !wallet_address(&address, p.wallet, (struct wallet_place){ .index = 0 }, err))
        return false;
    writer_printf(w, "wallet %.*s on %.*s: %zu of %zu\n", BYTES_ARG(p.text.name),
                  BYTES_ARG(p.text.network), wallet_keys(p.wallet)->m, wallet_keys(p.wallet)->n);
    writer_printf(w, "first address: %.*s\n", BYTES_ARG(writer_bytes(&address)));
    writer_printf(w,
                  "caps in %" PRId64 " s: %" PRId64 " sat, with a code %" PRId64
                  " sat, fees %" PRId64 " sat\n",
                  p.window_s, p.cap_auto, p.cap_surge, p.fee_cap);
    for (size_t i = 0; i < wallet_keys(p.wallet)->n; i++) {
        char xfp[9];
        hex_encode(xfp, BYTES_OF(wallet_keys(p.wallet)->cosigner[i].origin.xfp.b));
        writer_printf(w, "signer %zu: %s\n", i + 1, xfp);
    }
    writer_printf(w, "destinations: %zu, principals: %zu, refills: %zu, hooks: %zu\n",
                  count_of(&p, "destinations"), count_of(&p, "principals"), count_of(&p, "refills"),
                  count_of(&p, "hooks"));
    describe_share(w, &p);
    return true;
}
