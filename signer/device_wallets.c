#include "signer/device_wallets.h"
#include "base/require.h"
#include "signer/device_users.h"
#include "signer/sign_work.h"

// Bytes for all wallets in memory, and for reading them: a stored form is parsed in the second.
#define WALLETS_ARENA (STORE_WALLETS_MAX * (sizeof(struct ms_wallet) + 64))
#define SCRATCH_ARENA (STORE_WALLETS_MAX * (STORE_WALLET_MAX + 1024u))
#define PARSE_ARENA   (1u << 20)

// --- Loaded ---

void device_forget_wallets(struct device *device)
{
    sign_work_settle(device); // facts name wallets
    arena_free(device->wallets_arena);
    device->wallets_arena = NULL;
    device->wallets = (struct ms_wallets){ 0 };
}

static bool load_wallet(struct ms_wallet *out, const struct store_wallet *stored, struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(PARSE_ARENA);
    return ms_wallet_load(out, stored->form, arena, err) ||
           err_within(err, "wallet '%.*s'", BYTES_ARG(stored->name));
}

static bool load_all(struct ms_wallets *out, const struct store_wallet *stored, size_t n,
                     struct arena *arena, struct err *err)
{
    const struct ms_wallet **list = arena_array(arena, n, sizeof(struct ms_wallet *));
    struct ms_wallet *wallets = arena_array(arena, n, sizeof *wallets);
    if (list == NULL || wallets == NULL)
        return err_set(err, ERR_NO_MEMORY, "no memory for the wallets");
    for (size_t i = 0; i < n; i++) {
        if (!load_wallet(&wallets[i], &stored[i], err))
            return false;
        list[i] = &wallets[i];
    }
    *out = (struct ms_wallets){ list, n };
    return true;
}

bool device_load_wallets(struct device *device, struct err *err)
{
    AUTO(arena_freep) struct arena *scratch = arena_new(SCRATCH_ARENA);
    const struct store_wallet *stored;
    size_t n;
    device_forget_wallets(device);
    if (!store_get_wallets(device->store, &stored, &n, scratch, err))
        return false;
    device->wallets_arena = arena_new(WALLETS_ARENA);
    if (load_all(&device->wallets, stored, n, device->wallets_arena, err))
        return true;
    device_forget_wallets(device);
    return false;
}

// --- Enrolled ---

// The question while it is on the screen.
struct enrolment {
    struct device *device;
    struct ms_wallet wallet;
    wallet_answer_fn
        *answered; // of a transaction that waits for it; NULL: it was asked for by itself
};

static void notice_key(void *context, char key)
{
    if (key == 'x' || key == 'y')
        screen_done(context);
}
static const struct dialog_ops notice_dialog = { .key = notice_key };

static bool store_wallet(struct device *device, const struct ms_wallet *wallet, struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(4 * MS_STORED_MAX + JOURNAL_NOTE_ARENA);
    struct writer form = writer_growing(arena, MS_STORED_MAX);
    struct bytes line;
    struct store_wallet stored = { .name = bytes_of_text(wallet->name) };
    ms_wallet_store(&form, wallet);
    if (!writer_finish(&form, &stored.form))
        return err_set(err, ERR_NO_MEMORY, "no memory for the wallet");
    const struct journal_event event = { .kind = JOURNAL_WALLET_ADDED,
                                         .name = stored.name,
                                         .has_hash = true,
                                         .hash = sha256(stored.form) };
    return journal_line(device, &line, &event, arena, err) &&
           store_put_wallet(device->store, &stored, line, err) && device_load_wallets(device, err);
}

static void end_enrolment(struct enrolment *e, enum wallet_answer answer)
{
    struct device *device = e->device;
    wallet_answer_fn *const answered = e->answered;
    free(e);
    if (answered != NULL)
        answered(device, answer);
    else if (device->job.kind == JOB_ENROLL)
        job_drop(&device->job);
}

static enum wallet_answer create(struct enrolment *e)
{
    struct device *device = e->device;
    struct err err;
    if (store_wallet(device, &e->wallet, &err)) {
        LOG(device->log, LOG_INFO, "wallet_enrolled",
            LOG_BYTES("name", bytes_of_text(e->wallet.name)));
        return WALLET_CREATED;
    }
    LOG(device->log, LOG_ERROR, "wallet_not_stored", LOG_TEXT("error", err.text));
    screen_ask(&device->screen, "Failure", bytes_of_text(err.text), ASK_KEY, &notice_dialog,
               &device->screen);
    return WALLET_DECLINED;
}

