#include "cli/failure.h"

#define DEVICE_PREFIX "Coldcard Error: "

// cli.md 7.5: "Show a plain sentence first, the device's text in parentheses". The first row that
// fits; `whole`: the text is that, else it begins with it.
static const struct sentence {
    const char *text;
    bool whole;
    enum hint hint; // HINT_NONE: whatever was asked for
    enum exit_code exit;
    const char *message;
} sentences[] = {
    { "badlen", true, HINT_PICKED_SECRET, EXIT_FAILED,
      "this firmware cannot choose the secret itself; give one with -s or -a" },
    { "badlen", true, HINT_NAMED_WALLET, EXIT_FAILED,
      "this firmware does not support named miniscript wallets" },
    { "must encrypt", true, HINT_NONE, EXIT_FAILED,
      "this operation needs an encrypted link; do not use -P" },
    { "Checksum", true, HINT_NONE, EXIT_LINK,
      "the device lost the upload (another program connected?); try again" },
    { "psbt", true, HINT_NONE, EXIT_FAILED,
      "in HSM mode only PSBT files up to 2 MiB can be uploaded" },
    { "long", true, HINT_NONE, EXIT_FAILED, "internal transfer error; please report it" },
    { "alignment", true, HINT_NONE, EXIT_FAILED, "internal transfer error; please report it" },
    { "offset", true, HINT_NONE, EXIT_FAILED, "internal transfer error; please report it" },
    { "not allowed", false, HINT_DOWNLOAD, EXIT_LINK,
      "the result is no longer available: another program connected in between" },
    { "HSM commands disabled", true, HINT_NONE, EXIT_REFUSED_BY_POLICY,
      "turn on HSM mode in the device's settings first" },
    { "Not allowed in HSM mode", true, HINT_NONE, EXIT_REFUSED_BY_POLICY,
      "the policy does not allow this; only a restart ends HSM mode" },
    { "Spending policy in effect", true, HINT_NONE, EXIT_REFUSED_BY_POLICY,
      "a spending policy is in effect on the device" },
    { "No active request", true, HINT_NONE, EXIT_FAILED,
      "the question was dismissed or replaced on the device" },
    { "Assertion ", false, HINT_TAPROOT, EXIT_FAILED,
      "this firmware cannot show taproot addresses" },
    { "no seed", true, HINT_NONE, EXIT_FAILED,
      "the wallet has no seed words, or a passphrase is already active" },
    { "Unknown cmd", true, HINT_MINISCRIPT, EXIT_FAILED,
      "this firmware has no miniscript wallets; EDGE firmware has" },
    { "Unknown cmd", true, HINT_NONE, EXIT_FAILED, "this device does not offer that" },
    { "Not allowed on this link", true, HINT_NONE, EXIT_REFUSED_BY_POLICY,
      "the bunker's signer link does not allow this, or not in this mode" },
    { "need hsm", true, HINT_NONE, EXIT_FAILED, "the locker can be read only in HSM mode" },
    { "consumed", true, HINT_NONE, EXIT_FAILED,
      "the locker's read count is used up until restart" },
};

static const struct sentence *find(const char *text, enum hint hint)
{
    for (size_t i = 0; i < COUNT(sentences); i++) {
        const struct sentence *s = &sentences[i];
        const bool fits =
            s->whole ? strcmp(text, s->text) == 0 : strncmp(text, s->text, strlen(s->text)) == 0;
        if (fits && (s->hint == HINT_NONE || s->hint == hint))
            return s;
    }
    return NULL;
}

static void put(char out[static ERR_TEXT_MAX], const char *text)
{
    snprintf(out, ERR_TEXT_MAX, "%s", text);
}

// What the device answered with `err_`.
static void explain_device_error(struct failure *out, const char *text, enum hint hint)
{
    const struct sentence *s = find(text, hint);
    out->exit = s != NULL ? s->exit : EXIT_FAILED;
    put(out->message, s != NULL ? s->message : text); // "anything else: as received"
    if (s != NULL)
        put(out->device_text, text);
}

