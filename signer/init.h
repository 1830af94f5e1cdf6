// signer/init.h -- `casemate-signer init`: makes a state directory, a PIN and a master secret.
//
// Talks to a terminal or reads lines from a pipe, through `struct init_io`, so that tests own it. The
// answers come in this order, each only if its question is asked:
//
//   how to come by the seed: 1 make one, 2 type words, 3 type an extended private key, q give up
//   1: dice or coins (d, c); rolls, as many lines as it takes; Enter; the words again
//   2: the words, in one line     3: the key, in one line
//   1, 2: the BIP-39 passphrase, empty for none; if not empty: again
//   the PIN; the PIN again
//
// `casemate-signer restore` makes a signer of a backup instead, and asks for its words (again while they
// are wrong), if it is sealed, and for the new PIN, twice. What a restored signer knows and does not
// know: docs/backup-format.md.
//
// Source: design.md "Seed", "At rest", PIN.
#ifndef CASEMATE_SIGNER_INIT_H
#define CASEMATE_SIGNER_INIT_H
#include "signer/seed_mix.h"
#include "signer/vault.h"

enum init_source {
    INIT_ASK,      // let the operator choose
    INIT_GENERATE, // kernel and dice or coins
    INIT_WORDS,
    INIT_XPRV,
    INIT_BACKUP, // `restore`: `backup` names the file
};

// Where questions go and answers come from.
struct init_io {
    void *context;
    // Shows text as it is.
    void (*show)(void *context, struct bytes text);
    // Reads one line, without its LF, into `out`; echo off for a secret. Fails: ERR_TRUNCATED at the
    // end of input, ERR_LIMIT.
    bool (*ask)(void *context, struct writer *out, bool echo, struct err *err);
    // Clears the screen of what was secret. May be NULL.
    void (*clear)(void *context);
};

// The terminal, or the pipe that is standard input. `context` may be NULL.
struct init_io init_io_terminal(void);

struct init_options {
    const char *dir;
    enum init_source source;
    const char *backup;        // INIT_BACKUP: a sealed backup, or the text of a Coldcard's archive
    const struct clock *clock; // INIT_BACKUP: TOTP codes of times before it are used up
    size_t n_words;            // to generate: 12, 18 or 24; 0: 24
    struct bytes pin;          // empty: ask, twice
    struct init_io io;
    struct vault_cost cost;
    bool has_group; // the directory's group
    unsigned group;
    // The kernel's bytes for a new seed; NULL: random_bytes.
    void (*random)(void *context, void *out, size_t len);
    void *random_context;
};

// Makes the directory (0710, of the group) unless it is there; its parent must be.
// Fails: ERR_EXISTS if there is a signer, or the journal of one, ERR_REFUSED if the operator gives up, ERR_IO, and what a
// part says. What it made is then removed.
MUST_CHECK bool init_run(const struct init_options *options, struct err *err);

#endif
