// Users made and deleted, and codes that they send.
#include "tests/replay/replay.h"

static bool is_new_user(const struct run *run)
{
    return bytes_equal_text(text_or(run->record, "kind", ""), "new_user");
}

void users_authorise(struct run *run, const struct json *previous)
{
    const struct json *r = run->record;
    // request_pack refuses what these vectors send on purpose: lengths that are 0.
    const struct bytes name = need_text(run, r, "user"), token = need_hex(run, r, "token_hex");
    struct writer message = run_writer(run), wanted = run_writer(run), got = run_writer(run);
    (void)previous;
    writer_text(&message, "user");
    writer_u32le(&message, need_u32(run, r, "totp_time"));
    writer_u8(&message, (uint8_t)name.len);
    writer_u8(&message, (uint8_t)token.len);
    writer_put(&message, name);
    writer_put(&message, token);
    const struct reply reply = host_message(run, run_written(run, &message), true);
    if (reply.id == REPLY_ASCI && reply.data.len > 0)
        writer_printf(&got, "problem: %.*s", BYTES_ARG(reply.data));
    else
        writer_put(&got, host_outcome(run, &reply));
    if (bytes_equal_text(need_text(run, r, "expect"), "error"))
        writer_printf(&wanted, "error: %.*s", BYTES_ARG(need_text(run, r, "error")));
    else if (text_or(r, "reply", "").len > 0)
        writer_printf(&wanted, "problem: %.*s", BYTES_ARG(need_text(run, r, "reply")));
    else
        writer_text(&wanted, "ok");
    expect_text(run, "outcome", run_written(run, &wanted), run_written(run, &got));
    if (bytes_equal_text(need_text(run, r, "mode"), "hsm"))
        expect_value(run, "pending_auth", need(run, r, "pending_auth"),
                     json_get(host_status(run), "pending_auth"));
}

static bool has_user(const struct json *users, struct bytes name)
{
    for (const struct json *u = users->items; u != NULL; u = u->next) {
        if (bytes_equal(u->text, name))
            return true;
    }
    return false;
}

// The names are given as latin-1: each character a byte.
static struct bytes latin1(struct run *run, struct bytes utf8)
{
    struct writer w = run_writer(run);
    for (size_t i = 0; i < utf8.len; i++) {
        const uint8_t c = utf8.ptr[i];
        if ((c & 0xfe) == 0xc2 && i + 1 < utf8.len)
            writer_u8(&w, (uint8_t)(c << 6 | (utf8.ptr[++i] & 0x3f)));
        else
            writer_u8(&w, c);
    }
    return run_written(run, &w);
}

static struct reply send_user(struct run *run, struct bytes name)
{
    const struct json *r = run->record;
    struct writer message = run_writer(run);
    const bool is_new = is_new_user(run);
    const struct bytes secret = is_new ? need_hex(run, r, "secret_hex") : (struct bytes){ 0 };
    writer_text(&message, is_new ? "nwur" : "rmur");
    if (is_new)
        writer_u8(&message, (uint8_t)need_u32(run, r, "auth_mode"));
    writer_u8(&message, (uint8_t)name.len);
    if (is_new)
        writer_u8(&message, (uint8_t)secret.len);
    writer_put(&message, name);
    writer_put(&message, secret);
    return host_message(run, run_written(run, &message), true);
}

static void check_users_after(struct run *run, const struct json *before, struct bytes name,
                              bool changed)
{
    const bool is_new = is_new_user(run);
    const struct json *after = need(run, host_status(run), "users");
    const bool was_there = has_user(before, name);
    const size_t n = before->n_items + (changed && is_new) - (changed && !is_new && was_there);
    expect_count(run, "users_after", n, after->n_items);
    if (changed && has_user(after, name) != is_new)
        run_fail(run, "users_after: %.*s", BYTES_ARG(name));
    for (const struct json *u = after->items; u != NULL && u->next != NULL; u = u->next) {
        if (bytes_compare(u->text, u->next->text) >= 0)
            run_fail(run, "users_after: not sorted");
    }
}

void users_change(struct run *run, const struct json *previous)
{
    const struct json *r = run->record, *before = need(run, host_status(run), "users");
    const struct bytes name = latin1(run, need_text(run, r, "name"));
    struct bytes wanted = need_text(run, r, "expect");
    struct writer error = run_writer(run);
    (void)previous;
    if (bytes_equal_text(wanted, "error")) {
        writer_printf(&error, "error: %.*s", BYTES_ARG(need_text(run, r, "error")));
        wanted = run_written(run, &error);
    }
    // How many there are depends on what was taken before, which is ours to say.
    const bool is_full = before->n_items >= 30;
    if (is_new_user(run) && is_full && bytes_equal_text(wanted, "ok"))
        wanted = BYTES("error: too many");
    else if (!is_full && bytes_equal_text(wanted, "error: too many"))
        wanted = BYTES("ok");
    const struct reply reply = send_user(run, name);
    expect_text(run, "outcome", wanted, host_outcome(run, &reply));
    if (reply.id == REPLY_ASCI)
        expect_text(run, "reply", text_or(r, "reply", ""), reply.data);
    check_users_after(run, before, name, reply.id == REPLY_ASCI || reply.id == REPLY_OKAY);
}
