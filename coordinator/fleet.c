#include "coordinator/fleet.h"
#include "base/require.h"
#include "client/wait.h"
#include "coordinator/fleet_internal.h"
#include <time.h>
#include <unistd.h>

// --- Members ---

static void init_condition(pthread_cond_t *c)
{
    pthread_condattr_t attr;
    REQUIRE(pthread_condattr_init(&attr) == 0);
    REQUIRE(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
    REQUIRE(pthread_cond_init(c, &attr) == 0);
    (void)pthread_condattr_destroy(&attr);
}

struct member *fleet_add_member(struct fleet *fleet, const char *name,
                                const struct port_options *section)
{
    if (fleet->n == CONFIG_SIGNERS)
        return NULL;
    struct member *m = calloc(1, sizeof *m);
    REQUIRE(m != NULL);
    m->fleet = fleet;
    m->section = section;
    m->cancel_fd = -1;
    m->view.state = "new";
    (void)snprintf(m->view.name, sizeof m->view.name, "%s", name);
    (void)snprintf(m->view.why, sizeof m->view.why, "%s",
                   section != NULL ? "not asked yet" : "this replica has no section for it");
    init_condition(&m->wake);
    fleet->members[fleet->n++] = m;
    return m;
}

static void member_free(struct member *m)
{
    known_signer_free(m->known);
    known_signer_free(m->next_known);
    if (m->cancel_fd >= 0)
        close(m->cancel_fd);
    (void)pthread_cond_destroy(&m->wake);
    free(m);
}

// --- Start and stop ---

static bool start(struct fleet *fleet, struct err *err)
{
    for (size_t i = 0; i < fleet->n; i++) {
        struct member *m = fleet->members[i];
        m->cancel_fd = member_timer_new();
        if (m->cancel_fd < 0 || pthread_create(&m->thread, NULL, member_thread, m) != 0)
            return err_set(err, ERR_IO, "signer %s: no thread", m->view.name);
        m->has_thread = true;
    }
    fleet->has_watcher = pthread_create(&fleet->watcher, NULL, watcher_thread, fleet) == 0;
    fleet->has_keeper = pthread_create(&fleet->keeper, NULL, keeper_thread, fleet) == 0;
    return (fleet->has_watcher && fleet->has_keeper) ||
           err_set(err, ERR_IO, "no thread for the signers");
}

bool fleet_new(struct fleet **out, const struct fleet_options *options, struct err *err)
{
    struct fleet *fleet = calloc(1, sizeof *fleet);
    REQUIRE(fleet != NULL);
    fleet->options = *options;
    if (fleet->options.poll_ms <= 0)
        fleet->options.poll_ms = FLEET_POLL_MS;
    if (fleet->options.lease_ms <= 0)
        fleet->options.lease_ms = FLEET_HOLD_MS;
    fleet->reload = true;
    REQUIRE(pthread_mutex_init(&fleet->lock, NULL) == 0);
    REQUIRE(pthread_mutex_init(&fleet->usb, NULL) == 0);
    init_condition(&fleet->changed);
    for (size_t i = 0; i < options->n_ports; i++)
        (void)fleet_add_member(fleet, options->ports[i].section->name, &options->ports[i]);
    if (!start(fleet, err)) {
        fleet_free(fleet);
        return false;
    }
    *out = fleet;
    return true;
}

static bool is_talking(const struct fleet *fleet)
{
    for (size_t i = 0; i < fleet->n; i++)
        if (fleet->members[i]->running != NULL)
            return true;
    return false;
}

// Signatures that are being made may still come; then every wait ends.
static void stop(struct fleet *fleet)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += FLEET_STOP_MS / 1000;
    (void)pthread_mutex_lock(&fleet->lock);
    fleet->stop = true;
    for (size_t i = 0; i < fleet->n; i++)
        (void)pthread_cond_signal(&fleet->members[i]->wake);
    (void)pthread_cond_broadcast(&fleet->changed);
    while (is_talking(fleet) && pthread_cond_timedwait(&fleet->changed, &fleet->lock, &until) == 0)
        ;
    for (size_t i = 0; i < fleet->n; i++)
        member_cut_off(fleet->members[i]);
    (void)pthread_mutex_unlock(&fleet->lock);
}

