#include "bunker/trial.h"
#include "bitcoin/psbt.h"
#include "bitcoin/sats.h"
#include "bitcoin/tx.h"

#define SEQUENCE 0xfffffffdu
#define BRANCHES 2 // m/0: coins, m/1: what comes back

// --- What is asked ---

static bool read_number(uint64_t *out, const struct json *object, const char *key, uint64_t absent,
                        struct err *err)
{
    const struct json *v = json_get(object, key);
    int64_t n;
    *out = absent;
    if (v == NULL)
        return true;
    if (v->type != JSON_NUMBER || !json_integer(v, &n, NULL) || n < 0 || (uint64_t)n > SATS_MAX)
        return err_set(err, ERR_MALFORMED, "%s: is no whole number that can be", key);
    *out = (uint64_t)n;
    return true;
}

static bool read_format(enum addr_format *out, const struct json *v, struct err *err)
{
    static const struct {
        const char *word;
        enum addr_format format;
    } formats[] = { { "segwit", ADDR_P2WPKH },
                    { "wrapped", ADDR_P2SH_P2WPKH },
                    { "classic", ADDR_P2PKH } };
    *out = ADDR_P2WPKH;
    for (size_t i = 0; v != NULL && i < COUNT(formats); i++)
        if (json_is_text(v, formats[i].word)) {
            *out = formats[i].format;
            return true;
        }
    return v == NULL || err_set(err, ERR_MALFORMED, "format: segwit, wrapped or classic");
}

// Of a hash that nobody has found a key for.
static void write_nobody(struct writer *w, size_t i)
{
    uint8_t mem[32];
    struct writer text = writer_of(mem, sizeof mem);
    writer_printf(&text, "nobody %zu", i);
    script_write_p2wpkh(w, hash160(writer_bytes(&text)));
}

static bool read_pay(struct trial *out, const struct json *v, const struct chain *chain,
                     struct arena *arena, struct err *err)
{
    struct trial_pay *pay = &out->pays[out->n_pays];
    const struct json *address = json_get(v, "address");
    struct writer w = writer_growing(arena, SCRIPT_MAX);
    if (address == NULL || address->type != JSON_STRING)
        return err_set(err, ERR_MALFORMED, "address: is missing");
    if (address->text.len == 0)
        write_nobody(&w, out->n_pays);
    else if (!address_to_script(&w, address->text, chain, err))
        return false;
    if (!read_number(&pay->sats, v, "sats", 0, err))
        return false;
    out->n_pays++;
    return writer_finish(&w, &pay->script) || err_set(err, ERR_NO_MEMORY, "no memory");
}

static bool read_pays(struct trial *out, const struct json *list, const struct chain *chain,
                      struct arena *arena, struct err *err)
{
    if (list == NULL)
        return true;
    if (list->type != JSON_ARRAY)
        return err_set(err, ERR_MALFORMED, "pays: is no list");
    if (list->n_items > TRIAL_PAYS_MAX)
        return err_set(err, ERR_LIMIT, "more than %d payments", TRIAL_PAYS_MAX);
    for (const struct json *v = list->items; v != NULL; v = v->next)
        if (!read_pay(out, v, chain, arena, err))
            return err_within(err, "payment %zu", out->n_pays + 1);
    return true;
}

// What the made-up coins hold together.
static bool total_of(struct sats *out, const struct trial *t)
{
    *out = (struct sats){ t->fee_sats };
    bool ok = sats_add(out, (struct sats){ t->change_sats });
    for (size_t i = 0; i < t->n_pays; i++)
        ok = ok && sats_add(out, (struct sats){ t->pays[i].sats });
    return ok && out->n <= SATS_MAX;
}

