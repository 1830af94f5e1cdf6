#include "coordinator/refusal.h"
#include "base/reader.h"
#include "base/writer.h"
#include "client/hsm_status.h"

static const char *const names[REFUSAL_TAGS] = {
    [REFUSAL_UNKNOWN] = "unknown",
    [REFUSAL_AMOUNT] = "amount",
    [REFUSAL_VELOCITY] = "velocity",
    [REFUSAL_ADDRESS] = "address",
    [REFUSAL_USER] = "user",
    [REFUSAL_LOCAL] = "local",
    [REFUSAL_WALLET] = "wallet",
    [REFUSAL_WARNING] = "warning",
    [REFUSAL_LOG] = "log",
    [REFUSAL_MESSAGE] = "message",
    [REFUSAL_BUSY] = "busy",
    [REFUSAL_TIMEOUT] = "timeout",
    [REFUSAL_UNREACHABLE] = "unreachable",
    [REFUSAL_PROTOCOL] = "protocol",
};

const char *refusal_tag_name(enum refusal_tag tag)
{
    return names[tag];
}

enum refusal_tag refusal_tag_of_name(struct bytes name)
{
    for (size_t i = 0; i < REFUSAL_TAGS; i++)
        if (bytes_equal_text(name, names[i]))
            return (enum refusal_tag)i;
    return REFUSAL_UNKNOWN;
}

// --- Texts ---

// How a known text begins; '%' stands for a number. Names, addresses and more follow in some of them.
struct known {
    struct bytes start;
    enum refusal_tag tag;
};
#define KNOWN(text, tag)                                                                           \
    {                                                                                              \
        BYTES_INIT(text), (tag)                                                                    \
    }

// Reasons of one rule, in the order in which a signer looks at its clauses: of two rules that fail, the
// one that failed later was closer to passing, and is the one to tell of.
// Source: policy.md 10.3 and docs/policy-extensions.md.
static const struct known reasons[] = {
    KNOWN("not multisig", REFUSAL_WALLET),
    KNOWN("wrong wallet", REFUSAL_WALLET),
    KNOWN("amount exceeded", REFUSAL_AMOUNT),
    KNOWN("fee exceeded", REFUSAL_WARNING), // as a fee of 5 % would be
    KNOWN("non-whitelisted attestation key for output ", REFUSAL_ADDRESS),
    KNOWN("non-whitelisted address: ", REFUSAL_ADDRESS),
    KNOWN("missing attestation for output ", REFUSAL_ADDRESS),
    KNOWN("signature length", REFUSAL_ADDRESS),
    KNOWN("unsupported recovery id: ", REFUSAL_ADDRESS),
    KNOWN("invalid signature", REFUSAL_ADDRESS),
    KNOWN("attestation used twice, for output ", REFUSAL_ADDRESS),
    KNOWN("local operator didn't confirm", REFUSAL_LOCAL),
    KNOWN("need user(s) confirmation", REFUSAL_USER),
    KNOWN("need more users to confirm (", REFUSAL_USER),
    KNOWN("locktime", REFUSAL_VELOCITY), // too soon, counted in blocks
    KNOWN("would exceed transactions per period", REFUSAL_VELOCITY),
    KNOWN("would exceed period spending", REFUSAL_VELOCITY),
    // The shape of the transaction:
    KNOWN("does not meet self transfer threshold, ", REFUSAL_WARNING),
    KNOWN("divide by zero", REFUSAL_WARNING),
    KNOWN("own input value unknown", REFUSAL_WARNING),
    KNOWN("unsupported types for __add__", REFUSAL_WARNING),
    KNOWN("unequal number of inputs and outputs", REFUSAL_WARNING),
    KNOWN("unequal number of own inputs and outputs", REFUSAL_WARNING),
    KNOWN("not all output amounts are equal", REFUSAL_WARNING),
};

