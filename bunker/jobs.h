// bunker/jobs.h -- the things that are asked of the device, each one job of its queue.
//
// A job is made on the loop, filled in, submitted, and freed in its `done`. What it was given it owns.
// Source: bunker.md 6, 9.
#ifndef CASEMATE_BUNKER_JOBS_H
#define CASEMATE_BUNKER_JOBS_H
#include "bunker/device.h"
#include "bunker/review.h"
#include "bunker/slot.h"

// --- Signing, and the preview ---

struct sign_code {
    char name[SLOT_NAME_SIZE];
    struct secret *token; // as it is sent
    uint32_t window;
};

struct sign_job {
    struct device_job base; // first
    uint8_t *psbt;
    size_t psbt_len;
    size_t n_codes;
    struct sign_code codes[SLOT_AUTH_MAX];
    bool finalize;
    bool preview;          // the words only; nothing is signed
    bool accept_leftovers; // the user has seen that the device holds codes that are not ours
    bool sent;             // result: codes or PSBT have gone to the device
    bool leftovers;        // result: it does, and nothing was done
    bool finalize_dropped; // result: other signatures are missing, so it was signed without
    bool refused;          // result: the policy or a person said no
    char refusal[2048];    // result: the device's reason; empty: none
    uint8_t *result;
    size_t result_len;
    enum result_kind kind;
    char txid[65];
};
struct sign_job *sign_job_new(struct bytes psbt);
void sign_job_free(struct sign_job *job);
device_work sign_work;

// Codes that are passwords are turned into tokens here, for the device's serial and this PSBT. A code
// "hmac:<64 hex>" is such a token already.
void sign_job_add_code(struct sign_job *job, const struct slot_auth *auth, struct bytes serial,
                       const struct hash256 *psbt_hash);

// --- Messages ---

struct message_job {
    struct device_job base;
    char text[1024], path[256];
    uint32_t format;
    char address[128], signature[100]; // result
    bool refused;
    char refusal[2048];
};
device_work message_work;

// --- Addresses ---

// The device shows it as well: that is the one to compare with.
struct address_job {
    struct device_job base;
    char path[256];
    uint32_t format;   // enum addr_format
    char address[128]; // result
};
device_work address_work;

// --- Users and policy ---

struct user_job {
    struct device_job base;
    char name[SLOT_NAME_SIZE];
    bool remove;
    uint8_t mode;          // of nwur, USER_SHOW_QR included
    struct secret *secret; // NULL: the device picks one
    char picked[64];       // result: what it picked and did not show itself
    char shown[40];        // what was made here, for the admin's eyes; empty: nothing
};
device_work user_work;

struct policy_job {
    struct device_job base;
    uint8_t *policy; // NULL: the stored one
    size_t policy_len;
};
device_work policy_work;

// --- The locker ---

struct locker_job {
    struct device_job base;
    struct secret *content; // result
};
device_work locker_work;

#endif
