#include "tests/support/fake_port.h"
#include "base/require.h"
#include "client/wait.h"
#include "coordinator/device_policy.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; // of this test program
static struct fake_device devices[FAKE_DEVICES];
static size_t n_devices;

struct fake_port {
    struct port base;
    struct fake_device *d;
    struct port_options o;
    bool talking;
};

static struct fake_port *of(struct port *port)
{
    return (struct fake_port *)port;
}

void fake_lock(void)
{
    (void)pthread_mutex_lock(&lock);
}

void fake_unlock(void)
{
    (void)pthread_mutex_unlock(&lock);
}

void fake_devices_reset(void)
{
    fake_lock();
    memset(devices, 0, sizeof devices);
    n_devices = 0;
    fake_unlock();
}

struct fake_device *fake_device_add(const char *name, struct xfp xfp)
{
    REQUIRE(n_devices < FAKE_DEVICES);
    fake_lock();
    struct fake_device *d = &devices[n_devices++];
    *d = (struct fake_device){ .xfp = xfp, .outcome = PORT_SIGNED };
    (void)snprintf(d->name, sizeof d->name, "%s", name);
    fake_unlock();
    return d;
}

void fake_device_restart(struct fake_device *d)
{
    d->active = d->approval_wait = false;
    d->policy_hash[0] = '\0';
    d->approvals = d->refusals = 0;
}

// Begins a call: the conversation, what was called, and whether it hangs. Holds the lock when it returns true.
static bool begin(struct fake_port *p, const char *call, struct err *err)
{
    fake_lock();
    struct fake_device *d = p->d;
    if (d->absent) {
        fake_unlock();
        return err_set(err, ERR_NOT_FOUND, "nobody listens there");
    }
    if (!p->talking) {
        p->talking = true;
        d->overlapped |= d->n_talking++ > 0;
    }
    const size_t len = strlen(d->calls);
    if (call != NULL)
        (void)snprintf(d->calls + len, sizeof d->calls - len, "%s ", call);
    const int hang_ms = d->hang_ms;
    if (hang_ms == 0)
        return true;
    fake_unlock();
    (void)(wait_pause(hang_ms, p->o.cancel_fd, err) &&
           err_set(err, ERR_TIMEOUT, "no answer in time"));
    return false;
}

static bool end(void)
{
    fake_unlock();
    return true;
}

static bool hello(struct port *port, struct port_hello *out, struct err *err)
{
    struct fake_port *p = of(port);
    if (!begin(p, NULL, err))
        return false;
    (void)snprintf(out->kind, sizeof out->kind, "simulator");
    out->xfp = p->d->xfp;
    out->max_psbt = PORT_PSBT_MAX;
    out->max_inputs = PORT_INPUTS_MAX;
    out->abilities = PORT_TELLS_VELOCITY | PORT_PROVISIONS | (p->o.demo ? PORT_ACTIVATES_ALONE : 0);
    return end();
}

static bool status(struct port *port, struct port_status *out, struct err *err)
{
    struct fake_port *p = of(port);
    if (!begin(p, NULL, err))
        return false;
    const struct fake_device *d = p->d;
    p->d->n_status++;
    out->tells = true;
    out->active = d->active;
    out->approval_wait = d->approval_wait;
    out->has_counters = d->active;
    out->approvals = d->approvals;
    out->refusals = d->refusals;
    memcpy(out->policy_hash, d->policy_hash, sizeof out->policy_hash);
    memcpy(out->last_refusal, d->last_refusal, sizeof out->last_refusal);
    out->tag = refusal_tag_of(bytes_of_text(d->last_refusal));
    out->uptime_ms = d->active ? wait_now_ms() - d->active_ms : -1;
    out->tells_users = !d->shows_nothing;
    out->tells_velocity = d->active && !d->shows_nothing;
    if (d->has_user)
        (void)snprintf(out->users[out->n_users++], PORT_NAME_SIZE, "owner");
    if (out->tells_velocity && d->period_left_s > 0) {
        out->period_runs = true;
        out->period_left_s = d->period_left_s;
        out->n_spent = 2;
        memcpy(out->spent, d->spent, sizeof d->spent);
    }
    return end();
}

static bool knows_wallet(struct port *port, enum port_wallet *out, const struct ms_wallet *wallet,
                         struct err *err)
{
    struct fake_port *p = of(port);
    (void)wallet;
    if (!begin(p, NULL, err))
        return false;
    *out = p->d->has_wallet ? PORT_WALLET_HINTED : PORT_WALLET_ABSENT;
    return end();
}

static bool register_wallet(struct port *port, const struct ms_wallet *wallet, struct err *err)
{
    struct fake_port *p = of(port);
    (void)wallet;
    if (!begin(p, "register", err))
        return false;
    p->d->has_wallet = !p->d->not_provisioned;
    return end();
}

