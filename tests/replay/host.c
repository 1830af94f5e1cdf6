#include "base/base64.h"
#include "base/require.h"
#include "tests/replay/replay.h"
#include <errno.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define REPLY_SECONDS 20

// --- Packets ---

static struct sockaddr_un address_of(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    REQUIRE(strlen(path) < sizeof address.sun_path);
    memcpy(address.sun_path, path, strlen(path));
    return address;
}

void host_close(struct run *run)
{
    host_end_wipe(&run->link);
    if (run->fd >= 0)
        close(run->fd);
    run->fd = -1;
    (void)unlink(run->own_path);
}

void host_connect(struct run *run)
{
    const struct sockaddr_un own = address_of(run->own_path), server = address_of(run->socket);
    const struct timeval patience = { .tv_sec = REPLY_SECONDS };
    host_close(run);
    run->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (run->fd < 0 || bind(run->fd, (const struct sockaddr *)&own, sizeof own) != 0 ||
        connect(run->fd, (const struct sockaddr *)&server, sizeof server) != 0 ||
        setsockopt(run->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0)
        run_fail(run, "%s: %s", run->socket, strerror(errno));
    AUTO(seckey_wipe) struct seckey key = { 0 };
    struct err err;
    seckey_generate(&key);
    const struct request ncry = { .id = REQUEST_NCRY, .ncry = { LINK_V1, link_public(&key) } };
    const struct reply reply = host_call(run, &ncry);
    if (reply.id != REPLY_MYPB ||
        !link_open(&run->link.link, &key, &reply.mypb.device, LINK_V1, &err))
        run_fail(run, "ncry: %s", reply_code(reply.id));
}

static struct reply receive(struct run *run, struct host_end *end)
{
    struct bytes message;
    struct reply reply;
    struct err err;
    for (;;) {
        uint8_t packet[PACKET_LEN + 1];
        const ssize_t n = recv(run->fd, packet, sizeof packet, 0);
        if (n < 0)
            run_fail(run, "no reply: %s", strerror(errno));
        const enum frame_event event = host_feed(end, bytes_of(packet, (size_t)n), &message, &err);
        if (event == FRAME_BAD)
            run_fail(run, "reply: %s", err.text);
        if (event == FRAME_COMPLETE)
            break;
    }
    if (!reply_unpack(&reply, message, &err))
        run_fail(run, "reply: %s", err.text);
    return reply;
}

struct reply host_message(struct run *run, struct bytes message, bool encrypted)
{
    struct host_end plain = { 0 };
    struct host_end *end = encrypted ? &run->link : &plain;
    struct writer packets = run_writer(run);
    REQUIRE(host_send(end, &packets, message, run->arena));
    for (size_t at = 0; at < packets.len; at += PACKET_LEN) {
        if (send(run->fd, packets.ptr + at, PACKET_LEN, MSG_NOSIGNAL) != PACKET_LEN)
            run_fail(run, "%s: %s", run->socket, strerror(errno));
    }
    return receive(run, end);
}

struct reply host_call(struct run *run, const struct request *request)
{
    struct writer w = run_writer(run);
    request_pack(&w, request);
    return host_message(run, run_written(run, &w), link_is_open(&run->link.link));
}

struct bytes host_outcome(struct run *run, const struct reply *reply)
{
    struct writer w = run_writer(run);
    switch (reply->id) {
    case REPLY_ERR_:
        writer_printf(&w, "error: %.*s", BYTES_ARG(reply->data));
        break;
    case REPLY_FRAM:
        writer_printf(&w, "framing error: %.*s", BYTES_ARG(reply->data));
        break;
    case REPLY_REFU:
        writer_text(&w, "refused");
        break;
    case REPLY_BUSY:
        writer_text(&w, "busy");
        break;
    default:
        writer_text(&w, "ok");
    }
    return run_written(run, &w);
}

static void must_be_ok(struct run *run, const struct reply *reply, const char *what)
{
    const struct bytes outcome = host_outcome(run, reply);
    if (!bytes_equal_text(outcome, "ok"))
        run_fail(run, "%s: %.*s", what, BYTES_ARG(outcome));
}

// --- Files ---

// What upload itself refuses (a file that is no PSBT, in HSM mode) is the outcome of the request.
static bool upload(struct run *run, struct bytes content, struct reply *refusal)
{
    for (size_t at = 0; at < content.len; at += BLOCK_MAX) {
        const struct request upld = { .id = REQUEST_UPLD,
                                      .upld = { (uint32_t)at, (uint32_t)content.len,
                                                bytes_slice(content, at, BLOCK_MAX) } };
        *refusal = host_call(run, &upld);
        if (refusal->id != REPLY_INT1)
            return false;
    }
    return true;
}

void host_upload(struct run *run, struct bytes content)
{
    struct reply refusal = { .id = REPLY_INT1 };
    if (!upload(run, content, &refusal))
        must_be_ok(run, &refusal, "upld");
}

static struct bytes download(struct run *run, const struct reply *strx)
{
    struct writer w = run_writer(run);
    for (uint32_t at = 0; at < strx->strx.length; at += BLOCK_MAX) {
        const uint32_t left = strx->strx.length - at;
        const struct request dwld = { .id = REQUEST_DWLD,
                                      .dwld = { at, left < BLOCK_MAX ? left : BLOCK_MAX, 1 } };
        const struct reply part = host_call(run, &dwld);
        must_be_ok(run, &part, "dwld");
        writer_put(&w, part.data);
    }
    const struct bytes content = run_written(run, &w);
    const struct hash256 hash = sha256(content);
    if (memcmp(hash.b, strx->strx.sha.b, sizeof hash.b) != 0)
        run_fail(run, "downloaded bytes have another hash");
    return content;
}

struct bytes host_sign(struct run *run, struct bytes psbt, uint32_t flags, struct bytes *result)
{
    struct reply reply = { .id = REPLY_INT1 };
    *result = (struct bytes){ 0 };
    if (upload(run, psbt, &reply)) {
        const struct request stxn = {
            .id = REQUEST_STXN,
            .stxn = { .length = (uint32_t)psbt.len, .flags = flags, .sha = sha256(psbt) }
        };
        reply = host_call(run, &stxn);
        while (reply.id == REPLY_OKAY)
            reply = host_call(run, &(struct request){ .id = REQUEST_STOK });
    }
    if (reply.id == REPLY_STRX) {
        *result = download(run, &reply);
        return BYTES("signed");
    }
    if (reply.id == REPLY_REFU)
        return BYTES("refused");
    *result = reply.data;
    return BYTES("error");
}

const struct json *host_status(struct run *run)
{
    const struct json *status;
    struct err err;
    const struct reply reply = host_call(run, &(struct request){ .id = REQUEST_HSTS });
    must_be_ok(run, &reply, "hsts");
    if (!json_parse(&status, reply.data, run->arena, &err))
        run_fail(run, "hsts: %s", err.text);
    return status;
}

// --- Users ---

static struct bytes secret_of(struct run *run, const struct json *user)
{
    if (json_get(user, "key_hex") != NULL)
        return need_hex(run, user, "key_hex");
    struct writer w = run_writer(run);
    if (!base32_read(&w, need_text(run, user, "secret_b32")))
        run_fail(run, "secret_b32");
    return run_written(run, &w);
}

static uint8_t mode_of(struct run *run, const struct json *user)
{
    const struct bytes mode = need_text(run, user, "mode");
    if (bytes_equal_text(mode, "totp"))
        return NWUR_TOTP;
    if (bytes_equal_text(mode, "hotp"))
        return NWUR_HOTP;
    if (bytes_equal_text(mode, "hmac"))
        return NWUR_HMAC;
    run_fail(run, "mode %.*s", BYTES_ARG(mode));
}

void host_new_user(struct run *run, const struct json *user)
{
    const struct bytes name = need_text(run, user, "name");
    const struct request nwur = { .id = REQUEST_NWUR,
                                  .nwur = { mode_of(run, user), name, secret_of(run, user) } };
    const struct reply reply = host_call(run, &nwur);
    const struct bytes outcome = host_outcome(run, &reply);
    if (bytes_equal_text(outcome, "ok"))
        return;
    // policy.md 13.2 [FIX]: names that are not printable ASCII are not taken.
    expect_text(run, "setup_user", name, outcome);
    const struct json *policy = json_get(run->record, "policy_text");
    if (policy == NULL || memmem(policy->text.ptr, policy->text.len, name.ptr, name.len) != NULL)
        run_skip(run, "a user of that name cannot exist (policy.md 13.2)");
}

void host_delete_user(struct run *run, struct bytes name)
{
    const struct request rmur = { .id = REQUEST_RMUR, .rmur = { name } };
    const struct reply reply = host_call(run, &rmur);
    must_be_ok(run, &reply, "rmur");
}

// --- Policies ---

struct bytes host_policy_text(struct run *run, const struct json *policy)
{
    struct writer w = run_writer(run);
    struct json_writer j = json_writer_of(&w);
    json_value(&j, policy);
    return run_written(run, &w);
}

struct reply host_start_policy(struct run *run, struct bytes policy)
{
    const struct request hsms = { .id = REQUEST_HSMS,
                                  .hsms = { true, { (uint32_t)policy.len, sha256(policy) } } };
    host_upload(run, policy);
    return host_call(run, &hsms);
}

struct bytes host_approve(struct run *run, bool is_new)
{
    struct bytes first;
    if (!arena_copy(run->arena, signer_screen(run), &first))
        run_fail(run, "out of memory");
    signer_press(run, "y");
    if (is_new) {
        // "Press (<d>) to save policy": the digit is the last line's eighth character.
        const char *second = run_text(run, signer_screen(run));
        const char *line = strrchr(second, '\n');
        if (strncmp(second, "Last chance. ", 13) != 0 || line == NULL ||
            strncmp(line + 1, "Press (", 7) != 0)
            run_fail(run, "screen 2 is: %s", second);
        signer_press(run, (const char[]){ line[8], 0 });
    }
    if (!is_true(host_status(run), "active"))
        run_fail(run, "not active after approval");
    return first;
}

void host_activate(struct run *run, const struct json *policy)
{
    const struct reply reply = host_start_policy(run, host_policy_text(run, policy));
    must_be_ok(run, &reply, "activation");
    (void)host_approve(run, true);
}
