// signer/main.c -- casemate-signer: command line, order of the start, and the way out.
#include "base/file.h"
#include "base/require.h"
#include "signer/backup.h"
#include "signer/hid_gadget.h"
#include "signer/options.h"
#include "signer/panel_backend.h"
#include "signer/sandbox.h"
#include "signer/simulator.h"
#include "signer/wire_server.h"
#include "signer/worker.h"
#include "wire/socket_name.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <malloc.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define WIRE_GROUP     "casemate"
#define OPERATOR_GROUP "casemate-operator"

struct program {
    struct options options;
    char dir[PATH_MAX], config_path[PATH_MAX], socket_path[PATH_MAX], panel_path[PATH_MAX];
    bool dir_is_temporary;
    bool has_wire_group, has_operator_group; // looked up before the sandbox closes
    gid_t wire_group, operator_group;
    struct clock clock;
    struct log log;
    struct loop *loop;
    struct worker *worker;
    struct store *store;
    struct simulator_fuse fuse;
    struct device device;
    bool device_is_ready;
    struct err failure; // what ended it, if that was nobody's wish
    bool keys_are_gone; // that: no start can unlock it any more
    struct wire_server *wire;
    struct hid_gadget *gadget; // NULL: none is configured
    struct panel_server *panel;
};

// --- Where things are ---

static bool format_path(char *out, struct err *err, const char *fmt, ...) PRINTF_LIKE(3, 4);
static bool format_path(char *out, struct err *err, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    const int n = vsnprintf(out, PATH_MAX, fmt, args);
    va_end(args);
    return (n >= 0 && n < PATH_MAX) || err_set(err, ERR_LIMIT, "a path is too long");
}

static bool make_temporary(struct program *p, struct err *err)
{
    const char *base = getenv("TMPDIR");
    if (!format_path(p->dir, err, "%s/casemate-simulator-XXXXXX", base != NULL ? base : "/tmp"))
        return false;
    p->dir_is_temporary = mkdtemp(p->dir) != NULL;
    return p->dir_is_temporary || err_set_errno(err, errno, "%s", p->dir);
}

static bool find_paths(struct program *p, struct err *err)
{
    const struct options *o = &p->options;
    bool ok = true;
    if (o->dir != NULL)
        ok = format_path(p->dir, err, "%s", o->dir);
    else if (o->simulator)
        ok = make_temporary(p, err);
    else
        ok = format_path(p->dir, err, STATE_DIR "/%s", o->name);
    if (ok && o->socket != NULL)
        ok = format_path(p->socket_path, err, "%s", o->socket);
    else if (ok && o->simulator)
        ok = format_path(p->socket_path, err, "%s", SOCKET_NAME_DEFAULT);
    else if (ok)
        ok = format_path(p->socket_path, err, RUN_DIR "/signer-%s.sock", o->name);
    if (ok && o->panel != NULL)
        ok = format_path(p->panel_path, err, "%s", o->panel);
    else if (ok && o->simulator)
        ok = format_path(p->panel_path, err, "%s.panel", p->socket_path);
    else if (ok)
        ok = format_path(p->panel_path, err, "%s/panel.sock", p->dir);
    return ok && (o->config != NULL ? format_path(p->config_path, err, "%s", o->config)
                                    : format_path(p->config_path, err, "%s/" CONFIG_FILE, p->dir));
}

// A group of the host, if it has it: tests and demos run without.
static bool find_group(const char *name, gid_t *out)
{
    const struct group *group = getgrnam(name);
    if (group == NULL)
        return false;
    *out = group->gr_gid;
    return true;
}

// --- The device's host ---

static bool open_wire(void *context, struct err *err)
{
    struct program *p = context;
    struct wire_server_options options = { .device = &p->device, .path = p->socket_path };
    options.has_group = p->has_wire_group;
    options.group = p->wire_group;
    if (wire_server_open(&p->wire, &options, err)) {
        hid_gadget_start(p->gadget);
        return true;
    }
    p->failure = *err;
    return false;
}

