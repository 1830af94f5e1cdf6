#include "cli/help.h"

#define COLUMN 28 // where explanations begin

static void pad(struct writer *w, size_t used)
{
    if (used + 2 > COLUMN) {
        writer_u8(w, '\n');
        used = 0;
    }
    for (; used < COLUMN; used++)
        writer_u8(w, ' ');
}

static void write_row(struct writer *w, struct bytes left, const char *right)
{
    writer_text(w, "  ");
    writer_put(w, left);
    pad(w, left.len + 2);
    writer_printf(w, "%s\n", right);
}

// "-s, --serial TEXT"
static void write_option(struct writer *w, const struct option *option)
{
    char mem[128];
    struct writer left = writer_of(mem, sizeof mem);
    if (option->letter != 0)
        writer_printf(&left, "-%c", option->letter);
    if (option->letter != 0 && option->name != NULL)
        writer_text(&left, ", ");
    if (option->name != NULL)
        writer_printf(&left, "--%s", option->name);
    if (option->argument != NULL)
        writer_printf(&left, " %s", option->argument);
    write_row(w, writer_bytes(&left), option->help);
}

static void write_options(struct writer *w, struct option_table table)
{
    for (size_t i = 0; i < table.n; i++)
        write_option(w, &table.rows[i]);
}

void help_write(struct writer *w, struct verb_table verbs, struct option_table globals)
{
    writer_text(w, "Usage: casemate [OPTIONS] COMMAND [ARGS]...\n\n"
                   "Talks to a Casemate signer, and to what speaks its protocol.\n\n"
                   "Options, before the command, or after it in their long form:\n");
    write_options(w, globals);
    writer_text(w, "\nCommands:\n");
    for (size_t i = 0; i < verbs.n; i++)
        write_row(w, bytes_of_text(verbs.rows[i]->name), verbs.rows[i]->purpose);
    writer_text(
        w, "\n'casemate COMMAND --help' explains one of them; casemate(1) all of them.\n"
           "Environment: CASEMATE_SOCKET, CASEMATE_SERIAL, CASEMATE_BUNKER, CASEMATE_PIN_XPUB;\n"
           "options win.\n"
           "Exit status: 0 done, 1 failed, 2 usage, 3 no device, 4 busy, 5 refused by the user,\n"
           "6 refused by the policy, 7 link, 8 timeout, 9 identity, 10 pending, 11 rejected "
           "credential.\n");
}

void help_write_verb(struct writer *w, const struct verb *verb)
{
    writer_printf(w, "Usage: casemate %s [OPTIONS]%s%s\n\n%s.\n", verb->name,
                  verb->words[0] != 0 ? " " : "", verb->words, verb->purpose);
    if (verb->details != NULL)
        writer_printf(w, "\n%s", verb->details);
    if (verb->options.n > 0)
        writer_text(w, "\nOptions:\n");
    write_options(w, verb->options);
}
