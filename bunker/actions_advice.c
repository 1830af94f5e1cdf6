// What asks no device: forecasts, and whether somebody signed a message. Source: bunker.md 6, 19.4, 19.5.
#include "bitcoin/bip322.h"
#include "bitcoin/message.h"
#include "bunker/actions.h"
#include "bunker/advice.h"
#include "bunker/simulate.h"

#define SIGNATURE_TEXT_MAX 20000 // more is no signature that people pass round

static void send_callback(struct client *c, const char *name, struct bytes json)
{
    struct frame f;
    frame_begin(&f);
    json_key(&f.j, "vue_app_cb");
    json_begin_object(&f.j);
    json_key(&f.j, name);
    json_raw(&f.j, json);
    json_end_object(&f.j);
    frame_send(&f, c, 0);
}

static void run_simulate(struct action_call *call)
{
    AUTO(arena_freep) struct arena *arena = arena_new(ADVICE_ARENA);
    struct writer w = writer_growing(arena, SIMULATE_MAX);
    struct json_writer j = json_writer_of(&w);
    struct bytes answer;
    struct err err;
    if (call->n_args > 0 && call->args[0]->type != JSON_OBJECT) {
        (void)call_bad(call);
        return;
    }
    j.ascii = true;
    if (!simulate_write(&j, call->b, call->c->session, call->n_args > 0 ? call->args[0] : NULL,
                        arena, &err))
        frame_fail(call->c, "bad_args", "%s", err.text);
    else if (!writer_finish(&w, &answer))
        frame_fail(call->c, "too_large", "The answer is too large.");
    else
        send_callback(call->c, "simulation", answer);
}

// 65 bytes of base64 are a signature of the old kind; all others are BIP-322's.
static bool verify(struct bytes address, struct bytes signature, struct bytes text,
                   bool *header_matches, struct arena *arena, struct err *err)
{
    const struct message_armor armor = { .text = text, .address = address, .signature = signature };
    struct bip322_proof proof;
    *header_matches = true;
    if (signature.len == BASE64_LEN(MESSAGE_SIGNATURE_LEN))
        return message_verify(header_matches, &armor, err);
    return bip322_verify(&proof, text, address, signature, arena, err);
}

static void run_verify(struct action_call *call)
{
    AUTO(arena_freep) struct arena *arena = arena_new(FRAME_ARENA);
    struct bytes address, signature, text;
    struct writer w = writer_growing(arena, 8192);
    struct json_writer j = json_writer_of(&w);
    bool header_matches;
    struct err err = { .code = ERR_NONE };
    if (!call_text(call, 0, &address) || !call_text(call, 1, &signature) ||
        !call_text(call, 2, &text))
        return;
    signature = bytes_trim(signature);
    if (signature.len > SIGNATURE_TEXT_MAX) {
        (void)call_bad(call);
        return;
    }
    const bool ok = verify(bytes_trim(address), signature, text, &header_matches, arena, &err);
    j.ascii = true;
    json_begin_object(&j);
    json_key(&j, "ok");
    json_bool(&j, ok);
    json_key(&j, "text");
    json_text(&j, !ok              ? err.text
                  : header_matches ? "The owner of that address signed this message."
                                   : "The owner of that address signed this message, but the "
                                     "signature is marked for another kind of address.");
    json_end_object(&j);
    send_callback(call->c, "message_verified", writer_bytes(&w));
}

const struct action advice_actions[] = {
    { "simulate", 0, 1, ROLE_VIEWER, run_simulate },
    { "verify_message", 3, 3, ROLE_VIEWER, run_verify },
};
const size_t n_advice_actions = COUNT(advice_actions);