static void close_wire(void *context)
{
    struct program *p = context;
    hid_gadget_stop(p->gadget);
    wire_server_close(p->wire);
    p->wire = NULL;
}

static bool unlock_with(struct program *p, struct bytes pin)
{
    // "A wrong one from fd or file ends the process."
    if (device_unlock(&p->device, pin, &p->failure)) {
        p->failure.code = ERR_NONE;
        return true;
    }
    p->keys_are_gone = p->device.vault.state == VAULT_DESTROYED;
    device_stop(&p->device);
    return true;
}

// One line end behind the PIN is the file's, not the PIN's.
static bool read_pin(struct program *p, struct bytes *pin, struct arena *arena, struct err *err)
{
    struct options *o = &p->options;
    const bool ok = o->pin_fd >= 0 ? file_read_fd(pin, o->pin_fd, "--pin-fd", 1024, arena, err)
                                   : file_read(pin, o->pin_file, 1024, arena, err);
    if (o->pin_fd >= 0)
        close(o->pin_fd);
    o->pin_fd = -1; // once
    if (ok && pin->len > 0 && pin->ptr[pin->len - 1] == '\n')
        pin->len--;
    return ok;
}

static bool unlock_from_file(struct program *p)
{
    AUTO(arena_freep) struct arena *arena = arena_new(4096);
    struct bytes pin;
    if (read_pin(p, &pin, arena, &p->failure))
        return unlock_with(p, pin);
    LOG(&p->log, LOG_ERROR, "pin_not_read", LOG_TEXT("error", p->failure.text));
    device_stop(&p->device);
    return true;
}

static bool unlock_by_itself(struct program *p)
{
    if (p->options.simulator)
        return unlock_with(p, BYTES(SIMULATOR_PIN));
    return (p->options.pin_fd >= 0 || p->options.pin_file != NULL) && unlock_from_file(p);
}

static void pause_is_over(void *context)
{
    struct program *p = context;
    if (p->device.state == DEVICE_LOCKED && !unlock_by_itself(p))
        LOG_NOTE(&p->log, LOG_INFO, "pin_awaited");
}

// A pause is no wrong PIN: what died during a try has left one, and comes up when it is over. The
// panel asks in the meantime.
static bool unlock(void *context)
{
    struct program *p = context;
    const int64_t wait_ms = vault_wait_ms(&p->device.vault);
    if (wait_ms <= 0)
        return unlock_by_itself(p);
    (void)loop_after(p->loop, wait_ms, pause_is_over, p);
    return false;
}

static void stopped(void *context)
{
    struct program *p = context;
    loop_stop(p->loop);
}

static void terminate(void *context)
{
    struct program *p = context;
    LOG_NOTE(&p->log, LOG_INFO, "terminating");
    device_stop(&p->device);
}

static void screen_changed(void *context)
{
    struct program *p = context;
    panel_server_changed(p->panel);
}

// --- The start, in the order of design.md ---

// No core file, and no other process of this user may look at our memory.
static bool shield(struct err *err)
{
    const struct rlimit none = { 0, 0 };
    if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return err_set_errno(err, errno, "cannot forbid core files");
    return true;
}

static bool open_store(struct program *p, struct err *err)
{
    return p->options.simulator ? simulator_open(&p->store, p->dir, err)
                                : store_open(&p->store, p->dir, err);
}

static bool read_config(struct program *p, struct config *out, struct err *err)
{
    const struct options *o = &p->options;
    if (o->simulator && o->config == NULL) {
        *out = simulator_config(o->chain);
        return true;
    }
    return config_read(out, p->config_path, o->config == NULL, err);
}

