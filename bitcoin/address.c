// bitcoin/address.c
#include "bitcoin/address.h"
#include "base/reader.h"
#include "bitcoin/base58.h"
#include "bitcoin/bech32.h"
#include "bitcoin/taproot.h"
#include <string.h>

#define BASE58_ADDRESS_MAX 39 // policy 4.1: "shorter than 40 characters (so extended keys are out)"

static const struct {
    enum addr_format format;
    const char *name;
} formats[] = {
    { ADDR_P2PK, "p2pk" },
    { ADDR_P2PKH, "p2pkh" },
    { ADDR_P2WPKH, "p2wpkh" },
    { ADDR_P2SH, "p2sh" },
    { ADDR_P2WSH, "p2wsh" },
    { ADDR_P2SH_P2WPKH, "p2sh-p2wpkh" },
    { ADDR_P2SH_P2WSH, "p2sh-p2wsh" },
    { ADDR_P2TR, "p2tr" },
    // Read only: the first name of a format is the one that is written.
    { ADDR_P2SH_P2WPKH, "p2wpkh-p2sh" },
    { ADDR_P2SH_P2WSH, "p2wsh-p2sh" },
};

const char *addr_format_name(enum addr_format format)
{
    for (size_t i = 0; i < COUNT(formats); i++)
        if (formats[i].format == format)
            return formats[i].name;
    return "unknown";
}

bool addr_format_from_name(enum addr_format *out, struct bytes name)
{
    for (size_t i = 0; i < COUNT(formats); i++)
        if (bytes_equal_text(name, formats[i].name)) {
            *out = formats[i].format;
            return true;
        }
    return false;
}

static void write_base58(struct writer *w, uint8_t version, struct bytes hash)
{
    uint8_t mem[1 + 20];
    struct writer content = writer_of(mem, sizeof mem);
    writer_u8(&content, version);
    writer_put(&content, hash);
    base58check_write(w, writer_bytes(&content));
}

static void write_segwit(struct writer *w, const char *hrp, unsigned version, struct bytes program)
{
    struct segwit_program p = { .version = version, .len = program.len };
    memcpy(p.program, program.ptr, program.len);
    segwit_write(w, hrp, &p);
}

bool address_from_script(struct writer *w, struct bytes script, const struct chain *chain)
{
    const enum script_kind kind = script_classify(script);
    const struct bytes payload = script_payload(script, kind);
    switch (kind) {
    case SCRIPT_P2PKH:
        write_base58(w, chain->p2pkh_version, payload);
        return true;
    case SCRIPT_P2SH:
        write_base58(w, chain->p2sh_version, payload);
        return true;
    case SCRIPT_P2WPKH:
    case SCRIPT_P2WSH:
        write_segwit(w, chain->hrp, 0, payload);
        return true;
    case SCRIPT_P2TR: // OP_1 to OP_16 stand for the versions
        write_segwit(w, chain->hrp, script.ptr[0] - 0x50u, payload);
        return true;
    case SCRIPT_P2PK:
    case SCRIPT_OP_RETURN:
    case SCRIPT_UNKNOWN:
        break;
    }
    return false;
}

void address_or_hex(struct writer *w, struct bytes script, const struct chain *chain)
{
    if (!address_from_script(w, script, chain))
        writer_hex(w, script);
}

static bool write_taproot(struct writer *w, const struct pubkey *key, struct err *err)
{
    uint8_t output_key[XONLY_LEN];
    if (!taproot_output_key(output_key, key->b + 1))
        return err_set(err, ERR_INVALID, "key cannot be tweaked");
    writer_u8(w, 0x51);
    script_write_push(w, BYTES_OF(output_key));
    return true;
}

static void write_wrapped(struct writer *w, struct hash160 key_hash)
{
    uint8_t mem[22];
    struct writer redeem = writer_of(mem, sizeof mem);
    script_write_p2wpkh(&redeem, key_hash);
    script_write_p2sh(w, hash160(writer_bytes(&redeem)));
}

