// The journal of a signer, verified offline: policy.md D11, item 83; cli.md 7.1.
#include "base/hex.h"
#include "cli/line_file.h"
#include "cli/verbs.h"
#include "policy/journal_verify.h"
#include <inttypes.h>

static bool verify_file(struct journal_verifier *v, struct line_file *f, struct err *err)
{
    struct bytes line;
    bool is_whole, more, inside_long = false;
    do {
        if (!line_file_next(f, &line, &is_whole, &more, err))
            return false;
        const bool is_long = line.len == LINE_FILE_MAX && !is_whole;
        if (more && !inside_long)
            journal_verifier_line(v, line, is_whole || is_long);
        inside_long = (inside_long || is_long) && !is_whole;
    } while (more);
    return true;
}

// --- What is said of it ---

static bool tell_faults(struct cli *cli, const struct journal_verifier *v, struct err *err)
{
    char first[512] = "";
    const uint64_t told = v->n_faults < JOURNAL_FAULTS_MAX ? v->n_faults : JOURNAL_FAULTS_MAX;
    for (uint64_t i = 0; i < told; i++) {
        char text[512];
        struct writer w = writer_of(text, sizeof text - 1);
        journal_fault_write(&w, &v->faults[i]);
        text[w.len] = 0;
        if (i == 0)
            memcpy(first, text, sizeof first);
        if (told > 1 && !cli->o->json)
            cli_warn(cli, "%s", text);
    }
    if (v->n_faults == 1)
        return cli_fail(cli, EXIT_FAILED, err, ERR_INVALID, "%s: %s", cli->line.words[0], first);
    return cli_fail(cli, EXIT_FAILED, err, ERR_INVALID, "%s: %" PRIu64 " faults, the first: %s",
                    cli->line.words[0], v->n_faults, first);
}

static bool read_key(uint8_t out[static 32], const char *option, const char *text, struct err *err)
{
    return hex_decode(out, 32, bytes_of_text(text)) ||
           err_set(err, ERR_USAGE, "Invalid value for '%s': not 64 digits of hex.", option);
}

static bool run_audit_verify(struct cli *cli, struct err *err)
{
    const struct options *o = cli->o;
    struct journal_verifier *v = arena_alloc(cli->arena, sizeof *v);
    struct line_file *file = arena_alloc(cli->arena, sizeof *file);
    uint8_t key[32];
    struct hash256 head;
    cli->stage = STAGE_INPUT;
    if (v == NULL || file == NULL)
        return err_set(err, ERR_NO_MEMORY, "no memory for the journal");
    if (o->key == NULL)
        return err_set(err, ERR_USAGE, "Missing option '--key'.");
    if (!read_key(key, "--key", o->key, err) ||
        (o->head != NULL && !read_key(head.b, "--head", o->head, err)))
        return false;
    journal_verifier_init(v, key, o->head != NULL ? &head : NULL);
    const bool ok = line_file_open(file, cli->line.words[0], err) && verify_file(v, file, err);
    line_file_close(file);
    if (!ok)
        return false;
    if (!journal_verifier_end(v))
        return tell_faults(cli, v, err);
    cli_print(cli, "%" PRIu64 " records, whole, in order and unaltered\nhead ", v->n_good);
    writer_hex(&cli->text, BYTES_OF(v->last.b));
    cli_print(cli, "\n");
    if (o->head == NULL)
        cli_note(cli, "Records cut off at the end show only with --head: the hash of a head that "
                      "the signer's status has shown.");
    cli_number(cli, "records", v->n_good);
    cli_hex(cli, "head", BYTES_OF(v->last.b));
    cli_flag(cli, "head_checked", o->head != NULL);
    return true;
}

static const struct option verify_options[] = {
    TEXT(0, "key", "HEX", key, "the signer's journal key, as its panel and status show it"),
    TEXT(0, "head", "HEX", head, "hash of a record that must be there: to notice a cut at the end"),
};
const struct verb verb_audit_verify = {
    "audit verify",
    "JOURNAL",
    1,
    1,
    "Prove that a journal is whole, offline",
    "Says which record was removed, moved, edited, put in or cut off. Exit status 1 if any was.\n",
    OPTIONS(verify_options),
    0,
    run_audit_verify
};
