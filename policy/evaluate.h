// policy/evaluate.h -- the decision: sign, or refuse and say why.
//
// (1) The first rule whose clauses all hold decides; if none does, refuse.
// (2) Reads nothing but its arguments and changes none of them, so that an audit record replayed
//     gives its decision again, and "what would happen" consumes nothing.
// (3) The caller commits what the decision says before a signature leaves: progress of users,
//     velocity, what was consumed, counters, log.
// (4) Zeroed memory refuses.
// Source: policy.md 10, 11, 15.1.
#ifndef CASEMATE_POLICY_EVALUATE_H
#define CASEMATE_POLICY_EVALUATE_H
#include "base/writer.h"
#include "bitcoin/facts.h"
#include "policy/rules.h"
#include "policy/users.h"
#include "policy/velocity.h"

#define LOCAL_CODE_DIGITS 6

enum verdict { VERDICT_REFUSE, VERDICT_SIGN };

// Why, for the whole request; each has one text (decision_write).
enum cause {
    CAUSE_NOT_EVALUATED,
    CAUSE_NO_LOG,         // "Could not log details, and must_log is set"
    CAUSE_WARNINGS,       // "Rejected: has <n> warning(s)"
    CAUSE_MSG_NONE,       // "Message signing not permitted", BIP-322 with "Rejected: "
    CAUSE_MSG_PATH,       // "Message signing not enabled for that path", likewise
    CAUSE_MSG_USERS,      // "need user(s) confirmation", likewise, and as REASON_FEW_USERS [EXT]
    CAUSE_MSG_COUNT,      // "would exceed messages per period", likewise [EXT]
    CAUSE_NO_RULES,       // "Rejected: no txn signing allowed"
    CAUSE_BAD_AUTH,       // "User '<name>' gave wrong auth value: <problem>"
    CAUSE_NO_RULE_PASSES, // "Rejected: rule #1: <reason>, rule #2: <reason>"
    CAUSE_RULE,           // "Acceptable by rule #<n>"
    CAUSE_MSG_ALLOWED,    // "Message signing allowed", "BIP-322 message signing allowed"
};
#define CAUSES 12

// What a rule lacked: its first clause that failed. Source: policy.md 10.3.
enum reason {
    REASON_NOT_TRIED, // a rule before it decided, or no rule was reached
    REASON_NONE,      // all clauses hold
    REASON_WRONG_WALLET,
    REASON_NOT_MULTISIG,
    REASON_AMOUNT,           // actual, limit
    REASON_FEE,              // actual, limit; UINT64_MAX: unknown [EXT]
    REASON_NOT_WHITELISTED,  // output
    REASON_NO_ATTESTATION,   // output
    REASON_ATTEST_LENGTH,    // output
    REASON_ATTEST_HEADER,    // output, actual: the header byte
    REASON_ATTEST_SIGNATURE, // output
    REASON_ATTEST_KEY,       // output
    REASON_ATTEST_TWICE, // output: one of an earlier output's, in a rule with attest_bound [EXT]
    REASON_LOCAL_CODE,
    REASON_NO_USER,   // limit: needed
    REASON_FEW_USERS, // actual, limit
    REASON_PERIOD,    // actual: what would be spent, limit
    REASON_TXNS,      // actual: approvals that there would be, limit [EXT]
    REASON_LOCKTIME,  // actual: its height, 0 if it has none; limit: the least that would do [EXT]
    REASON_SELF_TRANSFER, // actual, limit: hundredths of a percent
    REASON_NO_OWN_INPUT,
    REASON_OWN_INPUT_UNKNOWN,
    REASON_NUM_INS_OUTS,     // actual: inputs, limit: outputs
    REASON_NUM_OWN_INS_OUTS, // actual: own inputs, limit: own outputs
    REASON_OUT_AMOUNTS,
};
struct rule_outcome {
    enum reason reason;
    size_t output; // from 0
    uint64_t actual, limit;
};

// Who and what stands behind a request. All borrowed.
struct auth_facts {
    const struct user *users; // all there are
    size_t n_users;
    const struct auth_queue *queue;     // what users sent, in order of submission
    bool has_local_code;                // six digits were entered
    char local_code[LOCAL_CODE_DIGITS]; // those digits
    struct bytes local_secret;          // the 15 bytes published as next_local_code
    bool card_usable;                   // a log record can be opened now
};

