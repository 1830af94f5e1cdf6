// signer/simulator.h -- the same signer with a throw-away store and the well-known test seed.
//
// Compiled in only with the Meson option `simulator`; never for real keys.
// Source: design.md "Simulator mode", panel requests advance, set, reset.
#ifndef CASEMATE_SIGNER_SIMULATOR_H
#define CASEMATE_SIGNER_SIMULATOR_H
#include "signer/device.h"
#include "signer/panel_server.h"

#define SIMULATOR_WORDS                                                                            \
    "wife shiver author away frog air rough vanish fantasy frozen noodle athlete pioneer citizen " \
    "symptom firm much faith extend rare axis garment kiwi clarify"
#define SIMULATOR_PIN "simulator"

// False in builds without the option: then nothing else here may be called.
bool simulator_is_built(void);

// The configuration it starts with.
struct config simulator_config(enum chain_id chain);

// Opens the store of a directory; one that is missing or has no PIN yet is made, with the test seed and a
// card. Fails: as store_open, store_create, vault_create.
MUST_CHECK bool simulator_open(struct store **out, const char *dir, struct err *err);

// Removes a temporary state directory and all in it.
void simulator_remove(const char *dir);

// Fault injection: where the process ends as if its power had been cut.
struct simulator_fuse {
    uint64_t steps_left; // of those that store_step tells of; 0: it does not
};

// Adds advance, set and reset. With the key `wall_clock` and seconds, set moves the wall clock alone, so
// far from the system's. With the key `die_at` and a number n, set lights the fuse: SIGKILL at the
// n-th step from then on. SIMULATOR_DIE_AT in the environment lights it for the start.
// fuse: outlives the store.
#define SIMULATOR_DIE_AT "CASEMATE_DIE_AT"
void simulator_extend(struct panel_backend *backend, struct store *store,
                      struct simulator_fuse *fuse);

#endif
