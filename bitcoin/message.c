// bitcoin/message.c
#include "bitcoin/message.h"
#include "base/base64.h"
#include "base/reader.h"
#include <string.h>

// Header bytes for compressed keys, to which the recovery id is added. BIP-137 has 27 to 30 for
// P2PKH of uncompressed keys.
#define HEADER_MIN 27
#define HEADER_MAX 42
static const struct {
    uint8_t base;
    enum addr_format format;
} headers[] = {
    { 31, ADDR_P2PKH },
    { 35, ADDR_P2SH_P2WPKH },
    { 39, ADDR_P2WPKH },
};

static bool has_allowed_characters(struct bytes text, bool lines)
{
    for (size_t i = 0; i < text.len; i++) {
        const uint8_t c = text.ptr[i];
        const bool allowed = (c >= 0x20 && c <= 0x7e) || (lines && (c == '\t' || c == '\n'));
        if (!allowed)
            return false;
    }
    return true;
}

static bool has_three_blanks(struct bytes text)
{
    for (size_t i = 0; i + 3 <= text.len; i++)
        if (memcmp(text.ptr + i, "   ", 3) == 0)
            return true;
    return false;
}

bool message_check(struct bytes text, size_t max, bool lines, struct err *err)
{
    if (!has_allowed_characters(text, lines))
        return err_set(err, ERR_MALFORMED, "must be ascii printable%s",
                       lines ? ", tab, or newline" : "");
    if (text.len < 2)
        return err_set(err, ERR_MALFORMED, "msg too short (min. 2)");
    if (text.len > max)
        return err_set(err, ERR_MALFORMED, "msg too long (max. %zu)", max);
    // Psbt-signing 18.1 rule 4: "no three blanks in a row (the text says otherwise)"
    if (has_three_blanks(text))
        return err_set(err, ERR_MALFORMED, "too many spaces together in msg(max. 3)");
    if (text.ptr[0] == ' ')
        return err_set(err, ERR_MALFORMED, "leading space(s) in msg");
    if (text.ptr[text.len - 1] == ' ')
        return err_set(err, ERR_MALFORMED, "trailing space(s) in msg");
    return true;
}

struct hash256 message_digest(struct bytes text)
{
    struct sha256 h;
    sha256_init(&h);
    sha256_update(&h, BYTES("\x18"
                            "Bitcoin Signed Message:\n"));
    sha256_compact_size(&h, text.len);
    sha256_update(&h, text);
    return sha256d_final(&h);
}

bool message_sign(uint8_t out[static MESSAGE_SIGNATURE_LEN], const struct seckey *key,
                  enum addr_format format, struct bytes text, struct err *err)
{
    const struct hash256 digest = message_digest(text);
    struct recoverable sig;
    for (size_t i = 0; i < COUNT(headers); i++) {
        if (headers[i].format != format)
            continue;
        if (!ecdsa_sign_recoverable(&sig, key, &digest, err))
            return false;
        out[0] = (uint8_t)(headers[i].base + sig.recid);
        memcpy(out + 1, sig.sig.b, sizeof sig.sig.b);
        return true;
    }
    return err_set(err, ERR_UNSUPPORTED,
                   "Invalid address format: '%s'\n\nChoose from p2pkh, p2wpkh, p2sh-p2wpkh.",
                   addr_format_name(format));
}

static enum addr_format format_of_header(uint8_t header)
{
    enum addr_format format = ADDR_P2PKH;
    for (size_t i = 0; i < COUNT(headers); i++)
        if (header >= headers[i].base)
            format = headers[i].format;
    return format;
}

bool message_recover(struct pubkey *key, enum addr_format *format, struct bytes signature,
                     const struct hash256 *digest)
{
    struct recoverable sig;
    struct reader r = reader_of(signature);
    uint8_t header;
    if (!reader_u8(&r, &header) || !reader_copy(&r, sig.sig.b, sizeof sig.sig.b) ||
        !reader_done(&r) || header < HEADER_MIN || header > HEADER_MAX)
        return false;
    sig.recid = (header - HEADER_MIN) & 3;
    if (!ecdsa_recover(key, &sig, digest))
        return false;
    *format = format_of_header(header);
    return true;
}

// --- Armoured text and its verification (psbt-signing 18.2, 18.4) ---

void message_armor_write(struct writer *w, const struct message_armor *armor)
{
    writer_text(w, "-----BEGIN BITCOIN SIGNED MESSAGE-----\n");
    writer_put(w, armor->text);
    writer_text(w, "\n-----BEGIN BITCOIN SIGNATURE-----\n");
    writer_put(w, armor->address);
    writer_u8(w, '\n');
    writer_put(w, armor->signature);
    writer_text(w, "\n-----END BITCOIN SIGNATURE-----\n");
}

// Up to the next five dashes, moving past them; false if there are none.
static bool take_to_dashes(struct bytes *out, struct bytes *rest)
{
    const struct bytes dashes = BYTES("-----");
    for (size_t i = 0; i + dashes.len <= rest->len; i++)
        if (bytes_starts_with(bytes_slice(*rest, i, dashes.len), dashes)) {
            *out = bytes_slice(*rest, 0, i);
            *rest = bytes_slice(*rest, i + dashes.len, rest->len);
            return true;
        }
    return false;
}

