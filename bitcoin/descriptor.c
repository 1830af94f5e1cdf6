// bitcoin/descriptor.c
#include "bitcoin/descriptor.h"
#include "base/hex.h"
#include "base/reader.h"
#include "base/require.h"
#include "bitcoin/address.h"
#include <string.h>

// --- Checksum ---

// BIP-380: "Find the character's position in INPUT_CHARSET", -1 if it has none.
static int charset_position(uint8_t c)
{
    static const char input_charset[] = "0123456789()[],'/*abcdefgh@:$%{}"
                                        "IJKLMNOPQRSTUVWXYZ&+-.;<=>?!^_|~"
                                        "ijklmnopqrstuvwxyzABCDEFGH`#\"\\ ";
    const char *at = c == 0 ? NULL : strchr(input_charset, c);
    return at == NULL ? -1 : (int)(at - input_charset);
}

static uint64_t checksum_step(uint64_t check, unsigned symbol)
{
    static const uint64_t generator[5] = { 0xf5dee51989, 0xa9fdca3312, 0x1bab10e32d, 0x3706b1677a,
                                           0x644d626ffd };
    const uint64_t top = check >> 35;
    check = (check & 0x7ffffffff) << 5 ^ symbol;
    for (size_t i = 0; i < COUNT(generator); i++)
        check ^= (top >> i & 1) != 0 ? generator[i] : 0;
    return check;
}

bool descriptor_checksum(char out[static DESCRIPTOR_CHECKSUM_LEN + 1], struct bytes body)
{
    static const char checksum_charset[] = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    uint64_t check = 1;
    unsigned group = 0, n_group = 0; // the high bits of up to three characters, base 3
    for (size_t i = 0; i < body.len; i++) {
        const int position = charset_position(body.ptr[i]);
        if (position < 0)
            return false;
        check = checksum_step(check, (unsigned)position & 31);
        group = group * 3 + ((unsigned)position >> 5);
        if (++n_group == 3) {
            check = checksum_step(check, group);
            group = n_group = 0;
        }
    }
    if (n_group > 0)
        check = checksum_step(check, group);
    for (size_t i = 0; i < DESCRIPTOR_CHECKSUM_LEN; i++)
        check = checksum_step(check, 0);
    check ^= 1;
    for (size_t i = 0; i < DESCRIPTOR_CHECKSUM_LEN; i++)
        out[i] = checksum_charset[check >> 5 * (DESCRIPTOR_CHECKSUM_LEN - 1 - i) & 31];
    out[DESCRIPTOR_CHECKSUM_LEN] = '\0';
    return true;
}

void descriptor_write_checksum(struct writer *w, size_t start)
{
    char checksum[DESCRIPTOR_CHECKSUM_LEN + 1];
    if (w->failed)
        return;
    const struct bytes body = bytes_slice(writer_bytes(w), start, w->len);
    REQUIRE(descriptor_checksum(checksum, body));
    writer_u8(w, '#');
    writer_text(w, checksum);
}

bool descriptor_body(struct bytes *body, struct bytes text, struct err *err)
{
    for (size_t i = 0; i < text.len; i++)
        if (charset_position(text.ptr[i]) < 0)
            return err_set(err, ERR_MALFORMED, "no descriptor has the character at byte %zu", i);
    struct reader r = reader_of(text);
    struct bytes before = { 0 };
    char expected[DESCRIPTOR_CHECKSUM_LEN + 1];
    if (reader_until(&r, '#', &before) && before.len < text.len) {
        const struct bytes given = reader_rest(&r);
        REQUIRE(descriptor_checksum(expected, before));
        if (!bytes_equal_text(given, expected))
            return err_set(err, ERR_MALFORMED, "Wrong checksum %.*s, expected %s", BYTES_ARG(given),
                           expected);
    }
    *body = before;
    return true;
}

// --- Form ---

// How each outer form begins; the longest first.
static const struct {
    const char *open;
    enum descriptor_outer outer;
    size_t n_closing;
} outers[] = {
    { "sh(wsh(", DESCRIPTOR_SH_WSH, 2 },
    { "wsh(", DESCRIPTOR_WSH, 1 },
    { "sh(", DESCRIPTOR_SH, 1 },
    { "", DESCRIPTOR_BARE, 0 },
};

#define IN(outer) (1u << DESCRIPTOR_##outer)

