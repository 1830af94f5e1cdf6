#include "base/file.h"
#include "base/require.h"
#include "client/panel_client.h"
#include "tests/replay/replay.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_MS 20000

// --- The process ---

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static void pause_ms(long ms)
{
    const struct timespec pause = { .tv_nsec = ms * 1000000 };
    (void)nanosleep(&pause, NULL);
}

static NORETURN void exec_signer(const struct run *run, const char *chain)
{
    char dir[96];
    snprintf(dir, sizeof dir, "%s/state", run->dir);
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM); // it does not outlive the replay
    execl(run->program, run->program, "--simulator", "--quiet", "--dir", dir, "--socket",
          run->socket, "--chain", chain, (char *)NULL);
    fprintf(stderr, "%s: %s\n", run->program, strerror(errno));
    _exit(127);
}

static void connect_panel(struct run *run)
{
    struct err err;
    for (int waited = 0; waited < START_MS; waited += 10) {
        if (panel_client_open(&run->panel, run->panel_path, 0, NULL, &err))
            return;
        if (waitpid(run->signer, NULL, WNOHANG) != 0) {
            run->signer = 0;
            run_fail(run, "the signer ended");
        }
        pause_ms(10);
    }
    run_fail(run, "no panel: %s", err.text);
}

static void ask(struct run *run, const struct panel_request *request, struct panel_reply *reply)
{
    struct err err;
    if (!panel_client_ask(run->panel, request, reply, &err))
        run_fail(run, "panel: %s", err.text);
}

static struct panel_screen screen(struct run *run)
{
    struct panel_reply reply;
    ask(run, &(struct panel_request){ .verb = PANEL_SCREEN }, &reply);
    return reply.screen;
}

// Until hosts are served; a policy that is offered is declined.
static void wait_for_wire(struct run *run)
{
    struct stat st;
    for (int waited = 0; waited < START_MS; waited += 2) {
        if (stat(run->socket, &st) == 0)
            return;
        if (bytes_equal_text(screen(run).title, "Start HSM?"))
            signer_press(run, "x");
        pause_ms(2);
    }
    run_fail(run, "no wire socket");
}

void signer_start(struct run *run, struct bytes chain)
{
    const char *code = run_text(run, chain);
    run->signer = fork();
    REQUIRE(run->signer >= 0);
    if (run->signer == 0)
        exec_signer(run, code);
    connect_panel(run);
    wait_for_wire(run);
    host_connect(run);
}

static void end_process(struct run *run)
{
    host_close(run);
    panel_client_close(run->panel);
    run->panel = NULL;
    if (run->signer > 0) {
        (void)kill(run->signer, SIGTERM);
        (void)waitpid(run->signer, NULL, 0);
    }
    run->signer = 0;
}

void signer_stop(struct run *run)
{
    end_process(run);
    (void)nftw(run->dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

void signer_restart(struct run *run)
{
    end_process(run);
    signer_start(run, run->chain);
}

// --- The panel ---

void signer_press(struct run *run, const char *keys)
{
    struct panel_reply reply;
    ask(run, &(struct panel_request){ .verb = PANEL_KEYS, .keys = bytes_of_text(keys) }, &reply);
}

struct bytes signer_screen(struct run *run)
{
    return screen(run).text;
}

void signer_advance(struct run *run, uint64_t seconds)
{
    struct panel_reply reply;
    ask(run, &(struct panel_request){ .verb = PANEL_ADVANCE, .seconds = seconds }, &reply);
}

void signer_set_hsm_commands(struct run *run, bool on)
{
    struct panel_reply reply;
    ask(run,
        &(struct panel_request){ .verb = PANEL_SET,
                                 .key = BYTES("hsm_commands"),
                                 .value = on ? BYTES("on") : BYTES("off") },
        &reply);
}

void signer_set_card(struct run *run, bool present)
{
    char in[96], out[96];
    snprintf(in, sizeof in, "%s/state/card", run->dir);
    snprintf(out, sizeof out, "%s/state/card.pulled", run->dir);
    if (rename(present ? out : in, present ? in : out) != 0 && errno != ENOENT)
        run_fail(run, "card: %s", strerror(errno));
}

// --- A known state ---

static void reset(struct run *run, struct bytes chain, bool keep)
{
    const struct panel_request request = { .verb = PANEL_RESET,
                                           .chain = chain,
                                           .words = need_text(run, run->setup, "simulator_words"),
                                           .keep = keep };
    struct panel_reply reply;
    if (run->panel == NULL || run->fd < 0) {
        end_process(run);
        signer_start(run, chain);
    }
    ask(run, &request, &reply);
    run->chain = (struct bytes){ 0 };
    if (!arena_copy(run->files, chain, &run->chain))
        run_fail(run, "out of memory");
}

static struct bytes joined(struct run *run, const struct json *wallets)
{
    struct writer w = run_writer(run);
    for (const struct json *wallet = wallets != NULL ? wallets->items : NULL; wallet != NULL;
         wallet = wallet->next)
        writer_put(&w, need_text(run, wallet, "text"));
    return run_written(run, &w);
}

static void enroll(struct run *run, const struct json *wallet)
{
    const struct bytes text = need_text(run, wallet, "text");
    host_upload(run, text);
    const struct request enrl = { .id = REQUEST_ENRL,
                                  .enrl = { (uint32_t)text.len, sha256(text) } };
    const struct reply reply = host_call(run, &enrl);
    const struct bytes outcome = host_outcome(run, &reply);
    if (!bytes_equal_text(outcome, "ok"))
        run_fail(run, "enrl: %.*s", BYTES_ARG(outcome));
    signer_press(run, "y");
}

static void enroll_all(struct run *run, const struct json *wallets, struct bytes texts)
{
    size_t n = 0;
    run->wallets = BYTES("?"); // until all are in
    for (const struct json *wallet = wallets != NULL ? wallets->items : NULL; wallet != NULL;
         wallet = wallet->next, n++)
        enroll(run, wallet);
    const struct json *have = json_get(host_status(run), "wallets");
    if (have == NULL || have->n_items != n)
        run_fail(run, "%zu wallets were to be enrolled", n);
    if (!arena_copy(run->files, texts, &run->wallets))
        run_fail(run, "out of memory");
}

void signer_prepare(struct run *run, struct bytes chain, const struct json *users,
                    const struct json *wallets)
{
    const struct bytes texts = joined(run, wallets);
    const bool keep =
        run->fd >= 0 && bytes_equal(run->chain, chain) && bytes_equal(run->wallets, texts);
    reset(run, chain, keep);
    signer_set_card(run, true);
    if (keep) {
        const struct json *left = json_get(host_status(run), "users");
        for (const struct json *u = left != NULL ? left->items : NULL; u != NULL; u = u->next)
            host_delete_user(run, u->text);
    } else {
        enroll_all(run, wallets, texts);
    }
    for (const struct json *u = users != NULL ? users->items : NULL; u != NULL; u = u->next)
        host_new_user(run, u);
}
