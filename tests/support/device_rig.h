// tests/support/device_rig.h -- a signer without sockets: store, clock, panel and hosts of a test's
// own.
//
// The device runs over a real store with the public test seed and a PIN that costs nothing. Hosts
// speak with wire/'s own host side through requests_feed, the panel through panel_backend. Time stands
// still until the test moves it. What goes wrong in here stops the process: fuzz targets, which have
// no test to fail, use it as well. device_checks.h has the checks for tests.
#ifndef CASEMATE_TESTS_SUPPORT_DEVICE_RIG_H
#define CASEMATE_TESTS_SUPPORT_DEVICE_RIG_H
#include "signer/device.h"
#include "signer/panel_server.h"
#include "tests/support/psbt_maker.h"
#include "wire/host.h"
#include "wire/reply.h"
#include "wire/request.h"

#define RIG_PIN      BYTES("123456")
#define RIG_EPOCH_S  1790000000 // wall clock at first: September 2026
#define RIG_STRANGER "tb1qq5zs2pg9q5zs2pg9q5zs2pg9q5zs2pg9lm9x7g"

struct rig_clock {
    struct clock clock;
    int64_t wall_s, monotonic_ms;
};

struct device_rig {
    const char *dir;
    struct rig_clock clock;
    struct log log; // to nowhere
    struct arena *arena;
    struct loop *loop;
    struct worker *worker;
    struct store *store;
    struct device device;
    struct panel_backend panel;
    struct hdkey master; // of the test seed
    uint32_t salt;       // makes each PSBT another
    struct rig_host *hosts;
    unsigned n_hosts;
    // What the next start is given.
    struct config config; // chain XTN, hsm_commands on
    bool asks_pin;        // rather than unlocking by itself
    bool not_simulator;
    bool has_worker; // long work goes on beside the loop (sign_work.h); else all is done at once
    bool
        of_xprv; // where a signer is made: of the extended key in place of the words, which is faster
    // What the device told its host.
    bool wire_is_open;
    bool has_stopped;
};

// A signer in `dir` (kept by pointer), made if there is none, started and, unless a policy is offered,
// in normal mode.
struct device_rig *device_rig_new(const char *dir);
// The same, but nothing is started: the caller changes `config` and calls device_rig_start.
struct device_rig *device_rig_prepare(const char *dir);
void device_rig_start(struct device_rig *rig);
void device_rig_stop(struct device_rig *rig);    // as SIGTERM does
void device_rig_restart(struct device_rig *rig); // stop and start: a new process, the store stays
void device_rig_free(struct device_rig *rig);    // NULL is fine
void device_rig_freep(struct device_rig **rig);  // for AUTO

// --- Time ---

void rig_run(struct device_rig *rig); // what the loop has to do now
void rig_pass(struct device_rig *rig,
              int64_t ms); // both clocks go on, by whole seconds of the wall's
void rig_set_wall(struct device_rig *rig, int64_t wall_s); // somebody sets the clock

// --- Panel ---

struct panel_screen rig_screen(struct device_rig *rig); // borrowed until the next call
void rig_keys(struct device_rig *rig, const char *keys);
MUST_CHECK bool rig_text(struct device_rig *rig, struct bytes text, struct err *err);
MUST_CHECK bool rig_menu(struct device_rig *rig, enum panel_item item, struct bytes name,
                         struct err *err);

// --- Hosts: each has an address of its own ---

struct rig_host {
    struct device_rig *rig;
    struct sockaddr_un address;
    struct host_end end;
    struct rig_host *next;
};
struct rig_host *rig_host_new(struct device_rig *rig);    // freed with the rig
struct rig_host *rig_host_linked(struct device_rig *rig); // and with an encrypted link

// Begins a session; the reply is `mypb` or an error.
struct reply rig_ncry(struct rig_host *host, uint32_t version);

// One request and its one reply, in the rig's arena. Encrypted if there is a session.
struct reply rig_call(struct rig_host *host, const struct request *request);
struct reply rig_plain(struct rig_host *host, const struct request *request);
struct reply rig_ask(struct rig_host *host, enum request_id id); // without arguments
struct reply rig_message(struct rig_host *host, struct bytes message, bool encrypted);
// The packets that the device answers to one packet; in the clear as they are.
struct bytes rig_packet(struct rig_host *host, struct bytes packet);
struct peer *rig_peer(struct rig_host *host); // the device's side of it

// --- Uploads, transactions, messages ---

void rig_upload(struct rig_host *host, struct bytes content); // must succeed
struct reply rig_upld(struct rig_host *host, uint32_t offset, uint32_t total, struct bytes data);
struct reply rig_stxn(struct rig_host *host, struct bytes psbt, uint32_t flags);
struct reply rig_smsg(struct rig_host *host, const char *text, const char *path,
                      enum addr_format format);
// The result that strx told of.
struct bytes rig_download(struct rig_host *host, uint32_t length);

enum rig_result { RIG_REFUSED, RIG_SIGNED, RIG_FAILED, RIG_WAITING };
struct rig_outcome {
    enum rig_result result;
    struct bytes data; // RIG_SIGNED: what was downloaded; RIG_FAILED: the error's text
};
// Upload, stxn, the device's work, stok, download. RIG_WAITING: a person is being asked.
struct rig_outcome rig_sign(struct rig_host *host, struct bytes psbt, uint32_t flags);
struct rig_outcome rig_fetch(struct rig_host *host); // the last two
struct rig_outcome rig_sign_text(struct rig_host *host, const char *text, const char *path);

// --- PSBTs: a coin of 10,000,000 sat at m/84h/1h/0h/0/0 ---

// Pays `sats` to RIG_STRANGER, the fee is 1000 sat, the rest is change. Each call gives another.
struct bytes rig_payment(struct device_rig *rig, uint64_t sats);
// The same before it is written, to be changed.
struct psbt_maker *rig_maker(struct device_rig *rig, uint64_t sats);
struct bytes rig_make(struct device_rig *rig, const struct psbt_maker *maker);
struct bytes rig_script(struct device_rig *rig, const char *address);
struct keypath rig_path(const char *text);

// --- Policies and users ---

// Uploads and asks; the question is on the screen if the reply is okay.
struct reply rig_offer(struct rig_host *host, const char *policy);
struct reply rig_hsms(struct rig_host *host, const char *policy); // of a file uploaded before
// And says yes to both screens.
void rig_activate(struct rig_host *host, const char *policy);
struct bytes rig_status_text(struct rig_host *host);

// alice (TOTP), bob (HOTP) and carol (password abcd1234), as policy.md 24 has them.
void rig_add_users(struct rig_host *host);
struct reply rig_nwur(struct rig_host *host, uint8_t mode, struct bytes name, struct bytes secret);
struct reply rig_user(struct rig_host *host, const char *name, struct bytes token, uint32_t step);
// A good code of alice for a step, of bob for a counter, of carol for a PSBT.
void rig_alice(struct rig_host *host, uint32_t step);
void rig_bob(struct rig_host *host, uint32_t counter);
void rig_carol(struct rig_host *host, struct bytes psbt);
uint64_t rig_progress(struct device_rig *rig, const char *name); // last counter of a user

// The digits of the local code for a PSBT, from what the status report publishes.
void rig_local_code(struct rig_host *host, struct bytes psbt, char out[static 7]);

#endif
