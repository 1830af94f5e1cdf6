#include "client/fake_signer.h"
#include "base/hex.h"
#include "base/require.h"
#include "wire/device.h"
#include "wire/reply.h"
#include "wire/request.h"
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define FAKE_SECKEY "e8f32e723decf4051aefac8e2c93c9c5b214313817cdb01a1494b917c8436b35"
#define SEEN_MAX    8192

struct fake_signer {
    struct fake_options options;
    int fd, stop[2];
    bool running;
    pthread_t thread;
    struct device_end end;
    struct arena *arena; // one request
    char seen[SEEN_MAX][CODE_LEN + 1];
    size_t n_seen;
    struct {
        uint8_t b[REQUEST_MAX];
        size_t len;
    } last[REQUEST_COUNT];
    uint8_t upload[UPLOAD_MAX];
    size_t upload_len;
    struct sockaddr_un peer;
    socklen_t peer_len;
};

static unsigned count(const struct fake_signer *f, const char *code)
{
    unsigned n = 0;
    for (size_t i = 0; i < f->n_seen; i++)
        n += strcmp(f->seen[i], code) == 0;
    return n;
}

unsigned fake_signer_count(const struct fake_signer *fake, const char *code)
{
    REQUIRE(!fake->running);
    return count(fake, code);
}

struct bytes fake_signer_uploaded(const struct fake_signer *fake)
{
    REQUIRE(!fake->running);
    return bytes_of(fake->upload, fake->upload_len);
}

struct bytes fake_signer_last(const struct fake_signer *fake, const char *code)
{
    const struct request_info *info = request_find(bytes_of_text(code));
    REQUIRE(!fake->running && info != NULL);
    return bytes_of(fake->last[info->id].b, fake->last[info->id].len);
}

// --- What it says without a rule ---

static struct seckey master_key(bool wrong)
{
    struct seckey key;
    REQUIRE(hex_decode(key.b, sizeof key.b, BYTES(FAKE_SECKEY)));
    key.b[31] ^= wrong;
    return key;
}

static struct reply binary(struct fake_signer *f, struct bytes content)
{
    struct reply reply = { .id = REPLY_BINY };
    REQUIRE(arena_copy(f->arena, content, &reply.data));
    return reply;
}

static struct reply open_session(struct fake_signer *f, const struct request_ncry *ncry)
{
    struct reply reply = { .id = REPLY_MYPB };
    struct seckey own;
    struct err err;
    seckey_generate(&own);
    REQUIRE(link_accept(&f->end.link, ncry->version, &ncry->client, false, &own, &err));
    reply.mypb.device = link_public(&own);
    if (!f->options.no_seed) {
        REQUIRE(hex_decode(reply.mypb.xfp, sizeof reply.mypb.xfp, BYTES(FAKE_XFP)));
        reply.mypb.xpub = BYTES(FAKE_XPUB);
    }
    return reply;
}

static struct reply prove(struct fake_signer *f, bool wrong)
{
    const struct seckey key = master_key(wrong);
    uint8_t proof[LINK_PROOF_LEN];
    struct err err;
    REQUIRE(link_prove(proof, &f->end.link, &key, &err));
    return binary(f, BYTES_OF(proof));
}

static struct reply take_block(struct fake_signer *f, const struct request_upld *block)
{
    if (block->offset == 0)
        f->upload_len = 0;
    REQUIRE(block->offset == f->upload_len && block->data.len <= sizeof f->upload - block->offset);
    if (block->data.len > 0)
        memcpy(f->upload + block->offset, block->data.ptr, block->data.len);
    f->upload_len += block->data.len;
    return (struct reply){ .id = REPLY_INT1, .number = { block->offset } };
}

static struct reply answer(struct fake_signer *f, const struct request *request, enum fake_how how)
{
    struct reply strx = { .id = REPLY_STRX };
    struct hash256 sha;
    switch (request->id) {
    case REQUEST_NCRY:
        return open_session(f, &request->ncry);
    case REQUEST_MITM:
        return prove(f, how == FAKE_WRONG_PROOF);
    case REQUEST_UPLD:
        return take_block(f, &request->upld);
    case REQUEST_SHA2:
        sha = sha256(bytes_of(f->upload, f->upload_len));
        return binary(f, BYTES_OF(sha.b));
    case REQUEST_STOK:
    case REQUEST_BKOK:
        strx.strx.length = (uint32_t)f->options.result.len;
        strx.strx.sha = sha256(f->options.result);
        return strx;
    case REQUEST_DWLD:
        return binary(f,
                      bytes_slice(f->options.result, request->dwld.offset, request->dwld.length));
    default:
        return (struct reply){ .id = REPLY_OKAY };
    }
}

// --- How it says it ---

static void send_packet(struct fake_signer *f, struct bytes packet)
{
    (void)sendto(f->fd, packet.ptr, packet.len, 0, (const struct sockaddr *)&f->peer, f->peer_len);
}

static void send_odd(struct fake_signer *f, struct bytes reply, enum fake_how how)
{
    uint8_t packet[PACKET_LEN + 1];
    memset(packet, ' ', sizeof packet);
    packet[0] = how == FAKE_WITHOUT_LAST ? PACKET_PAYLOAD : (uint8_t)(FRAME_LAST | reply.len);
    REQUIRE(reply.len <= PACKET_PAYLOAD);
    memcpy(packet + 1, reply.ptr, reply.len);
    const size_t len = how == FAKE_SHORT_PACKET  ? PACKET_LEN - 1
                       : how == FAKE_LONG_PACKET ? PACKET_LEN + 1
                                                 : PACKET_LEN;
    send_packet(f, bytes_of(packet, len));
}