static bool enrol(struct port *port, const struct port_user *user, struct err *err)
{
    struct fake_port *p = of(port);
    if (!begin(p, "enrol", err))
        return false;
    p->d->has_user = strcmp(user->name, "owner") == 0 && user->secret.len > 0;
    return end();
}

static void become_active(struct fake_device *d)
{
    d->active = true;
    d->approval_wait = false;
    d->active_ms = wait_now_ms();
    d->has_wallet = d->has_wallet && !d->forgets_wallet;
}

static bool load_policy(struct port *port, struct bytes policy, struct err *err)
{
    struct fake_port *p = of(port);
    AUTO(arena_freep) struct arena *arena = arena_new((size_t)16 << 20);
    struct device_rules rules;
    if (!begin(p, "load", err))
        return false;
    struct writer w = writer_of(p->d->policy_hash, sizeof p->d->policy_hash - 1);
    const bool ok = device_policy_read(&rules, policy, arena, err);
    if (ok)
        writer_hex(&w, BYTES_OF(rules.hash.b));
    p->d->policy_hash[w.len] = '\0';
    p->d->approval_wait = ok;
    fake_unlock();
    return ok;
}

static bool activate(struct port *port, struct err *err)
{
    struct fake_port *p = of(port);
    if (!begin(p, "activate", err))
        return false;
    if (!p->d->needs_person)
        become_active(p->d);
    return end();
}

static bool auth(struct port *port, const struct port_auth *given, struct err *err)
{
    struct fake_port *p = of(port);
    if (!begin(p, "auth", err))
        return false;
    REQUIRE(given->token.len <= sizeof p->d->token);
    memcpy(p->d->token, given->token.ptr, given->token.len);
    p->d->token_len = given->token.len;
    p->d->counter = given->counter;
    (void)snprintf(p->d->user, sizeof p->d->user, "%s", given->user);
    return end();
}

static void sign(struct port *port, struct port_answer *out, struct bytes psbt, struct arena *arena)
{
    struct fake_port *p = of(port);
    struct err err;
    if (!begin(p, "sign", &err)) {
        out->outcome = err.code == ERR_TIMEOUT ? PORT_TIMEOUT : PORT_UNSENT;
        out->tag = refusal_tag_of_err(&err);
        refusal_escape(out->text, bytes_of_text(err.text));
        return;
    }
    struct fake_device *d = p->d;
    d->n_sign++;
    out->outcome = d->outcome;
    if (d->outcome == PORT_SIGNED) {
        d->approvals++;
        REQUIRE(arena_copy(arena, psbt, &out->psbt));
    } else if (d->outcome == PORT_REFUSED) {
        d->refusals++;
        (void)snprintf(d->last_refusal, sizeof d->last_refusal, "%s", d->refusal);
        out->tag = refusal_tag_of(bytes_of_text(d->refusal));
        refusal_escape(out->text, bytes_of_text(d->refusal));
    }
    fake_unlock();
}

static bool sign_message(struct port *port, struct port_message *out, const char *path,
                         struct bytes text, struct err *err)
{
    struct fake_port *p = of(port);
    (void)path;
    (void)text;
    if (!begin(p, "message", err))
        return false;
    (void)snprintf(out->address, sizeof out->address, "tb1qq5zs2pg9q5zs2pg9q5zs2pg9q5zs2pg9lm9x7g");
    memset(out->signature, 0x20, sizeof out->signature); // nobody's
    return end();
}

static bool reboot(struct port *port, struct err *err)
{
    struct fake_port *p = of(port);
    if (!begin(p, "reboot", err))
        return false;
    fake_device_restart(p->d);
    return end();
}

static void hang_up(struct port *port)
{
    struct fake_port *p = of(port);
    fake_lock();
    if (p->talking)
        p->d->n_talking--;
    p->talking = false;
    fake_unlock();
}

static void fake_free(struct port *port)
{
    hang_up(port);
    free(port);
}

static const struct port_ops ops = {
    .hello = hello,
    .status = status,
    .knows_wallet = knows_wallet,
    .register_wallet = register_wallet,
    .enrol = enrol,
    .load_policy = load_policy,
    .activate = activate,
    .auth = auth,
    .sign = sign,
    .sign_message = sign_message,
    .reboot = reboot,
    .hang_up = hang_up,
    .free = fake_free,
};

bool fake_port_make(struct port **out, const struct port_options *options, struct err *err)
{
    for (size_t i = 0; i < n_devices; i++) {
        if (strcmp(devices[i].name, options->section->name) != 0)
            continue;
        struct fake_port *p = calloc(1, sizeof *p);
        REQUIRE(p != NULL);
        *p = (struct fake_port){ .base.ops = &ops, .d = &devices[i], .o = *options };
        *out = &p->base;
        return true;
    }
    return err_set(err, ERR_NOT_FOUND, "no such device");
}
