// bunker/link_job.h -- a job of the device's queue whose steps come one by one from a signer link.
//
// (1) While it runs the device's thread serves this link alone: nothing of others comes between its messages.
// (2) A job of several messages begins with what opens one, and is over as link_rules.h says, at the socket's
//     end, or after its limit. Anything else is a job of one message.
// (3) The gate is decided on the device's thread, by the state that the device is in then.
// (4) What is on the device belongs to a certificate's name: results to whom asked for them, codes for
//     LINK_CODES_MS to whom gave them. To others they are not there, or stop a signing.
// (5) If the socket ends while the device decides, its decision is waited for and kept: the next job finds a
//     device that has nothing to do, and the same certificate may still ask what it was.
// Source: bunker.md 3.4, 9.5.
#ifndef CASEMATE_BUNKER_LINK_JOB_H
#define CASEMATE_BUNKER_LINK_JOB_H
#include "bunker/device.h"
#include "bunker/link_left.h"
#include "client/link_text.h"
#include <pthread.h>

// Over a pipe between two threads: the loop gives messages, the device's thread gives replies.
struct link_job {
    struct device_job base; // first
    // For both, not changed once it is submitted:
    uint64_t client; // to whom replies go
    bool single;     // of one message
    int limit_ms;    // LINK_JOB_MS
    bool provision;
    char certificate[DEVICE_OWNER_SIZE];
    const char *listener;   // its name
    struct link_left *left; // the device's thread alone uses it
    // Runs on the loop, with a reply that came.
    void (*replied)(void *context, uint64_t client, struct bytes reply);
    void *context;
    // The result, for `done`:
    struct link_progress progress;
    size_t n_passed; // messages that the device has answered
    bool timed_out, socket_ended;
    bool owes; // a message has had no reply: base.err says why, if base.ok is false

    pthread_mutex_t lock; // of what follows
    int wake_fd;
    bool has_message, begun, lost, ended, given_up;
    uint8_t message[REQUEST_MAX];
    size_t message_len;
    struct parcel *first; // replies on their way to the loop, in their order
};

// With its first message. Fill in the rest, base.done and base.drop, then submit it.
struct link_job *link_job_new(struct bytes message, bool single);
void link_job_free(struct link_job *job);

// --- From the loop ---

// The next message. False if the job is over, or wants none.
MUST_CHECK bool link_job_give(struct link_job *job, struct bytes message);

// The socket has ended.
void link_job_lose(struct link_job *job);

// Takes back a job that has waited for its turn and not begun. False: it has.
MUST_CHECK bool link_job_give_up(struct link_job *job);

#endif
