// The operator of HSM mode: his keys, the clock, the limit of refusals.
#include "base/base64.h"
#include "base/secret.h"
#include "signer/device.h"

#define WALL_SLACK_S 1 // two clocks, each in whole seconds

// --- Time ---

// A restart knows the wall clock only: it must find the period where it was moved to.
static void keep_shifted(struct device *device)
{
    const struct hsm *hsm = device->hsm;
    const struct store_decision stored = { .counters = hsm->counters,
                                           .policy_hash = hsm->policy_hash,
                                           .velocity = &hsm->velocity };
    struct err err;
    if (!store_commit_decision(device->store, &stored, &err))
        LOG(device->log, LOG_ERROR, "clock_not_stored", LOG_TEXT("error", err.text));
}

int64_t hsm_now_s(struct device *device)
{
    struct hsm *hsm = device->hsm;
    const struct clock *clock = device->clock;
    const int64_t wall_s = clock->wall_s(clock);
    const int64_t ran_s = (clock->monotonic_ms(clock) - hsm->since_ms) / 1000;
    const int64_t ahead_s = wall_s - hsm->wall_s - ran_s;
    if (ahead_s > hsm->ahead_s + WALL_SLACK_S) {
        velocity_shift(&hsm->velocity, ahead_s - hsm->ahead_s);
        LOG(device->log, LOG_WARNING, "clock_set_forward",
            LOG_U64("seconds", (uint64_t)(ahead_s - hsm->ahead_s)));
        hsm->ahead_s = ahead_s;
        keep_shifted(device);
    } else if (ahead_s < hsm->ahead_s - WALL_SLACK_S) {
        hsm->ahead_s = ahead_s; // set back: what is counted stays where it is
    }
    return wall_s;
}

void hsm_advance(struct device *device)
{
    const int64_t now_s = hsm_now_s(device);
    velocity_advance(&device->hsm->velocity, &device->hsm->policy, now_s);
}

void hsm_period_left(struct writer *w, struct device *device)
{
    const struct hsm *hsm = device->hsm;
    const int64_t left_s = velocity_left_s(&hsm->velocity, &hsm->policy, hsm_now_s(device));
    if (hsm->policy.period_min == 0)
        writer_text(w, "n/a");
    else if (left_s == 0)
        writer_text(w, "--");
    else if (left_s < 3600)
        writer_printf(w, "%2dm %2ds", (int)(left_s / 60), (int)(left_s % 60));
    else
        writer_printf(w, "%2dh %2dm", (int)(left_s / 3600), (int)(left_s / 60 % 60));
}

// --- Keys ---

// Six digits while the window is open: the code, a try at it, or a local code. D11: escape attempts
// "are not recorded" by the reference. D4: `escape_tries` "ends the window after that many wrong codes".
static bool is_escape(struct device *device)
{
    struct hsm *hsm = device->hsm;
    const int64_t active_ms = device->clock->monotonic_ms(device->clock) - hsm->since_ms;
    const unsigned tries = hsm->policy.own.escape_tries;
    if (active_ms >= POLICY_ESCAPE_MS || hsm->policy.boot_to_hsm.len == 0 ||
        (tries > 0 && hsm->n_escape_misses >= tries))
        return false;
    const bool good = ct_equal(bytes_of(hsm->digits, LOCAL_CODE_DIGITS), hsm->policy.boot_to_hsm);
    hsm->n_escape_misses += !good;
    journal_note(device, &(struct journal_event){ .kind = JOURNAL_ESCAPE,
                                                  .what = good ? "left" : "not its code" });
    return good;
}

static void withdraw_code(struct hsm *hsm)
{
    hsm->has_code = false;
    hsm->n_digits = 0;
    wipe(hsm->code, sizeof hsm->code);
    wipe(hsm->digits, sizeof hsm->digits);
}

static void queue_code(struct device *device)
{
    struct hsm *hsm = device->hsm;
    memcpy(hsm->code, hsm->digits, sizeof hsm->code);
    hsm->has_code = true;
    hsm->code_ms = device->clock->monotonic_ms(device->clock);
}

