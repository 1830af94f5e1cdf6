#include "coordinator/refusal.h"
#include "tests/support/test.h"

// Every text that policy.md 10.3 and 12, wire-protocol.md 8.6, 8.7 and 9.4 and our own extensions know.
static const struct {
    const char *text;
    enum refusal_tag tag;
} cases[] = {
    // whole decisions
    { "Could not log details, and must_log is set", REFUSAL_LOG },
    { "Message signing not permitted", REFUSAL_MESSAGE },
    { "Message signing not enabled for that path", REFUSAL_MESSAGE },
    { "Rejected: Message signing not permitted", REFUSAL_MESSAGE },
    { "Rejected: Message signing not enabled for that path", REFUSAL_MESSAGE },
    { "would exceed messages per period", REFUSAL_MESSAGE },
    { "Rejected: would exceed messages per period", REFUSAL_MESSAGE },
    { "need user(s) confirmation", REFUSAL_USER }, // msg_users
    { "need more users to confirm (got 1 of 2)", REFUSAL_USER },
    { "User 'owner' gave wrong auth value: mismatch", REFUSAL_USER },
    { "User 'owner' gave wrong auth value: replay", REFUSAL_USER },
    { "User 'owner' gave wrong auth value: range", REFUSAL_USER },
    { "User 'owner' gave wrong auth value: expect otp", REFUSAL_USER },
    { "User 'x' gave wrong auth value: unknown user", REFUSAL_USER },
    { "Rejected: has 1 warning(s)", REFUSAL_WARNING },
    { "Rejected: has 12 warning(s)", REFUSAL_WARNING },
    { "Rejected: no txn signing allowed", REFUSAL_AMOUNT },
    // reasons of one rule
    { "Rejected: rule #1: wrong wallet", REFUSAL_WALLET },
    { "Rejected: rule #1: not multisig", REFUSAL_WALLET },
    { "Rejected: rule #1: amount exceeded", REFUSAL_AMOUNT },
    { "Rejected: rule #1: fee exceeded", REFUSAL_WARNING },
    { "Rejected: rule #1: non-whitelisted address: tb1qqq", REFUSAL_ADDRESS },
    { "Rejected: rule #1: missing attestation for output 0", REFUSAL_ADDRESS },
    { "Rejected: rule #1: signature length", REFUSAL_ADDRESS },
    { "Rejected: rule #1: unsupported recovery id: 26", REFUSAL_ADDRESS },
    { "Rejected: rule #1: invalid signature", REFUSAL_ADDRESS },
    { "Rejected: rule #1: non-whitelisted attestation key for output 1", REFUSAL_ADDRESS },
    { "Rejected: rule #1: attestation used twice, for output 1", REFUSAL_ADDRESS },
    { "Rejected: rule #1: local operator didn't confirm", REFUSAL_LOCAL },
    { "Rejected: rule #1: need user(s) confirmation", REFUSAL_USER },
    { "Rejected: rule #1: need more users to confirm (got 1 of 2)", REFUSAL_USER },
    { "Rejected: rule #1: would exceed period spending", REFUSAL_VELOCITY },
    { "Rejected: rule #1: would exceed transactions per period", REFUSAL_VELOCITY },
    { "Rejected: rule #1: locktime", REFUSAL_VELOCITY },
    { "Rejected: rule #1: does not meet self transfer threshold, expected: 90.00, actual: 1.00",
      REFUSAL_WARNING },
    { "Rejected: rule #1: divide by zero", REFUSAL_WARNING },
    { "Rejected: rule #1: own input value unknown", REFUSAL_WARNING },
    { "Rejected: rule #1: unsupported types for __add__: 'int', 'NoneType'", REFUSAL_WARNING },
    { "Rejected: rule #1: unequal number of inputs and outputs", REFUSAL_WARNING },
    { "Rejected: rule #1: unequal number of own inputs and outputs", REFUSAL_WARNING },
    { "Rejected: rule #1: not all output amounts are equal", REFUSAL_WARNING },
    // two tiers: the rule that came furthest
    { "Rejected: rule #1: amount exceeded, rule #2: need user(s) confirmation", REFUSAL_USER },
    { "Rejected: rule #1: would exceed period spending, rule #2: need user(s) confirmation",
      REFUSAL_VELOCITY },
    { "Rejected: rule #1: amount exceeded, rule #2: would exceed period spending",
      REFUSAL_VELOCITY },
    { "Rejected: rule #1: amount exceeded, rule #2: amount exceeded", REFUSAL_AMOUNT },
    { "Rejected: rule #1: amount exceeded, rule #2: non-whitelisted address: tb1q",
      REFUSAL_ADDRESS },
    { "Rejected: rule #1: does not meet self transfer threshold, expected: 1.00, actual: 0.10, "
      "rule #2: amount exceeded",
      REFUSAL_WARNING },
    { "Rejected: rule #1: something new, rule #2: amount exceeded", REFUSAL_AMOUNT },
    { "Rejected: rule #1: something new", REFUSAL_UNKNOWN },
    // errors while it reads, analyses and signs
    { "Coldcard Error: PSBT parse failed", REFUSAL_PROTOCOL },
    { "Coldcard Error: PSBT checksum mismatch", REFUSAL_PROTOCOL },
    { "Coldcard Error: Invalid PSBT", REFUSAL_PROTOCOL },
    { "Coldcard Error: Transaction is too complex", REFUSAL_PROTOCOL },
    { "Coldcard Error: Transaction modified", REFUSAL_PROTOCOL },
    { "Coldcard Error: Signing failed late", REFUSAL_PROTOCOL },
    { "Coldcard Error: PSBT output failed", REFUSAL_PROTOCOL },
    { "Coldcard Error: Spending Policy violation.", REFUSAL_AMOUNT },
    { "Coldcard Error: 2FA Failed", REFUSAL_USER },
    { "Coldcard Error: Spending policy in effect", REFUSAL_PROTOCOL },
    { "Coldcard Error: None of the keys involved in this transaction belong to this Coldcard (need "
      "0F056943, found 44332211)",
      REFUSAL_WALLET },
    { "PSBT does not contain any key path information.", REFUSAL_WALLET },
    { "Transaction looks completely signed already?", REFUSAL_PROTOCOL },
    { "Missing own UTXO(s). Cannot determine value being signed", REFUSAL_WARNING },
    { "Legacy input #0 requires non-witness UTXO", REFUSAL_WARNING },
    { "Input #0 requires non-witness UTXO", REFUSAL_WARNING },
    { "Duplicate inputs", REFUSAL_PROTOCOL },
    { "Outputs worth more than inputs!", REFUSAL_WARNING },
    { "Network fee bigger than 10% of total amount (it is 100%).", REFUSAL_WARNING },
    { "Unsupported sighash flag 0x4", REFUSAL_WARNING },
    { "Only sighash ALL is allowed for pure consolidation transactions.", REFUSAL_WARNING },
    { "Sighash NONE is not allowed as funds could be going anywhere.", REFUSAL_WARNING },
    { "Sighash SINGLE is not allowed as some outputs could be changed.", REFUSAL_WARNING },
    { "Input #0: pubkey vs. address wrong", REFUSAL_WALLET },
    { "Input #3: pubkey wrong", REFUSAL_WALLET },
    { "Input #3: spk mismatch", REFUSAL_WALLET },
    { "Input#0: Expected 01 but PSBT claims 02 amount", REFUSAL_WALLET },
    { "Unknown multisig wallet", REFUSAL_WALLET },
    { "My XFP not involved", REFUSAL_WALLET },
    { "Need witness script for input #0", REFUSAL_WALLET },
    { "Missing redeem/witness script for input #0", REFUSAL_WALLET },
    { "Missing redeem script for output #1", REFUSAL_WALLET },
    { "Missing redeem/witness script for multisig output #1", REFUSAL_WALLET },
    { "Output#1: Change output is fraudulent", REFUSAL_WALLET },
    { "Output#1: P2WSH or P2SH change output script: pk#1 wrong, unknown XFP", REFUSAL_WALLET },
    { "MS enroll not allowed in HSM mode", REFUSAL_WALLET },
    { "Refused to import new wallet", REFUSAL_WALLET },
    { "XPUBs in PSBT do not match any existing wallet", REFUSAL_WALLET },
    { "Multisig wallet with those fingerprints not found", REFUSAL_WALLET },
    { "Install EDGE firmware to spend taproot.", REFUSAL_PROTOCOL },
    { "Unhandled scriptPubKey: 51", REFUSAL_PROTOCOL },
    { "i0: invalid BIP-322 'to_spend': x", REFUSAL_MESSAGE },
    { "POR not SIGHASH_ALL", REFUSAL_MESSAGE },
    // messages
    { "Coldcard Error: must be ascii printable", REFUSAL_MESSAGE },
    { "Coldcard Error: msg too short (min. 2)", REFUSAL_MESSAGE },
    { "Coldcard Error: msg too long (max. 240)", REFUSAL_MESSAGE },
    { "Coldcard Error: too many spaces together in msg(max. 3)", REFUSAL_MESSAGE },
    { "Coldcard Error: leading space(s) in msg", REFUSAL_MESSAGE },
    { "Coldcard Error: trailing space(s) in msg", REFUSAL_MESSAGE },
    { "Coldcard Error: Invalid address format: '2'", REFUSAL_MESSAGE },
    // the link
    { "Coldcard Error: Not allowed in HSM mode", REFUSAL_PROTOCOL },
    { "Coldcard Error: Not allowed on this link", REFUSAL_PROTOCOL },
    { "Coldcard Error: HSM commands disabled", REFUSAL_PROTOCOL },
    { "Coldcard Error: HSM Policy invalid: rule #1: Unknown user: owner", REFUSAL_PROTOCOL },
    { "Coldcard Error: Checksum", REFUSAL_PROTOCOL },
    { "Coldcard Error: Unknown cmd", REFUSAL_PROTOCOL },
    { "Coldcard Error: badlen", REFUSAL_PROTOCOL },
    { "Coldcard Error: buffer too small", REFUSAL_PROTOCOL },
    { "Coldcard Error: must encrypt", REFUSAL_PROTOCOL },
    { "Coldcard Error: psbt", REFUSAL_PROTOCOL },
    { "Coldcard Error: toomany", REFUSAL_PROTOCOL },
    { "Coldcard Error: Assertion users.py:118", REFUSAL_PROTOCOL },
    { "Coldcard Error: Out of RAM", REFUSAL_BUSY },
    { "Coldcard is handling another request right now", REFUSAL_BUSY },
    { "Coldcard Error: Coldcard is not connected.", REFUSAL_UNREACHABLE },
    { "Coldcard Error: Too many refusals", REFUSAL_UNREACHABLE },
    { "Coldcard Error: No active request", REFUSAL_UNREACHABLE },
    // what it is not
    { "", REFUSAL_UNKNOWN },
    { "Rejected: ", REFUSAL_UNKNOWN },
    { "amount exceeded", REFUSAL_UNKNOWN }, // a reason without its rule
    { "something else", REFUSAL_UNKNOWN },
};

