#include "policy/lint.h"
#include "bitcoin/address.h"
#include "policy/device_float.h"
#include "policy/percent.h"
#include <inttypes.h>
#include <stdarg.h>

#define TEXT_MAX 512

static const struct {
    const char *name, *explanation;
} codes[LINT_CODES] = {
    [LINT_SHADOWED] = { "shadowed", "The rule can never be reached: an earlier one approves all "
                                    "that it would approve." },
    [LINT_APPROVE_ALL] = { "approve-all", "The rule has no condition: it approves everything." },
    [LINT_ZERO_LIMIT] = { "zero-limit", "A limit of 0 allows nothing to leave. A Coldcard forgets "
                                        "it at its next start, and then has no limit." },
    [LINT_FEES_UNLIMITED] = { "fees-unlimited",
                              "The network fee is outside the limits of money: up to the signer's "
                              "fee limit, a part of the change may go to a miner." },
    [LINT_EMPTY_LIST] = { "empty-list", "An empty list is no restriction." },
    [LINT_WRONG_NETWORK] = { "wrong-network", "The address is of another chain: no output of this "
                                              "one ever matches it." },
    [LINT_DUPLICATE_ADDRESS] = { "duplicate-address", "The address is listed twice." },
    [LINT_NO_ESCAPE] = { "no-escape",
                         "boot_to_hsm is not six digits: no keypad can enter it, so the "
                         "policy can never be left." },
    [LINT_WEAK_ESCAPE] = { "weak-escape", "The escape code is among the first that are guessed." },
    [LINT_WARNINGS_OK] = { "warnings-ok", "Transactions with warnings are signed, too." },
    [LINT_NO_LOG] = { "no-log", "Nothing is logged on the card." },
    [LINT_LOG_OPTIONAL] = { "log-optional",
                            "Without a card nothing is logged, and signing goes on." },
    [LINT_ANY_PATH] = { "any-path", "Every path is allowed." },
    [LINT_FLOAT_AMOUNT] = { "float-amount",
                            "A Coldcard reads an amount with a point or an exponent "
                            "as floating point and may lose its last digits." },
    [LINT_FLOAT_HASH] = { "float-hash", "The device, its simulator and other programs print the "
                                        "percentage differently, so their hashes differ." },
    [LINT_STRING_NUMBER] = { "string-number",
                             "A quoted number is no number: the policy is refused." },
    [LINT_ODD_BOOL] = { "odd-bool",
                        "Neither true nor false: what a Coldcard makes of it may surprise." },
    [LINT_UNUSED_PERIOD] = { "unused-period",
                             "Nothing is counted in the period (no per_period, no max_txns), so it "
                             "limits nothing." },
    [LINT_UNBOUND_CODE] = { "unbound-code",
                            "A one-time code does not say for which transaction it is: "
                            "whoever passes it on may use it for another." },
    [LINT_HMAC_SERIAL] = { "hmac-serial",
                           "Passwords are bound to the serial number of the signer for "
                           "which they were made." },
    [LINT_MIN_ONE] = { "min-one", "Any one of many users is enough: the weakest of them decides." },
    [LINT_ZEROVAL_WARNING] = { "zeroval-warning",
                               "An output without value is a warning unless it is OP_RETURN, and "
                               "warnings are refused: warnings_ok is not set." },
    [LINT_LOCKER_WEAK] = { "locker-weak",
                           "The hash of the locker's value is public: a value that can "
                           "be guessed can be found." },
    [LINT_WALLET_NAMED_1] = { "wallet-named-1", "A wallet has the name by which rules mean \"no "
                                                "multisig wallet\"." },
    [LINT_FRESH_HEIGHT] = { "fresh-height",
                            "A fresh policy remembers no height, so heights long past will do, one "
                            "after the other: sign one with the height of today before a host may "
                            "ask." },
};

const char *lint_code_name(enum lint_code code)
{
    return codes[code].name;
}

const char *lint_explanation(enum lint_code code)
{
    return codes[code].explanation;
}

void lint_add(struct lint *lint, enum lint_code code, size_t rule, const char *fmt, ...)
{
    char text[TEXT_MAX];
    va_list args;
    struct bytes copy;
    if (lint->n++ >= LINT_FINDINGS_MAX)
        return;
    va_start(args, fmt);
    const int len = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    const size_t shown = len < 0 ? 0 : (size_t)len < sizeof text ? (size_t)len : sizeof text - 1;
    if (!arena_copy(lint->arena, bytes_of(text, shown), &copy))
        copy = bytes_of(NULL, 0);
    lint->findings[lint->n - 1] = (struct lint_finding){ code, rule, copy };
}

static void lint_shadowed(struct lint *lint, const struct policy *policy)
{
    for (size_t later = 1; later < policy->n_rules; later++)
        for (size_t earlier = 0; earlier < later; earlier++)
            if (rule_is_shadowed(&policy->rules[later], &policy->rules[earlier])) {
                lint_add(lint, LINT_SHADOWED, later + 1, "rule #%zu approves all that it would",
                         earlier + 1);
                break;
            }
}

