// bitcoin/psbt_fields.c
#include "bitcoin/psbt_fields.h"
#include "base/reader.h"
#include "bitcoin/psbt_err.h"
#include "bitcoin/psbt_path.h"
#include "bitcoin/tx_scan.h"

#define LOCKTIME_THRESHOLD 500000000u // below: a height; from here on: a time

enum { XPUB_LEN = 78, XPUB_DEPTH_AT = 4, HASH_LEN = 32, CONTROL_BLOCK_MAX = 33 + 32 * 128 };
#define ANY_LEN SIZE_MAX

// --- What the key holds behind its type byte ---

static bool key_none(struct bytes data)
{
    return data.len == 0;
}

static bool key_32(struct bytes data)
{
    return data.len == 32;
}

static bool key_64(struct bytes data)
{
    return data.len == 64;
}

static bool key_xpub(struct bytes data)
{
    return data.len == XPUB_LEN;
}

static bool key_pubkey(struct bytes data)
{
    return (data.len == 33 && (data.ptr[0] == 0x02 || data.ptr[0] == 0x03)) ||
           (data.len == 65 && data.ptr[0] == 0x04);
}

// BIP-341: 33 + 32m bytes, m from 0 to 128
static bool key_control_block(struct bytes data)
{
    return data.len >= 33 && data.len <= CONTROL_BLOCK_MAX && (data.len - 33) % 32 == 0;
}

// Key paths: psbt_path_check judges key and value together, with its own texts.
static bool key_any(struct bytes data)
{
    (void)data;
    return true;
}

// --- What the value holds ---

static bool value_xpub_path(const struct psbt_field *f, struct err *err)
{
    const size_t depth = psbt_key_data(f).ptr[XPUB_DEPTH_AT];
    return f->value.len == 4 * (depth + 1) ||
           psbt_unreadable(err, "xpub of depth %zu with a path of %zu bytes", depth, f->value.len);
}

static bool value_count(const struct psbt_field *f, struct err *err)
{
    struct reader r = reader_of(f->value);
    uint64_t n;
    return (reader_compact_size(&r, &n) && reader_done(&r)) || psbt_unreadable(err, "bad count");
}

static bool value_version(const struct psbt_field *f, struct err *err)
{
    const uint32_t version = psbt_u32(f);
    return version == 0 || version == 2 || psbt_unreadable(err, "PSBT version %u", version);
}

static bool value_txout(const struct psbt_field *f, struct err *err)
{
    struct reader r = reader_of(f->value);
    struct tx_out out;
    return (tx_read_out(&r, &out) && reader_done(&r)) || psbt_unreadable(err, "bad witness UTXO");
}

static bool value_witness(const struct psbt_field *f, struct err *err)
{
    struct reader r = reader_of(f->value);
    struct bytes item;
    uint64_t n;
    bool whole = reader_compact_size(&r, &n);
    for (uint64_t i = 0; whole && i < n; i++)
        whole = reader_counted(&r, &item);
    return (whole && reader_done(&r)) || psbt_unreadable(err, "bad final witness");
}

// BIP-370: "must be greater than or equal to 500000000"
static bool value_time(const struct psbt_field *f, struct err *err)
{
    return psbt_u32(f) >= LOCKTIME_THRESHOLD || psbt_unreadable(err, "time lock below 500000000");
}

// BIP-370: "must be less than 500000000 and greater than 0"
static bool value_height(const struct psbt_field *f, struct err *err)
{
    const uint32_t height = psbt_u32(f);
    return (height > 0 && height < LOCKTIME_THRESHOLD) || psbt_unreadable(err, "bad height lock");
}

// BIP-371: a count, that many leaf hashes, then fingerprint and path.
static bool value_tap_path(const struct psbt_field *f, struct err *err)
{
    struct reader r = reader_of(f->value);
    struct bytes hashes;
    uint64_t n;
    return (reader_compact_size(&r, &n) && n <= f->value.len / HASH_LEN &&
            reader_take(&r, n * HASH_LEN, &hashes) && r.rest.len >= 4 && r.rest.len % 4 == 0) ||
           psbt_unreadable(err, "bad taproot key path");
}

// BIP-371: "{<8-bit uint depth> <8-bit uint leaf version> <compact size uint scriptlen> <bytes
// script>}*"
static bool value_tap_tree(const struct psbt_field *f, struct err *err)
{
    struct reader r = reader_of(f->value);
    uint8_t depth, leaf_version;
    struct bytes script;
    while (!reader_done(&r))
        if (!reader_u8(&r, &depth) || !reader_u8(&r, &leaf_version) || !reader_counted(&r, &script))
            return psbt_unreadable(err, "bad taproot tree");
    return true;
}

