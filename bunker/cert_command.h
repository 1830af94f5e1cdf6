// bunker/cert_command.h -- `casemate-bunker cert ...`: a private authority for signer links in one folder, and what it signs.
//
// (1) No file is ever written over. Keys and certificates are 0600, the folder 0700.
// (2) The authority's key is in the folder only: it need not be on the machine that runs the bunker, which
//     reads ca.crt and the server's two files.
// Source: bunker.md 3.4.
#ifndef CASEMATE_BUNKER_CERT_COMMAND_H
#define CASEMATE_BUNKER_CERT_COMMAND_H
#include "base/writer.h"
#include "crypto/certificate_make.h"

#define CERT_WORDS_MAX (3 + CERTIFICATE_NAMES_MAX) // "cert", "server", folder, names

struct cert_command {
    const char *what; // "ca", "server", "client", "show"
    const char *path; // the folder; of show: a certificate
    size_t n_names;
    const char *names[CERTIFICATE_NAMES_MAX];
    unsigned days; // 0: CA_DAYS or LEAF_DAYS of the source
};

// Of words behind "cert". Fails: ERR_USAGE.
MUST_CHECK bool cert_command_parse(struct cert_command *out, const char *const *words, size_t n,
                                   const char *days, struct err *err);

// Does it, and writes what is to be printed.
// Fails: ERR_EXISTS "<file>: is there already", ERR_NOT_FOUND, ERR_IO, as certificate_make.
MUST_CHECK bool cert_command_run(const struct cert_command *c, int64_t now_s, struct writer *w,
                                 struct arena *arena, struct err *err);

#endif
