// signer/seed_mix.h -- a new seed from two sources: the kernel, and what the operator rolls.
//
// entropy = SHA-256(kernel's 32 bytes || the rolls as text), cut to the words' length. SHA-256 of the
// kernel's bytes is shown before the first roll, so that they cannot have been chosen to fit the
// rolls. The transcript names all of it, so that anyone can recompute the words; neither source alone
// decides. Source: design.md "Seed".
#ifndef CASEMATE_SIGNER_SEED_MIX_H
#define CASEMATE_SIGNER_SEED_MIX_H
#include "base/err.h"
#include "base/writer.h"

#define SEED_MIX_ROLLS_MAX 1024

enum seed_source { SEED_DICE, SEED_COINS }; // digits 1 to 6; h and t (or 1 and 0)

struct seed_rolls {
    enum seed_source source;
    char
        text[SEED_MIX_ROLLS_MAX]; // the rolls, blanks removed, h and t in lower case; no final zero
    size_t n;
};
void seed_rolls_wipe(struct seed_rolls *rolls); // also for AUTO

// Rolls needed for words of that many bytes of entropy, so that they alone have no fewer bits: 50, 75
// or 100 of a die (2.58 bits each), 128, 192 or 256 of a coin.
size_t seed_rolls_needed(enum seed_source source, size_t entropy_len);

// Adds what was typed; blanks and commas are skipped.
// Fails: ERR_INVALID naming the place of a character that is no roll; ERR_LIMIT; then as it was.
MUST_CHECK bool seed_rolls_add(struct seed_rolls *rolls, struct bytes typed, struct err *err);

// Enough of them, and such as a fair die or coin gives: faces even enough, and no repeating pattern,
// either of which chance would fail once in a million seeds.
// Fails: ERR_INVALID "<n> more rolls are needed", "the rolls are too uneven: ...", "the rolls repeat
//        themselves: ...".
MUST_CHECK bool seed_rolls_check(const struct seed_rolls *rolls, size_t entropy_len,
                                 struct err *err);

// entropy: 16, 24 or 32 bytes.
void seed_mix(uint8_t *entropy, size_t entropy_len, const uint8_t kernel[static 32],
              const struct seed_rolls *rolls);

// SHA-256 of the kernel's bytes, in hex: what is shown before the first roll.
#define SEED_COMMITMENT_SIZE 65
void seed_mix_commitment(char out[static SEED_COMMITMENT_SIZE], const uint8_t kernel[static 32]);

// How to recompute: a secret, like the words that follow from it.
MUST_CHECK bool seed_mix_transcript(struct writer *w, size_t entropy_len,
                                    const uint8_t kernel[static 32], const struct seed_rolls *rolls,
                                    struct err *err);

#endif
