// signer/backup.h -- taking a signer's backup.
//
// (1) Taking one changes nothing in the store.
// (2) It is sealed under twelve words that are shown once, and kept nowhere.
// What is in a backup and what is not: docs/backup-format.md. signer/init.h makes a signer of one.
#ifndef CASEMATE_SIGNER_BACKUP_H
#define CASEMATE_SIGNER_BACKUP_H
#include "signer/backup_file.h"
#include "signer/backup_text.h"
#include "signer/init.h"

#define BACKUP_QUIZ_WORDS 3

// What there is to be backed up. All borrowed.
struct backup_source {
    struct store *store; // unlocked
    const struct secret *master;
    const struct chain *chain;
    const char *name;
    int64_t now_s;
};

// The text that is sealed, in the arena (BACKUP_ARENA): a secret, which wipes with it.
// Fails: ERR_NO_MEMORY, ERR_IO, ERR_STATE without a seed.
MUST_CHECK bool backup_gather(struct bytes *text, const struct backup_source *source,
                              struct arena *arena, struct err *err);

// Appends the sealed file. Fails: as both.
MUST_CHECK bool backup_make(struct writer *w, const struct backup_source *source,
                            const struct backup_words *words, struct vault_cost cost,
                            struct err *err);

// Three words that the operator is asked for, to see that he has them: their numbers, rising.
struct backup_quiz {
    unsigned number[BACKUP_QUIZ_WORDS];
};
struct backup_quiz backup_quiz_make(void);
// "Words 2, 7 and 11": what to ask for.
void backup_quiz_write(struct writer *w, const struct backup_quiz *quiz);
// Whether the answer is those words, blanks between; four letters are enough, as anywhere.
bool backup_quiz_is_right(const struct backup_quiz *quiz, const struct backup_words *words,
                          struct bytes answer);

// `casemate-signer backup`. The answers come in this order: the PIN, unless it is given; Enter; the
// three words.
struct backup_options {
    const char *dir, *name;
    const char *file; // to be written, 0600; must not exist
    struct bytes pin; // empty: ask
    struct vault_cost cost;
    bool accept_weak; // a store made for tests
    unsigned pin_tries;
    const struct chain *chain;
    const struct clock *clock;
    struct init_io io;
};
// Fails: as store_open and vault_unlock; ERR_EXISTS "<file>: exists already".
MUST_CHECK bool backup_run(const struct backup_options *options, struct err *err);

#endif
