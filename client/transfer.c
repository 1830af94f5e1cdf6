#include "client/transfer.h"
#include "base/require.h"

#define RESTART_PAUSE_MS 250
#define FIRST_POLL_MS    1 // in HSM mode the answer is there at once, or as soon as it is signed

static void report(const struct progress *progress, enum transfer_phase phase, uint64_t done,
                   uint64_t total)
{
    if (progress != NULL && progress->report != NULL)
        progress->report(progress->context, phase, done, total);
}

// --- Upload ---

static bool send_block(struct connection *c, const struct request_upld *block, struct err *err)
{
    const struct request request = { .id = REQUEST_UPLD, .upld = *block };
    struct reply reply;
    if (!connection_call(c, &reply, REPLY_INT1, &request, NULL, err))
        return false;
    if (reply.number[0] != block->offset)
        return err_set(err, ERR_FRAMING, "upld: offset %u, not %u", (unsigned)reply.number[0],
                       (unsigned)block->offset);
    return true;
}

static bool send_blocks(struct connection *c, struct bytes content, size_t block_len,
                        const struct progress *progress, struct err *err)
{
    for (size_t at = 0; at < content.len; at += block_len) {
        const struct request_upld block = { .offset = (uint32_t)at,
                                            .total = (uint32_t)content.len,
                                            .data = bytes_slice(content, at, block_len) };
        report(progress, TRANSFER_UPLOAD, at, content.len);
        if (!send_block(c, &block, err))
            return false;
    }
    report(progress, TRANSFER_UPLOAD, content.len, content.len);
    return true;
}

static bool compare_hash(struct connection *c, const struct hash256 *sha, struct err *err)
{
    const struct request request = { .id = REQUEST_SHA2 };
    struct reply reply;
    if (!connection_call(c, &reply, REPLY_BINY, &request, NULL, err))
        return false;
    if (!bytes_equal(reply.data, BYTES_OF(sha->b)))
        return err_set(err, ERR_FRAMING, "Checksum wrong after upload");
    return true;
}

// "on `err_Checksum` or `busy` restart from offset 0 at most twice". Other failures of the link are
// no reason: they end the session.
static bool may_restart(const struct err *err)
{
    static const char *const texts[] = { "Coldcard Error: Checksum",
                                         "Checksum wrong after upload" };
    for (size_t i = 0; i < COUNT(texts); i++)
        if (strcmp(err->text, texts[i]) == 0)
            return true;
    return err->code == ERR_BUSY;
}

struct upload {
    struct bytes content;
    size_t block_len;
    struct hash256 sha;
    const struct request *start; // NULL: only upload
    const struct progress *progress;
};

static bool upload_once(struct connection *c, const struct upload *upload, struct err *err)
{
    struct reply reply;
    return send_blocks(c, upload->content, upload->block_len, upload->progress, err) &&
           compare_hash(c, &upload->sha, err) &&
           (upload->start == NULL ||
            connection_call(c, &reply, REPLY_OKAY, upload->start, NULL, err));
}

static bool upload_with_restarts(struct connection *c, const struct upload *upload, struct err *err)
{
    if (upload->content.len == 0 || upload->content.len > UPLOAD_MAX)
        return err_set(err, ERR_LIMIT, "a file of %zu bytes cannot be sent: 1 to %d",
                       upload->content.len, UPLOAD_MAX);
    for (int restarts = 0; !upload_once(c, upload, err); restarts++) {
        struct err stop;
        if (restarts == TRANSFER_RESTARTS || !may_restart(err))
            return false;
        if (!connection_pause(c, RESTART_PAUSE_MS, &stop)) {
            *err = stop;
            return false;
        }
    }
    return true;
}

bool transfer_upload(struct connection *c, struct bytes content, size_t block_len,
                     const struct progress *progress, struct err *err)
{
    REQUIRE(block_len <= BLOCK_MAX);
    const struct upload upload = { .content = content,
                                   .block_len = block_len > 0 ? block_len : BLOCK_MAX,
                                   .sha = sha256(content),
                                   .progress = progress };
    return upload_with_restarts(c, &upload, err);
}

static void name_file(struct request *start, const struct request_file *file)
{
    switch (start->id) {
    case REQUEST_STXN:
        start->stxn.length = file->length;
        start->stxn.sha = file->sha;
        return;
    case REQUEST_HSMS:
        start->hsms = (struct request_hsms){ .has_file = true, .file = *file };
        return;
    case REQUEST_REST:
        start->rest.file = *file;
        return;
    default:
        REQUIRE(start->id == REQUEST_ENRL || start->id == REQUEST_MINS);
        start->enrl = *file;
    }
}

