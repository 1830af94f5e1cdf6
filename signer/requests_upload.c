// Upload and download: wire-protocol.md 6.
#include "signer/requests.h"

#define FIRMWARE_MAGIC_AT 0x3f80u // of the header's second half, which starts with the magic

// "Casemate has no firmware: it MUST refuse the block that carries the magic"
static bool is_firmware(const struct request_upld *upld)
{
    static const uint8_t magic[] = { 0x34, 0x12, 0x00, 0xcc };
    if (upld->offset > FIRMWARE_MAGIC_AT || upld->data.len < FIRMWARE_MAGIC_AT - upld->offset)
        return false;
    const struct bytes at = bytes_slice(upld->data, FIRMWARE_MAGIC_AT - upld->offset, sizeof magic);
    return bytes_equal(at, BYTES_OF(magic));
}

static bool check_block(const struct exchange *ex, struct err *err)
{
    const struct request_upld *upld = &ex->request.upld;
    const struct staging *staging = &ex->peer->staging;
    const uint64_t end = (uint64_t)upld->offset + upld->data.len;
    if (upld->offset % BLOCK_ALIGN != 0)
        return err_set(err, ERR_INVALID, "alignment");
    if (upld->offset != 0 && upld->offset != staging->next_offset)
        return err_set(err, ERR_INVALID, "offset");
    if (upld->total < 1 || upld->total > UPLOAD_MAX || end > upld->total)
        return err_set(err, ERR_LIMIT, "long");
    if (ex->device->state == DEVICE_HSM) {
        // "Uploads must be PSBTs": policy.md 9.
        if (upld->total > PSBT_MAX ||
            (upld->offset == 0 && !bytes_starts_with(upld->data, BYTES("psbt\xff"))))
            return err_set(err, ERR_INVALID, "psbt");
    }
    if (is_firmware(upld))
        return err_set(err, ERR_UNSUPPORTED,
                       "That firmware doesn't support this version of Coldcard hardware (mk4).");
    return true;
}

// "Staging area not in use by a pending request other than a transaction"
static bool is_busy(struct exchange *ex)
{
    const struct job *job = device_job(ex->device, ex->peer);
    return !job_is_over(job) && job->kind != JOB_TRANSACTION;
}

bool serve_upld(struct exchange *ex, struct err *err)
{
    const struct request_upld *upld = &ex->request.upld;
    struct peer *peer = ex->peer;
    if (is_busy(ex))
        return err_set(err, ERR_BUSY, "busy");
    lease_void(&peer->lease);
    if (!check_block(ex, err))
        return false;
    staging_put(&peer->staging, upld->offset, upld->total, upld->data);
    reply_number(ex, upld->offset);
    return true;
}

bool serve_sha2(struct exchange *ex, struct err *err)
{
    const struct hash256 hash = staging_hash(&ex->peer->staging);
    struct bytes copy;
    if (!arena_copy(ex->arena, BYTES_OF(hash.b), &copy))
        return err_set(err, ERR_NO_MEMORY, "Out of RAM");
    reply_binary(ex, copy);
    return true;
}

static bool check_download(const struct exchange *ex, uint32_t length, struct err *err)
{
    const struct request_dwld *dwld = &ex->request.dwld;
    const struct lease *lease = &ex->peer->lease;
    if (dwld->file > 1)
        return err_set(err, ERR_INVALID, "bad fnum");
    if (dwld->offset >= PSBT_MAX || (uint64_t)dwld->offset + length > PSBT_MAX)
        return err_set(err, ERR_INVALID, "bad offset");
    if (length < 1)
        return err_set(err, ERR_INVALID, "len");
    if (!ex->encrypted)
        return err_set(err, ERR_STATE, "must encrypt");
    if (!lease->granted)
        return err_set(err, ERR_STATE, "not allowed");
    if (lease->file != dwld->file)
        return err_set(err, ERR_STATE, "not allowed: file no");
    if ((uint64_t)dwld->offset + length > lease->content.len)
        return err_set(err, ERR_STATE, "not allowed: out of bounds");
    return true;
}

bool serve_dwld(struct exchange *ex, struct err *err)
{
    const struct request_dwld *dwld = &ex->request.dwld;
    const uint32_t length = dwld->length > BLOCK_MAX ? BLOCK_MAX : dwld->length;
    if (!check_download(ex, length, err))
        return false;
    const struct bytes part =
        bytes_slice(blob_bytes(&ex->peer->lease.content), dwld->offset, length);
    // "The same running hash is re-used by downloads: a `dwld` at offset 0 restarts it and then
    // hashes what is sent."
    if (dwld->offset == 0)
        sha256_init(&ex->peer->staging.running);
    sha256_update(&ex->peer->staging.running, part);
    store_step(ex->device->store, "download");
    reply_binary(ex, part);
    return true;
}
