// The STATUS object: bunker.md 8. Member names and types are the reference's; ours are in `casemate`.
#include "base/utf8.h"
#include "bunker/bunker.h"
#include "bunker/simulate.h"

static void put_text(struct json_writer *j, const char *key, const char *text)
{
    char clean[1024]; // some of it a device or a server has said, or is cut
    json_key(j, key);
    if (text == NULL || text[0] == '\0') {
        json_null(j);
        return;
    }
    (void)snprintf(clean, sizeof clean, "%s", text);
    utf8_clean((uint8_t *)clean, strlen(clean));
    json_text(j, clean);
}

static void put_bool(struct json_writer *j, const char *key, bool value)
{
    json_key(j, key);
    json_bool(j, value);
}

static void write_device(struct json_writer *j, const struct bunker *b)
{
    const struct device_report *d = &b->device->view;
    const bool connected = d->serial[0] != '\0';
    put_bool(j, "connected", connected);
    put_text(j, "serial_number", d->serial);
    put_text(j, "xfp", d->xfp);
    put_bool(j, "is_testnet", d->xpub[0] == 't');
    json_key(j, "hsm");
    if (d->hsts != NULL)
        json_raw(j, bytes_of(d->hsts, d->hsts_len));
    else
        json_raw(j, BYTES("{}"));
    put_bool(j, "sl_loaded", connected && b->settings.loaded);
    put_bool(j, "force_local_mode", b->config->local_mode);
    put_bool(j, "setup_mode", b->setup_mode);
}

// "HMAC-SHA256(key = base64-decode(next_local_code), message = psbt hash)": shown to who may sign.
static bool make_local_code(char out[static OTP_TEXT_SIZE], const struct bunker *b,
                            const struct slot *slot)
{
    const struct json *next = json_get(b->hsm, "next_local_code");
    struct err unimportant;
    return slot->psbt != NULL && next != NULL && next->type == JSON_STRING &&
           codes_local(out, next->text, &slot->hash, &unimportant);
}

static void write_auth(struct json_writer *j, const struct slot *slot, bool is_viewer,
                       const struct session *session)
{
    json_key(j, "pending_auth");
    json_begin_array(j);
    for (size_t i = 0; i < slot->n_auth; i++) {
        const struct slot_auth *a = &slot->auth[i];
        json_begin_object(j);
        json_key(j, "name");
        json_text(j, a->name);
        put_bool(j, "has_name", a->has_name);
        json_key(j, "has_guess");
        // A mask as the reference has it; for passwords and tokens its length says nothing.
        json_string(j, bytes_slice(BYTES("xxxxxx"), 0, a->code == NULL ? 0 : 6));
        if (!is_viewer) {
            json_key(j, "totp");
            json_u64(j, a->code == NULL || a->by != session ? 0 : a->shown_window);
        }
        json_end_object(j);
    }
    json_end_array(j);
}

static void write_slot(struct json_writer *j, const struct bunker *b, const struct slot *slot,
                       bool is_viewer, const struct session *session)
{
    char code[OTP_TEXT_SIZE];
    put_text(j, "psbt_hash", slot->hash_text);
    json_key(j, "psbt_size");
    if (slot->psbt != NULL)
        json_u64(j, slot->psbt_len);
    else
        json_null(j);
    json_key(j, "psbt_preview");
    if (slot->preview != NULL)
        json_string(j, bytes_of(slot->preview, slot->preview_len));
    else
        json_null(j);
    put_text(j, "local_code", !is_viewer && make_local_code(code, b, slot) ? code : NULL);
    put_bool(j, "busy_signing", slot_is_busy(slot));
    write_auth(j, slot, is_viewer, session);
    onion_write(j, b);
}

// Who has given a code; never what it is.
static void write_given(struct json_writer *j, const struct slot *slot,
                        const struct session *session)
{
    json_key(j, "given");
    json_begin_array(j);
    for (size_t i = 0; i < slot->n_auth; i++) {
        const struct slot_auth *a = &slot->auth[i];
        if (a->code == NULL)
            continue;
        json_begin_object(j);
        json_key(j, "name");
        json_text(j, a->name);
        json_key(j, "account");
        json_text(j, a->by_name);
        put_bool(j, "mine", a->by == session);
        json_end_object(j);
    }
    json_end_array(j);
}

