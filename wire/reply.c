#include "wire/reply.h"
#include "base/reader.h"
#include "base/require.h"
#include "base/utf8.h"
#include "wire/layout.h"

// clang-format off
#define FIELD(kind, member, size) { (kind), offsetof(struct reply, member), (size) }
#define END                       { FIELD_END, 0, 0 }
// clang-format on
#define U32(member)     FIELD(FIELD_U32, member, 0)
#define LEN32(member)   FIELD(FIELD_LEN32, member, 0)
#define REST(member)    FIELD(FIELD_REST, member, 0)
#define CONTENT(member) FIELD(FIELD_BYTES, member, 0)
#define RAW(member)     FIELD(FIELD_RAW, member, sizeof((struct reply *)0)->member)

static const struct field nothing[] = { END };
static const struct field only_data[] = { REST(data), END };
static const struct field int1[] = { U32(number[0]), END };
static const struct field int2[] = { U32(number[0]), U32(number[1]), END };
static const struct field int3[] = { U32(number[0]), U32(number[1]), U32(number[2]), END };
static const struct field mypb[] = { RAW(mypb.device), RAW(mypb.xfp), LEN32(mypb.xpub),
                                     CONTENT(mypb.xpub), END };
static const struct field smrx[] = { LEN32(smrx.address), CONTENT(smrx.address),
                                     RAW(smrx.signature), END };
static const struct field strx[] = { U32(strx.length), RAW(strx.sha), END };

static const struct {
    char code[CODE_LEN + 1];
    const struct field *fields;
} table[REPLY_COUNT] = {
    [REPLY_OKAY] = { "okay", nothing }, // "must be exactly 4 bytes (the client asserts it)"
    [REPLY_FRAM] = { "fram", only_data }, [REPLY_ERR_] = { "err_", only_data },
    [REPLY_REFU] = { "refu", nothing },   [REPLY_BUSY] = { "busy", nothing },
    [REPLY_BINY] = { "biny", only_data }, [REPLY_INT1] = { "int1", int1 },
    [REPLY_INT2] = { "int2", int2 },      [REPLY_INT3] = { "int3", int3 },
    [REPLY_MYPB] = { "mypb", mypb },      [REPLY_ASCI] = { "asci", only_data },
    [REPLY_SMRX] = { "smrx", smrx },      [REPLY_STRX] = { "strx", strx },
};

const char *reply_code(enum reply_id id)
{
    REQUIRE(id > REPLY_NONE && id < REPLY_COUNT);
    return table[id].code;
}

struct reply reply_error(struct bytes text, bool immediate)
{
    return (struct reply){ .id = REPLY_ERR_,
                           .data = immediate ? utf8_cut(text, REPLY_IMMEDIATE_MAX) : text };
}

static bool is_ascii(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] > 0x7f)
            return false;
    return true;
}

void reply_pack(struct writer *w, const struct reply *reply)
{
    writer_text(w, reply_code(reply->id));
    layout_pack(table[reply->id].fields, reply, w);
    // "Python decodes strict ASCII"
    if (reply->id == REPLY_ASCI && !is_ascii(reply->data))
        w->failed = true;
}

static enum reply_id id_of(struct bytes code)
{
    for (enum reply_id id = REPLY_NONE + 1; id < REPLY_COUNT; id++)
        if (bytes_equal_text(code, table[id].code))
            return id;
    return REPLY_NONE;
}

// Text of the other side, for a terminal: what is not print comes as `?`.
struct shown {
    char text[ERR_TEXT_MAX];
};

static struct shown show(struct bytes text)
{
    struct shown s = { { 0 } };
    for (size_t i = 0; i < text.len && i < sizeof s.text - 1; i++) {
        const uint8_t c = text.ptr[i];
        s.text[i] = c == '\n' || (c >= 0x20 && c <= 0x7e) ? (char)c : '?';
    }
    return s;
}

// "with the reason padded by spaces to 59 characters"
static struct bytes without_blanks_behind(struct bytes text)
{
    while (text.len > 0 && text.ptr[text.len - 1] == ' ')
        text.len--;
    return text;
}

bool reply_unpack(struct reply *out, struct bytes message, struct err *err)
{
    struct reply reply;
    memset(&reply, 0, sizeof reply); // the union as a whole
    if (message.len < CODE_LEN)
        return err_set(err, ERR_FRAMING, "reply of %zu bytes", message.len);
    const struct bytes code = bytes_slice(message, 0, CODE_LEN);
    reply.id = id_of(code);
    if (reply.id == REPLY_NONE)
        return err_set(err, ERR_FRAMING, "Unknown response signature: '%s'", show(code).text);
    const struct bytes rest = bytes_slice(message, CODE_LEN, SIZE_MAX);
    if (layout_unpack(table[reply.id].fields, &reply, rest) != LAYOUT_OK)
        return err_set(err, ERR_FRAMING, "%s: wrong length", reply_code(reply.id));
    if (reply.id == REPLY_ASCI && !utf8_is_valid(reply.data))
        return err_set(err, ERR_FRAMING, "asci: not UTF-8");
    if (reply.id == REPLY_FRAM)
        reply.data = without_blanks_behind(reply.data);
    *out = reply;
    return true;
}

bool reply_is_success(const struct reply *reply, struct err *err)
{
    switch (reply->id) {
    case REPLY_FRAM:
        return err_set(err, ERR_FRAMING, "Framing Error: %s", show(reply->data).text);
    case REPLY_ERR_:
        return err_set(err, ERR_INVALID, "Coldcard Error: %s", show(reply->data).text);
    case REPLY_REFU:
        return err_set(err, ERR_REFUSED, "You refused permission to do the operation");
    case REPLY_BUSY:
        return err_set(err, ERR_BUSY, "Coldcard is handling another request right now");
    default:
        return true;
    }
}

bool reply_expect(struct reply *out, enum reply_id id, struct bytes message, struct err *err)
{
    if (!reply_unpack(out, message, err) || !reply_is_success(out, err))
        return false;
    if (out->id != id)
        return err_set(err, ERR_FRAMING, "expected %s, got %s", reply_code(id),
                       reply_code(out->id));
    return true;
}
