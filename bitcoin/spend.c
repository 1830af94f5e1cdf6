// bitcoin/spend.c
#include "bitcoin/spend.h"
#include "base/require.h"
#include "bitcoin/multisig.h"
#include "bitcoin/taproot.h"

enum { P2PKH_LEN = 25, SCRIPT_HASH_PROGRAM_LEN = 34, OP_1 = 0x51 };

// The script that a digest carries: the output's own, the inner one, or the P2PKH script of the key
// hash in one of the two (BIP-143: "the scriptCode is 0x1976a914{20-byte-pubkey-hash}88ac").
// Taproot's commits to the spent scripts of all inputs instead.
enum carried {
    CARRIES_NONE,
    CARRIES_SCRIPT,
    CARRIES_INNER,
    CARRIES_KEY_HASH,
    CARRIES_INNER_KEY_HASH,
    CARRIES_ALL_SPENT
};

static const struct {
    enum carried carried;
    bool segwit, multisig, taproot;
} kinds[] = {
    [SPEND_UNKNOWN] = { .carried = CARRIES_NONE },
    [SPEND_P2PK] = { .carried = CARRIES_SCRIPT },
    [SPEND_P2PKH] = { .carried = CARRIES_SCRIPT },
    [SPEND_P2WPKH] = { .carried = CARRIES_KEY_HASH, .segwit = true },
    [SPEND_P2SH_P2WPKH] = { .carried = CARRIES_INNER_KEY_HASH, .segwit = true },
    [SPEND_P2SH_MULTISIG] = { .carried = CARRIES_INNER, .multisig = true },
    [SPEND_P2WSH_MULTISIG] = { .carried = CARRIES_INNER, .segwit = true, .multisig = true },
    [SPEND_P2SH_P2WSH_MULTISIG] = { .carried = CARRIES_INNER, .segwit = true, .multisig = true },
    [SPEND_P2TR] = { .carried = CARRIES_ALL_SPENT, .segwit = true, .taproot = true },
};

bool spend_is_segwit(enum spend_kind kind)
{
    return kinds[kind].segwit;
}

bool spend_is_multisig(enum spend_kind kind)
{
    return kinds[kind].multisig;
}

bool spend_is_taproot(enum spend_kind kind)
{
    return kinds[kind].taproot;
}

// --- Kinds ---

bool script_is_p2sh_of(struct bytes script, struct bytes redeem)
{
    const struct hash160 hash = hash160(redeem);
    return bytes_equal(script_payload(script, SCRIPT_P2SH), BYTES_OF(hash.b));
}

static bool is_multisig(struct bytes script)
{
    struct ms_script keys;
    struct err no;
    return script.len > 0 && ms_script_parse(&keys, script, &no);
}

static bool is_p2wsh_of(struct bytes script, struct bytes witness)
{
    const struct hash256 hash = sha256(witness);
    return bytes_equal(script_payload(script, SCRIPT_P2WSH), BYTES_OF(hash.b));
}

// The redeem script of P2SH-P2WSH follows from the witness script; the PSBT need not give it.
static bool is_p2sh_p2wsh_of(struct bytes script, struct bytes witness)
{
    uint8_t mem[SCRIPT_HASH_PROGRAM_LEN];
    struct writer redeem = writer_of(mem, sizeof mem);
    script_write_p2wsh(&redeem, sha256(witness));
    return script_is_p2sh_of(script, writer_bytes(&redeem));
}

static struct spend_way spend_of_p2sh(struct bytes script, const struct spend_scripts *given)
{
    struct spend_way s = { .kind = SPEND_UNKNOWN, .script = script };
    if (is_multisig(given->witness) && is_p2sh_p2wsh_of(script, given->witness)) {
        s.kind = SPEND_P2SH_P2WSH_MULTISIG;
        s.inner = given->witness;
    } else if (given->redeem.len > 0 && script_is_p2sh_of(script, given->redeem)) {
        if (script_classify(given->redeem) == SCRIPT_P2WPKH)
            s.kind = SPEND_P2SH_P2WPKH;
        else if (is_multisig(given->redeem))
            s.kind = SPEND_P2SH_MULTISIG;
        if (s.kind != SPEND_UNKNOWN)
            s.inner = given->redeem;
    }
    return s;
}

static struct spend_way spend_of_p2wsh(struct bytes script, const struct spend_scripts *given)
{
    if (is_multisig(given->witness) && is_p2wsh_of(script, given->witness))
        return (struct spend_way){ SPEND_P2WSH_MULTISIG, script, given->witness };
    return (struct spend_way){ .kind = SPEND_UNKNOWN, .script = script };
}