bool address_script_of_key(struct writer *w, const struct pubkey *key, enum addr_format format,
                           struct err *err)
{
    const struct hash160 key_hash = hash160(BYTES_OF(key->b));
    switch (format) {
    case ADDR_P2PKH:
        script_write_p2pkh(w, key_hash);
        return true;
    case ADDR_P2WPKH:
        script_write_p2wpkh(w, key_hash);
        return true;
    case ADDR_P2SH_P2WPKH:
        write_wrapped(w, key_hash);
        return true;
    case ADDR_P2TR:
        return write_taproot(w, key, err);
    case ADDR_P2PK:
    case ADDR_P2SH:
    case ADDR_P2WSH:
    case ADDR_P2SH_P2WSH:
        break;
    }
    return err_set(err, ERR_UNSUPPORTED, "not an address format of one key");
}

static void write_wrapped_p2wsh(struct writer *w, struct bytes inner)
{
    uint8_t mem[34];
    struct writer redeem = writer_of(mem, sizeof mem);
    script_write_p2wsh(&redeem, sha256(inner));
    script_write_p2sh(w, hash160(writer_bytes(&redeem)));
}

bool address_script_of_script(struct writer *w, struct bytes inner, enum addr_format format,
                              struct err *err)
{
    switch (format) {
    case ADDR_P2SH:
        script_write_p2sh(w, hash160(inner));
        return true;
    case ADDR_P2WSH:
        script_write_p2wsh(w, sha256(inner));
        return true;
    case ADDR_P2SH_P2WSH:
        write_wrapped_p2wsh(w, inner);
        return true;
    case ADDR_P2PK:
    case ADDR_P2PKH:
    case ADDR_P2WPKH:
    case ADDR_P2SH_P2WPKH:
    case ADDR_P2TR:
        break;
    }
    return err_set(err, ERR_UNSUPPORTED, "not an address format of a script");
}

static bool read_base58(struct writer *w, struct bytes text)
{
    return text.len <= BASE58_ADDRESS_MAX && base58check_read(w, text);
}

bool address_clean(struct writer *w, struct bytes text)
{
    uint8_t mem[BASE58_TEXT_MAX];
    struct writer payload = writer_of(mem, sizeof mem);
    struct segwit_program program;
    struct bytes hrp;
    if (read_base58(&payload, text)) {
        writer_put(w, text);
        return true;
    }
    if (!segwit_read(&program, &hrp, text))
        return false;
    // All of the text is of one case and printable.
    for (size_t i = 0; i < text.len; i++) {
        const uint8_t c = text.ptr[i];
        writer_u8(w, c >= 'A' && c <= 'Z' ? (uint8_t)(c - 'A' + 'a') : c);
    }
    return true;
}

static bool script_of_base58(struct writer *w, struct bytes text, const struct chain *chain)
{
    uint8_t mem[BASE58_TEXT_MAX];
    struct writer payload = writer_of(mem, sizeof mem);
    struct hash160 hash;
    uint8_t version;
    if (!read_base58(&payload, text))
        return false;
    struct reader r = reader_of(writer_bytes(&payload));
    if (!reader_u8(&r, &version) || !reader_copy(&r, hash.b, sizeof hash.b) || !reader_done(&r))
        return false;
    if (version == chain->p2pkh_version)
        script_write_p2pkh(w, hash);
    else if (version == chain->p2sh_version)
        script_write_p2sh(w, hash);
    else
        return false;
    return true;
}

static bool equals_lowered(struct bytes text, const char *lower)
{
    if (text.len != strlen(lower))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        const uint8_t c = text.ptr[i];
        if ((c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c) != lower[i])
            return false;
    }
    return true;
}

static bool script_of_segwit(struct writer *w, struct bytes text, const struct chain *chain)
{
    struct segwit_program p;
    struct bytes hrp;
    if (!segwit_read(&p, &hrp, text) || !equals_lowered(hrp, chain->hrp))
        return false;
    writer_u8(w, (uint8_t)(p.version == 0 ? 0 : 0x50 + p.version));
    script_write_push(w, bytes_of(p.program, p.len));
    return true;
}

bool address_to_script(struct writer *w, struct bytes text, const struct chain *chain,
                       struct err *err)
{
    if (script_of_base58(w, text, chain) || script_of_segwit(w, text, chain))
        return true;
    // An address never is that long; what is shown of other texts is cut.
    const struct bytes shown = bytes_slice(text, 0, ADDRESS_TEXT_MAX);
    if (!bytes_is_printable_ascii(shown))
        return err_set(err, ERR_MALFORMED, "not an address of %s", chain->name);
    return err_set(err, ERR_MALFORMED, "%.*s: not an address of %s", BYTES_ARG(shown), chain->name);
}
