// Policies, offline, by the code that enforces them: policy.md D11, D18; cli.md 7.1.
#include "base/file.h"
#include "base/reader.h"
#include "cli/verbs.h"
#include "policy/canonical.h"
#include "policy/summary.h"

#define SUMMARY_MAX ((size_t)8 << 20)
#define NAMES_MAX   1000

struct names {
    struct bytes items[NAMES_MAX];
    size_t n;
};

static bool add_name(struct names *names, struct bytes name)
{
    for (size_t i = 0; i < names->n; i++)
        if (bytes_equal(names->items[i], name))
            return true;
    if (names->n == NAMES_MAX)
        return false;
    names->items[names->n++] = name;
    return true;
}

// "alice,bob"
static bool split_names(struct names *out, const char *option, const char *text, struct err *err)
{
    struct bytes name;
    for (struct reader r = reader_of(bytes_of_text(text)); reader_until(&r, ',', &name);)
        if (!add_name(out, bytes_trim(name)))
            return err_set(err, ERR_USAGE, "%s: more than %d names", option, NAMES_MAX);
    return true;
}

// --- What the policy takes for granted ---

static void collect_list(struct names *out, const struct json *list)
{
    if (list == NULL || list->type != JSON_ARRAY)
        return;
    for (const struct json *item = list->items; item != NULL; item = item->next)
        if (item->type == JSON_STRING)
            (void)add_name(out, item->text); // too many: the parser then names the first it misses
}

static void collect_text(struct names *out, const struct json *text)
{
    // "1" stands for "no multisig wallet"
    if (text != NULL && text->type == JSON_STRING && text->text.len > 0 && !json_is_text(text, "1"))
        (void)add_name(out, text->text);
}

// The users and wallets that a file names. What is no policy is left for policy_parse to refuse.
static void collect(struct names *users, struct names *wallets, struct bytes file,
                    struct arena *arena)
{
    const struct json *policy, *rules;
    struct err ignored;
    if (!json_parse(&policy, file, arena, &ignored))
        return;
    rules = json_get(policy, "rules");
    if (rules == NULL || rules->type != JSON_ARRAY)
        return;
    for (const struct json *rule = rules->items; rule != NULL; rule = rule->next) {
        collect_list(users, json_get(rule, "users"));
        collect_text(wallets, json_get(rule, "wallet"));
    }
}

// --- Reading one ---

struct checked {
    struct policy policy;
    const struct chain *chain;
    struct names users, wallets; // that there are, or are taken for granted
    bool users_are_given, wallets_are_given;
};

static bool read_chain(struct checked *out, const char *code, struct err *err)
{
    out->chain = chain_by_code(bytes_of_text(code != NULL ? code : "BTC"));
    return out->chain != NULL ||
           err_set(err, ERR_USAGE, "--chain: BTC, XTN or XRT, not '%s'", code);
}

static bool read_world(struct checked *out, struct cli *cli, struct bytes file, struct err *err)
{
    struct names *unused = arena_alloc(cli->arena, sizeof *unused);
    out->users_are_given = cli->o->users != NULL;
    out->wallets_are_given = cli->o->wallets != NULL;
    if (unused == NULL)
        return err_set(err, ERR_NO_MEMORY, "no memory for the names");
    collect(out->users_are_given ? unused : &out->users,
            out->wallets_are_given ? unused : &out->wallets, file, cli->arena);
    return split_names(&out->users, "--users", cli->o->users, err) &&
           split_names(&out->wallets, "--wallets", cli->o->wallets, err);
}

static bool read_policy(struct checked *out, struct cli *cli, struct err *err)
{
    const char *path = cli->line.n_words > 0 ? cli->line.words[0] : NULL;
    struct bytes file;
    cli->stage = STAGE_INPUT;
    if (path == NULL)
        return err_set(err, ERR_USAGE, "Missing argument 'POLICY'.");
    if (!read_chain(out, cli->o->chain, err) ||
        !file_read(&file, path, POLICY_FILE_MAX, cli->arena, err) ||
        !read_world(out, cli, file, err))
        return false;
    const struct policy_world world = { out->users.n, out->users.items, out->wallets.n,
                                        out->wallets.items };
    return policy_parse(&out->policy, file, &world, cli->arena, err);
}

static struct checked *new_checked(struct cli *cli, struct err *err)
{
    struct checked *c = arena_alloc(cli->arena, sizeof *c);
    if (c == NULL)
        (void)err_set(err, ERR_NO_MEMORY, "no memory for the policy");
    return c;
}

static void put_names(struct cli *cli, const char *key, const struct names *names)
{
    cli_key(cli, key);
    json_begin_array(&cli->result);
    for (size_t i = 0; i < names->n; i++)
        json_string(&cli->result, names->items[i]);
    json_end_array(&cli->result);
}

static void note_names(struct cli *cli, const char *what, const struct names *names)
{
    for (size_t i = 0; i < names->n; i++)
        cli_note(cli, "The device must have the %s '%.*s'.", what, BYTES_ARG(names->items[i]));
}

// --- The verbs ---

bool policy_check_run(struct cli *cli, struct err *err)
{
    struct checked *c = new_checked(cli, err);
    if (c == NULL || !read_policy(c, cli, err))
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
    struct checked *c = new_checked(cli, err);
    if (c == NULL || !read_policy(c, cli, err))
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

static const struct option policy_options[] = {
    TEXT(0, "users", "NAMES", users, "the users there are, separated by commas"),
    TEXT(0, "wallets", "NAMES", wallets, "the multisig wallets there are, likewise"),
    TEXT(0, "chain", "CODE", chain, "BTC, which is the default, XTN or XRT"),
};
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
