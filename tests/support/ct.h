// tests/support/ct.h -- programs that run what touches a secret with that secret marked undefined, under valgrind.
//
// Memcheck then reports each branch that depends on the secret and each address made from it. It
// counts every report, so a row says how many there may be: none, or those that the comment at the
// row explains. The packaged curve library cannot be told to keep quiet about what it knows to be
// public (upstream builds its own such test with that ability), so those are counted, not hidden: a
// suppression would hide the next one in the same function too.
//
// The sources under test are compiled for such a program with CASEMATE_CT_CHECK.
#ifndef CASEMATE_TESTS_SUPPORT_CT_H
#define CASEMATE_TESTS_SUPPORT_CT_H
#include <stdbool.h>
#include <stddef.h>

void make_secret(const void *ptr, size_t len);
// What was computed from a secret, and what it is in the clear.
bool same(const void *secret, const void *plain, size_t len);

struct ct_row {
    const char *name;
    bool (*run)(void); // true: the result is that of the same call in the clear
    unsigned reports;
};
// All of main: prints TAP, one line for each row, and returns the status. Skips where valgrind does not run it.
// covers: the number in a checklist.
int ct_main(const char *covers, const struct ct_row *rows, size_t n);

#endif
