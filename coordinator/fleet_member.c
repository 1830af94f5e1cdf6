// One signer's thread: its requests in turn, and a look at it every 2 s when there are none.
// Source: coordinator.md A5, D8.
#include "base/log.h"
#include "client/wait.h"
#include "coordinator/fleet_internal.h"
#include <time.h>

#define BUSY_MS  250
#define RETRY_MS 1000 // when the store is away, or the ledger does not know the signer yet

// --- Conversations ---

static bool open_store(struct member *m, struct err *err)
{
    return m->db != NULL || db_open(&m->db, m->fleet->options.db, err);
}

static bool open_port(struct member *m, struct err *err)
{
    struct port_options o = *m->section;
    if (m->port != NULL)
        return true;
    o.xfp = m->known->xfp;
    o.pin_xpub = m->known->pin;
    o.demo = m->fleet->options.demo;
    o.cancel_fd = m->cancel_fd;
    o.usb = &m->fleet->usb;
    m->has_hello = m->wallets_known = false;
    return m->fleet->options.make_port != NULL ? m->fleet->options.make_port(&m->port, &o, err)
                                               : port_new(&m->port, &o, err);
}

bool member_begin(struct member *m, struct err *err)
{
    if (!open_store(m, err) || !member_take_lease(m, err))
        return false;
    if (open_port(m, err))
        return true;
    member_end_lease(m);
    return false;
}

void member_end(struct member *m)
{
    port_hang_up(m->port);
    member_end_lease(m);
}

// --- Looking ---

static bool trouble(struct member *m, const struct err *err)
{
    refusal_escape(m->trouble, bytes_of_text(err->text));
    m->reachable = err->code == ERR_INVALID; // it answered, and said no
    m->has_hello = m->reachable && m->has_hello;
    m->wallets_known = false;
    m->status = (struct port_status){ .uptime_ms = -1 };
    m->status_ms = wait_now_ms();
    return false;
}

static bool meet(struct member *m, struct err *err)
{
    if (m->has_hello)
        return true;
    if (!port_hello(m->port, &m->hello, err))
        return false;
    m->has_hello = true;
    // "the device's key pinned after first enrolment"
    if (m->known->pin[0] == '\0' && m->hello.xpub[0] != '\0') {
        if (!store_set_pin(m->db, m->known->id, m->hello.xpub, err))
            return false;
        fleet_reload(m->fleet);
    }
    return true;
}

// Its time since activation went back: it was restarted in between. What it does not tell of its budgets, it
// may have spent at its start ("assuming spent after a restart with boot-to-HSM").
static void notice_restart(struct member *m, const struct port_status *now)
{
    const bool restarted =
        m->status.active &&
        (!now->active || (now->uptime_ms >= 0 && now->uptime_ms < m->status.uptime_ms));
    if (restarted || !now->active)
        m->wallets_known = false;
    if (restarted && m->section->section->boots_to_hsm)
        m->assumed_until_ms = wait_now_ms() + (int64_t)m->known->rules.period_min * 60000;
}

static bool read_back_wallets(struct member *m, struct err *err)
{
    if (m->wallets_known)
        return true;
    m->wallets_present = true;
    for (size_t i = 0; i < m->known->n_wallets; i++) {
        enum port_wallet known;
        if (!port_knows_wallet(m->port, &known, &m->known->wallets[i].keys, err))
            return false;
        m->wallets_present &= known != PORT_WALLET_ABSENT;
    }
    m->wallets_known = m->status.active && m->wallets_present;
    return true;
}

bool member_look(struct member *m)
{
    struct port_status now;
    struct err err;
    if (!meet(m, &err) || !port_status(m->port, &now, &err))
        return trouble(m, &err);
    notice_restart(m, &now);
    m->status = now;
    m->status_ms = wait_now_ms();
    m->reachable = true;
    m->trouble[0] = '\0';
    return m->known->is_command || read_back_wallets(m, &err) || trouble(m, &err);
}

// --- The loop ---

static void look_around(struct member *m)
{
    char why[REFUSAL_TEXT_SIZE];
    struct err err;
    bool granted = false;
    m->next_poll_ms =
        wait_now_ms() + (m->known->is_command ? FLEET_COMMAND_POLL_MS : m->fleet->options.poll_ms);
    if (!member_begin(m, &err)) {
        if (err.code == ERR_BUSY) // another replica's look, over soon
            m->next_poll_ms = wait_now_ms() + BUSY_MS;
        return; // what is known stays as it was
    }
    const bool read = member_look(m);
    member_end(m);
    if (read)
        member_count(m);
    const bool was_ready = strcmp(m->state, "verified") == 0;
    const char *state = member_judge(m, why);
    member_publish(m, state, why);
    const bool ready = strcmp(state, "verified") == 0;
    if (ready && !was_ready)
        (void)!store_end_heal(m->db, m->known->id, &err);
    if (strcmp(state, "out") != 0 && member_is_outdated(m))
        member_roll_out(m);
    // "no heal of disabled signers"; nor of what is active: only a restart changes that, which is an order
    if (!ready && !m->status.active && strcmp(state, "out") != 0 &&
        store_begin_heal(m->db, m->known->id, false, &granted, &err) && granted)
        member_heal(m, false);
}

