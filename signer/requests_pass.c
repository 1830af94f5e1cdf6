// `pass` and `pwok`: another wallet of the same words, until the signer is locked.
//
// (1) The operator agrees to a fingerprint; the passphrase itself is shown nowhere and kept nowhere.
// (2) The journal goes on under the key of the stored seed, and a backup holds the stored seed.
// Source: wire-protocol.md 4.6, 8.9.
#include "base/require.h"
#include "base/utf8.h"
#include "signer/master.h"
#include "signer/requests.h"

#define PASS_BYTES_MAX 400 // "len(args) < 400"

// The question while it is on the screen.
struct asking {
    struct device *device;
    struct secret *node; // struct hdkey
};

static void free_asking(struct asking *a)
{
    secret_free(a->node);
    free(a);
}

static void use(struct device *device, const struct secret *node)
{
    char xpub[XPUB_TEXT_SIZE];
    device_use_passphrase(device, (const struct hdkey *)(const void *)secret_open(node).ptr);
    secret_close(node);
    hdpub_to_text(xpub, &device->master_pub, device_chain(device));
    blob_set(&device->job.result, bytes_of_text(xpub));
    job_finish(&device->job);
    LOG_NOTE(device->log, LOG_INFO, "passphrase");
}

static void asking_key(void *context, char key)
{
    struct asking *a = context;
    struct device *device = a->device;
    if (key != 'x' && key != 'y')
        return;
    screen_done(&device->screen);
    if (key == 'y')
        use(device, a->node);
    else
        job_refuse(&device->job);
    free_asking(a);
}

static void dismissed(void *context)
{
    struct asking *a = context;
    if (a->device->job.kind == JOB_PASSPHRASE)
        job_drop(&a->device->job);
    free_asking(a);
}
static const struct dialog_ops dialog = { .key = asking_key, .dismissed = dismissed };

static void ask(struct device *device, struct secret *node)
{
    char text[400], xfp[XFP_TEXT_SIZE], now[XFP_TEXT_SIZE];
    struct writer w = writer_of(text, sizeof text);
    struct asking *a = malloc(sizeof *a);
    REQUIRE(a != NULL);
    *a = (struct asking){ device, node };
    const struct hdkey *key = (const struct hdkey *)(const void *)secret_open(node).ptr;
    xfp_to_text(xfp, hdpub_xfp(&key->pub));
    secret_close(node);
    xfp_to_text(now, device->xfp);
    writer_printf(&w,
                  "The host gives a BIP-39 passphrase.\n\nThe wallet of your words with it has the "
                  "fingerprint %s (now: %s). It is used until the signer is locked.\n\nPress OK to "
                  "use it, X to go on as before.",
                  xfp, now);
    screen_ask(&device->screen, "Passphrase", writer_bytes(&w), ASK_KEY, &dialog, a);
}

static size_t n_characters(struct bytes text)
{
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++)
        n += (text.ptr[i] & 0xc0) != 0x80;
    return n;
}

// The checks of 8.9, in their order.
static bool check(const struct device *device, struct bytes passphrase, struct err *err)
{
    if (!device->has_seed || device->has_passphrase || !master_has_words(device->container))
        return err_set(err, ERR_STATE, "no seed");
    if (passphrase.len >= PASS_BYTES_MAX)
        return err_set(err, ERR_LIMIT, "too long");
    if (!utf8_is_valid(passphrase))
        return err_set(err, ERR_INVALID, "Assertion not UTF-8");
    if (passphrase.len == 0)
        return err_set(err, ERR_INVALID, "too short");
    if (n_characters(passphrase) > MNEMONIC_PASSPHRASE_MAX)
        return err_set(err, ERR_LIMIT, "too long");
    return bytes_is_printable_ascii(passphrase) ||
           err_set(err, ERR_INVALID, "must be ascii printable");
}

bool serve_pass(struct exchange *ex, struct err *err)
{
    struct device *device = ex->device;
    if (!check(device, ex->request.data, err))
        return false;
    AUTO(secret_freep) struct secret *node = secret_new_zeroed(sizeof(struct hdkey));
    struct hdkey *key = (struct hdkey *)(void *)secret_edit(node);
    const bool ok = master_node_with_passphrase(key, device->container, ex->request.data, err);
    secret_close(node);
    if (!ok)
        return false;
    request_start_job(ex, JOB_PASSPHRASE)->begun = true;
    ask(device, node);
    node = NULL; // the question's now
    reply_okay(ex);
    return true;
}

bool serve_pwok(struct exchange *ex, struct err *err)
{
    struct job *job = &ex->device->job;
    struct bytes xpub;
    bool finished;
    if (!request_poll_job(ex, job, JOB_PASSPHRASE, &finished, err))
        return false;
    if (!finished)
        return true;
    if (!arena_copy(ex->arena, blob_bytes(&job->result), &xpub))
        return err_set(err, ERR_NO_MEMORY, "Out of RAM");
    job_drop(job);
    reply_text(ex, xpub);
    return true;
}
