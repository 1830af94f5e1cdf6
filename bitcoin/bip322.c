#include "bitcoin/bip322.h"
#include "base/base64.h"
#include "base/reader.h"
#include "bitcoin/address.h"
#include "bitcoin/final_scripts.h"
#include "bitcoin/psbt_err.h"
#include "bitcoin/psbt_sign.h"

enum {
    TO_SPEND_REST = 128,    // bytes beside the challenge
    PROOF_INPUTS_MAX = 2000 // verified: they are compared pair by pair
};

static bool malformed(struct err *err, const char *what)
{
    return err_set(err, ERR_MALFORMED, "signature: %s", what);
}

static bool no_memory(struct err *err)
{
    return err_set(err, ERR_NO_MEMORY, "%s", PSBT_TOO_COMPLEX);
}

// --- The two transactions ---

struct hash256 bip322_message_hash(struct bytes message)
{
    struct sha256 h;
    sha256_init_tagged(&h, "BIP0322-signed-message");
    sha256_update(&h, message);
    return sha256_final(&h);
}

void bip322_write_to_spend(struct writer *w, struct bytes message, struct bytes challenge)
{
    static const uint8_t no_txid[32];
    const struct hash256 hash = bip322_message_hash(message);
    writer_u32le(w, 0); // version
    writer_compact_size(w, 1);
    writer_put(w, BYTES_OF(no_txid));
    writer_u32le(w, UINT32_MAX);
    writer_compact_size(w, 2 + sizeof hash.b);
    writer_put(w, BYTES("\x00\x20"));
    writer_put(w, BYTES_OF(hash.b));
    writer_u32le(w, 0); // sequence
    writer_compact_size(w, 1);
    writer_i64le(w, 0);
    writer_counted(w, challenge);
    writer_u32le(w, 0); // locktime
}

bool bip322_is_to_sign(const struct tx *tx)
{
    return tx->n_out == 1 && tx->out[0].value == 0 && bytes_equal(tx->out[0].script, BYTES("\x6a"));
}

static const char *const prefixes[] = {
    [BIP322_SIMPLE] = "smp", [BIP322_FULL] = "ful", [BIP322_PROOF] = "pof"
};

const char *bip322_prefix(enum bip322_form form)
{
    return prefixes[form];
}

// --- What a PSBT spends ---

// In proofs of funds a transaction that several inputs spend from stands at the first of them.
static const struct psbt_field *previous_of(const struct psbt *p, size_t i)
{
    const struct hash256 *txid = &p->tx.in[i].prevout.txid;
    const struct psbt_field *own = psbt_get(&p->in[i], PSBT_IN_NON_WITNESS_UTXO);
    if (own != NULL || psbt_get(&p->in[i], PSBT_IN_WITNESS_UTXO) != NULL)
        return own;
    for (size_t k = 0; k < i && own == NULL; k++)
        if (memcmp(&p->tx.in[k].prevout.txid, txid, sizeof *txid) == 0)
            own = psbt_get(&p->in[k], PSBT_IN_NON_WITNESS_UTXO);
    return own;
}

// The output that an input spends: of the previous transaction, whose hash the outpoint has, or as the
// witness UTXO says.
static bool read_utxo(struct tx_out *out, const struct psbt *p, size_t i, struct arena *arena,
                      struct err *err)
{
    const struct psbt_field *prev = previous_of(p, i);
    const struct psbt_field *utxo = psbt_get(&p->in[i], PSBT_IN_WITNESS_UTXO);
    const struct outpoint *from = &p->tx.in[i].prevout;
    struct tx tx;
    if (prev == NULL) {
        struct reader r = reader_of(utxo != NULL ? utxo->value : (struct bytes){ 0 });
        return (reader_i64le(&r, &out->value) && reader_counted(&r, &out->script)) ||
               err_set(err, ERR_INVALID, "input %zu: no UTXO", i);
    }
    if (!tx_parse(&tx, prev->value, arena, err))
        return err_within(err, "input %zu: previous transaction", i);
    const struct hash256 txid = tx_txid(&tx);
    if (!bytes_equal(BYTES_OF(txid.b), BYTES_OF(from->txid.b)) || from->index >= tx.n_out)
        return err_set(err, ERR_INVALID, "input %zu: not its previous transaction", i);
    *out = tx.out[from->index];
    return true;
}

static const struct tx_out *read_utxos(const struct psbt *p, struct arena *arena, struct err *err)
{
    struct tx_out *spent = arena_array(arena, p->n_in, sizeof *spent);
    if (spent == NULL && !no_memory(err))
        return NULL;
    for (size_t i = 0; i < p->n_in; i++)
        if (!read_utxo(&spent[i], p, i, arena, err))
            return NULL;
    return spent;
}

