// bitcoin/multisig_stored.c -- stored records and the exported text.
//
// A record is `[name, [M, N], keys, options]`, and a fifth element 0 when unsorted. Options: `ft`
// format code unless p2sh; `ch` chain unless BTC; `pp` the path of all cosigners, with keys
// [xfp, xpub]; or `d` the sorted list of paths, with keys [xfp, index into d, xpub].
#include "base/require.h"
#include "bitcoin/multisig.h"
#include <string.h>

// --- Written ---

struct paths {
    char text[MS_KEYS_MAX][KEYPATH_TEXT_MAX];
    size_t n;
};

static void path_to_text(char out[static KEYPATH_TEXT_MAX], const struct keypath *path)
{
    struct writer w = writer_of(out, KEYPATH_TEXT_MAX);
    keypath_write(&w, path);
    writer_u8(&w, 0);
    REQUIRE(!w.failed);
}

// Where a path stands among the sorted ones, or would stand.
static size_t place_of(const struct paths *paths, const char *text)
{
    size_t at = 0;
    while (at < paths->n && strcmp(paths->text[at], text) < 0)
        at++;
    return at;
}

static struct paths distinct_paths(const struct ms_wallet *wallet)
{
    struct paths paths = { .n = 0 };
    for (size_t i = 0; i < wallet->n; i++) {
        char text[KEYPATH_TEXT_MAX];
        path_to_text(text, &wallet->cosigner[i].origin.path);
        const size_t at = place_of(&paths, text);
        if (at < paths.n && strcmp(paths.text[at], text) == 0)
            continue;
        memmove(&paths.text[at + 1], &paths.text[at], (paths.n - at) * sizeof paths.text[0]);
        memcpy(paths.text[at], text, sizeof text);
        paths.n++;
    }
    return paths;
}

static void store_keys(struct json_writer *j, const struct ms_wallet *wallet,
                       const struct paths *paths)
{
    json_begin_array(j);
    for (size_t i = 0; i < wallet->n; i++) {
        const struct ms_cosigner *cosigner = &wallet->cosigner[i];
        char path[KEYPATH_TEXT_MAX], xpub[XPUB_TEXT_SIZE];
        path_to_text(path, &cosigner->origin.path);
        hdpub_to_text(xpub, &cosigner->node, wallet->chain);
        json_begin_array(j);
        json_u64(j, xfp_to_u32(cosigner->origin.xfp));
        if (paths->n > 1)
            json_u64(j, place_of(paths, path));
        json_text(j, xpub);
        json_end_array(j);
    }
    json_end_array(j);
}

static void store_options(struct json_writer *j, const struct ms_wallet *wallet,
                          const struct paths *paths)
{
    json_begin_object(j);
    if (wallet->format != ADDR_P2SH) {
        json_key(j, "ft");
        json_u64(j, wallet->format);
    }
    if (wallet->chain->id != CHAIN_BTC) {
        json_key(j, "ch");
        json_text(j, wallet->chain->code);
    }
    json_key(j, paths->n > 1 ? "d" : "pp");
    if (paths->n > 1)
        json_begin_array(j);
    for (size_t i = 0; i < paths->n; i++)
        json_text(j, paths->text[i]);
    if (paths->n > 1)
        json_end_array(j);
    json_end_object(j);
}

void ms_wallet_store(struct writer *w, const struct ms_wallet *wallet)
{
    const struct paths paths = distinct_paths(wallet);
    struct json_writer j = json_writer_of(w);
    json_begin_array(&j);
    json_text(&j, wallet->name);
    json_begin_array(&j);
    json_u64(&j, wallet->m);
    json_u64(&j, wallet->n);
    json_end_array(&j);
    store_keys(&j, wallet, &paths);
    store_options(&j, wallet, &paths);
    if (!wallet->sorted)
        json_u64(&j, 0);
    json_end_array(&j);
}

// --- Read ---

static bool damaged(struct err *err, const char *what)
{
    return err_set(err, ERR_MALFORMED, "stored wallet: %s", what);
}