static void explain_link(struct failure *out, const char *text)
{
    out->exit = EXIT_LINK;
    if (strncmp(text, "Framing Error: ", 15) != 0) {
        put(out->message, text);
        return;
    }
    put(out->message, "the link lost synchronisation, usually because two programs talk to the "
                      "device at once");
    put(out->device_text, text);
}

static void explain_busy(struct failure *out, const char *text)
{
    out->exit = EXIT_BUSY;
    if (strcmp(text, "Coldcard is handling another request right now") != 0)
        return; // another program has the device
    put(out->message, "an address or another question is on the device's screen; dismiss it there");
    put(out->device_text, text);
}

static void explain_refusal(struct failure *out, const char *text)
{
    out->exit = EXIT_REFUSED_BY_USER;
    put(out->message, "refused on the device");
    put(out->device_text, text);
}

static void explain_device(struct failure *out, const struct err *err, enum stage stage,
                           enum hint hint)
{
    switch (err->code) {
    case ERR_INVALID:
        if (strncmp(err->text, DEVICE_PREFIX, strlen(DEVICE_PREFIX)) == 0)
            explain_device_error(out, err->text + strlen(DEVICE_PREFIX), hint);
        return;
    case ERR_FRAMING:
        explain_link(out, err->text);
        return;
    case ERR_BUSY:
        explain_busy(out, err->text);
        return;
    case ERR_REFUSED:
        explain_refusal(out, err->text);
        return;
    case ERR_TIMEOUT:
        out->exit = EXIT_TIMEOUT;
        return;
    case ERR_PENDING:
        out->exit = EXIT_PENDING;
        return;
    case ERR_AUTH:
        out->exit = EXIT_IDENTITY;
        return;
    case ERR_NOT_FOUND:
    case ERR_IO:
        out->exit = EXIT_NO_DEVICE;
        return;
    case ERR_LIMIT:
        out->exit = stage == STAGE_CONNECT ? EXIT_NO_DEVICE : EXIT_FAILED;
        return;
    default:
        return;
    }
}

static void explain_panel(struct failure *out, const struct err *err)
{
    if (err->code == ERR_NOT_FOUND || err->code == ERR_AUTH || err->code == ERR_IO)
        out->exit = EXIT_NO_DEVICE;
    else if (err->code == ERR_TIMEOUT)
        out->exit = EXIT_TIMEOUT;
    else if (err->code == ERR_MALFORMED || err->code == ERR_UNSUPPORTED)
        out->exit = EXIT_LINK;
}

struct failure failure_of(const struct err *err, enum stage stage, enum hint hint)
{
    struct failure out = { .exit = stage == STAGE_INPUT ? EXIT_USAGE : EXIT_FAILED };
    put(out.message, err->text);
    if (err->code == ERR_INTERRUPTED)
        out.exit = EXIT_INTERRUPTED;
    else if (err->code == ERR_USAGE)
        out.exit = EXIT_USAGE;
    else if (stage == STAGE_PANEL)
        explain_panel(&out, err);
    else if (stage == STAGE_CONNECT || stage == STAGE_DEVICE)
        explain_device(&out, err, stage, hint);
    return out;
}

const char *exit_code_name(enum exit_code exit)
{
    static const char *const names[] = {
        [EXIT_OK] = "ok",
        [EXIT_FAILED] = "failed",
        [EXIT_USAGE] = "usage",
        [EXIT_NO_DEVICE] = "no_device",
        [EXIT_BUSY] = "busy",
        [EXIT_REFUSED_BY_USER] = "refused_by_user",
        [EXIT_REFUSED_BY_POLICY] = "refused_by_policy",
        [EXIT_LINK] = "link",
        [EXIT_TIMEOUT] = "timeout",
        [EXIT_IDENTITY] = "identity",
        [EXIT_PENDING] = "pending",
        [EXIT_REJECTED_CREDENTIAL] = "rejected_credential",
    };
    return (size_t)exit < COUNT(names) ? names[exit] : "interrupted";
}
