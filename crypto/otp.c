#include "crypto/otp.h"
#include "base/secret.h"
#include "crypto/hmac.h"

static uint32_t read_be(const uint8_t b[static 4])
{
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

// The number without its top bit, modulo 10^6, with leading zeros.
static void write_code(char out[static OTP_TEXT_SIZE], uint32_t number)
{
    number &= 0x7fffffff;
    for (size_t i = OTP_TEXT_SIZE - 1; i-- > 0; number /= 10)
        out[i] = (char)('0' + number % 10);
    out[OTP_TEXT_SIZE - 1] = '\0';
}

void otp_code(char out[static OTP_TEXT_SIZE], struct bytes secret, uint64_t counter)
{
    uint8_t message[8], mac[20];
    for (size_t i = 0; i < sizeof message; i++)
        message[i] = (uint8_t)(counter >> 8 * (7 - i));
    hmac_sha1(mac, secret, BYTES_OF(message));
    // RFC 4226 5.3: "Let OffsetBits be the low-order 4 bits of String[19]"
    write_code(out, read_be(mac + (mac[19] & 0x0f)));
    wipe(mac, sizeof mac);
}

void local_code(char out[static OTP_TEXT_SIZE], struct bytes key, struct bytes digest)
{
    uint8_t mac[32];
    hmac_sha256(mac, key, digest);
    write_code(out, read_be(mac + 28));
    wipe(mac, sizeof mac);
}
