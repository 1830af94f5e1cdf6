#include "wire/host.h"
#include "base/secret.h"

bool host_send(struct host_end *end, struct writer *packets, struct bytes request,
               struct arena *arena)
{
    // "Clients MUST send `ncry` in plaintext."
    const bool encrypted = link_is_open(&end->link) && !bytes_starts_with(request, BYTES("ncry"));
    if (!link_cut(&end->link, LINK_TO_DEVICE, packets, request, encrypted))
        return false;
    end->in = frame_reply_start(arena);
    end->sent_encrypted = encrypted;
    return true;
}

static enum frame_event bad(struct host_end *end, struct err *err, const char *text)
{
    if (text != NULL)
        (void)err_set(err, ERR_FRAMING, "%s", text);
    host_end_wipe(end); // nobody knows any more where the streams are
    return FRAME_BAD;
}

// Item 76: "treat P replies to E requests as errors unless they are `fram`".
static enum frame_event open_reply(struct host_end *end, struct err *err)
{
    struct writer *content = &end->in.content;
    if (end->in.encrypted && !end->sent_encrypted)
        return bad(end, err, "encrypted reply to a plaintext request");
    if (end->in.encrypted) {
        link_apply(&end->link, LINK_TO_HOST, content->ptr, content->len);
    } else if (end->sent_encrypted) {
        if (!bytes_starts_with(writer_bytes(content), BYTES("fram")))
            return bad(end, err, "reply in plaintext to an encrypted request");
        link_wipe(&end->link); // the device did not decrypt, so its stream stands elsewhere
    }
    return FRAME_COMPLETE;
}

enum frame_event host_feed(struct host_end *end, struct bytes packet, struct bytes *out,
                           struct err *err)
{
    const enum frame_event event = frame_reply_feed(&end->in, packet, err);
    if (event == FRAME_BAD)
        return bad(end, err, NULL);
    if (event != FRAME_COMPLETE)
        return event;
    if (open_reply(end, err) == FRAME_BAD)
        return FRAME_BAD;
    *out = writer_bytes(&end->in.content);
    return FRAME_COMPLETE;
}

void host_end_wipe(struct host_end *end)
{
    link_wipe(&end->link);
    wipe(end, sizeof *end);
}
