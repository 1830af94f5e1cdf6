// Who is logged in, and which device it may be: second factor, theme, the device's pin.
// Source: bunker.md 4.3, 6, 15.
#include "base/base64.h"
#include "base/require.h"
#include "bunker/actions.h"
#include "bunker/qr.h"
#include "crypto/random.h"

#define TOTP_SECRET_LEN 20 // RFC 4226: as long as SHA-1's output

static struct account *account_of(struct bunker *b, const struct session *session)
{
    return settings_account(&b->settings, bytes_of_text(session->account));
}

// What was changed is saved, where there is a key to save it under.
static bool keep(struct action_call *call)
{
    struct err err;
    if (call->b->settings.key == NULL || settings_save(&call->b->settings, &err))
        return true;
    frame_device_error(call->c, &err);
    return false;
}

// --- Second factor ---

bool account_needs_factor(struct bunker *b, const struct session *session)
{
    const struct account *a = account_of(b, session);
    return a != NULL && a->totp_len > 0 &&
           bunker_now_s(b) - session->factor_s > (int64_t)b->config->factor_time;
}

static void run_factor(struct action_call *call)
{
    struct bunker *b = call->b;
    struct session *session = call->c->session;
    struct account *a = account_of(b, session);
    const struct bytes name = bytes_of_text(session->account);
    struct bytes code;
    if (!call_text(call, 0, &code))
        return;
    if (a == NULL || a->totp_len == 0) {
        frame_fail(call->c, "bad_args", "This account has no second factor.");
    } else if (throttle_wait_ms(&b->throttle, name, bunker_now_ms(b)) > 0) {
        frame_fail(call->c, "busy", "Too many attempts. Wait a little, then try again.");
    } else if (!totp_verify(bytes_of(a->totp, a->totp_len), code, bunker_now_s(b), &a->totp_last)) {
        throttle_failed(&b->throttle, name, bunker_now_ms(b));
        call_audit(call, "factor", "failed", (struct bytes){ 0 });
        frame_fail(call->c, "factor", "That code did not work.");
    } else if (keep(call)) { // that it was used must outlive this process
        throttle_succeeded(&b->throttle, name);
        session->factor_s = bunker_now_s(b);
        call_audit(call, "factor", "ok", (struct bytes){ 0 });
        clients_push_slot(b, NULL, call->c);
    }
}

static void put_enrolment(struct json_writer *j, const char *base32, const char *account)
{
    char url[256];
    (void)snprintf(url, sizeof url, "otpauth://totp/Casemate:%s?secret=%s&issuer=Casemate", account,
                   base32);
    json_begin_object(j);
    json_key(j, "secret");
    json_text(j, base32);
    json_key(j, "url");
    json_text(j, url);
    json_key(j, "qr");
    qr_write(j, url);
    json_end_object(j);
    wipe(url, sizeof url);
}

// A second factor for one's own account; it counts once a code of it has been given.
static void run_totp_begin(struct action_call *call)
{
    struct visitor *v = session_visitor(call->b, call->c->session);
    uint8_t raw[TOTP_SECRET_LEN];
    char base32[BASE32_LEN(TOTP_SECRET_LEN) + 1];
    struct writer w = writer_of(base32, sizeof base32);
    struct frame f;
    if (account_of(call->b, call->c->session) == NULL) {
        frame_fail(call->c, "bad_args", "Only accounts with a password have a second factor.");
        return;
    }
    if (account_needs_factor(call->b, call->c->session)) {
        frame_fail(call->c, "factor", "Give your one-time code again.");
        return;
    }
    random_bytes(raw, sizeof raw);
    secret_free(v->totp);
    v->totp = secret_new(BYTES_OF(raw));
    base32_write(&w, BYTES_OF(raw));
    writer_u8(&w, 0);
    wipe(raw, sizeof raw);
    frame_begin(&f);
    json_key(&f.j, "vue_app_cb");
    json_begin_object(&f.j);
    json_key(&f.j, "totp_enrol");
    put_enrolment(&f.j, base32, call->c->session->account);
    json_end_object(&f.j);
    frame_send(&f, call->c, 0);
    wipe(base32, sizeof base32);
}

static void run_totp_confirm(struct action_call *call)
{
    struct visitor *v = session_visitor(call->b, call->c->session);
    struct account *a = account_of(call->b, call->c->session);
    const int64_t now_s = bunker_now_s(call->b);
    struct bytes code;
    uint64_t last = 0;
    if (!call_text(call, 0, &code))
        return;
    const bool ok =
        a != NULL && v->totp != NULL && totp_verify(secret_open(v->totp), code, now_s, &last);
    if (a != NULL && v->totp != NULL)
        secret_close(v->totp);
    if (!ok) {
        frame_fail(call->c, "factor", "That code did not work.");
        return;
    }
    a->totp_len = TOTP_SECRET_LEN;
    memcpy(a->totp, secret_open(v->totp).ptr, TOTP_SECRET_LEN);
    secret_close(v->totp);
    a->totp_last = last;
    call->c->session->factor_s = now_s;
    secret_free(v->totp);
    v->totp = NULL;
    if (!keep(call))
        return;
    call_audit(call, "totp_enrolled", "ok", bytes_of_text(a->name));
    frame_flash(call->c, "From now on a one-time code is asked for at every login.");
    clients_push_slot(call->b, NULL, call->c);
}

// --- Theme ---

const char *account_theme(struct bunker *b, struct session *session)
{
    const struct account *a = account_of(b, session);
    return a != NULL ? a->theme : session_visitor(b, session)->theme;
}

