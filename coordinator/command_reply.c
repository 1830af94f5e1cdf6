#include "coordinator/command_reply.h"
#include "base/base64.h"
#include "base/json.h"
#include "client/transfer.h"

static const struct json *text_member(const struct json *object, const char *key)
{
    const struct json *value = json_get(object, key);
    return value != NULL && value->type == JSON_STRING ? value : NULL;
}

static bool parse(const struct json **out, const char *call, struct bytes text, struct arena *arena,
                  struct err *err)
{
    if (text.len > COMMAND_OUTPUT_MAX)
        return err_set(err, ERR_FRAMING, "%s: too long", call);
    if (!json_parse(out, text, arena, err))
        return err_set(err, ERR_FRAMING, "%s: no JSON", call);
    return true;
}

// Names that a person reads; others are left out.
static void read_model(char out[static COMMAND_MODEL_SIZE], const struct json *device)
{
    const struct json *model = text_member(device, "model");
    if (model == NULL)
        model = text_member(device, "name");
    const bool usable = model != NULL && bytes_is_printable_ascii(model->text);
    (void)snprintf(out, COMMAND_MODEL_SIZE, "%.*s",
                   BYTES_ARG(usable ? model->text : (struct bytes){ 0 }));
}

bool command_find(char model[static COMMAND_MODEL_SIZE], struct bytes text, struct xfp xfp,
                  struct arena *arena, struct err *err)
{
    const struct json *list;
    char shown[XFP_TEXT_SIZE];
    if (!parse(&list, "enumerate", text, arena, err))
        return false;
    if (list->type != JSON_ARRAY)
        return err_set(err, ERR_FRAMING, "enumerate: not a list");
    for (const struct json *item = list->items; item != NULL; item = item->next) {
        const struct json *fingerprint = text_member(item, "fingerprint");
        struct xfp found;
        if (fingerprint == NULL || !xfp_from_text(&found, fingerprint->text) ||
            memcmp(found.b, xfp.b, sizeof found.b) != 0)
            continue;
        read_model(model, item);
        return true;
    }
    xfp_to_text(shown, xfp);
    return err_set(err, ERR_NOT_FOUND, "no device has the fingerprint %s", shown);
}

bool command_signed(struct bytes *psbt, struct bytes text, struct arena *arena, struct err *err)
{
    const struct json *reply;
    char why[REFUSAL_TEXT_SIZE];
    if (!parse(&reply, "signtx", text, arena, err))
        return false;
    const struct json *error = text_member(reply, "error");
    const struct json *value = text_member(reply, "psbt");
    if (error != NULL) {
        refusal_escape(why, error->text);
        return err_set(err, ERR_INVALID, "%s", why);
    }
    if (value == NULL)
        return err_set(err, ERR_FRAMING, "signtx: no psbt");
    struct writer w = writer_growing(arena, TRANSFER_RESULT_MAX);
    if (!base64_read(&w, value->text) || !writer_finish(&w, psbt) || psbt->len == 0)
        return err_set(err, ERR_FRAMING, "signtx: psbt is no base64 of up to %d bytes",
                       TRANSFER_RESULT_MAX);
    return true;
}
