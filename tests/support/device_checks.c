#include "tests/support/device_checks.h"

void check_content(struct reply reply, enum reply_id id, const char *text, const char *file,
                   int line)
{
    _assert_string_equal(reply_code(reply.id), reply_code(id), file, line);
    test_assert_bytes_equal(reply.data, bytes_of_text(text), file, line);
}

// --- Status ---

const struct json *rig_status(struct rig_host *host)
{
    const struct json *status;
    struct err err;
    assert_true(json_parse(&status, rig_status_text(host), test_arena(), &err));
    return status;
}

static struct bytes member(struct rig_host *host, const char *key)
{
    const struct json *value = json_get(rig_status(host), key);
    struct writer w = writer_growing(test_arena(), 1u << 20);
    struct json_writer j = json_writer_of(&w);
    if (value == NULL)
        return BYTES("absent");
    json_value(&j, value);
    return writer_bytes(&w);
}

void check_status(struct rig_host *host, const char *key, const char *json, const char *file,
                  int line)
{
    test_assert_bytes_equal(member(host, key), bytes_of_text(json), file, line);
}

static int compare_keys(const void *a, const void *b)
{
    const struct json *const *x = a, *const *y = b;
    return bytes_compare((*x)->key, (*y)->key);
}

static const char *keys_of(const struct json *object, const char *except)
{
    const struct json *keys[32];
    struct writer w = writer_growing(test_arena(), 4096);
    size_t n = 0;
    for (const struct json *m = object->items; m != NULL && n < COUNT(keys); m = m->next) {
        if (!bytes_equal_text(m->key, except))
            keys[n++] = m;
    }
    qsort(keys, n, sizeof keys[0], compare_keys);
    for (size_t i = 0; i < n; i++)
        writer_printf(&w, "%s%.*s", i == 0 ? "" : " ", BYTES_ARG(keys[i]->key));
    writer_u8(&w, 0);
    return (const char *)writer_bytes(&w).ptr;
}

const char *rig_status_keys(struct rig_host *host)
{
    return keys_of(rig_status(host), "casemate");
}

const char *rig_casemate_keys(struct rig_host *host)
{
    const struct json *own = json_get(rig_status(host), "casemate");
    assert_non_null(own);
    return keys_of(own, "");
}

// --- Decisions ---

struct counts {
    uint64_t approvals, refusals, queued;
    bool has_code;
    uint8_t secret[HSM_LOCAL_SECRET_LEN];
    struct bytes last_refusal; // null: none
};

static struct counts counts_of(const struct device_rig *rig)
{
    const struct hsm *hsm = rig->device.hsm;
    struct counts c = { .approvals = hsm->counters.approvals,
                        .refusals = hsm->counters.refusals,
                        .queued = hsm->queue.n,
                        .has_code = hsm->has_code };
    memcpy(c.secret, hsm->local_secret, sizeof c.secret);
    if (hsm->last_refusal != NULL)
        assert_true(arena_copy(test_arena(), bytes_of_text(hsm->last_refusal), &c.last_refusal));
    return c;
}

static bool same_counts(const struct counts *a, const struct counts *b)
{
    return a->approvals == b->approvals && a->refusals == b->refusals && a->queued == b->queued &&
           a->has_code == b->has_code && memcmp(a->secret, b->secret, sizeof a->secret) == 0 &&
           (a->last_refusal.ptr == NULL) == (b->last_refusal.ptr == NULL) &&
           bytes_equal(a->last_refusal, b->last_refusal);
}

static const char *const results[] = { [RIG_REFUSED] = "refused",
                                       [RIG_SIGNED] = "signed",
                                       [RIG_FAILED] = "failed",
                                       [RIG_WAITING] = "waiting" };

static void check_outcome(const struct device_rig *rig, struct rig_outcome got,
                          enum rig_result expected, const char *file, int line)
{
    if (got.result == expected)
        return;
    const struct hsm *hsm = rig->device.hsm;
    const char *refusal = hsm != NULL && hsm->last_refusal != NULL ? hsm->last_refusal : "";
    print_error("%s:%d: %s: %.*s%s, not %s\n", file, line, results[got.result],
                got.result == RIG_FAILED ? (int)got.data.len : 0, (const char *)got.data.ptr,
                got.result == RIG_REFUSED ? refusal : "", results[expected]);
    _fail(file, line);
}

struct bytes check_signs(struct rig_host *host, struct bytes psbt, const char *file, int line)
{
    const struct counts before = counts_of(host->rig);
    const struct rig_outcome got = rig_sign(host, psbt, 0);
    check_outcome(host->rig, got, RIG_SIGNED, file, line);
    const struct counts after = counts_of(host->rig);
    _assert_int_equal(after.approvals, before.approvals + 1, file, line);
    _assert_int_equal(after.refusals, before.refusals, file, line);
    check_status(host, "last_refusal", "null", file, line);
    return got.data;
}

void check_refuses(struct rig_host *host, struct bytes psbt, const char *text, const char *file,
                   int line)
{
    const struct counts before = counts_of(host->rig);
    check_outcome(host->rig, rig_sign(host, psbt, 0), RIG_REFUSED, file, line);
    const struct counts after = counts_of(host->rig);
    _assert_int_equal(after.approvals, before.approvals, file, line);
    _assert_int_equal(after.refusals, before.refusals + 1, file, line);
    const char *last = host->rig->device.hsm->last_refusal;
    test_assert_bytes_equal(bytes_of_text(last), bytes_of_text(text), file, line);
}

void check_fails(struct rig_host *host, struct bytes psbt, const char *text, const char *file,
                 int line)
{
    const struct counts before = counts_of(host->rig);
    const struct rig_outcome got = rig_sign(host, psbt, 0);
    check_outcome(host->rig, got, RIG_FAILED, file, line);
    test_assert_bytes_equal(got.data, bytes_of_text(text), file, line);
    const struct counts after = counts_of(host->rig);
    if (!same_counts(&before, &after)) {
        print_error("%s:%d: an error changed counters, last refusal, queue or local code\n", file,
                    line);
        _fail(file, line);
    }
}

// --- Screen ---

void check_screen(struct device_rig *rig, const char *title, const char *text, const char *file,
                  int line)
{
    const struct panel_screen screen = rig_screen(rig);
    test_assert_bytes_equal(screen.title, bytes_of_text(title), file, line);
    test_assert_bytes_equal(screen.text, bytes_of_text(text), file, line);
}
