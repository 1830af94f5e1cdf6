// policy/lint_file.c -- what shows only in the text of a policy file: how its values are written.
#include "policy/lint.h"

static const char *const numbers_of_policy[] = { "period", "allow_sl" };
static const char *const numbers_of_rule[] = { "per_period", "max_amount", "min_users",
                                               "min_pct_self_transfer" };
static const char *const amounts_of_rule[] = { "per_period", "max_amount" };
static const char *const lists_of_rule[] = { "whitelist", "users" };
static const char *const bools_of_policy[] = { "must_log", "never_log", "priv_over_ux",
                                               "warnings_ok" };
static const char *const bools_of_rule[] = { "local_conf" };
static const char *const bools_of_opts[] = { "allow_zeroval_outs" };
// Of `casemate`, in a rule or in the policy.
static const char *const numbers_of_casemate[] = {
    "escape_tries",   "local_conf_ttl",    "max_fee", "max_refusals", "max_txns",
    "msg_per_period", "not_before_height", "period",  "totp_skew",
};
static const char *const bools_of_casemate[] = { "acknowledge_refusals", "attest_bound",
                                                 "count_fees", "dedupe", "hide_refusals" };
static const char *const lists_of_casemate[] = { "destinations", "msg_users", "scripts" };

// One object of the file.
struct place {
    struct lint *lint;
    const struct json *object;
    size_t rule;
};

static void look_at_numbers(const struct place *p, const char *const *keys, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct json *value = json_get(p->object, keys[i]);
        if (value != NULL && value->type == JSON_STRING)
            lint_add(p->lint, LINT_STRING_NUMBER, p->rule, "%s", keys[i]);
    }
}

// "what 2.4 rejects or bends": null and absent are the same everywhere, and no surprise.
static void look_at_bools(const struct place *p, const char *const *keys, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct json *value = json_get(p->object, keys[i]);
        if (value != NULL && value->type != JSON_TRUE && value->type != JSON_FALSE &&
            value->type != JSON_NULL)
            lint_add(p->lint, LINT_ODD_BOOL, p->rule, "%s", keys[i]);
    }
}

static bool has_point_or_exponent(const struct json *number)
{
    for (size_t i = 0; i < number->text.len; i++) {
        const uint8_t c = number->text.ptr[i];
        if (c == '.' || c == 'e' || c == 'E')
            return true;
    }
    return false;
}

static void look_at_amounts(const struct place *p)
{
    for (size_t i = 0; i < COUNT(amounts_of_rule); i++) {
        const struct json *value = json_get(p->object, amounts_of_rule[i]);
        if (value != NULL && value->type == JSON_NUMBER && has_point_or_exponent(value))
            lint_add(p->lint, LINT_FLOAT_AMOUNT, p->rule, "%s: %.*s", amounts_of_rule[i],
                     BYTES_ARG(value->text));
    }
}

static void look_at_lists(const struct place *p, const char *const *keys, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct json *value = json_get(p->object, keys[i]);
        if (value != NULL && value->type == JSON_ARRAY && value->n_items == 0)
            lint_add(p->lint, LINT_EMPTY_LIST, p->rule, "%s", keys[i]);
    }
}

static void look_at_casemate(const struct place *owner)
{
    const struct place p = { owner->lint, json_get(owner->object, "casemate"), owner->rule };
    look_at_numbers(&p, numbers_of_casemate, COUNT(numbers_of_casemate));
    look_at_bools(&p, bools_of_casemate, COUNT(bools_of_casemate));
    look_at_lists(&p, lists_of_casemate, COUNT(lists_of_casemate));
}

static void look_at_rule(struct lint *lint, const struct json *rule, size_t number)
{
    const struct place p = { lint, rule, number };
    const struct place opts = { lint, json_get(rule, "whitelist_opts"), number };
    look_at_numbers(&p, numbers_of_rule, COUNT(numbers_of_rule));
    look_at_amounts(&p);
    look_at_lists(&p, lists_of_rule, COUNT(lists_of_rule));
    look_at_casemate(&p);
    look_at_bools(&p, bools_of_rule, COUNT(bools_of_rule));
    if (opts.object != NULL)
        look_at_bools(&opts, bools_of_opts, COUNT(bools_of_opts));
}

void lint_file(struct lint *lint, const struct json *file)
{
    const struct place p = { lint, file, 0 };
    const struct json *rules = json_get(file, "rules");
    size_t number = 0;
    look_at_numbers(&p, numbers_of_policy, COUNT(numbers_of_policy));
    look_at_bools(&p, bools_of_policy, COUNT(bools_of_policy));
    look_at_casemate(&p);
    if (rules == NULL || rules->type != JSON_ARRAY)
        return;
    for (const struct json *rule = rules->items; rule != NULL; rule = rule->next)
        look_at_rule(lint, rule, ++number);
}