struct spend_way spend_of(struct bytes script, const struct spend_scripts *given)
{
    struct spend_way s = { .kind = SPEND_UNKNOWN, .script = script };
    switch (script_classify(script)) {
    case SCRIPT_P2PK:
        s.kind = SPEND_P2PK;
        break;
    case SCRIPT_P2PKH:
        s.kind = SPEND_P2PKH;
        break;
    case SCRIPT_P2WPKH:
        s.kind = SPEND_P2WPKH;
        break;
    case SCRIPT_P2SH:
        return spend_of_p2sh(script, given);
    case SCRIPT_P2WSH:
        return spend_of_p2wsh(script, given);
    case SCRIPT_P2TR:
        // BIP-341: "a Taproot output is a native SegWit output with version number 1"
        if (script.ptr[0] == OP_1)
            s.kind = SPEND_P2TR;
        break;
    case SCRIPT_OP_RETURN:
    case SCRIPT_UNKNOWN:
        break;
    }
    return s;
}

// --- Keys ---

static struct bytes key_hash_of(const struct spend_way *s)
{
    if (kinds[s->kind].carried == CARRIES_INNER_KEY_HASH)
        return script_payload(s->inner, SCRIPT_P2WPKH);
    return script_payload(s->script, s->kind == SPEND_P2PKH ? SCRIPT_P2PKH : SCRIPT_P2WPKH);
}

static bool is_output_key_of(struct bytes script, struct bytes internal)
{
    uint8_t output_key[XONLY_LEN];
    return internal.len == XONLY_LEN && taproot_output_key(output_key, internal.ptr) &&
           bytes_equal(script_payload(script, SCRIPT_P2TR), BYTES_OF(output_key));
}

bool spend_is_of_key(const struct spend_way *s, struct bytes key)
{
    if (s->kind == SPEND_UNKNOWN || kinds[s->kind].multisig)
        return false;
    if (kinds[s->kind].taproot)
        return is_output_key_of(s->script, key);
    if (s->kind == SPEND_P2PK)
        return bytes_equal(key, script_payload(s->script, SCRIPT_P2PK));
    // BIP-143: "Only compressed public keys are accepted in P2WPKH and P2WSH"
    if (kinds[s->kind].segwit && key.len != sizeof(struct pubkey))
        return false;
    const struct hash160 hash = hash160(key);
    return bytes_equal(key_hash_of(s), BYTES_OF(hash.b));
}

bool spend_has_key(const struct spend_way *s, struct bytes key)
{
    struct ms_script script;
    struct err no;
    if (!kinds[s->kind].multisig)
        return spend_is_of_key(s, key);
    REQUIRE(ms_script_parse(&script, s->inner, &no)); // spend_of has seen that it can be
    for (size_t i = 0; i < script.n; i++)
        if (bytes_equal(script.key[i], key))
            return true;
    return false;
}

// --- Digests ---

static bool digest_of_script(struct hash256 *out, const struct spend_way *s,
                             const struct spend_at *at, struct bytes code, uint32_t type,
                             struct err *err)
{
    if (!kinds[s->kind].segwit)
        return sighash_legacy(out, at->cache, at->input, code, type, err);
    *out = sighash_segwit0(at->cache, at->input, code, at->amount, type);
    return true;
}

static void digest_of_key_hash(struct hash256 *out, const struct spend_way *s,
                               const struct spend_at *at, uint32_t type)
{
    uint8_t mem[P2PKH_LEN];
    struct writer code = writer_of(mem, sizeof mem);
    struct hash160 hash;
    REQUIRE(key_hash_of(s).len == sizeof hash.b);
    memcpy(hash.b, key_hash_of(s).ptr, sizeof hash.b);
    script_write_p2pkh(&code, hash);
    *out = sighash_segwit0(at->cache, at->input, writer_bytes(&code), at->amount, type);
}

bool spend_digest(struct hash256 *out, const struct spend_way *s, const struct spend_at *at,
                  uint32_t type, struct err *err)
{
    switch (kinds[s->kind].carried) {
    case CARRIES_NONE:
        break;
    case CARRIES_SCRIPT:
        return digest_of_script(out, s, at, s->script, type, err);
    case CARRIES_INNER:
        return digest_of_script(out, s, at, s->inner, type, err);
    case CARRIES_KEY_HASH:
    case CARRIES_INNER_KEY_HASH:
        digest_of_key_hash(out, s, at, type);
        return true;
    case CARRIES_ALL_SPENT:
        if (at->spent == NULL)
            return err_set(err, ERR_INVALID, "an input's spent output is not known");
        return sighash_taproot(out, at->cache, at->input, at->spent, type, err);
    }
    return err_set(err, ERR_UNSUPPORTED, "no digest for this kind of script");
}

bool spend_prepare(const struct spend_way *s, const struct spend_at *at, uint32_t type,
                   struct err *err)
{
    if (s->kind == SPEND_UNKNOWN)
        return true;
    if (!kinds[s->kind].segwit)
        return sighash_prepare_legacy(at->cache, type, err);
    sighash_prepare_segwit0(at->cache);
    if (kinds[s->kind].taproot && at->spent != NULL)
        sighash_prepare_taproot(at->cache, at->spent);
    return true;
}