static void enrolment_key(void *context, char key)
{
    struct enrolment *e = context;
    if (key != 'x' && key != 'y')
        return;
    screen_done(&e->device->screen);
    end_enrolment(e, key == 'y' ? create(e) : WALLET_DECLINED);
}

static void enrolment_dismissed(void *context)
{
    end_enrolment(context, WALLET_DISMISSED);
}
static const struct dialog_ops enrolment_dialog = { .key = enrolment_key,
                                                    .dismissed = enrolment_dismissed };

static void ask(struct device *device, const struct ms_wallet *wallet,
                const struct ms_review *review, wallet_answer_fn *answered)
{
    AUTO(arena_freep) struct arena *arena = arena_new(4 * MS_EXPORT_MAX);
    struct writer text = writer_growing(arena, MS_EXPORT_MAX);
    struct enrolment *e = malloc(sizeof *e);
    REQUIRE(e != NULL);
    *e = (struct enrolment){ device, *wallet, answered };
    ms_write_question(&text, wallet, review, device->xfp);
    writer_text(&text, "\nPress OK to create the wallet, X to cancel.");
    REQUIRE(!text.failed); // what is not shown whole is not asked
    screen_ask(&device->screen, "Multisig wallet", writer_bytes(&text), ASK_KEY, &enrolment_dialog,
               e);
}

static bool derive(const void *context, struct hdpub *out, const struct keypath *path,
                   struct err *err)
{
    return device_public_node(context, out, path, err);
}

static bool read_wallet(struct ms_wallet *wallet, struct ms_review *review, struct device *device,
                        struct bytes text, struct bytes file_name, struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(PARSE_ARENA);
    const struct ms_register against = { .chain = device_chain(device),
                                         .ours = { device->xfp, derive, device },
                                         .unsort_ms = device->config.unsort_ms,
                                         .wallets = device->wallets,
                                         .file_name = file_name };
    return ms_register(wallet, text, &against, arena, err) &&
           ms_review(review, wallet, device->wallets, err) &&
           (device->wallets.n < STORE_WALLETS_MAX ||
            err_set(err, ERR_LIMIT, "more than %d wallets", STORE_WALLETS_MAX));
}

bool device_ask_enroll(struct device *device, struct bytes text, struct err *err)
{
    struct ms_wallet wallet;
    struct ms_review review;
    if (!read_wallet(&wallet, &review, device, text, (struct bytes){ 0 }, err))
        return false;
    device_discard_job(device);
    device->job.kind = JOB_ENROLL;
    device->job.state = JOB_WAITING;
    device->job.begun = true;
    ask(device, &wallet, &review, NULL);
    return true;
}

bool device_offer_wallet(struct device *device, struct bytes text, wallet_answer_fn *answered,
                         struct err *err)
{
    char name[MS_NAME_MAX + 1];
    struct ms_wallet wallet;
    struct ms_review review;
    // Read once to learn M and N, which the name has.
    if (!read_wallet(&wallet, &review, device, text, (struct bytes){ 0 }, err))
        return false;
    (void)snprintf(name, sizeof name, "PSBT-%zu-of-%zu", wallet.m, wallet.n);
    if (!read_wallet(&wallet, &review, device, text, bytes_of_text(name), err))
        return false;
    ask(device, &wallet, &review, answered);
    return true;
}

// --- Deleted ---

bool device_delete_wallet(struct device *device, struct bytes name, struct err *err)
{
    if (device_is_needed(device, policy_names_wallet, name))
        return err_set(err, ERR_STATE, "in use by policy");
    AUTO(arena_freep) struct arena *arena = arena_new(JOURNAL_NOTE_ARENA);
    const struct journal_event event = { .kind = JOURNAL_WALLET_DELETED, .name = name };
    struct bytes line;
    if (!journal_line(device, &line, &event, arena, err) ||
        !store_delete_wallet(device->store, name, line, err) || !device_load_wallets(device, err))
        return false;
    LOG(device->log, LOG_INFO, "wallet_deleted", LOG_BYTES("name", name));
    return true;
}
