// signer/options.h -- the command line of casemate-signer.
#ifndef CASEMATE_SIGNER_OPTIONS_H
#define CASEMATE_SIGNER_OPTIONS_H
#include "base/err.h"
#include "bitcoin/chain.h"
#include "signer/init.h"

#define STATE_DIR "/var/lib/casemate"
#define RUN_DIR   "/run/casemate"

enum verb { VERB_RUN, VERB_INIT, VERB_BACKUP, VERB_RESTORE, VERB_HELP, VERB_VERSION };

// Texts borrow from the arguments; NULL: not given.
struct options {
    enum verb verb;
    const char *file; // backup, restore
    const char *name, *dir, *config, *socket, *panel, *pin_file;
    int pin_fd; // -1: none
    bool check_config, simulator, quiet;
    enum chain_id chain;
    enum init_source source;
    size_t n_words;
};

// Fails: ERR_USAGE.
MUST_CHECK bool options_parse(struct options *out, int argc, char **argv, struct err *err);

void options_show_help(void);

#endif
