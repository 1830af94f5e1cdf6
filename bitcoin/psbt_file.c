// bitcoin/psbt_file.c -- PSBT files: binary, hex or base64, told apart by their first bytes.
#include "base/base64.h"
#include "base/hex.h"
#include "bitcoin/psbt.h"
#include "bitcoin/psbt_err.h"
#include <ctype.h>

static bool not_psbt(struct err *err)
{
    return err_set(err, ERR_MALFORMED, "not psbt");
}

static bool starts_with_hex_magic(struct bytes file)
{
    uint8_t head[sizeof PSBT_MAGIC - 1];
    return hex_decode(head, sizeof head, bytes_slice(file, 0, 2 * sizeof head)) &&
           bytes_equal(BYTES_OF(head), BYTES(PSBT_MAGIC));
}

// Cli.md 3.8: "everything that is not a hex digit is ignored"
static bool decode_hex(struct bytes *out, struct bytes file, struct arena *arena, struct err *err)
{
    uint8_t *digits = arena_alloc(arena, file.len);
    uint8_t *content = arena_alloc(arena, file.len / 2);
    size_t n = 0;
    if (digits == NULL || content == NULL)
        return psbt_too_complex(err);
    for (size_t i = 0; i < file.len; i++)
        if (isxdigit(file.ptr[i]))
            digits[n++] = file.ptr[i];
    if (n % 2 != 0 || !hex_decode(content, n / 2, bytes_of(digits, n)))
        return not_psbt(err);
    *out = bytes_of(content, n / 2);
    return true;
}

static bool decode_base64(struct bytes *out, struct bytes file, struct arena *arena,
                          struct err *err)
{
    const struct bytes text = bytes_trim(file);
    struct writer w = writer_growing(arena, text.len);
    if (!base64_read(&w, text))
        return w.failed ? psbt_too_complex(err) : not_psbt(err);
    return writer_finish(&w, out) || psbt_too_complex(err);
}

bool psbt_decode_file(struct bytes *out, enum psbt_encoding *encoding, struct bytes file,
                      struct arena *arena, struct err *err)
{
    if (bytes_starts_with(file, BYTES(PSBT_MAGIC))) {
        *encoding = PSBT_BINARY;
        *out = file;
        return true;
    }
    const struct bytes text = bytes_trim(file);
    if (starts_with_hex_magic(text)) {
        *encoding = PSBT_HEX;
        return decode_hex(out, text, arena, err);
    }
    if (bytes_starts_with(text, BYTES("cHNidP"))) {
        *encoding = PSBT_BASE64;
        return decode_base64(out, text, arena, err);
    }
    return not_psbt(err);
}
