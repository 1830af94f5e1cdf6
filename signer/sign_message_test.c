// Text messages: policy.md 15.1, wire-protocol.md 8.7.
#include "signer/sign_message.h"
#include "tests/support/device_checks.h"

// What is refused at once, before any policy. The order is that of 8.7.
static const struct {
    const char *text, *path;
    uint32_t format;
    const char *error; // NULL: accepted
} texts[] = {
    { "\xff\xfe", "m", 1, "Assertion not UTF-8" },
    { "caf\xc3\xa9", "m", 1, "must be ascii printable" },
    { "a\nb", "m", 1, "must be ascii printable" },
    { "\n", "m", 1, "must be ascii printable" }, // before the length
    { "a", "m", 1, "msg too short (min. 2)" },
    { " ", "m", 1, "msg too short (min. 2)" },
    { "a   b", "m", 1, "too many spaces together in msg(max. 3)" },
    { "   b", "m", 1, "too many spaces together in msg(max. 3)" },
    { " b", "m", 1, "leading space(s) in msg" },
    { "b ", "m", 1, "trailing space(s) in msg" },
    { "hello", "m/q", 9, "invalid characters in path" }, // before the format
    { "hello", "m//1", 1, "empty path component" },
    { "hello", "m", 0, "Invalid address format: '0'\n\nChoose from p2pkh, p2wpkh, p2sh-p2wpkh." },
    { "hello", "m", 8, "Invalid address format: '8'\n\nChoose from p2pkh, p2wpkh, p2sh-p2wpkh." },
    { "hello", "m", 0x23,
      "Invalid address format: '35'\n\nChoose from p2pkh, p2wpkh, p2sh-p2wpkh." },
    { "hello", "m", 4294967295,
      "Invalid address format: '4294967295'\n\nChoose from p2pkh, p2wpkh, p2sh-p2wpkh." },
    { "ab", "m", 1, NULL },
    { "a  b", "m", 7, NULL },
    { "a b  c  d", " M/1'/2P ", 0x13, NULL },
};

static struct reply smsg(struct rig_host *host, struct bytes text, const char *path,
                         uint32_t format)
{
    return rig_call(host, &(struct request){ .id = REQUEST_SMSG,
                                             .smsg = { format, bytes_of_text(path), text } });
}

static struct bytes letters(size_t n)
{
    uint8_t *mem = arena_alloc(test_arena(), n);
    memset(mem, 'x', n);
    return bytes_of(mem, n);
}

static void expect_table(struct rig_host *host)
{
    for (size_t i = 0; i < COUNT(texts); i++) {
        const struct reply reply =
            smsg(host, bytes_of_text(texts[i].text), texts[i].path, texts[i].format);
        if (texts[i].error == NULL)
            assert_okay(reply);
        else if (strncmp(texts[i].error, "Assertion", 9) == 0)
            assert_true(bytes_starts_with(reply.data, BYTES("Assertion"))); // any token after it
        else
            assert_error(reply, texts[i].error);
        rig_run(host->rig);
        if (host->rig->device.state == DEVICE_NORMAL && texts[i].error == NULL)
            rig_keys(host->rig, "x");
    }
    assert_okay(smsg(host, letters(240), "m", 1));
    rig_run(host->rig);
    if (host->rig->device.state == DEVICE_NORMAL)
        rig_keys(host->rig, "x");
    assert_error(smsg(host, letters(241), "m", 1), "msg too long (max. 240)");
}

TEST(policy_24_77_wire_53_texts_before_policy)
{
    WITH_RIG(rig, host);
    expect_table(host);
    rig_activate(host, "{}");
    expect_table(host); // the same in HSM mode, where the policy allows none
    assert_status(host, "refusals", "4");
    assert_status(host, "approvals", "0");
    assert_error(rig_message(host, BYTES("smsg\1\0\0\0"), true), "buffer too small");
    assert_error(rig_message(host, BYTES("smsg\1\0\0\0\1\0\0\0\2\0\0\0mhi!"), true), "badlen");
}

