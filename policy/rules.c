// policy/rules.c
#include "policy/rules.h"

static bool entry_matches(const struct path_entry *entry, const struct keypath *path)
{
    switch (entry->kind) {
    case PATH_ANY:
        return true;
    case PATH_P2SH: // policy 3.2: "`p2sh` never matches a path, and `any` never implies `p2sh`."
        return false;
    case PATH_PATTERN:
        break;
    }
    return keypath_pattern_matches(&entry->pattern, path);
}

bool path_list_matches(const struct path_list *list, const struct keypath *path)
{
    for (size_t i = 0; i < list->n; i++)
        if (entry_matches(&list->entries[i], path))
            return true;
    return false;
}

bool path_list_has(const struct path_list *list, enum path_kind keyword)
{
    for (size_t i = 0; i < list->n; i++)
        if (list->entries[i].kind == keyword)
            return true;
    return false;
}

bool policy_shares_xpub(const struct policy *policy, const struct keypath *path)
{
    return path->depth == 0 || path_list_matches(&policy->share_xpubs, path);
}

bool policy_shares_address(const struct policy *policy, const struct keypath *path)
{
    return path_list_matches(&policy->share_addrs, path);
}

bool policy_shares_multisig_address(const struct policy *policy)
{
    return path_list_has(&policy->share_addrs, PATH_P2SH);
}

bool policy_wants_local_code(const struct policy *policy)
{
    for (size_t i = 0; i < policy->n_rules; i++)
        if (policy->rules[i].local_conf)
            return true;
    return false;
}

bool policy_can_be_left(const struct policy *policy)
{
    const struct bytes code = policy->boot_to_hsm;
    for (size_t i = 0; i < code.len; i++)
        if (code.ptr[i] < '0' || code.ptr[i] > '9')
            return false;
    return code.len == 0 || code.len == 6;
}

bool policy_names_user(const struct policy *policy, struct bytes name)
{
    for (size_t i = 0; i < policy->own.n_msg_users; i++)
        if (bytes_equal(policy->own.msg_users[i], name))
            return true;
    for (size_t i = 0; i < policy->n_rules; i++)
        for (size_t k = 0; k < policy->rules[i].n_users; k++)
            if (bytes_equal(policy->rules[i].users[k], name))
                return true;
    return false;
}

bool policy_names_wallet(const struct policy *policy, struct bytes name)
{
    // "1" is no name: it stands for "no multisig wallet".
    for (size_t i = 0; i < policy->n_rules; i++)
        if (bytes_equal(policy->rules[i].wallet, name))
            return name.len > 0 && !bytes_equal_text(name, "1");
    return false;
}

unsigned rule_period_min(const struct policy *policy, const struct rule *rule)
{
    if (!rule_counts(rule))
        return 0;
    return rule->own.period_min > 0 ? rule->own.period_min : policy->period_min;
}

bool rule_has_own_window(const struct rule *rule)
{
    return rule->own.period_min > 0 || rule->own.window == WINDOW_SLIDING;
}

bool rule_counts(const struct rule *rule)
{
    return rule->per_period.is_set || rule->own.max_txns > 0;
}

bool rule_lists_destinations(const struct rule *rule)
{
    return rule->n_whitelist > 0 || rule->own.n_scripts > 0 || rule->own.n_payees > 0;
}

uint64_t policy_max_refusals(const struct policy *policy)
{
    return policy->own.max_refusals > 0 ? policy->own.max_refusals : POLICY_REFUSALS_MAX;
}

bool policy_limits_messages(const struct policy *policy)
{
    return policy->own.n_msg_users > 0 || policy->own.msg_per_period > 0;
}

const char *shape_name(enum shape shape)
{
    static const char *const names[SHAPES] = {
        [SHAPE_EQ_NUM_INS_OUTS] = "EQ_NUM_INS_OUTS",
        [SHAPE_EQ_NUM_OWN_INS_OUTS] = "EQ_NUM_OWN_INS_OUTS",
        [SHAPE_EQ_OUT_AMOUNTS] = "EQ_OUT_AMOUNTS",
    };
    return names[shape];
}
