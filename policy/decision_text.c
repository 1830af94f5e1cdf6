// policy/decision_text.c -- decisions in the exact words of policy.md 10.3 and 12.
#include "bitcoin/address.h"
#include "policy/evaluate.h"
#include "policy/percent.h"
#include <inttypes.h>

// --- Reasons of rules ---

// Most reasons are one text. The others have a function below.
static const struct {
    const char *code, *text;
} reasons[] = {
    [REASON_NOT_TRIED] = { "not-tried", "" },
    [REASON_NONE] = { "none", "" },
    [REASON_WRONG_WALLET] = { "wallet", "wrong wallet" },
    [REASON_NOT_MULTISIG] = { "not-multisig", "not multisig" },
    [REASON_AMOUNT] = { "amount", "amount exceeded" },
    [REASON_FEE] = { "fee", "fee exceeded" },
    [REASON_NOT_WHITELISTED] = { "whitelist", NULL },
    [REASON_NO_ATTESTATION] = { "attestation-missing", NULL },
    [REASON_ATTEST_LENGTH] = { "attestation-length", "signature length" },
    [REASON_ATTEST_HEADER] = { "attestation-header", NULL },
    [REASON_ATTEST_SIGNATURE] = { "attestation-signature", "invalid signature" },
    [REASON_ATTEST_KEY] = { "attestation-key", NULL },
    [REASON_ATTEST_TWICE] = { "attestation-twice", NULL },
    [REASON_LOCAL_CODE] = { "local-code", "local operator didn't confirm" },
    [REASON_NO_USER] = { "users", "need user(s) confirmation" },
    [REASON_FEW_USERS] = { "min-users", NULL },
    [REASON_PERIOD] = { "period", "would exceed period spending" },
    [REASON_TXNS] = { "transactions", "would exceed transactions per period" },
    [REASON_LOCKTIME] = { "locktime", "locktime" },
    [REASON_SELF_TRANSFER] = { "self-transfer", NULL },
    [REASON_NO_OWN_INPUT] = { "own-input-none", "divide by zero" },
    [REASON_OWN_INPUT_UNKNOWN] = { "own-input-unknown", "own input value unknown" },
    [REASON_NUM_INS_OUTS] = { "num-ins-outs", "unequal number of inputs and outputs" },
    [REASON_NUM_OWN_INS_OUTS] = { "num-own-ins-outs", "unequal number of own inputs and outputs" },
    [REASON_OUT_AMOUNTS] = { "out-amounts", "not all output amounts are equal" },
};

const char *reason_code(enum reason reason)
{
    return reasons[reason].code;
}

static void write_address(struct writer *w, struct bytes script, const struct chain *chain)
{
    if (address_from_script(w, script, chain))
        return;
    writer_hex(w, bytes_slice(script, 0, DECISION_SCRIPT_SHOWN));
    if (script.len > DECISION_SCRIPT_SHOWN)
        writer_text(w, "...");
}

static void write_few_users(struct writer *w, uint64_t given, uint64_t needed)
{
    writer_printf(w, "need more users to confirm (got %" PRIu64 " of %" PRIu64 ")", given, needed);
}

void rule_outcome_write(struct writer *w, const struct rule_outcome *outcome,
                        const struct rule *rule, const struct tx_facts *tx)
{
    switch (outcome->reason) {
    case REASON_NOT_WHITELISTED:
        writer_text(w, "non-whitelisted address: ");
        write_address(w, tx->out[outcome->output].script, tx->chain);
        break;
    case REASON_NO_ATTESTATION:
        writer_printf(w, "missing attestation for output %zu", outcome->output);
        break;
    case REASON_ATTEST_HEADER:
        writer_printf(w, "unsupported recovery id: %" PRIu64, outcome->actual);
        break;
    case REASON_ATTEST_KEY:
        writer_printf(w, "non-whitelisted attestation key for output %zu", outcome->output);
        break;
    case REASON_ATTEST_TWICE:
        writer_printf(w, "attestation used twice, for output %zu", outcome->output);
        break;
    case REASON_FEW_USERS:
        write_few_users(w, outcome->actual, outcome->limit);
        break;
    case REASON_SELF_TRANSFER:
        writer_text(w, "does not meet self transfer threshold, expected: ");
        hundredths_write(w, percent_hundredths(rule->min_pct));
        writer_text(w, ", actual: ");
        hundredths_write(w, outcome->actual);
        break;
    default:
        writer_text(w, reasons[outcome->reason].text);
        break;
    }
}

