// What would happen to a PSBT under a policy: policy.md D18, item 87.
#include "base/hex.h"
#include "base/reader.h"
#include "cli/policy_file.h"
#include "cli/psbt_input.h"
#include "cli/verbs.h"
#include "policy/simulate.h"
#include <inttypes.h>
#include <time.h>

#define DECISION_MAX ((size_t)16 << 20)

// --- The signer that is meant, and what of the PSBT can be known without its seed ---

static bool read_signer(struct xfp *out, const struct options *o, struct err *err)
{
    struct hdpub node;
    bool is_main;
    if (o->xfp != NULL)
        return hex_decode(out->b, sizeof out->b, bytes_of_text(o->xfp)) ||
               err_set(err, ERR_USAGE, "Invalid value for '--xfp': not 8 digits of hex.");
    if (o->xpub == NULL)
        return err_set(err, ERR_USAGE, "Missing option '--xfp' or '--xpub'.");
    if (!hdpub_from_text(&node, &is_main, bytes_of_text(o->xpub), err))
        return err_within(err, "--xpub");
    if (node.depth != 0)
        return err_set(err, ERR_USAGE, "--xpub: not the signer's master key (path m)");
    *out = hdpub_xfp(&node);
    return true;
}

static bool read_facts(struct psbt_facts *out, struct cli *cli, const struct chain *chain,
                       struct err *err)
{
    struct bytes raw;
    struct xfp xfp;
    if (!read_signer(&xfp, cli->o, err) || !psbt_input_read(cli, &raw, cli->line.words[1], err))
        return false;
    return policy_claimed_facts(out, raw, xfp, chain, cli->arena, err) ||
           err_within(err, "the signer would answer with an error");
}

// --- What is assumed ---

static bool read_time(int64_t *out, const char *option, const char *text, struct err *err)
{
    struct reader r = reader_of(bytes_of_text(text));
    uint64_t n;
    if (!reader_decimal64(&r, INT64_MAX, &n) || !reader_done(&r))
        return err_set(err, ERR_USAGE, "Invalid value for '%s': not seconds since 1970.", option);
    *out = (int64_t)n;
    return true;
}

// "2=1500000"
static bool read_spent(struct velocity *velocity, const struct policy *policy, const char *text,
                       int64_t since_s, struct err *err)
{
    struct reader r = reader_of(bytes_of_text(text));
    uint64_t rule, sats;
    if (!reader_decimal64(&r, POLICY_RULES_MAX, &rule) || !reader_accept(&r, '=') ||
        !reader_decimal64(&r, SATS_MAX, &sats) || !reader_done(&r))
        return err_set(err, ERR_USAGE, "Invalid value for '--spent': '%s' is not RULE=SATS.", text);
    if (rule == 0 || rule > policy->n_rules || !policy->rules[rule - 1].per_period.is_set)
        return err_set(err, ERR_USAGE, "--spent: rule #%" PRIu64 " has no per_period", rule);
    return velocity_charge(velocity, policy, (size_t)rule - 1, (struct sats){ sats }, since_s) ||
           err_set(err, ERR_USAGE, "--spent: more than can exist under rule #%" PRIu64, rule);
}

static bool read_assumptions(struct assumptions *out, struct cli *cli, const struct policy *policy,
                             struct err *err)
{
    const struct options *o = cli->o;
    struct bytes *users = arena_array(cli->arena, o->user.n, sizeof *users);
    if (users == NULL)
        return err_set(err, ERR_NO_MEMORY, "no memory for the users");
    for (size_t i = 0; i < o->user.n; i++)
        users[i] = bytes_of_text(o->user.items[i]);
    out->users = users;
    out->n_users = o->user.n;
    out->local_code = o->local;
    out->has_card = !o->no_card;
    out->now_s = (int64_t)time(NULL);
    if (o->at != NULL && !read_time(&out->now_s, "--at", o->at, err))
        return false;
    int64_t since_s = out->now_s;
    if (o->since != NULL && !read_time(&since_s, "--since", o->since, err))
        return false;
    for (size_t i = 0; i < o->spent.n; i++)
        if (!read_spent(&out->velocity, policy, o->spent.items[i], since_s, err))
            return false;
    return true;
}

