// coordinator/rpc_reply.c -- what a node answers: results, faults, decimals. No I/O.
#include "coordinator/rpc_internal.h"
#include <inttypes.h>

enum { DECIMALS = 8 };
#define COIN 100000000u

// --- Faults ---

// The first row whose number (0: any) and words (NULL: any) fit decides. The words are those of the
// Annex, observed; a node of another make with other words falls to the last row of its number.
static const struct {
    int number;
    const char *words;
    enum rpc_fault_kind kind;
} SAYINGS[] = {
    { 0, "too many unconfirmed ancestors", RPC_FAULT_CHAIN_LIMIT },
    { 0, "too-long-mempool-chain", RPC_FAULT_CHAIN_LIMIT },
    { 0, "Insufficient funds", RPC_FAULT_INSUFFICIENT },
    { -6, NULL, RPC_FAULT_INSUFFICIENT },
    { -4, "Transaction amount too small", RPC_FAULT_DUST },
    { -4, "already exists", RPC_FAULT_WALLET_EXISTS },
    { -4, "already loaded", RPC_FAULT_WALLET_LOADED },
    { -4, "already loading", RPC_FAULT_WALLET_LOADED }, // by somebody else, just now
    { -35, NULL, RPC_FAULT_WALLET_LOADED },
    { -18, NULL, RPC_FAULT_WALLET_ABSENT },
    { -5, "Invalid Bitcoin address", RPC_FAULT_BAD_ADDRESS },
    { -5, "Invalid address", RPC_FAULT_BAD_ADDRESS },
    { -5, NULL, RPC_FAULT_NOT_FOUND },
    { -27, NULL, RPC_FAULT_IN_UTXO_SET },
    { 0, "txn-already-known", RPC_FAULT_IN_UTXO_SET },
    { 0, "outputs already in utxo set", RPC_FAULT_IN_UTXO_SET },
    { 0, "Fee exceeds maximum configured by user", RPC_FAULT_MAX_FEE },
    { 0, "max-fee-exceeded", RPC_FAULT_MAX_FEE },
    { 0, "insufficient fee", RPC_FAULT_NOT_MORE },
    { 0, "too many potential replacements", RPC_FAULT_NOT_MORE },
    { 0, "mempool min fee not met", RPC_FAULT_MEMPOOL_MIN },
    { 0, "min relay fee not met", RPC_FAULT_MEMPOOL_MIN },
    { 0, "mempool full", RPC_FAULT_MEMPOOL_MIN },
    { 0, "missingorspent", RPC_FAULT_MISSING },
    { 0, "missing-inputs", RPC_FAULT_MISSING },
    { 0, "Missing inputs", RPC_FAULT_MISSING },
    { 0, "txn-mempool-conflict", RPC_FAULT_CONFLICT },
    { 0, "bad-txns-spends-conflicting-tx", RPC_FAULT_CONFLICT },
    { -26, "dust", RPC_FAULT_DUST },
    { -25, NULL, RPC_FAULT_REJECTED },
    { -26, NULL, RPC_FAULT_REJECTED },
    { -28, NULL, RPC_FAULT_WARMING_UP },
    { -32601, NULL, RPC_FAULT_UNKNOWN_CALL },
};

static const struct {
    const char *name;
    enum code code;
} KINDS[] = {
    [RPC_FAULT_NONE] = { "none", CODE_NONE },
    [RPC_FAULT_UNREACHABLE] = { "unreachable", CODE_NODE_UNAVAILABLE },
    [RPC_FAULT_NONSENSE] = { "nonsense", CODE_NODE_UNAVAILABLE },
    [RPC_FAULT_UNAUTHORIZED] = { "unauthorized", CODE_NODE_UNAVAILABLE },
    [RPC_FAULT_WARMING_UP] = { "warming_up", CODE_NODE_UNAVAILABLE },
    [RPC_FAULT_BUSY] = { "busy", CODE_NODE_UNAVAILABLE },
    [RPC_FAULT_WALLET_ABSENT] = { "wallet_absent", CODE_NODE_UNAVAILABLE },
    [RPC_FAULT_WALLET_LOADED] = { "wallet_loaded", CODE_INTERNAL },
    [RPC_FAULT_WALLET_EXISTS] = { "wallet_exists", CODE_INTERNAL },
    [RPC_FAULT_INSUFFICIENT] = { "insufficient", CODE_INSUFFICIENT_FUNDS },
    [RPC_FAULT_CHAIN_LIMIT] = { "chain_limit", CODE_COINS_BUSY },
    [RPC_FAULT_DUST] = { "dust", CODE_AMOUNT_OUT_OF_RANGE },
    [RPC_FAULT_BAD_ADDRESS] = { "bad_address", CODE_BAD_REQUEST },
    [RPC_FAULT_NOT_FOUND] = { "not_found", CODE_NOT_FOUND },
    [RPC_FAULT_IN_UTXO_SET] = { "in_utxo_set", CODE_CONFLICT },
    [RPC_FAULT_NOT_MORE] = { "not_more", CODE_CONFLICT },
    [RPC_FAULT_MEMPOOL_MIN] = { "mempool_min", CODE_CONFLICT },
    [RPC_FAULT_MISSING] = { "missing", CODE_CONFLICT },
    [RPC_FAULT_CONFLICT] = { "conflict", CODE_CONFLICT },
    [RPC_FAULT_MAX_FEE] = { "max_fee", CODE_FEE_TOO_HIGH },
    [RPC_FAULT_REJECTED] = { "rejected", CODE_CONFLICT },
    [RPC_FAULT_UNKNOWN_CALL] = { "unknown_call", CODE_INTERNAL },
    [RPC_FAULT_OTHER] = { "other", CODE_INTERNAL },
};

