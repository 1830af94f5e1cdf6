// signer/init_internal.h -- what the files behind signer/init.h share: answers, questions, new words.
#ifndef CASEMATE_SIGNER_INIT_INTERNAL_H
#define CASEMATE_SIGNER_INIT_INTERNAL_H
#include "bitcoin/mnemonic.h"
#include "signer/init.h"

#define INIT_LINE_MAX 2048

// One answer, as it was typed. All of these are wiped by who declares them.
struct line {
    size_t len;
    uint8_t b[INIT_LINE_MAX];
};
void line_wipe(struct line *line);
struct bytes line_bytes(const struct line *line); // without blanks at its ends

// Normalized BIP-39 words.
struct words {
    size_t len;
    char b[MNEMONIC_TEXT_MAX];
};
void words_wipe(struct words *words);

void init_say(const struct init_options *o, const char *text);
void init_clear(const struct init_options *o);
// Says what was wrong with an answer; the caller asks again.
void init_complain(const struct init_options *o, const struct err *err);
MUST_CHECK bool init_ask(const struct init_options *o, const char *question, bool echo,
                         struct line *out, struct err *err);
// One of the characters of `choices`.
MUST_CHECK bool init_choose(const struct init_options *o, const char *question, const char *choices,
                            char *out, struct err *err);

// New words from the kernel and from what the operator rolls, shown, and read back from his paper.
MUST_CHECK bool init_new_words(const struct init_options *o, struct words *out, struct err *err);

#endif
