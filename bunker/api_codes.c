// Trial transactions, and results as QR codes. Source: bunker.md 19.5.
#include "base/base64.h"
#include "bunker/bbqr.h"
#include "bunker/pages.h"
#include "bunker/qr.h"
#include "bunker/simulate.h"
#include "bunker/slot.h"
#include "bunker/trial.h"
#include "crypto/random.h"

#define CODES_ARENA ((size_t)16 << 20)

static bool make_trial(struct writer *psbt, struct page *p, struct arena *arena, struct err *err)
{
    const char *xpub = p->b->device->view.xpub;
    const struct json *asked;
    struct trial trial;
    struct hdpub master;
    bool is_main;
    if (!json_parse(&asked, p->request->body, arena, err) ||
        !trial_read(&trial, asked, bunker_chain(p->b), arena, err))
        return false;
    if (xpub[0] == '\0')
        return err_set(err, ERR_STATE, "Coldcard is not connected.");
    if (!hdpub_from_text(&master, &is_main, bytes_of_text(xpub), err))
        return err_within(err, "the device's xpub");
    random_bytes(&trial.salt, sizeof trial.salt);
    return trial_write(psbt, &trial, &master, arena, err);
}

void api_post_trial(struct page *p)
{
    AUTO(arena_freep) struct arena *arena = arena_new(CODES_ARENA);
    struct writer psbt = writer_growing(arena, 1 << 20), text = writer_growing(arena, 2 << 20);
    struct writer w = writer_growing(arena, 2 << 20);
    struct json_writer j = json_writer_of(&w);
    struct err err;
    if (!api_may_change(p, ROLE_OPERATOR))
        return;
    if (!make_trial(&psbt, p, arena, &err)) {
        api_fail(p, 400, err.code == ERR_STATE ? "no_device" : "bad_args", err.text);
        return;
    }
    base64_write(&text, writer_bytes(&psbt));
    json_begin_object(&j);
    json_key(&j, "psbt");
    json_string(&j, writer_bytes(&text));
    json_end_object(&j);
    page_json(p, 200, writer_bytes(&w));
}

void api_send_codes(struct page *p)
{
    AUTO(arena_freep) struct arena *arena = arena_new(CODES_ARENA);
    const struct slot *slot = session_slot(p->b, p->session);
    const struct bytes file = bytes_of(slot->result, slot->result_len);
    const enum bbqr_type type = slot->result_is_final ? BBQR_TRANSACTION : BBQR_PSBT;
    struct writer w = writer_growing(arena, (size_t)4 << 20);
    struct json_writer j = json_writer_of(&w);
    char text[BBQR_TEXT_SIZE];
    struct bytes body;
    if (!api_may(p, ROLE_OPERATOR))
        return;
    if (bbqr_parts(file.len) == 0) {
        api_fail(p, slot->result == NULL ? 404 : 413,
                 slot->result == NULL ? "not_found" : "too_large",
                 slot->result == NULL ? "Nothing has been signed."
                                      : "It is too large for QR codes. Download it.");
        return;
    }
    json_begin_object(&j);
    json_key(&j, "parts");
    json_begin_array(&j);
    for (size_t i = 0; i < bbqr_parts(file.len); i++) {
        bbqr_part(text, file, type, i);
        qr_write(&j, text);
    }
    json_end_array(&j);
    json_end_object(&j);
    if (writer_finish(&w, &body))
        page_json(p, 200, body);
    else
        api_fail(p, 413, "too_large", "It is too large for QR codes. Download it.");
}
