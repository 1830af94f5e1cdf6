// What is known of a signer, for viewers and for the ledger; and what the ledger now says of it.
// Source: coordinator.md D8, D16.
#include "base/log.h"
#include "client/wait.h"
#include "coordinator/fleet_internal.h"

// --- Which version it runs ---

const struct device_rules *member_runs(const struct member *m)
{
    char text[65];
    const struct known_signer *k = m->known;
    for (size_t i = 0; k->has_policy && m->status.active && i <= k->n_former; i++) {
        const struct device_rules *r = i == 0 ? &k->rules : &k->former[i - 1];
        struct writer w = writer_of(text, sizeof text - 1);
        writer_hex(&w, BYTES_OF(r->hash.b));
        text[w.len] = '\0';
        if (strcmp(text, m->status.policy_hash) == 0)
            return r;
    }
    return NULL;
}

bool member_is_outdated(const struct member *m)
{
    const struct device_rules *runs = member_runs(m);
    return runs != NULL && runs != &m->known->rules;
}

// --- Viewers and ledger ---

// What the version that it runs allows. Under the lock.
static void fill_limits(struct member *m)
{
    struct fleet_signer *v = &m->view;
    const struct device_rules *r = m->rules != NULL ? m->rules : &m->known->rules;
    const struct sats none = { 0 };
    v->max_auto = m->known->is_command    ? m->known->vouched_amount
                  : r->automatic.is_there ? r->automatic.max_amount
                                          : none;
    v->max_surge = r->surge.is_there && !m->known->is_command ? r->surge.max_amount : none;
}

static void fill_view(struct member *m, struct fleet_signer *v, const char *state, const char *why)
{
    const struct port_status *s = &m->status;
    const struct known_signer *k = m->known;
    v->reachable = m->reachable;
    v->active = m->reachable && (k->is_command ? k->vouched_for : s->active);
    v->ready = v->enabled && member_is_ready(m, state);
    v->drift = strcmp(state, "drift") == 0 || member_is_outdated(m);
    m->rules = member_runs(m);
    fill_limits(m);
    v->state = state;
    if (s->has_counters) { // "a device that fails is inactive, its counters stay"
        v->approvals = s->approvals;
        v->refusals = s->refusals;
        (void)snprintf(v->last_refusal, sizeof v->last_refusal, "%s", s->last_refusal);
        (void)snprintf(v->tag, sizeof v->tag, "%s",
                       s->last_refusal[0] != '\0' ? refusal_tag_name(s->tag) : "");
    }
    (void)snprintf(v->policy_hash, sizeof v->policy_hash, "%s", s->policy_hash);
    (void)snprintf(v->why, sizeof v->why, "%s", why);
    v->max_psbt = k->max_psbt != 0 ? k->max_psbt : m->hello.max_psbt;
    v->max_inputs = k->max_inputs != 0 ? k->max_inputs : m->hello.max_inputs;
}

static void store_what_changed(struct member *m, const char *state, const char *why,
                               int64_t window_ends_us)
{
    struct err err;
    const int64_t now_ms = wait_now_ms();
    if (strcmp(m->state, state) != 0) {
        if (!store_set_state(m->db, m->known, m->state, state, why, &err))
            return;
        (void)snprintf(m->state, sizeof m->state, "%s", state);
        LOG(m->fleet->options.log, LOG_INFO, "signer_state", LOG_TEXT("signer", m->known->name),
            LOG_TEXT("state", state), LOG_TEXT("why", why));
        m->stored_ms = 0;
    }
    if (m->reachable && (m->stored_ms == 0 || now_ms - m->stored_ms >= FLEET_STATUS_US / 1000)) {
        (void)!store_set_status(m->db, m->known->id, &m->status, window_ends_us, &err);
        m->stored_ms = now_ms;
    }
}

void member_publish(struct member *m, const char *state, const char *why)
{
    struct fleet *fleet = m->fleet;
    int64_t now_us = 0, window_ends_us = 0;
    struct err unimportant;
    if (!db_now_us(m->db, &now_us, &unimportant))
        now_us = 0;
    if (m->status.period_runs && now_us > 0)
        window_ends_us = now_us + m->status.period_left_s * 1000000;
    store_what_changed(m, state, why, window_ends_us);
    (void)pthread_mutex_lock(&fleet->lock);
    const struct fleet_signer before = m->view;
    fill_view(m, &m->view, state, why);
    const bool changed = before.reachable != m->view.reachable || before.active != m->view.active ||
                         before.ready != m->view.ready || before.state != m->view.state ||
                         before.approvals != m->view.approvals ||
                         before.refusals != m->view.refusals ||
                         strcmp(before.policy_hash, m->view.policy_hash) != 0 ||
                         strcmp(before.why, m->view.why) != 0;
    m->view.window_ends_us = window_ends_us;
    if (m->reachable && now_us > 0)
        m->view.seen_us = now_us;
    if (changed) {
        fleet->version++;
        (void)pthread_cond_broadcast(&fleet->changed);
    }
    (void)pthread_mutex_unlock(&fleet->lock);
}

// --- The ledger's side ---

void member_adopt(struct member *m)
{
    struct fleet_signer *v = &m->view;
    struct known_signer *old = m->known;
    if (m->next_known == NULL)
        return;
    m->known = m->next_known;
    m->next_known = NULL;
    port_free(m->port); // it borrows the pin of what is freed here
    m->port = NULL;
    known_signer_free(old);
    m->rules = m->has_thread ? member_runs(m) : NULL;
    m->next_poll_ms = 0; // what it should be may be something else now
    (void)snprintf(v->id, sizeof v->id, "%s", m->known->id);
    v->number = m->known->number;
    memcpy(v->xfp, m->known->xfp.b, sizeof v->xfp);
    if (!m->wants_enabled)
        v->enabled = m->known->enabled;
    fill_limits(m);
    if (m->state[0] == '\0')
        (void)snprintf(m->state, sizeof m->state, "%s", m->known->state);
    m->fleet->version++;
    (void)pthread_cond_broadcast(&m->fleet->changed);
}
