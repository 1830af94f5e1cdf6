// signer/audit.h -- the text audit log on the card: where records go, and that they are there.
//
// The card is the folder `card` of the state directory; absent means no card. The text of a record is
// written by policy/audit_text.h.
// (1) audit_open before the decision tells whether the card is usable; nothing is decided without
//     it when the policy has must_log.
// (2) audit_save and audit_flush return true only when the records are on stable storage.
// (3) No symlink is followed at or below `card`, and only a regular file with one name is written.
//
// Source: policy.md 17.1, 17.2, 17.5.
#ifndef CASEMATE_SIGNER_AUDIT_H
#define CASEMATE_SIGNER_AUDIT_H
#include "policy/audit_text.h"

#define AUDIT_CARD_DIR "card"

enum audit_kind {
    AUDIT_PSBT,    // folder psbt: transactions, BIP-322 included
    AUDIT_MESSAGE, // folder messages: text messages
};

// An open record. Zeroed: none.
struct audit {
    int folder; // file descriptors, valid while `open`
    int file;
    bool open;
    bool made;                       // the file did not exist before
    int64_t start;                   // length of the file before this record
    char name[AUDIT_FILE_NAME_SIZE]; // of the file
};

// Whether a card is in: for the panel.
bool audit_has_card(int state_dir_fd);

// Opens <card>/psbt/<last 8 bytes of the digest>.log for append; makes the folder and the file.
// Fails: ERR_NOT_FOUND "no card", ERR_IO "card: <why>": unusable.
MUST_CHECK bool audit_open(struct audit *out, int state_dir_fd, enum audit_kind kind,
                           const struct hash256 *digest, struct err *err);

// Records that are waited for together. Zeroed: none.
#define AUDIT_TOGETHER_MAX 32
struct audit_list {
    size_t n;
    struct audit items[AUDIT_TOGETHER_MAX];
};

// Appends the record to its file and to the list, which has room. On failure the file is cut back to what
// it was, as far as the card still allows, and the record closed. Fails: ERR_IO.
MUST_CHECK bool audit_append(struct audit_list *list, struct audit *audit, struct bytes record,
                             struct err *err);

// Waits until all of the list are on the disk, and closes them. On failure all of them are cut back.
// Fails: ERR_IO.
MUST_CHECK bool audit_flush(struct audit_list *list, struct err *err);

// Both, for one record.
MUST_CHECK bool audit_save(struct audit *audit, struct bytes record, struct err *err);

// Closes without a record; a file that audit_open made is removed. For AUTO too; none is fine.
void audit_cancel(struct audit *audit);

#endif
