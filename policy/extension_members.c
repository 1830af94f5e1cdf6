// policy/extension_members.c -- each member of `casemate`: what it reads, and how it is written.
#include "policy/extension_members.h"
#include "base/hex.h"
#include "policy/parse.h"
#include "policy/payees.h"
#include "policy/users.h"

#define SCRIPT_BYTES_MAX 10000 // consensus
#define SKEW_MAX         2880  // steps: a day

// --- max_fee: a limit of 0 is one ---

static bool read_max_fee(const struct owner *o, const struct fields *f,
                         const struct policy_world *world)
{
    (void)world;
    return field_integer(f, "max_fee", 0, SATS_MAX, &o->both->max_fee.is_set,
                         &o->both->max_fee.max.n);
}

static bool has_max_fee(const struct view *v)
{
    return v->both->max_fee.is_set;
}

static void put_max_fee(struct json_writer *j, const struct view *v)
{
    json_u64(j, v->both->max_fee.max.n);
}

static void text_of_max_fee(struct writer *w, const struct view *v)
{
    writer_text(w, "up to ");
    sats_write_short(w, v->both->max_fee.max, v->chain, v->unit);
    writer_text(w, " of network fee per txn");
}

// --- destinations, scripts: either makes the list of where money may go, with the whitelist ---

static bool read_destinations(const struct owner *o, const struct fields *f,
                              const struct policy_world *world)
{
    (void)world;
    return payees_read(&o->rule->own, f);
}

static bool has_destinations(const struct view *v)
{
    return v->rule->own.n_payees > 0;
}

static void put_destinations(struct json_writer *j, const struct view *v)
{
    payees_put(j, &v->rule->own);
}

static void text_of_destinations(struct writer *w, const struct view *v)
{
    const struct rule_extension *own = &v->rule->own;
    writer_printf(w, "%sprovided it goes to: ", v->rule->n_whitelist > 0 ? "or " : "");
    for (size_t i = 0; i < own->n_payees; i++)
        writer_printf(w, "%sdestination #%zu: %.*s, index %u to %u", i == 0 ? "" : ", ", i + 1,
                      BYTES_ARG(own->payees[i].descriptor), (unsigned)own->payees[i].first,
                      (unsigned)own->payees[i].last);
}

static int by_bytes(const void *a, const void *b)
{
    const struct bytes *x = a, *y = b;
    return bytes_compare(*x, *y);
}

static bool read_script(struct bytes *out, const struct fields *f, const struct json *item)
{
    const struct bytes shown = json_shown(item);
    const size_t len = item->text.len / 2;
    uint8_t *mem = arena_alloc(f->arena, len);
    if (mem == NULL)
        return fields_no_memory(f);
    if (item->type != JSON_STRING || len == 0 || len > SCRIPT_BYTES_MAX ||
        !hex_decode(mem, len, item->text))
        return fields_fail(f, "bad script value: %.*s", BYTES_ARG(shown));
    *out = bytes_of(mem, len);
    return true;
}

static bool read_scripts(const struct owner *o, const struct fields *f,
                         const struct policy_world *world)
{
    struct rule_extension *own = &o->rule->own;
    const struct json *list;
    (void)world;
    if (!field_list(f, "scripts", &list))
        return false;
    if (list == NULL)
        return true;
    struct bytes *scripts = arena_array(f->arena, list->n_items, sizeof *scripts);
    struct bytes *sorted = arena_array(f->arena, list->n_items, sizeof *sorted);
    if (scripts == NULL || sorted == NULL)
        return fields_no_memory(f);
    for (const struct json *item = list->items; item != NULL; item = item->next)
        if (!read_script(&scripts[own->n_scripts++], f, item))
            return false;
    memcpy(sorted, scripts, own->n_scripts * sizeof *sorted);
    qsort(sorted, own->n_scripts, sizeof *sorted, by_bytes);
    own->scripts = scripts;
    own->scripts_sorted = sorted;
    return true;
}

static bool has_scripts(const struct view *v)
{
    return v->rule->own.n_scripts > 0;
}

static void put_scripts(struct json_writer *j, const struct view *v)
{
    json_begin_array(j);
    for (size_t i = 0; i < v->rule->own.n_scripts; i++)
        json_hex(j, v->rule->own.scripts[i]);
    json_end_array(j);
}

static void text_of_scripts(struct writer *w, const struct view *v)
{
    const bool is_first = v->rule->n_whitelist == 0 && v->rule->own.n_payees == 0;
    writer_printf(w, "%sprovided it goes to: ", is_first ? "" : "or ");
    for (size_t i = 0; i < v->rule->own.n_scripts; i++) {
        writer_text(w, i == 0 ? "script " : ", script ");
        writer_hex(w, v->rule->own.scripts[i]);
    }
}

// --- window ---

static const char *const windows[] = { [WINDOW_FIXED] = "fixed", [WINDOW_SLIDING] = "sliding" };

static bool read_window(const struct owner *o, const struct fields *f,
                        const struct policy_world *world)
{
    struct bytes text = { NULL, 0 };
    (void)world;
    if (!field_text(f, "window", 1, 20, &text))
        return false;
    for (enum window w = WINDOW_FIXED; w <= WINDOW_SLIDING; w++)
        if (bytes_equal_text(text, windows[w]))
            o->rule->own.window = w;
    return text.len == 0 || o->rule->own.window != WINDOW_UNSET ||
           fields_fail(f, "window: must be fixed or sliding");
}

static bool has_window(const struct view *v)
{
    return v->rule->own.window != WINDOW_UNSET;
}

static void put_window(struct json_writer *j, const struct view *v)
{
    json_text(j, windows[v->rule->own.window]);
}

