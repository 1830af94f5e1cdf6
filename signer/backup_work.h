// signer/backup_work.h -- sealing a backup for a host, beside the event loop: its words go through
// Argon2id, which takes a second and the memory of many requests.
//
// (1) The text that is sealed is gathered in the loop, at once: it is of one moment.
// (2) While the worker is at it no request to sign is begun. Nothing stops it; whoever locks waits.
#ifndef CASEMATE_SIGNER_BACKUP_WORK_H
#define CASEMATE_SIGNER_BACKUP_WORK_H
#include "signer/backup.h"
#include "signer/device.h"

// What came of it: the sealed file, or why there is none. Borrowed.
struct backup_outcome {
    const struct err *err; // NULL: it went well
    struct bytes file;
};
typedef void backup_work_fn(struct device *device, const struct backup_outcome *outcome);

// Seals a backup of `source` under the words, of which it takes a copy; without a worker, and if there is
// nothing to seal, at once. `done` is not called if device->job, which asks for it, is another one by then.
void backup_work_start(struct device *device, const struct backup_source *source,
                       const struct backup_words *words, struct vault_cost cost,
                       backup_work_fn *done);

#endif
