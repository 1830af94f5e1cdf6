#include "wire/frame.h"
#include "base/reader.h"
#include "base/secret.h"

void frame_cut(struct writer *w, struct bytes message, bool encrypted)
{
    static const uint8_t zeros[PACKET_PAYLOAD] = { 0 };
    const unsigned last_flags = encrypted ? FRAME_LAST | FRAME_ENCRYPTED : FRAME_LAST;
    struct reader r = reader_of(message);
    do {
        const struct bytes payload = bytes_slice(r.rest, 0, PACKET_PAYLOAD);
        // "n = 63 for all packets but the last, L and E only on the last"
        const unsigned flags = payload.len == r.rest.len ? last_flags : 0;
        r.rest = bytes_slice(r.rest, payload.len, SIZE_MAX);
        writer_u8(w, (uint8_t)(flags | payload.len));
        writer_put(w, payload);
        writer_put(w, bytes_slice(BYTES_OF(zeros), payload.len, SIZE_MAX));
    } while (!reader_done(&r));
}

void frame_cut_resync(struct writer *w)
{
    writer_u8(w, FRAME_LAST);
    for (size_t i = 0; i < PACKET_PAYLOAD; i++)
        writer_u8(w, 0xff);
}

// The framing byte and the payload of a packet that has 64 bytes.
static uint8_t split(struct bytes packet, struct bytes *payload)
{
    const uint8_t framing = packet.ptr[0];
    *payload = bytes_slice(packet, 1, framing & FRAME_COUNT);
    return framing;
}

void frame_request_wipe(struct frame_request *in)
{
    wipe(in, sizeof *in);
}

static enum frame_event bad_request(struct frame_request *in, const char *reason, struct err *err)
{
    frame_request_wipe(in); // "A framing error also drops the partial message"
    (void)err_set(err, ERR_FRAMING, "%s", reason);
    return FRAME_BAD;
}

enum frame_event frame_request_feed(struct frame_request *in, struct bytes packet, struct err *err)
{
    if (in->complete)
        frame_request_wipe(in);
    if (packet.len != PACKET_LEN)
        return bad_request(in, packet.len < PACKET_LEN ? "short" : "long", err);
    struct bytes payload;
    const uint8_t framing = split(packet, &payload);
    if (payload.len == 0) {
        frame_request_wipe(in); // "00, 40, 80, C0 all behave the same"
        return FRAME_RESYNC;
    }
    if (payload.len > sizeof in->b - in->len)
        return bad_request(in, "xlong", err);
    memcpy(in->b + in->len, payload.ptr, payload.len);
    in->len += payload.len;
    if (!(framing & FRAME_LAST))
        return FRAME_MORE;
    if (in->len < CODE_LEN)
        return bad_request(in, "badsz", err);
    in->encrypted = (framing & FRAME_ENCRYPTED) != 0;
    in->complete = true;
    return FRAME_COMPLETE;
}

struct frame_reply frame_reply_start(struct arena *arena)
{
    return (struct frame_reply){ .content = writer_growing(arena, REPLY_MAX) };
}

static enum frame_event bad_reply(struct err *err, enum err_code code, const char *text)
{
    (void)err_set(err, code, "%s", text);
    return FRAME_BAD;
}

// "Firmware before 5.3 sent framing errors in one packet without the L bit, with the reason padded
// by spaces". Only print can be one: the ciphertext of a long reply can start with these letters.
static bool is_old_framing_error(const struct frame_reply *in, struct bytes payload)
{
    return in->content.len == 0 && bytes_starts_with(payload, BYTES("fram")) &&
           bytes_is_printable_ascii(payload);
}

static enum frame_event reply_complete(struct frame_reply *in, bool encrypted, struct err *err)
{
    if (in->content.len < CODE_LEN)
        return bad_reply(err, ERR_FRAMING, "reply shorter than its code");
    in->encrypted = encrypted;
    in->complete = true;
    return FRAME_COMPLETE;
}

enum frame_event frame_reply_feed(struct frame_reply *in, struct bytes packet, struct err *err)
{
    if (in->complete || in->content.arena == NULL)
        return bad_reply(err, ERR_FRAMING, "reply without a request");
    if (packet.len != PACKET_LEN)
        return bad_reply(err, ERR_FRAMING, "packet is not 64 bytes long");
    struct bytes payload;
    const uint8_t framing = split(packet, &payload);
    if (payload.len == 0)
        return bad_reply(err, ERR_FRAMING, "packet without payload");
    if (payload.len > REPLY_MAX - in->content.len)
        return bad_reply(err, ERR_LIMIT, "reply longer than 1048576 bytes");
    const bool old_error = is_old_framing_error(in, payload);
    writer_put(&in->content, payload);
    if (in->content.failed)
        return bad_reply(err, ERR_NO_MEMORY, "no memory for the reply");
    if (framing & FRAME_LAST)
        return reply_complete(in, (framing & FRAME_ENCRYPTED) != 0, err);
    return old_error ? reply_complete(in, false, err) : FRAME_MORE;
}