bool trial_read(struct trial *out, const struct json *asked, const struct chain *chain,
                struct arena *arena, struct err *err)
{
    uint64_t n_inputs;
    struct sats total;
    *out = (struct trial){ 0 };
    if (chain->id == CHAIN_BTC)
        return err_set(err, ERR_INVALID, "Trial transactions are for test chains only.");
    if (asked->type != JSON_OBJECT)
        return err_set(err, ERR_MALFORMED, "That is no trial transaction.");
    if (!read_pays(out, json_get(asked, "pays"), chain, arena, err) ||
        !read_number(&out->change_sats, asked, "change", 0, err) ||
        !read_number(&out->fee_sats, asked, "fee", 0, err) ||
        !read_number(&n_inputs, asked, "inputs", 1, err) ||
        !read_format(&out->format, json_get(asked, "format"), err))
        return false;
    if (n_inputs < 1 || n_inputs > TRIAL_INPUTS_MAX)
        return err_set(err, ERR_LIMIT, "inputs: 1 to %d", TRIAL_INPUTS_MAX);
    if (out->n_pays == 0 && out->change_sats == 0)
        return err_set(err, ERR_INVALID, "It pays nothing to anybody.");
    if (!total_of(&total, out) || total.n < n_inputs)
        return err_set(err, ERR_INVALID,
                       "The amounts together are more than can exist, or too few.");
    out->n_inputs = (size_t)n_inputs;
    return true;
}

// --- The transaction ---

struct coin {
    struct pubkey key;
    struct bytes script, previous;
    uint64_t sats;
};

struct making {
    const struct trial *trial;
    struct hdpub branch[BRANCHES];
    struct xfp xfp;
    struct coin *coins;
    struct coin change;
    struct tx tx;
};

static bool own_script(struct coin *out, const struct making *m, unsigned branch, uint32_t index,
                       struct arena *arena, struct err *err)
{
    struct hdpub child;
    struct writer w = writer_growing(arena, 64);
    if (!hdpub_child(&child, &m->branch[branch], index, err))
        return false;
    out->key = child.key;
    return address_script_of_key(&w, &out->key, m->trial->format, err) &&
           (writer_finish(&w, &out->script) || err_set(err, ERR_NO_MEMORY, "no memory"));
}

// A transaction from nowhere whose output 0 is the coin.
static bool write_previous(struct coin *coin, const struct making *m, size_t i, struct arena *arena)
{
    struct tx_in in = { .prevout.index = (uint32_t)i, .sequence = SEQUENCE };
    struct tx_out out = { (int64_t)coin->sats, coin->script };
    const struct tx tx = { .version = 2, .n_in = 1, .n_out = 1, .in = &in, .out = &out };
    struct writer id = writer_of(in.prevout.txid.b, sizeof in.prevout.txid.b);
    struct writer w = writer_growing(arena, 512);
    writer_text(&id, "casemate trial, no such coin");
    writer_u32le(&id, m->trial->salt);
    tx_write(&w, &tx);
    return writer_finish(&w, &coin->previous);
}

// The coins are alike, but that the first has what does not divide.
static bool make_coins(struct making *m, struct arena *arena, struct err *err)
{
    const struct trial *t = m->trial;
    struct sats total;
    if (!total_of(&total, t))
        return err_set(err, ERR_INVALID, "The amounts together are more than can exist.");
    m->coins = arena_array(arena, t->n_inputs, sizeof *m->coins);
    for (size_t i = 0; m->coins != NULL && i < t->n_inputs; i++) {
        m->coins[i].sats = total.n / t->n_inputs + (i == 0 ? total.n % t->n_inputs : 0);
        if (!own_script(&m->coins[i], m, 0, (uint32_t)i, arena, err))
            return false;
        if (!write_previous(&m->coins[i], m, i, arena))
            return err_set(err, ERR_NO_MEMORY, "no memory");
    }
    return m->coins != NULL || err_set(err, ERR_NO_MEMORY, "no memory");
}

static bool make_tx(struct making *m, struct arena *arena, struct err *err)
{
    const struct trial *t = m->trial;
    const bool has_change = t->change_sats > 0;
    m->tx = (struct tx){ .version = 2, .n_in = t->n_inputs, .n_out = t->n_pays + has_change };
    m->tx.in = arena_array(arena, m->tx.n_in, sizeof m->tx.in[0]);
    m->tx.out = arena_array(arena, m->tx.n_out, sizeof m->tx.out[0]);
    if (m->tx.in == NULL || m->tx.out == NULL)
        return err_set(err, ERR_NO_MEMORY, "no memory");
    for (size_t i = 0; i < t->n_inputs; i++)
        m->tx.in[i] =
            (struct tx_in){ .prevout.txid = sha256d(m->coins[i].previous), .sequence = SEQUENCE };
    for (size_t i = 0; i < t->n_pays; i++)
        m->tx.out[i] = (struct tx_out){ (int64_t)t->pays[i].sats, t->pays[i].script };
    if (has_change)
        m->tx.out[t->n_pays] = (struct tx_out){ (int64_t)t->change_sats, m->change.script };
    return true;
}

