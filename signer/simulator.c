#include "signer/simulator.h"
#include "base/reader.h"
#include "signer/audit.h"
#include "signer/master.h"
#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#define ADVANCE_MAX (UINT64_C(100) * 366 * 86400)

bool simulator_is_built(void)
{
    return true;
}

struct config simulator_config(enum chain_id chain)
{
    struct config config = config_default();
    config.chain = chain;
    config.hsm_commands = true;
    return config;
}

// The card first: a simulator that dies while it makes its store finds one without a PIN again.
static bool make_card(const struct store *store, const char *dir, struct err *err)
{
    return mkdirat(store_dir_fd(store), AUDIT_CARD_DIR, 0700) == 0 || errno == EEXIST ||
           err_set_errno(err, errno, "%s/%s", dir, AUDIT_CARD_DIR);
}

static bool set_seed(struct store *store, const char *dir, struct err *err)
{
    AUTO(secret_freep) struct secret *words = NULL;
    if (!make_card(store, dir, err) ||
        !master_of_words(&words, BYTES(SIMULATOR_WORDS), BYTES(""), err))
        return false;
    const bool ok =
        vault_create(store, BYTES(SIMULATOR_PIN), secret_open(words), vault_cost_weak(), err);
    secret_close(words);
    return ok;
}

static bool is_empty(struct store *store)
{
    const struct clock clock = clock_system();
    struct vault vault;
    struct err ignored; // the device finds the same
    return vault_init(&vault, store, &clock, 0, true, &ignored) && vault.state == VAULT_EMPTY;
}

bool simulator_open(struct store **out, const char *dir, struct err *err)
{
    struct store *store = NULL;
    if (!store_open(&store, dir, err) &&
        (err->code != ERR_NOT_FOUND || !store_create(&store, dir, err)))
        return false;
    if (is_empty(store) && !set_seed(store, dir, err)) {
        store_close(store);
        return false;
    }
    *out = store;
    return true;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)ftw;
    // Not remove(3), which tries to unlink a folder first: the sandbox refuses that outside.
    return type == FTW_DP ? rmdir(path) : unlink(path);
}

void simulator_remove(const char *dir)
{
    if (nftw(dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS) != 0)
        fprintf(stderr, "casemate-signer: %s: not removed\n", dir);
}

static bool advance(void *context, uint64_t seconds, struct err *err)
{
    struct device *device = context;
    if (seconds > ADVANCE_MAX || device->clock->offset_s > (int64_t)ADVANCE_MAX)
        return err_set(err, ERR_LIMIT, "seconds: at most 100 years");
    device->clock->offset_s += (int64_t)seconds;
    screen_touch(&device->screen);
    return true;
}

// --- Fault injection ---

// The step's name is all that is left of it: whoever waits for the end reads it.
static void burn(void *context, const char *name)
{
    struct simulator_fuse *fuse = context;
    char line[128];
    if (fuse->steps_left == 0 || --fuse->steps_left > 0)
        return;
    const int len = snprintf(line, sizeof line, "die_at %s\n", name);
    if (len > 0 && write(STDERR_FILENO, line, (size_t)len) == len)
        (void)fsync(STDERR_FILENO);
    (void)raise(SIGKILL);
}

static bool light(struct simulator_fuse *fuse, struct bytes value, struct err *err)
{
    struct reader r = reader_of(value);
    uint64_t steps;
    if (!reader_decimal64(&r, UINT32_MAX, &steps) || !reader_done(&r))
        return err_set(err, ERR_INVALID, "die_at: not a number of steps");
    fuse->steps_left = steps;
    return true;
}

// As somebody who may set the machine's clock does: seconds, before them a minus to set it back.
static bool set_wall_clock(struct device *device, struct bytes value, struct err *err)
{
    const bool is_back = bytes_starts_with(value, BYTES("-"));
    struct reader r = reader_of(bytes_slice(value, is_back ? 1 : 0, SIZE_MAX));
    uint64_t seconds;
    if (!reader_decimal64(&r, ADVANCE_MAX, &seconds) || !reader_done(&r))
        return err_set(err, ERR_INVALID, "wall_clock: not a number of seconds");
    device->clock->wall_offset_s = is_back ? -(int64_t)seconds : (int64_t)seconds;
    screen_touch(&device->screen);
    return true;
}

static bool set(void *context, struct bytes key, struct bytes value, struct err *err)
{
    struct device *device = context;
    if (bytes_equal_text(key, "die_at"))
        return light(store_get_hook(device->store).context, value, err);
    if (bytes_equal_text(key, "wall_clock"))
        return set_wall_clock(device, value, err);
    if (!config_set(&device->config, key, value, err))
        return false;
    if (bytes_equal_text(key, "hsm_commands"))
        device->hsm_commands = device->config.hsm_commands;
    screen_touch(&device->screen);
    return true;
}

// Like a power cycle of a new device with that seed, but the wire stays open.
static bool restart_with(struct device *device, struct secret *master, const struct chain *chain,
                         bool keep, struct err *err)
{
    screen_dismiss(&device->screen);
    job_drop(&device->job);
    for (size_t i = 0; i < PEERS_MAX; i++) {
        struct peer *peer = device->peers.items[i];
        if (peer == NULL)
            continue;
        job_drop(&peer->job);
        lease_void(&peer->lease);
        staging_reset(&peer->staging);
    }
    const struct bytes container = secret_open(master);
    const bool ok = store_reset(device->store, keep, err) &&
                    vault_replace_secret(&device->vault, container, err);
    secret_close(master);
    if (!ok)
        return false;
    secret_free(device->container);
    device->container = master;
    device->config = simulator_config(chain->id);
    if (!device_load(device, err))
        return false;
    device_enter(device, DEVICE_NORMAL);
    return true;
}

static bool reset(void *context, const struct panel_request *request, struct err *err)
{
    struct device *device = context;
    const struct chain *chain =
        request->chain.len > 0 ? chain_by_code(request->chain) : chain_by_id(CHAIN_XTN);
    const struct bytes words = request->words.len > 0 ? request->words : BYTES(SIMULATOR_WORDS);
    const struct bytes passphrase = request->passphrase;
    struct secret *master = NULL;
    if (chain == NULL)
        return err_set(err, ERR_INVALID, "chain: must be BTC, XTN or XRT");
    if (device->state != DEVICE_NORMAL && device->state != DEVICE_HSM &&
        device->state != DEVICE_OFFER)
        return err_set(err, ERR_STATE, "locked");
    if (!master_of_words(&master, words, passphrase, err))
        return false;
    if (restart_with(device, master, chain, request->keep, err))
        return true;
    if (device->container != master)
        secret_free(master);
    return false;
}

void simulator_extend(struct panel_backend *backend, struct store *store,
                      struct simulator_fuse *fuse)
{
    const char *at_start = getenv(SIMULATOR_DIE_AT);
    struct err ignored;
    if (at_start != NULL)
        (void)!light(fuse, bytes_of_text(at_start), &ignored);
    store_set_hook(store, (struct store_hook){ burn, fuse });
    backend->advance = advance;
    backend->set = set;
    backend->reset = reset;
}
