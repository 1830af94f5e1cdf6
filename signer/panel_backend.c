#include "signer/panel_backend.h"
#include "base/require.h"
#include "base/secret.h"
#include "policy/summary.h"
#include "signer/device_users.h"
#include "signer/device_wallets.h"
#include "signer/hsm_start.h"
#include <inttypes.h>

// One page and the note below it.
#define SHOWN_MAX (SCREEN_PAGE_MAX + 256)

// --- What it shows ---

static void write_home(struct writer *w, const struct device *device)
{
    const struct hsm *hsm = device->hsm;
    if (device->state == DEVICE_HSM) {
        writer_printf(w, "APPROVED: %" PRIu64 "\nREFUSED: %" PRIu64 "\nPERIOD LEFT: %s\n",
                      hsm->counters.approvals % 10000, hsm->counters.refusals, device->period_left);
        return;
    }
    char xfp[XFP_TEXT_SIZE];
    xfp_to_text(xfp, device->xfp);
    writer_printf(w, "Signer %s, %s\n", device->name, device_chain(device)->name);
    writer_printf(w, device->has_seed ? "Fingerprint %s\n" : "No seed\n", xfp);
    if (device->has_seed) { // who verifies the journal takes it from here, not from a host
        writer_text(w, "Journal key ");
        writer_hex(w, BYTES_OF(device->journal.key));
        writer_text(w, "\n");
    }
    writer_printf(w, "HSM commands %s\n", device->hsm_commands ? "enabled" : "disabled");
}

// The text without its 0x02 bytes, and what OK does when it is not all.
static void show(struct device *device, struct bytes text, bool has_more)
{
    AUTO(arena_freep) struct arena *arena = arena_new(4 * SHOWN_MAX);
    struct writer w = writer_growing(arena, SHOWN_MAX);
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != 0x02)
            writer_u8(&w, text.ptr[i]);
    }
    if (has_more)
        writer_text(&w, "\n(There is more. Press OK for the next page, X to cancel.)\n");
    blob_set(&device->panel_text, writer_bytes(&w));
}

static const enum panel_ask ask_of[] = { [ASK_NONE] = PANEL_ASK_NONE,
                                         [ASK_KEY] = PANEL_ASK_KEY,
                                         [ASK_DIGITS] = PANEL_ASK_DIGITS,
                                         [ASK_TEXT] = PANEL_ASK_TEXT };

static void backend_screen(void *context, struct panel_screen *out)
{
    struct device *device = context;
    const struct screen *screen = &device->screen;
    *out = (struct panel_screen){ 0 };
    if (device->state == DEVICE_HSM) {
        struct writer w = writer_of(device->period_left, sizeof device->period_left - 1);
        hsm_period_left(&w, device);
        device->period_left[w.len] = 0;
        out->approved = device->hsm->counters.approvals;
        out->refused = device->hsm->counters.refusals;
        out->period_left = bytes_trim(bytes_of_text(device->period_left));
        out->digits = bytes_of(device->hsm->digits, device->hsm->n_digits);
    }
    if (screen_has_dialog(screen)) {
        out->title = bytes_of_text(screen->title);
        out->ask = ask_of[screen->ask];
        out->question = screen->question;
        show(device, screen_page(screen), screen_has_more(screen));
    } else {
        char mem[512];
        struct writer w = writer_of(mem, sizeof mem);
        write_home(&w, device);
        out->title = device->state == DEVICE_HSM ? BYTES("HSM MODE") : BYTES("Ready To Sign");
        out->ask = device->state == DEVICE_HSM ? PANEL_ASK_DIGITS : PANEL_ASK_NONE;
        show(device, writer_bytes(&w), false);
    }
    out->text = blob_bytes(&device->panel_text);
    switch (device->state) {
    case DEVICE_HSM:
        out->state = PANEL_HSM;
        break;
    case DEVICE_NORMAL:
    case DEVICE_OFFER:
        out->state = PANEL_NORMAL;
        break;
    case DEVICE_LOCKED:
    case DEVICE_STOPPED:
        out->state = PANEL_LOCKED;
    }
}

// --- Keys ---

static void press(struct device *device, char key)
{
    // `w` is a key of the HSM screen alone: no question has it.
    if ((key == 'w' ? screen_has_dialog(&device->screen) : screen_key(&device->screen, key)) ||
        device->state != DEVICE_HSM)
        return;
    if (hsm_key(device, key)) {
        LOG_NOTE(device->log, LOG_WARNING, "escape");
        device_enter(device, DEVICE_NORMAL);
    }
}

