#include "tests/support/device_rig.h"
#include "base/require.h"
#include "signer/audit.h"
#include "signer/master.h"
#include "signer/panel_backend.h"
#include "signer/worker.h"
#include <errno.h>
#include <sys/stat.h>

#define RIG_ARENA    ((size_t)1 << 30)
#define RIG_TEXT_MAX ((size_t)8 << 20)

static int64_t wall_s(const struct clock *clock)
{
    return ((const struct rig_clock *)(const void *)clock)->wall_s + clock->offset_s;
}

static int64_t monotonic_ms(const struct clock *clock)
{
    return ((const struct rig_clock *)(const void *)clock)->monotonic_ms + clock->offset_s * 1000;
}

// --- The device's host ---

static bool open_wire(void *context, struct err *err)
{
    struct device_rig *rig = context;
    (void)err;
    REQUIRE(!rig->wire_is_open);
    rig->wire_is_open = true;
    return true;
}

static void close_wire(void *context)
{
    struct device_rig *rig = context;
    rig->wire_is_open = false;
}

static bool unlock(void *context)
{
    struct device_rig *rig = context;
    struct err err;
    if (rig->asks_pin)
        return false;
    REQUIRE(device_unlock(&rig->device, RIG_PIN, &err));
    return true;
}

static void stopped(void *context)
{
    struct device_rig *rig = context;
    REQUIRE(!rig->wire_is_open);
    rig->has_stopped = true;
}

// --- Life ---

static void make_signer(const char *dir, bool of_xprv)
{
    struct secret *seed = NULL;
    struct store *store = NULL;
    struct err err;
    bool is_main;
    if (of_xprv)
        REQUIRE(master_of_xprv(&seed, &is_main, BYTES(TEST_SEED_XPRV), &err));
    else
        REQUIRE(master_of_words(&seed, BYTES(TEST_SEED_WORDS), BYTES(""), &err));
    REQUIRE(store_create(&store, dir, &err));
    REQUIRE(vault_create(store, RIG_PIN, secret_open(seed), vault_cost_weak(), &err));
    REQUIRE(mkdirat(store_dir_fd(store), AUDIT_CARD_DIR, 0700) == 0 || errno == EEXIST);
    secret_close(seed);
    secret_free(seed);
    store_close(store);
}

static void load_master(struct hdkey *out)
{
    struct secret *seed = NULL;
    struct err err;
    bool is_main;
    REQUIRE(master_of_xprv(&seed, &is_main, BYTES(TEST_SEED_XPRV), &err));
    REQUIRE(master_node(out, seed, &err));
    secret_free(seed);
}

struct device_rig *device_rig_prepare(const char *dir)
{
    struct device_rig *rig = calloc(1, sizeof *rig);
    REQUIRE(rig != NULL);
    rig->dir = dir;
    rig->clock = (struct rig_clock){ { .wall_s = wall_s, .monotonic_ms = monotonic_ms },
                                     RIG_EPOCH_S,
                                     INT64_C(5000000) };
    rig->log = (struct log){ .fd = -1 };
    rig->arena = arena_new(RIG_ARENA);
    rig->config = config_default();
    rig->config.chain = CHAIN_XTN;
    rig->config.hsm_commands = true;
    load_master(&rig->master);
    return rig;
}

void device_rig_start(struct device_rig *rig)
{
    struct err err;
    rig->loop = loop_new(&rig->clock.clock);
    if (!store_open(&rig->store, rig->dir, &err)) {
        REQUIRE(err.code == ERR_NOT_FOUND);
        make_signer(rig->dir, rig->of_xprv);
        REQUIRE(store_open(&rig->store, rig->dir, &err));
    }
    const struct device_options options = {
        .loop = rig->loop,
        .clock = &rig->clock.clock,
        .log = &rig->log,
        .store = rig->store,
        .name = "rig",
        .simulator = true, // or its vault refuses a PIN that costs nothing
        .config = rig->config,
        .host = { rig, open_wire, close_wire, unlock, stopped },
    };
    REQUIRE(device_init(&rig->device, &options, &err));
    REQUIRE(!rig->has_worker || worker_new(&rig->worker, rig->loop, &err));
    rig->device.worker = rig->worker;
    rig->device.simulator = !rig->not_simulator;
    rig->panel = panel_backend_of(&rig->device);
    rig->has_stopped = false;
    device_start(&rig->device);
}

struct device_rig *device_rig_new(const char *dir)
{
    struct device_rig *rig = device_rig_prepare(dir);
    device_rig_start(rig);
    return rig;
}

