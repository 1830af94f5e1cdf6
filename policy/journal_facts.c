// policy/journal_facts.c -- a transaction as journal lines keep it: what policy_evaluate reads of it,
// and no more.
//
//   {"chain": "XTN", "warnings": 0, "message": true, "wallet": "Treasury", "signs": "sm", "fee": 1000,
//    "txid": "00...", "locktime": 840000, "first": ["00...", 0],
//    "in": [[10000000, "avos", "m/84h/1h/0h/0/0"], ...], "out": [[2000000, "0014...", "co"], ...]}
//
// Letters of inputs: a amount given, v verified, c claims, o own, s to be signed, m multisig. Of
// outputs: c change, o own. An attestation is a fourth item of its output, one of subtype 1 a fifth (the
// fourth is then null if it has no other), and then the first input's outpoint is there. Paths stand in
// messages only, where they decide. A locktime that consensus does not enforce is left out.
#include "base/hex.h"
#include "policy/journal.h"

struct letter {
    char letter;
    size_t member; // of the struct, a bool
};
static const struct letter of_input[] = {
    { 'a', offsetof(struct input_facts, has_amount) },
    { 'v', offsetof(struct input_facts, verified) },
    { 'c', offsetof(struct input_facts, claims) },
    { 'o', offsetof(struct input_facts, own) },
    { 's', offsetof(struct input_facts, will_sign) },
    { 'm', offsetof(struct input_facts, multisig) },
};
static const struct letter of_output[] = {
    { 'c', offsetof(struct output_facts, change) },
    { 'o', offsetof(struct output_facts, own) },
};
static const struct letter of_tx[] = {
    { 's', offsetof(struct tx_facts, signs_single_key) },
    { 'm', offsetof(struct tx_facts, signs_multisig) },
};

// --- Writing ---

static void write_letters(struct json_writer *j, const void *facts, const struct letter *letters,
                          size_t n)
{
    char text[8];
    size_t len = 0;
    for (size_t i = 0; i < n; i++)
        if (*(const bool *)((const uint8_t *)facts + letters[i].member))
            text[len++] = letters[i].letter;
    json_string(j, bytes_of(text, len));
}

static void write_input(struct json_writer *j, const struct input_facts *in, bool is_message)
{
    char text[KEYPATH_TEXT_MAX];
    struct writer w = writer_of(text, sizeof text);
    json_begin_array(j);
    json_u64(j, in->amount.n);
    write_letters(j, in, of_input, COUNT(of_input));
    if (is_message && in->will_sign) {
        keypath_write(&w, &in->path);
        json_string(j, writer_bytes(&w));
    }
    json_end_array(j);
}

static void write_output(struct json_writer *j, const struct output_facts *out)
{
    json_begin_array(j);
    json_u64(j, out->amount.n);
    json_hex(j, out->script);
    write_letters(j, out, of_output, COUNT(of_output));
    if (out->has_attestation)
        json_hex(j, out->attestation);
    else if (out->has_bound_attestation)
        json_null(j);
    if (out->has_bound_attestation)
        json_hex(j, out->bound_attestation);
    json_end_array(j);
}

// What only extensions look at.
static void write_bound(struct json_writer *j, const struct tx_facts *tx)
{
    bool is_bound = false;
    json_key(j, "txid");
    json_hex(j, BYTES_OF(tx->txid.b));
    if (tx->locktime > 0 && tx->locktime_counts) {
        json_key(j, "locktime");
        json_u64(j, tx->locktime);
    }
    for (size_t i = 0; i < tx->n_out; i++)
        is_bound |= tx->out[i].has_bound_attestation;
    if (!is_bound || tx->n_in == 0)
        return;
    json_key(j, "first");
    json_begin_array(j);
    json_hex(j, BYTES_OF(tx->in[0].prevout.txid.b));
    json_u64(j, tx->in[0].prevout.index);
    json_end_array(j);
}

