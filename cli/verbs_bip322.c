// bip322 make, bip322 verify: messages signed by any script, offline. Source: psbt-signing.md 19.
#include "base/file.h"
#include "bitcoin/bip322.h"
#include "cli/psbt_input.h"
#include "cli/verbs.h"

// --- bip322 make ---

static bool read_form(enum bip322_form *out, const char *word, struct err *err)
{
    for (int form = BIP322_SIMPLE; form <= BIP322_PROOF; form++)
        if (strcmp(word, bip322_prefix((enum bip322_form)form)) == 0) {
            *out = (enum bip322_form)form;
            return true;
        }
    return err_set(err, ERR_USAGE, "'%s' is none of smp, ful and pof", word);
}

// The detail is for people, and here is one.
static bool explain(struct cli *cli, struct err *err)
{
    const struct err why = *err;
    return cli_fail(cli, EXIT_FAILED, err, why.code, "%s%s%s", why.text,
                    why.detail[0] == '\0' ? "" : ": ", why.detail);
}

static bool run_make(struct cli *cli, struct err *err)
{
    struct writer w = writer_growing(cli->arena, BIP322_TEXT_MAX);
    enum bip322_form form;
    struct bytes raw, text;
    struct psbt psbt;
    if (!psbt_input_read(cli, &raw, cli->line.words[0], err) ||
        (!psbt_parse(&psbt, raw, cli->arena, err) && !explain(cli, err)))
        return false;
    form = bip322_form_of(&psbt, cli->arena);
    if (cli->line.n_words > 1 && !read_form(&form, cli->line.words[1], err))
        return false;
    if (!bip322_write(&w, form, &psbt, cli->arena, err))
        return explain(cli, err);
    if (!writer_finish(&w, &text))
        return err_set(err, ERR_NO_MEMORY, "the signature is too long");
    cli_print_bytes(cli, text);
    cli_print(cli, "\n");
    cli_text(cli, "form", bytes_of_text(bip322_prefix(form)));
    cli_text(cli, "signature", text);
    return true;
}

const struct verb verb_bip322_make = {
    "bip322 make",
    "PSBT [FORM]",
    1,
    2,
    "Make a BIP-322 signature of a signed message PSBT, offline",
    "PSBT is what 'sign' returned for a message or a proof of reserves. FORM is smp (simple),\n"
    "ful (full) or pof (proof of funds); without it, the shortest that will do.\n",
    NO_OPTIONS,
    0,
    run_make
};

// --- bip322 verify ---

static bool read_signature(struct cli *cli, struct bytes *out, const char *word, struct err *err)
{
    if (strcmp(word, "-") != 0) {
        *out = bytes_of_text(word);
        return true;
    }
    if (!file_read(out, "-", BIP322_TEXT_MAX + 2, cli->arena, err))
        return false;
    *out = bytes_trim(*out);
    return true;
}

static void print_proof(struct cli *cli, const struct bip322_proof *proof, struct bytes address)
{
    cli_print(cli, "Good signature by %.*s\n", BYTES_ARG(address));
    if (proof->form == BIP322_PROOF)
        cli_print(cli, "Coins: %zu, which hold %llu sat if the PSBT tells the truth\n",
                  proof->n_funds, (unsigned long long)proof->funds.n);
    if (proof->locktime != 0 || proof->sequence != 0)
        cli_note(cli, "It counts from lock time %u and sequence %u on.", (unsigned)proof->locktime,
                 (unsigned)proof->sequence);
    cli_text(cli, "form", bytes_of_text(bip322_prefix(proof->form)));
    cli_text(cli, "address", address);
    cli_number(cli, "coins", proof->n_funds);
    cli_number(cli, "sats", proof->funds.n);
    cli_number(cli, "locktime", proof->locktime);
    cli_number(cli, "sequence", proof->sequence);
}

bool bip322_check_run(struct cli *cli, struct bytes address, struct bytes message,
                      struct bytes signature, struct err *err)
{
    struct bip322_proof proof;
    if (!bip322_verify(&proof, message, address, signature, cli->arena, err)) {
        const struct err why = *err;
        return cli_fail(cli, EXIT_FAILED, err, why.code, "%s", why.text);
    }
    print_proof(cli, &proof, address);
    return true;
}

static bool run_verify(struct cli *cli, struct err *err)
{
    struct bytes signature;
    return read_signature(cli, &signature, cli->line.words[2], err) &&
           bip322_check_run(cli, bytes_of_text(cli->line.words[0]),
                            bytes_of_text(cli->line.words[1]), signature, err);
}

const struct verb verb_bip322_verify = {
    "bip322 verify",
    "ADDRESS MESSAGE SIGNATURE",
    3,
    3,
    "Check a BIP-322 signature, offline",
    "SIGNATURE begins with smp, ful or pof; - reads it from standard input.\n"
    "The coins of a proof of funds are said by whoever made it: ask a node whether they exist.\n",
    NO_OPTIONS,
    0,
    run_verify
};
