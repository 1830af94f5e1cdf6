// Users and the policy. Source: bunker.md 6, 11.
#include "base/base64.h"
#include "base/require.h"
#include "base/utf8.h"
#include "bunker/actions.h"
#include "bunker/policy_form.h"
#include "bunker/qr.h"
#include "crypto/random.h"
#include "policy/users.h"

#define FLASH_CONSULT                                                                              \
    "Please consult the Coldcard screen and review the HSM policy shown there. If you are "        \
    "satisfied it does what you need, approve the policy and the Coldcard will enter HSM mode.\n"
#define LOCKER_READS 13 // "13, or 1 when allow reboots is off"

// A job of one socket whose only answers are a note, an error and the new status.
struct simple {
    union {
        struct device_job base;
        struct user_job user;
        struct policy_job policy;
    };
    struct bunker *b;
    uint64_t client;
    const char *flash; // on success; NULL: none
};

static struct simple *simple_new(struct action_call *call, device_work *work,
                                 void (*done)(struct device_job *),
                                 void (*drop)(struct device_job *))
{
    struct simple *s = calloc(1, sizeof *s);
    REQUIRE(s != NULL);
    s->b = call->b;
    s->client = call->c->id;
    s->base.work = work;
    s->base.done = done;
    s->base.drop = drop;
    return s;
}

// --- Users ---

static bool read_name(struct action_call *call, char out[static SLOT_NAME_SIZE])
{
    struct bytes name;
    if (!call_text(call, 0, &name))
        return false;
    const char *why = NULL;
    if (name.len < USER_NAME_MIN || name.len > USER_NAME_MAX || !bytes_is_printable_ascii(name) ||
        name.ptr[0] == '_')
        why = "bad username length";
    else if (memchr(name.ptr, ',', name.len) != NULL)
        why = "no commas in names";
    if (why != NULL) {
        frame_fail(call->c, "bad_args", "%s", why);
        return false;
    }
    (void)snprintf(out, SLOT_NAME_SIZE, "%.*s", BYTES_ARG(name));
    return true;
}

// What was made here, once: the device has it now, and nobody else.
static void send_secret(struct client *c, const struct user_job *user)
{
    const bool is_totp = user->mode == USER_TOTP;
    char url[256] = "";
    struct frame f;
    if (is_totp)
        (void)snprintf(url, sizeof url, "otpauth://totp/%s?secret=%s", user->name, user->shown);
    frame_begin(&f);
    json_key(&f.j, "vue_app_cb");
    json_begin_object(&f.j);
    json_key(&f.j, "new_user_secret");
    json_begin_object(&f.j);
    json_key(&f.j, "name");
    json_text(&f.j, user->name);
    json_key(&f.j, is_totp ? "secret" : "password");
    json_text(&f.j, user->shown);
    if (is_totp) {
        json_key(&f.j, "url");
        json_text(&f.j, url);
        json_key(&f.j, "qr");
        qr_write(&f.j, url);
    }
    json_end_object(&f.j);
    json_end_object(&f.j);
    frame_send(&f, c, 0);
    wipe(url, sizeof url);
}

// "Try the device-picked mode; on badlen offer 'generate here'".
static void send_user_error(struct client *c, const struct user_job *user)
{
    const bool asks_for_one =
        user->secret == NULL && !user->remove && strstr(user->base.err.text, "badlen") != NULL;
    if (asks_for_one)
        frame_fail(c, "badlen",
                   "This device picks no secrets itself. One can be made here, and is shown once: "
                   "then this bunker's host has seen it.");
    else
        frame_device_error(c, &user->base.err);
}

static void user_drop(struct device_job *base)
{
    struct simple *s = (struct simple *)base;
    secret_free(s->user.secret);
    wipe(s, sizeof *s);
    free(s);
}

static void user_done(struct device_job *base)
{
    struct simple *s = (struct simple *)base;
    struct client *c = job_client(s->b, s->client);
    if (c != NULL && !base->ok)
        send_user_error(c, &s->user);
    else if (c != NULL && s->user.shown[0] != '\0')
        send_secret(c, &s->user);
    clients_push_slot(s->b, NULL, c);
    user_drop(base);
}

static void run_delete_user(struct action_call *call)
{
    char name[SLOT_NAME_SIZE];
    if (!read_name(call, name) || !call_has_device(call) || !call_begin_job(call))
        return;
    struct simple *s = simple_new(call, user_work, user_done, user_drop);
    memcpy(s->user.name, name, sizeof name);
    s->user.remove = true;
    call_audit(call, "user_deleted", "asked", bytes_of_text(name));
    device_submit(call->b->device, &s->base);
}

// "give_pw: the bunker hashes the given password (9.4) and sends 32 bytes"
static void set_password(struct simple *s, struct bytes password)
{
    uint8_t key[32];
    s->user.mode = USER_PASSWORD;
    user_password_secret(key, password, bytes_of_text(s->b->device->view.serial), false);
    s->user.secret = secret_new(BYTES_OF(key));
    wipe(key, sizeof key);
}