bool panel_press(struct device *device, struct bytes keys, struct err *err)
{
    for (size_t i = 0; i < keys.len; i++) {
        const char key = (char)keys.ptr[i];
        if (key != 'y' && key != 'x' && key != 'w' && (key < '0' || key > '9'))
            return err_set(err, ERR_INVALID, "key %zu is not y, x, w or a digit", i + 1);
    }
    for (size_t i = 0; i < keys.len; i++)
        press(device, (char)keys.ptr[i]);
    return true;
}

// Whoever stands at the panel is not idle.
static void somebody_is_there(struct device *device)
{
    device->last_request_ms = device->clock->monotonic_ms(device->clock);
}

static bool backend_keys(void *context, struct bytes keys, struct err *err)
{
    somebody_is_there(context);
    return panel_press(context, keys, err);
}

static bool backend_text(void *context, struct bytes text, struct err *err)
{
    struct device *device = context;
    somebody_is_there(device);
    return screen_text(&device->screen, text) ||
           err_set(err, ERR_STATE, "nothing is being asked for");
}

// --- The menu: normal mode only, and each asks on the screen first ---

struct confirmation {
    struct device *device;
    bool (*act)(struct device *device, struct bytes name, struct err *err);
    struct blob name;
};

static void free_confirmation(struct confirmation *c)
{
    blob_drop(&c->name);
    free(c);
}

static void notice_key(void *context, char key)
{
    if (key == 'x' || key == 'y')
        screen_done(context);
}
static const struct dialog_ops notice_dialog = { .key = notice_key };

static void notice(struct device *device, const char *title, const char *text)
{
    screen_ask(&device->screen, title, bytes_of_text(text), ASK_KEY, &notice_dialog,
               &device->screen);
}

static void confirmation_key(void *context, char key)
{
    struct confirmation *c = context;
    struct device *device = c->device;
    struct err err = { .code = ERR_NONE };
    if (key != 'x' && key != 'y')
        return;
    screen_done(&device->screen);
    if (key == 'y' && !c->act(device, blob_bytes(&c->name), &err))
        notice(device, "Failure", err.text);
    free_confirmation(c);
}

static void confirmation_dismissed(void *context)
{
    free_confirmation(context);
}
static const struct dialog_ops confirmation_dialog = { .key = confirmation_key,
                                                       .dismissed = confirmation_dismissed };

static void confirm(struct device *device, const char *title, struct bytes text, struct bytes name,
                    bool (*act)(struct device *, struct bytes, struct err *))
{
    struct confirmation *c = calloc(1, sizeof *c);
    REQUIRE(c != NULL);
    c->device = device;
    c->act = act;
    blob_set(&c->name, name);
    device_discard_job(device);
    screen_ask(&device->screen, title, text, ASK_KEY, &confirmation_dialog, c);
}

static bool wipe_policy(struct device *device, struct bytes name, struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(JOURNAL_NOTE_ARENA);
    const struct journal_event event = { .kind = JOURNAL_POLICY_WIPED };
    struct bytes line;
    (void)name;
    return journal_line(device, &line, &event, arena, err) &&
           store_wipe_policy(device->store, line, err);
}

static bool lock(struct device *device, struct bytes name, struct err *err)
{
    (void)name;
    (void)err;
    device_stop_in(device, 0, true); // from the loop: the panel is in the middle of a request
    return true;
}

static bool ask_delete_user(struct device *device, struct bytes name, struct err *err)
{
    char text[512];
    const struct user_list *users = device_open_users(device);
    const struct user *user = user_find(users->items, users->n, name);
    struct writer w = writer_of(text, sizeof text);
    if (user != NULL) {
        writer_printf(&w, "Delete user %.*s?\n\n", BYTES_ARG(name));
        user_menu_write(&w, user);
        writer_text(&w, "\n\nPress OK to delete, X to keep.");
    }
    device_close_users(device);
    if (user == NULL)
        return err_set(err, ERR_NOT_FOUND, "no user '%.*s'", BYTES_ARG(name));
    confirm(device, "Delete user?", writer_bytes(&w), name, device_delete_user);
    return true;
}

