// From "reachable" to "verified", as far as it goes without a person. Source: coordinator.md A5, A6, B3, D8.
#include "base/file.h"
#include "base/hex.h"
#include "base/log.h"
#include "client/wait.h"
#include "coordinator/fleet_internal.h"

#define REBOOT_WAIT_MS 60000 // for a signer to come back
#define REBOOT_LOOK_MS 500
#define ROLL_OUT_LOOKS 2 // between two tries, while others have their turn

// --- What it is ---

static const char *set(char why[static REFUSAL_TEXT_SIZE], const char *state, const char *text)
{
    (void)snprintf(why, REFUSAL_TEXT_SIZE, "%s", text);
    return state;
}

static bool misses_user(const struct member *m)
{
    const struct device_rules *runs = member_runs(m);
    const char *user = runs != NULL           ? runs->surge.user
                       : m->known->has_policy ? m->known->rules.surge.user
                                              : NULL;
    return user != NULL && m->status.tells_users && !port_status_has_user(&m->status, user);
}

// "refuses to call a signer ready until it has read back: wallet present with the expected descriptor, user
// present if a rule needs one, policy hash as expected, HSM active" (B3)
static const char *judge_active(const struct member *m, char why[static REFUSAL_TEXT_SIZE])
{
    if (!m->known->has_policy)
        return set(why, "active", "no policy is published for it");
    if (member_runs(m) == NULL) {
        (void)snprintf(why, REFUSAL_TEXT_SIZE, "its policy is %.16s..., not the published one",
                       m->status.policy_hash);
        return "drift";
    }
    if (!m->wallets_present)
        return set(why, "drift", "a wallet is not registered on it any more");
    if (misses_user(m))
        return set(why, "drift", "a user that its policy needs is not there any more");
    return member_is_outdated(m)
               ? set(why, "active", "runs the policy before the published one until its turn comes")
               : set(why, "verified", "");
}

bool member_is_ready(const struct member *m, const char *state)
{
    return strcmp(state, "verified") == 0 ||
           (strcmp(state, "active") == 0 && member_is_outdated(m));
}

static const char *judge_idle(const struct member *m, char why[static REFUSAL_TEXT_SIZE])
{
    if (!m->wallets_present)
        return set(why, "reachable",
                   "a wallet is not registered: somebody confirms it at the signer");
    if (misses_user(m))
        return set(why, "registered", "a user that its policy needs is not enrolled");
    if (m->status.approval_wait)
        return set(why, "loaded", "a person must approve its policy at its panel or keypad");
    if (!m->known->has_policy)
        return set(why, "enrolled", "no policy is published for it");
    return set(why, "enrolled", "its policy is not loaded");
}

const char *member_judge(struct member *m, char why[static REFUSAL_TEXT_SIZE])
{
    (void)pthread_mutex_lock(&m->fleet->lock);
    const bool enabled = m->view.enabled;
    (void)pthread_mutex_unlock(&m->fleet->lock);
    if (!enabled)
        return set(why, "out", "taken out of the quorum");
    if (!m->reachable)
        return set(why, "new", m->trouble);
    if (m->known->is_command)
        return m->known->vouched_for
                   ? set(why, "verified", "")
                   : set(why, "reachable", "it tells nothing, and its row does not vouch for it");
    if (m->trouble[0] != '\0')
        return set(why, "reachable", m->trouble);
    return m->status.active ? judge_active(m, why) : judge_idle(m, why);
}

// --- Healing ---

// "three line kinds" of A5, on standard output beside the health line.
static void say(struct member *m, const char *what, const char *reason)
{
    char text[400];
    struct writer w = writer_of(text, sizeof text);
    struct err unimportant;
    writer_printf(&w, "auto-heal: signer %u %s", m->known->number, what);
    if (reason != NULL)
        writer_printf(&w, " (%s)", reason);
    writer_text(&w, "\n");
    if (m->fleet->options.health_fd >= 0)
        (void)!file_write_fd(m->fleet->options.health_fd, "health", writer_bytes(&w), &unimportant);
}

static bool register_wallets(struct member *m, struct err *err)
{
    for (size_t i = 0; i < m->known->n_wallets; i++) {
        enum port_wallet known;
        if (!port_knows_wallet(m->port, &known, &m->known->wallets[i].keys, err))
            return false;
        if (known == PORT_WALLET_ABSENT && !port_register(m->port, &m->known->wallets[i].keys, err))
            return false;
    }
    return true;
}

// The coordinator keeps no user's secret: its owner loads it into each signer. Only the demo has one.
static bool enrol_user(struct member *m, struct err *err)
{
    const struct port_user user = { .name = m->known->rules.surge.user,
                                    .mode = NWUR_TOTP,
                                    .secret = m->fleet->options.demo_secret };
    if (!m->fleet->options.demo || user.secret.len == 0)
        return true;
    return port_enrol(m->port, &user, err);
}

static void note(struct member *m, const char *step, const char *result)
{
    struct err unimportant;
    (void)!store_installed(m->db, m->known, step, result, &unimportant);
}