// "20 random bytes, shown once as QR + base32 in the admin's browser, sent to the device, wiped"
static void make_totp(struct simple *s)
{
    uint8_t raw[20];
    struct writer w = writer_of(s->user.shown, sizeof s->user.shown);
    random_bytes(raw, sizeof raw);
    base32_write(&w, BYTES_OF(raw));
    s->user.mode = USER_TOTP;
    s->user.secret = secret_new(BYTES_OF(raw));
    wipe(raw, sizeof raw);
}

static void make_password(struct simple *s)
{
    uint8_t raw[12];
    struct writer w = writer_of(s->user.shown, sizeof s->user.shown);
    random_bytes(raw, sizeof raw);
    base64_write(&w, BYTES_OF(raw));
    set_password(s, writer_bytes(&w));
    wipe(raw, sizeof raw);
}

// The modes of the reference, and two for devices that want a secret to be given.
static const struct {
    const char *word;
    uint8_t mode;
    void (*make)(struct simple *s); // NULL: the device picks, or the admin has given
} user_modes[] = {
    { "totp", USER_TOTP | USER_SHOW_QR, NULL },
    { "rand_pw", USER_PASSWORD | USER_SHOW_QR, NULL },
    { "give_pw", USER_PASSWORD, NULL },
    { "totp_here", USER_TOTP, make_totp },
    { "rand_pw_here", USER_PASSWORD, make_password },
};

static void run_create_user(struct action_call *call)
{
    char name[SLOT_NAME_SIZE];
    struct bytes mode, password;
    size_t row = 0;
    if (!read_name(call, name) || !call_text(call, 1, &mode) || !call_text(call, 2, &password))
        return;
    const bool given = bytes_equal_text(mode, "give_pw");
    while (row < COUNT(user_modes) && !bytes_equal_text(mode, user_modes[row].word))
        row++;
    if (row == COUNT(user_modes)) {
        frame_fail(call->c, "bad_args", "%.*s", BYTES_ARG(utf8_cut(mode, 64)));
        return;
    }
    // An empty one would be picked by the device and thrown away here.
    if (given && password.len == 0) {
        (void)call_bad(call);
        return;
    }
    if (!call_has_device(call) || !call_begin_job(call))
        return;
    struct simple *s = simple_new(call, user_work, user_done, user_drop);
    memcpy(s->user.name, name, sizeof name);
    s->user.mode = user_modes[row].mode;
    if (given)
        set_password(s, password);
    if (user_modes[row].make != NULL)
        user_modes[row].make(s);
    call_audit(call, "user_created", "asked", bytes_of_text(name));
    device_submit(call->b->device, &s->base);
}

// --- The policy ---

static void policy_drop(struct device_job *base)
{
    struct simple *s = (struct simple *)base;
    if (s->policy.policy != NULL)
        wipe(s->policy.policy, s->policy.policy_len);
    free(s->policy.policy);
    free(s);
}

static void policy_done(struct device_job *base)
{
    struct simple *s = (struct simple *)base;
    struct client *c = job_client(s->b, s->client);
    if (c != NULL && base->ok)
        frame_flash(c, s->flash);
    else if (c != NULL)
        frame_device_error(c, &base->err);
    clients_push_slot(s->b, NULL, c);
    policy_drop(base);
}

// --- What is kept of a policy, once the device has taken it ---

void pending_policy_drop(struct bunker *b)
{
    free(b->pending.policy);
    b->pending = (struct pending_policy){ 0 };
}

// "unless priv_over_ux: ... with it they store null for these"
static void set_pending(struct bunker *b, struct bytes plain, bool is_private)
{
    pending_policy_drop(b);
    b->pending.is_set = true;
    b->pending.is_private = is_private;
    b->pending.policy = malloc(plain.len);
    REQUIRE(b->pending.policy != NULL);
    memcpy(b->pending.policy, plain.ptr, plain.len);
    b->pending.len = plain.len;
}

void pending_policy_follow(struct bunker *b, const struct device_report *before,
                           const struct device_report *now)
{
    struct settings *s = &b->settings;
    struct pending_policy *p = &b->pending;
    struct err err;
    if (before->state == DEVICE_APPROVING && now->state == DEVICE_IDLE)
        pending_policy_drop(b); // it was refused
    if (!p->is_set || !now->active || before->active)
        return;
    settings_set_policy(s, p->is_private ? (struct bytes){ 0 } : bytes_of(p->policy, p->len));
    (void)snprintf(s->xfp, sizeof s->xfp, "%s", p->is_private ? "" : now->xfp);
    (void)snprintf(s->serial, sizeof s->serial, "%s", p->is_private ? "" : now->serial);
    pending_policy_drop(b);
    if (s->key != NULL && !settings_save(s, &err))
        LOG(b->log, LOG_ERROR, "settings_not_saved", LOG_TEXT("error", err.text));
}

static void run_start_hsm(struct action_call *call)
{
    if (!call_has_device(call) || !call_begin_job(call))
        return;
    pending_policy_drop(call->b); // it is the stored one that starts now
    struct simple *s = simple_new(call, policy_work, policy_done, policy_drop);
    s->flash = FLASH_CONSULT;
    call_audit(call, "policy_start", "asked", (struct bytes){ 0 });
    device_submit(call->b->device, &s->base);
}

