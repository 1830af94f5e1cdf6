// The link, and what needs no state: wire-protocol.md 8.1 to 8.3.
#include "base/secret.h"
#include "signer/requests.h"

// The behaviour level that we reproduce. Existing programs compare line 2 with version numbers.
static const char versions[] = "2026-08-20\n5.6.1\n3.3.0\n260820133600\nmk4";

bool serve_vers(struct exchange *ex, struct err *err)
{
    (void)err;
    reply_text(ex, bytes_of_text(versions));
    return true;
}

bool serve_ping(struct exchange *ex, struct err *err)
{
    (void)err;
    reply_binary(ex, ex->request.data);
    return true;
}

bool serve_blkc(struct exchange *ex, struct err *err)
{
    (void)err;
    reply_text(ex, bytes_of_text(device_chain(ex->device)->code));
    return true;
}

bool serve_bagi(struct exchange *ex, struct err *err)
{
    (void)err;
    reply_text(ex, BYTES("CASEMATE"));
    return true;
}

bool serve_logo(struct exchange *ex, struct err *err)
{
    (void)err;
    device_stop_in(ex->device, DEVICE_STOP_MS, false);
    reply_okay(ex);
    return true;
}

bool serve_rebo(struct exchange *ex, struct err *err)
{
    (void)err;
    device_stop_in(ex->device, DEVICE_STOP_MS, true);
    reply_okay(ex);
    return true;
}

static bool write_xpub(struct exchange *ex, struct bytes *out, struct err *err)
{
    char text[XPUB_TEXT_SIZE];
    if (!ex->device->has_seed)
        return true; // "fingerprint 0 and an empty xpub"
    hdpub_to_text(text, &ex->device->master_pub, device_chain(ex->device));
    return arena_copy(ex->arena, bytes_of_text(text), out) ||
           err_set(err, ERR_NO_MEMORY, "Out of RAM");
}

bool serve_ncry(struct exchange *ex, struct err *err)
{
    struct device *device = ex->device;
    const struct request_ncry *ncry = &ex->request.ncry;
    struct reply reply = { .id = REPLY_MYPB };
    AUTO(seckey_wipe) struct seckey own = { 0 };
    seckey_generate(&own);
    if (!write_xpub(ex, &reply.mypb.xpub, err) ||
        !link_accept(&ex->peer->end.link, ncry->version, &ncry->client, device->bound, &own, err))
        return false;
    reply.mypb.device = link_public(&own);
    memcpy(reply.mypb.xfp, device->xfp.b, sizeof reply.mypb.xfp);
    lease_void(&ex->peer->lease);
    if (ncry->version == LINK_V2) {
        device->bound = true;
        peers_end_other_sessions(&device->peers, ex->peer);
    }
    ex->reply = reply;
    return true;
}

bool serve_mitm(struct exchange *ex, struct err *err)
{
    uint8_t proof[LINK_PROOF_LEN];
    const struct hdkey *master = device_open_master(ex->device);
    if (master == NULL)
        return err_set(err, ERR_STATE, "Assertion no seed");
    const bool ok = link_prove(proof, &ex->peer->end.link, &master->key, err);
    device_close_master(ex->device);
    wipe_stack();
    if (!ok)
        return false;
    struct bytes copy;
    if (!arena_copy(ex->arena, BYTES_OF(proof), &copy))
        return err_set(err, ERR_NO_MEMORY, "Out of RAM");
    reply_binary(ex, copy);
    return true;
}
