// The link: wire-protocol.md 4 and 8.2, checklist items 20 to 30.
#include "base/reader.h"
#include "signer/requests.h"
#include "tests/support/device_checks.h"

static struct reply ask(struct rig_host *host, const char *code, bool encrypted)
{
    return rig_message(host, bytes_of_text(code), encrypted);
}

static struct reply ncry(struct rig_host *host, uint32_t version, struct pubkey64 key)
{
    return rig_plain(host, &(struct request){ .id = REQUEST_NCRY, .ncry = { version, key } });
}

// wire/host.c sends every `ncry` in plaintext. This one comes encrypted, as its reply does.
static struct bytes encrypted_ncry(struct rig_host *host, uint32_t version, struct pubkey64 key)
{
    struct writer message = writer_growing(test_arena(), 256);
    struct writer packets = writer_growing(test_arena(), 256);
    request_pack(&message, &(struct request){ .id = REQUEST_NCRY, .ncry = { version, key } });
    assert_true(link_cut(&host->end.link, LINK_TO_DEVICE, &packets, writer_bytes(&message), true));
    struct bytes answer = { 0 };
    for (size_t at = 0; at < packets.len; at += PACKET_LEN)
        answer = rig_packet(host, bytes_slice(writer_bytes(&packets), at, PACKET_LEN));
    struct reader r = reader_of(answer);
    uint8_t framing = 0, *reply = arena_alloc(test_arena(), PACKET_LEN);
    assert_true(reply != NULL && reader_u8(&r, &framing));
    assert_int_equal(framing & 0xc0, 0xc0);
    const size_t len = framing & FRAME_COUNT;
    assert_true(reader_copy(&r, reply, len));
    link_apply(&host->end.link, LINK_TO_HOST, reply, len);
    return bytes_of(reply, len);
}

TEST(wire_21_mypb_names_the_master_key)
{
    WITH_RIG(rig, host);
    struct rig_host *plain = rig_host_new(rig);
    const struct reply reply = rig_ncry(plain, LINK_V1);
    assert_int_equal(reply.id, REPLY_MYPB);
    assert_bytes_equal(BYTES_OF(reply.mypb.xfp), test_hex("0F056943"));
    assert_bytes_text(reply.mypb.xpub,
                      "tpubD6NzVbkrYhZ4XzL5Dhayo67Gorv1YMS7j8pRUvVMd5odC2LBPLAygka9p7748JtSq82FNGPp"
                      "pFEz5xxZUdasBRCqJqXvUHq6xpnsMcYJzeh");
    (void)host;
}

TEST(wire_15_22_23_24_mixing_and_renewing)
{
    WITH_RIG(rig, host);
    for (int i = 0; i < 3; i++) {
        assert_asci(ask(host, "blkc", true), "XTN");
        assert_asci(ask(host, "blkc", false), "XTN"); // moves no keystream
        assert_asci(ask(host, "blkc", true), "XTN");
        assert_int_equal(rig_ncry(host, LINK_V1).id, REPLY_MYPB);
    }
    (void)rig;
}

// [D] 4.3: "two V1 clients never disturb each other"
TEST(wire_4_3_sessions_side_by_side)
{
    enum { HOSTS = 16 }; // "for at least 16 peers"
    struct rig_host *hosts[HOSTS];
    WITH_RIG(rig, first);
    hosts[0] = first;
    for (size_t i = 1; i < HOSTS; i++)
        hosts[i] = rig_host_linked(rig);
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < HOSTS; i++)
            assert_asci(ask(hosts[(i * 7) % HOSTS], "blkc", true), "XTN");
    }
}

