// In place of simulator.c in builds for real keys: no test seed, no clock that can be moved, no reset.
#include "base/require.h"
#include "signer/simulator.h"

bool simulator_is_built(void)
{
    return false;
}

struct config simulator_config(enum chain_id chain)
{
    (void)chain;
    require_failed("simulator_is_built()", __FILE__, __LINE__);
}

bool simulator_open(struct store **out, const char *dir, struct err *err)
{
    (void)out;
    (void)dir;
    return err_set(err, ERR_UNSUPPORTED, "this build has no simulator mode");
}

void simulator_remove(const char *dir)
{
    (void)dir;
}

void simulator_extend(struct panel_backend *backend, struct store *store,
                      struct simulator_fuse *fuse)
{
    (void)backend;
    (void)store;
    (void)fuse;
}