// Whole decisions, and errors. Source: policy.md 12; wire-protocol.md 8.6, 8.7; psbt-signing.md 9 to 14.
static const struct known texts[] = {
    KNOWN("Could not log details, and must_log is set", REFUSAL_LOG),
    KNOWN("Message signing not ", REFUSAL_MESSAGE),
    KNOWN("would exceed messages per period", REFUSAL_MESSAGE),
    KNOWN("need user(s) confirmation", REFUSAL_USER), // of messages: rules come with their number
    KNOWN("need more users to confirm (", REFUSAL_USER),
    KNOWN("has ", REFUSAL_WARNING),                  // "has <n> warning(s)"
    KNOWN("no txn signing allowed", REFUSAL_AMOUNT), // a limit of nothing
    KNOWN("User '", REFUSAL_USER),
    // A message that can never be signed.
    KNOWN("must be ascii printable", REFUSAL_MESSAGE), KNOWN("msg too ", REFUSAL_MESSAGE),
    KNOWN("too many spaces together in msg", REFUSAL_MESSAGE),
    KNOWN("leading space(s) in msg", REFUSAL_MESSAGE),
    KNOWN("trailing space(s) in msg", REFUSAL_MESSAGE),
    KNOWN("Invalid address format: ", REFUSAL_MESSAGE),
    KNOWN("POR not SIGHASH_ALL", REFUSAL_MESSAGE), KNOWN("i0: invalid BIP-322 ", REFUSAL_MESSAGE),
    // Not this signer's wallet, or not as it knows the wallet.
    KNOWN("None of the keys involved in this transaction belong to this Coldcard", REFUSAL_WALLET),
    KNOWN("PSBT does not contain any key path information.", REFUSAL_WALLET),
    KNOWN("Unknown multisig wallet", REFUSAL_WALLET), KNOWN("My XFP not involved", REFUSAL_WALLET),
    KNOWN("XPUBs in PSBT do not match any existing wallet", REFUSAL_WALLET),
    KNOWN("MS enroll not allowed in HSM mode", REFUSAL_WALLET),
    KNOWN("Refused to import new wallet", REFUSAL_WALLET),
    KNOWN("Multisig wallet with those fingerprints not found", REFUSAL_WALLET),
    KNOWN("Missing redeem", REFUSAL_WALLET),
    KNOWN("Need witness script for input ", REFUSAL_WALLET),
    KNOWN("Output#", REFUSAL_WALLET), // change that is none
    KNOWN("Deception regarding change output.", REFUSAL_WALLET),
    KNOWN("Change output is fraudulent", REFUSAL_WALLET), KNOWN("Input#", REFUSAL_WALLET),
    KNOWN("Input #%: ", REFUSAL_WALLET), // "pubkey wrong", "spk mismatch"
    // What would be a warning if it were not worse: fees, amounts, sighash types.
    KNOWN("Network fee bigger than ", REFUSAL_WARNING),
    KNOWN("Missing own UTXO(s).", REFUSAL_WARNING),
    KNOWN("Legacy input #% requires non-witness UTXO", REFUSAL_WARNING),
    KNOWN("Input #% requires non-witness UTXO", REFUSAL_WARNING),
    KNOWN("Outputs worth more than inputs!", REFUSAL_WARNING),
    KNOWN("Unsupported sighash flag ", REFUSAL_WARNING),
    KNOWN("Only sighash ALL is allowed ", REFUSAL_WARNING),
    KNOWN("Sighash NONE is not allowed ", REFUSAL_WARNING),
    KNOWN("Sighash SINGLE is not allowed ", REFUSAL_WARNING),
    // The single-signer policy, which tells no reason.
    KNOWN("Spending Policy violation.", REFUSAL_AMOUNT), KNOWN("2FA Failed", REFUSAL_USER),
    KNOWN("Spending policy in effect", REFUSAL_PROTOCOL),
    // Bytes that it does not understand, requests that it does not take.
    KNOWN("PSBT ", REFUSAL_PROTOCOL), // "parse failed", "checksum mismatch", "output failed"
    KNOWN("Invalid PSBT", REFUSAL_PROTOCOL),
    KNOWN("Transaction ", REFUSAL_PROTOCOL), // "modified", "is too complex", "looks completely ..."
    KNOWN("Signing failed late", REFUSAL_PROTOCOL), KNOWN("Duplicate inputs", REFUSAL_PROTOCOL),
    KNOWN("Unhandled scriptPubKey: ", REFUSAL_PROTOCOL),
    KNOWN("Install EDGE firmware ", REFUSAL_PROTOCOL),
    KNOWN("Not allowed ", REFUSAL_PROTOCOL), // "in HSM mode", "on this link"
    KNOWN("not allowed", REFUSAL_PROTOCOL), KNOWN("HSM commands disabled", REFUSAL_PROTOCOL),
    KNOWN("HSM Policy invalid: ", REFUSAL_PROTOCOL), KNOWN("Checksum", REFUSAL_PROTOCOL),
    KNOWN("Unknown ", REFUSAL_PROTOCOL), // "cmd", "user: <u>"
    KNOWN("badlen", REFUSAL_PROTOCOL), KNOWN("buffer too small", REFUSAL_PROTOCOL),
    KNOWN("must encrypt", REFUSAL_PROTOCOL),
    KNOWN("psbt", REFUSAL_PROTOCOL), // an upload in HSM mode that is none
    KNOWN("offset", REFUSAL_PROTOCOL), KNOWN("alignment", REFUSAL_PROTOCOL),
    KNOWN("long", REFUSAL_PROTOCOL), KNOWN("toomany", REFUSAL_PROTOCOL), // codes that wait
    KNOWN("Assertion ", REFUSAL_PROTOCOL), KNOWN("Confused ", REFUSAL_PROTOCOL),
    KNOWN("Framing Error: ", REFUSAL_PROTOCOL),
    // It cannot now, and another may.
    KNOWN("Out of RAM", REFUSAL_BUSY),
    KNOWN("Coldcard is handling another request right now", REFUSAL_BUSY),
    KNOWN("Coldcard is not connected.", REFUSAL_UNREACHABLE),
    KNOWN("Too many refusals", REFUSAL_UNREACHABLE), // stopped until somebody presses OK
    KNOWN("No active request", REFUSAL_UNREACHABLE), // it restarted in the middle
};

