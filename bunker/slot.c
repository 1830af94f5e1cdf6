#include "bunker/slot.h"
#include "base/base64.h"
#include "base/hex.h"
#include "base/require.h"
#include "base/utf8.h"
#include "crypto/random.h"

static const char *const state_names[] = {
    [SLOT_EMPTY] = "empty",    [SLOT_LOADED] = "loaded", [SLOT_PREVIEWING] = "previewing",
    [SLOT_QUEUED] = "signing", [SLOT_SIGNED] = "signed", [SLOT_REFUSED] = "refused",
    [SLOT_FAILED] = "failed",
};

const char *slot_state_name(enum slot_state state)
{
    return state_names[state];
}

static uint8_t *copy_of(struct bytes content)
{
    uint8_t *mem = malloc(content.len > 0 ? content.len : 1);
    REQUIRE(mem != NULL);
    if (content.len > 0)
        memcpy(mem, content.ptr, content.len);
    return mem;
}

struct slot *slot_new(void)
{
    struct slot *s = calloc(1, sizeof *s);
    uint8_t id[4];
    REQUIRE(s != NULL);
    random_bytes(id, sizeof id);
    hex_encode(s->id, BYTES_OF(id));
    slot_set_users(s, NULL);
    return s;
}

static void forget_code(struct slot_auth *a)
{
    secret_free(a->code);
    a->code = NULL;
    a->code_len = 0;
    a->window = a->shown_window = 0;
    a->by = NULL;
    a->by_name[0] = '\0';
}

void slot_forget_codes_of(struct slot *s, const void *session)
{
    for (size_t i = 0; i < s->n_auth; i++)
        if (s->auth[i].code != NULL && s->auth[i].by == session)
            forget_code(&s->auth[i]);
}

void slot_share(struct slot *s)
{
    uint8_t random[5]; // 40 bits, and every guess at them is a line in the audit log
    struct writer w = writer_of(s->code, sizeof s->code);
    random_bytes(random, sizeof random);
    base32_write(&w, BYTES_OF(random));
    writer_u8(&w, 0);
}

void slot_forget_codes(struct slot *s)
{
    for (size_t i = 0; i < s->n_auth; i++)
        forget_code(&s->auth[i]);
}

static void forget_result(struct slot *s)
{
    free(s->result);
    s->result = NULL;
    s->result_len = 0;
    s->txid[0] = s->broadcast[0] = '\0';
}

void slot_clear(struct slot *s)
{
    slot_forget_codes(s);
    forget_result(s);
    slot_set_preview(s, (struct bytes){ 0 });
    free(s->psbt);
    s->psbt = NULL;
    s->psbt_len = 0;
    s->hash_text[0] = '\0';
    s->state = SLOT_EMPTY;
    s->serial++;
}

void slot_free(struct slot *s)
{
    if (s == NULL)
        return;
    slot_clear(s);
    free(s);
}

bool slot_is_busy(const struct slot *s)
{
    return s->state == SLOT_QUEUED;
}

void slot_load(struct slot *s, struct bytes psbt)
{
    uint8_t *copy = copy_of(psbt);
    slot_clear(s);
    s->psbt = copy;
    s->psbt_len = psbt.len;
    s->hash = codes_sha256(psbt);
    hex_encode(s->hash_text, BYTES_OF(s->hash.b));
    s->state = SLOT_LOADED;
}

void slot_set_preview(struct slot *s, struct bytes text)
{
    free(s->preview);
    s->preview = text.len > 0 ? copy_of(text) : NULL;
    s->preview_len = text.len;
    utf8_clean(s->preview, text.len); // "Accept UTF-8, replace control characters."
    for (size_t i = 0; i < text.len; i++)
        if ((s->preview[i] < 0x20 && s->preview[i] != '\n' && s->preview[i] != '\t') ||
            s->preview[i] == 0x7f)
            s->preview[i] = '?';
}