// --- Making ---

static bool follows_from_text(const struct tx *tx)
{
    return tx->version == 0 && tx->locktime == 0 && tx->n_in == 1 && tx->in[0].sequence == 0;
}

// Nested kinds have a scriptSig, which the simple form has no place for.
static bool is_native_segwit(struct bytes script)
{
    const enum script_kind kind = script_classify(script);
    return kind == SCRIPT_P2WPKH || kind == SCRIPT_P2WSH || kind == SCRIPT_P2TR;
}

enum bip322_form bip322_form_of(const struct psbt *psbt, struct arena *arena)
{
    struct tx_out challenge;
    struct err no;
    if (psbt->n_in > 1)
        return BIP322_PROOF;
    return psbt->n_in == 1 && read_utxo(&challenge, psbt, 0, arena, &no) &&
                   is_native_segwit(challenge.script) && follows_from_text(&psbt->tx)
               ? BIP322_SIMPLE
               : BIP322_FULL;
}

static struct bytes value_of(const struct psbt_map *map, uint8_t type)
{
    const struct psbt_field *f = psbt_get(map, type);
    return f == NULL ? (struct bytes){ 0 } : f->value;
}

// Facts of a PSBT that nobody has analysed: how each output is spent, and nothing of ours.
static bool plain_facts(struct psbt_facts *out, const struct psbt *p, struct arena *arena,
                        struct err *err)
{
    const struct tx_out *spent = read_utxos(p, arena, err);
    if (spent == NULL)
        return false;
    *out = (struct psbt_facts){ .psbt = p };
    out->tx.n_in = p->n_in;
    out->tx.in = arena_array(arena, p->n_in, sizeof *out->tx.in);
    out->plans = arena_array(arena, p->n_in, sizeof *out->plans);
    if (out->tx.in == NULL || out->plans == NULL)
        return no_memory(err);
    for (size_t i = 0; i < p->n_in; i++) {
        const struct spend_scripts scripts = { value_of(&p->in[i], PSBT_IN_REDEEM_SCRIPT),
                                               value_of(&p->in[i], PSBT_IN_WITNESS_SCRIPT) };
        out->tx.in[i].has_amount = true;
        out->tx.in[i].amount.n = (uint64_t)spent[i].value;
        out->plans[i].spend = spend_of(spent[i].script, &scripts);
    }
    return true;
}

static bool finalize(struct tx *out, struct bytes *raw, const struct psbt *p, struct arena *arena,
                     struct err *err)
{
    const struct psbt_signed nothing_new = { 0 };
    struct writer w = writer_growing(arena, 2 * PSBT_SIZE_MAX);
    struct psbt_facts facts;
    if (!plain_facts(&facts, p, arena, err) ||
        !psbt_finalize(&w, NULL, &facts, &nothing_new, arena, err))
        return false;
    *raw = writer_bytes(&w);
    return tx_parse(out, *raw, arena, err);
}

static void put_field(struct writer *w, uint8_t type, struct bytes value)
{
    if (value.len == 0)
        return;
    writer_compact_size(w, 1);
    writer_u8(w, type);
    writer_counted(w, value);
}

// BIP-174, finalizer: "All other data except the UTXO and unknown fields in the input key-value map
// should be cleared"; the fields that are version 2's transaction stay too.
static bool is_cleared(uint8_t type)
{
    return (type >= PSBT_IN_PARTIAL_SIG && type <= PSBT_IN_FINAL_WITNESS) ||
           (type >= PSBT_IN_TAP_KEY_SIG && type <= PSBT_IN_TAP_MERKLE_ROOT);
}

static void write_finalized_map(struct writer *w, const struct psbt_map *map,
                                const struct tx_in *in)
{
    for (size_t i = 0; i < map->n_fields; i++) {
        const struct psbt_field *f = &map->fields[i];
        if (is_cleared(f->key.ptr[0]))
            continue;
        writer_counted(w, f->key);
        writer_counted(w, f->value);
    }
    put_field(w, PSBT_IN_FINAL_SCRIPT_SIG, in->script_sig);
    put_field(w, PSBT_IN_FINAL_WITNESS, in->witness);
    writer_u8(w, 0);
}

static void write_proof(struct writer *w, const struct psbt *p, const struct tx *tx)
{
    writer_put(w, BYTES(PSBT_MAGIC));
    psbt_write_map(w, &p->global);
    for (size_t i = 0; i < p->n_in; i++)
        write_finalized_map(w, &p->in[i], &tx->in[i]);
    for (size_t i = 0; i < p->n_out; i++)
        psbt_write_map(w, &p->out[i]);
}

