#include "client/connection.h"
#include "base/hex.h"
#include "base/require.h"
#include "base/secret.h"
#include "client/socket_transport.h"
#include "wire/host.h"

#define DRAIN_MS    1 // "drain everything readable (1 ms timeout)"
#define DRAIN_MAX   4096
#define SCRATCH_MAX ((size_t)4 * REPLY_MAX)
#define XPUB_MAX    128
#define NO_REPLY    "no reply from the device within %d s"
#define PACKETS_MAX ((REQUEST_MAX + PACKET_PAYLOAD - 1) / PACKET_PAYLOAD * PACKET_LEN)

struct connection {
    struct transport *transport; // NULL: over
    struct signer_link *link;    // this, whose messages are whole and in the clear for us
    struct host_end end;
    struct arena *scratch; // replies that the caller has no arena for
    int reply_ms;
    bool lost; // see (2)
    struct connection_trace trace;
    struct connection_identity identity;
    char xpub[XPUB_MAX], serial[SERIAL_TEXT_SIZE];
};

void connection_init(void)
{
    crypto_init();
}

void connection_close(struct connection *c)
{
    if (c == NULL)
        return;
    transport_free(c->transport);
    signer_link_free(c->link);
    host_end_wipe(&c->end);
    arena_free(c->scratch);
    wipe(c, sizeof *c);
    free(c);
}

void connection_closep(struct connection **c)
{
    connection_close(*c);
    *c = NULL;
}

const struct connection_identity *connection_identity(const struct connection *c)
{
    return &c->identity;
}

const struct link_state *connection_link_state(const struct connection *c)
{
    return c->link != NULL ? signer_link_state(c->link) : NULL;
}

bool connection_pause(const struct connection *c, int ms, struct err *err)
{
    return c->link != NULL ? signer_link_pause(c->link, ms, err)
                           : wait_pause(ms, c->transport->cancel_fd, err);
}

// --- One request and its reply ---

static bool send_packets(struct connection *c, struct bytes packets, struct err *err)
{
    const struct transport_ops *ops = c->transport->ops;
    if (ops->send_all != NULL)
        return ops->send_all(c->transport, packets, err);
    for (; packets.len > 0; packets = bytes_slice(packets, PACKET_LEN, SIZE_MAX))
        if (!ops->send(c->transport, bytes_slice(packets, 0, PACKET_LEN), err))
            return false;
    return true;
}

static bool receive_message(struct connection *c, struct bytes *out, int reply_ms, struct err *err)
{
    const struct transport_ops *ops = c->transport->ops;
    enum frame_event event;
    do {
        struct bytes packet;
        if (!ops->receive(c->transport, &packet, reply_ms, err))
            return err->code == ERR_TIMEOUT ? err_set(err, ERR_TIMEOUT, NO_REPLY, reply_ms / 1000)
                                            : false;
        event = host_feed(&c->end, packet, out, err);
    } while (event == FRAME_MORE);
    return event == FRAME_COMPLETE;
}

// Arguments can be secret: both copies are wiped.
struct outgoing {
    uint8_t message[REQUEST_MAX];
    uint8_t packets[PACKETS_MAX];
};

static void outgoing_wipe(struct outgoing *out)
{
    wipe(out, sizeof *out);
}

static void trace(const struct connection *c, const struct request *request, bool sent,
                  struct bytes message)
{
    if (c->trace.message == NULL)
        return;
    const bool is_secret = request_info(request->id)->secret && message.len > CODE_LEN;
    const struct bytes shown = is_secret ? bytes_slice(message, 0, CODE_LEN) : message;
    c->trace.message(c->trace.context, sent, shown, message.len - shown.len,
                     c->link != NULL || link_is_open(&c->end.link));
}

static bool carry_packets(struct connection *c, struct outgoing *mem, struct bytes message,
                          struct bytes *reply, struct arena *arena, int reply_ms, struct err *err)
{
    struct writer w = writer_of(mem->packets, sizeof mem->packets);
    // Who was told to stop meanwhile, or sleeping, begins nothing more, and the session stays whole.
    if (!wait_pause(0, c->transport->cancel_fd, err))
        return false;
    REQUIRE(host_send(&c->end, &w, message, arena)); // there is room for the longest request
    const bool opened = link_is_open(&c->end.link);
    c->lost = true; // until the reply is whole
    if (!send_packets(c, writer_bytes(&w), err) || !receive_message(c, reply, reply_ms, err))
        return false;
    c->lost = opened && !link_is_open(&c->end.link); // a `fram` in the clear: wire/host.h (2)
    return true;
}

