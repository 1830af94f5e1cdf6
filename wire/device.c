#include "wire/device.h"
#include "base/utf8.h"

static bool is_ncry(struct bytes message)
{
    return bytes_starts_with(message, BYTES("ncry"));
}

// Checks 3 and 4: whether a message may be taken as it comes.
static bool may_come_so(const struct device_end *end, bool bound, struct err *err)
{
    const bool open = link_is_open(&end->link);
    if (bound && !end->in.encrypted) {
        // 4.3: other peers get "`frammust encrypt` for plaintext and `framcrypto already set up`
        // for `ncry`", which they can only send in plaintext.
        const bool stranger = !open && is_ncry(bytes_of(end->in.b, end->in.len));
        return err_set(err, ERR_FRAMING, stranger ? "crypto already set up" : "must encrypt");
    }
    if (end->in.encrypted && !open)
        return err_set(err, ERR_FRAMING, "no key");
    return true;
}

// Checks 3 to 6.
static struct device_input complete(struct device_end *end, bool bound, struct err *err)
{
    struct device_input result = { .event = DEVICE_BAD_FRAMING };
    if (!may_come_so(end, bound, err))
        return result;
    result.encrypted = end->in.encrypted;
    if (end->in.encrypted)
        link_apply(&end->link, LINK_TO_DEVICE, end->in.b, end->in.len);
    if (!utf8_is_valid(bytes_of(end->in.b, CODE_LEN))) {
        (void)err_set(err, ERR_FRAMING, "decode");
        return result;
    }
    result.event = DEVICE_REQUEST;
    result.message = bytes_of(end->in.b, end->in.len);
    return result;
}

struct device_input device_feed(struct device_end *end, struct bytes packet, bool bound,
                                struct err *err)
{
    static const enum device_event events[] = { [FRAME_MORE] = DEVICE_NOTHING,
                                                [FRAME_RESYNC] = DEVICE_RESYNC,
                                                [FRAME_BAD] = DEVICE_BAD_FRAMING };
    const enum frame_event event = frame_request_feed(&end->in, packet, err);
    if (event != FRAME_COMPLETE)
        return (struct device_input){ .event = events[event] };
    const struct device_input result = complete(end, bound, err);
    if (result.event == DEVICE_BAD_FRAMING)
        frame_request_wipe(&end->in);
    return result;
}

bool device_reply(struct device_end *end, struct writer *packets, struct bytes reply,
                  bool encrypted)
{
    return link_cut(&end->link, LINK_TO_HOST, packets, reply, encrypted);
}

void device_request_done(struct device_end *end)
{
    frame_request_wipe(&end->in);
}

void device_end_wipe(struct device_end *end)
{
    link_wipe(&end->link);
    frame_request_wipe(&end->in);
}