struct work {
    struct fleet_job *job;
    bool heal, reboot, enabled;
};

// On the clock of the conditions.
static struct timespec time_in(int64_t ms)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    const int64_t ns = t.tv_nsec + ms % 1000 * 1000000;
    t.tv_sec += ms / 1000 + ns / 1000000000;
    t.tv_nsec = ns % 1000000000;
    return t;
}

// Under the lock. False: the fleet stops.
static bool wait_for_work(struct member *m, struct work *out)
{
    struct fleet *fleet = m->fleet;
    *out = (struct work){ .job = NULL };
    while (!fleet->stop && m->first == NULL && m->next_known == NULL && !m->wants_heal &&
           !m->wants_reboot && !m->wants_enabled) {
        const int64_t left_ms = m->next_poll_ms - wait_now_ms();
        if (left_ms <= 0)
            break;
        const struct timespec until = time_in(left_ms);
        (void)pthread_cond_timedwait(&m->wake, &fleet->lock, &until);
    }
    if (fleet->stop)
        return false;
    member_adopt(m);
    out->job = m->first;
    if (m->first != NULL) {
        m->first = m->first->next;
        m->last = m->first != NULL ? m->last : NULL;
        out->job->next = NULL;
        out->job->started = true;
        m->running = out->job;
        return true;
    }
    *out = (struct work){ .heal = m->wants_heal,
                          .reboot = m->wants_reboot,
                          .enabled = m->wants_enabled };
    m->wants_heal = m->wants_reboot = m->wants_enabled = false;
    return true;
}

static void finish(struct member *m, struct fleet_job *job)
{
    (void)pthread_mutex_lock(&m->fleet->lock);
    job->finished = true;
    m->running = NULL;
    (void)pthread_cond_broadcast(&m->fleet->changed);
    (void)pthread_mutex_unlock(&m->fleet->lock);
}

static void keep_enabled(struct member *m)
{
    struct err err;
    (void)pthread_mutex_lock(&m->fleet->lock);
    const bool enabled = m->view.enabled;
    (void)pthread_mutex_unlock(&m->fleet->lock);
    if (!open_store(m, &err) || !store_set_enabled(m->db, m->known->id, enabled, &err))
        LOG(m->fleet->options.log, LOG_WARNING, "order_lost", LOG_TEXT("signer", m->known->name),
            LOG_TEXT("error", err.text));
    m->next_poll_ms = 0; // its state is another now
    (void)pthread_mutex_lock(&m->fleet->lock);
    known_signer_free(m->next_known); // may have been read before the order was written
    m->next_known = NULL;
    (void)pthread_mutex_unlock(&m->fleet->lock);
    fleet_reload(m->fleet);
}

static void carry_out(struct member *m, const struct work *w)
{
    bool granted;
    struct err err;
    if (w->enabled)
        keep_enabled(m);
    if (w->reboot)
        member_reboot(m);
    if (w->heal && open_store(m, &err) &&
        store_begin_heal(m->db, m->known->id, true, &granted, &err))
        member_heal(m, true);
    if (!w->enabled && !w->reboot && !w->heal)
        look_around(m);
}

static void end_all(struct member *m)
{
    struct err err;
    (void)err_set(&err, ERR_INTERRUPTED, "the coordinator stops");
    (void)pthread_mutex_lock(&m->fleet->lock);
    for (struct fleet_job *job = m->first; job != NULL; job = job->next) {
        job_tell(job, FLEET_UNSENT, &err);
        job->finished = true;
    }
    m->first = m->last = NULL;
    (void)pthread_cond_broadcast(&m->fleet->changed);
    (void)pthread_mutex_unlock(&m->fleet->lock);
    port_free(m->port);
    m->port = NULL;
    db_close(&m->db);
}

void *member_thread(void *argument)
{
    struct member *m = argument;
    struct work work;
    for (;;) {
        (void)pthread_mutex_lock(&m->fleet->lock);
        const bool go_on = wait_for_work(m, &work);
        const bool known = m->known != NULL;
        (void)pthread_mutex_unlock(&m->fleet->lock);
        if (!go_on) {
            end_all(m);
            return NULL;
        }
        if (!known) {
            m->next_poll_ms = wait_now_ms() + RETRY_MS;
            continue; // nobody can ask it yet: requests name an id
        }
        if (work.job != NULL) {
            member_run_job(m, work.job);
            finish(m, work.job);
        } else {
            carry_out(m, &work);
        }
    }
}