static void text_of_window(struct writer *w, const struct view *v)
{
    writer_text(w, v->rule->own.window == WINDOW_SLIDING
                       ? "its period is at any time the one just past"
                       : "its period begins with the first txn");
}

// --- msg_users ---

static bool read_msg_users(const struct owner *o, const struct fields *f,
                           const struct policy_world *world)
{
    return users_read(&o->policy->own.msg_users, &o->policy->own.n_msg_users, f, "msg_users",
                      world) &&
           no_user_twice(o->policy->own.msg_users, o->policy->own.n_msg_users, f);
}

static bool has_msg_users(const struct view *v)
{
    return v->policy->own.n_msg_users > 0;
}

static void put_msg_users(struct json_writer *j, const struct view *v)
{
    json_begin_array(j);
    for (size_t i = 0; i < v->policy->own.n_msg_users; i++)
        json_string(j, v->policy->own.msg_users[i]);
    json_end_array(j);
}

static void text_of_msg_users(struct writer *w, const struct view *v)
{
    const struct policy_extension *own = &v->policy->own;
    writer_text(w, own->n_msg_users == 1 ? "must be authorized by user: "
                                         : "must be authorized by all users: ");
    for (size_t i = 0; i < own->n_msg_users; i++) {
        writer_text(w, i == 0 ? "" : ", ");
        name_write(w, own->msg_users[i]);
    }
}

// --- totp_skew: 0 is a distance ---

static bool read_totp_skew(const struct owner *o, const struct fields *f,
                           const struct policy_world *world)
{
    uint64_t n = 0;
    (void)world;
    if (!field_integer(f, "totp_skew", 0, SKEW_MAX, &o->policy->own.has_totp_skew, &n))
        return false;
    o->policy->own.totp_skew = (unsigned)n;
    return true;
}

static bool has_totp_skew(const struct view *v)
{
    return v->policy->own.has_totp_skew;
}

static void put_totp_skew(struct json_writer *j, const struct view *v)
{
    json_u64(j, v->policy->own.totp_skew);
}

static void text_of_totp_skew(struct writer *w, const struct view *v)
{
    writer_printf(
        w, "TOTP codes must be of the signer's own time, give or take %u steps of 30 seconds",
        v->policy->own.totp_skew);
}

// --- All of them, by name ---

// NOLINTBEGIN(bugprone-macro-parentheses): what they are given are initialisers
#define BOOL(...)   BOOL_(__VA_ARGS__)
#define NUMBER(...) NUMBER_(__VA_ARGS__)
#define BOOL_(part_, at_, line_, section_)                                                         \
    .part = part_, .kind = KIND_BOOL, .at = at_, .line = line_, .section = section_
#define NUMBER_(part_, at_, max_, line_, section_)                                                 \
    .part = part_, .kind = KIND_NUMBER, .at = at_, .max = max_, .line = line_, .section = section_
#define SPECIAL(part_, name_, section_)                                                            \
    .part = part_, .section = section_, .read = read_##name_, .is_set = has_##name_,               \
    .put = put_##name_, .text = text_of_##name_
// NOLINTEND(bugprone-macro-parentheses)
#define BOTH(member)   PART_BOTH, offsetof(struct extension, member)
#define RULE(member)   PART_RULE, offsetof(struct rule_extension, member)
#define POLICY(member) PART_POLICY, offsetof(struct policy_extension, member)

#define TX    SECTION_TRANSACTIONS
#define MSG   SECTION_MESSAGES
#define OTHER SECTION_OTHER

const struct member extension_members[EXTENSION_MEMBERS] = {
    { "acknowledge_refusals", BOOL(POLICY(acknowledge_refusals),
                                   "the last refusal blocks signing until the operator "
                                   "acknowledges it",
                                   OTHER) },
    { "attest_bound",
      BOOL(RULE(attest_bound), "an attestation is good for one output of one transaction", TX) },
    { "count_fees", BOOL(BOTH(count_fees), "the network fee counts in its limits", TX) },
    { "dedupe", BOOL(POLICY(dedupe), "the same transaction counts once in a period", TX) },
    { "destinations", SPECIAL(PART_RULE, destinations, TX) },
    { "escape_tries",
      NUMBER(POLICY(escape_tries), 1000000, "wrong codes that end the escape window: %", OTHER) },
    { "hide_refusals", BOOL(POLICY(hide_refusals),
                            "status responses optimized for privacy hide approvals and "
                            "refusals",
                            OTHER) },
    { "local_conf_ttl",
      NUMBER(POLICY(local_conf_ttl_s), 86400, "the local user's code is good for % seconds", TX) },
    { "max_fee", SPECIAL(PART_BOTH, max_fee, TX) },
    { "max_refusals",
      NUMBER(POLICY(max_refusals), 1000000, "the last refusal is number %", OTHER) },
    { "max_txns", NUMBER(RULE(max_txns), 1000000, "txns per period: %", TX) },
    { "msg_per_period", NUMBER(POLICY(msg_per_period), 1000000, "messages per period: %", MSG) },
    { "msg_users", SPECIAL(PART_POLICY, msg_users, MSG) },
    { "not_before_height",
      NUMBER(RULE(not_before_height), 210000, "locked until % blocks after its last txn", TX) },
    { "period", NUMBER(RULE(period_min), 525600, "a period of its own: % minutes", TX) },
    { "scripts", SPECIAL(PART_RULE, scripts, TX) },
    { "totp_skew", SPECIAL(PART_POLICY, totp_skew, TX) },
    { "window", SPECIAL(PART_RULE, window, TX) },
};
