// bitcoin/script.c
#include "bitcoin/script.h"
#include "base/require.h"

enum opcode {
    OP_0 = 0x00,
    OP_PUSHDATA1 = 0x4c,
    OP_PUSHDATA2 = 0x4d,
    OP_PUSHDATA4 = 0x4e,
    OP_1NEGATE = 0x4f,
    OP_1 = 0x51,
    OP_16 = 0x60,
    OP_CHECKMULTISIG = 0xae,
};

// A script of fixed length: constant bytes around a payload.
struct template
{
    enum script_kind kind;
    struct bytes before;
    size_t payload_len;
    struct bytes after;
};

// Lengths and bytes are those of psbt-signing 4.3; taproot and OP_RETURN are not of this shape.
static const struct template templates[] = {
    { SCRIPT_P2WPKH, { (const uint8_t *)"\x00\x14", 2 }, 20, { NULL, 0 } },
    { SCRIPT_P2WSH, { (const uint8_t *)"\x00\x20", 2 }, 32, { NULL, 0 } },
    { SCRIPT_P2PKH,
      { (const uint8_t *)"\x76\xa9\x14", 3 },
      20,
      { (const uint8_t *)"\x88\xac", 2 } },
    { SCRIPT_P2SH, { (const uint8_t *)"\xa9\x14", 2 }, 20, { (const uint8_t *)"\x87", 1 } },
    { SCRIPT_P2PK, { (const uint8_t *)"\x21", 1 }, 33, { (const uint8_t *)"\xac", 1 } },
    { SCRIPT_P2PK, { (const uint8_t *)"\x41", 1 }, 65, { (const uint8_t *)"\xac", 1 } },
};

static bool matches(struct bytes script, const struct template *t)
{
    const size_t tail = t->before.len + t->payload_len;
    return script.len == tail + t->after.len && bytes_starts_with(script, t->before) &&
           bytes_equal(bytes_slice(script, tail, t->after.len), t->after);
}

static const struct template *find_template(struct bytes script)
{
    for (size_t i = 0; i < COUNT(templates); i++)
        if (matches(script, &templates[i]))
            return &templates[i];
    return NULL;
}

// Psbt-signing 4.3: "34 bytes, first byte 0x51 to 0x60, second 0x20. Any segwit version from 1 to 16
// with a 32-byte program lands here"
static bool is_taproot(struct bytes script)
{
    return script.len == 34 && script.ptr[0] >= OP_1 && script.ptr[0] <= OP_16 &&
           script.ptr[1] == 32;
}

enum script_kind script_classify(struct bytes script)
{
    if (is_taproot(script))
        return SCRIPT_P2TR;
    const struct template *t = find_template(script);
    if (t != NULL)
        return t->kind;
    return script.len > 0 && script.ptr[0] == 0x6a ? SCRIPT_OP_RETURN : SCRIPT_UNKNOWN;
}

struct bytes script_payload(struct bytes script, enum script_kind kind)
{
    if (kind == SCRIPT_P2TR && is_taproot(script))
        return bytes_slice(script, 2, 32);
    const struct template *t = find_template(script);
    if (t == NULL || t->kind != kind)
        return (struct bytes){ 0 };
    return bytes_slice(script, t->before.len, t->payload_len);
}

static void write_template(struct writer *w, enum script_kind kind, struct bytes payload)
{
    size_t i = 0;
    while (templates[i].kind != kind)
        i++;
    REQUIRE(payload.len == templates[i].payload_len);
    writer_put(w, templates[i].before);
    writer_put(w, payload);
    writer_put(w, templates[i].after);
}

void script_write_p2pkh(struct writer *w, struct hash160 key_hash)
{
    write_template(w, SCRIPT_P2PKH, BYTES_OF(key_hash.b));
}

void script_write_p2wpkh(struct writer *w, struct hash160 key_hash)
{
    write_template(w, SCRIPT_P2WPKH, BYTES_OF(key_hash.b));
}

void script_write_p2sh(struct writer *w, struct hash160 script_hash)
{
    write_template(w, SCRIPT_P2SH, BYTES_OF(script_hash.b));
}

void script_write_p2wsh(struct writer *w, struct hash256 script_hash)
{
    write_template(w, SCRIPT_P2WSH, BYTES_OF(script_hash.b));
}

// BIP-62 rule 3: one byte that an opcode stands for is that opcode; else the shortest length form.
void script_write_push(struct writer *w, struct bytes data)
{
    if (data.len == 1 && data.ptr[0] >= 1 && data.ptr[0] <= 16) {
        writer_u8(w, (uint8_t)(OP_1 - 1 + data.ptr[0]));
        return;
    }
    if (data.len == 1 && data.ptr[0] == 0x81) {
        writer_u8(w, OP_1NEGATE);
        return;
    }
    if (data.len < OP_PUSHDATA1) { // OP_0 is the push of no bytes
        writer_u8(w, (uint8_t)data.len);
    } else if (data.len <= UINT8_MAX) {
        writer_u8(w, OP_PUSHDATA1);
        writer_u8(w, (uint8_t)data.len);
    } else if (data.len <= UINT16_MAX) {
        writer_u8(w, OP_PUSHDATA2);
        writer_u16le(w, (uint16_t)data.len);
    } else {
        REQUIRE(data.len <= UINT32_MAX);
        writer_u8(w, OP_PUSHDATA4);
        writer_u32le(w, (uint32_t)data.len);
    }
    writer_put(w, data);
}

// From 17 on a number that small is pushed as a byte, which script_write_push does.
static void write_small_number(struct writer *w, size_t value)
{
    const uint8_t byte = (uint8_t)value;
    script_write_push(w, bytes_of(&byte, 1));
}

void script_write_multisig(struct writer *w, size_t m, const struct bytes *keys, size_t n)
{
    REQUIRE(m >= 1 && m <= n && n <= SCRIPT_MULTISIG_KEYS_MAX);
    write_small_number(w, m);
    for (size_t i = 0; i < n; i++)
        script_write_push(w, keys[i]);
    write_small_number(w, n);
    writer_u8(w, OP_CHECKMULTISIG);
}

// BIP-67: "Sort the public keys lexicographically according to their binary representation"
void script_sort_keys(struct bytes *keys, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        const struct bytes key = keys[i];
        size_t at = i;
        for (; at > 0 && bytes_compare(keys[at - 1], key) > 0; at--)
            keys[at] = keys[at - 1];
        keys[at] = key;
    }
}
