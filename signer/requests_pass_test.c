// `pass` and `pwok`: wire-protocol.md 8.9, 4.6 and 7.
#include "tests/support/device_checks.h"
#include "wire/link.h"

static struct reply pass(struct rig_host *host, struct bytes passphrase)
{
    return rig_call(host, &(struct request){ .id = REQUEST_PASS, .data = passphrase });
}

static struct reply master_xpub(struct rig_host *host)
{
    return rig_call(host, &(struct request){ .id = REQUEST_XPUB, .data = BYTES_INIT("m") });
}

TEST(wire_8_9_a_passphrase_is_another_wallet)
{
    WITH_RIG(rig, host);
    char shown[XFP_TEXT_SIZE];
    uint8_t journal[32];
    memcpy(journal, rig->device.journal.key, sizeof journal);
    const struct reply before = master_xpub(host);
    assert_error(rig_ask(host, REQUEST_PWOK), "No active request");
    assert_okay(pass(host, BYTES("TREZOR")));
    assert_bytes_text(rig_screen(rig).title, "Passphrase");
    const char *text = arena_text(test_arena(), rig_screen(rig).text);
    assert_null(strstr(text, "TREZOR"));
    assert_non_null(strstr(text, "(now: 0F056943)"));
    assert_okay(rig_ask(host, REQUEST_PWOK));
    assert_bytes_equal(master_xpub(host).data, before.data); // not yet
    rig_keys(rig, "y");
    const struct reply xpub = rig_ask(host, REQUEST_PWOK);
    assert_int_equal(xpub.id, REPLY_ASCI);
    assert_false(bytes_equal(xpub.data, before.data));
    assert_error(rig_ask(host, REQUEST_PWOK), "No active request"); // 45
    // "mypb, mitm and xpub m all change together"
    assert_bytes_equal(master_xpub(host).data, xpub.data);
    struct rig_host *other = rig_host_new(rig);
    const struct reply mypb = rig_ncry(other, LINK_V1);
    assert_bytes_equal(mypb.mypb.xpub, xpub.data);
    assert_memory_equal(mypb.mypb.xfp, rig->device.xfp.b, 4);
    xfp_to_text(shown, rig->device.xfp);
    assert_non_null(strstr(text, shown));
    const struct reply proof = rig_ask(other, REQUEST_MITM);
    struct err err;
    assert_true(link_verify(&other->end.link, proof.data, &rig->device.master_pub.key, &err));
    // Once: "also when a passphrase is already active".
    assert_error(pass(host, BYTES("another")), "no seed");
    assert_memory_equal(rig->device.journal.key, journal, sizeof journal);
    // And until it is locked.
    device_lock(&rig->device);
    assert_bytes_equal(master_xpub(rig_host_linked(rig)).data, before.data);
}

TEST(wire_8_9_the_wallet_of_the_passphrase_signs)
{
    WITH_RIG(rig, host);
    assert_okay(pass(host, BYTES("TREZOR")));
    rig_keys(rig, "y");
    const struct rig_outcome foreign = rig_sign(host, rig_payment(rig, 5000), 0);
    assert_int_equal(foreign.result, RIG_FAILED); // a PSBT of the words alone
    assert_true(bytes_starts_with(foreign.data, BYTES("None of the keys involved")));
    assert_okay(rig_smsg(host, "hello world", "m", ADDR_P2WPKH));
    rig_run(rig);
    rig_keys(rig, "y");
    const struct reply smrx = rig_ask(host, REQUEST_SMOK);
    assert_int_equal(smrx.id, REPLY_SMRX);
    const struct hash256 digest = message_digest(BYTES("hello world"));
    enum addr_format format;
    struct pubkey key;
    assert_true(message_recover(&key, &format, BYTES_OF(smrx.smrx.signature), &digest));
    assert_true(pubkey_equal(&key, &rig->device.master_pub.key));
    // HSM mode goes on with it, journal and all.
    rig_activate(host, "{\"msg_paths\": [\"any\"]}");
    assert_int_equal(rig_sign_text(host, "hello", "m").result, RIG_SIGNED);
}

TEST(wire_8_9_the_operator_says_no_to_a_passphrase)
{
    WITH_RIG(rig, host);
    const struct reply before = master_xpub(host);
    assert_okay(pass(host, BYTES("TREZOR")));
    rig_keys(rig, "x");
    assert_int_equal(rig_ask(host, REQUEST_PWOK).id, REPLY_REFU);
    assert_bytes_equal(master_xpub(host).data, before.data);
    assert_okay(pass(host, BYTES("TREZOR"))); // may be asked again
    assert_okay(rig_ask(host, REQUEST_BACK)); // 7.3: discards
    rig_keys(rig, "x");
    assert_bytes_equal(master_xpub(host).data, before.data);
}

TEST(wire_8_9_passphrases_that_are_refused)
{
    WITH_RIG(rig, host);
    char mem[420];
    memset(mem, 'x', sizeof mem);
    static const struct {
        const char *text;
        size_t len;
        const char *error; // NULL: okay
    } cases[] = {
        { "", 0, "too short" },
        { NULL, 99, NULL },
        { NULL, 100, "too long" },
        { NULL, 400, "too long" },
        { "\xff\xfe", 2, "Assertion not UTF-8" },
        { "caf\xc3\xa9", 5, "must be ascii printable" },
        { "a\nb", 3, "must be ascii printable" },
        { " ", 1, NULL },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct bytes text = bytes_of(cases[i].text ? cases[i].text : mem, cases[i].len);
        if (cases[i].error != NULL)
            assert_error(pass(host, text), cases[i].error);
        else
            assert_okay(pass(host, text));
    }
    const struct request plain = { .id = REQUEST_PASS, .data = BYTES_INIT("TREZOR") };
    assert_error(rig_plain(host, &plain), "must encrypt"); // 34
}

TEST(wire_8_9_no_passphrase_without_words)
{
    AUTO(device_rig_freep) struct device_rig *rig = device_rig_prepare(test_dir());
    rig->of_xprv = true;
    device_rig_start(rig);
    assert_error(pass(rig_host_linked(rig), BYTES("TREZOR")), "no seed");
}

TEST(wire_32_no_passphrase_in_hsm_mode)
{
    WITH_RIG(rig, host);
    rig_activate(host, "{}");
    assert_error(pass(host, BYTES("TREZOR")), "Not allowed in HSM mode");
    assert_error(rig_ask(host, REQUEST_PWOK), "Not allowed in HSM mode");
}