void slot_set_result(struct slot *s, struct bytes result, bool is_final, int64_t now_s)
{
    uint8_t *copy = copy_of(result);
    forget_result(s);
    s->result = copy;
    s->result_len = result.len;
    s->result_is_final = is_final;
    s->result_s = now_s;
    s->state = SLOT_SIGNED;
}

// --- Who may approve ---

static void take_row(struct slot_auth *row, struct slot_auth *old, size_t n_old)
{
    for (size_t i = 0; i < n_old; i++)
        if (row->has_name && old[i].has_name && strcmp(row->name, old[i].name) == 0) {
            *row = old[i];
            old[i].code = NULL;
            return;
        }
}

void slot_set_users(struct slot *s, const struct json *users)
{
    struct slot_auth old[SLOT_AUTH_MAX];
    const size_t n_old = s->n_auth;
    memcpy(old, s->auth, sizeof old);
    s->n_auth = 0;
    for (const struct json *u = users != NULL ? users->items : NULL; u != NULL; u = u->next) {
        if (s->n_auth == SLOT_AUTH_MAX || u->type != JSON_STRING || u->text.len >= SLOT_NAME_SIZE)
            continue;
        struct slot_auth *row = &s->auth[s->n_auth++];
        *row = (struct slot_auth){ .has_name = true };
        memcpy(row->name, u->text.ptr, u->text.len);
        take_row(row, old, n_old);
    }
    const bool blanks_stay = s->n_auth == 0 && n_old > 0 && !old[0].has_name;
    if (blanks_stay) {
        memcpy(s->auth, old, sizeof old);
        s->n_auth = n_old;
        return;
    }
    while (s->n_auth == 0 || (s->n_auth < SLOT_BLANKS && !s->auth[0].has_name))
        s->auth[s->n_auth++] = (struct slot_auth){ 0 };
    for (size_t i = 0; i < n_old; i++)
        secret_free(old[i].code);
}

// --- Codes ---

#define FAR_WINDOWS 10
#define UNIX_TIME   1000000000 // above it a window is a time in seconds

uint32_t slot_window(int64_t window, int64_t now_s, bool *adjusted)
{
    const int64_t now = now_s / CODES_STEP_S;
    *adjusted = false;
    if (window == 0)
        return (uint32_t)now;
    if (window > UNIX_TIME)
        window /= CODES_STEP_S;
    if (window >= now - FAR_WINDOWS && window <= now + FAR_WINDOWS)
        return (uint32_t)window;
    // A far-future window whose code matched would lock that user out until then.
    *adjusted = true;
    return (uint32_t)now;
}

static bool is_digits(struct bytes code)
{
    for (size_t i = 0; i < code.len; i++)
        if (code.ptr[i] < '0' || code.ptr[i] > '9')
            return false;
    return code.len == OTP_TEXT_SIZE - 1;
}

bool slot_offer(struct slot *s, size_t index, int64_t window, struct bytes code, int64_t now_s,
                int64_t now_ms, bool *adjusted, struct err *err)
{
    *adjusted = false;
    if (index >= s->n_auth || code.len > SLOT_CODE_MAX)
        return err_set(err, ERR_INVALID, "no such user");
    struct slot_auth *a = &s->auth[index];
    forget_code(a);
    if (code.len == 0)
        return true;
    a->code = secret_new(code);
    a->code_len = code.len;
    a->expires = is_digits(code);
    a->shown_window = slot_window(window, now_s, adjusted);
    a->window = a->expires ? a->shown_window : 0;
    a->given_ms = now_ms;
    return true;
}

bool slot_expire_codes(struct slot *s, int64_t now_ms)
{
    bool any = false;
    for (size_t i = 0; i < s->n_auth; i++)
        if (s->auth[i].code != NULL && s->auth[i].expires &&
            now_ms - s->auth[i].given_ms >= SLOT_CODE_MS && !slot_is_busy(s)) {
            forget_code(&s->auth[i]);
            any = true;
        }
    return any;
}
