// tests/support/device_hosts.c -- the hosts of device_rig.h: requests, transactions, policies, users.
#include "base/base64.h"
#include "base/json.h"
#include "base/require.h"
#include "crypto/otp.h"
#include "signer/requests.h"
#include "tests/support/device_rig.h"

#define HOST_TEXT_MAX ((size_t)8 << 20)

static void *rig_alloc(struct device_rig *rig, size_t size)
{
    void *mem = arena_alloc(rig->arena, size);
    REQUIRE(mem != NULL);
    return mem;
}

static struct writer rig_writer(struct device_rig *rig)
{
    return writer_growing(rig->arena, HOST_TEXT_MAX);
}

static struct bytes written(const struct writer *w)
{
    struct bytes out;
    REQUIRE(writer_finish(w, &out));
    return out;
}

// --- Hosts ---

struct rig_host *rig_host_new(struct device_rig *rig)
{
    struct rig_host *host = rig_alloc(rig, sizeof *host);
    host->rig = rig;
    host->address.sun_family = AF_UNIX;
    // An abstract name: nobody looks for a file.
    snprintf(host->address.sun_path + 1, sizeof host->address.sun_path - 1, "host-%u",
             rig->n_hosts++);
    host->next = rig->hosts;
    rig->hosts = host;
    return host;
}

struct rig_host *rig_host_linked(struct device_rig *rig)
{
    struct rig_host *host = rig_host_new(rig);
    REQUIRE(rig_ncry(host, LINK_V1).id == REPLY_MYPB);
    return host;
}

struct peer *rig_peer(struct rig_host *host)
{
    return peers_get(&host->rig->device.peers, &host->address, sizeof host->address);
}

struct bytes rig_packet(struct rig_host *host, struct bytes packet)
{
    struct device_rig *rig = host->rig;
    struct writer w = rig_writer(rig);
    REQUIRE(rig->wire_is_open);
    requests_feed(&rig->device, rig_peer(host), packet, &w);
    return written(&w);
}

// The reply that the device's packets make; there must be exactly one.
static struct reply take_reply(struct rig_host *host, struct bytes packets)
{
    struct bytes message = { 0 };
    struct reply reply;
    struct err err;
    REQUIRE(packets.len > 0 && packets.len % PACKET_LEN == 0);
    for (size_t at = 0; at < packets.len; at += PACKET_LEN) {
        const enum frame_event event =
            host_feed(&host->end, bytes_slice(packets, at, PACKET_LEN), &message, &err);
        REQUIRE(event == (at + PACKET_LEN < packets.len ? FRAME_MORE : FRAME_COMPLETE));
    }
    REQUIRE(reply_unpack(&reply, message, &err));
    return reply;
}

static struct reply exchange(struct rig_host *host, struct bytes packets)
{
    struct bytes answer = { 0 };
    for (size_t at = 0; at < packets.len; at += PACKET_LEN) {
        REQUIRE(answer.len == 0); // nothing is answered before a request is complete
        answer = rig_packet(host, bytes_slice(packets, at, PACKET_LEN));
    }
    return take_reply(host, answer);
}

struct reply rig_message(struct rig_host *host, struct bytes message, bool encrypted)
{
    struct writer packets = rig_writer(host->rig);
    if (encrypted) {
        REQUIRE(link_is_open(&host->end.link));
        REQUIRE(host_send(&host->end, &packets, message, host->rig->arena));
        return exchange(host, written(&packets));
    }
    // host_send would encrypt: a plaintext request beside a session has an end of its own.
    struct host_end plain = { 0 };
    REQUIRE(host_send(&plain, &packets, message, host->rig->arena));
    struct rig_host stranger = { .rig = host->rig, .address = host->address, .end = plain };
    return exchange(&stranger, written(&packets));
}

static struct bytes packed(struct rig_host *host, const struct request *request)
{
    struct writer w = rig_writer(host->rig);
    request_pack(&w, request);
    return written(&w);
}

struct reply rig_call(struct rig_host *host, const struct request *request)
{
    return rig_message(host, packed(host, request), link_is_open(&host->end.link));
}

struct reply rig_plain(struct rig_host *host, const struct request *request)
{
    return rig_message(host, packed(host, request), false);
}

struct reply rig_ask(struct rig_host *host, enum request_id id)
{
    return rig_call(host, &(struct request){ .id = id });
}

struct reply rig_ncry(struct rig_host *host, uint32_t version)
{
    AUTO(seckey_wipe) struct seckey own = { 0 };
    struct err err;
    seckey_generate(&own);
    const struct request request = { .id = REQUEST_NCRY, .ncry = { version, link_public(&own) } };
    const struct reply reply = rig_plain(host, &request);
    if (reply.id == REPLY_MYPB)
        REQUIRE(link_open(&host->end.link, &own, &reply.mypb.device, version, &err));
    return reply;
}

