// bitcoin/psbt_path.c
#include "bitcoin/psbt_path.h"
#include "base/reader.h"
#include "base/require.h"
#include "bitcoin/psbt_err.h"

enum { XFP_LEN = 4, WORD = 4, WORDS_MAX = 1 + PSBT_PATH_DEPTH_MAX };

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
    return field->value.len <= WORDS_MAX * WORD || psbt_invalid(err, "too deep");
}

struct key_origin psbt_path_read(const struct psbt_field *field)
{
    struct key_origin p = { 0 };
    struct reader r = reader_of(field->value);
    REQUIRE(field->value.len <= WORDS_MAX * WORD && reader_copy(&r, p.xfp.b, XFP_LEN));
    while (reader_u32le(&r, &p.path.step[p.path.depth]))
        p.path.depth++;
    return p;
}

struct xfp psbt_path_xfp(const struct psbt_field *field, struct xfp ours)
{
    struct xfp xfp;
    REQUIRE(field->value.len >= XFP_LEN);
    memcpy(xfp.b, field->value.ptr, XFP_LEN);
    return xfp_is_zero(xfp) ? ours : xfp;
}