static void run_set_theme(struct action_call *call)
{
    static const char *const themes[] = { "auto", "light", "dark", "high" };
    struct account *a = account_of(call->b, call->c->session);
    char *out = a != NULL ? a->theme : session_visitor(call->b, call->c->session)->theme;
    struct bytes name;
    if (!call_text(call, 0, &name))
        return;
    for (size_t i = 0; i < COUNT(themes); i++)
        if (bytes_equal_text(name, themes[i])) {
            (void)snprintf(out, THEME_SIZE, "%s", themes[i]);
            if (keep(call))
                clients_push_slot(call->b, NULL, call->c);
            return;
        }
    (void)call_bad(call);
}

// --- The device's pin ---

static bool is_pinned(const struct device_pin *pin, const struct device_report *d)
{
    return strcmp(pin->serial, d->serial) == 0 && strcmp(pin->xfp, d->xfp) == 0 &&
           strcmp(pin->xpub, d->xpub) == 0;
}

static void set_pin(struct bunker *b)
{
    const struct device_report *d = &b->device->view;
    struct device_pin *pin = &b->settings.pin;
    struct err err;
    (void)snprintf(pin->serial, sizeof pin->serial, "%s", d->serial);
    (void)snprintf(pin->xfp, sizeof pin->xfp, "%s", d->xfp);
    (void)snprintf(pin->xpub, sizeof pin->xpub, "%s", d->xpub);
    if (b->settings.key != NULL && !settings_save(&b->settings, &err))
        LOG(b->log, LOG_ERROR, "settings_not_saved", LOG_TEXT("error", err.text));
}

static void record(struct bunker *b, const char *event, const char *outcome)
{
    const struct audit_event e = { .event = event,
                                   .outcome = outcome,
                                   .reason = bytes_of_text(b->device->view.serial) };
    LOG(b->log, LOG_WARNING, event, LOG_TEXT("serial", b->device->view.serial),
        LOG_TEXT("xfp", b->device->view.xfp));
    if (!audit_add(&b->audit, bunker_now_s(b), &e))
        LOG(b->log, LOG_ERROR, "audit_failed", LOG_TEXT("event", event));
}

void device_check_pin(struct bunker *b)
{
    const struct device_report *d = &b->device->view;
    if (d->serial[0] == '\0' || d->xfp[0] == '\0')
        return; // away, or without a secret: nothing is signed in either case
    if (b->settings.pin.serial[0] == '\0')
        set_pin(b);
    const bool is_other = !is_pinned(&b->settings.pin, d);
    if (is_other && !b->other_device)
        record(b, "pin_mismatch", "stopped");
    b->other_device = is_other;
}

// The key in the old device's locker is not in this one's: nothing is saved under it any more.
static void run_confirm_device(struct action_call *call)
{
    struct bunker *b = call->b;
    struct bytes serial;
    if (!call_text(call, 0, &serial))
        return;
    if (!b->other_device || !bytes_equal_text(serial, b->device->view.serial)) {
        frame_fail(call->c, "bad_args", "That is not the device that waits for a confirmation.");
        return;
    }
    if (b->config->settings_key_file == NULL) {
        secret_free(b->settings.key);
        b->settings.key = NULL;
        b->asked_locker = false;
    }
    b->other_device = false;
    set_pin(b);
    record(b, "device_confirmed", "ok");
    call_audit(call, "device_confirmed", "ok", serial);
    bunker_poll(b);
    clients_push(b);
    clients_push_slot(b, NULL, call->c);
}

// --- The reference's master password ---

struct taking {
    struct bunker *b;
    struct secret *password;
    char verifier[PASSWORD_TEXT_MAX];
    bool ok;
    struct err err;
};

static void take_work(void *argument)
{
    struct taking *t = argument;
    t->ok = password_hash(t->verifier, secret_open(t->password), PASSWORD_COST, &t->err);
    secret_close(t->password);
}

static void take_done(void *argument)
{
    struct taking *t = argument;
    struct settings *s = &t->b->settings;
    struct account *a = settings_add_account(s, BYTES("admin"), ROLE_ADMIN);
    if (t->ok && a != NULL && a->password[0] == '\0') {
        memcpy(a->password, t->verifier, sizeof a->password);
        t->ok = s->key == NULL || settings_save(s, &t->err);
        LOG_NOTE(t->b->log, LOG_INFO, "master_pw_taken_over");
    }
    if (!t->ok)
        LOG(t->b->log, LOG_ERROR, "settings_not_saved", LOG_TEXT("error", t->err.text));
    secret_free(t->password);
    wipe(t, sizeof *t);
    free(t);
}

void account_take_reference(struct bunker *b)
{
    struct settings *s = &b->settings;
    if (s->reference_pw == NULL)
        return;
    struct taking *t = calloc(1, sizeof *t);
    REQUIRE(t != NULL);
    t->b = b;
    t->password = s->reference_pw;
    s->reference_pw = NULL;
    if (!settings_has_password(s) &&
        pool_submit(b->hashers, (struct pool_job){ take_work, take_done, t }, 0))
        return;
    secret_free(t->password);
    free(t);
}

const struct action account_actions[] = {
    { "factor", 1, 1, ROLE_VIEWER, run_factor },
    { "totp_begin", 0, 0, ROLE_VIEWER, run_totp_begin },
    { "totp_confirm", 1, 1, ROLE_VIEWER, run_totp_confirm },
    { "set_theme", 1, 1, ROLE_VIEWER, run_set_theme },
    { "confirm_device", 1, 1, ROLE_ADMIN, run_confirm_device },
};
const size_t n_account_actions = COUNT(account_actions);