// --- Each rule ---

static bool has_clause(const struct rule *r)
{
    return rule_counts(r) || r->max_amount.is_set || r->n_users > 0 || rule_lists_destinations(r) ||
           r->own.not_before_height > 0 || r->local_conf || r->wallet.len > 0 ||
           !percent_is_zero(r->min_pct) || r->n_patterns > 0 || r->terms.max_fee.is_set;
}

static void lint_addresses(struct lint *lint, const struct rule *rule, size_t number,
                           const struct chain *chain)
{
    for (size_t i = 0; i < rule->n_whitelist; i++) {
        uint8_t mem[64];
        struct writer script = writer_of(mem, sizeof mem);
        struct err ignored;
        if (chain != NULL && !address_to_script(&script, rule->whitelist[i], chain, &ignored))
            lint_add(lint, LINT_WRONG_NETWORK, number, "%.*s on %s", BYTES_ARG(rule->whitelist[i]),
                     chain->code);
    }
    for (size_t i = 1; i < rule->n_whitelist; i++) {
        const struct bytes *sorted = rule->whitelist_sorted;
        if (bytes_equal(sorted[i - 1], sorted[i]) &&
            (i == 1 || !bytes_equal(sorted[i - 2], sorted[i])))
            lint_add(lint, LINT_DUPLICATE_ADDRESS, number, "%.*s", BYTES_ARG(sorted[i]));
    }
}

static const struct lint_user *find_user(const struct lint_world *world, struct bytes name)
{
    for (size_t i = 0; i < world->n_users; i++)
        if (bytes_equal(world->users[i].name, name))
            return &world->users[i];
    return NULL;
}

static void lint_users(struct lint *lint, const struct rule *rule, size_t number,
                       const struct lint_world *world)
{
    size_t n_codes = 0;
    bool has_password = false;
    for (size_t i = 0; i < rule->n_users; i++) {
        const struct lint_user *user = find_user(world, rule->users[i]);
        const enum user_mode mode = user != NULL ? user->mode : USER_NONE;
        n_codes += mode == USER_TOTP || mode == USER_HOTP;
        has_password |= mode == USER_PASSWORD;
    }
    if (rule->n_users > 0 && n_codes == rule->n_users)
        lint_add(lint, LINT_UNBOUND_CODE, number, "all of its users have one-time codes");
    if (has_password && world->serial.len > 0 && world->password_serial.len > 0 &&
        !bytes_equal(world->serial, world->password_serial))
        lint_add(lint, LINT_HMAC_SERIAL, number, "made for %.*s, to be used with %.*s",
                 BYTES_ARG(world->password_serial), BYTES_ARG(world->serial));
    if (rule->min_users == 1 && rule->n_users > 3)
        lint_add(lint, LINT_MIN_ONE, number, "1 of %zu", rule->n_users);
}

static void lint_rule(struct lint *lint, const struct policy *policy, size_t index,
                      const struct lint_world *world)
{
    const struct rule *rule = &policy->rules[index];
    const size_t number = index + 1;
    if (!has_clause(rule))
        lint_add(lint, LINT_APPROVE_ALL, number, "any amount, to anywhere");
    if (rule->per_period.is_set && rule->per_period.max.n == 0)
        lint_add(lint, LINT_ZERO_LIMIT, number, "per_period");
    if (rule->max_amount.is_set && rule->max_amount.max.n == 0)
        lint_add(lint, LINT_ZERO_LIMIT, number, "max_amount");
    if ((rule->per_period.is_set || rule->max_amount.is_set) && !rule->terms.count_fees &&
        !rule->terms.max_fee.is_set)
        lint_add(lint, LINT_FEES_UNLIMITED, number, "its limits do not count the fee");
    if (!percent_is_zero(rule->min_pct) && !device_float_agrees(rule->min_pct))
        lint_add(lint, LINT_FLOAT_HASH, number, "min_pct_self_transfer");
    if (!rule_counts(rule) && (rule->own.period_min > 0 || rule->own.window != WINDOW_UNSET))
        lint_add(lint, LINT_UNUSED_PERIOD, number, "nothing counts in its own");
    if (rule->allow_zeroval_outs && !policy->warnings_ok)
        lint_add(lint, LINT_ZEROVAL_WARNING, number, "allow_zeroval_outs");
    if (rule->own.not_before_height > 0)
        lint_add(lint, LINT_FRESH_HEIGHT, number, "locktime %u will do for its first transaction",
                 rule->own.not_before_height);
    lint_addresses(lint, rule, number, world->chain);
    lint_users(lint, rule, number, world);
}

// --- The policy ---

static bool is_one_step(struct bytes code, int step)
{
    for (size_t i = 1; i < code.len; i++)
        if (code.ptr[i] - code.ptr[i - 1] != step)
            return false;
    return true;
}

