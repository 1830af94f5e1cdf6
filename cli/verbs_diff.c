// What a change of policy lets through, and what it stops: policy.md D18.
#include "cli/policy_file.h"
#include "cli/verbs.h"
#include "policy/diff.h"

#define EXAMPLE_MAX ((size_t)64 << 10)

static struct bytes example_text(struct cli *cli, const struct difference *d,
                                 const struct chain *chain)
{
    struct writer w = writer_growing(cli->arena, EXAMPLE_MAX);
    diff_example_write(&w, d, chain);
    return writer_bytes(&w);
}

// --- As text ---

static void print_line(struct cli *cli, const char *label, struct bytes text)
{
    cli_print(cli, "   %s: ", label);
    cli_print_bytes(cli, text);
    cli_print(cli, "\n");
}

static void print_side(struct cli *cli, const struct policy_diff *diff, bool is_allowed,
                       const struct chain *chain)
{
    size_t n = 0;
    cli_print(cli, "\n%s\n",
              is_allowed ? "Refused before, allowed now:" : "Allowed before, refused now:");
    for (size_t i = 0; i < diff->n; i++) {
        const struct difference *d = &diff->items[i];
        if (d->is_allowed != is_allowed)
            continue;
        cli_print(cli, "%zu. %.*s\n", ++n, BYTES_ARG(d->text));
        print_line(cli, "Example", example_text(cli, d, chain));
        print_line(cli, "Old", d->old_says);
        print_line(cli, "New", d->new_says);
    }
    if (n == 0)
        cli_print(cli, "- No difference found.\n");
}

static void print_hash(struct cli *cli, const char *which, const struct hash256 *hash)
{
    cli_print(cli, "%s policy: ", which);
    writer_hex(&cli->text, BYTES_OF(hash->b));
    cli_print(cli, "\n");
}

static void print_text(struct cli *cli, const struct policy_diff *diff, const struct chain *chain)
{
    print_hash(cli, "Old", &diff->old_hash);
    print_hash(cli, "New", &diff->new_hash);
    if (diff->is_same) {
        cli_print(cli, "They are the same policy.\n");
        return;
    }
    if (diff->hash_is_equal)
        cli_print(cli, "The hashes are equal, but the policies are not: limits of 0 are no part of "
                       "the hash.\n");
    print_side(cli, diff, true, chain);
    print_side(cli, diff, false, chain);
    if (diff->n_settings > 0)
        cli_print(cli, "\nSettings:\n");
    for (size_t i = 0; i < diff->n_settings; i++)
        cli_print(cli, "- %.*s\n", BYTES_ARG(diff->settings[i]));
    if (!diff->is_complete)
        cli_print(cli, "\nThere is more than could be tried or shown.\n");
}

// --- As JSON ---

static const char *const kinds[] = {
    [DIFF_TRANSACTION] = "transaction", [DIFF_MESSAGE_PSBT] = "bip322",
    [DIFF_MESSAGE] = "message",         [DIFF_XPUB] = "xpub",
    [DIFF_ADDRESS] = "address",         [DIFF_MULTISIG_ADDRESS] = "multisig-address",
};

static void put_text(struct cli *cli, const char *key, struct bytes text)
{
    json_key(&cli->result, key);
    cli_item(cli, text);
}

static void put_outputs(struct cli *cli, const struct tx_facts *tx)
{
    struct json_writer *j = &cli->result;
    json_key(j, "outputs");
    json_begin_array(j);
    for (size_t i = 0; i < tx->n_out; i++) {
        json_begin_object(j);
        json_key(j, "sats");
        json_u64(j, tx->out[i].amount.n);
        json_key(j, "script");
        json_hex(j, tx->out[i].script);
        json_key(j, "change");
        json_bool(j, tx->out[i].change);
        json_key(j, "attested");
        json_bool(j, tx->out[i].has_attestation);
        json_end_object(j);
    }
    json_end_array(j);
}

static void put_request(struct cli *cli, const struct diff_request *r)
{
    struct json_writer *j = &cli->result;
    put_outputs(cli, r->tx);
    json_key(j, "fee");
    if (r->tx->fee_known)
        json_u64(j, r->tx->fee.n);
    else
        json_null(j);
    put_text(cli, "wallet", r->tx->wallet_name);
    json_key(j, "users");
    json_begin_array(j);
    for (size_t i = 0; i < r->assumed->n_users; i++)
        cli_item(cli, r->assumed->users[i]);
    json_end_array(j);
    json_key(j, "local_code");
    json_bool(j, r->assumed->local_code);
    json_key(j, "warnings");
    json_u64(j, r->tx->n_warnings);
}