static bool start_panel(struct program *p, struct err *err)
{
    struct panel_server_options options = {
        .loop = p->loop,
        .log = &p->log,
        .path = p->panel_path,
        .name = p->options.name,
        .simulator = p->options.simulator,
        .backend = panel_backend_of(&p->device),
    };
    options.has_group = p->has_operator_group;
    options.group = p->operator_group;
    if (p->options.simulator)
        simulator_extend(&options.backend, p->store, &p->fuse);
    if (!panel_server_new(&p->panel, &options, err))
        return false;
    p->device.screen.changed = screen_changed;
    p->device.screen.listener = p;
    return true;
}

// The folder of a path, in `out`.
static const char *folder_of(const char *path, char out[static PATH_MAX])
{
    snprintf(out, PATH_MAX, "%s", path);
    char *slash = strrchr(out, '/');
    if (slash == NULL)
        return ".";
    slash[slash == out ? 1 : 0] = 0;
    return out;
}

static bool close_sandbox(struct program *p, struct err *err)
{
    static const char *const levels[] = { "none", "system calls", "system calls and files" };
    char wire[PATH_MAX], panel[PATH_MAX], temporary[PATH_MAX];
    const struct sandbox_paths paths = {
        .state_dir = p->dir,
        .socket_dirs = { folder_of(p->socket_path, wire), folder_of(p->panel_path, panel) },
        .pin_file = p->options.pin_file,
        .temporary_in = p->dir_is_temporary ? folder_of(p->dir, temporary) : NULL,
    };
    bool has_landlock;
    // Threads start between these two.
    if (!sandbox_restrict_files(&paths, &has_landlock, err) ||
        !worker_new(&p->worker, p->loop, err) || !sandbox_restrict_calls(err))
        return false;
    p->device.worker = p->worker;
    const enum sandbox_level level = sandbox_level(has_landlock);
    LOG(&p->log, level == SANDBOX_FULL ? LOG_INFO : LOG_WARNING, "sandbox",
        LOG_TEXT("restricts", levels[level]));
    return true;
}

static bool start(struct program *p, struct err *err)
{
    struct device_options options = {
        .loop = p->loop,
        .clock = &p->clock,
        .log = &p->log,
        .name = p->options.name,
        .simulator = p->options.simulator,
        .host = { p, open_wire, close_wire, unlock, stopped },
    };
    if (!read_config(p, &options.config, err) || !open_store(p, err))
        return false;
    options.store = p->store;
    if (!loop_on_terminate(p->loop, terminate, p, err) || !device_init(&p->device, &options, err))
        return false;
    p->device_is_ready = true;
    if (options.config.usb_gadget[0] != 0 &&
        !hid_gadget_open(&p->gadget, options.config.usb_gadget, &p->device, err))
        return err_within(err, "usb_gadget");
    if (!p->options.simulator) {
        p->has_wire_group = find_group(WIRE_GROUP, &p->wire_group);
        p->has_operator_group = find_group(OPERATOR_GROUP, &p->operator_group);
    }
    if (!close_sandbox(p, err) || !start_panel(p, err))
        return false;
    LOG(&p->log, LOG_INFO, "started", LOG_TEXT("name", p->options.name),
        LOG_TEXT("version", CASEMATE_VERSION), LOG_BOOL("simulator", p->options.simulator));
    device_start(&p->device);
    return true;
}

static void remove_temporary(const struct program *p)
{
    if (p->dir_is_temporary)
        simulator_remove(p->dir);
}

static bool run_signer(struct program *p, struct err *err)
{
    p->clock = clock_system();
    p->log = (struct log){ .fd = STDERR_FILENO,
                           .min = p->options.quiet ? LOG_WARNING : LOG_INFO,
                           .clock = &p->clock };
    p->loop = loop_new(&p->clock);
    bool ok = start(p, err);
    if (ok && p->device.state != DEVICE_STOPPED)
        ok = loop_run(p->loop, err);
    panel_server_free(p->panel);
    p->device.screen.changed = NULL;
    if (p->device_is_ready)
        device_free(&p->device);
    worker_free(p->worker);
    hid_gadget_close(p->gadget);
    wire_server_close(p->wire);
    store_close(p->store);
    loop_free(p->loop);
    remove_temporary(p);
    if (ok && p->failure.code != ERR_NONE) {
        *err = p->failure;
        ok = false;
    }
    return ok;
}

