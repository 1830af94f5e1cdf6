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

// Adds advance, set and reset.
void simulator_extend(struct panel_backend *backend);

#endif
