// One policy each: accepted, with its text and hash, or refused, with the reason.
#include "base/reader.h"
#include "base/utf8.h"
#include "tests/replay/replay.h"

#define QUESTION "\n\nPress OK to enable HSM mode."

// Our value of a field, where summary_deviations.json has one: "expect" of the entry with that id.
static const struct json *ours(const struct run *run, const char *field)
{
    for (const struct json *d = run->summary_deviations->items; d != NULL; d = d->next) {
        if (bytes_equal(text_or(d, "id", ""), run->id))
            return json_get(json_get(d, "expect"), field);
    }
    return NULL;
}

static const struct json *field(struct run *run, const char *key)
{
    const struct json *value = ours(run, key);
    return value != NULL ? value : need(run, run->record, key);
}

static void check_accepted(struct run *run)
{
    const struct json *r = run->record;
    const struct bytes first = host_approve(run, true);
    const struct json *status = host_status(run), *summary = field(run, "summary");
    const struct json *screen = json_get(r, "screen_text");
    const size_t question = sizeof QUESTION - 1;
    // The screen is the summary and the question. With priv_over_ux the status report has none of it.
    if (first.len < question ||
        !bytes_equal_text(bytes_slice(first, first.len - question, question), QUESTION))
        run_fail(run, "screen 1 does not end in the question");
    expect_text(run, "screen_text", (summary->type == JSON_STRING ? summary : screen)->text,
                bytes_slice(first, 0, first.len - question));
    expect_value(run, "summary", summary->type == JSON_STRING ? summary : NULL,
                 json_get(status, "summary"));
    expect_value(run, "policy_hash", field(run, "policy_hash"), json_get(status, "policy_hash"));
}

// "HSM Policy invalid: <source position>: <text>", cut to 80 bytes; `error` is whole, if it is the
// same text and not another one of the language runtime.
static struct bytes recorded_error(struct run *run)
{
    struct reader position = reader_of(need_text(run, run->record, "usb_error"));
    const struct bytes whole = text_or(run->record, "error", "");
    struct bytes prefix;
    for (int parts = 0; parts < 3; parts++) {
        if (!reader_until(&position, ':', &prefix))
            run_fail(run, "usb_error");
    }
    (void)!reader_accept(&position, ' ');
    const struct bytes cut = reader_rest(&position);
    return bytes_starts_with(whole, cut) ? whole : cut;
}

// Where the reference names a line of its own source we name the policy or the rule. "On the wire the
// whole message is cut to its first 80 bytes."
static void check_refused(struct run *run, struct bytes error)
{
    const struct json *origin = ours(run, "origin"), *text = ours(run, "error");
    struct writer w = run_writer(run);
    if (origin == NULL)
        run_fail(run, "no origin in summary_deviations.json");
    writer_printf(&w, "HSM Policy invalid: %.*s: %.*s", BYTES_ARG(origin->text),
                  BYTES_ARG(text != NULL ? text->text : recorded_error(run)));
    expect_text(run, "error", utf8_cut(run_written(run, &w), 80), error);
}

void replay_summary(struct run *run)
{
    const struct json *r = run->record, *setup = need(run, r, "setup");
    int64_t bits = 32;
    const struct json *float_bits = json_get(r, "float_bits");
    const struct bytes text = need_text(run, r, "policy_text");
    if (float_bits != NULL && json_integer(float_bits, &bits, NULL) && bits != 32 &&
        memmem(text.ptr, text.len, "min_pct", 7) != NULL)
        run_skip(run, "recorded with double precision, which no device has");
    signer_prepare(run, need_text(run, r, "chain"), json_get(setup, "users"),
                   json_get(setup, "wallets"));
    const struct reply reply = host_start_policy(run, text);
    const struct json *our_ok = ours(run, "ok");
    expect_bool(run, "ok", our_ok != NULL ? our_ok->type == JSON_TRUE : is_true(r, "ok"),
                reply.id == REPLY_OKAY);
    if (reply.id == REPLY_OKAY)
        check_accepted(run);
    else
        check_refused(run, reply.data);
}