// --- The table ---

enum need { OPTIONAL, REQUIRED, EXCLUDED };

struct rule {
    uint8_t type;
    const char *name;
    enum need in_v0, in_v2;
    bool (*key)(struct bytes data);
    size_t min, max;        // of the value
    bool too_short_invalid; // reply "Invalid PSBT" below `min`
    bool (*value)(const struct psbt_field *f, struct err *err);
};

#define ALWAYS OPTIONAL, OPTIONAL
#define V2     EXCLUDED, OPTIONAL
#define V2_REQ EXCLUDED, REQUIRED

static const struct rule global_rules[] = {
    { PSBT_GLOBAL_UNSIGNED_TX, "unsigned tx", REQUIRED, EXCLUDED, key_none, 10, ANY_LEN, false,
      NULL },
    { PSBT_GLOBAL_XPUB, "xpub", ALWAYS, key_xpub, 4, ANY_LEN, false, value_xpub_path },
    { PSBT_GLOBAL_TX_VERSION, "txn version", V2_REQ, key_none, 4, 4, false, NULL },
    { PSBT_GLOBAL_FALLBACK_LOCKTIME, "fallback locktime", V2, key_none, 4, 4, false, NULL },
    { PSBT_GLOBAL_INPUT_COUNT, "input count", V2_REQ, key_none, 1, 9, false, value_count },
    { PSBT_GLOBAL_OUTPUT_COUNT, "output count", V2_REQ, key_none, 1, 9, false, value_count },
    { PSBT_GLOBAL_TX_MODIFIABLE, "txn modifiable", V2, key_none, 1, 1, false, NULL },
    { PSBT_GLOBAL_MESSAGE, "message", ALWAYS, key_none, 0, ANY_LEN, false, NULL },
    { PSBT_GLOBAL_VERSION, "version", ALWAYS, key_none, 4, 4, false, value_version },
};

static const struct rule input_rules[] = {
    { PSBT_IN_NON_WITNESS_UTXO, "UTXO", ALWAYS, key_none, 1, ANY_LEN, false, NULL },
    { PSBT_IN_WITNESS_UTXO, "witness UTXO", ALWAYS, key_none, 9, ANY_LEN, false, value_txout },
    { PSBT_IN_PARTIAL_SIG, "signature", ALWAYS, key_pubkey, 9, 73, false, NULL },
    { PSBT_IN_SIGHASH_TYPE, "sighash type", ALWAYS, key_none, 4, 4, false, NULL },
    { PSBT_IN_REDEEM_SCRIPT, "redeem script", ALWAYS, key_none, 22, ANY_LEN, true, NULL },
    { PSBT_IN_WITNESS_SCRIPT, "witness script", ALWAYS, key_none, 30, ANY_LEN, true, NULL },
    { PSBT_IN_KEY_PATH, "key path", ALWAYS, key_any, 0, ANY_LEN, false, psbt_path_check },
    { PSBT_IN_FINAL_SCRIPT_SIG, "final scriptSig", ALWAYS, key_none, 0, ANY_LEN, false, NULL },
    { PSBT_IN_FINAL_WITNESS, "final witness", ALWAYS, key_none, 1, ANY_LEN, false, value_witness },
    { PSBT_IN_PREVIOUS_TXID, "previous txid", V2_REQ, key_none, 32, 32, false, NULL },
    { PSBT_IN_OUTPUT_INDEX, "output index", V2_REQ, key_none, 4, 4, false, NULL },
    { PSBT_IN_SEQUENCE, "sequence", V2, key_none, 4, 4, false, NULL },
    { PSBT_IN_TIME_LOCKTIME, "time locktime", V2, key_none, 4, 4, false, value_time },
    { PSBT_IN_HEIGHT_LOCKTIME, "height locktime", V2, key_none, 4, 4, false, value_height },
    { PSBT_IN_TAP_KEY_SIG, "taproot signature", ALWAYS, key_none, 64, 65, false, NULL },
    { PSBT_IN_TAP_SCRIPT_SIG, "taproot signature", ALWAYS, key_64, 64, 65, false, NULL },
    { PSBT_IN_TAP_LEAF_SCRIPT, "leaf script", ALWAYS, key_control_block, 1, ANY_LEN, false, NULL },
    { PSBT_IN_TAP_KEY_PATH, "taproot path", ALWAYS, key_32, 5, ANY_LEN, false, value_tap_path },
    { PSBT_IN_TAP_INTERNAL_KEY, "internal key", ALWAYS, key_none, 32, 32, false, NULL },
    { PSBT_IN_TAP_MERKLE_ROOT, "Merkle root", ALWAYS, key_none, 32, 32, false, NULL },
};

