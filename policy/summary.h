// policy/summary.h -- a policy in words: what the operator approves and the status report shows.
//
// Source: policy.md 6 and 8.1; texts are exact.
#ifndef CASEMATE_POLICY_SUMMARY_H
#define CASEMATE_POLICY_SUMMARY_H
#include "base/writer.h"
#include "bitcoin/chain.h"
#include "policy/rules.h"

// Ends in LF. Characters of user and wallet names outside 0x20 to 0x7e show as `?` (D15).
void policy_summary(struct writer *w, const struct policy *policy, const struct chain *chain,
                    enum unit unit);

#define APPROVAL_TITLE  "Start HSM?"
#define APPROVAL_DIGITS "12346" // one of these, drawn at random, accepts screen 2

// Screen 1: the summary and "Press OK to enable HSM mode."
void approval_first_write(struct writer *w, const struct policy *policy, const struct chain *chain,
                          enum unit unit);

// Screen 2, for a new file only: the hash, and the digit that accepts. With a boot_to_hsm that no
// keypad can enter it says so [EXT, D24].
void approval_second_write(struct writer *w, const struct policy *policy, char digit);

// "Cannot start HSM.", a blank line, the error with `?` for control characters. Source: policy.md 2.3.
void approval_failed_write(struct writer *w, const struct err *err);

#endif
