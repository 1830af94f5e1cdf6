// signer/job.h -- a request that takes its time: started by one command, asked after by another.
//
// Outside HSM mode there is one screen and therefore one job; in HSM mode nobody is asked, and each
// peer has its own. Source: wire-protocol.md 7.
#ifndef CASEMATE_SIGNER_JOB_H
#define CASEMATE_SIGNER_JOB_H
#include "base/err.h"
#include "bitcoin/address.h"
#include "bitcoin/message.h"
#include "bitcoin/psbt_sign.h"
#include "signer/blob.h"

struct decision;
struct velocity;

enum job_kind {
    JOB_NONE,
    JOB_TRANSACTION,
    JOB_MESSAGE,
    JOB_ADDRESS,    // shown until dismissed; has no result
    JOB_START_HSM,  // asked on the screen; has no result
    JOB_ENROLL,     // likewise: a multisig wallet
    JOB_BACKUP,     // shown and asked; its result is a file
    JOB_RESTORE,    // refused at once
    JOB_PASSPHRASE, // asked; its result is the new master's xpub
};
enum job_state {
    JOB_WAITING, // for its turn, or for the operator
    JOB_REFUSED,
    JOB_FAILED, // `error`
    JOB_FINISHED,
};

struct hsm_amounts;
struct sign_work;

struct job {
    enum job_kind kind;
    enum job_state state;
    struct err error;
    uint64_t peer;  // id of the peer that started it (peer.h)
    uint64_t order; // of arrival
    bool begun;     // no longer waiting for its turn

    // Transaction: what was accepted. The copy is private, so that the host cannot change what was
    // shown (psbt-signing.md 8.1).
    struct blob psbt;
    struct hash256 psbt_hash;
    uint32_t flags; // STXN_*
    // While it is being worked on or asked about: facts and PSBT live in the arena.
    struct arena *arena;
    struct psbt *container;
    struct psbt_facts *facts;
    struct bytes story;         // as the screen shows it, or as it is visualised
    bool was_tried;             // visualised: it was looked whether it can be proved, for a dry run
    const struct err *unproved; // and why not; NULL: it can
    bool is_understood;         // all of these are there
    struct sign_work *work;     // that goes on (sign_work.h); NULL: none

    // In HSM mode, from the decision until there is a signature; they live in the arena.
    const struct decision *decision; // NULL: none yet
    struct bytes decision_text;
    const struct velocity *before; // what the decision charged was charged on top of this
    bool committed;                // the decision is on disk

    // Otherwise, once the operator has agreed: what is to be remembered of amounts.
    const struct hsm_amounts *amounts;

    // Message.
    struct blob message;
    struct keypath path;
    enum addr_format format;

    // Results.
    struct blob result; // transaction: PSBT, transaction or text; moved to who fetches it
    size_t result_len;
    struct hash256 result_hash;
    char address[ADDRESS_TEXT_MAX];
    uint8_t signature[MESSAGE_SIGNATURE_LEN];
};

#define JOB_ARENA_MAX (64u << 20) // psbt-signing.md 8.6: "64 MiB is ample"

// Forgets everything, work that goes on included; the job is JOB_NONE then.
void job_drop(struct job *job);

// Nobody is waiting for it any more except to fetch the result.
bool job_is_over(const struct job *job);

// Ends a job, dropping what only work needed. job_fail takes the error as it is.
void job_refuse(struct job *job);
void job_fail(struct job *job, const struct err *err);
void job_finish(struct job *job);

#endif
