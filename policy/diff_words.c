// policy/diff_words.c -- differences and their examples in plain words.
#include "bitcoin/address.h"
#include "policy/diff_search.h"
#include "policy/percent.h"
#include <inttypes.h>

#define OUTPUTS_SHOWN 3

// What a request has too much or too little of, where this clause refuses it.
static const struct {
    const char *clause, *text;
} lacks[] = {
    { "wallet", "coins of another wallet" },
    { "max_amount", "a larger amount in one transaction" },
    { "max_fee", "a larger network fee" },
    { "whitelist", "a destination that is not listed or not attested" },
    { "local_conf", "no code of the local operator" },
    { "users", "fewer users who approve" },
    { "per_period", "more in one period" },
    { "min_pct_self_transfer", "less that comes back" },
    { "EQ_NUM_INS_OUTS", "unequal numbers of inputs and outputs" },
    { "EQ_NUM_OWN_INS_OUTS", "unequal numbers of own inputs and outputs" },
    { "EQ_OUT_AMOUNTS", "outputs of unequal amounts" },
    { "max_txns", "more transactions in one period" },
    { "not_before_height", "a locktime that is too low" },
};

static void write_clause(struct writer *w, const char *clause)
{
    for (size_t i = 0; i < COUNT(lacks); i++)
        if (strcmp(lacks[i].clause, clause) == 0) {
            writer_text(w, lacks[i].text);
            return;
        }
    writer_text(w, clause);
}

static void write_cause(struct writer *w, const struct diff_key *key)
{
    const char *between = "";
    switch (key->cause) {
    case CAUSE_NO_LOG:
        writer_text(w, "no card to log on");
        return;
    case CAUSE_WARNINGS:
        writer_text(w, "a warning");
        return;
    case CAUSE_NO_RULES:
        writer_text(w, "it signs no transactions");
        return;
    case CAUSE_MSG_USERS:
        writer_text(w, "fewer users who approve");
        return;
    case CAUSE_MSG_COUNT:
        writer_text(w, "more messages in one period");
        return;
    case CAUSE_MSG_NONE:
    case CAUSE_MSG_PATH:
        writer_text(w, "a path that is not allowed for messages");
        return;
    default:
        break;
    }
    for (size_t c = 0; c < RULE_CLAUSES; c++)
        if ((key->lacks >> c & 1) != 0) {
            writer_text(w, between);
            write_clause(w, rule_clause_name(c));
            between = ", ";
        }
}

void diff_write_text(struct writer *w, const struct diff_key *key, const struct diff_example *e)
{
    const char *yes = key->is_allowed ? "new" : "old", *no = key->is_allowed ? "old" : "new";
    if (e->request.tx->is_message)
        writer_printf(w, "The %s policy signs a BIP-322 message that", yes);
    else
        writer_printf(w, "Rule #%zu of the %s policy signs what", key->rule + 1, yes);
    writer_printf(w, " the %s one refuses", no);
    if (key->cause == CAUSE_NO_RULE_PASSES)
        writer_printf(w, " (its rule #%zu comes nearest)", key->nearest + 1);
    writer_text(w, ": ");
    write_cause(w, key);
    if (key->is_again)
        writer_text(w, ", after what was signed before");
}

// --- Examples ---

static void write_amount(struct writer *w, struct sats amount, const struct chain *chain)
{
    sats_write_short(w, amount, chain, UNIT_COIN);
}

static void write_outputs(struct writer *w, const struct tx_facts *tx, const struct chain *chain)
{
    size_t n = 0;
    for (size_t i = 0; i < tx->n_out; i++) {
        const struct output_facts *out = &tx->out[i];
        if (out->change || n++ >= OUTPUTS_SHOWN)
            continue;
        writer_text(w, n == 1 ? "" : ", ");
        write_amount(w, out->amount, chain);
        writer_text(w, " to ");
        address_or_hex(w, out->script, chain);
        if (out->has_attestation)
            writer_text(w, out->has_bound_attestation ? " (attested in both ways)" : " (attested)");
        else if (out->has_bound_attestation)
            writer_text(w, " (attested for this transaction)");
    }
    if (n > OUTPUTS_SHOWN)
        writer_printf(w, " and %zu more outputs", n - OUTPUTS_SHOWN);
    if (n == 0)
        writer_text(w, "nothing leaves");
}