void fleet_free(struct fleet *fleet)
{
    if (fleet == NULL)
        return;
    stop(fleet);
    for (size_t i = 0; i < fleet->n; i++)
        if (fleet->members[i]->has_thread)
            (void)pthread_join(fleet->members[i]->thread, NULL);
    if (fleet->has_watcher)
        (void)pthread_join(fleet->watcher, NULL);
    if (fleet->has_keeper)
        (void)pthread_join(fleet->keeper, NULL);
    for (size_t i = 0; i < fleet->n; i++)
        member_free(fleet->members[i]);
    (void)pthread_cond_destroy(&fleet->changed);
    (void)pthread_mutex_destroy(&fleet->usb);
    (void)pthread_mutex_destroy(&fleet->lock);
    free(fleet);
}

void fleet_reload(struct fleet *fleet)
{
    (void)pthread_mutex_lock(&fleet->lock);
    fleet->reload = true;
    (void)pthread_cond_broadcast(&fleet->changed);
    (void)pthread_mutex_unlock(&fleet->lock);
}

// --- Views ---

// The lock is the fleet's own, whoever only looks.
static pthread_mutex_t *lock_of(const struct fleet *fleet)
{
    return (pthread_mutex_t *)(uintptr_t)&fleet->lock;
}

static void insert(struct fleet_signer *out, size_t n, const struct fleet_signer *view)
{
    size_t at = n;
    for (; at > 0 && out[at - 1].number > view->number; at--)
        out[at] = out[at - 1];
    out[at] = *view;
}

size_t fleet_view(const struct fleet *fleet, const char *wallet_id,
                  struct fleet_signer out[static SIGNERS_MAX])
{
    size_t n = 0;
    (void)pthread_mutex_lock(lock_of(fleet));
    for (size_t i = 0; i < fleet->n && n < SIGNERS_MAX; i++)
        if (fleet->members[i]->known != NULL && member_serves(fleet->members[i], wallet_id))
            insert(out, n++, &fleet->members[i]->view);
    (void)pthread_mutex_unlock(lock_of(fleet));
    return n;
}

uint64_t fleet_version(const struct fleet *fleet)
{
    (void)pthread_mutex_lock(lock_of(fleet));
    const uint64_t version = fleet->version;
    (void)pthread_mutex_unlock(lock_of(fleet));
    return version;
}

// --- Orders ---

static struct member *find(const struct fleet *fleet, const char *signer_id)
{
    for (size_t i = 0; i < fleet->n; i++)
        if (fleet->members[i]->known != NULL &&
            strcmp(fleet->members[i]->known->id, signer_id) == 0)
            return fleet->members[i];
    return NULL;
}

// Of each of its wallets, how many others are ready; the store has the last word (store_begin_draining).
static bool may_go(const struct fleet *fleet, const struct member *m, struct err *err)
{
    for (size_t i = 0; m->view.ready && i < m->known->n_wallets; i++) {
        unsigned others = 0;
        for (size_t j = 0; j < fleet->n; j++)
            others += fleet->members[j] != m && fleet->members[j]->view.ready &&
                      fleet->members[j]->view.enabled &&
                      member_serves(fleet->members[j], m->known->wallets[i].id);
        if (others < m->known->wallets[i].k)
            return code_fail(err, CODE_CONFLICT, "only %u other signers would stay ready, of %u",
                             others, m->known->wallets[i].k);
    }
    return true;
}

static bool can_restart(const struct member *m)
{
    return m->section != NULL && m->section->section->restart_command[0] != NULL;
}

