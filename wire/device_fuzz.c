#include "wire/device.h"
#include "base/secret.h"
#include "base/utf8.h"
#include "fuzz/fuzz.h"

enum { PACKETS_MAX = 200 };

static const uint8_t key[32] = { 7 };

// The same again, as simply as it can be said: all bytes since the start of the message, and the
// checks of wire-protocol.md 2.2 one after the other. NULL: no complaint.
struct model {
    uint8_t b[PACKETS_MAX * PACKET_LEN];
    size_t len;
    struct aes_ctr *stream; // NULL: no session
    bool bound;
    bool complete;
    bool encrypted;
};

static const char *model_complete(struct model *m, bool encrypted)
{
    const bool ncry = m->len >= 4 && memcmp(m->b, "ncry", 4) == 0;
    if (m->len < 4)
        return "badsz";
    if (m->bound && !encrypted)
        return m->stream == NULL && ncry ? "crypto already set up" : "must encrypt";
    if (encrypted && m->stream == NULL)
        return "no key";
    if (encrypted)
        aes_ctr_apply(m->stream, m->b, m->len);
    m->encrypted = encrypted;
    m->complete = true;
    return utf8_is_valid(bytes_of(m->b, 4)) ? NULL : "decode";
}

static const char *model_feed(struct model *m, struct bytes packet)
{
    if (m->complete)
        m->len = 0;
    m->complete = m->encrypted = false;
    if (packet.len != 64)
        return "short";
    const size_t n = packet.ptr[0] % 64;
    if (n == 0) {
        m->len = 0;
        return NULL;
    }
    memcpy(m->b + m->len, packet.ptr + 1, n);
    m->len += n;
    if (m->len > 2060)
        return "xlong";
    return packet.ptr[0] >= 128 ? model_complete(m, (packet.ptr[0] & 64) != 0) : NULL;
}

static void compare(struct model *m, struct bytes packet, struct device_input in,
                    const struct err *err)
{
    const char *complaint = model_feed(m, packet);
    if (complaint != NULL) {
        m->len = 0;
        REQUIRE(in.event == DEVICE_BAD_FRAMING && err->code == ERR_FRAMING);
        REQUIRE(strcmp(err->text, complaint) == 0);
        // In plaintext, unless it was found after decryption.
        REQUIRE(in.encrypted == (strcmp(complaint, "decode") == 0 && m->encrypted));
    } else if (m->complete) {
        REQUIRE(in.event == DEVICE_REQUEST && in.encrypted == m->encrypted);
        REQUIRE(bytes_equal(in.message, bytes_of(m->b, m->len)));
    } else {
        REQUIRE(in.event == (m->len == 0 ? DEVICE_RESYNC : DEVICE_NOTHING));
    }
}

// The payloads of the packets of an echo, joined and decrypted, are the request again.
static void echo(struct device_end *end, struct device_input in, struct aes_ctr *stream)
{
    static uint8_t packets[(REQUEST_MAX / PACKET_PAYLOAD + 1) * PACKET_LEN], joined[sizeof packets];
    struct writer w = writer_of(packets, sizeof packets),
                  content = writer_of(joined, sizeof joined);
    REQUIRE(device_reply(end, &w, in.message, in.encrypted));
    REQUIRE(w.len % 64 == 0 && w.len > 0);
    for (size_t at = 0; at < w.len; at += 64) {
        const uint8_t framing = packets[at];
        REQUIRE(framing >> 6 == (at + 64 < w.len ? 0 : in.encrypted ? 3 : 2));
        REQUIRE(at + 64 == w.len || framing == 63);
        writer_put(&content, bytes_of(packets + at + 1, framing % 64));
    }
    if (in.encrypted)
        aes_ctr_apply(stream, joined, content.len);
    REQUIRE(bytes_equal(writer_bytes(&content), in.message));
}

// First byte: bit 0, a session is open; bit 1, the device is bound. Then packets; what is left at
// the end is a short one.
FUZZ_TARGET(data)
{
    static struct model model;
    AUTO(device_end_wipe) struct device_end end = { 0 };
    struct err err;
    if (data.len == 0 || data.len > PACKETS_MAX * PACKET_LEN)
        return;
    const bool open = (data.ptr[0] & 1) != 0;
    wipe(&model, sizeof model);
    model.bound = (data.ptr[0] & 2) != 0;
    if (open) {
        end.link = (struct link){ 1, { { 0 } }, aes_ctr_new(key), aes_ctr_new(key) };
        model.stream = aes_ctr_new(key);
    }
    struct aes_ctr *to_host = aes_ctr_new(key);
    for (size_t at = 1; at < data.len; at += PACKET_LEN) {
        const struct bytes packet = bytes_slice(data, at, PACKET_LEN);
        const struct device_input in = device_feed(&end, packet, model.bound, &err);
        compare(&model, packet, in, &err);
        if (in.event == DEVICE_REQUEST)
            echo(&end, in, to_host);
    }
    aes_ctr_free(to_host);
    aes_ctr_free(model.stream);
}
