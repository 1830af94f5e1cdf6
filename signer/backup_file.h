// signer/backup_file.h -- a backup sealed under twelve words.
//
// (1) The words are made here, of 128 random bits, and stand nowhere but on paper.
// (2) What was cut, lengthened or changed in any place is refused, and says which.
// docs/backup-format.md has the layout byte by byte.
#ifndef CASEMATE_SIGNER_BACKUP_FILE_H
#define CASEMATE_SIGNER_BACKUP_FILE_H
#include "signer/vault.h"

#define BACKUP_FILE_MAGIC   "casemate backup\n"
#define BACKUP_FILE_VERSION 1
#define BACKUP_WORDS        12
#define BACKUP_WORDS_SIZE   128 // 12 words of 8 letters, blanks, final zero
#define BACKUP_FILE_MAX     (34u << 20)

struct backup_words {
    size_t len;
    char b[BACKUP_WORDS_SIZE];
};
void backup_words_wipe(struct backup_words *words); // also for AUTO
void backup_words_make(struct backup_words *out);
// The n-th word, from 1.
struct bytes backup_words_nth(const struct backup_words *words, unsigned n);

// Appends the file. Fails: ERR_NO_MEMORY; ERR_LIMIT for a text that is too long.
MUST_CHECK bool backup_file_seal(struct writer *w, struct bytes text,
                                 const struct backup_words *words, struct vault_cost cost,
                                 struct err *err);

// Whether these bytes begin as a sealed backup does.
bool backup_file_is_sealed(struct bytes file);

// *text lies in the arena. words: as a person typed them.
// Fails: ERR_MALFORMED "not a Casemate backup", ERR_UNSUPPORTED "backup of version <n>; this program
//        opens version 1", ERR_TRUNCATED "the backup is cut short: <n> bytes of <n>", ERR_MALFORMED
//        "the backup is longer than it says: <n> bytes of <n>", as mnemonic_normalize, ERR_INVALID "a
//        backup has 12 words", ERR_AUTH "these words do not open the backup", ERR_INVALID "the backup
//        is damaged", ERR_LIMIT, ERR_NO_MEMORY.
MUST_CHECK bool backup_file_open(struct bytes *text, struct bytes file, struct bytes words,
                                 struct arena *arena, struct err *err);

#endif
