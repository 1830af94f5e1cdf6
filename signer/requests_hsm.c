// HSM mode and its users: wire-protocol.md 8.10, 8.11.
#include "base/secret.h"
#include "crypto/random.h"
#include "signer/device_users.h"
#include "signer/hsm_start.h"
#include "signer/requests.h"
#include "signer/status.h"
#include "wire/socket_name.h"

bool serve_hsts(struct exchange *ex, struct err *err)
{
    struct writer w = writer_growing(ex->arena, STATUS_MAX);
    struct bytes text;
    status_write(&w, ex->device, ex->peer->id);
    if (!writer_finish(&w, &text))
        return err_set(err, ERR_NO_MEMORY, "Out of RAM");
    reply_text(ex, text);
    return true;
}

static bool start_new_policy(struct exchange *ex, struct err *err)
{
    struct device *device = ex->device;
    const struct request_file *file = &ex->request.hsms.file;
    struct policy_world world;
    struct policy policy;
    if (!upload_is(ex->peer, file->length, &file->sha, POLICY_FILE_MIN, POLICY_FILE_MAX, err) ||
        !device_world(device, &world, ex->arena, err))
        return false;
    AUTO(arena_freep) struct arena *arena = arena_new(POLICY_ARENA);
    if (!policy_parse(&policy, staging_bytes(&ex->peer->staging), &world, arena, err)) {
        LOG(device->log, LOG_INFO, "policy_invalid", LOG_TEXT("error", err->text));
        return false;
    }
    struct arena *taken = arena;
    arena = NULL;
    return hsm_start_file(device, &policy, taken, err);
}

bool serve_hsms(struct exchange *ex, struct err *err)
{
    const bool ok =
        ex->request.hsms.has_file ? start_new_policy(ex, err) : hsm_start_saved(ex->device, err);
    if (ok)
        reply_okay(ex);
    return ok;
}

bool serve_gslr(struct exchange *ex, struct err *err)
{
    struct device *device = ex->device;
    if (!ex->encrypted)
        return err_set(err, ERR_STATE, "must encrypt");
    if (device->state != DEVICE_HSM)
        return err_set(err, ERR_STATE, "need hsm");
    if (device->hsm->policy.allow_sl == 0)
        return err_set(err, ERR_STATE, "not allowed");
    struct bytes value, line;
    const struct journal_event event = { .kind = JOURNAL_LOCKER_READ,
                                         .has_policy_hash = true,
                                         .policy_hash = device->hsm->policy_hash };
    if (!journal_line(device, &line, &event, ex->arena, err))
        return false;
    if (!store_read_locker(device->store, device->hsm->policy.allow_sl, line, &value, ex->arena,
                           err)) {
        journal_denied(device, "locker", (struct bytes){ 0 });
        return false;
    }
    device->hsm->counters.locker_reads = store_get_counters(device->store).locker_reads;
    reply_binary(ex, value);
    return true;
}

// --- Users ---

static void qr_key(void *context, char key)
{
    struct device *device = context;
    if (key == 'x' || key == 'y')
        screen_done(&device->screen);
}
static const struct dialog_ops qr_dialog = { .key = qr_key };

// What was picked goes to the screen instead of the host.
static void show_picked(struct device *device, uint8_t mode, struct bytes name, const char *picked)
{
    char mem[512];
    struct writer w = writer_of(mem, sizeof mem);
    writer_printf(&w, "User %.*s:\n\n", BYTES_ARG(name));
    user_qr_write(&w, (enum user_mode)(mode & ~USER_SHOW_QR), picked);
    writer_printf(&w, "\n\n%s\n\nPress OK when it is enrolled.", picked);
    screen_ask(&device->screen, "Enroll user", writer_bytes(&w), ASK_KEY, &qr_dialog, device);
    wipe(mem, sizeof mem);
}

// "given as 16 base32 characters; for HMAC the lower-case form of those characters is the password"
static bool reply_picked(struct exchange *ex, const char *picked, struct bytes *out,
                         struct err *err)
{
    struct writer w = writer_growing(ex->arena, USER_PICKED_SIZE);
    for (const char *c = picked; *c != 0; c++)
        writer_u8(&w, (uint8_t)(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c));
    return writer_finish(&w, out) || err_set(err, ERR_NO_MEMORY, "Out of RAM");
}

bool serve_nwur(struct exchange *ex, struct err *err)
{
    const struct request_nwur *nwur = &ex->request.nwur;
    struct user_request request = { .mode = nwur->mode,
                                    .name = nwur->name,
                                    .secret = nwur->secret,
                                    .serial = BYTES(SOCKET_SERIAL) };
    char picked[USER_PICKED_SIZE];
    random_bytes(request.entropy, sizeof request.entropy);
    bool ok = device_add_user(ex->device, &request, picked, err);
    struct bytes reply = { 0 };
    if (ok && (nwur->mode & USER_SHOW_QR) != 0)
        show_picked(ex->device, nwur->mode, nwur->name, picked);
    else if (ok)
        ok = reply_picked(ex, picked, &reply, err);
    wipe(picked, sizeof picked);
    wipe(&request, sizeof request);
    if (ok)
        reply_text(ex, reply);
    return ok;
}

bool serve_rmur(struct exchange *ex, struct err *err)
{
    if (!device_delete_user(ex->device, ex->request.rmur.name, err))
        return false;
    reply_okay(ex);
    return true;
}

// Outside HSM mode the code is tried at once, as a dry run that still burns it.
static bool try_user(struct exchange *ex, struct err *err)
{
    const struct request_user *user = &ex->request.user;
    struct auth_queue queue = { 0 };
    enum auth_problem problem = AUTH_UNKNOWN_USER;
    const bool ok = auth_queue_put(&queue, user->name, user->token, user->totp_time, err) &&
                    device_try_user(ex->device, &queue.items[0], &problem, err);
    auth_queue_clear(&queue);
    if (ok)
        reply_text(ex, bytes_of_text(auth_problem_text(problem)));
    return ok;
}

bool serve_user(struct exchange *ex, struct err *err)
{
    struct device *device = ex->device;
    const struct request_user *user = &ex->request.user;
    if (device->state != DEVICE_HSM)
        return try_user(ex, err);
    if (!auth_queue_put(&device->hsm->queue, user->name, user->token, user->totp_time, err))
        return false;
    reply_text(ex, (struct bytes){ 0 });
    return true;
}