// --- What comes of it ---

struct trial {
    const struct policy_file *file;
    const struct tx_facts *tx;
    struct simulation *simulation;
};

static struct bytes reason_text(struct cli *cli, const struct trial *t, size_t rule, size_t clause)
{
    struct writer w = writer_growing(cli->arena, DECISION_MAX);
    rule_outcome_write(&w, &t->simulation->rules[rule].clauses[clause].outcome,
                       &t->file->policy.rules[rule], t->tx);
    return writer_bytes(&w);
}

static bool rule_holds(const struct rule_verdict *verdict)
{
    for (size_t c = 0; c < RULE_CLAUSES; c++)
        if (verdict->clauses[c].outcome.reason != REASON_NONE)
            return false;
    return true;
}

static void print_rule(struct cli *cli, const struct trial *t, size_t rule)
{
    const struct rule_verdict *verdict = &t->simulation->rules[rule];
    cli_print(cli, "Rule #%zu: %s\n", rule + 1,
              rule_holds(verdict) ? "would approve" : "would not approve");
    for (size_t c = 0; c < RULE_CLAUSES; c++) {
        const struct rule_outcome *o = &verdict->clauses[c].outcome;
        if (!verdict->clauses[c].is_set)
            continue;
        cli_print(cli, "- %s: ", rule_clause_name(c));
        if (o->reason == REASON_NONE)
            cli_print(cli, "holds");
        else
            cli_print_bytes(cli, reason_text(cli, t, rule, c));
        if (o->reason == REASON_AMOUNT || o->reason == REASON_PERIOD)
            cli_print(cli, " (%" PRIu64 " sat, limit %" PRIu64 " sat)", o->actual, o->limit);
        cli_print(cli, "\n");
    }
}

static void print_text(struct cli *cli, const struct trial *t, struct bytes text)
{
    const struct tx_facts *tx = t->tx;
    cli_print(cli, "%s: ", t->simulation->decision.verdict == VERDICT_SIGN ? "Signed" : "Refused");
    cli_print_bytes(cli, text);
    cli_print(cli, "\n\n");
    for (size_t i = 0; i < t->simulation->n_rules; i++)
        print_rule(cli, t, i);
    if (!tx->is_message)
        cli_print(cli, "\nLeaves: %" PRIu64 " sat", facts_spent(tx).n);
    if (tx->fee_known && !tx->is_message)
        cli_print(cli, ", network fee: %" PRIu64 " sat", tx->fee.n);
    cli_print(cli, "\n");
    for (size_t i = 0; i < tx->n_warnings; i++)
        cli_print(cli, "Warning: %s: %.*s\n", tx->warnings[i].label,
                  BYTES_ARG(tx->warnings[i].text));
}

static void put_clauses(struct cli *cli, const struct trial *t, size_t rule)
{
    struct json_writer *j = &cli->result;
    const struct rule_verdict *verdict = &t->simulation->rules[rule];
    json_begin_array(j);
    for (size_t c = 0; c < RULE_CLAUSES; c++) {
        const struct rule_outcome *o = &verdict->clauses[c].outcome;
        if (!verdict->clauses[c].is_set)
            continue;
        json_begin_object(j);
        json_key(j, "clause");
        json_text(j, rule_clause_name(c));
        json_key(j, "holds");
        json_bool(j, o->reason == REASON_NONE);
        json_key(j, "code");
        json_text(j, reason_code(o->reason));
        json_key(j, "text");
        cli_item(cli, reason_text(cli, t, rule, c));
        json_key(j, "actual");
        json_u64(j, o->actual);
        json_key(j, "limit");
        json_u64(j, o->limit);
        json_end_object(j);
    }
    json_end_array(j);
}

