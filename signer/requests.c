#include "signer/requests.h"
#include "base/secret.h"

#define REPLY_LIMIT (8u << 20) // bytes; above STATUS_MAX, and the packets around it

static request_fn *const handlers[REQUEST_COUNT] = {
    [REQUEST_LOGO] = serve_logo, [REQUEST_REBO] = serve_rebo, [REQUEST_VERS] = serve_vers,
    [REQUEST_PING] = serve_ping, [REQUEST_NCRY] = serve_ncry, [REQUEST_MITM] = serve_mitm,
    [REQUEST_BLKC] = serve_blkc, [REQUEST_BAGI] = serve_bagi, [REQUEST_SHA2] = serve_sha2,
    [REQUEST_UPLD] = serve_upld, [REQUEST_DWLD] = serve_dwld, [REQUEST_STXN] = serve_stxn,
    [REQUEST_STOK] = serve_stok, [REQUEST_SMSG] = serve_smsg, [REQUEST_SMOK] = serve_smok,
    [REQUEST_XPUB] = serve_xpub, [REQUEST_SHOW] = serve_show, [REQUEST_MSCK] = serve_msck,
    [REQUEST_P2SH] = serve_p2sh, [REQUEST_ENRL] = serve_enrl, [REQUEST_HSMS] = serve_hsms,
    [REQUEST_HSTS] = serve_hsts, [REQUEST_GSLR] = serve_gslr, [REQUEST_NWUR] = serve_nwur,
    [REQUEST_RMUR] = serve_rmur, [REQUEST_USER] = serve_user, [REQUEST_BKOK] = serve_bkok,
    [REQUEST_BACK] = serve_back, [REQUEST_REST] = serve_rest, [REQUEST_PASS] = serve_pass,
    [REQUEST_PWOK] = serve_pwok, [REQUEST_XKEY] = serve_xkey, [REQUEST_EXEC] = serve_exec,
    [REQUEST_EVAL] = serve_eval,
};

void reply_okay(struct exchange *ex)
{
    ex->reply = (struct reply){ .id = REPLY_OKAY };
}

void reply_text(struct exchange *ex, struct bytes text)
{
    ex->reply = (struct reply){ .id = REPLY_ASCI, .data = text };
}

void reply_binary(struct exchange *ex, struct bytes data)
{
    ex->reply = (struct reply){ .id = REPLY_BINY, .data = data };
}

void reply_number(struct exchange *ex, uint32_t number)
{
    ex->reply = (struct reply){ .id = REPLY_INT1, .number = { number } };
}

// The row of a code that some state of this device serves, or NULL. What only EDGE firmware and the
// factory know is unknown here, as any developer command outside of test mode but the few that
// clients send to every device.
static const struct request_info *find_served(struct bytes message)
{
    const struct request_info *info = request_find(message);
    return info != NULL && info->kind != KIND_UNSERVED ? info : NULL;
}

static bool is_developer(const struct exchange *ex, const struct request_info *info,
                         struct bytes message)
{
    return info != NULL ? info->kind == KIND_DEVELOPER
                        : ex->device->simulator && request_is_developer(message);
}

// What stands in the way of a command in this state, by the table and in the order of
// wire-protocol.md 5.2. Developer commands come before all gates.
static bool is_allowed(const struct exchange *ex, const struct request_info *info,
                       struct bytes message, struct err *err)
{
    const struct device *device = ex->device;
    if (is_developer(ex, info, message))
        return true;
    if (device->state == DEVICE_HSM && (info == NULL || info->hsm == HSM_REFUSED))
        return err_set(err, ERR_STATE, "Not allowed in HSM mode");
    // "allowed only if `share_addrs` has `p2sh`, checked before anything else": policy.md 15.3.
    if (device->state == DEVICE_HSM && info->id == REQUEST_P2SH &&
        !policy_shares_multisig_address(&device->hsm->policy)) {
        journal_denied(ex->device, "multisig-address", (struct bytes){ 0 });
        return err_set(err, ERR_STATE, "Not allowed in HSM mode");
    }
    if (info != NULL && info->needs_switch && !device->hsm_commands)
        return err_set(err, ERR_STATE, "HSM commands disabled");
    return true;
}

// "an unknown command -> err_Unknown cmd and the device logs out 250 ms later", if it is bound.
static bool unknown(struct exchange *ex, struct bytes message, struct err *err)
{
    if (is_developer(ex, NULL, message))
        return err_set(err, ERR_UNSUPPORTED, "Unknown SIMULATOR cmd");
    if (ex->device->bound)
        device_stop_in(ex->device, DEVICE_ENOUGH_MS, false);
    return err_set(err, ERR_UNSUPPORTED, "Unknown cmd");
}