static bool carry_link(struct connection *c, struct bytes message, struct bytes *reply,
                       struct arena *arena, int reply_ms, struct err *err)
{
    struct bytes borrowed;
    c->lost = true; // until the reply is whole
    if (!signer_link_exchange(c->link, message, &borrowed, reply_ms, err))
        return err->code == ERR_TIMEOUT ? err_set(err, ERR_TIMEOUT, NO_REPLY, reply_ms / 1000)
                                        : false;
    if (bytes_equal_text(borrowed, "err_" LINK_NO_DEVICE))
        return err_set(err, ERR_NOT_FOUND, LINK_NO_DEVICE);
    if (!arena_copy(arena, borrowed, reply))
        return err_set(err, ERR_NO_MEMORY, "no memory for a reply of %zu bytes", borrowed.len);
    c->lost = false;
    return true;
}

// One message there and one back.
static bool carry(struct connection *c, struct outgoing *mem, struct bytes message,
                  struct bytes *reply, struct arena *arena, int reply_ms, struct err *err)
{
    if (arena == NULL)
        arena = c->scratch;
    return c->link != NULL ? carry_link(c, message, reply, arena, reply_ms, err)
                           : carry_packets(c, mem, message, reply, arena, reply_ms, err);
}

static bool is_usable(struct connection *c, struct err *err)
{
    arena_reset(c->scratch);
    return !c->lost || err_set(err, ERR_FRAMING, "the session with the device is lost");
}

static bool exchange(struct connection *c, struct reply *out, const struct request *request,
                     struct arena *arena, int reply_ms, struct err *err)
{
    AUTO(outgoing_wipe) struct outgoing mem;
    struct writer w = writer_of(mem.message, sizeof mem.message);
    struct bytes packed, message = { 0 };
    *out = (struct reply){ .id = REPLY_NONE };
    if (!is_usable(c, err))
        return false;
    request_pack(&w, request);
    if (!writer_finish(&w, &packed))
        return err_set(err, ERR_LIMIT, "%s: arguments too long", request_info(request->id)->code);
    trace(c, request, true, packed);
    if (!carry(c, &mem, packed, &message, arena, reply_ms, err))
        return false;
    trace(c, request, false, message);
    return reply_unpack(out, message, err) && reply_is_success(out, err);
}

bool connection_relay(struct connection *c, struct bytes message, struct bytes *reply,
                      struct arena *arena, struct err *err)
{
    AUTO(outgoing_wipe) struct outgoing mem;
    REQUIRE(message.len >= CODE_LEN && message.len <= REQUEST_MAX);
    return is_usable(c, err) && carry(c, &mem, message, reply, arena, c->reply_ms, err);
}

bool connection_exchange(struct connection *c, struct reply *out, const struct request *request,
                         struct arena *arena, struct err *err)
{
    return exchange(c, out, request, arena, c->reply_ms, err);
}

static bool is_kind(const struct reply *reply, enum reply_id expected, struct err *err)
{
    return reply->id == expected || err_set(err, ERR_FRAMING, "expected %s, got %s",
                                            reply_code(expected), reply_code(reply->id));
}

bool connection_call(struct connection *c, struct reply *out, enum reply_id expected,
                     const struct request *request, struct arena *arena, struct err *err)
{
    return exchange(c, out, request, arena, c->reply_ms, err) && is_kind(out, expected, err);
}

bool connection_prove(struct connection *c, const struct pubkey *master, struct err *err)
{
    const struct request request = { .id = REQUEST_MITM };
    const int patience_ms = c->reply_ms < CONNECTION_REPLY_MS ? c->reply_ms : CONNECTION_PROOF_MS;
    struct reply reply;
    if (c->link != NULL)
        return err_set(err, ERR_UNSUPPORTED, "a signer link cannot prove the device's key");
    return exchange(c, &reply, &request, NULL, patience_ms, err) &&
           is_kind(&reply, REPLY_BINY, err) && link_verify(&c->end.link, reply.data, master, err);
}

// --- Opening ---

// Packets that an earlier client did not fetch. A device that never stops sending is none.
static bool drain(struct connection *c, struct err *err)
{
    for (size_t i = 0; i < DRAIN_MAX; i++) {
        struct bytes packet;
        struct err end;
        if (!c->transport->ops->receive(c->transport, &packet, DRAIN_MS, &end)) {
            *err = end;
            return end.code == ERR_TIMEOUT;
        }
    }
    return err_set(err, ERR_FRAMING, "the device does not stop sending");
}

