// wire-protocol.md 15: items that no other test of this folder has in its name.
#include "tests/support/device_checks.h"

// [D] A poll while the start of HSM mode is being asked about answers okay and disturbs nothing.
TEST(wire_49_polls_do_not_cancel_the_approval)
{
    static const enum request_id polls[] = { REQUEST_STOK, REQUEST_SMOK, REQUEST_BKOK,
                                             REQUEST_PWOK };
    WITH_RIG(rig, host);
    assert_okay(rig_offer(host, "{}"));
    for (size_t i = 0; i < COUNT(polls); i++) {
        assert_okay(rig_ask(host, polls[i]));
        assert_okay(rig_ask(rig_host_linked(rig), polls[i])); // of another client
        assert_status(host, "approval_wait", "true");
    }
    assert_bytes_text(rig_screen(rig).title, "Start HSM?");
    rig_keys(rig, "y");
    assert_okay(rig_ask(host, REQUEST_STOK)); // on the second screen, too
    assert_status(host, "approval_wait", "true");
    rig_keys(rig, "12346"); // one of them is the digit
    assert_int_equal(rig->device.state, DEVICE_HSM);
}

#define STORY                                                                                      \
    "Sending 0.00005000 XTN\nNetwork fee 0.00001000 XTN\n\n 1 input\n 2 outputs\n\n0.00005000 "    \
    "XTN\n - to address -\n " RIG_STRANGER "\n\nChange back:\n0.09994000 XTN\n - to address -\n "  \
    "tb1qhvr7drg3mlxp03l97ecz5tzvczve6rsmsvf99e\n\n"

// Section 10's simplest class; bitcoin/story_test.c has the others.
TEST(wire_57_visualization_byte_by_byte)
{
    WITH_RIG(rig, host);
    const struct bytes psbt = rig_payment(rig, 5000);
    static const uint32_t flags[] = { STXN_VISUALIZE, STXN_VISUALIZE | STXN_FINALIZE };
    for (size_t i = 0; i < COUNT(flags); i++) {
        const struct rig_outcome outcome = rig_sign(host, psbt, flags[i]);
        assert_int_equal(outcome.result, RIG_SIGNED);
        assert_bytes_text(outcome.data, STORY);
    }
}

TEST(wire_58_signed_visualization_verifies)
{
    WITH_RIG(rig, host);
    const struct rig_outcome outcome =
        rig_sign(host, rig_payment(rig, 5000), STXN_VISUALIZE | STXN_SIGNED);
    assert_int_equal(outcome.result, RIG_SIGNED);
    const struct bytes text = outcome.data;
    const struct bytes story = bytes_slice(text, 0, strlen(STORY));
    assert_bytes_text(story, STORY);
    const struct bytes line = bytes_slice(text, story.len, text.len - story.len - 1);
    assert_int_equal(text.ptr[text.len - 1], '\n');
    const struct bytes signature = test_base64(line);
    const struct hash256 digest = message_digest(story);
    enum addr_format format;
    struct pubkey key;
    assert_int_equal(signature.len, MESSAGE_SIGNATURE_LEN);
    assert_true(message_recover(&key, &format, signature, &digest));
    assert_int_equal(format, ADDR_P2PKH); // header base 31
    assert_true(pubkey_equal(&key, &rig->device.master_pub.key));
}

// "exactly five lines", "lines 1 and 4 consistent": 8.1.
TEST(wire_62_vers_has_five_lines)
{
    WITH_RIG(rig, host);
    const struct reply reply = rig_ask(host, REQUEST_VERS);
    const char *text = arena_text(test_arena(), reply.data);
    char date[16], label[16], boot[16], stamp[16], hardware[16], more;
    unsigned major, minor, patch;
    assert_int_equal(reply.id, REPLY_ASCI);
    assert_int_equal(sscanf(text, "%15[0-9-]\n%15[^\n]\n%15[^\n]\n%15[0-9]\n%15[^\n]%c", date,
                            label, boot, stamp, hardware, &more),
                     5);
    assert_int_equal(strlen(date), 10);
    assert_int_equal(strlen(stamp), 12);
    const char joined[] = { date[2], date[3], date[5], date[6], date[8], date[9], 0 };
    assert_memory_equal(stamp, joined, 6);
    assert_int_equal(sscanf(label, "%u.%u.%u%c", &major, &minor, &patch, &more), 3);
    assert_true(major > 5 || (major == 5 && minor >= 2));
    assert_string_equal(hardware, "mk4");
}

TEST(wire_68_what_decisions_count)
{
    WITH_RIG(rig, host);
    rig_activate(host, "{\"rules\":[{\"max_amount\":10000}]}");
    assert_status(host, "last_refusal", "null");
    assert_int_equal(rig_sign(host, rig_payment(rig, 20000), 0).result, RIG_REFUSED);
    assert_status(host, "refusals", "1");
    assert_status(host, "approvals", "0");
    assert_status(host, "last_refusal", "\"Rejected: rule #1: amount exceeded\"");
    assert_int_equal(rig_sign(host, rig_payment(rig, 10000), 0).result, RIG_SIGNED);
    assert_status(host, "refusals", "1");
    assert_status(host, "approvals", "1");
    assert_status(host, "last_refusal", "null");
    assert_int_equal(rig_sign_text(host, "hello", "m").result, RIG_REFUSED); // messages as well
    assert_status(host, "refusals", "2");
    assert_status(host, "last_refusal", "\"Message signing not permitted\"");
}