bool bip322_write(struct writer *w, enum bip322_form form, const struct psbt *psbt,
                  struct arena *arena, struct err *err)
{
    struct writer content = writer_growing(arena, 2 * PSBT_SIZE_MAX);
    struct bytes raw, body;
    struct tx tx;
    if (psbt->n_in == 0 || !bip322_is_to_sign(&psbt->tx))
        return err_set(err, ERR_INVALID, "no message PSBT");
    if (!finalize(&tx, &raw, psbt, arena, err))
        return false;
    if (form == BIP322_SIMPLE && (!follows_from_text(&psbt->tx) || tx.in[0].script_sig.len > 0))
        return err_set(err, ERR_INVALID, "the simple form has no place for this transaction");
    if (form == BIP322_FULL && psbt->n_in > 1)
        return err_set(err, ERR_INVALID, "the full form has no place for further inputs' amounts");
    if (form == BIP322_PROOF)
        write_proof(&content, psbt, &tx);
    else
        writer_put(&content, form == BIP322_SIMPLE ? tx.in[0].witness : raw);
    if (!writer_finish(&content, &body))
        return no_memory(err);
    writer_text(w, prefixes[form]);
    base64_write(w, body);
    return !w->failed || no_memory(err);
}

// --- Verifying ---

struct to_sign {
    struct tx tx;
    struct tx_out *spent;
    struct final_input *inputs;
};

static bool take_room(struct to_sign *t, size_t n_in, struct arena *arena, struct err *err)
{
    t->spent = arena_array(arena, n_in, sizeof *t->spent);
    t->inputs = arena_array(arena, n_in, sizeof *t->inputs);
    return (t->spent != NULL && t->inputs != NULL) || no_memory(err);
}

static bool read_simple(struct to_sign *t, struct bytes body, struct hash256 to_spend,
                        struct bytes challenge, struct arena *arena, struct err *err)
{
    if (!take_room(t, 1, arena, err))
        return false;
    t->tx.in = arena_array(arena, 1, sizeof *t->tx.in);
    t->tx.out = arena_array(arena, 1, sizeof *t->tx.out);
    if (t->tx.in == NULL || t->tx.out == NULL)
        return no_memory(err);
    t->tx.n_in = t->tx.n_out = 1;
    t->tx.in[0].prevout.txid = to_spend;
    t->tx.out[0].script = BYTES("\x6a");
    t->spent[0].script = challenge;
    t->inputs[0].witness = body;
    return body.len > 1 || malformed(err, "empty");
}

static bool read_full(struct to_sign *t, struct bytes body, struct bytes challenge,
                      struct arena *arena, struct err *err)
{
    if (!tx_parse(&t->tx, body, arena, err))
        return malformed(err, "no transaction");
    if (t->tx.n_in != 1)
        return malformed(err, "a full signature has one input");
    if (!take_room(t, 1, arena, err))
        return false;
    t->spent[0].script = challenge;
    t->inputs[0] = (struct final_input){ t->tx.in[0].script_sig, t->tx.in[0].witness };
    return true;
}

static bool read_proof(struct to_sign *t, struct bytes body, struct arena *arena, struct err *err)
{
    struct psbt *p = arena_alloc(arena, sizeof *p);
    if (p == NULL)
        return no_memory(err);
    if (!psbt_parse(p, body, arena, err))
        return err->code == ERR_NO_MEMORY ? false : malformed(err, "no PSBT");
    t->tx = p->tx;
    if (p->n_in == 0 || p->n_in > PROOF_INPUTS_MAX)
        return err_set(err, ERR_LIMIT, "signature: not 1 to %d inputs", PROOF_INPUTS_MAX);
    if (!take_room(t, p->n_in, arena, err))
        return false;
    const struct tx_out *spent = read_utxos(p, arena, err);
    if (spent == NULL)
        return false;
    for (size_t i = 0; i < p->n_in; i++) {
        t->spent[i] = spent[i];
        t->inputs[i] = (struct final_input){ value_of(&p->in[i], PSBT_IN_FINAL_SCRIPT_SIG),
                                             value_of(&p->in[i], PSBT_IN_FINAL_WITNESS) };
    }
    return true;
}

