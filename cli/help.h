// cli/help.h -- help texts, made from the tables that the parser reads.
#ifndef CASEMATE_CLI_HELP_H
#define CASEMATE_CLI_HELP_H
#include "base/writer.h"
#include "cli/command_line.h"

void help_write(struct writer *w, struct verb_table verbs, struct option_table globals);
void help_write_verb(struct writer *w, const struct verb *verb);

#endif