// A text message.
struct message_facts {
    struct keypath path; // of the key that is to sign
    struct hash256 hash; // SHA-256 of its text: what password tokens are made for
};

// A user whose code was good. `user` is an index into auth_facts.users.
struct verified_user {
    size_t user;
    struct user_progress after; // to be stored if the decision says so
};

struct decision {
    enum verdict verdict;
    enum cause cause;
    size_t rule;        // index of the rule that allowed it, with CAUSE_RULE
    bool is_message;    // BIP-322 or a text message
    bool is_text;       // a text message
    struct sats spent;  // total_out
    struct sats charge; // what was charged: `spent`, with the fee if the rule counts it
    bool repeated;      // `dedupe`: it was charged to that rule before [EXT]
    size_t n_warnings;

    // Per rule, n_tried of them, in order.
    size_t n_tried;
    struct rule_outcome tried[POLICY_RULES_MAX];

    // Codes. `n_verified` is 0 unless every queued code was good: then each `after` is to be
    // stored, also when the request is refused for another reason.
    size_t n_verified;
    struct verified_user verified[USERS_MAX];
    enum auth_problem problem; // with CAUSE_BAD_AUTH, of `bad_auth`
    struct bytes bad_auth;     // name; borrowed from auth_facts.queue
    bool local_code_good;

    size_t msg_needed, msg_given; // with CAUSE_MSG_USERS

    bool consumed; // the queue and the local code are used up; a new local secret must be drawn
    bool queue_consumed;      // the queue alone: a text message that needs users [EXT]
    bool log;                 // a record is to be written
    bool charged;             // `velocity` includes this request
    struct velocity velocity; // to be stored before a signature leaves
};

// Steps E1 to E14 of policy.md 10.1, for transactions and for BIP-322 messages.
// tx:       facts after the proof of change and keys (step F2 before E1).
// velocity: as stored; the decision has what to store next, whatever the verdict.
// now_s:    the wall clock.
// Cannot fail: it needs memory for what it works out of each output (at most 200 bytes an output),
// which the system refusing stops the process.
struct decision policy_evaluate(const struct policy *policy, const struct tx_facts *tx,
                                const struct auth_facts *auth, const struct velocity *velocity,
                                int64_t now_s);
// The same in place: a decision is 90 KB.
void policy_decide(struct decision *out, const struct policy *policy, const struct tx_facts *tx,
                   const struct auth_facts *auth, const struct velocity *velocity, int64_t now_s);

// A text message. Source: policy.md 15.1 steps 1, 3, 4, 5. Without policy_limits_messages only verdict,
// cause, is_message, is_text and log are set; queue, local code and velocity play no part. With it
// what users queued is taken and verified, and messages are counted.
struct decision policy_evaluate_message(const struct policy *policy,
                                        const struct message_facts *message,
                                        const struct auth_facts *auth,
                                        const struct velocity *velocity, int64_t now_s);

// The exact text of policy.md 12: `last_refusal`, or what stands behind "APPROVED: " in the log.
// The arguments are those of the evaluation; tx may be NULL for a text message.
// A script that is named as hex is shown by its first DECISION_SCRIPT_SHOWN bytes, then "...": no
// script that can be spent is as long, and the text must not grow with what the host sends. For the
// same reason the rules that come after DECISION_TEXT_SHOWN bytes are left out, which ", ..." says:
// the text stands in every status report, of which clients take 1 MiB.
#define DECISION_SCRIPT_SHOWN 10000
#define DECISION_TEXT_SHOWN   (256u << 10)
#define DECISION_TEXT_MAX     (512u << 10) // bytes; usually below 1000
void decision_write(struct writer *w, const struct decision *decision, const struct policy *policy,
                    const struct tx_facts *tx);

// The reason of one rule, as in 10.3: "amount exceeded"; "" when all clauses hold.
void rule_outcome_write(struct writer *w, const struct rule_outcome *outcome,
                        const struct rule *rule, const struct tx_facts *tx);

// A stable name for programs, "amount", "period". Source: policy.md D19.
const char *reason_code(enum reason reason);
const char *cause_code(enum cause cause);

#endif
