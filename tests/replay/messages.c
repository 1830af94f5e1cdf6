// Messages, keys, addresses, users, status reports, the locker, restarts, escape.
//
// Records that belong together are replayed in their order on one set-up: what one leaves, the next
// one finds.
#include "base/base64.h"
#include "tests/replay/replay.h"

static bool same(const struct json *a, const struct json *b, const char *key)
{
    const struct json *x = json_get(a, key), *y = json_get(b, key);
    if (x == NULL || y == NULL)
        return x == y;
    return bytes_equal(x->text, y->text); // of an object: its source
}

static bool is_kind(const struct json *record, const char *kind)
{
    return bytes_equal_text(text_or(record, "kind", ""), kind);
}

static bool is_about_users(const struct json *record)
{
    return is_kind(record, "new_user") || is_kind(record, "rm_user");
}

static bool wants_switch_off(const struct json *record)
{
    return bytes_starts_with(text_or(record, "note", ""), BYTES("HSM commands not"));
}

bool messages_belong(const struct json *a, const struct json *b)
{
    if (!same(a, b, "chain"))
        return false;
    if (is_about_users(a))
        return is_about_users(b);
    if (!same(a, b, "kind") || is_kind(a, "reload") || is_kind(a, "boot_to_hsm"))
        return a == b;
    if (is_kind(a, "command"))
        return same(a, b, "mode") && wants_switch_off(a) == wants_switch_off(b);
    return same(a, b, "mode") && same(a, b, "policy");
}

// The users and wallets that the file's own record of kind `setup` gives for the chain.
void messages_prepare(struct run *run, const char *another_user)
{
    const struct bytes chain = need_text(run, run->record, "chain");
    const struct json *base = run->bases[0];
    if (base == NULL || !bytes_equal(need_text(run, base, "chain"), chain))
        base = run->bases[1];
    const struct json *setup = need(run, base, "setup");
    signer_prepare(run, chain, need(run, setup, "users"), need(run, setup, "wallets"));
    if (another_user != NULL)
        host_new_user(run, need(run, need(run, run->setup, "users"), another_user));
}

// --- Queries ---

static void query(struct run *run, const struct request *request, const char *field)
{
    const struct json *r = run->record;
    const struct reply reply = host_call(run, request);
    struct writer wanted = run_writer(run);
    if (bytes_equal_text(need_text(run, r, "expect"), "error"))
        writer_printf(&wanted, "error: %.*s", BYTES_ARG(need_text(run, r, "error")));
    else
        writer_text(&wanted, "ok");
    expect_text(run, "outcome", run_written(run, &wanted), host_outcome(run, &reply));
    if (reply.id == REPLY_ASCI)
        expect_text(run, field, text_or(r, field, "(absent)"), reply.data);
}

static void xpub(struct run *run, const struct json *previous)
{
    (void)previous;
    query(run, &(struct request){ .id = REQUEST_XPUB, .data = need_text(run, run->record, "path") },
          "xpub");
}

static void address(struct run *run, const struct json *previous)
{
    const struct json *r = run->record;
    (void)previous;
    query(run,
          &(struct request){ .id = REQUEST_SHOW,
                             .show = { need_u32(run, r, "addr_fmt"), need_text(run, r, "path") } },
          "address");
}

// Each path: the fingerprint as a little-endian number, then the steps.
static void write_key(struct run *run, struct writer *w, const struct json *numbers)
{
    writer_u8(w, (uint8_t)numbers->n_items);
    for (const struct json *n = numbers->items; n != NULL; n = n->next) {
        int64_t value;
        if (!json_integer(n, &value, NULL))
            run_fail(run, "xfp_paths");
        writer_u32le(w, (uint32_t)value);
    }
}

static void p2sh_address(struct run *run, const struct json *previous)
{
    const struct json *r = run->record;
    struct writer keys = run_writer(run);
    (void)previous;
    for (const struct json *k = need(run, r, "xfp_paths")->items; k != NULL; k = k->next)
        write_key(run, &keys, k);
    query(run,
          &(struct request){ .id = REQUEST_P2SH,
                             .p2sh = { need_u32(run, r, "addr_fmt"), (uint8_t)need_u32(run, r, "M"),
                                       (uint8_t)need_u32(run, r, "N"),
                                       need_hex(run, r, "script_hex"), run_written(run, &keys) } },
          "address");
}

// --- Messages ---

static uint64_t counter(struct run *run, const char *key)
{
    return need_u32(run, host_status(run), key);
}

