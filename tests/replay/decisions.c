// A policy, and requests to be decided by it.
#include "base/base64.h"
#include "base/reader.h"
#include "crypto/otp.h"
#include "tests/replay/replay.h"

static void queue(struct run *run, const struct json *entries)
{
    for (const struct json *e = entries != NULL ? entries->items : NULL; e != NULL; e = e->next) {
        const struct request user = { .id = REQUEST_USER,
                                      .user = { need_u32(run, e, "totp_time"),
                                                need_text(run, e, "user"),
                                                need_hex(run, e, "token_hex") } };
        const struct reply reply = host_call(run, &user);
        const struct bytes got = reply.id == REPLY_ERR_ ? reply.data : BYTES("(absent)");
        expect_text(run, "auth_error", text_or(e, "error", "(absent)"), got);
    }
}

// The code for these bytes, from what the status report publishes.
static void right_code(struct run *run, struct bytes psbt, char out[static OTP_TEXT_SIZE])
{
    const struct json *next = json_get(host_status(run), "next_local_code");
    uint8_t key[16];
    struct writer w = writer_of(key, sizeof key);
    if (next == NULL || !base64_read(&w, next->text))
        run_fail(run, "next_local_code is missing");
    const struct hash256 hash = sha256(psbt);
    local_code(out, writer_bytes(&w), BYTES_OF(hash.b));
}

static void enter_code(struct run *run, const char *digits, const char *after)
{
    char keys[32];
    snprintf(keys, sizeof keys, "x%.16s%s", digits, after);
    signer_press(run, keys);
}

static void confirm(struct run *run, const struct json *step, struct bytes psbt)
{
    const char *how = run_text(run, need_text(run, step, "local_code"));
    char code[OTP_TEXT_SIZE];
    if (strcmp(how, "none") == 0)
        return;
    right_code(run, psbt, code);
    if (strcmp(how, "right") == 0) {
        enter_code(run, code, "y");
    } else if (strcmp(how, "wrong") == 0) {
        code[5] = (char)(code[5] == '9' ? '0' : code[5] + 1);
        enter_code(run, code, "y");
    } else if (strcmp(how, "partial") == 0) {
        code[5] = 0;
        enter_code(run, code, "");
    } else {
        run_fail(run, "local_code: %s", how);
    }
}

static void check_status(struct run *run, const struct json *step)
{
    static const char *const counters[] = { "approvals", "refusals", "last_refusal", "has_spent",
                                            "pending_auth" };
    const struct json *want = need(run, step, "status"), *got = host_status(run);
    for (size_t i = 0; i < COUNT(counters); i++) {
        // What the reference left to chance is not normative; what we made of it may be.
        const bool is_free = strcmp(counters[i], "last_refusal") == 0 &&
                             json_get(step, "last_refusal_any_of") != NULL;
        expect_value(run, counters[i], json_get(is_free ? got : want, counters[i]),
                     json_get(got, counters[i]));
    }
    expect_bool(run, "has_period_ends", is_true(want, "has_period_ends"),
                json_get(got, "period_ends") != NULL);
    expect_bool(run, "has_next_local_code", is_true(want, "has_next_local_code"),
                json_get(got, "next_local_code") != NULL);
}

// --- Results ---

#define FIELDS_MAX 4096 // in one map

struct fields {
    size_t n;
    struct bytes items[FIELDS_MAX]; // key and value, as they stand
};

static int compare_bytes(const void *a, const void *b)
{
    return bytes_compare(*(const struct bytes *)a, *(const struct bytes *)b);
}

// The fields of the next map, sorted. False at the end of the maps, or where there is no map.
static bool next_map(struct reader *r, struct fields *out)
{
    out->n = 0;
    for (;;) {
        const struct bytes rest = r->rest;
        uint64_t key_len, value_len;
        struct bytes part;
        if (!reader_compact_size(r, &key_len))
            return false;
        if (key_len == 0)
            break;
        if (!reader_take(r, key_len, &part) || !reader_compact_size(r, &value_len) ||
            !reader_take(r, value_len, &part) || out->n == FIELDS_MAX)
            return false;
        out->items[out->n++] = bytes_slice(rest, 0, rest.len - r->rest.len);
    }
    qsort(out->items, out->n, sizeof out->items[0], compare_bytes);
    return true;
}

