// The seed's limits and list: change requests under its names. Source: coordinator.md A3, A13, D15.
#include "coordinator/changes.h"
#include "coordinator/compat.h"
#include <inttypes.h>

// --- Parameters ---

// A whole number; sign and all that follows the digits make it unreadable.
static bool read_integer(struct bytes text, int64_t *out)
{
    struct reader r = reader_of(bytes_trim(text));
    const bool negative = reader_accept(&r, '-');
    uint64_t n;
    if (!reader_decimal64(&r, INT64_MAX, &n) || !reader_done(&r))
        return false;
    *out = negative ? -(int64_t)n : (int64_t)n;
    return true;
}

// "values are clamped, unreadable ones ignored". False: there is none.
static bool clamped(const struct call *c, const char *name, int64_t min, int64_t max, int64_t *out)
{
    int64_t n;
    if (!read_integer(call_parameter(c, name), &n))
        return false;
    *out = n < min ? min : n > max ? max : n;
    return true;
}

// --- Limits ---

struct asked {
    struct writer w;
    struct json_writer j;
    bool any;
};

static void ask_for(struct asked *a, const char *name, int64_t value)
{
    json_key(&a->j, name);
    json_i64(&a->j, value);
    a->any = true;
}

static struct asked asked_begin(struct call *c)
{
    struct asked a = { .w = writer_growing(c->arena, 4096) };
    return a;
}

enum outcome { OUTCOME_SAME, OUTCOME_PUBLISHED, OUTCOME_WAITS };

// Drafts the change, and publishes it where the caller may.
static bool change_to(struct call *c, const struct treasury_wallet *t, const char *kind,
                      struct bytes text, enum outcome *outcome, struct change_row *row,
                      struct err *err)
{
    const struct json *body;
    *outcome = OUTCOME_SAME;
    if (!json_parse(&body, text, c->arena, err))
        return false;
    if (!api_draft(c, t, bytes_of_text(kind), body, row, err))
        return code_of(err) == CODE_CONFLICT; // it is so already
    *outcome = OUTCOME_WAITS;
    if (row->loosening && !c->api->config->compat_demo)
        return true;
    *outcome = OUTCOME_PUBLISHED;
    return api_publish(c, row->id, row, err);
}

static bool get_global(struct call *c, const struct treasury_wallet *t, bool ok, const char *reason,
                       const struct change_row *row, struct err *err)
{
    struct velocity_view v;
    struct writer w;
    struct json_writer j = call_json(c, &w);
    json_begin_object(&j);
    json_key(&j, "ok");
    json_bool(&j, ok);
    if (!compat_write_global(c, &j, t->row.id, &v, err))
        return false;
    if (reason != NULL) {
        json_key(&j, "reason");
        json_text(&j, reason);
    }
    if (row != NULL) {
        json_key(&j, "change_id");
        json_text(&j, row->id);
        json_key(&j, "state");
        json_text(&j, change_state_name(row->state));
    }
    json_end_object(&j);
    call_reply(c, 200, &w);
    return true;
}

bool compat_post_globalpolicy(struct call *c, struct err *err)
{
    struct treasury_wallet t;
    struct velocity_view v;
    struct change_row row;
    enum outcome outcome;
    int64_t cap, minutes;
    struct asked a = asked_begin(c);
    a.j = json_writer_of(&a.w);
    if (!compat_wallet(c, &t, ROLE_POLICY_ADMIN, err) || !ledger_velocity(c->db, &v, t.row.id, err))
        return false;
    if (bytes_equal_text(call_parameter(c, "reset"), "1"))
        return get_global(c, &t, false, "what was spent is not forgotten", NULL, err);
    json_begin_object(&a.j);
    if (clamped(c, "per_period_sat", 546, 10000000000, &cap)) {
        ask_for(&a, "cap_auto_sat", cap);
        if ((uint64_t)cap > v.cap_surge.n)
            ask_for(&a, "cap_surge_sat", cap); // never below the automatic one
    }
    if (clamped(c, "period_min", 1, 10080, &minutes))
        ask_for(&a, "window_s", 60 * minutes);
    json_end_object(&a.j);
    if (!a.any)
        return get_global(c, &t, true, NULL, NULL, err);
    if (!change_to(c, &t, "caps", writer_bytes(&a.w), &outcome, &row, err))
        return false;
    return get_global(c, &t, true,
                      outcome == OUTCOME_WAITS ? "it waits for the approval of others" : NULL,
                      outcome == OUTCOME_SAME ? NULL : &row, err);
}

static void tell_outcome(struct writer *w, enum outcome outcome, const struct change_row *row)
{
    switch (outcome) {
    case OUTCOME_SAME:
        frame_log(w, "c", "That is in force already; nothing changes.");
        return;
    case OUTCOME_PUBLISHED:
        frame_log(w, "g", "Published as change %s; the signers are re-armed one after the other.",
                  row->id);
        return;
    case OUTCOME_WAITS:
        frame_log(w, "y", "Change %s loosens a limit: %u other people must approve it.", row->id,
                  row->needed);
        frame_log(w, "c", "Nothing has changed yet.");
        return;
    }
}