void device_rig_stop(struct device_rig *rig)
{
    if (rig->loop == NULL)
        return;
    device_stop(&rig->device);
    REQUIRE(rig->has_stopped);
    device_free(&rig->device);
    worker_free(rig->worker);
    store_close(rig->store);
    loop_free(rig->loop);
    rig->worker = NULL;
    rig->store = NULL;
    rig->loop = NULL;
}

void device_rig_restart(struct device_rig *rig)
{
    device_rig_stop(rig);
    device_rig_start(rig);
}

void device_rig_free(struct device_rig *rig)
{
    if (rig == NULL)
        return;
    device_rig_stop(rig);
    for (struct rig_host *host = rig->hosts; host != NULL; host = host->next)
        host_end_wipe(&host->end);
    hdkey_wipe(&rig->master);
    arena_free(rig->arena);
    free(rig);
}

void device_rig_freep(struct device_rig **rig)
{
    device_rig_free(*rig);
}

static void *rig_alloc(struct device_rig *rig, size_t size)
{
    void *mem = arena_alloc(rig->arena, size);
    REQUIRE(mem != NULL);
    return mem;
}

static struct writer rig_writer(struct device_rig *rig)
{
    return writer_growing(rig->arena, RIG_TEXT_MAX);
}

static struct bytes written(const struct writer *w)
{
    struct bytes out;
    REQUIRE(writer_finish(w, &out));
    return out;
}

// --- Time ---

void rig_run(struct device_rig *rig)
{
    struct err err;
    for (int i = 0; i < 4 || (rig->device.job_queued && !rig->has_stopped); i++)
        REQUIRE(loop_step(rig->loop, 0, &err));
}

void rig_pass(struct device_rig *rig, int64_t ms)
{
    rig->clock.wall_s += (rig->clock.monotonic_ms + ms) / 1000 - rig->clock.monotonic_ms / 1000;
    rig->clock.monotonic_ms += ms;
    rig_run(rig);
}

void rig_set_wall(struct device_rig *rig, int64_t to_s)
{
    rig->clock.wall_s = to_s;
}

// --- Panel ---

struct panel_screen rig_screen(struct device_rig *rig)
{
    struct panel_screen screen;
    rig->panel.screen(rig->panel.device, &screen);
    return screen;
}

void rig_keys(struct device_rig *rig, const char *keys)
{
    struct err err;
    REQUIRE(rig->panel.keys(rig->panel.device, bytes_of_text(keys), &err));
    rig_run(rig);
}

bool rig_text(struct device_rig *rig, struct bytes text, struct err *err)
{
    const bool ok = rig->panel.text(rig->panel.device, text, err);
    rig_run(rig);
    return ok;
}

bool rig_menu(struct device_rig *rig, enum panel_item item, struct bytes name, struct err *err)
{
    return rig->panel.menu(rig->panel.device, item, name, err);
}

// --- PSBTs ---

struct keypath rig_path(const char *text)
{
    struct keypath path;
    struct err err;
    REQUIRE(keypath_parse(&path, bytes_of_text(text), &err));
    return path;
}

struct bytes rig_script(struct device_rig *rig, const char *address)
{
    struct writer w = rig_writer(rig);
    struct err err;
    REQUIRE(address_to_script(&w, bytes_of_text(address), chain_by_id(rig->config.chain), &err));
    return written(&w);
}

struct psbt_maker *rig_maker(struct device_rig *rig, uint64_t sats)
{
    enum { COIN = 10000000, FEE = 1000 };
    struct psbt_maker *maker = rig_alloc(rig, sizeof *maker);
    maker->salt = ++rig->salt;
    maker->n_in = 1;
    maker->in[0] = (struct maker_input){ rig_path("m/84h/1h/0h/0/0"), { COIN }, false };
    maker->n_out = 2;
    maker->out[0] =
        (struct maker_output){ .amount = { sats }, .script = rig_script(rig, RIG_STRANGER) };
    maker->out[1] = (struct maker_output){ .amount = { COIN - FEE - sats },
                                           .is_ours = true,
                                           .path = rig_path("m/84h/1h/0h/1/0") };
    return maker;
}

struct bytes rig_make(struct device_rig *rig, const struct psbt_maker *maker)
{
    struct writer w = rig_writer(rig);
    struct err err;
    REQUIRE(psbt_make(&w, maker, &rig->master, rig->arena, &err));
    return written(&w);
}

struct bytes rig_payment(struct device_rig *rig, uint64_t sats)
{
    return rig_make(rig, rig_maker(rig, sats));
}