static bool is_repetition(struct bytes code)
{
    for (size_t part = 1; part <= 3; part++) {
        bool same = code.len % part == 0;
        for (size_t i = part; i < code.len && same; i++)
            same = code.ptr[i] == code.ptr[i - part];
        if (same)
            return true;
    }
    return false;
}

static void lint_escape(struct lint *lint, const struct policy *policy)
{
    const struct bytes code = policy->boot_to_hsm;
    if (code.len == 0)
        return;
    if (!policy_can_be_left(policy))
        lint_add(lint, LINT_NO_ESCAPE, 0, "boot_to_hsm");
    else if (is_repetition(code) || is_one_step(code, 1) || is_one_step(code, -1))
        lint_add(lint, LINT_WEAK_ESCAPE, 0, "repeated or sequential digits");
}

// About how many bits a guesser has to go through, tenths of them. A character that repeats or follows
// the one before adds nothing; words add two bits a letter.
static unsigned locker_bits10(struct bytes text)
{
    static const unsigned digits = 33, one_case = 47, both_cases = 57, mixed = 60;
    size_t fresh = 0;
    bool lower = false, upper = false, digit = false, other = false;
    for (size_t i = 0; i < text.len; i++) {
        const uint8_t c = text.ptr[i];
        const int step = i > 0 ? c - text.ptr[i - 1] : 2;
        fresh += step < -1 || step > 1;
        lower |= c >= 'a' && c <= 'z';
        upper |= c >= 'A' && c <= 'Z';
        digit |= c >= '0' && c <= '9';
        other |= !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9');
    }
    if (!digit && !(lower && upper))
        return (unsigned)fresh * 20;
    const unsigned each = !lower && !upper && !other  ? digits
                          : lower + upper + other > 1 ? (digit ? mixed : both_cases)
                                                      : one_case;
    return (unsigned)fresh * each;
}

static void lint_paths(struct lint *lint, const struct path_list *list, const char *name)
{
    if (path_list_has(list, PATH_ANY))
        lint_add(lint, LINT_ANY_PATH, 0, "%s", name);
}

static void lint_whole(struct lint *lint, const struct policy *policy,
                       const struct lint_world *world)
{
    bool has_period = policy->own.msg_per_period > 0;
    for (size_t i = 0; i < policy->n_rules; i++)
        has_period |= rule_counts(&policy->rules[i]) && policy->rules[i].own.period_min == 0;
    lint_escape(lint, policy);
    if (policy->warnings_ok)
        lint_add(lint, LINT_WARNINGS_OK, 0, "warnings_ok");
    if (policy->never_log)
        lint_add(lint, LINT_NO_LOG, 0, "never_log");
    else if (!policy->must_log)
        lint_add(lint, LINT_LOG_OPTIONAL, 0, "must_log is not set");
    lint_paths(lint, &policy->msg_paths, "msg_paths");
    lint_paths(lint, &policy->share_xpubs, "share_xpubs");
    lint_paths(lint, &policy->share_addrs, "share_addrs");
    if (policy->period_min > 0 && !has_period)
        lint_add(lint, LINT_UNUSED_PERIOD, 0, "%u minutes", policy->period_min);
    if (policy->set_sl.len > 0 && locker_bits10(policy->set_sl) < 640)
        lint_add(lint, LINT_LOCKER_WEAK, 0, "about %u bits", locker_bits10(policy->set_sl) / 10);
    for (size_t i = 0; i < world->n_wallets; i++)
        if (bytes_equal_text(world->wallets[i], "1"))
            lint_add(lint, LINT_WALLET_NAMED_1, 0, "a registered wallet");
}

static int by_code(const void *a, const void *b)
{
    const struct lint_finding *x = a, *y = b;
    if (x->code != y->code)
        return x->code < y->code ? -1 : 1;
    return (x->rule > y->rule) - (x->rule < y->rule);
}

bool policy_lint(struct lint *out, const struct policy *policy, struct bytes file,
                 const struct lint_world *world, struct arena *arena, struct err *err)
{
    const struct json *json;
    struct lint lint = { .arena = arena };
    lint.findings = arena_array(arena, LINT_FINDINGS_MAX, sizeof *lint.findings);
    if (lint.findings == NULL)
        return err_set(err, ERR_NO_MEMORY, "no memory for what lint finds");
    if (!json_parse(&json, file, arena, err))
        return false;
    lint_file(&lint, json);
    if (policy != NULL) {
        lint_shadowed(&lint, policy);
        for (size_t i = 0; i < policy->n_rules; i++)
            lint_rule(&lint, policy, i, world);
        lint_whole(&lint, policy, world);
    }
    qsort(lint.findings, lint.n < LINT_FINDINGS_MAX ? lint.n : LINT_FINDINGS_MAX,
          sizeof *lint.findings, by_code);
    *out = lint;
    return true;
}