static bool serve(struct exchange *ex, struct bytes message, struct err *err)
{
    const struct request_info *info = find_served(message);
    if (!is_allowed(ex, info, message, err))
        return false;
    if (info != NULL && info->plain == PLAIN_REFUSED && !ex->encrypted)
        return err_set(err, ERR_STATE, "must encrypt");
    request_fn *const handler = info != NULL ? handlers[info->id] : NULL;
    if (handler == NULL)
        return unknown(ex, message, err);
    if (request_unpack(&ex->request, info, message, err) && handler(ex, err))
        return true;
    if (info->id == REQUEST_UPLD)
        staging_reset(&ex->peer->staging); // "any error inside `upld`, including `busy`": 6.1
    return false;
}

static struct reply reply_of_error(struct exchange *ex, const struct err *err)
{
    switch (err->code) {
    case ERR_BUSY:
        return (struct reply){ .id = REPLY_BUSY };
    case ERR_FRAMING:
        staging_reset(&ex->peer->staging);
        return (struct reply){ .id = REPLY_FRAM, .data = bytes_of_text(err->text) };
    case ERR_REFUSED:
        return (struct reply){ .id = REPLY_REFU };
    default:
        return reply_error(bytes_of_text(err->text), true);
    }
}

void requests_serve(struct device *device, struct peer *peer, struct bytes message, bool encrypted,
                    struct writer *w)
{
    AUTO(arena_freep) struct arena *arena = arena_new(EXCHANGE_ARENA_MAX);
    struct exchange ex = { .device = device, .peer = peer, .encrypted = encrypted, .arena = arena };
    struct err err = { .code = ERR_NONE };
    device->last_request_ms = device->clock->monotonic_ms(device->clock);
    if (!serve(&ex, message, &err))
        ex.reply = reply_of_error(&ex, &err);
    reply_pack(w, &ex.reply);
    struct bytes packed;
    if (!writer_finish(w, &packed)) {
        // Only a text that is not ASCII, or a reply beyond all bounds, can get here.
        *w = writer_growing(w->arena, w->limit);
        const struct reply failed = reply_error(BYTES("Confused reply"), true);
        reply_pack(w, &failed);
    }
    wipe(&ex.request, sizeof ex.request);
    wipe(&ex.reply, sizeof ex.reply);
}

// A framing error: the reply `fram`; the upload is forgotten.
static void reply_bad_framing(struct peer *peer, const struct err *why, struct writer *w)
{
    staging_reset(&peer->staging);
    const struct reply reply = { .id = REPLY_FRAM, .data = bytes_of_text(why->text) };
    reply_pack(w, &reply);
}

static void answer(struct device *device, struct peer *peer, const struct device_input *input,
                   const struct err *framing, struct writer *packets)
{
    AUTO(arena_freep) struct arena *arena = arena_new(2 * REPLY_LIMIT);
    struct writer reply = writer_growing(arena, REPLY_LIMIT);
    const bool encrypted = input->encrypted;
    if (input->event == DEVICE_REQUEST) {
        requests_serve(device, peer, input->message, encrypted, &reply);
        device_request_done(&peer->end);
    } else {
        reply_bad_framing(peer, framing, &reply);
    }
    if (device_reply(&peer->end, packets, writer_bytes(&reply), encrypted))
        return;
    // What was cut so far may be in the clear: none of it is sent.
    packets->len = 0;
    LOG(device->log, LOG_WARNING, "reply_too_long", LOG_U64("peer", peer->id));
}

void requests_feed(struct device *device, struct peer *peer, struct bytes packet,
                   struct writer *packets)
{
    struct err err = { .code = ERR_NONE };
    const struct device_input input = device_feed(&peer->end, packet, device->bound, &err);
    switch (input.event) {
    case DEVICE_NOTHING:
        break;
    case DEVICE_RESYNC:
        staging_reset(&peer->staging);
        break;
    case DEVICE_BAD_FRAMING:
    case DEVICE_REQUEST:
        answer(device, peer, &input, &err, packets);
    }
}

bool upload_is(const struct peer *peer, uint32_t length, const struct hash256 *sha, uint32_t min,
               uint32_t max, struct err *err)
{
    const struct hash256 staged = staging_hash(&peer->staging);
    if (memcmp(staged.b, sha->b, sizeof staged.b) != 0)
        return err_set(err, ERR_INVALID, "Checksum");
    if (length < min || length > max)
        return err_set(err, ERR_LIMIT, "badlen");
    // A download at offset 0 restarts the running hash, so the hash alone says nothing of the length.
    if (length != peer->staging.total || length != peer->staging.next_offset)
        return err_set(err, ERR_INVALID, "Checksum");
    const struct hash256 whole = sha256(staging_bytes(&peer->staging));
    if (memcmp(whole.b, sha->b, sizeof whole.b) != 0)
        return err_set(err, ERR_INVALID, "Checksum");
    return true;
}