static void msg_sign(struct run *run, const struct json *previous)
{
    const struct json *r = run->record;
    const uint64_t approvals = counter(run, "approvals"), refusals = counter(run, "refusals");
    const bool is_signed = bytes_equal_text(need_text(run, r, "expect"), "signed");
    const bool is_refused = bytes_equal_text(need_text(run, r, "expect"), "refused");
    const struct request smsg = { .id = REQUEST_SMSG,
                                  .smsg = { need_u32(run, r, "addr_fmt"), need_text(run, r, "path"),
                                            need_hex(run, r, "msg_hex") } };
    (void)previous;
    struct reply reply = host_call(run, &smsg);
    while (reply.id == REPLY_OKAY)
        reply = host_call(run, &(struct request){ .id = REQUEST_SMOK });
    struct writer wanted = run_writer(run);
    writer_put(&wanted, need_text(run, r, "expect"));
    if (json_get(r, "error") != NULL)
        writer_printf(&wanted, ": %.*s", BYTES_ARG(need_text(run, r, "error")));
    const struct bytes got = reply.id == REPLY_SMRX ? BYTES("signed") : host_outcome(run, &reply);
    expect_text(run, "outcome", run_written(run, &wanted), got);
    expect_count(run, "approvals", approvals + is_signed, counter(run, "approvals"));
    expect_count(run, "refusals", refusals + is_refused, counter(run, "refusals"));
    if (is_refused)
        expect_value(run, "last_refusal", need(run, r, "last_refusal"),
                     json_get(host_status(run), "last_refusal"));
    if (reply.id != REPLY_SMRX)
        return;
    expect_text(run, "address", need_text(run, r, "address"), reply.smrx.address);
    struct writer signature = run_writer(run);
    base64_write(&signature, BYTES_OF(reply.smrx.signature));
    expect_text(run, "signature", need_text(run, r, "signature_b64"), run_written(run, &signature));
    if (json_get(host_status(run), "last_refusal")->type != JSON_NULL)
        run_fail(run, "last_refusal is not null after an approval");
}

// --- Commands, locker, restart, escape ---

// bytes as Python writes them: only those that these vectors have.
static struct bytes python_bytes(struct run *run, struct bytes data)
{
    struct writer w = run_writer(run);
    writer_printf(&w, "b'%.*s'", BYTES_ARG(data));
    return run_written(run, &w);
}

static struct bytes reply_value(struct run *run, const struct reply *reply)
{
    struct writer w = run_writer(run);
    switch (reply->id) {
    case REPLY_OKAY:
        return BYTES("null");
    case REPLY_ASCI:
        return reply->data;
    case REPLY_INT1:
        writer_printf(&w, "%u", (unsigned)reply->number[0]);
        return run_written(run, &w);
    default:
        return python_bytes(run, reply->data);
    }
}

static size_t lines_in(struct bytes text)
{
    size_t n = 1;
    for (size_t i = 0; i < text.len; i++)
        n += text.ptr[i] == '\n';
    return n;
}

static void command(struct run *run, const struct json *previous)
{
    const struct json *r = run->record;
    const struct bytes cmd = need_text(run, r, "cmd");
    struct writer wanted = run_writer(run);
    (void)previous;
    const struct reply reply = host_message(run, need_hex(run, r, "request_hex"), true);
    const struct bytes outcome = host_outcome(run, &reply);
    writer_put(&wanted, need_text(run, r, "expect"));
    if (json_get(r, "error") != NULL)
        writer_printf(&wanted, ": %.*s", BYTES_ARG(need_text(run, r, "error")));
    expect_text(run, "outcome", run_written(run, &wanted), outcome);
    if (!bytes_equal_text(outcome, "ok"))
        return;
    if (bytes_equal_text(cmd, "hsts")) {
        const struct json *recorded, *got;
        struct err err;
        if (!json_parse(&recorded, need_text(run, r, "reply"), run->arena, &err) ||
            !json_parse(&got, reply.data, run->arena, &err))
            run_fail(run, "%s", err.text);
        status_check(run, "status", recorded, got);
    } else if (bytes_equal_text(cmd, "vers")) {
        expect_count(run, "lines", 5, lines_in(reply.data)); // the content is ours
    } else if (bytes_equal_text(cmd, "sha2")) {
        expect_count(run, "length", 32, reply.data.len); // of what the recorder had sent before
    } else {
        expect_text(run, "reply", json_text_of(run, need(run, r, "reply")),
                    reply_value(run, &reply));
    }
}

static void storage_locker(struct run *run, const struct json *previous)
{
    const struct json *r = run->record, *policy = need(run, r, "policy");
    (void)previous;
    // The locker's value outlives the policy, as it does on the device.
    messages_prepare(run, NULL);
    const struct reply started = host_start_policy(run, host_policy_text(run, policy));
    const struct bytes outcome = host_outcome(run, &started);
    expect_text(run, "activation", BYTES("ok"), outcome);
    if (!bytes_equal_text(outcome, "ok"))
        return;
    (void)host_approve(run, true);
    const struct json *st = host_status(run);
    expect_value(run, "summary", need(run, r, "summary"), json_get(st, "summary"));
    expect_value(run, "policy_hash", need(run, r, "policy_hash"), json_get(st, "policy_hash"));
    for (const struct json *w = need(run, r, "reads")->items; w != NULL; w = w->next) {
        run->step++;
        struct writer wanted = run_writer(run), got = run_writer(run);
        const struct reply reply = host_call(run, &(struct request){ .id = REQUEST_GSLR });
        if (bytes_equal_text(need_text(run, w, "expect"), "ok"))
            writer_printf(&wanted, "ok: %.*s", BYTES_ARG(need_text(run, w, "data_hex")));
        else
            writer_printf(&wanted, "error: %.*s", BYTES_ARG(need_text(run, w, "error")));
        writer_put(&got, host_outcome(run, &reply));
        if (reply.id == REPLY_BINY) {
            writer_text(&got, ": ");
            writer_hex(&got, reply.data);
        }
        expect_text(run, "read", run_written(run, &wanted), run_written(run, &got));
        expect_value(run, "sl_reads", need(run, w, "sl_reads"),
                     json_get(host_status(run), "sl_reads"));
    }
}