TEST(coordinator_F39_every_known_text_has_its_tag)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        const enum refusal_tag tag = refusal_tag_of(bytes_of_text(cases[i].text));
        if (tag != cases[i].tag)
            fail_msg("'%s': %s, not %s", cases[i].text, refusal_tag_name(tag),
                     refusal_tag_name(cases[i].tag));
    }
}

TEST(coordinator_F39_tag_names)
{
    static const char *const names[REFUSAL_TAGS] = {
        "unknown", "amount", "velocity", "address", "user",    "local",       "wallet",
        "warning", "log",    "message",  "busy",    "timeout", "unreachable", "protocol",
    };
    for (size_t i = 0; i < REFUSAL_TAGS; i++) {
        assert_string_equal(refusal_tag_name((enum refusal_tag)i), names[i]);
        assert_int_equal(refusal_tag_of_name(bytes_of_text(names[i])), i);
    }
    assert_int_equal(refusal_tag_of_name(BYTES("velocit")), REFUSAL_UNKNOWN);
}

TEST(tags_of_failed_calls)
{
    static const struct {
        enum err_code code;
        const char *text;
        enum refusal_tag tag;
    } rows[] = {
        { ERR_TIMEOUT, "no reply from the device within 6 s", REFUSAL_TIMEOUT },
        { ERR_PENDING, "nobody has decided within 60 s", REFUSAL_TIMEOUT },
        { ERR_BUSY, "Coldcard is handling another request right now", REFUSAL_BUSY },
        { ERR_NOT_FOUND, "/tmp/x: no signer listens there", REFUSAL_UNREACHABLE },
        { ERR_IO, "poll: x", REFUSAL_UNREACHABLE },
        { ERR_INTERRUPTED, "interrupted", REFUSAL_UNREACHABLE },
        { ERR_FRAMING, "expected okay, got biny", REFUSAL_PROTOCOL },
        { ERR_AUTH, "another device", REFUSAL_PROTOCOL },
        { ERR_INVALID, "Coldcard Error: Unknown multisig wallet", REFUSAL_WALLET },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct err err;
        err_set(&err, rows[i].code, "%s", rows[i].text);
        assert_int_equal(refusal_tag_of_err(&err), rows[i].tag);
    }
}

TEST(refusal_texts_are_escaped_and_cut)
{
    char out[REFUSAL_TEXT_SIZE];
    refusal_escape(out, BYTES("a\nb\\c\xc3\xa4"));
    assert_string_equal(out, "a\\x0ab\\x5cc\\xc3\\xa4");
    char full[300];
    memset(full, 'x', sizeof full);
    refusal_escape(out, BYTES_OF(full));
    assert_int_equal(strlen(out), 200);
    full[198] = '\n'; // its escape has no room
    refusal_escape(out, BYTES_OF(full));
    assert_int_equal(strlen(out), 198);
    refusal_escape(out, (struct bytes){ 0 });
    assert_string_equal(out, "");
}