static void put_json(struct cli *cli, const struct trial *t, struct bytes text)
{
    struct json_writer *j = &cli->result;
    const struct decision *d = &t->simulation->decision;
    cli_flag(cli, "signed", d->verdict == VERDICT_SIGN);
    cli_text(cli, "text", text);
    if (d->cause == CAUSE_RULE)
        cli_number(cli, "rule", d->rule + 1);
    if (!t->tx->is_message)
        cli_number(cli, "total_out", facts_spent(t->tx).n);
    if (t->tx->fee_known && !t->tx->is_message)
        cli_number(cli, "fee", t->tx->fee.n);
    cli_number(cli, "warnings", t->tx->n_warnings);
    cli_key(cli, "rules");
    json_begin_array(j);
    for (size_t i = 0; i < t->simulation->n_rules; i++) {
        json_begin_object(j);
        json_key(j, "rule");
        json_u64(j, i + 1);
        json_key(j, "holds");
        json_bool(j, rule_holds(&t->simulation->rules[i]));
        json_key(j, "clauses");
        put_clauses(cli, t, i);
        json_end_object(j);
    }
    json_end_array(j);
}

static bool run_policy_try(struct cli *cli, struct err *err)
{
    struct policy_file *file;
    struct psbt_facts *facts = arena_alloc(cli->arena, sizeof *facts);
    struct assumptions *assumed = arena_alloc(cli->arena, sizeof *assumed);
    struct simulation *simulation = arena_alloc(cli->arena, sizeof *simulation);
    if (facts == NULL || assumed == NULL || simulation == NULL)
        return err_set(err, ERR_NO_MEMORY, "no memory for a try");
    if (!policy_file_read(&file, cli, cli->line.words[0], err) ||
        !policy_file_derive(file, cli, err) || !read_facts(facts, cli, file->chain, err) ||
        !read_assumptions(assumed, cli, &file->policy, err) ||
        !policy_simulate(simulation, &file->policy, &facts->tx, assumed, cli->arena, err))
        return false;
    struct writer w = writer_growing(cli->arena, DECISION_MAX);
    const struct trial t = { file, &facts->tx, simulation };
    struct bytes text;
    decision_write(&w, &simulation->decision, &file->policy, &facts->tx);
    if (!writer_finish(&w, &text))
        return err_set(err, ERR_NO_MEMORY, "the decision's text is too long");
    print_text(cli, &t, text);
    put_json(cli, &t, text);
    // The same status as of `sign`, which this is asked in place of.
    cli->answer = simulation->decision.verdict == VERDICT_SIGN ? EXIT_OK : EXIT_REFUSED_BY_POLICY;
    cli_note(cli, "Key paths in the PSBT are believed here; the signer proves them with its seed.");
    return true;
}

static const struct option try_options[] = {
    LIST(0, "user", "NAME", user, "this user gave a good code; may be repeated"),
    FLAG(0, "local", local, "the local operator entered the right code"),
    LIST(0, "spent", "RULE=SATS", spent,
         "spent under a rule in the running period; may be repeated"),
    TEXT(0, "at", "TIME", at, "when it is asked, in seconds since 1970; else now"),
    TEXT(0, "since", "TIME", since, "when the running period began; else when it is asked"),
    FLAG(0, "no-card", no_card, "the signer has no card to log on"),
    TEXT(0, "xfp", "HEX", xfp, "fingerprint of the signer's master key"),
    TEXT(0, "xpub", "XPUB", xpub, "the signer's master key, instead"),
    POLICY_FILE_OPTIONS,
};
const struct verb verb_policy_try = {
    "policy try",
    "POLICY PSBT",
    2,
    2,
    "Say what would happen to a PSBT under a policy file, and why",
    "Rule by rule and clause by clause, by the code that decides in the signer; nothing is used "
    "up.\n"
    "Key paths in the PSBT are believed, which the signer proves with its seed; multisig wallets "
    "are\n"
    "not known here. The exit status is 0 if it would be signed, 6 if refused.\n",
    OPTIONS(try_options),
    0,
    run_policy_try
};
