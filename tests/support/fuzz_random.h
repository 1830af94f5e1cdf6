// tests/support/fuzz_random.h -- takes the place of crypto/random in a fuzz target: an input that is found
// is found again, and what was sent for another one is sent again.
#ifndef CASEMATE_TESTS_SUPPORT_FUZZ_RANDOM_H
#define CASEMATE_TESTS_SUPPORT_FUZZ_RANDOM_H

// Begins the same bytes anew.
void fuzz_random_reset(void);

#endif