static bool print_config(struct program *p, struct err *err)
{
    struct config config;
    if (!read_config(p, &config, err))
        return false;
    char mem[16384];
    struct writer w = writer_of(mem, sizeof mem);
    config_write(&w, &config);
    struct bytes text;
    REQUIRE(writer_finish(&w, &text));
    return file_write_fd(STDOUT_FILENO, "standard output", text, err);
}

static bool make_signer(struct program *p, struct err *err)
{
    struct options *o = &p->options;
    AUTO(arena_freep) struct arena *arena = arena_new(4096);
    p->clock = clock_system();
    struct init_options init = { .dir = p->dir,
                                 .clock = &p->clock,
                                 .source = o->verb == VERB_RESTORE ? INIT_BACKUP : o->source,
                                 .backup = o->file,
                                 .n_words = o->n_words,
                                 .io = init_io_terminal(),
                                 .cost = vault_cost_default() };
    if ((o->pin_fd >= 0 || o->pin_file != NULL) && !read_pin(p, &init.pin, arena, err))
        return false;
    init.has_group = find_group(OPERATOR_GROUP, &p->operator_group);
    init.group = p->operator_group;
    return init_run(&init, err);
}

static bool take_backup(struct program *p, struct err *err)
{
    struct options *o = &p->options;
    AUTO(arena_freep) struct arena *arena = arena_new(4096);
    struct config config;
    p->clock = clock_system();
    struct backup_options backup = { .dir = p->dir,
                                     .name = o->name,
                                     .file = o->file,
                                     .cost = vault_cost_default(),
                                     .clock = &p->clock,
                                     .io = init_io_terminal() };
    if (((o->pin_fd >= 0 || o->pin_file != NULL) && !read_pin(p, &backup.pin, arena, err)) ||
        !read_config(p, &config, err))
        return false;
    backup.chain = chain_by_id(config.chain);
    backup.pin_tries = config.pin_tries;
    return backup_run(&backup, err);
}

static bool run(struct program *p, struct err *err)
{
    switch (p->options.verb) {
    case VERB_HELP:
        options_show_help();
        return true;
    case VERB_VERSION:
        puts("casemate-signer " CASEMATE_VERSION);
        return true;
    case VERB_RUN:
    case VERB_INIT:
    case VERB_BACKUP:
    case VERB_RESTORE:
        break;
    }
    if (!shield(err) || !find_paths(p, err))
        return false;
    if (p->options.check_config)
        return print_config(p, err);
    if (p->options.verb == VERB_BACKUP)
        return take_backup(p, err);
    return p->options.verb == VERB_RUN ? run_signer(p, err) : make_signer(p, err);
}

// Each request takes and gives back some hundred KiB; handing them to the system and asking for them
// again would cost as much as signing.
static void keep_memory(void)
{
    (void)mallopt(M_TRIM_THRESHOLD, 16 << 20);
    (void)mallopt(M_TOP_PAD, 1 << 20);
}

int main(int argc, char **argv)
{
    keep_memory();
    if (!secret_init()) {
        fputs("casemate-signer: the system has no guarded memory or no random bytes\n", stderr);
        return 1;
    }
    crypto_init();
    crypto_randomize();
    struct program *p = calloc(1, sizeof *p);
    REQUIRE(p != NULL);
    struct err err = { .code = ERR_NONE };
    const bool ok = options_parse(&p->options, argc, argv, &err) && run(p, &err);
    // Whoever restarts us with a wrong PIN again and again would reach `pin_tries`; once the keys are destroyed, no start
    // helps: each has a status of its own.
    const int failed = p->keys_are_gone ? 4 : p->failure.code == ERR_AUTH ? 3 : 1;
    free(p);
    if (ok)
        return 0;
    fprintf(stderr, "casemate-signer: %s\n", err.text);
    return err.code == ERR_USAGE ? 2 : failed;
}