// "prevout is to_spend's only output", and the rest of what BIP-322 requires of to_sign.
static bool check_shape(const struct to_sign *t, const struct hash256 *to_spend,
                        struct bytes challenge, struct err *err)
{
    const struct tx *tx = &t->tx;
    if (tx->version != 0 && tx->version != 2)
        return err_set(err, ERR_INVALID, "signature: transaction version %d", (int)tx->version);
    if (!bip322_is_to_sign(tx))
        return err_set(err, ERR_INVALID, "signature: it signs a payment, no message");
    if (!bytes_equal(BYTES_OF(tx->in[0].prevout.txid.b), BYTES_OF(to_spend->b)) ||
        tx->in[0].prevout.index != 0 || t->spent[0].value != 0 ||
        !bytes_equal(t->spent[0].script, challenge))
        return err_set(err, ERR_INVALID, "signature: of another message or address");
    return true;
}

static bool check_inputs(const struct to_sign *t, struct arena *arena, struct err *err)
{
    struct sighash_cache digests;
    const struct final_tx final = { &digests, t->spent, t->inputs };
    sighash_cache_init(&digests, &t->tx, arena);
    for (size_t i = 0; i < t->tx.n_in; i++) {
        if (t->spent[i].value < 0)
            return err_set(err, ERR_INVALID, "input %zu: negative amount", i);
        if (!final_scripts_check(&final, i, err))
            return false;
    }
    return true;
}

// No input twice: funds would count twice.
static bool check_distinct(const struct tx *tx, struct err *err)
{
    for (size_t i = 0; i < tx->n_in; i++)
        for (size_t k = 0; k < i; k++)
            if (memcmp(&tx->in[i].prevout, &tx->in[k].prevout, sizeof tx->in[i].prevout) == 0)
                return err_set(err, ERR_INVALID, "inputs %zu and %zu are the same", k, i);
    return true;
}

static bool add_funds(struct bip322_proof *out, const struct to_sign *t, struct err *err)
{
    out->n_funds = t->tx.n_in - 1;
    out->locktime = t->tx.locktime;
    out->sequence = t->tx.in[0].sequence;
    for (size_t i = 1; i < t->tx.n_in; i++)
        if (!sats_add(&out->funds, (struct sats){ (uint64_t)t->spent[i].value }))
            return err_set(err, ERR_INVALID, "input %zu: more than can exist", i);
    return true;
}

static bool challenge_of(struct writer *w, struct bytes address, struct err *err)
{
    for (int id = CHAIN_BTC; id <= CHAIN_XRT; id++)
        if (address_to_script(w, address, chain_by_id((enum chain_id)id), err))
            return true;
    return err_set(err, ERR_MALFORMED, "address: of no chain");
}

// Without a prefix it is simple.
static enum bip322_form form_of(struct bytes *text)
{
    for (int form = BIP322_SIMPLE; form <= BIP322_PROOF; form++)
        if (bytes_equal_text(bytes_slice(*text, 0, 3), prefixes[form])) {
            *text = bytes_slice(*text, 3, text->len);
            return (enum bip322_form)form;
        }
    return BIP322_SIMPLE;
}

static bool read_signature(struct to_sign *t, enum bip322_form form, struct bytes body,
                           const struct hash256 *to_spend, struct bytes challenge,
                           struct arena *arena, struct err *err)
{
    switch (form) {
    case BIP322_SIMPLE:
        return read_simple(t, body, *to_spend, challenge, arena, err);
    case BIP322_FULL:
        return read_full(t, body, challenge, arena, err);
    case BIP322_PROOF:
        break;
    }
    return read_proof(t, body, arena, err);
}

bool bip322_verify(struct bip322_proof *out, struct bytes message, struct bytes address,
                   struct bytes signature, struct arena *arena, struct err *err)
{
    struct writer challenge = writer_growing(arena, SCRIPT_MAX);
    struct writer to_spend = writer_growing(arena, SCRIPT_MAX + TO_SPEND_REST);
    struct writer body = writer_growing(arena, PSBT_SIZE_MAX);
    struct to_sign t = { 0 };
    struct bytes text = signature;
    *out = (struct bip322_proof){ .form = form_of(&text) };
    if (!challenge_of(&challenge, address, err))
        return false;
    if (!base64_read(&body, text))
        return malformed(err, "not base64");
    bip322_write_to_spend(&to_spend, message, writer_bytes(&challenge));
    const struct hash256 txid = sha256d(writer_bytes(&to_spend));
    if (!read_signature(&t, out->form, writer_bytes(&body), &txid, writer_bytes(&challenge), arena,
                        err) ||
        !check_shape(&t, &txid, writer_bytes(&challenge), err))
        return false;
    return check_distinct(&t.tx, err) && check_inputs(&t, arena, err) && add_funds(out, &t, err);
}
