#include "signer/requests.h"
#include "tests/support/device_checks.h"

// Every code that there is, as wire-protocol.md 5.4 and 8.13 list them.
static const char *const white_list[] = { "logo", "ping", "vers", "upld", "sha2", "dwld", "stxn",
                                          "mitm", "ncry", "smsg", "blkc", "hsts", "stok", "smok",
                                          "xpub", "msck", "p2sh", "show", "user", "gslr" };
static const char *const others[] = { "rebo", "dfu_", "enrl", "rest",   "back", "pass",
                                      "bagi", "hsms", "nwur", "rmur",   "pwok", "bkok",
                                      "zzzz", "mins", "msls", "msdl",   "msgt", "mspl",
                                      "msas", "ms??", "Zzzz", "\x01zzz" };

static struct reply ask(struct rig_host *host, const char *code, bool encrypted)
{
    return rig_message(host, bytes_of_text(code), encrypted);
}

static bool says(struct reply reply, const char *text)
{
    return reply.id == REPLY_ERR_ && bytes_equal_text(reply.data, text);
}

// --- Gates ---

TEST(policy_24_39_wire_32_hsm_mode_allows_a_list)
{
    WITH_RIG(rig, host);
    rig->device.simulator = false; // upper-case codes are unknown codes then
    rig_activate(host, "{}");
    for (size_t i = 0; i < COUNT(others); i++) {
        // With arguments, without, encrypted and not: refused before anything is looked at.
        assert_error(ask(host, others[i], true), "Not allowed in HSM mode");
        assert_error(ask(host, others[i], false), "Not allowed in HSM mode");
        char long_one[512] = { 0 };
        memset(long_one, 'x', sizeof long_one - 1);
        memcpy(long_one, others[i], 4);
        assert_error(ask(host, long_one, true), "Not allowed in HSM mode");
    }
    for (size_t i = 0; i < COUNT(white_list); i++) {
        // With what they need, none of these is refused for the mode: below and in other files.
        // Without arguments they get as far as their arguments, or to the policy.
        const struct reply reply = ask(host, white_list[i], true);
        const bool by_policy = strcmp(white_list[i], "p2sh") == 0;
        if (!by_policy && says(reply, "Not allowed in HSM mode"))
            fail_msg("%s", white_list[i]);
    }
    assert_int_equal(rig->device.hsm->counters.refusals, 0);
}

TEST(wire_33_what_hsm_mode_leaves_working)
{
    WITH_RIG(rig, host);
    rig_activate(host, "{}");
    assert_asci(ask(host, "vers", true), "2026-08-20\n5.6.1\n3.3.0\n260820133600\nmk4");
    assert_asci(ask(host, "blkc", true), "XTN");
    assert_int_equal(ask(host, "pingabc", true).data.len, 3);
    assert_int_equal(ask(host, "sha2", true).data.len, 32);
    assert_int_equal(ask(host, "msck\0\0\0\0", true).id, REPLY_ERR_);
    assert_error(ask(host, "stok", true), "No active request");
    assert_error(ask(host, "smok", true), "No active request");
    assert_int_equal(ask(host, "hsts", true).id, REPLY_ASCI);
    assert_int_equal(ask(host, "mitm", true).data.len, 65);
    assert_int_equal(rig_ncry(host, LINK_V1).id, REPLY_MYPB);
}

TEST(wire_31_the_switch_turns_hsm_commands_off)
{
    static const char *const needs[] = { "hsms", "hsts", "user", "nwur", "rmur", "gslr" };
    AUTO(device_rig_freep) struct device_rig *rig = device_rig_prepare(test_dir());
    rig->config.hsm_commands = false;
    device_rig_start(rig);
    struct rig_host *host = rig_host_linked(rig);
    for (size_t i = 0; i < COUNT(needs); i++) {
        assert_error(ask(host, needs[i], true), "HSM commands disabled");
        assert_error(ask(host, needs[i], false), "HSM commands disabled");
    }
    assert_okay(ask(host, "logo", true));
}

TEST(wire_34_what_must_be_encrypted)
{
    WITH_RIG(rig, host);
    (void)rig;
    static const char *const needs[] = { "xpub", "xpubm/1", "pass", "passabc", "mitm", "gslr" };
    for (size_t i = 0; i < COUNT(needs); i++)
        assert_error(ask(host, needs[i], false), "must encrypt");
    // `dwld` looks at its fields first.
    struct request dwld = { .id = REQUEST_DWLD, .dwld = { 0, 100, 1 } };
    assert_error(rig_plain(host, &dwld), "must encrypt");
    dwld.dwld.file = 2;
    assert_error(rig_plain(host, &dwld), "bad fnum");
}

