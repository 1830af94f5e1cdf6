#include "tests/faults/rig.h"
#include "base/file.h"
#include "base/require.h"
#include "bitcoin/mnemonic.h"
#include "tests/support/psbt_maker.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#define START_MS 60000
#define END_MS   30000
#define SAID_MAX ((size_t)700)

unsigned long rig_count(unsigned long sample)
{
    const char *text = getenv("FAULT_COUNT");
    return text != NULL ? strtoul(text, NULL, 10) : sample;
}

void rig_pause_ms(long ms)
{
    const struct timespec t = { ms / 1000, ms % 1000 * 1000000 };
    (void)nanosleep(&t, NULL);
}

struct rig rig_prepare(void)
{
    struct rig rig = { .pid = 0 };
    if (getenv("CASEMATE_OPEN_SIGNER") != NULL)
        rig.reply_ms = 60000; // valgrind takes its time
    REQUIRE(secret_init());
    connection_init();
    (void)snprintf(rig.dir, sizeof rig.dir, "%s", test_dir());
    (void)snprintf(rig.store, sizeof rig.store, "%s/store", test_dir());
    (void)snprintf(rig.socket, sizeof rig.socket, "%s/cm-0.sock", test_dir());
    (void)snprintf(rig.panel, sizeof rig.panel, "%s/panel.sock", test_dir());
    (void)snprintf(rig.log, sizeof rig.log, "%s/log", test_dir());
    assert_true(mkdir(rig.store, 0700) == 0 || errno == EEXIST);
    return rig;
}

// --- The process ---

static void write_file(const char *path, const char *text)
{
    struct err err;
    if (!file_replace(path, bytes_of_text(text), 0600, &err))
        fail_msg("%s", err.text);
}

