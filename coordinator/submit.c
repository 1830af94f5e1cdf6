#include "coordinator/submit.h"
#include "bitcoin/address.h"
#include "crypto/hash.h"

bool submit_is_request_id(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        const uint8_t c = text.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '.' || c == '_' || c == ':' || c == '-'))
            return false;
    }
    return text.len >= 1 && text.len <= REQUEST_ID_SIZE - 1;
}

// --- Outputs ---

// What the known spend pays by that name or script.
static bool find_own(struct db *db, const struct submission *s, struct bytes to,
                     struct bytes script, struct db_rows *rows, struct arena *arena,
                     struct err *err)
{
    return db_query(db, rows,
                    "SELECT d.id, d.script, d.address, d.name FROM destination d "
                    "WHERE d.wallet_id = $1 AND (d.script = $2 OR d.name = $3) AND d.id IN "
                    "(SELECT o.destination_id FROM spend_output o JOIN spend s "
                    "ON s.id = o.spend_id WHERE s.wallet_id = $1 AND s.request_id = $4)",
                    DB_ARGS(db_text(s->wallet->row.id), db_blob(script), db_text_of(to),
                            db_text_of(s->request_id)),
                    arena, err);
}

static bool find(struct db *db, const struct submission *s, struct bytes to, struct db_rows *rows,
                 struct arena *arena, struct err *err)
{
    struct writer w = writer_growing(arena, 256);
    struct err no_address;
    struct bytes script = { 0 };
    if (address_to_script(&w, to, wallet_chain(s->wallet->wallet), &no_address))
        script = writer_bytes(&w);
    if (s->known && !find_own(db, s, to, script, rows, arena, err))
        return false;
    if (s->known && rows->n == 1)
        return true;
    if (script.len > 0)
        return db_query(db, rows,
                        "SELECT id, script, address, name FROM destination WHERE wallet_id = $1 "
                        "AND script = $2 AND state = 'active'",
                        DB_ARGS(db_text(s->wallet->row.id), db_blob(script)), arena, err);
    return db_query(db, rows,
                    "SELECT id, script, address, name FROM destination WHERE wallet_id = $1 AND "
                    "name = $2 AND state = 'active'",
                    DB_ARGS(db_text(s->wallet->row.id), db_text_of(to)), arena, err);
}

bool submit_add_output(struct db *db, struct submission *s, struct bytes to, struct sats amount,
                       struct arena *arena, struct err *err)
{
    struct db_rows rows;
    if (s->n_outputs == SUBMIT_OUTPUTS_MAX)
        return code_fail(err, CODE_BAD_REQUEST, "outputs: more than %d", SUBMIT_OUTPUTS_MAX);
    if (to.len == 0 || to.len > ADDRESS_TEXT_MAX || !bytes_is_printable_ascii(to))
        return code_fail(err, CODE_BAD_REQUEST, "to: is no address or name of a destination");
    if (!s->known && (amount.n < SUBMIT_LEAST || amount.n > s->wallet->rules.amount_max.n))
        return code_fail(err, CODE_AMOUNT_OUT_OF_RANGE, "amount_sat: is not within %d and %llu",
                         SUBMIT_LEAST, (unsigned long long)s->wallet->rules.amount_max.n);
    if (!find(db, s, to, &rows, arena, err))
        return false;
    if (rows.n != 1)
        return code_fail(err, CODE_DESTINATION_NOT_ALLOWED,
                         "%.*s is not on the list of destinations", BYTES_ARG(to));
    struct spend_output *out = &s->outputs[s->n_outputs++];
    *out = (struct spend_output){ .script = db_cell_bytes(&rows, 0, 1),
                                  .address = db_cell_bytes(&rows, 0, 2),
                                  .amount = amount };
    db_cell_copy(out->destination_id, sizeof out->destination_id, &rows, 0, 0);
    return true;
}

// --- The request ---

// What makes two requests the same.
static struct hash256 hash_of(const struct submission *s)
{
    struct sha256 ctx;
    sha256_init_tagged(&ctx, "casemate/spend-body");
    const struct bytes wallet = bytes_of_text(s->wallet->row.id);
    sha256_compact_size(&ctx, wallet.len);
    sha256_update(&ctx, wallet);
    sha256_u8(&ctx, (uint8_t)s->tier);
    sha256_u64le(&ctx, (uint64_t)s->not_after_us);
    sha256_u64le(&ctx, s->fee_rate);
    sha256_compact_size(&ctx, s->note.len);
    sha256_update(&ctx, s->note);
    sha256_compact_size(&ctx, s->n_outputs);
    for (size_t i = 0; i < s->n_outputs; i++) {
        sha256_u64le(&ctx, s->outputs[i].amount.n);
        sha256_compact_size(&ctx, s->outputs[i].script.len);
        sha256_update(&ctx, s->outputs[i].script);
    }
    return sha256_final(&ctx);
}