static void put_example(struct cli *cli, const struct difference *d, const struct chain *chain)
{
    struct json_writer *j = &cli->result;
    const struct diff_example *e = &d->example;
    json_key(j, "example");
    json_begin_object(j);
    put_text(cli, "text", example_text(cli, d, chain));
    if (d->kind != DIFF_TRANSACTION && d->kind != DIFF_MULTISIG_ADDRESS) {
        char path[KEYPATH_TEXT_MAX];
        struct writer w = writer_of(path, sizeof path);
        keypath_write(&w, &e->path);
        put_text(cli, "path", writer_bytes(&w));
    }
    if (d->kind == DIFF_TRANSACTION)
        put_request(cli, &e->request);
    json_key(j, "card");
    json_bool(j, e->request.tx != NULL ? e->request.assumed->has_card : !e->no_card);
    json_key(j, "times_before");
    json_u64(j, e->times_before);
    json_key(j, "pause_s");
    json_i64(j, e->pause_s);
    json_key(j, "wait_s");
    json_i64(j, e->wait_s);
    json_end_object(j);
}

static void put_json(struct cli *cli, const struct policy_diff *diff, const struct chain *chain)
{
    struct json_writer *j = &cli->result;
    cli_flag(cli, "same", diff->is_same);
    cli_hex(cli, "old_hash", BYTES_OF(diff->old_hash.b));
    cli_hex(cli, "new_hash", BYTES_OF(diff->new_hash.b));
    cli_flag(cli, "complete", diff->is_complete);
    cli_key(cli, "differences");
    json_begin_array(j);
    for (size_t i = 0; i < diff->n; i++) {
        const struct difference *d = &diff->items[i];
        json_begin_object(j);
        json_key(j, "now");
        json_text(j, d->is_allowed ? "allowed" : "refused");
        json_key(j, "kind");
        json_text(j, kinds[d->kind]);
        put_text(cli, "text", d->text);
        put_text(cli, "old", d->old_says);
        put_text(cli, "new", d->new_says);
        put_example(cli, d, chain);
        json_end_object(j);
    }
    json_end_array(j);
    cli_key(cli, "settings");
    json_begin_array(j);
    for (size_t i = 0; i < diff->n_settings; i++)
        cli_item(cli, diff->settings[i]);
    json_end_array(j);
}

// --- The verb ---

static bool run_policy_diff(struct cli *cli, struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(DIFF_ARENA);
    struct policy_diff *diff = arena_alloc(arena, sizeof *diff);
    struct policy_file *old, *new;
    if (diff == NULL)
        return err_set(err, ERR_NO_MEMORY, "no memory for a comparison");
    for (size_t i = 0; i < 2; i++) {
        struct policy_file **file = i == 0 ? &old : &new;
        if (!policy_file_read(file, cli, cli->line.words[i], err))
            return err_within(err, "%s", cli->line.words[i]);
    }
    if (!policy_diff(diff, &old->policy, &new->policy, new->chain, arena, err))
        return false;
    print_text(cli, diff, new->chain);
    put_json(cli, diff, new->chain);
    if (!diff->is_same)
        cli_note(
            cli,
            "Each example was decided by the signer's own code under both policies. Where none "
            "is found, none of the requests that were tried differs.");
    return true;
}

static const struct option diff_options[] = { POLICY_FILE_OPTIONS };
const struct verb verb_policy_diff = {
    .name = "policy diff",
    .words = "OLD NEW",
    .min_words = 2,
    .max_words = 2,
    .purpose = "Say what a change of policy lets through, and what it stops",
    .details = "In words, with an example for each difference that the code of the signer has "
               "decided under\n"
               "both policies: transactions, messages, extended keys and addresses that one allows "
               "and the\n"
               "other refuses. Both start with nothing spent; where it takes several transactions "
               "to tell\n"
               "the policies apart, the example says what was signed before.\n",
    .options = OPTIONS(diff_options),
    .run = run_policy_diff,
};
