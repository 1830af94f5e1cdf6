// bitcoin/spend.c
#include "bitcoin/spend.h"
#include "base/require.h"

enum { P2PKH_LEN = 25 };

// The script that a digest carries: the output's own, the inner one, or the P2PKH script of the key
// hash in one of the two (BIP-143: "the scriptCode is 0x1976a914{20-byte-pubkey-hash}88ac").
enum carried { CARRIES_NONE, CARRIES_SCRIPT, CARRIES_KEY_HASH, CARRIES_INNER_KEY_HASH };

static const struct {
    enum carried carried;
    bool segwit, multisig, taproot;
} kinds[] = {
    [SPEND_UNKNOWN] = { .carried = CARRIES_NONE },
    [SPEND_P2PK] = { .carried = CARRIES_SCRIPT },
    [SPEND_P2PKH] = { .carried = CARRIES_SCRIPT },
    [SPEND_P2WPKH] = { .carried = CARRIES_KEY_HASH, .segwit = true },
    [SPEND_P2SH_P2WPKH] = { .carried = CARRIES_INNER_KEY_HASH, .segwit = true },
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

bool script_is_p2sh_of(struct bytes script, struct bytes redeem)
{
    const struct hash160 hash = hash160(redeem);
    return bytes_equal(script_payload(script, SCRIPT_P2SH), BYTES_OF(hash.b));
}

static enum spend_kind kind_of(struct bytes script, struct bytes redeem)
{
    switch (script_classify(script)) {
    case SCRIPT_P2PK:
        return SPEND_P2PK;
    case SCRIPT_P2PKH:
        return SPEND_P2PKH;
    case SCRIPT_P2WPKH:
        return SPEND_P2WPKH;
    case SCRIPT_P2SH:
        if (script_classify(redeem) == SCRIPT_P2WPKH && script_is_p2sh_of(script, redeem))
            return SPEND_P2SH_P2WPKH;
        return SPEND_UNKNOWN;
    case SCRIPT_P2WSH:
    case SCRIPT_P2TR:
    case SCRIPT_OP_RETURN:
    case SCRIPT_UNKNOWN:
        break;
    }
    return SPEND_UNKNOWN;
}

struct spend spend_of(struct bytes script, struct bytes redeem)
{
    struct spend s = { .kind = kind_of(script, redeem), .script = script };
    if (s.kind == SPEND_P2SH_P2WPKH)
        s.inner = redeem;
    return s;
}

static struct bytes key_hash_of(const struct spend *s)
{
    if (kinds[s->kind].carried == CARRIES_INNER_KEY_HASH)
        return script_payload(s->inner, SCRIPT_P2WPKH);
    return script_payload(s->script, s->kind == SPEND_P2PKH ? SCRIPT_P2PKH : SCRIPT_P2WPKH);
}

bool spend_is_of_key(const struct spend *s, struct bytes key)
{
    if (s->kind == SPEND_UNKNOWN || kinds[s->kind].multisig)
        return false;
    if (s->kind == SPEND_P2PK)
        return bytes_equal(key, script_payload(s->script, SCRIPT_P2PK));
    // BIP-143: "Only compressed public keys are accepted in P2WPKH and P2WSH"
    if (kinds[s->kind].segwit && key.len != sizeof(struct pubkey))
        return false;
    const struct hash160 hash = hash160(key);
    return bytes_equal(key_hash_of(s), BYTES_OF(hash.b));
}

bool spend_digest(struct hash256 *out, const struct spend *s, struct sighash_cache *cache,
                  size_t input, struct sats amount, uint32_t type, struct err *err)
{
    uint8_t mem[P2PKH_LEN];
    struct writer code = writer_of(mem, sizeof mem);
    struct hash160 hash;
    switch (kinds[s->kind].carried) {
    case CARRIES_NONE:
        break;
    case CARRIES_SCRIPT:
        return sighash_legacy(out, cache, input, s->script, type, err);
    case CARRIES_KEY_HASH:
    case CARRIES_INNER_KEY_HASH:
        REQUIRE(key_hash_of(s).len == sizeof hash.b);
        memcpy(hash.b, key_hash_of(s).ptr, sizeof hash.b);
        script_write_p2pkh(&code, hash);
        *out = sighash_segwit0(cache, input, writer_bytes(&code), amount, type);
        return true;
    }
    return err_set(err, ERR_UNSUPPORTED, "no digest for this kind of script");
}