void rig_init(struct rig *rig)
{
    char answers[RIG_PATH + 16], pin[RIG_PATH + 16], config[RIG_PATH + 16];
    int status;
    (void)snprintf(answers, sizeof answers, "%s/answers", rig->dir);
    (void)snprintf(pin, sizeof pin, "%s/pin", rig->dir);
    (void)snprintf(config, sizeof config, "%s/signer.conf", rig->store);
    write_file(answers, TEST_SEED_XPRV "\n");
    write_file(pin, RIG_PIN "\n");
    write_file(config, "chain = XTN\nhsm_commands = on\n");
    const pid_t child = fork();
    if (child == 0) {
        const char *signer = getenv("CASEMATE_SIGNER");
        const int in = open(answers, O_RDONLY), out = open(rig->log, O_WRONLY | O_CREAT, 0600);
        REQUIRE(signer != NULL && dup2(in, 0) == 0 && dup2(out, 1) == 1 && dup2(out, 2) == 2);
        execl(signer, signer, "init", "t", "--dir", rig->store, "--import", "xprv", "--pin-file",
              pin, (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (status != 0)
        fail_msg("init: %.*s", BYTES_ARG(rig_said(rig)));
}

static NORETURN void run_signer(const struct rig *rig, bool locked)
{
    const char *signer = getenv("CASEMATE_SIGNER");
    const int log = open(rig->log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    REQUIRE(signer != NULL && log >= 0 && dup2(log, 2) == 2 && dup2(log, 1) == 1);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    const char *const common[] = { "--socket", rig->socket, "--panel",
                                   rig->panel, "--dir",     rig->store };
    const char *argv[16] = { signer };
    size_t n = 1;
    if (locked)
        argv[n++] = "run", argv[n++] = "t";
    else
        argv[n++] = "--simulator";
    for (size_t i = 0; i < COUNT(common); i++)
        argv[n++] = common[i];
    execv(signer, (char *const *)(uintptr_t)argv);
    _exit(127);
}

void rig_spawn(struct rig *rig, bool locked)
{
    assert_int_equal(rig->pid, 0);
    rig->pid = fork();
    assert_true(rig->pid >= 0);
    if (rig->pid == 0)
        run_signer(rig, locked);
}

static void wait_for(struct rig *rig, const char *path)
{
    for (int ms = 0; access(path, F_OK) != 0; ms += 10) {
        int status;
        if (waitpid(rig->pid, &status, WNOHANG) != 0)
            fail_msg("the signer does not start: %.*s", BYTES_ARG(rig_said(rig)));
        if (ms >= START_MS)
            fail_msg("%s: not there after %d ms", path, START_MS);
        rig_pause_ms(10);
    }
}

void rig_start(struct rig *rig)
{
    rig_spawn(rig, false);
    wait_for(rig, rig->socket);
}

// Its path is there a moment before it listens.
static void wait_for_panel(struct rig *rig)
{
    struct panel_client *panel;
    struct err err;
    wait_for(rig, rig->panel);
    for (int ms = 0; !panel_client_open(&panel, rig->panel, -1, NULL, &err); ms += 10) {
        if (ms >= START_MS || !rig_runs(rig))
            fail_msg("%s: %.*s", err.text, BYTES_ARG(rig_said(rig)));
        rig_pause_ms(10);
    }
    panel_client_close(panel);
}

void rig_start_locked(struct rig *rig)
{
    rig_spawn(rig, true);
    wait_for_panel(rig);
}

void rig_start_offering(struct rig *rig)
{
    rig_spawn(rig, false);
    wait_for_panel(rig);
}

int rig_wait(struct rig *rig)
{
    int status = 0;
    for (int ms = 0; waitpid(rig->pid, &status, WNOHANG) == 0; ms += 5) {
        if (ms >= END_MS) {
            rig_drop(rig);
            fail_msg("the signer did not end in %d ms", END_MS);
        }
        rig_pause_ms(5);
    }
    rig->pid = 0;
    rig->last_status = status;
    return status;
}

int rig_signal(struct rig *rig, int number)
{
    assert_int_equal(kill(rig->pid, number), 0);
    return rig_wait(rig);
}

void rig_stop(struct rig *rig)
{
    const int status = rig_signal(rig, SIGTERM);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("wait status %x: %.*s", (unsigned)status, BYTES_ARG(rig_said(rig)));
    assert_int_equal(access(rig->socket, F_OK), -1);
    assert_int_equal(access(rig->panel, F_OK), -1);
}

void rig_drop(struct rig *rig)
{
    if (rig->pid <= 0)
        return;
    (void)kill(rig->pid, SIGKILL);
    (void)waitpid(rig->pid, NULL, 0);
    rig->pid = 0;
}

bool rig_runs(struct rig *rig)
{
    if (rig->pid != 0 && waitpid(rig->pid, &rig->last_status, WNOHANG) != 0)
        rig->pid = 0;
    return rig->pid != 0;
}

struct bytes rig_said(const struct rig *rig)
{
    struct bytes text = { 0 };
    struct err ignored;
    (void)!file_read(&text, rig->log, 64u << 20, test_arena(), &ignored);
    return bytes_slice(text, text.len < SAID_MAX ? 0 : text.len - SAID_MAX, SAID_MAX);
}

// --- Hosts and panel ---

bool rig_try_connect(const struct rig *rig, struct connection **out, struct err *err)
{
    const struct connection_options options = { .socket_path = rig->socket,
                                                .reply_ms = rig->reply_ms };
    return connection_open(out, &options, err);
}

struct connection *rig_connect(const struct rig *rig)
{
    struct connection *c;
    struct err err;
    if (!rig_try_connect(rig, &c, &err))
        fail_msg("%s", err.text);
    return c;
}

static bool ask_panel(const struct rig *rig, const struct panel_request *request,
                      struct panel_reply *reply)
{
    AUTO(panel_client_closep) struct panel_client *panel = NULL;
    struct err err;
    return panel_client_open(&panel, rig->panel, -1, NULL, &err) &&
           panel_client_ask(panel, request, reply, &err);
}

bool rig_keys(const struct rig *rig, const char *keys)
{
    struct panel_reply reply;
    return ask_panel(
        rig, &(struct panel_request){ .verb = PANEL_KEYS, .keys = bytes_of_text(keys) }, &reply);
}

bool rig_text(const struct rig *rig, const char *text)
{
    struct panel_reply reply;
    return ask_panel(
        rig, &(struct panel_request){ .verb = PANEL_TEXT, .text = bytes_of_text(text) }, &reply);
}

void rig_unlock(const struct rig *rig)
{
    for (int ms = 0; rig_state(rig) == PANEL_LOCKED; ms += 100) {
        if (ms >= START_MS)
            fail_msg("the PIN is not taken");
        (void)rig_text(rig, RIG_PIN);
        rig_pause_ms(100);
    }
}

bool rig_menu(const struct rig *rig, enum panel_item item)
{
    struct panel_reply reply;
    return ask_panel(rig, &(struct panel_request){ .verb = PANEL_MENU, .item = item }, &reply);
}

// A panel does not answer while a PIN is tried, which takes long on a machine that has much to do.
enum panel_state rig_state(const struct rig *rig)
{
    const struct panel_request request = { .verb = PANEL_SCREEN };
    struct err err = { .text = "" };
    for (int i = 0; i < 6; i++) {
        AUTO(panel_client_closep) struct panel_client *panel = NULL;
        struct panel_reply reply = { .ok = false };
        if (panel_client_open(&panel, rig->panel, -1, NULL, &err) &&
            panel_client_ask(panel, &request, &reply, &err))
            return reply.screen.state;
        if (err.code != ERR_TIMEOUT)
            break;
    }
    fail_msg("%s: %.*s", err.text, BYTES_ARG(rig_said(rig)));
    return PANEL_LOCKED;
}

bool rig_try_arm(const struct rig *rig, const char *policy)
{
    AUTO(connection_closep) struct connection *c = NULL;
    struct request start = { .id = REQUEST_HSMS, .hsms = { .has_file = true } };
    struct err err;
    // OK, then whichever digit the second screen asks for: the others it ignores.
    return rig_try_connect(rig, &c, &err) &&
           transfer_start(c, bytes_of_text(policy), &start, NULL, &err) && rig_keys(rig, "y") &&
           rig_keys(rig, "0123456789");
}

void rig_arm(const struct rig *rig, const char *policy)
{
    assert_true(rig_try_arm(rig, policy));
    assert_int_equal(rig_state(rig), PANEL_HSM);
    assert_true(rig_keys(rig, "x")); // digits that were left over
}

struct hsm_status rig_status(struct connection *c)
{
    struct hsm_status status;
    struct err err;
    if (!hsm_status_fetch(&status, c, test_arena(), &err))
        fail_msg("%s", err.text);
    return status;
}

uint64_t rig_spent(const struct hsm_status *status)
{
    const struct json *spent = json_get(status->object, "has_spent");
    return spent == NULL ? 0 : (uint64_t)json_item_integer(spent, 0);
}

// --- Transactions ---

const struct hdkey *rig_master(void)
{
    static struct hdkey key;
    static bool is_made;
    uint8_t seed[MNEMONIC_SEED_LEN];
    struct err err;
    if (!is_made) {
        REQUIRE(mnemonic_to_seed(seed, BYTES(TEST_SEED_WORDS), BYTES(""), &err));
        REQUIRE(hdkey_from_seed(&key, BYTES_OF(seed), &err));
    }
    is_made = true;
    return &key;
}

struct bytes rig_payment(uint64_t sats, uint32_t salt)
{
    struct arena *arena = test_arena();
    struct psbt_maker *m = arena_alloc(arena, sizeof *m);
    struct writer script = writer_growing(arena, 64), w = writer_growing(arena, 65536);
    struct err err;
    REQUIRE(m != NULL);
    REQUIRE(address_to_script(&script, BYTES("tb1qq5zs2pg9q5zs2pg9q5zs2pg9q5zs2pg9lm9x7g"),
                              chain_by_id(CHAIN_XTN), &err));
    m->n_in = 1;
    m->in[0].amount.n = 10000000;
    REQUIRE(keypath_parse(&m->in[0].path, BYTES("m/84h/1h/0h/0/0"), &err));
    m->n_out = 2;
    m->out[0] = (struct maker_output){ .amount = { sats }, .script = writer_bytes(&script) };
    m->out[1] = (struct maker_output){ .amount = { 9999000 - sats }, .is_ours = true };
    REQUIRE(keypath_parse(&m->out[1].path, BYTES("m/84h/1h/0h/1/0"), &err));
    m->salt = salt;
    REQUIRE(psbt_make(&w, m, rig_master(), arena, &err));
    return writer_bytes(&w);
}

static enum rig_result result_of(const struct err *err)
{
    switch (err->code) {
    case ERR_REFUSED:
        return RIG_REFUSED;
    case ERR_NOT_FOUND:
    case ERR_TIMEOUT:
    case ERR_IO:
        return RIG_GONE;
    default:
        return RIG_FAILED;
    }
}

enum rig_result rig_sign(struct connection *c, struct bytes psbt, struct arena *arena,
                         struct err *err)
{
    struct request start = { .id = REQUEST_STXN, .stxn = { .flags = 0 } };
    const struct request ask = { .id = REQUEST_STOK };
    struct reply reply = { .id = REPLY_OKAY };
    struct bytes result;
    if (!transfer_start(c, psbt, &start, NULL, err))
        return result_of(err);
    while (reply.id == REPLY_OKAY) {
        if (!connection_exchange(c, &reply, &ask, arena, err))
            return result_of(err);
    }
    return transfer_download(c, &result, 1, &reply, arena, NULL, err) ? RIG_SIGNED : result_of(err);
}
