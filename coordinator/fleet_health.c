// The health line, and reading the ledger's side anew. Source: coordinator.md A5, D1.
#include "base/file.h"
#include "base/log.h"
#include "client/wait.h"
#include "coordinator/fleet_internal.h"
#include <time.h>

#define LINE_MAX  4096
#define HEALTH_MS 30000 // "on change, and every 15th poll (about 30 s)"
#define RETRY_MS  1000
#define RELOAD_MS 10000 // what another replica has changed

struct tally {
    const struct known_wallet *wallet;
    unsigned quorum, active;
};

// "q counts enabled and active, r active; OK for q = n, WARN when k <= q < n, CRIT below k"
static void write_line(struct writer *w, const struct tally *t, bool only)
{
    const char *status = t->quorum >= t->wallet->n   ? "OK"
                         : t->quorum >= t->wallet->k ? "WARN"
                                                     : "CRIT";
    writer_printf(w, "multisig-health quorum=%u needed=%u signers_ready=%u/%u status=%s", t->quorum,
                  t->wallet->k, t->active, t->wallet->n, status);
    if (!only) // the seed knows of one
        writer_printf(w, " wallet=%.*s", BYTES_ARG(t->wallet->name));
    writer_text(w, "\n");
}

static struct tally *tally_of(struct tally *all, size_t *n, const struct known_wallet *wallet)
{
    for (size_t i = 0; i < *n; i++)
        if (strcmp(all[i].wallet->id, wallet->id) == 0)
            return &all[i];
    if (*n == CONFIG_SIGNERS)
        return NULL;
    all[*n].wallet = wallet;
    return &all[(*n)++];
}

void health_write(struct writer *w, const struct fleet *fleet)
{
    struct tally all[CONFIG_SIGNERS] = { { .quorum = 0 } };
    size_t n = 0;
    for (size_t i = 0; i < fleet->n; i++) {
        const struct member *m = fleet->members[i];
        for (size_t j = 0; m->known != NULL && j < m->known->n_wallets; j++) {
            struct tally *t = tally_of(all, &n, &m->known->wallets[j]);
            if (t == NULL || !m->view.active)
                continue;
            t->active++;
            t->quorum += m->view.enabled;
        }
    }
    for (size_t i = 0; i < n; i++)
        write_line(w, &all[i], n == 1);
}

// --- The watcher ---

static void put_health(struct fleet *fleet, char last[static LINE_MAX], int64_t *said_ms)
{
    char text[LINE_MAX];
    struct writer w = writer_of(text, sizeof text - 1);
    struct err unimportant;
    (void)pthread_mutex_lock(&fleet->lock);
    health_write(&w, fleet);
    (void)pthread_mutex_unlock(&fleet->lock);
    text[w.len] = '\0';
    const int64_t now_ms = wait_now_ms();
    if (fleet->options.health_fd < 0 || w.len == 0 ||
        (strcmp(text, last) == 0 && now_ms - *said_ms < HEALTH_MS))
        return;
    memcpy(last, text, w.len + 1);
    *said_ms = now_ms;
    (void)!file_write_fd(fleet->options.health_fd, "health", writer_bytes(&w), &unimportant);
}

// "Casemate checks on load: per-device per_period between (k/n)*G and G" (B4)
static void check_share(const struct fleet *fleet, const struct known_signer *s)
{
    for (size_t i = 0; s->has_policy && s->rules.automatic.is_there && i < s->n_wallets; i++) {
        const struct known_wallet *wallet = &s->wallets[i];
        const struct device_share_facts facts = { .k = wallet->k,
                                                  .n = wallet->n,
                                                  .cap = wallet->cap,
                                                  .window_s = wallet->window_us / 1000000,
                                                  .per_period = s->rules.automatic.per_period,
                                                  .period_min = s->rules.period_min };
        const enum device_share share = device_share(&facts);
        char text[300];
        struct writer w = writer_of(text, sizeof text);
        device_share_write(&w, &facts);
        if (share != DEVICE_SHARE_RIGHT)
            LOG(fleet->options.log, share == DEVICE_SHARE_TOO_HIGH ? LOG_ERROR : LOG_WARNING,
                "policy_share", LOG_TEXT("signer", s->name), LOG_BYTES("wallet", wallet->name),
                LOG_BYTES("why", writer_bytes(&w)));
    }
}

