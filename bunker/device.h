// bunker/device.h -- the one device behind this bunker: a queue of jobs, and what is known of it.
//
// (1) One thread talks to the device, one job after the other: no command of anybody comes between the
//     first code and the end of a signing. A job is whole or failed, never half done by another.
// (2) Every job ends with the device's status, so that counters are those after it.
// (3) What is known is a report, copied to the loop; nothing is shared.
// (4) An error that leaves the link in doubt closes the connection; the next job opens a new one.
// Source: bunker.md 9.5, 15.
#ifndef CASEMATE_BUNKER_DEVICE_H
#define CASEMATE_BUNKER_DEVICE_H
#include "client/connection.h"
#include "client/hsm_status.h"
#include "crypto/certificate.h"
#include "http/pool.h"
#include <stdatomic.h>

#define DEVICE_BUSY_MS  30000 // how long a busy device is asked again
#define DEVICE_RETRY_MS 250
#define DEVICE_SIGN_MS  120000 // for a decision in HSM mode, where no person is needed
#define DEVICE_ARENA    ((size_t)96 << 20)

#define DEVICE_NOT_CONNECTED LINK_NO_DEVICE
#define DEVICE_OWNER_SIZE    CERTIFICATE_NAME_SIZE

enum device_state {
    DEVICE_ABSENT,
    DEVICE_CONNECTING,
    DEVICE_LOCKED,
    DEVICE_HSM_DISABLED,
    DEVICE_IDLE,
    DEVICE_APPROVING,
    DEVICE_HSM,
    DEVICE_BUSY,
    DEVICE_ERROR,
};
const char *device_state_name(enum device_state state); // "hsm_disabled"

// What was last seen. `hsts` is the status as the device wrote it, on the heap; NULL: none.
struct device_report {
    enum device_state state;
    char serial[SERIAL_TEXT_SIZE], xfp[9], xpub[120], firmware[32];
    uint8_t *hsts;
    size_t hsts_len;
    bool active;
    uint64_t approvals, refusals, pending_auth;
    char why[256]; // of states with a problem, for people
};
void report_wipe(struct device_report *report);

// The thread's side.
struct device_line {
    const struct device_options *options;
    struct connection *connection; // NULL: none
    struct device_report report;
    int cancel_fd;
    // Whose the upload and the result on the device are: a signer link's certificate; empty: nobody's, or a page's.
    char owner[DEVICE_OWNER_SIZE];
};

struct device_job;
typedef bool device_work(struct device_line *line, struct device_job *job, struct err *err);
struct device_job {
    device_work *work;                    // on the thread; NULL: only the status is wanted
    bool brief;                           // a question: it changes nothing that others rely on
    void (*done)(struct device_job *job); // on the loop; frees the job
    void (*drop)(struct device_job *job); // frees it instead, when the device ends first
    const void *who;                      // a session, compared only: it may cancel; NULL: nobody
    struct device *device;                // set by device_submit
    struct device_job *next;              // of the queue, for the loop
    atomic_bool cancelled;
    struct arena *arena; // of the job, made and freed by the device
    bool ok;
    struct err err;
    struct device_report report;
};

struct device_options {
    bool usb; // a Coldcard; else a socket at:
    const char *path, *path_owner, *serial;
    uint32_t ncry;
    struct pool_loop loop;
    // After a job, before its `done`: `now` has replaced `before`.
    void (*changed)(void *context, const struct device_report *before,
                    const struct device_report *now);
    void *context;
};

struct device {
    struct device_options options;
    struct pool *pool;         // of one thread
    struct device_line line;   // the thread's alone
    struct device_report view; // the loop's
    int64_t seen_ms;           // when it was last heard of
    size_t n_jobs;             // waiting or running
    struct device_job *first;  // of them, in their order: the first one runs
    struct device_job **last;
    size_t n_real; // of these, those with work that is not brief
    int cancel_fd;
};

struct device *device_new(const struct device_options *options);
void device_free(struct device *device);

// Queues it; `done` is called in any case. After 256 jobs that wait: at once, with ERR_BUSY.
void device_submit(struct device *device, struct device_job *job);

// Ends the wait of the job that runs; it fails with ERR_INTERRUPTED.
void device_cancel(struct device *device);

// The same for all jobs of that session, running or waiting; how many. The device may go on showing what it
// was asked: only a person there takes that back.
#define DEVICE_CANCELLED "No longer waited for. The device may still show the request."
size_t device_cancel_of(struct device *device, const void *who);

// --- For work ---

// As connection_call; asks again while the device is busy.
MUST_CHECK bool line_call(struct device_line *line, struct reply *out, enum reply_id expected,
                          const struct request *request, struct arena *arena, struct err *err);

// The status now; also into the line's report.
MUST_CHECK bool line_status(struct device_line *line, struct hsm_status *out, struct arena *arena,
                            struct err *err);

#endif