// BIP-381 to 386: inside of what each function may stand.
static const struct {
    const char *open;
    enum descriptor_function function;
    unsigned allowed; // bits by enum descriptor_outer
} functions[] = {
    { "pk(", DESCRIPTOR_PK, IN(BARE) | IN(SH) | IN(WSH) | IN(SH_WSH) },
    { "pkh(", DESCRIPTOR_PKH, IN(BARE) | IN(SH) | IN(WSH) | IN(SH_WSH) },
    { "wpkh(", DESCRIPTOR_WPKH, IN(BARE) | IN(SH) },
    { "tr(", DESCRIPTOR_TR, IN(BARE) },
    { "multi(", DESCRIPTOR_MULTI, IN(BARE) | IN(SH) | IN(WSH) | IN(SH_WSH) },
    { "sortedmulti(", DESCRIPTOR_SORTEDMULTI, IN(BARE) | IN(SH) | IN(WSH) | IN(SH_WSH) },
};

static bool is_multi(enum descriptor_function function)
{
    return function == DESCRIPTOR_MULTI || function == DESCRIPTOR_SORTEDMULTI;
}

static size_t parse_outer(struct descriptor *d, struct reader *r)
{
    size_t i = 0;
    while (!reader_accept_bytes(r, bytes_of_text(outers[i].open)))
        i++;
    d->outer = outers[i].outer;
    return outers[i].n_closing;
}

static bool parse_function(struct descriptor *d, struct reader *r, struct err *err)
{
    for (size_t i = 0; i < COUNT(functions); i++) {
        if (!reader_accept_bytes(r, bytes_of_text(functions[i].open)))
            continue;
        d->function = functions[i].function;
        if ((functions[i].allowed & 1u << d->outer) == 0)
            return err_set(err, ERR_UNSUPPORTED, "%s) cannot stand there", functions[i].open);
        return true;
    }
    return err_set(err, ERR_UNSUPPORTED, "no known function at byte %zu", r->offset);
}

// BIP-380: a key expression has none of these.
static bool is_key_list(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++)
        if (strchr("(){}#", text.ptr[i]) != NULL)
            return false;
    return true;
}

static bool count_keys(struct descriptor *d, struct err *err)
{
    struct reader keys = reader_of(d->keys);
    struct bytes key;
    // An empty last one is none for the reader.
    bool good = d->keys.len > 0 && d->keys.ptr[d->keys.len - 1] != ',' && is_key_list(d->keys);
    for (; good && descriptor_next_key(&keys, &key); d->n_keys++)
        good = key.len > 0;
    if (!good)
        return err_set(err, ERR_MALFORMED, "no list of keys");
    return is_multi(d->function) || d->n_keys == 1 ||
           err_set(err, ERR_MALFORMED, "%zu keys where one stands", d->n_keys);
}

bool descriptor_parse(struct descriptor *out, struct bytes body, struct err *err)
{
    struct descriptor d = { 0 };
    struct reader r = reader_of(body);
    const size_t n_closing = parse_outer(&d, &r);
    if (!parse_function(&d, &r, err))
        return false;
    if (is_multi(d.function) &&
        (!reader_decimal(&r, INT32_MAX, &d.threshold) || !reader_accept(&r, ',')))
        return err_set(err, ERR_MALFORMED, "no threshold at byte %zu", r.offset);
    const struct bytes rest = reader_rest(&r);
    if (rest.len < n_closing + 1)
        return err_set(err, ERR_MALFORMED, "ends too early");
    d.keys = bytes_slice(rest, 0, rest.len - n_closing - 1);
    if (!bytes_equal(bytes_slice(rest, d.keys.len, rest.len),
                     bytes_slice(BYTES(")))"), 0, n_closing + 1)))
        return err_set(err, ERR_MALFORMED, "does not end in its parentheses");
    if (!count_keys(&d, err))
        return false;
    *out = d;
    return true;
}

bool descriptor_next_key(struct reader *keys, struct bytes *expression)
{
    return reader_until(keys, ',', expression);
}

// --- Keys ---

struct descriptor_key_parts descriptor_split_key(struct bytes expression)
{
    struct descriptor_key_parts parts = { .key = expression };
    struct reader r = reader_of(expression);
    struct bytes origin;
    if (reader_accept(&r, '[') && reader_until(&r, ']', &origin) &&
        origin.len + 1 < expression.len && expression.ptr[origin.len + 1] == ']') {
        parts.has_origin = true;
        parts.origin = origin;
        parts.key = reader_rest(&r);
    }
    size_t len = 0;
    while (len < parts.key.len && parts.key.ptr[len] != '/')
        len++;
    parts.path = bytes_slice(parts.key, len, parts.key.len);
    parts.key = bytes_slice(parts.key, 0, len);
    return parts;
}