void journal_facts_write(struct json_writer *j, const struct tx_facts *tx)
{
    json_begin_object(j);
    json_key(j, "chain");
    json_text(j, tx->chain->code);
    json_key(j, "warnings");
    json_u64(j, tx->n_warnings);
    json_key(j, "message");
    json_bool(j, tx->is_message);
    json_key(j, "wallet");
    json_string(j, tx->wallet_name); // printable ASCII: bitcoin/multisig.h lets no other name in
    json_key(j, "signs");
    write_letters(j, tx, of_tx, COUNT(of_tx));
    if (tx->fee_known) {
        json_key(j, "fee");
        json_u64(j, tx->fee.n);
    }
    write_bound(j, tx);
    json_key(j, "in");
    json_begin_array(j);
    for (size_t i = 0; i < tx->n_in && !j->w->failed; i++)
        write_input(j, &tx->in[i], tx->is_message);
    json_end_array(j);
    json_key(j, "out");
    json_begin_array(j);
    for (size_t i = 0; i < tx->n_out && !j->w->failed; i++)
        write_output(j, &tx->out[i]);
    json_end_array(j);
    json_end_object(j);
}

// --- Reading ---

static bool bad(struct err *err, const char *what)
{
    return err_set(err, ERR_MALFORMED, "facts: %s", what);
}

static bool read_sats(const struct json *value, struct sats *out)
{
    int64_t n = 0;
    if (value == NULL || value->type != JSON_NUMBER || !json_integer(value, &n, NULL) || n < 0 ||
        (uint64_t)n > SATS_MAX)
        return false;
    out->n = (uint64_t)n;
    return true;
}

static bool read_letters(const struct json *value, void *facts, const struct letter *letters,
                         size_t n)
{
    size_t found = 0;
    if (value == NULL || value->type != JSON_STRING)
        return false;
    for (size_t i = 0; i < n && found < value->text.len; i++)
        if (value->text.ptr[found] == (uint8_t)letters[i].letter) {
            *(bool *)((uint8_t *)facts + letters[i].member) = true;
            found++;
        }
    return found == value->text.len; // in the order in which they are written
}

static bool read_hex(struct bytes *out, const struct json *value, struct arena *arena)
{
    if (value == NULL || value->type != JSON_STRING)
        return false;
    const size_t len = value->text.len / 2;
    uint8_t *mem = arena_alloc(arena, len);
    if (mem == NULL || !hex_decode(mem, len, value->text))
        return false;
    *out = bytes_of(mem, len);
    return true;
}

static bool read_input(struct input_facts *in, const struct json *item)
{
    const struct json *amount = item->type == JSON_ARRAY ? item->items : NULL;
    const struct json *letters = amount != NULL ? amount->next : NULL;
    struct err ignored;
    if (!read_sats(amount, &in->amount) || !read_letters(letters, in, of_input, COUNT(of_input)))
        return false;
    const struct json *path = letters->next;
    return path == NULL || (path->type == JSON_STRING && path->next == NULL &&
                            keypath_parse(&in->path, path->text, &ignored));
}

static bool read_output(struct output_facts *out, const struct json *item, struct arena *arena)
{
    const struct json *amount = item->type == JSON_ARRAY ? item->items : NULL;
    const struct json *script = amount != NULL ? amount->next : NULL;
    const struct json *letters = script != NULL ? script->next : NULL;
    if (!read_sats(amount, &out->amount) || !read_hex(&out->script, script, arena) ||
        !read_letters(letters, out, of_output, COUNT(of_output)))
        return false;
    const struct json *attestation = letters->next;
    const struct json *bound = attestation != NULL ? attestation->next : NULL;
    out->has_attestation = attestation != NULL && attestation->type != JSON_NULL;
    out->has_bound_attestation = bound != NULL;
    return (!out->has_attestation || read_hex(&out->attestation, attestation, arena)) &&
           (bound == NULL ||
            (bound->next == NULL && read_hex(&out->bound_attestation, bound, arena)));
}