// "Each step is audited": what the device now says, told before the next step. Nothing is believed.
static bool step_done(struct member *m, struct err *err)
{
    char why[REFUSAL_TEXT_SIZE];
    if (!member_look(m))
        return err_set(err, ERR_IO, "%s", m->trouble);
    const char *state = member_judge(m, why);
    member_publish(m, state, why);
    return true;
}

static bool load_policy(struct member *m, struct err *err)
{
    const bool alone = (m->hello.abilities & PORT_ACTIVATES_ALONE) != 0;
    if (m->status.approval_wait && !alone)
        return true; // somebody is being asked
    const bool loaded = port_load_policy(m->port, m->known->policy_body, err);
    note(m, "load", loaded ? "ok" : err->text);
    if (!loaded || !step_done(m, err) || !alone || m->status.active)
        return loaded;
    const bool active = port_activate(m->port, err);
    note(m, "activate", active ? "ok" : err->text);
    return active;
}

// Stops where a person is needed.
static bool step_forward(struct member *m, struct err *err)
{
    if (m->known->is_command || m->status.active)
        return true; // what is active can only be changed by a restart
    if (!m->wallets_present && (!register_wallets(m, err) || !step_done(m, err)))
        return false;
    if (!m->wallets_present || !m->known->has_policy)
        return true;
    if (misses_user(m) && (!enrol_user(m, err) || !step_done(m, err)))
        return false;
    return misses_user(m) || load_policy(m, err);
}

// Within a conversation, of a signer that answers.
static void arm(struct member *m)
{
    struct err err = { .code = ERR_NONE };
    say(m, "not signing-ready \xe2\x80\x94 re-arming\xe2\x80\xa6", NULL);
    if (!step_forward(m, &err))
        LOG(m->fleet->options.log, LOG_WARNING, "heal_failed", LOG_TEXT("signer", m->known->name),
            LOG_TEXT("error", err.text));
    (void)member_look(m);
}

void member_heal(struct member *m, bool ordered)
{
    char why[REFUSAL_TEXT_SIZE];
    struct err err;
    if (!member_begin(m, &err))
        return;
    if (member_look(m) || m->reachable)
        arm(m);
    else
        say(m, "still unreachable", m->trouble);
    member_end(m);
    if (m->reachable)
        member_count(m);
    const char *state = member_judge(m, why);
    member_publish(m, state, why);
    if (strcmp(state, "verified") == 0) {
        say(m, "re-armed to signing-ready", NULL);
        note(m, "verify", "ok");
        (void)!store_end_heal(m->db, m->known->id, &err);
    } else if (ordered) {
        LOG(m->fleet->options.log, LOG_INFO, "heal_waits", LOG_TEXT("signer", m->known->name),
            LOG_TEXT("state", state), LOG_TEXT("why", why));
    }
}

// --- Planned work ---

static bool is_stopping(struct member *m)
{
    (void)pthread_mutex_lock(&m->fleet->lock);
    const bool stop = m->fleet->stop;
    (void)pthread_mutex_unlock(&m->fleet->lock);
    return stop;
}

// "never fewer than k ready during planned change": claimed in the ledger, so that two replicas cannot take out
// one each.
static bool drain(struct member *m)
{
    bool granted = false;
    struct err err;
    (void)pthread_mutex_lock(&m->fleet->lock);
    const bool ready = m->view.ready;
    (void)pthread_mutex_unlock(&m->fleet->lock);
    if (!ready)
        return true;
    if (!store_begin_draining(m->db, m->known, &granted, &err) || !granted) {
        LOG(m->fleet->options.log, LOG_DEBUG, "planned_work_waits", // for the others, or the store
            LOG_TEXT("signer", m->known->name));
        return false;
    }
    member_publish(m, "draining", "planned work");
    return true;
}

static void wait_until_back(struct member *m)
{
    const int64_t end_ms = wait_now_ms() + REBOOT_WAIT_MS;
    struct err stopped;
    do {
        if (!wait_pause(REBOOT_LOOK_MS, m->cancel_fd, &stopped))
            return;
    } while (!member_look(m) && !is_stopping(m) && wait_now_ms() < end_ms);
}

static bool restart(struct member *m)
{
    struct err err;
    if (!member_begin(m, &err))
        return false;
    if (!drain(m)) {
        member_end(m);
        return false;
    }
    const bool ok = port_reboot(m->port, &err);
    if (!ok)
        LOG(m->fleet->options.log, LOG_WARNING, "restart_failed",
            LOG_TEXT("signer", m->known->name), LOG_TEXT("error", err.text));
    m->has_hello = m->wallets_known = false;
    if (ok)
        wait_until_back(m);
    member_end(m);
    return ok;
}

void member_reboot(struct member *m)
{
    m->next_poll_ms = 0;
    if (restart(m))
        member_heal(m, true);
}

void member_roll_out(struct member *m)
{
    const int64_t now_ms = wait_now_ms();
    if (m->section->section->restart_command[0] == NULL || now_ms < m->rollout_ms)
        return; // a person restarts it, and approves the new policy
    m->rollout_ms = now_ms + ROLL_OUT_LOOKS * m->fleet->options.poll_ms;
    if (restart(m))
        member_heal(m, true);
}