// The i-th item, or NULL; of type `type` only.
static const struct json *item(const struct json *array, size_t i, enum json_type type)
{
    if (array == NULL || array->type != JSON_ARRAY || i >= array->n_items)
        return NULL;
    const struct json *at = array->items;
    for (; i > 0; i--)
        at = at->next;
    return at->type == type ? at : NULL;
}

static bool number(const struct json *value, int64_t min, int64_t max, int64_t *out)
{
    return value != NULL && json_integer(value, out, NULL) && *out >= min && *out <= max;
}

static bool load_terms(struct ms_wallet *wallet, const struct json *record, struct err *err)
{
    const struct json *name = item(record, 0, JSON_STRING);
    const struct json *terms = item(record, 1, JSON_ARRAY);
    int64_t m, n;
    if (name == NULL || name->text.len < 1 || name->text.len > MS_NAME_MAX ||
        !bytes_is_printable_ascii(name->text) || bytes_equal_text(name->text, "1"))
        return damaged(err, "name");
    if (!number(item(terms, 0, JSON_NUMBER), 1, MS_KEYS_MAX, &m) ||
        !number(item(terms, 1, JSON_NUMBER), m, MS_KEYS_MAX, &n) || terms->n_items != 2)
        return damaged(err, "M and N");
    memcpy(wallet->name, name->text.ptr, name->text.len);
    wallet->m = (size_t)m;
    wallet->n = (size_t)n;
    return true;
}

static bool load_format(struct ms_wallet *wallet, const struct json *value)
{
    int64_t code;
    if (!number(value, 0, UINT8_MAX, &code) ||
        (code != ADDR_P2SH && code != ADDR_P2WSH && code != ADDR_P2SH_P2WSH))
        return false;
    wallet->format = (enum addr_format)code;
    return true;
}

// An option that we do not know could change what the wallet's scripts are: refused.
static bool load_options(struct ms_wallet *wallet, const struct json *options, struct err *err)
{
    wallet->format = ADDR_P2SH;
    wallet->chain = chain_by_id(CHAIN_BTC);
    for (const struct json *o = options->items; o != NULL; o = o->next) {
        if (bytes_equal_text(o->key, "ft")) {
            if (o->type != JSON_NUMBER || !load_format(wallet, o))
                return damaged(err, "address format");
        } else if (bytes_equal_text(o->key, "ch")) {
            wallet->chain = o->type == JSON_STRING ? chain_by_code(o->text) : NULL;
            if (wallet->chain == NULL)
                return damaged(err, "chain");
        } else if (!bytes_equal_text(o->key, "pp") && !bytes_equal_text(o->key, "d")) {
            return damaged(err, "unknown option");
        }
    }
    return true;
}

static const struct json *path_of(const struct json *options, const struct json *key)
{
    int64_t at;
    if (key->n_items == 2)
        return json_get(options, "pp");
    return number(item(key, 1, JSON_NUMBER), 0, MS_KEYS_MAX, &at)
               ? item(json_get(options, "d"), (size_t)at, JSON_STRING)
               : NULL;
}

// At depth 1 the xpub itself says where it comes from (checks 3 and 5 of registration).
static bool fits_origin(const struct hdpub *node, const struct key_origin *origin)
{
    return node->depth == origin->path.depth &&
           (node->depth != 1 ||
            (xfp_equal(node->parent, origin->xfp) && node->child == origin->path.step[0]));
}

static bool load_key(struct ms_cosigner *out, const struct chain *chain, const struct json *options,
                     const struct json *key, struct err *err)
{
    int64_t xfp;
    bool is_main;
    if (key == NULL || (key->n_items != 2 && key->n_items != 3))
        return damaged(err, "keys");
    const struct json *path = path_of(options, key);
    const struct json *xpub = item(key, key->n_items - 1, JSON_STRING);
    if (!number(item(key, 0, JSON_NUMBER), 1, UINT32_MAX, &xfp) || path == NULL ||
        path->type != JSON_STRING || !keypath_parse(&out->origin.path, path->text, err))
        return damaged(err, "fingerprint or path of a key");
    out->origin.xfp = xfp_from_u32((uint32_t)xfp);
    if (xpub == NULL || !hdpub_from_text(&out->node, &is_main, xpub->text, err) ||
        is_main != (chain->id == CHAIN_BTC) || !fits_origin(&out->node, &out->origin))
        return damaged(err, "xpub");
    return true;
}

