// What is odd in a policy, and the worst case: policy.md 23.
#include "cli/policy_file.h"
#include "cli/verbs.h"
#include "policy/exposure.h"
#include "policy/lint.h"

#define EXPOSURE_MAX ((size_t)4 << 20)

static bool read_lint(struct lint *out, struct cli *cli, const struct policy_file *file,
                      const struct policy *policy, struct err *err)
{
    const struct options *o = cli->o;
    struct lint_user *users = arena_array(cli->arena, file->users.n, sizeof *users);
    if (users == NULL)
        return err_set(err, ERR_NO_MEMORY, "no memory for the users");
    for (size_t i = 0; i < file->users.n; i++)
        users[i] = (struct lint_user){ file->users.items[i], file->users.modes[i] };
    const struct lint_world world = { .chain = file->chain,
                                      .n_users = file->users.n,
                                      .users = users,
                                      .n_wallets = file->wallets.n,
                                      .wallets = file->wallets.items,
                                      .password_serial = bytes_of_text(o->made_for),
                                      .serial = bytes_of_text(o->used_on) };
    return policy_lint(out, policy, file->text, &world, cli->arena, err);
}

// --- As text ---

static void print_findings(struct cli *cli, const struct lint *lint)
{
    size_t shown = lint->n < LINT_FINDINGS_MAX ? lint->n : LINT_FINDINGS_MAX;
    for (size_t i = 0; i < shown; i++) {
        const struct lint_finding *f = &lint->findings[i];
        if (i == 0 || f[-1].code != f->code)
            cli_print(cli, "%s%s: %s\n", i == 0 ? "" : "\n", lint_code_name(f->code),
                      lint_explanation(f->code));
        if (f->rule == 0)
            cli_print(cli, "- %.*s\n", BYTES_ARG(f->text));
        else
            cli_print(cli, "- Rule #%zu: %.*s\n", f->rule, BYTES_ARG(f->text));
    }
    if (lint->n > shown)
        cli_print(cli, "\nand %zu more\n", lint->n - shown);
    if (lint->n == 0)
        cli_print(cli, "Nothing to warn of.\n");
}

static bool print_exposure(struct cli *cli, const struct policy_file *file, struct err *err)
{
    struct writer w = writer_growing(cli->arena, EXPOSURE_MAX);
    struct bytes text;
    if (!exposure_write_all(&w, &file->policy, file->chain, UNIT_COIN, cli->arena) ||
        !writer_finish(&w, &text))
        return err_set(err, ERR_NO_MEMORY, "the worst case is too long");
    cli_print(cli, "\n");
    cli_print_bytes(cli, text);
    return true;
}

// --- As JSON: amounts in satoshi, null without a limit ---

static void put_most(struct json_writer *j, const char *key, struct most most)
{
    json_key(j, key);
    if (most.is_limited)
        json_u64(j, most.max.n);
    else
        json_null(j);
}

static void put_exposure(struct json_writer *j, const struct exposure *e)
{
    put_most(j, "per_transaction", e->per_tx);
    put_most(j, "per_period", e->per_period);
    put_most(j, "per_day", e->per_day);
    json_end_object(j);
}

static void put_help(struct json_writer *j, const struct policy *policy, const char *who,
                     struct helpers helpers)
{
    const struct exposure e = exposure_of(policy, &helpers);
    json_begin_object(j);
    json_key(j, "help");
    json_text(j, who);
    if (helpers.user.len > 0) {
        json_key(j, "user");
        json_string(j, helpers.user);
    }
    put_exposure(j, &e);
}

static bool put_worst_case(struct cli *cli, const struct policy *policy, struct err *err)
{
    struct json_writer *j = &cli->result;
    const struct bytes *users;
    size_t n;
    if (!exposure_users(policy, &users, &n, cli->arena))
        return err_set(err, ERR_NO_MEMORY, "the worst case is too long");
    cli_key(cli, "rules");
    json_begin_array(j);
    for (size_t i = 0; i < policy->n_rules; i++) {
        const struct exposure e = exposure_of_rule(policy, i);
        json_begin_object(j);
        json_key(j, "rule");
        json_u64(j, i + 1);
        put_exposure(j, &e);
    }
    json_end_array(j);
    cli_key(cli, "worst_case");
    json_begin_array(j);
    put_help(j, policy, "nobody", (struct helpers){ 0 });
    put_help(j, policy, "operator", (struct helpers){ .operator = true });
    for (size_t i = 0; i < n; i++)
        put_help(j, policy, "user", (struct helpers){ .user = users[i] });
    put_help(j, policy, "everybody", (struct helpers){ .everybody = true });
    json_end_array(j);
    return true;
}

static void put_findings(struct cli *cli, const struct lint *lint)
{
    struct json_writer *j = &cli->result;
    cli_number(cli, "n_findings", lint->n);
    cli_key(cli, "findings");
    json_begin_array(j);
    for (size_t i = 0; i < lint->n && i < LINT_FINDINGS_MAX; i++) {
        const struct lint_finding *f = &lint->findings[i];
        json_begin_object(j);
        json_key(j, "code");
        json_text(j, lint_code_name(f->code));
        json_key(j, "rule");
        if (f->rule > 0)
            json_u64(j, f->rule);
        else
            json_null(j);
        json_key(j, "text");
        json_string(j, f->text);
        json_key(j, "explanation");
        json_text(j, lint_explanation(f->code));
        json_end_object(j);
    }
    json_end_array(j);
}

// --- The verb ---

// A policy that is refused is told so, with what shows in its text.
static bool complain(struct cli *cli, const struct policy_file *file, struct err *err)
{
    struct lint lint;
    struct err ignored;
    if (read_lint(&lint, cli, file, NULL, &ignored))
        for (size_t i = 0; i < lint.n && i < LINT_FINDINGS_MAX; i++)
            cli_note(cli, "%s: %s (%.*s)", lint_code_name(lint.findings[i].code),
                     lint_explanation(lint.findings[i].code), BYTES_ARG(lint.findings[i].text));
    return err->code == ERR_NONE;
}

static bool run_policy_lint(struct cli *cli, struct err *err)
{
    struct policy_file *file;
    struct lint lint;
    if (!policy_file_open(&file, cli, cli->line.words[0], err))
        return false;
    if (!policy_file_parse(file, cli, err))
        return complain(cli, file, err);
    if (!read_lint(&lint, cli, file, &file->policy, err))
        return false;
    print_findings(cli, &lint);
    put_findings(cli, &lint);
    return print_exposure(cli, file, err) && put_worst_case(cli, &file->policy, err);
}

static const struct option lint_options[] = {
    POLICY_FILE_OPTIONS,
    TEXT(0, "made-for", "SERIAL", made_for, "the signer for which password users were made"),
    TEXT(0, "used-on", "SERIAL", used_on, "the signer that the policy is meant for"),
};
const struct verb verb_policy_lint = {
    "policy lint",
    "POLICY",
    1,
    1,
    "Warn of what is odd in a policy file, and say the worst case",
    "The worst case is the most that can leave per transaction, per period and per day, under "
    "each\n"
    "rule and in all, with nobody's help and with each user's. With --users "
    "alice:totp,carol:password\n"
    "it is also known which codes are bound to one transaction.\n",
    OPTIONS(lint_options),
    0,
    run_policy_lint
};