TEST(wire_25_a_bound_link)
{
    WITH_RIG(rig, host);
    struct rig_host *other = rig_host_linked(rig), *third = rig_host_new(rig);
    assert_int_equal(rig_ncry(host, LINK_V2).id, REPLY_MYPB);
    assert_asci(ask(host, "blkc", true), "XTN");
    assert_fram(ask(host, "blkc", false), "must encrypt");
    assert_asci(ask(host, "blkc", true), "XTN");
    // Encrypted ncry of either version: refused, and the session goes on.
    struct seckey key;
    seckey_generate(&key);
    for (uint32_t version = 1; version <= 2; version++) {
        assert_bytes_text(encrypted_ncry(host, version, link_public(&key)),
                          "framcrypto already set up");
        assert_asci(ask(host, "blkc", true), "XTN");
        assert_fram(ncry(third, version, link_public(&key)), "crypto already set up");
    }
    // "existing V1 sessions of other peers end"
    assert_fram(ask(third, "blkc", false), "must encrypt");
    struct writer packets = writer_growing(test_arena(), 4096);
    frame_cut(&packets, BYTES("blkc"), true);
    const struct bytes answer = rig_packet(other, writer_bytes(&packets));
    assert_int_equal(answer.ptr[0], 0x8a);
    assert_bytes_text(bytes_slice(answer, 1, 10), "framno key");
    // It lasts over disconnects, and ends with a lock.
    device_lock(&rig->device);
    assert_asci(ask(rig_host_linked(rig), "blkc", true), "XTN");
}

TEST(wire_26_a_bound_link_and_an_unknown_command)
{
    WITH_RIG(rig, host);
    assert_int_equal(rig_ncry(host, LINK_V2).id, REPLY_MYPB);
    assert_error(ask(host, "zzzz", true), "Unknown cmd");
    rig_pass(rig, 249);
    assert_asci(ask(host, "blkc", true), "XTN");
    rig_pass(rig, 1);
    assert_true(rig->has_stopped);
}

TEST(wire_15_27_28_bad_ncry)
{
    WITH_RIG(rig, host);
    struct seckey key;
    seckey_generate(&key);
    const struct pubkey64 good = link_public(&key), bad = { { 1 } };
    assert_fram(ncry(host, 0, good), "bad ncry version");
    assert_fram(ncry(host, 3, good), "bad ncry version");
    assert_error(ncry(host, 1, bad), "secp256k1_ec_pubkey_parse");
    assert_error(ncry(host, 2, bad), "secp256k1_ec_pubkey_parse"); // does not bind
    assert_asci(ask(host, "blkc", true), "XTN");                   // "old session intact"
    assert_asci(ask(host, "blkc", false), "XTN");
    uint8_t mem[4 + 69] = "ncry\1";
    assert_error(rig_message(host, bytes_of(mem, 4 + 67), false), "buffer too small");
    assert_error(rig_message(host, bytes_of(mem, 4 + 69), false), "badlen");
    (void)rig;
}

TEST(wire_29_mitm_proves_the_master_key)
{
    struct err err;
    WITH_RIG(rig, host);
    assert_error(ask(host, "mitm", false), "must encrypt");
    const struct reply first = ask(host, "mitm", true);
    assert_true(link_verify(&host->end.link, first.data, &rig->master.pub.key, &err));
    assert_bytes_equal(ask(host, "mitm", true).data, first.data); // deterministic
    assert_int_equal(rig_ncry(host, LINK_V1).id, REPLY_MYPB);
    assert_false(link_verify(&host->end.link, first.data, &rig->master.pub.key, &err));
}

// The lengths of the reference client's own test.
TEST(wire_30_pings_of_every_length_around_a_packet)
{
    static const struct {
        size_t from, to;
    } ranges[] = { { 55, 65 }, { 1013, 1023 }, { 2050, 2055 }, { 0, 3 } };
    uint8_t mem[2060] = "ping";
    WITH_RIG(rig, host);
    for (size_t i = 4; i < sizeof mem; i++)
        mem[i] = (uint8_t)(i * 31);
    for (size_t i = 0; i < COUNT(ranges); i++) {
        for (size_t len = ranges[i].from; len <= ranges[i].to; len++) {
            const struct bytes message = bytes_of(mem, 4 + len);
            assert_bytes_equal(rig_message(host, message, true).data, bytes_of(mem + 4, len));
            assert_bytes_equal(rig_message(host, message, false).data, bytes_of(mem + 4, len));
        }
    }
    (void)rig;
}

// A stranger who sends from many addresses must not end the one session that cannot be renewed.
TEST(wire_4_5_strangers_do_not_push_the_bound_peer_out)
{
    WITH_RIG(rig, host);
    assert_int_equal(rig_ncry(host, LINK_V2).id, REPLY_MYPB);
    for (int i = 0; i < 3 * PEERS_MAX; i++)
        assert_fram(ask(rig_host_new(rig), "blkc", false), "must encrypt");
    assert_asci(ask(host, "blkc", true), "XTN");
}