TEST(wire_35_an_unknown_code)
{
    WITH_RIG(rig, host);
    static const char *const unknown[] = { "zzzz", "zzzzabc", "dfu_", "mins", "msls", "msas" };
    for (size_t i = 0; i < COUNT(unknown); i++) {
        assert_error(ask(host, unknown[i], false), "Unknown cmd");
        assert_error(ask(host, unknown[i], true), "Unknown cmd");
    }
    rig_pass(rig, 10000);
    assert_int_equal(rig->device.state, DEVICE_NORMAL);
}

// The gates stand in the order of 5.2: mode, switch, arguments.
TEST(wire_5_2_order_of_the_gates)
{
    WITH_RIG(rig, host);
    rig_activate(host, "{}");
    rig->device.hsm_commands = false;
    assert_error(ask(host, "hsms", true), "Not allowed in HSM mode");
    assert_error(ask(host, "nwur\1\2", true), "Not allowed in HSM mode");
    assert_error(ask(host, "hsts", true), "HSM commands disabled");
    assert_error(ask(host, "pass", false), "Not allowed in HSM mode");
}

// --- Developer commands ---

TEST(wire_63_developer_commands_outside_of_test_mode)
{
    WITH_RIG(rig, host);
    rig->device.simulator = false;
    assert_int_equal(rig_sign(host, rig_payment(rig, 1000), 0).result, RIG_WAITING);
    assert_okay(ask(host, "XKEYy", false));
    assert_okay(ask(host, "XKEYx", false));
    assert_okay(ask(host, "XKEYno such key", false));
    assert_int_equal(rig_fetch(host).result, RIG_WAITING);
    assert_bytes_text(ask(host, "EXEC" EXEC_IS_EDGE, false).data, "0");
    assert_bytes_text(ask(host, "EXEC" EXEC_STORY, false).data, "Traceback: not supported");
    assert_bytes_text(ask(host, "EXEC" EXEC_HSM_ON, false).data, "Traceback: not supported");
    assert_bytes_text(ask(host, "EVAL" EVAL_N_WALLETS, false).data, "Traceback: not supported");
    assert_error(ask(host, "XYZW", false), "Unknown cmd");
}

TEST(wire_8_12_developer_commands_in_test_mode)
{
    AUTO(device_rig_freep) struct device_rig *rig = device_rig_prepare(test_dir());
    rig->config.hsm_commands = false;
    device_rig_start(rig);
    struct rig_host *host = rig_host_linked(rig);
    assert_bytes_text(ask(host, "EXEC" EXEC_IS_EDGE, false).data, "0");
    assert_bytes_text(ask(host, "EXEC" EXEC_STORY, false).data, "('NO-TITLE', '')");
    assert_bytes_text(ask(host, "EXEC" EXEC_HSM_ON, false).data, "ok");
    assert_int_equal(ask(host, "hsts", true).id, REPLY_ASCI);
    assert_bytes_text(ask(host, "EVAL" EVAL_N_WALLETS, false).data, "0");
    assert_bytes_text(ask(host, "EVAL1+1", false).data, "Traceback: not supported");
    assert_bytes_text(ask(host, "EXECimport os", false).data, "Traceback: not supported");
    assert_error(ask(host, "XYZW", false), "Unknown SIMULATOR cmd");
    assert_okay(ask(host, "XKEYq", false));

    assert_okay(rig_offer(host, "{\"notes\":\"it's\"}"));
    const char *story = arena_text(test_arena(), ask(host, "EXEC" EXEC_STORY, false).data);
    assert_non_null(strstr(story, "('Start HSM?', \"=-=\\nit's\\n=-=\\n\\nTransactions:\\n"));
    assert_okay(ask(host, "XKEYyx", false));
    assert_status(host, "approval_wait", "absent");
    // It is on after a restart as well.
    device_rig_restart(rig);
    assert_int_equal(ask(rig_host_linked(rig), "hsts", true).id, REPLY_ASCI);
}

// --- Framing, seen from the device ---

static struct bytes packet(uint8_t framing, const char *hex)
{
    const struct bytes content = test_hex(hex);
    uint8_t *p = arena_alloc(test_arena(), PACKET_LEN);
    p[0] = framing;
    memcpy(p + 1, content.ptr, content.len);
    return bytes_of(p, PACKET_LEN);
}

static void expect_packets(struct bytes packets, uint8_t framing, const char *content)
{
    assert_int_equal(packets.len, PACKET_LEN);
    assert_int_equal(packets.ptr[0], framing);
    assert_bytes_text(bytes_slice(packets, 1, framing & FRAME_COUNT), content);
    // "Casemate MUST send zeros"
    for (size_t i = 1 + (framing & FRAME_COUNT); i < PACKET_LEN; i++)
        assert_int_equal(packets.ptr[i], 0);
}

