// bench/host.c
#include "bench/host.h"
#include "client/hsm_status.h"
#include "client/panel_client.h"
#include "client/transfer.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static NORETURN void stop(const char *what, const struct err *err)
{
    (void)fprintf(stderr, "%s: %s\n", what, err == NULL ? strerror(errno) : err->text);
    exit(1);
}

static void start_signer(struct host *h)
{
    h->pid = fork();
    if (h->pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
        execl(h->signer, h->signer, "--simulator", "--quiet", "--socket", h->socket, "--dir",
              h->store, (char *)NULL);
        _exit(127);
    }
    const struct timespec pause = { 0, 50000000 };
    for (int i = 0; access(h->socket, F_OK) != 0; i++) {
        if (i == 200 || waitpid(h->pid, NULL, WNOHANG) != 0)
            stop("the signer does not start", NULL);
        (void)nanosleep(&pause, NULL);
    }
}

static void remove_card(const struct host *h)
{
    char card[HOST_PATH_LEN + 8], out[HOST_PATH_LEN + 8];
    (void)snprintf(card, sizeof card, "%s/card", h->store);
    (void)snprintf(out, sizeof out, "%s/no-card", h->folder);
    if (rename(card, out) != 0)
        stop(card, NULL);
}

static void ask_panel(const struct host *h, const char *what, const struct panel_request *request)
{
    AUTO(panel_client_closep) struct panel_client *panel = NULL;
    struct panel_reply reply;
    struct err err;
    if (!panel_client_open(&panel, h->panel, -1, NULL, &err) ||
        !panel_client_ask(panel, request, &reply, &err))
        stop(what, &err);
}

struct connection *host_connect(const struct host *h)
{
    const struct connection_options options = { .socket_path = h->socket,
                                                .cancel_fd = -1,
                                                .trace = h->trace };
    struct connection *c;
    struct err err;
    if (!connection_open(&c, &options, &err))
        stop("connect", &err);
    return c;
}

void host_start(struct host *h)
{
    (void)snprintf(h->socket, sizeof h->socket, "%s/cm-0.sock", h->folder);
    (void)snprintf(h->panel, sizeof h->panel, "%s/cm-0.sock.panel", h->folder);
    (void)snprintf(h->store, sizeof h->store, "%s/store", h->folder);
    if (mkdir(h->store, 0700) != 0)
        stop(h->store, NULL);
    start_signer(h);
    if (!h->with_card)
        remove_card(h);
    if (h->words != NULL) {
        const struct panel_request reset = { .verb = PANEL_RESET,
                                             .chain = BYTES("XTN"),
                                             .words = bytes_of_text(h->words) };
        ask_panel(h, "reset", &reset);
    }
    h->c = host_connect(h);
}

void host_set(struct host *h, const char *key, const char *value)
{
    const struct panel_request set = { .verb = PANEL_SET,
                                       .key = bytes_of_text(key),
                                       .value = bytes_of_text(value) };
    ask_panel(h, key, &set);
}

static void press(struct host *h, struct bytes keys)
{
    const struct request request = { .id = REQUEST_XKEY, .data = keys };
    struct reply reply;
    struct err err;
    if (!connection_call(h->c, &reply, REPLY_OKAY, &request, NULL, &err))
        stop("keys", &err);
}

void host_enrol(struct host *h, struct bytes wallet)
{
    struct request start = { .id = REQUEST_ENRL };
    struct err err;
    if (!transfer_start(h->c, wallet, &start, NULL, &err))
        stop("enrl", &err);
    press(h, BYTES("y"));
}

void host_arm(struct host *h, const char *policy)
{
    AUTO(arena_freep) struct arena *arena = arena_new(HSM_STATUS_ARENA);
    struct request start = { .id = REQUEST_HSMS, .hsms = { .has_file = true } };
    struct hsm_status status = { 0 };
    struct err err;
    if (!transfer_start(h->c, bytes_of_text(policy), &start, NULL, &err))
        stop("hsms", &err);
    // OK, then whichever digit the second screen asks for: the others it ignores.
    press(h, BYTES("y0123456789"));
    if (!hsm_status_fetch(&status, h->c, arena, &err))
        stop("hsm mode", &err);
    if (!status.active)
        stop("hsm mode", &(struct err){ .text = "was not entered" });
}

void host_end(struct host *h)
{
    connection_close(h->c);
    (void)kill(h->pid, SIGTERM);
    (void)waitpid(h->pid, NULL, 0);
}

void host_sign(struct connection *c, struct bytes *out, struct bytes psbt, long ask_ms,
               struct arena *arena)
{
    struct request start = { .id = REQUEST_STXN, .stxn = { .flags = 0 } };
    const struct request ask = { .id = REQUEST_STOK };
    struct reply reply = { .id = REPLY_OKAY };
    struct err err;
    if (!transfer_start(c, psbt, &start, NULL, &err))
        stop("stxn", &err);
    while (reply.id == REPLY_OKAY) {
        if (!connection_exchange(c, &reply, &ask, arena, &err))
            stop("stok", &err);
        if (reply.id == REPLY_OKAY && ask_ms > 0)
            (void)nanosleep(&(struct timespec){ 0, ask_ms * 1000000 }, NULL);
    }
    if (reply.id != REPLY_STRX)
        stop("stok", &(struct err){ .text = "not approved" });
    if (!transfer_download(c, out, 1, &reply, arena, NULL, &err))
        stop("dwld", &err);
}
