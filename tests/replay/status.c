// Status reports.
#include "bitcoin/hdkey.h"
#include "tests/replay/replay.h"
#include "tests/support/psbt_maker.h"

static bool is_known(struct bytes key)
{
    // What changes by itself, and what is ours.
    static const char *const changing[] = { "uptime", "period_ends", "next_local_code",
                                            "casemate" };
    for (size_t i = 0; i < COUNT(changing); i++) {
        if (bytes_equal_text(key, changing[i]))
            return false;
    }
    return true;
}

static int compare_keys(const void *a, const void *b)
{
    return bytes_compare(*(const struct bytes *)a, *(const struct bytes *)b);
}

// The names of the members, as a JSON list in their order.
static struct bytes keys_of(struct run *run, const struct json *status)
{
    struct bytes keys[32];
    size_t n = 0;
    for (const struct json *m = status->items; m != NULL && n < COUNT(keys); m = m->next) {
        if (!bytes_equal_text(m->key, "casemate"))
            keys[n++] = m->key;
    }
    qsort(keys, n, sizeof keys[0], compare_keys);
    struct writer w = run_writer(run);
    struct json_writer j = json_writer_of(&w);
    json_begin_array(&j);
    for (size_t i = 0; i < n; i++)
        json_string(&j, keys[i]);
    json_end_array(&j);
    return run_written(run, &w);
}

void status_check(struct run *run, const char *prefix, const struct json *want,
                  const struct json *got)
{
    char field[64];
    snprintf(field, sizeof field, "%s.keys", prefix);
    expect_text(run, field, keys_of(run, want), keys_of(run, got));
    for (const struct json *m = got->items; m != NULL; m = m->next) {
        const char *key = run_text(run, m->key);
        snprintf(field, sizeof field, "%s.%s", prefix, key);
        if (is_known(m->key))
            expect_value(run, field, json_get(want, key), m);
    }
}

// 5000 sat to a stranger, change back.
static struct bytes pay_5000(struct run *run)
{
    const char *xprv = bytes_equal_text(need_text(run, run->record, "chain"), "BTC")
                           ? "master_xprv_BTC"
                           : "master_xprv_XTN";
    const bool main = strcmp(xprv, "master_xprv_BTC") == 0;
    struct psbt_maker *maker = arena_alloc(run->arena, sizeof *maker);
    struct writer w = run_writer(run);
    struct hdkey master;
    struct keypath in, out;
    struct err err;
    bool is_main;
    if (maker == NULL ||
        !hdkey_from_text(&master, &is_main, need_text(run, run->setup, xprv), &err) ||
        !keypath_parse(&in, main ? BYTES("m/84h/0h/0h/0/0") : BYTES("m/84h/1h/0h/0/0"), &err) ||
        !keypath_parse(&out, main ? BYTES("m/84h/0h/0h/1/0") : BYTES("m/84h/1h/0h/1/0"), &err))
        run_fail(run, "payment");
    maker->in[0] = (struct maker_input){ in, { 100000000 }, false };
    maker->n_in = 1;
    maker->out[0] = (struct maker_output){ .amount = { 5000 },
                                           .script = BYTES("\x00\x14"
                                                           "12345678901234567890") };
    maker->out[1] = (struct maker_output){ .amount = { 99990000 }, .is_ours = true, .path = out };
    maker->n_out = 2;
    if (!psbt_make(&w, maker, &master, run->arena, &err))
        run_fail(run, "payment: %s", err.text);
    return run_written(run, &w);
}

static void queue_user(struct run *run, const char *name, const char *code)
{
    const struct request user = { .id = REQUEST_USER,
                                  .user = { 60000000, bytes_of_text(name), bytes_of_text(code) } };
    (void)host_call(run, &user);
}

static bool note_is(const struct run *run, const char *note)
{
    return bytes_equal_text(text_or(run->record, "note", ""), note);
}

static void act_for_status(struct run *run)
{
    struct bytes result;
    if (note_is(run, "one pending auth"))
        queue_user(run, "alice", "123456");
    else if (note_is(run, "same user again: still one"))
        queue_user(run, "alice", "123457");
    else if (note_is(run, "unknown user is queued too"))
        queue_user(run, "zz-not-a-user", "123457");
    else if (note_is(run, "after refusal"))
        expect_text(run, "outcome", BYTES("refused"), host_sign(run, pay_5000(run), 0, &result));
    else if (note_is(run, "after approval with velocity"))
        expect_text(run, "outcome", BYTES("signed"), host_sign(run, pay_5000(run), 0, &result));
}

void status_replay(struct run *run, const struct json *previous)
{
    const struct json *r = run->record;
    if (note_is(run, "waiting for local approval of a new policy")) {
        signer_prepare(run, need_text(run, r, "chain"), NULL, NULL);
        (void)host_start_policy(run, BYTES("{}"));
    } else if (note_is(run, "declined")) {
        if (previous == NULL)
            run_skip(run, "needs the record before it");
        signer_press(run, "x");
    } else if (json_get(r, "policy") == NULL) {
        messages_prepare(run, NULL);
    } else if (previous == NULL) {
        messages_prepare(run, NULL);
        host_activate(run, need(run, r, "policy"));
    }
    act_for_status(run);
    status_check(run, "status", need(run, r, "status"), host_status(run));
}
