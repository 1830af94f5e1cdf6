// tests/support/policy_fixture.h -- the world of policy.md 24 and a transaction, for policy's tests.
//
// "Unless said otherwise users alice (TOTP UR4LAZMTSJOF52FE), bob (HOTP DBDCOKLQKM6BAKXD), carol
// (password) and wallet Treasury exist." The transaction is that of 17.4: 10,000,000 sat come in,
// 2,000,000 go to a stranger, 7,999,000 are change.
#ifndef CASEMATE_TESTS_SUPPORT_POLICY_FIXTURE_H
#define CASEMATE_TESTS_SUPPORT_POLICY_FIXTURE_H
#include "policy/evaluate.h"
#include "tests/support/test.h"

#define CAROLS_PASSWORD "abcd1234"
#define STRANGER        "tb1qq5zs2pg9q5zs2pg9q5zs2pg9q5zs2pg9lm9x7g"
#define OUR_CHANGE      "tb1qqcrqvpsxqcrqvpsxqcrqvpsxqcrqvpsxwlrr47"

extern const struct policy_world policy_world_of_24;

// Parses in the test's arena; a text that is refused stops the test.
struct policy parsed(const char *text);
struct policy parsed_bytes(struct bytes text, const struct policy_world *world);

// The text must be refused with "HSM Policy invalid: " and this.
#define assert_policy_error(text, expected)                                                        \
    check_policy_error((text), (expected), &policy_world_of_24, __FILE__, __LINE__)
void check_policy_error(const char *text, const char *expected, const struct policy_world *world,
                        const char *file, int line);

// A writer in the test's arena, and what it holds at the end.
struct writer text_writer(void);
struct bytes written(const struct writer *w);
struct bytes summary_of(const struct policy *policy, const char *chain, enum unit unit);
struct bytes canonical_of(const struct policy *policy);
struct bytes stored_of(const struct policy *policy);
struct bytes hex_of(const struct hash256 *hash);

// A request with room to be changed: facts, users, codes, local code, card.
#define FIXTURE_MAX 12 // inputs, outputs
struct fixture {
    struct tx_facts tx;
    struct input_facts in[FIXTURE_MAX];
    struct output_facts out[FIXTURE_MAX];
    struct user users[4];
    struct auth_queue queue;
    struct auth_facts auth;
    struct velocity velocity;
    int64_t now_s;
};
void fixture_init(struct fixture *f); // the struct must stay where it is
void fixture_sum(struct fixture *f);  // after changes to inputs or outputs

// Queues a right code: TOTP for `step`, HOTP for counter `step`, or the password's token.
void fixture_authorise(struct fixture *f, const char *name, uint32_t step);
// A code as given.
void fixture_send(struct fixture *f, const char *name, const char *token, uint32_t step);
// Enters the right local code.
void fixture_confirm(struct fixture *f);

struct decision fixture_decide(const struct fixture *f, const struct policy *policy);
struct bytes decision_text(const struct decision *d, const struct policy *policy,
                           const struct fixture *f);

// Evaluates and compares the text: "Acceptable by rule #1", "Rejected: ...".
#define assert_decision(f, policy, expected)                                                       \
    check_decision((f), (policy), (expected), __FILE__, __LINE__)
struct decision check_decision(const struct fixture *f, const char *policy, const char *expected,
                               const char *file, int line);

// Stores what a decision says: velocity, progress of users; empties queue and local code.
void fixture_commit(struct fixture *f, const struct decision *d);

#endif
