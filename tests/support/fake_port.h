// tests/support/fake_port.h -- signers without a device, behind the interface of coordinator/port.h.
//
// A test makes devices by name, hands fake_port_make to the fleet as its make_port, and changes what the devices
// are and do at any moment, holding their lock. Any number of ports may be open to one device; that two of them
// are in a conversation at once is noticed.
#ifndef CASEMATE_TESTS_SUPPORT_FAKE_PORT_H
#define CASEMATE_TESTS_SUPPORT_FAKE_PORT_H
#include "coordinator/port.h"

#define FAKE_DEVICES 8
#define FAKE_CALLS   512

struct fake_device {
    char name[17]; // of its section
    struct xfp xfp;
    // What it is.
    bool absent; // nobody there
    bool active, approval_wait, has_wallet, has_user;
    bool shows_nothing;   // a policy that hides budgets
    bool needs_person;    // activation waits for fake_device_approve
    bool forgets_wallet;  // loses it when it becomes active (B3)
    bool not_provisioned; // registering needs a person, too
    char policy_hash[65];
    uint64_t approvals, refusals;
    char last_refusal[REFUSAL_TEXT_SIZE];
    struct sats spent[2];
    int64_t period_left_s; // 0: no period runs
    int64_t active_ms;     // since when
    // What it does.
    int hang_ms;               // each call waits so long, as a frozen device would, and then fails
    enum port_outcome outcome; // of the next transactions
    const char *refusal;       // its words, when refused
    // What was seen.
    char calls[FAKE_CALLS]; // "register enrol load activate sign "
    unsigned n_status, n_sign, n_talking;
    bool overlapped; // two conversations at once
    uint8_t token[32];
    size_t token_len;
    uint32_t counter;
    char user[33];
};

// Forgets all devices. Called at the start of each test.
void fake_devices_reset(void);
struct fake_device *fake_device_add(const char *name, struct xfp xfp);
void fake_lock(void);
void fake_unlock(void);
void fake_device_restart(struct fake_device *d); // under the lock: it forgets its HSM mode

bool fake_port_make(struct port **out, const struct port_options *options, struct err *err);

#endif