static const struct rule output_rules[] = {
    { PSBT_OUT_REDEEM_SCRIPT, "redeem script", ALWAYS, key_none, 0, ANY_LEN, false, NULL },
    { PSBT_OUT_WITNESS_SCRIPT, "witness script", ALWAYS, key_none, 0, ANY_LEN, false, NULL },
    { PSBT_OUT_KEY_PATH, "key path", ALWAYS, key_any, 0, ANY_LEN, false, psbt_path_check },
    { PSBT_OUT_AMOUNT, "amount", V2_REQ, key_none, 8, 8, false, NULL },
    { PSBT_OUT_SCRIPT, "script", V2_REQ, key_none, 1, ANY_LEN, true, NULL },
    { PSBT_OUT_TAP_INTERNAL_KEY, "internal key", ALWAYS, key_none, 32, 32, false, NULL },
    { PSBT_OUT_TAP_TREE, "taproot tree", ALWAYS, key_none, 1, ANY_LEN, false, value_tap_tree },
    { PSBT_OUT_TAP_KEY_PATH, "taproot path", ALWAYS, key_32, 5, ANY_LEN, false, value_tap_path },
};

static const struct {
    const char *name;
    const struct rule *rules;
    size_t n_rules;
} tables[] = {
    [PSBT_MAP_GLOBAL] = { "global", global_rules, COUNT(global_rules) },
    [PSBT_MAP_INPUT] = { "input", input_rules, COUNT(input_rules) },
    [PSBT_MAP_OUTPUT] = { "output", output_rules, COUNT(output_rules) },
};

static const struct rule *find_rule(enum psbt_map_kind kind, uint8_t type)
{
    for (size_t i = 0; i < tables[kind].n_rules; i++)
        if (tables[kind].rules[i].type == type)
            return &tables[kind].rules[i];
    return NULL;
}

static bool check_field(const struct psbt_field *f, const struct rule *rule,
                        enum psbt_map_kind kind, size_t number, struct err *err)
{
    const struct bytes key = psbt_key_data(f);
    const char *map = tables[kind].name;
    if (!rule->key(key))
        return psbt_unreadable(err, "%s %zu: %s: key of %zu bytes", map, number, rule->name,
                               f->key.len);
    if (f->value.len < rule->min && rule->too_short_invalid)
        return psbt_invalid(err, "%s %zu: %s too short", map, number, rule->name);
    if (f->value.len < rule->min || f->value.len > rule->max)
        return psbt_unreadable(err, "%s %zu: %s of %zu bytes", map, number, rule->name,
                               f->value.len);
    return rule->value == NULL || rule->value(f, err);
}

bool psbt_fields_check(const struct psbt_map *map, enum psbt_map_kind kind, size_t number,
                       struct err *err)
{
    for (size_t i = 0; i < map->n_fields; i++) {
        const struct psbt_field *f = &map->fields[i];
        const struct rule *rule = find_rule(kind, f->key.ptr[0]);
        if (rule != NULL && !check_field(f, rule, kind, number, err))
            return false;
    }
    return true;
}

static bool version_problem(const struct rule *rule, enum need need, enum psbt_map_kind kind,
                            uint32_t version, size_t number, struct err *err)
{
    // Source: psbt-signing.md 8.5; only the one required field of version 0 is "included".
    const char *what = need == EXCLUDED ? "exclusion of " : version == 0 ? "inclusion of " : "";
    if (kind == PSBT_MAP_GLOBAL)
        return psbt_invalid(err, "v%u requires %sglobal %s", version, what, rule->name);
    return psbt_invalid(err, "v%u requires %s%s %s in %s %zu", version, what, tables[kind].name,
                        rule->name, tables[kind].name, number);
}

bool psbt_fields_check_version(const struct psbt_map *map, enum psbt_map_kind kind,
                               uint32_t version, size_t number, struct err *err)
{
    for (size_t i = 0; i < tables[kind].n_rules; i++) {
        const struct rule *rule = &tables[kind].rules[i];
        const enum need need = version == 0 ? rule->in_v0 : rule->in_v2;
        if (need != OPTIONAL && (psbt_get(map, rule->type) != NULL) != (need == REQUIRED))
            return version_problem(rule, need, kind, version, number, err);
    }
    return true;
}