bool compat_post_policy(struct call *c, struct err *err)
{
    static const struct {
        const char *parameter;
        int64_t min, max;
    } rows[] = { { "max_sat", 546, 100000000 },
                 { "per_period_sat", 546, 1000000000 },
                 { "period_min", 1, 1440 } };
    struct treasury_wallet t;
    struct change_row row;
    struct change_policy p;
    enum outcome outcome;
    int64_t value;
    struct writer w = writer_growing(c->arena, 65536);
    struct asked a = asked_begin(c);
    a.j = json_writer_of(&a.w);
    if (!compat_wallet(c, &t, ROLE_POLICY_ADMIN, err) ||
        !change_policy_numbers(c->db, t.row.id, &p, err))
        return false;
    json_begin_object(&a.j);
    for (size_t i = 0; i < COUNT(rows); i++)
        if (clamped(c, rows[i].parameter, rows[i].min, rows[i].max, &value)) {
            ask_for(&a, rows[i].parameter, value);
            // The surge tier is never below the automatic one.
            if (i == 0 && (uint64_t)value > p.surge_max.n)
                ask_for(&a, "surge_max_sat", value);
            if (i == 0 && (uint64_t)value > p.surge_per_period.n)
                ask_for(&a, "surge_per_period_sat", value);
        }
    json_end_object(&a.j);
    frame_log(&w, "c", "Changing what each signer signs by itself.");
    if (!change_to(c, &t, "policy", writer_bytes(&a.w), &outcome, &row, err))
        return false;
    tell_outcome(&w, outcome, &row);
    frame_end(&w, false, (struct bytes){ 0 }, NULL);
    compat_end_stream(c, &w);
    return true;
}

bool compat_post_surgepolicy(struct call *c, struct err *err)
{
    struct treasury_wallet t;
    struct change_row row;
    struct change_policy p;
    struct velocity_view v;
    enum outcome outcome = OUTCOME_SAME, global = OUTCOME_SAME;
    int64_t value, max;
    struct writer w = writer_growing(c->arena, 65536);
    struct asked a = asked_begin(c), g = asked_begin(c);
    a.j = json_writer_of(&a.w);
    g.j = json_writer_of(&g.w);
    if (!compat_needs_session(c, err) || !compat_wallet(c, &t, ROLE_POLICY_ADMIN, err) ||
        !change_policy_numbers(c->db, t.row.id, &p, err) ||
        !ledger_velocity(c->db, &v, t.row.id, err))
        return false;
    max = (int64_t)p.surge_max.n;
    json_begin_object(&a.j);
    json_begin_object(&g.j);
    if (clamped(c, "max_sat", (int64_t)p.max.n, 1000000000, &value)) {
        ask_for(&a, "surge_max_sat", value);
        max = value;
    }
    if (clamped(c, "per_period_sat", max, 10000000000, &value))
        ask_for(&a, "surge_per_period_sat", value);
    else if (max > (int64_t)p.surge_per_period.n)
        ask_for(&a, "surge_per_period_sat", max);
    if (clamped(c, "global_per_period_sat", (int64_t)v.cap_auto.n, 10000000000, &value))
        ask_for(&g, "cap_surge_sat", value);
    json_end_object(&a.j);
    json_end_object(&g.j);
    frame_log(&w, "c", "Changing the surge tier.");
    if ((a.any && !change_to(c, &t, "policy", writer_bytes(&a.w), &outcome, &row, err)))
        return false;
    if (a.any)
        tell_outcome(&w, outcome, &row);
    if (g.any && !change_to(c, &t, "caps", writer_bytes(&g.w), &global, &row, err))
        return false;
    if (g.any)
        tell_outcome(&w, global, &row);
    frame_end(&w, false, (struct bytes){ 0 }, NULL);
    compat_end_stream(c, &w);
    return true;
}

bool compat_post_authorize(struct call *c, struct err *err)
{
    struct treasury_wallet t;
    struct change_row row;
    enum outcome outcome;
    const struct bytes address = bytes_trim(call_parameter(c, "addr"));
    struct writer w = writer_growing(c->arena, 65536), body = writer_growing(c->arena, 4096);
    struct json_writer j = json_writer_of(&body);
    if (!compat_needs_session(c, err) || !compat_wallet(c, &t, ROLE_POLICY_ADMIN, err))
        return false;
    if (address.len == 0 || address.len > 127 || !bytes_is_printable_ascii(address))
        return code_fail(err, CODE_BAD_REQUEST, "addr: is no address");
    json_begin_object(&j);
    json_key(&j, "name");
    json_string(&j, bytes_slice(address, 0, 64));
    json_key(&j, "address");
    json_string(&j, address);
    json_end_object(&j);
    frame_log(&w, "c", "Adding %.*s to the list of destinations.", BYTES_ARG(address));
    if (!change_to(c, &t, "destination.add", writer_bytes(&body), &outcome, &row, err))
        return false;
    tell_outcome(&w, outcome, &row);
    frame_end(&w, false, outcome == OUTCOME_WAITS ? (struct bytes){ 0 } : address, NULL);
    compat_end_stream(c, &w);
    return true;
}