bool transfer_start(struct connection *c, struct bytes content, struct request *start,
                    const struct progress *progress, struct err *err)
{
    const struct upload upload = { .content = content,
                                   .block_len = BLOCK_MAX,
                                   .sha = sha256(content),
                                   .start = start,
                                   .progress = progress };
    const struct request_file file = { .length = (uint32_t)content.len, .sha = upload.sha };
    name_file(start, &file);
    return upload_with_restarts(c, &upload, err);
}

// --- Waiting ---

// An eighth of the time waited so far: whatever the answer takes, it is seen an eighth later at most.
static int next_pause_ms(int64_t spent_ms)
{
    const int64_t pause = spent_ms / 8;
    if (pause > TRANSFER_POLL_MS)
        return TRANSFER_POLL_MS;
    return pause > FIRST_POLL_MS ? (int)pause : FIRST_POLL_MS;
}

bool transfer_wait(struct connection *c, struct reply *out, enum request_id id,
                   enum reply_id expected, int64_t limit_ms, struct arena *arena,
                   const struct progress *progress, struct err *err)
{
    const struct request poll = { .id = id };
    const int64_t start_ms = wait_now_ms();
    for (;;) {
        if (!connection_exchange(c, out, &poll, arena, err))
            return false;
        if (out->id == expected)
            return true;
        if (out->id != REPLY_OKAY)
            return err_set(err, ERR_FRAMING, "expected %s, got %s", reply_code(expected),
                           reply_code(out->id));
        const int64_t spent_ms = wait_now_ms() - start_ms;
        report(progress, TRANSFER_WAIT, (uint64_t)spent_ms, limit_ms > 0 ? (uint64_t)limit_ms : 0);
        if (limit_ms >= 0 && spent_ms >= limit_ms)
            return err_set(err, ERR_PENDING, "nobody has decided within %d s",
                           (int)(limit_ms / 1000));
        if (!connection_pause(c, next_pause_ms(spent_ms), err))
            return false;
    }
}

// --- Download ---

static bool fetch_block(struct connection *c, struct writer *w, const struct request_dwld *dwld,
                        struct err *err)
{
    const struct request request = { .id = REQUEST_DWLD, .dwld = *dwld };
    struct reply reply;
    if (!connection_call(c, &reply, REPLY_BINY, &request, NULL, err))
        return false;
    if (reply.data.len != dwld->length)
        return err_set(err, ERR_FRAMING, "dwld: %zu bytes, not %u", reply.data.len,
                       (unsigned)dwld->length);
    writer_put(w, reply.data);
    return true;
}

static bool fetch_blocks(struct connection *c, struct writer *w, uint32_t file, uint32_t len,
                         const struct progress *progress, struct err *err)
{
    for (uint32_t at = 0; at < len; at += BLOCK_MAX) {
        // "asking for 1024 when 450 remain is an error"
        const uint32_t part = len - at < BLOCK_MAX ? len - at : BLOCK_MAX;
        const struct request_dwld dwld = { .offset = at, .length = part, .file = file };
        report(progress, TRANSFER_DOWNLOAD, at, len);
        if (!fetch_block(c, w, &dwld, err))
            return false;
    }
    report(progress, TRANSFER_DOWNLOAD, len, len);
    return true;
}

bool transfer_download(struct connection *c, struct bytes *out, uint32_t file,
                       const struct reply *strx, struct arena *arena,
                       const struct progress *progress, struct err *err)
{
    const uint32_t len = strx->strx.length;
    if (len == 0 || len > TRANSFER_RESULT_MAX)
        return err_set(err, ERR_LIMIT, "the device announces a result of %u bytes", (unsigned)len);
    uint8_t *mem = arena_alloc(arena, len);
    if (mem == NULL)
        return err_set(err, ERR_NO_MEMORY, "no memory for a result of %u bytes", (unsigned)len);
    struct writer w = writer_of(mem, len);
    struct bytes content;
    if (!fetch_blocks(c, &w, file, len, progress, err))
        return false;
    REQUIRE(writer_finish(&w, &content));
    const struct hash256 sha = sha256(content);
    if (!bytes_equal(BYTES_OF(sha.b), BYTES_OF(strx->strx.sha.b)))
        return err_set(err, ERR_FRAMING, "Checksum wrong during file download");
    *out = content;
    return true;
}