// Without the line end that follows the heading and the same kind of one before the next heading.
static struct bytes body_of(struct bytes between)
{
    struct reader r = reader_of(between);
    const bool crlf = reader_accept_bytes(&r, BYTES("\r\n"));
    if (!crlf)
        (void)reader_accept(&r, '\n');
    struct bytes body = reader_rest(&r);
    if (body.len > 0 && body.ptr[body.len - 1] == '\n')
        body.len--;
    if (crlf && body.len > 0 && body.ptr[body.len - 1] == '\r')
        body.len--;
    return body;
}

bool message_armor_parse(struct message_armor *out, struct bytes text, struct err *err)
{
    struct bytes part[6], rest = text, surplus, first;
    size_t n = 0;
    while (n < COUNT(part) && take_to_dashes(&part[n], &rest))
        n++;
    if (n < COUNT(part) || take_to_dashes(&surplus, &rest))
        return err_set(err, ERR_MALFORMED,
                       "Armor text MUST be surrounded by exactly five (5) dashes.");
    // Before, heading, message, heading, address and signature, heading; then what follows.
    struct reader r = reader_of(bytes_trim(part[4]));
    if (!reader_until(&r, '\n', &first))
        return err_set(err, ERR_MALFORMED, "Parsing signature failed - invalid encoding.");
    out->text = body_of(part[2]);
    out->address = bytes_trim(first);
    out->signature = bytes_trim(reader_rest(&r));
    return true;
}

// The format that an address of any chain is taken for, and its script.
static bool read_address(enum addr_format *format, struct writer *script, struct bytes address,
                         struct err *err)
{
    static const enum chain_id ids[] = { CHAIN_BTC, CHAIN_XTN, CHAIN_XRT };
    struct err ignored;
    bool found = false;
    for (size_t i = 0; i < COUNT(ids) && !found; i++)
        found = address_to_script(script, address, chain_by_id(ids[i]), &ignored);
    switch (found ? script_classify(writer_bytes(script)) : SCRIPT_UNKNOWN) {
    case SCRIPT_P2PKH:
        *format = ADDR_P2PKH;
        return true;
    case SCRIPT_P2SH: // "taken as P2SH-P2WPKH"
        *format = ADDR_P2SH_P2WPKH;
        return true;
    case SCRIPT_P2WPKH:
        *format = ADDR_P2WPKH;
        return true;
    default:
        return err_set(err, ERR_MALFORMED,
                       "Invalid address format - must be one of p2pkh, p2sh-p2wpkh, or p2wpkh.");
    }
}

static bool is_script_of_key(struct bytes script, const struct pubkey *key, enum addr_format format)
{
    uint8_t mem[34];
    struct writer w = writer_of(mem, sizeof mem);
    struct err ignored;
    return address_script_of_key(&w, key, format, &ignored) &&
           bytes_equal(writer_bytes(&w), script);
}

static bool is_script_of_uncompressed(struct bytes script, const struct pubkey *key)
{
    const struct pubkey64 xy = pubkey_to64(key);
    uint8_t serialized[65] = { 0x04 };
    uint8_t mem[25];
    struct writer w = writer_of(mem, sizeof mem);
    memcpy(serialized + 1, xy.b, sizeof xy.b);
    script_write_p2pkh(&w, hash160(BYTES_OF(serialized)));
    return bytes_equal(writer_bytes(&w), script);
}

bool message_verify(bool *header_matches, const struct message_armor *armor, struct err *err)
{
    uint8_t script_mem[42], sig_mem[BASE64_LEN(MESSAGE_SIGNATURE_LEN)];
    struct writer script = writer_of(script_mem, sizeof script_mem);
    struct writer sig = writer_of(sig_mem, sizeof sig_mem);
    const struct hash256 digest = message_digest(armor->text);
    enum addr_format address_format = ADDR_P2PK, header_format;
    struct pubkey key;
    if (!read_address(&address_format, &script, armor->address, err))
        return false;
    if (armor->signature.len > sizeof sig_mem || !base64_read(&sig, armor->signature) ||
        sig.len != MESSAGE_SIGNATURE_LEN)
        return err_set(err, ERR_MALFORMED, "Parsing signature failed - invalid encoding.");
    if (!message_recover(&key, &header_format, writer_bytes(&sig), &digest))
        return err_set(err, ERR_INVALID, "Invalid signature for message.");
    const bool uncompressed_header = sig_mem[0] < headers[0].base;
    if (uncompressed_header && is_script_of_uncompressed(writer_bytes(&script), &key)) {
        *header_matches = true;
        return true;
    }
    if (!is_script_of_key(writer_bytes(&script), &key, address_format))
        return err_set(err, ERR_INVALID, "Invalid signature for message.");
    *header_matches = !uncompressed_header && header_format == address_format;
    return true;
}