// --- Uploads, transactions, messages ---

struct reply rig_upld(struct rig_host *host, uint32_t offset, uint32_t total, struct bytes data)
{
    return rig_call(host, &(struct request){ .id = REQUEST_UPLD, .upld = { offset, total, data } });
}

void rig_upload(struct rig_host *host, struct bytes content)
{
    for (size_t at = 0; at < content.len; at += BLOCK_MAX) {
        const struct reply reply = rig_upld(host, (uint32_t)at, (uint32_t)content.len,
                                            bytes_slice(content, at, BLOCK_MAX));
        REQUIRE(reply.id == REPLY_INT1 && reply.number[0] == at);
    }
}

struct reply rig_stxn(struct rig_host *host, struct bytes psbt, uint32_t flags)
{
    rig_upload(host, psbt);
    return rig_call(
        host, &(struct request){
                  .id = REQUEST_STXN,
                  .stxn = { .length = (uint32_t)psbt.len, .flags = flags, .sha = sha256(psbt) } });
}

struct reply rig_smsg(struct rig_host *host, const char *text, const char *path,
                      enum addr_format format)
{
    return rig_call(host, &(struct request){ .id = REQUEST_SMSG,
                                             .smsg = { (uint32_t)format, bytes_of_text(path),
                                                       bytes_of_text(text) } });
}

struct bytes rig_download(struct rig_host *host, uint32_t length)
{
    struct writer w = rig_writer(host->rig);
    for (uint32_t at = 0; at < length; at += BLOCK_MAX) {
        const uint32_t part = length - at < BLOCK_MAX ? length - at : BLOCK_MAX;
        const struct reply reply =
            rig_call(host, &(struct request){ .id = REQUEST_DWLD, .dwld = { at, part, 1 } });
        REQUIRE(reply.id == REPLY_BINY && reply.data.len == part);
        writer_put(&w, reply.data);
    }
    return written(&w);
}

struct rig_outcome rig_fetch(struct rig_host *host)
{
    rig_run(host->rig);
    const struct reply reply = rig_ask(host, REQUEST_STOK);
    switch (reply.id) {
    case REPLY_OKAY:
        return (struct rig_outcome){ .result = RIG_WAITING };
    case REPLY_REFU:
        return (struct rig_outcome){ .result = RIG_REFUSED };
    case REPLY_STRX: {
        const struct bytes data = rig_download(host, reply.strx.length);
        const struct hash256 hash = sha256(data);
        REQUIRE(memcmp(hash.b, reply.strx.sha.b, sizeof hash.b) == 0);
        return (struct rig_outcome){ RIG_SIGNED, data };
    }
    default:
        REQUIRE(reply.id == REPLY_ERR_);
        return (struct rig_outcome){ RIG_FAILED, reply.data };
    }
}

struct rig_outcome rig_sign(struct rig_host *host, struct bytes psbt, uint32_t flags)
{
    const struct reply reply = rig_stxn(host, psbt, flags);
    if (reply.id == REPLY_ERR_)
        return (struct rig_outcome){ RIG_FAILED, reply.data };
    REQUIRE(reply.id == REPLY_OKAY);
    return rig_fetch(host);
}

struct rig_outcome rig_sign_text(struct rig_host *host, const char *text, const char *path)
{
    struct reply reply = rig_smsg(host, text, path, ADDR_P2WPKH);
    if (reply.id == REPLY_OKAY) {
        rig_run(host->rig);
        reply = rig_ask(host, REQUEST_SMOK);
    }
    switch (reply.id) {
    case REPLY_OKAY:
        return (struct rig_outcome){ .result = RIG_WAITING };
    case REPLY_REFU:
        return (struct rig_outcome){ .result = RIG_REFUSED };
    case REPLY_SMRX: {
        struct writer w = rig_writer(host->rig);
        writer_put(&w, BYTES_OF(reply.smrx.signature));
        return (struct rig_outcome){ RIG_SIGNED, written(&w) };
    }
    default:
        REQUIRE(reply.id == REPLY_ERR_);
        return (struct rig_outcome){ RIG_FAILED, reply.data };
    }
}

// --- Policies ---

struct reply rig_offer(struct rig_host *host, const char *policy)
{
    rig_upload(host, bytes_of_text(policy));
    return rig_hsms(host, policy);
}

struct reply rig_hsms(struct rig_host *host, const char *policy)
{
    const struct bytes file = bytes_of_text(policy);
    return rig_call(host,
                    &(struct request){ .id = REQUEST_HSMS,
                                       .hsms = { true, { (uint32_t)file.len, sha256(file) } } });
}