static bool accept_hard(struct reader *r)
{
    return reader_accept(r, 'h') || reader_accept(r, '\'');
}

// BIP-380: "/NUM" or "/NUMh", NUM below 2^31; here without the slash.
static bool parse_step(uint32_t *out, struct reader *r)
{
    uint32_t index;
    if (!reader_decimal(r, KEYPATH_HARD - 1, &index))
        return false;
    *out = accept_hard(r) ? index | KEYPATH_HARD : index;
    return true;
}

static bool add_step(struct keypath *path, struct reader *r)
{
    if (path->depth == KEYPATH_DEPTH_MAX || !parse_step(&path->step[path->depth], r))
        return false;
    path->depth++;
    return true;
}

bool descriptor_origin(struct key_origin *out, struct bytes text)
{
    struct key_origin origin = { 0 };
    struct reader r = reader_of(text);
    struct bytes fingerprint;
    if (!reader_take(&r, 8, &fingerprint) || !xfp_from_text(&origin.xfp, fingerprint))
        return false;
    while (reader_accept(&r, '/'))
        if (!add_step(&origin.path, &r))
            return false;
    if (!reader_done(&r))
        return false;
    *out = origin;
    return true;
}

// The rest of "<a;b>" after its '<'.
static bool parse_pair(struct descriptor_key *key, struct reader *r)
{
    if (key->has_pair)
        return false;
    key->has_pair = true;
    key->pair_at = key->path.depth;
    return add_step(&key->path, r) && reader_accept(r, ';') && parse_step(&key->pair_second, r) &&
           reader_accept(r, '>');
}

static bool parse_path(struct descriptor_key *key, struct bytes text)
{
    struct reader r = reader_of(text);
    while (key->child == TAIL_NONE && reader_accept(&r, '/')) {
        if (reader_accept(&r, '*'))
            key->child = accept_hard(&r) ? TAIL_HARD_STAR : TAIL_STAR;
        else if (!(reader_accept(&r, '<') ? parse_pair(key, &r) : add_step(&key->path, &r)))
            return false;
    }
    return reader_done(&r);
}

static bool parse_hex_key(struct descriptor_key *key, struct bytes text)
{
    struct pubkey point;
    struct err ignored;
    if (text.len == 64) {
        key->kind = DESCRIPTOR_KEY_XONLY;
        key->point[0] = 0x02;
        key->point_len = 33;
        return hex_decode(key->point + 1, 32, text) &&
               pubkey_parse(&point, bytes_of(key->point, 33), &ignored);
    }
    key->kind = DESCRIPTOR_KEY_POINT;
    key->point_len = text.len / 2;
    return key->point_len <= sizeof key->point && hex_decode(key->point, key->point_len, text) &&
           pubkey_parse(&point, bytes_of(key->point, key->point_len), &ignored);
}

static bool is_public(struct bytes text)
{
    return bytes_starts_with(text, BYTES("xpub")) || bytes_starts_with(text, BYTES("tpub"));
}

// BIP-380's private forms: xprv, tprv, and WIF, which base58 of that length is.
static bool is_private(struct bytes text)
{
    return bytes_starts_with(text, BYTES("xprv")) || bytes_starts_with(text, BYTES("tprv")) ||
           ((text.len == 51 || text.len == 52) && strchr("5KL9c", text.ptr[0]) != NULL);
}

static bool parse_key(struct descriptor_key *key, const struct descriptor_key_parts *parts,
                      struct err *err)
{
    if (is_private(parts->key))
        return err_set(err, ERR_UNSUPPORTED, "private keys are not read here");
    if (is_public(parts->key)) {
        key->kind = DESCRIPTOR_KEY_EXTENDED;
        return hdpub_from_text(&key->node, &key->is_main, parts->key, err) &&
               (parse_path(key, parts->path) ||
                err_set(err, ERR_MALFORMED, "no derivation: %.*s", BYTES_ARG(parts->path)));
    }
    return (parts->path.len == 0 && parse_hex_key(key, parts->key)) ||
           err_set(err, ERR_MALFORMED, "no public key");
}

bool descriptor_key_parse(struct descriptor_key *out, struct bytes expression, struct err *err)
{
    struct descriptor_key key = { 0 };
    const struct descriptor_key_parts parts = descriptor_split_key(expression);
    key.has_origin = parts.has_origin;
    if (parts.has_origin && !descriptor_origin(&key.origin, parts.origin))
        return err_set(err, ERR_MALFORMED, "no key origin: %.*s", BYTES_ARG(parts.origin));
    if (!parse_key(&key, &parts, err))
        return false;
    *out = key;
    return true;
}
