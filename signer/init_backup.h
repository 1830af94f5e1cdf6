// signer/init_backup.h -- what `casemate-signer restore` takes out of a backup, for signer/init.c.
//
// (1) A restored signer does not know what was spent since its backup: no policy starts without keys
//     until an operator has started one, and each begins with its period used up unless it is a new
//     file that he approves.
// (2) A policy that cannot be read here is left behind, and said so: without one, only keys sign.
#ifndef CASEMATE_SIGNER_INIT_BACKUP_H
#define CASEMATE_SIGNER_INIT_BACKUP_H
#include "signer/backup_text.h"
#include "signer/init.h"

// Reads the backup that the options name, asking for its words. *out lives in the arena as well.
// Fails: as backup_file_open and backup_text_read; ERR_INVALID for a wallet of other keys.
MUST_CHECK bool init_read_backup(const struct init_options *o, struct backup *out,
                                 struct arena *arena, struct err *err);
// What the store begins with. Borrows.
struct store_restored init_restored(const struct backup *backup);

#endif
