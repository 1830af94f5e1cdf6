// coordinator/fleet_lease.c -- one conversation with a device at a time, over all replicas (D4, D8).
//
// (1) A lease is short, and is kept while the conversation lasts, by a thread with a connection of its own: what a
//     replica that died talked to is free soon.
// (2) Who could not keep it is cut off well before it ends: by a timer of the kernel, which goes on while this process
//     is stopped or its machine sleeps, and which whatever talks to a device looks at before it sends anything. So a
//     replica that wakes up late begins nothing with a device that another talks to by now.
// (3) A lease that ended, or that another holds, is not kept again.
// A SQLite store has one replica (D2): there the member's thread is the lease.
#include "base/log.h"
#include "coordinator/fleet_internal.h"
#include <sys/timerfd.h>
#include <time.h>

// Of a lease: kept so often, and cut off when it was not kept for so long.
#define KEEP_MS(lease_ms) ((lease_ms) / 6)
#define CUT_MS(lease_ms)  ((lease_ms)*2 / 3)

// --- The timer ---

// Milliseconds that pass while the machine sleeps, too.
static int64_t boot_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_BOOTTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

// 0: never.
static void set_timer(const struct member *m, int64_t at_ms)
{
    const struct itimerspec at = { .it_value = { .tv_sec = at_ms / 1000,
                                                 .tv_nsec = at_ms % 1000 * 1000000 } };
    if (m->cancel_fd >= 0)
        (void)timerfd_settime(m->cancel_fd, TFD_TIMER_ABSTIME, &at,
                              NULL); // fails for wrong arguments only
}

int member_timer_new(void)
{
    return timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
}

void member_cut_off(struct member *m)
{
    m->is_cut_off = true;
    set_timer(m, 1); // long ago
}

// --- A conversation ---

static bool is_leased(const struct member *m)
{
    return db_is_postgres(m->db);
}

bool member_take_lease(struct member *m, struct err *err)
{
    struct fleet *fleet = m->fleet;
    const int64_t lease_ms = fleet->options.lease_ms, asked_ms = boot_ms();
    bool taken = true;
    if (is_leased(m) && !ledger_lease_signer(m->db, m->known->id, fleet->options.holder,
                                             lease_ms * 1000, &taken, err))
        return false;
    (void)pthread_mutex_lock(&fleet->lock);
    m->leased = !taken;
    if (taken && is_leased(m)) {
        m->talk++;
        m->talks = true;
        if (!m->is_cut_off)
            set_timer(m, asked_ms + CUT_MS(lease_ms));
    }
    (void)pthread_mutex_unlock(&fleet->lock);
    return taken || err_set(err, ERR_BUSY, "another replica talks to the signer");
}

void member_end_lease(struct member *m)
{
    struct err unimportant; // it runs out by itself
    if (!is_leased(m))
        return;
    (void)pthread_mutex_lock(&m->fleet->lock);
    m->talks = false;
    if (!m->is_cut_off)
        set_timer(m, 0);
    (void)pthread_mutex_unlock(&m->fleet->lock);
    (void)!ledger_end_lease(m->db, m->known->id, m->fleet->options.holder, &unimportant);
}

// --- Keeping ---

// Whether that member talks now, with whom, and in which of its conversations.
static bool is_talking(struct member *m, char id[static ID_SIZE], uint64_t *talk)
{
    (void)pthread_mutex_lock(&m->fleet->lock);
    const bool talks = m->talks && m->known != NULL;
    if (talks)
        memcpy(id, m->known->id, ID_SIZE);
    *talk = m->talk;
    (void)pthread_mutex_unlock(&m->fleet->lock);
    return talks;
}

// The same conversation, unless it has ended meanwhile.
static void go_on(struct member *m, uint64_t talk, bool kept, int64_t until_ms)
{
    (void)pthread_mutex_lock(&m->fleet->lock);
    if (m->talks && m->talk == talk && !m->is_cut_off)
        set_timer(m, kept ? until_ms : 1);
    (void)pthread_mutex_unlock(&m->fleet->lock);
}

static void keep(struct db **db, struct member *m)
{
    const struct fleet_options *o = &m->fleet->options;
    const int64_t asked_ms = boot_ms();
    char id[ID_SIZE];
    uint64_t talk;
    bool kept = false;
    struct err err;
    if (!is_talking(m, id, &talk))
        return;
    // Not heard of is not lost: the timer tells when it is.
    if ((*db != NULL || db_open(db, o->db, &err)) &&
        ledger_keep_signer(*db, id, o->holder, (int64_t)o->lease_ms * 1000, &kept, &err))
        go_on(m, talk, kept, asked_ms + CUT_MS(o->lease_ms));
    else
        LOG(o->log, LOG_WARNING, "lease_not_kept", LOG_TEXT("signer", m->view.name),
            LOG_TEXT("error", err.text));
}

static bool rest(struct fleet *fleet)
{
    struct timespec until;
    const int64_t ms = KEEP_MS(fleet->options.lease_ms);
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += ms % 1000 * 1000000;
    until.tv_sec += ms / 1000 + until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    (void)pthread_mutex_lock(&fleet->lock);
    while (!fleet->stop && pthread_cond_timedwait(&fleet->changed, &fleet->lock, &until) == 0)
        ;
    const bool stop = fleet->stop;
    (void)pthread_mutex_unlock(&fleet->lock);
    return !stop;
}

void *keeper_thread(void *argument)
{
    struct fleet *fleet = argument;
    AUTO(db_close) struct db *db = NULL;
    while (rest(fleet))
        for (size_t i = 0; i < CONFIG_SIGNERS; i++) {
            (void)pthread_mutex_lock(&fleet->lock);
            struct member *m = i < fleet->n ? fleet->members[i] : NULL;
            (void)pthread_mutex_unlock(&fleet->lock);
            if (m != NULL)
                keep(&db, m);
        }
    return NULL;
}