static bool ask_delete_wallet(struct device *device, struct bytes name, struct err *err)
{
    char text[512];
    const struct ms_wallet *wallet = ms_find_name(device->wallets, name);
    struct writer w = writer_of(text, sizeof text);
    if (wallet == NULL)
        return err_set(err, ERR_NOT_FOUND, "no wallet '%.*s'", BYTES_ARG(name));
    writer_printf(&w,
                  "Delete wallet %s?\n\n%zu of %zu, %s\n\nTransactions that spend from it will be "
                  "refused.\n\nPress OK to delete, X to keep.",
                  wallet->name, wallet->m, wallet->n, addr_format_name(wallet->format));
    confirm(device, "Delete wallet?", writer_bytes(&w), name, device_delete_wallet);
    return true;
}

// --- Changing the PIN: three answers ---

struct pin_change {
    struct device *device;
    struct secret *answers[2]; // old, new
    size_t n;
};

static void free_pin_change(struct pin_change *change)
{
    secret_free(change->answers[0]);
    secret_free(change->answers[1]);
    free(change);
}

static void pin_change_text(void *context, struct bytes text);
static void pin_change_key(void *context, char key)
{
    struct pin_change *change = context;
    if (key != 'x')
        return;
    screen_done(&change->device->screen);
    free_pin_change(change);
}
static void pin_change_dismissed(void *context)
{
    free_pin_change(context);
}
static const struct dialog_ops pin_change_dialog = { .key = pin_change_key,
                                                     .text = pin_change_text,
                                                     .dismissed = pin_change_dismissed };

static void ask_pin_part(struct pin_change *change)
{
    static const char *const prompts[] = { "Enter the old PIN.", "Enter the new PIN.",
                                           "Enter the new PIN again." };
    screen_ask(&change->device->screen, "Change PIN", bytes_of_text(prompts[change->n]), ASK_TEXT,
               &pin_change_dialog, change);
}

static bool change_pin(struct pin_change *change, struct bytes again, struct err *err)
{
    const struct bytes new_pin = secret_open(change->answers[1]);
    const bool same = ct_equal(new_pin, again);
    const struct bytes old_pin = secret_open(change->answers[0]);
    const bool ok = same ? vault_change_pin(&change->device->vault, old_pin, new_pin, err)
                         : err_set(err, ERR_INVALID, "The new PINs differ.");
    secret_close(change->answers[0]);
    secret_close(change->answers[1]);
    return ok;
}

static void pin_change_text(void *context, struct bytes text)
{
    struct pin_change *change = context;
    struct device *device = change->device;
    struct err err = { .code = ERR_NONE };
    screen_done(&device->screen);
    if (change->n < COUNT(change->answers)) {
        if (change->n == 1 && !vault_check_pin(text, &err)) {
            notice(device, "Failure", err.text);
            free_pin_change(change);
            return;
        }
        change->answers[change->n++] = secret_new(text);
        ask_pin_part(change);
        return;
    }
    const bool ok = change_pin(change, text, &err);
    notice(device, ok ? "Done" : "Failure", ok ? "The PIN is changed." : err.text);
    free_pin_change(change);
}

static void start_pin_change(struct device *device)
{
    struct pin_change *change = calloc(1, sizeof *change);
    REQUIRE(change != NULL);
    change->device = device;
    device_discard_job(device);
    ask_pin_part(change);
}

static bool backend_menu(void *context, enum panel_item item, struct bytes name, struct err *err)
{
    struct device *device = context;
    somebody_is_there(device);
    if (device->state != DEVICE_NORMAL)
        return err_set(err, ERR_STATE, "the menu is there in normal mode only");
    switch (item) {
    case PANEL_START_HSM:
        return hsm_start_saved(device, err);
    case PANEL_WIPE_POLICY:
        confirm(device, "Wipe HSM Policy?",
                BYTES("The saved policy will be forgotten.\n\nPress OK to wipe it, X to keep it."),
                (struct bytes){ 0 }, wipe_policy);
        return true;
    case PANEL_DELETE_USER:
        return ask_delete_user(device, name, err);
    case PANEL_DELETE_WALLET:
        return ask_delete_wallet(device, name, err);
    case PANEL_CHANGE_PIN:
        if (device->simulator)
            return err_set(err, ERR_STATE, "a simulator has no PIN");
        start_pin_change(device);
        return true;
    case PANEL_LOCK:
        confirm(device, "Lock?", BYTES("Press OK to lock the signer, X to go on."),
                (struct bytes){ 0 }, lock);
        return true;
    case PANEL_ITEM_NONE:
        break;
    }
    return err_set(err, ERR_INVALID, "no such item");
}

struct panel_backend panel_backend_of(struct device *device)
{
    return (struct panel_backend){ .device = device,
                                   .screen = backend_screen,
                                   .keys = backend_keys,
                                   .text = backend_text,
                                   .menu = backend_menu };
}