static bool resync(struct connection *c, struct err *err)
{
    uint8_t mem[PACKET_LEN];
    struct writer w = writer_of(mem, sizeof mem);
    frame_cut_resync(&w);
    return drain(c, err) && send_packets(c, writer_bytes(&w), err) && drain(c, err);
}

static bool keep_xpub(struct connection *c, struct bytes xpub, const char *what, struct err *err)
{
    if (xpub.len >= sizeof c->xpub || !bytes_is_printable_ascii(xpub))
        return err_set(err, ERR_FRAMING, "%s: not an extended public key", what);
    if (xpub.len > 0)
        memcpy(c->xpub, xpub.ptr, xpub.len);
    c->identity.has_seed = xpub.len > 0;
    return true;
}

static bool take_identity(struct connection *c, const struct reply *mypb, struct err *err)
{
    memcpy(c->identity.xfp, mypb->mypb.xfp, sizeof c->identity.xfp);
    return keep_xpub(c, mypb->mypb.xpub, "mypb", err);
}

static bool start_session(struct connection *c, uint32_t version, struct err *err)
{
    AUTO(seckey_wipe) struct seckey own = { 0 };
    struct reply reply;
    seckey_generate(&own);
    const struct request request = { .id = REQUEST_NCRY,
                                     .ncry = { .version = version, .client = link_public(&own) } };
    if (!connection_call(c, &reply, REPLY_MYPB, &request, NULL, err) ||
        !take_identity(c, &reply, err))
        return false;
    if (!link_open(&c->end.link, &own, &reply.mypb.device, version, err))
        return err_set(err, ERR_FRAMING, "mypb: the device's key is no point of the curve");
    return true;
}

// The device of a link says who it is through the bunker.
static bool ask_identity(struct connection *c, const char *pin_xpub, struct err *err)
{
    const struct request request = { .id = REQUEST_XPUB, .data = BYTES("m") };
    const struct link_state *state = signer_link_state(c->link);
    struct reply reply;
    if (state->serial[0] == '\0')
        return err_set(err, ERR_NOT_FOUND, LINK_NO_DEVICE);
    memcpy(c->serial, state->serial, sizeof c->serial);
    c->identity.serial = c->serial;
    if (state->xfp[0] != '\0') {
        REQUIRE(hex_decode(c->identity.xfp, sizeof c->identity.xfp, bytes_of_text(state->xfp)));
        if (!connection_call(c, &reply, REPLY_ASCI, &request, NULL, err) ||
            !keep_xpub(c, reply.data, "xpub", err))
            return false;
    }
    return pin_xpub == NULL || strcmp(pin_xpub, c->xpub) == 0 ||
           err_set(err, ERR_AUTH, "the device's key is not the pinned one");
}

static bool open_link(struct connection *c, const struct connection_options *options,
                      struct err *err)
{
    c->identity.transport = "link";
    return signer_link_open(&c->link, options->link, options->cancel_fd, err) &&
           ask_identity(c, options->link->pin_xpub, err);
}

static bool open_transport(struct connection *c, const struct connection_options *options,
                           struct err *err)
{
    const bool ok =
        options->socket_path != NULL
            ? socket_transport_open(&c->transport, options->socket_path, options->cancel_fd, err)
            : hid_transport_open(&c->transport, &options->usb, options->cancel_fd, err);
    if (!ok)
        return false;
    c->identity.transport = c->transport->ops->name;
    c->identity.serial = c->transport->serial;
    return resync(c, err) && (options->plaintext ||
                              start_session(c, options->ncry != 0 ? options->ncry : LINK_V1, err));
}

bool connection_open(struct connection **out, const struct connection_options *options,
                     struct err *err)
{
    const int usual_ms = options->link != NULL ? CONNECTION_LINK_MS : CONNECTION_REPLY_MS;
    AUTO(connection_closep) struct connection *c = calloc(1, sizeof *c);
    REQUIRE(c != NULL);
    c->scratch = arena_new(SCRATCH_MAX);
    c->trace = options->trace;
    c->reply_ms = options->reply_ms > 0 ? options->reply_ms : usual_ms;
    c->identity.xpub = c->xpub;
    if (options->link != NULL ? !open_link(c, options, err) : !open_transport(c, options, err))
        return false;
    *out = c;
    c = NULL; // the caller's now
    return true;
}
