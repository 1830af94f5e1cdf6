// bitcoin/psbt_path.c
#include "bitcoin/psbt_path.h"
#include "base/reader.h"
#include "base/require.h"
#include "bitcoin/psbt_err.h"
#include "bitcoin/taproot.h"

enum { XFP_LEN = 4, WORD = 4, WORDS_MAX = 1 + PSBT_PATH_DEPTH_MAX, HASH_LEN = 32 };

static const struct psbt_field *next_of(const struct psbt_map *map, uint8_t plain, uint8_t taproot,
                                        const struct psbt_field *after)
{
    size_t i = after == NULL ? 0 : (size_t)(after - map->fields) + 1;
    while (i < map->n_fields && map->fields[i].key.ptr[0] != plain &&
           map->fields[i].key.ptr[0] != taproot)
        i++;
    return i < map->n_fields ? &map->fields[i] : NULL;
}

const struct psbt_field *psbt_next_in_path(const struct psbt_map *map, bool taproot,
                                           const struct psbt_field *after)
{
    return next_of(map, PSBT_IN_KEY_PATH, taproot ? PSBT_IN_TAP_KEY_PATH : PSBT_IN_KEY_PATH, after);
}

const struct psbt_field *psbt_next_out_path(const struct psbt_map *map, bool taproot,
                                            const struct psbt_field *after)
{
    return next_of(map, PSBT_OUT_KEY_PATH, taproot ? PSBT_OUT_TAP_KEY_PATH : PSBT_OUT_KEY_PATH,
                   after);
}

struct bytes psbt_path_leaves(const struct psbt_field *field)
{
    struct reader r = reader_of(field->value);
    struct bytes hashes;
    uint64_t n;
    if (psbt_key_data(field).len != XONLY_LEN)
        return (struct bytes){ 0 };
    REQUIRE(reader_compact_size(&r, &n) && reader_take(&r, n * HASH_LEN, &hashes)); // the table's
    return bytes_slice(field->value, 0, r.offset);
}

bool psbt_path_is_of_leaves(const struct psbt_field *field)
{
    return psbt_path_leaves(field).len > 1;
}

// Fingerprint and steps.
static struct bytes path_of(const struct psbt_field *field)
{
    return bytes_slice(field->value, psbt_path_leaves(field).len, field->value.len);
}

bool psbt_path_check(const struct psbt_field *field, struct err *err)
{
    const struct bytes key = psbt_key_data(field);
    const size_t len = field->value.len;
    if (key.len != 33 && key.len != 65)
        return psbt_invalid(err, "hdpath pubkey len");
    if (key.len == 33 && key.ptr[0] != 0x02 && key.ptr[0] != 0x03)
        return psbt_invalid(err, "uncompressed pubkey");
    if (key.len == 65 && key.ptr[0] != 0x04)
        return psbt_invalid(err, "hdpath pubkey len");
    if (len == 0 || len % WORD != 0)
        return psbt_invalid(err, "corrupt key path");
    return true;
}

bool psbt_path_check_depth(const struct psbt_field *field, struct err *err)
{
    return path_of(field).len <= WORDS_MAX * WORD || psbt_invalid(err, "too deep");
}

struct key_origin psbt_path_read(const struct psbt_field *field)
{
    struct key_origin p = { 0 };
    struct reader r = reader_of(path_of(field));
    REQUIRE(r.rest.len <= WORDS_MAX * WORD && reader_copy(&r, p.xfp.b, XFP_LEN));
    while (reader_u32le(&r, &p.path.step[p.path.depth]))
        p.path.depth++;
    return p;
}

struct xfp psbt_path_xfp(const struct psbt_field *field, struct xfp ours)
{
    const struct bytes path = path_of(field);
    struct xfp xfp;
    REQUIRE(path.len >= XFP_LEN);
    memcpy(xfp.b, path.ptr, XFP_LEN);
    return xfp_is_zero(xfp) ? ours : xfp;
}
