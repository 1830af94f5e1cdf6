#include "policy/journal.h"
#include "base/require.h"
#include "crypto/hmac.h"
#include "policy/payees.h"

#define JOURNAL_PAYEES_MAX 100 // outputs whose destinations are named

static const char *const kinds[JOURNAL_KINDS] = {
    [JOURNAL_NONE] = "none",
    [JOURNAL_START] = "start",
    [JOURNAL_STOP] = "stop",
    [JOURNAL_ACTIVATION] = "activation",
    [JOURNAL_ESCAPE] = "escape",
    [JOURNAL_DECISION] = "decision",
    [JOURNAL_FAILURE] = "failure",
    [JOURNAL_TAKEN_BACK] = "taken-back",
    [JOURNAL_DENIED] = "denied",
    [JOURNAL_POLICY_WIPED] = "policy-wiped",
    [JOURNAL_USER_ADDED] = "user-added",
    [JOURNAL_USER_DELETED] = "user-deleted",
    [JOURNAL_USER_TRIED] = "user-tried",
    [JOURNAL_WALLET_ADDED] = "wallet-added",
    [JOURNAL_WALLET_DELETED] = "wallet-deleted",
    [JOURNAL_ACKNOWLEDGED] = "acknowledged",
    [JOURNAL_LOCKER_READ] = "locker-read",
};

const char *journal_kind_name(enum journal_kind kind)
{
    return kinds[kind];
}

// --- Key ---

bool journal_key(struct seckey *out, const struct seckey *master, struct err *err)
{
    AUTO(seckey_wipe) struct seckey raw;
    hmac_sha256(raw.b, BYTES_OF(master->b), BYTES("casemate journal"));
    return seckey_from_bytes(out, BYTES_OF(raw.b), err) || err_within(err, "journal key");
}

void journal_public_key(uint8_t out[static 32], const struct seckey *key)
{
    const struct pubkey pub = seckey_pubkey(key);
    memcpy(out, pub.b + 1, 32);
}

// --- Members ---

// Text that a host may have chosen.
static void put_text(struct json_writer *j, const char *key, struct bytes text)
{
    char tame[JOURNAL_TEXT_MAX + 3];
    if (text.len == 0)
        return;
    struct writer w = writer_of(tame, sizeof tame);
    const struct bytes shown = bytes_slice(text, 0, JOURNAL_TEXT_MAX);
    for (size_t i = 0; i < shown.len; i++)
        writer_u8(&w, shown.ptr[i] < 0x20 || shown.ptr[i] > 0x7e ? '?' : shown.ptr[i]);
    if (shown.len < text.len)
        writer_text(&w, "...");
    json_key(j, key);
    json_string(j, writer_bytes(&w));
}

static void put_hash(struct json_writer *j, const char *key, bool is_set,
                     const struct hash256 *hash)
{
    if (!is_set)
        return;
    json_key(j, key);
    json_hex(j, BYTES_OF(hash->b));
}

static void put_u64(struct json_writer *j, const char *key, uint64_t value)
{
    json_key(j, key);
    json_u64(j, value);
}

static void put_flag(struct json_writer *j, const char *key, bool value)
{
    if (!value)
        return;
    json_key(j, key);
    json_bool(j, true);
}

// Up to the last that is not 0; nothing if all are.
static void put_counts(struct json_writer *j, const char *key, const uint32_t *counts, size_t n)
{
    while (n > 0 && counts[n - 1] == 0)
        n--;
    if (n == 0)
        return;
    json_key(j, key);
    json_begin_array(j);
    for (size_t i = 0; i < n; i++)
        json_u64(j, counts[i]);
    json_end_array(j);
}

// The velocity after the event: when the running period began, and each rule's total. Extensions: how
// many transactions each counts, the heights of not_before_height, messages.
static void put_velocity(struct json_writer *j, const struct velocity *velocity, size_t n_rules)
{
    if (velocity == NULL)
        return;
    json_key(j, "velocity");
    json_begin_object(j);
    if (velocity->running) {
        json_key(j, "start");
        json_i64(j, velocity->start_s);
    }
    if (velocity->running || velocity->n_outlays > 0) {
        json_key(j, "spent");
        json_begin_array(j);
        for (size_t i = 0; i < n_rules; i++)
            json_u64(j, velocity->spent[i].n);
        json_end_array(j);
    }
    put_counts(j, "txns", velocity->n, n_rules);
    put_counts(j, "heights", velocity->heights, n_rules);
    if (velocity->n[VELOCITY_MESSAGES] > 0)
        put_u64(j, "messages", velocity->n[VELOCITY_MESSAGES]);
    json_end_object(j);
}

static void put_users(struct json_writer *j, const struct journal_ruling *r)
{
    if (r->decision->n_verified == 0)
        return;
    json_key(j, "users");
    json_begin_array(j);
    for (size_t i = 0; i < r->decision->n_verified; i++) {
        char tame[USER_NAME_SIZE + 1];
        struct writer w = writer_of(tame, sizeof tame);
        name_write(&w, user_name(&r->auth->users[r->decision->verified[i].user]));
        json_string(j, writer_bytes(&w));
    }
    json_end_array(j);
}

