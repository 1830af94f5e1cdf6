#include "bitcoin/final_scripts.h"
#include "base/reader.h"
#include "bitcoin/multisig.h"
#include "bitcoin/spend.h"

enum {
    STACK_MAX = MS_KEYS_MAX + 2, // an empty element, signatures, the script
    OP_PUSHDATA1 = 0x4c,
    OP_PUSHDATA2 = 0x4d
};

struct stack {
    struct bytes item[STACK_MAX];
    size_t n;
};

// --- Reading ---

static bool put(struct stack *s, struct bytes item)
{
    if (s->n == STACK_MAX)
        return false;
    s->item[s->n++] = item;
    return true;
}

static bool read_push(struct reader *r, struct bytes *out)
{
    uint8_t op, len8;
    uint16_t len16;
    if (!reader_u8(r, &op))
        return false;
    if (op < OP_PUSHDATA1)
        return reader_take(r, op, out);
    if (op == OP_PUSHDATA1)
        return reader_u8(r, &len8) && reader_take(r, len8, out);
    return op == OP_PUSHDATA2 && reader_u16le(r, &len16) && reader_take(r, len16, out);
}

static bool read_script_sig(struct stack *out, struct bytes script)
{
    struct reader r = reader_of(script);
    struct bytes item;
    out->n = 0;
    while (!reader_done(&r))
        if (!read_push(&r, &item) || !put(out, item))
            return false;
    return true;
}

static bool read_witness(struct stack *out, struct bytes witness)
{
    struct reader r = reader_of(witness);
    struct bytes item;
    uint64_t n;
    out->n = 0;
    if (reader_done(&r))
        return true;
    if (!reader_compact_size(&r, &n))
        return false;
    for (uint64_t i = 0; i < n; i++)
        if (!reader_counted(&r, &item) || !put(out, item))
            return false;
    return reader_done(&r);
}

// --- One input ---

struct check {
    const struct final_tx *tx;
    size_t i;
    struct spend_way spend;
    struct stack pushes, witness;
};

static bool wrong(const struct check *c, const char *what, struct err *err)
{
    return err_set(err, ERR_INVALID, "input %zu: %s", c->i, what);
}

static bool digest(struct hash256 *out, const struct check *c, uint32_t type, struct err *err)
{
    const uint64_t amount = (uint64_t)c->tx->spent[c->i].value;
    const struct spend_at at = { c->tx->digests, c->i, { amount }, c->tx->spent };
    return spend_digest(out, &c->spend, &at, type, err) || err_within(err, "input %zu", c->i);
}

// Whether it is this key's; an error only where nothing can be said.
static bool verifies(bool *out, const struct check *c, struct bytes value, struct bytes key,
                     struct err *err)
{
    struct hash256 hash;
    struct signature sig;
    struct pubkey pubkey;
    struct err no;
    *out = false;
    if (value.len == 0 || value.ptr[value.len - 1] != SIGHASH_ALL ||
        !ecdsa_from_der(&sig, bytes_slice(value, 0, value.len - 1)) ||
        !pubkey_parse(&pubkey, key, &no))
        return true;
    if (!digest(&hash, c, SIGHASH_ALL, err))
        return false;
    *out = ecdsa_verify(&sig, &pubkey, &hash);
    return true;
}

static bool check_key(const struct check *c, struct bytes sig, struct bytes key, struct err *err)
{
    bool good;
    if (!spend_is_of_key(&c->spend, key))
        return wrong(c, "another key", err);
    return verifies(&good, c, sig, key, err) && (good || wrong(c, "bad signature", err));
}

static bool check_key_and_sig(const struct check *c, const struct stack *s, struct err *err)
{
    return s->n == 2 ? check_key(c, s->item[0], s->item[1], err)
                     : wrong(c, "not a signature and a key", err);
}

static bool check_taproot(const struct check *c, struct err *err)
{
    const struct bytes value = c->witness.n == 1 ? c->witness.item[0] : (struct bytes){ 0 };
    const bool has_type = value.len == SCHNORR_LEN + 1;
    const uint32_t type = has_type ? value.ptr[SCHNORR_LEN] : SIGHASH_DEFAULT;
    struct hash256 hash;
    if (value.len != SCHNORR_LEN && !(has_type && type == SIGHASH_ALL))
        return wrong(c, "not one signature of everything", err);
    if (!digest(&hash, c, type, err))
        return false;
    return schnorr_verify(value.ptr, script_payload(c->spend.script, SCRIPT_P2TR).ptr,
                          BYTES_OF(hash.b)) ||
           wrong(c, "bad signature", err);
}

// As CHECKMULTISIG does: signatures stand in the order of their keys.
static bool check_multisig(const struct check *c, const struct stack *s, struct err *err)
{
    struct ms_script script;
    size_t key = 0;
    if (!ms_script_parse(&script, c->spend.inner, err) || s->n != script.m + 2 ||
        s->item[0].len != 0)
        return wrong(c, "not M signatures and the script", err);
    for (size_t i = 1; i <= script.m; i++) {
        bool good = false;
        while (!good && key < script.n)
            if (!verifies(&good, c, s->item[i], script.key[key++], err))
                return false;
        if (!good)
            return wrong(c, "bad signature", err);
    }
    return true;
}

// --- Which form ---

static struct bytes last(const struct stack *s)
{
    return s->n > 0 ? s->item[s->n - 1] : (struct bytes){ 0 };
}

// A P2SH of a witness program has that one push in scriptSig; other segwit kinds have none.
static bool is_segwit_form(const struct check *c)
{
    const bool nested = script_classify(c->spend.script) == SCRIPT_P2SH;
    return c->pushes.n == (nested ? 1u : 0u);
}

static bool check_form(const struct check *c, struct err *err)
{
    const struct stack *s = spend_is_segwit(c->spend.kind) ? &c->witness : &c->pushes;
    if (spend_is_segwit(c->spend.kind) ? !is_segwit_form(c) : c->witness.n > 0)
        return wrong(c, "scriptSig or witness out of place", err);
    if (spend_is_taproot(c->spend.kind))
        return check_taproot(c, err);
    if (spend_is_multisig(c->spend.kind))
        return check_multisig(c, s, err);
    if (c->spend.kind != SPEND_P2PK)
        return check_key_and_sig(c, s, err);
    return s->n == 1 ? check_key(c, s->item[0], script_payload(c->spend.script, SCRIPT_P2PK), err)
                     : wrong(c, "not one signature", err);
}

bool final_scripts_check(const struct final_tx *tx, size_t i, struct err *err)
{
    struct check c = { .tx = tx, .i = i };
    const struct final_input *in = &tx->inputs[i];
    if (!read_script_sig(&c.pushes, in->script_sig) || !read_witness(&c.witness, in->witness))
        return wrong(&c, "malformed scriptSig or witness", err);
    const struct bytes redeem = last(&c.pushes);
    const bool in_witness = script_classify(tx->spent[i].script) == SCRIPT_P2WSH ||
                            script_classify(redeem) == SCRIPT_P2WSH;
    const struct spend_scripts scripts = { redeem,
                                           in_witness ? last(&c.witness) : (struct bytes){ 0 } };
    c.spend = spend_of(tx->spent[i].script, &scripts);
    if (c.spend.kind == SPEND_UNKNOWN)
        return err_set(err, ERR_UNSUPPORTED,
                       "input %zu: a script of a kind that is not verified here", i);
    return check_form(&c, err);
}