// Hands each member what the ledger now says of it. One that this replica has no section for has no thread, and
// is only shown.
static void hand_out(struct fleet *fleet, struct known_signers *all)
{
    (void)pthread_mutex_lock(&fleet->lock);
    for (size_t i = 0; i < all->n; i++) {
        struct member *m = NULL;
        for (size_t j = 0; j < fleet->n && m == NULL; j++)
            if (strcmp(fleet->members[j]->view.name, all->items[i]->name) == 0)
                m = fleet->members[j];
        if (m == NULL && (m = fleet_add_member(fleet, all->items[i]->name, NULL)) == NULL) {
            known_signer_free(all->items[i]);
            continue;
        }
        known_signer_free(m->next_known);
        m->next_known = NULL;
        const int64_t cool_until_ms = wait_now_ms() + all->items[i]->cool_ms;
        if (all->items[i]->cool_ms > 0 && m->cool_until_ms < cool_until_ms)
            m->cool_until_ms = cool_until_ms; // another replica found it away
        if (m->known != NULL && known_signer_equal(m->known, all->items[i])) {
            known_signer_free(all->items[i]);
            continue;
        }
        m->next_known = all->items[i];
        check_share(fleet, m->next_known);
        if (m->has_thread)
            (void)pthread_cond_signal(&m->wake);
        else
            member_adopt(m);
    }
    (void)pthread_mutex_unlock(&fleet->lock);
}

static void wait_for_change(struct fleet *fleet, uint64_t *seen)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += 1;
    (void)pthread_mutex_lock(&fleet->lock);
    while (!fleet->stop && !fleet->reload && fleet->version == *seen)
        if (pthread_cond_timedwait(&fleet->changed, &fleet->lock, &until) != 0)
            break;
    *seen = fleet->version;
    (void)pthread_mutex_unlock(&fleet->lock);
}

// Told to, or after a while: other replicas tell nobody here.
static bool is_time_to_read(struct fleet *fleet, int64_t *read_ms)
{
    const int64_t now_ms = wait_now_ms();
    (void)pthread_mutex_lock(&fleet->lock);
    const bool due = fleet->reload || now_ms - *read_ms >= RELOAD_MS;
    fleet->reload = false;
    (void)pthread_mutex_unlock(&fleet->lock);
    *read_ms = due ? now_ms : *read_ms;
    return due;
}

static bool is_stopped(struct fleet *fleet)
{
    (void)pthread_mutex_lock(&fleet->lock);
    const bool stop = fleet->stop;
    (void)pthread_mutex_unlock(&fleet->lock);
    return stop;
}

// False: the store is away; again in a second.
static bool read_ledger(struct fleet *fleet, struct db **db)
{
    struct known_signers all;
    struct err err;
    if ((*db == NULL && !db_open(db, fleet->options.db, &err)) ||
        !store_read_signers(*db, &all, &err)) {
        LOG(fleet->options.log, LOG_WARNING, "signers_unread", LOG_TEXT("error", err.text));
        return false;
    }
    hand_out(fleet, &all);
    return true;
}

void *watcher_thread(void *argument)
{
    struct fleet *fleet = argument;
    AUTO(db_close) struct db *db = NULL;
    char last[LINE_MAX] = "";
    int64_t said_ms = 0, read_ms = 0;
    uint64_t seen = 0;
    while (!is_stopped(fleet)) {
        if (is_time_to_read(fleet, &read_ms) && !read_ledger(fleet, &db))
            read_ms = wait_now_ms() - RELOAD_MS + RETRY_MS;
        put_health(fleet, last, &said_ms);
        wait_for_change(fleet, &seen);
    }
    return NULL;
}
