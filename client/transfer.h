// client/transfer.h -- files to the device and back, requests that start from a file, and waiting
// for who decides.
//
// (1) What the device holds is compared with what was sent before anything starts from it.
// (2) A result is handed out whole and with the hash that the device announced, or not at all.
// Source: wire-protocol.md 6, 7, appendix B; cli.md 7.6.
#ifndef CASEMATE_CLIENT_TRANSFER_H
#define CASEMATE_CLIENT_TRANSFER_H
#include "client/connection.h"

#define TRANSFER_RESTARTS    2        // "restart from offset 0 at most twice"
#define TRANSFER_POLL_MS     250      // between two polls, once the first quick ones are over
#define TRANSFER_RESULT_MAX  PSBT_MAX // longest result that a device can announce
#define TRANSFER_WAIT_NO_END (-1)

enum transfer_phase { TRANSFER_UPLOAD, TRANSFER_DOWNLOAD, TRANSFER_WAIT };

// What a person is shown. `report` may be NULL. Of TRANSFER_WAIT: milliseconds that passed, and the
// limit or 0; else bytes done and in all.
struct progress {
    void (*report)(void *context, enum transfer_phase phase, uint64_t done, uint64_t total);
    void *context;
};

// Uploads and compares the device's hash with ours. block_len: 1 to BLOCK_MAX; 0 is BLOCK_MAX.
// Fails: as connection_call; ERR_LIMIT for no bytes or more than UPLOAD_MAX; ERR_FRAMING "Checksum
//        wrong after upload" once restarting did not help, "upld: offset <n>, not <n>".
MUST_CHECK bool transfer_upload(struct connection *c, struct bytes content, size_t block_len,
                                const struct progress *progress, struct err *err);

// Uploads, then sends `start` (stxn, hsms, enrl, mins or rest), whose length and hash are filled in
// here. Uploads again where the device lost the file (`Checksum`) or was busy.
MUST_CHECK bool transfer_start(struct connection *c, struct bytes content, struct request *start,
                               const struct progress *progress, struct err *err);

// Polls until there is the result. id: stok, smok, bkok or pwok; expected: its kind of reply.
// limit_ms: TRANSFER_WAIT_NO_END, or how long at most, at least one poll.
// Fails: ERR_PENDING "nobody has decided within <n> s": the request then is where it was, and the
//        session usable; and as connection_call.
MUST_CHECK bool transfer_wait(struct connection *c, struct reply *out, enum request_id id,
                              enum reply_id expected, int64_t limit_ms, struct arena *arena,
                              const struct progress *progress, struct err *err);

// Downloads a result that `strx` announced. *out lies in the arena.
// Fails: ERR_FRAMING "Checksum wrong during file download", "dwld: <n> bytes, not <n>"; ERR_LIMIT
//        for an announced length of 0 or above TRANSFER_RESULT_MAX; ERR_NO_MEMORY.
MUST_CHECK bool transfer_download(struct connection *c, struct bytes *out, uint32_t file,
                                  const struct reply *strx, struct arena *arena,
                                  const struct progress *progress, struct err *err);

#endif
