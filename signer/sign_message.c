#include "signer/sign_message.h"
#include "policy/audit_text.h"
#include "signer/audit.h"

bool sign_message_address(struct device *device, struct job *job, struct err *err)
{
    const struct hdkey *master = device_open_master(device);
    AUTO(hdkey_wipe) struct hdkey node = { 0 };
    const bool derived = master != NULL && hdkey_derive(&node, master, &job->path, err);
    device_close_master(device);
    if (master == NULL)
        return err_set(err, ERR_STATE, "Assertion no seed");
    if (!derived)
        return false;
    uint8_t mem[64];
    struct writer script = writer_of(mem, sizeof mem);
    struct writer address = writer_of(job->address, sizeof job->address - 1);
    if (!address_script_of_key(&script, &node.pub.key, job->format, err))
        return false;
    if (!address_from_script(&address, writer_bytes(&script), device_chain(device)))
        return err_set(err, ERR_UNSUPPORTED, "Unknown/unsupported addr format");
    job->address[address.len] = 0;
    return true;
}

static bool sign(struct device *device, struct job *job, struct err *err)
{
    device_blind(device);
    const struct hdkey *master = device_open_master(device);
    AUTO(hdkey_wipe) struct hdkey node = { 0 };
    const bool ok =
        master != NULL && hdkey_derive(&node, master, &job->path, err) &&
        message_sign(job->signature, &node.key, job->format, blob_bytes(&job->message), err);
    device_close_master(device);
    wipe_stack();
    return ok || (master == NULL && err_set(err, ERR_STATE, "Assertion no seed"));
}

// --- HSM mode ---

static bool decision_text(struct bytes *out, struct arena *arena, const struct device *device,
                          const struct decision *decision, struct err *err)
{
    struct writer w = writer_growing(arena, 4096);
    decision_write(&w, decision, &device->hsm->policy, NULL);
    return writer_finish(&w, out) || err_set(err, ERR_NO_MEMORY, "Confused no memory");
}

static bool save_record(struct audit *record, const struct job *job,
                        const struct decision *decision, const struct hash256 *hash,
                        const struct auth_facts *auth)
{
    const struct audit_message message = { *hash, job->message.len, &job->path,
                                           bytes_of_text(job->address), auth };
    struct writer w = writer_growing(job->arena, 65536);
    audit_message_write(&w, decision, &message);
    struct bytes text;
    struct err err;
    return writer_finish(&w, &text) && audit_save(record, text, &err);
}

// Decides, and puts the record on the card: without one again, if that fails and must_log is set.
static void rule(struct device *device, const struct job *job, const struct hash256 *hash,
                 struct auth_facts *auth, struct decision *decision)
{
    const struct hsm *hsm = device->hsm;
    const struct message_facts message = { job->path, *hash };
    const int64_t now_s = hsm_now_s(device);
    struct audit record = { 0 };
    struct err card;
    auth->card_usable = !hsm->policy.never_log && audit_open(&record, store_dir_fd(device->store),
                                                             AUDIT_MESSAGE, hash, &card);
    *decision = policy_evaluate_message(&hsm->policy, &message, auth, &hsm->velocity, now_s);
    if (auth->card_usable && decision->log && !save_record(&record, job, decision, hash, auth) &&
        hsm->policy.must_log) {
        auth->card_usable = false;
        *decision = policy_evaluate_message(&hsm->policy, &message, auth, &hsm->velocity, now_s);
    }
    audit_cancel(&record);
}

static bool carry_out(struct device *device, struct job *job, const struct hash256 *hash,
                      const struct auth_facts *auth, const struct decision *decision,
                      struct err *err)
{
    struct hsm_ruling ruling = { .decision = decision, .hash = *hash, .auth = auth };
    if (!decision_text(&ruling.text, job->arena, device, decision, err))
        return false;
    if (!hsm_decide(device, &ruling, err)) {
        LOG(device->log, LOG_ERROR, "decision_not_stored", LOG_TEXT("error", err->text));
        return err_set(err, ERR_IO, "Signing failed late");
    }
    job->decision = decision;
    job->decision_text = ruling.text;
    return true;
}

// The record is on the card, and the decision in the batch, before a signature is made.
static bool decide(struct device *device, struct job *job, struct decision *decision,
                   struct err *err)
{
    const struct hash256 hash = sha256(blob_bytes(&job->message));
    const struct user_list *users = device_open_users(device);
    struct auth_facts auth = { .users = users->items,
                               .n_users = users->n,
                               .queue = &device->hsm->queue };
    rule(device, job, &hash, &auth, decision);
    const bool ok = carry_out(device, job, &hash, &auth, decision, err);
    device_close_users(device);
    return ok;
}

static bool run_hsm(struct device *device, struct job *job, struct err *err)
{
    if (!hsm_may_decide(device, err))
        return false;
    job->arena = arena_new(1u << 20);
    struct decision *decision = arena_alloc(job->arena, sizeof *decision);
    if (decision == NULL)
        return err_set(err, ERR_NO_MEMORY, "Confused no memory");
    return decide(device, job, decision, err);
}

static void fail(struct device *device, struct job *job, const struct err *err)
{
    const struct hash256 hash = sha256(blob_bytes(&job->message));
    journal_failure(device, &hash, err);
    job_fail(job, err);
}

void sign_message_release(struct device *device, struct job *job)
{
    const bool approved = job->decision->verdict == VERDICT_SIGN;
    struct err err;
    store_step(device->store, "released");
    LOG(device->log, LOG_INFO, approved ? "message_approved" : "message_refused",
        LOG_BYTES("text", job->decision_text));
    if (!approved)
        job_refuse(job);
    else if (sign(device, job, &err))
        job_finish(job);
    else
        fail(device, job, &err);
}

// --- Normal mode ---

static void message_key(void *context, char key)
{
    struct device *device = context;
    struct err err;
    if (key != 'x' && key != 'y')
        return;
    screen_done(&device->screen);
    if (key == 'x')
        job_refuse(&device->job);
    else if (sign(device, &device->job, &err))
        job_finish(&device->job);
    else
        job_fail(&device->job, &err);
}

static void message_dismissed(void *context)
{
    struct device *device = context;
    if (device->job.kind == JOB_MESSAGE && device->job.state == JOB_WAITING)
        job_drop(&device->job);
}

static const struct dialog_ops message_dialog = { .key = message_key,
                                                  .dismissed = message_dismissed };

static void ask(struct device *device, struct job *job)
{
    AUTO(arena_freep) struct arena *arena = arena_new(65536);
    struct writer w = writer_growing(arena, 16384);
    writer_printf(&w, "Ok to sign this?\n      --=--\n%.*s\n      --=--\n\n",
                  BYTES_ARG(blob_bytes(&job->message)));
    writer_text(&w, "Using the key associated with address:\n");
    keypath_write(&w, &job->path);
    writer_printf(&w, " =>\n\x02%s\n\nPress OK to continue, otherwise X to cancel.", job->address);
    screen_ask(&device->screen, "Sign message?", writer_bytes(&w), ASK_KEY, &message_dialog,
               device);
}

void sign_message_run(struct device *device, struct job *job)
{
    struct err err;
    if (device->state != DEVICE_HSM)
        ask(device, job);
    else if (!run_hsm(device, job, &err))
        fail(device, job, &err);
}