static bool read_hash(struct hash256 *out, const struct json *value)
{
    return value->type == JSON_STRING && hex_decode(out->b, sizeof out->b, value->text);
}

static bool read_outpoint(struct outpoint *out, const struct json *pair)
{
    struct sats index = { 0 };
    if (pair->type != JSON_ARRAY || pair->n_items != 2 || !read_hash(&out->txid, pair->items) ||
        !read_sats(pair->items->next, &index) || index.n > UINT32_MAX)
        return false;
    out->index = (uint32_t)index.n;
    return true;
}

// Lines of before there were extensions do not have them.
static bool read_bound(struct tx_facts *out, const struct json *facts)
{
    const struct json *txid = json_get(facts, "txid"), *locktime = json_get(facts, "locktime"),
                      *first = json_get(facts, "first");
    struct sats height = { 0 };
    if ((txid != NULL && !read_hash(&out->txid, txid)) ||
        (locktime != NULL && (!read_sats(locktime, &height) || height.n > UINT32_MAX)) ||
        (first != NULL && (out->n_in == 0 || !read_outpoint(&out->in[0].prevout, first))))
        return false;
    out->locktime = (uint32_t)height.n;
    out->locktime_counts = locktime != NULL;
    return true;
}

static bool read_lists(struct tx_facts *out, const struct json *facts, struct arena *arena,
                       struct err *err)
{
    const struct json *in = json_get(facts, "in"), *outs = json_get(facts, "out");
    if (in == NULL || in->type != JSON_ARRAY || outs == NULL || outs->type != JSON_ARRAY)
        return bad(err, "no inputs and outputs");
    out->in = arena_array(arena, in->n_items, sizeof *out->in);
    out->out = arena_array(arena, outs->n_items, sizeof *out->out);
    if (out->in == NULL || out->out == NULL)
        return err_set(err, ERR_NO_MEMORY, "facts: too many inputs and outputs");
    for (const struct json *item = in->items; item != NULL; item = item->next)
        if (!read_input(&out->in[out->n_in++], item))
            return bad(err, "an input cannot be read");
    for (const struct json *item = outs->items; item != NULL; item = item->next) {
        struct output_facts *o = &out->out[out->n_out++];
        if (!read_output(o, item, arena))
            return bad(err, "an output cannot be read");
        if (!sats_add(&out->total_out, o->amount) ||
            (o->change && !sats_add(&out->change_total, o->amount)))
            return bad(err, "more than can exist");
    }
    return true;
}

bool journal_facts_read(struct tx_facts *out, const struct json *facts, struct arena *arena,
                        struct err *err)
{
    struct tx_facts tx = { 0 };
    const struct json *chain = json_get(facts, "chain"), *wallet = json_get(facts, "wallet"),
                      *message = json_get(facts, "message"),
                      *warnings = json_get(facts, "warnings"), *fee = json_get(facts, "fee");
    struct sats n_warnings = { 0 };
    tx.chain = chain != NULL ? chain_by_code(chain->text) : NULL;
    if (tx.chain == NULL || wallet == NULL || wallet->type != JSON_STRING || message == NULL ||
        !read_sats(warnings, &n_warnings) ||
        !read_letters(json_get(facts, "signs"), &tx, of_tx, COUNT(of_tx)))
        return bad(err, "not as a journal has them");
    tx.is_message = message->type == JSON_TRUE;
    tx.wallet_name = wallet->text;
    tx.n_warnings = (size_t)n_warnings.n;
    tx.fee_known = fee != NULL;
    if (fee != NULL && !read_sats(fee, &tx.fee))
        return bad(err, "the fee cannot be read");
    if (!read_lists(&tx, facts, arena, err))
        return false;
    if (!read_bound(&tx, facts))
        return bad(err, "txid, locktime or first input cannot be read");
    *out = tx;
    return true;
}
