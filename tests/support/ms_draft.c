// tests/support/ms_draft.c
#include "tests/support/ms_draft.h"

static const struct bytes none = { 0 };

const char *const ms_draft_heads[MS_HEADS] = {
    "Name: native\nPolicy: 2 of 3\nFormat: P2WSH\n",
    "Name: legacy\nPolicy: 2 of 3\nFormat: P2SH\n",
    "Name: nested\nPolicy: 2 of 3\nFormat: P2SH-P2WSH\n",
};

static struct writer text_writer(void)
{
    return writer_growing(test_arena(), 1 << 16);
}

// --- Wallets ---

const struct ms_wallet *ms_draft_wallet(struct rig *rig, const char *head, size_t n)
{
    return rig_register(rig, ms_rig_text(head, n));
}

const struct ms_wallet *ms_draft_unsorted(struct rig *rig, size_t m, size_t n)
{
    return rig_register(rig, ms_rig_descriptor("multi", m, n, "/0/*"));
}

// --- Scripts ---

struct bytes ms_inner_script(const struct ms_place *at)
{
    struct writer w = text_writer();
    struct err err;
    assert_true(ms_wallet_script(&w, at->wallet, at->branch, at->index, &err));
    return writer_bytes(&w);
}

struct bytes ms_output_script_of(const struct ms_place *at)
{
    struct writer w = text_writer();
    struct err err;
    assert_true(address_script_of_script(&w, ms_inner_script(at), at->wallet->format, &err));
    return writer_bytes(&w);
}

struct bytes ms_redeem_of_witness(struct bytes witness)
{
    struct writer w = text_writer();
    script_write_p2wsh(&w, sha256(witness));
    return writer_bytes(&w);
}

// --- Maps ---

void draft_put_ms_path(struct psbt_map *map, uint8_t type, size_t who, const char *suffix)
{
    char path[KEYPATH_TEXT_MAX];
    struct writer value = text_writer();
    assert_in_range(snprintf(path, sizeof path, "%s%s", MS_RIG_PATH, suffix), 1, sizeof path - 1);
    const struct keypath steps = test_path(path);
    const struct hdkey key = ms_rig_node(who, path);
    const struct xfp xfp = ms_rig_xfp(who);
    writer_put(&value, BYTES_OF(xfp.b));
    for (size_t i = 0; i < steps.depth; i++)
        writer_u32le(&value, steps.step[i]);
    draft_put(map, type, BYTES_OF(key.pub.key.b), writer_bytes(&value));
}

void draft_put_ms_paths(struct psbt_map *map, uint8_t type, const struct ms_place *at)
{
    char suffix[32];
    (void)snprintf(suffix, sizeof suffix, "/%d/%u", (int)at->branch, (unsigned)at->index);
    for (size_t who = 0; who < at->wallet->n; who++)
        draft_put_ms_path(map, type, who, suffix);
}

static void put_scripts(struct psbt_map *map, const struct ms_place *at, uint8_t redeem,
                        uint8_t witness)
{
    const struct bytes inner = ms_inner_script(at);
    if (at->wallet->format == ADDR_P2SH_P2WSH)
        draft_put(map, redeem, none, ms_redeem_of_witness(inner));
    draft_put(map, at->wallet->format == ADDR_P2SH ? redeem : witness, none, inner);
}

struct psbt_map *draft_in_ms(struct draft *d, const struct ms_place *at, uint64_t sats)
{
    const bool legacy = at->wallet->format == ADDR_P2SH;
    struct psbt_map *map = draft_in_script(d, ms_output_script_of(at), sats,
                                           legacy ? DRAFT_UTXO_PREV : DRAFT_UTXO_WITNESS);
    put_scripts(map, at, PSBT_IN_REDEEM_SCRIPT, PSBT_IN_WITNESS_SCRIPT);
    draft_put_ms_paths(map, PSBT_IN_KEY_PATH, at);
    return map;
}

struct psbt_map *draft_change_ms(struct draft *d, const struct ms_place *at, uint64_t sats)
{
    struct psbt_map *map = draft_pay(d, ms_output_script_of(at), sats);
    put_scripts(map, at, PSBT_OUT_REDEEM_SCRIPT, PSBT_OUT_WITNESS_SCRIPT);
    draft_put_ms_paths(map, PSBT_OUT_KEY_PATH, at);
    return map;
}

// --- Signatures ---

struct psbt_new_sig ms_draft_signature(const struct draft *d, size_t input,
                                       const struct ms_place *at, uint64_t sats, size_t who,
                                       uint32_t type)
{
    char path[KEYPATH_TEXT_MAX];
    uint8_t der[ECDSA_DER_MAX + 1];
    struct sighash_cache digests;
    struct hash256 digest;
    struct signature sig;
    struct err err;
    struct psbt_new_sig out = { .input = (uint32_t)input, .sighash = type };
    struct bytes inner = ms_inner_script(at);
    const struct spend_scripts scripts = { at->wallet->format == ADDR_P2SH ? inner : none,
                                           at->wallet->format == ADDR_P2SH ? none : inner };
    const struct spend_way spend = spend_of(ms_output_script_of(at), &scripts);
    const struct spend_at where = { &digests, input, { sats }, NULL };
    (void)snprintf(path, sizeof path, "%s/%d/%u", MS_RIG_PATH, (int)at->branch,
                   (unsigned)at->index);
    const struct hdkey key = ms_rig_node(who, path);
    sighash_cache_init(&digests, &d->tx, test_arena());
    assert_true(spend_digest(&digest, &spend, &where, type, &err));
    assert_true(ecdsa_sign(&sig, &key.key, &key.pub.key, &digest, true, &err));
    const size_t len = ecdsa_to_der(der, &sig);
    der[len] = (uint8_t)type;
    assert_true(arena_copy(test_arena(), bytes_of(der, len + 1), &out.value) &&
                arena_copy(test_arena(), BYTES_OF(key.pub.key.b), &out.key));
    return out;
}

void draft_sign_ms(struct draft *d, size_t input, const struct ms_place *at, uint64_t sats,
                   size_t who)
{
    const struct psbt_new_sig sig = ms_draft_signature(d, input, at, sats, who, SIGHASH_ALL);
    draft_put(&d->in[input], PSBT_IN_PARTIAL_SIG, sig.key, sig.value);
}