struct spend_request submit_request(const struct submission *s, const struct person *person)
{
    const struct grant *g = person != NULL ? person_grant(person, s->wallet->row.id) : NULL;
    return (struct spend_request){
        .wallet_id = s->wallet->row.id,
        .principal_id = person != NULL ? person->id : NULL,
        .request_id = s->request_id,
        .body_hash = hash_of(s),
        .tier = s->tier,
        .outputs = s->outputs,
        .n_outputs = s->n_outputs,
        .not_after_us = s->not_after_us,
        .fee_rate = s->fee_rate,
        .needs_approval = s->tier == TIER_SURGE && !s->alone,
        .note = s->note,
        .is_granted = g != NULL && (g->roles & ROLE_SPENDER) != 0,
        .limits = g != NULL ? g->limits.text : (struct bytes){ 0 },
        .has_per_window = g != NULL && g->limits.has_per_window,
        .per_window = g != NULL ? g->limits.per_window : (struct sats){ 0 },
    };
}

// --- Limits of who asks ---

static bool total_of(const struct submission *s, struct sats *out, struct err *err)
{
    *out = (struct sats){ 0 };
    for (size_t i = 0; i < s->n_outputs; i++)
        if (!sats_add(out, s->outputs[i].amount))
            return code_fail(err, CODE_AMOUNT_OUT_OF_RANGE, "outputs: more than there can be");
    return true;
}

static bool is_listed(const struct json *names, struct bytes name)
{
    for (const struct json *item = names->items; item != NULL; item = item->next)
        if (bytes_equal(item->text, name))
            return true;
    return false;
}

static bool check_destinations(struct db *db, const struct submission *s,
                               const struct spend_limits *limits, struct arena *arena,
                               struct err *err)
{
    struct db_rows rows;
    for (size_t i = 0; limits->destinations != NULL && i < s->n_outputs; i++) {
        if (!db_query(db, &rows, "SELECT name FROM destination WHERE id = $1",
                      DB_ARGS(db_text(s->outputs[i].destination_id)), arena, err))
            return false;
        if (rows.n != 1 || !is_listed(limits->destinations, db_cell_bytes(&rows, 0, 0)))
            return code_fail(err, CODE_FORBIDDEN, "this destination is not yours to pay");
    }
    return true;
}

static bool is_known(struct db *db, const struct submission *s, bool *out, struct arena *arena,
                     struct err *err)
{
    struct db_rows rows;
    if (!db_query(db, &rows, "SELECT 1 FROM spend WHERE wallet_id = $1 AND request_id = $2",
                  DB_ARGS(db_text(s->wallet->row.id), db_text_of(s->request_id)), arena, err))
        return false;
    *out = rows.n > 0;
    return true;
}

bool submit_recall(struct db *db, struct submission *s, struct arena *arena, struct err *err)
{
    return is_known(db, s, &s->known, arena, err);
}

// All but the limit per window, which is measured where the spend is made (ledger_submit).
static bool check_limits(struct db *db, const struct submission *s, const struct person *person,
                         struct arena *arena, struct err *err)
{
    const struct grant *g = person != NULL ? person_grant(person, s->wallet->row.id) : NULL;
    struct sats total;
    if (!total_of(s, &total, err))
        return false;
    if (total.n > s->wallet->rules.amount_max.n)
        return code_fail(err, CODE_AMOUNT_OUT_OF_RANGE, "outputs: more than %llu sat together",
                         (unsigned long long)s->wallet->rules.amount_max.n);
    if (g == NULL)
        return true;
    const struct spend_limits *l = &g->limits;
    if (l->auto_only && s->tier != TIER_AUTO)
        return code_fail(err, CODE_FORBIDDEN, "the surge tier is not yours to use");
    if (l->has_per_spend && total.n > l->per_spend.n)
        return code_fail(err, CODE_FORBIDDEN, "the amount is above your limit for one spend");
    return check_destinations(db, s, l, arena, err);
}

bool submit(struct db *db, const struct submission *s, const struct person *person,
            struct spend *out, bool *is_new, struct arena *arena, struct err *err)
{
    const struct spend_request request = submit_request(s, person);
    bool known = false;
    // Asking again for what is there already is within any limit.
    return is_known(db, s, &known, arena, err) &&
           (known || check_limits(db, s, person, arena, err)) &&
           ledger_submit(db, out, is_new, &request, err);
}