// "The reference device orders keys of one type by hash, so compare PSBTs as maps":
// psbt-signing.md 15. Transactions and texts are compared as they are.
static bool same_result(struct bytes a, struct bytes b)
{
    static struct fields x, y;
    if (bytes_equal(a, b))
        return true;
    if (!bytes_starts_with(a, BYTES("psbt\xff")) || !bytes_starts_with(b, BYTES("psbt\xff")) ||
        a.len != b.len)
        return false;
    struct reader r = reader_of(bytes_slice(a, 5, a.len)), s = reader_of(bytes_slice(b, 5, b.len));
    while (!reader_done(&r)) {
        if (!next_map(&r, &x) || !next_map(&s, &y) || x.n != y.n)
            return false;
        for (size_t i = 0; i < x.n; i++) {
            if (!bytes_equal(x.items[i], y.items[i]))
                return false;
        }
    }
    return reader_done(&s);
}

// --- Steps ---

static void sign(struct run *run, const struct json *step)
{
    const struct bytes psbt = need_base64(run, step, "psbt_b64");
    struct bytes result;
    queue(run, json_get(step, "auth"));
    confirm(run, step, psbt);
    const struct bytes outcome = host_sign(run, psbt, need_u32(run, step, "flags"), &result);
    if (is_true(step, "order_dependent"))
        return;
    expect_text(run, "outcome", need_text(run, step, "expect"), outcome);
    if (bytes_equal_text(outcome, "error")) {
        struct bytes error = text_or(step, "error", "(absent)");
        if (bytes_starts_with(error, BYTES("upload: "))) // the recorder's mark, not the device's
            error = bytes_slice(error, 8, error.len);
        expect_text(run, "error", error, result);
    } else if (json_get(step, "result_b64") != NULL && bytes_equal_text(outcome, "signed")) {
        const struct bytes recorded = need_base64(run, step, "result_b64");
        if (!same_result(recorded, result))
            run_fail(run, "result: other bytes (%zu, recorded %zu)", result.len, recorded.len);
    }
    check_status(run, step);
}

static void one_step(struct run *run, const struct json *step)
{
    const struct bytes op = need_text(run, step, "op");
    if (bytes_equal_text(op, "sign")) {
        sign(run, step);
    } else if (bytes_equal_text(op, "auth")) {
        queue(run, need(run, step, "auth"));
        check_status(run, step);
    } else if (bytes_equal_text(op, "advance_time")) {
        signer_advance(run, need_u32(run, step, "seconds"));
        check_status(run, step);
    } else if (bytes_equal_text(op, "sd_card")) {
        signer_set_card(run, is_true(step, "present"));
    } else if (bytes_equal_text(op, "enter_code")) {
        enter_code(run, run_text(run, need_text(run, step, "digits")), "y");
    } else {
        run_fail(run, "unknown op %.*s", BYTES_ARG(op));
    }
}

void replay_decision(struct run *run)
{
    const struct json *r = run->record, *setup = need(run, r, "setup");
    int64_t bits = 32;
    const struct json *float_bits = json_get(r, "float_bits");
    if (float_bits != NULL && json_integer(float_bits, &bits, NULL) && bits != 32)
        run_skip(run, "recorded with double precision, which no device has");
    signer_prepare(run, need_text(run, r, "chain"), json_get(setup, "users"),
                   json_get(setup, "wallets"));
    const struct json *policy = need(run, r, "policy");
    host_activate(run, policy);
    const struct bytes text = host_policy_text(run, policy);
    // The reference hashed percentages as its simulator prints them, unless it was made to use 32 bits.
    if (float_bits != NULL || memmem(text.ptr, text.len, "min_pct", 7) == NULL)
        expect_value(run, "policy_hash", need(run, r, "policy_hash"),
                     json_get(host_status(run), "policy_hash"));
    for (const struct json *s = need(run, r, "sequence")->items; s != NULL; s = s->next) {
        run->step++;
        one_step(run, s);
    }
}