// The digit that the second screen asks for: "the digit must be its eighth character".
static char accepting_digit(struct device_rig *rig)
{
    const struct panel_screen screen = rig_screen(rig);
    const char *line = strrchr(arena_text(rig->arena, screen.text), '\n');
    REQUIRE(line != NULL && strncmp(line + 1, "Press (", 7) == 0);
    return line[1 + 7];
}

void rig_activate(struct rig_host *host, const char *policy)
{
    struct device_rig *rig = host->rig;
    REQUIRE(rig_offer(host, policy).id == REPLY_OKAY);
    do
        rig_keys(rig, "y"); // page by page
    while (!bytes_starts_with(rig_screen(rig).text, BYTES("Last chance.")));
    rig_keys(rig, (const char[]){ accepting_digit(rig), 0 });
    REQUIRE(rig->device.state == DEVICE_HSM);
}

struct bytes rig_status_text(struct rig_host *host)
{
    const struct reply reply = rig_ask(host, REQUEST_HSTS);
    REQUIRE(reply.id == REPLY_ASCI);
    return reply.data;
}

// --- Users ---

static const uint8_t alices_secret[] = {
    0xa4, 0x78, 0xb0, 0x65, 0x93, 0x92, 0x5c, 0x5e, 0xe8, 0xa4
};
static const uint8_t bobs_secret[] = { 0x18, 0x46, 0x27, 0x29, 0x70, 0x53, 0x3c, 0x10, 0x2a, 0xe3 };

struct reply rig_nwur(struct rig_host *host, uint8_t mode, struct bytes name, struct bytes secret)
{
    return rig_call(host, &(struct request){ .id = REQUEST_NWUR, .nwur = { mode, name, secret } });
}

static void carols_secret(uint8_t out[static 32])
{
    user_password_secret(out, BYTES("abcd1234"), BYTES("F1F1F1F1F1F1"), false);
}

void rig_add_users(struct rig_host *host)
{
    uint8_t secret[32];
    carols_secret(secret);
    REQUIRE(rig_nwur(host, NWUR_TOTP, BYTES("alice"), BYTES_OF(alices_secret)).id == REPLY_ASCI);
    REQUIRE(rig_nwur(host, NWUR_HOTP, BYTES("bob"), BYTES_OF(bobs_secret)).id == REPLY_ASCI);
    REQUIRE(rig_nwur(host, NWUR_HMAC, BYTES("carol"), BYTES_OF(secret)).id == REPLY_ASCI);
}

struct reply rig_user(struct rig_host *host, const char *name, struct bytes token, uint32_t step)
{
    return rig_call(host, &(struct request){ .id = REQUEST_USER,
                                             .user = { step, bytes_of_text(name), token } });
}

static void queue(struct rig_host *host, const char *name, struct bytes token, uint32_t step)
{
    const struct reply reply = rig_user(host, name, token, step);
    REQUIRE(reply.id == REPLY_ASCI && reply.data.len == 0);
}

void rig_alice(struct rig_host *host, uint32_t step)
{
    char code[OTP_TEXT_SIZE];
    otp_code(code, BYTES_OF(alices_secret), step);
    queue(host, "alice", bytes_of(code, 6), step);
}

void rig_bob(struct rig_host *host, uint32_t counter)
{
    char code[OTP_TEXT_SIZE];
    otp_code(code, BYTES_OF(bobs_secret), counter);
    queue(host, "bob", bytes_of(code, 6), 0);
}

void rig_carol(struct rig_host *host, struct bytes psbt)
{
    const struct hash256 hash = sha256(psbt);
    uint8_t secret[32], token[32];
    carols_secret(secret);
    user_password_token(token, secret, &hash);
    queue(host, "carol", BYTES_OF(token), 0);
}

uint64_t rig_progress(struct device_rig *rig, const char *name)
{
    const struct user_list *users = device_open_users(&rig->device);
    const struct user *user = user_find(users->items, users->n, bytes_of_text(name));
    REQUIRE(user != NULL);
    const uint64_t last = user->progress.last;
    device_close_users(&rig->device);
    return last;
}

void rig_local_code(struct rig_host *host, struct bytes psbt, char out[static 7])
{
    const struct bytes text = rig_status_text(host);
    const struct json *status;
    struct err err;
    REQUIRE(json_parse(&status, text, host->rig->arena, &err));
    const struct json *next = json_get(status, "next_local_code");
    uint8_t key[16];
    struct writer w = writer_of(key, sizeof key);
    REQUIRE(next != NULL && base64_read(&w, next->text));
    const struct hash256 hash = sha256(psbt);
    local_code(out, writer_bytes(&w), BYTES_OF(hash.b));
}
