// tests/faults/rig.h -- a real signer as a process of its own, and hosts that ask it over its socket.
//
// CASEMATE_SIGNER in the environment is the program, a build with the simulator. Everything lies in the
// test's directory. What a test does not expect fails it; what it does expect, it asks for by name.
// FAULT_COUNT, if it is set, is how much of it a test does.
#ifndef CASEMATE_TESTS_FAULTS_RIG_H
#define CASEMATE_TESTS_FAULTS_RIG_H
#include "bitcoin/hdkey.h"
#include "client/hsm_status.h"
#include "client/panel_client.h"
#include "client/transfer.h"
#include "tests/support/test.h"
#include <sys/types.h>

#define RIG_PATH 128
#define RIG_PIN  "123456"

struct rig {
    char dir[RIG_PATH], store[RIG_PATH], socket[RIG_PATH], panel[RIG_PATH], log[RIG_PATH];
    pid_t pid;       // 0: none runs
    int last_status; // wait(2)'s, of the last that ended
    int reply_ms;    // how long hosts wait for a reply; 0: as long as clients do
};

// How much a test is to do, FAULT_COUNT or the sample that ./check takes.
unsigned long rig_count(unsigned long sample);

// Paths of the test's directory; nothing is started.
struct rig rig_prepare(void);

// Makes the store of a signer that is no simulator: the same seed, RIG_PIN, chain XTN.
void rig_init(struct rig *rig);

// Starts it, as --simulator or, with `locked`, as `run`, which asks for the PIN. Does not wait.
void rig_spawn(struct rig *rig, bool locked);
// And waits for its wire socket, or for its panel if it is locked.
void rig_start(struct rig *rig);
void rig_start_locked(struct rig *rig);
// Or for the panel, where a stored policy is offered.
void rig_start_offering(struct rig *rig);

// Ends it by a signal and returns what wait(2) says. Within 30 s, or the test fails.
int rig_signal(struct rig *rig, int signal);
int rig_wait(struct rig *rig);
// SIGTERM, after which it must have ended with status 0 and left no socket.
void rig_stop(struct rig *rig);
void rig_drop(struct rig *rig); // for AUTO: nothing is left running
bool rig_runs(struct rig *rig);

// The last of what it wrote to its standard error, in the test's arena.
struct bytes rig_said(const struct rig *rig);

void rig_pause_ms(long ms);

// --- Hosts and panel ---

struct connection *rig_connect(const struct rig *rig);
MUST_CHECK bool rig_try_connect(const struct rig *rig, struct connection **out, struct err *err);

// Presses keys at the panel, or types a text. False if there is no panel or it says no.
bool rig_keys(const struct rig *rig, const char *keys);
bool rig_text(const struct rig *rig, const char *text);
// Types the PIN until it is taken: after a wrong one there is a pause.
void rig_unlock(const struct rig *rig);
bool rig_menu(const struct rig *rig, enum panel_item item);
enum panel_state rig_state(const struct rig *rig);

// Offers the policy and says yes to both questions.
void rig_arm(const struct rig *rig, const char *policy);
// The same, without an opinion on whether it works.
bool rig_try_arm(const struct rig *rig, const char *policy);

struct hsm_status rig_status(struct connection *c); // in the test's arena
// The first member of has_spent; 0 if nothing was spent.
uint64_t rig_spent(const struct hsm_status *status);

const struct hdkey *rig_master(void); // of the test seed, which all these signers have

// A payment of `sats` out of a coin of 10,000,000; each salt is another.
struct bytes rig_payment(uint64_t sats, uint32_t salt);

enum rig_result { RIG_SIGNED, RIG_REFUSED, RIG_FAILED, RIG_GONE };
// Upload, start, poll, download. RIG_FAILED: it said why, in *err; RIG_GONE: the signer went away or
// did not answer.
enum rig_result rig_sign(struct connection *c, struct bytes psbt, struct arena *arena,
                         struct err *err);

#endif
