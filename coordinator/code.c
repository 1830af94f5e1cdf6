#include "coordinator/code.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    unsigned status;
    enum err_code err;
} TABLE[CODES] = {
    [CODE_NONE] = { "", 200, ERR_NONE },
    [CODE_BAD_REQUEST] = { "bad_request", 400, ERR_MALFORMED },
    [CODE_UNAUTHENTICATED] = { "unauthenticated", 401, ERR_AUTH },
    [CODE_FORBIDDEN] = { "forbidden", 403, ERR_AUTH },
    [CODE_NOT_FOUND] = { "not_found", 404, ERR_NOT_FOUND },
    [CODE_IDEMPOTENCY_MISMATCH] = { "idempotency_mismatch", 409, ERR_EXISTS },
    [CODE_AMOUNT_OUT_OF_RANGE] = { "amount_out_of_range", 422, ERR_INVALID },
    [CODE_DESTINATION_NOT_ALLOWED] = { "destination_not_allowed", 422, ERR_REFUSED },
    [CODE_VELOCITY_EXCEEDED] = { "velocity_exceeded", 422, ERR_REFUSED },
    [CODE_FEE_VELOCITY_EXCEEDED] = { "fee_velocity_exceeded", 422, ERR_REFUSED },
    [CODE_SURGE_REQUIRED] = { "surge_required", 422, ERR_REFUSED },
    [CODE_CODE_INVALID] = { "code_invalid", 422, ERR_AUTH },
    [CODE_QUORUM_LOST] = { "quorum_lost", 503, ERR_NOT_FOUND },
    [CODE_SIGNER_REFUSED] = { "signer_refused", 422, ERR_REFUSED },
    [CODE_INSUFFICIENT_FUNDS] = { "insufficient_funds", 422, ERR_LIMIT },
    [CODE_COINS_BUSY] = { "coins_busy", 409, ERR_BUSY },
    [CODE_FEE_TOO_HIGH] = { "fee_too_high", 422, ERR_LIMIT },
    [CODE_PREFLIGHT_FAILED] = { "preflight_failed", 422, ERR_REFUSED },
    [CODE_LEDGER_STALE] = { "ledger_stale", 503, ERR_STATE },
    [CODE_RECOVERING] = { "recovering", 503, ERR_STATE },
    [CODE_FROZEN] = { "frozen", 409, ERR_STATE },
    [CODE_EXPIRED] = { "expired", 409, ERR_TIMEOUT },
    [CODE_CONFLICT] = { "conflict", 409, ERR_STATE },
    [CODE_NODE_UNAVAILABLE] = { "node_unavailable", 503, ERR_IO },
    [CODE_LEDGER_UNAVAILABLE] = { "ledger_unavailable", 503, ERR_IO },
    [CODE_RATE_LIMITED] = { "rate_limited", 429, ERR_LIMIT },
    [CODE_INTERNAL] = { "internal", 500, ERR_INTERNAL },
};

// What goes before the name in an error's detail: no other detail begins so.
#define MARK "code="

const char *code_name(enum code code)
{
    return TABLE[code].name;
}

enum code code_of_name(struct bytes name)
{
    for (enum code c = CODE_NONE + 1; c < CODES; c++)
        if (bytes_equal_text(name, TABLE[c].name))
            return c;
    return CODE_NONE;
}

unsigned code_http_status(enum code code)
{
    return TABLE[code].status;
}

bool code_fail(struct err *err, enum code code, const char *fmt, ...)
{
    char text[ERR_TEXT_MAX];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    (void)err_set(err, TABLE[code].err, "%s", text);
    return err_detail(err, MARK "%s", TABLE[code].name);
}

bool code_words(struct err *err, const char *words)
{
    char detail[ERR_DETAIL_MAX];
    (void)snprintf(detail, sizeof detail, "%s", err->detail);
    return err_detail(err, "%s %s", detail, words);
}

enum code code_of(const struct err *err)
{
    if (strncmp(err->detail, MARK, strlen(MARK)) != 0)
        return CODE_INTERNAL;
    const char *name = err->detail + strlen(MARK);
    const enum code code = code_of_name(bytes_of(name, strcspn(name, " ")));
    return code == CODE_NONE ? CODE_INTERNAL : code;
}