// Which destination each output goes to: output, number of the destination, index. What is past the
// room for a text is left out.
static void put_payees(struct json_writer *j, const struct journal_ruling *r)
{
    const struct tx_facts *tx = r->tx;
    size_t n = 0;
    if (r->decision->cause != CAUSE_RULE || r->policy->rules[r->decision->rule].own.n_payees == 0)
        return;
    json_key(j, "destinations");
    json_begin_array(j);
    for (size_t i = 0; i < tx->n_out && n < JOURNAL_PAYEES_MAX; i++) {
        const struct hash256 hash = sha256(tx->out[i].script);
        struct payee_hit hit;
        if (tx->out[i].change ||
            !payee_find(r->policy->payee_table, r->decision->rule, &hash, &hit))
            continue;
        json_begin_array(j);
        json_u64(j, i);
        json_u64(j, hit.payee + 1);
        json_u64(j, hit.child);
        json_end_array(j);
        n++;
    }
    json_end_array(j);
}

// Facts that do not fit are left out: a record says what was decided in any case.
static void put_facts(struct json_writer *j, const struct tx_facts *tx)
{
    uint8_t mem[JOURNAL_FACTS_MAX];
    struct writer w = writer_of(mem, sizeof mem);
    struct json_writer inner = json_writer_of(&w);
    struct bytes facts;
    journal_facts_write(&inner, tx);
    if (!writer_finish(&w, &facts))
        return;
    json_key(j, "facts");
    json_raw(j, facts);
}

static void put_transaction(struct json_writer *j, const struct journal_ruling *r)
{
    const struct decision *d = r->decision;
    put_u64(j, "total_out", facts_spent(r->tx).n);
    if (r->tx->fee_known)
        put_u64(j, "fee", r->tx->fee.n);
    put_u64(j, "warnings", r->tx->n_warnings);
    put_flag(j, "charged", d->charged);
    put_flag(j, "repeated", d->repeated);
    put_payees(j, r);
    put_flag(j, "local_code", d->local_code_good);
    put_flag(j, "logged", d->log);
    put_facts(j, r->tx);
}

static void put_ruling(struct json_writer *j, const struct journal_ruling *r)
{
    if (r == NULL)
        return;
    const struct decision *d = r->decision;
    json_key(j, "request");
    json_text(j, d->is_text ? "text message" : d->is_message ? "BIP-322 message" : "transaction");
    json_key(j, "verdict");
    json_text(j, d->verdict == VERDICT_SIGN ? "approved" : "refused");
    if (d->cause == CAUSE_RULE)
        put_u64(j, "rule", d->rule + 1);
    put_text(j, "text", r->text);
    put_users(j, r);
    if (r->tx != NULL)
        put_transaction(j, r);
}

static void put_event(struct json_writer *j, const struct journal_event *e)
{
    json_key(j, "kind");
    json_text(j, kinds[e->kind]);
    put_text(j, "what", bytes_of_text(e->what));
    put_text(j, "name", e->name);
    put_text(j, "path", e->path);
    put_text(j, "version", bytes_of_text(e->version));
    put_text(j, "chain", bytes_of_text(e->chain));
    put_hash(j, "sha256", e->has_hash, &e->hash);
    put_hash(j, "policy_hash", e->has_policy_hash, &e->policy_hash);
    put_hash(j, "policy_hash_full", e->has_policy_hash_full, &e->policy_hash_full);
    put_text(j, "error", e->text);
    put_text(j, "detail", e->detail);
    put_ruling(j, e->ruling);
    if (e->has_counts) {
        put_u64(j, "approvals", e->approvals);
        put_u64(j, "refusals", e->refusals);
    }
    put_velocity(j, e->velocity, e->n_rules);
    if (e->n_omitted > 0)
        put_u64(j, "omitted", e->n_omitted);
}

// --- The line ---

static bool sign_line(struct json_writer *j, size_t start, const struct schnorr_key *key,
                      struct err *err)
{
    static const uint8_t zero_aux[32]; // "zero auxiliary data"
    uint8_t sig[64];
    const struct bytes written = writer_bytes(j->w);
    const struct hash256 digest = sha256(bytes_slice(written, start, written.len));
    if (!schnorr_sign_with(sig, key, &digest, zero_aux, err))
        return err_within(err, "journal");
    json_key(j, "sig");
    json_hex(j, BYTES_OF(sig));
    return true;
}

bool journal_write(struct writer *w, const struct journal_event *event,
                   const struct journal_head *head, int64_t time_s, const struct schnorr_key *key,
                   struct err *err)
{
    struct json_writer j = json_writer_of(w);
    const size_t start = w->len;
    REQUIRE(event->kind != JOURNAL_NONE);
    json_begin_object(&j);
    put_u64(&j, "seq", head->seq + 1);
    json_key(&j, "time");
    json_i64(&j, time_s);
    put_event(&j, event);
    put_hash(&j, "prev", true, &head->hash);
    if (!sign_line(&j, start, key, err))
        return false;
    json_end_object(&j);
    if (w->failed || w->len - start > JOURNAL_LINE_MAX)
        return err_set(err, ERR_LIMIT, "a journal line is too long");
    return true;
}