TEST(wire_54_signatures_of_13_4)
{
    static const struct {
        enum addr_format format;
        const char *address, *signature;
    } vectors[] = {
        { ADDR_P2PKH, "mgtNuuaT8RzRJDQjnzYiLbK3A4McGqEnad",
          "IETO6DHQBMsDCECCsI5jnIxjkQs68yOxL41iSyosuGQDVBuQ6y8b3c64oJ0e3YqjbjVHRTdHXfSEkpI/"
          "9GNy8xw=" },
        { ADDR_P2WPKH, "tb1qpuzkjsuxpq6dzhlj8ntrp3yc994u6dtgthuupa",
          "KETO6DHQBMsDCECCsI5jnIxjkQs68yOxL41iSyosuGQDVBuQ6y8b3c64oJ0e3YqjbjVHRTdHXfSEkpI/"
          "9GNy8xw=" },
        { ADDR_P2SH_P2WPKH, "2NEPHWLJ8vreR7UvkEDeoJFgo7EkiEnis9g",
          "JETO6DHQBMsDCECCsI5jnIxjkQs68yOxL41iSyosuGQDVBuQ6y8b3c64oJ0e3YqjbjVHRTdHXfSEkpI/"
          "9GNy8xw=" },
    };
    WITH_RIG(rig, host);
    for (int hsm = 0; hsm < 2; hsm++) {
        if (hsm)
            rig_activate(host, "{\"msg_paths\":[\"m\"]}");
        for (size_t i = 0; i < COUNT(vectors); i++) {
            assert_okay(rig_smsg(host, "hello world", "m", vectors[i].format));
            rig_run(rig);
            if (!hsm)
                rig_keys(rig, "y");
            const struct reply reply = rig_ask(host, REQUEST_SMOK);
            assert_int_equal(reply.id, REPLY_SMRX);
            assert_bytes_text(reply.smrx.address, vectors[i].address);
            assert_bytes_equal(BYTES_OF(reply.smrx.signature),
                               test_base64(bytes_of_text(vectors[i].signature)));
        }
    }
}

TEST(policy_24_77_what_the_policy_says)
{
    static const struct {
        const char *policy, *path, *refusal; // NULL: approved
    } cases[] = {
        { "{}", "m", "Message signing not permitted" },
        { "{\"rules\":[{}]}", "m", "Message signing not permitted" },
        { "{\"msg_paths\":[\"m/1\"]}", "m", "Message signing not enabled for that path" },
        { "{\"msg_paths\":[\"m/1\"]}", "m/1h", "Message signing not enabled for that path" },
        { "{\"msg_paths\":[\"m/*\",\"m/7h\"]}", "m/7'", NULL },
        { "{\"msg_paths\":[\"m/*\"]}", "m/99", NULL },
        { "{\"msg_paths\":[\"any\"]}", "m/1/2/3/4/5/6/7/8/9/10/11/12", NULL },
    };
    AUTO(device_rig_freep) struct device_rig *rig = device_rig_new(test_dir());
    for (size_t i = 0; i < COUNT(cases); i++) {
        if (i > 0) {
            device_rig_restart(rig);
            rig_keys(rig, "x");
        }
        struct rig_host *host = rig_host_linked(rig);
        rig_activate(host, cases[i].policy);
        const enum rig_result result = rig_sign_text(host, "hello", cases[i].path).result;
        assert_int_equal(result, cases[i].refusal != NULL ? RIG_REFUSED : RIG_SIGNED);
        assert_status(host, "approvals", cases[i].refusal != NULL ? "0" : "1");
        assert_status(host, "refusals", cases[i].refusal != NULL ? "1" : "0");
        const char *last = rig->device.hsm->last_refusal;
        assert_int_equal(last != NULL, cases[i].refusal != NULL);
        if (last != NULL)
            assert_string_equal(last, cases[i].refusal);
    }
}

// "No users, no local code, no velocity, no limit on number. Queued authorisations and codes are not
// touched."
TEST(policy_15_1_messages_touch_nothing_else)
{
    WITH_RIG(rig, host);
    rig_add_users(host);
    rig_activate(host,
                 "{\"msg_paths\":[\"any\"],\"period\":5,\"rules\":[{\"per_period\":5,\"users\":"
                 "[\"alice\"],\"local_conf\":true}]}");
    rig_alice(host, 57000000);
    rig_keys(rig, "123456");
    const struct hsm before = *rig->device.hsm;
    for (int i = 0; i < 120; i++)
        assert_int_equal(rig_sign_text(host, "hello", "m").result, RIG_SIGNED);
    assert_memory_equal(before.local_secret, rig->device.hsm->local_secret,
                        sizeof before.local_secret);
    assert_true(rig->device.hsm->has_code);
    assert_status(host, "pending_auth", "1");
    assert_status(host, "has_spent", "absent");
    assert_status(host, "approvals", "120");
}

// --- Where a person decides ---

TEST(wire_8_7_the_question_and_the_answer)
{
    WITH_RIG(rig, host);
    assert_okay(rig_smsg(host, "hello world", "m", ADDR_P2PKH));
    rig_run(rig);
    assert_screen(rig, "Sign message?",
                  "Ok to sign this?\n      --=--\nhello world\n      --=--\n\n"
                  "Using the key associated with address:\nm =>\n"
                  "mgtNuuaT8RzRJDQjnzYiLbK3A4McGqEnad\n\n"
                  "Press OK to continue, otherwise X to cancel.");
    rig_keys(rig, "0123456789");
    assert_okay(rig_ask(host, REQUEST_SMOK));
    rig_keys(rig, "x");
    assert_int_equal(rig_ask(host, REQUEST_SMOK).id, REPLY_REFU);
}