// The invariants of registration again: a restored record was not ours to write.
static bool load_keys(struct ms_wallet *wallet, const struct json *keys, const struct json *options,
                      struct err *err)
{
    if (keys->n_items != wallet->n)
        return damaged(err, "number of keys");
    for (size_t i = 0; i < wallet->n; i++) {
        struct ms_cosigner *cosigner = &wallet->cosigner[i];
        if (!load_key(cosigner, wallet->chain, options, item(keys, i, JSON_ARRAY), err))
            return false;
        if (ms_wallet_position(wallet, cosigner->origin.xfp) < i)
            return damaged(err, "a fingerprint twice");
        for (size_t k = 0; k < i; k++)
            if (pubkey_equal(&wallet->cosigner[k].node.key, &cosigner->node.key))
                return damaged(err, "a key twice");
    }
    return true;
}

bool ms_wallet_load(struct ms_wallet *out, struct bytes record, struct arena *arena,
                    struct err *err)
{
    struct ms_wallet wallet = { .sorted = true };
    const struct json *json;
    int64_t sorted = 1;
    if (!json_parse(&json, record, arena, err))
        return err->code == ERR_NO_MEMORY ? false : damaged(err, "no JSON");
    const struct json *keys = item(json, 2, JSON_ARRAY), *options = item(json, 3, JSON_OBJECT);
    if (keys == NULL || options == NULL || json->n_items > 5 ||
        (json->n_items == 5 && !number(item(json, 4, JSON_NUMBER), 0, 1, &sorted)))
        return damaged(err, "not a record");
    if (!load_terms(&wallet, json, err) || !load_options(&wallet, options, err) ||
        !load_keys(&wallet, keys, options, err) || !ms_wallet_prepare(&wallet, err))
        return false;
    wallet.sorted = sorted != 0;
    *out = wallet;
    return true;
}

// --- Exported text ---

static const char *upper_name(enum addr_format format)
{
    return format == ADDR_P2WSH ? "P2WSH" : "P2SH-P2WSH";
}

bool ms_wallet_export(struct writer *w, const struct ms_wallet *wallet, struct xfp by,
                      struct err *err)
{
    char xfp[XFP_TEXT_SIZE], xpub[XPUB_TEXT_SIZE];
    if (!wallet->sorted)
        return err_set(err, ERR_UNSUPPORTED,
                       "an unsorted wallet is exported as its descriptor only");
    xfp_to_text(xfp, by);
    writer_printf(w,
                  "# Coldcard Multisig setup file (exported from %s)\n#\nName: %s\n"
                  "Policy: %zu of %zu\n",
                  xfp, wallet->name, wallet->m, wallet->n);
    if (wallet->format != ADDR_P2SH)
        writer_printf(w, "Format: %s\n", upper_name(wallet->format));
    for (size_t i = 0; i < wallet->n; i++) {
        const struct ms_cosigner *cosigner = &wallet->cosigner[i];
        // 7.4: "a `Derivation:` block whenever the path differs from the one before"
        if (i == 0 || !keypath_equal(&cosigner[-1].origin.path, &cosigner->origin.path)) {
            writer_text(w, "\nDerivation: ");
            keypath_write(w, &cosigner->origin.path);
            writer_text(w, "\n\n");
        }
        xfp_to_text(xfp, cosigner->origin.xfp);
        hdpub_to_text(xpub, &cosigner->node, wallet->chain);
        writer_printf(w, "%s: %s\n", xfp, xpub);
    }
    return true;
}
