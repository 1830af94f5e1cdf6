// policy/summary.c
//
// One function for each line or part of the grammar of policy.md 6.1, in its order.
#include "policy/summary.h"
#include "policy/canonical.h"
#include "policy/device_float.h"
#include "policy/extension.h"
#include "policy/percent.h"
#include "policy/users.h"

// --- Lists ---

static void put_names(struct writer *w, const struct bytes *names, size_t n, const char *between)
{
    for (size_t i = 0; i < n; i++) {
        writer_text(w, i == 0 ? "" : between);
        name_write(w, names[i]);
    }
}

static void put_paths(struct writer *w, const struct path_list *list)
{
    static const char *const keywords[] = { [PATH_ANY] = "(any path)", [PATH_P2SH] = "(any P2SH)" };
    for (size_t i = 0; i < list->n; i++) {
        const struct path_entry *entry = &list->entries[i];
        writer_text(w, i == 0 ? "" : " OR ");
        if (entry->kind == PATH_PATTERN)
            keypath_pattern_write(w, &entry->pattern);
        else
            writer_text(w, keywords[entry->kind]);
    }
}

// --- A rule's line ---

struct amounts {
    const struct chain *chain;
    enum unit unit;
};

static void put_up_to(struct writer *w, const char *before, struct sats_limit limit,
                      const struct amounts *in, const char *after)
{
    writer_text(w, before);
    sats_write_short(w, limit.max, in->chain, in->unit);
    writer_text(w, after);
}

static void put_limits(struct writer *w, const struct rule *rule, const struct amounts *in)
{
    if (rule->per_period.is_set) {
        put_up_to(w, "Up to ", rule->per_period, in, " per period");
        if (rule->max_amount.is_set)
            put_up_to(w, ", and up to ", rule->max_amount, in, " per txn");
    } else if (rule->max_amount.is_set) {
        put_up_to(w, "Up to ", rule->max_amount, in, " per txn");
    } else {
        writer_text(w, "Any amount");
    }
}

static void put_wallet(struct writer *w, const struct rule *rule)
{
    if (bytes_equal_text(rule->wallet, "1")) {
        writer_text(w, " (non multisig)");
    } else if (rule->wallet.len > 0) {
        writer_text(w, " from multisig wallet \"");
        name_write(w, rule->wallet);
        writer_text(w, "\"");
    }
}

static void put_users(struct writer *w, const struct rule *rule)
{
    const char *between = ", ";
    if (rule->n_users == 0) {
        writer_text(w, " will be approved");
        return;
    }
    writer_text(w, " may be authorized by ");
    if (rule->n_users == 1) {
        writer_text(w, "user: ");
    } else if (rule->min_users == rule->n_users) {
        writer_text(w, "all users: ");
    } else if (rule->min_users == 1) {
        writer_text(w, "any one user: ");
        between = " OR ";
    } else {
        writer_printf(w, "at least %zu users: ", rule->min_users);
    }
    put_names(w, rule->users, rule->n_users, between);
}

static void put_whitelist(struct writer *w, const struct rule *rule)
{
    if (rule->n_whitelist > 0) {
        writer_text(w, rule->mode == WHITELIST_ATTEST ? " if outputs attested by one of: "
                                                      : " provided it goes to: ");
        put_names(w, rule->whitelist, rule->n_whitelist, ", ");
    }
    if (rule->allow_zeroval_outs)
        writer_text(w, " while allowing outputs with zero value");
}

static void put_patterns(struct writer *w, const struct rule *rule)
{
    static const char *const texts[SHAPES] = {
        [SHAPE_EQ_NUM_INS_OUTS] = "the number of inputs and outputs must be equal",
        [SHAPE_EQ_NUM_OWN_INS_OUTS] = "the number of OWN inputs and outputs must be equal",
        [SHAPE_EQ_OUT_AMOUNTS] = "all outputs must have equal amounts",
    };
    if (rule->n_patterns > 0)
        writer_text(w, " with the following patterns: ");
    for (size_t i = 0; i < rule->n_patterns; i++)
        writer_printf(w, "%s; ", texts[rule->patterns[i]]);
}

static void put_rule(struct writer *w, const struct rule *rule, const struct amounts *in)
{
    put_limits(w, rule, in);
    put_wallet(w, rule);
    put_users(w, rule);
    put_whitelist(w, rule);
    if (rule->local_conf)
        writer_text(w, " if local user confirms");
    if (!percent_is_zero(rule->min_pct)) {
        writer_text(w, " if self-transfer percentage is at least ");
        hundredths_write(w, percent_hundredths(rule->min_pct));
    }
    put_patterns(w, rule);
}

// --- Sections ---

static void put_notes(struct writer *w, const struct policy *p)
{
    if (p->notes.len == 0)
        return;
    writer_text(w, "=-=\n");
    writer_put(w, p->notes);
    writer_text(w, "\n=-=\n");
}

