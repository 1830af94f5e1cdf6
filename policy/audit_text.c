// policy/audit_text.c
#include "policy/audit_text.h"
#include "base/hex.h"
#include "policy/payees.h"

#define AUDIT_NAME_BYTES ((size_t)8) // of the hash, from its end

void audit_file_name(char out[static AUDIT_FILE_NAME_SIZE], const struct hash256 *hash)
{
    const size_t digits = 2 * AUDIT_NAME_BYTES;
    hex_encode(out,
               bytes_slice(BYTES_OF(hash->b), sizeof hash->b - AUDIT_NAME_BYTES, AUDIT_NAME_BYTES));
    memcpy(out + digits, ".log", sizeof ".log");
}

static void write_end(struct writer *w, const struct decision *decision,
                      const struct policy *policy, const struct tx_facts *tx)
{
    writer_text(w, decision->verdict == VERDICT_SIGN ? "\nAPPROVED: " : "\nREFUSED: ");
    decision_write(w, decision, policy, tx);
    writer_text(w, "\n\n===\n\n");
}

// E10 is reached once every code was verified.
static bool codes_were_verified(const struct decision *d)
{
    return d->cause == CAUSE_RULE || d->cause == CAUSE_NO_RULE_PASSES;
}

static void write_users(struct writer *w, const struct decision *d, const struct auth_facts *auth)
{
    if (d->n_verified == 0)
        return;
    writer_text(w, "These users gave correct auth codes: ");
    for (size_t i = 0; i < d->n_verified; i++) {
        writer_text(w, i == 0 ? "" : ", ");
        name_write(w, user_name(&auth->users[d->verified[i].user]));
    }
    writer_text(w, "\n");
}

void audit_transaction_write(struct writer *w, const struct decision *decision,
                             const struct policy *policy, const struct tx_facts *tx,
                             const struct auth_facts *auth, struct bytes story)
{
    writer_text(w, "Transaction signing requested:\nSHA256(PSBT) = ");
    writer_hex(w, BYTES_OF(tx->psbt_hash.b));
    writer_text(w, "\n-vvv-\n");
    writer_put(w, story);
    writer_text(w, "\n-^^^-\n");
    if (decision->n_warnings > 0 && decision->cause != CAUSE_WARNINGS)
        writer_text(w, "Txn has warnings, but policy is to accept anyway.\n");
    if (codes_were_verified(decision) && decision->local_code_good)
        writer_text(w, "Local operator gave correct code.\n");
    write_users(w, decision, auth);
    if (decision->cause == CAUSE_RULE)
        payees_log_write(w, policy, decision->rule, tx);
    write_end(w, decision, policy, tx);
}

void audit_message_write(struct writer *w, const struct decision *decision,
                         const struct audit_message *message)
{
    writer_text(w, "Message signing requested:\nSHA256(msg) = ");
    writer_hex(w, BYTES_OF(message->hash.b));
    writer_printf(w, "\n\n%zu bytes to be signed by ", message->len);
    keypath_write(w, message->path);
    writer_printf(w, " => %.*s\n", BYTES_ARG(message->address));
    write_users(w, decision, message->auth);
    write_end(w, decision, NULL, NULL);
}