static bool says(struct bytes message, const char *words)
{
    return message.len > 0 && memmem(message.ptr, message.len, words, strlen(words)) != NULL;
}

enum rpc_fault_kind rpc_fault_of(int64_t number, struct bytes message)
{
    for (size_t i = 0; i < COUNT(SAYINGS); i++)
        if ((SAYINGS[i].number == 0 || SAYINGS[i].number == number) &&
            (SAYINGS[i].words == NULL || says(message, SAYINGS[i].words)))
            return SAYINGS[i].kind;
    return RPC_FAULT_OTHER;
}

const char *rpc_fault_name(enum rpc_fault_kind kind)
{
    return KINDS[kind].name;
}

enum code rpc_fault_code(enum rpc_fault_kind kind)
{
    return KINDS[kind].code;
}

bool rpc_fail(struct rpc_fault *fault, enum rpc_fault_kind kind, int64_t number,
              struct bytes message, struct err *err)
{
    size_t len = 0;
    fault->kind = kind;
    fault->number = number;
    for (size_t i = 0; i < message.len && len + 1 < sizeof fault->text; i++)
        fault->text[len++] =
            message.ptr[i] < 0x20 || message.ptr[i] > 0x7e ? '?' : (char)message.ptr[i];
    fault->text[len] = 0;
    return code_fail(err, KINDS[kind].code, "the node: %s", KINDS[kind].name);
}

// --- Replies ---

static bool refused(const struct json *error, struct rpc_fault *fault, struct err *err)
{
    const struct json *code = json_get(error, "code"), *message = json_get(error, "message");
    int64_t number;
    if (code == NULL || !json_integer(code, &number, NULL) || message == NULL ||
        message->type != JSON_STRING)
        return rpc_fail(fault, RPC_FAULT_NONSENSE, 0, BYTES("an error of no known form"), err);
    return rpc_fail(fault, rpc_fault_of(number, message->text), number, message->text, err);
}

bool rpc_read_reply(const struct json **result, struct bytes reply, uint64_t id,
                    struct arena *arena, struct rpc_fault *fault, struct err *err)
{
    const struct json *object;
    int64_t answers;
    *fault = (struct rpc_fault){ 0 };
    if (!json_parse(&object, reply, arena, err))
        return err->code == ERR_NO_MEMORY
                   ? rpc_fail(fault, RPC_FAULT_NONSENSE, 0, BYTES("larger than we take"), err)
                   : rpc_fail(fault, RPC_FAULT_NONSENSE, 0, BYTES("not JSON"), err);
    const struct json *number = json_get(object, "id"), *error = json_get(object, "error");
    const struct json *value = json_get(object, "result");
    if (number == NULL || !json_integer(number, &answers, NULL) || (uint64_t)answers != id)
        return rpc_fail(fault, RPC_FAULT_NONSENSE, 0, BYTES("an answer to something else"), err);
    if (error != NULL && error->type != JSON_NULL)
        return refused(error, fault, err);
    if (value == NULL)
        return rpc_fail(fault, RPC_FAULT_NONSENSE, 0, BYTES("neither result nor error"), err);
    *result = value;
    return true;
}

// --- Amounts ---

bool rpc_signed_sats(const struct json *number, int64_t *out)
{
    int64_t digits;
    unsigned scale;
    if (number == NULL || number->type != JSON_NUMBER || !json_decimal(number, &digits, &scale) ||
        scale > DECIMALS)
        return false;
    for (; scale < DECIMALS; scale++)
        if (__builtin_mul_overflow(digits, 10, &digits))
            return false;
    if (digits > (int64_t)SATS_MAX || digits < -(int64_t)SATS_MAX)
        return false;
    *out = digits;
    return true;
}

bool rpc_sats(const struct json *number, struct sats *out)
{
    int64_t value;
    if (!rpc_signed_sats(number, &value) || value < 0)
        return false;
    out->n = (uint64_t)value;
    return true;
}

void rpc_decimal(char out[static RPC_DECIMAL_SIZE], uint64_t sats)
{
    (void)snprintf(out, RPC_DECIMAL_SIZE, "%" PRIu64 ".%08" PRIu64, sats / COIN % 1000000000000u,
                   sats % COIN);
}