static bool fits(struct bytes text, struct bytes start)
{
    struct reader r = reader_of(text);
    for (size_t i = 0; i < start.len; i++)
        if (start.ptr[i] == '%' ? reader_digits(&r).len == 0
                                : !reader_accept(&r, (char)start.ptr[i]))
            return false;
    return true;
}

// The first fitting row; n if there is none.
static size_t find(const struct known *table, size_t n, struct bytes text)
{
    size_t i = 0;
    while (i < n && !fits(text, table[i].start))
        i++;
    return i;
}

// A reason without its "rule #<n>: "; false if there is none in front.
static bool strip_rule(struct bytes *reason)
{
    struct reader r = reader_of(*reason);
    if (!reader_accept_bytes(&r, BYTES("rule #")) || reader_digits(&r).len == 0 ||
        !reader_accept_bytes(&r, BYTES(": ")))
        return false;
    *reason = reader_rest(&r);
    return true;
}

// The reason of the rule that came furthest; false for a text that names no rules.
static bool tag_of_rules(enum refusal_tag *out, struct bytes text)
{
    struct bytes rest = text, reason;
    size_t furthest = 0;
    bool found = false, unknown = false;
    while (hsm_refusal_next(&rest, &reason)) {
        if (!strip_rule(&reason))
            return false;
        const size_t row = find(reasons, COUNT(reasons), reason);
        unknown |= row == COUNT(reasons);
        if (row < COUNT(reasons) && (!found || row > furthest)) {
            furthest = row;
            found = true;
        }
    }
    *out = found ? reasons[furthest].tag : REFUSAL_UNKNOWN;
    return found || unknown;
}

enum refusal_tag refusal_tag_of(struct bytes text)
{
    struct reader r = reader_of(text);
    enum refusal_tag tag;
    (void)reader_accept_bytes(&r, BYTES("Coldcard Error: "));
    if (tag_of_rules(&tag, r.rest))
        return tag;
    (void)reader_accept_bytes(&r, BYTES("Rejected: "));
    const size_t row = find(texts, COUNT(texts), r.rest);
    return row < COUNT(texts) ? texts[row].tag : REFUSAL_UNKNOWN;
}

enum refusal_tag refusal_tag_of_err(const struct err *err)
{
    switch (err->code) {
    case ERR_TIMEOUT:
    case ERR_PENDING:
        return REFUSAL_TIMEOUT;
    case ERR_BUSY:
        return REFUSAL_BUSY;
    case ERR_NOT_FOUND:
    case ERR_IO:
    case ERR_INTERRUPTED:
        return REFUSAL_UNREACHABLE;
    case ERR_INVALID:
    case ERR_REFUSED:
        return refusal_tag_of(bytes_of_text(err->text));
    default:
        return REFUSAL_PROTOCOL;
    }
}

void refusal_escape(char out[static REFUSAL_TEXT_SIZE], struct bytes text)
{
    struct writer w = writer_of(out, REFUSAL_TEXT_SIZE - 1);
    for (size_t i = 0; i < text.len; i++) {
        const uint8_t c = text.ptr[i];
        const bool plain = c >= 0x20 && c < 0x7f && c != '\\';
        if (w.len + (plain ? 1u : 4u) > w.cap)
            break;
        if (plain)
            writer_u8(&w, c);
        else
            writer_printf(&w, "\\x%02x", c);
    }
    out[w.len] = '\0';
}