// --- Decisions ---

const char *cause_code(enum cause cause)
{
    static const char *const codes[CAUSES] = {
        [CAUSE_NOT_EVALUATED] = "not-evaluated",
        [CAUSE_NO_LOG] = "log",
        [CAUSE_WARNINGS] = "warnings",
        [CAUSE_MSG_NONE] = "messages",
        [CAUSE_MSG_PATH] = "message-path",
        [CAUSE_MSG_USERS] = "message-users",
        [CAUSE_MSG_COUNT] = "message-count",
        [CAUSE_NO_RULES] = "no-rules",
        [CAUSE_BAD_AUTH] = "bad-code",
        [CAUSE_NO_RULE_PASSES] = "no-rule",
        [CAUSE_RULE] = "rule",
        [CAUSE_MSG_ALLOWED] = "message",
    };
    return codes[cause];
}

// "`Rejected: rule #<n>: <reason>` joined with `, `"
static void write_tried(struct writer *w, const struct decision *d, const struct policy *policy,
                        const struct tx_facts *tx)
{
    const size_t start = w->len;
    writer_text(w, "Rejected: ");
    for (size_t i = 0; i < d->n_tried; i++) {
        if (w->len - start > DECISION_TEXT_SHOWN) {
            writer_text(w, ", ...");
            return;
        }
        writer_printf(w, "%srule #%zu: ", i == 0 ? "" : ", ", i + 1);
        rule_outcome_write(w, &d->tried[i], &policy->rules[i], tx);
    }
}

// Refusals of BIP-322 messages are those of text messages "with `Rejected: ` in front".
static void write_message_refusal(struct writer *w, const struct decision *d, const char *text)
{
    writer_printf(w, "%s%s", d->is_text ? "" : "Rejected: ", text);
}

void decision_write(struct writer *w, const struct decision *decision, const struct policy *policy,
                    const struct tx_facts *tx)
{
    switch (decision->cause) {
    case CAUSE_NOT_EVALUATED:
        break;
    case CAUSE_NO_LOG:
        writer_text(w, "Could not log details, and must_log is set");
        break;
    case CAUSE_WARNINGS:
        writer_printf(w, "Rejected: has %zu warning(s)", decision->n_warnings);
        break;
    case CAUSE_MSG_NONE:
        write_message_refusal(w, decision, "Message signing not permitted");
        break;
    case CAUSE_MSG_PATH:
        write_message_refusal(w, decision, "Message signing not enabled for that path");
        break;
    case CAUSE_MSG_USERS:
        write_message_refusal(w, decision,
                              decision->msg_given == 0 ? "need user(s) confirmation" : "");
        if (decision->msg_given > 0)
            write_few_users(w, decision->msg_given, decision->msg_needed);
        break;
    case CAUSE_MSG_COUNT:
        write_message_refusal(w, decision, "would exceed messages per period");
        break;
    case CAUSE_NO_RULES:
        writer_text(w, "Rejected: no txn signing allowed");
        break;
    case CAUSE_BAD_AUTH:
        writer_text(w, "User '");
        name_write(w, decision->bad_auth); // by whom is for the host to say: it may be anything
        writer_printf(w, "' gave wrong auth value: %s", auth_problem_text(decision->problem));
        break;
    case CAUSE_NO_RULE_PASSES:
        write_tried(w, decision, policy, tx);
        break;
    case CAUSE_RULE:
        writer_printf(w, "Acceptable by rule #%zu", decision->rule + 1);
        break;
    case CAUSE_MSG_ALLOWED:
        writer_text(w, decision->is_text ? "Message signing allowed"
                                         : "BIP-322 message signing allowed");
        break;
    }
}