static bool take_order(struct fleet *fleet, struct member *m, enum fleet_order order,
                       struct err *err)
{
    if (m->section == NULL)
        return code_fail(err, CODE_BAD_REQUEST, "this replica has no section for the signer");
    switch (order) {
    case FLEET_ENABLE:
    case FLEET_DISABLE:
        m->view.enabled = order == FLEET_ENABLE;
        m->view.ready = m->view.ready && m->view.enabled;
        m->wants_enabled = true;
        fleet->version++;
        return true;
    case FLEET_HEAL:
        m->wants_heal = true;
        return true;
    case FLEET_REBOOT:
        if (!can_restart(m))
            return code_fail(err, CODE_BAD_REQUEST, "no restart_command is configured");
        m->wants_reboot = may_go(fleet, m, err);
        return m->wants_reboot;
    }
    return code_fail(err, CODE_BAD_REQUEST, "no such order");
}

bool fleet_order(struct fleet *fleet, const char *signer_id, enum fleet_order order,
                 struct err *err)
{
    (void)pthread_mutex_lock(&fleet->lock);
    struct member *m = find(fleet, signer_id);
    const bool ok = m != NULL ? take_order(fleet, m, order, err)
                              : code_fail(err, CODE_NOT_FOUND, "no such signer");
    if (ok)
        (void)pthread_cond_signal(&m->wake);
    (void)pthread_cond_broadcast(&fleet->changed);
    (void)pthread_mutex_unlock(&fleet->lock);
    return ok;
}

// --- Asking ---

static void withdraw(struct member *m, struct fleet_job *job)
{
    struct fleet_job **at = &m->first;
    while (*at != NULL && *at != job)
        at = &(*at)->next;
    if (*at != NULL)
        *at = job->next;
    m->last = NULL;
    for (struct fleet_job *j = m->first; j != NULL; j = j->next)
        m->last = j;
}

// Waits for its turn, at most FLEET_QUEUE_MS, then for its end, which the port's deadlines bound.
static void wait_for(struct fleet *fleet, struct member *m, struct fleet_job *job)
{
    struct timespec until;
    struct err busy;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += FLEET_QUEUE_MS / 1000;
    while (!job->started && !job->finished)
        if (pthread_cond_timedwait(&fleet->changed, &fleet->lock, &until) != 0 && !job->started &&
            !job->finished) {
            withdraw(m, job);
            (void)err_set(&busy, ERR_BUSY, "the signer is at something else");
            job_tell(job, FLEET_BUSY, &busy);
            return;
        }
    while (!job->finished)
        (void)pthread_cond_wait(&fleet->changed, &fleet->lock);
}

static void submit(struct fleet *fleet, const char *signer_id, struct fleet_job *job)
{
    struct err err;
    (void)pthread_mutex_lock(&fleet->lock);
    struct member *m = find(fleet, signer_id);
    if (m == NULL || !m->has_thread || fleet->stop) {
        (void)err_set(&err, ERR_NOT_FOUND, "this replica does not reach the signer");
        job_tell(job, FLEET_UNSENT, &err);
    } else {
        if (m->last != NULL)
            m->last->next = job;
        else
            m->first = job;
        m->last = job;
        (void)pthread_cond_signal(&m->wake);
        wait_for(fleet, m, job);
    }
    (void)pthread_mutex_unlock(&fleet->lock);
}

void fleet_sign(struct fleet *fleet, const char *signer_id, struct bytes psbt,
                const struct spend *spend, const struct fleet_auth *auth, struct fleet_answer *out,
                struct arena *arena)
{
    struct fleet_job job = {
        .kind = JOB_SIGN, .psbt = psbt, .spend = spend, .auth = auth, .answer = out, .arena = arena
    };
    *out = (struct fleet_answer){ .outcome = FLEET_UNSENT };
    submit(fleet, signer_id, &job);
}

void fleet_sign_message(struct fleet *fleet, const char *signer_id, struct bytes text,
                        const char *path, struct fleet_message *out)
{
    struct fleet_job job = { .kind = JOB_MESSAGE, .text = text, .path = path, .message = out };
    *out = (struct fleet_message){ .ok = false };
    submit(fleet, signer_id, &job);
}