// "At the sixth digit the code is queued at once; OK queues it again and clears the display; X clears
// the display only."
bool hsm_key(struct device *device, char key)
{
    struct hsm *hsm = device->hsm;
    bool escape = false;
    if (key >= '0' && key <= '9') {
        if (hsm->n_digits == LOCAL_CODE_DIGITS)
            hsm->n_digits = 0;
        hsm->digits[hsm->n_digits++] = key;
    } else if (key == 'x') {
        hsm->n_digits = 0;
    } else if (key == 'w') {
        withdraw_code(hsm);
    }
    if (hsm->n_digits == LOCAL_CODE_DIGITS && key != 'x') {
        queue_code(device);
        escape = key != 'y' && is_escape(device);
        if (key == 'y')
            hsm->n_digits = 0;
    }
    screen_touch(&device->screen);
    return escape;
}

bool hsm_has_code(struct device *device)
{
    struct hsm *hsm = device->hsm;
    const int64_t age_ms = device->clock->monotonic_ms(device->clock) - hsm->code_ms;
    const int64_t ttl_ms = (int64_t)hsm->policy.own.local_conf_ttl_s * 1000;
    if (hsm->has_code && ttl_ms > 0 && age_ms >= ttl_ms)
        withdraw_code(hsm);
    return hsm->has_code;
}

void hsm_next_local_code(char out[static 21], const struct hsm *hsm)
{
    struct writer w = writer_of(out, 20);
    base64_write(&w, BYTES_OF(hsm->local_secret));
    out[20] = 0;
}

// --- The limit of refusals ---

static bool acknowledge(struct device *device, struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(JOURNAL_NOTE_ARENA);
    struct hsm *hsm = device->hsm;
    struct store_decision stored = { .counters = hsm->counters };
    stored.counters.refusals = 0;
    stored.counters.stopped = false;
    const struct journal_event event = { .kind = JOURNAL_ACKNOWLEDGED,
                                         .has_policy_hash = true,
                                         .policy_hash = hsm->policy_hash,
                                         .has_counts = true,
                                         .approvals = stored.counters.approvals };
    if (!journal_line(device, &stored.journal_line, &event, arena, err) ||
        !store_commit_decision(device->store, &stored, err))
        return false;
    hsm->counters = stored.counters;
    return true;
}

// Only OK ends the question: X leaves it where it is.
static void acknowledge_key(void *context, char key)
{
    struct device *device = context;
    struct err err;
    if (key != 'y' || device->hsm == NULL)
        return;
    if (!acknowledge(device, &err)) {
        LOG(device->log, LOG_ERROR, "not_acknowledged", LOG_TEXT("error", err.text));
        return;
    }
    LOG_NOTE(device->log, LOG_INFO, "refusals_acknowledged");
    screen_done(&device->screen);
}
static const struct dialog_ops acknowledge_dialog = { .key = acknowledge_key };

static bool is_blocked(const struct hsm *hsm)
{
    return hsm->policy.own.acknowledge_refusals && hsm->counters.stopped;
}

static void ask_to_acknowledge(struct device *device)
{
    char text[160];
    struct writer w = writer_of(text, sizeof text);
    if (screen_has_dialog(&device->screen))
        return;
    writer_printf(&w, "%llu requests were refused.\n\nNothing is signed until you press OK.",
                  (unsigned long long)device->hsm->counters.refusals);
    screen_ask(&device->screen, "Too many refusals", writer_bytes(&w), ASK_KEY, &acknowledge_dialog,
               device);
}

void hsm_reach_limit(struct device *device)
{
    if (device->hsm->policy.own.acknowledge_refusals)
        ask_to_acknowledge(device);
    else
        device_stop_in(device, DEVICE_ENOUGH_MS, false);
}

bool hsm_may_decide(struct device *device, struct err *err)
{
    if (!is_blocked(device->hsm))
        return true;
    ask_to_acknowledge(device);
    return err_set(err, ERR_STATE, "Too many refusals");
}
