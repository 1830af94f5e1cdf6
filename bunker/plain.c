// The Sign page as plain forms: status, upload, codes, submit and download without a script. Source: bunker.md 19.5.
#include "base/json.h"
#include "base/reader.h"
#include "bitcoin/address.h"
#include "bunker/pages.h"
#include "bunker/review.h"
#include "bunker/simulate.h"

#define OUTPUTS_SHOWN 100

static void put_pair(struct writer *w, const char *name, struct bytes value)
{
    writer_printf(w, "<div><dt>%s</dt><dd>", name);
    html_write(w, value);
    writer_text(w, "</dd></div>");
}

static void put_number(struct writer *w, const char *name, uint64_t n)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)n);
    put_pair(w, name, bytes_of_text(text));
}

static void put_amount(struct writer *w, const char *name, struct sats amount,
                       const struct chain *chain)
{
    char text[64];
    struct writer number = writer_of(text, sizeof text);
    sats_write_short(&number, amount, chain, UNIT_COIN);
    put_pair(w, name, writer_bytes(&number));
}

// --- What the device says ---

static void put_state(struct writer *w, const struct bunker *b)
{
    static const char *const words[] = {
        [DEVICE_ABSENT] = "No device",     [DEVICE_CONNECTING] = "Connecting",
        [DEVICE_LOCKED] = "Locked",        [DEVICE_HSM_DISABLED] = "HSM off",
        [DEVICE_IDLE] = "Not in HSM mode", [DEVICE_APPROVING] = "Waits for a key press",
        [DEVICE_HSM] = "HSM mode",         [DEVICE_BUSY] = "Busy",
        [DEVICE_ERROR] = "Trouble",
    };
    const struct device_report *d = &b->device->view;
    const struct json *why = json_get(b->hsm, "last_refusal");
    writer_text(w, "<section class=\"card\"><h2>Device</h2><dl class=\"strip\">");
    put_pair(w, "State", bytes_of_text(words[d->state]));
    put_pair(w, "Fingerprint", bytes_of_text(d->xfp));
    put_number(w, "Approvals", d->approvals);
    put_number(w, "Refusals", d->refusals);
    put_amount(w, "Spent under limits", b->spending.total, bunker_chain(b));
    if (b->spending.has_period_end)
        put_number(w, "Limits return in seconds", b->spending.period_ends_s);
    writer_text(w, "</dl>");
    if (why != NULL && why->type == JSON_STRING && why->text.len > 0) {
        writer_text(w, "<p class=\"note bad\">The last refusal: ");
        html_write(w, why->text);
        writer_text(w, "</p>");
    }
    writer_text(w, "</section>\n");
}

// --- What is loaded ---

static void put_output(struct writer *w, const struct tx_out *out, const struct chain *chain,
                       struct arena *arena)
{
    struct writer address = writer_growing(arena, 2 * SCRIPT_MAX + 200);
    if (out->value < 0)
        return;
    writer_text(w, "<tr><td class=\"number\">");
    sats_write_short(w, (struct sats){ (uint64_t)out->value }, chain, UNIT_COIN);
    writer_text(w, "</td><td class=\"wide mono\">");
    address_or_hex(&address, bytes_slice(out->script, 0, SCRIPT_MAX), chain);
    html_write(w, writer_bytes(&address));
    writer_text(w, "</td></tr>");
}

static void put_reading(struct writer *w, const struct bunker *b, const struct slot *slot,
                        struct arena *arena)
{
    const struct chain *chain = bunker_chain(b);
    struct psbt psbt;
    struct sats paid;
    size_t n;
    struct err unimportant;
    if (!psbt_parse(&psbt, bytes_of(slot->psbt, slot->psbt_len), arena, &unimportant) ||
        !review_paid(&paid, &n, &psbt, bytes_of_text(b->device->view.xfp)))
        return;
    writer_text(w, "<dl class=\"strip\">");
    put_amount(w, "Pays", paid, chain);
    put_number(w, "Destinations", n);
    put_number(w, "Inputs", psbt.n_in);
    writer_text(
        w, "</dl><table class=\"stack\"><caption class=\"hint\">Outputs, change included, as this "
           "bunker reads them</caption><tbody>");
    for (size_t i = 0; i < psbt.n_out && i < OUTPUTS_SHOWN; i++)
        put_output(w, &psbt.tx.out[i], chain, arena);
    writer_text(w, "</tbody></table>");
    if (psbt.n_out > OUTPUTS_SHOWN)
        writer_printf(w, "<p>%zu more outputs are not shown.</p>", psbt.n_out - OUTPUTS_SHOWN);
}

static void put_codes(struct writer *w, const struct slot *slot)
{
    for (size_t i = 0; i < slot->n_auth; i++) {
        writer_printf(w, "<p><label>Code of ");
        html_write(w, bytes_of_text(slot->auth[i].has_name ? slot->auth[i].name : "a user"));
        writer_printf(w, " <input name=\"code%zu\" autocomplete=\"one-time-code\"></label></p>", i);
    }
}

static void put_submit(struct writer *w, const struct slot *slot, const char *csrf)
{
    writer_printf(w,
                  "<form method=\"post\" action=\"/submit\"><input type=\"hidden\" name=\"csrf\" "
                  "value=\"%s\">"
                  "<input type=\"hidden\" name=\"hash\" value=\"%s\">",
                  csrf, slot->hash_text);
    put_codes(w, slot);
    writer_text(
        w,
        "<p><label class=\"check\"><input type=\"checkbox\" name=\"finalize\" value=\"1\" checked> "
        "Finalize: make a transaction for the network</label></p>"
        "<button class=\"main\">Sign transaction</button></form>");
}

void plain_write(struct writer *w, struct page *p)
{
    const struct slot *slot = session_slot(p->b, p->session);
    const char *csrf = p->session->csrf;
    put_state(w, p->b);
    writer_text(w, "<section class=\"card\"><h2>Transaction</h2>");
    if (slot->psbt != NULL) {
        writer_printf(w, "<p>PSBT <code>%s</code>, %zu bytes, %s.</p>", slot->hash_text,
                      slot->psbt_len, slot_state_name(slot->state));
        put_reading(w, p->b, slot, p->arena);
        put_submit(w, slot, csrf);
    }
    if (slot->result != NULL)
        writer_printf(w,
                      "<p class=\"note good\"><a href=\"/api/psbt/%s/result\">Download the signed "
                      "result</a></p>",
                      slot->hash_text);
    writer_printf(
        w,
        "<form method=\"post\" action=\"/psbt\" enctype=\"multipart/form-data\">"
        "<input type=\"hidden\" name=\"csrf\" value=\"%s\"><p><label>%s "
        "<input type=\"file\" name=\"psbt\"></label></p><button>Load</button></form></section>",
        csrf, slot->psbt != NULL ? "Another PSBT file" : "PSBT file");
}
