#include "wire/layout.h"
#include "base/reader.h"

// Bytes on the wire of the kinds that are numbers; 0 for others.
static size_t number_width(enum field_kind kind)
{
    switch (kind) {
    case FIELD_U8:
    case FIELD_LEN8:
        return 1;
    case FIELD_LEN16:
        return 2;
    case FIELD_U32:
    case FIELD_LEN32:
        return 4;
    default:
        return 0;
    }
}

static void store_number(const struct field *f, void *member, uint32_t value)
{
    if (f->kind == FIELD_U8) {
        *(uint8_t *)member = (uint8_t)value;
    } else if (f->kind == FIELD_U32) {
        memcpy(member, &value, sizeof value);
    } else { // a length, kept in the bytes that it is for until they are reached
        const struct bytes none = { .len = value };
        memcpy(member, &none, sizeof none);
    }
}

static enum layout_result unpack_number(const struct field *f, void *member, struct reader *r)
{
    struct bytes b;
    uint32_t value = 0;
    if (!reader_take(r, number_width(f->kind), &b))
        return LAYOUT_TOO_SMALL;
    for (size_t i = b.len; i > 0; i--)
        value = value << 8 | b.ptr[i - 1];
    store_number(f, member, value);
    return LAYOUT_OK;
}

static enum layout_result unpack_bytes(const struct field *f, void *member, struct reader *r)
{
    struct bytes b;
    memcpy(&b, member, sizeof b);
    if (!reader_take(r, b.len, &b) || b.len < f->size)
        return LAYOUT_BAD_LENGTH;
    memcpy(member, &b, sizeof b);
    return LAYOUT_OK;
}

static enum layout_result unpack_suffix(const struct field *f, void *member, struct reader *r)
{
    uint8_t len;
    struct bytes b;
    if (reader_done(r))
        return LAYOUT_OK;
    if (!reader_u8(r, &len) || len == 0 || len > f->size || !reader_take(r, len, &b))
        return LAYOUT_BAD_LENGTH;
    memcpy(member, &b, sizeof b);
    return LAYOUT_OK;
}

static enum layout_result unpack_field(const struct field *f, void *member, struct reader *r)
{
    switch (f->kind) {
    case FIELD_END:
        return reader_done(r) ? LAYOUT_OK : LAYOUT_BAD_LENGTH;
    case FIELD_RAW:
        return reader_copy(r, member, f->size) ? LAYOUT_OK : LAYOUT_TOO_SMALL;
    case FIELD_BYTES:
        return unpack_bytes(f, member, r);
    case FIELD_REST: {
        const struct bytes rest = reader_rest(r);
        memcpy(member, &rest, sizeof rest);
        return LAYOUT_OK;
    }
    case FIELD_SUFFIX8:
        return unpack_suffix(f, member, r);
    case FIELD_IF_ANY:
        *(bool *)member = !reader_done(r);
        return LAYOUT_OK;
    case FIELD_IGNORED:
        (void)reader_rest(r);
        return LAYOUT_OK;
    default:
        return unpack_number(f, member, r);
    }
}

enum layout_result layout_unpack(const struct field *fields, void *out, struct bytes args)
{
    struct reader r = reader_of(args);
    for (const struct field *f = fields;; f++) {
        void *member = (uint8_t *)out + f->member;
        const enum layout_result result = unpack_field(f, member, &r);
        if (result != LAYOUT_OK || f->kind == FIELD_END)
            return result;
        if (f->kind == FIELD_IF_ANY && reader_done(&r))
            return LAYOUT_OK;
    }
}

static struct bytes load_bytes(const void *member)
{
    struct bytes b;
    memcpy(&b, member, sizeof b);
    return b;
}

static uint32_t load_number(const struct field *f, const void *member, struct writer *w)
{
    uint32_t value;
    if (f->kind == FIELD_U8)
        return *(const uint8_t *)member;
    if (f->kind == FIELD_U32) {
        memcpy(&value, member, sizeof value);
        return value;
    }
    const size_t len = load_bytes(member).len;
    if (len >> (8 * number_width(f->kind) - 1) > 1)
        w->failed = true; // the length field cannot say it
    return (uint32_t)len;
}

static void pack_number(const struct field *f, const void *member, struct writer *w)
{
    const uint32_t value = load_number(f, member, w);
    for (size_t i = 0; i < number_width(f->kind); i++)
        writer_u8(w, (uint8_t)(value >> (8 * i)));
}

static void pack_bytes(struct bytes b, size_t least, struct writer *w)
{
    if (b.len < least)
        w->failed = true;
    writer_put(w, b);
}

static void pack_suffix(struct bytes b, size_t most, struct writer *w)
{
    if (b.len == 0)
        return;
    if (b.len > most)
        w->failed = true;
    writer_u8(w, (uint8_t)b.len);
    writer_put(w, b);
}

static void pack_field(const struct field *f, const void *member, struct writer *w)
{
    switch (f->kind) {
    case FIELD_END:
    case FIELD_IF_ANY:
    case FIELD_IGNORED:
        return;
    case FIELD_RAW:
        writer_put(w, bytes_of(member, f->size));
        return;
    case FIELD_BYTES:
        pack_bytes(load_bytes(member), f->size, w);
        return;
    case FIELD_REST:
        writer_put(w, load_bytes(member));
        return;
    case FIELD_SUFFIX8:
        pack_suffix(load_bytes(member), f->size, w);
        return;
    default:
        pack_number(f, member, w);
    }
}

void layout_pack(const struct field *fields, const void *in, struct writer *w)
{
    for (const struct field *f = fields; f->kind != FIELD_END; f++) {
        const void *member = (const uint8_t *)in + f->member;
        if (f->kind == FIELD_IF_ANY && !*(const bool *)member)
            return;
        pack_field(f, member, w);
    }
}
