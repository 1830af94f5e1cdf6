// tests/replay/replay.h -- the golden vectors, replayed against a simulator over its sockets.
//
// One signer, one host, one panel; a case that fails jumps out with what it saw (run_fail).
#ifndef CASEMATE_TESTS_REPLAY_REPLAY_H
#define CASEMATE_TESTS_REPLAY_REPLAY_H
#include "base/json.h"
#include "wire/host.h"
#include "wire/panel.h"
#include "wire/reply.h"
#include "wire/request.h"
#include <setjmp.h>
#include <sys/types.h>

#define DEVIATIONS_MAX 1000

struct run {
    const char *program, *vectors; // of the signer; the folder of the golden files
    struct arena *files;           // what was read, for the whole run
    const struct json *setup, *deviations;
    bool deviation_used[DEVIATIONS_MAX];
    const struct json *summary_deviations; // beside summary.jsonl, which policy/ replays as well
    const struct json *bases[2]; // records of kind `setup` in messages.jsonl, one a chain; or NULL
    // The signer and the two connections to it.
    char dir[64], socket[96], panel_path[112], own_path[112];
    pid_t signer;
    struct panel_client *panel;
    int fd; // -1: not connected
    struct host_end link;
    // What it was last brought to, so that the next case need not begin from nothing.
    struct bytes chain;
    struct bytes wallets; // their texts, joined
    // The case.
    struct arena *arena;
    const struct json *record;
    struct bytes id;
    int step; // 0: not in a sequence
    jmp_buf failed;
    bool skipped;
    char why[1024];
};

// --- The case (replay.c) ---

// Ends the case: not ok, or skipped.
NORETURN void run_fail(struct run *run, const char *fmt, ...) PRINTF_LIKE(2, 3);
NORETURN void run_skip(struct run *run, const char *fmt, ...) PRINTF_LIKE(2, 3);
struct writer run_writer(struct run *run); // in the case's arena
struct bytes run_written(struct run *run, const struct writer *w);
const char *run_text(struct run *run, struct bytes text); // with a final zero

// Members that must be there; absent ones where that is allowed.
const struct json *need(struct run *run, const struct json *object, const char *key);
struct bytes need_text(struct run *run, const struct json *object, const char *key);
uint32_t need_u32(struct run *run, const struct json *object, const char *key);
struct bytes need_hex(struct run *run, const struct json *object, const char *key);
struct bytes need_base64(struct run *run, const struct json *object, const char *key);
struct bytes text_or(const struct json *object, const char *key, const char *other);
bool is_true(const struct json *object, const char *key);

// --- What is expected (deviations.c) ---

// Compares what was recorded with what came, or what deviations.json has for that case, step and
// field. A value is given as its JSON text, a text as itself; "(absent)" stands for none.
void expect_text(struct run *run, const char *field, struct bytes recorded, struct bytes got);
void expect_value(struct run *run, const char *field, const struct json *recorded,
                  const struct json *got);
void expect_bool(struct run *run, const char *field, bool recorded, bool got);
void expect_count(struct run *run, const char *field, uint64_t recorded, uint64_t got);
struct bytes json_text_of(struct run *run, const struct json *value); // NULL: "(absent)"

// --- The signer (signer.c) ---

void signer_start(struct run *run, struct bytes chain);
void signer_stop(struct run *run);    // and removes what it kept
void signer_restart(struct run *run); // a new process on the same store; declines the offer
void signer_press(struct run *run, const char *keys);
struct bytes signer_screen(struct run *run); // the text
void signer_advance(struct run *run, uint64_t seconds);
void signer_set_hsm_commands(struct run *run, bool on);
void signer_set_card(struct run *run, bool present);

// No HSM mode, no policy, exactly these users and wallets (arrays of setup.json's form, or NULL).
// A user that the signer does not take and the policy names skips the case.
void signer_prepare(struct run *run, struct bytes chain, const struct json *users,
                    const struct json *wallets);

// --- The host (host.c) ---

void host_connect(struct run *run);
void host_close(struct run *run);
struct reply host_message(struct run *run, struct bytes message, bool encrypted);
struct reply host_call(struct run *run, const struct request *request);
// "ok", or "error: <text>", "refused", "busy".
struct bytes host_outcome(struct run *run, const struct reply *reply);

void host_upload(struct run *run, struct bytes content);
struct reply host_start_policy(struct run *run, struct bytes policy); // uploads, `hsms`
// Uploads, signs, polls, downloads. "signed", "refused" or "error"; *result: signed bytes or text.
struct bytes host_sign(struct run *run, struct bytes psbt, uint32_t flags, struct bytes *result);
const struct json *host_status(struct run *run);
void host_new_user(struct run *run, const struct json *user);
void host_delete_user(struct run *run, struct bytes name);
void host_activate(struct run *run, const struct json *policy); // must be accepted
// Says yes to what is on the screen; the digit of a new file as well. Returns screen 1.
struct bytes host_approve(struct run *run, bool is_new);
struct bytes host_policy_text(struct run *run, const struct json *policy);

// --- The files ---

void replay_decision(struct run *run); // decisions.jsonl, one record
void replay_summary(struct run *run);  // summary.jsonl, one record
// messages.jsonl: records that belong together are replayed one after the other.
bool messages_belong(const struct json *a, const struct json *b);
void messages_begin(struct run *run);                               // of the first of them
void messages_replay(struct run *run, const struct json *previous); // NULL: it is the first
// The users and wallets of the file's own set-up, and one user more, by name.
void messages_prepare(struct run *run, const char *another_user);
// Its records by kind.
void status_replay(struct run *run, const struct json *previous);
void users_authorise(struct run *run, const struct json *previous); // user_cmd
void users_change(struct run *run, const struct json *previous);    // new_user, rm_user
// Compares two reports, but for what changes by itself; fields are named <prefix>.<member>.
void status_check(struct run *run, const char *prefix, const struct json *want,
                  const struct json *got);

#endif
