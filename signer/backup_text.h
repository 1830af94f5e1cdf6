// signer/backup_text.h -- a signer as text: what a backup holds, in the form of a Coldcard's own.
//
// Lines `key = value`, each value JSON; `#` starts a comment. What a Coldcard writes into its archive
// (ckcc-backup.txt) is read as well; our own texts have lines `casemate.*` besides, which a Coldcard
// ignores. docs/backup-format.md lists the keys.
//
// (1) What is read is checked as if a host had sent it: the text may come from anybody.
// (2) A line of ours that is not known is an error, since it may limit a spend; what a Coldcard adds is
//     ignored.
#ifndef CASEMATE_SIGNER_BACKUP_TEXT_H
#define CASEMATE_SIGNER_BACKUP_TEXT_H
#include "signer/device.h"

#define BACKUP_TEXT_MAX    (32u << 20)            // bytes
#define BACKUP_ARENA       (4u * BACKUP_TEXT_MAX) // for reading or writing one
#define BACKUP_VERSION     1
#define BACKUP_SERIAL_SIZE USER_SERIAL_SIZE

// What a signer has to go on with on another machine. Texts and lists live in the reader's arena.
struct backup {
    bool is_ours;          // has lines of ours
    struct secret *master; // a container of signer/master.h; owned
    const struct chain *chain;
    struct bytes name;      // of the signer
    int64_t created_s;      // wall clock; 0: not said
    struct user_list users; // secrets
    size_t n_wallets;
    const struct store_wallet *wallets;
    struct store_policy policy; // form empty: none is stored
    struct bytes hsm_policy;    // the reference's saved form: canonical JSON; empty: none
    struct store_past past;     // what was spent under which policy
    struct store_counters counters;
    struct bytes locker; // empty: none
    struct store_settings settings;
    struct store_head head; // of its journal
};
void backup_wipe(struct backup *backup); // also for AUTO; frees the container

// Fails: ERR_MALFORMED "line <n>: <what>", "<key>: <what>"; ERR_UNSUPPORTED for a newer version;
//        ERR_INVALID where two lines contradict each other; ERR_NO_MEMORY.
MUST_CHECK bool backup_text_read(struct backup *out, struct bytes text, struct arena *arena,
                                 struct err *err);

// The names that its policy may use; in the arena.
struct policy_world backup_world(const struct backup *backup, struct arena *arena);

// Fails: as master_node; ERR_NO_MEMORY.
MUST_CHECK bool backup_text_write(struct writer *w, const struct backup *backup, struct err *err);

#endif