static void send_reply(struct fake_signer *f, struct bytes reply, bool encrypted, enum fake_how how)
{
    struct writer w = writer_growing(f->arena, (size_t)4 << 20);
    if (how == FAKE_WITHOUT_LAST || how == FAKE_SHORT_PACKET || how == FAKE_LONG_PACKET) {
        send_odd(f, reply, how);
        return;
    }
    REQUIRE(device_reply(&f->end, &w, reply, encrypted && how != FAKE_PLAINTEXT));
    const struct bytes packets = writer_bytes(&w);
    for (size_t at = 0; at < packets.len; at += PACKET_LEN) {
        send_packet(f, bytes_slice(packets, at, PACKET_LEN));
        if (how == FAKE_HALF)
            return;
    }
}

static const struct fake_rule *rule_for(const struct fake_signer *f, const char *code)
{
    for (size_t i = 0; i < f->options.n_rules; i++) {
        const struct fake_rule *rule = &f->options.rules[i];
        if (strcmp(rule->code, code) == 0 && (rule->nth == 0 || rule->nth == count(f, code)))
            return rule;
    }
    return NULL;
}

static void vanish(struct fake_signer *f)
{
    unlink(f->options.path);
    close(f->fd);
    f->fd = -1;
}

static void serve(struct fake_signer *f, const struct device_input *in)
{
    const struct request_info *info = request_find(in->message);
    struct request request;
    struct err err;
    REQUIRE(info != NULL && request_unpack(&request, info, in->message, &err));
    REQUIRE(f->n_seen < SEEN_MAX);
    memcpy(f->seen[f->n_seen++], info->code, sizeof info->code);
    memcpy(f->last[info->id].b, in->message.ptr, in->message.len);
    f->last[info->id].len = in->message.len;
    const struct fake_rule *rule = rule_for(f, info->code);
    const enum fake_how how = rule != NULL ? rule->how : FAKE_REPLY;
    if (how == FAKE_VANISH)
        vanish(f);
    if (how == FAKE_VANISH || how == FAKE_SILENT)
        return;
    struct writer w = writer_growing(f->arena, (size_t)2 << 20);
    if (rule != NULL && rule->reply.len > 0) {
        writer_put(&w, rule->reply);
    } else {
        const struct reply reply = answer(f, &request, how);
        reply_pack(&w, &reply);
    }
    REQUIRE(!w.failed);
    send_reply(f, writer_bytes(&w), in->encrypted, how);
}

static void feed(struct fake_signer *f, struct bytes packet)
{
    struct err err;
    const struct device_input in = device_feed(&f->end, packet, false, &err);
    if (in.event == DEVICE_REQUEST)
        serve(f, &in);
    else if (in.event == DEVICE_BAD_FRAMING)
        send_reply(f, BYTES("framno key"), false, FAKE_REPLY);
    arena_reset(f->arena);
}

static void *run(void *context)
{
    struct fake_signer *f = context;
    while (f->fd >= 0) {
        struct pollfd fds[] = { { f->fd, POLLIN, 0 }, { f->stop[0], POLLIN, 0 } };
        uint8_t packet[PACKET_LEN];
        if (poll(fds, 2, -1) < 0 || fds[1].revents != 0)
            break;
        f->peer_len = sizeof f->peer;
        const ssize_t n =
            recvfrom(f->fd, packet, sizeof packet, 0, (struct sockaddr *)&f->peer, &f->peer_len);
        if (n >= 0)
            feed(f, bytes_of(packet, (size_t)n));
    }
    return NULL;
}

struct fake_signer *fake_signer_start(const struct fake_options *options)
{
    struct fake_signer *f = calloc(1, sizeof *f);
    struct sockaddr_un own = { .sun_family = AF_UNIX };
    REQUIRE(f != NULL && strlen(options->path) < sizeof own.sun_path);
    memcpy(own.sun_path, options->path, strlen(options->path));
    f->options = *options;
    f->arena = arena_new((size_t)16 << 20);
    f->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    unlink(options->path);
    REQUIRE(f->fd >= 0 && bind(f->fd, (const struct sockaddr *)&own, sizeof own) == 0);
    REQUIRE(pipe(f->stop) == 0 && pthread_create(&f->thread, NULL, run, f) == 0);
    f->running = true;
    return f;
}

void fake_signer_pause(struct fake_signer *f)
{
    if (!f->running)
        return;
    (void)!write(f->stop[1], "x", 1);
    (void)pthread_join(f->thread, NULL);
    f->running = false;
}

void fake_signer_stop(struct fake_signer *f)
{
    if (f == NULL)
        return;
    fake_signer_pause(f);
    if (f->fd >= 0)
        vanish(f);
    close(f->stop[0]);
    close(f->stop[1]);
    device_end_wipe(&f->end);
    arena_free(f->arena);
    free(f);
}

void fake_signer_stopp(struct fake_signer **fake)
{
    fake_signer_stop(*fake);
    *fake = NULL;
}