static bool clean_up(struct action_call *call, struct bytes *out, struct form_locker *locker,
                     struct arena *arena)
{
    struct bytes text;
    struct err err;
    if (!call_text(call, 0, &text))
        return false;
    struct writer w = writer_growing(arena, POLICY_FORM_MAX);
    if (!policy_form_clean(&w, text, locker, arena, &err)) {
        frame_fail(call->c, "bad_args", "%s", err.text);
        return false;
    }
    return writer_finish(&w, out) || call_bad(call);
}

static void send_policy(struct action_call *call, struct bytes policy)
{
    char name[64];
    const char *xfp = call->b->device->view.xfp;
    (void)snprintf(name, sizeof name, "hsm-policy-%s.json.txt", xfp[0] != '\0' ? xfp : "None");
    frame_download(call->c, policy, name, false, false);
}

static void run_download_policy(struct action_call *call)
{
    AUTO(arena_freep) struct arena *arena = arena_new(FRAME_ARENA);
    struct bytes policy;
    if (clean_up(call, &policy, NULL, arena))
        send_policy(call, policy);
}

static void run_import_policy(struct action_call *call)
{
    AUTO(arena_freep) struct arena *arena = arena_new(FRAME_ARENA);
    struct writer w = writer_growing(arena, POLICY_FORM_MAX);
    struct bytes form;
    struct err err;
    if (!policy_form_cook(&w, call->args[0], arena, &err)) {
        frame_fail(call->c, "bad_args", "%s", err.text);
        return;
    }
    struct frame f;
    if (!writer_finish(&w, &form)) {
        (void)call_bad(call);
        return;
    }
    frame_begin(&f);
    json_key(&f.j, "vue_app_cb");
    json_begin_object(&f.j);
    json_key(&f.j, "update_policy");
    json_raw(&f.j, form);
    json_end_object(&f.j);
    json_key(&f.j, "show_flash_msg");
    json_text(&f.j, "Policy file imported.");
    frame_send(&f, call->c, 0);
}

// The settings' key goes into the device's locker with the policy. It counts as safe only once the
// device is active with it (bunker.md 11.6).
static void make_locker(struct bunker *b, struct form_locker *out)
{
    uint8_t random[SETTINGS_KEY_LEN];
    if (b->settings.key == NULL && b->pending_key == NULL) {
        b->pending_key = secret_new_zeroed(SETTINGS_KEY_LEN);
        form_random_key(secret_edit(b->pending_key), sizeof random);
        secret_close(b->pending_key);
    }
    settings_locker_text(out->text, b->settings.key != NULL ? b->settings.key : b->pending_key);
    out->reads = b->settings.allow_reboots ? LOCKER_READS : 1;
}

static bool is_private(struct bytes policy, struct arena *arena)
{
    const struct json *object, *v;
    struct err unimportant;
    return json_parse(&object, policy, arena, &unimportant) &&
           (v = json_get(object, "priv_over_ux")) != NULL && v->type == JSON_TRUE;
}

static void run_submit_policy(struct action_call *call)
{
    AUTO(arena_freep) struct arena *arena = arena_new(FRAME_ARENA);
    struct form_locker locker;
    struct bytes policy, plain;
    bool wants_copy;
    struct err err;
    if (!call_bool(call, 1, &wants_copy) || !call_has_device(call))
        return;
    make_locker(call->b, &locker);
    const bool ok = clean_up(call, &policy, &locker, arena);
    wipe(&locker, sizeof locker);
    if (!ok || !call_begin_job(call))
        return;
    struct writer w = writer_growing(arena, POLICY_FORM_MAX);
    if (!policy_form_sanitise(&w, policy, arena, &err) || !writer_finish(&w, &plain)) {
        frame_fail(call->c, "bad_args", "%s", err.text);
        return;
    }
    set_pending(call->b, plain, is_private(plain, arena));
    struct simple *s = simple_new(call, policy_work, policy_done, policy_drop);
    s->flash = FLASH_CONSULT;
    s->policy.policy = malloc(policy.len);
    REQUIRE(s->policy.policy != NULL);
    memcpy(s->policy.policy, policy.ptr, policy.len);
    s->policy.policy_len = policy.len;
    call_audit(call, "policy_submitted", "asked", (struct bytes){ 0 });
    device_submit(call->b->device, &s->base);
    if (wants_copy)
        send_policy(call, plain);
}

const struct action policy_actions[] = {
    { "start_hsm_btn", 0, 0, ROLE_ADMIN, run_start_hsm },
    { "delete_user", 1, 1, ROLE_ADMIN, run_delete_user },
    { "create_user", 3, 3, ROLE_ADMIN, run_create_user },
    { "submit_policy", 2, 2, ROLE_ADMIN, run_submit_policy },
    { "download_policy", 1, 1, ROLE_ADMIN, run_download_policy },
    { "import_policy", 1, 1, ROLE_ADMIN, run_import_policy },
};
const size_t n_policy_actions = COUNT(policy_actions);