static void write_back(struct writer *w, const struct tx_facts *tx, const struct chain *chain)
{
    struct sats in = { 0 };
    for (size_t i = 0; i < tx->n_in; i++)
        in.n += tx->in[i].own ? tx->in[i].amount.n : 0;
    writer_text(w, ", ");
    write_amount(w, tx->change_total, chain);
    writer_text(w, " of ");
    write_amount(w, in, chain);
    writer_text(w, " come back");
    if (tx->fee_known) {
        writer_text(w, ", network fee ");
        write_amount(w, tx->fee, chain);
    } else {
        writer_text(w, ", network fee unknown");
    }
    writer_printf(w, "; %zu input%s, %zu output%s", tx->n_in, tx->n_in == 1 ? "" : "s", tx->n_out,
                  tx->n_out == 1 ? "" : "s");
}

static void write_origin(struct writer *w, const struct tx_facts *tx)
{
    if (!tx->signs_multisig) {
        writer_text(w, "; single-key wallet");
        return;
    }
    writer_text(w, tx->signs_single_key ? "; single-key wallet and multisig wallet \""
                                        : "; multisig wallet \"");
    name_write(w, tx->wallet_name);
    writer_text(w, "\"");
}

static void write_people(struct writer *w, const struct assumptions *a)
{
    writer_text(w, a->n_users == 0 ? "; nobody approves" : "; approved by ");
    for (size_t i = 0; i < a->n_users; i++) {
        writer_text(w, i == 0 ? "" : ", ");
        name_write(w, a->users[i]);
    }
    if (!a->has_card)
        writer_text(w, "; no card");
}

static void write_request(struct writer *w, const struct diff_request *r, const struct chain *chain)
{
    write_outputs(w, r->tx, chain);
    write_back(w, r->tx, chain);
    write_origin(w, r->tx);
    write_people(w, r->assumed);
    writer_text(w, r->assumed->local_code ? "; with the local code" : "; without a local code");
    if (r->tx->locktime > 0)
        writer_printf(w, "; locktime %u", (unsigned)r->tx->locktime);
    if (r->tx->n_warnings > 0)
        writer_text(w, "; with a warning");
}

static void write_before(struct writer *w, const struct diff_example *e, const struct chain *chain)
{
    if (e->times_before == 0)
        return;
    writer_printf(w, ", after %s was signed %" PRIu64 " time%s",
                  e->before.tx == e->request.tx ? "the same" : "another", e->times_before,
                  e->times_before == 1 ? "" : "s");
    if (e->pause_s > 0)
        writer_printf(w, ", the first of them %" PRId64 " minutes before the next",
                      e->pause_s / 60);
    if (e->wait_s > 0)
        writer_printf(w, ", %" PRId64 " minutes ago", e->wait_s / 60);
    if (e->before.tx != e->request.tx) {
        writer_text(w, " (");
        write_request(w, &e->before, chain);
        writer_text(w, ")");
    }
}

void diff_example_write(struct writer *w, const struct difference *difference,
                        const struct chain *chain)
{
    const struct diff_example *e = &difference->example;
    if (difference->kind == DIFF_TRANSACTION) {
        write_request(w, &e->request, chain);
        write_before(w, e, chain);
        return;
    }
    writer_text(w, difference->kind == DIFF_MULTISIG_ADDRESS ? "any registered wallet" : "path ");
    if (difference->kind != DIFF_MULTISIG_ADDRESS)
        keypath_write(w, &e->path);
    if (difference->kind == DIFF_MESSAGE_PSBT) {
        write_people(w, e->request.assumed);
        if (e->request.tx->n_warnings > 0)
            writer_text(w, "; with a warning");
        write_before(w, e, chain);
    }
    if (difference->kind == DIFF_MESSAGE && e->no_users)
        writer_text(w, "; nobody approves");
    if (e->no_card)
        writer_text(w, "; no card");
}
