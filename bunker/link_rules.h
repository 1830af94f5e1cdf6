// bunker/link_rules.h -- what a signer link may ask, and when a job of it is over: decided from the messages alone, without
// a socket, a device or a clock.
//
// (1) What no row names is refused, whatever the state: above all `gslr`, for the locker is the bunker's, and `ncry`
//     and `mitm`, for the link to the device is.
// (2) A job ends with the first reply that leaves nothing of it to be done.
// Source: bunker.md 3.4.
#ifndef CASEMATE_BUNKER_LINK_RULES_H
#define CASEMATE_BUNKER_LINK_RULES_H
#include "client/connection.h"

#define LINK_JOB_MS   120000 // "or 120 s"
#define LINK_CODES_MS 90000  // "those that the same certificate left within 90 s count as its own"

enum link_gate {
    LINK_NEVER,
    LINK_ALWAYS,
    LINK_IN_HSM,       // in HSM mode
    LINK_PROVISIONING, // outside it, with link_provision
};

// The gate of a message, and its request; REQUEST_NONE with LINK_NEVER.
enum link_gate link_gate(struct bytes message, enum request_id *id);
bool link_may_pass(enum link_gate gate, bool in_hsm_mode, bool provision);

bool link_opens_job(enum request_id id);       // the first of these does
bool link_is_about_result(enum request_id id); // of what an earlier job left: upload or result
bool link_is_about_codes(enum request_id id);  // leads to a signature that codes could authorise

enum link_outcome {
    LINK_UNFINISHED, // codes or an upload, and no more
    LINK_SIGNED,
    LINK_MESSAGE_SIGNED,
    LINK_PROVISIONED,
    LINK_REFUSED, // by the policy or a person
    LINK_FAILED,
};
const char *link_outcome_name(enum link_outcome outcome); // "message_signed"

#define LINK_USERS_MAX 30 // that a device has
struct link_users {
    size_t n;
    char items[LINK_USERS_MAX][17];
};

// What a job has done so far. Zeroed: nothing.
struct link_progress {
    enum link_outcome outcome;
    bool over;
    enum request_id
        awaited; // `stok` or `smok`: what the device is at, and the poll that tells; REQUEST_NONE: nothing
    uint32_t result_len;     // once known
    char psbt_hash[65];      // of `stxn`; empty: none
    char reason[256];        // of a failure, or which provisioning command it was
    struct link_users users; // to whom codes were given
};

// Takes a message that was sent and the reply that came. Neither is trusted.
void link_progress_step(struct link_progress *p, struct bytes message, struct bytes reply);

#endif
