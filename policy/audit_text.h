// policy/audit_text.h -- the audit log's records, as people read them.
//
// Source: policy.md 17.1 and 17.3; texts are exact.
#ifndef CASEMATE_POLICY_AUDIT_TEXT_H
#define CASEMATE_POLICY_AUDIT_TEXT_H
#include "policy/evaluate.h"

// Folders on the card. BIP-322 messages are logged with the transactions.
#define AUDIT_DIR_TRANSACTIONS "psbt"
#define AUDIT_DIR_MESSAGES     "messages"

// The last 8 bytes of the hash in hex, and ".log".
#define AUDIT_FILE_NAME_SIZE 21
void audit_file_name(char out[static AUDIT_FILE_NAME_SIZE], const struct hash256 *hash);

// Outputs that go to `destinations` of the rule that approved are named [EXT].
// story: as bitcoin/psbt_analyse.h story_write makes it with STORY_LOG.
void audit_transaction_write(struct writer *w, const struct decision *decision,
                             const struct policy *policy, const struct tx_facts *tx,
                             const struct auth_facts *auth, struct bytes story);

struct audit_message {
    struct hash256 hash; // SHA-256 of the text
    size_t len;          // of the text in bytes
    const struct keypath *path;
    struct bytes address;
    const struct auth_facts *auth; // of users who approved, if any did [EXT]
};
void audit_message_write(struct writer *w, const struct decision *decision,
                         const struct audit_message *message);

#endif
