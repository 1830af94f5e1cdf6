#include "http/password.h"
#include "base/base64.h"
#include "base/reader.h"
#include "base/secret.h"
#include "base/utf8.h"
#include "crypto/kdf.h"
#include "crypto/otp.h"
#include "crypto/random.h"

#define SALT_LEN    16
#define HASH_LEN    32
#define TOTP_STEP_S 30

struct verifier {
    struct password_cost cost;
    uint8_t salt[SALT_LEN], hash[HASH_LEN];
};

// PHC strings have base64 without padding.
static void write_unpadded(struct writer *w, struct bytes content)
{
    uint8_t mem[BASE64_LEN(HASH_LEN)];
    struct writer inner = writer_of(mem, sizeof mem);
    base64_write(&inner, content);
    struct bytes text = writer_bytes(&inner);
    while (text.len > 0 && text.ptr[text.len - 1] == '=')
        text.len--;
    writer_put(w, text);
}

static bool read_unpadded(struct reader *r, uint8_t *out, size_t len)
{
    uint8_t mem[BASE64_LEN(HASH_LEN)];
    struct bytes text;
    struct writer padded = writer_of(mem, sizeof mem);
    if (!reader_until(r, '$', &text))
        return false;
    writer_put(&padded, text);
    while (padded.len % 4 != 0)
        writer_u8(&padded, '=');
    uint8_t decoded[HASH_LEN + 2];
    struct writer w = writer_of(decoded, sizeof decoded);
    if (padded.failed || !base64_read(&w, writer_bytes(&padded)) || w.len != len)
        return false;
    memcpy(out, decoded, len);
    return true;
}

static bool verifier_parse(struct verifier *out, struct bytes text)
{
    struct reader r = reader_of(text);
    const bool ends_early = text.len > 0 && text.ptr[text.len - 1] == '$';
    return !ends_early && reader_accept_bytes(&r, BYTES("$argon2id$v=19$m=")) &&
           reader_decimal(&r, 1u << 20, &out->cost.memory_kib) && out->cost.memory_kib >= 8 &&
           reader_accept_bytes(&r, BYTES(",t=")) && reader_decimal(&r, 16, &out->cost.passes) &&
           out->cost.passes >= 1 && reader_accept_bytes(&r, BYTES(",p=1$")) &&
           read_unpadded(&r, out->salt, SALT_LEN) && read_unpadded(&r, out->hash, HASH_LEN) &&
           reader_done(&r);
}

bool password_is_verifier(struct bytes verifier)
{
    struct verifier v;
    return verifier_parse(&v, verifier);
}

bool password_hash(char out[static PASSWORD_TEXT_MAX], struct bytes password,
                   struct password_cost cost, struct err *err)
{
    struct verifier v = { .cost = cost };
    // The reference's own text, for any account.
    if (!utf8_is_valid(password) || utf8_length(password) < PASSWORD_MIN)
        return err_set(err, ERR_LIMIT, "Master password must be at least 4 chars long");
    if (password.len > PASSWORD_MAX)
        return err_set(err, ERR_LIMIT, "password: more than %d bytes", PASSWORD_MAX);
    random_bytes(v.salt, sizeof v.salt);
    if (!argon2id(v.hash, sizeof v.hash, password, BYTES_OF(v.salt), cost.passes, cost.memory_kib,
                  err))
        return false;
    struct writer w = writer_of(out, PASSWORD_TEXT_MAX);
    writer_printf(&w, "$argon2id$v=19$m=%u,t=%u,p=1$", (unsigned)cost.memory_kib,
                  (unsigned)cost.passes);
    write_unpadded(&w, BYTES_OF(v.salt));
    writer_text(&w, "$");
    write_unpadded(&w, BYTES_OF(v.hash));
    writer_u8(&w, 0);
    return !w.failed || err_set(err, ERR_INTERNAL, "password: the verifier has no room");
}

bool password_verify(struct bytes verifier, struct bytes password, struct err *err)
{
    struct verifier v = { .cost = PASSWORD_COST };
    uint8_t hash[HASH_LEN];
    if (verifier.len > 0 && !verifier_parse(&v, verifier))
        return err_set(err, ERR_MALFORMED, "password: the stored verifier is malformed");
    if (!argon2id(hash, sizeof hash, password, BYTES_OF(v.salt), v.cost.passes, v.cost.memory_kib,
                  err))
        return false;
    const bool same = ct_equal(BYTES_OF(hash), BYTES_OF(v.hash)) && verifier.len > 0;
    wipe(hash, sizeof hash);
    return same || err_set(err, ERR_AUTH, "wrong password");
}

bool totp_verify(struct bytes secret, struct bytes code, int64_t now_s, uint64_t *last)
{
    const uint64_t now = now_s > TOTP_STEP_S ? (uint64_t)now_s / TOTP_STEP_S : 1;
    char expected[OTP_TEXT_SIZE];
    uint64_t found = 0;
    for (uint64_t step = now - 1; step <= now + 1; step++) {
        otp_code(expected, secret, step);
        if (ct_equal(bytes_of(expected, OTP_TEXT_SIZE - 1), code) && step > *last)
            found = step;
    }
    wipe(expected, sizeof expected);
    if (found == 0)
        return false;
    *last = found;
    return true;
}