static void decide(struct run *run, const char *field, const struct json *decisions)
{
    for (const struct json *d = decisions->items; d != NULL; d = d->next) {
        struct bytes result;
        run->step++;
        expect_text(run, field, need_text(run, d, "expect"),
                    host_sign(run, need_base64(run, d, "psbt_b64"), 0, &result));
    }
    run->step = 0;
}

static void reload(struct run *run, const struct json *previous)
{
    static const char question[] = "\n\nPress OK to enable HSM mode.";
    const struct json *r = run->record;
    (void)previous;
    signer_prepare(run, need_text(run, r, "chain"), NULL, NULL);
    host_activate(run, need(run, r, "policy"));
    const struct json *st = host_status(run);
    expect_value(run, "summary", need(run, r, "summary"), json_get(st, "summary"));
    expect_value(run, "policy_hash", need(run, r, "policy_hash"), json_get(st, "policy_hash"));
    decide(run, "decisions_before", need(run, r, "decisions_before"));
    signer_restart(run);
    st = host_status(run);
    if (json_get(need(run, r, "policy"), "boot_to_hsm") == NULL) { // that one starts by itself
        status_check(run, "status_idle", need(run, r, "status_idle"), st);
        (void)host_call(run, &(struct request){ .id = REQUEST_HSMS });
        const struct bytes first = host_approve(run, false);
        const struct bytes story = need_text(run, r, "story_on_reload");
        const bool asks = memmem(story.ptr, story.len, question, sizeof question - 1) != NULL;
        expect_text(run, "story_on_reload", story,
                    bytes_slice(first, 0, asks ? first.len : first.len - (sizeof question - 1)));
    }
    st = host_status(run);
    expect_value(run, "summary_after", need(run, r, "summary_after"), json_get(st, "summary"));
    expect_value(run, "hash_after", need(run, r, "hash_after"), json_get(st, "policy_hash"));
    status_check(run, "status_after", need(run, r, "status_after"), st);
    decide(run, "decisions_after", need(run, r, "decisions_after"));
}

static void boot_to_hsm(struct run *run, const struct json *previous)
{
    const struct json *r = run->record;
    char keys[32];
    (void)previous;
    signer_prepare(run, need_text(run, r, "chain"), NULL, NULL);
    host_activate(run, need(run, r, "policy"));
    snprintf(keys, sizeof keys, "x%sy", run_text(run, need_text(run, r, "digits")));
    signer_press(run, keys);
    status_check(run, "status", need(run, r, "status"), host_status(run));
}

// --- The table ---

static const struct {
    const char *kind;
    void (*replay)(struct run *run, const struct json *previous);
    bool shares_policy; // one activation for all that belong together
} kinds[] = {
    { "msg_sign", msg_sign, true },      { "xpub", xpub, true },
    { "address", address, true },        { "p2sh_address", p2sh_address, true },
    { "status", status_replay, false },  { "user_cmd", users_authorise, false },
    { "new_user", users_change, false }, { "rm_user", users_change, false },
    { "command", command, false },       { "storage_locker", storage_locker, false },
    { "reload", reload, false },         { "boot_to_hsm", boot_to_hsm, false },
};

static void activate_nothing(struct run *run)
{
    const struct reply reply = host_start_policy(run, BYTES("{}"));
    if (reply.id != REPLY_OKAY)
        run_fail(run, "activation");
    (void)host_approve(run, true);
}

void messages_begin(struct run *run)
{
    const struct json *r = run->record;
    const bool in_hsm_mode = bytes_equal_text(text_or(r, "mode", ""), "hsm");
    for (size_t i = 0; i < COUNT(kinds); i++) {
        if (is_kind(r, kinds[i].kind) && kinds[i].shares_policy) {
            messages_prepare(run, NULL);
            host_activate(run, need(run, r, "policy"));
        }
    }
    if (is_kind(r, "user_cmd") || (is_kind(r, "command") && in_hsm_mode)) {
        messages_prepare(run, in_hsm_mode ? NULL : "bob");
        if (in_hsm_mode)
            activate_nothing(run);
    } else if (is_kind(r, "command") || is_about_users(r)) {
        signer_prepare(run, need_text(run, r, "chain"), NULL, NULL);
        if (is_kind(r, "command") && wants_switch_off(r))
            signer_set_hsm_commands(run, false);
    }
}

void messages_replay(struct run *run, const struct json *previous)
{
    for (size_t i = 0; i < COUNT(kinds); i++) {
        if (is_kind(run->record, kinds[i].kind)) {
            kinds[i].replay(run, previous);
            return;
        }
    }
    run_fail(run, "unknown kind");
}