static void write_slot_extra(struct json_writer *j, struct bunker *b, const struct slot *slot,
                             struct session *session)
{
    const struct visitor *v = session_visitor(b, session);
    json_key(j, "slot");
    json_begin_object(j);
    json_key(j, "id");
    json_text(j, slot->id);
    put_bool(j, "shared", slot == b->shared || slot->code[0] != '\0');
    put_text(j, "code", session->role >= ROLE_OPERATOR ? slot->code : NULL);
    put_bool(j, "mine", slot == b->shared || slot->owner == session);
    put_bool(j, "checked", v->checked == slot->serial + 1);
    json_key(j, "viewers");
    json_u64(j, slot->n_members);
    write_given(j, slot, session);
    json_key(j, "state");
    json_text(j, slot_state_name(slot->state));
    put_text(j, "txid", slot->txid);
    put_text(j, "broadcast", slot->broadcast);
    put_bool(j, "has_result", slot->result != NULL);
    json_end_object(j);
}

static void write_device_extra(struct json_writer *j, const struct bunker *b, int64_t now_s)
{
    const struct device_report *d = &b->device->view;
    json_key(j, "device");
    json_begin_object(j);
    json_key(j, "kind");
    json_text(j, b->config->usb ? "usb" : "unix");
    put_text(j, "firmware", d->firmware);
    json_key(j, "state");
    json_text(j, device_state_name(d->state));
    put_text(j, "why", d->why);
    if (now_s != 0) {
        json_key(j, "age");
        json_i64(j, (bunker_now_ms(b) - b->device->seen_ms) / 1000);
    }
    json_end_object(j);
}

static void write_pin(struct json_writer *j, const struct bunker *b)
{
    put_bool(j, "other_device", b->other_device);
    json_key(j, "pin"); // the device that was here first
    json_begin_object(j);
    put_text(j, "serial", b->settings.pin.serial);
    put_text(j, "xfp", b->settings.pin.xfp);
    json_end_object(j);
}

// Where people may look a transaction up: its id goes behind it. Opened on a click only.
static void write_explorer(struct json_writer *j, const struct bunker *b)
{
    char url[512];
    const enum chain_id chain = bunker_chain(b)->id;
    (void)snprintf(url, sizeof url, "%s%s/tx/", b->config->esplora_url,
                   chain == CHAIN_BTC ? "" : "/testnet");
    put_text(j, "explorer",
             b->config->broadcast == BROADCAST_ESPLORA && chain != CHAIN_XRT ? url : NULL);
}

static void write_extra(struct json_writer *j, struct bunker *b, struct session *session,
                        const struct slot *slot, int64_t now_s)
{
    const uint64_t refusals = b->device->view.refusals;
    json_key(j, "casemate");
    json_begin_object(j);
    json_key(j, "version");
    json_text(j, CASEMATE_VERSION);
    write_slot_extra(j, b, slot, session);
    put_text(j, "account", session->account);
    json_key(j, "role");
    json_text(j, role_name((enum role)session->role));
    put_text(j, "theme", account_theme(b, session));
    put_bool(j, "needs_factor", account_needs_factor(b, session));
    write_pin(j, b);
    write_device_extra(j, b, now_s);
    json_key(j, "gauges");
    spending_write(j, &b->spending);
    put_bool(j, "presumed_spent", b->spending.presumed);
    json_key(j, "spent");
    json_u64(j, b->spending.total.n);
    json_key(j, "refusals_left");
    json_u64(j, refusals < 100 ? 100 - refusals : 0);
    json_key(j, "feed"); // number of the newest event
    json_u64(j, b->feed->last);
    write_explorer(j, b);
    onion_write_extra(j, b, session->role >= ROLE_ADMIN);
    put_bool(j, "has_password", settings_has_password(&b->settings));
    if (now_s != 0) {
        json_key(j, "session_expires");
        json_i64(j, now_s + session_left_s(&b->sessions, session, now_s));
        json_key(j, "server_time");
        json_i64(j, now_s);
    }
    json_end_object(j);
}

void status_write(struct json_writer *j, struct bunker *b, struct session *session, int64_t now_s)
{
    const struct slot *slot = session_slot(b, session);
    json_begin_object(j);
    write_device(j, b);
    write_slot(j, b, slot, session->role < ROLE_OPERATOR, session);
    write_extra(j, b, session, slot, now_s);
    json_end_object(j);
}