static void put_transactions(struct writer *w, const struct policy *p, const struct amounts *in)
{
    writer_text(w, "\nTransactions:\n");
    if (p->n_rules == 0)
        writer_text(w, "- No transaction will be signed.\n");
    for (size_t i = 0; i < p->n_rules; i++) {
        writer_printf(w, "- Rule #%zu: ", i + 1);
        put_rule(w, &p->rules[i], in);
        writer_text(w, "\n");
        extension_lines_of_rule(w, &p->rules[i], i + 1, in->chain, in->unit);
    }
    extension_lines_of_policy(w, p, SECTION_TRANSACTIONS, in->chain, in->unit);
}

static void put_period(struct writer *w, const struct policy *p)
{
    if (p->period_min == 0)
        return;
    writer_printf(w, "\nVelocity Period:\n %u minutes", p->period_min);
    if (p->period_min >= 60) {
        writer_text(w, "\n = ");
        device_float_hours(w, p->period_min);
        writer_text(w, " hrs");
    }
    writer_text(w, "\n");
}

static void put_path_line(struct writer *w, const char *before, const struct path_list *list,
                          const char *after)
{
    if (list->n == 0)
        return;
    writer_text(w, before);
    put_paths(w, list);
    writer_text(w, after);
}

static void put_log(struct writer *w, const struct policy *p)
{
    if (p->never_log)
        writer_text(w, "- No logging.\n");
    else
        writer_printf(w, "- MicroSD card %s receive log entries.\n", p->must_log ? "MUST" : "will");
}

// `times` is never singular in the "will be updated" line.
static void put_locker(struct writer *w, const struct policy *p)
{
    if (p->set_sl.len > 0)
        writer_printf(w, "- Storage Locker will be updated, and can be read %u times.\n",
                      p->allow_sl);
    else if (p->allow_sl == 1)
        writer_text(w, "- Storage Locker can be read only once.\n");
    else if (p->allow_sl > 1)
        writer_printf(w, "- Storage Locker can be read only %u times.\n", p->allow_sl);
}

static void put_other(struct writer *w, const struct policy *p, const struct amounts *in)
{
    writer_text(w, "\nOther policy:\n");
    put_log(w, p);
    put_locker(w, p);
    if (p->warnings_ok)
        writer_text(w, "- PSBT warnings will be ignored.\n");
    put_path_line(w, "- XPUB values will be shared, if path matches: m OR ", &p->share_xpubs,
                  ".\n");
    put_path_line(w, "- Address values will be shared, if path matches: ", &p->share_addrs, ".\n");
    if (p->priv_over_ux)
        writer_text(w, "- Status responses optimized for privacy.\n");
    if (p->boot_to_hsm.len > 0)
        writer_text(w, "- Boot to HSM enabled.\n");
    extension_lines_of_policy(w, p, SECTION_OTHER, in->chain, in->unit);
}

void policy_summary(struct writer *w, const struct policy *policy, const struct chain *chain,
                    enum unit unit)
{
    const struct amounts in = { chain, unit };
    put_notes(w, policy);
    put_transactions(w, policy, &in);
    put_period(w, policy);
    writer_text(w, "\nMessage signing:\n");
    if (policy->msg_paths.n == 0)
        writer_text(w, "- Not allowed.\n");
    put_path_line(w, "- Allowed if path matches: ", &policy->msg_paths, "\n");
    extension_lines_of_policy(w, policy, SECTION_MESSAGES, chain, unit);
    put_other(w, policy, &in);
}

// --- Screens ---

void approval_first_write(struct writer *w, const struct policy *policy, const struct chain *chain,
                          enum unit unit)
{
    policy_summary(w, policy, chain, unit);
    writer_text(w, "\n\nPress OK to enable HSM mode.");
}

void approval_second_write(struct writer *w, const struct policy *policy, char digit)
{
    const struct hash256 hash = policy_hash(policy);
    writer_text(w, "Last chance. You are defining a new policy which allows the Coldcard to sign "
                   "specific transactions without any further user approval.\n\nPolicy hash:\n");
    writer_hex(w, BYTES_OF(hash.b));
    writer_text(w, "\n\n\n");
    if (!policy_can_be_left(policy))
        writer_text(w, "This policy can never be left.\n");
    writer_printf(w, "Press (%c) to save policy and enable HSM mode.", digit);
}

void approval_failed_write(struct writer *w, const struct err *err)
{
    writer_text(w, "Cannot start HSM.\n\n");
    // The error may quote the file, and this is the screen that people trust (D15).
    for (const char *c = err->text; *c != '\0'; c++)
        writer_u8(w, (uint8_t)*c < 0x20 || *c == 0x7f ? (uint8_t)'?' : (uint8_t)*c);
}
