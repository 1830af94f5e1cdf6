#include "wire/host.h"
#include "fuzz/fuzz.h"

static const uint8_t key[32] = { 7 };

// The payloads of the packets up to the last one, joined; NULL where they are no message.
struct model {
    uint8_t b[1 << 16];
    size_t len;
    bool complete, encrypted;
};

static bool is_print(const uint8_t *b, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (b[i] < 0x20 || b[i] > 0x7e)
            return false;
    return true;
}

// False: the packet cannot be.
static bool model_feed(struct model *m, struct bytes packet)
{
    const size_t n = packet.len == 64 ? packet.ptr[0] % 64 : 0;
    if (n == 0)
        return false;
    const bool first = m->len == 0, last = packet.ptr[0] >= 128;
    memcpy(m->b + m->len, packet.ptr + 1, n);
    m->len += n;
    const bool old = first && n >= 4 && memcmp(m->b, "fram", 4) == 0 && is_print(m->b, n);
    m->complete = last || old;
    m->encrypted = last && (packet.ptr[0] & 64) != 0;
    return !m->complete || m->len >= 4;
}

// Whether the reply may be used, and what it then is: wire-protocol.md 15, item 76.
static bool model_open(struct model *m, bool session)
{
    if (!session || !m->encrypted)
        return session == m->encrypted || (session && memcmp(m->b, "fram", 4) == 0);
    struct aes_ctr *stream = aes_ctr_new(key);
    aes_ctr_apply(stream, m->b, m->len);
    aes_ctr_free(stream);
    return true;
}

// First byte: bit 0, a session is open. Then packets in answer to one request.
FUZZ_TARGET(data)
{
    static struct model model;
    AUTO(host_end_wipe) struct host_end end = { 0 };
    uint8_t mem[PACKET_LEN];
    struct writer w = writer_of(mem, sizeof mem);
    struct bytes reply;
    struct err err;
    if (data.len == 0 || data.len > sizeof model.b)
        return;
    struct arena *arena = arena_new(1 << 20);
    const bool session = (data.ptr[0] & 1) != 0;
    model = (struct model){ .len = 0 };
    if (session)
        end.link = (struct link){ 1, { { 0 } }, aes_ctr_new(key), aes_ctr_new(key) };
    REQUIRE(host_send(&end, &w, BYTES("vers"), arena));
    enum frame_event event = FRAME_MORE;
    for (size_t at = 1; event == FRAME_MORE && at < data.len; at += PACKET_LEN) {
        const struct bytes packet = bytes_slice(data, at, PACKET_LEN);
        event = host_feed(&end, packet, &reply, &err);
        const bool good = model_feed(&model, packet);
        if (good && !model.complete)
            REQUIRE(event == FRAME_MORE);
        else
            REQUIRE(event == (good && model_open(&model, session) ? FRAME_COMPLETE : FRAME_BAD));
    }
    if (event == FRAME_COMPLETE) {
        REQUIRE(bytes_equal(reply, bytes_of(model.b, model.len)));
        REQUIRE(link_is_open(&end.link) == (session && model.encrypted));
    } else if (event == FRAME_BAD) {
        REQUIRE(err.code == ERR_FRAMING && !link_is_open(&end.link));
    }
    arena_free(arena);
}