TEST(wire_15_6_9_10_12_13_14_15_16_17_18_framing)
{
    WITH_RIG(rig, host);
    struct rig_host *plain = rig_host_new(rig);
    for (unsigned framing = 0; framing <= 0xc0; framing += 0x40)
        assert_int_equal(rig_packet(plain, packet((uint8_t)framing, "ffff")).len, 0);
    expect_packets(rig_packet(plain, packet(0x83, "616263")), 0x89, "frambadsz");
    expect_packets(rig_packet(plain, bytes_of("0123456789", 10)), 0x89, "framshort");
    expect_packets(rig_packet(plain, (struct bytes){ 0 }), 0x89, "framshort");
    char longer[65] = { 0 };
    expect_packets(rig_packet(plain, BYTES_OF(longer)), 0x88, "framlong");
    expect_packets(rig_packet(plain, packet(0x84, "fffefdfc")), 0x8a, "framdecode");
    expect_packets(rig_packet(plain, packet(0xc4, "76657273")), 0x8a, "framno key");
    // 12: in two packets of two bytes; 13: E on the first is ignored
    assert_int_equal(rig_packet(plain, packet(0x02, "626c")).len, 0);
    expect_packets(rig_packet(plain, packet(0x82, "6b63")), 0x87, "asciXTN");
    assert_int_equal(rig_packet(plain, packet(0x42, "626c")).len, 0);
    expect_packets(rig_packet(plain, packet(0x82, "6b63")), 0x87, "asciXTN");
    // 16: forgotten after a resync; 17: pieces of two peers are not joined
    assert_int_equal(rig_packet(plain, packet(0x02, "626c")).len, 0);
    assert_int_equal(rig_packet(plain, packet(0x80, "ff")).len, 0);
    expect_packets(rig_packet(plain, packet(0x82, "6b63")), 0x89, "frambadsz");
    struct rig_host *other = rig_host_new(rig);
    assert_int_equal(rig_packet(plain, packet(0x02, "626c")).len, 0);
    expect_packets(rig_packet(other, packet(0x82, "6b63")), 0x89, "frambadsz");
    expect_packets(rig_packet(plain, packet(0x82, "6b63")), 0x87, "asciXTN");
    // 18: a runt does not move an encrypted session, its own peer's or another's
    expect_packets(rig_packet(host, packet(0x83, "616263")), 0x89, "frambadsz");
    expect_packets(rig_packet(other, packet(0x83, "616263")), 0x89, "frambadsz");
    assert_asci(ask(host, "blkc", true), "XTN");
}

TEST(wire_15_11_requests_of_2060_bytes_and_no_more)
{
    WITH_RIG(rig, host);
    char mem[2061];
    memset(mem, 'a', sizeof mem);
    memcpy(mem, "ping", 4);
    const struct reply reply = rig_message(host, bytes_of(mem, 2060), true);
    assert_bytes_equal(reply.data, bytes_of(mem + 4, 2056));
    struct writer packets = writer_growing(test_arena(), 1u << 16);
    frame_cut(&packets, bytes_of(mem, 2061), false);
    struct bytes answer = { 0 };
    for (size_t at = 0; at < packets.len; at += PACKET_LEN)
        answer = rig_packet(host, bytes_slice(writer_bytes(&packets), at, PACKET_LEN));
    expect_packets(answer, 0x89, "framxlong");
    (void)rig;
}

// Each framing error forgets the upload (2.4); resync too, and nothing else (2.5).
TEST(wire_2_4_framing_errors_forget_the_upload)
{
    static const struct {
        uint8_t framing;
        const char *hex;
    } errors[] = { { 0x83, "616263" }, { 0x84, "fffefdfc" }, { 0x80, "" } };
    WITH_RIG(rig, host);
    for (size_t i = 0; i < COUNT(errors); i++) {
        const struct hash256 nothing = sha256((struct bytes){ 0 });
        rig_upload(host, BYTES("hello"));
        (void)rig_packet(host, packet(errors[i].framing, errors[i].hex));
        assert_bytes_equal(ask(host, "sha2", true).data, BYTES_OF(nothing.b));
    }
    (void)rig;
}

TEST(wire_19_replies_have_no_limit)
{
    enum { RULES = 800 };
    struct writer policy = writer_growing(test_arena(), 1u << 20);
    writer_text(&policy, "{\"rules\":[{}");
    for (int i = 1; i < RULES; i++)
        writer_printf(&policy, ",{\"max_amount\":%d}", i);
    writer_text(&policy, "]}");
    WITH_RIG(rig, host);
    rig_activate(host, arena_text(test_arena(), writer_bytes(&policy)));
    const struct bytes status = rig_status_text(host);
    assert_in_range(status.len, 40000, 1000000);
    struct hsm *hsm = rig->device.hsm;
    assert_int_equal(hsm->policy.n_rules, RULES);
}
