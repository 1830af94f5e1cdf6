#include "client/codes.h"
#include "base/base64.h"

#define LOCAL_KEY_LEN ((size_t)15)

struct hash256 codes_sha256(struct bytes content)
{
    return sha256(content);
}

bool codes_local(char out[static OTP_TEXT_SIZE], struct bytes next_local_code,
                 const struct hash256 *psbt_hash, struct err *err)
{
    uint8_t key[LOCAL_KEY_LEN];
    struct writer w = writer_of(key, sizeof key);
    if (next_local_code.len != BASE64_LEN(LOCAL_KEY_LEN) || !base64_read(&w, next_local_code) ||
        w.len != sizeof key)
        return err_set(err, ERR_MALFORMED, "local code: not %zu base64 characters",
                       BASE64_LEN(LOCAL_KEY_LEN));
    local_code(out, BYTES_OF(key), BYTES_OF(psbt_hash->b));
    return true;
}

uint32_t codes_totp_step(int64_t wall_s, unsigned *left_s)
{
    const int64_t now_s = wall_s > 0 ? wall_s : 0;
    *left_s = (unsigned)(CODES_STEP_S - now_s % CODES_STEP_S);
    const int64_t step = now_s / CODES_STEP_S;
    return step < UINT32_MAX ? (uint32_t)step : UINT32_MAX;
}
