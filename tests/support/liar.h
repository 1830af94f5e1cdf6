// tests/support/liar.h -- what a lying signer returns in place of its signature. Bytes in, bytes out.
//
// Silence, a late answer and a lost one are no bytes: tests/support/fake_port.h and treasury_world.h have them.
// Source: coordinator.md D18.
#ifndef CASEMATE_TESTS_SUPPORT_LIAR_H
#define CASEMATE_TESTS_SUPPORT_LIAR_H
#include "base/arena.h"

enum lie {
    LIE_NONE,
    LIE_WRONG_TRANSACTION, // another one, well signed
    LIE_EXTRA_OUTPUT,      // the same with an output more, well signed
    LIE_BAD_SIGNATURE,     // a bit of it is another
    LIE_OTHER_SIGNATURE,   // that of another PSBT, in this one
    LIE_UNSIGNED,          // what it was given
    LIE_CUT,               // the last byte is missing
    LIE_LONGER,            // bytes behind the end
    LIE_NOTHING,
};
#define LIES (LIE_NOTHING + 1)
const char *lie_name(enum lie lie);

// What the liar makes its answer of: the PSBT that it was given, unsigned and signed; another PSBT of the same
// coin, signed; and one with an output more, signed.
struct liar {
    struct bytes sent, honest, other, extra;
};
struct bytes liar_returns(const struct liar *liar, enum lie lie, struct arena *arena);

#endif
