#include "signer/journal.h"
#include "policy/canonical.h"
#include "signer/device.h"
#include "signer/pinned.h"

bool journal_load_key(struct device *device, struct err *err)
{
    const struct hdkey *master = device_open_master(device);
    secret_free(device->journal_key);
    device->journal_key = secret_new_zeroed(sizeof(struct schnorr_key));
    struct schnorr_key *signs = (struct schnorr_key *)(void *)secret_edit(device->journal_key);
    AUTO(seckey_wipe) struct seckey key = { 0 };
    const bool ok = master != NULL && journal_key(&key, &master->key, err);
    device_close_master(device);
    if (ok) {
        journal_public_key(device->journal.key, &key);
        schnorr_key_of(signs, &key);
    }
    secret_close(device->journal_key);
    return ok;
}

// --- The file ---

static void catch_up(void *context);

static void failed(struct device *device, const struct err *err)
{
    LOG(device->log, LOG_ERROR, "journal_not_written", LOG_TEXT("error", err->text));
    if (device->journal.timer == 0)
        device->journal.timer = loop_after(device->loop, JOURNAL_RETRY_MS, catch_up, device);
}

static void make_safe(void *context)
{
    struct device *device = context;
    struct err err;
    device->journal.safe_timer = 0;
    if (store_is_unlocked(device->store) &&
        !journal_file_make_safe(&device->journal.file, device->store, &err))
        failed(device, &err);
}

static void make_safe_later(struct device *device)
{
    struct journal_state *journal = &device->journal;
    if (journal->file.n_unsafe > 0 && journal->safe_timer == 0)
        journal->safe_timer = loop_after(device->loop, JOURNAL_SAFE_MS, make_safe, device);
}

static void catch_up(void *context)
{
    struct device *device = context;
    struct err err;
    device->journal.timer = 0;
    if (!store_is_unlocked(device->store))
        return;
    if (!journal_file_catch_up(&device->journal.file, device->store, &err))
        failed(device, &err);
    make_safe_later(device);
}

// --- Lines ---

static bool make_line(struct device *device, struct bytes *out, const struct journal_event *event,
                      struct arena *arena, struct err *err)
{
    const struct store_head stored = store_get_head(device->store);
    const struct journal_head head = { stored.seq, stored.hash };
    const struct bytes key = secret_open(device->journal_key);
    struct writer w = writer_growing(arena, JOURNAL_LINE_MAX + 1);
    const bool ok = journal_write(&w, event, &head, device->clock->wall_s(device->clock),
                                  (const struct schnorr_key *)(const void *)key.ptr, err);
    secret_close(device->journal_key);
    if (!ok)
        return false;
    return writer_finish(&w, out) || err_set(err, ERR_NO_MEMORY, "no memory for the journal");
}

bool journal_line(struct device *device, struct bytes *out, const struct journal_event *event,
                  struct arena *arena, struct err *err)
{
    *out = (struct bytes){ 0 };
    if (!device->has_seed)
        return true;
    if (!make_line(device, out, event, arena, err))
        return false;
    // Once what stores it is done and the reply is out.
    if (device->journal.timer == 0)
        device->journal.timer = loop_when_idle(device->loop, JOURNAL_LATE_MS, catch_up, device);
    return true;
}

static bool note(struct device *device, const struct journal_event *event)
{
    AUTO(arena_freep) struct arena *arena = arena_new(JOURNAL_NOTE_ARENA);
    struct bytes line;
    struct err err;
    if (journal_line(device, &line, event, arena, &err) &&
        (line.len == 0 || store_append_journal(device->store, line, &err)))
        return true;
    LOG(device->log, LOG_ERROR, "journal_line_not_stored", LOG_TEXT("error", err.text));
    return false;
}

void journal_note(struct device *device, const struct journal_event *event)
{
    (void)note(device, event);
}

// --- Start and stop ---

static void note_start(struct device *device)
{
    struct journal_event event = { .kind = JOURNAL_START,
                                   .version = CASEMATE_VERSION,
                                   .chain = device_chain(device)->code };
    struct policy policy;
    struct arena *arena = NULL;
    struct err err;
    event.has_policy_hash = hsm_load_policy(device, &policy, &arena, &err);
    if (event.has_policy_hash) {
        event.policy_hash = policy_hash(&policy);
        event.has_policy_hash_full = pinned_hash(device, &policy, &event.policy_hash_full, &err);
    }
    journal_note(device, &event);
    arena_free(arena);
}

bool journal_open(struct device *device, struct err *err)
{
    if (!journal_file_catch_up(&device->journal.file, device->store, err)) {
        // Whoever set the store back gave back what was spent since. A disk that fails did not: the
        // lines stay in the store until it works.
        if (err->code == ERR_INVALID)
            return false;
        LOG(device->log, LOG_ERROR, "journal_not_written", LOG_TEXT("error", err->text));
    }
    device->journal.notes_since_ms = device->clock->monotonic_ms(device->clock);
    device->journal.n_notes = 0;
    note_start(device);
    return true;
}

void journal_close(struct device *device, const char *what)
{
    if (store_is_unlocked(device->store) && device->has_seed) {
        journal_note(device, &(struct journal_event){ .kind = JOURNAL_STOP,
                                                      .what = what,
                                                      .n_omitted = device->journal.n_omitted });
        loop_cancel(device->loop, device->journal.timer);
        catch_up(device);
        make_safe(device);
    }
    loop_cancel(device->loop, device->journal.timer);
    loop_cancel(device->loop, device->journal.safe_timer);
    journal_file_close(&device->journal.file);
    device->journal = (struct journal_state){ 0 };
}

// --- What hosts cause ---

// Whether one more may be written in this hour.
static bool may_note(struct device *device)
{
    struct journal_state *journal = &device->journal;
    const int64_t now_ms = device->clock->monotonic_ms(device->clock);
    if (now_ms - journal->notes_since_ms >= JOURNAL_NOTES_MS) {
        journal->notes_since_ms = now_ms;
        journal->n_notes = 0;
    }
    if (journal->n_notes++ < JOURNAL_NOTES_MAX)
        return true;
    journal->n_omitted++;
    return false;
}

static void note_of_host(struct device *device, struct journal_event *event)
{
    if (device->state != DEVICE_HSM || !may_note(device))
        return;
    event->has_policy_hash = true;
    event->policy_hash = device->hsm->policy_hash;
    event->n_omitted = device->journal.n_omitted;
    if (note(device, event))
        device->journal.n_omitted = 0;
}

void journal_failure(struct device *device, const struct hash256 *hash, const struct err *failure)
{
    struct journal_event event = { .kind = JOURNAL_FAILURE,
                                   .has_hash = true,
                                   .hash = *hash,
                                   .text = bytes_of_text(failure->text),
                                   .detail = bytes_of_text(failure->detail) };
    note_of_host(device, &event);
}

void journal_denied(struct device *device, const char *what, struct bytes path)
{
    struct journal_event event = { .kind = JOURNAL_DENIED, .what = what, .path = path };
    note_of_host(device, &event);
}
