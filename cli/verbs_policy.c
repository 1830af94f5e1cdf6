// Policies, offline, by the code that enforces them: policy.md D11, D18; cli.md 7.1.
#include "cli/policy_file.h"
#include "cli/verbs.h"
#include "policy/canonical.h"
#include "policy/summary.h"

#define SUMMARY_MAX ((size_t)8 << 20)

static void put_names(struct cli *cli, const char *key, const struct policy_names *names)
{
    cli_key(cli, key);
    json_begin_array(&cli->result);
    for (size_t i = 0; i < names->n; i++)
        cli_item(cli, names->items[i]);
    json_end_array(&cli->result);
}

static void note_names(struct cli *cli, const char *what, const struct policy_names *names)
{
    for (size_t i = 0; i < names->n; i++)
        cli_note(cli, "The device must have the %s '%.*s'.", what, BYTES_ARG(names->items[i]));
}

// --- The verbs ---

bool policy_check_run(struct cli *cli, struct err *err)
{
    struct policy_file *c;
    if (!policy_file_read(&c, cli, cli->line.n_words > 0 ? cli->line.words[0] : NULL, err))
        return false;
    struct writer w = writer_growing(cli->arena, SUMMARY_MAX);
    policy_summary(&w, &c->policy, c->chain, UNIT_COIN);
    const struct hash256 hash = policy_hash(&c->policy);
    if (w.failed)
        return err_set(err, ERR_NO_MEMORY, "the policy's summary is too long");
    if (cli->o->compat)
        cli_print(cli, "Policy ok\n");
    else
        cli_print_bytes(cli, writer_bytes(&w));
    if (!c->users_are_given)
        note_names(cli, "user", &c->users);
    if (!c->wallets_are_given)
        note_names(cli, "multisig wallet", &c->wallets);
    cli_text(cli, "summary", writer_bytes(&w));
    cli_hex(cli, "policy_hash", BYTES_OF(hash.b));
    cli_number(cli, "rules", c->policy.n_rules);
    put_names(cli, "users", &c->users);
    put_names(cli, "wallets", &c->wallets);
    return true;
}

static bool run_policy_hash(struct cli *cli, struct err *err)
{
    struct policy_file *c;
    if (!policy_file_read(&c, cli, cli->line.n_words > 0 ? cli->line.words[0] : NULL, err))
        return false;
    const struct hash256 hash = policy_hash(&c->policy);
    const struct hash256 later = policy_hash_without_locker(&c->policy);
    writer_hex(&cli->text, BYTES_OF(hash.b));
    cli_print(cli, "\n");
    cli_hex(cli, "policy_hash", BYTES_OF(hash.b));
    cli_hex(cli, "policy_hash_without_locker", BYTES_OF(later.b));
    if (memcmp(hash.b, later.b, sizeof hash.b) != 0) {
        // D7: "the offline `hash` command prints both"
        writer_hex(&cli->text, BYTES_OF(later.b));
        cli_print(cli, "\n");
        cli_note(cli, "The second is what a Coldcard shows after a restart, without the locker.");
    }
    return true;
}

static const struct option policy_options[] = { POLICY_FILE_OPTIONS };
const struct verb verb_policy_check = {
    "policy check",
    "POLICY",
    1,
    1,
    "Check a policy file and show it in words, offline",
    "Users and wallets that the policy names are taken to exist, unless those that do are given.\n",
    OPTIONS(policy_options),
    0,
    policy_check_run
};
const struct verb verb_policy_hash = {
    "policy hash",
    "POLICY",
    1,
    1,
    "Show the hash of a policy file, offline",
    "It is what the device shows before the operator agrees. With set_sl a second line is what a\n"
    "Coldcard shows after a restart.\n",
    OPTIONS(policy_options),
    0,
    run_policy_hash
};