// --- The PSBT ---

static void put_field(struct writer *w, uint8_t type, struct bytes key_data, struct bytes value)
{
    writer_compact_size(w, 1 + key_data.len);
    writer_u8(w, type);
    writer_put(w, key_data);
    writer_counted(w, value);
}

static void put_own(struct writer *w, const struct making *m, const struct coin *coin,
                    uint8_t redeem, uint8_t path, const uint32_t steps[2])
{
    uint8_t mem[32];
    struct writer script = writer_of(mem, sizeof mem);
    if (m->trial->format == ADDR_P2SH_P2WPKH) {
        script_write_p2wpkh(&script, hash160(BYTES_OF(coin->key.b)));
        put_field(w, redeem, (struct bytes){ 0 }, writer_bytes(&script));
    }
    struct writer origin = writer_of(mem, sizeof mem);
    writer_put(&origin, BYTES_OF(m->xfp.b));
    writer_u32le(&origin, steps[0]);
    writer_u32le(&origin, steps[1]);
    put_field(w, path, BYTES_OF(coin->key.b), writer_bytes(&origin));
}

static void put_input(struct writer *w, const struct making *m, size_t i)
{
    const struct coin *coin = &m->coins[i];
    uint8_t mem[64];
    struct writer utxo = writer_of(mem, sizeof mem);
    const struct tx_out spent = { (int64_t)coin->sats, coin->script };
    put_field(w, PSBT_IN_NON_WITNESS_UTXO, (struct bytes){ 0 }, coin->previous);
    if (m->trial->format != ADDR_P2PKH) {
        tx_write_output(&utxo, &spent);
        put_field(w, PSBT_IN_WITNESS_UTXO, (struct bytes){ 0 }, writer_bytes(&utxo));
    }
    put_own(w, m, coin, PSBT_IN_REDEEM_SCRIPT, PSBT_IN_KEY_PATH, (uint32_t[]){ 0, (uint32_t)i });
    writer_u8(w, 0);
}

static bool put_psbt(struct writer *w, const struct making *m, struct arena *arena, struct err *err)
{
    struct writer tx = writer_growing(arena, TX_SIZE_MAX);
    struct bytes done;
    tx_write(&tx, &m->tx);
    writer_put(w, BYTES(PSBT_MAGIC));
    put_field(w, PSBT_GLOBAL_UNSIGNED_TX, (struct bytes){ 0 }, writer_bytes(&tx));
    writer_u8(w, 0);
    for (size_t i = 0; i < m->tx.n_in; i++)
        put_input(w, m, i);
    for (size_t i = 0; i < m->tx.n_out; i++) {
        if (i == m->trial->n_pays)
            put_own(w, m, &m->change, PSBT_OUT_REDEEM_SCRIPT, PSBT_OUT_KEY_PATH,
                    (uint32_t[]){ 1, 0 });
        writer_u8(w, 0);
    }
    return (!tx.failed && writer_finish(w, &done)) || err_set(err, ERR_NO_MEMORY, "no memory");
}

bool trial_write(struct writer *w, const struct trial *trial, const struct hdpub *master,
                 struct arena *arena, struct err *err)
{
    struct making m = { .trial = trial, .xfp = hdpub_xfp(master) };
    for (uint32_t i = 0; i < BRANCHES; i++)
        if (!hdpub_child(&m.branch[i], master, i, err))
            return false;
    return make_coins(&m, arena, err) && own_script(&m.change, &m, 1, 0, arena, err) &&
           make_tx(&m, arena, err) && put_psbt(w, &m, arena, err);
}
