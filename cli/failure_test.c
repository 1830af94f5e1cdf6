#include "cli/failure.h"
#include "tests/support/test.h"

// cli.md 7.3 and 7.5, one row each.
static const struct {
    enum err_code code;
    const char *text;
    enum stage stage;
    enum hint hint;
    enum exit_code exit;
    const char *message, *device_text;
} rows[] = {
    { ERR_INVALID, "Coldcard Error: badlen", STAGE_DEVICE, HINT_PICKED_SECRET, EXIT_FAILED,
      "this firmware cannot choose the secret itself; give one with -s or -a", "badlen" },
    { ERR_INVALID, "Coldcard Error: badlen", STAGE_DEVICE, HINT_NAMED_WALLET, EXIT_FAILED,
      "this firmware does not support named miniscript wallets", "badlen" },
    { ERR_INVALID, "Coldcard Error: badlen", STAGE_DEVICE, HINT_NONE, EXIT_FAILED, "badlen", "" },
    { ERR_INVALID, "Coldcard Error: must encrypt", STAGE_DEVICE, HINT_NONE, EXIT_FAILED,
      "this operation needs an encrypted link; do not use -P", "must encrypt" },
    { ERR_INVALID, "Coldcard Error: Checksum", STAGE_DEVICE, HINT_NONE, EXIT_LINK,
      "the device lost the upload (another program connected?); try again", "Checksum" },
    { ERR_INVALID, "Coldcard Error: psbt", STAGE_DEVICE, HINT_NONE, EXIT_FAILED,
      "in HSM mode only PSBT files up to 2 MiB can be uploaded", "psbt" },
    { ERR_INVALID, "Coldcard Error: alignment", STAGE_DEVICE, HINT_NONE, EXIT_FAILED,
      "internal transfer error; please report it", "alignment" },
    { ERR_INVALID, "Coldcard Error: offset", STAGE_DEVICE, HINT_NONE, EXIT_FAILED,
      "internal transfer error; please report it", "offset" },
    { ERR_INVALID, "Coldcard Error: long", STAGE_DEVICE, HINT_NONE, EXIT_FAILED,
      "internal transfer error; please report it", "long" },
    { ERR_INVALID, "Coldcard Error: longer", STAGE_DEVICE, HINT_NONE, EXIT_FAILED, "longer", "" },
    { ERR_INVALID, "Coldcard Error: Unknown cmd", STAGE_DEVICE, HINT_MINISCRIPT, EXIT_FAILED,
      "this firmware has no miniscript wallets; EDGE firmware has", "Unknown cmd" },
    { ERR_INVALID, "Coldcard Error: Unknown cmd", STAGE_DEVICE, HINT_NONE, EXIT_FAILED,
      "this device does not offer that", "Unknown cmd" },
    { ERR_BUSY, "Coldcard ABC: another program is using it", STAGE_CONNECT, HINT_NONE, EXIT_BUSY,
      "Coldcard ABC: another program is using it", "" },
    { ERR_INVALID, "Coldcard Error: not allowed: out of bounds", STAGE_DEVICE, HINT_DOWNLOAD,
      EXIT_LINK, "the result is no longer available: another program connected in between",
      "not allowed: out of bounds" },
    { ERR_INVALID, "Coldcard Error: not allowed", STAGE_DEVICE, HINT_NONE, EXIT_FAILED,
      "not allowed", "" }, // of the locker
    { ERR_INVALID, "Coldcard Error: HSM commands disabled", STAGE_DEVICE, HINT_NONE,
      EXIT_REFUSED_BY_POLICY, "turn on HSM mode in the device's settings first",
      "HSM commands disabled" },
    { ERR_INVALID, "Coldcard Error: Not allowed in HSM mode", STAGE_DEVICE, HINT_NONE,
      EXIT_REFUSED_BY_POLICY, "the policy does not allow this; only a restart ends HSM mode",
      "Not allowed in HSM mode" },
    { ERR_INVALID, "Coldcard Error: Spending policy in effect", STAGE_DEVICE, HINT_NONE,
      EXIT_REFUSED_BY_POLICY, "a spending policy is in effect on the device",
      "Spending policy in effect" },
    { ERR_INVALID, "Coldcard Error: No active request", STAGE_DEVICE, HINT_NONE, EXIT_FAILED,
      "the question was dismissed or replaced on the device", "No active request" },
    { ERR_INVALID, "Coldcard Error: Assertion chains.py:173", STAGE_DEVICE, HINT_TAPROOT,
      EXIT_FAILED, "this firmware cannot show taproot addresses", "Assertion chains.py:173" },
    { ERR_INVALID, "Coldcard Error: Assertion x", STAGE_DEVICE, HINT_NONE, EXIT_FAILED,
      "Assertion x", "" },
    { ERR_INVALID, "Coldcard Error: no seed", STAGE_DEVICE, HINT_NONE, EXIT_FAILED,
      "the wallet has no seed words, or a passphrase is already active", "no seed" },
    { ERR_INVALID, "Coldcard Error: need hsm", STAGE_DEVICE, HINT_NONE, EXIT_FAILED,
      "the locker can be read only in HSM mode", "need hsm" },
    { ERR_INVALID, "Coldcard Error: consumed", STAGE_DEVICE, HINT_NONE, EXIT_FAILED,
      "the locker's read count is used up until restart", "consumed" },
    { ERR_INVALID, "Coldcard Error: PSBT parse failed", STAGE_DEVICE, HINT_NONE, EXIT_FAILED,
      "PSBT parse failed", "" }, // "anything else: as received"
    { ERR_FRAMING, "Framing Error: no key", STAGE_DEVICE, HINT_NONE, EXIT_LINK,
      "the link lost synchronisation, usually because two programs talk to the device at once",
      "Framing Error: no key" },
    { ERR_FRAMING, "expected asci, got okay", STAGE_DEVICE, HINT_NONE, EXIT_LINK,
      "expected asci, got okay", "" },
    { ERR_BUSY, "Coldcard is handling another request right now", STAGE_DEVICE, HINT_NONE,
      EXIT_BUSY, "an address or another question is on the device's screen; dismiss it there",
      "Coldcard is handling another request right now" },
    { ERR_REFUSED, "You refused permission to do the operation", STAGE_DEVICE, HINT_NONE,
      EXIT_REFUSED_BY_USER, "refused on the device", "You refused permission to do the operation" },
    { ERR_TIMEOUT, "no reply", STAGE_DEVICE, HINT_NONE, EXIT_TIMEOUT, "no reply", "" },
    { ERR_TIMEOUT, "no reply", STAGE_CONNECT, HINT_NONE, EXIT_TIMEOUT, "no reply", "" },
    { ERR_PENDING, "nobody", STAGE_DEVICE, HINT_NONE, EXIT_PENDING, "nobody", "" },
    { ERR_AUTH, "mitm", STAGE_CONNECT, HINT_NONE, EXIT_IDENTITY, "mitm", "" },
    { ERR_NOT_FOUND, "x", STAGE_CONNECT, HINT_NONE, EXIT_NO_DEVICE, "x", "" },
    { ERR_NOT_FOUND, "x: the signer went away", STAGE_DEVICE, HINT_NONE, EXIT_NO_DEVICE,
      "x: the signer went away", "" },
    { ERR_LIMIT, "a socket's path", STAGE_CONNECT, HINT_NONE, EXIT_NO_DEVICE, "a socket's path",
      "" },
    { ERR_NOT_FOUND, "in.psbt: No such file", STAGE_INPUT, HINT_NONE, EXIT_USAGE,
      "in.psbt: No such file", "" },
    { ERR_MALFORMED, "not a PSBT", STAGE_INPUT, HINT_NONE, EXIT_USAGE, "not a PSBT", "" },
    { ERR_IO, "out: disk full", STAGE_OUTPUT, HINT_NONE, EXIT_FAILED, "out: disk full", "" },
    { ERR_STATE, "no seed yet", STAGE_CONNECT, HINT_NONE, EXIT_FAILED, "no seed yet", "" },
    { ERR_USAGE, "bad pin", STAGE_CONNECT, HINT_NONE, EXIT_USAGE, "bad pin", "" },
    { ERR_INTERRUPTED, "interrupted", STAGE_DEVICE, HINT_NONE, EXIT_INTERRUPTED, "interrupted",
      "" },
    { ERR_INTERRUPTED, "interrupted", STAGE_INPUT, HINT_NONE, EXIT_INTERRUPTED, "interrupted", "" },
    { ERR_NOT_FOUND, "no panel", STAGE_PANEL, HINT_NONE, EXIT_NO_DEVICE, "no panel", "" },
    { ERR_AUTH, "no permission", STAGE_PANEL, HINT_NONE, EXIT_NO_DEVICE, "no permission", "" },
    { ERR_INVALID, "nothing is being asked for", STAGE_PANEL, HINT_NONE, EXIT_FAILED,
      "nothing is being asked for", "" },
};

TEST(cli_7_3_and_7_5_errors)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct err err;
        (void)err_set(&err, rows[i].code, "%s", rows[i].text);
        const struct failure f = failure_of(&err, rows[i].stage, rows[i].hint);
        assert_string_equal(f.message, rows[i].message);
        assert_string_equal(f.device_text, rows[i].device_text);
        assert_int_equal(f.exit, rows[i].exit);
    }
}

TEST(cli_7_3_names)
{
    static const char *const names[] = { "ok",
                                         "failed",
                                         "usage",
                                         "no_device",
                                         "busy",
                                         "refused_by_user",
                                         "refused_by_policy",
                                         "link",
                                         "timeout",
                                         "identity",
                                         "pending",
                                         "rejected_credential" };
    for (size_t i = 0; i < COUNT(names); i++)
        assert_string_equal(exit_code_name((enum exit_code)i), names[i]);
    assert_string_equal(exit_code_name(EXIT_INTERRUPTED), "interrupted");
}
