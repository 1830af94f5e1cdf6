#include "bunker/simulate.h"
#include "bunker/advice.h"
#include "bunker/bunker.h"
#include "bunker/policy_form.h"

const struct chain *bunker_chain(const struct bunker *b)
{
    const struct json *code = json_get(b->hsm, "chain");
    const struct chain *chain =
        code != NULL && code->type == JSON_STRING ? chain_by_code(code->text) : NULL;
    return chain != NULL ? chain : chain_by_id(CHAIN_BTC);
}

static bool is_true(const struct json *object, const char *key)
{
    const struct json *v = json_get(object, key);
    return v != NULL && v->type == JSON_TRUE;
}

// Names whose codes have been given, as an array.
static const struct json *given_users(const struct slot *slot, struct arena *arena)
{
    struct writer w = writer_growing(arena, 65536);
    struct json_writer j = json_writer_of(&w);
    const struct json *out;
    struct err unimportant;
    json_begin_array(&j);
    for (size_t i = 0; i < slot->n_auth; i++)
        if (slot->auth[i].code != NULL)
            json_text(&j, slot->auth[i].name);
    json_end_array(&j);
    return json_parse(&out, writer_bytes(&w), arena, &unimportant) ? out : NULL;
}

static bool choose_policy(struct bytes *out, struct bunker *b, const struct json *asked,
                          struct arena *arena, struct err *err)
{
    const struct json *text = json_get(asked, "policy");
    struct writer form = writer_growing(arena, POLICY_FORM_MAX);
    *out = bytes_of(b->settings.policy, b->settings.policy_len);
    if (text != NULL && text->type == JSON_STRING) {
        if (!policy_form_clean(&form, text->text, NULL, arena, err))
            return false;
        *out = writer_bytes(&form);
    }
    return out->len > 0 ||
           err_set(err, ERR_NOT_FOUND, "The bunker has no copy of the device's policy.");
}

bool simulate_write(struct json_writer *j, struct bunker *b, struct session *session,
                    const struct json *asked, struct arena *arena, struct err *err)
{
    const struct slot *slot = session_slot(b, session);
    const struct json *spent = json_get(asked, "spent");
    struct bytes policy;
    if (!choose_policy(&policy, b, asked, arena, err))
        return false;
    if (slot->psbt == NULL)
        return err_set(err, ERR_NOT_FOUND, "No PSBT is loaded.");
    const struct advice_case assumed = {
        .psbt = bytes_of(slot->psbt, slot->psbt_len),
        .xfp = bytes_of_text(b->device->view.xfp),
        .chain = bunker_chain(b),
        .users = asked != NULL ? json_get(asked, "users") : given_users(slot, arena),
        .local_code = is_true(asked, "local"),
        .spent = spent != NULL ? spent : json_get(b->hsm, "has_spent"),
        .now_s = bunker_now_s(b),
    };
    return advice_on_transaction(j, policy, &assumed, arena, err);
}
